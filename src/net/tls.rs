//! TLS from files: certificates and keys are read and checked, and become what rustls works with.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::{ClientSessionMemoryCache, Resumption};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, InconsistentKeys, RootCertStore, SupportedProtocolVersion};

/// Why files do not make a TLS identity or a set of authorities.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct TlsFileError {
    /// The file at fault.
    pub path: PathBuf,
    /// What it is meant to hold.
    pub role: Role,
    /// What is wrong with it.
    #[source]
    pub problem: TlsFileProblem,
}

/// What a file is meant to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A chain of certificates, one's own first.
    Certificate,
    /// A private key.
    Key,
    /// Certificates of authorities.
    Authorities,
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Role::Certificate => "certificate",
            Role::Key => "private key",
            Role::Authorities => "authorities",
        })
    }
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileProblem {
    /// The file system does not give it.
    #[error("it cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// Not PEM, or cut off.
    #[error("it is not PEM: {0}")]
    NotPem(#[source] pem::Error),
    /// PEM, but of something else.
    #[error("it holds no {0} in PEM")]
    Nothing(Role),
    /// A certificate that cannot be parsed, or a key of an unknown kind.
    #[error("it cannot be used: {0}")]
    Unusable(#[source] rustls::Error),
    /// The key belongs to another certificate.
    #[error("the private key does not belong to the certificate")]
    Mismatch,
}

/// Reads a chain and its key, and makes sure that they belong together.
///
/// # Errors
///
/// The first file that is not what it is meant to be.
pub fn load_certified_key(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsFileError> {
    let chain = certificates(certificate, Role::Certificate)?;
    let private = private_key(key)?;
    let signing = ring::sign::any_supported_type(&private).map_err(|error| unusable(key, Role::Key, error))?;
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        // A kind of key that cannot tell is found out in the first handshake at the latest.
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(_)) => Err(failure(key, Role::Key, TlsFileProblem::Mismatch)),
        Err(error) => Err(unusable(certificate, Role::Certificate, error)),
    }
}

/// What connections to an upstream speak: HTTP/1.1, towards servers that `authorities` (PEM) or else the public
/// authorities vouch for, showing `identity` (certificate and key, PEM) where it is asked for.
///
/// # Errors
///
/// The first file that is not what it is meant to be.
pub fn client_config(
    authorities: Option<&Path>,
    identity: Option<(&Path, &Path)>,
) -> Result<Arc<ClientConfig>, TlsFileError> {
    let roots = match authorities {
        Some(path) => root_store(path)?,
        None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
    };
    // The provider has both versions, so that this cannot fail; if it did, it would be nobody's file.
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions_from(&rustls::version::TLS12))
        .map_err(|error| unusable(Path::new(""), Role::Authorities, error))?
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let certified = load_certified_key(certificate, key)?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(SESSIONS)));
    Ok(Arc::new(config))
}

/// Sessions that are remembered, a few hundred bytes each.
pub(super) const SESSIONS: usize = 4096;

/// The one cryptography library there is; no process-wide default is needed.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// TLS 1.2 and 1.3, or 1.3 alone.
pub(super) fn versions_from(oldest: &'static SupportedProtocolVersion) -> &'static [&'static SupportedProtocolVersion] {
    if *oldest == rustls::version::TLS13 { &NEWEST } else { rustls::ALL_VERSIONS }
}

static NEWEST: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];

/// Authorities from a file (PEM); one that cannot be used spoils the file, since it was put there on purpose.
///
/// # Errors
///
/// What is wrong with the file.
pub fn root_store(path: &Path) -> Result<RootCertStore, TlsFileError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, Role::Authorities)? {
        roots.add(certificate).map_err(|error| unusable(path, Role::Authorities, error))?;
    }
    Ok(roots)
}

/// Every certificate of a PEM file, at least one.
fn certificates(path: &Path, role: Role) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let bytes = read(path, role)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let chain = chain.map_err(|error| failure(path, role, TlsFileProblem::NotPem(error)))?;
    if chain.is_empty() { Err(failure(path, role, TlsFileProblem::Nothing(role))) } else { Ok(chain) }
}

/// The first key of a PEM file: PKCS #8, PKCS #1 or SEC 1.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsFileError> {
    let bytes = read(path, Role::Key)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        let problem = match error {
            pem::Error::NoItemsFound => TlsFileProblem::Nothing(Role::Key),
            error => TlsFileProblem::NotPem(error),
        };
        failure(path, Role::Key, problem)
    })
}

/// A file of this module's kind, whole.
fn read(path: &Path, role: Role) -> Result<Vec<u8>, TlsFileError> {
    crate::disk::read(path, FILE_LIMIT).map_err(|error| failure(path, role, TlsFileProblem::Unreadable(error)))
}

/// The bundle of all public authorities takes a quarter of a megabyte.
const FILE_LIMIT: u64 = 4 << 20;

