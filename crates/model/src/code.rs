//! Stable error codes.
//!
//! A code is what a person quotes, what `docs/errors.md` is sorted by and what the interface
//! translates. It never changes once released; the sentence around it may.

/// An error, refusal or end reason that has a stable code such as `target.unreachable`.
pub trait Coded {
    /// `area.what`, lower case, never reworded.
    fn code(&self) -> &'static str;
}
