//! What both sides of the proxy need of the network: streams that may speak TLS, its files, and the chunked coding.

pub mod chunked;
pub mod dial;
pub mod peer;
pub mod stream;
pub mod tls;
pub mod turn;

pub use dial::Dialer;
pub use peer::{Peer, TlsSession};
pub use stream::Stream;
