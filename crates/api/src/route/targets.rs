//! Targets: listed, registered, changed, tested, removed.

use crate::error::{Details, Problem, ProblemBody};
use crate::paging::{Part, page};
use crate::route::users::{ChangedMeanwhile, changed_meanwhile};
use crate::schema;
use crate::state::Api;
use crate::unavailable;
use crate::who::Person;
use auth::rights::Relation;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use gateway::{Endpoint, SessionSnapshot};
use model::audit::{Action, Object};
use model::egress::{self, Purpose};
use model::session::EndReason;
use model::target::{Address, Credentials, Identity, Origin, Security, Strength};
use model::{Coded, GroupId, Reach, Right, Secret, TargetId};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use store::{
    AddTargetError, Grant, GroupTarget, NewTarget, PeopleError, TargetChange, TargetFilter, TargetRecord,
};
use utoipa::{IntoParams, ToSchema};
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
    /// Who entered the address last. What others than administrators enter may not lead to the gateway's own machine.
    #[schema(value_type = schema::TargetOrigin)]
    address_by: &'static str,
    #[schema(value_type = schema::TargetKind)]
    kind: &'static str,
    /// Words to find it by.
    tags: Vec<String>,
    description: String,
    /// Whether lists may show a picture of its screen.
    thumbnails: bool,
    /// The name that it is logged in to with, where its security type asks for one.
    username: Option<String>,
    security: TargetSecurity,
    /// Whether a password is stored.
    has_password: bool,
    /// Sessions that run now, without those that only wait for a lost viewer.
    active_sessions: usize,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// Counts changes; a change names the one it saw.
    version: u64,
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

/// A page of targets, by number.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Targets {
    targets: Vec<Target>,
    total: u64,
    /// Counted from 1.
    page: u64,
}

/// Which targets.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// With this in name, description or address.
    search: Option<String>,
    /// With this tag.
    tag: Option<String>,
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    offset: Option<u64>,
}

/// Targets by number: those that are granted, or all for whoever may see all.
#[utoipa::path(get, path = "/api/targets", tag = "targets", params(Which), responses((status = 200, body = Targets), (status = 401, body = ProblemBody)))]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    person: Person,
    Query(which): Query<Which>,
) -> Result<Json<Targets>, Problem> {
    let window = Part { limit: which.limit, offset: which.offset }.window()?;
    let all = person.reach(Right::SeeTargets)? == Reach::All;
    let filter = TargetFilter {
        search: which.search,
        tag: which.tag,
        visible_to: (!all).then(|| (person.user.id, Utc::now())),
        operated_by: None,
    };
    let listed = api.store.targets().page(&filter, window).await.map_err(|e| unavailable(&e))?;
    let running = api.sessions.list().await?;
    let targets = listed.items.into_iter().map(|record| show_target(record, &running)).collect();
    Ok(Json(Targets { targets, total: listed.total, page: page(window) }))
}

/// One target.
#[utoipa::path(get, path = "/api/targets/{id}", tag = "targets", params(("id" = String, Path, description = "id or number")),
    responses((status = 200, body = Target), (status = 404, body = ProblemBody)))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Json<Target>, Problem> {
    let record = find_for(&api, &person, Right::SeeTargets, &id).await?;
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
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Secret>,
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
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    description: String,
    /// Whether lists may show a picture of its screen.
    #[serde(default)]
    thumbnails: bool,
    /// Groups that may use it at once; an operator names at least one of their own.
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>)]
    groups: Vec<GroupId>,
}

