//! Connections: one that writes, some that read, and bounded waits for both.
//!
//! SQLite gets WAL, so that readers never wait for the writer, and `synchronous=FULL`, so that a commit is on
//! the disk when it is acknowledged. A pool whose connection hangs (a cable cut, not a refusal) is thrown away and
//! made anew: waiting for TCP to give up would take a quarter of an hour.

use crate::transaction::{Link, Transaction};
use crate::url::Place;
use crate::writer::WorkFuture;
use crate::{DatabaseUrl, OpenError, Options, StoreError};
use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, RuntimeErr, SqliteTransactionMode,
    SqlxPostgresConnector, SqlxSqliteConnector, TransactionOptions, TransactionTrait,
};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A statement cache larger than our number of queries, each of which may come with BEGIN before it.
const STATEMENTS: usize = 128;
/// Idle readers are closed after so long; the writer stays.
const READER_IDLE: Duration = Duration::from_secs(60);
/// Between two tries for a file that another starting program holds.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

pub(crate) struct Database {
    writer: Renewable,
    readers: Renewable,
    wait: Duration,
    dialect: &'static str,
    /// Whether readers and writer are one connection, and all data ends with it.
    is_memory: bool,
}

impl Database {
    pub(crate) async fn connect(url: &DatabaseUrl, options: &Options) -> Result<Database, OpenError> {
        let failed = |error: sqlx::Error| {
            OpenError::connecting(url.to_string(), DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))))
        };
        match &url.0 {
            Place::Memory => Database::memory(options).map_err(failed),
            Place::File(path) => Database::file(path, options).await.map_err(failed),
            Place::Postgres(postgres) => Database::postgres(postgres, options).await.map_err(failed),
        }
    }

    fn memory(options: &Options) -> Result<Database, sqlx::Error> {
        let connect: SqliteConnectOptions = "sqlite::memory:".parse()?;
        // INVARIANT: one connection that never ends, for the data ends with it.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(options.wait)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_lazy_with(connect.disable_statement_logging());
        let connection = SqlxSqliteConnector::from_sqlx_sqlite_pool(pool);
        Ok(Database {
            writer: Renewable::fixed(connection.clone()),
            readers: Renewable::fixed(connection),
            wait: options.wait,
            dialect: "sqlite",
            is_memory: true,
        })
    }

    async fn file(path: &Path, options: &Options) -> Result<Database, sqlx::Error> {
        if let Some(directory) = path.parent() {
            tokio::fs::create_dir_all(directory).await.map_err(sqlx::Error::Io)?;
        }
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(options.wait / 2)
            .statement_cache_capacity(STATEMENTS)
            .disable_statement_logging();
        let pool = sqlite_pool(1, options).idle_timeout(None);
        let writer = Renewable::new({
            let connect = connect.clone();
            move || sqlite(pool.clone().connect_lazy_with(connect.clone()))
        });
        // The writer comes first: it makes the file and sets WAL, which readers then find.
        first_connection(&writer, options.wait).await?;
        let readers = sqlite_pool(options.readers.max(1), options)
            .idle_timeout(READER_IDLE)
            .connect_lazy_with(connect.create_if_missing(false).pragma("query_only", "ON"));
        Ok(Database {
            writer,
            readers: Renewable::fixed(sqlite(readers)),
            wait: options.wait,
            dialect: "sqlite",
            is_memory: false,
        })
    }

    async fn postgres(connect: &PgConnectOptions, options: &Options) -> Result<Database, sqlx::Error> {
        let connect = connect
            .clone()
            .application_name("gatehouse")
            .statement_cache_capacity(STATEMENTS)
            .disable_statement_logging();
        let pool = move |connections: u32, wait: Duration| {
            let connect = connect.clone();
            move || postgres_pool(connections, wait).connect_lazy_with(connect.clone())
        };
        let writer = pool(1, options.wait);
        drop(writer().acquire().await?);
        Ok(Database {
            writer: Renewable::new(move || postgres(writer())),
            readers: Renewable::new({
                let readers = pool(options.readers.max(1), options.wait);
                move || postgres(readers())
            }),
            wait: options.wait,
            dialect: "postgresql",
            is_memory: false,
        })
    }

    pub(crate) fn dialect(&self) -> &'static str {
        self.dialect
    }

    pub(crate) fn wait(&self) -> Duration {
        self.wait
    }

    /// Runs a read within the wait.
    pub(crate) async fn read<T>(
        &self,
        work: impl for<'a> FnOnce(&'a DatabaseConnection) -> WorkFuture<'a, T> + Send,
    ) -> Result<T, StoreError> {
        let lease = self.readers.lease();
        match tokio::time::timeout(self.wait, work(&lease.connection)).await {
            Ok(outcome) => Ok(outcome?),
            Err(_) => {
                self.readers.renew(lease.generation);
                Err(StoreError::Unavailable(None))
            }
        }
    }

    /// Opens a transaction on the writing connection, for the schema. SQLite takes the write lock at once.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let lease = self.writer.lease();
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        lease.connection.begin_with_options(options).await
    }

    /// The writing connection, to keep.
    pub(crate) async fn connect_writer(&self) -> Result<Transaction, DbErr> {
        let lease = self.writer.lease();
        let link = match lease.connection.get_database_backend() {
            DbBackend::Postgres => {
                lease.connection.get_postgres_connection_pool().acquire().await.map(Link::Postgres)
            }
            _ => lease.connection.get_sqlite_connection_pool().acquire().await.map(Link::Sqlite),
        };
        link.map(Transaction::new).map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))))
    }

    /// Whether the writer may keep its connection: not if the readers have no other.
    pub(crate) fn lets_writer_keep(&self) -> bool {
        !self.is_memory
    }

    /// Does not use a connection again whose last call failed or never came back.
    pub(crate) async fn discard(&self, connection: Transaction) {
        if self.is_memory {
            connection.clear().await;
        } else {
            connection.hang_up();
        }
    }

    /// After a write that never came back, or left its connection in doubt.
    pub(crate) fn renew_writer(&self) {
        self.writer.renew(self.writer.lease().generation);
    }

    pub(crate) async fn close(&self) {
        // A hanging connection must not keep the program from stopping; dropping it is as good.
        for pool in [&self.readers, &self.writer] {
            let _ = tokio::time::timeout(self.wait, pool.lease().connection.close_by_ref()).await;
        }
    }
}

