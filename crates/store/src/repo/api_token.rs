//! API tokens: what a program of a person may do in their name. The token itself is never stored, only its hash.

use crate::entity::{api_token, user};
use crate::repo::person::{self, PeopleError, check_text, written};
use crate::transaction::Transaction;
use crate::value::{from_json, moment, to_json};
use crate::{AuditEntry, Store, StoreError, TokenHash, UserRecord};
use chrono::{DateTime, Utc};
use model::{ApiTokenId, Coded, UserId};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
};

/// The longest name of a token, in bytes.
const MAX_NAME: usize = 255;
/// The most tokens that one person has at a time, revoked and expired ones left out.
pub(crate) const MAX_TOKENS: u64 = 100;

/// A token to add.
#[derive(Clone, Debug)]
pub struct NewApiToken {
    /// Fresh.
    pub id: ApiTokenId,
    /// In whose name it acts.
    pub user: UserId,
    /// What it is for.
    pub name: String,
    /// Of the token.
    pub token_hash: TokenHash,
    /// What it may be used for, as words.
    pub scopes: Vec<String>,
    /// From then on it is worth nothing.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A token as stored.
#[derive(Clone, PartialEq, Debug)]
pub struct ApiTokenRecord {
    /// Its id.
    pub id: ApiTokenId,
    /// In whose name it acts.
    pub user: UserId,
    /// What it is for.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From then on it is worth nothing.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute or so.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Since when it is worth nothing.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Why a token was not made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum ApiTokenError {
    /// The name is empty, too long or cannot be read.
    #[error("a token's name has 1 to 255 bytes and no control characters")]
    NameInvalid,
    /// There is no such token or person.
    #[error("there is no such token or person")]
    NotFound,
    /// The person has too many.
    #[error("this person has {MAX_TOKENS} tokens already; revoke one first")]
    TooMany,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for ApiTokenError {
    fn code(&self) -> &'static str {
        match self {
            ApiTokenError::NameInvalid => "api_token.name_invalid",
            ApiTokenError::NotFound => "api_token.not_found",
            ApiTokenError::TooMany => "api_token.too_many",
            ApiTokenError::Store(error) => error.code(),
        }
    }
}

/// API tokens.
#[derive(Clone, Debug)]
pub struct ApiTokens {
    store: Store,
}

impl ApiTokens {
    pub(crate) fn new(store: Store) -> Self {
        ApiTokens { store }
    }

