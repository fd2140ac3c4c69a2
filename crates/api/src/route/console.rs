//! Consoles: a ticket is asked for, looked at, and taken by the WebSocket that opens it.
//!
//! INVARIANT: a token is never logged. Whoever logs a request's address logs its route's pattern.

use crate::arrival::Arrival;
use crate::error::{Problem, ProblemBody};
use crate::route::targets;
use crate::schema;
use crate::state::Api;
use crate::who::Admin;
use crate::{hash, unavailable};
use auth::seal::{Place, Sealer};
use auth::token::Token;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::{Extension, Json};
use chrono::{DateTime, TimeDelta, Utc};
use gateway::listener::Slot;
use gateway::registry::Stage;
use gateway::transport::Transport;
use gateway::ws::codec::put_close;
use gateway::ws::{Upgrade, UpgradeError};
use gateway::{ResumeKeyHash, SessionSpec};
use hyper_util::rt::TokioIo;
use model::session::Ingress;
use model::{Coded, Policy, Secret, SessionId, TicketId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use store::{NewTicket, ResumeError, ResumeTicket, Sealed, TakeError, TakeTicket, TicketState, TokenHash};
use tokio::io::AsyncWriteExt;
use utoipa::ToSchema;
use uuid::Uuid;

/// Longest life of a ticket.
const LONGEST: u32 = 24 * 60;
/// [RFC 6455, 7.4.2] Private close code: the token or the house refused, the reason says which.
const REFUSED: u16 = 4100;
/// How a page offers its resume key among the subprotocols.
const RESUME_PREFIX: &str = "resume.";
/// A refused viewer gets so long to take its close frame.
const GOODBYE: Duration = Duration::from_secs(2);

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
    /// Minutes until the ticket must have been used; 15 by default, 1,440 at most.
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
    expires_at: DateTime<Utc>,
    /// One-time password for viewers that know only VncAuth, where that is switched on.
    vnc_password: Option<String>,
}

/// Makes a ticket for a target.
#[utoipa::path(post, path = "/api/vm/{id}/console/request", tag = "console", params(("id" = String, Path, description = "id or number of the target")),
    request_body = ConsoleWish,
    responses((status = 200, body = ConsoleTicket), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn request(
    State(api): State<Arc<Api>>,
    admin: Admin,
    Path(id): Path<String>,
    Json(wish): Json<ConsoleWish>,
) -> Result<Json<ConsoleTicket>, Problem> {
    if !matches!(wish.protocol.as_deref(), None | Some("vnc" | "auto")) {
        return Err(unprocessable("console.protocol", "this target speaks vnc; ask for \"vnc\" or \"auto\""));
    }
    let life = match wish.expires_minutes {
        None => api.ticket_lifetime,
        Some(minutes @ 1..=LONGEST) => Duration::from_secs(u64::from(minutes) * 60),
        Some(_) => return Err(unprocessable("console.expires_minutes", "expires_minutes is from 1 to 1440")),
    };
    if api.gateway.is_draining() {
        return Err(draining());
    }
    let target = targets::find(&api, &id).await?;
    let (id, token) = (TicketId(Uuid::now_v7()), Token::fresh());
    let vnc_password = api.vnc_auth.then(auth::vnc_password::fresh);
    let now = Utc::now();
    let expires_at = now + TimeDelta::from_std(life).unwrap_or(TimeDelta::minutes(15));
    let ticket = NewTicket {
        id,
        token_hash: hash(&token),
        target: target.id,
        policy: Policy { view_only: wish.view_only, ..Policy::default() },
        subject: admin.subject,
        owner: None,
        created_at: now,
        expires_at,
        sealed_vnc_password: vnc_password
            .as_ref()
            .map(|password| seal_vnc_password(&api.sealer, id, password)),
    };
    api.store.tickets().issue(ticket).await.map_err(|e| unavailable(&e))?;
    Ok(Json(ConsoleTicket {
        websocket_path: websocket_path(&token),
        console_path: console_path(&token),
        token: token.expose().to_owned(),
        protocol: "vnc",
        expires_at,
        vnc_password: vnc_password.map(|password| password.expose().to_owned()),
    }))
}

/// Seals a ticket's one-time password for VncAuth; bound to its row.
pub fn seal_vnc_password(sealer: &Sealer, ticket: TicketId, password: &Secret) -> Sealed {
    Sealed(sealer.seal(&vnc_password_place(ticket), password))
}

/// Opens it again; `None` under another key.
pub fn open_vnc_password(sealer: &Sealer, ticket: TicketId, sealed: &Sealed) -> Option<Secret> {
    sealer.open(&vnc_password_place(ticket), &sealed.0).ok()
}

fn vnc_password_place(ticket: TicketId) -> Place<'static> {
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
}

