//! Between columns and the words of `model`: times to the microsecond, JSON, checked numbers.

use crate::StoreError;
use chrono::{DateTime, SubsecRound, Utc};
use model::Coded;
use model::session::{EndReason, Ingress};
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
