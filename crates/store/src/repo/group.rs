//! Groups: people on one side, targets on the other, and operators who look after both.

use crate::entity::{group, group_member, user};
use crate::repo::person::{Done, PeopleError, check_text, name_conflict, sought, written};
use crate::transaction::Transaction;
use crate::value::{containing, from_column, moment};
use crate::{AuditEntry, Listed, Store, StoreError, UserRecord, Window};
use chrono::{DateTime, Utc};
use model::name::{self, Name};
use model::{GroupId, UserId};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DbErr, EntityTrait, ExprTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};
use std::collections::HashMap;

/// The longest description, in bytes.
pub(crate) const MAX_DESCRIPTION: usize = 4000;

/// A group to add.
#[derive(Clone, Debug)]
pub struct NewGroup {
    /// Fresh.
    pub id: GroupId,
    /// Unique without regard to case.
    pub name: String,
    /// What it is for.
    pub description: String,
}

/// A group as stored.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupRecord {
    /// Its id.
    pub id: GroupId,
    /// Unique without regard to case.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Counts changes of name and description; a change names the one it saw.
    pub version: u64,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// When name or description last changed.
    pub updated_at: DateTime<Utc>,
}

/// What to change about a group; `None` leaves a field as it is.
#[derive(Clone, Default, Debug)]
pub struct GroupChange {
    /// New name.
    pub name: Option<String>,
    /// New description.
    pub description: Option<String>,
}

/// Somebody in a group.
#[derive(Clone, PartialEq, Debug)]
pub struct Member {
    /// Who.
    pub user: UserRecord,
    /// Whether they look after the group's targets and sessions; it takes the role of operator, too.
    pub operator: bool,
}

/// A group that somebody is in.
#[derive(Clone, PartialEq, Debug)]
pub struct Membership {
    /// Which.
    pub group: GroupRecord,
    /// As [`Member::operator`].
    pub operator: bool,
}

/// Groups.
#[derive(Clone, Debug)]
pub struct Groups {
    store: Store,
}

impl Groups {
    pub(crate) fn new(store: Store) -> Self {
        Groups { store }
    }

    /// Adds a group.
    ///
    /// # Errors
    /// [`PeopleError::NameTaken`], [`PeopleError::Name`], or the database's.
    pub async fn add(&self, new: NewGroup, audit: AuditEntry, now: DateTime<Utc>) -> Done<GroupRecord> {
        let name = Name::new(&new.name)?;
        check_text(&new.description, MAX_DESCRIPTION)?;
        let at = moment(now);
        let row = group::Model {
            id: new.id.0,
            name_key: name.key(),
            name: name.into(),
            description: new.description,
            version: 1,
            created_at: at,
            updated_at: at,
        };
        let stored = self
            .store
            .write_audited(now, move |tx| {
                let (row, audit) = (row.clone(), audit.clone());
                Box::pin(async move {
                    let stored = group::ActiveModel::from(row).reset_all().insert(tx).await?;
                    Ok((stored, vec![audit]))
                })
            })
            .await
            .map_err(name_conflict)?;
        Ok(record(stored))
    }

    /// The group of this id.
    ///
    /// # Errors
    /// The database's.
    pub async fn find(&self, id: GroupId) -> Result<Option<GroupRecord>, StoreError> {
        let row = self.store.read(|db| Box::pin(group::Entity::find_by_id(id.0).one(db))).await?;
        Ok(row.map(record))
    }

    /// The group of this name, without regard to case.
    ///
    /// # Errors
    /// The database's.
    pub async fn find_by_name(&self, name: &str) -> Result<Option<GroupRecord>, StoreError> {
        let Some(key) = sought(name) else { return Ok(None) };
        let query = group::Entity::find().filter(group::Column::NameKey.eq(key));
        Ok(self.store.read(|db| Box::pin(query.one(db))).await?.map(record))
    }

