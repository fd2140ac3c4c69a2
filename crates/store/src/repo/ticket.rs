//! Tickets: the right to open one session, once. The token itself is never stored, only its hash.
//!
//! A ticket is taken by one conditional UPDATE, so that of any number of takers, in this process or another,
//! exactly one wins; whoever loses is told why. Within a short window after its session broke, the holder of
//! the resume key that came with the taking may continue it, under the same session id.

use crate::entity::{ticket, vnc_session};
use crate::transaction::Transaction;
use crate::value::{end_reason_from, from_json, ingress_from, moment, to_json};
use crate::{AuditEntry, LoginId, Owner, Sealed, SessionStatus, Store, StoreError, TokenHash, always};
use chrono::{DateTime, TimeDelta, Utc};
use model::session::{EndReason, Ingress};
use model::{BootId, Coded, NodeId, Policy, SessionId, SubjectId, TargetId, TicketId, UserId};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, DbErr, DeleteMany, EntityTrait, ExprTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use std::net::SocketAddr;
use std::time::Duration;
use uuid::Uuid;

/// A ticket to issue.
#[derive(Clone, Debug)]
pub struct NewTicket {
    /// Fresh.
    pub id: TicketId,
    /// Of the token that its holder gets.
    pub token_hash: TokenHash,
    /// Where it leads.
    pub target: TargetId,
    /// What its session may do.
    pub policy: Policy,
    /// For whom, in the journal.
    pub subject: String,
    /// Whose it is; none for tickets that are handed out to strangers.
    pub owner: Option<Owner>,
    /// By which log-in they asked for it.
    pub login: Option<LoginId>,
    /// Now.
    pub created_at: DateTime<Utc>,
    /// From then on it cannot be taken.
    pub expires_at: DateTime<Utc>,
    /// The one-time password for VncAuth that its holder gets too, where that is switched on.
    pub sealed_vnc_password: Option<Sealed>,
}

/// A ticket that may be the one a VncAuth response was made for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VncCandidate {
    /// Which.
    pub id: TicketId,
    /// To take it by.
    pub token_hash: TokenHash,
    /// What the response is compared with.
    pub sealed_vnc_password: Sealed,
}

/// A ticket as stored.
#[derive(Clone, PartialEq, Debug)]
pub struct TicketRecord {
    /// Its id.
    pub id: TicketId,
    /// Where it leads.
    pub target: TargetId,
    /// What its session may do.
    pub policy: Policy,
    /// For whom.
    pub subject: String,
    /// Whose it is.
    pub owner: Option<Owner>,
    /// By which log-in they asked for it.
    pub login: Option<LoginId>,
    /// When it was issued.
    pub created_at: DateTime<Utc>,
    /// From then on it cannot be taken.
    pub expires_at: DateTime<Utc>,
    /// When it was taken.
    pub taken_at: Option<DateTime<Utc>>,
    /// From which address.
    pub taken_by: Option<String>,
    /// Into which session.
    pub session: Option<SessionId>,
}

/// What a token is worth now.
#[derive(Clone, PartialEq, Debug)]
pub enum TicketState {
    /// It can be taken.
    Fresh(TicketRecord),
    /// It was taken.
    Used(TicketRecord),
    /// It was never taken and is too old.
    Expired(TicketRecord),
    /// No ticket has this token.
    Unknown,
}

/// The wish to take a ticket.
#[derive(Clone, Debug)]
pub struct TakeTicket {
    /// Of the token presented.
    pub token_hash: TokenHash,
    /// The session that will run on it.
    pub session: SessionId,
    /// Who takes it.
    pub taken_by: SocketAddr,
    /// Of the key that may resume the session, if the taker offered one.
    pub resume_hash: Option<TokenHash>,
}

/// A ticket just taken.
#[derive(Clone, PartialEq, Debug)]
pub struct TakenTicket {
    /// Its id.
    pub id: TicketId,
    /// Where it leads.
    pub target: TargetId,
    /// What the session may do.
    pub policy: Policy,
    /// For whom.
    pub subject: String,
    /// Whose it is.
    pub owner: Option<Owner>,
    /// By which log-in they asked for it.
    pub login: Option<LoginId>,
    /// From then on it could not have been taken; the session of a person is over by then, too.
    pub expires_at: DateTime<Utc>,
}

