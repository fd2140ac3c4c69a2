//! Consoles granted in a second by a whole `gatehouse serve` with the limits it ships with, beside a bare loop that
//! commits the very rows that the server left, one request's after the other's, on the same disk.
//!
//! ```text
//! cargo build --release -p app && cargo run --release -p app --example console_bench [SECONDS]
//! ```
//! SQLite in the working directory, `synchronous=FULL` on both sides. The callers' own work is on the same cores.

use anyhow::{Context, Result, ensure};
use auth::token::Token;
use chrono::Utc;
use model::audit::Action;
use model::target::{Address, Origin, Security};
use model::{ApiTokenId, Role, Scope, SubjectId, TargetId, UserId};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{AuditEntry, DatabaseUrl, GrantRow, NewApiToken, NewTarget, NewUser, Options, Store, TokenHash};
use testkit::process::{Child, Program};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use uuid::Uuid;

/// As many as stay below the shipped 600 requests a minute each, whatever this benchmark asks for.
const PERSONS: usize = 1_000;
/// Connections that each wait for one answer before they ask again.
const CALLERS: [usize; 3] = [1, 16, 64];
/// Connections made before anything is measured.
const WARM: usize = 64;
/// A connection that nobody used for so long may be about to be closed by the server.
const IDLE: Duration = Duration::from_secs(8);
/// Each round measures everything once; medians count.
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() -> Result<()> {
    let seconds = std::env::args().nth(1).map_or(Ok(3), |text| text.parse())?;
    let length = Duration::from_secs(seconds);
    let directory = tempfile::Builder::new().prefix("console-bench-").tempdir_in(".")?;
    let tokens = people(directory.path()).await?;
    let (_child, address) = serve(directory.path()).await?;
    let line = Line::connect(address, Arc::new(tokens)).await?;
    let mut most = vec![Vec::new(); CALLERS.len()];
    let (mut bare, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (callers, rates) in CALLERS.into_iter().zip(&mut most) {
            rates.push(closed(&line, callers, length).await?);
        }
        let rate = bare_loop(directory.path(), length).await?;
        bare.push(rate);
        ratios.push(most.iter().filter_map(|rates| rates.last()).fold(0.0, |a: f64, b| a.max(*b)) / rate);
    }
    println!("bare loop, one connection  {:8.0} times the same rows a second", median(&mut bare));
    for (callers, rates) in CALLERS.into_iter().zip(&mut most) {
        println!("server, {callers:3} callers        {:8.0} consoles a second", median(rates));
    }
    println!(
        "the most beside the bare loop: {:.2} x (target 0.5), target 2,000 a second",
        median(&mut ratios)
    );
    for rate in [1_000.0, 2_000.0] {
        let mut waits = open(&line, rate, length).await?;
        let (p50, p99) = (hundredth(&mut waits, 50), hundredth(&mut waits, 99));
        println!("{rate:.0} due a second: p50 {p50:.1} ms, p99 {p99:.1} ms (target 20 ms at 1,000)");
    }
    Ok(())
}

/// Persons with a grant on one target and a token each.
async fn people(directory: &Path) -> Result<Vec<Token>> {
    let url = DatabaseUrl::file(directory.join("gatehouse.db"));
    let store = Store::open(&url, Options::default()).await?;
    let (now, entry) = (Utc::now(), || AuditEntry::new(Action::UserAdded));
    let target = TargetId(Uuid::now_v7());
    let new = NewTarget {
        id: target,
        name: "desk".to_owned(),
        address: Address::Tcp { host: "127.0.0.1".to_owned(), port: 5901 },
        security: Security::default(),
        username: None,
        sealed_secret: None,
        tags: Vec::new(),
        description: String::new(),
        thumbnails: false,
        origin: Origin::Administrator,
    };
    store.targets().add(new, now).await?;
    let mut tokens = Vec::new();
    for number in 0..PERSONS {
        let (user, token) = (UserId(Uuid::now_v7()), Token::fresh());
        let new = NewUser {
            id: user,
            subject: SubjectId(Uuid::new_v4()),
            name: format!("person{number}"),
            display_name: String::new(),
            password_hash: None,
            role: Role::User,
            language: None,
        };
        store.people().add(new, entry(), now).await?;
        let grant = GrantRow { user, target, view_only: false, expires_at: None };
        store.people().grants().set(grant, entry(), now).await?;
        let new = NewApiToken {
            id: ApiTokenId(Uuid::now_v7()),
            user,
            name: "bench".to_owned(),
            token_hash: TokenHash(*token.hash().as_bytes()),
            scopes: vec![Scope::Console.word().to_owned()],
            expires_at: None,
        };
        store.api_tokens().add(new, entry(), now).await?;
        tokens.push(token);
    }
    store.close().await;
    Ok(tokens)
}

async fn serve(directory: &Path) -> Result<(Child, SocketAddr)> {
    let program = std::env::current_exe()?.with_file_name("../gatehouse");
    ensure!(program.exists(), "build it first: cargo build --release -p app");
    let child = Program::new(program)
        .args(["serve", "--listen", "127.0.0.1:0", "--native", "127.0.0.1:0", "--data"])
        .arg(directory)
        .start()?;
    let address = child
        .line("the web address", |line| Some(line.trim().strip_prefix("address")?.trim().to_owned()))
        .await?;
    let address = address.split_once("//").context("no URL")?.1.trim_end_matches('/').parse()?;
    Ok((child, address))
}

