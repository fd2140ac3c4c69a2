//! Who is not let in, and how that is said.

use crate::house::House;
use crate::http;
use anyhow::Result;

/// Method, path, headers, body; status, code.
type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);

#[tokio::test(flavor = "multi_thread")]
async fn strangers_get_codes_and_no_secrets() -> Result<()> {
    let house = House::start_in(tempfile::tempdir()?, &["--demo"]).await?;
    let origin = house.origin();
    let cases: &[Case<'_>] = &[
        ("GET", "/api/targets", &[], "", 401, "auth.required"),
        ("GET", "/api/targets", &[("Cookie", "gatehouse_session=guess")], "", 401, "auth.required"),
        ("GET", "/api/status", &[], "", 401, "auth.required"),
        ("GET", "/api/health", &[("Host", "evil.example")], "", 421, "request.host"),
        ("GET", "/api/health", &[("Host", "localhost"), ("Host", "evil.example")], "", 421, "request.host"),
        ("POST", "/api/auth/link", &[("Origin", "https://evil.example")], "{}", 403, "request.origin"),
        ("POST", "/api/auth/link", &[], r#"{"token":"x"}"#, 403, "request.origin"),
        ("POST", "/api/auth/link", &[("Origin", &origin)], r#"{"token":"x"}"#, 401, "link.unknown"),
        ("GET", "/api/nothing", &[], "", 404, "api.not_found"),
        ("DELETE", "/api/health", &[("Origin", &origin)], "", 405, "api.method"),
        ("GET", "/ws/console/vnc/x", &[], "", 400, "ws.not_websocket"),
        ("GET", "/api/console/x/info", &[], "", 404, "ticket.unknown"),
    ];
    for (method, path, headers, body, status, code) in cases {
        let answer = http::send(house.web, method, path, headers, body).await?;
        assert_eq!(answer.status, *status, "{method} {path}: {answer:?}");
        let found = answer.code();
        assert!(found == *code || path.ends_with("link"), "{method} {path}: {found}");
        assert!(
            answer.header("content-security-policy").is_some_and(|p| p.contains("require-trusted-types-for"))
        );
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_and_a_ticket_work_once() -> Result<()> {
    let house = House::start_in(tempfile::tempdir()?, &["--demo"]).await?;
    let link = crate::house::gatehouse(house.dir.path(), &["admin", "link"]).run().await?;
    let token = link.lines().find_map(|l| l.split_once("token=")).expect("a token").1.to_owned();
    assert_eq!(house.link(&token).await?.status, 200);
    let again = house.link(&token).await?;
    assert_eq!(again.status, 401, "{again:?}");
    let log = house.ask("GET", "/api/audit?action=login.refused", "").await?.json();
    assert_eq!(log["entries"][0]["code"], "admin.link_used", "{log}");
    let ticket = house.ticket(1, "{}").await?;
    let (first, _) = house.console(&ticket, "").await?;
    let (second, closing) = house.console(&ticket, "").await?;
    drop(second);
    // The pump of a viewer that left says nothing; ask once more and listen.
    drop(closing);
    let (third, closing) = house.console(&ticket, "").await?;
    let (code, reason) = closing.await?.expect("a close frame");
    assert_eq!((code, reason.contains("ticket.used")), (4100, true), "{reason}");
    drop((first, third));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_opens_no_console() -> Result<()> {
    let house = House::start_in(tempfile::tempdir()?, &["--demo"]).await?;
    let ticket = house.ticket(1, "{}").await?;
    let error = house.console_from(&ticket, "", Some("https://evil.example")).await.expect_err("refused");
    assert!(error.to_string().contains("403"), "{error}");
    // The ticket is still good: nothing was used up.
    let info = house.ask("GET", &format!("/api/console/{ticket}/info"), "").await?;
    assert_eq!(info.json()["state"], "waiting", "{info:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_key_that_is_not_random_uses_no_ticket_up() -> Result<()> {
    let house = House::start_in(tempfile::tempdir()?, &["--demo"]).await?;
    let ticket = house.ticket(1, "{}").await?;
    let (stream, closing) = house.console(&ticket, "binary, resume.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").await?;
    let (code, reason) = closing.await?.expect("a close frame");
    assert_eq!((code, reason.contains("resume.malformed")), (4100, true), "{reason}");
    drop(stream);
    let info = house.ask("GET", &format!("/api/console/{ticket}/info"), "").await?;
    assert_eq!(info.json()["state"], "waiting", "{info:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_slows_down() -> Result<()> {
    let house = House::start().await?;
    let mut last = 0;
    for _ in 0..20 {
        last = http::send(house.web, "GET", "/api/console/guess/info", &[], "").await?.status;
        if last == 429 {
            break;
        }
    }
    assert_eq!(last, 429);
    let answer = http::send(house.web, "GET", "/api/console/guess/info", &[], "").await?;
    assert_eq!(answer.code(), "door.throttled");
    assert!(answer.header("retry-after").is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_wishes_are_named() -> Result<()> {
    let house = House::start_in(tempfile::tempdir()?, &["--demo"]).await?;
    let cases = [
        ("POST", "/api/targets", r#"{"name":"a","url":"host"}"#, 422, "target.address"),
        ("POST", "/api/targets", r#"{"name":"test card","url":"vnc://h"}"#, 409, "target.name_taken"),
        ("POST", "/api/vm/99/console/request", "{}", 404, "api.not_found"),
        ("POST", "/api/vm/1/console/request", r#"{"protocol":"spice"}"#, 422, "console.protocol"),
        ("POST", "/api/vm/1/console/request", r#"{"expires_minutes":0}"#, 422, "console.expires_minutes"),
        ("POST", "/api/sessions/01a1fc9a-5aba-7154-aae6-930286a52acf/kill", "", 404, "api.not_found"),
        ("POST", "/api/targets", "{", 400, "api.bad_request"),
        ("POST", "/api/targets", r#"{"name":7}"#, 422, "api.bad_request"),
        ("GET", "/api/sessions?limit=many", "", 400, "api.bad_request"),
        ("GET", "/api/sessions?limit=0", "", 400, "api.bad_request"),
        ("GET", "/api/sessions?limit=1001", "", 400, "api.bad_request"),
        ("GET", "/api/sessions?offset=-1", "", 400, "api.bad_request"),
        ("GET", "/api/sessions?offset=9223372036854775808", "", 400, "api.bad_request"),
        (
            "GET",
            "/api/sessions?offset=1&cursor=00062b1e0d6c400001a1fc9a5aba7154aae6930286a52acf",
            "",
            400,
            "api.bad_request",
        ),
        ("GET", "/api/sessions/odd", "", 400, "api.bad_request"),
        ("GET", "/api/sessions?status=odd", "", 400, "api.bad_request"),
        ("GET", "/api/sessions?cursor=odd", "", 400, "api.bad_request"),
    ];
    for (method, path, body, status, code) in cases {
        let answer = house.ask(method, path, body).await?;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{method} {path}: {answer:?}");
    }
    let added = house.add_target("gone", "vnc://127.0.0.1:1", None).await?;
    let test = house.ask("POST", &format!("/api/targets/{added}/test"), "").await?;
    assert_eq!((test.status, test.code().as_str()), (502, "target.unreachable"));
    assert_eq!(house.ask("GET", &format!("/api/targets/{added}"), "").await?.status, 200);
    assert_eq!(house.ask("DELETE", &format!("/api/targets/{added}"), "").await?.status, 204);
    assert_eq!(house.ask("GET", "/api/auth/me", "").await?.json()["role"], "admin");
    assert_eq!(house.ask("GET", "/api/status", "").await?.status, 200);
    assert_eq!(house.ask("POST", "/api/auth/logout", "").await?.status, 204);
    assert_eq!(house.ask("GET", "/api/auth/me", "").await?.status, 401);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_documents_are_served() -> Result<()> {
    let house = House::start().await?;
    for path in ["/", "/login", "/console/abc"] {
        let page = http::send(house.web, "GET", path, &[], "").await?;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.header("content-type").is_some_and(|t| t.starts_with("text/html")));
        let tag = page.header("etag").expect("an etag").to_owned();
        let again = http::send(house.web, "GET", path, &[("If-None-Match", &tag)], "").await?;
        assert_eq!(again.status, 304);
    }
    let document = http::send(house.web, "GET", "/api/openapi.json", &[], "").await?.json();
    assert_eq!(document["openapi"], "3.1.0");
    let health = http::send(house.web, "GET", "/api/health", &[], "").await?.json();
    assert_eq!(
        (health["status"].as_str(), health["database"].as_str()),
        (Some("healthy"), Some("connected"))
    );
    Ok(())
}
