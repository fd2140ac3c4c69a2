//! The one writer: changes queue here and are committed in groups, so that many of them share one flush of the
//! disk, and each caller is told only after its own change is durable.
//!
//! A group runs in one transaction. If a change fails, the group is rolled back and run again with a savepoint
//! around each change, so that only the failing one fails; the common case pays for no savepoints. A change
//! whose caller has given up before it ran is left out. A lone change of one statement runs without a transaction.
//! On PostgreSQL another node's group may hold what this one needs while it waits for what this one holds; the server
//! then undoes one of them, and that one is run again.
//!
//! No timer makes a change wait for company. While one group is committed the next gathers in the queue; and where the
//! last group was one, its callers are given the time to come back that the runtime needs to run them, no longer.
//!
//! Changes that are written down in the audit log hand their entries to the group, which appends all of them behind
//! its last change: the lock of the log's end is taken once, first of all, and so always before any other.
//!
//! INVARIANT: an audited change and its entries are in one transaction: there is neither without the other.
//! INVARIANT: an `Ok` is sent after `COMMIT` returned, never before.

use crate::connection::Database;
use crate::error::Fault;
use crate::repo::audit::{self, Dated};
use crate::transaction::{Transaction, Uncommitted};
use crate::{AuditEntry, Options, StoreError};
use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbErr, Statement};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// The connection is given back after so long without a change: over a socket, so that it is not found dead later.
const IDLE: Duration = Duration::from_secs(60);
/// How often a group is run again that another node's stood in the way of.
const RETRIES: u32 = 5;

/// What a piece of database work answers.
pub(crate) type WorkFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, DbErr>> + Send + 'a>>;

pub(crate) struct WriterHandle {
    queue: mpsc::Sender<Request>,
    wait: Duration,
}

type Answer<T> = oneshot::Receiver<Result<T, StoreError>>;

enum Request {
    Change(Box<dyn Change>),
    Close(oneshot::Sender<()>),
}

impl WriterHandle {
    pub(crate) fn start(database: Arc<Database>, options: &Options) -> Self {
        let (queue, requests) = mpsc::channel(options.queue.max(1));
        let writer =
            Writer { database, requests, group: options.group.max(1), connection: None, in_company: false };
        tokio::spawn(writer.run());
        WriterHandle { queue, wait: options.wait }
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'a> Fn(&'a Transaction) -> WorkFuture<'a, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Box::new(Pending { work, is_single: false, outcome: None, reply }), answer).await
    }

    /// As `write`, for work that changes by one statement at most.
    pub(crate) async fn write_one<T: Send + 'static>(
        &self,
        work: impl for<'a> Fn(&'a Transaction) -> WorkFuture<'a, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Box::new(Pending { work, is_single: true, outcome: None, reply }), answer).await
    }

    /// As `write`, for work that also answers what is to be written down about it.
    pub(crate) async fn write_audited<T: Send + 'static>(
        &self,
        now: DateTime<Utc>,
        work: impl for<'a> Fn(&'a Transaction) -> WorkFuture<'a, (T, Vec<AuditEntry>)> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let change = Audited { work, now, entries: Vec::new(), outcome: None, reply };
        self.submit(Box::new(change), answer).await
    }

    async fn submit<T>(&self, change: Box<dyn Change>, answer: Answer<T>) -> Result<T, StoreError> {
        let deadline = Instant::now() + self.wait;
        match timeout_at(deadline, self.queue.send(Request::Change(change))).await {
            Err(_) => return Err(StoreError::Overloaded),
            Ok(Err(_closed)) => return Err(StoreError::Unavailable(None)),
            Ok(Ok(())) => {}
        }
        match timeout_at(deadline, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(StoreError::Unavailable(None)),
        }
    }

    pub(crate) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Request::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

struct Writer {
    database: Arc<Database>,
    requests: mpsc::Receiver<Request>,
    group: usize,
    /// Kept from group to group.
    connection: Option<Transaction>,
    /// Whether the last group held more than one change: then its callers may well come together again.
    in_company: bool,
}

