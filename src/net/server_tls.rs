//! A listener's side of TLS: its certificates and the authorities of its clients, from files that are looked at again.
//!
//! What is in force is one value. A handshake takes it as it begins, a renewal replaces it whole: no handshake sees half of
//! one, and a file that is no good changes nothing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::crypto::ring;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    NoClientAuth, ProducesTickets, ServerSessionMemoryCache, StoresServerSessions, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::by_name::{self, ByName};
use super::expiry;
use super::tls::{self, Role, SESSIONS, TlsFileError, TlsFileProblem};
use crate::disk::paths;

/// What a listener's TLS is made of.
#[derive(Debug, Clone)]
pub struct ServerFiles {
    /// Its certificates, at least one; the first is for clients that name nothing, or what none is made out to.
    pub certificates: Vec<CertificateFiles>,
    /// Whether clients show certificates.
    pub clients: Option<ClientFiles>,
    /// The oldest version that is spoken.
    pub oldest: &'static SupportedProtocolVersion,
    /// Protocols that are offered, the better one first.
    pub alpn: &'static [&'static [u8]],
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM chain, leaf first.
    pub certificate: PathBuf,
    /// PEM private key.
    pub key: PathBuf,
}

/// Whose certificates clients may show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFiles {
    /// PEM: the authorities that vouch for clients.
    pub authorities: PathBuf,
    /// Whether a client without a certificate is turned away.
    pub required: bool,
}

/// A certificate that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Its file.
    pub file: PathBuf,
    /// The DNS names that it is made out to.
    pub names: Vec<String>,
    /// Its end, in microseconds since the Unix epoch, where it can be read.
    pub not_after: Option<u64>,
}

/// What a look at the files has brought.
#[derive(Debug)]
pub enum Change {
    /// A certificate was replaced.
    Certificate(InForce),
    /// The authorities of clients were replaced; sessions that were begun before are not resumed.
    Authorities(PathBuf),
    /// Files changed and cannot be used: what was in force stays. Told once for each state of the files.
    Refused(TlsFileError),
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum ServerTlsError {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] TlsFileError),
    /// The cryptography library lacks randomness or a version.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}

/// TLS that is spoken by a listener, on all cores.
pub struct ServerTls {
    files: ServerFiles,
    current: ArcSwap<ServerConfig>,
    loaded: Mutex<Loaded>,
}

impl ServerFiles {
    /// TLS 1.2 and later, and no questions to clients.
    pub fn new(certificates: Vec<CertificateFiles>, alpn: &'static [&'static [u8]]) -> ServerFiles {
        ServerFiles { certificates, clients: None, oldest: &rustls::version::TLS12, alpn }
    }
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// The first file that is not what it is meant to be.
    pub fn load(files: ServerFiles) -> Result<ServerTls, ServerTlsError> {
        let certificates = files.certificates.iter().map(Source::certificate).collect::<Result<_, _>>()?;
        let clients = files.clients.as_ref().map(Source::clients).transpose()?;
        let loaded = Loaded { certificates, clients, sessions: Sessions::new()? };
        let current = ArcSwap::new(loaded.config(&files)?);
        Ok(ServerTls { files, current, loaded: Mutex::new(loaded) })
    }

    /// What a handshake that begins now goes by.
    pub fn current(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }

    /// The certificates that are in force.
    pub fn in_force(&self) -> Vec<InForce> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs = loaded.certificates.iter().zip(&self.files.certificates);
        pairs.map(|(source, files)| in_force(&files.certificate, &source.value)).collect()
    }

    /// Looks whether files have changed since the last look, and puts in force what can be. Reads files; nobody else waits
    /// for it.
    pub fn look(&self) -> Vec<Change> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changes = Vec::new();
        for (source, files) in loaded.certificates.iter_mut().zip(&self.files.certificates) {
            let change = source.look(&[&files.certificate, &files.key], || Source::certificate(files));
            changes.extend(change.map(|change| match change {
                Ok(()) => Change::Certificate(in_force(&files.certificate, &source.value)),
                Err(error) => Change::Refused(error),
            }));
        }
        let mut renews = false;
        if let Some((source, files)) = loaded.clients.as_mut().zip(self.files.clients.as_ref()) {
            let change = source.look(&[&files.authorities], || Source::clients(files));
            renews = matches!(change, Some(Ok(())));
            changes.extend(change.map(|change| match change {
                Ok(()) => Change::Authorities(files.authorities.clone()),
                Err(error) => Change::Refused(error),
            }));
        }
        if changes.iter().any(|change| !matches!(change, Change::Refused(_))) {
            let config = loaded.renew_sessions(renews).and_then(|()| loaded.config(&self.files));
            match config {
                Ok(config) => self.current.store(config),
                Err(error) => {
                    let problem = TlsFileProblem::Unusable(error);
                    let path = self.files.certificates[0].certificate.clone();
                    changes = vec![Change::Refused(TlsFileError { path, role: Role::Certificate, problem })];
                }
            }
        }
        changes
    }
}

