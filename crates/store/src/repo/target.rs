//! Targets: where they are, what their entry allows, and the sealed secret to log in with.

use crate::entity::{sequence, target};
use crate::repo::access::{granted_to, shared_with};
use crate::repo::group::MAX_DESCRIPTION;
use crate::repo::person::{check_text, sought};
use crate::transaction::Transaction;
use crate::value::{containing, from_column, from_json, moment, to_json};
use crate::{AuditEntry, Grant, Grants, Listed, Sealed, Store, StoreError, Window, always, if_so};
use chrono::{DateTime, Utc};
use model::name::{self, Name, NameError};
use model::target::{Address, Identity, Kind, Origin, Security};
use model::{Coded, TargetId, UserId};
use sea_orm::sea_query::{Expr, Func};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DbErr, EntityTrait, ExprTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, Set,
};

/// A target to register. The id is made by the caller, because the sealed secret is bound to it.
#[derive(Clone, Debug)]
pub struct NewTarget {
    /// Fresh.
    pub id: TargetId,
    /// Unique among targets, as [`name::key`] compares names; what people type.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// Who says so.
    pub origin: Origin,
    /// What its entry allows.
    pub security: Security,
    /// For security types that ask for a name.
    pub username: Option<String>,
    /// The password, sealed.
    pub sealed_secret: Option<Sealed>,
    /// Words to find it by; kept in lower case.
    pub tags: Vec<String>,
    /// What it is, for people.
    pub description: String,
    /// Whether lists may show a picture of its screen.
    pub thumbnails: bool,
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
    /// Who says so, see [`TargetChange::address`].
    pub origin: Origin,
    /// What its entry allows.
    pub security: Security,
    /// For security types that ask for a name.
    pub username: Option<String>,
    /// The password, sealed.
    pub sealed_secret: Option<Sealed>,
    /// What it speaks.
    pub kind: Kind,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// What it is, for people.
    pub description: String,
    /// Whether lists may show a picture of its screen.
    pub thumbnails: bool,
    /// Counts changes of the entry; a change names the one it saw.
    pub version: u64,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// When its entry last changed.
    pub updated_at: DateTime<Utc>,
}

/// What to change about a target; `None` leaves a field as it is.
///
/// INVARIANT: a change of address, kind, identity or security floor, and leave to go without certificates, erases the
/// stored password and the pinned identity, unless the same change brings new ones: a secret never goes to a place that
/// it was not entered for.
#[derive(Clone, Default, Debug)]
pub struct TargetChange {
    /// The version that the caller saw; none where nobody looked.
    pub version: Option<u64>,
    /// New name.
    pub name: Option<String>,
    /// An address, and who enters it. The address that an administrator enters is theirs from then on, also where it
    /// was there already; by anybody else a new address becomes an operator's, and the same one stays whose it was.
    pub address: Option<(Address, Origin)>,
    /// New user name, or none.
    pub username: Option<Option<String>>,
    /// New sealed password, or none.
    pub sealed_secret: Option<Option<Sealed>>,
    /// New security settings, whole. To record what was seen of a target use [`Targets::update_security`].
    pub security: Option<Security>,
    /// New tags.
    pub tags: Option<Vec<String>>,
    /// New description.
    pub description: Option<String>,
    /// Whether lists may show a picture of its screen.
    pub thumbnails: Option<bool>,
}

/// Which targets to list.
#[derive(Clone, Default, Debug)]
pub struct TargetFilter {
    /// With this in name, description or address, without regard to case.
    pub search: Option<String>,
    /// With this tag.
    pub tag: Option<String>,
    /// That this person may use by a grant, at this moment.
    pub visible_to: Option<(UserId, DateTime<Utc>)>,
    /// That this person looks after as operator of a group.
    pub operated_by: Option<UserId>,
}

