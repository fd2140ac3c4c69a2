//! Logging in and out: people by name and password, the first administrator by a one-time link.

use crate::arrival::Arrival;
use crate::error::{Problem, ProblemBody};
use crate::gate::{Claim, GateError, footprint};
use crate::paging::Optional;
use crate::state::Api;
use crate::who::{COOKIE_NAME, DEVICE_NAME, Login, Person, cookie};
use crate::{hash, unavailable};
use auth::access::Claims;
use auth::password::{PasswordError, check_new};
use auth::rights;
use auth::seal::Place;
use auth::token::Token;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use chrono::{DateTime, TimeDelta, Utc};
use gateway::origin::Proof;
use model::audit::{Action, Object, Personal};
use model::{Coded, Role, Secret, SubjectId, UserId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use store::{
    AuditEntry, FreshAdmin, LinkError, LoginError, LoginId, NewFamily, NewLogin, PeopleError, Refresh,
    RefreshError, Sealed, SignedIn, TokenHash, UserChange, UserRecord,
};
use utoipa::ToSchema;
use uuid::Uuid;

/// A device is remembered for so long after its last log-in.
const DEVICE: TimeDelta = TimeDelta::days(365);

/// Name and password.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Credentials {
    /// The name that one logs in with; case does not matter.
    #[schema(example = "ada")]
    username: String,
    #[schema(value_type = String, format = Password)]
    password: Secret,
    /// What is wanted: a cookie (a browser) or tokens (a program).
    #[serde(default)]
    grant: Grant,
}

/// What a log-in gives.
#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Grant {
    /// An HttpOnly cookie.
    #[default]
    Cookie,
    /// An access token and a refresh token.
    Token,
}

/// Tokens of a program.
#[derive(Serialize, ToSchema)]
pub(crate) struct Tokens {
    /// For `Authorization: Bearer`.
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds that the access token is good.
    #[schema(example = 900)]
    expires_in: u64,
    /// For `/api/auth/refresh`, once; its answer has the next one.
    refresh_token: String,
    /// When the log-in ends.
    refresh_expires_at: DateTime<Utc>,
}

/// Logs in by name and password.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", request_body = Credentials, responses(
    (status = 200, body = Me, description = "with `grant: cookie`: logged in, a cookie is set; with `grant: token` the body is Tokens"),
    (status = 401, body = ProblemBody, description = "the name or the password is wrong"),
    (status = 429, body = ProblemBody), (status = 503, body = ProblemBody)
))]
pub(crate) async fn login(
    State(api): State<Arc<Api>>,
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
    Json(wish): Json<Credentials>,
) -> Result<Response, Problem> {
    let now = Utc::now();
    let device = cookie(&headers, DEVICE_NAME);
    let claim = Claim {
        name: &wish.username,
        password: &wish.password,
        address: arrival.client.ip(),
        device: device.as_ref(),
    };
    let user = api.gate.prove(&claim, now).await.map_err(not_proven)?;
    match wish.grant {
        Grant::Cookie => by_cookie(&api, arrival, &headers, device, &user, now).await,
        Grant::Token => by_tokens(&api, arrival, &user, now).await.map(IntoResponse::into_response),
    }
}

async fn by_cookie(
    api: &Api,
    arrival: Arrival,
    headers: &HeaderMap,
    device: Option<Token>,
    user: &UserRecord,
    now: DateTime<Utc>,
) -> Result<Response, Problem> {
    let (token, device) = (Token::fresh(), device.unwrap_or_else(Token::fresh));
    let footprint = footprint(user.id, arrival.client.ip());
    let new =
        NewLogin { footprint: Some(footprint), ..new_login(api, arrival, headers, &token, &device, now) };
    let signed_in = api.store.logins().start(user, new, entered(user, arrival, "cookie"), now).await;
    let signed_in = signed_in.map_err(not_started)?;
    tracing::info!(user = %user.id, "A person logged in");
    welcome(api, arrival, signed_in, &token, &device).await
}

