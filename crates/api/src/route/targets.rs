//! Targets: list, register, test, remove.

use crate::error::{Details, Problem, ProblemBody};
use crate::schema;
use crate::state::Api;
use crate::unavailable;
use crate::who::Admin;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use gateway::{Endpoint, SessionSnapshot};
use model::session::EndReason;
use model::target::{Address, Credentials, Identity, Security, Strength};
use model::{Coded, Secret, TargetId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{AddTargetError, NewTarget, TargetRecord};
use utoipa::ToSchema;
use uuid::Uuid;

/// A target, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Target {
    id: Uuid,
    /// Permanent small number.
    number: u32,
    name: String,
    /// `host:port`, `unix:/path` or `testcard`.
    address: String,
    #[schema(value_type = schema::TargetKind)]
    kind: &'static str,
    security: TargetSecurity,
    /// Whether a password is stored.
    has_password: bool,
    /// Sessions that run now, without those that only wait for a lost viewer.
    active_sessions: usize,
    created_at: DateTime<Utc>,
}

/// What a target's entry allows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TargetSecurity {
    /// Weakest way that may be used.
    #[schema(value_type = schema::Strength)]
    floor: String,
    #[schema(value_type = schema::IdentityRule)]
    identity: &'static str,
    /// SHA-256 of the pinned certificate or key.
    pin: Option<String>,
    anonymous_tls: bool,
    /// Strongest way seen so far.
    #[schema(value_type = Option<schema::Strength>)]
    seen: Option<String>,
}

/// All targets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Targets {
    targets: Vec<Target>,
    total: usize,
}

/// All targets, by number.
#[utoipa::path(get, path = "/api/targets", tag = "targets", responses((status = 200, body = Targets), (status = 401, body = ProblemBody)))]
pub(crate) async fn list(State(api): State<Arc<Api>>, _admin: Admin) -> Result<Json<Targets>, Problem> {
    let records = api.store.targets().list().await.map_err(|e| unavailable(&e))?;
    let running = api.sessions.list().await?;
    let targets: Vec<_> = records.into_iter().map(|record| show_target(record, &running)).collect();
    let total = targets.len();
    Ok(Json(Targets { targets, total }))
}

/// One target.
#[utoipa::path(get, path = "/api/targets/{id}", tag = "targets", params(("id" = String, Path, description = "id or number")),
    responses((status = 200, body = Target), (status = 404, body = ProblemBody)))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    _admin: Admin,
    Path(id): Path<String>,
) -> Result<Json<Target>, Problem> {
    let record = find(&api, &id).await?;
    Ok(Json(show_target(record, &api.sessions.list().await?)))
}

/// A target to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddTarget {
    name: String,
    /// Where it listens.
    #[schema(example = "vnc://10.0.0.7:5900")]
    url: String,
    /// Stays at the server, sealed; wins over one in the URL.
    #[serde(default)]
    password: Option<String>,
    /// Weakest way that may be used.
    #[serde(default)]
    #[schema(value_type = Option<schema::Strength>, example = "authenticated")]
    floor: Strength,
    /// SHA-256 of the certificate or RA2 key that must be shown, lower-case hex.
    #[serde(default)]
    pin: Option<String>,
    /// Accept and pin the first certificate or key, shown by *test connection*.
    #[serde(default)]
    first_use: bool,
    /// Allow TLS without a certificate.
    #[serde(default)]
    anonymous_tls: bool,
}

/// Registers a target.
#[utoipa::path(post, path = "/api/targets", tag = "targets", request_body = AddTarget,
    responses((status = 201, body = Target), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn add(
    State(api): State<Arc<Api>>,
    admin: Admin,
    Json(wish): Json<AddTarget>,
) -> Result<(StatusCode, Json<Target>), Problem> {
    let url = model::vnc_url::parse(&wish.url)
        .map_err(|e| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, e.code(), e.to_string()))?;
    let id = TargetId(Uuid::now_v7());
    let identity = match (wish.pin, wish.first_use) {
        (Some(pin), _) => Identity::Pinned(pin),
        (None, true) => Identity::FirstUse,
        (None, false) => Identity::Verify,
    };
    let security =
        Security { floor: wish.floor, identity, anonymous_tls: wish.anonymous_tls, ..Security::default() };
    let password = wish.password.filter(|p| !p.is_empty()).map(Secret::new).or(url.password);
    let sealed_secret = password.map(|p| seal_password(&api.sealer, id, &p));
    let new = NewTarget {
        id,
        name: wish.name,
        address: url.address,
        security,
        username: url.username,
        sealed_secret,
        tags: Vec::new(),
        description: String::new(),
        thumbnails: false,
    };
    let record = api.store.targets().add(new, Utc::now()).await.map_err(|e| not_added(&e))?;
    tracing::info!(target = %record.id, by = %admin.subject, "A target was registered");
    // Nobody can be on it yet.
    Ok((StatusCode::CREATED, Json(show_target(record, &[]))))
}

/// Removes a target; its sessions end.
#[utoipa::path(delete, path = "/api/targets/{id}", tag = "targets", params(("id" = String, Path, description = "id or number")),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn remove(
    State(api): State<Arc<Api>>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let record = find(&api, &id).await?;
    api.store.targets().remove(record.id, Utc::now()).await.map_err(|e| unavailable(&e))?;
    api.sessions.kill_all_of(record.id, EndReason::Killed).await?;
    tracing::info!(target = %record.id, by = %admin.subject, "A target was removed");
    Ok(StatusCode::NO_CONTENT)
}

