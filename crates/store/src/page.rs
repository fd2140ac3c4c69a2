//! Pages by key: the cursor names the last row seen, so that rows that come and go in between neither repeat
//! nor hide others, and the thousandth page costs what the first one does.

use chrono::{DateTime, Utc};
use model::Coded;
use uuid::Uuid;

/// The most rows that one page carries, whatever is asked for.
pub const MAX_PAGE: u32 = 1000;

/// What to list: how many rows after which one.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// Rows wanted; held to 1..=[`MAX_PAGE`].
    pub limit: u32,
    /// [`Page::next`] of the page before.
    pub after: Option<Cursor>,
    /// Rows to leave out first, for clients that count. The database walks over them: dear when large.
    pub offset: u64,
}

impl Default for PageRequest {
    fn default() -> Self {
        PageRequest { limit: 100, after: None, offset: 0 }
    }
}

impl PageRequest {
    /// The first page of so many rows.
    pub fn first(limit: u32) -> Self {
        PageRequest { limit, ..PageRequest::default() }
    }

    pub(crate) fn rows(&self) -> u32 {
        self.limit.clamp(1, MAX_PAGE)
    }
}

/// One page.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows, in order.
    pub items: Vec<T>,
    /// Where the next page starts; none on the last one.
    pub next: Option<Cursor>,
}

/// A part of a list that is sorted by name or number: so many rows behind so many others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Rows wanted; held to 1..=[`MAX_PAGE`].
    pub limit: u32,
    /// Rows to leave out first.
    pub offset: u64,
}

impl Default for Window {
    fn default() -> Self {
        Window { limit: 100, offset: 0 }
    }
}

impl Window {
    pub(crate) fn rows(self) -> u64 {
        u64::from(self.limit.clamp(1, MAX_PAGE))
    }

    /// No list is longer than a signed number says, and the databases take no larger one.
    pub(crate) fn skipped(self) -> u64 {
        self.offset.min(i64::MAX.unsigned_abs())
    }
}

/// A [`Window`] of a list.
#[derive(Clone, PartialEq, Debug)]
pub struct Listed<T> {
    /// The rows, in order.
    pub items: Vec<T>,
    /// How many the whole list has.
    pub total: u64,
}

/// Names a row by moment and id, and by its score where the list is sorted by that. Text for clients is opaque:
/// hexadecimal microseconds, the id, and the score's bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    pub(crate) moment: DateTime<Utc>,
    pub(crate) id: Uuid,
    /// Of a number, so that cursors can be compared.
    pub(crate) score: Option<u64>,
}

impl Cursor {
    pub(crate) fn score(self) -> Option<f64> {
        self.score.map(f64::from_bits)
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}{}", self.moment.timestamp_micros(), self.id.simple())?;
        self.score.map_or(Ok(()), |score| write!(f, "{score:016x}"))
    }
}

/// A cursor that no page ever carried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the cursor is not one of ours; start again from the first page")]
pub struct CursorError;

impl Coded for CursorError {
    fn code(&self) -> &'static str {
        "page.cursor_invalid"
    }
}

impl std::str::FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        if !matches!(text.len(), 48 | 64) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(CursorError);
        }
        let (moment, rest) = text.split_at(16);
        let (id, score) = rest.split_at(32);
        let score = if score.is_empty() { None } else { Some(parse_score(score)?) };
        let micros = u64::from_str_radix(moment, 16).map_err(|_| CursorError)?.cast_signed();
        Ok(Cursor {
            moment: DateTime::from_timestamp_micros(micros).ok_or(CursorError)?,
            id: Uuid::try_parse(id).map_err(|_| CursorError)?,
            score,
        })
    }
}

fn parse_score(text: &str) -> Result<u64, CursorError> {
    let bits = u64::from_str_radix(text, 16).map_err(|_| CursorError)?;
    if f64::from_bits(bits).is_finite() { Ok(bits) } else { Err(CursorError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_text_and_refuse_nonsense() {
        let plain = Cursor {
            moment: DateTime::from_timestamp_micros(-5).unwrap(),
            id: Uuid::from_u128(7),
            score: None,
        };
        assert_eq!(plain.to_string().parse(), Ok(plain));
        let scored = Cursor { score: Some(70.5_f64.to_bits()), ..plain };
        assert_eq!(scored.to_string().parse(), Ok(scored));
        let endless = Cursor { score: Some(f64::NAN.to_bits()), ..plain };
        assert_eq!(endless.to_string().parse::<Cursor>(), Err(CursorError));
        for bad in
            ["", "0", &"g".repeat(48), &"é".repeat(24), &"f".repeat(47), &("7".to_owned() + &"f".repeat(47))]
        {
            assert_eq!(bad.parse::<Cursor>(), Err(CursorError), "{bad}");
        }
    }
}
