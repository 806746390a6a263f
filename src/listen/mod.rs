//! The near side: sockets are accepted, TLS is spoken, heads are judged, and a handler is called for each request.
//!
//! ```text
//! accept ── entrance ── wire ── gate ── hyper ── Handler::call
//!                         │       └── refused heads ── Handler::refused
//!                         └── tells when an answer is gone
//! ```

pub mod accept;
pub mod announced;
mod connection;
pub mod crowd;
pub mod door;
pub mod drain;
pub mod entrance;
mod frames;
pub mod gate;
pub mod handler;
pub mod head;
mod patience;
pub mod settings;
mod switch;
pub mod wire;

pub use accept::{Serving, Socket};
pub use announced::ProxyProtocol;
pub use crowd::{Crowd, Crowded};
pub use door::Listener;
pub use drain::{Drain, Stage};
pub use entrance::Entrance;
pub use gate::Refusal;
pub use handler::{Answering, Client, Handler, Offence};
pub use settings::{
    CertificateSettings, ClientSettings, Limits, ListenAddress, ListenSettings, RateKey, Redirect, RequestRate,
    SocketAccess, TlsSettings, TlsVersion,
};
pub use switch::Switch;
pub use wire::{Raw, Running, Settle, Successor, Wire};
