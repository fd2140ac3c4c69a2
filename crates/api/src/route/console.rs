//! Consoles as a person asks for them: the ticket, its state, more time, the end.
//!
//! INVARIANT: a token is never logged. Whoever logs a request's address logs its route's pattern.

use crate::arrival::Arrival;
use crate::error::{Problem, ProblemBody};
use crate::paging::Optional;
use crate::route::standing::{self, OtherViewer, Standing};
use crate::route::targets;
use crate::schema;
use crate::state::Api;
use crate::who::Person;
use crate::{hash, unavailable};
use auth::seal::{Place, Sealer};
use auth::token::Token;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode};
use axum::{Extension, Json};
use chrono::{DateTime, TimeDelta, Utc};
use gateway::registry::Stage;
use model::audit::{Action, Object};
use model::session::EndReason;
use model::{Policy, Reach, Right, Secret, SessionId, TicketId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{Grant, NewTicket, Sealed, SessionRecord, TargetRecord, TicketState};
use utoipa::ToSchema;
use uuid::Uuid;

/// The page that opens a ticket's console.
pub fn console_path(token: &Token) -> String {
    format!("/console/{}", token.expose())
}

/// The WebSocket that a ticket opens.
pub fn websocket_path(token: &Token) -> String {
    format!("/ws/console/vnc/{}", token.expose())
}

/// What kind of console, for how long.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ConsoleWish {
    /// `vnc` or `auto`.
    #[schema(example = "vnc")]
    protocol: Option<String>,
    /// Minutes that the session may last; `sessions.expires_minutes` of the configuration where it is left out.
    #[schema(example = 15)]
    expires_minutes: Option<u32>,
    /// Only look.
    view_only: bool,
}

/// A ticket: the right to open one session, once.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConsoleTicket {
    /// 256 bits in lower-case base32.
    token: String,
    protocol: &'static str,
    websocket_path: String,
    console_path: String,
    /// From then on the ticket is worth nothing, and its session is over.
    expires_at: DateTime<Utc>,
    /// Only looks, by the wish or by the grant.
    view_only: bool,
    /// Where native viewers connect; none where that door is closed.
    native: Option<NativeLink>,
    /// One-time password for viewers that know only VncAuth, where that is switched on.
    vnc_password: Option<String>,
}

/// How a native viewer gets in.
#[derive(Serialize, ToSchema)]
pub(crate) struct NativeLink {
    #[schema(example = "gate.example.org:5900")]
    address: String,
    /// The same for viewers that open links; the ticket's token is the password.
    #[schema(example = "vnc://gate.example.org:5900")]
    url: String,
    /// The name to give with one's own password, instead of a ticket.
    #[schema(example = "ada:1")]
    username: String,
}

