//! A handler that another may take the place of while connections are open.

use std::cell::RefCell;
use std::rc::Rc;

use http::Request;
use hyper::body::Incoming;

use crate::net::Peer;

use super::gate::Refusal;
use super::handler::{Answering, Client, Handler, Offence};

/// The handler in force. A request stays with the one it was given to.
pub struct Switch<H>(RefCell<Rc<H>>);

impl<H> Switch<H> {
    /// With this one in force.
    pub fn new(handler: Rc<H>) -> Switch<H> {
        Switch(RefCell::new(handler))
    }

    /// The one in force.
    pub fn current(&self) -> Rc<H> {
        Rc::clone(&self.0.borrow())
    }

    /// From the next request on, of any connection, it is this one.
    pub fn set(&self, handler: Rc<H>) {
        // What the one before leaves behind is let go when it is not borrowed any more.
        drop(self.0.replace(handler));
    }
}

impl<H: Handler> Handler for Switch<H> {
    type Body = H::Body;

    fn call(self: Rc<Self>, client: Client, request: Request<Incoming>) -> Answering<H::Body> {
        self.current().call(client, request)
    }

    fn refused(&self, peer: &Peer, refusal: &Refusal) -> Vec<u8> {
        self.current().refused(peer, refusal)
    }

    fn offended(&self, peer: &Peer, offence: Offence, detail: &str) -> Vec<u8> {
        self.current().offended(peer, offence, detail)
    }
}
