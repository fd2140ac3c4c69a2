//! Admin links and the cookies they become.

use crate::house::{after, noon, on_both};
use model::Coded;
use store::{AdminSession, TokenHash};

const LINK: TokenHash = TokenHash([1; 32]);

fn session() -> AdminSession {
    AdminSession { created_at: noon(), expires_at: after(100), address: "192.0.2.7".to_owned() }
}

on_both! {
    async fn a_link_signs_in_once(house) {
        let admin = house.store.admin();
        admin.issue_link(LINK, after(1800), noon()).await.unwrap();
        let takers: Vec<_> = (0..20)
            .map(|n| {
                let admin = admin.clone();
                tokio::spawn(async move { admin.take_link(LINK, TokenHash([100 + n; 32]), session(), noon()).await })
            })
            .collect();
        let mut winners = Vec::new();
        for (n, taker) in (0..).zip(takers) {
            match taker.await.unwrap() {
                Ok(()) => winners.push(TokenHash([100 + n; 32])),
                Err(error) => assert_eq!(error.code(), "admin.link_used"),
            }
        }
        let [cookie] = winners[..] else { panic!("{} winners", winners.len()) };
        let signed_in = admin.session(cookie, after(99)).await.unwrap().unwrap();
        assert_eq!(signed_in.address, "192.0.2.7");
        assert_eq!(admin.session(cookie, after(100)).await.unwrap(), None);
        assert_eq!(admin.session(LINK, noon()).await.unwrap(), None);
        assert!(admin.end_session(cookie).await.unwrap());
        assert!(!admin.end_session(cookie).await.unwrap());
        assert_eq!(admin.session(cookie, noon()).await.unwrap(), None);
    }

    async fn old_and_unknown_links_sign_nobody_in(house) {
        let admin = house.store.admin();
        admin.issue_link(LINK, after(1800), noon()).await.unwrap();
        let cookie = TokenHash([2; 32]);
        let late = admin.take_link(LINK, cookie, session(), after(1800)).await.unwrap_err();
        assert_eq!(late.code(), "admin.link_expired");
        let unknown = admin.take_link(TokenHash([3; 32]), cookie, session(), noon()).await.unwrap_err();
        assert_eq!(unknown.code(), "admin.link_unknown");
        assert_eq!(admin.session(cookie, noon()).await.unwrap(), None);
        assert_eq!(admin.purge(after(1801)).await.unwrap(), 1);
        let forgotten = admin.take_link(LINK, cookie, session(), noon()).await.unwrap_err();
        assert_eq!(forgotten.code(), "admin.link_unknown");
    }
}
