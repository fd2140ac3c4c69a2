//! The WebSocket of a console: by a token, or by a log-in's cookie at the addresses that other products used.
//!
//! INVARIANT: whoever opens by a cookie comes from a page of ours, and never ends a live session unasked.

use crate::arrival::Arrival;
use crate::error::Problem;
use crate::review::Verdict;
use crate::route::console::{ConsoleWish, Granted, end_live, granted, refused};
use crate::route::targets;
use crate::state::Api;
use crate::who::Person;
use crate::{hash, unavailable};
use auth::token::Token;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use chrono::{DateTime, Utc};
use gateway::listener::Slot;
use gateway::transport::Transport;
use gateway::ws::codec::put_close;
use gateway::ws::{Upgrade, UpgradeError};
use gateway::{ResumeKeyHash, SessionSpec};
use hyper_util::rt::TokioIo;
use model::audit::{Action, Object, Personal};
use model::session::{EndReason, Ingress};
use model::{Coded, Policy, Right, SessionId, TargetId};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use store::{
    AuditEntry, Owner, ResumeError, ResumeTicket, TakeError, TakeTicket, TakenTicket, TicketRecord,
    TicketState, TokenHash,
};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

/// [RFC 6455, 7.4.2] Private close code: the token or the house refused, the reason says which.
const REFUSED: u16 = 4100;
/// How a page offers its resume key among the subprotocols.
const RESUME_PREFIX: &str = "resume.";
/// A refused viewer gets so long to take its close frame.
const GOODBYE: Duration = Duration::from_secs(2);

/// The WebSocket of a console. The first one takes the token; a resume key brings a lost viewer back.
pub(crate) async fn open(
    State(api): State<Arc<Api>>,
    Extension(arrival): Extension<Arrival>,
    Extension(slot): Extension<Slot>,
    Path(token): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (upgrade, visitor) = visitor(arrival, &request)?;
    // Judged before the switch, answered after it: a browser's script sees a close code, but no HTTP status.
    let decision = admit(&api, &token, &visitor).await;
    let decision = match decision {
        Ok(spec) => Ok(spec),
        Err(problem) => Err(turned_away(&api, &visitor, problem).await),
    };
    switch(api, slot, request, &upgrade, decision)
}

/// What a page says about the session that it would end.
#[derive(Debug, Deserialize)]
pub(crate) struct Confirmed {
    /// A live session of the same person to the same target may end.
    #[serde(default)]
    replace: bool,
}

/// The WebSocket of a console by log-in and grant, without a token in the path.
pub(crate) async fn open_by_login(
    State(api): State<Arc<Api>>,
    Extension(arrival): Extension<Arrival>,
    Extension(slot): Extension<Slot>,
    person: Person,
    Path(id): Path<String>,
    Query(confirmed): Query<Confirmed>,
    request: Request,
) -> Result<Response, Problem> {
    let (upgrade, visitor) = visitor(arrival, &request)?;
    let decision = match enter(&api, &person, &id, confirmed.replace, &visitor).await {
        Ok(spec) => Ok(spec),
        Err(problem) => Err(refused(&api, &person, &id, problem).await),
    };
    switch(api, slot, request, &upgrade, decision)
}

fn visitor(arrival: Arrival, request: &Request) -> Result<(Upgrade, Visitor), Problem> {
    let fields = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let upgrade = Upgrade::check(fields).map_err(not_an_upgrade)?;
    let user_agent = request.headers().get(header::USER_AGENT).and_then(|v| v.to_str().ok()).map(bounded);
    let resume = upgrade.protocols.iter().find_map(|p| p.strip_prefix(RESUME_PREFIX)).map(str::to_owned);
    Ok((upgrade, Visitor { arrival, user_agent, resume }))
}