/// The answer of a log-in by cookie.
async fn welcome(
    api: &Api,
    arrival: Arrival,
    signed_in: SignedIn,
    token: &Token,
    device: &Token,
) -> Result<Response, Problem> {
    let SignedIn { user, login } = signed_in;
    let life = login.expires_at - Utc::now();
    let login = Login::Cookie { cookie: login.cookie, expires_at: login.expires_at, idle: login.idle };
    let me = me_of(api, &Person::new(user, login, None, arrival.client.ip())).await?;
    let mut response = Json(me).into_response();
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, set_cookie(COOKIE_NAME, token, life, arrival.secure));
    headers.append(header::SET_COOKIE, set_cookie(DEVICE_NAME, device, DEVICE, arrival.secure));
    Ok(response)
}

fn new_login(
    api: &Api,
    arrival: Arrival,
    headers: &HeaderMap,
    token: &Token,
    device: &Token,
    now: DateTime<Utc>,
) -> NewLogin {
    NewLogin {
        cookie: hash(token),
        expires_at: now + delta(api.rules.login),
        idle: api.rules.idle,
        address: arrival.client.ip().to_string(),
        device: Some(hash(device)),
        footprint: None,
        user_agent: headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).map(str::to_owned),
    }
}

async fn by_tokens(
    api: &Api,
    arrival: Arrival,
    user: &UserRecord,
    now: DateTime<Utc>,
) -> Result<Json<Tokens>, Problem> {
    let refresh = Token::fresh();
    let family = Uuid::now_v7();
    let expires_at = now + delta(api.rules.login);
    let footprint = Some(footprint(user.id, arrival.client.ip()));
    let new = NewFamily { token: hash(&refresh), family, expires_at, footprint };
    let user = api.store.logins().start_family(user, new, entered(user, arrival, "token"), now).await;
    let user = user.map_err(not_started)?;
    tracing::info!(user = %user.id, "A person's program logged in");
    Ok(Json(tokens(api, &user, family, &refresh, expires_at)))
}

fn tokens(api: &Api, user: &UserRecord, family: Uuid, refresh: &Token, ends: DateTime<Utc>) -> Tokens {
    let issued_at = SystemTime::now();
    let expires_at = (issued_at + api.rules.access).min(ends.into());
    let claims = Claims {
        user: user.id,
        login: family,
        version: i64::try_from(user.session_version).unwrap_or(i64::MAX),
        role: user.role,
        scopes: None,
        issued_at,
        expires_at,
    };
    Tokens {
        access_token: api.access_tokens.sign(&claims),
        token_type: "Bearer",
        expires_in: expires_at.duration_since(issued_at).map_or(0, |life| life.as_secs()),
        refresh_token: refresh.expose().to_owned(),
        refresh_expires_at: ends,
    }
}

fn entered(user: &UserRecord, arrival: Arrival, how: &str) -> AuditEntry {
    AuditEntry::new(Action::LoggedIn)
        .by(user.subject)
        .with("by", how)
        .person(Personal::Name, &user.name)
        .person(Personal::Address, &arrival.client.ip().to_string())
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshWish {
    #[schema(value_type = String)]
    refresh_token: Secret,
}

/// Exchanges a refresh token. Within ten seconds the same one is answered by the same successor; later the whole log-in
/// ends, for somebody has stolen it.
#[utoipa::path(post, path = "/api/auth/refresh", tag = "auth", request_body = RefreshWish, responses(
    (status = 200, body = Tokens), (status = 401, body = ProblemBody, description = "unknown, used or expired: log in again")
))]
pub(crate) async fn refresh(
    State(api): State<Arc<Api>>,
    Extension(arrival): Extension<Arrival>,
    Json(wish): Json<RefreshWish>,
) -> Result<Json<Tokens>, Problem> {
    let attempt = api.throttle.attempt(arrival.client.ip()).await?;
    let refused = |error: RefreshError| match error {
        RefreshError::Store(error) => unavailable(&error),
        error => Problem::new(StatusCode::UNAUTHORIZED, error.code(), error.to_string()),
    };
    let Ok(presented) = Token::parse(wish.refresh_token.expose()) else {
        attempt.failed();
        return Err(refused(RefreshError::Invalid));
    };
    let successor = Token::fresh();
    let place = successor_place(&presented);
    let wish = Refresh {
        token: hash(&presented),
        successor: hash(&successor),
        successor_sealed: Sealed(api.sealer.seal(&place, &Secret::new(successor.expose()))),
        if_reused: AuditEntry::new(Action::RefreshReused).code("login.refresh_reused").person_of(
            None,
            Personal::Address,
            &arrival.client.ip().to_string(),
        ),
    };
    let refreshed = match api.store.logins().refresh(wish, Utc::now()).await {
        Ok(refreshed) => refreshed,
        Err(error) => {
            if !matches!(error, RefreshError::Store(_)) {
                attempt.failed();
            }
            if let RefreshError::Reused { user, family } = &error {
                tracing::warn!(%user, "A refresh token was used twice; the log-in was ended");
                api.end_consoles_of(LoginId::Family(*family)).await;
            }
            return Err(refused(error));
        }
    };
    attempt.succeeded();
    let successor = api.sealer.open(&place, &refreshed.successor_sealed.0).ok();
    let successor = successor.and_then(|text| Token::parse(text.expose()).ok());
    let successor = successor.ok_or_else(|| refused(RefreshError::Invalid))?;
    Ok(Json(tokens(&api, &refreshed.user, refreshed.family, &successor, refreshed.expires_at)))
}

