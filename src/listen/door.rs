//! A listener as every core has it, and the door that one of them opens for it: what is asked of those who come in may
//! change while they are in, and the door may close behind them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::accept::Socket;
use super::drain::{Drain, Stage};
use super::entrance::Entrance;

/// How long connections may wait for one more request after their door has closed; its answer says that it was the last.
/// A client that had just sent one when its connection was closed could not know whether to send it again.
const LAST_REQUEST: Duration = Duration::from_secs(5);

/// A listener for all cores.
pub struct Listener {
    /// Which one it is, for as long as it stands.
    number: u64,
    /// On what terms connections are let in: who came in on others than these is to leave.
    terms: u64,
    /// How they are spoken to.
    entrance: Entrance,
    /// For each core its sockets, until it takes them.
    sockets: Arc<[Mutex<Vec<Socket>>]>,
}

impl Listener {
    /// A listener that has been bound, with sockets for each core: listening, not blocking. No two of a process have one
    /// number.
    pub fn new(number: u64, entrance: Entrance, sockets: Vec<Vec<Socket>>) -> Listener {
        let sockets = sockets.into_iter().map(Mutex::new).collect();
        Listener { number, terms: 0, entrance, sockets }
    }

    /// The same sockets, another way in. Connections that are open stay, unless they are to come in again on other terms.
    pub fn follow(&self, entrance: Entrance, other_terms: bool) -> Listener {
        let (number, terms) = (self.number, self.terms + u64::from(other_terms));
        Listener { number, terms, entrance, sockets: Arc::clone(&self.sockets) }
    }

    /// How who connects is spoken to.
    pub fn entrance(&self) -> &Entrance {
        &self.entrance
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Those of one core, the first time it asks.
    pub(super) fn take_sockets(&self, core: usize) -> Vec<Socket> {
        let sockets = self.sockets.get(core);
        // Nothing panics while it is held.
        let take =
            |sockets: &Mutex<Vec<Socket>>| std::mem::take(&mut *sockets.lock().unwrap_or_else(PoisonError::into_inner));
        sockets.map(take).unwrap_or_default()
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Listener { number, terms, .. } = self;
        formatter.debug_struct("Listener").field("number", number).field("terms", terms).finish_non_exhaustive()
    }
}

/// A listener that a core accepts from.
pub(super) struct Doorway {
    number: u64,
    terms: Cell<u64>,
    door: RefCell<Rc<Door>>,
    is_closed: Cell<bool>,
}

impl Doorway {
    pub(super) fn open(listener: &Listener) -> Rc<Doorway> {
        let door = RefCell::new(Door::open(&listener.entrance));
        Rc::new(Doorway { number: listener.number, terms: listener.terms.into(), door, is_closed: Cell::default() })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// By which who connects now comes in.
    pub(super) fn door(&self) -> Rc<Door> {
        Rc::clone(&self.door.borrow())
    }

    /// Goes by what the listener has become.
    pub(super) fn follow(&self, listener: &Listener) {
        if self.terms.replace(listener.terms) == listener.terms {
            self.door().entrance.replace(Rc::new(listener.entrance.clone()));
        } else {
            self.door.replace(Door::open(&listener.entrance)).drain.advance(Stage::Leaving);
        }
    }

    /// Nobody comes in any more.
    pub(super) fn close(&self) {
        self.is_closed.set(true);
        self.door().drain.advance(Stage::Leaving);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }
}

/// What connections of one core have in common that came in on the same terms.
pub(super) struct Door {
    entrance: RefCell<Rc<Entrance>>,
    /// How far they are with leaving: it closes as its core ends, or earlier.
    pub(super) drain: Drain,
}

impl Door {
    fn open(entrance: &Entrance) -> Rc<Door> {
        Rc::new(Door { entrance: RefCell::new(Rc::new(entrance.clone())), drain: Drain::default() })
    }

    /// What is asked of those who come this way, now.
    pub(super) fn entrance(&self) -> Rc<Entrance> {
        Rc::clone(&self.entrance.borrow())
    }

    /// Takes those who came in through the stages, with all of the core, or by themselves once it is closed.
    pub(super) async fn keep(self: Rc<Self>, core: Rc<Drain>) {
        let closed = async {
            self.drain.reached(Stage::Leaving).await;
            tokio::time::sleep(LAST_REQUEST).await;
        };
        tokio::select! {
            () = closed => {}
            () = core.reached(Stage::Leaving) => {
                self.drain.advance(Stage::Leaving);
                core.reached(Stage::Draining).await;
            }
        }
        self.drain.advance(Stage::Draining);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::Redirect;

    fn redirecting(port: u16) -> Entrance {
        Entrance { redirect: Some(Redirect { port }), ..Entrance::default() }
    }

    fn is_left(door: &Door) -> bool {
        door.drain.stage() > Stage::Open
    }

    #[test]
    fn who_is_in_hears_of_a_change_and_stays() {
        let listener = Listener::new(7, Entrance::default(), Vec::new());
        let doorway = Doorway::open(&listener);
        let inside = doorway.door();
        doorway.follow(&listener.follow(redirecting(8443), false));
        assert_eq!(inside.entrance().redirect, Some(Redirect { port: 8443 }));
        assert!(!is_left(&inside) && Rc::ptr_eq(&inside, &doorway.door()));
    }

    #[test]
    fn other_terms_are_for_who_comes_next() {
        let listener = Listener::new(7, Entrance::default(), Vec::new());
        let doorway = Doorway::open(&listener);
        let inside = doorway.door();
        let changed = listener.follow(redirecting(8443), true);
        doorway.follow(&changed);
        assert!(is_left(&inside) && inside.entrance().redirect.is_none());
        assert!(!doorway.is_closed() && !is_left(&doorway.door()));
        let inside = doorway.door();
        doorway.follow(&changed);
        assert!(!is_left(&inside), "the terms are as they were");
    }

    #[test]
    fn each_core_takes_its_sockets_once() {
        let socket = || Socket::Tcp(std::net::TcpListener::bind("127.0.0.1:0").expect("a port"));
        let listener = Listener::new(0, Entrance::default(), vec![vec![socket()], vec![socket(), socket()]]);
        let again = listener.follow(Entrance::default(), false);
        let taken = [again.take_sockets(1), listener.take_sockets(1), listener.take_sockets(0), again.take_sockets(9)];
        assert_eq!(taken.map(|sockets| sockets.len()), [2, 0, 1, 0]);
    }
}
