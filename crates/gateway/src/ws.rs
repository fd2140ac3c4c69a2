//! WebSocket [RFC 6455], the server's half, as far as a byte stream needs it.
//!
//! Consoles send binary messages whose boundaries mean nothing: RFB is a byte stream. So the codec
//! never collects a message, it turns frames into bytes where they lie. No extension is ever agreed
//! on: the bytes are compressed already, and compression beside secrets leaks them.

pub mod codec;
pub mod stream;

use data_encoding::BASE64;
use model::Coded;
use sha1::{Digest, Sha1};

/// [RFC 6455, 1.3] What a key is hashed with.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Subprotocols looked at; real pages offer two.
const PROTOCOLS: usize = 8;

/// Why a request is no WebSocket upgrade.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// No `Upgrade: websocket` with `Connection: upgrade`.
    #[error("the request does not ask for a WebSocket")]
    NotWebSocket,
    /// [RFC 6455, 4.2.2] Another version; answer 426 with `Sec-WebSocket-Version: 13`.
    #[error("the WebSocket version is not 13")]
    Version,
    /// The key is not 16 bytes of base64.
    #[error("the WebSocket key is missing or malformed")]
    Key,
}

impl Coded for UpgradeError {
    fn code(&self) -> &'static str {
        match self {
            UpgradeError::NotWebSocket => "ws.not_websocket",
            UpgradeError::Version => "ws.version",
            UpgradeError::Key => "ws.key",
        }
    }
}

/// A valid upgrade request.
#[derive(Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: String,
    /// Subprotocols as offered, in order. May hold a resume key: never log them.
    pub protocols: Vec<String>,
}

impl std::fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgrade").field("protocols", &self.protocols.len()).finish_non_exhaustive()
    }
}

impl Upgrade {
    /// [RFC 6455, 4.2.1] Checks a request's header fields, names in any case.
    pub fn check<'a>(fields: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<Upgrade, UpgradeError> {
        let (mut upgrade, mut connection, mut version, mut key) = (false, false, false, None);
        let mut protocols = Vec::new();
        for (name, value) in fields {
            let Ok(value) = std::str::from_utf8(value) else { continue };
            let mut tokens = value.split(',').map(str::trim);
            match name {
                n if n.eq_ignore_ascii_case("upgrade") => {
                    upgrade |= tokens.any(|t| t.eq_ignore_ascii_case("websocket"));
                }
                n if n.eq_ignore_ascii_case("connection") => {
                    connection |= tokens.any(|t| t.eq_ignore_ascii_case("upgrade"));
                }
                n if n.eq_ignore_ascii_case("sec-websocket-version") => version |= value.trim() == "13",
                n if n.eq_ignore_ascii_case("sec-websocket-key") => key = Some(value.trim()),
                n if n.eq_ignore_ascii_case("sec-websocket-protocol") => {
                    protocols.extend(tokens.filter(|t| !t.is_empty()).map(str::to_owned));
                }
                _ => {}
            }
        }
        if !(upgrade && connection) {
            return Err(UpgradeError::NotWebSocket);
        }
        if !version {
            return Err(UpgradeError::Version);
        }
        let key = key.ok_or(UpgradeError::Key)?;
        if BASE64.decode(key.as_bytes()).map(|raw| raw.len()) != Ok(16) {
            return Err(UpgradeError::Key);
        }
        protocols.truncate(PROTOCOLS);
        Ok(Upgrade { accept: accept_key(key), protocols })
    }

    /// The subprotocol to echo: `binary` where it was offered, none otherwise.
    pub fn protocol(&self) -> Option<&'static str> {
        self.protocols.iter().any(|p| p == "binary").then_some("binary")
    }

    /// The whole 101 response, for those who have no HTTP library at hand.
    pub fn response(&self) -> Vec<u8> {
        let mut response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n",
            self.accept
        );
        if let Some(protocol) = self.protocol() {
            response.push_str("Sec-WebSocket-Protocol: ");
            response.push_str(protocol);
            response.push_str("\r\n");
        }
        response.push_str("\r\n");
        response.into_bytes()
    }
}

/// [RFC 6455, 4.2.2] The value of `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key`.
pub fn accept_key(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(GUID);
    BASE64.encode(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [RFC 6455, 1.2 and 1.3]
    #[test]
    fn the_handshake_of_the_specification() {
        let upgrade = Upgrade::check([
            ("Host", b"server.example.com".as_slice()),
            ("upgrade", b"WebSocket"),
            ("Connection", b"keep-alive, Upgrade"),
            ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Protocol", b"binary, resume.abc"),
            ("Sec-WebSocket-Version", b"13"),
        ])
        .unwrap();
        assert_eq!(upgrade.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(upgrade.protocols, ["binary", "resume.abc"]);
        assert_eq!(upgrade.protocol(), Some("binary"));
        let response = String::from_utf8(upgrade.response()).unwrap();
        assert!(response.contains("Sec-WebSocket-Protocol: binary\r\n\r\n"), "{response}");
        assert!(!format!("{upgrade:?}").contains("abc"));
    }

    #[test]
    fn what_is_no_upgrade_is_refused() {
        let fields = |skip: &str| {
            [
                ("Upgrade", b"websocket".as_slice()),
                ("Connection", b"Upgrade"),
                ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
                ("Sec-WebSocket-Version", b"13"),
            ]
            .into_iter()
            .filter(|(name, _)| *name != skip)
            .collect::<Vec<_>>()
        };
        assert_eq!(Upgrade::check(fields("")).unwrap().protocol(), None);
        assert_eq!(Upgrade::check(fields("Upgrade")), Err(UpgradeError::NotWebSocket));
        assert_eq!(Upgrade::check(fields("Connection")), Err(UpgradeError::NotWebSocket));
        assert_eq!(Upgrade::check(fields("Sec-WebSocket-Version")), Err(UpgradeError::Version));
        assert_eq!(Upgrade::check(fields("Sec-WebSocket-Key")), Err(UpgradeError::Key));
    }
}
