//! The writing connection, as the repositories see it: sea-orm's statements run on it, inside a transaction or, when a
//! change is one statement, without.
//!
//! sea-orm's own transaction takes a connection from the pool and gives it back each time, and begins and commits by
//! calls of their own. Every call to SQLite is a message to its thread and another back, which cost more than the
//! work that they ask for, so here the connection stays, BEGIN travels with the first statement, COMMIT with the last
//! ones, and nobody waits for more than a statement's last word.

use futures_util::TryStreamExt;
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, sea_query::Values,
};
use sea_orm_migration::async_trait::async_trait;
use sea_query_sqlx::SqlxValues;
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Either, Executor, Postgres, Sqlite};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Takes the write lock at once: a transaction that begins as a reader would fail instead of waiting when another
/// process wrote in between.
const BEGIN_SQLITE: &str = "BEGIN IMMEDIATE; ";
const BEGIN_POSTGRES: &str = "BEGIN";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

pub(crate) struct Transaction {
    line: Mutex<Line>,
    backend: DbBackend,
}

pub(crate) enum Link {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

struct Line {
    link: Link,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Each statement is a transaction of its own.
    Outside,
    /// The next statement brings BEGIN along.
    Beginning,
    Inside,
}

/// A commit that did not come to be.
pub(crate) struct Uncommitted {
    pub(crate) error: DbErr,
    /// Whether it was COMMIT itself that failed; otherwise the transaction is still open.
    pub(crate) by_commit: bool,
}

/// What a statement gave.
struct Outcome {
    rows: Vec<QueryResult>,
    done: Option<ExecResult>,
}

impl Transaction {
    pub(crate) fn new(link: Link) -> Self {
        let backend = match &link {
            Link::Sqlite(_) => DbBackend::Sqlite,
            Link::Postgres(_) => DbBackend::Postgres,
        };
        Transaction { line: Mutex::new(Line { link, state: State::Outside }), backend }
    }

    /// Whether a statement that stands alone may go without BEGIN. Over a socket it may not: BEGIN is what finds out
    /// that the socket died since its last use, at a time when nothing can have been done yet.
    pub(crate) fn may_do_without(&self) -> bool {
        self.backend == DbBackend::Sqlite
    }

    pub(crate) async fn begin(&self) -> Result<(), DbErr> {
        self.line.lock().await.begin().await.map_err(failed_to_execute)
    }

    /// Runs statements whose answers nobody needs, and commits.
    pub(crate) async fn commit(&self, last: Vec<Statement>) -> Result<(), Uncommitted> {
        let mut line = self.line.lock().await;
        let outcome = line.commit(last).await;
        outcome.map_err(|(error, by_commit)| Uncommitted { error: failed_to_execute(error), by_commit })
    }

    /// Succeeds if no transaction is open any more.
    pub(crate) async fn roll_back(&self) -> Result<(), DbErr> {
        self.line.lock().await.finish(ROLLBACK).await.map_err(failed_to_execute)
    }

    /// Undoes what an interrupted call may have left open, whatever it was.
    pub(crate) async fn clear(&self) {
        let mut line = self.line.lock().await;
        line.state = State::Inside;
        // Mostly nothing is open, and SQLite then says so.
        let _ = line.finish(ROLLBACK).await;
        line.state = State::Outside;
    }

    /// Hangs up; an open transaction is undone by that. The pool may connect anew.
    pub(crate) fn hang_up(self) {
        match self.line.into_inner().link {
            Link::Sqlite(connection) => drop(connection.detach()),
            Link::Postgres(connection) => drop(connection.detach()),
        }
    }

    async fn run(&self, statement: Statement) -> Result<Outcome, sqlx::Error> {
        self.line.lock().await.run(statement.sql, statement.values.unwrap_or(Values(Vec::new()))).await
    }
}

impl Line {
    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        match &mut self.link {
            Link::Sqlite(_) => self.state = State::Beginning,
            Link::Postgres(connection) => {
                connection.execute(BEGIN_POSTGRES).await?;
                self.state = State::Inside;
            }
        }
        Ok(())
    }

    /// The error, and whether it is COMMIT's.
    async fn commit(&mut self, last: Vec<Statement>) -> Result<(), (sqlx::Error, bool)> {
        match &mut self.link {
            Link::Sqlite(connection) if !last.is_empty() => {
                commit_on_sqlite(connection, &mut self.state, last).await
            }
            _ => {
                for Statement { sql, values, .. } in last {
                    let values = values.unwrap_or(Values(Vec::new()));
                    self.run(sql, values).await.map_err(|error| (error, false))?;
                }
                self.finish(COMMIT).await.map_err(|error| (error, true))
            }
        }
    }