/// Answers the upgrade, and hands the connection to the gateway or says why not.
fn switch(
    api: Arc<Api>,
    slot: Slot,
    mut request: Request,
    upgrade: &Upgrade,
    decision: Result<SessionSpec, Problem>,
) -> Result<Response, Problem> {
    let on_upgrade = hyper::upgrade::on(&mut request);
    let mut response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, &upgrade.accept);
    if let Some(protocol) = upgrade.protocol() {
        response = response.header(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    }
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

    fn key(&self) -> Result<Option<ResumeKeyHash>, Problem> {
        let key = self.resume.as_deref().map(auth::resume::hash).transpose();
        let key =
            key.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.code(), error.to_string()))?;
        Ok(key.map(|key| ResumeKeyHash::from_bytes(*key.as_bytes())))
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
    let key = visitor.key()?;
    let session = SessionId(Uuid::now_v7());
    let wish = TakeTicket {
        token_hash: hash(&token),
        session,
        taken_by: visitor.arrival.client,
        resume_hash: key.map(|k| TokenHash(*k.as_bytes())),
    };
    let spec = match api.store.tickets().take(wish, Utc::now()).await {
        Ok(taken) => {
            let policy = api.settle(session, &taken).await?;
            SessionSpec {
                session,
                target: taken.target,
                policy,
                ingress: Ingress::WebSocket,
                viewer: visitor.arrival.client,
                user_agent: visitor.user_agent.clone(),
                subject: taken.subject,
                resume: key,
            }
        }
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

impl Api {
    /// A ticket was taken into a session: whether its person may still have it, which log-in it came of, how long it
    /// may last, and what it takes the place of. Answers its rules.
    ///
    /// # Errors
    /// What the ticket was issued on holds no longer; the database or the sessions that run cannot be asked.
    pub async fn settle(&self, session: SessionId, taken: &TakenTicket) -> Result<Policy, Problem> {
        let mut policy = taken.policy.clone();
        let Some(owner) = taken.owner else { return Ok(policy) };
        match self.judge_ticket(owner, taken.target, taken.login).await.map_err(|e| unavailable(&e))? {
            Verdict::Ends => return Err(unknown_ticket()),
            Verdict::OnlyLooks => policy.view_only = true,
            Verdict::Stays => {}
        }
        if let Some(login) = taken.login {
            self.attachments.opened(session, login);
        }
        self.replace(session, owner, taken.target).await?;
        policy.max_duration = shorter(policy.max_duration, taken.expires_at);
        Ok(policy)
    }

    /// A page that was cut off comes back with its ticket: whether its person may still have it, as [`Api::settle`].
    /// Answers whether they may only look from now on.
    async fn settle_again(&self, ticket: &TicketRecord) -> Result<bool, Problem> {
        let (Some(owner), Some(session)) = (ticket.owner, ticket.session) else { return Ok(false) };
        let login = ticket.login.filter(|_| !self.rules.outlive_login);
        match self.judge_ticket(owner, ticket.target, login).await.map_err(|e| unavailable(&e))? {
            Verdict::Ends => Err(over()),
            verdict => {
                if let Some(login) = ticket.login {
                    self.attachments.opened(session, login);
                }
                Ok(verdict == Verdict::OnlyLooks)
            }
        }
    }

    /// One session for each person and target: of two tickets taken at once, the later one stays.
    pub(crate) async fn replace(
        &self,
        session: SessionId,
        owner: Owner,
        target: TargetId,
    ) -> Result<(), Problem> {
        let subject = owner.subject.to_string();
        for other in self.sessions.list().await? {
            if other.session != session && other.target == target && other.subject == subject {
                self.attachments.ending(other.session, owner.subject);
                self.sessions.kill(other.session, EndReason::Replaced).await?;
            }
        }
        Ok(())
    }
}

/// So long a session may last that must be over at a moment.
pub(crate) fn shorter(longest: Option<Duration>, expires_at: DateTime<Utc>) -> Option<Duration> {
    let left = (expires_at - Utc::now()).to_std().unwrap_or_default();
    Some(longest.map_or(left, |longest| longest.min(left)))
}

/// Lets a person in by their log-in.
async fn enter(
    api: &Api,
    person: &Person,
    id: &str,
    replace: bool,
    visitor: &Visitor,
) -> Result<SessionSpec, Problem> {
    let key = visitor.key()?;
    let target = targets::find_for(api, person, Right::OpenConsole, id).await?;
    if let Some(key) = key
        && let Some(spec) = api.sessions.resumable(key).await?
        && spec.subject == person.subject()
        && spec.target == target.id
    {
        return Ok(visitor.continuing(spec));
    }
    let subject = person.subject();
    let is_live = api.sessions.list().await?.iter().any(|s| s.subject == subject && s.target == target.id);
    if is_live && !replace {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "console.session_active",
            "you have a session to this target already; open again with ?replace=true to end it",
        ));
    }
    let Granted { target, policy, expires_at } = granted(api, person, id, &ConsoleWish::default()).await?;
    end_live(api, person, &target, EndReason::Replaced).await?;
    let session = SessionId(Uuid::now_v7());
    let entry = person
        .entry(Action::ConsoleGranted)
        .on(Object::Target(target.id))
        .with("session", session.to_string());
    api.store.audit().append(vec![entry], Utc::now()).await.map_err(|e| unavailable(&e))?;
    api.attachments.opened(session, person.login.id());
    api.replace(session, person.owner(), target.id).await?;
    let max_duration = shorter(policy.max_duration, expires_at);
    Ok(SessionSpec {
        session,
        target: target.id,
        policy: Policy { max_duration, ..policy },
        ingress: Ingress::WebSocket,
        viewer: visitor.arrival.client,
        user_agent: visitor.user_agent.clone(),
        subject,
        resume: key,
    })
}

