//! People at the whole program: from the first administrator to another person's console, and everything between that
//! must not work.

use crate::audit::sqlite;
use crate::house::{House, PASSWORD, Someone};
use crate::http;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use testkit::vnc::{Viewer, ViewerOptions};
use testkit::wait;
use testkit::xvnc::{Xvnc, XvncOptions};

/// A house with the test card, and a person who may use it.
async fn house_with(name: &str, role: &str) -> Result<(House, Someone)> {
    let house = House::start().await?;
    let someone = furnish(&house, name, role).await?;
    Ok((house, someone))
}

async fn furnish(house: &House, name: &str, role: &str) -> Result<Someone> {
    house.add_target("card", "testcard:", None).await?;
    let someone = house.person(name, role).await?;
    house.grant(&someone, 1, "{}").await?;
    Ok(someone)
}

/// The entries of an action, the newest first.
async fn entries(house: &House, action: &str) -> Result<Vec<Value>> {
    let answer = house.ask("GET", &format!("/api/audit?action={action}"), "").await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    Ok(answer.json()["entries"].as_array().cloned().unwrap_or_default())
}

async fn console(house: &House, someone: &Someone, target: u64) -> Result<Value> {
    let path = format!("/api/vm/{target}/console/request");
    let answer = house.call(someone, "POST", &path, "{}").await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    Ok(answer.json())
}

fn token(ticket: &Value) -> &str {
    ticket["token"].as_str().unwrap_or_default()
}

