//! Tickets: taken once, told apart when refused, continued only by their key and only for a while.

use crate::house::{
    House, NODE, after, end_of, fresh, new_session, new_ticket, noon, on_both, stored_noon, take,
};
use model::session::EndReason;
use model::{BootId, Coded, SessionId};
use std::time::Duration;
use store::{
    LoginId, NewTicket, ResumeTicket, Sealed, SessionStatus, Store, TakeError, TakeTicket, TicketState,
    TokenHash,
};
use uuid::Uuid;

/// Many takers of one ticket, on all these stores at once.
async fn race(stores: &[Store], token: TokenHash, takers: usize) -> (usize, usize) {
    let tasks: Vec<_> = (0..takers)
        .map(|n| {
            let tickets = stores[n % stores.len()].tickets();
            tokio::spawn(async move { tickets.take(take(token), noon()).await })
        })
        .collect();
    let (mut won, mut used) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => won += 1,
            Err(TakeError::Used { .. }) => used += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    (won, used)
}

/// A session running on a taken ticket with a resume key.
async fn running(house: &House, expires_in: Option<i64>) -> (ResumeTicket, SessionId) {
    let target = house.target(&format!("desk {}", fresh())).await;
    let token = house.ticket(target.id, fresh()).await;
    let key = TokenHash([fresh(); 32]);
    let mut session = new_session(&target);
    session.expires_at = expires_in.map(after);
    let wish = TakeTicket { resume_hash: Some(key), session: session.id, ..take(token) };
    house.store.tickets().take(wish, noon()).await.unwrap();
    house.store.sessions().start(session.clone()).await.unwrap();
    let resume = ResumeTicket {
        token_hash: token,
        resume_hash: key,
        window: Duration::from_secs(30),
        viewer: "198.51.100.9:50000".parse().unwrap(),
        node: NODE,
        boot: BootId(Uuid::from_u128(3)),
    };
    (resume, session.id)
}

on_both! {
    async fn a_vnc_password_is_a_candidate_while_its_ticket_can_be_taken(house) {
        let target = house.target("desk").await;
        let tickets = house.store.tickets();
        for (token, sealed, created) in [(1, Some(1), 0), (2, None, 1), (3, Some(3), 2), (4, Some(4), 3)] {
            let sealed_vnc_password = sealed.map(|byte| Sealed(vec![byte; 40]));
            let new = NewTicket { sealed_vnc_password, created_at: after(created), ..new_ticket(target.id, token) };
            tickets.issue(new).await.unwrap();
        }
        let candidates = async |most: u64, at: i64| {
            let found = tickets.vnc_candidates(most, after(at)).await.unwrap();
            found.into_iter().map(|c| (c.token_hash.0[0], c.sealed_vnc_password.0[0])).collect::<Vec<_>>()
        };
        assert_eq!(candidates(9, 10).await, [(4, 4), (3, 3), (1, 1)]);
        assert_eq!(candidates(2, 10).await, [(4, 4), (3, 3)], "the newest");
        tickets.take(take(TokenHash([3; 32])), noon()).await.unwrap();
        assert_eq!(candidates(9, 10).await, [(4, 4), (1, 1)]);
        assert_eq!(candidates(9, 3600).await, [], "expired");
    }
}