/// Connections that are kept, and whose turn it is to ask.
struct Line {
    idle: Mutex<Vec<(TcpStream, Instant)>>,
    address: SocketAddr,
    tokens: Arc<Vec<Token>>,
    turn: std::sync::atomic::AtomicUsize,
}

impl Line {
    async fn connect(address: SocketAddr, tokens: Arc<Vec<Token>>) -> Result<Arc<Line>> {
        let line = Line { idle: Mutex::default(), address, tokens, turn: 0.into() };
        // One after the other: a burst of connections that have not said anything yet is refused.
        let mut open = Vec::new();
        for _ in 0..WARM {
            line.ask().await?;
            open.append(&mut *line.idle.lock().await);
        }
        *line.idle.lock().await = open;
        Ok(Arc::new(line))
    }

    /// One console for the next person; an error unless it is granted.
    async fn ask(&self) -> Result<()> {
        let turn = self.turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let token = self.tokens.get(turn % self.tokens.len()).context("nobody asks")?;
        let request = format!(
            "POST /api/vm/1/console/request HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}",
            self.address,
            token.expose()
        );
        let idle = self.idle.lock().await.pop().filter(|(_, since)| since.elapsed() < IDLE);
        let mut stream = match idle {
            Some((stream, _)) => stream,
            None => TcpStream::connect(self.address).await?,
        };
        stream.set_nodelay(true)?;
        stream.write_all(request.as_bytes()).await?;
        // An answer with its body fits one read or two.
        let mut answer = Vec::with_capacity(4096);
        while !complete(&answer) {
            ensure!(stream.read_buf(&mut answer).await? > 0, "the server hung up");
        }
        let text = String::from_utf8_lossy(&answer);
        ensure!(text.starts_with("HTTP/1.1 200"), "{text}");
        self.idle.lock().await.push((stream, Instant::now()));
        Ok(())
    }
}

fn complete(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}

/// Consoles a second when each caller waits for an answer before the next wish.
async fn closed(line: &Arc<Line>, callers: usize, length: Duration) -> Result<f64> {
    let start = Instant::now();
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let line = Arc::clone(line);
            tokio::spawn(async move {
                let mut granted = 0u32;
                while start.elapsed() < length {
                    line.ask().await?;
                    granted += 1;
                }
                anyhow::Ok(granted)
            })
        })
        .collect();
    let mut granted = 0;
    for caller in callers {
        granted += caller.await??;
    }
    Ok(f64::from(granted) / start.elapsed().as_secs_f64())
}

/// Milliseconds from when each was due to its answer; nobody waits for the one before.
async fn open(line: &Arc<Line>, rate: f64, length: Duration) -> Result<Vec<f64>> {
    let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    let (start, mut tasks) = (Instant::now(), Vec::new());
    while start.elapsed() < length {
        let due = tick.tick().await;
        let line = Arc::clone(line);
        tasks.push(tokio::spawn(async move {
            line.ask().await?;
            anyhow::Ok(due.elapsed().as_secs_f64() * 1e3)
        }));
    }
    let mut waits = Vec::new();
    for task in tasks {
        waits.push(task.await??);
    }
    Ok(waits)
}

/// Commits what single requests left in the server's database, each by itself, to an empty one of the same tables.
async fn bare_loop(directory: &Path, length: Duration) -> Result<f64> {
    let file = directory.join("bare.db");
    let _ = std::fs::remove_file(&file);
    let mut bare = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        .connect()
        .await?;
    let server = directory.join("gatehouse.db");
    bare.execute(AssertSqlSafe(format!("ATTACH '{}' AS server", server.display()))).await?;
    let tables = "SELECT sql FROM server.sqlite_master WHERE sql IS NOT NULL AND tbl_name IN
        ('tickets', 'audit', 'audit_people', 'audit_state')";
    for table in bare.fetch_all(tables).await? {
        bare.execute(AssertSqlSafe(table.get::<String, _>(0))).await?;
    }
    bare.execute("INSERT INTO main.audit_state SELECT * FROM server.audit_state").await?;
    copy_each(&mut bare, length).await
}

async fn copy_each(bare: &mut SqliteConnection, length: Duration) -> Result<f64> {
    let tickets = bare.fetch_all("SELECT rowid FROM server.tickets ORDER BY rowid LIMIT 50000").await?;
    let rows = bare.fetch_all("SELECT seq FROM server.audit ORDER BY seq DESC LIMIT 50000").await?;
    let (start, mut commits) = (Instant::now(), 0u32);
    for (ticket, row) in tickets.iter().zip(&rows) {
        if start.elapsed() >= length {
            break;
        }
        let (ticket, seq): (i64, i64) = (ticket.get(0), row.get(0));
        let mut tx = bare.begin().await?;
        let copies = [
            ("INSERT INTO main.tickets SELECT * FROM server.tickets WHERE rowid = ?", ticket),
            ("INSERT INTO main.audit SELECT * FROM server.audit WHERE seq = ?", seq),
            ("INSERT INTO main.audit_people SELECT * FROM server.audit_people WHERE seq = ?", seq),
            ("UPDATE main.audit_state SET last_seq = ?", seq),
        ];
        for (copy, key) in copies {
            sqlx::query(copy).bind(key).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        commits += 1;
    }
    Ok(f64::from(commits) / start.elapsed().as_secs_f64())
}

fn median(values: &mut [f64]) -> f64 {
    hundredth(values, 50)
}

fn hundredth(values: &mut [f64], at: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() * at / 100).copied().unwrap_or(f64::NAN)
}