/// Registers a target.
#[utoipa::path(post, path = "/api/targets", tag = "targets", request_body = AddTarget,
    responses((status = 201, body = Target), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn add(
    State(api): State<Arc<Api>>,
    person: Person,
    Json(wish): Json<AddTarget>,
) -> Result<(StatusCode, Json<Target>), Problem> {
    let url = parse(&wish.url)?;
    check_address(&person, &url.address)?;
    check_groups(&api, &person, &wish.groups).await?;
    let id = TargetId(Uuid::now_v7());
    let security = Security {
        floor: wish.floor,
        identity: identity(wish.pin, wish.first_use),
        anonymous_tls: wish.anonymous_tls,
        ..Security::default()
    };
    let password = wish.password.filter(|p| !p.is_empty()).or(url.password);
    let new = NewTarget {
        id,
        name: wish.name,
        address: url.address,
        origin: origin(&person),
        security,
        username: url.username,
        sealed_secret: password.map(|p| seal_password(&api.sealer, id, &p)),
        tags: wish.tags,
        description: wish.description,
        thumbnails: wish.thumbnails,
    };
    let now = Utc::now();
    let entry = person.entry(Action::TargetAdded).on(Object::Target(id));
    let record = api.store.targets().audited(entry).add(new, now).await.map_err(|e| not_changed(&e))?;
    for group in wish.groups {
        let entry =
            person.entry(Action::GroupTargetSet).on(Object::Group(group)).with("target", id.to_string());
        let row = GroupTarget { group, target: id, policy: None };
        if let Err(error) = api.store.people().grants().set_group(row, entry, now).await {
            // Nobody but administrators would see the target.
            let entry = person.entry(Action::TargetRemoved).on(Object::Target(id));
            api.store.targets().audited(entry).remove(id, now).await.map_err(|e| unavailable(&e))?;
            return Err(match error {
                PeopleError::NotFound => no_such_group(),
                other => super::login::people_problem(other),
            });
        }
    }
    // Nobody can be on it yet.
    Ok((StatusCode::CREATED, Json(show_target(record, &[]))))
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeTarget {
    /// As it was read.
    version: u64,
    name: Option<String>,
    /// Another place. Its stored password and pin are forgotten, unless the same change brings new ones. The place that
    /// an administrator sends is theirs from then on, also if it is the same.
    url: Option<String>,
    /// A new password; the empty one forgets it.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Secret>,
    #[serde(default, deserialize_with = "crate::paging::given")]
    #[schema(value_type = Option<String>)]
    username: Option<Option<String>>,
    /// Weakest way that may be used.
    #[schema(value_type = Option<schema::Strength>)]
    floor: Option<Strength>,
    /// SHA-256 of the certificate or RA2 key that must be shown.
    pin: Option<String>,
    /// Accept and pin the next certificate or key, shown by *test connection*.
    #[serde(default)]
    first_use: bool,
    anonymous_tls: Option<bool>,
    tags: Option<Vec<String>>,
    description: Option<String>,
    thumbnails: Option<bool>,
}

/// Changes a target's entry. Another address, identity or floor erases the stored password and the pin.
#[utoipa::path(patch, path = "/api/targets/{id}", tag = "targets", request_body = ChangeTarget,
    params(("id" = String, Path, description = "id or number")), responses(
    (status = 200, body = Target), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody),
    (status = 409, body = ChangedMeanwhile<Target>, description = "somebody else changed it meanwhile, or the name is taken")
))]
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<String>,
    Json(wish): Json<ChangeTarget>,
) -> Result<Response, Problem> {
    let before = find_for(&api, &person, Right::ManageTargets, &id).await?;
    let id = before.id;
    let change = change_of(&api, &person, before, wish)?;
    let entry = person.entry(Action::TargetChanged).on(Object::Target(id));
    let changed = api.store.targets().audited(entry).change(id, change, Utc::now()).await;
    let running = api.sessions.list().await?;
    match changed {
        Ok(Some(record)) => {
            api.thumbnails.forget(id);
            Ok(Json(show_target(record, &running)).into_response())
        }
        Ok(None) => Err(Problem::not_found("target")),
        Err(AddTargetError::ChangedMeanwhile) => {
            let current = find(&api, &id.to_string()).await?;
            Ok(changed_meanwhile(show_target(current, &running)))
        }
        Err(error) => Err(not_changed(&error)),
    }
}

