//! Everything in the database that is sealed, for when the key is changed.
//!
//! Successors of refresh tokens are left out: they are of use for ten seconds, and whoever needs one logs in again.

use crate::entity::{target, ticket};
use crate::transaction::Transaction;
use crate::{AuditEntry, Sealed, Store, StoreError};
use chrono::{DateTime, Utc};
use model::{TargetId, TicketId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};

/// Where a sealed value is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SealedAt {
    /// The password of a target.
    Target(TargetId),
    /// The one-time password of a ticket.
    Ticket(TicketId),
}

/// A value to be replaced.
#[derive(Clone, Debug)]
pub struct Resealed {
    /// Where it is.
    pub at: SealedAt,
    /// What stands there; if it is something else by then it stays.
    pub old: Sealed,
    /// What is to stand there.
    pub new: Sealed,
}

/// Sealed values.
#[derive(Clone, Debug)]
pub struct SealedValues {
    store: Store,
}

impl SealedValues {
    pub(crate) fn new(store: Store) -> Self {
        SealedValues { store }
    }

    /// All of them.
    ///
    /// # Errors
    /// The database's.
    pub async fn all(&self) -> Result<Vec<(SealedAt, Sealed)>, StoreError> {
        let targets = target::Entity::find().filter(target::Column::SealedSecret.is_not_null());
        let tickets = ticket::Entity::find().filter(ticket::Column::SealedVncPassword.is_not_null());
        let (targets, tickets) = self
            .store
            .read(|db| Box::pin(async move { Ok((targets.all(db).await?, tickets.all(db).await?)) }))
            .await?;
        let of_target =
            |row: target::Model| Some((SealedAt::Target(TargetId(row.id)), Sealed(row.sealed_secret?)));
        let of_ticket =
            |row: ticket::Model| Some((SealedAt::Ticket(TicketId(row.id)), Sealed(row.sealed_vnc_password?)));
        Ok(targets
            .into_iter()
            .filter_map(of_target)
            .chain(tickets.into_iter().filter_map(of_ticket))
            .collect())
    }

    /// Replaces values, all of them or none; answers how many still were what they should be.
    ///
    /// # Errors
    /// The database's.
    pub async fn replace(
        &self,
        values: Vec<Resealed>,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        self.store
            .write_audited(now, move |tx| {
                let (values, audit) = (values.clone(), audit.clone());
                Box::pin(async move {
                    let mut replaced = 0_u64;
                    for value in values {
                        replaced = replaced.saturating_add(replace(tx, value).await?);
                    }
                    Ok((replaced, vec![audit]))
                })
            })
            .await
    }
}

async fn replace(tx: &Transaction, value: Resealed) -> Result<u64, DbErr> {
    let (old, new) = (value.old.0, value.new.0);
    let done = match value.at {
        SealedAt::Target(id) => {
            target::Entity::update_many()
                .filter(target::Column::Id.eq(id.0))
                .filter(target::Column::SealedSecret.eq(old))
                .col_expr(target::Column::SealedSecret, Expr::value(new))
                .exec(tx)
                .await?
        }
        SealedAt::Ticket(id) => {
            ticket::Entity::update_many()
                .filter(ticket::Column::Id.eq(id.0))
                .filter(ticket::Column::SealedVncPassword.eq(old))
                .col_expr(ticket::Column::SealedVncPassword, Expr::value(new))
                .exec(tx)
                .await?
        }
    };
    Ok(done.rows_affected)
}