/// Why a target was not registered or renamed.
#[derive(Debug, thiserror::Error)]
pub enum AddTargetError {
    /// Another target has this name.
    #[error("a target of this name exists already; choose another name")]
    NameTaken,
    /// The name cannot be one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A tag, the user name or the description cannot be kept.
    #[error(
        "a target has at most 32 tags of 1 to 50 bytes, a user name of at most 255 and a description of at most 4000 bytes, without control characters"
    )]
    TextInvalid,
    /// Somebody else changed it since it was read.
    #[error("somebody else changed the target meanwhile; look at it again")]
    ChangedMeanwhile,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for AddTargetError {
    fn code(&self) -> &'static str {
        match self {
            AddTargetError::NameTaken => "target.name_taken",
            AddTargetError::Name(error) => error.code(),
            AddTargetError::TextInvalid => "target.text_invalid",
            AddTargetError::ChangedMeanwhile => "target.changed_meanwhile",
            AddTargetError::Store(error) => error.code(),
        }
    }
}

/// The most tags of a target.
const MAX_TAGS: usize = 32;
/// The longest name that a target is logged in to with, in bytes.
const MAX_USERNAME: usize = 255;
/// The longest tag, in bytes.
const MAX_TAG: usize = 50;
/// The row of `sequences` that numbers targets.
const NUMBER: &str = "target_number";

/// Registered targets.
#[derive(Clone, Debug)]
pub struct Targets {
    store: Store,
    audit: Vec<AuditEntry>,
}

impl Targets {
    pub(crate) fn new(store: Store) -> Self {
        Targets { store, audit: Vec::new() }
    }

    /// The same, with an entry that is written down with the next change, in its transaction, if it changes anything.
    #[must_use]
    pub fn audited(mut self, entry: AuditEntry) -> Self {
        self.audit.push(entry);
        self
    }

