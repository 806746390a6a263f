//! The certificate that a client asks for by name (SNI, RFC 6066 §3).

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Certificates by the names that they are made out to.
pub struct ByName {
    /// Shown to whoever names nothing, or what none is made out to.
    default: Arc<CertifiedKey>,
    /// Those made out to a name, in their order: of several the client's kind of key decides.
    exact: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    /// Those made out to `*.` and this name.
    wildcard: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
}

impl ByName {
    /// These certificates, the first of which is the default; `None` without any.
    pub fn new(certificates: &[Arc<CertifiedKey>]) -> Option<ByName> {
        let default = Arc::clone(certificates.first()?);
        let (mut exact, mut wildcard) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for certificate in certificates {
            for name in names(certificate) {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(rest) => (&mut wildcard, rest),
                    None => (&mut exact, name.as_str()),
                };
                map.entry(name.into()).or_default().push(Arc::clone(certificate));
            }
        }
        Some(ByName { default, exact, wildcard })
    }

    /// Those for a name; a wildcard stands for one label (RFC 6125 §6.4.3).
    fn of(&self, name: &str) -> Option<&[Arc<CertifiedKey>]> {
        let name = match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(name.to_ascii_lowercase()),
            false => Cow::Borrowed(name),
        };
        let parent = || self.wildcard.get(name.split_once('.')?.1);
        self.exact.get(&*name).or_else(parent).map(Vec::as_slice)
    }
}

/// The DNS names that a certificate is made out to, in lower case; none where it cannot be read.
pub fn names(certificate: &CertifiedKey) -> Vec<String> {
    let own = certificate.cert.first().and_then(|der| webpki::EndEntityCert::try_from(der).ok());
    own.iter().flat_map(|own| own.valid_dns_names()).map(str::to_ascii_lowercase).collect()
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let certificates = hello.server_name().and_then(|name| self.of(name));
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        let chosen = certificates.and_then(|keys| keys.iter().find(fits).or(keys.first()));
        Some(Arc::clone(chosen.unwrap_or(&self.default)))
    }
}

impl fmt::Debug for ByName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ByName").field("exact", &self.exact.keys()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(names: &[&str]) -> Arc<CertifiedKey> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let identity = rcgen::generate_simple_self_signed(names).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(identity.signing_key.serialize_der()).unwrap();
        let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
        Arc::new(CertifiedKey::new(vec![identity.cert.der().clone()], key))
    }

    #[test]
    fn the_exact_name_is_asked_for_before_the_wildcard_and_that_before_the_default() {
        let certificates = [&["default.example"][..], &["*.shop.example"], &["www.shop.example", "Blog.example"]];
        let certificates = certificates.map(certificate);
        let by_name = ByName::new(&certificates).unwrap();
        let index = |name: &str| {
            let found = &by_name.of(name)?[0];
            certificates.iter().position(|certificate| Arc::ptr_eq(certificate, found))
        };
        assert_eq!(index("default.example"), Some(0));
        assert_eq!(index("www.shop.example"), Some(2));
        assert_eq!(index("WWW.Shop.Example"), Some(2));
        assert_eq!(index("blog.example"), Some(2));
        assert_eq!(index("api.shop.example"), Some(1));
        for unknown in ["shop.example", "a.b.shop.example", "example", "", "other"] {
            assert_eq!(index(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn of_two_certificates_with_one_name_the_first_is_the_first() {
        let certificates = [certificate(&["a.example"]), certificate(&["a.example"])];
        let by_name = ByName::new(&certificates).unwrap();
        assert!(Arc::ptr_eq(&by_name.of("a.example").unwrap()[0], &certificates[0]));
        assert!(ByName::new(&[]).is_none());
    }
}