/// Opens the writing connection of a file. Several programs that start on a new file at once all turn WAL on, and
/// SQLite answers "busy" to all but one of them without asking the busy handler (two readers that both want to
/// write would wait for each other); so the waiting is done here, and bounded.
async fn first_connection(writer: &Renewable, wait: Duration) -> Result<(), sqlx::Error> {
    let deadline = tokio::time::Instant::now() + wait;
    loop {
        let lease = writer.lease();
        match lease.connection.get_sqlite_connection_pool().acquire().await {
            Ok(_) => return Ok(()),
            Err(error) if is_busy(&error) && tokio::time::Instant::now() + BUSY_PAUSE < deadline => {
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// SQLITE_BUSY and its extended codes, whose low byte is the same (<https://sqlite.org/rescode.html#busy>).
fn is_busy(error: &sqlx::Error) -> bool {
    const SQLITE_BUSY: i32 = 5;
    error
        .as_database_error()
        .and_then(|error| error.code()?.parse::<i32>().ok())
        .is_some_and(|code| code & 0xff == SQLITE_BUSY)
}

fn sqlite_pool(connections: u32, options: &Options) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(options.wait)
        .max_lifetime(None)
        // A file handle does not go away like a socket does.
        .test_before_acquire(false)
}

fn postgres_pool(connections: u32, wait: Duration) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(wait)
        .idle_timeout(READER_IDLE)
        .after_connect(move |connection, _| {
            // Set by statement and not at start-up, because connection poolers refuse unknown start-up options.
            // A server-wide `synchronous_commit = off` would make an acknowledgment a promise nobody keeps.
            let settings = format!(
                "SET statement_timeout = {}; SET synchronous_commit = on; SET timezone = 'UTC'",
                wait.as_millis()
            );
            Box::pin(async move {
                sqlx::Executor::execute(connection, sqlx::AssertSqlSafe(settings)).await.map(|_| ())
            })
        })
}

fn sqlite(pool: SqlitePool) -> DatabaseConnection {
    SqlxSqliteConnector::from_sqlx_sqlite_pool(pool)
}

fn postgres(pool: PgPool) -> DatabaseConnection {
    SqlxPostgresConnector::from_sqlx_postgres_pool(pool)
}

/// A pool that can be replaced by a fresh one while callers hold the old.
struct Renewable {
    make: Option<Box<dyn Fn() -> DatabaseConnection + Send + Sync>>,
    current: Mutex<Lease>,
}

#[derive(Clone)]
struct Lease {
    generation: u64,
    connection: DatabaseConnection,
}

impl Renewable {
    fn new(make: impl Fn() -> DatabaseConnection + Send + Sync + 'static) -> Self {
        let connection = make();
        Renewable { make: Some(Box::new(make)), current: Mutex::new(Lease { generation: 0, connection }) }
    }

    fn fixed(connection: DatabaseConnection) -> Self {
        Renewable { make: None, current: Mutex::new(Lease { generation: 0, connection }) }
    }

    fn lease(&self) -> Lease {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `seen` is the generation that hung, so that many callers who saw it renew once.
    fn renew(&self, seen: u64) {
        let Some(make) = &self.make else { return };
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.generation == seen {
            *current = Lease { generation: seen.wrapping_add(1), connection: make() };
            tracing::warn!("A connection to the database is given up and made anew");
        }
    }
}