impl Writer {
    async fn run(mut self) {
        while let Some(first) = self.next().await {
            let (group, close) = self.gather(first).await;
            self.in_company = group.len() > 1;
            self.commit(group).await;
            if let Some(done) = close {
                self.requests.close();
                self.connection = None;
                let _ = done.send(());
            }
        }
    }

    async fn next(&mut self) -> Option<Request> {
        if self.connection.is_some()
            && let Ok(next) = timeout(IDLE, self.requests.recv()).await
        {
            return next;
        }
        self.connection = None;
        self.requests.recv().await
    }

    async fn gather(&mut self, first: Request) -> (Vec<Box<dyn Change>>, Option<oneshot::Sender<()>>) {
        let mut group = Vec::new();
        let mut next = Some(first);
        while let Some(request) = next {
            match request {
                Request::Close(done) => return (group, Some(done)),
                Request::Change(change) if change.is_abandoned() => {}
                Request::Change(change) => group.push(change),
            }
            if group.len() >= self.group {
                break;
            }
            next = self.requests.try_recv().ok();
            if next.is_none() && self.in_company {
                // Whoever can run now runs first; when that brings nobody, all are in.
                tokio::task::yield_now().await;
                next = self.requests.try_recv().ok();
            }
        }
        (group, None)
    }

    async fn commit(&mut self, mut group: Vec<Box<dyn Change>>) {
        if group.is_empty() {
            return;
        }
        let outcome = match timeout(self.database.wait(), self.attempt(&mut group)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) => {
                if failure.tainted {
                    self.give_up_connection().await;
                } else if Fault::of(&failure.error) == Fault::Connection {
                    self.hang_up().await;
                }
                Err(StoreError::from(failure.error))
            }
            Err(_) => {
                self.give_up_connection().await;
                Err(StoreError::Unavailable(None))
            }
        };
        if !self.database.lets_writer_keep() {
            self.connection = None;
        }
        if let Err(error) = &outcome {
            tracing::warn!(error = %error, changes = group.len(), "Changes could not be committed");
        }
        for change in group {
            change.settle(outcome.clone());
        }
    }

    async fn give_up_connection(&mut self) {
        self.hang_up().await;
        self.database.renew_writer();
    }

    async fn hang_up(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.database.discard(connection).await;
        }
    }

    async fn attempt(&mut self, group: &mut [Box<dyn Change>]) -> Result<(), Failure> {
        let mut tries = 0;
        loop {
            let outcome = match self.together(group).await {
                Err(failure) if group.len() > 1 && failure.is_of_one_change() => self.apart(group).await,
                outcome => outcome,
            };
            tries += 1;
            match outcome {
                Err(failure) if failure.passes() && tries <= RETRIES => {}
                outcome => return outcome,
            }
        }
    }

    /// All or nothing.
    async fn together(&mut self, group: &mut [Box<dyn Change>]) -> Result<(), Failure> {
        if let [only] = group
            && only.is_single()
        {
            let connection = self.connected().await.map_err(Failure::clean)?;
            if connection.may_do_without() {
                return only.run(connection).await.map_err(Failure::clean);
            }
        }
        let transaction = self.begin().await.map_err(Failure::clean)?;
        match one_after_the_other(transaction, group).await {
            Ok(last) => commit(transaction, last).await,
            Err(error) => Err(roll_back(transaction, error).await),
        }
    }

    /// Each for itself; a failing change keeps its error for its own caller.
    async fn apart(&mut self, group: &mut [Box<dyn Change>]) -> Result<(), Failure> {
        let transaction = self.begin().await.map_err(Failure::clean)?;
        let end = log_end(transaction, is_audited(group)).await.map_err(Failure::tainted)?;
        let mut entries = Vec::new();
        for change in group {
            transaction.execute_unprepared("SAVEPOINT one").await.map_err(Failure::tainted)?;
            match change.run(transaction).await {
                Ok(()) => entries.append(&mut change.take_entries()),
                // The server undid all of it, not only this change.
                Err(error) if Fault::of(&error) == Fault::Passing => {
                    return Err(roll_back(transaction, error).await);
                }
                Err(error) => match transaction.execute_unprepared("ROLLBACK TO SAVEPOINT one").await {
                    Ok(_) => change.fail(error),
                    Err(_) => return Err(Failure::tainted(error)),
                },
            }
            transaction.execute_unprepared("RELEASE SAVEPOINT one").await.map_err(Failure::tainted)?;
        }
        commit(transaction, appended(transaction, end, entries)).await
    }

    /// Begins on the connection that was kept, or on a fresh one: a socket may have died since its last use.
    async fn begin(&mut self) -> Result<&Transaction, DbErr> {
        if let Some(kept) = self.connection.take() {
            match kept.begin().await {
                Ok(()) => return Ok(self.connection.insert(kept)),
                Err(error) => {
                    tracing::debug!(%error, "The kept connection to the database is gone; a fresh one is made");
                    self.database.discard(kept).await;
                }
            }
        }
        let connection = self.connected().await?;
        connection.begin().await?;
        Ok(connection)
    }

    async fn connected(&mut self) -> Result<&Transaction, DbErr> {
        let connection = match self.connection.take() {
            Some(kept) => kept,
            None => self.database.connect_writer().await?,
        };
        Ok(self.connection.insert(connection))
    }
}

