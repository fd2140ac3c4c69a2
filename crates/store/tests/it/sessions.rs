//! Sessions.

use crate::house::{BOOT, NODE, after, end_of, new_session, noon, on_both, stored_noon};
use model::session::{Counters, EndReason, Ingress};
use model::{Coded, NodeId, Policy, SessionId, SubjectId, TargetId};
use std::collections::HashSet;
use store::{
    Cursor, NewSession, PageRequest, SessionChange, SessionEnd, SessionFilter, SessionSort, SessionStatus,
    TokenHash,
};
use uuid::Uuid;

fn counters() -> Counters {
    Counters {
        viewer_bytes: 1_000_000,
        target_bytes: u64::from(u32::MAX),
        viewer_messages: 3,
        target_messages: 4,
        rectangles: 5,
        keys: 6,
        pointers: 7,
        clipboards: 8,
        files: 9,
        dropped: 10,
    }
}

on_both! {
    async fn every_field_comes_back(house) {
        let target = house.target("desk").await;
        let new = NewSession {
            ingress: Ingress::Native,
            viewer: "[2001:db8::7]:40000".parse().unwrap(),
            server: Some("10.0.0.9:5901".parse().unwrap()),
            policy: Policy { view_only: true, ..Policy::default() },
            token_hash: Some(TokenHash([7; 32])),
            expires_at: Some(after(900)),
            ..new_session(&target)
        };
        let sessions = house.store.sessions();
        sessions.start(new.clone()).await.unwrap();
        let row = sessions.find(new.id).await.unwrap().unwrap();
        assert_eq!((row.id, row.target, row.target_name.as_str()), (new.id, Some(target.id), "desk"));
        assert_eq!((row.subject.as_str(), row.protocol.as_str(), row.ingress), ("ann", "vnc", Ingress::Native));
        assert_eq!((row.client_ip, row.client_port), (new.viewer.ip(), 40000));
        assert_eq!((row.server_ip, row.server_port), (Some("10.0.0.9".parse().unwrap()), Some(5901)));
        assert_eq!((row.start_time, row.end_time, row.status), (stored_noon(), None, SessionStatus::Active));
        assert_eq!((row.auth_method, row.user_agent), (new.auth_method, new.user_agent));
        assert_eq!((row.policy, row.node, row.boot), (new.policy, NODE, BOOT));
        assert_eq!((row.expires_at, row.counters), (Some(stored_noon() + chrono::TimeDelta::seconds(900)), Counters::default()));
        assert_eq!((row.end_reason, row.end_code, row.attachment), (None, None, 0));
        assert_eq!(sessions.find(SessionId(Uuid::nil())).await.unwrap(), None);
    }

    async fn an_end_is_recorded_once(house) {
        let session = new_session(&house.target("desk").await);
        let sessions = house.store.sessions();
        sessions.start(session.clone()).await.unwrap();
        let end = SessionEnd {
            code: Some("rfb.bad_length".to_owned()),
            counters: counters(),
            ..end_of(session.id, EndReason::TargetMisbehaved)
        };
        assert!(sessions.end(end.clone()).await.unwrap());
        assert!(!sessions.end(SessionEnd { reason: EndReason::Killed, ..end }).await.unwrap());
        let row = sessions.find(session.id).await.unwrap().unwrap();
        assert_eq!((row.status, row.end_reason), (SessionStatus::Terminated, Some(EndReason::TargetMisbehaved)));
        assert_eq!(row.end_code.as_deref(), Some("rfb.bad_length"));
        assert_eq!(row.end_time, Some(stored_noon() + chrono::TimeDelta::seconds(60)));
        assert_eq!(row.counters, counters());
        assert!((row.data_transferred - 4_295.967_295).abs() < 1e-9, "{}", row.data_transferred);
    }

    async fn a_rule_blocks_and_every_reason_is_readable(house) {
        let target = house.target("desk").await;
        let sessions = house.store.sessions();
        for reason in EndReason::ALL {
            let session = new_session(&target);
            sessions.start(session.clone()).await.unwrap();
            sessions.end(SessionEnd { blocked: true, ..end_of(session.id, *reason) }).await.unwrap();
            let row = sessions.find(session.id).await.unwrap().unwrap();
            assert_eq!((row.status, row.end_reason), (SessionStatus::Blocked, Some(*reason)));
        }
    }

    async fn a_running_session_changes_and_an_ended_one_does_not(house) {
        let session = new_session(&house.target("desk").await);
        let sessions = house.store.sessions();
        sessions.start(session.clone()).await.unwrap();
        let policy = Policy { frozen: true, ..Policy::default() };
        let change = SessionChange {
            server: Some("[::ffff:10.0.0.9]:5900".parse().unwrap()),
            policy: Some(policy.clone()),
            counters: Some(counters()),
            expires_at: Some(Some(after(30))),
            ended_by: None,
        };
        assert!(sessions.change(session.id, change.clone(), after(1)).await.unwrap());
        let row = sessions.find(session.id).await.unwrap().unwrap();
        assert_eq!((row.server_ip, row.policy, row.counters), (Some("10.0.0.9".parse().unwrap()), policy, counters()));
        assert!(row.expires_at.is_some() && row.updated_at > row.start_time);
        sessions.end(end_of(session.id, EndReason::ViewerLeft)).await.unwrap();
        assert!(!sessions.change(session.id, change, after(70)).await.unwrap());
    }

    async fn counters_of_many_in_one_go(house) {
        let target = house.target("desk").await;
        let sessions = house.store.sessions();
        let mut all = Vec::new();
        for n in 0..20 {
            let session = new_session(&target);
            sessions.start(session.clone()).await.unwrap();
            all.push((session.id, Counters { keys: n, ..counters() }));
        }
        sessions.record_counters(&all, after(1)).await.unwrap();
        for (id, counters) in all {
            assert_eq!(sessions.find(id).await.unwrap().unwrap().counters, counters);
        }
    }

    async fn huge_counts_saturate(house) {
        let session = new_session(&house.target("desk").await);
        let sessions = house.store.sessions();
        sessions.start(session.clone()).await.unwrap();
        let most = Counters { viewer_bytes: u64::MAX, target_bytes: u64::MAX, ..Counters::default() };
        sessions.record_counters(&[(session.id, most)], noon()).await.unwrap();
        let row = sessions.find(session.id).await.unwrap().unwrap();
        assert_eq!(row.counters.viewer_bytes, i64::MAX.unsigned_abs());
    }

    async fn pages_show_every_row_once_in_order(house) {
        let target = house.target("desk").await;
        let sessions = house.store.sessions();
        let mut expected = Vec::new();
        for n in 0..25 {
            // Many start in the same moment: the id decides.
            let session = NewSession { started_at: after(n / 10), ..new_session(&target) };
            expected.push((session.started_at, session.id));
            sessions.start(session).await.unwrap();
        }
        expected.sort_by(|a, b| b.cmp(a));
        let mut seen = Vec::new();
        let mut page = PageRequest::first(4);
        loop {
            let found = sessions.list(&SessionFilter::default(), &page).await.unwrap();
            assert!(found.items.len() <= 4);
            seen.extend(found.items.iter().map(|row| row.id));
            // A row that starts while we read does not shift the pages.
            sessions.start(NewSession { started_at: after(1000), ..new_session(&target) }).await.unwrap();
            let Some(next) = found.next else { break };
            page.after = Some(next.to_string().parse::<Cursor>().unwrap());
        }
        assert_eq!(seen, expected.iter().map(|(_, id)| *id).collect::<Vec<_>>());
        // Zero and too many are held to what a page may be.
        let one = sessions.list(&SessionFilter::default(), &PageRequest::first(0)).await.unwrap();
        assert_eq!(one.items.len(), 1);
        let all = sessions.list(&SessionFilter::default(), &PageRequest::first(u32::MAX)).await.unwrap();
        assert!(all.next.is_none());
    }

    async fn pages_by_number(house) {
        let target = house.target("desk").await;
        let sessions = house.store.sessions();
        for n in 0..10 {
            sessions.start(NewSession { started_at: after(n / 3), ..new_session(&target) }).await.unwrap();
        }
        let filter = SessionFilter::default();
        let all = sessions.list(&filter, &PageRequest::default()).await.unwrap().items;
        let ids = |rows: &[store::SessionRecord]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
        let mut page = PageRequest { offset: 4, ..PageRequest::first(3) };
        let found = sessions.list(&filter, &page).await.unwrap();
        assert_eq!(ids(&found.items), ids(&all[4..7]));
        // Its cursor goes on where it ended, and tells how many are behind it.
        let next = found.next.unwrap();
        assert_eq!(sessions.count_before(&filter, next).await.unwrap(), 7);
        page = PageRequest { after: Some(next), ..PageRequest::first(3) };
        let found = sessions.list(&filter, &page).await.unwrap();
        assert_eq!(ids(&found.items), ids(&all[7..]));
        assert!(found.next.is_none());
        page = PageRequest { offset: 10, ..PageRequest::first(3) };
        assert!(sessions.list(&filter, &page).await.unwrap().items.is_empty());
    }

    async fn an_extension_is_counted_and_who_ends_it_is_kept(house) {
        let session = NewSession { port_mapping: Some("5901:5900".to_owned()), ..new_session(&house.target("desk").await) };
        let sessions = house.store.sessions();
        sessions.start(session.clone()).await.unwrap();
        assert!(sessions.extend(session.id, after(900), noon()).await.unwrap());
        assert!(sessions.extend(session.id, after(1800), noon()).await.unwrap());
        let (early, late) = (SubjectId(Uuid::from_u128(7)), SubjectId(Uuid::from_u128(8)));
        let wish = SessionChange { ended_by: Some(early), policy: Some(Policy { frozen: true, ..Policy::default() }), ..SessionChange::default() };
        assert!(sessions.change(session.id, wish, after(1)).await.unwrap());
        sessions.end(end_of(session.id, EndReason::Killed)).await.unwrap();
        let row = sessions.find(session.id).await.unwrap().unwrap();
        assert_eq!((row.extensions, row.expires_at, row.frozen), (2, Some(stored_noon() + chrono::TimeDelta::seconds(1800)), true));
        assert_eq!((row.ended_by, row.port_mapping.as_deref()), (Some(early), Some("5901:5900")));
        assert!(!sessions.extend(session.id, after(9), noon()).await.unwrap());
        let other = NewSession { id: SessionId(Uuid::now_v7()), ..session };
        sessions.start(other.clone()).await.unwrap();
        sessions.end(SessionEnd { ended_by: Some(late), ..end_of(other.id, EndReason::Killed) }).await.unwrap();
        assert_eq!(sessions.find(other.id).await.unwrap().unwrap().ended_by, Some(late));
    }

    async fn the_riskiest_come_first_and_pages_go_on_there(house) {
        let target = house.target("desk").await;
        let sessions = house.store.sessions();
        for n in 0..12 {
            sessions.start(NewSession { started_at: after(n), ..new_session(&target) }).await.unwrap();
        }
        // Nobody scores sessions yet: four of each score, by the second they started in.
        house.tamper("UPDATE vnc_sessions SET risk_score = 70.5 WHERE start_time >= '2026-11-20T12:00:04' AND start_time < '2026-11-20T12:00:08'").await;
        house.tamper("UPDATE vnc_sessions SET risk_score = 95 WHERE start_time >= '2026-11-20T12:00:08'").await;
        let by_risk = SessionFilter { sort: SessionSort::Risk, ..SessionFilter::default() };
        let all = sessions.list(&by_risk, &PageRequest::default()).await.unwrap().items;
        let key = |row: &store::SessionRecord| (row.risk_score, row.start_time.timestamp());
        assert!(all.windows(2).all(|pair| key(&pair[0]) > key(&pair[1])), "{all:?}");
        let mut seen = Vec::new();
        let mut page = PageRequest::first(3);
        loop {
            let found = sessions.list(&by_risk, &page).await.unwrap();
            seen.extend(found.items.iter().map(|row| row.id));
            let Some(next) = found.next else { break };
            assert_eq!(sessions.count_before(&by_risk, next).await.unwrap(), seen.len() as u64);
            page.after = Some(next.to_string().parse().unwrap());
        }
        assert_eq!(seen, all.iter().map(|row| row.id).collect::<Vec<_>>());
        for (score, count) in [(0.0, 12), (70.5, 8), (70.6, 4), (95.1, 0)] {
            let filter = SessionFilter { min_risk: Some(score), ..SessionFilter::default() };
            assert_eq!(sessions.count(&filter).await.unwrap(), count, "{score}");
            let rows = sessions.list(&filter, &PageRequest::default()).await.unwrap().items;
            assert_eq!(rows.len() as u64, count);
            assert!(rows.windows(2).all(|pair| pair[0].start_time > pair[1].start_time));
        }
        // A cursor keeps its order, whatever is asked for beside it.
        let plain = sessions.list(&SessionFilter::default(), &page).await.unwrap().items;
        assert_eq!(plain.last().unwrap().id, all.last().unwrap().id);
    }

    async fn filters_and_counts(house) {
        let (a, b) = (house.target("a").await, house.target("b").await);
        let sessions = house.store.sessions();
        let mut ids = Vec::new();
        for (target, subject) in [(&a, "ann"), (&a, "bob"), (&b, "ann")] {
            let session = NewSession { subject: subject.to_owned(), ..new_session(target) };
            ids.push(session.id);
            sessions.start(session).await.unwrap();
        }
        sessions.end(end_of(ids[0], EndReason::ViewerLeft)).await.unwrap();
        let found = |filter: SessionFilter| {
            let sessions = sessions.clone();
            async move {
                let page = sessions.list(&filter, &PageRequest::default()).await.unwrap();
                assert_eq!(sessions.count(&filter).await.unwrap(), page.items.len() as u64);
                page.items.into_iter().map(|row| row.id).collect::<HashSet<_>>()
            }
        };
        let set = |of: &[usize]| of.iter().map(|&n| ids[n]).collect::<HashSet<_>>();
        let all = SessionFilter::default;
        assert_eq!(found(all()).await, set(&[0, 1, 2]));
        assert_eq!(found(SessionFilter { status: Some(SessionStatus::Active), ..all() }).await, set(&[1, 2]));
        assert_eq!(found(SessionFilter { target: Some(a.id), ..all() }).await, set(&[0, 1]));
        assert_eq!(found(SessionFilter { subject: Some("bob".to_owned()), ..all() }).await, set(&[1]));
        assert_eq!(found(SessionFilter { node: Some(NodeId(Uuid::nil())), ..all() }).await, set(&[]));
    }

    async fn a_session_to_nowhere_is_refused(house) {
        let target = house.target("desk").await;
        let lost = NewSession { target: TargetId(Uuid::nil()), ..new_session(&target) };
        assert_eq!(house.store.sessions().start(lost).await.unwrap_err().code(), "store.conflict");
    }
}
