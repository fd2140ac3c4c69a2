//! Log-ins: cookies, devices, links, and refresh tokens that are used once.

use crate::house::{after, entry, hash, noon, on_both, stored_noon};
use model::audit::{Action, Personal};
use model::{Coded, Role, SubjectId, UserId};
use std::time::Duration;
use store::{
    AuditEntry, FreshAdmin, LoginError, NewFamily, NewLogin, Refresh, RefreshError, Sealed, Store, TokenHash,
    UserChange, UserRecord,
};
use uuid::Uuid;

const IDLE: Duration = Duration::from_secs(1800);

fn login(cookie: TokenHash) -> NewLogin {
    NewLogin {
        cookie,
        expires_at: after(86_400),
        idle: IDLE,
        address: "192.0.2.7".to_owned(),
        device: None,
        footprint: None,
        user_agent: Some("Browser/1".to_owned()),
    }
}

fn fresh_admin() -> FreshAdmin {
    FreshAdmin { user: UserId(Uuid::now_v7()), subject: SubjectId(Uuid::new_v4()) }
}

async fn family(store: &Store, user: &UserRecord) -> (Uuid, TokenHash) {
    let (family, token) = (Uuid::now_v7(), hash());
    let new = NewFamily { token, family, expires_at: after(86_400), footprint: None };
    store.logins().start_family(user, new, entry(), noon()).await.unwrap();
    (family, token)
}

/// The sealed successor says which successor it is.
fn wish(token: TokenHash) -> Refresh {
    let successor = hash();
    Refresh {
        token,
        successor,
        successor_sealed: Sealed(successor.0.to_vec()),
        if_reused: AuditEntry::new(Action::RefreshReused).person(Personal::Address, "203.0.113.5"),
    }
}

fn successor_in(sealed: &Sealed) -> TokenHash {
    TokenHash(sealed.0.as_slice().try_into().unwrap())
}

