//! What both sides of the proxy and the outputs need of the network: connections and streams that may speak TLS, its
//! files, the chunked coding, the PROXY protocol, and who a peer is.

pub mod backoff;
pub mod by_name;
pub mod chunked;
mod der;
pub mod dial;
pub mod expiry;
pub mod outbox;
pub mod peer;
pub mod polled;
pub mod post;
pub mod proxy_protocol;
pub mod server_tls;

pub mod relay;
pub mod stream;
pub mod subject;
pub mod target;
pub mod tls;
pub mod unix_socket;
pub mod websocket;

pub use backoff::Backoff;
pub use dial::Dialer;
pub use outbox::Outbox;
pub use peer::{Peer, TlsSession, TrustedPeers};
pub use polled::Polled;
pub use server_tls::ServerTls;

pub use stream::Stream;
pub use target::{Target, TargetError, TlsFiles};
