//! People: listed, added, changed, kept out, and forgotten.

use crate::error::{Problem, ProblemBody};
use crate::paging::{Optional, Part, page};
use crate::route::login::{hash_for, people_problem, set};
use crate::route::targets;
use crate::state::Api;
use crate::unavailable;
use crate::who::Person;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use model::audit::{Action, Object, Personal};
use model::{Name, Right, Role, Secret, SubjectId, UserId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{AuditEntry, GrantRow, NewUser, PeopleError, UserChange, UserFilter, UserRecord};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct User {
    id: Uuid,
    /// What they log in with; unique without regard to case.
    username: String,
    display_name: String,
    /// `user`, `viewer`, `analyst`, `operator` or `admin`.
    role: &'static str,
    /// Whether they may not log in.
    disabled: bool,
    /// Whether they have a password.
    has_password: bool,
    language: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    last_login_at: Option<DateTime<Utc>>,
    /// Counts changes; a change names the one it saw.
    version: u64,
}

/// A page of people, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Users {
    users: Vec<User>,
    total: u64,
    /// Counted from 1.
    page: u64,
}

/// Which people.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// With this in the name.
    search: Option<String>,
    /// Of this role.
    role: Option<String>,
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    offset: Option<u64>,
}

/// People by name.
#[utoipa::path(get, path = "/api/users", tag = "users", params(Which), responses((status = 200, body = Users)))]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Query(which): Query<Which>,
) -> Result<Json<Users>, Problem> {
    let window = Part { limit: which.limit, offset: which.offset }.window()?;
    let role = which.role.as_deref().map(role).transpose()?;
    let filter = UserFilter { search: which.search, role, disabled: None };
    let listed = api.store.people().list(&filter, window).await.map_err(|e| unavailable(&e))?;
    Ok(Json(Users {
        users: listed.items.into_iter().map(show_user).collect(),
        total: listed.total,
        page: page(window),
    }))
}

/// One person.
#[utoipa::path(get, path = "/api/users/{id}", tag = "users", params(("id" = Uuid, Path)),
    responses((status = 200, body = User), (status = 404, body = ProblemBody)))]
pub(crate) async fn show(State(api): State<Arc<Api>>, Path(id): Path<UserId>) -> Result<Json<User>, Problem> {
    find(&api, id).await.map(show_user).map(Json)
}

/// A person to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddUser {
    #[schema(value_type = String, example = "ada")]
    username: Name,
    /// The same as the name where it is left out.
    #[schema(value_type = Option<String>)]
    display_name: Option<Name>,
    /// `user` where it is left out.
    #[serde(default = "user_role")]
    #[schema(value_type = Option<String>, example = "user")]
    role: Role,
    /// Without one they cannot log in until it is set.
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Secret>,
    language: Option<String>,
}

fn user_role() -> Role {
    Role::User
}

/// Adds a person.
#[utoipa::path(post, path = "/api/users", tag = "users", request_body = AddUser, responses(
    (status = 201, body = User), (status = 409, body = ProblemBody, description = "the name is taken"),
    (status = 422, body = ProblemBody)
))]
pub(crate) async fn add(
    State(api): State<Arc<Api>>,
    person: Person,
    Json(wish): Json<AddUser>,
) -> Result<(StatusCode, Json<User>), Problem> {
    let display_name = wish.display_name.as_ref().unwrap_or(&wish.username).as_str().to_owned();
    let password_hash = match &wish.password {
        Some(password) => Some(hash_for(&api, password, &[wish.username.as_str(), &display_name]).await?),
        None => None,
    };
    let new = NewUser {
        id: UserId(Uuid::now_v7()),
        subject: SubjectId(Uuid::new_v4()),
        name: wish.username.as_str().to_owned(),
        display_name,
        password_hash,
        role: wish.role,
        language: wish.language,
    };
    let entry =
        person.entry(Action::UserAdded).on(Object::Person(new.subject)).with("role", new.role.column());
    let user = api.store.people().add(new, entry, Utc::now()).await.map_err(people_problem)?;
    Ok((StatusCode::CREATED, Json(show_user(user))))
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeUser {
    /// As it was read.
    version: u64,
    #[schema(value_type = Option<String>)]
    username: Option<Name>,
    #[schema(value_type = Option<String>)]
    display_name: Option<Name>,
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    /// `null` follows the browser.
    #[serde(default, deserialize_with = "crate::paging::given")]
    #[schema(value_type = Option<String>)]
    language: Option<Option<String>>,
}

/// A change came too late: what it is about is different now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangedMeanwhile<T: Serialize> {
    r#type: String,
    title: &'static str,
    status: u16,
    /// `api.changed_meanwhile`.
    code: &'static str,
    detail: &'static str,
    /// As it is now.
    current: T,
}