/// Why a ticket was not taken. The three refusals look alike to the taker; they differ for the owner's log.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// Somebody took it before.
    #[error("the ticket was used already; ask for a new one")]
    Used {
        /// Which.
        ticket: TicketId,
        /// When it was taken.
        taken_at: DateTime<Utc>,
        /// By whom.
        taken_by: String,
    },
    /// It is too old.
    #[error("the ticket has expired; ask for a new one")]
    Expired {
        /// Which.
        ticket: TicketId,
        /// Since when.
        expired_at: DateTime<Utc>,
    },
    /// There is no such ticket.
    #[error("there is no such ticket; ask for a new one")]
    Unknown,
    /// The database failed; the ticket may or may not be taken.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for TakeError {
    fn code(&self) -> &'static str {
        match self {
            TakeError::Used { .. } => "ticket.used",
            TakeError::Expired { .. } => "ticket.expired",
            TakeError::Unknown => "ticket.unknown",
            TakeError::Store(error) => error.code(),
        }
    }
}

/// The wish to continue the session of a taken ticket.
#[derive(Clone, Debug)]
pub struct ResumeTicket {
    /// Of the token presented.
    pub token_hash: TokenHash,
    /// Of the key presented.
    pub resume_hash: TokenHash,
    /// How long after its end a session may be continued.
    pub window: Duration,
    /// Who asks.
    pub viewer: SocketAddr,
    /// This installation.
    pub node: NodeId,
    /// This run.
    pub boot: BootId,
}

/// A session that goes on; its row is active again.
#[derive(Clone, PartialEq, Debug)]
pub struct Resumed {
    /// The same id as before.
    pub session: SessionId,
    /// The same target.
    pub target: TargetId,
    /// The session's rules.
    pub policy: Policy,
    /// For whom.
    pub subject: String,
    /// Whose it is.
    pub owner: Option<Owner>,
    /// When the session first started; limits of duration count from here.
    pub started_at: DateTime<Utc>,
    /// How it came in.
    pub ingress: Ingress,
    /// Counts connections of this session; [`crate::SessionEnd::attachment`] must carry it, so that the late end
    /// of an earlier connection does not close the row of this one.
    pub attachment: u32,
    /// Whether an earlier connection had not been seen to end; the caller should end it.
    pub was_active: bool,
}

/// Why a session was not resumed.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// No taken ticket has this token and key.
    #[error("the ticket was used already; ask for a new one")]
    Refused,
    /// The session ended too long ago, or for a reason that cannot be undone by reconnecting.
    #[error("the session is over; ask for a new ticket")]
    Over {
        /// Which.
        session: SessionId,
        /// Why it ended.
        reason: Option<EndReason>,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for ResumeError {
    fn code(&self) -> &'static str {
        match self {
            ResumeError::Refused => "ticket.used",
            ResumeError::Over { .. } => "ticket.session_over",
            ResumeError::Store(error) => error.code(),
        }
    }
}

/// Ends after which the holder of the resume key may come back. Not among them: what a person or a rule decided.
const RESUMABLE: [EndReason; 7] = [
    EndReason::ViewerLeft,
    EndReason::ViewerLost,
    EndReason::TargetClosed,
    EndReason::TargetLost,
    EndReason::TargetRefused,
    EndReason::Draining,
    EndReason::NodeLost,
];

/// Tickets.
#[derive(Clone, Debug)]
pub struct Tickets {
    store: Store,
    audit: Vec<AuditEntry>,
}

impl Tickets {
    pub(crate) fn new(store: Store) -> Self {
        Tickets { store, audit: Vec::new() }
    }

    /// The same, with an entry that is written down with the ticket that is issued next, in its transaction.
    #[must_use]
    pub fn audited(mut self, entry: AuditEntry) -> Self {
        self.audit.push(entry);
        self
    }

    /// Stores a new ticket; it takes the place of one that the same person has to the same target and did not take. A
    /// target that does not exist is a `store.conflict`.
    ///
    /// # Errors
    /// The database's.
    pub async fn issue(&self, new: NewTicket) -> Result<(), StoreError> {
        let row = ticket::Model {
            id: new.id.0,
            token_hash: new.token_hash.to_column(),
            target_id: new.target.0,
            policy: to_json(&new.policy)?,
            subject: new.subject,
            created_at: moment(new.created_at),
            expires_at: moment(new.expires_at),
            taken_at: None,
            taken_by: None,
            session_id: None,
            resume_hash: None,
            sealed_vnc_password: new.sealed_vnc_password.map(|sealed| sealed.0),
            user_id: new.owner.map(|owner| owner.user.0),
            subject_id: new.owner.map(|owner| owner.subject.0),
            login: new.login.map(LoginId::column),
        };
        let now = row.created_at;
        let Some(user) = row.user_id else {
            let insert_only = self.store.write_one_with(&self.audit, now, always, move |tx| {
                let row = row.clone();
                Box::pin(async move { insert(tx, row).await })
            });
            return insert_only.await;
        };
        self.store
            .write_with(&self.audit, now, always, move |tx| {
                let row = row.clone();
                Box::pin(async move {
                    untaken(user, Some(row.target_id)).exec(tx).await?;
                    insert(tx, row).await
                })
            })
            .await
    }