/// What the files held when they were last good.
struct Loaded {
    certificates: Vec<Source<Arc<CertifiedKey>>>,
    clients: Option<Source<Arc<dyn ClientCertVerifier>>>,
    sessions: Sessions,
}

impl Loaded {
    fn config(&self, files: &ServerFiles) -> Result<Arc<ServerConfig>, rustls::Error> {
        let certificates: Vec<_> = self.certificates.iter().map(|source| Arc::clone(&source.value)).collect();
        let by_name = ByName::new(&certificates).ok_or(rustls::Error::NoCertificatesPresented)?;
        let clients = self.clients.as_ref().map_or_else(|| Arc::new(NoClientAuth) as _, |it| Arc::clone(&it.value));
        let mut config = ServerConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(tls::versions_from(files.oldest))?
            .with_client_cert_verifier(clients)
            .with_cert_resolver(Arc::new(by_name));
        config.alpn_protocols = files.alpn.iter().map(|protocol| protocol.to_vec()).collect();
        config.session_storage = Arc::clone(&self.sessions.storage);
        config.ticketer = Arc::clone(&self.sessions.ticketer);
        // A client that resumes takes one; the second serves its next connection.
        config.send_tls13_tickets = 2;
        Ok(Arc::new(config))
    }

    fn renew_sessions(&mut self, renews: bool) -> Result<(), rustls::Error> {
        if renews {
            self.sessions = Sessions::new()?;
        }
        Ok(())
    }
}

/// How sessions are resumed: by tickets and, for TLS 1.2 clients without them, from memory. They outlive a renewal of the
/// certificate, but not of the authorities that vouched for the client.
struct Sessions {
    storage: Arc<dyn StoresServerSessions>,
    ticketer: Arc<dyn ProducesTickets>,
}

impl Sessions {
    fn new() -> Result<Sessions, rustls::Error> {
        Ok(Sessions { storage: ServerSessionMemoryCache::new(SESSIONS), ticketer: ring::Ticketer::new()? })
    }
}

/// What was made of some files, and of which state of them.
struct Source<T> {
    value: T,
    stamp: Stamp,
    /// A state that was no good when it was seen; it may be that files were being replaced one after the other.
    doubtful: Option<Stamp>,
    /// The last state that was complained of.
    told: Option<Stamp>,
}

impl<T> Source<T> {
    fn new(stamp: Stamp, value: T) -> Source<T> {
        Source { value, stamp, doubtful: None, told: None }
    }

    /// Whether the files have changed, and what came of it. A bad state is complained of when it is seen twice.
    fn look(
        &mut self,
        files: &[&Path],
        load: impl FnOnce() -> Result<Source<T>, TlsFileError>,
    ) -> Option<Result<(), TlsFileError>> {
        let stamp = stamp(files);
        if stamp == self.stamp || self.told == Some(stamp.clone()) {
            return None;
        }
        match load() {
            Ok(source) => {
                *self = source;
                Some(Ok(()))
            }
            Err(error) if self.doubtful.as_ref() == Some(&stamp) => {
                self.told = Some(stamp);
                Some(Err(error))
            }
            Err(_) => {
                self.doubtful = Some(stamp);
                None
            }
        }
    }
}

impl Source<Arc<CertifiedKey>> {
    fn certificate(files: &CertificateFiles) -> Result<Source<Arc<CertifiedKey>>, TlsFileError> {
        // Before the files are read: what changes meanwhile is seen by the next look.
        let stamp = stamp(&[&files.certificate, &files.key]);
        Ok(Source::new(stamp, Arc::new(tls::load_certified_key(&files.certificate, &files.key)?)))
    }
}

impl Source<Arc<dyn ClientCertVerifier>> {
    fn clients(files: &ClientFiles) -> Result<Source<Arc<dyn ClientCertVerifier>>, TlsFileError> {
        let stamp = stamp(&[&files.authorities]);
        let roots = Arc::new(tls::root_store(&files.authorities)?);
        let builder = WebPkiClientVerifier::builder_with_provider(roots, tls::provider());
        let builder = if files.required { builder } else { builder.allow_unauthenticated() };
        let unusable = |error: rustls::server::VerifierBuilderError| {
            tls::unusable(&files.authorities, Role::Authorities, rustls::Error::General(error.to_string()))
        };
        Ok(Source::new(stamp, builder.build().map_err(unusable)?))
    }
}

