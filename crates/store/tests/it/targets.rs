//! Targets.

use crate::house::{new_session, new_target, new_ticket, noon, on_both, stored_noon};
use model::Coded;
use model::target::{Address, Identity, Security, Strength};
use std::sync::Mutex;
use std::time::Duration;
use store::{AddTargetError, NewTarget, Sealed, TargetChange, TicketState};

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
        let taken = targets.add(new_target("desk"), noon()).await.unwrap_err();
        assert_eq!(taken.code(), "target.name_taken");
        let rename = TargetChange { name: Some("desk".to_owned()), ..TargetChange::default() };
        let taken = targets.change(other.id, rename, noon()).await.unwrap_err();
        assert_eq!(taken.code(), "target.name_taken");
        for bad in ["", "a\nb", &"x".repeat(256)] {
            let refused = targets.add(new_target(bad), noon()).await.unwrap_err();
            assert!(matches!(refused, AddTargetError::NameInvalid), "{bad:?}");
        }
    }

    async fn a_change_touches_what_it_names(house) {
        let before = house.target("desk").await;
        let later = crate::house::after(5);
        let targets = house.store.targets();
        let change = TargetChange {
            address: Some(Address::TestCard),
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
