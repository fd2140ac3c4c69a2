//! Consoles through the whole program: browser's way and native way, live control, reconnects.

use crate::house::{Closing, House};
use crate::http;
use anyhow::{Context, Result};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Executor};
use testkit::vnc::{Viewer, ViewerOptions};
use testkit::wait;
use testkit::xvnc::{Xvnc, XvncOptions};

pub(crate) fn with_password() -> XvncOptions {
    XvncOptions {
        security_types: "VncAuth".into(),
        password: Some("secret12".into()),
        ..XvncOptions::default()
    }
}

async fn sessions(house: &House, status: &str) -> Result<Vec<serde_json::Value>> {
    let answer = house.ask("GET", &format!("/api/sessions?status={status}"), "").await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    Ok(answer.json()["sessions"].as_array().cloned().unwrap_or_default())
}

async fn one_session(house: &House, status: &str) -> Result<serde_json::Value> {
    wait::until("a session in the list", wait::LIMIT, async || {
        sessions(house, status).await.ok()?.into_iter().next()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_with_a_password_that_the_viewer_never_gets() -> Result<()> {
    let xvnc = Xvnc::start(with_password()).await?;
    xvnc.solid("#336699").await?;
    let house = House::start().await?;
    let number = house.add_target("x", &format!("vnc://{}", xvnc.address()), Some("secret12")).await?;
    let report = house.ask("POST", &format!("/api/targets/{number}/test"), "").await?;
    assert_eq!(report.json()["security_type"], "VncAuth", "{report:?}");
    let token = house.ticket(number, "{}").await?;
    let (stream, closing) = house.console(&token, "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for("the server's color", |screen| screen.pixel(40, 40) == Some(0x0033_6699)).await?;
    let live = one_session(&house, "active").await?;
    assert_eq!(live["target_name"], "x");
    let dialed = (live["server_ip"].as_str(), live["server_port"].as_u64());
    assert_eq!(dialed, (Some("127.0.0.1"), Some(xvnc.address().port().into())), "{live}");
    let id = live["id"].as_str().unwrap_or_default().to_owned();
    let killed = house.ask("POST", &format!("/api/sessions/{id}/kill"), "").await?;
    assert_eq!(killed.status, 204, "{killed:?}");
    let (code, reason) = closing.await?.expect("a close frame");
    assert_eq!(code, 4003);
    assert!(reason.contains("session.killed"), "{reason}");
    let ended = one_session(&house, "terminated").await?;
    assert_eq!(ended["end_reason"], "session.killed");
    assert!(ended["counters"]["rectangles"].as_u64() > Some(0), "{ended}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_at_the_target_is_said_with_its_code() -> Result<()> {
    let xvnc = Xvnc::start(with_password()).await?;
    let house = House::start().await?;
    let number = house.add_target("x", &format!("vnc://{}", xvnc.address()), Some("wrong")).await?;
    let report = house.ask("POST", &format!("/api/targets/{number}/test"), "").await?;
    assert_eq!((report.status, report.code().as_str()), (502, "target.wrong_password"));
    let token = house.ticket(number, "{}").await?;
    let (stream, closing) = house.console(&token, "binary").await?;
    assert!(Viewer::connect(stream, ViewerOptions::default()).await.is_err());
    if let Some((code, reason)) = closing.await? {
        assert_eq!(code, 4008);
        assert!(reason.contains("target.wrong_password"), "{reason}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_viewer_comes_back_with_its_key_and_nobody_else_does() -> Result<()> {
    let house = House::start_in(tempfile::tempdir()?, &["--demo"]).await?;
    let token = house.ticket(1, r#"{"protocol":"auto","expires_minutes":5}"#).await?;
    let mine = "binary, resume.k5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabcdefgh";
    let (stream, _closing) = house.console(&token, mine).await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    let first = one_session(&house, "active").await?;
    drop(viewer);
    let (stream, closing) = house.console(&token, "binary, resume.other").await?;
    drop(stream);
    drop(closing);
    let (stream, closing) = house.console(&token, mine).await?;
    let mut viewer = match Viewer::connect(stream, ViewerOptions::default()).await {
        Ok(viewer) => viewer,
        Err(error) => panic!("not resumed: {error:#} {:?}", closing.await),
    };
    viewer.wait_for_updates(1).await?;
    let second = one_session(&house, "active").await?;
    assert_eq!(first["id"], second["id"]);
    let info = house.ask("GET", &format!("/api/console/{token}/info"), "").await?;
    assert_eq!(info.json()["state"], "active", "{info:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_leaves_ends_its_session_and_one_that_reloads_is_waited_for() -> Result<()> {
    let house = House::start().await?;
    let number = house.add_target("card", "testcard:", None).await?;
    let mine = "binary, resume.k5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabcdefgh";
    for (close_code, stage, ended) in
        [(1001, Some("awaiting_resume"), None), (1000, None, Some("session.viewer_left"))]
    {
        let token = house.ticket(number, "{}").await?;
        let (stream, closing) = house.console(&token, mine).await?;
        let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
        viewer.wait_for_updates(1).await?;
        let id = one_session(&house, "active").await?["id"].as_str().unwrap_or_default().to_owned();
        // the same page on another connection
        drop(viewer);
        drop(closing);
        house.leave(&token, mine, close_code, async || Ok(())).await?;
        let path = format!("/api/sessions/{id}");
        let session = wait::until("the session's new state", wait::LIMIT, async || {
            let session = house.ask("GET", &path, "").await.ok()?.json();
            (session["stage"].as_str() == stage && session["end_reason"].as_str() == ended).then_some(session)
        })
        .await?;
        assert_eq!(session["status"] == "active", ended.is_none(), "{session}");
        for (path, field) in [("/api/targets/1", "active_sessions"), ("/api/status", "active_sessions")] {
            assert_eq!(house.ask("GET", path, "").await?.json()[field], 0, "{path}");
        }
        house.ask("POST", &format!("/api/sessions/{id}/kill"), "").await?;
    }
    Ok(())
}

/// Greets as a browser does; how the console was closed.
async fn closed_before_a_picture(
    mut stream: tokio::io::DuplexStream,
    closing: Closing,
) -> Result<(u16, String)> {
    // It stays until it is closed from there.
    assert!(Viewer::connect(&mut stream, ViewerOptions::default()).await.is_err());
    closing.await?.context("no close frame")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_outlives_a_target_that_is_down_and_a_reload_before_the_picture() -> Result<()> {
    let house = House::start().await?;
    let socket = house.dir.path().join("target.sock");
    let number = house.add_target("x", &format!("vnc+unix://{}", socket.display()), None).await?;
    let token = house.ticket(number, "{}").await?;
    let mine = "binary, resume.k5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabcdefgh";
    for _ in 0..2 {
        let (stream, closing) = house.console(&token, mine).await?;
        let told = closed_before_a_picture(stream, closing).await?;
        assert_eq!(told, (4008, "target.unreachable".to_owned()));
    }
    // It listens and says nothing yet: the page is reloaded meanwhile.
    let listener = tokio::net::UnixListener::bind(&socket)?;
    house.leave(&token, mine, 1001, async || listener.accept().await.map(drop)).await?;
    drop(listener);
    std::fs::remove_file(&socket)?;
    let (stream, closing) = house.console(&token, mine).await?;
    let told = closed_before_a_picture(stream, closing).await?;
    assert_eq!(told, (4008, "target.unreachable".to_owned()));
    assert!(sessions(&house, "active").await?.is_empty());
    // Nobody else has it meanwhile.
    let other = "binary, resume.k5bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbabcdefgh";
    let (stream, closing) = house.console(&token, other).await?;
    let (code, reason) = closed_before_a_picture(stream, closing).await?;
    assert_eq!((code, reason.contains("ticket.used")), (4100, true), "{reason}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_and_thawed_sessions_are_shown_and_told() -> Result<()> {
    let house = House::start_in(tempfile::tempdir()?, &["--demo"]).await?;
    let token = house.ticket(1, r#"{"view_only":false}"#).await?;
    let (stream, _closing) = house.console(&token, "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    let id = one_session(&house, "active").await?["id"].as_str().unwrap_or_default().to_owned();
    for (verb, state) in [("freeze", "frozen"), ("thaw", "active")] {
        let done = house.ask("POST", &format!("/api/sessions/{id}/{verb}"), "").await?;
        assert_eq!(done.status, 204, "{done:?}");
        let info = house.ask("GET", &format!("/api/console/{token}/info"), "").await?;
        assert_eq!(info.json()["state"], state, "{info:?}");
    }
    let policy = r#"{"view_only":true,"max_duration":600}"#;
    assert_eq!(house.ask("POST", &format!("/api/sessions/{id}/policy"), policy).await?.status, 204);
    let info = house.ask("GET", &format!("/api/console/{token}/info"), "").await?.json();
    assert_eq!(info["view_only"], true);
    assert!(info["time_left_s"].as_u64().is_some_and(|s| s <= 600), "{info}");
    let one = house.ask("GET", &format!("/api/sessions/{id}"), "").await?.json();
    assert_eq!(one["view_only"], true);
    let metrics = house.ask("GET", "/metrics", "").await?;
    assert!(metrics.body.contains("gatehouse_sessions 1"), "{}", metrics.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_sessions_comes_in_pages_that_know_their_number() -> Result<()> {
    let house = House::start_in(tempfile::tempdir()?, &["--demo"]).await?;
    let mut open = Vec::new();
    for _ in 0..5 {
        let token = house.loose_ticket("test card").await?;
        let (stream, closing) = house.console(&token, "").await?;
        let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
        viewer.wait_for_updates(1).await?;
        open.push((viewer, closing));
    }
    let read = async |query: &str| {
        let answer = house.ask("GET", &format!("/api/sessions?status=active{query}"), "").await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        anyhow::Ok(answer.json())
    };
    let ids = |page: &serde_json::Value| -> Vec<String> {
        let rows = page["sessions"].as_array().into_iter().flatten();
        rows.filter_map(|row| row["id"].as_str().map(str::to_owned)).collect()
    };
    let all = read("").await?;
    assert_eq!((all["total"].as_u64(), all["page"].as_u64()), (Some(5), Some(1)), "{all}");
    assert!(all["next"].is_null(), "{all}");
    let second = read("&limit=2&offset=2").await?;
    assert_eq!((second["total"].as_u64(), second["page"].as_u64()), (Some(5), Some(2)), "{second}");
    assert_eq!(ids(&second), ids(&all)[2..4]);
    let cursor = second["next"].as_str().unwrap_or_default();
    let third = read(&format!("&limit=2&cursor={cursor}")).await?;
    assert_eq!((third["total"].as_u64(), third["page"].as_u64()), (Some(5), Some(3)), "{third}");
    assert_eq!(ids(&third), ids(&all)[4..]);
    assert!(third["next"].is_null(), "{third}");
    let behind = read("&limit=2&offset=6").await?;
    assert_eq!((ids(&behind).len(), behind["page"].as_u64()), (0, Some(4)), "{behind}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn live_events_tell_of_a_session_in_document_e_s_envelope() -> Result<()> {
    use futures_util::StreamExt;
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let house = House::start_in(tempfile::tempdir()?, &["--demo"]).await?;
    let mut request = format!("ws://{}/ws/events", house.web).into_client_request()?;
    request.headers_mut().insert("origin", house.origin().parse()?);
    request.headers_mut().insert("cookie", house.cookie().parse()?);
    let stream = tokio::net::TcpStream::connect(house.web).await?;
    let (mut events, _) = tokio_tungstenite::client_async(request, stream).await?;
    let token = house.ticket(1, "{}").await?;
    let (stream, _closing) = house.console(&token, "").await?;
    let viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    let mut next = async || {
        while let Some(Ok(message)) = events.next().await {
            if let Ok(text) = message.into_text()
                && let Ok(event) = serde_json::from_str::<serde_json::Value>(&text)
            {
                return Some(event);
            }
        }
        None
    };
    let event = tokio::time::timeout(wait::LIMIT, next()).await?.expect("an event");
    assert_eq!(event["type"], "vnc_session_started");
    assert!(event["timestamp"].is_string() && event["id"].is_string(), "{event}");
    assert_eq!(event["payload"]["target_name"], "test card");
    let id = event["payload"]["session_id"].as_str().unwrap_or_default().to_owned();
    let info = house.ask("GET", &format!("/api/console/{token}/info"), "").await?.json();
    assert_eq!((info["session_id"].as_str(), info["live_events"].as_bool()), (Some(id.as_str()), Some(true)));
    // Who holds the link and nothing else reads the same, and asks again where others listen.
    let bare = http::send(house.web, "GET", &format!("/api/console/{token}/info"), &[], "").await?.json();
    assert_eq!(
        (bare["session_id"].as_str(), bare["live_events"].as_bool()),
        (Some(id.as_str()), Some(false))
    );
    assert_eq!(house.ask("POST", &format!("/api/sessions/{id}/kill"), "").await?.status, 204);
    let event = tokio::time::timeout(wait::LIMIT, next()).await?.expect("an event");
    assert_eq!(event["type"], "vnc_session_changed");
    assert_eq!(event["payload"]["changed"]["ending"], "session.killed");
    assert_eq!(event["payload"]["by"], "admin");
    let event = tokio::time::timeout(wait::LIMIT, next()).await?.expect("an event");
    assert_eq!(event["type"], "vnc_session_ended");
    assert_eq!(event["payload"]["reason"], "session.killed");
    drop(viewer);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_tells_viewers_and_leaves_nothing_behind() -> Result<()> {
    let house = House::start_in(tempfile::tempdir()?, &["--demo"]).await?;
    let token = house.ticket(1, "{}").await?;
    let (stream, closing) = house.console(&token, "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    house.child.signal(rustix::process::Signal::TERM);
    let (code, reason) = closing.await?.expect("a close frame");
    assert_eq!(code, 4009, "{reason}");
    let status = house.child.exit(wait::LIMIT).await?;
    assert!(status.success(), "{status}: {}", house.child.output());
    Ok(())
}

/// Another program holds the database's write lock when the viewer leaves.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_cannot_be_stored_is_stored_later() -> Result<()> {
    let house = House::start_in(tempfile::tempdir()?, &["--demo"]).await?;
    let ticket = house.ticket(1, "{}").await?;
    let (stream, closing) = house.console(&ticket, "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    let file = SqliteConnectOptions::new().filename(house.dir.path().join("gatehouse.db"));
    let mut lock = file.connect().await?;
    lock.execute("BEGIN IMMEDIATE").await?;
    drop(viewer);
    closing.abort();
    house.child.line("the failure", |line| line.contains("could not be stored yet").then_some(())).await?;
    assert_eq!(sessions(&house, "active").await?.len(), 1);
    lock.execute("ROLLBACK").await?;
    house.child.line("the end", |line| line.contains("end is stored now").then_some(())).await?;
    assert_eq!(one_session(&house, "terminated").await?["end_reason"], "session.viewer_lost");
    Ok(())
}
