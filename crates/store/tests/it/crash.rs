//! What was acknowledged is there after the process was killed at any moment.

use crate::house::{House, new_target, new_user, noon, patient, postgres_database};
use model::Role;
use model::audit::Action;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use store::{AuditEntry, AuditFilter, AuditOrder, NewTarget, Store};

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

/// Changes that are written down, and entries by themselves, until killed. Every acknowledged one is one line.
async fn write_down_until_killed(url: &str) {
    let store = Store::open(&url.parse().unwrap(), patient()).await.unwrap();
    let writers: Vec<_> = (0..6)
        .map(|writer: usize| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0.. {
                    let name = format!("{}-{writer}-{n}", std::process::id());
                    let entry = AuditEntry::new(Action::UserAdded).with("made", name.as_str());
                    if writer.is_multiple_of(2) {
                        store.people().add(new_user(&name, Role::User), entry, noon()).await.unwrap();
                    } else {
                        store.audit().append(vec![entry], noon()).await.unwrap();
                    }
                    std::io::stdout().write_all(format!("ack {name}\n").as_bytes()).unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

/// Two processes write to one log and are killed in the middle: what they acknowledged is in it, it is whole, and it
/// has an entry for each person and a person for each entry.
async fn kill_two_and_verify(test: &str, url: &str) {
    for round in 1..=2 {
        let mut children = [victim(test, url), victim(test, url)];
        let mut acknowledged = HashSet::new();
        for child in &mut children {
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
            let ack = |line: String| line.strip_prefix("ack ").map(str::to_owned);
            let enough = acknowledged.len() + 30 * round;
            while acknowledged.len() < enough {
                acknowledged.extend(ack(lines.next().expect("the child ended by itself")));
            }
            child.kill().unwrap();
            child.wait().unwrap();
            acknowledged.extend(lines.filter_map(ack));
        }
        let store = Store::open(&url.parse().unwrap(), patient()).await.unwrap();
        let report = store.audit().verify([]).await.unwrap().unwrap();
        let mut written = HashSet::new();
        let mut behind = 0;
        while behind < report.entries {
            let rows =
                store.audit().list(&AuditFilter::default(), AuditOrder::After(behind), 1000).await.unwrap();
            for row in rows {
                behind = row.link.entry.seq;
                let detail: serde_json::Value = serde_json::from_str(&row.link.entry.detail).unwrap();
                written.insert(detail["made"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(written.len() as u64, report.entries);
        let missing: Vec<_> = acknowledged.difference(&written).collect();
        assert!(missing.is_empty(), "acknowledged and not written down: {missing:?}");
        let people = written.iter().filter(|name| is_person(name)).count() as u64;
        assert_eq!(store.people().count().await.unwrap(), people);
        for name in written.iter().filter(|name| is_person(name)) {
            assert!(store.people().find_by_name(name).await.unwrap().is_some(), "{name}");
        }
        store.close().await;
    }
}

/// Writers with an even number make people.
fn is_person(name: &str) -> bool {
    name.split('-').nth(1).unwrap().parse::<usize>().unwrap().is_multiple_of(2)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_whole_after_a_kill_sqlite() {
    if let Ok(url) = std::env::var(VICTIM) {
        return write_down_until_killed(&url).await;
    }
    let house = House::sqlite().await;
    house.store.close().await;
    kill_two_and_verify("crash::the_log_is_whole_after_a_kill_sqlite", &house.url.to_string()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_whole_after_a_kill_postgresql() {
    if let Ok(url) = std::env::var(VICTIM) {
        return write_down_until_killed(&url).await;
    }
    let database = postgres_database().await;
    kill_two_and_verify("crash::the_log_is_whole_after_a_kill_postgresql", database.url()).await;
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
