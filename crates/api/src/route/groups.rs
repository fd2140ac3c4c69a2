//! Groups: people on one side, targets on the other, and operators who look after both.

use crate::error::{Problem, ProblemBody};
use crate::paging::{Optional, Part, page};
use crate::route::login::people_problem;
use crate::route::targets;
use crate::route::users::{self, ChangedMeanwhile, about, changed_meanwhile};
use crate::state::Api;
use crate::unavailable;
use crate::who::Person;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use model::audit::{Action, Object};
use model::{GroupId, Name, Policy, UserId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{GroupChange, GroupRecord, GroupTarget, Member, NewGroup, PeopleError};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Group {
    id: Uuid,
    name: String,
    description: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// Counts changes of name and description; a change names the one it saw.
    version: u64,
}

/// A group with who and what is in it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GroupDetail {
    #[serde(flatten)]
    group: Group,
    members: Vec<GroupMember>,
    targets: Vec<SharedTarget>,
}

/// Somebody in a group.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GroupMember {
    user_id: Uuid,
    username: String,
    display_name: String,
    /// Whether they look after the group's targets and sessions; it takes the role of operator, too.
    operator: bool,
}

/// A target that the people of a group may use.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SharedTarget {
    target_id: Uuid,
    /// The rules of sessions on it; none for the usual ones.
    #[schema(value_type = Option<crate::schema::SessionPolicy>)]
    policy: Option<Policy>,
}

/// A page of groups, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Groups {
    groups: Vec<Group>,
    total: u64,
    /// Counted from 1.
    page: u64,
}

/// Which groups.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// With this in the name.
    search: Option<String>,
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
    offset: Option<u64>,
}

/// Groups by name.
#[utoipa::path(get, path = "/api/groups", tag = "groups", params(Which), responses((status = 200, body = Groups)))]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Query(which): Query<Which>,
) -> Result<Json<Groups>, Problem> {
    let window = Part { limit: which.limit, offset: which.offset }.window()?;
    let groups = api.store.people().groups();
    let listed = groups.list(which.search.as_deref(), window).await.map_err(|e| unavailable(&e))?;
    Ok(Json(Groups {
        groups: listed.items.into_iter().map(show_group).collect(),
        total: listed.total,
        page: page(window),
    }))
}

/// One group with its people and targets.
#[utoipa::path(get, path = "/api/groups/{id}", tag = "groups", params(("id" = Uuid, Path)),
    responses((status = 200, body = GroupDetail), (status = 404, body = ProblemBody)))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Path(id): Path<GroupId>,
) -> Result<Json<GroupDetail>, Problem> {
    let people = api.store.people();
    let group = show_group(find(&api, id).await?);
    let members = people.groups().members(id).await.map_err(|e| unavailable(&e))?;
    let targets = people.grants().of_group(id).await.map_err(|e| unavailable(&e))?;
    Ok(Json(GroupDetail {
        group,
        members: members.into_iter().map(show_member).collect(),
        targets: targets
            .into_iter()
            .map(|row| SharedTarget { target_id: row.target.0, policy: row.policy })
            .collect(),
    }))
}

/// A group to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddGroup {
    #[schema(value_type = String, example = "class 3b")]
    name: Name,
    #[serde(default)]
    description: String,
}

/// Adds a group.
#[utoipa::path(post, path = "/api/groups", tag = "groups", request_body = AddGroup, responses(
    (status = 201, body = Group), (status = 409, body = ProblemBody, description = "the name is taken"), (status = 422, body = ProblemBody)
))]
pub(crate) async fn add(
    State(api): State<Arc<Api>>,
    person: Person,
    Json(wish): Json<AddGroup>,
) -> Result<(StatusCode, Json<Group>), Problem> {
    let new = NewGroup {
        id: GroupId(Uuid::now_v7()),
        name: wish.name.as_str().to_owned(),
        description: wish.description,
    };
    let entry = person.entry(Action::GroupAdded).on(Object::Group(new.id)).with("name", new.name.as_str());
    let group = api.store.people().groups().add(new, entry, Utc::now()).await.map_err(people_problem)?;
    Ok((StatusCode::CREATED, Json(show_group(group))))
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeGroup {
    /// As it was read.
    version: u64,
    #[schema(value_type = Option<String>)]
    name: Option<Name>,
    description: Option<String>,
}

/// Changes a group's name and description.
#[utoipa::path(patch, path = "/api/groups/{id}", tag = "groups", params(("id" = Uuid, Path)), request_body = ChangeGroup, responses(
    (status = 200, body = Group), (status = 404, body = ProblemBody),
    (status = 409, body = ChangedMeanwhile<Group>, description = "somebody else changed it meanwhile, or the name is taken")
))]
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<GroupId>,
    Json(wish): Json<ChangeGroup>,
) -> Result<Response, Problem> {
    let change =
        GroupChange { name: wish.name.map(|name| name.as_str().to_owned()), description: wish.description };
    let entry = person.entry(Action::GroupChanged).on(Object::Group(id));
    match api.store.people().groups().change(id, wish.version, change, entry, Utc::now()).await {
        Ok(group) => Ok(Json(show_group(group)).into_response()),
        Err(PeopleError::ChangedMeanwhile) => Ok(changed_meanwhile(show_group(find(&api, id).await?))),
        Err(error) => Err(people_problem(error)),
    }
}

