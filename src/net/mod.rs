//! What both sides of the proxy and the outputs need of the network: connections and streams that may speak TLS, its
//! files, and the chunked coding.

pub mod chunked;
pub mod dial;
pub mod expiry;
pub mod outbox;
pub mod peer;
pub mod relay;
pub mod stream;
pub mod tls;
pub mod websocket;

pub use dial::Dialer;
pub use outbox::Outbox;
pub use peer::{Peer, TlsSession};
pub use stream::Stream;