/// What a test connection found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tested {
    /// The target's version as it was sent.
    version_line: String,
    /// Security types that it offered, in its order.
    offered: Vec<String>,
    /// The type that was used.
    security_type: String,
    /// How strong the way is.
    #[schema(value_type = schema::Strength)]
    strength: String,
    /// Fingerprint of the certificate or key that was shown.
    peer_identity: Option<String>,
    /// Whether that fingerprint was pinned by this test.
    pinned: bool,
    width: u16,
    height: u16,
    desktop_name: String,
}

/// Connects, logs in, leaves; pins the identity where the entry says *first use*.
#[utoipa::path(post, path = "/api/targets/{id}/test", tag = "targets", params(("id" = String, Path, description = "id or number")),
    responses((status = 200, body = Tested), (status = 502, body = ProblemBody, description = "the target cannot be used; the code says why")))]
pub(crate) async fn test(
    State(api): State<Arc<Api>>,
    _admin: Admin,
    Path(id): Path<String>,
) -> Result<Json<Tested>, Problem> {
    let record = find(&api, &id).await?;
    let endpoint = endpoint(&api.sealer, record);
    match api.gateway.test_connection(&endpoint).await {
        Ok(report) => Ok(Json(Tested {
            version_line: report.version,
            offered: report.offered,
            security_type: report.security_type,
            strength: words(report.strength),
            peer_identity: report.identity,
            pinned: report.pinned,
            width: report.width,
            height: report.height,
            desktop_name: report.desktop_name,
        })),
        Err(error) => {
            let details = error
                .mismatch()
                .map(|(pinned, shown)| Details { expected: pinned.to_hex(), presented: shown.to_hex() });
            Err(Problem::new(StatusCode::BAD_GATEWAY, error.code(), error.to_string()).with(details))
        }
    }
}

/// The target that `id` names: its id, or its permanent number.
pub(crate) async fn find(api: &Api, id: &str) -> Result<TargetRecord, Problem> {
    let targets = api.store.targets();
    let found = match (id.parse::<u32>(), id.parse::<TargetId>()) {
        (Ok(number), _) => targets.find_by_number(number).await,
        (_, Ok(id)) => targets.find(id).await,
        _ => Ok(None),
    };
    found.map_err(|e| unavailable(&e))?.ok_or_else(|| Problem::not_found("target"))
}

/// A target with its secret opened, for the gateway alone.
pub fn endpoint(sealer: &auth::seal::Sealer, record: TargetRecord) -> Endpoint {
    let password = record.sealed_secret.as_ref().and_then(|sealed| open_password(sealer, record.id, sealed));
    Endpoint {
        id: record.id,
        name: record.name,
        address: record.address,
        security: record.security,
        credentials: Credentials { username: record.username, password },
        // Only an administrator enters targets.
        purpose: model::egress::Purpose::AdministratorsTarget,
    }
}

fn show_target(record: TargetRecord, running: &[SessionSnapshot]) -> Target {
    let is_here = |s: &&SessionSnapshot| s.target == record.id && s.has_viewer();
    let active_sessions = running.iter().filter(is_here).count();
    let (identity, pin) = match record.security.identity {
        Identity::Verify => ("verify", None),
        Identity::FirstUse => ("first_use", None),
        Identity::Pinned(pin) => ("pinned", Some(pin)),
    };
    let kind = match record.address {
        Address::Tcp { .. } => "tcp",
        Address::Unix { .. } => "unix",
        Address::TestCard => "test_card",
    };
    Target {
        id: record.id.0,
        number: record.number,
        name: record.name,
        address: record.address.to_string(),
        kind,
        security: TargetSecurity {
            floor: words(record.security.floor),
            identity,
            pin,
            anonymous_tls: record.security.anonymous_tls,
            seen: record.security.seen.map(words),
        },
        has_password: record.sealed_secret.is_some(),
        active_sessions,
        created_at: record.created_at,
    }
}

fn words(strength: Strength) -> String {
    match strength {
        Strength::Open => "open",
        Strength::Authenticated => "authenticated",
        Strength::EncryptedAnonymous => "encrypted_anonymous",
        Strength::EncryptedVerified => "encrypted_verified",
    }
    .to_owned()
}

fn not_added(error: &AddTargetError) -> Problem {
    let status = match error {
        AddTargetError::NameTaken | AddTargetError::ChangedMeanwhile => StatusCode::CONFLICT,
        AddTargetError::NameInvalid | AddTargetError::TextInvalid => StatusCode::UNPROCESSABLE_ENTITY,
        AddTargetError::Store(error) => return unavailable(error),
    };
    Problem::new(status, error.code(), error.to_string())
}

/// Seals a target's password; bound to its row, so that it cannot be moved to another.
pub fn seal_password(sealer: &auth::seal::Sealer, target: TargetId, password: &Secret) -> store::Sealed {
    store::Sealed(sealer.seal(&place(target), password))
}

fn open_password(sealer: &auth::seal::Sealer, target: TargetId, sealed: &store::Sealed) -> Option<Secret> {
    match sealer.open(&place(target), &sealed.0) {
        Ok(secret) => Some(secret),
        Err(error) => {
            tracing::error!(%error, %target, "A target's password cannot be opened with this key");
            None
        }
    }
}

fn place(target: TargetId) -> auth::seal::Place<'static> {
    auth::seal::Place { table: "targets", row: target.0.into_bytes(), column: "secret" }
}
