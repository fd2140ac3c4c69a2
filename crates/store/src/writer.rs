//! The one writer: changes queue here and are committed in groups, so that many of them share one flush of the
//! disk, and each caller is told only after its own change is durable.
//!
//! A group runs in one transaction. If a change fails, the group is rolled back and run again with a savepoint
//! around each change, so that only the failing one fails; the common case pays for no savepoints. A change
//! whose caller has given up before it ran is left out.
//!
//! INVARIANT: an `Ok` is sent after `COMMIT` returned, never before.

use crate::connection::Database;
use crate::error::Fault;
use crate::{Options, StoreError};
use sea_orm::{DatabaseTransaction, DbErr, TransactionTrait};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// What a piece of database work answers.
pub(crate) type WorkFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, DbErr>> + Send + 'a>>;

pub(crate) struct WriterHandle {
    queue: mpsc::Sender<Request>,
    wait: Duration,
}

enum Request {
    Change(Box<dyn Change>),
    Close(oneshot::Sender<()>),
}

impl WriterHandle {
    pub(crate) fn start(database: Arc<Database>, options: &Options) -> Self {
        let (queue, requests) = mpsc::channel(options.queue.max(1));
        let writer =
            Writer { database, requests, group: options.group.max(1), linger: options.linger, in_company: false };
        tokio::spawn(writer.run());
        WriterHandle { queue, wait: options.wait }
    }

    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl for<'a> Fn(&'a DatabaseTransaction) -> WorkFuture<'a, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let deadline = Instant::now() + self.wait;
        let (reply, answer) = oneshot::channel();
        let change = Request::Change(Box::new(Pending { work, outcome: None, reply }));
        match timeout_at(deadline, self.queue.send(change)).await {
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
    linger: Duration,
    /// Whether the last group held more than one change: then waiting for the next ones pays.
    in_company: bool,
}

impl Writer {
    async fn run(mut self) {
        while let Some(first) = self.requests.recv().await {
            let (group, close) = self.gather(first).await;
            self.in_company = group.len() > 1;
            self.commit(group).await;
            if let Some(done) = close {
                self.requests.close();
                let _ = done.send(());
            }
        }
    }

    async fn gather(&mut self, first: Request) -> (Vec<Box<dyn Change>>, Option<oneshot::Sender<()>>) {
        let deadline = Instant::now() + self.linger;
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
            next = match self.requests.try_recv() {
                Ok(request) => Some(request),
                Err(_) if self.in_company => {
                    timeout_at(deadline, self.requests.recv()).await.ok().flatten()
                }
                Err(_) => None,
            };
        }
        (group, None)
    }

    async fn commit(&self, mut group: Vec<Box<dyn Change>>) {
        if group.is_empty() {
            return;
        }
        let outcome = match timeout(self.database.wait(), self.attempt(&mut group)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(StoreError::from(error)),
            Err(_) => {
                self.database.renew_writer();
                Err(StoreError::Unavailable(None))
            }
        };
        if let Err(error) = &outcome {
            tracing::warn!(error = %error, changes = group.len(), "Changes could not be committed");
        }
        for change in group {
            change.settle(outcome.clone());
        }
    }

    async fn attempt(&self, group: &mut [Box<dyn Change>]) -> Result<(), DbErr> {
        match self.together(group).await {
            Err(error) if group.len() > 1 && Fault::of(&error) != Fault::Connection => self.apart(group).await,
            outcome => outcome,
        }
    }

    /// All or nothing.
    async fn together(&self, group: &mut [Box<dyn Change>]) -> Result<(), DbErr> {
        let transaction = self.database.begin().await?;
        for change in group {
            if let Err(error) = change.run(&transaction).await {
                transaction.rollback().await?;
                return Err(error);
            }
        }
        transaction.commit().await
    }

    /// Each for itself; a failing change keeps its error for its own caller.
    async fn apart(&self, group: &mut [Box<dyn Change>]) -> Result<(), DbErr> {
        let transaction = self.database.begin().await?;
        for change in group {
            let savepoint = transaction.begin().await?;
            match change.run(&savepoint).await {
                Ok(()) => savepoint.commit().await?,
                Err(error) => {
                    savepoint.rollback().await?;
                    change.fail(error);
                }
            }
        }
        transaction.commit().await
    }
}

/// One queued change, its type erased.
trait Change: Send {
    fn run<'a>(&'a mut self, transaction: &'a DatabaseTransaction) -> WorkFuture<'a, ()>;
    fn fail(&mut self, error: DbErr);
    fn is_abandoned(&self) -> bool;
    /// Tells the caller: its own failure first, else what became of the group.
    fn settle(self: Box<Self>, group: Result<(), StoreError>);
}

struct Pending<T, W> {
    work: W,
    outcome: Option<Result<T, DbErr>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Change for Pending<T, W>
where
    T: Send,
    W: for<'a> Fn(&'a DatabaseTransaction) -> WorkFuture<'a, T> + Send,
{
    fn run<'a>(&'a mut self, transaction: &'a DatabaseTransaction) -> WorkFuture<'a, ()> {
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

    fn settle(self: Box<Self>, group: Result<(), StoreError>) {
        let answer = match (group, self.outcome) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(outcome)) => outcome.map_err(StoreError::from),
            (Ok(()), None) => Err(StoreError::Unavailable(None)),
        };
        // The caller may have stopped waiting.
        let _ = self.reply.send(answer);
    }
}
