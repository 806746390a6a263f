//! A mail server that does what its script says: anything but what it is asked for, where that is the point.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::DEADLINE;

/// What is done in place of what a good server does.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// This answer; `\r\n` comes behind it.
    Say(String),
    /// The connection is closed without a word.
    Close,
    /// Nothing, until the client has left.
    Hang,
}

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mail {
    /// Of the envelope.
    pub(crate) to: Vec<String>,
    /// Who had logged in, as sent.
    pub(crate) login: Option<String>,
    /// Whether it came over TLS.
    pub(crate) tls: bool,
    /// The content, without the dots of the protocol.
    pub(crate) content: String,
}

/// What a client says, with the number of its connection from 0. The greeting is asked for by an empty command, the answer to
/// a whole message by `.`.
type Script = dyn Fn(usize, &str) -> Option<Reply> + Send + Sync;

/// How TLS is spoken.
#[derive(Clone)]
pub(crate) enum Tls {
    /// Never.
    Never,
    /// When it is asked for.
    WhenAsked(Arc<ServerConfig>),
    /// At once.
    AtOnce(Arc<ServerConfig>),
}

/// A listener whose connections follow a script.
pub(crate) struct SmtpServer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    said: Mutex<Vec<String>>,
    mails: Mutex<Vec<Mail>>,
    news: Condvar,
    open: Mutex<Vec<TcpStream>>,
}

impl SmtpServer {
    /// One that does all that it is asked, unless `script` says otherwise.
    pub(crate) fn script(
        tls: Tls,
        script: impl Fn(usize, &str) -> Option<Reply> + Send + Sync + 'static,
    ) -> SmtpServer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (inner, script): (_, Arc<Script>) = (Arc::clone(&shared), Arc::new(script));
        let acceptor = std::thread::spawn(move || accept(&listener, &inner, &tls, &script));
        SmtpServer { addr, shared, acceptor: Some(acceptor) }
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.addr.port()
    }

    /// How many connections there were so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.open.lock().unwrap().len()
    }

    /// All commands so far.
    pub(crate) fn said(&self) -> Vec<String> {
        self.shared.said.lock().unwrap().clone()
    }

    /// The messages, once there are so many.
    pub(crate) fn mails(&self, count: usize) -> Vec<Mail> {
        let deadline = Instant::now() + DEADLINE;
        let mut mails = self.shared.mails.lock().unwrap();
        while mails.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {count} messages: {:?}", mails.len(), self.said());
            mails = self.shared.news.wait_timeout(mails, left).unwrap().0;
        }
        mails.clone()
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.shared.open.lock().unwrap().drain(..).for_each(|socket| drop(socket.shutdown(Shutdown::Both)));
        let _ = TcpStream::connect(self.addr);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>, tls: &Tls, script: &Arc<Script>) {
    let mut threads = Vec::new();
    while let Ok((socket, _)) = listener.accept() {
        if shared.over.load(Ordering::SeqCst) {
            break;
        }
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        shared.open.lock().unwrap().push(socket.try_clone().unwrap());
        let (number, shared, tls, script) = (threads.len(), Arc::clone(shared), tls.clone(), Arc::clone(script));
        threads.push(std::thread::spawn(move || {
            let own = socket.try_clone().unwrap();
            let _ = serve(socket, number, &shared, &tls, &*script);
            let _ = own.shutdown(Shutdown::Both);
        }));
    }
    threads.into_iter().for_each(|thread| drop(thread.join()));
}

/// Speaks until the client or the script ends it.
fn serve(socket: TcpStream, number: usize, shared: &Shared, tls: &Tls, script: &Script) -> std::io::Result<()> {
    let session = Session { number, shared, script };
    match tls {
        Tls::AtOnce(config) => session.talk(secure(config, socket)?, true, true, false).map(drop),
        Tls::Never => session.talk(socket, true, false, false).map(drop),
        Tls::WhenAsked(config) => {
            let socket = session.talk(socket, true, false, true)?;
            session.talk(secure(config, socket)?, false, true, false).map(drop)
        }
    }
}

fn secure(config: &Arc<ServerConfig>, socket: TcpStream) -> std::io::Result<StreamOwned<ServerConnection, TcpStream>> {
    let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), socket);
    stream.conn.complete_io(&mut stream.sock)?;
    Ok(stream)
}

struct Session<'a> {
    number: usize,
    shared: &'a Shared,
    script: &'a Script,
}

impl Session<'_> {
    /// Gives the connection back when TLS is to begin.
    fn talk<S: Read + Write>(&self, stream: S, greets: bool, is_tls: bool, starts_tls: bool) -> std::io::Result<S> {
        let mut lines = BufReader::new(stream);
        let (mut to, mut login) = (Vec::new(), None);
        if greets {
            self.answer(&mut lines, "", "220 mail.example ESMTP")?;
        }
        loop {
            let command = self.line(&mut lines)?;
            self.shared.said.lock().unwrap().push(command.clone());
            let upper = command.to_ascii_uppercase();
            let good = match upper.split([' ', ':']).next().unwrap_or_default() {
                "EHLO" if starts_tls => "250-mail.example\r\n250-SIZE 1000000\r\n250 STARTTLS",
                "EHLO" => "250-mail.example\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN",
                "AUTH" => "235 welcome",
                "DATA" => "354 go on",
                "QUIT" => "221 bye",
                "STARTTLS" => "220 now",
                _ => "250 ok",
            };
            let answered = self.answer(&mut lines, &command, good)?;
            match upper.get(..4) {
                Some("AUTH") => login = Some(command),
                Some("RCPT") if answered.starts_with('2') => {
                    to.push(command["RCPT TO:<".len()..].trim_end_matches('>').to_owned())
                }
                Some("DATA") if answered.starts_with('3') => {
                    let content = self.content(&mut lines)?;
                    if self.answer(&mut lines, ".", "250 taken")?.starts_with('2') {
                        let mail = Mail { to: std::mem::take(&mut to), login: login.clone(), tls: is_tls, content };
                        self.shared.mails.lock().unwrap().push(mail);
                        self.shared.news.notify_all();
                    }
                }
                Some("STAR") if answered.starts_with('2') => return Ok(lines.into_inner()),
                Some("QUIT") => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                _ => {}
            }
        }
    }

    fn answer<S: Read + Write>(&self, lines: &mut BufReader<S>, command: &str, good: &str) -> std::io::Result<String> {
        let text = match (self.script)(self.number, command) {
            None => good.to_owned(),
            Some(Reply::Say(text)) => text,
            Some(Reply::Close) => return Err(std::io::ErrorKind::ConnectionAborted.into()),
            Some(Reply::Hang) => {
                let _ = std::io::copy(lines, &mut std::io::sink());
                return Err(std::io::ErrorKind::TimedOut.into());
            }
        };
        lines.get_mut().write_all(format!("{text}\r\n").as_bytes())?;
        lines.get_mut().flush()?;
        Ok(text)
    }

    fn line<S: Read>(&self, lines: &mut BufReader<S>) -> std::io::Result<String> {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        assert!(line.ends_with("\r\n"), "{line:?}");
        Ok(line.trim_end().to_owned())
    }

    /// Up to the line with a dot; every line ends with CRLF and is not too long.
    fn content<S: Read>(&self, lines: &mut BufReader<S>) -> std::io::Result<String> {
        let mut content = String::new();
        loop {
            let line = self.line(lines)?;
            assert!(line.len() <= 998, "{line:?}");
            if line == "." {
                return Ok(content);
            }
            content.push_str(line.strip_prefix('.').unwrap_or(&line));
            content.push_str("\r\n");
        }
    }
}