/// Makes a ticket for a target. An earlier session of the same person to the same target ends.
#[utoipa::path(post, path = "/api/vm/{id}/console/request", tag = "console", params(("id" = String, Path, description = "id or number of the target")),
    request_body = Option<ConsoleWish>,
    responses((status = 200, body = ConsoleTicket), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn request(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<String>,
    Optional(wish): Optional<ConsoleWish>,
) -> Result<Json<ConsoleTicket>, Problem> {
    match granted(&api, &person, &id, &wish).await {
        Ok(granted) => issue(&api, &person, granted).await.map(Json),
        Err(problem) => Err(refused(&api, &person, &id, problem).await),
    }
}

/// Writes a refused attempt down, before the refusal is told.
pub(crate) async fn refused(api: &Api, person: &Person, id: &str, problem: Problem) -> Problem {
    let entry = person.entry(Action::ConsoleRefused).code(problem.code());
    let entry = match targets::find(api, id).await {
        Ok(target) => entry.on(Object::Target(target.id)),
        Err(_) => entry,
    };
    match api.store.audit().append(vec![entry], Utc::now()).await {
        Ok(()) => problem,
        Err(error) => unavailable(&error),
    }
}

/// What a person may have.
pub(crate) struct Granted {
    pub(crate) target: TargetRecord,
    pub(crate) policy: Policy,
    pub(crate) expires_at: DateTime<Utc>,
}

/// What a person may have of what they wish: never longer than grant and log-in last, never more than the grant lets.
pub(crate) async fn granted(
    api: &Api,
    person: &Person,
    id: &str,
    wish: &ConsoleWish,
) -> Result<Granted, Problem> {
    if !matches!(wish.protocol.as_deref(), None | Some("vnc" | "auto")) {
        return Err(unprocessable("console.protocol", "this target speaks vnc; ask for \"vnc\" or \"auto\""));
    }
    let life = lifetime(api, wish.expires_minutes)?;
    if api.gateway.is_draining() {
        return Err(super::door::draining());
    }
    let target = targets::find_for(api, person, Right::OpenConsole, id).await?;
    let grant = grant(api, person, &target).await?;
    let now = Utc::now();
    let expires_at = ends(api, person, grant.as_ref(), now + delta(life));
    let mut policy = grant.as_ref().and_then(|grant| grant.policy.clone()).unwrap_or_default();
    policy.view_only |= wish.view_only || grant.is_some_and(|grant| grant.view_only);
    Ok(Granted { target, policy, expires_at })
}

/// The grant that a console hangs on; none for those who reach everything.
async fn grant(api: &Api, person: &Person, target: &TargetRecord) -> Result<Option<Grant>, Problem> {
    if person.reach(Right::OpenConsole)? == Reach::All {
        return Ok(None);
    }
    let grant = targets::grant_of(api, person, target.id).await?;
    // Withdrawn since it was looked at.
    grant.map(Some).ok_or_else(|| Problem::not_found("target"))
}

fn lifetime(api: &Api, minutes: Option<u32>) -> Result<Duration, Problem> {
    let Some(minutes) = minutes else { return Ok(api.rules.session) };
    let life = Duration::from_secs(u64::from(minutes) * 60);
    if minutes > 0 && life <= api.rules.session_longest {
        return Ok(life);
    }
    let most = api.rules.session_longest.as_secs() / 60;
    Err(unprocessable("console.expires_minutes", &format!("expires_minutes is from 1 to {most}")))
}

/// No session outlives its grant, nor the log-in that opened it.
fn ends(api: &Api, person: &Person, grant: Option<&Grant>, wanted: DateTime<Utc>) -> DateTime<Utc> {
    let login = person.login_ends().filter(|_| !api.rules.outlive_login);
    let limits = [login, grant.and_then(|grant| grant.expires_at)];
    limits.into_iter().flatten().fold(wanted, DateTime::min)
}

/// Writes the ticket and its entry in the audit log down, then ends what it takes the place of.
async fn issue(api: &Api, person: &Person, granted: Granted) -> Result<ConsoleTicket, Problem> {
    let Granted { target, policy, expires_at } = granted;
    let (id, token) = (TicketId(Uuid::now_v7()), Token::fresh());
    let vnc_password = api.vnc_auth.then(auth::vnc_password::fresh);
    let now = Utc::now();
    let view_only = policy.view_only;
    let ticket = NewTicket {
        id,
        token_hash: hash(&token),
        target: target.id,
        policy,
        subject: person.subject(),
        owner: Some(person.owner()),
        login: Some(person.login.id()),
        created_at: now,
        expires_at,
        sealed_vnc_password: vnc_password
            .as_ref()
            .map(|password| seal_vnc_password(&api.sealer, id, password)),
    };
    let entry =
        person.entry(Action::ConsoleGranted).on(Object::Target(target.id)).with("ticket", id.to_string());
    api.store.tickets().audited(entry).issue(ticket).await.map_err(|e| unavailable(&e))?;
    end_live(api, person, &target, EndReason::Replaced).await?;
    let native = api.native.as_ref().map(|address| NativeLink {
        address: address.clone(),
        url: format!("vnc://{address}"),
        username: format!("{}:{}", person.user.name, target.number),
    });
    Ok(ConsoleTicket {
        websocket_path: websocket_path(&token),
        console_path: console_path(&token),
        token: token.expose().to_owned(),
        protocol: "vnc",
        expires_at,
        view_only,
        native,
        vnc_password: vnc_password.map(|password| password.expose().to_owned()),
    })
}

/// Ends the sessions of a person to a target; whether there were any.
pub(crate) async fn end_live(
    api: &Api,
    person: &Person,
    target: &TargetRecord,
    reason: EndReason,
) -> Result<bool, Problem> {
    let live = live(api, person, target).await?;
    for session in &live {
        api.attachments.ending(session.id, person.user.subject);
        api.sessions.kill(session.id, reason).await?;
    }
    Ok(!live.is_empty())
}

/// The running sessions of a person to a target.
pub(crate) async fn live(
    api: &Api,
    person: &Person,
    target: &TargetRecord,
) -> Result<Vec<SessionRecord>, Problem> {
    api.store.sessions().live_of(person.user.id, target.id).await.map_err(|e| unavailable(&e))
}

/// Whether a console can be had, and what there is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConsoleStatus {
    /// Whether a request would be granted now.
    available: bool,
    /// The code of why not.
    #[schema(example = "right.role")]
    reason: Option<&'static str>,
    #[schema(example = json!(["vnc"]))]
    protocols: Vec<&'static str>,
    /// Whether the machine is on; `unknown` where no hypervisor tells.
    #[schema(example = "unknown")]
    power: &'static str,
    /// One's own session to this target.
    active_session: Option<ActiveSession>,
}

