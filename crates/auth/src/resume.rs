//! The key by which a console page comes back to its own session after its connection broke.
//!
//! The page makes it and offers it beside the ticket, as a second WebSocket subprotocol. Because a client chose it,
//! its form is checked: it must be long enough to be random, and have only characters that a subprotocol may have.

use crate::token::Digest;
use model::Coded;
use sha2::{Digest as _, Sha256};

/// 22 characters of base64 are 128 bits.
pub const MIN_LEN: usize = 22;
/// Nobody needs more.
pub const MAX_LEN: usize = 128;

/// A key that cannot be one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a resume key has 22 to 128 characters of A to Z, a to z, 0 to 9, - and _")]
pub struct ResumeKeyError;

impl Coded for ResumeKeyError {
    fn code(&self) -> &'static str {
        "resume.malformed"
    }
}

/// What may be stored of a resume key: SHA-256 of its text.
///
/// # Errors
/// [`ResumeKeyError`] when the key's form is wrong, or it is plainly not random.
pub fn hash(key: &str) -> Result<Digest, ResumeKeyError> {
    let fits = (MIN_LEN..=MAX_LEN).contains(&key.len())
        && key.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'));
    // Of 22 random characters out of 32 or more, fewer than 6 different ones are less likely than a hit by guessing.
    let mut seen: Vec<u8> = key.bytes().collect();
    seen.sort_unstable();
    seen.dedup();
    if fits && seen.len() >= 6 { Ok(Digest(Sha256::digest(key).into())) } else { Err(ResumeKeyError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        // printf '%s' abcdefghijklmnopqrstuv | sha256sum
        let digest = hash("abcdefghijklmnopqrstuv").unwrap();
        assert_eq!(data_encoding::HEXLOWER.encode(digest.as_bytes()), GOLDEN);
    }
    const GOLDEN: &str = "f69f9b70d1c9a5442258ca76f8b0a7a45fcb4e31c36141b6357ec591328b0624";

    #[test]
    fn forms() {
        let hex = "0123456789abcdef0123456789abcdef";
        assert!(hash(hex).is_ok() && hash(&"Az09-_".repeat(21)).is_ok());
        for bad in [
            "",
            "binary",
            &hex[..21],
            &"Az09-_".repeat(22),
            "abcdefghijklmnopqrstu v",
            &"a".repeat(30),
            &"abcde".repeat(6),
        ] {
            assert_eq!(hash(bad).unwrap_err(), ResumeKeyError, "{bad}");
        }
        assert_ne!(hash(hex).unwrap(), hash(&hex.replace('0', "1")).unwrap());
    }
}
