//! Who may use which target: by a grant of their own, or by a group that both are in.
//!
//! What anybody granted is granted: of several ways the widest counts, with its own rules and its own end.

use crate::entity::{group, group_member, group_target, target_grant, user};
use crate::repo::group::{found, missing};
use crate::repo::person::{Done, written};
use crate::value::{from_json, moment, to_json};
use crate::{AuditEntry, Store, StoreError};
use chrono::{DateTime, Utc};
use model::{GroupId, Policy, TargetId, UserId};
use sea_orm::sea_query::{OnConflict, SelectStatement};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};
use std::cmp::Reverse;

/// By which way somebody may use a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Via {
    /// By a grant of their own.
    Direct,
    /// By this group.
    Group(GroupId),
}

/// The right to use a target.
#[derive(Clone, PartialEq, Debug)]
pub struct Grant {
    /// Whether it is for looking only.
    pub view_only: bool,
    /// From then on it is none; a session on it must be over, too.
    pub expires_at: Option<DateTime<Utc>>,
    /// The rules that the group sets for this target.
    pub policy: Option<Policy>,
    /// By which way.
    pub via: Via,
}

/// A person's own grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrantRow {
    /// Who.
    pub user: UserId,
    /// May use what.
    pub target: TargetId,
    /// For looking only.
    pub view_only: bool,
    /// Until when.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A target that the people of a group may use.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupTarget {
    /// Whose people.
    pub group: GroupId,
    /// May use what.
    pub target: TargetId,
    /// By which rules; none for the usual ones.
    pub policy: Option<Policy>,
}

/// Grants.
#[derive(Clone, Debug)]
pub struct Grants {
    store: Store,
}

impl Grants {
    pub(crate) fn new(store: Store) -> Self {
        Grants { store }
    }

    /// Lets a person use a target, or use it differently.
    ///
    /// # Errors
    /// [`crate::PeopleError::NotFound`] where one of them does not exist, or the database's.
    pub async fn set(&self, grant: GrantRow, audit: AuditEntry, now: DateTime<Utc>) -> Done<()> {
        use target_grant::Column;
        let row = target_grant::Model {
            user_id: grant.user.0,
            target_id: grant.target.0,
            view_only: grant.view_only,
            expires_at: grant.expires_at.map(moment),
        };
        self.store
            .write_audited(now, move |tx| {
                let (row, audit) = (row.clone(), audit.clone());
                Box::pin(async move {
                    let replace = OnConflict::columns([Column::UserId, Column::TargetId])
                        .update_columns([Column::ViewOnly, Column::ExpiresAt])
                        .to_owned();
                    target_grant::Entity::insert(target_grant::ActiveModel::from(row).reset_all())
                        .on_conflict(replace)
                        .exec_without_returning(tx)
                        .await?;
                    Ok(((), vec![audit]))
                })
            })
            .await
            .map_err(missing)
    }

