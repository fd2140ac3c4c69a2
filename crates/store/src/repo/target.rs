//! Targets: where they are, what their entry allows, and the sealed secret to log in with.

use crate::entity::{sequence, target};
use crate::value::{from_json, moment, to_json};
use crate::{Sealed, Store, StoreError};
use chrono::{DateTime, Utc};
use model::target::{Address, Security};
use model::{Coded, TargetId};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait, QueryFilter,
    QueryOrder, Set,
};

/// A target to register. The id is made by the caller, because the sealed secret is bound to it.
#[derive(Clone, Debug)]
pub struct NewTarget {
    /// Fresh.
    pub id: TargetId,
    /// Unique among targets; what people type.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// What its entry allows.
    pub security: Security,
    /// For security types that ask for a name.
    pub username: Option<String>,
    /// The password, sealed.
    pub sealed_secret: Option<Sealed>,
}

/// A registered target.
#[derive(Clone, PartialEq, Debug)]
pub struct TargetRecord {
    /// Its id.
    pub id: TargetId,
    /// Small, counted from 1, permanent: never given to another target, also after this one is removed.
    pub number: u32,
    /// Unique name.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// What its entry allows.
    pub security: Security,
    /// For security types that ask for a name.
    pub username: Option<String>,
    /// The password, sealed.
    pub sealed_secret: Option<Sealed>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When its entry last changed.
    pub updated_at: DateTime<Utc>,
}

/// What to change about a target; `None` leaves a field as it is.
#[derive(Clone, Default, Debug)]
pub struct TargetChange {
    /// New name.
    pub name: Option<String>,
    /// New address.
    pub address: Option<Address>,
    /// New user name, or none.
    pub username: Option<Option<String>>,
    /// New sealed password, or none.
    pub sealed_secret: Option<Option<Sealed>>,
    /// New security settings, whole. To record what was seen of a target use [`Targets::update_security`].
    pub security: Option<Security>,
}

/// Why a target was not registered or renamed.
#[derive(Debug, thiserror::Error)]
pub enum AddTargetError {
    /// Another target has this name.
    #[error("a target of this name exists already; choose another name")]
    NameTaken,
    /// The name is empty, too long or has control characters.
    #[error("a target's name has 1 to 255 bytes and no control characters")]
    NameInvalid,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for AddTargetError {
    fn code(&self) -> &'static str {
        match self {
            AddTargetError::NameTaken => "target.name_taken",
            AddTargetError::NameInvalid => "target.name_invalid",
            AddTargetError::Store(error) => error.code(),
        }
    }
}

/// The longest name of a target, in bytes.
const MAX_NAME: usize = 255;
/// The row of `sequences` that numbers targets.
const NUMBER: &str = "target_number";

/// Registered targets.
#[derive(Clone, Debug)]
pub struct Targets {
    store: Store,
}

impl Targets {
    pub(crate) fn new(store: Store) -> Self {
        Targets { store }
    }

    /// Registers a target and gives it the next number.
    ///
    /// # Errors
    /// [`AddTargetError::NameTaken`], [`AddTargetError::NameInvalid`], or the database's.
    pub async fn add(&self, new: NewTarget, now: DateTime<Utc>) -> Result<TargetRecord, AddTargetError> {
        check_name(&new.name)?;
        let now = moment(now);
        let row = target::Model {
            id: new.id.0,
            number: 0,
            name: new.name,
            address: to_json(&new.address)?,
            security: to_json(&new.security)?,
            username: new.username,
            sealed_secret: new.sealed_secret.map(|s| s.0),
            created_at: now,
            updated_at: now,
        };
        let stored = self
            .store
            .write(move |tx| {
                let mut row = row.clone();
                Box::pin(async move {
                    row.number = next_number(tx).await?;
                    target::ActiveModel::from(row).reset_all().insert(tx).await
                })
            })
            .await
            .map_err(name_conflict)?;
        Ok(record(stored)?)
    }

    /// The target of this id.
    ///
    /// # Errors
    /// The database's.
    pub async fn find(&self, id: TargetId) -> Result<Option<TargetRecord>, StoreError> {
        let row = self.store.read(|db| Box::pin(target::Entity::find_by_id(id.0).one(db))).await?;
        row.map(record).transpose()
    }

    /// The target of this name, exactly as registered.
    ///
    /// # Errors
    /// The database's.
    pub async fn find_by_name(&self, name: &str) -> Result<Option<TargetRecord>, StoreError> {
        let query = target::Entity::find().filter(target::Column::Name.eq(name));
        self.store.read(|db| Box::pin(query.one(db))).await?.map(record).transpose()
    }

    /// The target of this number.
    ///
    /// # Errors
    /// The database's.
    pub async fn find_by_number(&self, number: u32) -> Result<Option<TargetRecord>, StoreError> {
        let Ok(number) = i32::try_from(number) else { return Ok(None) };
        let query = target::Entity::find().filter(target::Column::Number.eq(number));
        self.store.read(|db| Box::pin(query.one(db))).await?.map(record).transpose()
    }

