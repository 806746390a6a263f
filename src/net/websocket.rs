//! What both sides of the proxy need to know of WebSocket's handshake (RFC 6455 §4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

/// What a server appends to a key before it hashes it (RFC 6455 §1.3).
const WEBSOCKET: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key`.
pub fn accept(key: &str) -> String {
    let mut sum = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    sum.update(key.as_bytes());
    sum.update(WEBSOCKET.as_bytes());
    STANDARD.encode(sum.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_answered_as_the_rfc_shows() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
