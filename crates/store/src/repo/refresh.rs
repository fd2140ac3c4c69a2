//! Refresh tokens of API clients. Each is used once and answered by its successor; whoever uses one again later has
//! stolen it, or it was stolen from them, so all of its family are revoked.
//!
//! A client whose answer got lost asks again at once. For a moment it gets the same successor, which is kept sealed
//! for that long and can be opened by `auth` alone.

use crate::entity::{refresh_token, user};
use crate::repo::login::{arrived, remember};
use crate::repo::person;
use crate::transaction::Transaction;
use crate::value::moment;
use crate::{AuditEntry, LoginError, Logins, Sealed, StoreError, TokenHash, UserRecord};
use chrono::{DateTime, TimeDelta, Utc};
use model::audit::Object;
use model::{Coded, SubjectId, UserId};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, QueryFilter};
use uuid::Uuid;

/// For so long a used token is answered by the same successor.
const REPEAT: TimeDelta = TimeDelta::seconds(10);

/// A log-in of an API client that starts.
#[derive(Clone, Debug)]
pub struct NewFamily {
    /// Of the first refresh token.
    pub token: TokenHash,
    /// Fresh; access tokens carry it, too.
    pub family: Uuid,
    /// From then on no token of the family is worth anything.
    pub expires_at: DateTime<Utc>,
    /// As [`crate::NewLogin::footprint`].
    pub footprint: Option<TokenHash>,
}

/// The wish to exchange a refresh token.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// Of the token presented.
    pub token: TokenHash,
    /// Of its successor.
    pub successor: TokenHash,
    /// The successor itself, for a client that asks again. Bound to the token presented.
    pub successor_sealed: Sealed,
    /// What is written down if the token was used before; it is given whose it was.
    pub if_reused: AuditEntry,
}

/// A refresh token that was exchanged.
#[derive(Clone, PartialEq, Debug)]
pub struct Refreshed {
    /// Whose.
    pub user: UserRecord,
    /// Which log-in.
    pub family: Uuid,
    /// When the log-in ends.
    pub expires_at: DateTime<Utc>,
    /// The successor: the one of the wish, or the one that an earlier call within ten seconds got.
    pub successor_sealed: Sealed,
    /// Whether it is an earlier call's.
    pub repeated: bool,
}

/// Why a refresh token was not exchanged.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// Not a token of ours, too old, or revoked.
    #[error("the refresh token is not valid, or no longer; log in again")]
    Invalid,
    /// It was used before: its family is revoked now.
    #[error("the refresh token was used before; it may have been stolen, so log in again")]
    Reused {
        /// Whose log-in it was.
        user: UserId,
        /// Which log-in.
        family: Uuid,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for RefreshError {
    fn code(&self) -> &'static str {
        match self {
            RefreshError::Invalid => "login.refresh_invalid",
            RefreshError::Reused { .. } => "login.refresh_reused",
            RefreshError::Store(error) => error.code(),
        }
    }
}

impl Logins {
    /// Logs a person's API client in; `seen` is as in [`Logins::start`].
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn start_family(
        &self,
        seen: &UserRecord,
        new: NewFamily,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Result<UserRecord, LoginError> {
        let (id, version, at) = (seen.id, seen.session_version, moment(now));
        let row = self
            .store
            .write_audited(now, move |tx| {
                let (new, audit) = (new.clone(), audit.clone());
                Box::pin(async move {
                    let Some(user) = arrived(tx, id, version, at).await? else {
                        return Ok((None, Vec::new()));
                    };
                    let first = token_row(&user, new.token, new.family, at, moment(new.expires_at));
                    insert(tx, first).await?;
                    if let Some(footprint) = new.footprint {
                        remember(tx, user.id, footprint, at).await?;
                    }
                    Ok((Some(user), vec![audit]))
                })
            })
            .await?;
        Ok(person::record(row.ok_or(LoginError::Gone)?)?)
    }

    /// Exchanges a refresh token. Of all that ever try, one gets a new successor; those who try within ten seconds
    /// get the same one; later ones end the log-in.
    ///
    /// # Errors
    /// [`RefreshError`].
    pub async fn refresh(&self, wish: Refresh, now: DateTime<Utc>) -> Result<Refreshed, RefreshError> {
        let at = moment(now);
        let outcome = self
            .store
            .write_audited(now, move |tx| {
                let wish = wish.clone();
                Box::pin(async move { exchange(tx, wish, at).await })
            })
            .await?;
        let Exchanged { user, token, successor_sealed, repeated } = outcome?;
        Ok(Refreshed {
            user: person::record(user)?,
            family: token.family,
            expires_at: token.expires_at,
            successor_sealed,
            repeated,
        })
    }

    /// Whose log-in an access token belongs to, if it has not ended.
    ///
    /// # Errors
    /// The database's.
    pub async fn bearer(
        &self,
        user: UserId,
        family: Uuid,
        session_version: u64,
        now: DateTime<Utc>,
    ) -> Result<Option<UserRecord>, StoreError> {
        let now = moment(now);
        let alive = refresh_token::Entity::find()
            .filter(refresh_token::Column::Family.eq(family))
            .filter(refresh_token::Column::UserId.eq(user.0))
            .filter(refresh_token::Column::ExpiresAt.gt(now));
        let found = self
            .store
            .read(|db| {
                Box::pin(async move {
                    if alive.one(db).await?.is_none() {
                        return Ok(None);
                    }
                    user::Entity::find_by_id(user.0).one(db).await
                })
            })
            .await?;
        let person = found.map(person::record).transpose()?;
        Ok(person.filter(|person| !person.disabled && person.session_version == session_version))
    }

    /// Logs an API client out: its refresh tokens and access tokens are worth nothing from now on. Answers whether it
    /// was logged in; only then is it written down.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_family(
        &self,
        family: Uuid,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.store
            .write_audited(now, move |tx| {
                let audit = audit.clone();
                Box::pin(async move {
                    let ended = revoke(tx, family).await? > 0;
                    Ok((ended, if ended { vec![audit] } else { Vec::new() }))
                })
            })
            .await
    }
}

