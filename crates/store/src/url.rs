//! Where the database is, and how safe the way to it must be.
//!
//! A PostgreSQL server on another machine is only spoken to by TLS with its name and chain verified; on a Unix
//! socket or the loopback interface the URL decides. Nothing printed from here shows the password.

use model::Coded;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// A parsed database URL: `sqlite:PATH`, `sqlite::memory:` or `postgres://user:password@host:port/database`.
#[derive(Clone)]
pub struct DatabaseUrl(pub(crate) Place);

#[derive(Clone)]
pub(crate) enum Place {
    Memory,
    File(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

/// Why a database URL was not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Not a form we know.
    #[error("the database URL must start with sqlite: or postgres://")]
    Scheme,
    /// The rest of it is malformed.
    #[error(
        "the database URL cannot be read; write sqlite:PATH or postgres://user:password@host:port/database"
    )]
    Malformed,
    /// It asks for less than verified TLS towards another machine.
    #[error(
        "sslmode must be verify-full (or absent) for a database on another machine; name its authority by sslrootcert=FILE"
    )]
    Unverified,
}

impl Coded for UrlError {
    fn code(&self) -> &'static str {
        match self {
            UrlError::Scheme | UrlError::Malformed => "store.url_invalid",
            UrlError::Unverified => "store.tls_required",
        }
    }
}

impl DatabaseUrl {
    /// The SQLite file at this path; made when absent, with its directory.
    pub fn file(path: impl AsRef<Path>) -> Self {
        DatabaseUrl(Place::File(path.as_ref().to_owned()))
    }

    /// SQLite in memory: gone when the store is.
    pub fn memory() -> Self {
        DatabaseUrl(Place::Memory)
    }
}

impl std::str::FromStr for DatabaseUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<Self, UrlError> {
        if let Some(rest) = url.strip_prefix("sqlite:") {
            return sqlite(rest);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = url.parse::<PgConnectOptions>().map_err(|_| UrlError::Malformed)?;
            let mode = tls_mode(&options, asked_mode(url))?;
            return Ok(DatabaseUrl(Place::Postgres(Box::new(options.ssl_mode(mode)))));
        }
        Err(UrlError::Scheme)
    }
}

fn sqlite(rest: &str) -> Result<DatabaseUrl, UrlError> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    match path {
        ":memory:" => Ok(DatabaseUrl::memory()),
        "" => Err(UrlError::Malformed),
        // Options would be taken for part of the name and a file `x?mode=ro` made.
        _ if path.contains('?') => Err(UrlError::Malformed),
        _ => Ok(DatabaseUrl::file(path)),
    }
}

/// Whether the URL itself names a mode: the driver's options cannot tell a default from a wish, and they also
/// take one from the environment.
fn asked_mode(url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    query.split('&').any(|pair| pair.starts_with("sslmode=") || pair.starts_with("ssl-mode="))
}

fn tls_mode(options: &PgConnectOptions, asked: bool) -> Result<PgSslMode, UrlError> {
    let mode = options.get_ssl_mode();
    if is_local(options) {
        return Ok(if asked { mode } else { PgSslMode::Prefer });
    }
    match mode {
        PgSslMode::VerifyFull => Ok(mode),
        _ if asked => Err(UrlError::Unverified),
        _ => Ok(PgSslMode::VerifyFull),
    }
}

fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some()
        || host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// For people: everything but the password.
impl std::fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Place::Memory => f.write_str("sqlite::memory:"),
            Place::File(path) => write!(f, "sqlite:{}", path.display()),
            Place::Postgres(o) => {
                let database = o.get_database().unwrap_or_default();
                match o.get_socket() {
                    Some(socket) => {
                        write!(f, "postgres://{}@{}/{database}", o.get_username(), socket.display())
                    }
                    None => {
                        write!(
                            f,
                            "postgres://{}@{}:{}/{database}",
                            o.get_username(),
                            o.get_host(),
                            o.get_port()
                        )
                    }
                }
            }
        }
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> Result<PgSslMode, UrlError> {
        match url.parse::<DatabaseUrl>()?.0 {
            Place::Postgres(options) => Ok(options.get_ssl_mode()),
            _ => Err(UrlError::Scheme),
        }
    }

    #[test]
    fn another_machine_is_always_verified() {
        for url in
            ["postgres://u:p@db.example/g", "postgresql://10.0.0.7/g", "postgres://[2001:db8::1]:5433/g"]
        {
            assert!(matches!(mode(url), Ok(PgSslMode::VerifyFull)), "{url}");
        }
        assert!(matches!(mode("postgres://db.example/g?sslmode=verify-full"), Ok(PgSslMode::VerifyFull)));
        for weak in ["disable", "allow", "prefer", "require", "verify-ca"] {
            let url = format!("postgres://db.example/g?sslmode={weak}");
            assert_eq!(mode(&url).unwrap_err(), UrlError::Unverified, "{weak}");
        }
        // The host that counts is the one that is connected to.
        assert_eq!(
            mode("postgres://localhost/g?host=db.example&sslmode=disable").unwrap_err(),
            UrlError::Unverified
        );
    }

    #[test]
    fn this_machine_may_choose() {
        assert!(matches!(mode("postgres://127.0.0.1/g"), Ok(PgSslMode::Prefer)));
        assert!(matches!(mode("postgres://[::1]/g?sslmode=disable"), Ok(PgSslMode::Disable)));
        assert!(matches!(mode("postgres://localhost/g?sslmode=verify-full"), Ok(PgSslMode::VerifyFull)));
        assert!(matches!(mode("postgres://u@%2Frun%2Fpostgresql/g"), Ok(PgSslMode::Prefer)));
        assert!(matches!(mode("postgres:///g?host=/run/postgresql"), Ok(PgSslMode::Prefer)));
    }

    #[test]
    fn nothing_printed_shows_the_password() {
        let url: DatabaseUrl = "postgres://gatehouse:hunter2@db.example:5433/g".parse().unwrap();
        assert_eq!(url.to_string(), "postgres://gatehouse@db.example:5433/g");
        assert!(!format!("{url:?}").contains("hunter2"));
    }

    #[test]
    fn sqlite_forms() {
        for (url, shown) in [
            ("sqlite::memory:", "sqlite::memory:"),
            ("sqlite:data/g.db", "sqlite:data/g.db"),
            ("sqlite:///var/lib/g.db", "sqlite:/var/lib/g.db"),
        ] {
            assert_eq!(url.parse::<DatabaseUrl>().unwrap().to_string(), shown);
        }
        for bad in ["sqlite:", "sqlite:g.db?mode=ro", "mysql://x", "g.db", "postgres://[/g"] {
            assert!(bad.parse::<DatabaseUrl>().is_err(), "{bad}");
        }
    }
}