/// Looks at a ticket or its session; uses nothing up. The token is the right to do so.
#[utoipa::path(get, path = "/api/console/{token}/info", tag = "console", params(("token" = String, Path)),
    responses((status = 200, body = ConsoleInfo), (status = 404, body = ProblemBody), (status = 410, body = ProblemBody)))]
pub(crate) async fn info(
    State(api): State<Arc<Api>>,
    Extension(arrival): Extension<Arrival>,
    listener: Result<Admin, Problem>,
    Path(token): Path<String>,
) -> Result<Json<ConsoleInfo>, Problem> {
    let attempt = api.throttle.attempt(arrival.client.ip()).await?;
    let Ok(token) = Token::parse(&token) else {
        attempt.failed();
        return Err(unknown_ticket());
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
            return Err(unknown_ticket());
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
    Ok(Json(ConsoleInfo {
        target_name: target.map_or_else(|| "?".to_owned(), |t| t.name),
        view_only: policy.view_only,
        expires_at: ticket.expires_at,
        state,
        time_left_s,
        session_id: ticket.session.map(|id| id.0),
        live_events: listener.is_ok(),
    }))
}

/// The WebSocket of a console. The first one takes the token; a resume key brings a lost viewer back.
pub(crate) async fn open(
    State(api): State<Arc<Api>>,
    Extension(arrival): Extension<Arrival>,
    Extension(slot): Extension<Slot>,
    Path(token): Path<String>,
    mut request: Request,
) -> Result<Response, Problem> {
    let fields = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let upgrade = Upgrade::check(fields).map_err(not_an_upgrade)?;
    let user_agent = request.headers().get(header::USER_AGENT).and_then(|v| v.to_str().ok()).map(bounded);
    let resume = upgrade.protocols.iter().find_map(|p| p.strip_prefix(RESUME_PREFIX)).map(str::to_owned);
    let on_upgrade = hyper::upgrade::on(&mut request);
    let visitor = Visitor { arrival, user_agent, resume };
    let mut response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, &upgrade.accept);
    if let Some(protocol) = upgrade.protocol() {
        response = response.header(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    }
    // Judged before the switch, answered after it: a browser's script sees a close code, but no HTTP status.
    let decision = admit(&api, &token, &visitor).await;
    tokio::spawn(async move {
        let _place = slot;
        let Ok(upgraded) = on_upgrade.await else { return };
        let Ok(parts) = upgraded.downcast::<TokioIo<Transport>>() else { return };
        let io = parts.io.into_inner();
        match decision {
            Ok(spec) => {
                api.gateway.attach_websocket(io, parts.read_buf.to_vec(), spec).await;
            }
            Err(problem) => turn_away(io, &problem).await,
        }
    });
    response.body(Body::empty()).map_err(|_| Problem::bad_request("the upgrade cannot be answered"))
}

/// Who stands before the door.
struct Visitor {
    arrival: Arrival,
    user_agent: Option<String>,
    /// The key that the page made for its reconnects.
    resume: Option<String>,
}

impl Visitor {
    /// The spec of a session that goes on with this visitor.
    fn continuing(&self, spec: SessionSpec) -> SessionSpec {
        SessionSpec { viewer: self.arrival.client, user_agent: self.user_agent.clone(), ..spec }
    }
}

/// Turns a token into a session's spec: a fresh one once, a lost one again by its resume key.
async fn admit(api: &Api, token: &str, visitor: &Visitor) -> Result<SessionSpec, Problem> {
    if api.gateway.is_draining() {
        return Err(draining());
    }
    let attempt = api.throttle.attempt(visitor.arrival.client.ip()).await?;
    let Ok(token) = Token::parse(token) else {
        attempt.failed();
        return Err(unknown_ticket());
    };
    let key = visitor.resume.as_deref().map(auth::resume::hash).transpose();
    let key = key.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.code(), error.to_string()))?;
    let key = key.map(|key| ResumeKeyHash::from_bytes(*key.as_bytes()));
    let session = SessionId(Uuid::now_v7());
    let wish = TakeTicket {
        token_hash: hash(&token),
        session,
        taken_by: visitor.arrival.client,
        resume_hash: key.map(|k| TokenHash(*k.as_bytes())),
    };
    let spec = match api.store.tickets().take(wish, Utc::now()).await {
        Ok(taken) => SessionSpec {
            session,
            target: taken.target,
            policy: taken.policy,
            ingress: Ingress::WebSocket,
            viewer: visitor.arrival.client,
            user_agent: visitor.user_agent.clone(),
            subject: taken.subject,
            resume: key,
        },
        Err(TakeError::Used { .. }) if key.is_some() => match resume(api, &token, visitor, key).await {
            Ok(spec) => spec,
            Err(problem) => {
                attempt.failed();
                return Err(problem);
            }
        },
        Err(TakeError::Store(error)) => return Err(unavailable(&error)),
        Err(error) => {
            attempt.failed();
            return Err(Problem::new(StatusCode::GONE, error.code(), error.to_string()));
        }
    };
    attempt.succeeded();
    Ok(spec)
}