/// One's own session to a target.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActiveSession {
    id: Uuid,
    start_time: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    /// How often it was extended.
    extensions: u64,
    client_ip: String,
    frozen: bool,
    view_only: bool,
}

/// Whether a console of a target can be had.
#[utoipa::path(get, path = "/api/vm/{id}/console/status", tag = "console", params(("id" = String, Path, description = "id or number of the target")),
    responses((status = 200, body = ConsoleStatus), (status = 404, body = ProblemBody)))]
pub(crate) async fn status(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Json<ConsoleStatus>, Problem> {
    let target = targets::find_for(&api, &person, Right::SeeTargets, &id).await?;
    let refusal = granted(&api, &person, &id, &ConsoleWish::default()).await.err();
    let session = live(&api, &person, &target).await?.into_iter().next();
    Ok(Json(ConsoleStatus {
        available: refusal.is_none(),
        reason: refusal.map(|problem| problem.code()),
        protocols: vec!["vnc"],
        power: "unknown",
        active_session: session.map(|session| ActiveSession {
            id: session.id.0,
            start_time: session.start_time,
            expires_at: session.expires_at,
            extensions: session.extensions,
            client_ip: session.client_ip.to_string(),
            frozen: session.frozen,
            view_only: session.policy.view_only,
        }),
    }))
}

/// How much longer.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ExtendWish {
    /// Minutes from now on; `sessions.expires_minutes` of the configuration where it is left out.
    #[schema(example = 15)]
    expires_minutes: Option<u32>,
}

/// A session that may last longer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Extended {
    session_id: Uuid,
    expires_at: DateTime<Utc>,
    /// How often it was extended.
    extensions: u64,
    /// Seconds until then.
    time_left_s: u64,
}

/// Lets one's own session to a target last longer: at most `sessions.max_minutes` from its start, never longer than
/// grant and log-in.
#[utoipa::path(post, path = "/api/vm/{id}/console/extend", tag = "console", params(("id" = String, Path, description = "id or number of the target")),
    request_body = Option<ExtendWish>,
    responses((status = 200, body = Extended), (status = 404, body = ProblemBody, description = "no session runs"), (status = 422, body = ProblemBody)))]