    /// What a token is worth now; takes nothing.
    ///
    /// # Errors
    /// The database's.
    pub async fn look(&self, token: TokenHash, now: DateTime<Utc>) -> Result<TicketState, StoreError> {
        let query = ticket::Entity::find().filter(ticket::Column::TokenHash.eq(token.to_column()));
        let Some(row) = self.store.read(|db| Box::pin(query.one(db))).await? else {
            return Ok(TicketState::Unknown);
        };
        let record = record(row)?;
        Ok(if record.taken_at.is_some() {
            TicketState::Used(record)
        } else if record.expires_at <= moment(now) {
            TicketState::Expired(record)
        } else {
            TicketState::Fresh(record)
        })
    }

    /// Tickets with a VncAuth password that can be taken now, the newest `most` of them.
    ///
    /// # Errors
    /// The database's.
    pub async fn vnc_candidates(
        &self,
        most: u64,
        now: DateTime<Utc>,
    ) -> Result<Vec<VncCandidate>, StoreError> {
        let query = ticket::Entity::find()
            .filter(ticket::Column::SealedVncPassword.is_not_null())
            .filter(ticket::Column::TakenAt.is_null())
            .filter(ticket::Column::ExpiresAt.gt(moment(now)))
            .order_by_desc(ticket::Column::CreatedAt)
            .limit(most);
        let rows = self.store.read(|db| Box::pin(query.all(db))).await?;
        Ok(rows.into_iter().filter_map(candidate).collect())
    }

    /// Takes a ticket. Of all that ever try, one succeeds.
    ///
    /// # Errors
    /// [`TakeError`]: used, expired, unknown, or the database's.
    pub async fn take(&self, wish: TakeTicket, now: DateTime<Utc>) -> Result<TakenTicket, TakeError> {
        let now = moment(now);
        let row = self
            .store
            .write_one(move |tx| {
                let wish = wish.clone();
                Box::pin(async move { take(tx, &wish, now).await })
            })
            .await?;
        let row = match row {
            Attempt::Taken(row) => row,
            Attempt::Unknown => return Err(TakeError::Unknown),
            Attempt::Refused(row) => return Err(refusal(row)),
        };
        Ok(TakenTicket {
            id: TicketId(row.id),
            target: TargetId(row.target_id),
            policy: from_json(&row.policy, "tickets.policy")?,
            owner: owner(row.user_id, row.subject_id),
            login: login(row.login)?,
            subject: row.subject,
            expires_at: row.expires_at,
        })
    }

    /// Gives back the ticket of a session that never began, so that it can be taken once more.
    ///
    /// # Errors
    /// The database's.
    pub async fn give_back(&self, session: SessionId) -> Result<(), StoreError> {
        let begun = Query::select()
            .column(vnc_session::Column::Id)
            .from(vnc_session::Entity)
            .and_where(vnc_session::Column::Id.eq(session.0))
            .to_owned();
        let update = ticket::Entity::update_many()
            .filter(ticket::Column::SessionId.eq(session.0))
            .filter(Expr::exists(begun).not())
            .col_expr(ticket::Column::TakenAt, Expr::value(None::<DateTime<Utc>>))
            .col_expr(ticket::Column::TakenBy, Expr::value(None::<String>))
            .col_expr(ticket::Column::SessionId, Expr::value(None::<Uuid>))
            .col_expr(ticket::Column::ResumeHash, Expr::value(None::<Vec<u8>>));
        self.store.write_one(move |tx| Box::pin(update.clone().exec(tx))).await.map(|_| ())
    }

    /// Continues the session of a taken ticket, if the key fits and the window is open.
    ///
    /// # Errors
    /// [`ResumeError`].
    pub async fn resume(&self, wish: ResumeTicket, now: DateTime<Utc>) -> Result<Resumed, ResumeError> {
        let now = moment(now);
        let attempt = self
            .store
            .write(move |tx| {
                let wish = wish.clone();
                Box::pin(async move { resume(tx, &wish, now).await })
            })
            .await?;
        match attempt {
            Resumption::Refused => Err(ResumeError::Refused),
            Resumption::Over(row) => Err(ResumeError::Over {
                session: SessionId(row.id),
                reason: row.end_reason.as_deref().and_then(end_reason_from),
            }),
            Resumption::Done { was_active, session } => resumed(was_active, *session),
        }
    }

