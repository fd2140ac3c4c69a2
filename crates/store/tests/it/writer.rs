//! The writer: groups, and the one that fails among many that do not.

use crate::house::{House, new_target, new_ticket, noon, on_both, patient};
use model::{Coded, TargetId};
use std::collections::HashSet;
use store::{NewTarget, Options, Store, TicketState};
use uuid::Uuid;

async fn add_all(store: &Store, names: Vec<String>) -> Vec<Result<u32, &'static str>> {
    let tasks: Vec<_> = names
        .into_iter()
        .map(|name| {
            let targets = store.targets();
            let new = NewTarget { name, ..new_target("x") };
            tokio::spawn(async move { targets.add(new, noon()).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap().map(|t| t.number).map_err(|e| e.code()));
    }
    answers
}

on_both! {
    async fn a_failing_change_does_not_fail_its_group(house) {
        // Every fourth name is taken already; they queue together, so that groups hold both kinds.
        house.target("taken").await;
        let names = (0..200).map(|n| if n % 4 == 0 { "taken".to_owned() } else { format!("desk {n}") });
        let answers = add_all(&house.store, names.collect()).await;
        let mut numbers = HashSet::new();
        for (n, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(number) => assert!(n % 4 != 0 && numbers.insert(number), "{n}"),
                Err(code) => assert!(n % 4 == 0 && code == "target.name_taken", "{n}: {code}"),
            }
        }
        let stored: HashSet<_> =
            house.store.targets().list().await.unwrap().into_iter().map(|t| t.number).collect();
        assert_eq!(stored.len(), 151);
        // What was acknowledged is what is stored, and no number was used up by a failure.
        assert!(numbers.is_subset(&stored));
        assert_eq!(stored.into_iter().max(), Some(151));
    }

    async fn an_acknowledged_change_is_seen_by_every_reader(house) {
        let neighbor = house.neighbor().await;
        for n in 0..20 {
            let added = house.target(&format!("desk {n}")).await;
            assert_eq!(house.store.targets().find(added.id).await.unwrap().as_ref(), Some(&added));
            assert_eq!(neighbor.targets().find(added.id).await.unwrap().as_ref(), Some(&added));
        }
    }

    async fn a_lone_change_is_committed_or_leaves_nothing_open(house) {
        let target = house.target("desk").await.id;
        let neighbor = house.neighbor().await;
        for n in 0..10 {
            let nowhere = TargetId(Uuid::now_v7());
            let refused = house.store.tickets().issue(new_ticket(nowhere, 100 + n)).await.unwrap_err();
            assert_eq!(refused.code(), "store.conflict");
            // Another process can write at once, and sees what was acknowledged here.
            neighbor.tickets().issue(new_ticket(target, n)).await.unwrap();
            let token = house.ticket(target, 200 + n).await;
            let seen = neighbor.tickets().look(token, noon()).await.unwrap();
            assert!(matches!(seen, TicketState::Fresh(_)), "{seen:?}");
        }
    }

    async fn lone_changes_and_groups_take_turns(house) {
        let target = house.target("desk").await.id;
        for round in 0..10 {
            house.ticket(target, round).await;
            let names = (0..4).map(|n| if n == 1 { "desk".to_owned() } else { format!("{round} {n}") });
            let answers = add_all(&house.store, names.collect()).await;
            assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3, "{answers:?}");
        }
        assert_eq!(house.store.targets().list().await.unwrap().len(), 31);
    }

    async fn groups_of_any_size_give_the_same_rows(house) {
        let House { url, .. } = &house;
        for (round, group) in [1, 2, 64].into_iter().enumerate() {
            let store = Store::open(url, Options { group, ..patient() }).await.unwrap();
            let names = (0..50).map(|n| format!("{round} {n}")).collect();
            assert!(add_all(&store, names).await.iter().all(Result::is_ok));
            store.close().await;
        }
        assert_eq!(house.store.targets().list().await.unwrap().len(), 150);
    }

    async fn close_commits_what_is_queued_and_refuses_the_rest(house) {
        let adding = add_all(&house.store, (0..30).map(|n| format!("desk {n}")).collect());
        let (answers, ()) = tokio::join!(adding, house.store.close());
        let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
        assert!(answers.iter().flat_map(|a| a.err()).all(|code| code == "store.unavailable"), "{answers:?}");
        let late = house.store.targets().add(new_target("late"), noon()).await.unwrap_err();
        assert_eq!(late.code(), "store.unavailable");
        let reopened = house.neighbor().await;
        assert_eq!(reopened.targets().list().await.unwrap().len(), accepted);
    }

    async fn two_processes_may_open_a_new_database_at_once(house) {
        // The template is migrated already, so this opens the file or database that is, again and at once.
        let opened = futures(&house).await;
        for store in &opened {
            store.ping().await.unwrap();
        }
    }
}

async fn futures(house: &House) -> Vec<Store> {
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let url = house.url.clone();
            tokio::spawn(async move { Store::open(&url, patient()).await.unwrap() })
        })
        .collect();
    let mut stores = Vec::new();
    for task in tasks {
        stores.push(task.await.unwrap());
    }
    stores
}
