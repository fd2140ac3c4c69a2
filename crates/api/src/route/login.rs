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
use model::Coded;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{AdminSession, LinkError};
use utoipa::ToSchema;

/// How long a log-in lasts.
const LOGIN: TimeDelta = TimeDelta::hours(24);

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
    let login =
        AdminSession { created_at: now, expires_at: now + LOGIN, address: arrival.client.ip().to_string() };
    match api.store.admin().take_link(hash(&token), hash(&session), login, now).await {
        Ok(()) => attempt.succeeded(),
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
    _admin: Admin,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(token) = cookie(&headers) {
        api.store.admin().end_session(hash(&token)).await.map_err(|e| unavailable(&e))?;
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
