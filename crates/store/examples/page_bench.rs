//! How long pages of a hundred thousand sessions take: the first, one in the middle, the last, by time and by risk,
//! each with the count that a list shows.
//!
//! ```text
//! cargo run --release -p store --example page_bench [EMPTY-POSTGRESQL-URL]
//! ```
//! Without a URL it measures SQLite in the working directory. Each line is the median and the slowest of fifty.

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use std::time::{Duration, Instant};
use store::{DatabaseUrl, Options, PageRequest, SessionFilter, SessionSort, SessionStatus, Store};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const ROWS: u64 = 100_000;
const FILL: &str = "INSERT INTO vnc_sessions (id, client_ip, client_port, start_time, end_time, status,
    created_at, updated_at, protocol, ingress, subject, target_name, policy, node_id, boot_id, user_id, risk_score)
    SELECT {id}, '192.0.2.7', 40000, {time}, {time}, CASE WHEN n % 1000 = 0 THEN 'active' ELSE 'terminated' END,
    {time}, {time}, 'vnc', 'websocket', 'ann', 'desk', '{}', {nobody}, {nobody}, {user},
    CASE WHEN n % 100 = 0 THEN 70 + n % 30 ELSE n % 50 END FROM {numbers}";
const SQLITE: [(&str, &str); 5] = [
    ("{id}", "randomblob(16)"),
    ("{time}", "strftime('%Y-%m-%dT%H:%M:%S+00:00', 1700000000 + n, 'unixepoch')"),
    ("{nobody}", "zeroblob(16)"),
    ("{user}", "unhex(printf('%032x', n % 100))"),
    (
        "{numbers}",
        "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000) SELECT n FROM c)",
    ),
];
const POSTGRES: [(&str, &str); 5] = [
    ("{id}", "gen_random_uuid()"),
    ("{time}", "to_timestamp(1700000000 + n)"),
    ("{nobody}", "'00000000-0000-0000-0000-000000000000'::uuid"),
    ("{user}", "lpad(to_hex(n % 100), 32, '0')::uuid"),
    ("{numbers}", "generate_series(1, 100000) AS n"),
];

#[tokio::main]
async fn main() -> Outcome<()> {
    let directory = tempfile::Builder::new().prefix("page-bench-").tempdir_in(".")?;
    let file = directory.path().join("store.db");
    let given = std::env::args().nth(1);
    let url = match &given {
        Some(url) => url.parse()?,
        None => DatabaseUrl::file(&file),
    };
    let store = Store::open(&url, Options::default()).await?;
    match &given {
        Some(url) => {
            let mut database = sqlx::PgConnection::connect(url).await?;
            database.execute(AssertSqlSafe(filled(POSTGRES))).await?;
            database.execute("VACUUM ANALYZE vnc_sessions").await?;
        }
        None => {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
            options.connect().await?.execute(AssertSqlSafe(filled(SQLITE))).await?;
        }
    }
    let all = SessionFilter::default;
    let risk = || SessionFilter { sort: SessionSort::Risk, ..all() };
    let ended = SessionFilter { status: Some(SessionStatus::Terminated), ..all() };
    let risky = SessionFilter { min_risk: Some(70.0), ..all() };
    for (name, filter, offset) in [
        ("newest", all(), 0),
        ("newest, middle", all(), ROWS / 2),
        ("newest, last", all(), ROWS - 100),
        ("riskiest", risk(), 0),
        ("riskiest, last", risk(), ROWS - 100),
        ("ended", ended.clone(), 0),
        ("ended, last", ended, ROWS - 200),
        ("risky, newest", risky, 0),
    ] {
        measure(&store, name, &filter, offset).await?;
    }
    store.close().await;
    Ok(())
}

fn filled(words: [(&str, &str); 5]) -> String {
    words.into_iter().fold(FILL.to_owned(), |sql, (from, to)| sql.replace(from, to))
}

async fn measure(store: &Store, name: &str, filter: &SessionFilter, offset: u64) -> Outcome<()> {
    let page = PageRequest { offset, ..PageRequest::default() };
    let mut times = Vec::new();
    for _ in 0..50 {
        let begun = Instant::now();
        let rows = store.sessions().list(filter, &page).await?.items.len();
        store.sessions().count(filter).await?;
        times.push(begun.elapsed());
        assert!(rows > 0, "nothing to measure");
    }
    times.sort();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    println!("{name:18} {:7.1} ms, at most {:7.1} ms", milliseconds(times[25]), milliseconds(times[49]));
    Ok(())
}
