//! A database that goes away, hangs or was never there: coded, within the wait, and back when it is back.

use crate::house::{new_target, noon, postgres_database, postgres_server};
use model::Coded;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{DatabaseUrl, Options, Store};
use testkit::pg;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

/// Short enough for tests, long enough for a busy machine.
fn impatient() -> Options {
    Options { wait: Duration::from_secs(2), ..Options::default() }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_reported() {
    // A port that was free a moment ago, and is not reused while we hold its listener's address.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: DatabaseUrl =
        format!("postgres://u:hunter2@127.0.0.1:{}/g", listener.local_addr().unwrap().port())
            .parse()
            .unwrap();
    // It accepts and never answers.
    let begun = Instant::now();
    let error = Store::open(&url, impatient()).await.unwrap_err();
    assert_eq!(error.code(), "store.unavailable");
    assert!(begun.elapsed() < Duration::from_secs(20));
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn wrong_users_are_told_apart() {
    let url: DatabaseUrl = postgres_database().await.url().replace("gatehouse@", "nobody@").parse().unwrap();
    assert_eq!(Store::open(&url, impatient()).await.unwrap_err().code(), "store.login");
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "not a directory").unwrap();
    let url = DatabaseUrl::file(file.join("gatehouse.db"));
    assert_eq!(Store::open(&url, impatient()).await.unwrap_err().code(), "store.unavailable");
    let url = DatabaseUrl::file(&file);
    assert_eq!(Store::open(&url, impatient()).await.unwrap_err().code(), "store.corrupt");
}

#[tokio::test]
async fn a_server_that_stops_is_reported_and_a_new_one_is_found() {
    let server = pg::Server::start(&[]).unwrap();
    let store = Store::open(&server.url("postgres").parse().unwrap(), impatient()).await.unwrap();
    store.targets().add(new_target("before"), noon()).await.unwrap();
    // Every connection is cut by the server; the next use finds a new one.
    server
        .run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'gatehouse'")
        .unwrap();
    store.targets().list().await.unwrap();
    store.targets().add(new_target("between"), noon()).await.unwrap();
    drop(server);
    let refused = store.targets().add(new_target("after"), noon()).await.unwrap_err();
    assert_eq!(refused.code(), "store.unavailable");
    assert_eq!(store.targets().list().await.unwrap_err().code(), "store.unavailable");
    assert_eq!(store.ping().await.unwrap_err().code(), "store.unavailable");
}

/// A way to the server that can be cut without either side being told, as by a dead switch.
async fn silent_wire(target: String, cut: watch::Receiver<bool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (mut cut, target) = (cut.clone(), target.clone());
            tokio::spawn(async move {
                // What comes in while the wire is cut is held open and never answered.
                let held = *cut.borrow();
                let Ok(mut far) = UnixStream::connect(target).await else { return };
                if !held {
                    tokio::select! {
                        biased;
                        _ = cut.wait_for(|cut| *cut) => {}
                        _ = copy_bidirectional(&mut near, &mut far) => return,
                    }
                }
                std::future::pending::<()>().await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wire_that_goes_silent_costs_the_wait_and_no_more() {
    let database = postgres_database().await;
    let (cut, is_cut) = watch::channel(false);
    let cut = Arc::new(cut);
    let (user, rest) = postgres_server().address().split_once('@').unwrap();
    let (directory, number) = rest.rsplit_once(':').unwrap();
    let socket = format!("{}/.s.PGSQL.{number}", directory.replace("%2F", "/"));
    let port = silent_wire(socket, is_cut).await;
    let name = database.url().rsplit('/').next().unwrap();
    let url: DatabaseUrl = format!("{user}@127.0.0.1:{port}/{name}?sslmode=disable").parse().unwrap();
    let store = Store::open(&url, impatient()).await.unwrap();
    store.targets().add(new_target("before"), noon()).await.unwrap();
    store.targets().list().await.unwrap();
    cut.send(true).unwrap();
    let begun = Instant::now();
    let (write, read) = {
        let targets = store.targets();
        tokio::join!(targets.add(new_target("during"), noon()), targets.list())
    };
    assert_eq!(write.unwrap_err().code(), "store.unavailable");
    assert_eq!(read.unwrap_err().code(), "store.unavailable");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    cut.send(false).unwrap();
    let target = store.targets().add(new_target("between"), noon()).await.unwrap();

    // The worst moment: inside a transaction, between its reading and its writing.
    let switch = Arc::clone(&cut);
    let in_the_middle = move |security: &mut model::target::Security| {
        switch.send(true).unwrap();
        security.anonymous_tls = true;
    };
    let targets = store.targets();
    let lost = targets.update_security(target.id, in_the_middle, noon()).await.unwrap_err();
    assert_eq!(lost.code(), "store.unavailable");
    cut.send(false).unwrap();
    // The hung connection was given up, not waited for: the very next call finds a new one.
    store.targets().add(new_target("back"), noon()).await.unwrap();
    assert!(store.targets().list().await.unwrap().iter().any(|t| t.name == "before"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_file_is_waited_for_and_not_for_ever() {
    let house = crate::house::House::sqlite().await;
    let store = Store::open(&house.url, impatient()).await.unwrap();
    let path = house.url.to_string();
    let mut other = sqlx_lock(path.trim_start_matches("sqlite:")).await;
    let refused = store.targets().add(new_target("desk"), noon()).await.unwrap_err();
    assert_eq!(refused.code(), "store.unavailable");
    // Readers are not disturbed by a writer.
    store.targets().list().await.unwrap();
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    store.targets().add(new_target("desk"), noon()).await.unwrap();
}

async fn sqlx_lock(path: &str) -> sqlx::SqliteConnection {
    use sqlx::ConnectOptions;
    let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
    connection
}

#[tokio::test]
async fn tables_of_a_newer_program_are_left_alone() {
    let database = postgres_database().await;
    database.run("INSERT INTO seaql_migrations VALUES ('m9999_from_the_future', 0)").unwrap();
    let error = Store::open(&database.url().parse().unwrap(), impatient()).await.unwrap_err();
    assert_eq!(error.code(), "store.migration");
}

#[tokio::test]
async fn a_server_that_only_reads_is_reported() {
    let database = postgres_database().await;
    let name = database.url().rsplit('/').next().unwrap();
    let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    database.run(&read_only).unwrap();
    let error = Store::open(&database.url().parse().unwrap(), impatient()).await.unwrap_err();
    assert_eq!(error.code(), "store.read_only");
}