pub(crate) async fn extend(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<String>,
    Optional(wish): Optional<ExtendWish>,
) -> Result<Json<Extended>, Problem> {
    let life = lifetime(&api, wish.expires_minutes)?;
    let target = targets::find_for(&api, &person, Right::OpenConsole, &id).await?;
    let grant = grant(&api, &person, &target).await?;
    let session = live(&api, &person, &target).await?.into_iter().next().ok_or_else(no_session)?;
    let now = Utc::now();
    let expires_at = extended(&api, &person, grant.as_ref(), &session, life, now);
    let entry = person
        .entry(Action::SessionExtended)
        .on(Object::Session(session.id))
        .with("expires_at", expires_at.to_rfc3339());
    let sessions = api.store.sessions().audited(entry);
    if !sessions.extend(session.id, expires_at, now).await.map_err(|e| unavailable(&e))? {
        return Err(no_session());
    }
    hold_to(&api, session.id, session.start_time, expires_at).await?;
    Ok(Json(Extended {
        session_id: session.id.0,
        expires_at,
        extensions: session.extensions.saturating_add(1),
        time_left_s: u64::try_from((expires_at - now).num_seconds()).unwrap_or(0),
    }))
}

/// When a session must be over that is given so much time from now on.
pub(crate) fn extended(
    api: &Api,
    person: &Person,
    grant: Option<&Grant>,
    session: &SessionRecord,
    life: Duration,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let longest = session.start_time + delta(api.rules.session_longest);
    let wanted = session.expires_at.unwrap_or(now).max(now + delta(life)).min(longest);
    ends(api, person, grant, wanted)
}

/// Tells the gateway when a session must be over.
async fn hold_to(
    api: &Api,
    id: SessionId,
    started: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), Problem> {
    let Some(running) = api.sessions.snapshot(id).await? else { return Ok(()) };
    // The gateway counts from when it opened the session, a moment before the row was written.
    let from = DateTime::<Utc>::from(running.started).min(started);
    let longest = (expires_at - from).to_std().unwrap_or_default();
    api.sessions.set_policy(id, Policy { max_duration: Some(longest), ..running.policy }).await?;
    Ok(())
}

/// Ends one's own session to a target, and withdraws a ticket that was not used.
#[utoipa::path(delete, path = "/api/vm/{id}/console/session", tag = "console", params(("id" = String, Path, description = "id or number of the target")),
    responses((status = 204), (status = 404, body = ProblemBody, description = "no session runs")))]
pub(crate) async fn end(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let target = targets::find_for(&api, &person, Right::OpenConsole, &id).await?;
    let withdrawn = api.store.tickets().revoke_of(person.user.id, Some(target.id)).await;
    let withdrawn = withdrawn.map_err(|e| unavailable(&e))? > 0;
    let ended = end_live(&api, &person, &target, EndReason::Killed).await?;
    if withdrawn || ended { Ok(StatusCode::NO_CONTENT) } else { Err(no_session()) }
}

fn no_session() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "console.no_session",
        "you have no session to this target; ask for a console first",
    )
}

pub(crate) fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

fn unprocessable(code: &'static str, detail: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
}

/// Seals a ticket's one-time password for VncAuth; bound to its row.
pub fn seal_vnc_password(sealer: &Sealer, ticket: TicketId, password: &Secret) -> Sealed {
    Sealed(sealer.seal(&vnc_password_place(ticket), password))
}

/// Opens it again; `None` under another key.
pub fn open_vnc_password(sealer: &Sealer, ticket: TicketId, sealed: &Sealed) -> Option<Secret> {
    sealer.open(&vnc_password_place(ticket), &sealed.0).ok()
}

/// Where a ticket's one-time password is sealed for.
pub fn vnc_password_place(ticket: TicketId) -> Place<'static> {
    Place { table: "tickets", row: ticket.0.into_bytes(), column: "sealed_vnc_password" }
}

