//! What was acknowledged is there after the process was killed at any moment.

use crate::house::{House, new_target, noon, patient, postgres_database};
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use store::{NewTarget, Store};

/// Set in the child that is to be killed: the database it writes to.
const VICTIM: &str = "GATEHOUSE_TEST_VICTIM";

/// Runs this very test again as a child, with the environment that makes it write until it is killed.
fn victim(test: &str, url: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(VICTIM, url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Eight writers at once, so that a kill meets groups under way; every acknowledged name is one line.
async fn write_until_killed(url: &str) {
    let store = Store::open(&url.parse().unwrap(), patient()).await.unwrap();
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let targets = store.targets();
            tokio::spawn(async move {
                for n in 0.. {
                    let name = format!("{writer}-{n}");
                    let new = NewTarget { name: name.clone(), ..new_target("x") };
                    targets.add(new, noon()).await.unwrap();
                    // One write call a line: a kill leaves whole lines or none.
                    std::io::stdout().write_all(format!("ack {name}\n").as_bytes()).unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn kill_and_compare(test: &str, url: &str) {
    for round in 1..=3 {
        let mut child = victim(test, url);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let ack = |line: String| line.strip_prefix("ack ").map(str::to_owned);
        let mut acknowledged: HashSet<String> = HashSet::new();
        while acknowledged.len() < 40 * round {
            acknowledged.extend(ack(lines.next().expect("the child ended by itself")));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(lines.filter_map(ack));
        let store = Store::open(&url.parse().unwrap(), patient()).await.unwrap();
        let targets = store.targets();
        let stored: HashSet<_> = targets.list().await.unwrap().into_iter().map(|t| t.name).collect();
        let missing: Vec<_> = acknowledged.difference(&stored).collect();
        assert!(missing.is_empty(), "acknowledged and lost: {missing:?}");
        for target in targets.list().await.unwrap() {
            targets.remove(target.id, noon()).await.unwrap();
        }
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_rows_survive_a_kill_sqlite() {
    if let Ok(url) = std::env::var(VICTIM) {
        return write_until_killed(&url).await;
    }
    let house = House::sqlite().await;
    house.store.close().await;
    kill_and_compare("crash::acknowledged_rows_survive_a_kill_sqlite", &house.url.to_string()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_rows_survive_a_kill_postgresql() {
    if let Ok(url) = std::env::var(VICTIM) {
        return write_until_killed(&url).await;
    }
    let database = postgres_database().await;
    kill_and_compare("crash::acknowledged_rows_survive_a_kill_postgresql", database.url()).await;
}
