//! The only room that speaks SQL: people and what they may use, targets, tickets, sessions, log-ins, the audit log
//! and this installation's own facts, on SQLite by default and on PostgreSQL by URL, through one code path.
//!
//! ```text
//! let store = Store::open(&"sqlite:///var/lib/gatehouse/gatehouse.db".parse()?, Options::default()).await?;
//! store.node().start(node, boot, now).await?;                    // closes what dead boots left behind
//! let target = store.targets().add(NewTarget { .. }, now).await?;
//! store.tickets().issue(NewTicket { .. }).await?;
//! let ticket = store.tickets().take(TakeTicket { .. }, now).await?;
//! store.sessions().start(NewSession { .. }).await?;
//! store.sessions().end(SessionEnd { .. }).await?;
//! ```
//!
//! INVARIANT: every change goes through the one writer (see [`writer`](Options)); when a call that changes
//! something returns `Ok`, the row survives a crash and, with `synchronous=FULL`, a power cut.
//!
//! Time comes in as `now`, ids come in from the caller: nothing here reads a clock for what it stores.
//! Times are kept to the microsecond, which is what both databases can hold.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]

mod connection;
mod entity;
mod error;
mod hash;
mod migration;
mod page;
mod repo;
mod transaction;
mod url;
mod value;
mod writer;

pub use error::{OpenError, StoreError};
pub use hash::{Sealed, TokenHash};
pub use page::{Cursor, CursorError, Listed, MAX_PAGE, Page, PageRequest, Window};
pub use repo::access::{Grant, GrantRow, Grants, GroupTarget, Via};
pub use repo::api_token::{ApiTokenError, ApiTokenRecord, ApiTokens, NewApiToken};
pub use repo::audit::{Audit, AuditEntry, AuditFilter, AuditHead, AuditOrder, AuditRecord};
pub use repo::group::{GroupChange, GroupRecord, Groups, Member, Membership, NewGroup};
pub use repo::login::{FreshAdmin, LinkError, LoginError, LoginId, LoginRecord, Logins, NewLogin, SignedIn};
pub use repo::node::{Node, NodeError, Settings, node_id_in};
pub use repo::person::{NewUser, Owner, People, PeopleError, UserChange, UserFilter, UserRecord};
pub use repo::refresh::{NewFamily, Refresh, RefreshError, Refreshed};
pub use repo::sealed::{Resealed, SealedAt, SealedValues};
pub use repo::session::{
    NewSession, SessionChange, SessionEnd, SessionFilter, SessionRecord, SessionSort, SessionStatus, Sessions,
};
pub use repo::target::{AddTargetError, NewTarget, TargetChange, TargetFilter, TargetRecord, Targets};
pub use repo::ticket::{
    NewTicket, ResumeError, ResumeTicket, Resumed, TakeError, TakeTicket, TakenTicket, TicketRecord,
    TicketState, Tickets, VncCandidate,
};
pub use url::{DatabaseUrl, UrlError};

use connection::Database;
use std::sync::Arc;
use std::time::Duration;
use transaction::Transaction;
use writer::WriterHandle;

/// Limits of one open store. The defaults suit one node.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections that only read.
    pub readers: u32,
    /// The longest that any call waits for the database before it fails with `store.unavailable`.
    pub wait: Duration,
    /// Changes that may wait for the writer; more of them make callers wait, then fail with `store.overloaded`.
    pub queue: usize,
    /// The most changes that one commit carries.
    pub group: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { readers: 4, wait: Duration::from_secs(5), queue: 1024, group: 64 }
    }
}

/// An open store. Cloning is cheap and shares connections and writer.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    database: Arc<Database>,
    writer: WriterHandle,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dialect", &self.dialect()).finish_non_exhaustive()
    }
}

impl Store {
    /// Connects, brings the schema up to date and starts the writer. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`OpenError`], coded; nothing is left running.
    pub async fn open(url: &DatabaseUrl, options: Options) -> Result<Store, OpenError> {
        let database = Arc::new(Database::connect(url, &options).await?);
        migration::bring_up_to_date(&database)
            .await
            .map_err(|error| OpenError::migrating(url.to_string(), error))?;
        let writer = WriterHandle::start(Arc::clone(&database), &options);
        Ok(Store { shared: Arc::new(Shared { database, writer }) })
    }

    /// Registered targets.
    pub fn targets(&self) -> Targets {
        Targets::new(self.clone())
    }

    /// Tickets: the right to open one session, once.
    pub fn tickets(&self) -> Tickets {
        Tickets::new(self.clone())
    }