    /// All targets in order of their numbers.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self) -> Result<Vec<TargetRecord>, StoreError> {
        let query = target::Entity::find().order_by_asc(target::Column::Number);
        self.store.read(|db| Box::pin(query.all(db))).await?.into_iter().map(record).collect()
    }

    /// Changes a target's entry; `None` when there is no such target.
    ///
    /// # Errors
    /// As [`Targets::add`].
    pub async fn change(
        &self,
        id: TargetId,
        change: TargetChange,
        now: DateTime<Utc>,
    ) -> Result<Option<TargetRecord>, AddTargetError> {
        let mut update = target::Entity::update_many()
            .filter(target::Column::Id.eq(id.0))
            .col_expr(target::Column::UpdatedAt, Expr::value(moment(now)));
        if let Some(name) = change.name {
            check_name(&name)?;
            update = update.col_expr(target::Column::Name, Expr::value(name));
        }
        if let Some(address) = &change.address {
            update = update.col_expr(target::Column::Address, Expr::value(to_json(address)?));
        }
        if let Some(username) = change.username {
            update = update.col_expr(target::Column::Username, Expr::value(username));
        }
        if let Some(sealed) = change.sealed_secret {
            update = update.col_expr(target::Column::SealedSecret, Expr::value(sealed.map(|s| s.0)));
        }
        if let Some(security) = &change.security {
            update = update.col_expr(target::Column::Security, Expr::value(to_json(security)?));
        }
        let rows = self
            .store
            .write(move |tx| Box::pin(update.clone().exec_with_returning(tx)))
            .await
            .map_err(name_conflict)?;
        Ok(rows.into_iter().next().map(record).transpose()?)
    }

    /// Changes security settings by what was seen of the target (a pin on first use, a stronger way). Reads and
    /// writes in one step of the one writer, so that two consoles that see a target first do not overwrite each
    /// other: `edit` gets what is stored now, and the outcome is stored if it differs.
    ///
    /// # Errors
    /// The database's; `None` when there is no such target.
    pub async fn update_security(
        &self,
        id: TargetId,
        edit: impl Fn(&mut Security) + Send + Sync + 'static,
        now: DateTime<Utc>,
    ) -> Result<Option<Security>, StoreError> {
        let edit = std::sync::Arc::new(edit);
        let now = moment(now);
        let text = self
            .store
            .write(move |tx| {
                let edit = std::sync::Arc::clone(&edit);
                Box::pin(async move { edit_security(tx, id, edit.as_ref(), now).await })
            })
            .await?;
        text.map(|text| from_json(&text, "targets.security")).transpose()
    }

    /// Removes a target with its tickets; its past sessions stay. Answers whether there was one.
    ///
    /// # Errors
    /// The database's.
    pub async fn remove(&self, id: TargetId) -> Result<bool, StoreError> {
        let done = self.store.write(move |tx| Box::pin(target::Entity::delete_by_id(id.0).exec(tx))).await?;
        Ok(done.rows_affected > 0)
    }
}

async fn next_number(tx: &DatabaseTransaction) -> Result<i32, DbErr> {
    let rows = sequence::Entity::update_many()
        .filter(sequence::Column::Name.eq(NUMBER))
        .col_expr(sequence::Column::Last, Expr::col(sequence::Column::Last).add(1))
        .exec_with_returning(tx)
        .await?;
    rows.first().map(|row| row.last).ok_or(DbErr::RecordNotUpdated)
}

async fn edit_security(
    tx: &DatabaseTransaction,
    id: TargetId,
    edit: &(dyn Fn(&mut Security) + Send + Sync),
    now: DateTime<Utc>,
) -> Result<Option<String>, DbErr> {
    use sea_orm::QuerySelect;
    // The lock matters on PostgreSQL, where another node has a writer of its own.
    let Some(row) = target::Entity::find_by_id(id.0).lock_exclusive().one(tx).await? else {
        return Ok(None);
    };
    let before: Security = serde_json::from_str(&row.security).map_err(|e| DbErr::Json(e.to_string()))?;
    let mut security = before.clone();
    edit(&mut security);
    if security == before {
        return Ok(Some(row.security));
    }
    let text = serde_json::to_string(&security).map_err(|e| DbErr::Json(e.to_string()))?;
    let changed = target::ActiveModel {
        id: Set(id.0),
        security: Set(text),
        updated_at: Set(now),
        ..Default::default()
    };
    Ok(Some(changed.update(tx).await?.security))
}

fn check_name(name: &str) -> Result<(), AddTargetError> {
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(AddTargetError::NameInvalid);
    }
    Ok(())
}

fn name_conflict(error: StoreError) -> AddTargetError {
    match error {
        StoreError::Conflict(_) => AddTargetError::NameTaken,
        other => AddTargetError::Store(other),
    }
}

fn record(row: target::Model) -> Result<TargetRecord, StoreError> {
    Ok(TargetRecord {
        id: TargetId(row.id),
        number: u32::try_from(row.number).map_err(|_| StoreError::Corrupt { column: "targets.number" })?,
        name: row.name,
        address: from_json(&row.address, "targets.address")?,
        security: from_json(&row.security, "targets.security")?,
        username: row.username,
        sealed_secret: row.sealed_secret.map(Sealed),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}
