//! Administration from the machine itself, while a server runs.

use crate::house::{House, PASSWORD, gatehouse};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::Path;

/// Lines of JSON among what a command printed.
fn json_lines(text: &str) -> Vec<Value> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn password_file(dir: &Path, password: &str) -> Result<String> {
    let file = dir.join("password.txt");
    std::fs::write(&file, format!("{password}\n"))?;
    Ok(file.display().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_made_at_the_terminal_uses_what_a_group_was_given() -> Result<()> {
    let house = House::start().await?;
    let dir = house.dir.path().to_path_buf();
    let run = async |args: &[&str]| gatehouse(&dir, args).run().await;
    let file = password_file(&dir, PASSWORD)?;
    run(&["admin", "target", "add", "card", "testcard:"]).await?;
    run(&["admin", "user", "add", "Ada", "--password-file", &file]).await?;
    run(&["admin", "group", "add", "class", "--description", "The first year"]).await?;
    run(&["admin", "group", "member", "add", "class", "ada"]).await?;
    run(&["admin", "group", "grant", "class", "card"]).await?;
    let list = run(&["admin", "group", "list"]).await?;
    assert!(list.contains("person  Ada") && list.contains("target  card"), "{list}");
    assert!(run(&["admin", "user", "list"]).await?.contains("Ada"));
    let login = house.tokens("ada", PASSWORD).await?;
    assert_eq!(login.status, 200, "{login:?}");
    let access = login.json()["access_token"].as_str().context("no token")?.to_owned();
    let asked = house.bear(&access, "POST", "/api/vm/1/console/request", "{}").await?;
    assert_eq!(asked.status, 200, "{asked:?}");
    run(&["admin", "group", "revoke", "class", "card"]).await?;
    let refused = house.bear(&access, "POST", "/api/vm/1/console/request", "{}").await?;
    assert!(matches!(refused.status, 403 | 404), "{refused:?}");
    run(&["admin", "user", "logout", "ada"]).await?;
    assert_eq!(house.bear(&access, "GET", "/api/auth/me", "").await?.status, 401);
    run(&["admin", "user", "set-role", "ada", "viewer"]).await?;
    assert!(run(&["admin", "user", "list"]).await?.contains("viewer"));
    run(&["admin", "user", "disable", "ada"]).await?;
    assert_eq!(house.tokens("ada", PASSWORD).await?.status, 401);
    run(&["admin", "user", "enable", "ada"]).await?;
    let other = password_file(&dir, "nine wise horses")?;
    run(&["admin", "user", "password", "ada", "--password-file", &other]).await?;
    assert_eq!(house.tokens("ada", "nine wise horses").await?.status, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_granted_at_the_terminal_and_taken_back() -> Result<()> {
    let house = House::start().await?;
    let dir = house.dir.path().to_path_buf();
    let run = async |args: &[&str]| gatehouse(&dir, args).run().await;
    run(&["target", "add", "card", "testcard:"]).await?;
    let ada = house.person("ada", "user").await?;
    let asked = async || house.call(&ada, "POST", "/api/vm/1/console/request", "{}").await;
    assert_eq!(asked().await?.status, 404);
    run(&["admin", "user", "grant", "ADA", "Card", "--view-only", "--expires", "30d"]).await?;
    let list = run(&["admin", "user", "grants", "ada"]).await?;
    assert!(list.starts_with("card  (view only)  until "), "{list}");
    let asked_for = asked().await?;
    assert_eq!((asked_for.status, &asked_for.json()["view_only"]), (200, &true.into()), "{asked_for:?}");
    run(&["admin", "user", "grant", "ada", "card"]).await?;
    assert_eq!(asked().await?.json()["view_only"], false);
    run(&["admin", "user", "revoke", "ada", "card"]).await?;
    assert_eq!(asked().await?.status, 404);
    assert_eq!(run(&["admin", "user", "grants", "ada"]).await?, "");
    for wrong in [
        &["admin", "user", "revoke", "ada", "card"][..],
        &["admin", "user", "grant", "nobody", "card"],
        &["admin", "user", "grant", "ada", "nothing"],
        &["admin", "user", "grant", "ada", "card", "--expires", "2020-01-01"],
    ] {
        assert!(run(wrong).await.is_err(), "{wrong:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_made_at_the_terminal_works_until_it_is_revoked() -> Result<()> {
    let house = House::start().await?;
    let dir = house.dir.path().to_path_buf();
    let run = async |args: &[&str]| gatehouse(&dir, args).run().await;
    run(&["admin", "user", "add", "robot", "--role", "viewer"]).await?;
    let made = run(&["admin", "token", "add", "robot", "--scope", "read", "--expires", "30d"]).await?;
    let token = made.lines().find(|line| line.len() == 52).context("no token")?;
    assert_eq!(house.bear(token, "GET", "/api/sessions", "").await?.status, 200);
    assert_eq!(house.bear(token, "POST", "/api/targets", "{}").await?.status, 403);
    let list = run(&["admin", "token", "list", "robot"]).await?;
    assert!(list.contains("read") && list.contains("until") && !list.contains(token), "{list}");
    let id = list.split(' ').next().context("no id")?;
    run(&["admin", "token", "revoke", id]).await?;
    assert_eq!(house.bear(token, "GET", "/api/sessions", "").await?.status, 401);
    assert!(run(&["admin", "token", "revoke", id]).await.is_err());
    assert!(run(&["admin", "token", "add", "robot", "--scope", "everything"]).await.is_err());
    assert!(run(&["admin", "token", "add", "robot"]).await.is_err());
    assert!(
        run(&["admin", "token", "add", "robot", "--scope", "read", "--expires", "2020-01-01"]).await.is_err()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_at_the_terminal_is_written_down_and_people_can_be_erased() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let run = async |args: &[&str]| gatehouse(dir.path(), args).run().await;
    let file = password_file(dir.path(), PASSWORD)?;
    run(&["admin", "user", "add", "root", "--role", "admin"]).await?;
    run(&["admin", "user", "add", "grace", "--password-file", &file]).await?;
    run(&["admin", "group", "add", "staff"]).await?;
    run(&["admin", "group", "member", "add", "staff", "grace", "--operator"]).await?;
    run(&["admin", "group", "member", "remove", "staff", "grace"]).await?;
    run(&["admin", "group", "remove", "staff"]).await?;
    run(&["target", "add", "card", "testcard:"]).await?;
    run(&["admin", "user", "grant", "grace", "card"]).await?;
    run(&["admin", "user", "revoke", "grace", "card"]).await?;
    run(&["target", "remove", "card"]).await?;
    run(&["admin", "link"]).await?;
    let before = json_lines(&run(&["audit", "export"]).await?);
    let actions: Vec<&str> = before.iter().filter_map(|line| line["action"].as_str()).collect();
    assert_eq!(
        actions,
        [
            "user.added",
            "user.added",
            "group.added",
            "group.member_set",
            "group.member_removed",
            "group.removed",
            "target.added",
            "grant.set",
            "grant.removed",
            "target.removed",
            "login.link_issued"
        ]
    );
    assert!(before.iter().all(|line| line["detail"].as_str().is_some_and(|d| d.contains("\"by\":\"cli\""))));
    assert_eq!(before[1]["people"]["name"], "grace");
    assert!(!before[1]["detail"].to_string().contains("grace"), "{}", before[1]);
    let later = json_lines(&run(&["audit", "export", "--after", "10"]).await?);
    assert_eq!((later[0]["seq"].as_u64(), later[1]["action"].as_str()), (Some(11), Some("audit.exported")));
    assert!(run(&["admin", "user", "erase", "grace"]).await.is_err(), "nobody was asked");
    run(&["admin", "user", "erase", "grace", "--yes"]).await?;
    let after = run(&["audit", "export"]).await?;
    assert!(!after.contains("grace") && after.contains("user.erased"), "{after}");
    assert!(run(&["audit", "verify"]).await?.contains("whole"));
    Ok(())
}

/// A person who was removed first has no name to be found by any more, but the log still has it.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_was_removed_is_erased_by_their_subject() -> Result<()> {
    let house = House::start().await?;
    let run = async |args: &[&str]| gatehouse(house.dir.path(), args).run().await;
    let added = house.ask("POST", "/api/users", r#"{"username":"hopper"}"#).await?;
    let id = added.json()["id"].as_str().context("no id")?.to_owned();
    let log = json_lines(&run(&["audit", "export"]).await?);
    let entry = log.iter().rfind(|line| line["action"] == "user.added").context("no entry")?;
    let subject = entry["object"].as_str().and_then(|object| object.strip_prefix("person:"));
    let erase = ["admin", "user", "erase", subject.context("no subject")?, "--yes"];
    assert!(run(&erase).await.is_err(), "the person is there");
    let removed = house.ask("DELETE", &format!("/api/users/{id}"), "").await?;
    assert_eq!(removed.status, 204, "{removed:?}");
    assert!(run(&["audit", "export"]).await?.contains("hopper"));
    run(&erase).await?;
    assert!(!run(&["audit", "export"]).await?.contains("hopper"));
    assert!(run(&["audit", "verify"]).await?.contains("whole"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_and_not_written_down() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let run = async |args: &[&str]| gatehouse(dir.path(), args).run().await;
    run(&["admin", "user", "add", "root", "--role", "admin"]).await?;
    let short = password_file(dir.path(), "short")?;
    for wrong in [
        &["admin", "user", "add", "ROOT"][..],
        &["admin", "user", "add", "a/b"],
        &["admin", "user", "add", "eve", "--role", "king"],
        &["admin", "user", "add", "eve", "--password-file", &short],
        &["admin", "user", "add", "eve", "--password", "seven wise horses"],
        &["admin", "user", "set-role", "root", "user"],
        &["admin", "user", "disable", "root"],
        &["admin", "user", "erase", "root", "--yes"],
        &["admin", "user", "logout", "nobody"],
        &["admin", "user", "password", "root"],
        &["admin", "group", "member", "add", "none", "root"],
        &["admin", "group", "grant", "none", "none"],
    ] {
        assert!(run(wrong).await.is_err(), "{wrong:?}");
    }
    assert_eq!(json_lines(&run(&["audit", "export"]).await?).len(), 1);
    Ok(())
}
