//! Sessions: those that ran and those that run, and what is done about them.

use crate::error::{Problem, ProblemBody};
use crate::schema;
use crate::state::Api;
use crate::unavailable;
use crate::who::Person;
use auth::rights::Relation;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use gateway::SessionSnapshot;
use gateway::registry::Stage;
use model::audit::{Action, Object};
use model::session::{Counters, EndReason, Ingress};
use model::{Coded, Policy, Reach, Right, SessionId, SubjectId, TargetId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use store::{MAX_PAGE, PageRequest, SessionFilter, SessionRecord, SessionSort, SessionStatus};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A session, with document E's names.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    id: Uuid,
    target_id: Option<Uuid>,
    target_name: String,
    /// Whose it is, by the name that they log in with; `erased` where they were erased.
    subject: String,
    /// The same person as a random id.
    subject_id: Option<Uuid>,
    user_id: Option<Uuid>,
    /// `vnc`.
    protocol: String,
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
    /// Only while it runs.
    #[schema(value_type = Option<schema::SessionStage>)]
    stage: Option<&'static str>,
    /// Whether input is stopped.
    frozen: bool,
    view_only: bool,
    /// When it must be over.
    expires_at: Option<DateTime<Utc>>,
    /// How often that was moved.
    extensions: u64,
    /// Stable code of why it ended.
    end_reason: Option<String>,
    /// A more exact code, where there is one.
    end_code: Option<String>,
    /// Who ended it, as a random id.
    ended_by: Option<Uuid>,
    /// Megabytes, both directions.
    data_transferred: f64,
    /// Messages of the target.
    packets_sent: u64,
    /// Messages of the viewer.
    packets_received: u64,
    screenshots_count: u64,
    clipboard_operations: u64,
    file_operations: u64,
    /// 0 to 100.
    risk_score: f64,
    /// 0 to 100.
    anomaly_score: f64,
    /// How the target was logged in to.
    auth_method: Option<String>,
    user_agent: Option<String>,
    /// Which port of ours leads to which of the target's.
    port_mapping: Option<String>,
    width: Option<u16>,
    height: Option<u16>,
    /// Viewer's round trip in milliseconds.
    round_trip_ms: Option<f64>,
    /// What it moved so far.
    #[schema(value_type = schema::SessionCounters)]
    counters: Counters,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A session with the threats that were found in it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionDetail {
    #[serde(flatten)]
    session: Session,
    /// Its rules now.
    #[schema(value_type = schema::SessionPolicy)]
    policy: Policy,
    /// None are known as long as nothing detects them.
    #[schema(value_type = Vec<Object>)]
    threat_logs: Vec<Value>,
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
    /// With at least this risk score.
    #[param(minimum = 0, maximum = 100)]
    min_risk: Option<f64>,
    /// `-start_time`, which is how they come anyway, or `-risk_score`.
    sort: Option<String>,
    /// To this target.
    target: Option<Uuid>,
    /// Of this person.
    user: Option<Uuid>,
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
        let sort = match self.sort.as_deref() {
            None | Some("-start_time") => SessionSort::Start,
            Some("-risk_score") => SessionSort::Risk,
            Some(_) => return Err(Problem::bad_request("sort is -start_time or -risk_score")),
        };
        if self.min_risk.is_some_and(|score| !(0.0..=100.0).contains(&score)) {
            return Err(Problem::bad_request("min_risk is from 0 to 100"));
        }
        Ok(SessionFilter {
            status,
            target: self.target.map(TargetId),
            user: self.user.map(UserId),
            min_risk: self.min_risk,
            sort,
            ..SessionFilter::default()
        })
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

/// Sessions, newest first: one's own, those of the groups that one operates, or all.
#[utoipa::path(get, path = "/api/sessions", tag = "sessions", params(Wish),
    responses((status = 200, body = SessionPage), (status = 400, body = ProblemBody)))]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    person: Person,
    Query(wish): Query<Wish>,
) -> Result<Json<SessionPage>, Problem> {
    let (mut filter, request) = (wish.filter()?, wish.page()?);
    match person.reach(Right::SeeSessions)? {
        Reach::All => {}
        Reach::Operated => filter.operated_by = Some(person.user.id),
        // Whoever asks for another person's gets none.
        _ if filter.user.is_some_and(|user| user != person.user.id) => {
            return Err(Problem::not_found("person"));
        }
        _ => filter.user = Some(person.user.id),
    }
    let sessions = api.store.sessions();
    let total = sessions.count(&filter).await.map_err(|e| unavailable(&e))?;
    let before = match request.after {
        None => request.offset,
        Some(cursor) => sessions.count_before(&filter, cursor).await.map_err(|e| unavailable(&e))?,
    };
    let page = sessions.list(&filter, &request).await.map_err(|e| unavailable(&e))?;
    let running = running(&api).await?;
    let names = names(&api, &page.items).await?;
    let show = |record: SessionRecord| {
        let now = running.get(&record.id);
        show_session(record, now, &names)
    };
    Ok(Json(SessionPage {
        sessions: page.items.into_iter().map(show).collect(),
        total,
        page: before / u64::from(request.limit) + 1,
        next: page.next.map(|c| c.to_string()),
    }))
}

