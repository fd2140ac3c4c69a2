//! Between columns and the words of `model`: times to the microsecond, JSON, checked numbers.

use crate::StoreError;
use chrono::{DateTime, SubsecRound, Utc};
use model::Coded;
use model::session::{EndReason, Ingress};
use sea_orm::sea_query::LikeExpr;
use serde::{Serialize, de::DeserializeOwned};

/// PostgreSQL keeps microseconds; SQLite would keep more, and then equal moments would differ.
pub(crate) fn moment(time: DateTime<Utc>) -> DateTime<Utc> {
    time.trunc_subsecs(6)
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Failed(sea_orm::DbErr::Json(e.to_string())))
}

pub(crate) fn from_json<T: DeserializeOwned>(text: &str, column: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt { column })
}

/// Counters saturate: a column of 63 bits holds 9 exabytes.
pub(crate) fn to_column(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn from_column(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

pub(crate) fn end_reason_from(code: &str) -> Option<EndReason> {
    EndReason::ALL.iter().copied().find(|reason| reason.code() == code)
}

pub(crate) fn ingress_column(ingress: Ingress) -> &'static str {
    match ingress {
        Ingress::WebSocket => "websocket",
        Ingress::Native => "native",
    }
}

pub(crate) fn ingress_from(text: &str) -> Option<Ingress> {
    match text {
        "websocket" => Some(Ingress::WebSocket),
        "native" => Some(Ingress::Native),
        _ => None,
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What [`hex`] wrote of 32 bytes.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// As much of a stranger's text as fits into so many bytes, and without NUL, which PostgreSQL does not store.
pub(crate) fn clip(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len())).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    text.get(..end).unwrap_or_default().replace('\0', " ")
}

/// A pattern for LIKE that finds this text anywhere, whatever characters it has. Nothing that is stored has a NUL, and
/// PostgreSQL refuses to be asked for one.
pub(crate) fn containing(text: &str) -> LikeExpr {
    let escaped = text.replace('\0', " ").replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    LikeExpr::new(format!("%{escaped}%")).escape('\\')
}