/// Bound to the token that it succeeds.
fn successor_place(token: &Token) -> Place<'static> {
    let mut row = [0; 16];
    row.iter_mut().zip(token.hash().as_bytes()).for_each(|(to, from)| *to = *from);
    Place { table: "refresh_tokens", row, column: "successor_sealed" }
}

/// The token of a one-time link, as the page read it from the fragment.
#[derive(Deserialize, ToSchema)]
pub(crate) struct Link {
    /// 32 bytes in lower-case base32.
    #[schema(value_type = String)]
    token: Secret,
}

/// Takes a one-time link and logs in as the first administrator; the link is used up by this.
#[utoipa::path(post, path = "/api/auth/link", tag = "auth", request_body = Link, responses(
    (status = 200, body = Me, description = "logged in; a cookie is set"),
    (status = 401, body = ProblemBody, description = "used, expired or unknown")
))]
pub(crate) async fn link(
    State(api): State<Arc<Api>>,
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
    Json(link): Json<Link>,
) -> Result<Response, Problem> {
    if !arrival.sender.may_use(Proof::Cookie) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "request.origin", "open the link in a browser"));
    }
    let attempt = api.throttle.attempt(arrival.client.ip()).await?;
    let now = Utc::now();
    let Ok(token) = Token::parse(link.token.expose()) else {
        attempt.failed();
        return Err(link_refused(&api, arrival, LinkError::Unknown, now).await);
    };
    let session = Token::fresh();
    let device = cookie(&headers, DEVICE_NAME).unwrap_or_else(Token::fresh);
    let new = new_login(&api, arrival, &headers, &session, &device, now);
    let fresh = FreshAdmin { user: UserId(Uuid::now_v7()), subject: SubjectId(Uuid::new_v4()) };
    let entry = AuditEntry::new(Action::LoggedIn)
        .with("by", "link")
        .person(Personal::Address, &arrival.client.ip().to_string());
    match api.store.logins().take_link(hash(&token), new, fresh, entry, now).await {
        Ok(signed_in) => {
            attempt.succeeded();
            tracing::info!("The administrator logged in by a one-time link");
            welcome(&api, arrival, signed_in, &session, &device).await
        }
        Err(LinkError::Store(error)) => Err(unavailable(&error)),
        Err(error) => {
            attempt.failed();
            Err(link_refused(&api, arrival, error, now).await)
        }
    }
}

/// Writes a refused link down, before the refusal is told.
async fn link_refused(api: &Api, arrival: Arrival, error: LinkError, now: DateTime<Utc>) -> Problem {
    let entry = AuditEntry::new(Action::LoginRefused)
        .code(error.code())
        .with("by", "link")
        .person(Personal::Address, &arrival.client.ip().to_string());
    match api.store.audit().append(vec![entry], now).await {
        Ok(()) => Problem::new(StatusCode::UNAUTHORIZED, error.code(), error.to_string()),
        Err(error) => unavailable(&error),
    }
}

/// What to end.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogoutWish {
    /// All log-ins of the person, also of other devices and programs.
    everywhere: bool,
}