/// The names that people have now, for those whose sessions these are.
pub(crate) async fn names(
    api: &Api,
    records: &[SessionRecord],
) -> Result<HashMap<SubjectId, String>, Problem> {
    let mut subjects: Vec<_> = records.iter().filter_map(|record| record.subject_id).collect();
    subjects.sort_unstable();
    subjects.dedup();
    let people = api.store.people().by_subjects(&subjects).await.map_err(|e| unavailable(&e))?;
    Ok(people.into_iter().map(|(subject, user)| (subject, user.name)).collect())
}

/// One session.
#[utoipa::path(get, path = "/api/sessions/{id}", tag = "sessions", params(("id" = Uuid, Path)),
    responses((status = 200, body = SessionDetail), (status = 404, body = ProblemBody)))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<SessionId>,
) -> Result<Json<SessionDetail>, Problem> {
    let record = find_for(&api, &person, Right::SeeSessions, id).await?;
    let now = api.sessions.snapshot(id).await?;
    let names = names(&api, std::slice::from_ref(&record)).await?;
    let policy = now.as_ref().map_or_else(|| record.policy.clone(), |s| s.policy.clone());
    let session = show_session(record, now.as_ref(), &names);
    Ok(Json(SessionDetail { session, policy, threat_logs: Vec::new() }))
}

/// The session of this id, where this person may do this to it. What they may not see does not exist.
pub(crate) async fn find_for(
    api: &Api,
    person: &Person,
    right: Right,
    id: SessionId,
) -> Result<SessionRecord, Problem> {
    let reach = person.reach(right)?;
    let record = api.store.sessions().find(id).await.map_err(|e| unavailable(&e))?;
    let record = record.ok_or_else(|| Problem::not_found("session"))?;
    let own = record.user == Some(person.user.id);
    let operated = match (reach, record.target, record.subject_id) {
        // The rules of one's own session are others' to set, but where one looks after its target.
        (Reach::Operated, Some(target), _) if own && is_about_rules(right) => {
            let grants = api.store.people().grants();
            grants.operates(person.user.id, target).await.map_err(|e| unavailable(&e))?
        }
        (Reach::Operated, Some(target), Some(subject)) if !own => {
            let filter = SessionFilter {
                target: Some(target),
                subject_id: Some(subject),
                operated_by: Some(person.user.id),
                ..SessionFilter::default()
            };
            api.store.sessions().count(&filter).await.map_err(|e| unavailable(&e))? > 0
        }
        _ => false,
    };
    let own = own && !is_about_rules(right);
    match person.may(right, Relation { own, operated, ..Relation::STRANGER }) {
        Ok(()) => Ok(record),
        Err(problem) if problem.code() == "api.not_found" => Err(Problem::not_found("session")),
        Err(problem) => Err(problem),
    }
}

/// What somebody decides about a session's rules. Whoever could decide about their own would lift what a grant or an
/// analyst has set.
fn is_about_rules(right: Right) -> bool {
    matches!(right, Right::FreezeSession | Right::ChangePolicy)
}