/// Answers what is to be done last.
async fn one_after_the_other(
    transaction: &Transaction,
    group: &mut [Box<dyn Change>],
) -> Result<Vec<Statement>, DbErr> {
    let end = log_end(transaction, is_audited(group)).await?;
    let mut entries = Vec::new();
    for change in group {
        change.run(transaction).await?;
        entries.append(&mut change.take_entries());
    }
    Ok(appended(transaction, end, entries))
}

/// What appends entries to the audit log, if its end is known.
fn appended(
    transaction: &Transaction,
    end: Option<model::audit::Position>,
    entries: Vec<Dated>,
) -> Vec<Statement> {
    let backend = transaction.get_database_backend();
    end.map(|end| audit::append(backend, end, entries)).unwrap_or_default()
}

async fn commit(transaction: &Transaction, last: Vec<Statement>) -> Result<(), Failure> {
    match transaction.commit(last).await {
        Ok(()) => Ok(()),
        Err(Uncommitted { error, by_commit: true }) => Err(Failure::tainted(error)),
        Err(Uncommitted { error, by_commit: false }) => {
            Err(roll_back(transaction, audit::taken(error)).await)
        }
    }
}

async fn roll_back(transaction: &Transaction, error: DbErr) -> Failure {
    Failure { error, tainted: transaction.roll_back().await.is_err() }
}

/// Where the audit log ends, locked until the transaction ends; none if nothing is to be appended.
async fn log_end(
    transaction: &Transaction,
    is_audited: bool,
) -> Result<Option<model::audit::Position>, DbErr> {
    if is_audited { audit::lock(transaction).await.map(Some) } else { Ok(None) }
}

fn is_audited(group: &[Box<dyn Change>]) -> bool {
    group.iter().any(|change| change.is_audited())
}

/// A transaction that failed.
struct Failure {
    error: DbErr,
    /// Whether the connection may be left inside a transaction or out of step with it: a full disk makes SQLite end
    /// the transaction by itself, the driver then still counts it as open. Such a connection is not used again.
    tainted: bool,
}

impl Failure {
    fn clean(error: DbErr) -> Self {
        Failure { error, tainted: false }
    }

    fn tainted(error: DbErr) -> Self {
        Failure { error, tainted: true }
    }

    /// Whether the other changes of the group may well succeed.
    fn is_of_one_change(&self) -> bool {
        !self.tainted && !matches!(Fault::of(&self.error), Fault::Connection | Fault::Passing)
    }

