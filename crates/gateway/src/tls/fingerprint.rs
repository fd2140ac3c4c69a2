//! SHA-256 of a certificate: what people compare, and what a pin is.

use data_encoding::HEXLOWER_PERMISSIVE;
use sha2::{Digest, Sha256};

/// SHA-256 of a certificate in DER form, or of an RA2 public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a certificate's DER bytes.
    pub fn of(der: &[u8]) -> Self {
        Fingerprint(Sha256::digest(der).into())
    }

    /// The lower-case hex without separators that a target's pin is stored as.
    pub fn to_hex(self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    /// Without padding, in the alphabet of URLs: for where hex is too long.
    pub fn to_base64url(self) -> String {
        data_encoding::BASE64URL_NOPAD.encode(&self.0)
    }

    /// Reads hex in either case, with or without colons.
    pub fn parse(text: &str) -> Option<Self> {
        let plain: String = text.trim().chars().filter(|c| *c != ':').collect();
        let bytes = HEXLOWER_PERMISSIVE.decode(plain.as_bytes()).ok()?;
        Some(Fingerprint(bytes.try_into().ok()?))
    }
}

/// Upper-case hex with colons, as `openssl x509 -fingerprint -sha256` and browsers show it.
impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, byte) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_stored_and_read_back() {
        let fingerprint = Fingerprint::of(b"abc");
        assert_eq!(fingerprint.to_hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(fingerprint.to_string().starts_with("BA:78:16:BF:8F:01"));
        for text in [fingerprint.to_string(), fingerprint.to_hex(), fingerprint.to_hex().to_uppercase()] {
            assert_eq!(Fingerprint::parse(&text), Some(fingerprint));
        }
        for wrong in ["", "ba78", "zz", &"ba".repeat(33)] {
            assert_eq!(Fingerprint::parse(wrong), None);
        }
    }
}
