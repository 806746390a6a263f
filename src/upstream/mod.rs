//! The far side: a server is chosen, connected to, spoken to in HTTP/1.1, and its connection kept for the next request.
//!
//! The exchange with a server is driven by the request's own task ([`call`]); what its response's head and body may be is
//! decided in [`response`] and [`receive`], strictly, because whatever passes there is what the client is told.

pub mod call;
mod connect;
pub mod connection;
pub mod error;
pub mod pool;
pub mod receive;
pub mod response;
pub mod send;
pub mod settings;

pub use call::{Answering, Outgoing, Watch, exchange};
pub use connect::NameError;
pub use connection::Connection;
pub use error::UpstreamError;
pub use pool::{Server, Upstream};
pub use receive::ResponseBody;
pub use response::{Framing, ResponseHead};
pub use send::{BodyCoding, SendError};
pub use settings::{ExceptionHeaders, ServerSettings, Settings, Timeouts, TlsSettings};
