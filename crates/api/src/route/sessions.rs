//! Sessions: those that ran and those that run, and what an administrator does about them.

use crate::error::{Problem, ProblemBody};
use crate::schema;
use crate::state::Api;
use crate::unavailable;
use crate::who::Admin;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use gateway::SessionSnapshot;
use gateway::registry::Stage;
use model::session::{Counters, EndReason, Ingress};
use model::{Coded, Policy, SessionId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use store::{MAX_PAGE, PageRequest, SessionFilter, SessionRecord, SessionStatus};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A session, with document E's names.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    id: Uuid,
    target_id: Option<Uuid>,
    target_name: String,
    /// For whom.
    subject: String,
    #[schema(value_type = schema::IngressWay)]
    ingress: &'static str,
    client_ip: String,
    client_port: u16,
    /// The address that was dialed, where the target is on the network.
    server_ip: Option<String>,
    server_port: Option<u16>,
    start_time: DateTime<Utc>,
    end_time: Option<DateTime<Utc>>,
    #[schema(value_type = schema::SessionStatus)]
    status: &'static str,
    /// Only while it runs here.
    #[schema(value_type = Option<schema::SessionStage>)]
    stage: Option<&'static str>,
    /// Whether input is stopped.
    frozen: bool,
    view_only: bool,
    /// Stable code of why it ended.
    end_reason: Option<String>,
    /// A more exact code, where there is one.
    end_code: Option<String>,
    /// Megabytes, both directions.
    data_transferred: f64,
    user_agent: Option<String>,
    width: Option<u16>,
    height: Option<u16>,
    /// Viewer's round trip in milliseconds.
    round_trip_ms: Option<f64>,
    /// What it moved so far.
    #[schema(value_type = schema::SessionCounters)]
    counters: Counters,
}

/// A page of sessions, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionPage {
    sessions: Vec<Session>,
    /// All that the filter has, on every page.
    total: u64,
    /// Which page of this size it is, counted from 1.
    page: u64,
    /// Hand it back as `cursor` for the next page.
    next: Option<String>,
}

/// Rows of a page where the client does not say.
const PAGE: u32 = 100;

/// Which sessions.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wish {
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    /// Rows to leave out before the first; not together with `cursor`.
    offset: Option<u64>,
    /// Only these.
    #[param(value_type = Option<schema::SessionStatus>)]
    status: Option<String>,
    /// `next` of an earlier page: goes on behind its last row, whatever started meanwhile.
    cursor: Option<String>,
}

impl Wish {
    fn filter(&self) -> Result<SessionFilter, Problem> {
        let status = match self.status.as_deref() {
            None => None,
            Some("active") => Some(SessionStatus::Active),
            Some("terminated") => Some(SessionStatus::Terminated),
            Some("blocked") => Some(SessionStatus::Blocked),
            Some(_) => return Err(Problem::bad_request("status is active, terminated or blocked")),
        };
        Ok(SessionFilter { status, ..SessionFilter::default() })
    }

    fn page(&self) -> Result<PageRequest, Problem> {
        let limit = self.limit.unwrap_or(PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(Problem::bad_request("limit is from 1 to 1000"));
        }
        if self.offset.is_some() && self.cursor.is_some() {
            return Err(Problem::bad_request("offset and cursor exclude each other; use one of them"));
        }
        let after = self.cursor.as_deref().map(str::parse).transpose();
        let after = after.map_err(|_| Problem::bad_request("cursor is not one that an earlier page gave"))?;
        let offset = self.offset.unwrap_or(0);
        if i64::try_from(offset).is_err() {
            return Err(Problem::bad_request("offset is larger than any list"));
        }
        Ok(PageRequest { limit, after, offset })
    }
}

/// Sessions, newest first.
#[utoipa::path(get, path = "/api/sessions", tag = "sessions", params(Wish),
    responses((status = 200, body = SessionPage), (status = 400, body = ProblemBody)))]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    _admin: Admin,
    Query(wish): Query<Wish>,
) -> Result<Json<SessionPage>, Problem> {
    let (filter, request) = (wish.filter()?, wish.page()?);
    let sessions = api.store.sessions();
    let total = sessions.count(&filter).await.map_err(|e| unavailable(&e))?;
    let before = match request.after {
        None => request.offset,
        Some(cursor) => sessions.count_before(&filter, cursor).await.map_err(|e| unavailable(&e))?,
    };
    let page = sessions.list(&filter, &request).await.map_err(|e| unavailable(&e))?;
    let running = running(&api).await?;
    let show = |record: SessionRecord| {
        let now = running.get(&record.id);
        show_session(record, now)
    };
    Ok(Json(SessionPage {
        sessions: page.items.into_iter().map(show).collect(),
        total,
        page: before / u64::from(request.limit) + 1,
        next: page.next.map(|c| c.to_string()),
    }))
}