    /// Registers a target and gives it the next number.
    ///
    /// # Errors
    /// [`AddTargetError::NameTaken`], [`AddTargetError::Name`], or the database's.
    pub async fn add(&self, new: NewTarget, now: DateTime<Utc>) -> Result<TargetRecord, AddTargetError> {
        let name = Name::new(&new.name)?;
        check_username(new.username.as_deref())?;
        let (tags, description) = (tags(new.tags)?, description(new.description)?);
        let now = moment(now);
        let row = target::Model {
            id: new.id.0,
            number: 0,
            name_key: name.key(),
            name: name.into(),
            kind: Kind::of(&new.address).column().to_owned(),
            tags: to_json(&tags)?,
            description,
            thumbnails: new.thumbnails,
            version: 1,
            address: to_json(&new.address)?,
            origin: new.origin.column().to_owned(),
            security: to_json(&new.security)?,
            username: new.username,
            sealed_secret: new.sealed_secret.map(|s| s.0),
            created_at: now,
            updated_at: now,
        };
        let stored = self
            .store
            .write_with(&self.audit, now, always, move |tx| {
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

    /// The target of this name, as [`name::key`] compares names.
    ///
    /// # Errors
    /// The database's.
    pub async fn find_by_name(&self, name: &str) -> Result<Option<TargetRecord>, StoreError> {
        let Some(key) = sought(name) else { return Ok(None) };
        let query = target::Entity::find().filter(target::Column::NameKey.eq(key));
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

    /// Targets in order of their numbers.
    ///
    /// # Errors
    /// The database's.
    pub async fn page(
        &self,
        filter: &TargetFilter,
        window: Window,
    ) -> Result<Listed<TargetRecord>, StoreError> {
        let all = target::Entity::find().filter(condition(filter));
        let query =
            all.clone().order_by_asc(target::Column::Number).offset(window.skipped()).limit(window.rows());
        let (rows, total) = self
            .store
            .read(|db| Box::pin(async move { Ok((query.all(db).await?, all.count(db).await?)) }))
            .await?;
        Ok(Listed { items: rows.into_iter().map(record).collect::<Result<_, _>>()?, total })
    }

    /// The targets that a person may use by a grant now, in order of their numbers.
    ///
    /// # Errors
    /// The database's.
    pub async fn visible_to(
        &self,
        user: UserId,
        window: Window,
        now: DateTime<Utc>,
    ) -> Result<Listed<TargetRecord>, StoreError> {
        let filter = TargetFilter { visible_to: Some((user, now)), ..TargetFilter::default() };
        self.page(&filter, window).await
    }

    /// By what right a person may use a target now; see [`crate::Grants::of`].
    ///
    /// # Errors
    /// The database's.
    pub async fn grant_for(
        &self,
        user: UserId,
        target: TargetId,
        now: DateTime<Utc>,
    ) -> Result<Option<Grant>, StoreError> {
        Grants::new(self.store.clone()).of(user, target, now).await
    }

    /// Changes a target's entry; `None` when there is no such target.
    ///
    /// # Errors
    /// As [`Targets::add`], and [`AddTargetError::ChangedMeanwhile`].
    pub async fn change(
        &self,
        id: TargetId,
        change: TargetChange,
        now: DateTime<Utc>,
    ) -> Result<Option<TargetRecord>, AddTargetError> {
        check_username(change.username.as_ref().and_then(|name| name.as_deref()))?;
        let change = TargetChange {
            name: change.name.as_deref().map(Name::new).transpose()?.map(String::from),
            tags: change.tags.map(tags).transpose()?,
            description: change.description.map(description).transpose()?,
            ..change
        };
        let now = moment(now);
        let is_done = |changed: &Changed| matches!(changed, Changed::Done(_));
        let changed = self
            .store
            .write_with(&self.audit, now, is_done, move |tx| {
                let change = change.clone();
                Box::pin(async move { change_entry(tx, id, change, now).await })
            })
            .await
            .map_err(name_conflict)?;
        match changed {
            Changed::Done(row) => Ok(Some(record(*row)?)),
            Changed::Meanwhile => Err(AddTargetError::ChangedMeanwhile),
            Changed::Gone => Ok(None),
        }
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
    pub async fn remove(&self, id: TargetId, now: DateTime<Utc>) -> Result<bool, StoreError> {
        self.store
            .write_with(&self.audit, now, if_so, move |tx| {
                Box::pin(
                    async move { Ok(target::Entity::delete_by_id(id.0).exec(tx).await?.rows_affected > 0) },
                )
            })
            .await
    }
}

enum Changed {
    Done(Box<target::Model>),
    Meanwhile,
    Gone,
}

async fn change_entry(
    tx: &Transaction,
    id: TargetId,
    change: TargetChange,
    now: DateTime<Utc>,
) -> Result<Changed, DbErr> {
    let Some(row) = target::Entity::find_by_id(id.0).lock_exclusive().one(tx).await? else {
        return Ok(Changed::Gone);
    };
    if change.version.is_some_and(|seen| seen != from_column(row.version)) {
        return Ok(Changed::Meanwhile);
    }
    let row = changed_row(row, change, now).map_err(|error| DbErr::Json(error.to_string()))?;
    Ok(Changed::Done(Box::new(row.into_active_model().reset_all().update(tx).await?)))
}

fn changed_row(
    mut row: target::Model,
    change: TargetChange,
    now: DateTime<Utc>,
) -> Result<target::Model, serde_json::Error> {
    let before: Security = serde_json::from_str(&row.security)?;
    let mut security = change.security.unwrap_or_else(|| before.clone());
    let (address, entered_by): (Address, _) = match change.address {
        Some((address, origin)) => (address, Some(origin)),
        None => (serde_json::from_str(&row.address)?, None),
    };
    let moved = serde_json::to_string(&address)? != row.address;
    if let Some(origin) = entered_by.filter(|&origin| moved || origin == Origin::Administrator) {
        row.origin = origin.column().to_owned();
    }
    // Without certificates anybody on the way can be the target.
    let anybody = security.anonymous_tls && !before.anonymous_tls;
    let is_another =
        moved || anybody || security.identity != before.identity || security.floor != before.floor;
    if is_another && matches!(security.identity, Identity::Pinned(_)) && security.identity == before.identity
    {
        // The next *test connection* shows what there is now.
        security.identity = Identity::FirstUse;
    }
    if moved {
        security.seen = None;
    }
    if is_another {
        row.sealed_secret = None;
    }
    if let Some(sealed) = change.sealed_secret {
        row.sealed_secret = sealed.map(|sealed| sealed.0);
    }
    row.address = serde_json::to_string(&address)?;
    row.security = serde_json::to_string(&security)?;
    row.kind = Kind::of(&address).column().to_owned();
    row.name = change.name.unwrap_or(row.name);
    row.name_key = name::key(&row.name);
    row.username = change.username.unwrap_or(row.username);
    row.tags = change.tags.map_or(Ok(row.tags), |tags| serde_json::to_string(&tags))?;
    row.description = change.description.unwrap_or(row.description);
    row.thumbnails = change.thumbnails.unwrap_or(row.thumbnails);
    row.version = row.version.saturating_add(1);
    row.updated_at = now;
    Ok(row)
}

fn condition(filter: &TargetFilter) -> Condition {
    use target::Column;
    let found = |text: &String| {
        let named = Expr::col(Column::NameKey).like(containing(&name::key(text)));
        let pattern = text.to_lowercase();
        [Column::Description, Column::Address].into_iter().fold(Condition::any().add(named), |any, column| {
            any.add(Func::lower(Expr::col(column)).like(containing(&pattern)))
        })
    };
    let tagged = |tag: &String| {
        // Tags have no quotation marks, so that a quoted one is found whole.
        Expr::col(Column::Tags).like(containing(&format!("\"{}\"", fold_tag(tag))))
    };
    let visible = |(user, now)| {
        Condition::any()
            .add(Column::Id.in_subquery(granted_to(user, now)))
            .add(Column::Id.in_subquery(shared_with(user, false)))
    };
    Condition::all()
        .add_option(filter.search.as_ref().map(found))
        .add_option(filter.tag.as_ref().map(tagged))
        .add_option(filter.visible_to.map(visible))
        .add_option(filter.operated_by.map(|user| Column::Id.in_subquery(shared_with(user, true))))
}

fn fold_tag(tag: &str) -> String {
    tag.trim().to_lowercase()
}

/// Tags as they are stored: in lower case, each once.
fn tags(tags: Vec<String>) -> Result<Vec<String>, AddTargetError> {
    let mut folded: Vec<String> = tags.iter().map(|tag| fold_tag(tag)).collect();
    folded.sort();
    folded.dedup();
    let bad = |c: char| c.is_control() || matches!(c, '"' | '\\');
    let is_bad = |tag: &String| tag.is_empty() || tag.len() > MAX_TAG || tag.chars().any(bad);
    if folded.len() > MAX_TAGS || folded.iter().any(is_bad) {
        return Err(AddTargetError::TextInvalid);
    }
    Ok(folded)
}

fn description(text: String) -> Result<String, AddTargetError> {
    check_text(&text, MAX_DESCRIPTION).map_err(|_| AddTargetError::TextInvalid)?;
    Ok(text)
}

async fn next_number(tx: &Transaction) -> Result<i32, DbErr> {
    let rows = sequence::Entity::update_many()
        .filter(sequence::Column::Name.eq(NUMBER))
        .col_expr(sequence::Column::Last, Expr::col(sequence::Column::Last).add(1))
        .exec_with_returning(tx)
        .await?;
    rows.first().map(|row| row.last).ok_or(DbErr::RecordNotUpdated)
}

async fn edit_security(
    tx: &Transaction,
    id: TargetId,
    edit: &(dyn Fn(&mut Security) + Send + Sync),
    now: DateTime<Utc>,
) -> Result<Option<String>, DbErr> {
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
        // Whoever has read the entry before must look again, or would write over what was seen.
        version: Set(row.version.saturating_add(1)),
        updated_at: Set(now),
        ..Default::default()
    };
    Ok(Some(changed.update(tx).await?.security))
}

/// What a target is logged in to with may be any text that can be typed.
fn check_username(name: Option<&str>) -> Result<(), AddTargetError> {
    match name {
        Some(name) if name.len() > MAX_USERNAME || name.chars().any(char::is_control) => {
            Err(AddTargetError::TextInvalid)
        }
        _ => Ok(()),
    }
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
        origin: Origin::from_column(&row.origin).ok_or(StoreError::Corrupt { column: "targets.origin" })?,
        security: from_json(&row.security, "targets.security")?,
        username: row.username,
        sealed_secret: row.sealed_secret.map(Sealed),
        kind: Kind::from_column(&row.kind).ok_or(StoreError::Corrupt { column: "targets.kind" })?,
        tags: from_json(&row.tags, "targets.tags")?,
        description: row.description,
        thumbnails: row.thumbnails,
        version: from_column(row.version),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}
