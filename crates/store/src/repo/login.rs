//! Who is logged in: browsers' cookies, the devices that a person logged in with before, and the one-time links that
//! make an administrator of whoever opens them first.
//!
//! A log-in ends by its time, by idleness, by logging out, and with every other one of its person when the person's
//! session version goes up. Every request asks for all of that at once.

use crate::entity::{admin_link, known_device, login_session, refresh_token, user};
use crate::repo::person::{self, new_row};
use crate::transaction::Transaction;
use crate::value::{clip, from_column, hex, moment, to_column, unhex};
use crate::{AuditEntry, NewUser, Store, StoreError, TokenHash, UserRecord};
use chrono::{DateTime, TimeDelta, Utc};
use model::audit::{Action, Object};
use model::{ApiTokenId, Coded, Role, SubjectId, UserId};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait,
};
use std::time::Duration;
use uuid::Uuid;

/// The most devices and addresses that are remembered for one person; the ones not seen for longest are forgotten.
const MAX_DEVICES: u64 = 64;
/// The longest user agent that is kept, in bytes.
const MAX_AGENT: usize = 512;
/// The longest address that is kept, in bytes.
const MAX_ADDRESS: usize = 64;
/// A log-in's last use is written down at most so often; a short idle time is kept to a tenth of itself.
const TOUCH: TimeDelta = TimeDelta::seconds(60);
/// The administrator who comes by the first link.
const FIRST_ADMIN: &str = "admin";

/// Which log-in: what tickets and sessions that were opened by one remember of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LoginId {
    /// A browser's cookie.
    Cookie(TokenHash),
    /// The refresh tokens of an API client.
    Family(Uuid),
    /// An API token.
    ApiToken(ApiTokenId),
    /// A password at the native door, while the person's log-ins had this version.
    Password(u64),
}

impl LoginId {
    pub(crate) fn column(self) -> String {
        match self {
            LoginId::Cookie(hash) => format!("cookie:{}", hex(&hash.0)),
            LoginId::Family(id) => format!("family:{}", id.simple()),
            LoginId::ApiToken(id) => format!("token:{}", id.0.simple()),
            LoginId::Password(version) => format!("password:{version}"),
        }
    }

    pub(crate) fn from_column(text: &str) -> Option<LoginId> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "cookie" => unhex(rest).map(|hash| LoginId::Cookie(TokenHash(hash))),
            "family" => rest.parse().ok().map(LoginId::Family),
            "token" => rest.parse().ok().map(|id| LoginId::ApiToken(ApiTokenId(id))),
            "password" => rest.parse().ok().map(LoginId::Password),
            _ => None,
        }
    }
}

/// A log-in by cookie that starts.
#[derive(Clone, Debug)]
pub struct NewLogin {
    /// Of the cookie.
    pub cookie: TokenHash,
    /// From then on it is worth nothing.
    pub expires_at: DateTime<Utc>,
    /// Without a request for so long it is worth nothing; zero for no limit.
    pub idle: Duration,
    /// From where.
    pub address: String,
    /// Of the cookie that tells this device from others.
    pub device: Option<TokenHash>,
    /// Of person and address: see `auth::brake::footprint`.
    pub footprint: Option<TokenHash>,
    /// What the browser says it is.
    pub user_agent: Option<String>,
}

/// A log-in as stored.
#[derive(Clone, PartialEq, Debug)]
pub struct LoginRecord {
    /// Of the cookie.
    pub cookie: TokenHash,
    /// Whose.
    pub user: UserId,
    /// When it started.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute or so.
    pub last_seen_at: DateTime<Utc>,
    /// From then on it is worth nothing.
    pub expires_at: DateTime<Utc>,
    /// Without a request for so long it is worth nothing; zero for no limit.
    pub idle: Duration,
    /// From where.
    pub address: String,
    /// What the browser said it is.
    pub user_agent: Option<String>,
}

