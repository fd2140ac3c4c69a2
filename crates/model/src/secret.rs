//! Things that must not be printed: secrets, and the keys that people press.

use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A password, token or key. Wiped when dropped; `Debug` shows nothing of it; not serializable.
#[derive(Clone, Zeroize, ZeroizeOnDrop, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Takes ownership of the text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself. Call sites are the places to review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Secrets come in from outside, and never go out.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Secret)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret(text)
    }
}

/// An X11 key symbol as it was pressed.
///
/// INVARIANT: has no `Serialize` and a redacted `Debug`: what people type never leaves memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Keysym(pub u32);

impl Keysym {
    /// What kind of key this is, which may be shown and stored.
    pub fn class(self) -> KeyClass {
        match self.0 {
            0xff0d | 0xff8d => KeyClass::Enter,
            0xffe1..=0xffee | 0xfe01..=0xfe13 | 0xff7e => KeyClass::Modifier,
            0xffbe..=0xffe0 => KeyClass::Function,
            0xff00..=0xffff => KeyClass::Control,
            _ => KeyClass::Text,
        }
    }
}

impl std::fmt::Debug for Keysym {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keysym({:?})", self.class())
    }
}

/// The part of a key press that detection may see.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyClass {
    /// Writes a character.
    Text,
    /// Return or Enter.
    Enter,
    /// Shift, Control, Alt, Super, AltGr and their locks.
    Modifier,
    /// F1 to F35.
    Function,
    /// Cursor, editing and keypad keys.
    Control,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_value() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(…)");
        assert_eq!(format!("{:?}", Keysym(0x61)), "Keysym(Text)");
        assert_eq!(format!("{:?}", Keysym(0xff0d)), "Keysym(Enter)");
    }
}
