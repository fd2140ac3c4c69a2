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

/// Names a row by moment and id. Text for clients is opaque: hexadecimal microseconds, then the id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    pub(crate) moment: DateTime<Utc>,
    pub(crate) id: Uuid,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}{}", self.moment.timestamp_micros(), self.id.simple())
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
        if text.len() != 48 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(CursorError);
        }
        let (moment, id) = text.split_at(16);
        let micros = u64::from_str_radix(moment, 16).map_err(|_| CursorError)?.cast_signed();
        Ok(Cursor {
            moment: DateTime::from_timestamp_micros(micros).ok_or(CursorError)?,
            id: Uuid::try_parse(id).map_err(|_| CursorError)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_text_and_refuse_nonsense() {
        let cursor = Cursor { moment: DateTime::from_timestamp_micros(-5).unwrap(), id: Uuid::from_u128(7) };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for bad in
            ["", "0", &"g".repeat(48), &"é".repeat(24), &"f".repeat(47), &("7".to_owned() + &"f".repeat(47))]
        {
            assert_eq!(bad.parse::<Cursor>(), Err(CursorError), "{bad}");
        }
    }
}