impl LoginRecord {
    /// Whether [`Logins::touch`] is due.
    pub fn is_stale(&self, now: DateTime<Utc>) -> bool {
        let tenth = TimeDelta::from_std(self.idle / 10).unwrap_or(TOUCH);
        let pause = if self.idle.is_zero() { TOUCH } else { TOUCH.min(tenth) };
        now - self.last_seen_at >= pause
    }
}

/// A person who is logged in.
#[derive(Clone, PartialEq, Debug)]
pub struct SignedIn {
    /// Who.
    pub user: UserRecord,
    /// How.
    pub login: LoginRecord,
}

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Since the password was compared, the person was removed or disabled, or got another password.
    #[error("the person was changed meanwhile; log in again")]
    Gone,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for LoginError {
    fn code(&self) -> &'static str {
        match self {
            LoginError::Gone => "login.gone",
            LoginError::Store(error) => error.code(),
        }
    }
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

/// Ids for the administrator whom the first link makes, if there is none.
#[derive(Clone, Copy, Debug)]
pub struct FreshAdmin {
    /// Fresh.
    pub user: UserId,
    /// Fresh and random.
    pub subject: SubjectId,
}

/// Log-ins.
#[derive(Clone, Debug)]
pub struct Logins {
    pub(crate) store: Store,
}

impl Logins {
    pub(crate) fn new(store: Store) -> Self {
        Logins { store }
    }

    /// Logs a person in by cookie. `seen` is the entry that the password was compared with: a person who was
    /// disabled or got another password since is not logged in.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn start(
        &self,
        seen: &UserRecord,
        new: NewLogin,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Result<SignedIn, LoginError> {
        let (id, version, at) = (seen.id, seen.session_version, moment(now));
        let signed_in = self
            .store
            .write_audited(now, move |tx| {
                let (new, audit) = (new.clone(), audit.clone());
                Box::pin(async move {
                    let Some(row) = arrived(tx, id, version, at).await? else {
                        return Ok((None, Vec::new()));
                    };
                    let login = sign_in(tx, &row, new, at).await?;
                    Ok((Some((row, login)), vec![audit]))
                })
            })
            .await?;
        let (row, login) = signed_in.ok_or(LoginError::Gone)?;
        Ok(SignedIn { user: person::record(row)?, login: record(login)? })
    }

    /// Who is logged in by this cookie now.
    ///
    /// # Errors
    /// The database's.
    pub async fn find(&self, cookie: TokenHash, now: DateTime<Utc>) -> Result<Option<SignedIn>, StoreError> {
        let found = self
            .store
            .read(|db| {
                Box::pin(async move {
                    let login = login_session::Entity::find_by_id(cookie.to_column()).one(db).await?;
                    let Some(login) = login else { return Ok(None) };
                    let user = user::Entity::find_by_id(login.user_id).one(db).await?;
                    Ok(user.map(|user| (user, login)))
                })
            })
            .await?;
        let Some((user, login)) = found.filter(|(user, login)| is_live(user, login, moment(now))) else {
            return Ok(None);
        };
        Ok(Some(SignedIn { user: person::record(user)?, login: record(login)? }))
    }

    /// Records that a log-in is in use. To be called when [`LoginRecord::is_stale`] says so.
    ///
    /// # Errors
    /// The database's.
    pub async fn touch(&self, cookie: TokenHash, now: DateTime<Utc>) -> Result<(), StoreError> {
        let now = moment(now);
        let update = login_session::Entity::update_many()
            .filter(login_session::Column::CookieHash.eq(cookie.to_column()))
            .filter(login_session::Column::LastSeenAt.lt(now))
            .col_expr(login_session::Column::LastSeenAt, Expr::value(now));
        self.store.write(move |tx| Box::pin(update.clone().exec(tx))).await.map(|_| ())
    }