    /// Whether the same group may well succeed now.
    fn passes(&self) -> bool {
        !self.tainted && Fault::of(&self.error) == Fault::Passing
    }
}

/// One queued change, its type erased.
trait Change: Send {
    fn run<'a>(&'a mut self, transaction: &'a Transaction) -> WorkFuture<'a, ()>;
    fn fail(&mut self, error: DbErr);
    fn is_abandoned(&self) -> bool;
    /// Whether it changes by one statement at most and has nothing written down.
    fn is_single(&self) -> bool {
        false
    }
    fn is_audited(&self) -> bool {
        false
    }
    /// What its last run wants written down.
    fn take_entries(&mut self) -> Vec<Dated> {
        Vec::new()
    }
    /// Tells the caller: its own failure first, else what became of the group.
    fn settle(self: Box<Self>, group: Result<(), StoreError>);
}

struct Pending<T, W> {
    work: W,
    is_single: bool,
    outcome: Option<Result<T, DbErr>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Change for Pending<T, W>
where
    T: Send,
    W: for<'a> Fn(&'a Transaction) -> WorkFuture<'a, T> + Send,
{
    fn run<'a>(&'a mut self, transaction: &'a Transaction) -> WorkFuture<'a, ()> {
        self.outcome = None;
        let work = (self.work)(transaction);
        let outcome = &mut self.outcome;
        Box::pin(async move {
            *outcome = Some(Ok(work.await?));
            Ok(())
        })
    }

    fn fail(&mut self, error: DbErr) {
        self.outcome = Some(Err(error));
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn is_single(&self) -> bool {
        self.is_single
    }

    fn settle(self: Box<Self>, group: Result<(), StoreError>) {
        tell(self.reply, group, self.outcome);
    }
}

struct Audited<T, W> {
    work: W,
    now: DateTime<Utc>,
    entries: Vec<AuditEntry>,
    outcome: Option<Result<T, DbErr>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Change for Audited<T, W>
where
    T: Send,
    W: for<'a> Fn(&'a Transaction) -> WorkFuture<'a, (T, Vec<AuditEntry>)> + Send,
{
    fn run<'a>(&'a mut self, transaction: &'a Transaction) -> WorkFuture<'a, ()> {
        self.outcome = None;
        self.entries.clear();
        let work = (self.work)(transaction);
        let (outcome, entries) = (&mut self.outcome, &mut self.entries);
        Box::pin(async move {
            let (value, written) = work.await?;
            *outcome = Some(Ok(value));
            *entries = written;
            Ok(())
        })
    }

    fn fail(&mut self, error: DbErr) {
        self.outcome = Some(Err(error));
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn is_audited(&self) -> bool {
        true
    }

    fn take_entries(&mut self) -> Vec<Dated> {
        let now = self.now;
        self.entries.drain(..).map(|entry| Dated { at: now, entry }).collect()
    }

    fn settle(self: Box<Self>, group: Result<(), StoreError>) {
        tell(self.reply, group, self.outcome);
    }
}

fn tell<T>(
    reply: oneshot::Sender<Result<T, StoreError>>,
    group: Result<(), StoreError>,
    own: Option<Result<T, DbErr>>,
) {
    let answer = match (group, own) {
        (Err(error), _) => Err(error),
        (Ok(()), Some(outcome)) => outcome.map_err(StoreError::from),
        (Ok(()), None) => Err(StoreError::Unavailable(None)),
    };
    // The caller may have stopped waiting.
    let _ = reply.send(answer);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DatabaseUrl, Store};
    use chrono::{DateTime, Utc};
    use model::Coded;
    use sea_orm::{ConnectionTrait, Statement};

    async fn on_file(options: Options) -> (Store, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&DatabaseUrl::file(directory.path().join("g.db")), options).await.unwrap();
        (store, directory)
    }

    /// Runs SQL on the writing connection, outside any group's meaning.
    async fn writer_says(store: &Store, sql: &'static str) -> i64 {
        let ask = store.write(move |tx| {
            let statement = Statement::from_string(tx.get_database_backend(), sql);
            Box::pin(async move {
                let row = tx.query_one_raw(statement).await?;
                row.map_or(Ok(-1), |row| row.try_get_by_index(0))
            })
        });
        ask.await.unwrap()
    }

    fn noon() -> DateTime<Utc> {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    #[tokio::test]
    async fn commits_are_flushed_to_the_disk() {
        let (store, _directory) = on_file(Options::default()).await;
        assert_eq!(writer_says(&store, "PRAGMA synchronous").await, 2, "FULL");
        assert_eq!(writer_says(&store, "PRAGMA foreign_keys").await, 1);
    }

    #[tokio::test]
    async fn a_full_disk_is_coded_and_passes() {
        let (store, _directory) = on_file(Options::default()).await;
        let pages = writer_says(&store, "PRAGMA page_count").await;
        writer_says(&store, "PRAGMA max_page_count = 1").await;
        let value = "x".repeat(1 << 20);
        let full = store.settings().put("big", &value, noon()).await.unwrap_err();
        assert_eq!(full.code(), "store.disk_full");
        assert!(writer_says(&store, "PRAGMA page_count").await <= pages);
        // What is there can still be read, and with room again it can be written.
        assert_eq!(store.settings().find("big").await.unwrap(), None);
        writer_says(&store, "PRAGMA max_page_count = 1000000").await;
        store.settings().put("big", &value, noon()).await.unwrap();
        assert_eq!(store.settings().find("big").await.unwrap(), Some(value));
    }

    #[tokio::test]
    async fn a_database_that_may_not_be_written_is_coded() {
        let (store, _directory) = on_file(Options::default()).await;
        writer_says(&store, "PRAGMA query_only = 1").await;
        let refused = store.settings().put("a", "b", noon()).await.unwrap_err();
        assert_eq!(refused.code(), "store.read_only");
        // Readers are always so: a write that missed the writer would be an error and not a second writer.
        let stray = store
            .read(|db| Box::pin(db.execute_unprepared("DELETE FROM settings")))
            .await
            .map(|done| done.rows_affected());
        assert_eq!(stray.unwrap_err().code(), "store.read_only");
    }

    /// Takes the write lock as another process would, lets 20 changes be refused meanwhile, and gives their codes and
    /// how many of them were made behind their callers' backs after the lock was gone.
    async fn refused_while_locked(options: Options) -> (Vec<&'static str>, usize) {
        use sqlx::ConnectOptions;
        let (store, directory) = on_file(options).await;
        let file = directory.path().join("g.db");
        let mut lock = sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await.unwrap();
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                let settings = store.settings();
                tokio::spawn(async move { settings.put(&format!("{n}"), "x", noon()).await })
            })
            .collect();
        let mut codes = Vec::new();
        for task in tasks {
            codes.push(task.await.unwrap().unwrap_err().code());
        }
        sqlx::query("ROLLBACK").execute(&mut lock).await.unwrap();
        store.settings().put("after", "x", noon()).await.unwrap();
        let mut made = 0;
        for n in 0..20 {
            made += usize::from(store.settings().find(&n.to_string()).await.unwrap().is_some());
        }
        (codes, made)
    }

    fn impatient() -> Options {
        Options { group: 1, wait: Duration::from_secs(2), ..Options::default() }
    }

    #[tokio::test]
    async fn more_than_the_queue_holds_is_refused() {
        let (codes, made) = refused_while_locked(Options { queue: 1, ..impatient() }).await;
        assert!(codes.contains(&"store.overloaded") && codes.contains(&"store.unavailable"), "{codes:?}");
        // Only the one that was being committed when its caller gave up can have been.
        assert!(made <= 1, "{made}");
    }

    #[tokio::test]
    async fn changes_of_callers_who_gave_up_are_not_made() {
        let (codes, made) = refused_while_locked(impatient()).await;
        assert!(codes.iter().all(|code| *code == "store.unavailable"), "{codes:?}");
        assert!(made <= 1, "{made}");
    }
}