/// Logs out at once: cookie, access token and refresh token mean nothing from now on, and consoles that were opened by
/// this log-in end. With `everywhere` all log-ins of the person end.
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", request_body = Option<LogoutWish>, responses((status = 204)))]
pub(crate) async fn logout(
    State(api): State<Arc<Api>>,
    Extension(arrival): Extension<Arrival>,
    person: Person,
    Optional(wish): Optional<LogoutWish>,
) -> Result<Response, Problem> {
    let now = Utc::now();
    let everywhere = wish.everywhere;
    let logins = api.store.logins();
    match person.login {
        _ if everywhere => {
            let entry = person.entry(Action::LoggedOutEverywhere).on(Object::Person(person.user.subject));
            api.store.people().log_out(person.user.id, entry, now).await.map_err(people_problem)?;
            api.review().await;
        }
        Login::Cookie { cookie, .. } => {
            let entry = person.entry(Action::LoggedOut);
            logins.end(cookie, entry, now).await.map_err(|e| unavailable(&e))?;
        }
        Login::Family(family) => {
            let entry = person.entry(Action::LoggedOut);
            logins.end_family(family, entry, now).await.map_err(|e| unavailable(&e))?;
        }
        Login::ApiToken(_) | Login::Password { .. } => {}
    }
    api.end_consoles_of(person.login.id()).await;
    let gone = set_cookie(COOKIE_NAME, &Token::fresh(), TimeDelta::zero(), arrival.secure);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

/// Who is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    id: Uuid,
    username: String,
    display_name: String,
    /// `user`, `viewer`, `analyst`, `operator` or `admin`.
    role: &'static str,
    /// What one may do now; the lesser of role and token.
    rights: Vec<&'static str>,
    /// The language of the interface, where one was chosen.
    language: Option<String>,
    /// When the log-in ends; none for tokens.
    expires_at: Option<DateTime<Utc>>,
    /// Seconds without a request after which it ends; 0 for no limit.
    idle_seconds: u64,
    /// Whether there is a password; the first administrator has none until one is set.
    has_password: bool,
    /// Groups that one is in.
    groups: Vec<MyGroup>,
    /// Counts changes of the entry.
    version: u64,
}

/// A group that one is in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MyGroup {
    id: Uuid,
    name: String,
    /// Whether one looks after its targets and sessions.
    operator: bool,
}

async fn me_of(api: &Api, person: &Person) -> Result<Me, Problem> {
    let groups = api.store.people().groups().of_user(person.user.id).await.map_err(|e| unavailable(&e))?;
    let idle = match person.login {
        Login::Cookie { idle, .. } => idle,
        _ => Duration::ZERO,
    };
    let operates = person.user.role == Role::Operator;
    Ok(Me {
        id: person.user.id.0,
        username: person.user.name.clone(),
        display_name: person.user.display_name.clone(),
        role: person.user.role.column(),
        rights: rights::all(&person.who).map(|(right, _)| right.word()).collect(),
        language: person.user.language.clone(),
        expires_at: person.login_ends(),
        idle_seconds: idle.min(api.rules.idle).as_secs(),
        has_password: person.user.password_hash.is_some(),
        groups: groups
            .into_iter()
            .map(|m| MyGroup { id: m.group.id.0, name: m.group.name, operator: m.operator && operates })
            .collect(),
        version: person.user.version,
    })
}

/// Who is logged in.
#[utoipa::path(get, path = "/api/auth/me", tag = "auth", responses((status = 200, body = Me), (status = 401, body = ProblemBody)))]
pub(crate) async fn me(State(api): State<Arc<Api>>, person: Person) -> Result<Json<Me>, Problem> {
    me_of(&api, &person).await.map(Json)
}

/// One's own entry, as one may change it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeMe {
    /// As it was read.
    version: u64,
    display_name: Option<String>,
    /// A language tag such as `ar`; `null` follows the browser.
    #[serde(default, deserialize_with = "crate::paging::given")]
    #[schema(value_type = Option<String>)]
    language: Option<Option<String>>,
}

/// Changes one's own name and language.
#[utoipa::path(patch, path = "/api/auth/me", tag = "auth", request_body = ChangeMe, responses(
    (status = 200, body = Me), (status = 409, body = ProblemBody, description = "somebody else changed it meanwhile")
))]
pub(crate) async fn change_me(
    State(api): State<Arc<Api>>,
    person: Person,
    Json(wish): Json<ChangeMe>,
) -> Result<Json<Me>, Problem> {
    let change =
        UserChange { display_name: wish.display_name, language: wish.language, ..UserChange::default() };
    let entry = person.entry(Action::UserChanged).on(Object::Person(person.user.subject));
    let user = api.store.people().change(person.user.id, wish.version, change, entry, Utc::now()).await;
    let user = user.map_err(people_problem)?;
    me_of(&api, &Person { user: Arc::new(user), ..person }).await.map(Json)
}

