//! `gatelog top`: one plain frame of a proxy that runs, and a terminal that is drawn on and given back.

use crate::support::command::{InTerminal, gatelog, said};
use crate::support::{Setup, TestProxy, Upstream, get};

fn start() -> (Upstream, TestProxy) {
    let upstream = Upstream::ok();
    let proxy = Setup::before(&upstream).admin().routes("[[route]]\nname = \"front\"\npath = \"\"\n").start();
    for index in 0..3 {
        let id = format!("top-{index}");
        get(proxy.addr(), "/", &id).ok();
        proxy.completed(&id);
    }
    (upstream, proxy)
}

#[test]
fn a_pipe_gets_one_plain_frame() {
    let (_upstream, proxy) = start();
    let admin = proxy.admin().to_string();
    let frame = said(&["top", "--admin", &admin, "--every", "100ms", "--utc"]);
    let lines: Vec<&str> = frame.lines().collect();
    assert!(lines[0].starts_with(&format!("gatelog top  {admin}  up ")), "{frame}");
    assert!(lines[1].starts_with("0 requests/s  0 running  4xx 0.0 %  5xx 0.0 %"), "{frame}");
    assert!(
        frame.contains("\nRoutes\nROUTE  REQ/S  SHARE") && frame.contains("\nfront      0  0.0 %    0    0"),
        "{frame}"
    );
    assert!(!frame.contains('\x1b'), "{frame}");
    proxy.stop();
}

#[test]
fn a_terminal_is_drawn_on_and_given_back_as_it_was() {
    let (_upstream, proxy) = start();
    let admin = proxy.admin().to_string();
    for leave in ["q", "\x03"] {
        let mut terminal = InTerminal::start(&["top", "--admin", &admin, "--every", "100ms"], "stty -a");
        // Drawn twice.
        terminal.until("\x1b[?1049h").until("requests/s").press(leave).until("\x1b[?1049l");
        let (code, shown) = terminal.ended();
        assert_eq!(code, Some(0), "{shown:?}");
        let (_, after) = shown.split_once("\x1b[?1049l").unwrap();
        assert!(after.contains(" icanon") && after.contains(" echo ") && after.contains("susp = ^Z"), "{after}");
        assert!(shown.contains("\x1b[?25h"), "the cursor is back");
    }
    proxy.stop();
}

#[test]
fn without_a_proxy_it_says_so() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = gatelog(&["top", "--once", "--admin", &closed]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no proxy answers at"), "{output:?}");
}