/// 409 with the present state, so that the page can show both.
pub(crate) fn changed_meanwhile<T: Serialize>(current: T) -> Response {
    let code = "api.changed_meanwhile";
    let body = ChangedMeanwhile {
        r#type: format!("/docs/errors#{code}"),
        title: "Conflict",
        status: StatusCode::CONFLICT.as_u16(),
        code,
        detail: "somebody else changed it meanwhile; look at it again",
        current,
    };
    let kind = [(header::CONTENT_TYPE, "application/problem+json")];
    (StatusCode::CONFLICT, kind, serde_json::to_string(&body).unwrap_or_default()).into_response()
}

/// Changes a person's entry.
#[utoipa::path(patch, path = "/api/users/{id}", tag = "users", params(("id" = Uuid, Path)), request_body = ChangeUser, responses(
    (status = 200, body = User), (status = 404, body = ProblemBody),
    (status = 409, body = ChangedMeanwhile<User>, description = "somebody else changed it meanwhile, or the name is taken")
))]
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<UserId>,
    Json(wish): Json<ChangeUser>,
) -> Result<Response, Problem> {
    let before = find(&api, id).await?;
    let entry = about(&person, Action::UserChanged, &before);
    let entry = match wish.role {
        Some(role) => entry.with("role", role.column()),
        None => entry,
    };
    let change = UserChange {
        name: wish.username.map(|name| name.as_str().to_owned()),
        display_name: wish.display_name.map(|name| name.as_str().to_owned()),
        role: wish.role,
        disabled: None,
        language: wish.language,
    };
    match api.store.people().change(id, wish.version, change, entry, Utc::now()).await {
        Ok(user) => {
            api.review().await;
            Ok(Json(show_user(user)).into_response())
        }
        Err(PeopleError::ChangedMeanwhile) => Ok(changed_meanwhile(show_user(find(&api, id).await?))),
        Err(error) => Err(people_problem(error)),
    }
}

/// Removes a person. Their sessions end; past sessions and the audit log still say who it was.
#[utoipa::path(delete, path = "/api/users/{id}", tag = "users", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody, description = "the last administrator stays")))]
pub(crate) async fn remove(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<UserId>,
) -> Result<StatusCode, Problem> {
    let before = find(&api, id).await?;
    let entry = about(&person, Action::UserRemoved, &before);
    api.store.people().remove(id, entry, Utc::now()).await.map_err(people_problem)?;
    api.review().await;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a person and everything that leads from sessions and the audit log to them; the log's chain stays whole.
#[utoipa::path(post, path = "/api/users/{id}/erase", tag = "users", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn erase(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<UserId>,
) -> Result<StatusCode, Problem> {
    let before = find(&api, id).await?;
    api.end_consoles_of_subject(before.subject).await;
    let entry = person.entry(Action::UserErased).on(Object::Person(before.subject));
    api.store.people().erase(id, entry, Utc::now()).await.map_err(people_problem)?;
    api.review().await;
    Ok(StatusCode::NO_CONTENT)
}

/// Keeps a person out at once: log-ins, tokens and consoles end.
#[utoipa::path(post, path = "/api/users/{id}/disable", tag = "users", params(("id" = Uuid, Path)),
    responses((status = 200, body = User), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn disable(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<UserId>,
) -> Result<Json<User>, Problem> {
    set_disabled(&api, &person, id, true).await
}

/// Lets a person log in again.
#[utoipa::path(post, path = "/api/users/{id}/enable", tag = "users", params(("id" = Uuid, Path)),
    responses((status = 200, body = User), (status = 404, body = ProblemBody)))]
pub(crate) async fn enable(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<UserId>,
) -> Result<Json<User>, Problem> {
    set_disabled(&api, &person, id, false).await
}

async fn set_disabled(api: &Api, person: &Person, id: UserId, disabled: bool) -> Result<Json<User>, Problem> {
    let action = if disabled { Action::UserDisabled } else { Action::UserEnabled };
    loop {
        let before = find(api, id).await?;
        let entry = about(person, action, &before);
        let change = UserChange { disabled: Some(disabled), ..UserChange::default() };
        match api.store.people().change(id, before.version, change, entry, Utc::now()).await {
            Ok(user) => {
                api.review().await;
                return Ok(Json(show_user(user)));
            }
            // Whatever else was changed meanwhile, this still holds.
            Err(PeopleError::ChangedMeanwhile) => {}
            Err(error) => return Err(people_problem(error)),
        }
    }
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetPassword {
    #[schema(value_type = String, format = Password)]
    password: Secret,
}

/// Sets a person's password; their log-ins end.
#[utoipa::path(post, path = "/api/users/{id}/password", tag = "users", params(("id" = Uuid, Path)), request_body = SetPassword,
    responses((status = 204), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn password(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<UserId>,
    Json(wish): Json<SetPassword>,
) -> Result<StatusCode, Problem> {
    let before = find(&api, id).await?;
    let hash = hash_for(&api, &wish.password, &[&before.name, &before.display_name]).await?;
    let entry = about(&person, Action::PasswordSet, &before);
    set(&api, id, hash, None, entry, Utc::now()).await
}

/// Ends all log-ins of a person; of others only with the right to do so.
#[utoipa::path(post, path = "/api/users/{id}/logout", tag = "users", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn logout(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<UserId>,
) -> Result<StatusCode, Problem> {
    let own = auth::rights::Relation { own: id == person.user.id, ..auth::rights::Relation::STRANGER };
    person.may(Right::ManageLogins, own)?;
    let before = find(&api, id).await?;
    let entry = about(&person, Action::LoggedOutEverywhere, &before);
    api.store.people().log_out(id, entry, Utc::now()).await.map_err(people_problem)?;
    api.review().await;
    Ok(StatusCode::NO_CONTENT)
}

/// A target that a person may use by a grant of their own.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserTarget {
    target_id: Uuid,
    /// For looking only.
    view_only: bool,
    /// From then on it is no grant, and a session on it is over.
    expires_at: Option<DateTime<Utc>>,
}