    /// Withdraws a person's own grant; one by a group stays.
    ///
    /// # Errors
    /// [`crate::PeopleError::NotFound`] where there is none, or the database's.
    pub async fn remove(
        &self,
        user: UserId,
        target: TargetId,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Done<()> {
        self.store
            .write_audited(now, move |tx| {
                let audit = audit.clone();
                Box::pin(async move {
                    let done = target_grant::Entity::delete_by_id((user.0, target.0)).exec(tx).await?;
                    Ok(written(found(done.rows_affected), audit))
                })
            })
            .await?
    }

    /// Lets a group use a target, or use it differently.
    ///
    /// # Errors
    /// [`crate::PeopleError::NotFound`] where one of them does not exist, or the database's.
    pub async fn set_group(&self, grant: GroupTarget, audit: AuditEntry, now: DateTime<Utc>) -> Done<()> {
        use group_target::Column;
        let row = group_target::Model {
            group_id: grant.group.0,
            target_id: grant.target.0,
            policy: grant.policy.as_ref().map(to_json).transpose()?,
        };
        self.store
            .write_audited(now, move |tx| {
                let (row, audit) = (row.clone(), audit.clone());
                Box::pin(async move {
                    let replace = OnConflict::columns([Column::GroupId, Column::TargetId])
                        .update_column(Column::Policy)
                        .to_owned();
                    group_target::Entity::insert(group_target::ActiveModel::from(row).reset_all())
                        .on_conflict(replace)
                        .exec_without_returning(tx)
                        .await?;
                    Ok(((), vec![audit]))
                })
            })
            .await
            .map_err(missing)
    }

    /// Withdraws a group's grant.
    ///
    /// # Errors
    /// [`crate::PeopleError::NotFound`] where there is none, or the database's.
    pub async fn remove_group(
        &self,
        group: GroupId,
        target: TargetId,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Done<()> {
        self.store
            .write_audited(now, move |tx| {
                let audit = audit.clone();
                Box::pin(async move {
                    let done = group_target::Entity::delete_by_id((group.0, target.0)).exec(tx).await?;
                    Ok(written(found(done.rows_affected), audit))
                })
            })
            .await?
    }

    /// A person's own grants, also those that are over.
    ///
    /// # Errors
    /// The database's.
    pub async fn of_user(&self, user: UserId) -> Result<Vec<GrantRow>, StoreError> {
        let query = target_grant::Entity::find().filter(target_grant::Column::UserId.eq(user.0));
        let rows = self.store.read(|db| Box::pin(query.all(db))).await?;
        Ok(rows.into_iter().map(grant_row).collect())
    }

    /// People's own grants of a target, also those that are over.
    ///
    /// # Errors
    /// The database's.
    pub async fn of_target(&self, target: TargetId) -> Result<Vec<GrantRow>, StoreError> {
        let query = target_grant::Entity::find().filter(target_grant::Column::TargetId.eq(target.0));
        let rows = self.store.read(|db| Box::pin(query.all(db))).await?;
        Ok(rows.into_iter().map(grant_row).collect())
    }

    /// What a group may use.
    ///
    /// # Errors
    /// The database's.
    pub async fn of_group(&self, group: GroupId) -> Result<Vec<GroupTarget>, StoreError> {
        let query = group_target::Entity::find().filter(group_target::Column::GroupId.eq(group.0));
        let rows = self.store.read(|db| Box::pin(query.all(db))).await?;
        rows.into_iter().map(group_row).collect()
    }

    /// By what right a person may use a target now: the widest of all. Nobody who is disabled has one. What a role
    /// allows is not decided here.
    ///
    /// # Errors
    /// The database's.
    pub async fn of(
        &self,
        user: UserId,
        target: TargetId,
        now: DateTime<Utc>,
    ) -> Result<Option<Grant>, StoreError> {
        let direct = target_grant::Entity::find_by_id((user.0, target.0))
            .filter(unexpired(now))
            .filter(target_grant::Column::UserId.in_subquery(enabled(user)));
        let by_group = group_target::Entity::find()
            .filter(group_target::Column::TargetId.eq(target.0))
            .filter(group_target::Column::GroupId.in_subquery(groups_of(user, false)))
            .filter(sea_orm::sea_query::Expr::exists(enabled(user)))
            .order_by_asc(group_target::Column::GroupId);
        let (direct, by_group) = self
            .store
            .read(|db| Box::pin(async move { Ok((direct.one(db).await?, by_group.all(db).await?)) }))
            .await?;
        let direct = direct.map(|row| Grant {
            view_only: row.view_only,
            expires_at: row.expires_at,
            policy: None,
            via: Via::Direct,
        });
        let by_group: Vec<Grant> = by_group.into_iter().map(group_grant).collect::<Result<_, _>>()?;
        Ok(direct.into_iter().chain(by_group).max_by_key(width))
    }

    /// Whether a person looks after a target as operator of a group that has it.
    ///
    /// # Errors
    /// The database's.
    pub async fn operates(&self, operator: UserId, target: TargetId) -> Result<bool, StoreError> {
        let query = group_target::Entity::find()
            .filter(group_target::Column::TargetId.eq(target.0))
            .filter(group_target::Column::GroupId.in_subquery(groups_of(operator, true)));
        Ok(self.store.read(|db| Box::pin(query.one(db))).await?.is_some())
    }

    /// The groups that a person looks after.
    ///
    /// # Errors
    /// The database's.
    pub async fn operated_groups(&self, operator: UserId) -> Result<Vec<GroupId>, StoreError> {
        let query = group::Entity::find()
            .filter(group::Column::Id.in_subquery(groups_of(operator, true)))
            .order_by_asc(group::Column::NameKey);
        let rows = self.store.read(|db| Box::pin(query.all(db))).await?;
        Ok(rows.into_iter().map(|row| GroupId(row.id)).collect())
    }
}

/// Compares how much a grant allows. Of equal ones the person's own counts, which is the first one looked at.
fn width(grant: &Grant) -> impl Ord + use<> {
    let lasts = grant.expires_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
    (Reverse(grant.view_only), lasts, grant.via == Via::Direct)
}

fn unexpired(now: DateTime<Utc>) -> Condition {
    Condition::any()
        .add(target_grant::Column::ExpiresAt.is_null())
        .add(target_grant::Column::ExpiresAt.gt(moment(now)))
}

fn enabled(user: UserId) -> SelectStatement {
    user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(user::Column::Id.eq(user.0))
        .filter(user::Column::Disabled.eq(false))
        .into_query()
}

/// The groups of a person; with `operated` only those that they look after.
pub(crate) fn groups_of(user: UserId, operated: bool) -> SelectStatement {
    let operator = operated.then(|| group_member::Column::Operator.eq(true));
    group_member::Entity::find()
        .select_only()
        .column(group_member::Column::GroupId)
        .filter(group_member::Column::UserId.eq(user.0))
        .filter(Condition::all().add_option(operator))
        .into_query()
}

/// The targets of a person's own grants that are not over.
pub(crate) fn granted_to(user: UserId, now: DateTime<Utc>) -> SelectStatement {
    target_grant::Entity::find()
        .select_only()
        .column(target_grant::Column::TargetId)
        .filter(target_grant::Column::UserId.eq(user.0))
        .filter(unexpired(now))
        .into_query()
}

/// The targets of a person's groups; with `operated` only of those that they look after.
pub(crate) fn shared_with(user: UserId, operated: bool) -> SelectStatement {
    group_target::Entity::find()
        .select_only()
        .column(group_target::Column::TargetId)
        .filter(group_target::Column::GroupId.in_subquery(groups_of(user, operated)))
        .into_query()
}

fn grant_row(row: target_grant::Model) -> GrantRow {
    GrantRow {
        user: UserId(row.user_id),
        target: TargetId(row.target_id),
        view_only: row.view_only,
        expires_at: row.expires_at,
    }
}

fn group_row(row: group_target::Model) -> Result<GroupTarget, StoreError> {
    Ok(GroupTarget {
        group: GroupId(row.group_id),
        target: TargetId(row.target_id),
        policy: row.policy.map(|text| from_json(&text, "group_targets.policy")).transpose()?,
    })
}

fn group_grant(row: group_target::Model) -> Result<Grant, StoreError> {
    let row = group_row(row)?;
    Ok(Grant {
        view_only: row.policy.as_ref().is_some_and(|policy| policy.view_only),
        expires_at: None,
        policy: row.policy,
        via: Via::Group(row.group),
    })
}
