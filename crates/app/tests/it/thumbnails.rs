//! Pictures of targets in lists: what they show, who may see them, and whom they must not disturb.

use crate::house::{House, Someone, gatehouse};
use crate::http::{self, Answer};
use anyhow::{Context, Result};
use gateway::snapshot::Picture;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use testkit::vnc::{Viewer, ViewerOptions};
use testkit::wait;
use testkit::xvnc::{Xvnc, XvncOptions};
use tokio::net::TcpStream;

/// Registers a target that may be pictured; its number.
async fn add(house: &House, name: &str, address: SocketAddr, password: Option<&str>) -> Result<u64> {
    let body =
        json!({ "name": name, "url": format!("vnc://{address}"), "password": password, "thumbnails": true });
    let answer = house.ask("POST", "/api/targets", &body.to_string()).await?;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["number"].as_u64().context("no number")
}

/// The same, tested once, so that something is known of it.
async fn add_known(house: &House, name: &str, address: SocketAddr, password: Option<&str>) -> Result<u64> {
    let number = add(house, name, address, password).await?;
    let tested = house.ask("POST", &format!("/api/targets/{number}/test"), "").await?;
    assert_eq!(tested.status, 200, "{tested:?}");
    Ok(number)
}

fn path(number: u64) -> String {
    format!("/api/targets/{number}/thumbnail")
}

/// Asks until there is a picture.
async fn picture(house: &House, number: u64) -> Result<Answer> {
    wait::until("a picture", wait::LIMIT, async || {
        let answer = house.ask("GET", &path(number), "").await.ok()?;
        (answer.status == 200).then_some(answer)
    })
    .await
}

async fn entry(house: &House, number: u64) -> Result<Value> {
    Ok(house.ask("GET", &format!("/api/targets/{number}"), "").await?.json())
}

/// Entries of the audit log with this action.
async fn written(house: &House, action: &str) -> Result<Vec<Value>> {
    let log = house.ask("GET", "/api/audit?limit=1000", "").await?.json();
    let rows = log["entries"].as_array().context("no entries")?;
    Ok(rows.iter().filter(|row| row["action"] == action).cloned().collect())
}