fn change_of(
    api: &Api,
    person: &Person,
    before: TargetRecord,
    wish: ChangeTarget,
) -> Result<TargetChange, Problem> {
    let url = wish.url.as_deref().map(parse).transpose()?;
    if let Some(url) = &url {
        check_address(person, &url.address)?;
    }
    let mut security = before.security.clone();
    security.floor = wish.floor.unwrap_or(security.floor);
    security.anonymous_tls = wish.anonymous_tls.unwrap_or(security.anonymous_tls);
    if wish.pin.is_some() || wish.first_use {
        security.identity = identity(wish.pin, wish.first_use);
    }
    let (address, named, in_url) = match url {
        Some(url) => (Some((url.address, origin(person))), url.username.map(Some), url.password),
        None => (None, None, None),
    };
    let password = wish.password.or(in_url);
    let sealed_secret = password.map(|p| (!p.is_empty()).then(|| seal_password(&api.sealer, before.id, &p)));
    Ok(TargetChange {
        version: Some(wish.version),
        name: wish.name,
        address,
        username: wish.username.or(named),
        sealed_secret,
        security: (security != before.security).then_some(security),
        tags: wish.tags,
        description: wish.description,
        thumbnails: wish.thumbnails,
    })
}

fn parse(url: &str) -> Result<model::vnc_url::VncUrl, Problem> {
    model::vnc_url::parse(url)
        .map_err(|e| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, e.code(), e.to_string()))
}

fn identity(pin: Option<String>, first_use: bool) -> Identity {
    match (pin, first_use) {
        (Some(pin), _) => Identity::Pinned(pin),
        (None, true) => Identity::FirstUse,
        (None, false) => Identity::Verify,
    }
}

fn origin(person: &Person) -> Origin {
    if person.is_admin() { Origin::Administrator } else { Origin::Operator }
}

/// What leads to this machine itself only an administrator may enter. Names are judged when they are connected to.
fn check_address(person: &Person, address: &Address) -> Result<(), Problem> {
    let refused = |error: egress::EgressError| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.code(), error.to_string())
    };
    if person.is_admin() {
        return Ok(());
    }
    match address {
        Address::Tcp { host, port } => match host.parse::<IpAddr>() {
            Ok(ip) => egress::check(SocketAddr::new(ip, *port), Purpose::Target, &egress::Egress::default())
                .map_err(refused),
            Err(_) if host.eq_ignore_ascii_case("localhost") => Err(refused(egress::EgressError::Loopback)),
            Err(_) => Ok(()),
        },
        Address::Unix { .. } => Err(refused(egress::EgressError::Loopback)),
        Address::TestCard => Ok(()),
    }
}

/// An operator's target belongs to a group that they operate.
async fn check_groups(api: &Api, person: &Person, groups: &[GroupId]) -> Result<(), Problem> {
    if person.reach(Right::ManageTargets)? == Reach::All {
        return Ok(());
    }
    let grants = api.store.people().grants();
    let own = grants.operated_groups(person.user.id).await.map_err(|e| unavailable(&e))?;
    if !groups.is_empty() && groups.iter().all(|group| own.contains(group)) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "target.group",
        "name at least one group in groups, and only groups that you operate",
    ))
}

fn no_such_group() -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "target.group", "a group in groups does not exist")
}

/// Removes a target; its sessions end.
#[utoipa::path(delete, path = "/api/targets/{id}", tag = "targets", params(("id" = String, Path, description = "id or number")),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn remove(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let record = find_for(&api, &person, Right::ManageTargets, &id).await?;
    let entry = person.entry(Action::TargetRemoved).on(Object::Target(record.id));
    api.store.targets().audited(entry).remove(record.id, Utc::now()).await.map_err(|e| unavailable(&e))?;
    api.thumbnails.forget(record.id);
    api.sessions.kill_all_of(record.id, EndReason::Killed).await?;
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