/// PEM in good order, whose content rustls refuses.
pub(super) fn unusable(path: &Path, role: Role, error: rustls::Error) -> TlsFileError {
    failure(path, role, TlsFileProblem::Unusable(error))
}

/// An error with all that is known of it.
fn failure(path: &Path, role: Role, problem: TlsFileProblem) -> TlsFileError {
    TlsFileError { path: path.to_owned(), role, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::server_tls::{CertificateFiles, ServerFiles, ServerTls};

    /// A folder with two identities, and what is none.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            let identity = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
            std::fs::write(folder.path().join(format!("{name}.pem")), identity.cert.pem()).unwrap();
            std::fs::write(folder.path().join(format!("{name}.key")), identity.signing_key.serialize_pem()).unwrap();
        }
        std::fs::write(folder.path().join("empty.pem"), "").unwrap();
        std::fs::write(folder.path().join("cut.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n").unwrap();
        let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(folder.path().join("bad.pem"), text).unwrap();
        folder
    }

    fn refused(certificate: &str, key: &str) -> (String, Role, TlsFileProblem) {
        let folder = folder();
        let error = load_certified_key(&folder.path().join(certificate), &folder.path().join(key)).unwrap_err();
        (error.path.file_name().unwrap().to_string_lossy().into_owned(), error.role, error.problem)
    }

    #[test]
    fn a_chain_and_its_key_are_an_identity() {
        let folder = folder();
        let identity = load_certified_key(&folder.path().join("a.pem"), &folder.path().join("a.key")).unwrap();
        assert_eq!(identity.cert.len(), 1);
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (file, role, problem) = refused("a.pem", "b.key");
        assert_eq!((file.as_str(), role), ("b.key", Role::Key));
        assert!(matches!(problem, TlsFileProblem::Mismatch), "{problem}");
    }

    #[test]
    fn the_file_at_fault_is_named() {
        use TlsFileProblem::{NotPem, Nothing, Unreadable, Unusable};
        assert!(matches!(refused("none.pem", "a.key"), (file, _, Unreadable(_)) if file == "none.pem"));
        assert!(matches!(refused("empty.pem", "a.key"), (file, _, Nothing(Role::Certificate)) if file == "empty.pem"));
        assert!(matches!(refused("cut.pem", "a.key"), (file, _, NotPem(_)) if file == "cut.pem"));
        assert!(matches!(refused("bad.pem", "a.key"), (file, _, Unusable(_)) if file == "bad.pem"));
        assert!(matches!(refused("a.pem", "a.pem"), (file, _, Nothing(Role::Key)) if file == "a.pem"));
        assert!(matches!(refused("a.pem", "none.key"), (file, _, Unreadable(_)) if file == "none.key"));
    }

    #[test]
    fn upstreams_are_checked_by_the_given_authorities_or_the_public_ones() {
        let folder = folder();
        let path = |name: &str| folder.path().join(name);
        let config = client_config(Some(&path("a.pem")), Some((&path("a.pem"), &path("a.key")))).unwrap();
        assert!(config.client_auth_cert_resolver.has_certs());
        assert_eq!(config.alpn_protocols, [b"http/1.1".to_vec()]);
        assert!(client_config(None, None).is_ok());
        assert_eq!(client_config(Some(&path("bad.pem")), None).unwrap_err().role, Role::Authorities);
    }

    /// Both ends in memory: the handshake goes through, and a client that trusts other authorities refuses.
    #[test]
    fn a_client_and_a_server_of_these_files_understand_each_other() {
        let folder = folder();
        let path = |name: &str| folder.path().join(name);
        let certificates = vec![CertificateFiles { certificate: path("a.pem"), key: path("a.key") }];
        let server = ServerTls::load(ServerFiles::new(certificates, &[b"http/1.1"])).unwrap().current();
        let handshake = |authorities: &str| {
            let client = client_config(Some(&path(authorities)), None).unwrap();
            let name = "localhost".try_into().unwrap();
            let mut client = rustls::ClientConnection::new(client, name).unwrap();
            let mut server = rustls::ServerConnection::new(Arc::clone(&server)).unwrap();
            while client.is_handshaking() || server.is_handshaking() {
                let mut wire = Vec::new();
                client.write_tls(&mut wire).unwrap();
                server.read_tls(&mut wire.as_slice()).unwrap();
                server.process_new_packets()?;
                let mut wire = Vec::new();
                server.write_tls(&mut wire).unwrap();
                client.read_tls(&mut wire.as_slice()).unwrap();
                client.process_new_packets()?;
            }
            Ok::<_, rustls::Error>(client.protocol_version())
        };
        assert_eq!(handshake("a.pem").unwrap(), Some(rustls::ProtocolVersion::TLSv1_3));
        assert!(matches!(handshake("b.pem"), Err(rustls::Error::InvalidCertificate(_))));
    }
}
