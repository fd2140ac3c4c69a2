//! Nodes and boots: what a dead run left behind is closed, what others run is left alone.

use crate::house::{BOOT, NODE, after, new_session, noon, on_both, stored_noon};
use model::session::{Counters, EndReason};
use model::{BootId, Coded, NodeId};
use store::{NewSession, SessionStatus, node_id_in};
use uuid::Uuid;

const NEXT_BOOT: BootId = BootId(Uuid::from_u128(20));
const OTHER_NODE: NodeId = NodeId(Uuid::from_u128(10));

on_both! {
    async fn sessions_of_a_dead_boot_are_closed(house) {
        let target = house.target("desk").await;
        let sessions = house.store.sessions();
        let lost = new_session(&target);
        let elsewhere = NewSession { node: OTHER_NODE, ..new_session(&target) };
        let mine = NewSession { boot: NEXT_BOOT, ..new_session(&target) };
        for session in [&lost, &elsewhere, &mine] {
            sessions.start(session.clone()).await.unwrap();
        }
        sessions.record_counters(&[(lost.id, Counters::default())], after(30)).await.unwrap();
        let node = house.store.node();
        let before = house.whole_log().await;
        assert_eq!(node.start(NODE, NEXT_BOOT, after(3600)).await.unwrap(), [lost.id]);
        let written = house.audit_after(before).await;
        let [entry] = written.as_slice() else { panic!("{written:?}") };
        let entry = &entry.link.entry;
        assert_eq!((entry.action.as_str(), entry.code.as_deref()), ("session.ended", Some("session.node_lost")));
        assert_eq!(entry.object, Some(format!("session:{}", lost.id)));
        assert!(entry.detail.contains("\"duration_s\":30"), "{}", entry.detail);
        let row = sessions.find(lost.id).await.unwrap().unwrap();
        assert_eq!((row.status, row.end_reason), (SessionStatus::Terminated, Some(EndReason::NodeLost)));
        // It ended when it was last heard of, not when that was found.
        assert_eq!(row.end_time, Some(stored_noon() + chrono::TimeDelta::seconds(30)));
        for session in [elsewhere, mine] {
            let row = sessions.find(session.id).await.unwrap().unwrap();
            assert_eq!(row.status, SessionStatus::Active);
        }
        assert_eq!(node.start(NODE, NEXT_BOOT, after(3601)).await.unwrap(), []);
    }

    async fn the_latest_boot_is_known(house) {
        let node = house.store.node();
        assert_eq!(node.latest_boot(NODE).await.unwrap(), None);
        node.start(NODE, BOOT, noon()).await.unwrap();
        node.start(NODE, NEXT_BOOT, after(1)).await.unwrap();
        node.start(OTHER_NODE, BOOT, after(1)).await.unwrap();
        assert_eq!(node.latest_boot(NODE).await.unwrap(), Some(NEXT_BOOT));
    }

    async fn settings_are_put_and_replaced(house) {
        let settings = house.store.settings();
        assert_eq!(settings.find("motd").await.unwrap(), None);
        settings.put("motd", "hello", noon()).await.unwrap();
        settings.put("motd", "مرحبا", after(1)).await.unwrap();
        assert_eq!(settings.find("motd").await.unwrap().as_deref(), Some("مرحبا"));
    }
}

#[test]
fn a_data_directory_keeps_its_id() {
    let directory = tempfile::tempdir().unwrap();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let directory = directory.path().to_owned();
            std::thread::spawn(move || node_id_in(&directory, NodeId(Uuid::now_v7())).unwrap())
        })
        .collect();
    let ids: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(node_id_in(directory.path(), NODE).unwrap(), ids[0]);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_broken_id_is_not_replaced_in_silence() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("node-id"), "nonsense").unwrap();
    assert_eq!(node_id_in(directory.path(), NODE).unwrap_err().code(), "node.id_malformed");
    let missing = directory.path().join("missing");
    assert_eq!(node_id_in(&missing, NODE).unwrap_err().code(), "node.id_unreadable");
}