/// Writes a refused token down.
async fn turned_away(api: &Api, visitor: &Visitor, problem: Problem) -> Problem {
    if problem.code() == "door.throttled" {
        return problem;
    }
    let entry = AuditEntry::new(Action::ConsoleRefused)
        .code(problem.code())
        .person(Personal::Address, &visitor.arrival.client.ip().to_string());
    match api.store.audit().append(vec![entry], Utc::now()).await {
        Ok(()) => problem,
        Err(error) => unavailable(&error),
    }
}

/// A page that was cut off comes back: to a session that still waits, or to one that a restart ended.
async fn resume(
    api: &Api,
    token: &Token,
    visitor: &Visitor,
    key: Option<ResumeKeyHash>,
) -> Result<SessionSpec, Problem> {
    let key = key.ok_or_else(unknown_ticket)?;
    let state = api.store.tickets().look(hash(token), Utc::now()).await.map_err(|e| unavailable(&e))?;
    let TicketState::Used(ticket) = state else { return Err(unknown_ticket()) };
    let only_looks = api.settle_again(&ticket).await?;
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
                // Until its target was reached a session has no row that says so.
                (ResumeError::Refused, Some(spec)) if ticket.session == Some(spec.session) => {
                    Ok(visitor.continuing(spec))
                }
                _ => Err(Problem::new(StatusCode::GONE, error.code(), error.to_string())),
            };
        }
    };
    api.attachments.set(resumed.session, resumed.attachment);
    // After a restart the gateway counts from now on; the session's time goes on from where it was.
    let elapsed = (Utc::now() - resumed.started_at).to_std().unwrap_or_default();
    let left = resumed.policy.max_duration.map(|longest| longest.saturating_sub(elapsed));
    let view_only = resumed.policy.view_only || only_looks;
    let resumed_policy = Policy { max_duration: left, view_only, ..resumed.policy };
    Ok(visitor.continuing(SessionSpec {
        session: resumed.session,
        target: resumed.target,
        // A session that still waits may have been given other rules since.
        policy: waiting.filter(|s| s.session == resumed.session).map_or(resumed_policy, |s| s.policy),
        ingress: Ingress::WebSocket,
        viewer: visitor.arrival.client,
        user_agent: None,
        subject: resumed.subject,
        resume: Some(key),
    }))
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

pub(crate) fn unknown_ticket() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "ticket.unknown", "this link is not known; ask for a new one")
}

fn over() -> Problem {
    Problem::new(StatusCode::GONE, "ticket.session_over", "the session is over; ask for a new ticket")
}

pub(crate) fn draining() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "gateway.draining",
        "the gateway is restarting; try again in a few seconds",
    )
    .retry_after(Duration::from_secs(3))
}

/// What a program calls itself, short enough for a row.
fn bounded(text: &str) -> String {
    text.chars().take(256).collect()
}