/// A page that was cut off comes back: to a session that still waits, or to one that a restart ended.
async fn resume(
    api: &Api,
    token: &Token,
    visitor: &Visitor,
    key: Option<ResumeKeyHash>,
) -> Result<SessionSpec, Problem> {
    let key = key.ok_or_else(unknown_ticket)?;
    let waiting = api.sessions.resumable(key).await?;
    let wish = ResumeTicket {
        token_hash: hash(token),
        resume_hash: TokenHash(*key.as_bytes()),
        window: api.gateway.limits().resume,
        viewer: visitor.arrival.client,
        node: api.node,
        boot: api.boot,
    };
    let resumed = match api.store.tickets().resume(wish, Utc::now()).await {
        Ok(resumed) => resumed,
        Err(ResumeError::Store(error)) => return Err(unavailable(&error)),
        Err(error) => {
            return match (&error, waiting) {
                (ResumeError::Refused, Some(spec)) if opened(api, token, spec.session).await? => {
                    Ok(visitor.continuing(spec))
                }
                _ => Err(Problem::new(StatusCode::GONE, error.code(), error.to_string())),
            };
        }
    };
    api.attachments.set(resumed.session, resumed.attachment);
    Ok(visitor.continuing(SessionSpec {
        session: resumed.session,
        target: resumed.target,
        // A session that still waits may have been given other rules since.
        policy: waiting.filter(|s| s.session == resumed.session).map_or(resumed.policy, |s| s.policy),
        ingress: Ingress::WebSocket,
        viewer: visitor.arrival.client,
        user_agent: None,
        subject: resumed.subject,
        resume: Some(key),
    }))
}

/// Whether this token's ticket was taken for that session. Until its target was reached a session has no row
/// that says so.
async fn opened(api: &Api, token: &Token, session: SessionId) -> Result<bool, Problem> {
    let state = api.store.tickets().look(hash(token), Utc::now()).await.map_err(|e| unavailable(&e))?;
    Ok(matches!(state, TicketState::Used(ticket) if ticket.session == Some(session)))
}

/// Tells a viewer why not, in a close frame that its page can read, and closes.
async fn turn_away(mut io: Transport, problem: &Problem) {
    let reason = serde_json::json!({ "code": problem.code() }).to_string();
    let mut frame = Vec::new();
    put_close(&mut frame, REFUSED, &reason);
    let goodbye = async {
        io.write_all(&frame).await?;
        io.shutdown().await
    };
    // A viewer that does not listen loses nothing by the lack of an answer.
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}

fn not_an_upgrade(error: UpgradeError) -> Problem {
    let status = match error {
        UpgradeError::Version => StatusCode::UPGRADE_REQUIRED,
        _ => StatusCode::BAD_REQUEST,
    };
    Problem::new(status, error.code(), error.to_string())
}

fn unknown_ticket() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "ticket.unknown", "this link is not known; ask for a new one")
}

fn draining() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "gateway.draining",
        "the gateway is restarting; try again in a few seconds",
    )
    .retry_after(Duration::from_secs(3))
}

fn unprocessable(code: &'static str, detail: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
}

/// What a program calls itself, short enough for a row.
fn bounded(text: &str) -> String {
    text.chars().take(256).collect()
}
