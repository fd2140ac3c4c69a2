//! One-time passwords for VncAuth, which reads eight characters and no more.
//!
//! The alphabet leaves out what looks alike (0 O o, 1 I i l, 8 B, 6 G, and capitals that are only larger), so that
//! a password survives being read aloud or typed from a screen.

use crate::random;
use model::Secret;

/// Characters of a password: all that DES takes into its key.
pub const LEN: usize = 8;
/// 43 symbols: eight of them are 43 bits.
const ALPHABET: &[u8; 43] = b"abcdefghjkmnpqrstuvwxyz2345679ADEFHJLMNQRTY";

/// A fresh password.
pub fn fresh() -> Secret {
    let mut text = String::with_capacity(LEN);
    while text.len() < LEN {
        let drawn: [u8; 16] = random::bytes();
        let room = LEN - text.len();
        text.extend(drawn.into_iter().filter_map(symbol).take(room));
    }
    Secret::new(text)
}

/// The symbol that a random byte stands for. Bytes of the last, incomplete round are left out, so that none is
/// more likely than another.
fn symbol(byte: u8) -> Option<char> {
    let index = usize::from(byte);
    let whole = 256 - 256 % ALPHABET.len();
    let symbol = ALPHABET.get(index % ALPHABET.len())?;
    (index < whole).then(|| char::from(*symbol))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn passwords_have_their_form_and_differ() {
        let passwords: HashSet<String> = (0..500).map(|_| fresh().expose().to_owned()).collect();
        assert_eq!(passwords.len(), 500);
        assert!(passwords.iter().all(|p| p.len() == LEN && p.bytes().all(|c| ALPHABET.contains(&c))));
        let used: HashSet<u8> = passwords.iter().flat_map(|p| p.bytes()).collect();
        assert_eq!(used.len(), ALPHABET.len(), "4,000 characters have every symbol among them");
    }

    #[test]
    fn no_symbol_is_more_likely_and_none_looks_like_another() {
        let mut counts = std::collections::HashMap::new();
        for symbol in (0..=255).filter_map(symbol) {
            *counts.entry(symbol).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), ALPHABET.len());
        assert!(counts.values().all(|&n| n == 5), "{counts:?}");
        assert!(
            "0OoIil18BCcKkPpSsUuVvWwXxZzG".chars().all(|c| !c.is_uppercase() || !counts.contains_key(&c))
        );
        assert!("0o1il8".chars().all(|c| !counts.contains_key(&c)));
    }
}
