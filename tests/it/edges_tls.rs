//! Certificates by name and by renewal, clients' certificates, HSTS: judged by what a client is shown and by the records.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use rustls::ClientConnection;
use rustls::pki_types::CertificateDer;

use crate::support::tls::{Authority, Identity};
use crate::support::{Client, DEADLINE, PARALLEL, Setup, TestProxy, Upstream, get, in_parallel, request};

/// The certificate that a client is shown who asks for this name; why it does not take it, if it does not.
fn try_shown(address: SocketAddr, name: &str) -> Result<CertificateDer<'static>, String> {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let config = Authority::shared().client(&["http/1.1"]);
    let mut session = ClientConnection::new(config, name.to_owned().try_into().unwrap()).unwrap();
    while session.is_handshaking() {
        session.complete_io(&mut socket).map_err(|error| error.to_string())?;
    }
    Ok(session.peer_certificates().unwrap()[0].clone().into_owned())
}

fn shown(address: SocketAddr, name: &str) -> CertificateDer<'static> {
    try_shown(address, name).unwrap()
}

/// Certificates in the folder of a proxy, one for each name.
struct Files {
    folder: PathBuf,
}

impl Files {
    fn of(setup: &Setup) -> Files {
        Files { folder: setup.dir().to_owned() }
    }

    fn paths(&self, stem: &str) -> (PathBuf, PathBuf) {
        (self.folder.join(format!("{stem}.pem")), self.folder.join(format!("{stem}-key.pem")))
    }

    /// Puts a new certificate for `name` in the files of `stem`.
    fn put(&self, stem: &str, name: &str) -> Identity {
        let identity = Authority::shared().issue(name);
        let (certificate, key) = self.paths(stem);
        identity.replace(&certificate, &key);
        identity
    }

    fn lines(&self, stem: &str) -> String {
        let (certificate, key) = self.paths(stem);
        format!("certificate = {certificate:?}\nkey = {key:?}\n")
    }
}

fn told(proxy: &TestProxy, message: &str) -> crate::support::Log {
    let is_told = |log: &crate::support::Log| log.0.iter().any(|record| record.text("message") == message);
    proxy.wait_for(message, is_told)
}

#[test]
fn each_name_is_shown_its_own_certificate_and_the_session_is_told() {
    let upstream = Upstream::ok();
    let setup = Setup::before(&upstream);
    let files = Files::of(&setup);
    let [default, blog, shop] = [("default", "localhost"), ("blog", "blog.example"), ("shop", "*.shop.example")]
        .map(|(stem, name)| files.put(stem, name));
    let listener = format!(
        "address = \"127.0.0.1:0\"\n[listen.tls]\n{}[[listen.certificate]]\n{}[[listen.certificate]]\n{}",
        files.lines("default"),
        files.lines("blog"),
        files.lines("shop")
    );
    let proxy = setup.listen(&listener).start();
    let names = [("blog.example", &blog), ("www.shop.example", &shop), ("localhost", &default)];
    in_parallel(PARALLEL, |index| {
        let (name, identity) = names[index % names.len()];
        assert_eq!(shown(proxy.tls_addr(), name), identity.der(), "{name}");
    });
    let refused = try_shown(proxy.tls_addr(), "other.example").unwrap_err();
    assert!(refused.contains("localhost"), "the default is shown: {refused}");
    let mut client =
        Client::connect(proxy.tls_addr()).secure(Authority::shared().client(&["http/1.1"]), "www.shop.example");
    client.exchange(request("GET", "/", "by-name", "", "")).ok();
    assert_eq!(proxy.completed("by-name").get("tls").unwrap()["sni"], "www.shop.example");
    proxy.stop();
}

#[test]
fn a_renewed_certificate_is_in_force_without_a_restart() {
    let upstream = Upstream::ok();
    let setup = Setup::before(&upstream);
    let files = Files::of(&setup);
    let before = files.put("site", "localhost");
    let proxy = setup.listen(&format!("address = \"127.0.0.1:0\"\n[listen.tls]\n{}", files.lines("site"))).start();
    let mut old = Client::connect_tls(proxy.tls_addr());
    old.exchange(request("GET", "/", "before", "", "")).ok();
    assert_eq!(shown(proxy.tls_addr(), "localhost"), before.der());
    let after = files.put("site", "localhost");
    let log = told(&proxy, "a renewed certificate is in force");
    let record = log.0.iter().find(|record| record.text("message") == "a renewed certificate is in force").unwrap();
    assert_eq!((record.text("level"), record.text("names")), ("INFO", "localhost"));
    assert!(
        record.text("certificate").ends_with("site.pem") && record.text("not_after").ends_with("GMT"),
        "{record:?}"
    );
    assert_eq!(shown(proxy.tls_addr(), "localhost"), after.der());
    old.exchange(request("GET", "/", "after", "", "")).ok();
    proxy.stop();
}

