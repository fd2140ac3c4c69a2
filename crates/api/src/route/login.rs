//! The one-time link of the administrator, and the way out.

use crate::arrival::Arrival;
use crate::error::{Problem, ProblemBody};
use crate::state::Api;
use crate::who::{Admin, COOKIE_NAME, cookie};
use crate::{hash, unavailable};
use auth::token::Token;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chrono::{TimeDelta, Utc};
use gateway::origin::Proof;
use model::audit::{Action, Personal};
use model::{Coded, SubjectId, UserId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use store::{AuditEntry, FreshAdmin, LinkError, NewLogin};
use utoipa::ToSchema;
use uuid::Uuid;

/// How long a log-in lasts.
const LOGIN: TimeDelta = TimeDelta::hours(24);
/// How long it lasts without a request.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// The token of a one-time link, as the page read it from the fragment.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Link {
    /// 32 bytes in lower-case base32.
    token: String,
}

/// Takes a one-time link; it is used up by this.
#[utoipa::path(post, path = "/api/auth/link", tag = "auth", request_body = Link, responses(
    (status = 204, description = "logged in; a cookie is set"),
    (status = 401, body = ProblemBody, description = "used, expired or unknown")
))]
pub(crate) async fn link(
    State(api): State<Arc<Api>>,
    Extension(arrival): Extension<Arrival>,
    Json(link): Json<Link>,
) -> Result<Response, Problem> {
    if !arrival.sender.may_use(Proof::Cookie) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "request.origin", "open the link in a browser"));
    }
    let attempt = api.throttle.attempt(arrival.client.ip()).await?;
    let Ok(token) = Token::parse(&link.token) else {
        attempt.failed();
        return Err(refused(&LinkError::Unknown));
    };
    let session = Token::fresh();
    let now = Utc::now();
    let address = arrival.client.ip().to_string();
    let login = NewLogin {
        cookie: hash(&session),
        expires_at: now + LOGIN,
        idle: IDLE,
        address: address.clone(),
        device: None,
        user_agent: None,
    };
    let fresh = FreshAdmin { user: UserId(Uuid::now_v7()), subject: SubjectId(Uuid::new_v4()) };
    let entry = AuditEntry::new(Action::LoggedIn).with("by", "link").person(Personal::Address, &address);
    match api.store.logins().take_link(hash(&token), login, fresh, entry, now).await {
        Ok(_) => attempt.succeeded(),
        Err(LinkError::Store(error)) => return Err(unavailable(&error)),
        Err(error) => {
            attempt.failed();
            return Err(refused(&error));
        }
    }
    tracing::info!("The administrator logged in by a one-time link");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, set_cookie(&session, LOGIN, arrival.secure))])
        .into_response())
}

fn refused(error: &LinkError) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, error.code(), error.to_string())
}

/// Logs out: the cookie means nothing from now on.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", responses((status = 204)))]
pub(crate) async fn logout(
    State(api): State<Arc<Api>>,
    Extension(arrival): Extension<Arrival>,
    admin: Admin,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(token) = cookie(&headers) {
        let entry = AuditEntry::new(Action::LoggedOut).by(admin.subject_id);
        let logins = api.store.logins();
        logins.end(hash(&token), entry, Utc::now()).await.map_err(|e| unavailable(&e))?;
    }
    let gone = set_cookie(&Token::fresh(), TimeDelta::zero(), arrival.secure);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

/// Who is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    /// `admin`.
    subject: String,
    /// What one may do.
    role: &'static str,
}

/// Who is logged in.
#[utoipa::path(get, path = "/api/auth/me", tag = "auth", responses((status = 200, body = Me), (status = 401, body = ProblemBody)))]
pub(crate) async fn me(admin: Admin) -> Json<Me> {
    Json(Me { subject: admin.subject, role: "admin" })
}

fn set_cookie(token: &Token, life: TimeDelta, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!(
        "{COOKIE_NAME}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}",
        token.expose(),
        life.num_seconds()
    );
    let mut value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}
