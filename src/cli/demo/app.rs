//! The shop's server, on a thread and a loopback port of its own.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::content::Content;
use super::dice::Dice;
use super::shop;

/// What a request may send before the shop answers without having read the rest.
const UPLOAD_LIMIT: usize = 1 << 20;

/// The running shop; it is closed when this is dropped.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    worker: Worker,
}

impl App {
    /// Opens the shop here; at port 0 on a free one.
    ///
    /// # Errors
    /// When the port, a thread or a runtime is not to be had.
    pub fn start_at(address: SocketAddr) -> io::Result<App> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let worker = Worker::start("demo-app", move || serve(listener))?;
        Ok(App { address, worker })
    }

    /// Where the shop listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the shop and waits until it is closed.
    pub fn stop(self) {
        drop(self.worker);
    }
}

/// A thread with a runtime of its own that runs one task until it is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    /// Dropping it is the signal.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts `task` on a new thread called `name`; it may use `spawn_local`.
    pub(super) fn start<F, T>(name: &str, task: F) -> io::Result<Worker>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Future<Output = ()> + 'static,
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let work = move || {
            LocalSet::new().block_on(&runtime, async move {
                tokio::select! {
                    _ = stopped => {}
                    () = task() => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name(name.into()).spawn(work)?;
        Ok(Worker { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic over there has been reported on stderr by then; there is nothing left to do about it here.
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let dice = Rc::new(RefCell::new(Dice::seeded(2)));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::task::spawn_local(converse(stream, Rc::clone(&dice)));
            }
            // Out of descriptors, most likely: whoever holds them needs a moment to give them back.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// One connection, to its end. Its errors are the demonstration (broken-off answers, clients that leave), not a fault.
async fn converse(stream: tokio::net::TcpStream, dice: Rc<RefCell<Dice>>) {
    let service = service_fn(|request| visit(request, Rc::clone(&dice)));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn visit(request: Request<Incoming>, dice: Rc<RefCell<Dice>>) -> Result<Response<Content>, Infallible> {
    let (head, body) = request.into_parts();
    read_up_to(UPLOAD_LIMIT, body).await;
    let answer = shop::answer(&head, &mut dice.borrow_mut());
    if !answer.wait.is_zero() {
        tokio::time::sleep(answer.wait).await;
    }
    Ok(answer.response)
}

async fn read_up_to(limit: usize, mut body: Incoming) {
    let mut seen = 0;
    while seen < limit {
        match body.frame().await {
            Some(Ok(frame)) => seen += frame.data_ref().map_or(0, bytes::Bytes::len),
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    fn app() -> App {
        App::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()
    }

    fn ask(app: &App, request: &str) -> String {
        let mut stream = TcpStream::connect(app.address()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // A broken-off answer may end in a reset; what came before it is the subject.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    #[test]
    fn two_requests_on_one_connection_are_answered() {
        let app = app();
        let answers = ask(
            &app,
            "GET / HTTP/1.1\r\nHost: shop\r\n\r\nGET /products/teapot/ HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n",
        );
        assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{answers}");
        assert!(answers.contains("Teapot, short and stout"), "{answers}");
    }

    #[test]
    fn the_export_ends_before_its_declared_length() {
        let app = app();
        let answer = ask(&app, "GET /exports/orders.csv HTTP/1.1\r\nHost: shop\r\n\r\n");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-length: 65536"), "{head}");
        assert!(body.starts_with("1,teapot") && body.len() < 65536, "{}", body.len());
    }

    #[test]
    fn a_posted_form_is_read_and_redirected() {
        let app = app();
        let answer = ask(
            &app,
            "POST /cart/ HTTP/1.1\r\nHost: shop\r\nContent-Length: 14\r\nConnection: close\r\n\r\nproduct=teapot",
        );
        assert!(answer.starts_with("HTTP/1.1 303 ") && answer.contains("location: /cart/"), "{answer}");
    }

    #[test]
    fn a_stream_comes_chunked_and_piece_by_piece() {
        let app = app();
        let mut stream = TcpStream::connect(app.address()).unwrap();
        stream.write_all(b"GET /events/ HTTP/1.1\r\nHost: shop\r\n\r\n").unwrap();
        let mut answer = String::new();
        let mut piece = [0; 4096];
        while !answer.contains("event: sale") {
            let read = stream.read(&mut piece).unwrap();
            assert_ne!(read, 0, "closed after {answer}");
            answer.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
        assert!(answer.contains("transfer-encoding: chunked"), "{answer}");
        assert!(!answer.contains("\"number\":10"), "{answer}");
    }

    #[test]
    fn nothing_listens_once_it_is_stopped() {
        let app = app();
        let address = app.address();
        app.stop();
        assert!(TcpStream::connect(address).is_err());
    }
}
