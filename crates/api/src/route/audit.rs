//! The audit log: read, verified, exported.

use crate::error::{Problem, ProblemBody};
use crate::state::Api;
use crate::unavailable;
use crate::who::Person;
use auth::head::{HeadError, Signature};
use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use futures_util::stream;
use model::audit::{Action, Position};
use model::{Coded, SubjectId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::Arc;
use store::{AuditFilter, AuditHead, AuditOrder, AuditRecord, MAX_PAGE, Store};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// What a head is, among other lines of a collector.
pub const HEAD_KIND: &str = "gatehouse.audit.head";
/// Rows of a page where the client does not say.
const PAGE: u32 = 100;

/// An entry.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Entry {
    /// Its place in the chain, counted from 1.
    seq: u64,
    at: DateTime<Utc>,
    /// What was done.
    #[schema(example = "login.done")]
    action: String,
    /// Who did it: a random id that leads nowhere once the person is erased.
    subject_id: Option<Uuid>,
    /// Who that is now, where they are still known.
    username: Option<String>,
    /// What it was done to: `person:`, `group:`, `target:`, `session:`, `ticket:` or `token:` and an id.
    object: Option<String>,
    /// The code of why it was refused or how it ended.
    code: Option<String>,
    /// The rest; names and addresses of people are in here only as salted hashes.
    #[schema(value_type = Object)]
    detail: Value,
    /// Names and addresses beside the chain that were not erased.
    people: BTreeMap<String, String>,
    /// SHA-256 of the entry before, in hexadecimal digits.
    prev_hash: String,
    /// SHA-256 of this entry.
    hash: String,
}

/// A part of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Entries {
    entries: Vec<Entry>,
    /// Entries in the whole log.
    total: u64,
    /// Hand it back as `after` (or `before`) for the next page; none on the last one.
    next: Option<u64>,
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Oldest first, behind this entry. Without `after` the newest come first.
    after: Option<u64>,
    /// Newest first, before this entry.
    before: Option<u64>,
    /// Only these actions, with commas between.
    action: Option<String>,
    /// Only what this person did.
    subject: Option<Uuid>,
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// The log, the newest entries first.
#[utoipa::path(get, path = "/api/audit", tag = "audit", params(Which), responses((status = 200, body = Entries), (status = 400, body = ProblemBody)))]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    _person: Person,
    Query(which): Query<Which>,
) -> Result<Json<Entries>, Problem> {
    let limit = which.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::bad_request("limit is from 1 to 1000"));
    }
    let order = match (which.after, which.before) {
        (Some(_), Some(_)) => {
            return Err(Problem::bad_request("after and before exclude each other; use one of them"));
        }
        (Some(after), None) => AuditOrder::After(after),
        (None, before) => AuditOrder::Before(before),
    };
    let actions = which.action.as_deref().unwrap_or_default().split(',').filter(|a| !a.is_empty());
    let filter = AuditFilter {
        actions: actions.map(str::to_owned).collect(),
        subject: which.subject.map(SubjectId),
        object: None,
    };
    let audit = api.store.audit();
    let records = audit.list(&filter, order, limit).await.map_err(|e| unavailable(&e))?;
    let total = audit.tip().await.map_err(|e| unavailable(&e))?.seq;
    let is_full = u32::try_from(records.len()).is_ok_and(|rows| rows == limit);
    let next = records.last().filter(|_| is_full).map(|record| record.link.entry.seq);
    Ok(Json(Entries { entries: named(&api.store, records).await?, total, next }))
}

/// Entries with the names that people have now.
async fn named(store: &Store, records: Vec<AuditRecord>) -> Result<Vec<Entry>, Problem> {
    let mut subjects: Vec<SubjectId> =
        records.iter().filter_map(|record| record.link.entry.subject).collect();
    subjects.sort_unstable();
    subjects.dedup();
    let users = store.people().by_subjects(&subjects).await.map_err(|e| unavailable(&e))?;
    let names: HashMap<_, _> = users.into_iter().map(|(subject, user)| (subject, user.name)).collect();
    Ok(records.into_iter().map(|record| show(record, &names)).collect())
}

fn show(record: AuditRecord, names: &HashMap<SubjectId, String>) -> Entry {
    let AuditRecord { link, at, people } = record;
    Entry {
        seq: link.entry.seq,
        at,
        action: link.entry.action,
        subject_id: link.entry.subject.map(|subject| subject.0),
        username: link.entry.subject.and_then(|subject| names.get(&subject).cloned()),
        object: link.entry.object,
        code: link.entry.code,
        detail: serde_json::from_str(&link.entry.detail).unwrap_or_default(),
        people,
        prev_hash: hex(&link.prev_hash),
        hash: hex(&link.hash),
    }
}

/// What following the chain found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Verified {
    /// Whether the log is what was written.
    whole: bool,
    /// Entries that were followed, where it is whole.
    entries: Option<u64>,
    /// The last entry's hash.
    hash: Option<String>,
    /// Signed heads that the chain leads through.
    heads: Option<u64>,
    /// The first entry that is not what was written.
    broken_at: Option<u64>,
    /// Those of another key, another node's or one from before: they prove nothing here.
    foreign_heads: Option<u64>,
    /// What is wrong with it: `audit.removed`, `audit.altered`, ...
    code: Option<&'static str>,
    /// The same in words.
    detail: Option<String>,
}

