//! People: who can log in, what they are here, and how they leave.
//!
//! A person has two ids: the one that the API shows, and the subject id that sessions and the audit log carry. When a
//! person is erased nothing leads from the second to them any more.

use crate::entity::{audit_person, login_session, refresh_token, ticket, user, vnc_session};
use crate::repo::audit;
use crate::transaction::Transaction;
use crate::value::{containing, from_column, moment};
use crate::{AuditEntry, Listed, Store, StoreError, TokenHash, Window};
use chrono::{DateTime, Utc};
use model::name::{self, Name, NameError};
use model::{Coded, Role, Secret, SubjectId, UserId};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DbErr, EntityTrait, ExprTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use std::collections::HashMap;

/// The longest display name, in bytes.
const MAX_NAME: usize = 255;
/// The longest name of a language, in bytes.
const MAX_LANGUAGE: usize = 20;
/// What stands in a session for the person who was erased.
const ERASED: &str = "erased";
/// What stands in a session for the address of a person who was erased.
const NOWHERE: &str = "0.0.0.0";

/// Whose something is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Owner {
    /// The person's entry.
    pub user: UserId,
    /// The person in sessions and in the audit log.
    pub subject: SubjectId,
}

/// A person to add.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Fresh.
    pub id: UserId,
    /// Fresh and random; not derived from the id.
    pub subject: SubjectId,
    /// What the person logs in with; unique without regard to case.
    pub name: String,
    /// What others see.
    pub display_name: String,
    /// As `auth::password` made it; none for a person who cannot log in by password yet.
    pub password_hash: Option<Secret>,
    /// What the person is here.
    pub role: Role,
    /// The language of the interface, where the person chose one.
    pub language: Option<String>,
}

/// A person as stored.
#[derive(Clone, PartialEq, Debug)]
pub struct UserRecord {
    /// The entry's id.
    pub id: UserId,
    /// The person in sessions and in the audit log.
    pub subject: SubjectId,
    /// What the person logs in with.
    pub name: String,
    /// What others see.
    pub display_name: String,
    /// The password's hash.
    pub password_hash: Option<Secret>,
    /// What the person is here.
    pub role: Role,
    /// Whether the person may not log in.
    pub disabled: bool,
    /// Counts changes of the entry; a change names the one it saw.
    pub version: u64,
    /// Counts how often all log-ins of the person were ended; every cookie and token carries it.
    pub session_version: u64,
    /// When the person was added.
    pub created_at: DateTime<Utc>,
    /// When the entry last changed.
    pub updated_at: DateTime<Utc>,
    /// When the person last logged in.
    pub last_login_at: Option<DateTime<Utc>>,
    /// The language of the interface.
    pub language: Option<String>,
}

impl UserRecord {
    /// Whose sessions and tickets theirs are.
    pub fn owner(&self) -> Owner {
        Owner { user: self.id, subject: self.subject }
    }
}

/// What to change about a person; `None` leaves a field as it is.
#[derive(Clone, Default, Debug)]
pub struct UserChange {
    /// New name.
    pub name: Option<String>,
    /// New display name.
    pub display_name: Option<String>,
    /// New role.
    pub role: Option<Role>,
    /// May no longer log in, or may again. Disabling ends all log-ins and withdraws tickets.
    pub disabled: Option<bool>,
    /// New language, or none.
    pub language: Option<Option<String>>,
}

/// Which people to list.
#[derive(Clone, Default, Debug)]
pub struct UserFilter {
    /// Whose name has this in it, without regard to case.
    pub search: Option<String>,
    /// Of this role.
    pub role: Option<Role>,
    /// Who may or may not log in.
    pub disabled: Option<bool>,
}

/// Why people, groups or grants were not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PeopleError {
    /// Another one has this name.
    #[error("this name is taken; choose another one")]
    NameTaken,
    /// The name cannot be one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A text cannot be kept as it is.
    #[error("a text is too long, or has characters that cannot be seen; write it anew")]
    TextInvalid,
    /// There is no such person, group, member, grant or target.
    #[error("it does not exist, or no longer")]
    NotFound,
    /// Somebody else changed it since it was read.
    #[error("somebody else changed it meanwhile; look at it again")]
    ChangedMeanwhile,
    /// Nobody would be left who may administer.
    #[error("this is the last administrator who can log in; make another one first")]
    LastAdmin,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for PeopleError {
    fn code(&self) -> &'static str {
        match self {
            PeopleError::NameTaken => "people.name_taken",
            PeopleError::Name(error) => error.code(),
            PeopleError::TextInvalid => "people.text_invalid",
            PeopleError::NotFound => "people.not_found",
            PeopleError::ChangedMeanwhile => "people.changed_meanwhile",
            PeopleError::LastAdmin => "people.last_admin",
            PeopleError::Store(error) => error.code(),
        }
    }
}