/// The old password and a new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// Left out by the first administrator, who has none yet.
    #[schema(value_type = Option<String>, format = Password)]
    current: Option<Secret>,
    #[schema(value_type = String, format = Password)]
    new: Secret,
}

/// Sets one's own password. All other log-ins end.
#[utoipa::path(post, path = "/api/auth/password", tag = "auth", request_body = NewPassword, responses(
    (status = 204), (status = 401, body = ProblemBody, description = "the current password is wrong"),
    (status = 422, body = ProblemBody, description = "the new one cannot be used")
))]
pub(crate) async fn password(
    State(api): State<Arc<Api>>,
    person: Person,
    Json(wish): Json<NewPassword>,
) -> Result<StatusCode, Problem> {
    let now = Utc::now();
    if person.user.password_hash.is_some() {
        let current = wish.current.unwrap_or_else(|| Secret::new(""));
        let claim =
            Claim { name: &person.user.name, password: &current, address: person.address, device: None };
        api.gate.prove(&claim, now).await.map_err(not_proven)?;
    }
    let new = hash_new(&api, &wish.new, &person.user).await?;
    let keep = match person.login {
        Login::Cookie { cookie, .. } => Some(cookie),
        _ => None,
    };
    let entry = person.entry(Action::PasswordSet).on(Object::Person(person.user.subject));
    set(&api, person.user.id, new, keep, entry, now).await
}

/// Stores a new password; log-ins and consoles that it ends are ended.
pub(crate) async fn set(
    api: &Api,
    user: UserId,
    new: Secret,
    keep: Option<TokenHash>,
    entry: AuditEntry,
    now: DateTime<Utc>,
) -> Result<StatusCode, Problem> {
    api.store.people().set_password(user, Some(new), keep, entry, now).await.map_err(people_problem)?;
    api.review().await;
    Ok(StatusCode::NO_CONTENT)
}

/// The hash of a new password that passed the rules.
pub(crate) async fn hash_new(api: &Api, new: &Secret, user: &UserRecord) -> Result<Secret, Problem> {
    hash_for(api, new, &[&user.name, &user.display_name]).await
}

/// The same for somebody who is called so.
pub(crate) async fn hash_for(api: &Api, new: &Secret, names: &[&str]) -> Result<Secret, Problem> {
    check_new(new, names, api.rules.password_least)
        .map_err(|e| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, e.code(), e.to_string()))?;
    match api.gate.hasher().hash(new).await {
        Ok(hash) => Ok(Secret::new(hash)),
        Err(PasswordError::Busy { retry_after }) => Err(not_proven(GateError::Busy(retry_after))),
        Err(error) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.code(), error.to_string())),
    }
}

fn not_proven(error: GateError) -> Problem {
    let (code, text) = (error.code(), error.to_string());
    match error {
        GateError::Wrong => Problem::new(StatusCode::UNAUTHORIZED, code, text),
        GateError::Throttled(wait) => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, code, text).retry_after(wait)
        }
        GateError::Busy(wait) => Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, text).retry_after(wait),
        GateError::Store(error) => unavailable(&error),
    }
}

fn not_started(error: LoginError) -> Problem {
    match error {
        LoginError::Store(error) => unavailable(&error),
        error => Problem::new(StatusCode::UNAUTHORIZED, error.code(), error.to_string()),
    }
}

/// Why people, groups or grants were not changed.
pub(crate) fn people_problem(error: PeopleError) -> Problem {
    let status = match &error {
        PeopleError::NotFound => return Problem::not_found("person, group or target"),
        PeopleError::Store(error) => return unavailable(error),
        PeopleError::NameTaken | PeopleError::ChangedMeanwhile | PeopleError::LastAdmin => {
            StatusCode::CONFLICT
        }
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Problem::new(status, error.code(), error.to_string())
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

fn set_cookie(name: &str, token: &Token, life: TimeDelta, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!(
        "{name}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}",
        token.expose(),
        life.num_seconds().max(0)
    );
    let mut value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}
