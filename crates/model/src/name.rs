//! The names of people, groups and targets: what may be shown safely, and when two of them are the same.
//!
//! A name is shown in lists, logs, terminals and mails, beside names that others chose. So it holds nothing that is
//! not seen or that reorders what stands around it, and two names that differ only in case, width or composition are
//! one: the [`Name::key`] of both is the same, and is what a unique column holds. Nothing else decides what may be a name
//! and which two are one.
//!
//! Letters of different scripts that look alike (Latin `a`, Cyrillic `а`) stay different. To tell them apart is the
//! business of whoever gives the names.

use crate::Coded;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// The most characters of a name.
pub const MAX_CHARS: usize = 80;
/// The most bytes of a name; 80 characters of a script with three bytes each.
pub const MAX_BYTES: usize = 240;
/// The most bytes of a name's key: folding opens ligatures.
pub const MAX_KEY: usize = 255;

/// A name that was checked: trimmed, in NFC, without control, invisible or reordering characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is no name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing is left of it.
    #[error("a name needs at least one character that is seen")]
    Empty,
    /// It exceeds [`MAX_CHARS`] or [`MAX_BYTES`], or its key [`MAX_KEY`].
    #[error("a name has at most 80 characters")]
    TooLong,
    /// It has a control character, an invisible one, or one that reorders text around it.
    #[error("a name has no control, invisible or text-direction characters; remove U+{0:04X}")]
    Forbidden(u32),
    /// A person's name has what stands between names.
    #[error("a person's name has no `:` and no `/`")]
    Separator,
}

impl Coded for NameError {
    fn code(&self) -> &'static str {
        match self {
            NameError::Empty => "name.empty",
            NameError::TooLong => "name.too_long",
            NameError::Forbidden(_) => "name.forbidden",
            NameError::Separator => "name.separator",
        }
    }
}

impl Name {
    /// Reads a name as somebody typed it.
    ///
    /// # Errors
    /// [`NameError`].
    pub fn new(text: &str) -> Result<Name, NameError> {
        // Before anything is made of it: nobody composes a megabyte.
        if text.len() > 4 * MAX_BYTES {
            return Err(NameError::TooLong);
        }
        let name: String = text.trim().nfc().collect();
        if let Some(bad) = name.chars().find(|&c| is_forbidden(c)) {
            return Err(NameError::Forbidden(u32::from(bad)));
        }
        if name.len() > MAX_BYTES || name.chars().count() > MAX_CHARS {
            return Err(NameError::TooLong);
        }
        match key(&name).len() {
            0 => Err(NameError::Empty),
            1..=MAX_KEY => Ok(Name(name)),
            _ => Err(NameError::TooLong),
        }
    }

    /// Reads a person's name. It has no `:` and no `/`, so that `person:target` has one meaning.
    ///
    /// # Errors
    /// [`NameError`].
    pub fn of_person(text: &str) -> Result<Name, NameError> {
        let name = Name::new(text)?;
        // The key as well: wide forms of both fold to them.
        if name.key().contains([':', '/']) { Err(NameError::Separator) } else { Ok(name) }
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What makes it unique, see [`key`].
    pub fn key(&self) -> String {
        key(&self.0)
    }
}

/// The form in which names are compared: compatibility composed, case folded, runs of spaces as one, joiners dropped.
///
/// It is defined for every text, so that a log-in can look up whatever was typed. Applying it twice changes nothing.
pub fn key(text: &str) -> String {
    // Folding can decompose and composing can bring capitals back, so both are done until nothing moves.
    let mut folded = fold(text);
    for _ in 0..4 {
        let again = fold(&folded);
        if again == folded {
            break;
        }
        folded = again;
    }
    folded
}

fn fold(text: &str) -> String {
    let seen = text.nfkc().filter(|&c| !is_joiner(c)).collect::<String>();
    // Upper case first: it opens ligatures and sharp s, which lower case alone leaves.
    let lower = seen.to_uppercase().to_lowercase().replace('ς', "σ");
    let composed = lower.nfkc().collect::<String>();
    composed.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Joiners shape Persian, Indic and emoji texts and are no difference by themselves.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}' | '\u{FE0E}' | '\u{FE0F}')
}