/// The key of a name that somebody typed to find what has it; none where nothing can.
pub(crate) fn sought(name: &str) -> Option<String> {
    // No name has a NUL, and PostgreSQL refuses to be asked. None is so long either, however it was composed, and to
    // fold what strangers type costs.
    let possible = !name.contains('\0') && name.len() <= 4 * name::MAX_KEY;
    possible.then(|| name::key(name))
}

/// A text that people read: no control characters but line ends, none that turn text around.
pub(crate) fn check_text(text: &str, most: usize) -> Result<(), PeopleError> {
    let bad =
        |c: char| (c.is_control() && c != '\n') || matches!(u32::from(c), 0x202a..=0x202e | 0x2066..=0x2069);
    if text.len() > most || text.chars().any(bad) {
        return Err(PeopleError::TextInvalid);
    }
    Ok(())
}

/// What a change of one person's rows found.
pub(crate) type Done<T> = Result<T, PeopleError>;

/// People.
#[derive(Clone, Debug)]
pub struct People {
    store: Store,
}

impl People {
    pub(crate) fn new(store: Store) -> Self {
        People { store }
    }

    /// Groups of people and targets.
    pub fn groups(&self) -> crate::Groups {
        crate::Groups::new(self.store.clone())
    }

    /// Who may use which target.
    pub fn grants(&self) -> crate::Grants {
        crate::Grants::new(self.store.clone())
    }

    /// Adds a person.
    ///
    /// # Errors
    /// [`PeopleError::NameTaken`], [`PeopleError::Name`], or the database's.
    pub async fn add(&self, new: NewUser, audit: AuditEntry, now: DateTime<Utc>) -> Done<UserRecord> {
        let new = NewUser { name: Name::of_person(&new.name)?.into(), ..new };
        check_text(&new.display_name, MAX_NAME)?;
        check_text(new.language.as_deref().unwrap_or_default(), MAX_LANGUAGE)?;
        let row = new_row(new, moment(now));
        let stored = self
            .store
            .write_audited(now, move |tx| {
                let (row, audit) = (row.clone(), audit.clone());
                Box::pin(async move {
                    let stored = user::ActiveModel::from(row).reset_all().insert(tx).await?;
                    Ok((stored, vec![audit]))
                })
            })
            .await
            .map_err(name_conflict)?;
        Ok(record(stored)?)
    }

    /// The person of this id.
    ///
    /// # Errors
    /// The database's.
    pub async fn find(&self, id: UserId) -> Result<Option<UserRecord>, StoreError> {
        let row = self.store.read(|db| Box::pin(user::Entity::find_by_id(id.0).one(db))).await?;
        row.map(record).transpose()
    }

    /// The person who logs in with this name, without regard to case.
    ///
    /// # Errors
    /// The database's.
    pub async fn find_by_name(&self, name: &str) -> Result<Option<UserRecord>, StoreError> {
        let Some(key) = sought(name) else { return Ok(None) };
        let query = user::Entity::find().filter(user::Column::NameKey.eq(key));
        self.store.read(|db| Box::pin(query.one(db))).await?.map(record).transpose()
    }

    /// The people of these subject ids who were not removed, for pages that show who did something.
    ///
    /// # Errors
    /// The database's.
    pub async fn by_subjects(
        &self,
        subjects: &[SubjectId],
    ) -> Result<HashMap<SubjectId, UserRecord>, StoreError> {
        if subjects.is_empty() {
            return Ok(HashMap::new());
        }
        let query = user::Entity::find()
            .filter(user::Column::SubjectId.is_in(subjects.iter().map(|subject| subject.0)));
        let rows = self.store.read(|db| Box::pin(query.all(db))).await?;
        rows.into_iter().map(|row| Ok((SubjectId(row.subject_id), record(row)?))).collect()
    }

