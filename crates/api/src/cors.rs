//! Pages of other sites that the configuration allows (`web.allowed_origins`) [Fetch, 3.3].
//!
//! They may read answers to requests that show a token. Credentials that a browser attaches by itself are never
//! allowed: no answer says `Access-Control-Allow-Credentials`.

use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

/// How long a browser may remember what a preflight said, in seconds.
const REMEMBERED: &str = "600";
const SHOWN: &str = "Content-Type, ETag, Retry-After";

/// The answer to a browser that asks before it sends.
pub(crate) fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type"),
        (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Lets an allowed page read the answer.
pub(crate) fn share(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(SHOWN));
        headers.insert(
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("cross-origin"),
        );
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
}