    /// Adds a token.
    ///
    /// # Errors
    /// [`ApiTokenError`].
    pub async fn add(
        &self,
        new: NewApiToken,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Result<ApiTokenRecord, ApiTokenError> {
        if new.name.is_empty() || new.name.contains('\n') || check_text(&new.name, MAX_NAME).is_err() {
            return Err(ApiTokenError::NameInvalid);
        }
        let at = moment(now);
        let row = api_token::Model {
            id: new.id.0,
            user_id: new.user.0,
            name: new.name,
            token_hash: new.token_hash.to_column(),
            scopes: to_json(&new.scopes)?,
            created_at: at,
            expires_at: new.expires_at.map(moment),
            last_used_at: None,
            revoked_at: None,
        };
        let outcome = self
            .store
            .write_audited(now, move |tx| {
                let (row, audit) = (row.clone(), audit.clone());
                Box::pin(async move {
                    let outcome = add(tx, row, at).await?;
                    let entries = if outcome.is_ok() { vec![audit] } else { Vec::new() };
                    Ok((outcome, entries))
                })
            })
            .await?;
        Ok(record(outcome?)?)
    }

    /// Who acts by this token now, and what it may be used for; none when it is revoked, expired or unknown, or its
    /// person may not log in.
    ///
    /// # Errors
    /// The database's.
    pub async fn find(
        &self,
        token: TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<(ApiTokenRecord, UserRecord)>, StoreError> {
        let query = api_token::Entity::find()
            .filter(api_token::Column::TokenHash.eq(token.to_column()))
            .filter(usable(moment(now)));
        let found = self
            .store
            .read(|db| {
                Box::pin(async move {
                    let Some(token) = query.one(db).await? else { return Ok(None) };
                    let owner = user::Entity::find_by_id(token.user_id)
                        .filter(user::Column::Disabled.eq(false))
                        .one(db)
                        .await?;
                    Ok(owner.map(|owner| (token, owner)))
                })
            })
            .await?;
        found.map(|(token, owner)| Ok((record(token)?, person::record(owner)?))).transpose()
    }

    /// Records that a token was used. Call it at most once a minute for each token: it is a write.
    ///
    /// # Errors
    /// The database's.
    pub async fn touch(&self, id: ApiTokenId, now: DateTime<Utc>) -> Result<(), StoreError> {
        let update = api_token::Entity::update_many()
            .filter(api_token::Column::Id.eq(id.0))
            .col_expr(api_token::Column::LastUsedAt, Expr::value(moment(now)));
        self.store.write(move |tx| Box::pin(update.clone().exec(tx))).await.map(|_| ())
    }

    /// Tokens, of one person or of all, the newest first; also revoked and expired ones.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self, user: Option<UserId>) -> Result<Vec<ApiTokenRecord>, StoreError> {
        let query = api_token::Entity::find()
            .filter(Condition::all().add_option(user.map(|user| api_token::Column::UserId.eq(user.0))))
            .order_by_desc(api_token::Column::CreatedAt)
            .order_by_desc(api_token::Column::Id);
        self.store.read(|db| Box::pin(query.all(db))).await?.into_iter().map(record).collect()
    }

    /// Revokes a token; with `user` only if it is theirs.
    ///
    /// # Errors
    /// [`ApiTokenError::NotFound`], also when it was revoked before, or the database's.
    pub async fn revoke(
        &self,
        id: ApiTokenId,
        user: Option<UserId>,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Result<(), ApiTokenError> {
        let update = api_token::Entity::update_many()
            .filter(api_token::Column::Id.eq(id.0))
            .filter(api_token::Column::RevokedAt.is_null())
            .filter(Condition::all().add_option(user.map(|user| api_token::Column::UserId.eq(user.0))))
            .col_expr(api_token::Column::RevokedAt, Expr::value(moment(now)));
        let outcome = self
            .store
            .write_audited(now, move |tx| {
                let (update, audit) = (update.clone(), audit.clone());
                Box::pin(async move {
                    let done = update.exec(tx).await?;
                    Ok(written(super::group::found(done.rows_affected), audit))
                })
            })
            .await?;
        outcome.map_err(|error| match error {
            PeopleError::Store(error) => ApiTokenError::Store(error),
            _ => ApiTokenError::NotFound,
        })
    }
}

async fn add(
    tx: &Transaction,
    row: api_token::Model,
    now: DateTime<Utc>,
) -> Result<Result<api_token::Model, ApiTokenError>, DbErr> {
    if person::locked(tx, UserId(row.user_id)).await?.is_none() {
        return Ok(Err(ApiTokenError::NotFound));
    }
    let others = api_token::Entity::find()
        .filter(api_token::Column::UserId.eq(row.user_id))
        .filter(usable(now))
        .count(tx)
        .await?;
    if others >= MAX_TOKENS {
        return Ok(Err(ApiTokenError::TooMany));
    }
    Ok(Ok(api_token::ActiveModel::from(row).reset_all().insert(tx).await?))
}

fn usable(now: DateTime<Utc>) -> Condition {
    let lasts = Condition::any()
        .add(api_token::Column::ExpiresAt.is_null())
        .add(api_token::Column::ExpiresAt.gt(now));
    Condition::all().add(api_token::Column::RevokedAt.is_null()).add(lasts)
}

fn record(row: api_token::Model) -> Result<ApiTokenRecord, StoreError> {
    Ok(ApiTokenRecord {
        id: ApiTokenId(row.id),
        user: UserId(row.user_id),
        name: row.name,
        scopes: from_json(&row.scopes, "api_tokens.scopes")?,
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_used_at: row.last_used_at,
        revoked_at: row.revoked_at,
    })
}
