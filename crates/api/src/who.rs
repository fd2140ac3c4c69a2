//! Who asks: a person, by the cookie of a browser, an access token or an API token.
//!
//! The cookie is opaque, HttpOnly and SameSite=Lax; what changes something also needs a page of ours as sender, so
//! that no other site can use it. Every way is looked up at every request: a log-out, a disabled person or a new
//! password counts from the next one on.

use crate::arrival::Arrival;
use crate::error::Problem;
use crate::state::Api;
use crate::{hash, unavailable};
use auth::rate::Caller;
use auth::rights::{Via, Who};
use auth::token::Token;
use axum::extract::FromRequestParts;
use axum::http::header::{self, HeaderMap};
use axum::http::{Method, StatusCode, request::Parts};
use chrono::{DateTime, TimeDelta, Utc};
use gateway::origin::{Proof, Sender};
use model::audit::{Action, Personal};
use model::{ApiTokenId, Coded, Role, Scopes};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use store::{AuditEntry, LoginId, Owner, TokenHash, UserRecord};
use uuid::Uuid;

/// The cookie of a log-in.
pub(crate) const COOKIE_NAME: &str = "gatehouse_session";
/// The cookie that tells a device that logged in before from others.
pub(crate) const DEVICE_NAME: &str = "gatehouse_device";
/// What a page adds to its reading while somebody is there: pages also read by the clock and listen to events, and who
/// left an open page behind is idle.
const ATTENDED: &str = "gatehouse-attended";
/// An API token's last use is written down at most so often.
const TOUCH: TimeDelta = TimeDelta::seconds(60);

/// A person who asks. A handler that takes this argument is closed to everybody else.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) user: Arc<UserRecord>,
    /// What decides what they may do.
    pub(crate) who: Who,
    /// By which log-in or token.
    pub(crate) login: Login,
    /// From where.
    pub(crate) address: IpAddr,
}

/// What a person showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    /// A browser's cookie.
    Cookie { cookie: TokenHash, expires_at: DateTime<Utc>, idle: Duration },
    /// An access token of this log-in.
    Family(Uuid),
    /// An API token.
    ApiToken(ApiTokenId),
    /// A password at the native door, for one session, while the person's log-ins had this version.
    Password { version: u64 },
}

impl Login {
    /// Which log-in it is, without what else is known of it.
    pub(crate) fn id(self) -> LoginId {
        match self {
            Login::Cookie { cookie, .. } => LoginId::Cookie(cookie),
            Login::Family(family) => LoginId::Family(family),
            Login::ApiToken(id) => LoginId::ApiToken(id),
            Login::Password { version } => LoginId::Password(version),
        }
    }
}

impl Person {
    pub(crate) fn new(user: UserRecord, login: Login, scopes: Option<Scopes>, address: IpAddr) -> Person {
        let via = scopes.map_or(Via::Login, Via::ApiToken);
        let who = Who { user: user.id, role: user.role, via };
        Person { user: Arc::new(user), who, login, address }
    }

    /// Whose sessions and tickets theirs are.
    pub(crate) fn owner(&self) -> Owner {
        self.user.owner()
    }

    /// How sessions name them: by the subject id, which leads nowhere once they are erased.
    pub(crate) fn subject(&self) -> String {
        self.user.subject.to_string()
    }

    pub(crate) fn caller(&self) -> Caller {
        match self.login {
            Login::ApiToken(id) => Caller::Token(id),
            _ => Caller::Person(self.user.id),
        }
    }

    /// When their log-in ends by itself, as far as is known.
    pub(crate) fn login_ends(&self) -> Option<DateTime<Utc>> {
        match self.login {
            Login::Cookie { expires_at, .. } => Some(expires_at),
            _ => None,
        }
    }

    /// An entry for the audit log about something that they do.
    pub(crate) fn entry(&self, action: Action) -> AuditEntry {
        AuditEntry::new(action)
            .by(self.user.subject)
            .person(Personal::Name, &self.user.name)
            .person(Personal::Address, &self.address.to_string())
    }

    pub(crate) fn is_admin(&self) -> bool {
        self.who.role == Role::Admin
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // The guard of the route put it there; see `access`.
        parts.extensions.get::<Person>().cloned().ok_or_else(Problem::not_logged_in)
    }
}