    /// Groups by name; with `search` those whose name has it in it, without regard to case.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(
        &self,
        search: Option<&str>,
        window: Window,
    ) -> Result<Listed<GroupRecord>, StoreError> {
        let search = search.map(name::key);
        let named = search.map(|text| Expr::col(group::Column::NameKey).like(containing(&text)));
        let all = group::Entity::find().filter(Condition::all().add_option(named));
        let query =
            all.clone().order_by_asc(group::Column::NameKey).offset(window.skipped()).limit(window.rows());
        let (rows, total) = self
            .store
            .read(|db| Box::pin(async move { Ok((query.all(db).await?, all.count(db).await?)) }))
            .await?;
        Ok(Listed { items: rows.into_iter().map(record).collect(), total })
    }

    /// Changes a group's entry that the caller saw as `version`.
    ///
    /// # Errors
    /// [`PeopleError`].
    pub async fn change(
        &self,
        id: GroupId,
        version: u64,
        change: GroupChange,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Done<GroupRecord> {
        let name = change.name.as_deref().map(Name::new).transpose()?.map(String::from);
        let change = GroupChange { name, ..change };
        if let Some(description) = &change.description {
            check_text(description, MAX_DESCRIPTION)?;
        }
        let at = moment(now);
        let outcome = self
            .store
            .write_audited(now, move |tx| {
                let (change, audit) = (change.clone(), audit.clone());
                Box::pin(async move {
                    let outcome = change_entry(tx, id, version, change, at).await?;
                    Ok(written(outcome, audit))
                })
            })
            .await
            .map_err(name_conflict)?;
        outcome.map(record)
    }

    /// Removes a group with its memberships and grants.
    ///
    /// # Errors
    /// [`PeopleError::NotFound`] or the database's.
    pub async fn remove(&self, id: GroupId, audit: AuditEntry, now: DateTime<Utc>) -> Done<()> {
        self.store
            .write_audited(now, move |tx| {
                let audit = audit.clone();
                Box::pin(async move {
                    let done = group::Entity::delete_by_id(id.0).exec(tx).await?;
                    Ok(written(found(done.rows_affected), audit))
                })
            })
            .await?
    }

    /// Takes a person into a group, or gives them another part in it.
    ///
    /// # Errors
    /// [`PeopleError::NotFound`] where one of them does not exist, or the database's.
    pub async fn set_member(
        &self,
        group: GroupId,
        user: UserId,
        operator: bool,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Done<()> {
        let row = group_member::Model { group_id: group.0, user_id: user.0, operator };
        self.store
            .write_audited(now, move |tx| {
                let (row, audit) = (row.clone(), audit.clone());
                Box::pin(async move {
                    let replace =
                        OnConflict::columns([group_member::Column::GroupId, group_member::Column::UserId])
                            .update_column(group_member::Column::Operator)
                            .to_owned();
                    group_member::Entity::insert(group_member::ActiveModel::from(row).reset_all())
                        .on_conflict(replace)
                        .exec_without_returning(tx)
                        .await?;
                    Ok(((), vec![audit]))
                })
            })
            .await
            .map_err(missing)
    }

    /// Takes a person out of a group.
    ///
    /// # Errors
    /// [`PeopleError::NotFound`] where the person is not in it, or the database's.
    pub async fn remove_member(
        &self,
        group: GroupId,
        user: UserId,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Done<()> {
        self.store
            .write_audited(now, move |tx| {
                let audit = audit.clone();
                Box::pin(async move {
                    let done = group_member::Entity::delete_by_id((group.0, user.0)).exec(tx).await?;
                    Ok(written(found(done.rows_affected), audit))
                })
            })
            .await?
    }

    /// Who is in a group, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn members(&self, group: GroupId) -> Result<Vec<Member>, StoreError> {
        let members = group_member::Entity::find().filter(group_member::Column::GroupId.eq(group.0));
        let parts = self.store.read(|db| Box::pin(members.all(db))).await?;
        let operators: HashMap<_, _> = parts.iter().map(|part| (part.user_id, part.operator)).collect();
        let users = user::Entity::find()
            .filter(
                user::Column::Id.in_subquery(
                    group_member::Entity::find()
                        .select_only()
                        .column(group_member::Column::UserId)
                        .filter(group_member::Column::GroupId.eq(group.0))
                        .into_query(),
                ),
            )
            .order_by_asc(user::Column::NameKey);
        let users = self.store.read(|db| Box::pin(users.all(db))).await?;
        users
            .into_iter()
            .map(|row| {
                let operator = operators.get(&row.id).copied().unwrap_or(false);
                Ok(Member { user: super::person::record(row)?, operator })
            })
            .collect()
    }

    /// Which groups a person is in, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn of_user(&self, user: UserId) -> Result<Vec<Membership>, StoreError> {
        let parts = group_member::Entity::find().filter(group_member::Column::UserId.eq(user.0));
        let parts = self.store.read(|db| Box::pin(parts.all(db))).await?;
        let operators: HashMap<_, _> = parts.iter().map(|part| (part.group_id, part.operator)).collect();
        if operators.is_empty() {
            return Ok(Vec::new());
        }
        let groups = group::Entity::find()
            .filter(group::Column::Id.is_in(operators.keys().copied()))
            .order_by_asc(group::Column::NameKey);
        let groups = self.store.read(|db| Box::pin(groups.all(db))).await?;
        let membership = |row: group::Model| {
            let operator = operators.get(&row.id).copied().unwrap_or(false);
            Membership { group: record(row), operator }
        };
        Ok(groups.into_iter().map(membership).collect())
    }
}

async fn change_entry(
    tx: &Transaction,
    id: GroupId,
    version: u64,
    change: GroupChange,
    now: DateTime<Utc>,
) -> Result<Done<group::Model>, DbErr> {
    let Some(mut row) = group::Entity::find_by_id(id.0).lock_exclusive().one(tx).await? else {
        return Ok(Err(PeopleError::NotFound));
    };
    if from_column(row.version) != version {
        return Ok(Err(PeopleError::ChangedMeanwhile));
    }
    if let Some(name) = change.name {
        row.name_key = name::key(&name);
        row.name = name;
    }
    if let Some(description) = change.description {
        row.description = description;
    }
    row.version = row.version.saturating_add(1);
    row.updated_at = now;
    Ok(Ok(row.into_active_model().reset_all().update(tx).await?))
}

pub(crate) fn found(rows: u64) -> Done<()> {
    if rows > 0 { Ok(()) } else { Err(PeopleError::NotFound) }
}

/// A row that refers to something that is not there.
pub(crate) fn missing(error: StoreError) -> PeopleError {
    match error {
        StoreError::Conflict(_) => PeopleError::NotFound,
        other => PeopleError::Store(other),
    }
}

fn record(row: group::Model) -> GroupRecord {
    GroupRecord {
        id: GroupId(row.id),
        name: row.name,
        description: row.description,
        version: from_column(row.version),
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