/// Follows the whole chain, through every signed head.
#[utoipa::path(get, path = "/api/audit/verify", tag = "audit", responses((status = 200, body = Verified)))]
pub(crate) async fn verify(State(api): State<Arc<Api>>, _person: Person) -> Result<Json<Verified>, Problem> {
    let (mut positions, mut foreign) = (Vec::new(), 0);
    let mut forged = None;
    let mut after = 0;
    loop {
        let heads = api.store.audit().heads(after, false, MAX_PAGE).await.map_err(|e| unavailable(&e))?;
        let Some(last) = heads.last().map(|head| head.position.seq) else { break };
        for head in heads {
            match judge(&api, &head) {
                Ok(()) => positions.push(head.position),
                Err(HeadError::OtherKey) => foreign += 1,
                Err(error) => {
                    forged.get_or_insert((head.position.seq, error));
                }
            }
        }
        after = last;
    }
    if let Some((seq, error)) = forged {
        return Ok(Json(broken(seq, error.code(), error.to_string())));
    }
    match api.store.audit().verify(positions).await.map_err(|e| unavailable(&e))? {
        Ok(report) => Ok(Json(Verified {
            whole: true,
            entries: Some(report.entries),
            hash: Some(hex(&report.hash)),
            heads: Some(report.heads),
            foreign_heads: Some(foreign),
            broken_at: None,
            code: None,
            detail: None,
        })),
        Err(found) => Ok(Json(broken(found.seq, found.code(), found.to_string()))),
    }
}

fn broken(seq: u64, code: &'static str, detail: String) -> Verified {
    Verified {
        whole: false,
        entries: None,
        hash: None,
        heads: None,
        foreign_heads: None,
        broken_at: Some(seq),
        code: Some(code),
        detail: Some(detail),
    }
}

/// Whether this installation signed the head.
fn judge(api: &Api, head: &AuditHead) -> Result<(), HeadError> {
    let signature = Signature::from_bytes(&head.signature)?;
    signature.verify(&api.head_key.public(), head.position, head.at.timestamp_micros())
}

/// The log as JSON lines, the oldest first.
#[utoipa::path(get, path = "/api/audit/export", tag = "audit",
    responses((status = 200, description = "one entry a line", content_type = "application/x-ndjson", body = String)))]
pub(crate) async fn export(State(api): State<Arc<Api>>, person: Person) -> Result<Response, Problem> {
    // Written down first, so that the export holds the entry about itself.
    let entry = person.entry(Action::AuditExported);
    api.store.audit().append(vec![entry], Utc::now()).await.map_err(|e| unavailable(&e))?;
    let until = api.store.audit().tip().await.map_err(|e| unavailable(&e))?.seq;
    let lines = stream::try_unfold(0, move |after| {
        let store = api.store.clone();
        async move { next_lines(&store, after, until).await }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"gatehouse-audit.jsonl\""),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// The lines behind an entry, and where they end.
async fn next_lines(store: &Store, after: u64, until: u64) -> Result<Option<(String, u64)>, std::io::Error> {
    let failed = |error: store::StoreError| {
        tracing::error!(%error, "An export of the audit log was cut short");
        std::io::Error::other("the database does not answer")
    };
    if after >= until {
        return Ok(None);
    }
    let filter = AuditFilter::default();
    let records = store.audit().list(&filter, AuditOrder::After(after), MAX_PAGE).await.map_err(failed)?;
    let Some(last) = records.last().map(|record| record.link.entry.seq) else { return Ok(None) };
    let mut text = String::new();
    for record in records.into_iter().filter(|record| record.link.entry.seq <= until) {
        text.push_str(&serde_json::to_string(&show(record, &HashMap::new()))?);
        text.push('\n');
    }
    Ok(Some((text, last)))
}

/// A signed position of the chain. `gatehouse audit verify --head` reads it, alone or among others.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Head {
    /// `gatehouse.audit.head`.
    kind: &'static str,
    seq: u64,
    /// The entry's hash.
    hash: String,
    at: DateTime<Utc>,
    /// The public key that it was signed with, in hexadecimal digits.
    key: String,
    /// Ed25519, in hexadecimal digits.
    signature: String,
    /// When it reached a place that nobody here can rewrite.
    delivered_at: Option<DateTime<Utc>>,
}

/// Signed heads.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Heads {
    heads: Vec<Head>,
    /// What this installation signs with now, in hexadecimal digits.
    public_key: String,
    /// Hand it back as `after` for the next page.
    next: Option<u64>,
}

/// Which heads.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Since {
    /// Behind this entry.
    after: Option<u64>,
}

/// The signed heads, the oldest first. Kept elsewhere, they show later whether the log was cut or written anew.
#[utoipa::path(get, path = "/api/audit/heads", tag = "audit", params(Since), responses((status = 200, body = Heads)))]
pub(crate) async fn heads(
    State(api): State<Arc<Api>>,
    _person: Person,
    Query(since): Query<Since>,
) -> Result<Json<Heads>, Problem> {
    let after = since.after.unwrap_or(0);
    let heads = api.store.audit().heads(after, false, MAX_PAGE).await.map_err(|e| unavailable(&e))?;
    let is_full = u32::try_from(heads.len()).is_ok_and(|rows| rows == MAX_PAGE);
    let next = heads.last().filter(|_| is_full).map(|head| head.position.seq);
    let show = |head: AuditHead| {
        let Position { seq, hash } = head.position;
        let key = Signature::from_bytes(&head.signature).map(|signature| signature.key.to_string());
        Head {
            kind: HEAD_KIND,
            seq,
            hash: hex(&hash),
            at: head.at,
            key: key.unwrap_or_default(),
            signature: hex(&head.signature),
            delivered_at: head.delivered_at,
        }
    };
    let public_key = api.head_key.public().to_string();
    Ok(Json(Heads { heads: heads.into_iter().map(show).collect(), public_key, next }))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