/// Connects, logs in, leaves; pins the identity where the entry says *first use*. Limited for each person.
#[utoipa::path(post, path = "/api/targets/{id}/test", tag = "targets", params(("id" = String, Path, description = "id or number")),
    responses((status = 200, body = Tested), (status = 429, body = ProblemBody), (status = 502, body = ProblemBody, description = "the target cannot be used; the code says why")))]
pub(crate) async fn test(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<String>,
) -> Result<Json<Tested>, Problem> {
    let record = find_for(&api, &person, Right::TestTarget, &id).await?;
    api.limits.connection_test(person.user.id)?;
    let entry = person.entry(Action::TargetTested).on(Object::Target(record.id));
    let endpoint = endpoint(&api.sealer, record);
    let tested = api.gateway.test_connection(&endpoint).await;
    let entry = match &tested {
        Ok(_) => entry,
        Err(error) => entry.code(error.code()),
    };
    api.store.audit().append(vec![entry], Utc::now()).await.map_err(|e| unavailable(&e))?;
    match tested {
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

/// The target that `id` names: its id, or its permanent number. Machines of clusters (`cluster:112`) are not known.
pub(crate) async fn find(api: &Api, id: &str) -> Result<TargetRecord, Problem> {
    let targets = api.store.targets();
    let found = match (id.parse::<u32>(), id.parse::<TargetId>()) {
        (Ok(number), _) => targets.find_by_number(number).await,
        (_, Ok(id)) => targets.find(id).await,
        _ => Ok(None),
    };
    found.map_err(|e| unavailable(&e))?.ok_or_else(|| Problem::not_found("target"))
}

/// The same, where this person may do this to it. What they may not see does not exist.
pub(crate) async fn find_for(
    api: &Api,
    person: &Person,
    right: Right,
    id: &str,
) -> Result<TargetRecord, Problem> {
    let reach = person.reach(right)?;
    let record = find(api, id).await?;
    let relation = match reach {
        Reach::Operated => {
            let operated = api.store.people().grants().operates(person.user.id, record.id).await;
            Relation { operated: operated.map_err(|e| unavailable(&e))?, ..Relation::STRANGER }
        }
        Reach::Granted => {
            let granted = grant_of(api, person, record.id).await?.is_some();
            Relation { granted, ..Relation::STRANGER }
        }
        Reach::All | Reach::Own | Reach::No => Relation::STRANGER,
    };
    match person.may(right, relation) {
        Ok(()) => Ok(record),
        // The same words as for one that does not exist.
        Err(problem) if problem.code() == "api.not_found" => Err(Problem::not_found("target")),
        Err(problem) => Err(problem),
    }
}

/// By what grant a person may use a target now.
pub(crate) async fn grant_of(api: &Api, person: &Person, target: TargetId) -> Result<Option<Grant>, Problem> {
    let grant = api.store.targets().grant_for(person.user.id, target, Utc::now()).await;
    grant.map_err(|e| unavailable(&e))
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
        purpose: record.origin.purpose(),
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
        address_by: record.origin.column(),
        kind,
        security: TargetSecurity {
            floor: words(record.security.floor),
            identity,
            pin,
            anonymous_tls: record.security.anonymous_tls,
            seen: record.security.seen.map(words),
        },
        tags: record.tags,
        description: record.description,
        thumbnails: record.thumbnails,
        username: record.username,
        has_password: record.sealed_secret.is_some(),
        active_sessions,
        created_at: record.created_at,
        updated_at: record.updated_at,
        version: record.version,
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

fn not_changed(error: &AddTargetError) -> Problem {
    let status = match error {
        AddTargetError::NameTaken | AddTargetError::ChangedMeanwhile => StatusCode::CONFLICT,
        AddTargetError::Name(_) | AddTargetError::TextInvalid => StatusCode::UNPROCESSABLE_ENTITY,
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

/// Where a target's password is sealed for.
pub fn place(target: TargetId) -> auth::seal::Place<'static> {
    auth::seal::Place { table: "targets", row: target.0.into_bytes(), column: "secret" }
}