on_both! {
    async fn a_ticket_is_taken_once_and_gives_what_was_issued(house) {
        let target = house.target("desk").await;
        let new = new_ticket(target.id, 1);
        let tickets = house.store.tickets();
        tickets.issue(new.clone()).await.unwrap();
        let TicketState::Fresh(fresh) = tickets.look(new.token_hash, noon()).await.unwrap() else {
            panic!("not fresh")
        };
        assert_eq!((fresh.id, fresh.created_at, fresh.taken_at), (new.id, stored_noon(), None));
        // Looking uses nothing up.
        let wish = take(new.token_hash);
        let taken = tickets.take(wish.clone(), after(1)).await.unwrap();
        assert_eq!((taken.id, taken.target, taken.subject.as_str()), (new.id, target.id, "ann"));
        assert_eq!(taken.policy, new.policy);
        let again = tickets.take(take(new.token_hash), after(2)).await.unwrap_err();
        assert_eq!(again.code(), "ticket.used");
        let TakeError::Used { ticket, taken_by, .. } = again else { panic!("{again:?}") };
        assert_eq!((ticket, taken_by.as_str()), (new.id, "192.0.2.7:40000"));
        let TicketState::Used(used) = tickets.look(new.token_hash, after(3)).await.unwrap() else {
            panic!("not used")
        };
        assert_eq!(used.session, Some(wish.session));
    }

    async fn what_was_taken_for_nothing_is_given_back_and_what_began_is_not(house) {
        let target = house.target("desk").await;
        let (token, tickets) = (house.ticket(target.id, 1).await, house.store.tickets());
        let wish = take(token);
        tickets.take(wish.clone(), noon()).await.unwrap();
        tickets.give_back(SessionId(Uuid::from_u128(99))).await.unwrap();
        assert_eq!(tickets.take(take(token), noon()).await.unwrap_err().code(), "ticket.used");
        tickets.give_back(wish.session).await.unwrap();
        let session = new_session(&target);
        tickets.take(TakeTicket { session: session.id, ..take(token) }, noon()).await.unwrap();
        house.store.sessions().start(session.clone()).await.unwrap();
        tickets.give_back(session.id).await.unwrap();
        assert_eq!(tickets.take(take(token), noon()).await.unwrap_err().code(), "ticket.used");
    }

    async fn fifty_takers_one_winner(house) {
        let target = house.target("desk").await;
        for round in 1..=3 {
            let token = house.ticket(target.id, round).await;
            assert_eq!(race(std::slice::from_ref(&house.store), token, 50).await, (1, 49));
        }
    }

    async fn fifty_takers_on_three_nodes_one_winner(house) {
        let target = house.target("desk").await;
        let stores = [house.store.clone(), house.neighbor().await, house.neighbor().await];
        for round in 1..=3 {
            let token = house.ticket(target.id, round).await;
            assert_eq!(race(&stores, token, 50).await, (1, 49));
        }
    }

    async fn refusals_are_told_apart(house) {
        let target = house.target("desk").await;
        let token = house.ticket(target.id, 1).await;
        let tickets = house.store.tickets();
        // At the very moment of its end it is over; a microsecond before it is not.
        let late = tickets.take(take(token), after(3600)).await.unwrap_err();
        assert_eq!(late.code(), "ticket.expired");
        assert!(matches!(tickets.look(token, after(3600)).await.unwrap(), TicketState::Expired(_)));
        let unknown = tickets.take(take(TokenHash([9; 32])), noon()).await.unwrap_err();
        assert_eq!(unknown.code(), "ticket.unknown");
        assert_eq!(tickets.look(TokenHash([9; 32]), noon()).await.unwrap(), TicketState::Unknown);
        let just = after(3600) - chrono::TimeDelta::microseconds(1);
        tickets.take(take(token), just).await.unwrap();
        // Used stays used, also when it is old.
        assert_eq!(tickets.take(take(token), after(9999)).await.unwrap_err().code(), "ticket.used");
    }

    async fn the_same_token_is_not_issued_twice(house) {
        let target = house.target("desk").await;
        house.ticket(target.id, 1).await;
        let again = house.store.tickets().issue(new_ticket(target.id, 1)).await.unwrap_err();
        assert_eq!(again.code(), "store.conflict");
    }

    async fn revoke_and_purge(house) {
        let target = house.target("desk").await;
        let tickets = house.store.tickets();
        let (login, other) = (LoginId::Cookie(TokenHash([7; 32])), LoginId::Family(Uuid::from_u128(7)));
        let by = |login, token| NewTicket { login: Some(login), ..new_ticket(target.id, token) };
        let (open, used, others) = (by(login, 1), by(login, 2), by(other, 3));
        for ticket in [&open, &used, &others] {
            tickets.issue(ticket.clone()).await.unwrap();
        }
        assert_eq!(tickets.take(take(used.token_hash), noon()).await.unwrap().login, Some(login));
        assert_eq!(tickets.revoke_by(login).await.unwrap(), 1);
        assert_eq!(tickets.revoke_by(login).await.unwrap(), 0);
        assert_eq!(tickets.take(take(others.token_hash), noon()).await.unwrap().login, Some(other));
        assert_eq!(tickets.take(take(open.token_hash), noon()).await.unwrap_err().code(), "ticket.unknown");
        assert_eq!(tickets.purge(after(3600)).await.unwrap(), 0);
        assert_eq!(tickets.purge(after(3601)).await.unwrap(), 2);
        assert_eq!(tickets.take(take(used.token_hash), noon()).await.unwrap_err().code(), "ticket.unknown");
    }

    async fn the_key_continues_a_broken_session(house) {
        let (wish, session) = running(&house, None).await;
        let sessions = house.store.sessions();
        assert!(sessions.end(end_of(session, EndReason::ViewerLost)).await.unwrap());
        let resumed = house.store.tickets().resume(wish.clone(), after(60 + 29)).await.unwrap();
        assert_eq!((resumed.session, resumed.attachment, resumed.was_active), (session, 1, false));
        assert_eq!((resumed.started_at, resumed.subject.as_str()), (stored_noon(), "ann"));
        let row = sessions.find(session).await.unwrap().unwrap();
        assert_eq!((row.status, row.end_time, row.end_reason), (SessionStatus::Active, None, None));
        assert_eq!((row.client_ip.to_string().as_str(), row.client_port), ("198.51.100.9", 50000));
        assert_eq!((row.boot, row.attachment), (wish.boot, 1));
        // The late end of the first connection does not close the second.
        assert!(!sessions.end(end_of(session, EndReason::Replaced)).await.unwrap());
        let end = store::SessionEnd { attachment: 1, ended_at: after(100), ..end_of(session, EndReason::ViewerLeft) };
        assert!(sessions.end(end).await.unwrap());
    }

    async fn a_session_not_seen_to_end_is_taken_over(house) {
        let (wish, session) = running(&house, None).await;
        let resumed = house.store.tickets().resume(wish, after(5000)).await.unwrap();
        assert_eq!((resumed.session, resumed.was_active), (session, true));
    }

    async fn the_window_closes(house) {
        let (wish, session) = running(&house, None).await;
        house.store.sessions().end(end_of(session, EndReason::ViewerLost)).await.unwrap();
        let late = house.store.tickets().resume(wish, after(60 + 31)).await.unwrap_err();
        assert_eq!(late.code(), "ticket.session_over");
    }

    async fn a_wrong_key_is_a_used_ticket(house) {
        let (wish, session) = running(&house, None).await;
        house.store.sessions().end(end_of(session, EndReason::ViewerLost)).await.unwrap();
        for wrong in [
            ResumeTicket { resume_hash: TokenHash([0xee; 32]), ..wish.clone() },
            ResumeTicket { token_hash: TokenHash([0xee; 32]), ..wish.clone() },
        ] {
            let refused = house.store.tickets().resume(wrong, after(61)).await.unwrap_err();
            assert_eq!(refused.code(), "ticket.used");
        }
    }

    async fn what_was_decided_is_not_undone_by_reconnecting(house) {
        for reason in EndReason::ALL {
            let (wish, session) = running(&house, None).await;
            house.store.sessions().end(end_of(session, *reason)).await.unwrap();
            let outcome = house.store.tickets().resume(wish, after(61)).await;
            let accident = matches!(
                reason,
                EndReason::ViewerLeft | EndReason::ViewerLost | EndReason::TargetClosed | EndReason::TargetLost
                    | EndReason::TargetRefused | EndReason::Draining | EndReason::NodeLost
            );
            assert_eq!(outcome.is_ok(), accident, "{reason:?}: {outcome:?}");
        }
    }

    async fn a_session_past_its_time_is_over(house) {
        let (wish, session) = running(&house, Some(70)).await;
        house.store.sessions().end(end_of(session, EndReason::ViewerLost)).await.unwrap();
        let tickets = house.store.tickets();
        assert_eq!(tickets.resume(wish.clone(), after(70)).await.unwrap_err().code(), "ticket.session_over");
        tickets.resume(wish, after(69)).await.unwrap();
    }

    async fn a_session_is_resumed_after_a_crash_of_the_program(house) {
        let (wish, session) = running(&house, None).await;
        let lost = house.store.node().start(NODE, wish.boot, after(500)).await.unwrap();
        assert_eq!(lost, [session]);
        let resumed = house.store.tickets().resume(wish, after(520)).await.unwrap();
        assert_eq!(resumed.session, session);
    }

    async fn a_removed_target_has_nothing_to_go_on_with(house) {
        let (wish, session) = running(&house, None).await;
        let row = house.store.sessions().find(session).await.unwrap().unwrap();
        house.store.targets().remove(row.target.unwrap(), noon()).await.unwrap();
        assert_eq!(house.store.tickets().resume(wish, noon()).await.unwrap_err().code(), "ticket.used");
    }
}