    /// Logs a cookie out. Answers whether it was logged in; only then is it written down.
    ///
    /// # Errors
    /// The database's.
    pub async fn end(
        &self,
        cookie: TokenHash,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.store
            .write_audited(now, move |tx| {
                let audit = audit.clone();
                Box::pin(async move {
                    let done = login_session::Entity::delete_by_id(cookie.to_column()).exec(tx).await?;
                    let ended = done.rows_affected > 0;
                    Ok((ended, if ended { vec![audit] } else { Vec::new() }))
                })
            })
            .await
    }

    /// The log-ins of a person that are worth something now, the latest use first.
    ///
    /// # Errors
    /// The database's.
    pub async fn of_user(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<LoginRecord>, StoreError> {
        let now = moment(now);
        let logins = login_session::Entity::find()
            .filter(login_session::Column::UserId.eq(user.0))
            .order_by_desc(login_session::Column::LastSeenAt);
        let (person, logins) = self
            .store
            .read(|db| {
                Box::pin(async move {
                    Ok((user::Entity::find_by_id(user.0).one(db).await?, logins.all(db).await?))
                })
            })
            .await?;
        let Some(person) = person else { return Ok(Vec::new()) };
        logins.into_iter().filter(|login| is_live(&person, login, now)).map(record).collect()
    }

    /// A person came in by password without a log-in that lasts.
    ///
    /// # Errors
    /// The database's.
    pub async fn came_by(
        &self,
        user: UserId,
        footprint: TokenHash,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let at = moment(now);
        self.store
            .write_audited(now, move |tx| {
                let audit = audit.clone();
                Box::pin(async move {
                    remember(tx, user.0, footprint, at).await?;
                    Ok(((), vec![audit]))
                })
            })
            .await
    }

    /// Whether a person logged in with this device, or from this address by its footprint, before.
    ///
    /// # Errors
    /// The database's.
    pub async fn knows_device(&self, user: UserId, device: TokenHash) -> Result<bool, StoreError> {
        let query = known_device::Entity::find_by_id((user.0, device.to_column()));
        Ok(self.store.read(|db| Box::pin(query.one(db))).await?.is_some())
    }

    /// Stores a new one-time link by the hash of its token, with an entry about it.
    ///
    /// # Errors
    /// The database's.
    pub async fn issue_link(
        &self,
        token: TokenHash,
        expires_at: DateTime<Utc>,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let row = admin_link::Model {
            token_hash: token.to_column(),
            created_at: moment(now),
            expires_at: moment(expires_at),
            used_at: None,
        };
        self.store
            .write_audited(now, move |tx| {
                let (row, audit) = (admin_link::ActiveModel::from(row.clone()).reset_all(), audit.clone());
                Box::pin(async move {
                    admin_link::Entity::insert(row).exec_without_returning(tx).await?;
                    Ok(((), vec![audit]))
                })
            })
            .await
    }

    /// Exchanges a link for a log-in as the first administrator: both happen, or neither. Of all that ever try, one
    /// succeeds. Where no administrator can log in, one is made with the ids in `fresh`. The entry is given whose
    /// log-in it is.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn take_link(
        &self,
        token: TokenHash,
        new: NewLogin,
        fresh: FreshAdmin,
        audit: AuditEntry,
        now: DateTime<Utc>,
    ) -> Result<SignedIn, LinkError> {
        let at = moment(now);
        let outcome = self
            .store
            .write_audited(now, move |tx| {
                let (new, audit) = (new.clone(), audit.clone());
                Box::pin(async move { exchange(tx, token, new, fresh, audit, at).await })
            })
            .await?;
        let (row, login) = outcome?;
        Ok(SignedIn { user: person::record(row)?, login: record(login)? })
    }

    /// Forgets links, log-ins and refresh tokens that expired before `before`.
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
                    let logins = login_session::Entity::delete_many()
                        .filter(login_session::Column::ExpiresAt.lt(before))
                        .exec(tx)
                        .await?;
                    let tokens = refresh_token::Entity::delete_many()
                        .filter(refresh_token::Column::ExpiresAt.lt(before))
                        .exec(tx)
                        .await?;
                    Ok(links.rows_affected + logins.rows_affected + tokens.rows_affected)
                })
            })
            .await
    }
}