on_both! {
    async fn a_cookie_is_somebody_until_it_ends(house) {
        let (ann, cookie) = (house.user("ann", Role::Viewer).await, hash());
        let logins = house.store.logins();
        assert_eq!(ann.last_login_at, None);
        let started = logins.start(&ann, login(cookie), entry(), noon()).await.unwrap();
        assert_eq!(started.user.last_login_at, Some(stored_noon()));
        let found = logins.find(cookie, after(1)).await.unwrap().unwrap();
        assert_eq!(found, started);
        assert_eq!((found.login.idle, found.login.user_agent.as_deref()), (IDLE, Some("Browser/1")));
        assert_eq!(logins.find(hash(), noon()).await.unwrap(), None);
        assert!(logins.end(cookie, entry(), after(2)).await.unwrap());
        assert!(!logins.end(cookie, entry(), after(2)).await.unwrap());
        assert_eq!(logins.find(cookie, after(3)).await.unwrap(), None);
    }

    async fn idleness_and_age_end_a_log_in(house) {
        let (ann, cookie) = (house.user("ann", Role::User).await, hash());
        let logins = house.store.logins();
        logins.start(&ann, login(cookie), entry(), noon()).await.unwrap();
        let found = logins.find(cookie, after(1799)).await.unwrap().unwrap();
        assert!(found.login.is_stale(after(60)) && !found.login.is_stale(after(59)));
        assert_eq!(logins.find(cookie, after(1800)).await.unwrap(), None);
        logins.touch(cookie, after(1799)).await.unwrap();
        // A touch that comes late does not turn the clock back.
        logins.touch(cookie, after(60)).await.unwrap();
        assert!(logins.find(cookie, after(1800 + 1798)).await.unwrap().is_some());
        for hour in 0..48 {
            logins.touch(cookie, after(hour * 1800)).await.unwrap();
        }
        assert!(logins.find(cookie, after(86_399)).await.unwrap().is_some());
        assert_eq!(logins.find(cookie, after(86_400)).await.unwrap(), None);
        assert_eq!(logins.purge(after(86_400)).await.unwrap(), 0);
        assert_eq!(logins.purge(after(86_401)).await.unwrap(), 1);
    }

    async fn no_idle_limit_is_none(house) {
        let (ann, cookie) = (house.user("ann", Role::User).await, hash());
        let logins = house.store.logins();
        let new = NewLogin { idle: Duration::ZERO, ..login(cookie) };
        logins.start(&ann, new, entry(), noon()).await.unwrap();
        assert!(logins.find(cookie, after(86_399)).await.unwrap().is_some());
    }

    async fn who_was_changed_meanwhile_is_not_logged_in(house) {
        let ann = house.user("ann", Role::User).await;
        let people = house.store.people();
        let logins = house.store.logins();
        people.set_password(ann.id, None, None, entry(), noon()).await.unwrap();
        let late = logins.start(&ann, login(hash()), entry(), noon()).await.unwrap_err();
        assert_eq!(late.code(), "login.gone");
        let now = people.find(ann.id).await.unwrap().unwrap();
        let off = UserChange { disabled: Some(true), ..UserChange::default() };
        let off = people.change(ann.id, now.version, off, entry(), noon()).await.unwrap();
        let new = NewFamily { token: hash(), family: Uuid::now_v7(), expires_at: after(10), footprint: None };
        let refused = logins.start_family(&off, new, entry(), noon()).await.unwrap_err();
        assert!(matches!(refused, LoginError::Gone), "{refused:?}");
    }

    async fn one_call_ends_every_log_in_of_a_person(house) {
        let (ann, bob) = (house.user("ann", Role::User).await, house.user("bob", Role::User).await);
        let (mine, other, bobs) = (hash(), hash(), hash());
        let (people, logins) = (house.store.people(), house.store.logins());
        logins.start(&ann, login(mine), entry(), noon()).await.unwrap();
        logins.start(&ann, login(other), entry(), noon()).await.unwrap();
        logins.start(&bob, login(bobs), entry(), noon()).await.unwrap();
        assert_eq!(logins.of_user(ann.id, noon()).await.unwrap().len(), 2);
        let (family, token) = family(&house.store, &ann).await;
        assert!(logins.bearer(ann.id, family, 1, noon()).await.unwrap().is_some());
        // A new password keeps the log-in that set it.
        let ann = people.set_password(ann.id, Some("$argon2id$x".to_owned().into()), Some(mine), entry(), noon()).await.unwrap();
        assert_eq!((ann.session_version, ann.password_hash.clone().unwrap().expose()), (2, "$argon2id$x"));
        assert!(logins.find(mine, noon()).await.unwrap().is_some());
        assert_eq!(logins.find(other, noon()).await.unwrap(), None);
        for version in [1, 2] {
            assert_eq!(logins.bearer(ann.id, family, version, noon()).await.unwrap(), None);
        }
        assert_eq!(logins.refresh(wish(token), noon()).await.unwrap_err().code(), "login.refresh_invalid");
        people.log_out(ann.id, entry(), noon()).await.unwrap();
        assert_eq!(logins.find(mine, noon()).await.unwrap(), None);
        assert!(logins.find(bobs, noon()).await.unwrap().is_some());
    }

    async fn devices_are_remembered_and_bounded(house) {
        let (ann, bob) = (house.user("ann", Role::User).await, house.user("bob", Role::User).await);
        let logins = house.store.logins();
        let devices: Vec<_> = (0..66).map(|_| hash()).collect();
        for (n, device) in devices.iter().enumerate() {
            let new = NewLogin { device: Some(*device), ..login(hash()) };
            logins.start(&ann, new, entry(), after(n as i64)).await.unwrap();
            if n == 20 {
                // The first one is seen again and so outlives the second.
                let again = NewLogin { device: Some(devices[0]), ..login(hash()) };
                logins.start(&ann, again, entry(), after(20)).await.unwrap();
            }
        }
        let mut known = Vec::new();
        for device in &devices {
            known.push(logins.knows_device(ann.id, *device).await.unwrap());
        }
        assert_eq!(known.iter().filter(|known| **known).count(), 64);
        assert_eq!((known[0], known[1], known[2], known[65]), (true, false, false, true));
        assert!(!logins.knows_device(bob.id, devices[65]).await.unwrap());
    }

    async fn where_somebody_came_from_is_remembered_whichever_way_they_came(house) {
        let ann = house.user("ann", Role::User).await;
        let logins = house.store.logins();
        let [browser, program, viewer] = [hash(), hash(), hash()];
        let new = NewLogin { footprint: Some(browser), ..login(hash()) };
        logins.start(&ann, new, entry(), noon()).await.unwrap();
        let new = NewFamily { token: hash(), family: Uuid::now_v7(), expires_at: after(10), footprint: Some(program) };
        logins.start_family(&ann, new, entry(), noon()).await.unwrap();
        let before = house.whole_log().await;
        logins.came_by(ann.id, viewer, entry(), noon()).await.unwrap();
        assert_eq!(house.whole_log().await, before + 1);
        for footprint in [browser, program, viewer] {
            assert!(logins.knows_device(ann.id, footprint).await.unwrap());
        }
        house.store.people().remove(ann.id, entry(), noon()).await.unwrap();
        for footprint in [browser, program, viewer] {
            assert!(!logins.knows_device(ann.id, footprint).await.unwrap());
        }
    }

    async fn the_first_link_makes_the_administrator(house) {
        let logins = house.store.logins();
        let (link, cookie, fresh) = (hash(), hash(), fresh_admin());
        logins.issue_link(link, after(1800), entry(), noon()).await.unwrap();
        let signed_in = logins.take_link(link, login(cookie), fresh, entry(), after(10)).await.unwrap();
        assert_eq!((signed_in.user.name.as_str(), signed_in.user.role), ("admin", Role::Admin));
        assert_eq!((signed_in.user.id, signed_in.user.subject), (fresh.user, fresh.subject));
        assert_eq!(signed_in.user.password_hash, None);
        assert_eq!(logins.find(cookie, after(20)).await.unwrap().unwrap(), signed_in);
        let again = logins.take_link(link, login(hash()), fresh_admin(), entry(), after(20)).await.unwrap_err();
        assert_eq!(again.code(), "admin.link_used");
        // The next link finds the same person.
        let link = hash();
        logins.issue_link(link, after(1800), entry(), noon()).await.unwrap();
        let next = logins.take_link(link, login(hash()), fresh_admin(), entry(), after(30)).await.unwrap();
        assert_eq!(next.user.id, fresh.user);
        assert_eq!(house.store.people().count().await.unwrap(), 1);
    }

    async fn a_link_lets_in_whatever_the_name_is_taken_by(house) {
        house.user("Admin", Role::User).await;
        let (logins, link) = (house.store.logins(), hash());
        logins.issue_link(link, after(1800), entry(), noon()).await.unwrap();
        let signed_in = logins.take_link(link, login(hash()), fresh_admin(), entry(), noon()).await.unwrap();
        assert_eq!((signed_in.user.name.as_str(), signed_in.user.role), ("admin2", Role::Admin));
    }

    async fn old_and_unknown_links_sign_nobody_in(house) {
        let (logins, link) = (house.store.logins(), hash());
        logins.issue_link(link, after(1800), entry(), noon()).await.unwrap();
        let late = logins.take_link(link, login(hash()), fresh_admin(), entry(), after(1800)).await.unwrap_err();
        assert_eq!(late.code(), "admin.link_expired");
        let unknown = logins.take_link(hash(), login(hash()), fresh_admin(), entry(), noon()).await.unwrap_err();
        assert_eq!(unknown.code(), "admin.link_unknown");
        assert_eq!(house.store.people().count().await.unwrap(), 0);
        assert_eq!(logins.purge(after(1801)).await.unwrap(), 1);
        let forgotten = logins.take_link(link, login(hash()), fresh_admin(), entry(), noon()).await.unwrap_err();
        assert_eq!(forgotten.code(), "admin.link_unknown");
    }

    async fn one_of_many_takes_a_link_and_one_administrator_is_made(house) {
        let stores = [house.store.clone(), house.neighbor().await];
        let link = hash();
        house.store.logins().issue_link(link, after(1800), entry(), noon()).await.unwrap();
        let tasks: Vec<_> = (0..20).map(|n| {
            let logins = stores[n % 2].logins();
            tokio::spawn(async move { logins.take_link(link, login(hash()), fresh_admin(), entry(), noon()).await })
        }).collect();
        let mut won = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => won += 1,
                Err(refused) => assert_eq!(refused.code(), "admin.link_used"),
            }
        }
        assert_eq!((won, house.store.people().count().await.unwrap()), (1, 1));
    }

    async fn refresh_tokens_rotate(house) {
        let ann = house.user("ann", Role::User).await;
        let logins = house.store.logins();
        let (family, first) = family(&house.store, &ann).await;
        let mut token = first;
        for n in 1..=5 {
            let wish = wish(token);
            let next = wish.successor;
            let done = logins.refresh(wish, after(n * 60)).await.unwrap();
            assert_eq!((done.user.id, done.family, done.repeated), (ann.id, family, false));
            // A log-in ends when it ends, however often it is refreshed.
            assert_eq!(done.expires_at, stored_noon() + chrono::TimeDelta::days(1));
            token = next;
        }
        let late = logins.refresh(wish(token), after(86_400)).await.unwrap_err();
        assert_eq!(late.code(), "login.refresh_invalid");
        assert_eq!(logins.refresh(wish(hash()), noon()).await.unwrap_err().code(), "login.refresh_invalid");
        assert_eq!(logins.bearer(ann.id, family, 1, after(86_400)).await.unwrap(), None);
    }

    async fn a_repeated_refresh_gets_the_same_successor(house) {
        let ann = house.user("ann", Role::User).await;
        let logins = house.store.logins();
        let (family, first) = family(&house.store, &ann).await;
        let one = logins.refresh(wish(first), after(100)).await.unwrap();
        let two = logins.refresh(wish(first), after(110)).await.unwrap();
        assert_eq!((&two.successor_sealed, two.repeated), (&one.successor_sealed, true));
        // The one that both got is good.
        logins.refresh(wish(successor_in(&one.successor_sealed)), after(111)).await.unwrap();
        assert!(logins.bearer(ann.id, family, 1, after(112)).await.unwrap().is_some());
    }

    async fn a_reused_refresh_token_ends_its_family_and_is_written_down(house) {
        let ann = house.user("ann", Role::User).await;
        let logins = house.store.logins();
        let (one, first) = family(&house.store, &ann).await;
        let (other, _) = family(&house.store, &ann).await;
        let next = logins.refresh(wish(first), after(100)).await.unwrap();
        let before = house.store.audit().tip().await.unwrap().seq;
        let reused = logins.refresh(wish(first), after(111)).await.unwrap_err();
        assert_eq!(reused.code(), "login.refresh_reused");
        assert!(matches!(reused, RefreshError::Reused { user, family } if (user, family) == (ann.id, one)));
        let dead = logins.refresh(wish(successor_in(&next.successor_sealed)), after(112)).await.unwrap_err();
        assert_eq!(dead.code(), "login.refresh_invalid");
        assert_eq!(logins.bearer(ann.id, one, 1, after(112)).await.unwrap(), None);
        assert!(logins.bearer(ann.id, other, 1, after(112)).await.unwrap().is_some());
        let written = house.audit_after(before).await;
        assert_eq!(written.len(), 1);
        assert_eq!(written[0].link.entry.action, "login.refresh_reused");
        assert_eq!(written[0].link.entry.object, Some(format!("person:{}", ann.subject)));
        assert_eq!(written[0].people["address"], "203.0.113.5");
        house.store.people().erase(ann.id, entry(), after(120)).await.unwrap();
        assert!(house.audit_after(before).await[0].people.is_empty(), "it is theirs to have erased");
    }

    async fn two_who_refresh_at_once_get_one_successor(house) {
        let ann = house.user("ann", Role::User).await;
        let stores = [house.store.clone(), house.neighbor().await, house.neighbor().await];
        for _ in 0..3 {
            let (family, token) = family(&house.store, &ann).await;
            let tasks: Vec<_> = (0..12).map(|n| {
                let logins = stores[n % 3].logins();
                tokio::spawn(async move { logins.refresh(wish(token), after(1)).await.unwrap() })
            }).collect();
            let mut done = Vec::new();
            for task in tasks {
                done.push(task.await.unwrap());
            }
            assert_eq!(done.iter().filter(|done| !done.repeated).count(), 1);
            assert!(done.iter().all(|one| one.successor_sealed == done[0].successor_sealed && one.family == family));
        }
    }

    async fn of_many_thieves_one_is_told_and_the_family_is_gone(house) {
        let ann = house.user("ann", Role::User).await;
        let stores = [house.store.clone(), house.neighbor().await];
        let (family, token) = family(&house.store, &ann).await;
        house.store.logins().refresh(wish(token), after(1)).await.unwrap();
        let tasks: Vec<_> = (0..10).map(|n| {
            let logins = stores[n % 2].logins();
            tokio::spawn(async move { logins.refresh(wish(token), after(100)).await.unwrap_err().code() })
        }).collect();
        let mut codes = Vec::new();
        for task in tasks {
            codes.push(task.await.unwrap());
        }
        assert_eq!(codes.iter().filter(|code| **code == "login.refresh_reused").count(), 1, "{codes:?}");
        assert_eq!(house.store.logins().bearer(ann.id, family, 1, after(101)).await.unwrap(), None);
    }

    async fn a_client_logs_out(house) {
        let ann = house.user("ann", Role::User).await;
        let logins = house.store.logins();
        let (family, token) = family(&house.store, &ann).await;
        assert!(logins.end_family(family, entry(), after(1)).await.unwrap());
        assert!(!logins.end_family(family, entry(), after(1)).await.unwrap());
        assert_eq!(logins.bearer(ann.id, family, 1, after(1)).await.unwrap(), None);
        assert_eq!(logins.refresh(wish(token), after(2)).await.unwrap_err().code(), "login.refresh_invalid");
    }
}
