//! The single administrator of a fresh installation: a one-time link, and the cookie it is exchanged for.

use crate::entity::{admin_link, admin_session};
use crate::value::moment;
use crate::{Store, StoreError, TokenHash};
use chrono::{DateTime, Utc};
use model::Coded;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter};

/// Who is signed in by a cookie.
#[derive(Clone, PartialEq, Debug)]
pub struct AdminSession {
    /// When the link was opened.
    pub created_at: DateTime<Utc>,
    /// From then on the cookie is worth nothing.
    pub expires_at: DateTime<Utc>,
    /// From which address the link was opened.
    pub address: String,
}

/// Why a link did not sign anybody in.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Somebody opened it before.
    #[error("the admin link was used already; make a new one with `gatehouse admin link`")]
    Used,
    /// It is too old.
    #[error("the admin link has expired; make a new one with `gatehouse admin link`")]
    Expired,
    /// There is no such link.
    #[error("there is no such admin link; make a new one with `gatehouse admin link`")]
    Unknown,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for LinkError {
    fn code(&self) -> &'static str {
        match self {
            LinkError::Used => "admin.link_used",
            LinkError::Expired => "admin.link_expired",
            LinkError::Unknown => "admin.link_unknown",
            LinkError::Store(error) => error.code(),
        }
    }
}

/// Admin links and sessions.
#[derive(Clone, Debug)]
pub struct AdminLinks {
    store: Store,
}

impl AdminLinks {
    pub(crate) fn new(store: Store) -> Self {
        AdminLinks { store }
    }

    /// Stores a new link by the hash of its token.
    ///
    /// # Errors
    /// The database's.
    pub async fn issue_link(
        &self,
        token: TokenHash,
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let row = admin_link::Model {
            token_hash: token.to_column(),
            created_at: moment(now),
            expires_at: moment(expires_at),
            used_at: None,
        };
        self.store
            .write(move |tx| {
                let row = admin_link::ActiveModel::from(row.clone()).reset_all();
                Box::pin(async move {
                    admin_link::Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
                })
            })
            .await
    }

    /// Exchanges a link for a signed-in cookie: both happen, or neither. Of all that ever try, one succeeds.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn take_link(
        &self,
        token: TokenHash,
        cookie: TokenHash,
        session: AdminSession,
        now: DateTime<Utc>,
    ) -> Result<(), LinkError> {
        let now = moment(now);
        let row = admin_session::Model {
            cookie_hash: cookie.to_column(),
            created_at: moment(session.created_at),
            expires_at: moment(session.expires_at),
            address: session.address,
        };
        self.store
            .write(move |tx| {
                let row = row.clone();
                Box::pin(async move { exchange(tx, token, row, now).await })
            })
            .await?
    }

    /// Who is signed in by this cookie now.
    ///
    /// # Errors
    /// The database's.
    pub async fn session(
        &self,
        cookie: TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<AdminSession>, StoreError> {
        let query = admin_session::Entity::find_by_id(cookie.to_column())
            .filter(admin_session::Column::ExpiresAt.gt(moment(now)));
        let row = self.store.read(|db| Box::pin(query.one(db))).await?;
        Ok(row.map(|row| AdminSession {
            created_at: row.created_at,
            expires_at: row.expires_at,
            address: row.address,
        }))
    }

    /// Signs a cookie out.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_session(&self, cookie: TokenHash) -> Result<bool, StoreError> {
        let done = self
            .store
            .write(move |tx| Box::pin(admin_session::Entity::delete_by_id(cookie.to_column()).exec(tx)))
            .await?;
        Ok(done.rows_affected > 0)
    }

    /// Forgets links and sessions that expired before `before`.
    ///
    /// # Errors
    /// The database's.
    pub async fn purge(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let before = moment(before);
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let links = admin_link::Entity::delete_many()
                        .filter(admin_link::Column::ExpiresAt.lt(before))
                        .exec(tx)
                        .await?;
                    let sessions = admin_session::Entity::delete_many()
                        .filter(admin_session::Column::ExpiresAt.lt(before))
                        .exec(tx)
                        .await?;
                    Ok(links.rows_affected + sessions.rows_affected)
                })
            })
            .await
    }
}

async fn exchange(
    tx: &DatabaseTransaction,
    token: TokenHash,
    session: admin_session::Model,
    now: DateTime<Utc>,
) -> Result<Result<(), LinkError>, DbErr> {
    let taken = admin_link::Entity::update_many()
        .filter(admin_link::Column::TokenHash.eq(token.to_column()))
        .filter(admin_link::Column::UsedAt.is_null())
        .filter(admin_link::Column::ExpiresAt.gt(now))
        .col_expr(admin_link::Column::UsedAt, Expr::value(now))
        .exec(tx)
        .await?;
    if taken.rows_affected == 0 {
        let link = admin_link::Entity::find_by_id(token.to_column()).one(tx).await?;
        return Ok(Err(match link {
            None => LinkError::Unknown,
            Some(link) if link.used_at.is_some() => LinkError::Used,
            Some(_) => LinkError::Expired,
        }));
    }
    let row = admin_session::ActiveModel::from(session).reset_all();
    admin_session::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(Ok(()))
}