/// The person's entry with the log-in noted, if it still is what the caller saw.
pub(crate) async fn arrived(
    tx: &Transaction,
    id: UserId,
    version: u64,
    now: DateTime<Utc>,
) -> Result<Option<user::Model>, DbErr> {
    let rows = user::Entity::update_many()
        .filter(user::Column::Id.eq(id.0))
        .filter(user::Column::Disabled.eq(false))
        .filter(user::Column::SessionVersion.eq(to_column(version)))
        .col_expr(user::Column::LastLoginAt, Expr::value(now))
        .exec_with_returning(tx)
        .await?;
    Ok(rows.into_iter().next())
}

async fn sign_in(
    tx: &Transaction,
    user: &user::Model,
    new: NewLogin,
    now: DateTime<Utc>,
) -> Result<login_session::Model, DbErr> {
    let row = login_session::Model {
        cookie_hash: new.cookie.to_column(),
        user_id: user.id,
        created_at: now,
        last_seen_at: now,
        expires_at: moment(new.expires_at),
        idle_seconds: to_column(new.idle.as_secs()),
        address: clip(&new.address, MAX_ADDRESS),
        device_hash: new.device.map(TokenHash::to_column),
        user_agent: new.user_agent.map(|agent| clip(&agent, MAX_AGENT)),
        version: user.session_version,
    };
    login_session::Entity::insert(login_session::ActiveModel::from(row.clone()).reset_all())
        .exec_without_returning(tx)
        .await?;
    for hash in [new.device, new.footprint].into_iter().flatten() {
        remember(tx, user.id, hash, now).await?;
    }
    Ok(row)
}

pub(crate) async fn remember(
    tx: &Transaction,
    user: Uuid,
    device: TokenHash,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    use known_device::{ActiveModel, Column, Entity, Model};
    let row = Model { user_id: user, device_hash: device.to_column(), last_seen_at: now };
    let replace = OnConflict::columns([Column::UserId, Column::DeviceHash])
        .update_column(Column::LastSeenAt)
        .to_owned();
    Entity::insert(ActiveModel::from(row).reset_all())
        .on_conflict(replace)
        .exec_without_returning(tx)
        .await?;
    let of_user = Entity::find().filter(Column::UserId.eq(user));
    if of_user.clone().count(tx).await? <= MAX_DEVICES {
        return Ok(());
    }
    let recent = of_user
        .select_only()
        .column(Column::DeviceHash)
        .order_by_desc(Column::LastSeenAt)
        .order_by_desc(Column::DeviceHash)
        .limit(MAX_DEVICES)
        .into_query();
    Entity::delete_many()
        .filter(Column::UserId.eq(user))
        .filter(Column::DeviceHash.not_in_subquery(recent))
        .exec(tx)
        .await?;
    Ok(())
}

type Exchanged = Result<(user::Model, login_session::Model), LinkError>;

async fn exchange(
    tx: &Transaction,
    token: TokenHash,
    new: NewLogin,
    fresh: FreshAdmin,
    audit: AuditEntry,
    now: DateTime<Utc>,
) -> Result<(Exchanged, Vec<AuditEntry>), DbErr> {
    if let Err(refused) = use_up(tx, token, now).await? {
        return Ok((Err(refused), Vec::new()));
    }
    let mut entries = Vec::new();
    let admin = match first_admin(tx).await? {
        Some(admin) => admin,
        None => {
            entries.push(AuditEntry::new(Action::UserAdded).on(Object::Person(fresh.subject)));
            make_admin(tx, fresh, now).await?
        }
    };
    let version = from_column(admin.session_version);
    let Some(admin) = arrived(tx, UserId(admin.id), version, now).await? else {
        return Err(DbErr::RecordNotUpdated);
    };
    let login = sign_in(tx, &admin, new, now).await?;
    entries.push(audit.known_to_be(SubjectId(admin.subject_id)));
    Ok((Ok((admin, login)), entries))
}

