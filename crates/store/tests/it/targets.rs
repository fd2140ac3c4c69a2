//! Targets.

use crate::house::{new_session, new_target, new_ticket, noon, on_both, stored_noon};
use model::Coded;
use model::audit::Action;
use model::target::{Address, Identity, Kind, Origin, Security, Strength};
use std::sync::Mutex;
use std::time::Duration;
use store::{
    AuditEntry, NewTarget, Resealed, Sealed, SealedAt, TargetChange, TargetFilter, TicketState, Window,
};

fn other() -> Address {
    Address::Tcp { host: "other.example".to_owned(), port: 5901 }
}

#[expect(clippy::unnecessary_wraps, reason = "it is the value of a field that may be left out")]
fn by_administrator(address: Address) -> Option<(Address, Origin)> {
    Some((address, Origin::Administrator))
}

on_both! {
    async fn every_field_comes_back(house) {
        let new = NewTarget {
            address: Address::Unix { path: "/run/desk".to_owned() },
            security: Security {
                floor: Strength::EncryptedVerified,
                identity: Identity::Pinned("ab".repeat(32)),
                anonymous_tls: true,
                pin_on_console: true,
                seen: Some(Strength::Authenticated),
            },
            username: Some("مدير".to_owned()),
            sealed_secret: Some(Sealed(vec![0, 255, 1])),
            ..new_target("مكتب ١")
        };
        let targets = house.store.targets();
        let added = targets.add(new.clone(), noon()).await.unwrap();
        assert_eq!((added.id, added.number, &added.name), (new.id, 1, &new.name));
        assert_eq!((&added.address, &added.security), (&new.address, &new.security));
        assert_eq!((&added.username, &added.sealed_secret), (&new.username, &new.sealed_secret));
        assert_eq!((added.created_at, added.updated_at), (stored_noon(), stored_noon()));
        assert_eq!(targets.find(new.id).await.unwrap().as_ref(), Some(&added));
        assert_eq!(targets.find_by_name(&new.name).await.unwrap().as_ref(), Some(&added));
        assert_eq!(targets.find_by_number(1).await.unwrap().as_ref(), Some(&added));
        assert_eq!(targets.list().await.unwrap(), [added]);
    }

    async fn sealed_values_are_replaced_only_where_they_are_what_they_were(house) {
        let mut places = Vec::new();
        for (name, value) in [("a", 1), ("b", 2)] {
            let new = NewTarget { sealed_secret: Some(Sealed(vec![value])), ..new_target(name) };
            places.push(SealedAt::Target(house.store.targets().add(new, noon()).await.unwrap().id));
        }
        house.store.targets().add(new_target("without"), noon()).await.unwrap();
        let values = house.store.sealed_values();
        let mut all = values.all().await.unwrap();
        all.sort_by_key(|(_, sealed)| sealed.0.clone());
        assert_eq!(all, [(places[0], Sealed(vec![1])), (places[1], Sealed(vec![2]))]);
        let change = |at, old, new| Resealed { at, old: Sealed(vec![old]), new: Sealed(vec![new]) };
        let wishes = vec![change(places[0], 1, 11), change(places[1], 9, 12)];
        let entry = AuditEntry::new(Action::KeysRotated);
        assert_eq!(values.replace(wishes, entry, noon()).await.unwrap(), 1);
        let mut all = values.all().await.unwrap();
        all.sort_by_key(|(_, sealed)| sealed.0.clone());
        assert_eq!(all, [(places[1], Sealed(vec![2])), (places[0], Sealed(vec![11]))]);
        assert_eq!(house.store.audit().tip().await.unwrap().seq, 1);
    }

    async fn numbers_are_never_given_twice(house) {
        let targets = house.store.targets();
        let mut numbers = Vec::new();
        for name in ["a", "b", "c"] {
            numbers.push(house.target(name).await.number);
        }
        let last = targets.find_by_name("c").await.unwrap().unwrap();
        assert!(targets.remove(last.id, noon()).await.unwrap());
        assert!(!targets.remove(last.id, noon()).await.unwrap());
        // A refused name does not use a number up either.
        targets.add(new_target("a"), noon()).await.unwrap_err();
        numbers.push(house.target("c").await.number);
        assert_eq!(numbers, [1, 2, 3, 4]);
        let listed: Vec<_> = targets.list().await.unwrap().into_iter().map(|t| t.number).collect();
        assert_eq!(listed, [1, 2, 4]);
    }

    async fn names_are_unique_and_sane(house) {
        house.target("desk").await;
        let other = house.target("other").await;
        let targets = house.store.targets();
        for same in ["desk", " DESK ", "ｄｅｓｋ", "de\u{200d}sk"] {
            let taken = targets.add(new_target(same), noon()).await.unwrap_err();
            assert_eq!(taken.code(), "target.name_taken", "{same}");
            let rename = TargetChange { name: Some(same.to_owned()), ..TargetChange::default() };
            let taken = targets.change(other.id, rename, noon()).await.unwrap_err();
            assert_eq!(taken.code(), "target.name_taken", "{same}");
            assert_eq!(targets.find_by_name(same).await.unwrap().unwrap().name, "desk", "{same}");
        }
        assert_eq!(targets.find_by_name("de\0sk").await.unwrap(), None);
        for (bad, code) in [("", "name.empty"), ("a\nb", "name.forbidden"), (&"x".repeat(81), "name.too_long")] {
            let refused = targets.add(new_target(bad), noon()).await.unwrap_err();
            assert_eq!(refused.code(), code, "{bad:?}");
            let rename = TargetChange { name: Some(bad.to_owned()), ..TargetChange::default() };
            assert_eq!(targets.change(other.id, rename, noon()).await.unwrap_err().code(), code, "{bad:?}");
        }
        // Also not what a target is logged in to with; PostgreSQL would not even store a NUL.
        for bad in ["a\0b", "a\nb", &"x".repeat(256)] {
            let new = NewTarget { username: Some(bad.to_owned()), ..new_target("new") };
            assert_eq!(targets.add(new, noon()).await.unwrap_err().code(), "target.text_invalid", "{bad:?}");
            let change = TargetChange { username: Some(Some(bad.to_owned())), ..TargetChange::default() };
            let refused = targets.change(other.id, change, noon()).await.unwrap_err();
            assert_eq!(refused.code(), "target.text_invalid", "{bad:?}");
        }
    }

    async fn a_change_touches_what_it_names(house) {
        let before = house.target("desk").await;
        let later = crate::house::after(5);
        let targets = house.store.targets();
        let change = TargetChange {
            address: by_administrator(Address::TestCard),
            sealed_secret: Some(Some(Sealed(vec![9]))),
            username: Some(Some("bob".to_owned())),
            ..TargetChange::default()
        };
        let after = targets.change(before.id, change, later).await.unwrap().unwrap();
        assert_eq!((&after.name, after.number, &after.security), (&before.name, before.number, &before.security));
        assert_eq!((&after.address, after.username.as_deref()), (&Address::TestCard, Some("bob")));
        assert_eq!(after.sealed_secret, Some(Sealed(vec![9])));
        assert!(after.updated_at > before.updated_at && after.created_at == before.created_at);
        let forget = TargetChange { sealed_secret: Some(None), username: Some(None), ..TargetChange::default() };
        let bare = targets.change(before.id, forget, later).await.unwrap().unwrap();
        assert_eq!((bare.sealed_secret, bare.username), (None, None));
        let gone = targets.change(new_target("x").id, TargetChange::default(), later).await.unwrap();
        assert_eq!(gone, None);
    }

    async fn a_secret_does_not_follow_to_another_place(house) {
        let pinned = |pin: &str| Identity::Pinned(pin.repeat(32));
        let old = Security { identity: pinned("ab"), seen: Some(Strength::Authenticated), ..Security::default() };
        let elsewhere = || by_administrator(other());
        let none = TargetChange::default;
        let security = |edit: fn(&mut Security)| {
            let mut security = old.clone();
            edit(&mut security);
            Some(security)
        };
        let first_use = Identity::FirstUse;
        // The change; whether the secret stays; the identity afterwards; whether what was seen stays.
        let cases = [
            (none(), true, pinned("ab"), true),
            (TargetChange { name: Some("new".to_owned()), username: Some(None), ..none() }, true, pinned("ab"), true),
            (TargetChange { address: by_administrator(new_target("x").address), ..none() }, true, pinned("ab"), true),
            (TargetChange { security: security(|s| s.anonymous_tls = true), ..none() }, false, first_use.clone(), true),
            (TargetChange { address: elsewhere(), ..none() }, false, first_use.clone(), false),
            (TargetChange { address: by_administrator(Address::TestCard), ..none() }, false, first_use.clone(), false),
            (TargetChange { address: elsewhere(), security: security(|_| {}), ..none() }, false, first_use.clone(), false),
            (TargetChange { security: security(|s| s.floor = Strength::EncryptedVerified), ..none() }, false, first_use.clone(), true),
            (TargetChange { security: security(|s| s.identity = Identity::Verify), ..none() }, false, Identity::Verify, true),
            (TargetChange { security: security(|s| s.identity = Identity::Pinned("cd".repeat(32))), ..none() }, false, pinned("cd"), true),
        ];
        let targets = house.store.targets();
        for (n, (change, stays, identity, seen)) in cases.into_iter().enumerate() {
            let secret = Some(Sealed(vec![7]));
            let new = NewTarget { security: old.clone(), sealed_secret: secret.clone(), ..new_target(&format!("t{n}")) };
            let added = targets.add(new, noon()).await.unwrap();
            let changed = targets.change(added.id, change.clone(), noon()).await.unwrap().unwrap();
            assert_eq!(changed.sealed_secret.is_some(), stays, "{change:?}");
            assert_eq!(changed.security.identity, identity, "{change:?}");
            assert_eq!(changed.security.seen.is_some(), seen, "{change:?}");
            // A secret that comes with the change is for the new place.
            let fresh = Some(Sealed(vec![8]));
            let again = TargetChange { name: None, sealed_secret: Some(fresh.clone()), ..change };
            let changed = targets.change(added.id, again, noon()).await.unwrap().unwrap();
            assert_eq!(changed.sealed_secret, fresh);
        }
    }

    async fn an_address_is_the_word_of_who_entered_it(house) {
        use Origin::{Administrator, Operator};
        let targets = house.store.targets();
        let first = new_target("x").address;
        // Whose it was; what is sent, and by whom; whose it is then.
        for (n, (before, sent, after)) in [
            (Administrator, None, Administrator),
            (Operator, None, Operator),
            (Administrator, Some((first.clone(), Operator)), Administrator),
            (Administrator, Some((other(), Operator)), Operator),
            (Operator, Some((first.clone(), Administrator)), Administrator),
            (Operator, Some((other(), Administrator)), Administrator),
            (Operator, Some((other(), Operator)), Operator),
        ].into_iter().enumerate() {
            let new = NewTarget { origin: before, ..new_target(&format!("t{n}")) };
            let added = targets.add(new, noon()).await.unwrap();
            assert_eq!(added.origin, before);
            let change = TargetChange { address: sent.clone(), description: Some("x".to_owned()), ..TargetChange::default() };
            let changed = targets.change(added.id, change, noon()).await.unwrap().unwrap();
            assert_eq!(changed.origin, after, "{before:?} {sent:?}");
            assert_eq!(targets.find(added.id).await.unwrap().unwrap().origin, after);
        }
    }

    async fn of_two_who_change_a_target_one_is_told(house) {
        let target = house.target("desk").await;
        assert_eq!(target.version, 1);
        let stores = [house.store.clone(), house.neighbor().await];
        let tasks: Vec<_> = (0..8).map(|n| {
            let targets = stores[n % 2].targets();
            let change = TargetChange { version: Some(1), description: Some(format!("by {n}")), ..TargetChange::default() };
            tokio::spawn(async move { targets.change(target.id, change, noon()).await })
        }).collect();
        let mut won = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(changed) => {
                    assert_eq!(changed.unwrap().version, 2);
                    won += 1;
                }
                Err(told) => assert_eq!(told.code(), "target.changed_meanwhile"),
            }
        }
        assert_eq!(won, 1);
        // What a console sees counts as a change, too.
        let pin = |security: &mut Security| security.seen = Some(Strength::Authenticated);
        house.store.targets().update_security(target.id, pin, noon()).await.unwrap();
        assert_eq!(house.store.targets().find(target.id).await.unwrap().unwrap().version, 3);
    }

    async fn targets_are_found_by_words_and_tags(house) {
        let targets = house.store.targets();
        let make = |name: &str, tags: &[&str], description: &str| NewTarget {
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            description: description.to_owned(),
            thumbnails: true,
            ..new_target(name)
        };
        let lab = targets.add(make("Lab 1", &["Linux", " linux ", "lab"], "in room 7"), noon()).await.unwrap();
        assert_eq!((lab.tags.as_slice(), lab.thumbnails, lab.kind), (["lab".to_owned(), "linux".to_owned()].as_slice(), true, Kind::Vnc));
        targets.add(make("Lab 2", &["linux-arm"], "100% ours"), noon()).await.unwrap();
        let card = NewTarget { address: Address::TestCard, ..make("card", &[], "") };
        assert_eq!(targets.add(card, noon()).await.unwrap().kind, Kind::TestCard);
        let found = |filter: TargetFilter| {
            let targets = targets.clone();
            async move {
                let listed = targets.page(&filter, Window::default()).await.unwrap();
                listed.items.into_iter().map(|target| target.name).collect::<Vec<_>>()
            }
        };
        let search = |text: &str| TargetFilter { search: Some(text.to_owned()), ..TargetFilter::default() };
        let tag = |text: &str| TargetFilter { tag: Some(text.to_owned()), ..TargetFilter::default() };
        assert_eq!(found(search("LAB")).await, ["Lab 1", "Lab 2"]);
        assert_eq!(found(search("room 7")).await, ["Lab 1"]);
        assert_eq!(found(search("0%")).await, ["Lab 2"]);
        assert_eq!(found(search("desk.example")).await, ["Lab 1", "Lab 2"]);
        assert_eq!(found(tag("LINUX")).await, ["Lab 1"]);
        assert_eq!(found(tag("lin")).await, Vec::<String>::new());
        let both = TargetFilter { tag: Some("lab".to_owned()), ..search("lab 2") };
        assert_eq!(found(both).await, Vec::<String>::new());
        let retag = TargetChange { tags: Some(vec!["x".to_owned()]), thumbnails: Some(false), ..TargetChange::default() };
        let retagged = targets.change(lab.id, retag, noon()).await.unwrap().unwrap();
        assert_eq!((retagged.tags.as_slice(), retagged.thumbnails), (["x".to_owned()].as_slice(), false));
        let many: Vec<String> = (0..33).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for bad in [make("b", &["a\"b"], ""), make("b", &[""], ""), make("b", &[&"x".repeat(51)], ""), make("b", &many, ""), make("b", &[], "a\0b"), make("b", &[], &"x".repeat(4001))] {
            assert_eq!(targets.add(bad, noon()).await.unwrap_err().code(), "target.text_invalid");
        }
    }

    async fn the_first_pin_stays(house) {
        let target = house.target("desk").await;
        let (first_is_in, first_was_in) = tokio::sync::oneshot::channel();
        let (second_is_in, second_was_in) = std::sync::mpsc::channel();
        let first_is_in = Mutex::new(Some(first_is_in));
        let second_was_in = Mutex::new(second_was_in);
        let pin = |security: &mut Security, name: &str| {
            if security.identity == Identity::Verify {
                security.identity = Identity::Pinned(name.to_owned());
            }
        };
        // The first console, having read the entry, dawdles; a second one on another node that could read it now would
        // tell so, and pin what it saw. It must wait instead.
        let first = move |security: &mut Security| {
            if let Some(tell) = first_is_in.lock().unwrap().take() {
                tell.send(()).unwrap();
            }
            let _ = second_was_in.lock().unwrap().recv_timeout(Duration::from_millis(500));
            pin(security, "first")
        };
        let second = move |security: &mut Security| {
            let _ = second_is_in.send(());
            pin(security, "second")
        };
        let (ours, theirs) = (house.store.targets(), house.neighbor().await.targets());
        let first = tokio::spawn(async move { ours.update_security(target.id, first, noon()).await });
        first_was_in.await.unwrap();
        let second = theirs.update_security(target.id, second, noon()).await;
        let first = first.await;
        let first = first.unwrap().unwrap().unwrap().identity;
        let second = second.unwrap().unwrap().identity;
        let stored = house.store.targets().find(target.id).await.unwrap().unwrap().security.identity;
        assert!(matches!(stored, Identity::Pinned(_)));
        assert_eq!((&first, &second), (&stored, &stored));
        let none = house.store.targets().update_security(new_target("x").id, |_| {}, noon()).await;
        assert_eq!(none.unwrap(), None);
    }

    async fn removal_takes_tickets_along_and_keeps_sessions(house) {
        let target = house.target("desk").await;
        let token = house.ticket(target.id, 1).await;
        let session = new_session(&target);
        house.store.sessions().start(session.clone()).await.unwrap();
        assert!(house.store.targets().remove(target.id, noon()).await.unwrap());
        assert_eq!(house.store.tickets().look(token, noon()).await.unwrap(), TicketState::Unknown);
        let kept = house.store.sessions().find(session.id).await.unwrap().unwrap();
        assert_eq!((kept.target, kept.target_name.as_str()), (None, "desk"));
        // Nothing can be issued for what is not there.
        let orphan = house.store.tickets().issue(new_ticket(target.id, 2)).await.unwrap_err();
        assert_eq!(orphan.code(), "store.conflict");
    }

    async fn nothing_printed_shows_a_secret(house) {
        let secret = b"sealed-but-private".to_vec();
        let new = NewTarget { sealed_secret: Some(Sealed(secret.clone())), ..new_target("desk") };
        let added = house.store.targets().add(new.clone(), noon()).await.unwrap();
        let shown = format!("{new:?} {added:?} {:?}", house.store);
        assert!(!shown.contains("private") && !shown.contains(&format!("{secret:?}")), "{shown}");
    }
}