struct Exchanged {
    user: user::Model,
    token: refresh_token::Model,
    successor_sealed: Sealed,
    repeated: bool,
}

type Outcome = (Result<Exchanged, RefreshError>, Vec<AuditEntry>);

async fn exchange(tx: &Transaction, wish: Refresh, now: DateTime<Utc>) -> Result<Outcome, DbErr> {
    let invalid = || (Err(RefreshError::Invalid), Vec::new());
    let used = refresh_token::Entity::update_many()
        .filter(refresh_token::Column::TokenHash.eq(wish.token.to_column()))
        .filter(refresh_token::Column::UsedAt.is_null())
        .filter(refresh_token::Column::ExpiresAt.gt(now))
        .col_expr(refresh_token::Column::UsedAt, Expr::value(now))
        .col_expr(refresh_token::Column::SuccessorSealed, Expr::value(wish.successor_sealed.0.clone()))
        .exec_with_returning(tx)
        .await?;
    let (token, first) = match used.into_iter().next() {
        Some(token) => (token, true),
        None => match refresh_token::Entity::find_by_id(wish.token.to_column()).one(tx).await? {
            Some(token) => (token, false),
            None => return Ok(invalid()),
        },
    };
    let user = user::Entity::find_by_id(token.user_id).one(tx).await?;
    let user = user.filter(|user| !user.disabled && user.session_version == token.version);
    let (Some(user), true) = (user, token.expires_at > now) else { return Ok(invalid()) };
    if first {
        forget_older(tx, &token, now).await?;
        insert(tx, token_row(&user, wish.successor, token.family, now, token.expires_at)).await?;
        let successor_sealed = wish.successor_sealed;
        return Ok((Ok(Exchanged { user, token, successor_sealed, repeated: false }), Vec::new()));
    }
    let is_repeat = token.used_at.is_some_and(|used_at| now - used_at <= REPEAT);
    if let (true, Some(sealed)) = (is_repeat, token.successor_sealed.clone()) {
        let successor_sealed = Sealed(sealed);
        return Ok((Ok(Exchanged { user, token, successor_sealed, repeated: true }), Vec::new()));
    }
    revoke(tx, token.family).await?;
    let subject = SubjectId(user.subject_id);
    let entry = wish.if_reused.on(Object::Person(subject)).belonging_to(subject);
    Ok((Err(RefreshError::Reused { user: UserId(user.id), family: token.family }), vec![entry]))
}

fn token_row(
    user: &user::Model,
    token: TokenHash,
    family: Uuid,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> refresh_token::Model {
    refresh_token::Model {
        token_hash: token.to_column(),
        family,
        user_id: user.id,
        issued_at: now,
        expires_at,
        used_at: None,
        successor_sealed: None,
        version: user.session_version,
    }
}

async fn insert(tx: &Transaction, row: refresh_token::Model) -> Result<(), DbErr> {
    let row = refresh_token::ActiveModel::from(row).reset_all();
    refresh_token::Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
}

/// Sealed successors that nobody may ask for any more.
async fn forget_older(
    tx: &Transaction,
    token: &refresh_token::Model,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    refresh_token::Entity::update_many()
        .filter(refresh_token::Column::Family.eq(token.family))
        .filter(refresh_token::Column::UsedAt.lt(now - REPEAT))
        .filter(refresh_token::Column::SuccessorSealed.is_not_null())
        .col_expr(refresh_token::Column::SuccessorSealed, Expr::value(None::<Vec<u8>>))
        .exec(tx)
        .await?;
    Ok(())
}

async fn revoke(tx: &Transaction, family: Uuid) -> Result<u64, DbErr> {
    let delete = refresh_token::Entity::delete_many().filter(refresh_token::Column::Family.eq(family));
    Ok(delete.exec(tx).await?.rows_affected)
}
