//! API tokens.

use crate::house::{after, entry, hash, noon, on_both, stored_noon};
use model::{ApiTokenId, Coded, Role, UserId};
use store::{NewApiToken, TokenHash, UserChange};
use uuid::Uuid;

fn token(user: UserId, token_hash: TokenHash) -> NewApiToken {
    NewApiToken {
        id: ApiTokenId(Uuid::now_v7()),
        user,
        name: "backup script".to_owned(),
        token_hash,
        scopes: vec!["read".to_owned(), "console".to_owned()],
        expires_at: Some(after(3600)),
    }
}

on_both! {
    async fn a_token_is_its_person_until_it_expires(house) {
        let (ann, secret) = (house.user("ann", Role::Operator).await, hash());
        let tokens = house.store.api_tokens();
        let made = tokens.add(token(ann.id, secret), entry(), noon()).await.unwrap();
        assert_eq!((made.created_at, made.last_used_at, made.revoked_at), (stored_noon(), None, None));
        let (found, person) = tokens.find(secret, after(3599)).await.unwrap().unwrap();
        assert_eq!((&found, &person), (&made, &ann));
        assert_eq!(found.scopes, ["read", "console"]);
        assert_eq!(tokens.find(secret, after(3600)).await.unwrap(), None);
        assert_eq!(tokens.find(hash(), noon()).await.unwrap(), None);
        tokens.touch(made.id, after(5)).await.unwrap();
        let listed = tokens.list(Some(ann.id)).await.unwrap();
        assert_eq!(listed[0].last_used_at, Some(stored_noon() + chrono::TimeDelta::seconds(5)));
    }

    async fn a_revoked_token_and_one_of_a_disabled_person_are_nothing(house) {
        let (ann, bob) = (house.user("ann", Role::User).await, house.user("bob", Role::User).await);
        let tokens = house.store.api_tokens();
        let (one, two) = (hash(), hash());
        let made = tokens.add(token(ann.id, one), entry(), noon()).await.unwrap();
        tokens.add(NewApiToken { expires_at: None, ..token(bob.id, two) }, entry(), noon()).await.unwrap();
        // Not by somebody else.
        let theirs = tokens.revoke(made.id, Some(bob.id), entry(), noon()).await.unwrap_err();
        assert_eq!(theirs.code(), "api_token.not_found");
        let before = house.store.audit().tip().await.unwrap().seq;
        tokens.revoke(made.id, Some(ann.id), entry(), noon()).await.unwrap();
        let again = tokens.revoke(made.id, None, entry(), noon()).await.unwrap_err();
        assert_eq!(again.code(), "api_token.not_found");
        assert_eq!(house.audit_after(before).await.len(), 1);
        assert_eq!(tokens.find(one, noon()).await.unwrap(), None);
        assert!(tokens.list(Some(ann.id)).await.unwrap()[0].revoked_at.is_some());
        assert!(tokens.find(two, after(1_000_000)).await.unwrap().is_some());
        let off = UserChange { disabled: Some(true), ..UserChange::default() };
        house.store.people().change(bob.id, 1, off, entry(), noon()).await.unwrap();
        assert_eq!(tokens.find(two, noon()).await.unwrap(), None);
        assert_eq!(tokens.list(None).await.unwrap().len(), 2);
    }

    async fn names_numbers_and_strangers_are_limited(house) {
        let ann = house.user("ann", Role::User).await;
        let tokens = house.store.api_tokens();
        for name in ["", "a\0b", "a\nb", "\u{202e}gnp", &"x".repeat(256)] {
            let bad = NewApiToken { name: name.to_owned(), ..token(ann.id, hash()) };
            assert_eq!(tokens.add(bad, entry(), noon()).await.unwrap_err().code(), "api_token.name_invalid");
        }
        let nobody = tokens.add(token(UserId(Uuid::nil()), hash()), entry(), noon()).await.unwrap_err();
        assert_eq!(nobody.code(), "api_token.not_found");
        let mut last = None;
        for _ in 0..100 {
            last = Some(tokens.add(token(ann.id, hash()), entry(), noon()).await.unwrap());
        }
        let more = tokens.add(token(ann.id, hash()), entry(), noon()).await.unwrap_err();
        assert_eq!(more.code(), "api_token.too_many");
        tokens.revoke(last.unwrap().id, None, entry(), noon()).await.unwrap();
        tokens.add(token(ann.id, hash()), entry(), noon()).await.unwrap();
    }
}
