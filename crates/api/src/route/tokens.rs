//! API tokens: what a program may do in a person's name.

use crate::error::{Problem, ProblemBody};
use crate::hash;
use crate::state::Api;
use crate::unavailable;
use crate::who::Person;
use auth::token::Token;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use model::audit::{Action, Object};
use model::{ApiTokenId, Coded, Reach, Right, Scope, Scopes};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::{ApiTokenError, ApiTokenRecord, LoginId, NewApiToken};
use utoipa::ToSchema;
use uuid::Uuid;

/// An API token, without its text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiToken {
    id: Uuid,
    user_id: Uuid,
    /// What it is for.
    name: String,
    /// Of `read`, `console`, `operate` and `admin`.
    scopes: Vec<String>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    /// To the minute or so.
    last_used_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

/// Tokens, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApiTokens {
    tokens: Vec<ApiToken>,
    total: usize,
}

/// One's own tokens; an administrator sees all.
#[utoipa::path(get, path = "/api/tokens", tag = "tokens", responses((status = 200, body = ApiTokens)))]
pub(crate) async fn list(State(api): State<Arc<Api>>, person: Person) -> Result<Json<ApiTokens>, Problem> {
    let whose = (person.reach(Right::ManageTokens)? != Reach::All).then_some(person.user.id);
    let records = api.store.api_tokens().list(whose).await.map_err(|e| unavailable(&e))?;
    let tokens: Vec<_> = records.into_iter().map(show).collect();
    let total = tokens.len();
    Ok(Json(ApiTokens { tokens, total }))
}

/// A token to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddToken {
    /// What it is for.
    #[schema(example = "backup script")]
    name: String,
    /// Of `read`, `console`, `operate` and `admin`; what the person may not do, the token may not either.
    #[schema(example = json!(["read"]))]
    scopes: Vec<String>,
    /// From then on it is worth nothing.
    expires_at: Option<DateTime<Utc>>,
}

/// A new token. Its text is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewToken {
    /// For `Authorization: Bearer`; 256 bits in lower-case base32.
    token: String,
    #[serde(flatten)]
    entry: ApiToken,
}

/// Makes a token of one's own.
#[utoipa::path(post, path = "/api/tokens", tag = "tokens", request_body = AddToken,
    responses((status = 201, body = NewToken), (status = 422, body = ProblemBody),
    (status = 409, body = ProblemBody, description = "the person has too many: `api_token.too_many`")))]
pub(crate) async fn add(
    State(api): State<Arc<Api>>,
    person: Person,
    Json(wish): Json<AddToken>,
) -> Result<(StatusCode, Json<NewToken>), Problem> {
    let now = Utc::now();
    let scopes: Scopes = wish.scopes.join(" ").parse().map_err(unprocessable)?;
    if wish.expires_at.is_some_and(|at| at <= now) {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "api_token.expired",
            "expires_at has passed; choose a later moment",
        ));
    }
    let token = Token::fresh();
    let new = NewApiToken {
        id: ApiTokenId(Uuid::now_v7()),
        user: person.user.id,
        name: wish.name,
        token_hash: hash(&token),
        scopes: scopes.iter().map(Scope::word).map(str::to_owned).collect(),
        expires_at: wish.expires_at,
    };
    let entry =
        person.entry(Action::TokenAdded).on(Object::ApiToken(new.id)).with("scopes", scopes.to_string());
    let record = api.store.api_tokens().add(new, entry, now).await.map_err(problem)?;
    Ok((StatusCode::CREATED, Json(NewToken { token: token.expose().to_owned(), entry: show(record) })))
}

/// Revokes a token; consoles that were opened by it end.
#[utoipa::path(delete, path = "/api/tokens/{id}", tag = "tokens", params(("id" = Uuid, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn revoke(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<ApiTokenId>,
) -> Result<StatusCode, Problem> {
    let whose = (person.reach(Right::ManageTokens)? != Reach::All).then_some(person.user.id);
    let entry = person.entry(Action::TokenRevoked).on(Object::ApiToken(id));
    api.store.api_tokens().revoke(id, whose, entry, Utc::now()).await.map_err(problem)?;
    api.end_consoles_of(LoginId::ApiToken(id)).await;
    Ok(StatusCode::NO_CONTENT)
}

fn unprocessable(error: impl Coded + std::fmt::Display) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.code(), error.to_string())
}

fn problem(error: ApiTokenError) -> Problem {
    match error {
        ApiTokenError::NotFound => Problem::not_found("token"),
        ApiTokenError::Store(error) => unavailable(&error),
        ApiTokenError::TooMany => Problem::new(StatusCode::CONFLICT, error.code(), error.to_string()),
        ApiTokenError::NameInvalid => unprocessable(error),
    }
}

fn show(record: ApiTokenRecord) -> ApiToken {
    ApiToken {
        id: record.id.0,
        user_id: record.user.0,
        name: record.name,
        scopes: record.scopes,
        created_at: record.created_at,
        expires_at: record.expires_at,
        last_used_at: record.last_used_at,
        revoked_at: record.revoked_at,
    }
}
