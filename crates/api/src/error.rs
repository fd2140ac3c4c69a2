//! Refusals as `application/problem+json` [RFC 9457] with a stable code.
//!
//! The cause goes to the log, never to the client.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gateway::SessionsError;
use model::Coded;
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    details: Option<Details>,
    retry_after: Option<Duration>,
}

/// What a refusal adds to its code for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Details {
    /// The fingerprint that is pinned, SHA-256 in lower-case hex.
    pub expected: String,
    /// The fingerprint that is shown now.
    pub presented: String,
}

/// What a refusal looks like on the wire.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// Reference of the code in the documentation.
    #[schema(example = "/docs/errors#ticket.used")]
    r#type: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// Stable code, see `docs/errors.md`.
    #[schema(example = "ticket.used")]
    code: &'static str,
    /// What happened and what to do.
    detail: String,
    /// Of `target.tls_mismatch`: both fingerprints.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

impl Problem {
    /// A refusal with its status, code and a sentence that says what to do.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Problem {
        Problem { status, code, detail: detail.into(), details: None, retry_after: None }
    }

    /// What people are told beside the sentence of the code.
    pub(crate) fn with(mut self, details: Option<Details>) -> Problem {
        self.details = details;
        self
    }

    /// When to try again.
    pub fn retry_after(mut self, wait: Duration) -> Problem {
        self.retry_after = Some(wait);
        self
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The sentence.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn not_logged_in() -> Problem {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "auth.required",
            "log in first; `gatehouse admin link` makes a one-time link",
        )
    }

    pub(crate) fn not_found(what: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "api.not_found", format!("there is no such {what}"))
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "api.bad_request", detail)
    }
}

/// The sessions of another node cannot be asked or told now.
impl From<SessionsError> for Problem {
    fn from(error: SessionsError) -> Problem {
        tracing::error!(%error, "Sessions could not be asked");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.code(), error.to_string())
            .retry_after(Duration::from_secs(5))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = ProblemBody {
            r#type: format!("/docs/errors#{}", self.code),
            title: self.status.canonical_reason().unwrap_or("error").to_owned(),
            status: self.status.as_u16(),
            code: self.code,
            detail: self.detail,
            details: self.details,
        };
        let text = serde_json::to_string(&body).unwrap_or_default();
        let mut response =
            (self.status, [(header::CONTENT_TYPE, "application/problem+json")], text).into_response();
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_that_cannot_be_asked_are_tried_again_later() {
        let response = Problem::from(SessionsError::Unreachable).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
    }
}