    /// People by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self, filter: &UserFilter, window: Window) -> Result<Listed<UserRecord>, StoreError> {
        let all = user::Entity::find().filter(condition(filter));
        let query =
            all.clone().order_by_asc(user::Column::NameKey).offset(window.skipped()).limit(window.rows());
        let (rows, total) = self
            .store
            .read(|db| Box::pin(async move { Ok((query.all(db).await?, all.count(db).await?)) }))
            .await?;
        let items = rows.into_iter().map(record).collect::<Result<_, _>>()?;
        Ok(Listed { items, total })
    }

    /// How many people there are, for the first run.
    ///
    /// # Errors
    /// The database's.
    pub async fn count(&self) -> Result<u64, StoreError> {
        self.store.read(|db| Box::pin(user::Entity::find().count(db))).await
    }

    /// Changes a person's entry that the caller saw as `version`.
    ///
    /// # Errors
    /// [`PeopleError`].
    pub async fn change(
        &self,
        id: UserId,
        version: u64,
        change: UserChange,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Done<UserRecord> {
        let name = change.name.as_deref().map(Name::of_person).transpose()?.map(String::from);
        let change = UserChange { name, ..change };
        if let Some(name) = &change.display_name {
            check_text(name, MAX_NAME)?;
        }
        if let Some(Some(language)) = &change.language {
            check_text(language, MAX_LANGUAGE)?;
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
        Ok(record(outcome?)?)
    }

    /// Sets or removes a password and ends all log-ins of the person but the one of the cookie in `keep`.
    ///
    /// # Errors
    /// [`PeopleError::NotFound`] or the database's.
    pub async fn set_password(
        &self,
        id: UserId,
        password_hash: Option<Secret>,
        keep: Option<TokenHash>,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Done<UserRecord> {
        let at = moment(now);
        let outcome = self
            .store
            .write_audited(now, move |tx| {
                let (hash, audit) = (password_hash.clone(), audit.clone());
                Box::pin(async move {
                    let Some(mut row) = locked(tx, id).await? else {
                        return Ok((Err(PeopleError::NotFound), Vec::new()));
                    };
                    end_logins(tx, &mut row, keep).await?;
                    row.password_hash = hash.map(|hash| hash.expose().to_owned());
                    Ok((Ok(save(tx, row, at).await?), vec![audit]))
                })
            })
            .await?;
        Ok(record(outcome?)?)
    }

    /// Replaces the hash of a password that stays the same, if it still is `old`: the cost of hashing was raised.
    ///
    /// # Errors
    /// The database's.
    pub async fn rehash(&self, id: UserId, old: Secret, new: Secret) -> Result<bool, StoreError> {
        let update = user::Entity::update_many()
            .filter(user::Column::Id.eq(id.0))
            .filter(user::Column::PasswordHash.eq(old.expose()))
            .col_expr(user::Column::PasswordHash, Expr::value(new.expose().to_owned()));
        let done = self.store.write(move |tx| Box::pin(update.clone().exec(tx))).await?;
        Ok(done.rows_affected > 0)
    }

    /// Ends all log-ins of a person: cookies, refresh tokens and, by the session version, access tokens.
    ///
    /// # Errors
    /// [`PeopleError::NotFound`] or the database's.
    pub async fn log_out(&self, id: UserId, audit: AuditEntry, now: DateTime<Utc>) -> Done<UserRecord> {
        let outcome = self
            .store
            .write_audited(now, move |tx| {
                let audit = audit.clone();
                Box::pin(async move {
                    let Some(mut row) = locked(tx, id).await? else {
                        return Ok((Err(PeopleError::NotFound), Vec::new()));
                    };
                    end_logins(tx, &mut row, None).await?;
                    let at = row.updated_at;
                    Ok((Ok(save(tx, row, at).await?), vec![audit]))
                })
            })
            .await?;
        Ok(record(outcome?)?)
    }

    /// Removes a person with log-ins, tokens, grants, memberships and tickets. Sessions and the audit log still say
    /// who it was. Running sessions are the caller's to end.
    ///
    /// # Errors
    /// [`PeopleError::NotFound`], [`PeopleError::LastAdmin`], or the database's.
    pub async fn remove(&self, id: UserId, audit: AuditEntry, now: DateTime<Utc>) -> Done<UserRecord> {
        let outcome = self
            .store
            .write_audited(now, move |tx| {
                let audit = audit.clone();
                Box::pin(async move { Ok(written(remove(tx, id).await?, audit)) })
            })
            .await?;
        Ok(record(outcome?)?)
    }

    /// Removes a person and everything that leads from a subject id to them: names and addresses beside the audit
    /// log, and in past sessions. The chain stays whole. Running sessions are the caller's to end, before.
    ///
    /// # Errors
    /// As [`People::remove`].
    pub async fn erase(&self, id: UserId, audit: AuditEntry, now: DateTime<Utc>) -> Done<SubjectId> {
        self.store
            .write_audited(now, move |tx| {
                let audit = audit.clone();
                Box::pin(async move {
                    let outcome = match remove(tx, id).await? {
                        Ok(row) => Ok(erase_traces(tx, SubjectId(row.subject_id)).await?),
                        Err(refused) => Err(refused),
                    };
                    let audit = forgetting(audit, &outcome);
                    Ok(written(outcome, audit))
                })
            })
            .await?
    }

    /// As [`People::erase`], for a person who was removed before.
    ///
    /// # Errors
    /// [`PeopleError::NotFound`] where nothing leads to anybody, or the database's.
    pub async fn erase_subject(
        &self,
        subject: SubjectId,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Done<SubjectId> {
        self.store
            .write_audited(now, move |tx| {
                let audit = audit.clone();
                Box::pin(async move {
                    let known = user::Entity::find().filter(user::Column::SubjectId.eq(subject.0));
                    if known.one(tx).await?.is_some() || !has_traces(tx, subject).await? {
                        return Ok((Err(PeopleError::NotFound), Vec::new()));
                    }
                    let outcome = Ok(erase_traces(tx, subject).await?);
                    let audit = forgetting(audit, &outcome);
                    Ok(written(outcome, audit))
                })
            })
            .await?
    }
}

/// A refused change is not written down as done.
pub(crate) fn written<T>(outcome: Done<T>, audit: AuditEntry) -> (Done<T>, Vec<AuditEntry>) {
    let entries = if outcome.is_ok() { vec![audit] } else { Vec::new() };
    (outcome, entries)
}

/// The entry about an erasure must not bring back what was erased.
fn forgetting(audit: AuditEntry, erased: &Done<SubjectId>) -> AuditEntry {
    match erased {
        Ok(subject) => audit.without(*subject),
        Err(_) => audit,
    }
}

pub(crate) async fn locked(tx: &Transaction, id: UserId) -> Result<Option<user::Model>, DbErr> {
    user::Entity::find_by_id(id.0).lock_exclusive().one(tx).await
}

async fn save(tx: &Transaction, mut row: user::Model, now: DateTime<Utc>) -> Result<user::Model, DbErr> {
    row.version = row.version.saturating_add(1);
    row.updated_at = now;
    row.into_active_model().reset_all().update(tx).await
}

async fn change_entry(
    tx: &Transaction,
    id: UserId,
    version: u64,
    change: UserChange,
    now: DateTime<Utc>,
) -> Result<Done<user::Model>, DbErr> {
    let Some(mut row) = locked(tx, id).await? else { return Ok(Err(PeopleError::NotFound)) };
    if from_column(row.version) != version {
        return Ok(Err(PeopleError::ChangedMeanwhile));
    }
    let was_admin = is_active_admin(&row);
    if let Some(name) = change.name {
        row.name_key = name::key(&name);
        row.name = name;
    }
    if let Some(display_name) = change.display_name {
        row.display_name = display_name;
    }
    if let Some(role) = change.role {
        row.role = role.column().to_owned();
    }
    if let Some(language) = change.language {
        row.language = language;
    }
    if let Some(disabled) = change.disabled {
        if disabled && !row.disabled {
            end_logins(tx, &mut row, None).await?;
            withdraw_tickets(tx, id).await?;
        }
        row.disabled = disabled;
    }
    if was_admin && !is_active_admin(&row) && !has_another_admin(tx, id).await? {
        return Ok(Err(PeopleError::LastAdmin));
    }
    Ok(Ok(save(tx, row, now).await?))
}

fn is_active_admin(row: &user::Model) -> bool {
    row.role == Role::Admin.column() && !row.disabled
}

/// Two administrators who demote each other at once do so one after the other, for both hold the audit log's end.
async fn has_another_admin(tx: &Transaction, id: UserId) -> Result<bool, DbErr> {
    let others = user::Entity::find()
        .filter(user::Column::Id.ne(id.0))
        .filter(user::Column::Role.eq(Role::Admin.column()))
        .filter(user::Column::Disabled.eq(false));
    Ok(others.one(tx).await?.is_some())
}

/// Every cookie and token of the person is of an older session version from here on; what is kept gets the new one.
async fn end_logins(tx: &Transaction, row: &mut user::Model, keep: Option<TokenHash>) -> Result<(), DbErr> {
    row.session_version = row.session_version.saturating_add(1);
    let kept = keep.map(TokenHash::to_column);
    login_session::Entity::delete_many()
        .filter(login_session::Column::UserId.eq(row.id))
        .filter(
            Condition::all()
                .add_option(kept.clone().map(|cookie| login_session::Column::CookieHash.ne(cookie))),
        )
        .exec(tx)
        .await?;
    if kept.is_some() {
        login_session::Entity::update_many()
            .filter(login_session::Column::UserId.eq(row.id))
            .col_expr(login_session::Column::Version, Expr::value(row.session_version))
            .exec(tx)
            .await?;
    }
    refresh_token::Entity::delete_many().filter(refresh_token::Column::UserId.eq(row.id)).exec(tx).await?;
    Ok(())
}

/// Tickets that were not taken are not taken any more.
async fn withdraw_tickets(tx: &Transaction, id: UserId) -> Result<(), DbErr> {
    ticket::Entity::delete_many()
        .filter(ticket::Column::UserId.eq(id.0))
        .filter(ticket::Column::TakenAt.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

async fn remove(tx: &Transaction, id: UserId) -> Result<Done<user::Model>, DbErr> {
    let Some(row) = locked(tx, id).await? else { return Ok(Err(PeopleError::NotFound)) };
    if is_active_admin(&row) && !has_another_admin(tx, id).await? {
        return Ok(Err(PeopleError::LastAdmin));
    }
    ticket::Entity::delete_many().filter(ticket::Column::UserId.eq(id.0)).exec(tx).await?;
    user::Entity::delete_by_id(id.0).exec(tx).await?;
    Ok(Ok(row))
}

async fn has_traces(tx: &Transaction, subject: SubjectId) -> Result<bool, DbErr> {
    let session = vnc_session::Entity::find().filter(vnc_session::Column::SubjectId.eq(subject.0));
    let person = audit_person::Entity::find().filter(audit_person::Column::SubjectId.eq(subject.0));
    Ok(session.one(tx).await?.is_some() || person.one(tx).await?.is_some())
}

/// The subject id stays in sessions and in the log; names, addresses and programs go.
async fn erase_traces(tx: &Transaction, subject: SubjectId) -> Result<SubjectId, DbErr> {
    use vnc_session::Column;
    audit::forget_person(tx, subject).await?;
    vnc_session::Entity::update_many()
        .filter(Column::SubjectId.eq(subject.0))
        .col_expr(Column::Subject, Expr::value(ERASED))
        .col_expr(Column::UserId, Expr::value(None::<uuid::Uuid>))
        .col_expr(Column::ClientIp, Expr::value(NOWHERE))
        .col_expr(Column::ClientPort, Expr::value(0))
        .col_expr(Column::UserAgent, Expr::value(None::<String>))
        .col_expr(Column::PortMapping, Expr::value(None::<String>))
        .exec(tx)
        .await?;
    ticket::Entity::delete_many().filter(ticket::Column::SubjectId.eq(subject.0)).exec(tx).await?;
    Ok(subject)
}

fn condition(filter: &UserFilter) -> Condition {
    let search = filter.search.as_deref().map(name::key);
    Condition::all()
        .add_option(search.map(|text| {
            Condition::any().add(Expr::col(user::Column::NameKey).like(containing(&text))).add(
                sea_orm::sea_query::Func::lower(Expr::col(user::Column::DisplayName)).like(containing(&text)),
            )
        }))
        .add_option(filter.role.map(|role| user::Column::Role.eq(role.column())))
        .add_option(filter.disabled.map(|disabled| user::Column::Disabled.eq(disabled)))
}

pub(crate) fn new_row(new: NewUser, now: DateTime<Utc>) -> user::Model {
    user::Model {
        id: new.id.0,
        name_key: name::key(&new.name),
        name: new.name,
        display_name: new.display_name,
        password_hash: new.password_hash.map(|hash| hash.expose().to_owned()),
        role: new.role.column().to_owned(),
        subject_id: new.subject.0,
        disabled: false,
        version: 1,
        session_version: 1,
        created_at: now,
        updated_at: now,
        last_login_at: None,
        language: new.language,
    }
}

pub(crate) fn name_conflict(error: StoreError) -> PeopleError {
    match error {
        StoreError::Conflict(_) => PeopleError::NameTaken,
        other => PeopleError::Store(other),
    }
}

pub(crate) fn record(row: user::Model) -> Result<UserRecord, StoreError> {
    Ok(UserRecord {
        id: UserId(row.id),
        subject: SubjectId(row.subject_id),
        name: row.name,
        display_name: row.display_name,
        password_hash: row.password_hash.map(Secret::new),
        role: Role::from_column(&row.role).ok_or(StoreError::Corrupt { column: "users.role" })?,
        disabled: row.disabled,
        version: from_column(row.version),
        session_version: from_column(row.session_version),
        created_at: row.created_at,
        updated_at: row.updated_at,
        last_login_at: row.last_login_at,
        language: row.language,
    })
}
