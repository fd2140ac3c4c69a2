//! Tickets issued and taken in a second through the group-committing writer, beside a bare loop that commits each
//! statement by itself on the same kind of database with the same durability.
//!
//! ```text
//! cargo run --release -p store --example ticket_bench [DATABASE-URL] [SECONDS]
//! ```
//! Without a URL it measures SQLite in the working directory, on its disk: a RAM disk would flatter both sides.
//! The bare loop is SQLite only, where a commit is a flush. CPU is this process's, both sides measured alike.

use chrono::{TimeDelta, Utc};
use model::{Policy, SessionId, TargetId, TicketId};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use std::path::Path;
use std::time::{Duration, Instant};
use store::{DatabaseUrl, NewTarget, NewTicket, Options, Store, TakeTicket, TokenHash};
use uuid::Uuid;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Callers who each wait for one change before they ask for the next.
const CALLERS: [usize; 4] = [1, 8, 64, 256];
/// Each round measures everything once, so that a busy minute of the machine falls on both sides; medians count.
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next();
    let length = Duration::from_secs(arguments.next().map_or(Ok(2), |text| text.parse())?);
    let directory = tempfile::Builder::new().prefix("ticket-bench-").tempdir_in(".")?;
    let mut bare = match &url {
        Some(_) => None,
        None => Some(bare_connection(&directory.path().join("bare.db")).await?),
    };
    let url = match url {
        Some(url) => url.parse()?,
        None => DatabaseUrl::file(directory.path().join("store.db")),
    };
    let store = Store::open(&url, Options::default()).await?;
    let mut rows: Vec<Row> = CALLERS.iter().map(|n| Row::new(format!("store, {n} callers"))).collect();
    let mut bare_row = Row::new("bare loop, one connection".to_owned());
    for _ in 0..ROUNDS {
        let mut peer = None;
        if let Some(bare) = &mut bare {
            let run = bare_loop(bare, length).await?;
            peer = Some(run.rate());
            bare_row.add(&run, None);
        }
        for (row, callers) in rows.iter_mut().zip(CALLERS) {
            row.add(&through_store(&store, callers, length).await?, peer);
        }
    }
    if bare.is_some() {
        bare_row.print();
    }
    let mut most: f64 = 0.0;
    for row in &mut rows {
        row.print();
        most = most.max(median(&mut row.rates));
    }
    half_load(&store, most, length).await?;
    store.close().await;
    Ok(())
}

struct Run {
    tickets: u32,
    wall: f64,
    cpu: f64,
}

impl Run {
    async fn measure(work: impl Future<Output = Outcome<u32>>) -> Outcome<Run> {
        let (wall, cpu) = (Instant::now(), cpu_seconds()?);
        let tickets = work.await?;
        Ok(Run { tickets, wall: wall.elapsed().as_secs_f64(), cpu: cpu_seconds()? - cpu })
    }

    fn rate(&self) -> f64 {
        f64::from(self.tickets) / self.wall
    }
}

/// What one way of working gave in all rounds.
struct Row {
    name: String,
    rates: Vec<f64>,
    cpu: Vec<f64>,
    ratios: Vec<f64>,
}

impl Row {
    fn new(name: String) -> Row {
        Row { name, rates: Vec::new(), cpu: Vec::new(), ratios: Vec::new() }
    }

    fn add(&mut self, run: &Run, peer: Option<f64>) {
        self.rates.push(run.rate());
        self.cpu.push(run.cpu * 1e3 / f64::from(run.tickets.max(1)));
        self.ratios.extend(peer.map(|peer| run.rate() / peer));
    }

    fn print(&mut self) {
        let (rate, cpu) = (median(&mut self.rates), median(&mut self.cpu));
        let ratio = match self.ratios.is_empty() {
            true => String::new(),
            false => format!(", {:.2} x bare", median(&mut self.ratios)),
        };
        println!(
            "{:28} {rate:8.0} tickets issued and taken a second, {cpu:.3} ms CPU each{ratio}",
            self.name
        );
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Tickets issued and not taken, as many as there were taken a second, which were two changes each; every one comes
/// when it is due and does not wait for the one before.
async fn half_load(store: &Store, rate: f64, length: Duration) -> Outcome<()> {
    let target = target(store).await?;
    let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / rate.max(1.0)));
    let (start, mut tasks) = (Instant::now(), Vec::new());
    while start.elapsed() < length {
        let due = tick.tick().await;
        let tickets = store.tickets();
        tasks.push(tokio::spawn(async move {
            tickets
                .issue(fresh_ticket(target, fresh_hash()))
                .await
                .map(|()| due.elapsed().as_secs_f64() * 1e3)
        }));
    }
    let mut waits = Vec::new();
    for task in tasks {
        waits.push(task.await??);
    }
    waits.sort_by(f64::total_cmp);
    let at = |hundredth: usize| waits.get(waits.len() * hundredth / 100).copied().unwrap_or(f64::NAN);
    println!("{rate:.0} changes a second, half of the most: p50 {:.1} ms, p99 {:.1} ms", at(50), at(99));
    Ok(())
}