/// One session.
#[utoipa::path(get, path = "/api/sessions/{id}", tag = "sessions", params(("id" = Uuid, Path)),
    responses((status = 200, body = Session), (status = 404, body = ProblemBody)))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    _admin: Admin,
    Path(id): Path<SessionId>,
) -> Result<Json<Session>, Problem> {
    let record = api.store.sessions().find(id).await.map_err(|e| unavailable(&e))?;
    let record = record.ok_or_else(|| Problem::not_found("session"))?;
    let now = api.sessions.snapshot(id).await?;
    Ok(Json(show_session(record, now.as_ref())))
}

/// Ends a session within 50 ms.
#[utoipa::path(post, path = "/api/sessions/{id}/kill", tag = "sessions", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn kill(
    State(api): State<Arc<Api>>,
    admin: Admin,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    if api.sessions.snapshot(id).await?.is_none() {
        return done(false);
    }
    tracing::info!(session = %id, by = %admin.subject, "A session is ended");
    // Told first: the end itself is told by the gateway, which does not know whose wish it was.
    let reason = EndReason::Killed.code();
    let payload = json!({ "session_id": id, "changed": { "ending": reason }, "by": admin.subject });
    api.hub.publish("vnc_session_changed", Utc::now(), payload);
    done(api.sessions.kill(id, EndReason::Killed).await?)
}

/// Stops a session's input; the picture goes on.
#[utoipa::path(post, path = "/api/sessions/{id}/freeze", tag = "sessions", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn freeze(
    State(api): State<Arc<Api>>,
    _admin: Admin,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    done(api.sessions.freeze(id).await?)
}

/// Lets a session's input pass again.
#[utoipa::path(post, path = "/api/sessions/{id}/thaw", tag = "sessions", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn thaw(
    State(api): State<Arc<Api>>,
    _admin: Admin,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    done(api.sessions.thaw(id).await?)
}

/// Replaces a session's rules while it runs.
#[utoipa::path(post, path = "/api/sessions/{id}/policy", tag = "sessions", params(("id" = Uuid, Path)),
    request_body = schema::SessionPolicy,
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn policy(
    State(api): State<Arc<Api>>,
    _admin: Admin,
    Path(id): Path<SessionId>,
    Json(policy): Json<Policy>,
) -> Result<StatusCode, Problem> {
    done(api.sessions.set_policy(id, policy).await?)
}

fn done(found: bool) -> Result<StatusCode, Problem> {
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("session that runs")) }
}

/// The sessions that run, by id.
async fn running(api: &Api) -> Result<HashMap<SessionId, SessionSnapshot>, Problem> {
    Ok(api.sessions.list().await?.into_iter().map(|snapshot| (snapshot.session, snapshot)).collect())
}

/// A row, with what is known of it `now` while it runs.
fn show_session(record: SessionRecord, now: Option<&SessionSnapshot>) -> Session {
    let policy = now.map_or(&record.policy, |s| &s.policy);
    Session {
        id: record.id.0,
        target_id: record.target.map(|t| t.0),
        ingress: match record.ingress {
            Ingress::WebSocket => "websocket",
            Ingress::Native => "native",
        },
        client_ip: record.client_ip.to_string(),
        client_port: record.client_port,
        server_ip: record.server_ip.map(|ip| ip.to_string()),
        server_port: record.server_port,
        start_time: record.start_time,
        end_time: record.end_time,
        status: record.status.column(),
        stage: now.map(stage),
        frozen: policy.frozen,
        view_only: policy.view_only,
        end_reason: record.end_reason.map(|r| r.code().to_owned()),
        end_code: record.end_code,
        data_transferred: now.map_or(record.data_transferred, megabytes),
        user_agent: record.user_agent,
        width: now.map(|s| s.width),
        height: now.map(|s| s.height),
        round_trip_ms: now.and_then(|s| s.round_trip).map(|d| d.as_secs_f64() * 1000.0),
        counters: now.map_or(record.counters, |s| s.counters),
        target_name: record.target_name,
        subject: record.subject,
    }
}

fn stage(snapshot: &SessionSnapshot) -> &'static str {
    match snapshot.stage {
        Stage::Connecting => "connecting",
        Stage::Live => "live",
        Stage::AwaitingResume => "awaiting_resume",
    }
}

fn megabytes(snapshot: &SessionSnapshot) -> f64 {
    let bytes = snapshot.counters.viewer_bytes + snapshot.counters.target_bytes;
    (bytes as f64 / 1e6 * 100.0).round() / 100.0
}