/// Ends a session within 50 ms.
#[utoipa::path(post, path = "/api/sessions/{id}/kill", tag = "sessions", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn kill(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    find_for(&api, &person, Right::KillSession, id).await?;
    if api.sessions.snapshot(id).await?.is_none() {
        return done(false);
    }
    // The end itself is written down by the journal, with who asked for it.
    api.attachments.ending(id, person.user.subject);
    let reason = EndReason::Killed.code();
    let payload = json!({ "session_id": id, "changed": { "ending": reason }, "by": person.user.name });
    api.hub.publish_about(id, "vnc_session_changed", Utc::now(), payload);
    done(api.sessions.kill(id, EndReason::Killed).await?)
}

/// Stops a session's input; the picture goes on.
#[utoipa::path(post, path = "/api/sessions/{id}/freeze", tag = "sessions", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn freeze(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    decided(&api, &person, Right::FreezeSession, Action::SessionFrozen, id).await?;
    done(api.sessions.freeze(id).await?)
}

/// Lets a session's input pass again.
#[utoipa::path(post, path = "/api/sessions/{id}/thaw", tag = "sessions", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn thaw(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    decided(&api, &person, Right::FreezeSession, Action::SessionThawed, id).await?;
    done(api.sessions.thaw(id).await?)
}

/// Replaces a session's rules while it runs. Its end stays where it is: that is moved by *extend*.
#[utoipa::path(post, path = "/api/sessions/{id}/policy", tag = "sessions", params(("id" = Uuid, Path)),
    request_body = schema::SessionPolicy,
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn policy(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<SessionId>,
    Json(mut policy): Json<Policy>,
) -> Result<StatusCode, Problem> {
    let record = decided(&api, &person, Right::ChangePolicy, Action::SessionPolicySet, id).await?;
    if let (Some(_), Some(running)) = (record.user, api.sessions.snapshot(id).await?) {
        let longest = running.policy.max_duration;
        policy.max_duration = policy.max_duration.map_or(longest, |d| Some(longest.map_or(d, |l| d.min(l))));
    }
    done(api.sessions.set_policy(id, policy).await?)
}

/// Writes a decision about a running session down, before it is carried out.
async fn decided(
    api: &Api,
    person: &Person,
    right: Right,
    action: Action,
    id: SessionId,
) -> Result<SessionRecord, Problem> {
    let record = find_for(api, person, right, id).await?;
    if api.sessions.snapshot(id).await?.is_none() {
        return Err(Problem::not_found("session that runs"));
    }
    let entry = person.entry(action).on(Object::Session(id));
    api.store.audit().append(vec![entry], Utc::now()).await.map_err(|e| unavailable(&e))?;
    Ok(record)
}

fn done(found: bool) -> Result<StatusCode, Problem> {
    if found { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("session that runs")) }
}

/// The sessions that run, by id.
async fn running(api: &Api) -> Result<HashMap<SessionId, SessionSnapshot>, Problem> {
    Ok(api.sessions.list().await?.into_iter().map(|snapshot| (snapshot.session, snapshot)).collect())
}

/// A row, with what is known of it `now` while it runs.
fn show_session(
    record: SessionRecord,
    now: Option<&SessionSnapshot>,
    names: &HashMap<SubjectId, String>,
) -> Session {
    let policy = now.map_or(&record.policy, |s| &s.policy);
    let counters = now.map_or(record.counters, |s| s.counters);
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
        counters,
        target_name: record.target_name,
        subject: record.subject_id.and_then(|s| names.get(&s).cloned()).unwrap_or(record.subject),
        subject_id: record.subject_id.map(|s| s.0),
        user_id: record.user.map(|u| u.0),
        protocol: record.protocol,
        expires_at: record.expires_at,
        extensions: record.extensions,
        ended_by: record.ended_by.map(|s| s.0),
        packets_sent: counters.target_messages,
        packets_received: counters.viewer_messages,
        screenshots_count: record.screenshots_count,
        clipboard_operations: counters.clipboards,
        file_operations: counters.files,
        risk_score: record.risk_score,
        anomaly_score: record.anomaly_score,
        auth_method: record.auth_method,
        port_mapping: record.port_mapping,
        created_at: record.start_time,
        updated_at: record.updated_at,
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
