//! The far side: a server is chosen, connected to, spoken to in HTTP/1.1 or HTTP/2 ([`h2`]), and its connection kept for the
//! next request.
//!
//! What all cores share of an upstream is a [`cluster`]: its servers as they are now, and what is counted about them. Each
//! core has a [`view`] of it, with a balancer and connections of its own ([`pool`]). Whether servers are up, and which
//! addresses they have, is found out beside the requests, on a thread of its own ([`supervise`]).
//!
//! The exchange with a server is driven by the request's own task ([`call`]); what its response's head and body may be is
//! decided in [`response`] and [`receive`], strictly, because whatever passes there is what the client is told.

pub mod balance;
pub mod body;
mod budget;
pub mod call;
pub mod cluster;
mod connect;
pub mod connection;
pub mod error;
pub mod h2;
pub mod lease;
pub mod pool;
pub mod receive;
pub mod response;
pub mod send;
pub mod settings;
pub mod shown;
pub mod status;
mod tunnel;
pub mod view;
pub mod supervise;

#[cfg(test)]
mod balance_tests;
#[cfg(test)]
mod view_tests;

pub use body::ResponseBody;
pub use call::{Answering, Outgoing, Watch, exchange};
pub use cluster::{Cluster, Member, Members};
pub use connect::NameError;
pub use connection::Connection;
pub use error::UpstreamError;
pub use lease::Lease;
pub use pool::Server;
pub use response::{Framing, ResponseHead};
pub use send::{BodyCoding, SendError};
pub use settings::{
    Balance, EjectionSettings, ExceptionHeaders, HealthSettings, Place, Protocol, QueueSettings, RetrySettings,
    ServerSettings, Settings, Timeouts, TlsSettings,
};
pub use shown::Clusters;
pub use tunnel::Tunnel;
pub use view::{NoServer, Tried, Upstream};