/// What a console page may know before and while it runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConsoleInfo {
    target_name: String,
    view_only: bool,
    /// When an unused ticket ends.
    expires_at: DateTime<Utc>,
    #[schema(value_type = schema::ConsoleState)]
    state: &'static str,
    /// Seconds until the session must end, where that is limited.
    time_left_s: Option<u64>,
    /// Its session, once the ticket was taken; live events name it.
    session_id: Option<Uuid>,
    /// Whether who asks may listen to `/ws/events`; a bare token may not.
    live_events: bool,
    /// The rules that hold for it now.
    #[schema(value_type = schema::SessionPolicy)]
    policy: Policy,
    /// The target, where who asks may ask for its console anew.
    target_id: Option<Uuid>,
    /// Seconds that would be left after *extend*; none where the session is not theirs to extend.
    extended_s: Option<u64>,
    /// Whether who asks may change the rules.
    may_change_policy: bool,
    /// Who else looks at the same screen now, those first who came last.
    others: Vec<OtherViewer>,
}

/// Looks at a ticket or its session; uses nothing up. The token is the right to do so.
#[utoipa::path(get, path = "/api/console/{token}/info", tag = "console", params(("token" = String, Path)),
    responses((status = 200, body = ConsoleInfo), (status = 404, body = ProblemBody), (status = 410, body = ProblemBody)))]
pub(crate) async fn info(
    State(api): State<Arc<Api>>,
    Extension(arrival): Extension<Arrival>,
    listener: Option<Extension<Person>>,
    Path(token): Path<String>,
) -> Result<([(HeaderName, String); 1], Json<ConsoleInfo>), Problem> {
    let begun = Instant::now();
    let attempt = api.throttle.attempt(arrival.client.ip()).await?;
    let Ok(token) = Token::parse(&token) else {
        attempt.failed();
        return Err(super::door::unknown_ticket());
    };
    let state = api.store.tickets().look(hash(&token), Utc::now()).await.map_err(|e| unavailable(&e))?;
    let (ticket, unused) = match state {
        TicketState::Fresh(ticket) => (ticket, true),
        TicketState::Used(ticket) => (ticket, false),
        TicketState::Expired(_) => {
            attempt.succeeded();
            return Err(Problem::new(
                StatusCode::GONE,
                "ticket.expired",
                "the link has expired; ask for a new one",
            ));
        }
        TicketState::Unknown => {
            attempt.failed();
            return Err(super::door::unknown_ticket());
        }
    };
    attempt.succeeded();
    let target = api.store.targets().find(ticket.target).await.map_err(|e| unavailable(&e))?;
    let running = match ticket.session {
        Some(id) => api.sessions.snapshot(id).await?,
        None => None,
    };
    let policy = running.as_ref().map_or(&ticket.policy, |s| &s.policy);
    let state = match &running {
        _ if unused => "waiting",
        None => "ended",
        Some(s) if s.stage == Stage::AwaitingResume => "awaiting_resume",
        Some(s) if s.policy.frozen => "frozen",
        Some(_) => "active",
    };
    let time_left_s = running.as_ref().and_then(|s| {
        let elapsed = s.started.elapsed().unwrap_or_default();
        s.policy.max_duration.map(|longest| longest.saturating_sub(elapsed).as_secs())
    });
    let listener = listener.map(|Extension(person)| person);
    let standing = match &listener {
        Some(person) => Standing::of(&api, person, ticket.target, ticket.session).await?,
        None => Standing::default(),
    };
    let others = match (&running, ticket.session) {
        (Some(_), Some(own)) => standing::others(&api, ticket.target, own, listener.is_some()).await?,
        _ => Vec::new(),
    };
    let info = ConsoleInfo {
        policy: policy.clone(),
        target_id: standing.target.map(|id| id.0),
        extended_s: standing.extended_s,
        may_change_policy: standing.may_change_policy,
        others,
        target_name: target.map_or_else(|| "?".to_owned(), |t| t.name),
        view_only: policy.view_only,
        expires_at: ticket.expires_at,
        state,
        time_left_s,
        session_id: ticket.session.map(|id| id.0),
        live_events: listener.is_some_and(|person| person.reach(Right::SeeSessions).is_ok()),
    };
    // The page measures the way to here and back by this answer; what was done in between is not the way.
    let took = format!("work;dur={:.1}", begun.elapsed().as_secs_f64() * 1000.0);
    Ok(([(HeaderName::from_static("server-timing"), took)], Json(info)))
}
