//! Tokens: 32 random bytes that are a right by themselves, for tickets, admin links and cookies.
//!
//! Their text is lower-case base32 without padding: 52 characters that survive URLs, terminals, dictation and
//! viewers' password fields. Only [`Digest`]s are stored, so a stolen database opens no door.

use crate::random;
use data_encoding::{Encoding, Specification};
use model::{Coded, Secret};
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Characters of a token's text.
pub const TEXT_LEN: usize = 52;

/// A token. `Debug` shows nothing of it; it is wiped when dropped.
#[derive(Clone)]
pub struct Token {
    bytes: [u8; 32],
    text: Secret,
}

/// Text that is not a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a token has 52 characters a to z and 2 to 7; copy the whole of it")]
pub struct TokenError;

impl Coded for TokenError {
    fn code(&self) -> &'static str {
        "token.malformed"
    }
}

impl Token {
    /// A new token from the system's generator.
    pub fn fresh() -> Token {
        Token::from_random(random::bytes())
    }

    /// A token of these bytes, which must be random.
    pub fn from_random(bytes: [u8; 32]) -> Token {
        Token { bytes, text: Secret::new(BASE32.encode(&bytes)) }
    }

    /// Reads a token's text.
    ///
    /// # Errors
    /// [`TokenError`] when it is anything but the exact text of a token.
    pub fn parse(text: &str) -> Result<Token, TokenError> {
        if text.len() != TEXT_LEN {
            return Err(TokenError);
        }
        let mut decoded = BASE32.decode(text.as_bytes()).map_err(|_| TokenError)?;
        let bytes = decoded.as_slice().try_into().map_err(|_| TokenError);
        decoded.zeroize();
        Ok(Token { bytes: bytes?, text: Secret::new(text) })
    }

    /// The text that its holder gets. Call sites are the places to review.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// What may be stored of it.
    pub fn hash(&self) -> Digest {
        Digest(Sha256::digest(self.bytes).into())
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// SHA-256 of a token or resume key. Compared in constant time; `Debug` shows nothing of it.
#[derive(Clone, Copy)]
pub struct Digest(pub(crate) [u8; 32]);

impl Digest {
    /// The hash itself, for a database column.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Digest(bytes)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Digest {}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// Whether two secret texts are the same, in a time that tells neither where they differ nor how long the expected
/// one is.
pub fn equal(expected: &str, given: &str) -> bool {
    let hash = |text: &str| Digest(Sha256::digest(text.as_bytes()).into());
    hash(expected) == hash(given)
}

#[expect(clippy::expect_used, reason = "a constant specification, which every test exercises")]
static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    specification.encoding().expect("32 distinct symbols make an encoding")
});

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn golden() {
        // `head -c 32 /dev/zero | base32`, lower case, without padding; `head -c 32 /dev/zero | sha256sum`.
        let token = Token::from_random([0; 32]);
        assert_eq!(token.expose(), "a".repeat(52));
        assert_eq!(
            data_encoding::HEXLOWER.encode(token.hash().as_bytes()),
            "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925"
        );
        // printf '%s' 'Gatehouse token of 32 bytes long' | base32
        let token = Token::from_random(*b"Gatehouse token of 32 bytes long");
        assert_eq!(token.expose(), GOLDEN);
        assert_eq!(Token::parse(GOLDEN).unwrap().hash(), token.hash());
    }
    const GOLDEN: &str = "i5qxizlin52xgzjaorxwwzloebxwmibtgiqge6lumvzsa3dpnztq";

    #[test]
    fn fresh_tokens_differ_and_have_their_form() {
        let (a, b) = (Token::fresh(), Token::fresh());
        assert_ne!(a.expose(), b.expose());
        assert_ne!(a.hash(), b.hash());
        assert!(
            a.expose().len() == TEXT_LEN
                && a.expose().bytes().all(|c| matches!(c, b'a'..=b'z' | b'2'..=b'7'))
        );
    }

    #[test]
    fn anything_else_is_no_token() {
        let good = Token::fresh().expose().to_owned();
        let upper = good.to_uppercase();
        let dirty_tail = format!("{}b", "a".repeat(51));
        for bad in [
            "",
            &good[1..],
            &format!("{good}a"),
            &format!("{good}="),
            &dirty_tail,
            &"1".repeat(52),
            &"é".repeat(26),
        ] {
            assert_eq!(Token::parse(bad).unwrap_err(), TokenError, "{bad}");
        }
        // One token has one text.
        assert!(Token::parse(&upper).is_err());
    }

    #[test]
    fn nothing_printed_shows_a_token() {
        let token = Token::from_random([7; 32]);
        assert_eq!(format!("{token:?} {:?}", token.hash()), "Token(…) Digest(…)");
    }

    #[test]
    fn equal_compares_whole_texts() {
        assert!(equal("metrics", "metrics") && equal("", ""));
        assert!(!equal("metrics", "metric") && !equal("metrics", "Metrics") && !equal("metrics", ""));
    }

    proptest! {
        #[test]
        fn text_and_back(bytes: [u8; 32]) {
            let token = Token::from_random(bytes);
            let again = Token::parse(token.expose()).unwrap();
            prop_assert_eq!(again.bytes, bytes);
            prop_assert_eq!(again.hash(), token.hash());
        }
    }
}
