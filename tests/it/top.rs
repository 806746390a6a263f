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
        terminal
            .until("\x1b[?1049h")
            .sees(|screen| screen.contains("requests/s") && screen.contains("of the last 0 s"));
        terminal.press(leave).until("\x1b[?1049l");
        let (code, shown) = terminal.ended();
        assert_eq!(code, Some(0), "{shown:?}");
        let (_, after) = shown.split_once("\x1b[?1049l").unwrap();
        assert!(after.contains(" icanon") && after.contains(" echo ") && after.contains("susp = ^Z"), "{after}");
        assert!(shown.contains("\x1b[?25h"), "the cursor is back");
    }
    proxy.stop();
}

/// The whole way with the keyboard: a route, a request of it, its story, and back; sorted, filtered, held still, helped.
#[test]
fn keys_lead_to_what_is_behind_a_row() {
    let (_upstream, proxy) = start();
    let admin = proxy.admin().to_string();
    let mut terminal = InTerminal::start(&["top", "--admin", &admin, "--every", "100ms", "--utc"], "true");
    terminal.sees(|screen| screen.contains("1 Routes  1") && screen.contains("front"));
    terminal.press("\r").sees(|screen| screen.contains("Newest requests of front  3") && screen.contains("GET /"));
    // The newest first: down to the oldest.
    terminal
        .press("\x1b[B\x1b[B\r")
        .sees(|screen| screen.contains("Request top-0") && screen.contains("request_completed"));
    terminal.press("\x1b").sees(|screen| screen.contains("Newest requests of front"));
    terminal.press("\x7f").sees(|screen| screen.contains("4 Newest errors  0"));
    terminal.press("\x1b[C\x1b[C").sees(|screen| screen.contains("REQ/S▼"));
    terminal.press("r").sees(|screen| screen.contains("REQ/S▲"));
    terminal.press("/back").sees(|screen| screen.contains("/back█") && screen.contains("1 Routes  0 of 1"));
    terminal.press("\r").sees(|screen| screen.contains("filter: back"));
    terminal.press("\x1b").sees(|screen| !screen.contains("filter: back") && screen.contains("1 Routes  1"));
    terminal.press("?").sees(|screen| screen.contains(" Keys ") && screen.contains("leave"));
    terminal.press("x").sees(|screen| !screen.contains(" Keys "));
    terminal.press("q").until("\x1b[?1049l");
    assert_eq!(terminal.ended().0, Some(0));
    proxy.stop();
}

#[test]
fn what_is_held_still_stays_and_goes_on() {
    let (_upstream, proxy) = start();
    let admin = proxy.admin().to_string();
    let mut terminal = InTerminal::start(&["top", "--admin", &admin, "--every", "100ms"], "true");
    terminal.sees(|screen| screen.contains("1 Routes  1"));
    terminal.press("p").sees(|screen| screen.contains("paused"));
    get(proxy.addr(), "/nowhere", "top-more").ok();
    proxy.completed("top-more");
    // An answer that comes behind a look at the same proxy.
    terminal.press(" \r").sees(|screen| screen.contains("Newest requests of front  3"));
    terminal.press("\x1b").sees(|screen| screen.contains("1 Routes  1"));
    terminal.press("p").sees(|screen| screen.contains("1 Routes  2") && screen.contains("unmatched"));
    terminal.press("q");
    assert_eq!(terminal.ended().0, Some(0));
    proxy.stop();
}

#[test]
fn a_terminal_of_another_size_is_filled() {
    let (_upstream, proxy) = start();
    let admin = proxy.admin().to_string();
    // Only a resize or a key draws.
    let mut terminal = InTerminal::start(&["top", "--admin", &admin, "--every", "1h"], "true");
    let last = |screen: &str| screen.lines().filter(|line| line.contains("Tab list")).count();
    terminal.sees(|screen| screen.lines().count() == 30 && last(screen) == 1);
    for (columns, rows) in [(60, 12), (140, 40), (20, 4)] {
        terminal.resize(columns, rows).sees(|screen| {
            let lines: Vec<&str> = screen.lines().collect();
            lines.len() == usize::from(rows) && lines[lines.len() - 1].starts_with("Tab list") && last(screen) == 1
        });
    }
    terminal.press("q");
    assert_eq!(terminal.ended().0, Some(0));
    proxy.stop();
}

#[test]
fn a_proxy_that_goes_away_is_told_and_its_last_numbers_stay() {
    let (_upstream, proxy) = start();
    let admin = proxy.admin().to_string();
    let mut terminal = InTerminal::start(&["top", "--admin", &admin, "--every", "100ms"], "true");
    terminal.sees(|screen| screen.contains("front"));
    proxy.stop();
    terminal.sees(|screen| screen.contains("no proxy answers at") && screen.contains("front"));
    terminal.press("q");
    assert_eq!(terminal.ended().0, Some(0));
}

#[test]
fn without_a_proxy_it_says_so() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = gatelog(&["top", "--once", "--admin", &closed]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("no proxy answers at"), "{output:?}");
}
