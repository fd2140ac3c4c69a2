//! The audit log: one chain whoever writes, no entry without its change and no change without its entry, and every
//! tampering told.

use crate::house::{
    House, after, end_of, entry, new_session, new_target, new_user, noon, on_both, stored_noon,
};
use model::audit::{Action, Break, Fault, Object, Personal, Position};
use model::session::EndReason;
use model::{Coded, Role, SubjectId};
use store::{AuditEntry, AuditFilter, AuditHead, AuditOrder, TargetChange, UserChange};
use uuid::Uuid;

fn numbered(n: u32) -> AuditEntry {
    AuditEntry::new(Action::ConsoleRefused)
        .by(SubjectId(Uuid::from_u128(7)))
        .code("door.throttled")
        .with("n", n)
        .person(Personal::Address, &format!("192.0.2.{n}"))
}

async fn write(house: &House, count: u32) {
    for n in 0..count {
        house.store.audit().append(vec![numbered(n)], after(n.into())).await.unwrap();
    }
}

async fn fault(house: &House, heads: &[Position]) -> (u64, Fault) {
    let Break { seq, what } = house.store.audit().verify(heads.iter().copied()).await.unwrap().unwrap_err();
    (seq, what)
}

on_both! {
    async fn an_entry_comes_back_as_it_was_written(house) {
        let audit = house.store.audit();
        assert_eq!(audit.tip().await.unwrap(), Position::START);
        let (actor, object) = (SubjectId(Uuid::new_v4()), Object::Person(SubjectId(Uuid::new_v4())));
        let new = AuditEntry::new(Action::UserChanged)
            .by(actor)
            .on(object)
            .code("x.y")
            .with("role", "viewer")
            .with("committed", "not by a caller")
            .person(Personal::Address, "192.0.2.1")
            .person(Personal::Address, "192.0.2.7")
            .person_of(None, Personal::Name, "ann\0\u{202e}");
        audit.append(vec![new], noon()).await.unwrap();
        let row = house.audit_after(0).await.remove(0);
        let written = &row.link.entry;
        assert_eq!((written.seq, written.action.as_str(), written.subject), (1, "user.changed", Some(actor)));
        assert_eq!((written.object.clone(), written.code.as_deref()), (Some(object.to_string()), Some("x.y")));
        assert_eq!((row.at, written.at), (stored_noon(), stored_noon().timestamp_micros()));
        assert_eq!((row.people["address"].as_str(), row.people["name"].as_str()), ("192.0.2.7", "ann \u{202e}"));
        let detail: serde_json::Value = serde_json::from_str(&written.detail).unwrap();
        assert_eq!(detail["role"], "viewer");
        assert_eq!(detail["committed"]["address"].as_str().unwrap().len(), 64);
        assert!(!written.detail.contains("192.0.2.7") && !written.detail.contains("ann"));
        assert_eq!(audit.tip().await.unwrap(), Position { seq: 1, hash: row.link.hash });
        house.whole_log().await;
    }

    async fn entries_are_listed_from_either_end_and_filtered(house) {
        write(&house, 7).await;
        let object = Object::Target(house.target("desk").await.id);
        let tested = AuditEntry::new(Action::TargetTested).on(object);
        house.store.audit().append(vec![tested, entry()], noon()).await.unwrap();
        let seqs = |filter: AuditFilter, order: AuditOrder, limit: u32| {
            let audit = house.store.audit();
            async move {
                let rows = audit.list(&filter, order, limit).await.unwrap();
                rows.into_iter().map(|row| row.link.entry.seq).collect::<Vec<_>>()
            }
        };
        let all = AuditFilter::default;
        assert_eq!(seqs(all(), AuditOrder::After(5), 2).await, [6, 7]);
        assert_eq!(seqs(all(), AuditOrder::Before(None), 3).await, [9, 8, 7]);
        assert_eq!(seqs(all(), AuditOrder::Before(Some(3)), 10).await, [2, 1]);
        assert_eq!(seqs(all(), AuditOrder::After(u64::MAX), 10).await, Vec::<u64>::new());
        let by = AuditFilter { subject: Some(SubjectId(Uuid::from_u128(7))), ..all() };
        assert_eq!(seqs(by, AuditOrder::After(4), 10).await, [5, 6, 7]);
        let on = AuditFilter { object: Some(object), ..all() };
        assert_eq!(seqs(on, AuditOrder::After(0), 10).await, [8]);
        let actions = vec!["target.tested".to_owned(), "setting.changed".to_owned()];
        assert_eq!(seqs(AuditFilter { actions, ..all() }, AuditOrder::Before(None), 10).await, [9, 8]);
    }

    async fn a_change_and_its_entry_are_both_there_or_neither(house) {
        let targets = house.store.targets();
        let entry_of = |action| AuditEntry::new(action).by(SubjectId(Uuid::from_u128(7)));
        let target = targets.clone().audited(entry_of(Action::TargetAdded)).add(new_target("desk"), noon()).await.unwrap();
        // A refused change is not written down, also when others share its group.
        let mut tasks = Vec::new();
        for n in 0..20 {
            let store = house.store.clone();
            tasks.push(tokio::spawn(async move {
                let name = if n % 2 == 0 { "desk".to_owned() } else { format!("desk {n}") };
                let added = store.targets().audited(AuditEntry::new(Action::TargetAdded)).add(new_target(&name), noon()).await;
                assert_eq!(added.is_ok(), n % 2 == 1, "{added:?}");
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(house.whole_log().await, 11);
        let session = new_session(&target);
        let sessions = house.store.sessions();
        sessions.clone().audited(entry_of(Action::SessionStarted)).start(session.clone()).await.unwrap();
        let ended = || sessions.clone().audited(entry_of(Action::SessionEnded));
        assert!(ended().end(end_of(session.id, EndReason::Killed)).await.unwrap());
        // A second end changes nothing and so is nothing to write down.
        assert!(!ended().end(end_of(session.id, EndReason::Killed)).await.unwrap());
        let change = TargetChange { version: Some(9), ..TargetChange::default() };
        targets.clone().audited(entry_of(Action::TargetChanged)).change(target.id, change, noon()).await.unwrap_err();
        assert!(!targets.audited(entry_of(Action::TargetRemoved)).remove(model::TargetId(Uuid::nil()), noon()).await.unwrap());
        let log = house.audit_after(11).await;
        let actions: Vec<_> = log.iter().map(|row| row.link.entry.action.as_str()).collect();
        assert_eq!(actions, ["session.started", "session.ended"]);
        // Ends are dated by their own clock.
        assert_eq!(log[1].at, stored_noon() + chrono::TimeDelta::seconds(60));
        house.whole_log().await;
    }

    async fn many_writers_on_several_nodes_make_one_chain(house) {
        let stores = [house.store.clone(), house.neighbor().await, house.neighbor().await];
        let ann = house.user("ann", Role::User).await;
        let tasks: Vec<_> = (0..60).map(|n: u32| {
            let (store, ann) = (stores[n as usize % 3].clone(), ann.id);
            tokio::spawn(async move {
                match n % 4 {
                    0 => store.audit().append(vec![numbered(n), numbered(n)], noon()).await.map(|()| 2).unwrap(),
                    1 => {
                        store.people().add(new_user(&format!("u{n}"), Role::User), numbered(n), noon()).await.unwrap();
                        1
                    }
                    2 => {
                        // Without an entry: shares groups with those that have one.
                        store.settings().put(&format!("{n}"), "x", noon()).await.unwrap();
                        0
                    }
                    _ => {
                        let change = UserChange { display_name: Some(format!("{n}")), ..UserChange::default() };
                        u64::from(store.people().change(ann, 1, change, numbered(n), noon()).await.is_ok())
                    }
                }
            })
        }).collect();
        let mut expected = 1;
        for task in tasks {
            expected += task.await.unwrap();
        }
        assert_eq!(house.whole_log().await, expected);
        assert_eq!(expected, 1 + 30 + 15 + 1);
    }

    async fn nodes_that_stand_in_each_others_way_both_finish(house) {
        // Unaudited changes of one row before audited ones in the same group: on PostgreSQL some of these meet head on.
        let stores = [house.store.clone(), house.neighbor().await];
        let tasks: Vec<_> = (0..200).map(|n: u32| {
            let store = stores[n as usize % 2].clone();
            tokio::spawn(async move {
                if n.is_multiple_of(3) {
                    store.audit().append(vec![numbered(n)], noon()).await.unwrap();
                } else {
                    store.settings().put(&format!("{}", (n / 2) % 5), "x", noon()).await.unwrap();
                }
            })
        }).collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(house.whole_log().await, 67);
    }

    async fn every_tampering_is_told(house) {
        for (sql, expected) in [
            ("UPDATE audit SET action = 'login.done' WHERE seq = 4", (4, Fault::Altered)),
            ("UPDATE audit SET detail = '{}' WHERE seq = 4", (4, Fault::Altered)),
            ("UPDATE audit SET subject_id = NULL WHERE seq = 1", (1, Fault::Altered)),
            ("UPDATE audit SET at = '2026-11-20 12:00:01.000001+00:00' WHERE seq = 9", (9, Fault::Altered)),
            ("UPDATE audit SET hash = prev_hash WHERE seq = 4", (4, Fault::Altered)),
            ("DELETE FROM audit WHERE seq = 1", (1, Fault::Removed { until: 2 })),
            ("DELETE FROM audit WHERE seq = 5", (5, Fault::Removed { until: 6 })),
            ("DELETE FROM audit WHERE seq > 7", (8, Fault::CutTail { until: 9 })),
            ("DELETE FROM audit", (1, Fault::CutTail { until: 9 })),
            ("UPDATE audit SET seq = -5 WHERE seq = 5", (1, Fault::Reordered)),
            ("UPDATE audit SET seq = 99 WHERE seq = 9", (9, Fault::Removed { until: 99 })),
            ("UPDATE audit_state SET last_seq = 8", (8, Fault::TipDiffers)),
            ("UPDATE audit_people SET value = '203.0.113.1' WHERE seq = 3", (3, Fault::PersonAltered { kind: "address".to_owned() })),
            ("UPDATE audit_people SET kind = 'name' WHERE seq = 3", (3, Fault::PersonAltered { kind: "name".to_owned() })),
        ] {
            let house = house.another().await;
            write(&house, 9).await;
            assert_eq!(house.whole_log().await, 9);
            house.tamper(sql).await;
            assert_eq!(fault(&house, &[]).await, expected, "{sql}");
        }
        // Two entries that changed places.
        write(&house, 4).await;
        house.tamper("UPDATE audit SET seq = 100 WHERE seq = 2").await;
        house.tamper("UPDATE audit SET seq = 2 WHERE seq = 3").await;
        house.tamper("UPDATE audit SET seq = 3 WHERE seq = 100").await;
        assert_eq!(fault(&house, &[]).await, (2, Fault::Altered));
    }

    async fn a_cut_that_moves_the_tip_too_is_told_by_a_head(house) {
        write(&house, 6).await;
        let audit = house.store.audit();
        let head = audit.tip().await.unwrap();
        write(&house, 3).await;
        assert_eq!(audit.verify([head]).await.unwrap().unwrap().heads, 1);
        house.tamper("DELETE FROM audit WHERE seq > 4").await;
        house.tamper("UPDATE audit_state SET last_seq = 4, last_hash = (SELECT hash FROM audit WHERE seq = 4)").await;
        assert!(audit.verify([]).await.unwrap().is_ok());
        assert_eq!(fault(&house, &[head]).await, (5, Fault::CutTail { until: 6 }));
        // Grown again to the old length it is another chain.
        write(&house, 5).await;
        assert_eq!(fault(&house, &[head]).await, (6, Fault::HeadDiffers));
    }

    async fn a_log_whose_end_was_moved_back_takes_no_more(house) {
        write(&house, 5).await;
        house.tamper("UPDATE audit_state SET last_seq = 3, last_hash = (SELECT hash FROM audit WHERE seq = 3)").await;
        // Not mistaken for a name that is taken, and nothing is half done.
        let refused = house.store.people().add(new_user("ann", Role::User), entry(), noon()).await.unwrap_err();
        assert_eq!(refused.code(), "store.failed");
        assert_eq!(house.store.people().count().await.unwrap(), 0);
        assert_eq!(fault(&house, &[]).await, (3, Fault::TipDiffers));
        // What needs no entry goes on.
        house.store.settings().put("a", "b", noon()).await.unwrap();
    }

    async fn heads_are_kept_until_they_are_delivered(house) {
        let audit = house.store.audit();
        assert_eq!(audit.last_head().await.unwrap(), None);
        let mut heads = Vec::new();
        for n in 0..3 {
            write(&house, 2).await;
            let head = AuditHead { position: audit.tip().await.unwrap(), at: after(n), signature: vec![1; 64], delivered_at: None };
            audit.add_head(head.clone()).await.unwrap();
            heads.push(head);
        }
        let again = audit.add_head(heads[2].clone()).await.unwrap_err();
        assert_eq!(again.code(), "store.conflict");
        assert!(audit.head_delivered(4, after(9)).await.unwrap());
        assert!(!audit.head_delivered(4, after(10)).await.unwrap());
        let seqs = |heads: Vec<AuditHead>| heads.into_iter().map(|head| head.position.seq).collect::<Vec<_>>();
        assert_eq!(seqs(audit.heads(0, false, 10).await.unwrap()), [2, 4, 6]);
        assert_eq!(seqs(audit.heads(2, true, 10).await.unwrap()), [6]);
        assert_eq!(audit.last_head().await.unwrap().unwrap().position, heads[2].position);
        let all = audit.heads(0, false, 10).await.unwrap();
        assert_eq!(audit.verify(all.into_iter().map(|head| head.position)).await.unwrap().unwrap().heads, 3);
    }

    async fn old_names_are_forgotten_and_the_chain_is_whole(house) {
        write(&house, 10).await;
        assert_eq!(house.store.audit().forget_people(after(4)).await.unwrap(), 4);
        let known: Vec<_> = house.audit_after(0).await.iter().map(|row| !row.people.is_empty()).collect();
        assert_eq!(known, [false, false, false, false, true, true, true, true, true, true]);
        assert_eq!(house.whole_log().await, 10);
        assert_eq!(house.store.audit().forget_people(after(100)).await.unwrap(), 6);
    }

    async fn a_long_log_is_verified_in_parts(house) {
        for _ in 0..5 {
            let many = (0..500).map(numbered).collect();
            house.store.audit().append(many, noon()).await.unwrap();
        }
        assert_eq!(house.whole_log().await, 2500);
        house.tamper("UPDATE audit_people SET value = 'x' WHERE seq = 2222").await;
        assert_eq!(fault(&house, &[]).await, (2222, Fault::PersonAltered { kind: "address".to_owned() }));
    }
}