/// What tells one state of files from another: for each, which it is, its length, and when it was written.
type Stamp = Vec<Option<((u64, u64), u64, u64)>>;

fn stamp(files: &[&Path]) -> Stamp {
    let one = |path: &&Path| paths::look(path).ok().map(|look| (look.id, look.len, look.modified));
    files.iter().map(one).collect()
}

fn in_force(file: &Path, certificate: &CertifiedKey) -> InForce {
    let not_after = certificate.cert.first().and_then(|own| expiry::not_after(own));
    InForce { file: file.to_owned(), names: by_name::names(certificate), not_after }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with a pair of these names, and what a listener makes of it.
    struct Fixture {
        folder: tempfile::TempDir,
        tls: ServerTls,
    }

    impl Fixture {
        fn new(name: &str) -> Fixture {
            let folder = tempfile::tempdir().unwrap();
            let files = CertificateFiles {
                certificate: folder.path().join("certificate.pem"),
                key: folder.path().join("key.pem"),
            };
            write(&folder, name, true, true);
            let tls = ServerTls::load(ServerFiles::new(vec![files], &[b"h2", b"http/1.1"])).unwrap();
            Fixture { folder, tls }
        }

        fn names(&self) -> Vec<String> {
            self.tls.in_force().remove(0).names
        }
    }

    /// Replaces certificate, key or both, each by renaming.
    fn write(folder: &tempfile::TempDir, name: &str, certificate: bool, key: bool) {
        let identity = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let files = [
            ("certificate.pem", identity.cert.pem(), certificate),
            ("key.pem", identity.signing_key.serialize_pem(), key),
        ];
        for (file, content, _) in files.into_iter().filter(|(_, _, meant)| *meant) {
            let new = folder.path().join("new");
            std::fs::write(&new, content).unwrap();
            std::fs::rename(new, folder.path().join(file)).unwrap();
        }
    }

    #[test]
    fn what_is_offered_is_what_was_asked_for() {
        let fixture = Fixture::new("a.example");
        let config = fixture.tls.current();
        assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
        assert!(config.ticketer.enabled());
        assert!(fixture.tls.in_force()[0].not_after.is_some());
    }

    #[test]
    fn a_new_pair_is_put_in_force_once_and_sessions_go_on() {
        let fixture = Fixture::new("a.example");
        let before = fixture.tls.current();
        assert!(fixture.tls.look().is_empty());
        write(&fixture.folder, "b.example", true, true);
        assert!(matches!(&fixture.tls.look()[..], [Change::Certificate(now)] if now.names == ["b.example"]));
        assert!(fixture.tls.look().is_empty());
        let after = fixture.tls.current();
        assert!(!Arc::ptr_eq(&before, &after) && Arc::ptr_eq(&before.ticketer, &after.ticketer));
    }

    #[test]
    fn half_a_pair_keeps_the_old_one_and_is_complained_of_once() {
        let fixture = Fixture::new("a.example");
        write(&fixture.folder, "b.example", true, false);
        assert!(fixture.tls.look().is_empty(), "the key may be on its way");
        let refused = fixture.tls.look();
        assert!(matches!(&refused[..], [Change::Refused(error)] if error.role == Role::Key), "{refused:?}");
        assert!(fixture.tls.look().is_empty() && fixture.names() == ["a.example"]);
        std::fs::remove_file(fixture.folder.path().join("key.pem")).unwrap();
        assert!(fixture.tls.look().is_empty());
        assert!(matches!(&fixture.tls.look()[..], [Change::Refused(_)]));
        write(&fixture.folder, "c.example", true, true);
        assert!(matches!(&fixture.tls.look()[..], [Change::Certificate(_)]));
        assert_eq!(fixture.names(), ["c.example"]);
    }

    #[test]
    fn new_authorities_end_the_sessions_that_the_old_ones_vouched_for() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder, "a.example", true, true);
        let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
        let authorities = folder.path().join("ca.pem");
        std::fs::copy(&certificate, &authorities).unwrap();
        let mut files = ServerFiles::new(vec![CertificateFiles { certificate, key }], &[]);
        files.clients = Some(ClientFiles { authorities: authorities.clone(), required: true });
        let tls = ServerTls::load(files).unwrap();
        let before = tls.current();
        let other = rcgen::generate_simple_self_signed(vec!["other".to_owned()]).unwrap();
        std::fs::write(&authorities, other.cert.pem()).unwrap();
        assert!(matches!(&tls.look()[..], [Change::Authorities(_)]));
        assert!(!Arc::ptr_eq(&before.ticketer, &tls.current().ticketer));
    }
}
