//! `[listen.tls]` and `[[listen.certificate]]`.

use crate::config::reader::Section;
use crate::config::value::choice;
use crate::listen::{CertificateSettings, ClientSettings, TlsSettings, TlsVersion};

/// Whether a listener speaks TLS, and how, where that can be read. Certificates and keys are only looked for here; whether
/// they belong together is for the preflight.
pub(super) fn read(section: &mut Section<'_>, origin: usize) -> (bool, Option<TlsSettings>) {
    let has_tls = section.has("tls") || section.has("certificate");
    let more = section.tables("certificate");
    let table = section.table("tls").map(|table| settings(table, origin, more.is_empty()));
    let more: Option<Vec<_>> = more.into_iter().map(certificate).collect();
    let tls = match table {
        Some(table) => table,
        None => Some(TlsSettings { certificates: Vec::new(), min_version: TlsVersion::V12, client: None }),
    };
    let tls = tls.zip(more).map(|(mut tls, more)| {
        tls.certificates.extend(more);
        tls
    });
    (has_tls, tls.filter(|tls| !tls.certificates.is_empty()))
}

/// `listen.tls`; its certificate may be left out where there are others.
fn settings(mut section: Section<'_>, origin: usize, alone: bool) -> Option<TlsSettings> {
    for (key, field) in [("certificate", CERTIFICATE), ("key", KEY), ("client_ca", CLIENT_CA)] {
        section.reader.origins.note(origin, field, section.at(key));
    }
    let is_named = alone || section.has("certificate") || section.has("key");
    let certificate = is_named.then(|| pair(&mut section, (origin, [CERTIFICATE, KEY])));
    let min_version = section.read("min_version", |node| choice(node, &VERSIONS)).unwrap_or(TlsVersion::V12);
    let client = client(&mut section);
    let certificates = certificate.into_iter().collect::<Option<_>>()?;
    Some(TlsSettings { certificates, min_version, client })
}

const CERTIFICATE: &str = "tls.certificate";
const KEY: &str = "tls.key";
/// Where the authorities of clients are named.
pub(in crate::config) const CLIENT_CA: &str = "tls.client_ca";

/// One `[[listen.certificate]]`.
fn certificate(mut section: Section<'_>) -> Option<CertificateSettings> {
    let origin = section.origin();
    pair(&mut section, (origin, ["certificate", "key"]))
}

/// A certificate and its key; `None` where one is missing.
fn pair(section: &mut Section<'_>, origin: (usize, [&'static str; 2])) -> Option<CertificateSettings> {
    for key in ["certificate", "key"].into_iter().filter(|key| !section.has(key)) {
        let message = format!("`{}` is missing", section.name(key));
        section.reader.error(section.at, message, format!("add {key} = \"FILE\", in PEM"));
    }
    let (certificate, key) = (section.file("certificate"), section.file("key"));
    Some(CertificateSettings { origin, certificate: certificate?, key: key? })
}

/// `client_ca` and `client_auth`.
fn client(section: &mut Section<'_>) -> Option<ClientSettings> {
    let (at, asked) = (section.at("client_auth"), section.has("client_ca"));
    let authorities = section.file("client_ca");
    let required = section.read("client_auth", |node| choice(node, &CLIENT_AUTH));
    if required.is_some() && !asked {
        let hint = "add client_ca = \"FILE\": the authorities, in PEM";
        section.reader.error(at, "`listen.tls.client_auth` does not say whose certificates are good", hint);
    }
    authorities.map(|authorities| ClientSettings { authorities, required: required.unwrap_or(true) })
}

/// Whether a client must have a certificate; one that it shows must be good in either case.
const CLIENT_AUTH: [(&str, bool); 2] = [("require", true), ("request", false)];

/// What can be asked for. Older versions are not to be had.
const VERSIONS: [(&str, TlsVersion); 2] = [("1.2", TlsVersion::V12), ("1.3", TlsVersion::V13)];
