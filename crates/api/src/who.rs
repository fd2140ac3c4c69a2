//! Who asks: the administrator, by an opaque cookie.
//!
//! The cookie is HttpOnly and SameSite=Lax; what changes something also needs a page of ours as
//! sender, so that no other site can use it.

use crate::arrival::Arrival;
use crate::error::Problem;
use crate::state::Api;
use crate::{hash, unavailable};
use auth::token::Token;
use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, HeaderMap};
use axum::http::{Method, StatusCode, header, request::Parts};
use chrono::Utc;
use gateway::origin::Proof;
use model::{Role, SubjectId};
use std::sync::Arc;

/// The cookie's name.
pub(crate) const COOKIE_NAME: &str = "gatehouse_session";

/// The administrator. A handler that takes this argument is closed to everybody else.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    pub(crate) subject: String,
    /// The same person in the audit log.
    pub(crate) subject_id: SubjectId,
}

impl FromRequestParts<Arc<Api>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let arrival = *parts.extensions.get::<Arrival>().ok_or_else(Problem::not_logged_in)?;
        let reads = matches!(parts.method, Method::GET | Method::HEAD)
            && !parts.headers.contains_key(header::UPGRADE);
        if !reads && !arrival.sender.may_use(Proof::Cookie) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "request.origin",
                "a change by cookie must come from one of our own pages; its Origin header is missing",
            ));
        }
        let token = cookie(&parts.headers).ok_or_else(Problem::not_logged_in)?;
        let now = Utc::now();
        let logins = api.store.logins();
        let found = logins.find(hash(&token), now).await.map_err(|e| unavailable(&e))?;
        let signed_in = found.filter(|found| found.user.role == Role::Admin);
        let signed_in = signed_in.ok_or_else(Problem::not_logged_in)?;
        if signed_in.login.is_stale(now) {
            logins.touch(hash(&token), now).await.map_err(|e| unavailable(&e))?;
        }
        Ok(Admin { subject: signed_in.user.name, subject_id: signed_in.user.subject })
    }
}

/// The session token in the request's cookies.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<Token> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .and_then(|(_, value)| Token::parse(value).ok())
}
