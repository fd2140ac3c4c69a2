//! What can go wrong with a database, told apart by what a person must do about it.
//!
//! Causes carry driver text for the log; the code and the sentence carry none of it.

use model::Coded;
use sea_orm::{DbErr, RuntimeErr};
use sqlx::error::ErrorKind;

/// Why an operation on an open store failed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No connection, or no answer in time. After a change the outcome may be unknown.
    #[error("the database does not answer; check that it runs and can be reached")]
    Unavailable(#[source] Option<DbErr>),
    /// More changes are waiting than the queue holds.
    #[error("the database cannot keep up with the changes; try again")]
    Overloaded,
    /// No space left for the database.
    #[error("the disk of the database is full; free some space")]
    DiskFull(#[source] DbErr),
    /// The database may not be written.
    #[error(
        "the database is read-only; check the permissions of its file and directory, or the server's role"
    )]
    ReadOnly(#[source] DbErr),
    /// A unique value exists already, or something still refers to the row.
    #[error("the change conflicts with what is stored")]
    Conflict(#[source] DbErr),
    /// A stored value cannot be understood.
    #[error("a stored value in {column} cannot be read; restore a backup or remove the row")]
    Corrupt {
        /// `table.column`.
        column: &'static str,
    },
    /// Anything else; the source says what.
    #[error("the database refused the operation; see the log")]
    Failed(#[source] DbErr),
}

impl Coded for StoreError {
    fn code(&self) -> &'static str {
        match self {
            StoreError::Unavailable(_) => "store.unavailable",
            StoreError::Overloaded => "store.overloaded",
            StoreError::DiskFull(_) => "store.disk_full",
            StoreError::ReadOnly(_) => "store.read_only",
            StoreError::Conflict(_) => "store.conflict",
            StoreError::Corrupt { .. } => "store.corrupt",
            StoreError::Failed(_) => "store.failed",
        }
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match Fault::of(&error) {
            Fault::Connection => StoreError::Unavailable(Some(error)),
            Fault::DiskFull => StoreError::DiskFull(error),
            Fault::ReadOnly => StoreError::ReadOnly(error),
            Fault::Conflict => StoreError::Conflict(error),
            Fault::Corrupt => StoreError::Corrupt { column: "the database file" },
            Fault::Passing => StoreError::Unavailable(Some(error)),
            Fault::Other => StoreError::Failed(error),
        }
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The database could not be reached, read or written.
    #[error("cannot open the database {url}: {source}")]
    Database {
        /// Without its password.
        url: String,
        /// What is wrong.
        source: StoreError,
    },
    /// The certificate of a PostgreSQL server was not accepted, or it offers no TLS.
    #[error("the way to the database {url} is not safe; give its authority by sslrootcert=FILE in the URL")]
    Tls {
        /// Without its password.
        url: String,
        /// What TLS said.
        source: DbErr,
    },
    /// A PostgreSQL server refused user or password.
    #[error("the database {url} refused the login; check user and password in the URL")]
    Login {
        /// Without its password.
        url: String,
        /// What the server said.
        source: DbErr,
    },
    /// The schema could not be brought up to date, or it was made by a newer program.
    #[error("the tables of the database could not be brought up to date; is it from a newer version?")]
    Migration(#[source] DbErr),
}

impl Coded for OpenError {
    fn code(&self) -> &'static str {
        match self {
            OpenError::Database { source, .. } => source.code(),
            OpenError::Tls { .. } => "store.tls",
            OpenError::Login { .. } => "store.login",
            OpenError::Migration(_) => "store.migration",
        }
    }
}

impl OpenError {
    pub(crate) fn connecting(url: String, error: DbErr) -> OpenError {
        match sqlx_error(&error) {
            Some(sqlx::Error::Tls(_)) => OpenError::Tls { url, source: error },
            Some(sqlx::Error::Io(cause)) if is_tls(cause) => OpenError::Tls { url, source: error },
            Some(sqlx::Error::Database(cause)) if cause.code().is_some_and(|c| c.starts_with("28")) => {
                OpenError::Login { url, source: error }
            }
            _ => OpenError::Database { url, source: error.into() },
        }
    }

    pub(crate) fn migrating(url: String, error: DbErr) -> OpenError {
        match Fault::of(&error) {
            Fault::Other | Fault::Conflict => OpenError::Migration(error),
            _ => OpenError::Database { url, source: error.into() },
        }
    }
}

fn is_tls(cause: &std::io::Error) -> bool {
    cause.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

/// What kind of trouble an error means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    Connection,
    DiskFull,
    ReadOnly,
    Conflict,
    Corrupt,
    /// Two transactions stood in each other's way and this one was undone; the same may succeed when run again.
    Passing,
    Other,
}

impl Fault {
    pub(crate) fn of(error: &DbErr) -> Fault {
        match error {
            DbErr::ConnectionAcquire(_) => Fault::Connection,
            _ => sqlx_error(error).map_or(Fault::Other, Fault::of_driver),
        }
    }

    fn of_driver(error: &sqlx::Error) -> Fault {
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => Fault::Connection,
            sqlx::Error::Database(cause) => match (cause.kind(), cause.code()) {
                (ErrorKind::UniqueViolation | ErrorKind::ForeignKeyViolation, _) => Fault::Conflict,
                (_, Some(code)) => Fault::of_code(&code),
                (_, None) => Fault::Other,
            },
            _ => Fault::Other,
        }
    }

    /// PostgreSQL's five characters, or SQLite's extended result code in decimal.
    fn of_code(code: &str) -> Fault {
        if code.len() == 5 {
            return match code {
                "53100" => Fault::DiskFull,
                "25006" => Fault::ReadOnly,
                // too many connections; shutdown, crash, starting up; statement timeout; lock timeout; database gone
                "53300" | "57P01" | "57P02" | "57P03" | "57014" | "55P03" | "3D000" => Fault::Connection,
                "XX001" | "XX002" => Fault::Corrupt,
                // serialization failure; deadlock
                "40001" | "40P01" => Fault::Passing,
                _ if code.starts_with("08") => Fault::Connection,
                _ => Fault::Other,
            };
        }
        // The low byte of an extended code is the primary one [sqlite.org/rescode.html].
        match code.parse::<u32>().map(|code| code & 0xff) {
            Ok(8) => Fault::ReadOnly,
            Ok(13) => Fault::DiskFull,
            // busy, locked, I/O error, cannot open, locking protocol
            Ok(5 | 6 | 10 | 14 | 15) => Fault::Connection,
            Ok(11 | 26) => Fault::Corrupt,
            _ => Fault::Other,
        }
    }
}

fn sqlx_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(e))
        | DbErr::Exec(RuntimeErr::SqlxError(e))
        | DbErr::Query(RuntimeErr::SqlxError(e)) => Some(e),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_both_databases_are_told_apart() {
        for (code, fault) in [
            ("8", Fault::ReadOnly),
            ("1032", Fault::ReadOnly), // SQLITE_READONLY_DBMOVED
            ("13", Fault::DiskFull),
            ("5", Fault::Connection),
            ("778", Fault::Connection), // SQLITE_IOERR_WRITE
            ("26", Fault::Corrupt),
            ("1", Fault::Other),
            ("53100", Fault::DiskFull),
            ("25006", Fault::ReadOnly),
            ("57P01", Fault::Connection),
            ("08006", Fault::Connection),
            ("40P01", Fault::Passing),
            ("42P01", Fault::Other),
        ] {
            assert_eq!(Fault::of_code(code), fault, "{code}");
        }
    }
}