    /// Withdraws what was asked for by a log-in and not taken. Answers how many.
    ///
    /// # Errors
    /// The database's.
    pub async fn revoke_by(&self, login: LoginId) -> Result<u64, StoreError> {
        let delete = ticket::Entity::delete_many()
            .filter(ticket::Column::Login.eq(login.column()))
            .filter(ticket::Column::TakenAt.is_null());
        let done = self.store.write(move |tx| Box::pin(delete.clone().exec(tx))).await?;
        Ok(done.rows_affected)
    }

    /// Withdraws what a person has not taken yet, to one target or to all: a new request takes the place of an earlier
    /// one. Answers how many.
    ///
    /// # Errors
    /// The database's.
    pub async fn revoke_of(&self, user: UserId, target: Option<TargetId>) -> Result<u64, StoreError> {
        let delete = untaken(user.0, target.map(|target| target.0));
        let done = self.store.write(move |tx| Box::pin(delete.clone().exec(tx))).await?;
        Ok(done.rows_affected)
    }

    /// Forgets tickets that expired before `before`. Until then a second use is still told apart from nonsense.
    ///
    /// # Errors
    /// The database's.
    pub async fn purge(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let delete = ticket::Entity::delete_many().filter(ticket::Column::ExpiresAt.lt(moment(before)));
        let done = self.store.write(move |tx| Box::pin(delete.clone().exec(tx))).await?;
        Ok(done.rows_affected)
    }
}

async fn insert(tx: &Transaction, row: ticket::Model) -> Result<(), DbErr> {
    let row = ticket::ActiveModel::from(row).reset_all();
    ticket::Entity::insert(row).exec_without_returning(tx).await.map(|_| ())
}

fn candidate(row: ticket::Model) -> Option<VncCandidate> {
    Some(VncCandidate {
        id: TicketId(row.id),
        token_hash: TokenHash(row.token_hash.try_into().ok()?),
        sealed_vnc_password: Sealed(row.sealed_vnc_password?),
    })
}

/// What a person has not taken yet.
fn untaken(user: Uuid, target: Option<Uuid>) -> DeleteMany<ticket::Entity> {
    ticket::Entity::delete_many()
        .filter(ticket::Column::UserId.eq(user))
        .filter(Condition::all().add_option(target.map(|target| ticket::Column::TargetId.eq(target))))
        .filter(ticket::Column::TakenAt.is_null())
}

enum Attempt {
    Taken(ticket::Model),
    Refused(ticket::Model),
    Unknown,
}

async fn take(tx: &Transaction, wish: &TakeTicket, now: DateTime<Utc>) -> Result<Attempt, DbErr> {
    let rows = ticket::Entity::update_many()
        .filter(ticket::Column::TokenHash.eq(wish.token_hash.to_column()))
        .filter(ticket::Column::TakenAt.is_null())
        .filter(ticket::Column::ExpiresAt.gt(now))
        .col_expr(ticket::Column::TakenAt, Expr::value(now))
        .col_expr(ticket::Column::TakenBy, Expr::value(wish.taken_by.to_string()))
        .col_expr(ticket::Column::SessionId, Expr::value(wish.session.0))
        .col_expr(ticket::Column::ResumeHash, Expr::value(wish.resume_hash.map(TokenHash::to_column)))
        .exec_with_returning(tx)
        .await?;
    if let Some(row) = rows.into_iter().next() {
        return Ok(Attempt::Taken(row));
    }
    let query = ticket::Entity::find().filter(ticket::Column::TokenHash.eq(wish.token_hash.to_column()));
    Ok(query.one(tx).await?.map_or(Attempt::Unknown, Attempt::Refused))
}

fn refusal(row: ticket::Model) -> TakeError {
    match row.taken_at {
        Some(taken_at) => {
            TakeError::Used { ticket: TicketId(row.id), taken_at, taken_by: row.taken_by.unwrap_or_default() }
        }
        None => TakeError::Expired { ticket: TicketId(row.id), expired_at: row.expires_at },
    }
}

enum Resumption {
    Done { was_active: bool, session: Box<vnc_session::Model> },
    Refused,
    Over(Box<vnc_session::Model>),
}