async fn use_up(
    tx: &Transaction,
    token: TokenHash,
    now: DateTime<Utc>,
) -> Result<Result<(), LinkError>, DbErr> {
    let taken = admin_link::Entity::update_many()
        .filter(admin_link::Column::TokenHash.eq(token.to_column()))
        .filter(admin_link::Column::UsedAt.is_null())
        .filter(admin_link::Column::ExpiresAt.gt(now))
        .col_expr(admin_link::Column::UsedAt, Expr::value(now))
        .exec(tx)
        .await?;
    if taken.rows_affected > 0 {
        return Ok(Ok(()));
    }
    let link = admin_link::Entity::find_by_id(token.to_column()).one(tx).await?;
    Ok(Err(match link {
        None => LinkError::Unknown,
        Some(link) if link.used_at.is_some() => LinkError::Used,
        Some(_) => LinkError::Expired,
    }))
}

/// The administrator who has been here longest, of those who may log in.
async fn first_admin(tx: &Transaction) -> Result<Option<user::Model>, DbErr> {
    user::Entity::find()
        .filter(user::Column::Role.eq(Role::Admin.column()))
        .filter(user::Column::Disabled.eq(false))
        .order_by_asc(user::Column::CreatedAt)
        .order_by_asc(user::Column::Id)
        .lock_exclusive()
        .one(tx)
        .await
}

/// Whoever can make a link owns the machine, so a name that is taken by somebody who may not log in or is no
/// administrator must not keep them out.
async fn make_admin(tx: &Transaction, fresh: FreshAdmin, now: DateTime<Utc>) -> Result<user::Model, DbErr> {
    let mut name = FIRST_ADMIN.to_owned();
    let mut next = 2_u64;
    while user::Entity::find().filter(user::Column::NameKey.eq(&name)).one(tx).await?.is_some() {
        name = format!("{FIRST_ADMIN}{next}");
        next = next.saturating_add(1);
    }
    let new = NewUser {
        id: fresh.user,
        subject: fresh.subject,
        display_name: name.clone(),
        name,
        password_hash: None,
        role: Role::Admin,
        language: None,
    };
    user::ActiveModel::from(new_row(new, now)).reset_all().insert(tx).await
}

fn is_live(user: &user::Model, login: &login_session::Model, now: DateTime<Utc>) -> bool {
    let idle = TimeDelta::try_seconds(login.idle_seconds).unwrap_or(TimeDelta::MAX);
    let rests = now.signed_duration_since(login.last_seen_at);
    !user.disabled
        && user.session_version == login.version
        && login.expires_at > now
        && (login.idle_seconds == 0 || rests < idle)
}

fn record(row: login_session::Model) -> Result<LoginRecord, StoreError> {
    let cookie = <[u8; 32]>::try_from(row.cookie_hash)
        .map_err(|_| StoreError::Corrupt { column: "login_sessions.cookie_hash" })?;
    Ok(LoginRecord {
        cookie: TokenHash(cookie),
        user: UserId(row.user_id),
        created_at: row.created_at,
        last_seen_at: row.last_seen_at,
        expires_at: row.expires_at,
        idle: Duration::from_secs(from_column(row.idle_seconds)),
        address: row.address,
        user_agent: row.user_agent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_in_is_read_back_from_its_column() {
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef);
        for login in [
            LoginId::Cookie(TokenHash([0xa7; 32])),
            LoginId::Family(id),
            LoginId::ApiToken(ApiTokenId(id)),
            LoginId::Password(u64::MAX),
        ] {
            assert_eq!(LoginId::from_column(&login.column()), Some(login));
            assert!(login.column().len() <= 80);
        }
        for other in ["", "cookie:", "cookie:é7", "cookie:a7", "family:x", "root:1", "password:-1"] {
            assert_eq!(LoginId::from_column(other), None, "{other}");
        }
    }
}