#[test]
fn a_bad_pair_keeps_the_old_one_and_is_told_of_once() {
    let upstream = Upstream::ok();
    let setup = Setup::before(&upstream);
    let files = Files::of(&setup);
    let before = files.put("site", "localhost");
    let proxy = setup.listen(&format!("address = \"127.0.0.1:0\"\n[listen.tls]\n{}", files.lines("site"))).start();
    // The key of another certificate.
    let (certificate, key) = files.paths("site");
    let spare = files.paths("spare");
    files.put("spare", "localhost");
    std::fs::rename(&spare.1, &key).unwrap();
    let message = "renewed TLS files cannot be used: those before stay in force";
    let log = told(&proxy, message);
    let record = log.0.iter().find(|record| record.text("message") == message).unwrap();
    assert_eq!((record.text("level"), record.text("role")), ("ERROR", "private key"));
    assert_eq!(shown(proxy.tls_addr(), "localhost"), before.der());
    // With its certificate behind it, it is a pair again; by then everything about the bad state has been said.
    std::fs::rename(&spare.0, &certificate).unwrap();
    let log = told(&proxy, "a renewed certificate is in force");
    assert_eq!(log.0.iter().filter(|record| record.text("message") == message).count(), 1);
    assert_ne!(shown(proxy.tls_addr(), "localhost"), before.der());
    proxy.stop();
}

/// A proxy that asks clients for certificates of this authority.
fn asking(upstream: &Upstream, clients: &Authority, mode: &str) -> TestProxy {
    let setup = Setup::before(upstream);
    let files = Files::of(&setup);
    files.put("site", "localhost");
    let ca: &Path = &clients.write_to(setup.dir());
    let tls = format!("{}client_ca = {ca:?}\nclient_auth = \"{mode}\"", files.lines("site"));
    setup.listen(&format!("address = \"127.0.0.1:0\"\n[listen.tls]\n{tls}")).start()
}

#[test]
fn the_subject_of_a_clients_certificate_is_told() {
    let (upstream, clients) = (Upstream::ok(), Authority::new());
    let proxy = asking(&upstream, &clients, "require");
    let robot = clients.issue_to("robot, the");
    let config = Authority::shared().client_as(&["http/1.1"], Some(&robot));
    for id in ["with-certificate", "resumed"] {
        let mut client = Client::connect(proxy.tls_addr()).secure(config.clone(), "localhost");
        client.exchange(request("GET", "/", id, "", "")).ok();
        assert_eq!(proxy.completed(id).get("tls").unwrap()["client_subject"], "CN=robot\\, the,O=Shop");
    }
    let mut client = Client::connect_tls(proxy.tls_addr());
    let sent = client.try_send(request("GET", "/", "without", "", ""));
    assert!(sent.is_err() || client.rest().0.is_empty());
    let peer = client.local_addr();
    let log = proxy.wait_for("a rejection", |log| log.of_peer(&peer).count("request_rejected") == 1);
    assert_eq!(log.of_peer(&peer).only("request_rejected").text("reason"), "tls_handshake");
    let log = proxy.stop();
    assert_eq!(log.count("request_completed"), 2);
}

#[test]
fn a_client_may_come_without_a_certificate_where_it_is_only_requested() {
    let (upstream, clients) = (Upstream::ok(), Authority::new());
    let proxy = asking(&upstream, &clients, "request");
    Client::connect_tls(proxy.tls_addr()).exchange(request("GET", "/", "anonymous", "", "")).ok();
    assert!(proxy.completed("anonymous").get("tls").unwrap().get("client_subject").is_none());
    let stranger = Authority::new().issue_to("stranger");
    let config = Authority::shared().client_as(&["http/1.1"], Some(&stranger));
    let mut client = Client::connect(proxy.tls_addr()).secure(config, "localhost");
    let sent = client.try_send(request("GET", "/", "stranger", "", ""));
    assert!(sent.is_err() || client.rest().0.is_empty(), "a certificate of nobody knows whom is worse than none");
    let log = proxy.wait_for("a rejection", |log| log.count("request_rejected") == 1);
    assert_eq!(log.only("request_rejected").text("reason"), "tls_handshake");
    proxy.stop();
}

#[test]
fn answers_over_tls_promise_it_and_the_application_has_the_last_word() {
    let upstream = Upstream::script(|conn| {
        while let Some(request) = conn.request() {
            let own = if request.start[1] == "/own" { "Strict-Transport-Security: max-age=5\r\n" } else { "" };
            conn.send(format!("HTTP/1.1 200 OK\r\n{own}Content-Length: 2\r\n\r\nok"));
        }
    });
    let setup = Setup::before(&upstream);
    let files = Files::of(&setup);
    files.put("site", "localhost");
    let listener = format!("address = \"127.0.0.1:0\"\nhsts = \"max-age=99\"\n[listen.tls]\n{}", files.lines("site"));
    let proxy = setup.listen(&listener).start();
    let hsts = |target: &str, id: &str, more: &str| {
        let answer = Client::connect_tls(proxy.tls_addr()).exchange(request("GET", target, id, more, "")).whole();
        (answer.status(), answer.header("strict-transport-security").map(str::to_owned))
    };
    assert_eq!(hsts("/", "promised", ""), (200, Some("max-age=99".to_owned())));
    assert_eq!(hsts("/own", "own", ""), (200, Some("max-age=5".to_owned())));
    assert_eq!(hsts("/", "refused", "Expect: wonders\r\n"), (417, Some("max-age=99".to_owned())));
    assert_eq!(get(proxy.addr(), "/", "plain").ok().header("strict-transport-security"), None);
    proxy.stop();
}