/// Removes a group; sessions that hang on it end.
#[utoipa::path(delete, path = "/api/groups/{id}", tag = "groups", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn remove(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<GroupId>,
) -> Result<StatusCode, Problem> {
    let entry = person.entry(Action::GroupRemoved).on(Object::Group(id));
    api.store.people().groups().remove(id, entry, Utc::now()).await.map_err(people_problem)?;
    api.review().await;
    Ok(StatusCode::NO_CONTENT)
}

/// Somebody's part in a group.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MemberWish {
    /// Looks after the group's targets and sessions.
    operator: bool,
}

/// Takes a person into a group, or gives them another part in it.
#[utoipa::path(put, path = "/api/groups/{id}/members/{user}", tag = "groups", request_body = Option<MemberWish>,
    params(("id" = Uuid, Path), ("user" = Uuid, Path)), responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn set_member(
    State(api): State<Arc<Api>>,
    person: Person,
    Path((id, user)): Path<(GroupId, UserId)>,
    Optional(wish): Optional<MemberWish>,
) -> Result<StatusCode, Problem> {
    let user = users::find(&api, user).await?;
    let entry = about(&person, Action::MemberSet, &user)
        .with("group", id.to_string())
        .with("operator", wish.operator);
    let groups = api.store.people().groups();
    groups.set_member(id, user.id, wish.operator, entry, Utc::now()).await.map_err(people_problem)?;
    api.review().await;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a person out of a group; sessions that hang on it end.
#[utoipa::path(delete, path = "/api/groups/{id}/members/{user}", tag = "groups", params(("id" = Uuid, Path), ("user" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn remove_member(
    State(api): State<Arc<Api>>,
    person: Person,
    Path((id, user)): Path<(GroupId, UserId)>,
) -> Result<StatusCode, Problem> {
    let user = users::find(&api, user).await?;
    let entry = about(&person, Action::MemberRemoved, &user).with("group", id.to_string());
    let groups = api.store.people().groups();
    groups.remove_member(id, user.id, entry, Utc::now()).await.map_err(people_problem)?;
    api.review().await;
    Ok(StatusCode::NO_CONTENT)
}

/// How a group may use a target.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ShareWish {
    /// The rules of sessions on it; none for the usual ones.
    #[schema(value_type = Option<crate::schema::SessionPolicy>)]
    policy: Option<Policy>,
}

/// Lets a group use a target, or use it differently.
#[utoipa::path(put, path = "/api/groups/{id}/targets/{target}", tag = "groups", request_body = Option<ShareWish>,
    params(("id" = Uuid, Path), ("target" = String, Path, description = "id or number of the target")),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn set_target(
    State(api): State<Arc<Api>>,
    person: Person,
    Path((id, target)): Path<(GroupId, String)>,
    Optional(wish): Optional<ShareWish>,
) -> Result<StatusCode, Problem> {
    let target = targets::find(&api, &target).await?.id;
    let entry = person.entry(Action::GroupTargetSet).on(Object::Group(id)).with("target", target.to_string());
    let row = GroupTarget { group: id, target, policy: wish.policy };
    api.store.people().grants().set_group(row, entry, Utc::now()).await.map_err(people_problem)?;
    api.review().await;
    Ok(StatusCode::NO_CONTENT)
}

/// Withdraws a target from a group; sessions that hang on it end.
#[utoipa::path(delete, path = "/api/groups/{id}/targets/{target}", tag = "groups",
    params(("id" = Uuid, Path), ("target" = String, Path, description = "id or number of the target")),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn remove_target(
    State(api): State<Arc<Api>>,
    person: Person,
    Path((id, target)): Path<(GroupId, String)>,
) -> Result<StatusCode, Problem> {
    let target = targets::find(&api, &target).await?.id;
    let entry =
        person.entry(Action::GroupTargetRemoved).on(Object::Group(id)).with("target", target.to_string());
    api.store.people().grants().remove_group(id, target, entry, Utc::now()).await.map_err(people_problem)?;
    api.review().await;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(api: &Api, id: GroupId) -> Result<GroupRecord, Problem> {
    let found = api.store.people().groups().find(id).await.map_err(|e| unavailable(&e))?;
    found.ok_or_else(|| Problem::not_found("group"))
}

fn show_group(group: GroupRecord) -> Group {
    Group {
        id: group.id.0,
        name: group.name,
        description: group.description,
        created_at: group.created_at,
        updated_at: group.updated_at,
        version: group.version,
    }
}

fn show_member(member: Member) -> GroupMember {
    GroupMember {
        user_id: member.user.id.0,
        username: member.user.name,
        display_name: member.user.display_name,
        operator: member.operator,
    }
}