/// Who asks, if anybody who can be known.
///
/// # Errors
/// A bearer token that is wrong, a cookie from a page that is not ours, a database that does not answer.
pub(crate) async fn authenticate(
    api: &Api,
    arrival: Arrival,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<Person>, Problem> {
    if let Some(line) = headers.get(header::AUTHORIZATION) {
        return match line.to_str().ok().and_then(bearer) {
            Some(text) => by_bearer(api, arrival, text).await.map(Some),
            None => Err(invalid("access.invalid", "the Authorization header carries no bearer token")),
        };
    }
    if arrival.sender == Sender::AllowedPage {
        return Ok(None);
    }
    let Some(cookie) = cookie(headers, COOKIE_NAME) else { return Ok(None) };
    let asks = matches!(*method, Method::GET | Method::HEAD);
    let reads = asks && !headers.contains_key(header::UPGRADE);
    if !reads && !arrival.sender.may_use(Proof::Cookie) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "request.origin",
            "a change by cookie must come from one of our own pages; its Origin header is missing",
        ));
    }
    let is_attended = !asks || headers.contains_key(ATTENDED);
    by_cookie(api, arrival, hash(&cookie), is_attended).await
}

async fn by_cookie(
    api: &Api,
    arrival: Arrival,
    cookie: TokenHash,
    is_attended: bool,
) -> Result<Option<Person>, Problem> {
    let now = Utc::now();
    let logins = api.store.logins();
    let Some(signed_in) = logins.find(cookie, now).await.map_err(|e| unavailable(&e))? else {
        return Ok(None);
    };
    let login = signed_in.login;
    if is_attended && login.is_stale(now) {
        logins.touch(cookie, now).await.map_err(|e| unavailable(&e))?;
    }
    let login = Login::Cookie { cookie, expires_at: login.expires_at, idle: login.idle };
    Ok(Some(Person::new(signed_in.user, login, None, arrival.client.ip())))
}

async fn by_bearer(api: &Api, arrival: Arrival, text: &str) -> Result<Person, Problem> {
    match Token::parse(text) {
        Ok(token) => by_api_token(api, arrival, &token).await,
        Err(_) => by_access_token(api, arrival, text).await,
    }
}

async fn by_api_token(api: &Api, arrival: Arrival, token: &Token) -> Result<Person, Problem> {
    let unknown = || invalid("api_token.invalid", "the API token is unknown, revoked or has expired");
    let now = Utc::now();
    let tokens = api.store.api_tokens();
    let Some((token, user)) = tokens.find(hash(token), now).await.map_err(|e| unavailable(&e))? else {
        // Like a wrong cookie it counts as a stranger's request, nothing more: nobody guesses 256 bits, and a brake
        // on the address would also hold the tokens beside it that are right.
        return Err(unknown());
    };
    if token.last_used_at.is_none_or(|at| now - at >= TOUCH) {
        tokens.touch(token.id, now).await.map_err(|e| unavailable(&e))?;
    }
    let scopes = token.scopes.join(" ").parse().map_err(|_| unknown())?;
    Ok(Person::new(user, Login::ApiToken(token.id), Some(scopes), arrival.client.ip()))
}

async fn by_access_token(api: &Api, arrival: Arrival, text: &str) -> Result<Person, Problem> {
    let claims =
        api.access_tokens.read(text, SystemTime::now()).map_err(|e| invalid(e.code(), &e.to_string()))?;
    let version = u64::try_from(claims.version).unwrap_or(0);
    let user = api.store.logins().bearer(claims.user, claims.login, version, Utc::now()).await;
    let user = user.map_err(|e| unavailable(&e))?.ok_or_else(|| {
        invalid("access.invalid", "the log-in of this access token has ended; log in again")
    })?;
    Ok(Person::new(user, Login::Family(claims.login), claims.scopes, arrival.client.ip()))
}

/// [RFC 6750, 2.1] The scheme is compared without regard to case.
fn bearer(line: &str) -> Option<&str> {
    let (scheme, text) = line.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| text.trim())
}

fn invalid(code: &'static str, detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
}

/// A token in the request's cookies. Other programs of the same host may have set some that are no text.
pub(crate) fn cookie(headers: &HeaderMap, wanted: &str) -> Option<Token> {
    let lines = headers.get_all(header::COOKIE).iter();
    let value = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).find_map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?.trim();
        pair.strip_prefix(wanted)?.strip_prefix('=')
    });
    Token::parse(value?).ok()
}