/// A person's own grants.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserTargets {
    targets: Vec<UserTarget>,
    total: usize,
}

/// A person's own grants; those by groups are at the groups.
#[utoipa::path(get, path = "/api/users/{id}/targets", tag = "users", params(("id" = Uuid, Path)),
    responses((status = 200, body = UserTargets), (status = 404, body = ProblemBody)))]
pub(crate) async fn grants(
    State(api): State<Arc<Api>>,
    Path(id): Path<UserId>,
) -> Result<Json<UserTargets>, Problem> {
    find(&api, id).await?;
    let rows = api.store.people().grants().of_user(id).await.map_err(|e| unavailable(&e))?;
    let show = |row: GrantRow| UserTarget {
        target_id: row.target.0,
        view_only: row.view_only,
        expires_at: row.expires_at,
    };
    let targets: Vec<_> = rows.into_iter().map(show).collect();
    let total = targets.len();
    Ok(Json(UserTargets { targets, total }))
}

/// How a target may be used.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GrantWish {
    /// For looking only.
    view_only: bool,
    /// From then on not at all.
    expires_at: Option<DateTime<Utc>>,
}

/// Lets a person use a target, or use it differently.
#[utoipa::path(put, path = "/api/users/{id}/targets/{target}", tag = "users", request_body = Option<GrantWish>,
    params(("id" = Uuid, Path), ("target" = String, Path, description = "id or number of the target")),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn grant(
    State(api): State<Arc<Api>>,
    person: Person,
    Path((id, target)): Path<(UserId, String)>,
    Optional(wish): Optional<GrantWish>,
) -> Result<StatusCode, Problem> {
    let user = find(&api, id).await?;
    let target = targets::find(&api, &target).await?.id;
    let row = GrantRow { user: id, target, view_only: wish.view_only, expires_at: wish.expires_at };
    let entry = about(&person, Action::GrantSet, &user)
        .with("target", target.to_string())
        .with("view_only", wish.view_only);
    api.store.people().grants().set(row, entry, Utc::now()).await.map_err(people_problem)?;
    api.review().await;
    Ok(StatusCode::NO_CONTENT)
}

/// Withdraws a person's own grant; sessions that hang on it end.
#[utoipa::path(delete, path = "/api/users/{id}/targets/{target}", tag = "users",
    params(("id" = Uuid, Path), ("target" = String, Path, description = "id or number of the target")),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn withdraw(
    State(api): State<Arc<Api>>,
    person: Person,
    Path((id, target)): Path<(UserId, String)>,
) -> Result<StatusCode, Problem> {
    let user = find(&api, id).await?;
    let target = targets::find(&api, &target).await?.id;
    let entry = about(&person, Action::GrantRemoved, &user).with("target", target.to_string());
    api.store.people().grants().remove(id, target, entry, Utc::now()).await.map_err(people_problem)?;
    api.review().await;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn find(api: &Api, id: UserId) -> Result<UserRecord, Problem> {
    let found = api.store.people().find(id).await.map_err(|e| unavailable(&e))?;
    found.ok_or_else(|| Problem::not_found("person"))
}

/// An entry about something that is done to a person; the name beside it is theirs.
pub(crate) fn about(person: &Person, action: Action, user: &UserRecord) -> AuditEntry {
    person.entry(action).on(Object::Person(user.subject)).person_of(
        Some(user.subject),
        Personal::Name,
        &user.name,
    )
}

fn role(text: &str) -> Result<Role, Problem> {
    Role::from_column(text)
        .ok_or_else(|| Problem::bad_request("role is user, viewer, analyst, operator or admin"))
}

pub(crate) fn show_user(user: UserRecord) -> User {
    User {
        id: user.id.0,
        username: user.name,
        display_name: user.display_name,
        role: user.role.column(),
        disabled: user.disabled,
        has_password: user.password_hash.is_some(),
        language: user.language,
        created_at: user.created_at,
        updated_at: user.updated_at,
        last_login_at: user.last_login_at,
        version: user.version,
    }
}