    async fn finish(&mut self, how: &'static str) -> Result<(), sqlx::Error> {
        if self.state == State::Inside {
            match &mut self.link {
                // With values, even none, SQLite's statement is prepared once and kept.
                Link::Sqlite(_) => self.run(how.to_owned(), Values(Vec::new())).await.map(|_| ())?,
                Link::Postgres(connection) => connection.execute(how).await.map(|_| ())?,
            }
        }
        self.state = State::Outside;
        Ok(())
    }

    async fn run(&mut self, sql: String, values: Values) -> Result<Outcome, sqlx::Error> {
        match &mut self.link {
            Link::Sqlite(connection) => on_sqlite(connection, &mut self.state, sql, values).await,
            Link::Postgres(connection) => on_postgres(connection, sql, values).await,
        }
    }
}

/// INVARIANT: returns after the statement's last word and not at its last row, for outside of a transaction it is
/// committed in between.
async fn on_sqlite(
    connection: &mut PoolConnection<Sqlite>,
    state: &mut State,
    sql: String,
    values: Values,
) -> Result<Outcome, sqlx::Error> {
    let sql = if *state == State::Beginning { format!("{BEGIN_SQLITE}{sql}") } else { sql };
    let query = sqlx::query_with(AssertSqlSafe(sql), SqlxValues(values));
    let mut answers = connection.fetch_many(query);
    let mut outcome = Outcome { rows: Vec::new(), done: None };
    while let Some(answer) = answers.try_next().await? {
        match answer {
            Either::Left(_) if *state == State::Beginning => *state = State::Inside,
            Either::Left(done) => {
                outcome.done = Some(done.into());
                break;
            }
            Either::Right(row) => outcome.rows.push(row.into()),
        }
    }
    Ok(outcome)
}

/// All in one message: SQLite takes the values of one statement after the other.
async fn commit_on_sqlite(
    connection: &mut PoolConnection<Sqlite>,
    state: &mut State,
    last: Vec<Statement>,
) -> Result<(), (sqlx::Error, bool)> {
    let mut sql = if *state == State::Beginning { BEGIN_SQLITE.to_owned() } else { String::new() };
    let before = last.len() + usize::from(*state == State::Beginning);
    let mut values = Vec::new();
    for statement in last {
        sql.push_str(&statement.sql);
        sql.push_str("; ");
        values.extend(statement.values.unwrap_or(Values(Vec::new())));
    }
    sql.push_str(COMMIT);
    let mut answers = connection.fetch_many(sqlx::query_with(AssertSqlSafe(sql), SqlxValues(Values(values))));
    let mut done = 0;
    *state = State::Inside;
    while let Some(answer) = answers.try_next().await.map_err(|error| (error, done >= before))? {
        done += usize::from(answer.is_left());
    }
    if done <= before {
        // SQLite's thread is gone, and nobody knows how far it came.
        return Err((sqlx::Error::WorkerCrashed, true));
    }
    *state = State::Outside;
    Ok(())
}

async fn on_postgres(
    connection: &mut PoolConnection<Postgres>,
    sql: String,
    values: Values,
) -> Result<Outcome, sqlx::Error> {
    let query = sqlx::query_with(AssertSqlSafe(sql), SqlxValues(values));
    let mut answers = connection.fetch_many(query);
    let mut outcome = Outcome { rows: Vec::new(), done: None };
    while let Some(answer) = answers.try_next().await? {
        match answer {
            Either::Left(done) => outcome.done = Some(done.into()),
            Either::Right(row) => outcome.rows.push(row.into()),
        }
    }
    Ok(outcome)
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let outcome = self.run(statement).await.map_err(failed_to_execute)?;
        outcome.done.ok_or_else(|| failed_to_execute(sqlx::Error::WorkerCrashed))
    }

    /// One statement, without values.
    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.execute_raw(Statement::from_string(self.backend, sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let outcome = self.run(statement).await.map_err(failed_to_query)?;
        // Without its last word nothing is known to be done: SQLite's thread is gone.
        if outcome.done.is_none() {
            return Err(failed_to_query(sqlx::Error::WorkerCrashed));
        }
        Ok(outcome.rows)
    }
}

fn failed_to_execute(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

fn failed_to_query(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}