/// Control characters; everything that is not seen but the joiners; everything that reorders or overrides.
fn is_forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}' | '\u{200E}' | '\u{200F}'
            | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}'
            | '\u{FE00}'..='\u{FE0D}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFD}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
        // Private use shows what a font of the reader wants; noncharacters are no text.
        || matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}' | '\u{FDD0}'..='\u{FDEF}')
        || u32::from(c) & 0xFFFE == 0xFFFE
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Name {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Name::new(text)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Name::new(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn same(a: &str, b: &str) -> bool {
        Name::new(a).unwrap().key() == Name::new(b).unwrap().key()
    }

    #[test]
    fn names_of_people_are_names() {
        for good in
            ["ana", "Ana María", "أحمد الحربي", "محمد‌رضا", "O'Brien", "李雷", "lab-3", "😀", "a.b@c.example"]
        {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
        }
        assert_eq!(Name::new("  ana\u{a0}").unwrap().as_str(), "ana");
        assert_eq!(Name::new("e\u{301}").unwrap().as_str(), "é");
        // Markup is text like any other; whoever shows it escapes it.
        assert!(Name::new("<b>ana</b>").is_ok());
    }

    #[test]
    fn what_cannot_be_seen_or_reorders_is_refused() {
        for bad in [
            '\0',
            '\n',
            '\u{7f}',
            '\u{85}',
            '\u{202a}',
            '\u{202b}',
            '\u{202c}',
            '\u{202d}',
            '\u{202e}',
            '\u{2066}',
            '\u{2067}',
            '\u{2068}',
            '\u{2069}',
            '\u{200b}',
            '\u{200e}',
            '\u{200f}',
            '\u{feff}',
            '\u{ad}',
            '\u{e0041}',
            '\u{fffd}',
            '\u{1fffe}',
            '\u{e000}',
        ] {
            assert_eq!(
                Name::new(&format!("an{bad}a")),
                Err(NameError::Forbidden(bad.into())),
                "{:x}",
                u32::from(bad)
            );
        }
        for nothing in ["", "   ", "\u{200d}", "\u{3000}"] {
            assert_eq!(Name::new(nothing), Err(NameError::Empty), "{nothing:?}");
        }
    }

    #[test]
    fn names_are_bounded() {
        assert!(Name::new(&"س".repeat(80)).is_ok());
        // One letter that is eighteen when it is folded.
        let grows = "\u{fdfa}".repeat(9);
        for long in ["a".repeat(81), "😀".repeat(61), "a".repeat(10 << 20), grows] {
            assert_eq!(Name::new(&long), Err(NameError::TooLong));
        }
    }

    #[test]
    fn a_persons_name_ends_where_a_targets_begins() {
        for bad in ["ann:desk", "a/b", "ann：desk", "a／b", "℅"] {
            assert_eq!(Name::of_person(bad), Err(NameError::Separator), "{bad}");
            assert!(Name::new(bad).is_ok(), "{bad}");
        }
        assert_eq!(Name::of_person(" ann ").unwrap().as_str(), "ann");
        assert_eq!(Name::of_person(""), Err(NameError::Empty));
    }

    #[test]
    fn one_person_has_one_key() {
        assert!(same("Ana", "ANA") && same("straße", "STRASSE") && same("ﬁn", "FIN"));
        assert!(same("é", "E\u{301}") && same("ａｎａ", "ana") && same("ΣΟΦΟΣ", "σοφος"));
        assert!(same("an\u{200d}a", "ana") && same("Ana  María", "ana maría"));
        assert!(!same("ana", "anna") && !same("ana", "аna") && !same("أحمد", "احمد"));
    }

    proptest! {
        #[test]
        fn a_key_is_its_own_key(text in any::<String>()) {
            let once = key(&text);
            prop_assert_eq!(key(&once), once);
        }

        #[test]
        fn a_name_is_its_own_name(text in "\\PC{0,90}") {
            if let Ok(name) = Name::new(&text) {
                prop_assert_eq!(&Name::new(name.as_str()).unwrap(), &name);
                prop_assert!((1..=MAX_KEY).contains(&name.key().len()));
                prop_assert_eq!(key(&text), name.key());
            }
        }
    }
}