async fn session_of(house: &House, someone: &Someone) -> Result<Value> {
    wait::until("a session", wait::LIMIT, async || {
        let list = house.call(someone, "GET", "/api/sessions?status=active", "").await.ok()?.json();
        list["sessions"].get(0).cloned()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_new_person_to_their_console_and_the_log_of_it() -> Result<()> {
    new_person(&House::start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_new_person_to_their_console_and_the_log_of_it_on_postgresql() -> Result<()> {
    let (house, _database, _server) = House::start_on_postgres().await?;
    new_person(&house).await
}

async fn new_person(house: &House) -> Result<()> {
    let ada = furnish(house, "ada", "user").await?;
    let me = house.call(&ada, "GET", "/api/auth/me", "").await?.json();
    assert_eq!((me["username"].as_str(), me["role"].as_str()), (Some("ada"), Some("user")), "{me}");
    let rights = me["rights"].as_array().context("no rights")?;
    assert!(rights.contains(&json!("open_console")) && !rights.contains(&json!("read_audit")), "{me}");
    let targets = house.call(&ada, "GET", "/api/targets", "").await?.json();
    assert_eq!((targets["total"].as_u64(), targets["targets"][0]["name"].as_str()), (Some(1), Some("card")));
    let ticket = console(house, &ada, 1).await?;
    let (stream, closing) = house.console(token(&ticket), "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    let session = session_of(house, &ada).await?;
    assert_eq!(
        (session["subject"].as_str(), session["user_id"].as_str()),
        (Some("ada"), Some(ada.id.as_str()))
    );
    let id = session["id"].as_str().context("no id")?;
    let killed = house.ask("POST", &format!("/api/sessions/{id}/kill"), "").await?;
    assert_eq!(killed.status, 204, "{killed:?}");
    assert_eq!(closing.await?.context("no close frame")?.0, 4003);
    let ended = wait::until("the end in the log", wait::LIMIT, async || {
        entries(house, "session.ended").await.ok()?.into_iter().next()
    })
    .await?;
    assert_eq!(ended["object"], format!("session:{id}"));
    assert_eq!((ended["code"].as_str(), ended["username"].as_str()), (Some("session.killed"), Some("admin")));
    assert!(ended["detail"]["bytes"].as_u64() > Some(0) && ended["detail"]["duration_s"].is_u64(), "{ended}");
    let granted = entries(house, "console.granted").await?;
    assert_eq!((granted.len(), granted[0]["username"].as_str()), (1, Some("ada")), "{granted:?}");
    assert_eq!(granted[0]["people"]["address"], "127.0.0.1");
    for action in ["user.added", "grant.set", "target.added", "login.done", "session.started"] {
        assert!(!entries(house, action).await?.is_empty(), "{action}");
    }
    let whole = house.ask("GET", "/api/audit/verify", "").await?.json();
    assert_eq!(whole["whole"], true, "{whole}");
    // Nobody's name or address is in the chain itself.
    let export = house.ask("GET", "/api/audit/export", "").await?;
    assert_eq!(export.header("content-type"), Some("application/x-ndjson"));
    for line in export.body.lines() {
        let mut entry: Value = serde_json::from_str(line)?;
        entry["people"] = Value::Null;
        let text = entry.to_string();
        assert!(!text.contains("127.0.0.1") && !text.contains("\"ada\""), "{text}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_does_not_exist() -> Result<()> {
    let (house, ada) = house_with("ada", "user").await?;
    let eve = house.person("eve", "user").await?;
    assert_eq!(house.call(&eve, "GET", "/api/targets", "").await?.json()["total"], 0);
    let unknown = house.call(&eve, "GET", "/api/targets/99", "").await?;
    let hidden = house.call(&eve, "GET", "/api/targets/1", "").await?;
    assert_eq!((hidden.status, &hidden.body), (404, &unknown.body));
    let refused = house.call(&eve, "POST", "/api/vm/1/console/request", "{}").await?;
    assert_eq!((refused.status, refused.code().as_str()), (404, "api.not_found"));
    let log = entries(&house, "console.refused").await?;
    assert_eq!((log[0]["username"].as_str(), log[0]["code"].as_str()), (Some("eve"), Some("api.not_found")));
    let ticket = console(&house, &ada, 1).await?;
    let (stream, _closing) = house.console(token(&ticket), "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    let id = session_of(&house, &ada).await?["id"].as_str().unwrap_or_default().to_owned();
    for (method, path) in
        [("GET", format!("/api/sessions/{id}")), ("POST", format!("/api/sessions/{id}/kill"))]
    {
        assert_eq!(house.call(&eve, method, &path, "").await?.status, 404, "{path}");
    }
    assert_eq!(house.call(&eve, "GET", "/api/sessions", "").await?.json()["total"], 0);
    assert_eq!(house.call(&eve, "GET", &format!("/api/sessions?user={}", ada.id), "").await?.status, 404);
    for id in ["cluster:112", "card", "0", "-1", "4294967296"] {
        let path = format!("/api/vm/{id}/console/status");
        assert_eq!(house.call(&ada, "GET", &path, "").await?.status, 404, "{id}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_looks_after_their_group_and_no_other() -> Result<()> {
    let (house, ada) = house_with("ada", "user").await?;
    house.add_target("other", "testcard:", None).await?;
    let (ours, theirs) = (house.person("ours", "operator").await?, house.person("theirs", "operator").await?);
    let group = house.group("ours", &[(&ours, true), (&ada, false)], &[1]).await?;
    house.group("theirs", &[(&theirs, true)], &[2]).await?;
    let ticket = console(&house, &ada, 1).await?;
    let (stream, _closing) = house.console(token(&ticket), "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    let id = session_of(&house, &ada).await?["id"].as_str().unwrap_or_default().to_owned();
    let seen = async |who: &Someone| {
        anyhow::Ok(house.call(who, "GET", "/api/sessions", "").await?.json()["total"].clone())
    };
    assert_eq!((seen(&ours).await?, seen(&theirs).await?), (json!(1), json!(0)));
    for (action, body) in [("freeze", ""), ("thaw", ""), ("policy", r#"{"view_only":true}"#)] {
        let path = format!("/api/sessions/{id}/{action}");
        assert_eq!(house.call(&theirs, "POST", &path, body).await?.status, 404, "{action}");
        assert_eq!(house.call(&ada, "POST", &path, body).await?.status, 403, "{action}");
        assert_eq!(house.call(&ours, "POST", &path, body).await?.status, 204, "{action}");
    }
    for action in ["session.frozen", "session.thawed", "session.policy_set"] {
        assert_eq!(entries(&house, action).await?[0]["username"], "ours", "{action}");
    }
    for (method, path) in [("GET", "/api/users"), ("POST", "/api/users"), ("GET", "/api/groups")] {
        assert_eq!(house.call(&ours, method, path, "").await?.status, 403, "{method} {path}");
    }
    let me = house.call(&ours, "GET", "/api/auth/me", "").await?.json();
    assert_eq!(me["groups"], json!([{ "id": group, "name": "ours", "operator": true }]), "{me}");
    // Targets of theirs they register, change and test; of others not, and none that stays on this machine.
    let wish = |url: &str, group: &str| json!({ "name": "new", "url": url, "groups": [group] }).to_string();
    let homeless = house.call(&ours, "POST", "/api/targets", r#"{"name":"new","url":"testcard:"}"#).await?;
    assert_eq!((homeless.status, homeless.code().as_str()), (422, "target.group"));
    let local = house.call(&ours, "POST", "/api/targets", &wish("vnc://127.0.0.1:5900", &group)).await?;
    assert_eq!((local.status, local.code().as_str()), (422, "egress.loopback"));
    let added = house.call(&ours, "POST", "/api/targets", &wish("testcard:", &group)).await?;
    assert_eq!(added.status, 201, "{added:?}");
    let change = r#"{"version":1,"description":"mine"}"#;
    assert_eq!(house.call(&ours, "PATCH", "/api/targets/3", change).await?.status, 200);
    assert_eq!(house.call(&ours, "PATCH", "/api/targets/2", change).await?.status, 404);
    assert_eq!(house.call(&ours, "DELETE", "/api/targets/2", "").await?.status, 404);
    assert_eq!(house.call(&ours, "POST", "/api/targets/3/test", "").await?.status, 200);
    assert_eq!(house.call(&ours, "POST", &format!("/api/sessions/{id}/kill"), "").await?.status, 204);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_for_each_person_and_target() -> Result<()> {
    one_session(&House::start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_for_each_person_and_target_on_postgresql() -> Result<()> {
    let (house, _database, _server) = House::start_on_postgres().await?;
    one_session(&house).await
}

async fn one_session(house: &House) -> Result<()> {
    let ada = furnish(house, "ada", "user").await?;
    let first = console(house, &ada, 1).await?;
    let second = console(house, &ada, 1).await?;
    let unused = house.ask("GET", &format!("/api/console/{}/info", token(&first)), "").await?;
    assert_eq!((unused.status, unused.code().as_str()), (404, "ticket.unknown"), "{unused:?}");
    let (stream, closing) = house.console(token(&second), "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    session_of(house, &ada).await?;
    let third = console(house, &ada, 1).await?;
    assert_eq!(closing.await?.context("no close frame")?.0, 4011);
    // Somebody else's is left alone.
    let bob = house.person("bob", "user").await?;
    house.grant(&bob, 1, "{}").await?;
    let (stream, _bobs) = house.console(token(&console(house, &bob, 1).await?), "").await?;
    let mut bobs = Viewer::connect(stream, ViewerOptions::default()).await?;
    bobs.wait_for_updates(1).await?;
    let (stream, _closing) = house.console(token(&third), "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    let list = house.ask("GET", "/api/sessions?status=active", "").await?.json();
    assert_eq!(list["total"], 2, "{list}");
    let gone = house.call(&ada, "DELETE", "/api/vm/1/console/session", "").await?;
    assert_eq!(gone.status, 204, "{gone:?}");
    wait::until("one session", wait::LIMIT, async || {
        let list = house.ask("GET", "/api/sessions?status=active", "").await.ok()?.json();
        (list["total"] == 1).then_some(())
    })
    .await?;
    let nothing = house.call(&ada, "DELETE", "/api/vm/1/console/session", "").await?;
    assert_eq!((nothing.status, nothing.code().as_str()), (404, "console.no_session"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lasts_as_long_as_asked_and_no_longer_than_its_grant() -> Result<()> {
    let (house, ada) = house_with("ada", "user").await?;
    let minutes = |until: &Value| -> Result<i64> {
        let until: chrono::DateTime<chrono::Utc> = until.as_str().context("no moment")?.parse()?;
        Ok((until - chrono::Utc::now()).num_minutes())
    };
    let ticket = console(&house, &ada, 1).await?;
    assert!((13..=15).contains(&minutes(&ticket["expires_at"])?), "{ticket}");
    let nothing = house.call(&ada, "POST", "/api/vm/1/console/extend", "{}").await?;
    assert_eq!((nothing.status, nothing.code().as_str()), (404, "console.no_session"));
    let (stream, closing) = house.console(token(&ticket), "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    session_of(&house, &ada).await?;
    let extended = house.call(&ada, "POST", "/api/vm/1/console/extend", r#"{"expires_minutes":60}"#).await?;
    assert_eq!((extended.status, extended.json()["extensions"].as_u64()), (200, Some(1)), "{extended:?}");
    assert!((58..=60).contains(&minutes(&extended.json()["expires_at"])?), "{extended:?}");
    let status = house.call(&ada, "GET", "/api/targets/1/console/status", "").await?.json();
    assert_eq!((status["available"].as_bool(), status["reason"].is_null()), (Some(true), true), "{status}");
    assert_eq!(status["active_session"]["extensions"], 1, "{status}");
    for wish in [r#"{"expires_minutes":0}"#, r#"{"expires_minutes":100000}"#] {
        let refused = house.call(&ada, "POST", "/api/vm/1/console/extend", wish).await?;
        assert_eq!((refused.status, refused.code().as_str()), (422, "console.expires_minutes"));
    }
    // The grant ends earlier than anything that was asked for.
    let soon = chrono::Utc::now() + chrono::TimeDelta::minutes(5);
    house.grant(&ada, 1, &json!({ "expires_at": soon }).to_string()).await?;
    let extended = house.call(&ada, "POST", "/api/vm/1/console/extend", r#"{"expires_minutes":60}"#).await?;
    assert!(minutes(&extended.json()["expires_at"])? <= 5, "{extended:?}");
    assert!(minutes(&console(&house, &ada, 1).await?["expires_at"])? <= 5);
    assert_eq!(closing.await?.context("no close frame")?.0, 4011);
    Ok(())
}

/// What a console page is told while it runs.
async fn info(house: &House, someone: &Someone, ticket: &Value) -> Result<Value> {
    let path = format!("/api/console/{}/info", token(ticket));
    Ok(house.call(someone, "GET", &path, "").await?.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_says_what_may_be_done_there_and_who_else_is_there() -> Result<()> {
    let (house, ada) = house_with("ada", "user").await?;
    let grace = house.person("grace", "user").await?;
    house.grant(&grace, 1, r#"{"view_only":true}"#).await?;
    let first = console(&house, &ada, 1).await?;
    let before = info(&house, &ada, &first).await?;
    assert!(before["target_id"].is_string() && before["extended_s"].is_null(), "nothing runs yet: {before}");
    let (stream, _closing) = house.console(token(&first), "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    session_of(&house, &ada).await?;
    let alone = info(&house, &ada, &first).await?;
    assert_eq!(alone["others"], json!([]));
    assert!(alone["extended_s"].as_u64().is_some_and(|s| (880..=900).contains(&s)), "{alone}");
    assert_eq!(
        (alone["may_change_policy"].as_bool(), alone["policy"]["view_only"].as_bool()),
        (Some(false), Some(false))
    );

    let second = console(&house, &grace, 1).await?;
    let (stream, _other_closing) = house.console(token(&second), "").await?;
    let mut other = Viewer::connect(stream, ViewerOptions::default()).await?;
    other.wait_for_updates(1).await?;
    session_of(&house, &grace).await?;
    let together = info(&house, &ada, &first).await?;
    assert_eq!(together["others"][0]["person"], "grace", "{together}");
    assert_eq!(together["others"][0]["view_only"], true, "{together}");
    let hers = info(&house, &grace, &second).await?;
    assert_eq!(hers["others"][0]["person"], "ada", "{hers}");
    assert_eq!(hers["policy"]["view_only"], true, "{hers}");

    // Whoever has the token and no log-in learns that somebody is there, not who, and may do nothing.
    let bare = format!("/api/console/{}/info", token(&first));
    let bare = http::send(house.web, "GET", &bare, &[], "").await?.json();
    assert_eq!(bare["others"].as_array().map(Vec::len), Some(1), "{bare}");
    assert!(bare["others"][0]["person"].is_null(), "{bare}");
    assert!(bare["target_id"].is_null() && bare["extended_s"].is_null(), "{bare}");
    assert_eq!(bare["may_change_policy"], false, "{bare}");

    // Somebody else with the token may look, and extends nothing that is not theirs.
    let admin = house.ask("GET", &format!("/api/console/{}/info", token(&first)), "").await?.json();
    assert_eq!(
        (admin["extended_s"].is_null(), admin["may_change_policy"].as_bool()),
        (true, Some(true)),
        "{admin}"
    );
    drop((viewer, other));
    Ok(())
}

/// A person with an open console: how it is closed.
async fn with_console(
    house: &House,
    someone: &Someone,
) -> Result<(Viewer<tokio::io::DuplexStream>, crate::house::Closing)> {
    let ticket = console(house, someone, 1).await?;
    let (stream, closing) = house.console(token(&ticket), "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    Ok((viewer, closing))
}

#[tokio::test(flavor = "multi_thread")]
async fn consoles_end_with_what_they_hang_on() -> Result<()> {
    let house = House::start().await?;
    house.add_target("card", "testcard:", None).await?;
    for (n, (method, path, body)) in [
        ("DELETE", "/api/users/{id}/targets/1", ""),
        ("POST", "/api/users/{id}/disable", ""),
        ("DELETE", "/api/users/{id}", ""),
        ("POST", "/api/users/{id}/logout", ""),
        ("POST", "/api/users/{id}/password", r#"{"password":"nine other horses"}"#),
        ("POST", "/api/users/{id}/erase", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let someone = house.person(&format!("person{n}"), "user").await?;
        house.grant(&someone, 1, "{}").await?;
        let (_viewer, closing) = with_console(&house, &someone).await?;
        let done = house.ask(method, &path.replace("{id}", &someone.id), body).await?;
        assert!(done.status < 300, "{method} {path}: {done:?}");
        assert_eq!(closing.await?.context("no close frame")?.0, 4003, "{method} {path}");
    }
    let ada = house.person("ada", "user").await?;
    house.grant(&ada, 1, "{}").await?;
    let (_viewer, closing) = with_console(&house, &ada).await?;
    assert_eq!(house.call(&ada, "POST", "/api/auth/logout", "").await?.status, 204);
    assert_eq!(closing.await?.context("no close frame")?.0, 4003);
    assert_eq!(house.call(&ada, "GET", "/api/auth/me", "").await?.status, 401);
    // A grant that lets only look makes a running console look only.
    let bob = house.person("bob", "user").await?;
    house.grant(&bob, 1, "{}").await?;
    let (_viewer, _closing) = with_console(&house, &bob).await?;
    house.grant(&bob, 1, r#"{"view_only":true}"#).await?;
    assert_eq!(session_of(&house, &bob).await?["view_only"], true);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_name_and_a_wrong_password_look_the_same() -> Result<()> {
    let (house, _ada) = house_with("ada", "user").await?;
    let off = house.person("off", "user").await?;
    assert_eq!(house.ask("POST", &format!("/api/users/{}/disable", off.id), "").await?.status, 200);
    let wrong = house.tokens("ada", "not the password").await?;
    let unknown = house.tokens("nobody", "not the password").await?;
    let disabled = house.tokens("off", PASSWORD).await?;
    assert_eq!((wrong.status, wrong.code().as_str()), (401, "login.wrong"));
    for other in [&unknown, &disabled] {
        assert_eq!((other.status, &other.body), (wrong.status, &wrong.body));
    }
    let log = entries(&house, "login.refused").await?;
    assert_eq!(log.len(), 3, "{log:?}");
    // Case does not matter, nor does a password of any length do harm.
    assert_eq!(house.tokens("ADA", PASSWORD).await?.status, 200);
    assert_eq!(house.tokens("ada", &"x".repeat(10_000)).await?.status, 401);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_slow_down_who_guesses_and_not_who_was_here_before() -> Result<()> {
    let (house, _ada) = house_with("ada", "user").await?;
    let cookie = |answer: &http::Answer| {
        let lines = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        lines.filter_map(|(_, line)| line.split(';').next()).collect::<Vec<_>>().join("; ")
    };
    let login = |password: &str| json!({ "username": "ada", "password": password }).to_string();
    let first = http::send(house.web, "POST", "/api/auth/login", &[], &login(PASSWORD)).await?;
    let device = cookie(&first);
    assert!(device.contains("gatehouse_device="), "{device}");
    let mut last = 0;
    for _ in 0..20 {
        let name = json!({ "username": "somebody", "password": "guess" }).to_string();
        last = http::send(house.web, "POST", "/api/auth/login", &[], &name).await?.status;
        if last == 429 {
            break;
        }
    }
    assert_eq!(last, 429, "guesses are slowed down");
    let known =
        http::send(house.web, "POST", "/api/auth/login", &[("Cookie", &device)], &login(PASSWORD)).await?;
    assert_eq!(known.status, 200, "{known:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_tokens_turn_over_and_a_stolen_one_ends_the_log_in() -> Result<()> {
    refreshed(&House::start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_tokens_turn_over_and_a_stolen_one_ends_the_log_in_on_postgresql() -> Result<()> {
    let (house, _database, _server) = House::start_on_postgres().await?;
    refreshed(&house).await
}

async fn refreshed(house: &House) -> Result<()> {
    let ada = furnish(house, "ada", "user").await?;
    let refresh = async |token: &str| {
        let body = json!({ "refresh_token": token }).to_string();
        http::send(house.web, "POST", "/api/auth/refresh", &[], &body).await
    };
    let first = refresh(&ada.refresh).await?;
    assert_eq!(first.status, 200, "{first:?}");
    let again = refresh(&ada.refresh).await?;
    assert_eq!(first.json()["refresh_token"], again.json()["refresh_token"], "asked again at once");
    let next = first.json()["refresh_token"].as_str().context("no token")?.to_owned();
    let access = refresh(&next).await?.json()["access_token"].as_str().context("no token")?.to_owned();
    assert_eq!(house.bear(&access, "GET", "/api/auth/me", "").await?.status, 200);
    for wrong in ["", "short", &"a".repeat(52), &access] {
        let refused = refresh(wrong).await?;
        assert_eq!((refused.status, refused.code().as_str()), (401, "login.refresh_invalid"), "{wrong}");
    }
    assert_eq!(house.bear(&access, "POST", "/api/auth/logout", "").await?.status, 204);
    assert_eq!(house.bear(&access, "GET", "/api/auth/me", "").await?.status, 401);
    assert_eq!(refresh(&next).await?.status, 401);
    Ok(())
}

/// `127.1` is no address to whoever reads it, and 127.0.0.1 to whoever resolves it.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_an_operator_enters_does_not_lead_to_this_machine() -> Result<()> {
    let house = House::start().await?;
    let olga = house.person("olga", "operator").await?;
    let group = house.group("class", &[(&olga, true)], &[]).await?;
    let server = Xvnc::start(XvncOptions::default()).await?;
    let name = format!("vnc://127.1:{}", server.address().port());
    let wish = json!({ "name": "desk", "url": name, "groups": [group] }).to_string();
    let added = house.call(&olga, "POST", "/api/targets", &wish).await?;
    assert_eq!((added.status, &added.json()["address_by"]), (201, &json!("operator")), "{added:?}");
    let tested = async || house.ask("POST", "/api/targets/1/test", "").await;
    let console = async || {
        let (mut stream, closed) = house.console(&house.ticket(1, "{}").await?, "").await?;
        assert!(Viewer::connect(&mut stream, ViewerOptions::default()).await.is_err());
        Ok::<_, anyhow::Error>(closed.await?.context("no close frame")?.1)
    };
    let change = async |who: Option<&Someone>, body: serde_json::Value| {
        let target = house.ask("GET", "/api/targets/1", "").await?.json();
        let mut body = body;
        body["version"] = target["version"].clone();
        let changed = match who {
            Some(who) => house.call(who, "PATCH", "/api/targets/1", &body.to_string()).await?,
            None => house.ask("PATCH", "/api/targets/1", &body.to_string()).await?,
        };
        assert_eq!(changed.status, 200, "{changed:?}");
        Ok::<_, anyhow::Error>(changed.json()["address_by"].clone())
    };
    // Whoever asks: it is the operator's word.
    let refused = tested().await?;
    assert_eq!((refused.status, refused.code().as_str()), (502, "egress.loopback"), "{refused:?}");
    let closed = console().await?;
    assert!(closed.contains("egress.loopback"), "{closed}");
    // An administrator who edits something else has not looked at the address.
    assert_eq!(change(None, json!({ "description": "desk of the class" })).await?, "operator");
    assert_eq!(tested().await?.status, 502);
    // Who sends the address answers for it, until somebody else sends another.
    assert_eq!(change(None, json!({ "url": name })).await?, "administrator");
    let tried = tested().await?;
    assert_eq!(tried.status, 200, "{tried:?}");
    assert_eq!(change(Some(&olga), json!({ "url": name, "description": "ours" })).await?, "administrator");
    assert_eq!(tested().await?.status, 200);
    let other = format!("vnc://2130706433:{}", server.address().port());
    assert_eq!(change(Some(&olga), json!({ "url": other })).await?, "operator");
    assert_eq!(tested().await?.code(), "egress.loopback");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_no_longer_good() -> Result<()> {
    let (house, ada) = house_with("ada", "user").await?;
    let parts: Vec<_> = ada.access.split('.').collect();
    let altered = format!("{}.{}x.{}", parts[0], parts[1], parts[2]);
    // {"alg":"none"} and a token of somebody else's making.
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{}.", parts[1]);
    for bad in [altered.as_str(), &unsigned, "x", "", &"a".repeat(52), &"a".repeat(10_000)] {
        let refused = house.bear(bad, "GET", "/api/auth/me", "").await?;
        assert_eq!(refused.status, 401, "{bad}: {refused:?}");
    }
    let basic = http::send(house.web, "GET", "/api/auth/me", &[("Authorization", "Basic YTpi")], "").await?;
    assert_eq!(basic.status, 401);
    // An API token does what its person and its scopes allow, until it is revoked.
    let made = house.call(&ada, "POST", "/api/tokens", r#"{"name":"script","scopes":["read"]}"#).await?;
    assert_eq!(made.status, 201, "{made:?}");
    let (token, id) = (made.json()["token"].clone(), made.json()["id"].clone());
    let (token, id) = (token.as_str().context("no token")?, id.as_str().context("no id")?);
    assert_eq!(house.bear(token, "GET", "/api/targets", "").await?.json()["total"], 1);
    for (method, path, code) in [
        ("POST", "/api/vm/1/console/request", "right.scope"),
        ("POST", "/api/tokens", "right.needs_login"),
        ("POST", "/api/auth/password", "right.needs_login"),
        ("POST", "/api/auth/logout", "right.needs_login"),
        ("GET", "/api/audit", "right.role"),
    ] {
        let refused = house.bear(token, method, path, "").await?;
        assert_eq!((refused.status, refused.code().as_str()), (403, code), "{method} {path}");
    }
    let listed = house.call(&ada, "GET", "/api/tokens", "").await?;
    assert!(!listed.body.contains(token), "shown once");
    let eve = house.person("eve", "user").await?;
    assert_eq!(house.call(&eve, "DELETE", &format!("/api/tokens/{id}"), "").await?.status, 404);
    assert_eq!(house.call(&ada, "DELETE", &format!("/api/tokens/{id}"), "").await?.status, 204);
    assert_eq!(house.bear(token, "GET", "/api/targets", "").await?.code(), "api_token.invalid");
    let past = house.call(
        &ada,
        "POST",
        "/api/tokens",
        r#"{"name":"a","scopes":["read"],"expires_at":"2020-01-01T00:00:00Z"}"#,
    );
    assert_eq!(past.await?.code(), "api_token.expired");
    for scopes in ["[]", r#"["root"]"#, r#"["read admin x"]"#] {
        let wish = format!(r#"{{"name":"a","scopes":{scopes}}}"#);
        assert_eq!(house.call(&ada, "POST", "/api/tokens", &wish).await?.status, 422, "{scopes}");
    }
    // What changes about a person counts at the next request.
    let role =
        house.ask("PATCH", &format!("/api/users/{}", ada.id), r#"{"version":1,"role":"viewer"}"#).await?;
    assert_eq!(role.status, 200, "{role:?}");
    let refused = house.call(&ada, "POST", "/api/vm/1/console/request", "{}").await?;
    assert_eq!((refused.status, refused.code().as_str()), (403, "right.role"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_is_worth_nothing_to_other_sites() -> Result<()> {
    let (house, _ada) = house_with("ada", "user").await?;
    let cookie = house.browser("ada", PASSWORD).await?;
    let origin = house.origin();
    let ask = async |origin: Option<&str>, method: &str, path: &str| {
        let mut headers = vec![("Cookie", cookie.as_str())];
        headers.extend(origin.map(|origin| ("Origin", origin)));
        http::send(house.web, method, path, &headers, if method == "POST" { "{}" } else { "" }).await
    };
    let request = "/api/vm/1/console/request";
    assert_eq!(ask(Some(&origin), "POST", request).await?.status, 200);
    assert_eq!(ask(None, "POST", request).await?.code(), "request.origin");
    assert_eq!(ask(Some("https://evil.example"), "POST", request).await?.code(), "request.origin");
    assert_eq!(ask(Some("null"), "POST", request).await?.code(), "request.origin");
    // A page elsewhere may send a browser here to read; it sees nothing of the answer.
    let read = ask(Some("https://evil.example"), "GET", "/api/auth/me").await?;
    assert_eq!(read.header("access-control-allow-origin"), None);
    for origin in [None, Some("https://evil.example")] {
        for path in ["/ws/events", "/vnc-proxy/ws/1", "/api/console/ws/console/1"] {
            assert!(house.socket(path, origin, Some(&cookie)).await.is_err(), "{path} {origin:?}");
        }
    }
    let login = json!({ "username": "ada", "password": PASSWORD }).to_string();
    let foreign = [("Origin", "https://evil.example")];
    assert_eq!(
        http::send(house.web, "POST", "/api/auth/login", &foreign, &login).await?.code(),
        "request.origin"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_origin_uses_tokens_and_never_a_cookie() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let config = "[web]\nallowed_origins = [\"https://portal.example\"]\n";
    std::fs::write(dir.path().join("gatehouse.toml"), config)?;
    let house = House::start_in(dir, &[]).await?;
    house.add_target("card", "testcard:", None).await?;
    let ada = house.person("ada", "user").await?;
    house.grant(&ada, 1, "{}").await?;
    let origin = ("Origin", "https://portal.example");
    let ahead = [origin, ("Access-Control-Request-Method", "POST")];
    let preflight = http::send(house.web, "OPTIONS", "/api/vm/1/console/request", &ahead, "").await?;
    assert_eq!(preflight.status, 204, "{preflight:?}");
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://portal.example"));
    assert!(preflight.header("access-control-allow-headers").is_some_and(|h| h.contains("Authorization")));
    let bearer = format!("Bearer {}", ada.access);
    let by_token = [origin, ("Authorization", bearer.as_str())];
    let ticket = http::send(house.web, "POST", "/api/vm/1/console/request", &by_token, "{}").await?;
    assert_eq!(ticket.status, 200, "{ticket:?}");
    assert_eq!(ticket.header("access-control-allow-origin"), Some("https://portal.example"));
    assert_eq!(ticket.header("access-control-allow-credentials"), None);
    let ticket = ticket.json();
    let (stream, _closing) = house.console_from(token(&ticket), "", Some("https://portal.example")).await?;
    Viewer::connect(stream, ViewerOptions::default()).await?.wait_for_updates(1).await?;
    let cookie = house.browser("ada", PASSWORD).await?;
    let by_cookie = [origin, ("Cookie", cookie.as_str())];
    let refused = http::send(house.web, "POST", "/api/vm/1/console/request", &by_cookie, "{}").await?;
    assert_eq!((refused.status, refused.code().as_str()), (401, "auth.required"));
    assert_eq!(http::send(house.web, "GET", "/api/auth/me", &by_cookie, "").await?.status, 401);
    assert!(house.socket("/vnc-proxy/ws/1", Some("https://portal.example"), Some(&cookie)).await.is_err());
    let other = [("Origin", "https://other.example"), ("Authorization", bearer.as_str())];
    let refused = http::send(house.web, "POST", "/api/vm/1/console/request", &other, "{}").await?;
    assert_eq!(refused.code(), "request.origin");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_administrators_at_the_same_entry() -> Result<()> {
    at_the_same_entry(&House::start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_administrators_at_the_same_entry_on_postgresql() -> Result<()> {
    let (house, _database, _server) = House::start_on_postgres().await?;
    at_the_same_entry(&house).await
}

async fn at_the_same_entry(house: &House) -> Result<()> {
    let ada = furnish(house, "ada", "user").await?;
    let group = house.group("class", &[(&ada, false)], &[1]).await?;
    for (path, change) in [
        (format!("/api/users/{}", ada.id), "display_name"),
        (format!("/api/groups/{group}"), "description"),
        ("/api/targets/1".to_owned(), "description"),
    ] {
        let version = house.ask("GET", &path, "").await?.json()["version"].as_u64().context("no version")?;
        let wish = |text: &str| json!({ "version": version, change: text }).to_string();
        assert_eq!(house.ask("PATCH", &path, &wish("first")).await?.status, 200, "{path}");
        let late = house.ask("PATCH", &path, &wish("second")).await?;
        assert_eq!((late.status, late.code().as_str()), (409, "api.changed_meanwhile"), "{path}");
        let current = &late.json()["current"];
        assert_eq!(
            (current[change].as_str(), current["version"].as_u64()),
            (Some("first"), Some(version + 1))
        );
    }
    let admin = house.ask("GET", "/api/auth/me", "").await?.json();
    let last =
        house.ask("DELETE", &format!("/api/users/{}", admin["id"].as_str().unwrap_or_default()), "").await?;
    assert_eq!((last.status, last.code().as_str()), (409, "people.last_admin"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_deceive_are_refused_and_markup_stays_text() -> Result<()> {
    let house = House::start().await?;
    for name in
        ["", "  ", "a\u{202e}b", "a\u{200b}b", "a\u{0}b", "a\nb", "a:b", "\u{2066}x", &"x".repeat(300)]
    {
        let wish = json!({ "username": name, "password": PASSWORD }).to_string();
        assert_eq!(house.ask("POST", "/api/users", &wish).await?.status, 422, "{name:?}");
        let wish = json!({ "name": name.replace(':', "\u{202e}") }).to_string();
        assert_eq!(house.ask("POST", "/api/groups", &wish).await?.status, 422, "{name:?}");
    }
    let markup = "<img src=x onerror=alert(1)>";
    let added = house
        .ask("POST", "/api/users", &json!({ "username": markup, "password": PASSWORD }).to_string())
        .await?;
    assert_eq!((added.status, added.json()["username"].as_str()), (201, Some(markup)));
    assert_eq!(added.header("content-type"), Some("application/json"));
    assert_eq!(added.header("x-content-type-options"), Some("nosniff"));
    for (taken, status) in [("Ada", 201), ("ada", 409), ("ＡＤＡ", 409)] {
        let answer = house.ask("POST", "/api/users", &json!({ "username": taken }).to_string()).await?;
        assert_eq!(answer.status, status, "{taken}: {answer:?}");
    }
    for (password, code) in [
        ("short", "password.too_short"),
        ("aaaaaaaaaaaaaaaa", "password.monotonous"),
        ("ada lovelace", "password.is_name"),
        (&"x1".repeat(600), "password.too_long"),
    ] {
        let wish = json!({ "username": "ada lovelace", "password": password }).to_string();
        assert_eq!(house.ask("POST", "/api/users", &wish).await?.code(), code, "{password}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_change_nothing() -> Result<()> {
    let (house, ada) = house_with("ada", "user").await?;
    let huge = format!(r#"{{"username":"{}"}}"#, "x".repeat(100_000));
    let deep = "[".repeat(10_000);
    let nobody = "01a1fc9a-5aba-7154-aae6-930286a52acf";
    for (method, path, body, status) in [
        ("POST", "/api/users", "{", 400),
        ("POST", "/api/users", "[]", 422),
        ("POST", "/api/users", r#"{"username":"b","role":"root"}"#, 422),
        ("POST", "/api/users", r#"{"username":"b","sudo":true}"#, 422),
        ("POST", "/api/users", &huge, 413),
        ("POST", "/api/users", &deep, 422),
        ("GET", "/api/users/odd", "", 400),
        ("GET", "/api/users?limit=0", "", 400),
        ("GET", "/api/users?role=root", "", 400),
        ("GET", "/api/audit?after=1&before=2", "", 400),
        ("GET", "/api/sessions?sort=name", "", 400),
        ("GET", "/api/sessions?min_risk=101", "", 400),
        ("PATCH", &format!("/api/users/{}", ada.id), "{}", 422),
        ("PATCH", &format!("/api/users/{nobody}"), r#"{"version":1}"#, 404),
        ("DELETE", &format!("/api/users/{nobody}"), "", 404),
        ("PUT", &format!("/api/users/{nobody}/targets/1"), "{}", 404),
        ("PUT", &format!("/api/users/{}/targets/99", ada.id), "{}", 404),
        ("PUT", &format!("/api/groups/{nobody}/members/{}", ada.id), "{}", 404),
        ("PUT", &format!("/api/groups/{nobody}/targets/1"), "{}", 404),
        ("DELETE", &format!("/api/tokens/{nobody}"), "", 404),
        ("GET", &format!("/api/groups/{nobody}"), "", 404),
        ("POST", "/api/auth/login", r#"{"username":"ada"}"#, 422),
        ("PUT", "/api/users", "", 405),
    ] {
        let answer = house.ask(method, path, body).await?;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        answer.code();
    }
    let users = house.ask("GET", "/api/users", "").await?.json();
    assert_eq!(users["total"], 2, "{users}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_by_address_and_by_person() -> Result<()> {
    let dir = tempfile::tempdir()?;
    std::fs::write(
        dir.path().join("gatehouse.toml"),
        "[limits]\nanonymous = 12\nperson = 8\nconnection_tests = 2\n",
    )?;
    let house = House::start_in(dir, &[]).await?;
    house.add_target("card", "testcard:", None).await?;
    for _ in 0..2 {
        assert_eq!(house.ask("POST", "/api/targets/1/test", "").await?.status, 200);
    }
    let limited = house.ask("POST", "/api/targets/1/test", "").await?;
    assert_eq!((limited.status, limited.code().as_str()), (429, "api.rate"));
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(house.ask("GET", "/api/auth/me", "").await?.status);
    }
    assert!(statuses.contains(&200) && statuses.last() == Some(&429), "{statuses:?}");
    let mut statuses = Vec::new();
    for _ in 0..14 {
        statuses.push(http::send(house.web, "GET", "/api/auth/me", &[], "").await?.status);
    }
    assert!(statuses.contains(&401) && statuses.last() == Some(&429), "{statuses:?}");
    let limited = http::send(house.web, "GET", "/api/nothing", &[], "").await?;
    assert_eq!((limited.status, limited.code().as_str()), (429, "api.rate"));
    assert!(limited.header("retry-after").is_some_and(|wait| wait.parse::<u64>().is_ok_and(|wait| wait > 0)));
    // Who looks whether it works, and who draws the page, is not counted.
    for path in ["/api/health", "/", "/api/docs"] {
        assert_eq!(http::send(house.web, "GET", path, &[], "").await?.status, 200, "{path}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn live_events_reach_only_who_may_see_them() -> Result<()> {
    use futures_util::StreamExt;
    let (house, ada) = house_with("ada", "user").await?;
    house.person("eve", "user").await?;
    let (mine, theirs) = (house.browser("ada", PASSWORD).await?, house.browser("eve", PASSWORD).await?);
    let origin = house.origin();
    let mut mine = house.socket("/ws/events", Some(&origin), Some(&mine)).await?;
    let mut theirs = house.socket("/ws/events", Some(&origin), Some(&theirs)).await?;
    let (_viewer, _closing) = with_console(&house, &ada).await?;
    let event = tokio::time::timeout(wait::LIMIT, async {
        while let Some(Ok(message)) = mine.next().await {
            if let Ok(text) = message.into_text()
                && let Ok(event) = serde_json::from_str::<Value>(&text)
            {
                return Some(event);
            }
        }
        None
    });
    let event = event.await?.context("no event")?;
    assert_eq!(
        (event["type"].as_str(), event["payload"]["subject"].as_str()),
        (Some("vnc_session_started"), Some("ada"))
    );
    // Eve's own session is the first that she hears of.
    let eve = house.tokens("eve", PASSWORD).await?.json();
    let users = house.ask("GET", "/api/users?search=eve", "").await?.json();
    let id = users["users"][0]["id"].as_str().context("no id")?;
    assert_eq!(house.ask("PUT", &format!("/api/users/{id}/targets/1"), "{}").await?.status, 204);
    let access = eve["access_token"].as_str().context("no token")?;
    let ticket = house.bear(access, "POST", "/api/vm/1/console/request", "{}").await?.json();
    let (stream, _closing) = house.console(token(&ticket), "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    let event = tokio::time::timeout(wait::LIMIT, async {
        while let Some(Ok(message)) = theirs.next().await {
            if let Ok(text) = message.into_text()
                && let Ok(event) = serde_json::from_str::<Value>(&text)
            {
                return Some(event);
            }
        }
        None
    });
    assert_eq!(event.await?.context("no event")?["payload"]["subject"], "eve");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_of_other_products_work_by_log_in_and_grant() -> Result<()> {
    let (house, ada) = house_with("ada", "user").await?;
    for page in [
        "/auth/login",
        "/student/console/1",
        "/teacher/console/1",
        "/admin/console/1",
        "/api/console/1/view2",
    ] {
        let answer = http::send(house.web, "GET", page, &[], "").await?;
        assert_eq!(answer.status, 200, "{page}");
        assert!(answer.header("content-type").is_some_and(|t| t.starts_with("text/html")), "{page}");
        assert_eq!(http::send(house.web, "HEAD", page, &[], "").await?.status, 200, "{page}");
    }
    let cookie = house.browser("ada", PASSWORD).await?;
    let before = house.ask("GET", "/api/audit", "").await?.json()["total"].clone();
    let origin = house.origin();
    let headers = [("Cookie", cookie.as_str())];
    assert_eq!(http::send(house.web, "GET", "/teacher/console/1", &headers, "").await?.status, 200);
    assert_eq!(house.ask("GET", "/api/audit", "").await?.json()["total"], before, "a page changes nothing");
    for path in ["/vnc-proxy/ws/1", "/api/console/ws/console/1"] {
        let (stream, closing) = house.by_cookie(path, &cookie).await?;
        let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
        viewer.wait_for_updates(1).await?;
        session_of(&house, &ada).await?;
        // A second page does not end the first unasked.
        let (stream, refused) = house.by_cookie(path, &cookie).await?;
        let (code, reason) = refused.await?.context("no close frame")?;
        assert_eq!((code, reason.contains("console.session_active")), (4100, true), "{reason}");
        drop(stream);
        viewer.refresh().await?;
        viewer.wait_for_updates(1).await?;
        let (stream, second) = house.by_cookie(&format!("{path}?replace=true"), &cookie).await?;
        assert_eq!(closing.await?.context("no close frame")?.0, 4011);
        let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
        viewer.wait_for_updates(1).await?;
        assert_eq!(house.call(&ada, "DELETE", "/api/vm/1/console/session", "").await?.status, 204);
        assert_eq!(second.await?.context("no close frame")?.0, 4003);
        wait::until("its seat to be free", wait::LIMIT, async || {
            let target = house.ask("GET", "/api/targets/1", "").await.ok()?.json();
            (target["active_sessions"] == 0).then_some(())
        })
        .await?;
    }
    // Nothing without a log-in, nothing without a grant.
    assert!(house.socket("/vnc-proxy/ws/1", Some(&origin), None).await.is_err());
    house.person("eve", "user").await?;
    let stranger = house.browser("eve", PASSWORD).await?;
    let (_stream, refused) = house.by_cookie("/vnc-proxy/ws/1", &stranger).await?;
    assert_eq!(refused.await?.context("no close frame")?.0, 4100);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_headers_that_protect_it() -> Result<()> {
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("gatehouse.toml"), "[web]\ntrusted_proxies = [\"127.0.0.1\"]\n")?;
    let house = House::start_in(dir, &[]).await?;
    for (path, status) in
        [("/", 200), ("/api/docs", 200), ("/api/docs.css", 200), ("/api/auth/me", 401), ("/api/no", 404)]
    {
        let answer = http::send(house.web, "GET", path, &[], "").await?;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(answer.header("content-security-policy").is_some(), "{path}");
        assert_eq!(answer.header("strict-transport-security"), None, "{path}");
        let secure = http::send(house.web, "GET", path, &[("X-Forwarded-Proto", "https")], "").await?;
        assert!(secure.header("strict-transport-security").is_some(), "{path}");
    }
    let docs = http::send(house.web, "GET", "/api/docs", &[], "").await?.body;
    assert!(
        docs.contains("/api/vm/{id}/console/request") && !docs.contains("<script"),
        "readable without scripts"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_passes_for_the_proxy_that_brings_them() -> Result<()> {
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("gatehouse.toml"), "[web]\ntrusted_proxies = [\"127.0.0.1\"]\n")?;
    let house = House::start_in(dir, &[]).await?;
    let guess = json!({ "username": "nobody", "password": "guess" }).to_string();
    // A proxy appends to what the stranger sent, and that need not be text.
    for sent in ["203.0.113.7", "é, 203.0.113.7", "\u{fffd}127.0.0.1, 203.0.113.7"] {
        let passed_on = [("X-Forwarded-For", sent)];
        let refused = http::send(house.web, "POST", "/api/auth/login", &passed_on, &guess).await?;
        assert_eq!(refused.status, 401, "{sent}: {refused:?}");
        let log = entries(&house, "login.refused").await?;
        assert_eq!(log[0]["people"]["address"], "203.0.113.7", "{sent}");
        assert_eq!(http::send(house.web, "GET", "/metrics", &passed_on, "").await?.status, 403, "{sent}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_do_not_leave_by_a_proxy_that_nobody_configured() -> Result<()> {
    let house = House::start().await?;
    assert_eq!(http::send(house.web, "GET", "/metrics", &[], "").await?.status, 200);
    for header in ["X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via"] {
        let passed_on = [(header, "203.0.113.7")];
        assert_eq!(http::send(house.web, "GET", "/metrics", &passed_on, "").await?.status, 403, "{header}");
    }
    Ok(())
}

/// How a console's WebSocket is refused.
async fn refusal(house: &House, ticket: &Value) -> Result<String> {
    let (_stream, closing) = house.console(token(ticket), "").await?;
    let (code, reason) = closing.await?.context("no close frame")?;
    assert_eq!(code, 4100, "{reason}");
    Ok(reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_worth_no_more_than_what_it_was_issued_on() -> Result<()> {
    spent_tickets(&House::start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_worth_no_more_than_what_it_was_issued_on_on_postgresql() -> Result<()> {
    let (house, _database, _server) = House::start_on_postgres().await?;
    spent_tickets(&house).await
}

async fn spent_tickets(house: &House) -> Result<()> {
    house.add_target("card", "testcard:", None).await?;
    for (n, (method, path, body)) in [
        ("DELETE", "/api/users/{id}/targets/1", ""),
        ("POST", "/api/users/{id}/logout", ""),
        ("POST", "/api/users/{id}/password", r#"{"password":"nine other horses"}"#),
        ("POST", "/api/users/{id}/disable", ""),
        ("PATCH", "/api/users/{id}", r#"{"version":1,"role":"viewer"}"#),
    ]
    .into_iter()
    .enumerate()
    {
        let someone = house.person(&format!("person{n}"), "user").await?;
        house.grant(&someone, 1, "{}").await?;
        let ticket = console(house, &someone, 1).await?;
        let done = house.ask(method, &path.replace("{id}", &someone.id), body).await?;
        assert!(done.status < 300, "{method} {path}: {done:?}");
        assert!(refusal(house, &ticket).await?.contains("ticket.unknown"), "{method} {path}");
    }
    let ada = house.person("ada", "user").await?;
    let group = house.group("class", &[(&ada, false)], &[1]).await?;
    let ticket = console(house, &ada, 1).await?;
    let left = house.ask("DELETE", &format!("/api/groups/{group}/members/{}", ada.id), "").await?;
    assert_eq!(left.status, 204, "{left:?}");
    assert!(refusal(house, &ticket).await?.contains("ticket.unknown"));
    // A grant that only looks by now is one that only looks.
    house.grant(&ada, 1, "{}").await?;
    let ticket = console(house, &ada, 1).await?;
    house.grant(&ada, 1, r#"{"view_only":true}"#).await?;
    let (stream, _closing) = house.console(token(&ticket), "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    assert_eq!(session_of(house, &ada).await?["view_only"], true);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_still_ends_with_its_log_in_after_a_restart() -> Result<()> {
    let (house, ada) = house_with("ada", "user").await?;
    let waiting = console(&house, &ada, 1).await?;
    house.child.signal(rustix::process::Signal::KILL);
    house.child.exit(wait::LIMIT).await?;
    let House { dir, .. } = house;
    let house = House::open(dir, &[]).await?;
    let (stream, closing) =
        house.console(token(&waiting), "binary, resume.abcdefghijklmnopqrstuvwxyz").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    assert_eq!(house.call(&ada, "POST", "/api/auth/logout", "").await?.status, 204);
    assert_eq!(closing.await?.context("no close frame")?.0, 4003);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_does_not_lift_the_rules_of_their_own_session() -> Result<()> {
    let (house, eve) = house_with("eve", "operator").await?;
    house.add_target("other", "testcard:", None).await?;
    house.group("theirs", &[(&eve, true)], &[2]).await?;
    house.grant(&eve, 1, r#"{"view_only":true}"#).await?;
    for (target, status) in [(1, 404), (2, 204)] {
        let ticket = console(&house, &eve, target).await?;
        let (stream, closing) = house.console(token(&ticket), "").await?;
        let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
        viewer.wait_for_updates(1).await?;
        let id = session_of(&house, &eve).await?["id"].as_str().unwrap_or_default().to_owned();
        assert_eq!(house.ask("POST", &format!("/api/sessions/{id}/freeze"), "").await?.status, 204);
        for (action, body) in [("thaw", ""), ("freeze", ""), ("policy", r#"{"files":true}"#)] {
            let path = format!("/api/sessions/{id}/{action}");
            assert_eq!(house.call(&eve, "POST", &path, body).await?.status, status, "{target} {action}");
        }
        // Other rules do not thaw it.
        assert_eq!(session_of(&house, &eve).await?["frozen"], true, "{target}");
        // To look at it and to end it stays theirs.
        let path = format!("/api/sessions/{id}");
        assert_eq!(house.call(&eve, "GET", &path, "").await?.status, 200, "{target}");
        assert_eq!(house.call(&eve, "POST", &format!("{path}/kill"), "").await?.status, 204, "{target}");
        assert_eq!(closing.await?.context("no close frame")?.0, 4003, "{target}");
        wait::until("its end", wait::LIMIT, async || {
            let ended = house.call(&eve, "GET", &path, "").await.ok()?.json();
            (ended["status"] == "terminated").then_some(())
        })
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_survives_rules_without_end() -> Result<()> {
    let (house, ada) = house_with("ada", "user").await?;
    let (mut viewer, closing) = with_console(&house, &ada).await?;
    let id = session_of(&house, &ada).await?["id"].as_str().unwrap_or_default().to_owned();
    let rules = json!({ "max_idle": u64::MAX, "max_duration": u64::MAX, "max_bytes_per_second": u64::MAX });
    let set = house.ask("POST", &format!("/api/sessions/{id}/policy"), &rules.to_string()).await?;
    assert_eq!(set.status, 204, "{set:?}");
    viewer.refresh().await?;
    viewer.wait_for_updates(1).await?;
    assert_eq!(house.ask("POST", &format!("/api/sessions/{id}/kill"), "").await?.status, 204);
    assert_eq!(closing.await?.context("no close frame")?.0, 4003);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_left_open_keeps_nobody_logged_in() -> Result<()> {
    let (house, _ada) = house_with("ada", "user").await?;
    let cookie = house.browser("ada", PASSWORD).await?;
    let origin = house.origin();
    // Ten minutes without a sign of anybody.
    let before = "strftime('%Y-%m-%d %H:%M:%S+00:00', 'now', '-10 minutes')";
    let left = format!("UPDATE login_sessions SET last_seen_at = {before}");
    let seen = async || {
        let lately = "SELECT count(*) FROM login_sessions WHERE last_seen_at > datetime('now', '-5 minutes')";
        anyhow::Ok(sqlite(house.dir.path(), lately).await?.trim().to_owned())
    };
    let page = [("Cookie", cookie.as_str()), ("Origin", origin.as_str())];
    sqlite(house.dir.path(), &left).await?;
    for path in ["/api/targets", "/api/auth/me", "/api/sessions"] {
        assert_eq!(http::send(house.web, "GET", path, &page, "").await?.status, 200, "{path}");
    }
    house.socket("/ws/events", Some(&origin), Some(&cookie)).await?;
    assert_eq!(seen().await?, "0");
    let attended = [page[0], page[1], ("Gatehouse-Attended", "yes")];
    assert_eq!(http::send(house.web, "GET", "/api/targets", &attended, "").await?.status, 200);
    assert_eq!(seen().await?, "1");
    // What changes something is never asked by the clock.
    sqlite(house.dir.path(), &left).await?;
    assert_eq!(http::send(house.web, "POST", "/api/vm/1/console/request", &page, "{}").await?.status, 200);
    assert_eq!(seen().await?, "1");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_one_person_is_kept_by_nobody() -> Result<()> {
    let house = House::start().await?;
    for path in ["/api/auth/me", "/api/users", "/api/nothing", "/api/health"] {
        let answer = house.ask("GET", path, "").await?;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    }
    Ok(())
}

/// Every request comes by a proxy, from an address of the test's choice; passwords cost enough to queue for.
async fn behind_a_proxy() -> Result<House> {
    let dir = tempfile::tempdir()?;
    let config = "[web]\ntrusted_proxies = [\"127.0.0.1\"]\n[auth]\npassword_memory = 4096\n";
    std::fs::write(dir.path().join("gatehouse.toml"), config)?;
    House::start_in(dir, &[]).await
}

async fn log_in_from(
    web: std::net::SocketAddr,
    address: &str,
    cookie: &str,
    name: &str,
    password: &str,
) -> Result<http::Answer> {
    let wish = json!({ "username": name, "password": password, "grant": "token" }).to_string();
    let headers = [("X-Forwarded-For", address), ("Cookie", cookie)];
    http::send(web, "POST", "/api/auth/login", &headers, &wish).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_came_from_an_address_before_is_not_braked_by_strangers() -> Result<()> {
    let house = behind_a_proxy().await?;
    house.person("ada", "user").await?;
    let from = async |address: &str, password: &str| {
        log_in_from(house.web, address, "", "ada", password).await.map(|answer| answer.status)
    };
    assert_eq!(from("203.0.113.1", PASSWORD).await?, 200);
    assert_eq!(from("2001:db8:0:7::1", PASSWORD).await?, 200);
    let mut last = 0;
    for n in 0..20 {
        last = from(&format!("198.51.100.{n}"), "guess").await?;
        if last == 429 {
            break;
        }
    }
    assert_eq!(last, 429, "the account is braked");
    assert_eq!(from("203.0.113.2", PASSWORD).await?, 429, "a new address waits");
    assert_eq!(from("203.0.113.1", PASSWORD).await?, 200);
    assert_eq!(from("2001:db8:0:7::2", PASSWORD).await?, 200, "of the same network");
    Ok(())
}

/// Memory in use, in MiB.
fn resident(house: &House) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", house.child.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_wrong_log_ins_keep_nobody_out_who_was_here_before() -> Result<()> {
    let house = behind_a_proxy().await?;
    house.person("ada", "user").await?;
    let login = json!({ "username": "ada", "password": PASSWORD }).to_string();
    let first = http::send(house.web, "POST", "/api/auth/login", &[], &login).await?;
    let cookies = first.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    let device = cookies.filter_map(|(_, line)| line.split(';').next()).find(|line| line.contains("device"));
    let device = device.context("no device")?;
    let before = resident(&house)?;
    let next = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let crowd: Vec<_> = (0..48)
        .map(|_| {
            let (next, web) = (std::sync::Arc::clone(&next), house.web);
            tokio::spawn(async move {
                let mut statuses = [0; 600];
                loop {
                    let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if n >= 10_000 {
                        return anyhow::Ok(statuses);
                    }
                    let [_, _, high, low] = n.to_be_bytes();
                    let (address, name) = (format!("10.7.{high}.{low}"), format!("nobody{n}"));
                    let name = if n % 2 == 0 { "ada" } else { &name };
                    let answer = log_in_from(web, &address, "", name, "guess").await?;
                    statuses[usize::from(answer.status)] += 1;
                }
            })
        })
        .collect();
    let mut entered = 0;
    while next.load(std::sync::atomic::Ordering::Relaxed) < 9_000 {
        let known = log_in_from(house.web, "203.0.113.9", device, "ada", PASSWORD).await?;
        assert_eq!(known.status, 200, "{known:?}");
        entered += 1;
    }
    let mut statuses = [0; 600];
    for one in crowd {
        statuses.iter_mut().zip(one.await??).for_each(|(all, some)| *all += some);
    }
    assert_eq!(
        statuses[401] + statuses[429] + statuses[503],
        10_000,
        "nobody came in, and all were answered"
    );
    assert!(statuses[401] > 0 && statuses[429] > 0 && statuses[503] > 0, "as by a crowd");
    assert!(entered > 10, "{entered}");
    let after = resident(&house)?;
    assert!(after < before + 64, "{before} MiB, then {after} MiB");
    Ok(())
}