    /// Sessions, running and past.
    pub fn sessions(&self) -> Sessions {
        Sessions::new(self.clone())
    }

    /// People, groups, and who may use which target.
    pub fn people(&self) -> People {
        People::new(self.clone())
    }

    /// Who is logged in: cookies, refresh tokens, known devices, one-time links.
    pub fn logins(&self) -> Logins {
        Logins::new(self.clone())
    }

    /// People's API tokens.
    pub fn api_tokens(&self) -> ApiTokens {
        ApiTokens::new(self.clone())
    }

    /// The audit log.
    pub fn audit(&self) -> Audit {
        Audit::new(self.clone())
    }

    /// Everything that is sealed, for when the key is changed.
    pub fn sealed_values(&self) -> SealedValues {
        SealedValues::new(self.clone())
    }

    /// This installation and its boots.
    pub fn node(&self) -> Node {
        Node::new(self.clone())
    }

    /// Small named values.
    pub fn settings(&self) -> Settings {
        Settings::new(self.clone())
    }

    /// `sqlite` or `postgresql`.
    pub fn dialect(&self) -> &'static str {
        self.shared.database.dialect()
    }

    /// Whether the database answers, for health reports; waits at most [`Options::wait`].
    ///
    /// # Errors
    /// What a read would fail with now.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read(|db| Box::pin(async move { db.ping().await })).await
    }

    /// Commits what is queued, then closes every connection. Later calls fail with `store.unavailable`.
    pub async fn close(&self) {
        self.shared.writer.close().await;
        self.shared.database.close().await;
    }

    pub(crate) async fn read<T>(
        &self,
        work: impl for<'a> FnOnce(&'a sea_orm::DatabaseConnection) -> writer::WorkFuture<'a, T> + Send,
    ) -> Result<T, StoreError> {
        self.shared.database.read(work).await
    }

    /// `work` may run more than once (a failing neighbor in its group makes the group start again); only the
    /// last run is committed.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'a> Fn(&'a Transaction) -> writer::WorkFuture<'a, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.shared.writer.write(work).await
    }

    /// As [`Store::write`], for work that changes the database by one statement at most, whatever it reads besides:
    /// that one needs no transaction of its own when it comes alone.
    pub(crate) async fn write_one<T: Send + 'static>(
        &self,
        work: impl for<'a> Fn(&'a Transaction) -> writer::WorkFuture<'a, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.shared.writer.write_one(work).await
    }

    /// As [`Store::write_with`], for work as in [`Store::write_one`].
    pub(crate) async fn write_one_with<T: Send + 'static>(
        &self,
        audit: &[AuditEntry],
        now: chrono::DateTime<chrono::Utc>,
        is_done: fn(&T) -> bool,
        work: impl for<'a> Fn(&'a Transaction) -> writer::WorkFuture<'a, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        if audit.is_empty() {
            return self.write_one(work).await;
        }
        self.write_with(audit, now, is_done, work).await
    }

    /// As [`Store::write`]; `audit` is written down with it if the outcome says that something was done.
    pub(crate) async fn write_with<T: Send + 'static>(
        &self,
        audit: &[AuditEntry],
        now: chrono::DateTime<chrono::Utc>,
        is_done: fn(&T) -> bool,
        work: impl for<'a> Fn(&'a Transaction) -> writer::WorkFuture<'a, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        if audit.is_empty() {
            return self.write(work).await;
        }
        let audit = audit.to_vec();
        self.write_audited(now, move |tx| {
            let (work, audit) = (work(tx), audit.clone());
            Box::pin(async move {
                let outcome = work.await?;
                let entries = if is_done(&outcome) { audit } else { Vec::new() };
                Ok((outcome, entries))
            })
        })
        .await
    }

    /// As [`Store::write`]; what the work wants written down is in the audit log when this returns, or nothing is.
    pub(crate) async fn write_audited<T: Send + 'static>(
        &self,
        now: chrono::DateTime<chrono::Utc>,
        work: impl for<'a> Fn(&'a Transaction) -> writer::WorkFuture<'a, (T, Vec<AuditEntry>)> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.shared.writer.write_audited(value::moment(now), work).await
    }
}

/// For [`Store::write_with`]: whatever came out, something was done.
pub(crate) fn always<T>(_: &T) -> bool {
    true
}

/// For [`Store::write_with`]: the outcome says whether something was done.
pub(crate) fn if_so(done: &bool) -> bool {
    *done
}