async fn resume(tx: &Transaction, wish: &ResumeTicket, now: DateTime<Utc>) -> Result<Resumption, DbErr> {
    let ticket = ticket::Entity::find()
        .filter(ticket::Column::TokenHash.eq(wish.token_hash.to_column()))
        .filter(ticket::Column::ResumeHash.eq(wish.resume_hash.to_column()))
        .one(tx)
        .await?;
    let Some(session) = ticket.and_then(|ticket| ticket.session_id) else {
        return Ok(Resumption::Refused);
    };
    let Some(before) = vnc_session::Entity::find_by_id(session).one(tx).await? else {
        return Ok(Resumption::Refused);
    };
    let after = vnc_session::Entity::update_many()
        .filter(vnc_session::Column::Id.eq(session))
        // A session whose target was removed has nothing to go on with.
        .filter(vnc_session::Column::TargetId.is_not_null())
        .filter(may_go_on(wish, now))
        .col_expr(vnc_session::Column::Status, Expr::value(SessionStatus::Active.column()))
        .col_expr(vnc_session::Column::EndTime, Expr::value(None::<DateTime<Utc>>))
        .col_expr(vnc_session::Column::EndReason, Expr::value(None::<String>))
        .col_expr(vnc_session::Column::EndCode, Expr::value(None::<String>))
        .col_expr(vnc_session::Column::ClientIp, Expr::value(wish.viewer.ip().to_canonical().to_string()))
        .col_expr(vnc_session::Column::ClientPort, Expr::value(i32::from(wish.viewer.port())))
        .col_expr(vnc_session::Column::NodeId, Expr::value(wish.node.0))
        .col_expr(vnc_session::Column::BootId, Expr::value(wish.boot.0))
        .col_expr(vnc_session::Column::Attachment, Expr::col(vnc_session::Column::Attachment).add(1))
        .col_expr(vnc_session::Column::UpdatedAt, Expr::value(now))
        .exec_with_returning(tx)
        .await?;
    Ok(match after.into_iter().next() {
        Some(after) => Resumption::Done {
            was_active: before.status == SessionStatus::Active.column(),
            session: Box::new(after),
        },
        None => Resumption::Over(Box::new(before)),
    })
}

/// The last write of an ended session's row is its end, also when that was only found at a later start.
fn may_go_on(wish: &ResumeTicket, now: DateTime<Utc>) -> Condition {
    let window = TimeDelta::from_std(wish.window).unwrap_or(TimeDelta::MAX);
    let oldest = now.checked_sub_signed(window).unwrap_or(DateTime::<Utc>::MIN_UTC);
    let broke = Condition::all()
        .add(vnc_session::Column::UpdatedAt.gte(oldest))
        .add(vnc_session::Column::EndReason.is_in(RESUMABLE.map(|reason| reason.code())));
    let lives = Condition::any()
        .add(vnc_session::Column::ExpiresAt.is_null())
        .add(vnc_session::Column::ExpiresAt.gt(now));
    Condition::all()
        .add(lives)
        .add(Condition::any().add(vnc_session::Column::Status.eq(SessionStatus::Active.column())).add(broke))
}

fn resumed(was_active: bool, after: vnc_session::Model) -> Result<Resumed, ResumeError> {
    let corrupt = |column| StoreError::Corrupt { column };
    Ok(Resumed {
        session: SessionId(after.id),
        target: TargetId(after.target_id.ok_or(corrupt("vnc_sessions.target_id"))?),
        policy: from_json(&after.policy, "vnc_sessions.policy")?,
        owner: owner(after.user_id, after.subject_id),
        subject: after.subject,
        started_at: after.start_time,
        ingress: ingress_from(&after.ingress).ok_or(corrupt("vnc_sessions.ingress"))?,
        attachment: u32::try_from(after.attachment).map_err(|_| corrupt("vnc_sessions.attachment"))?,
        was_active,
    })
}

fn owner(user: Option<Uuid>, subject: Option<Uuid>) -> Option<Owner> {
    Some(Owner { user: UserId(user?), subject: SubjectId(subject?) })
}

/// One that cannot be read is an error: without it nobody could say whether the ticket still holds.
fn login(column: Option<String>) -> Result<Option<LoginId>, StoreError> {
    let read =
        |text: String| LoginId::from_column(&text).ok_or(StoreError::Corrupt { column: "tickets.login" });
    column.map(read).transpose()
}

fn record(row: ticket::Model) -> Result<TicketRecord, StoreError> {
    Ok(TicketRecord {
        id: TicketId(row.id),
        target: TargetId(row.target_id),
        policy: from_json(&row.policy, "tickets.policy")?,
        owner: owner(row.user_id, row.subject_id),
        login: login(row.login)?,
        subject: row.subject,
        created_at: row.created_at,
        expires_at: row.expires_at,
        taken_at: row.taken_at,
        taken_by: row.taken_by,
        session: row.session_id.map(SessionId),
    })
}