async fn viewer(server: &Xvnc) -> Result<Viewer<TcpStream>> {
    Viewer::connect(TcpStream::connect(server.address()).await?, ViewerOptions::default()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_what_is_on_the_screen_and_disturbs_nobody() -> Result<()> {
    let mut server = Xvnc::start(XvncOptions { width: 1024, height: 768, ..XvncOptions::default() }).await?;
    server.draw_scene().await?;
    let mut viewer = viewer(&server).await?;
    let house = House::start().await?;
    let number = add(&house, "scene", server.address(), None).await?;
    let early = house.ask("GET", &path(number), "").await?;
    assert_eq!(early.status, 204, "nobody has opened it yet");
    assert_eq!(house.ask("POST", &format!("/api/targets/{number}/test"), "").await?.status, 200);

    let shown = picture(&house, number).await?;
    assert_eq!(shown.header("content-type"), Some("image/png"));
    assert_eq!(shown.header("cache-control"), Some("no-store, private"));
    let tag = shown.header("etag").context("no ETag")?.to_owned();
    let is_it = |screen: &rfb::Framebuffer| {
        Picture::of(screen, 480, 300).is_ok_and(|picture| format!("\"{}\"", picture.digest) == tag)
    };
    viewer.wait_for("the picture's screen", is_it).await?;
    // The next one is 30 s away.
    let age: u64 = shown.header("age").context("no Age")?.parse()?;
    let again: u64 = shown.header("retry-after").context("no Retry-After")?.parse()?;
    assert!((1..=30).contains(&again) && age < 30, "{shown:?}");

    let headers = [("Cookie", house.cookie()), ("If-None-Match", &tag)];
    let same = http::send(house.web, "GET", &path(number), &headers, "").await?;
    assert_eq!((same.status, same.body.as_str(), same.header("etag")), (304, "", Some(tag.as_str())));

    // Whoever was there sees what comes; the list does not, as its picture is not old enough.
    server.solid("#204060").await?;
    viewer.wait_for("the new root", |screen| screen.pixel(1023, 767) == Some(0x0020_4060)).await?;
    assert_eq!(picture(&house, number).await?.header("etag"), Some(tag.as_str()));
    let metrics = http::send(house.web, "GET", "/metrics", &[], "").await?.body;
    assert!(metrics.contains("gatehouse_thumbnails_total{result=\"taken\"} 1\n"), "{metrics}");

    // Nothing of it is on disk but one row of the log.
    assert_eq!(written(&house, "thumbnail.shown").await?.len(), 1);
    // Not allowed any more, removed: at once.
    let change = json!({ "version": entry(&house, number).await?["version"], "thumbnails": false });
    let changed = house.ask("PATCH", &format!("/api/targets/{number}"), &change.to_string()).await?;
    assert_eq!(changed.status, 200, "{changed:?}");
    let off = house.ask("GET", &path(number), "").await?;
    assert_eq!((off.status, off.code().as_str()), (404, "thumbnail.off"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_open_a_target_sees_its_picture() -> Result<()> {
    let server = Xvnc::start(XvncOptions::default()).await?;
    let house = House::start().await?;
    let number = add_known(&house, "scene", server.address(), None).await?;
    picture(&house, number).await?;
    let see = async |someone: &Someone| house.call(someone, "GET", &path(number), "").await;

    for role in ["user", "operator"] {
        let someone = house.person(role, role).await?;
        let stranger = see(&someone).await?;
        assert_eq!((stranger.status, stranger.code().as_str()), (404, "api.not_found"), "{role}");
        house.grant(&someone, number, "{\"view_only\":true}").await?;
        assert_eq!(see(&someone).await?.status, 200, "{role}");
        let withdrawn =
            house.ask("DELETE", &format!("/api/users/{}/targets/{number}", someone.id), "").await?;
        assert_eq!(withdrawn.status, 204);
        assert_eq!(see(&someone).await?.status, 404, "{role}");
    }
    for role in ["viewer", "analyst"] {
        let someone = house.person(role, role).await?;
        let refused = see(&someone).await?;
        assert_eq!(refused.status, 403, "{refused:?}");
        assert!(refused.code().starts_with("right."), "{refused:?}");
    }
    // A token that may only read lists sees no screens.
    let made = house.ask("POST", "/api/tokens", r#"{"name":"t","scopes":["read"]}"#).await?;
    // API tokens are made with a log-in; the cookie is one.
    assert_eq!(made.status, 201, "{made:?}");
    let token = made.json()["token"].as_str().context("no token")?.to_owned();
    assert_eq!(house.bear(&token, "GET", &path(number), "").await?.status, 403);
    assert_eq!(house.bear(&token, "GET", &format!("/api/targets/{number}"), "").await?.status, 200);

    // Who saw it is written down, once for each; a refusal is no console's.
    assert_eq!(written(&house, "thumbnail.shown").await?.len(), 3);
    assert!(written(&house, "console.refused").await?.is_empty());
    Ok(())
}

/// A server for one viewer alone, whose viewer is thrown out by the next one: found out, and left alone from then on.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_for_one_viewer_alone_is_pictured_once() -> Result<()> {
    let arguments = vec!["-NeverShared".to_owned(), "-DisconnectClients=1".to_owned()];
    let server = Xvnc::start(XvncOptions { arguments, ..XvncOptions::default() }).await?;
    let house = House::start().await?;
    let number = add_known(&house, "alone", server.address(), None).await?;
    let token = house.ticket(number, "{}").await?;
    let (stream, closing) = house.console(&token, "binary").await?;
    let mut console = Viewer::connect(stream, ViewerOptions::default()).await?;
    console.wait_for_updates(1).await?;
    house.ask("GET", &path(number), "").await?;
    let (code, _) = wait::until("the console's end", wait::LIMIT, async || {
        // The viewer has to read for its pipe to be emptied.
        let _ = console.settle(Duration::from_millis(10)).await;
        closing.is_finished().then_some(())
    })
    .await
    .map(|()| closing)?
    .await?
    .context("no close frame")?;
    assert_eq!(code, 4001, "session.target_closed");
    wait::until("the switch", wait::LIMIT, async || {
        (entry(&house, number).await.ok()?["thumbnails"] == false).then_some(())
    })
    .await?;
    assert_eq!(house.ask("GET", &path(number), "").await?.code(), "thumbnail.off");
    let codes: Vec<_> =
        written(&house, "target.changed").await?.iter().map(|row| row["code"].clone()).collect();
    assert_eq!(codes, [json!("snapshot.disturbs")]);
    Ok(())
}

/// A wrong password is tried once: more often would lock everybody out.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_not_asked_for_again() -> Result<()> {
    let options = XvncOptions {
        security_types: "VncAuth".to_owned(),
        password: Some("correct".to_owned()),
        ..XvncOptions::default()
    };
    let server = Xvnc::start(options).await?;
    let house = House::start().await?;
    let number = add_known(&house, "locked", server.address(), Some("correct")).await?;
    let change = json!({ "version": entry(&house, number).await?["version"], "password": "wr0ng" });
    let changed = house.ask("PATCH", &format!("/api/targets/{number}"), &change.to_string()).await?;
    assert_eq!(changed.status, 200, "{changed:?}");
    wait::until("the refusal", wait::LIMIT, async || {
        let answer = house.ask("GET", &path(number), "").await.ok()?;
        assert_eq!(answer.status, 204);
        let again: u64 = answer.header("retry-after")?.parse().ok()?;
        (again > 1000).then_some(())
    })
    .await?;
    let metrics = http::send(house.web, "GET", "/metrics", &[], "").await?.body;
    assert!(
        metrics.contains("gatehouse_thumbnails_total{result=\"target.wrong_password\"} 1\n"),
        "{metrics}"
    );
    // With the right one again it is tried anew.
    let change = json!({ "version": entry(&house, number).await?["version"], "password": "correct" });
    house.ask("PATCH", &format!("/api/targets/{number}"), &change.to_string()).await?;
    let answer = house.ask("GET", &path(number), "").await?;
    let again: u64 = answer.header("retry-after").context("no Retry-After")?.parse()?;
    assert!(again <= 30, "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn the_command_line_allows_pictures_too() -> Result<()> {
    let house = House::start().await?;
    let add = ["target", "add", "card", "testcard:", "--thumbnails"];
    gatehouse(house.dir.path(), &add).run().await?;
    assert_eq!(entry(&house, 1).await?["thumbnails"], true);
    Ok(())
}