/// User and system time of this process; ticks are hundredths of a second on Linux.
fn cpu_seconds() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').ok_or("no fields in /proc/self/stat")?.1;
    let ticks: Vec<f64> =
        fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

async fn through_store(store: &Store, callers: usize, length: Duration) -> Outcome<Run> {
    let target = target(store).await?;
    let work = async {
        let until = Instant::now() + length;
        let tasks: Vec<_> =
            (0..callers).map(|_| tokio::spawn(issue_and_take(store.clone(), target, until))).collect();
        let mut tickets = 0;
        for task in tasks {
            tickets += task.await??;
        }
        Ok(tickets)
    };
    Run::measure(work).await
}

async fn target(store: &Store) -> Outcome<TargetId> {
    let id = TargetId(Uuid::now_v7());
    let new = NewTarget {
        id,
        name: id.to_string(),
        address: model::target::Address::TestCard,
        origin: model::target::Origin::Administrator,
        security: model::target::Security::default(),
        username: None,
        sealed_secret: None,
        tags: Vec::new(),
        description: String::new(),
        thumbnails: false,
    };
    store.targets().add(new, Utc::now()).await?;
    Ok(id)
}

async fn issue_and_take(store: Store, target: TargetId, until: Instant) -> Result<u32, store::StoreError> {
    let tickets = store.tickets();
    let mut done = 0;
    while Instant::now() < until {
        let token_hash = fresh_hash();
        tickets.issue(fresh_ticket(target, token_hash)).await?;
        let wish = TakeTicket {
            token_hash,
            session: SessionId(Uuid::now_v7()),
            taken_by: ([127, 0, 0, 1], 1).into(),
            resume_hash: None,
        };
        match tickets.take(wish, Utc::now()).await {
            Ok(_) => done += 1,
            Err(store::TakeError::Store(error)) => return Err(error),
            Err(refusal) => unreachable!("a fresh ticket was refused: {refusal}"),
        }
    }
    Ok(done)
}

fn fresh_ticket(target: TargetId, token_hash: TokenHash) -> NewTicket {
    let now = Utc::now();
    NewTicket {
        id: TicketId(Uuid::now_v7()),
        token_hash,
        target,
        policy: Policy::default(),
        subject: "bench".to_owned(),
        owner: None,
        login: None,
        created_at: now,
        expires_at: now + TimeDelta::minutes(15),
        sealed_vnc_password: None,
    }
}

fn fresh_hash() -> TokenHash {
    let (a, b) = (Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes());
    let mut hash = [0; 32];
    for (slot, byte) in hash.iter_mut().zip(a.into_iter().chain(b)) {
        *slot = byte;
    }
    TokenHash(hash)
}

/// What a program without a writer would do: an INSERT and an UPDATE, each its own commit.
async fn bare_loop(connection: &mut SqliteConnection, length: Duration) -> Outcome<Run> {
    let work = async {
        let until = Instant::now() + length;
        let mut tickets = 0;
        while Instant::now() < until {
            bare_ticket(connection).await?;
            tickets += 1;
        }
        Ok(tickets)
    };
    Run::measure(work).await
}

/// With the columns that a ticket has, without the references and indexes that serve other questions.
async fn bare_connection(path: &Path) -> Outcome<SqliteConnection> {
    let mut connection = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await?;
    let table = "CREATE TABLE tickets (id BLOB PRIMARY KEY, token_hash BLOB UNIQUE, policy TEXT, subject TEXT, \
                 created_at TEXT, expires_at TEXT, taken_at TEXT, taken_by TEXT, session_id BLOB)";
    sqlx::query(table).execute(&mut connection).await?;
    Ok(connection)
}

async fn bare_ticket(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let (hash, now) = (fresh_hash().0.to_vec(), Utc::now());
    sqlx::query("INSERT INTO tickets (id, token_hash, policy, subject, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)")
        .bind(Uuid::now_v7())
        .bind(&hash)
        .bind("{\"view_only\":false}")
        .bind("bench")
        .bind(now)
        .bind(now + TimeDelta::minutes(15))
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE tickets SET taken_at = ?, taken_by = ?, session_id = ? \
         WHERE token_hash = ? AND taken_at IS NULL AND expires_at > ?",
    )
    .bind(now)
    .bind("127.0.0.1:1")
    .bind(Uuid::now_v7())
    .bind(&hash)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}
