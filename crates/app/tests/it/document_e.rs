//! Field names that other products' clients read, example by example. Values change; names and kinds do not.

use crate::house::House;
use crate::http;
use anyhow::{Context, Result};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use testkit::vnc::{Viewer, ViewerOptions};
use testkit::wait;

/// The shape of an answer: every value replaced by its kind, so that a renamed or lost field shows.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => json!("null"),
        Value::Bool(_) => json!("boolean"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("string"),
        Value::Array(items) => items.iter().take(1).map(shape).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
    }
}

fn check(answer: &http::Answer, wanted: &Expect) {
    assert_eq!(answer.status, 200, "{answer:?}");
    wanted.assert_eq(&serde_json::to_string_pretty(&shape(&answer.json())).unwrap_or_default());
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_have_the_names_of_document_e() -> Result<()> {
    let house = House::start().await?;
    house.add_target("card", "testcard:", None).await?;
    let token = house.ticket(1, r#"{"protocol":"vnc","expires_minutes":15}"#).await?;
    let (stream, _closing) = house.console(&token, "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    let id = wait::until("the session", wait::LIMIT, async || {
        let list = house.ask("GET", "/api/sessions?limit=100&offset=0&status=active", "").await.ok()?.json();
        list["sessions"][0]["id"].as_str().map(str::to_owned)
    })
    .await?;
    check(
        &http::send(house.web, "GET", "/api/health", &[], "").await?,
        &expect![[r#"
            {
              "database": "string",
              "status": "string",
              "timestamp": "string"
            }"#]],
    );
    check(
        &house.ask("GET", "/api/status", "").await?,
        &expect![[r#"
            {
              "active_sessions": "number",
              "threats_24h": "number",
              "uptime": "number",
              "version": "string"
            }"#]],
    );
    let list = house
        .ask("GET", "/api/sessions?limit=100&offset=0&status=active&min_risk=0&sort=-risk_score", "")
        .await?;
    let names =
        |value: &Value| value.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    assert_eq!(names(&list.json()), ["next", "page", "sessions", "total"]);
    let session = list.json()["sessions"][0].clone();
    let detail = house.ask("GET", &format!("/api/sessions/{id}"), "").await?.json();
    // The example's fields with its kinds, and every column of its table.
    for (field, is_right) in [
        ("id", Value::is_string as fn(&Value) -> bool),
        ("client_ip", Value::is_string),
        ("start_time", Value::is_string),
        ("status", Value::is_string),
        ("risk_score", Value::is_f64),
        ("anomaly_score", Value::is_f64),
        ("data_transferred", Value::is_f64),
        ("client_port", Value::is_u64),
        ("packets_sent", Value::is_u64),
        ("packets_received", Value::is_u64),
        ("screenshots_count", Value::is_u64),
        ("clipboard_operations", Value::is_u64),
        ("file_operations", Value::is_u64),
        ("created_at", Value::is_string),
        ("updated_at", Value::is_string),
    ] {
        assert!(is_right(&session[field]) && is_right(&detail[field]), "{field}: {session}");
    }
    let table = ["server_ip", "server_port", "end_time", "auth_method", "user_agent"];
    for field in table {
        assert!(names(&session).contains(&field.to_owned()), "{field}: {session}");
    }
    assert_eq!((session["status"].as_str(), list.json()["page"].as_u64()), (Some("active"), Some(1)));
    assert!(detail["threat_logs"].as_array().context("no threat_logs")?.is_empty());
    for path in ["/api/sessions?limit=1001", "/api/sessions?status=odd", "/api/sessions?sort=risk_score"] {
        assert_eq!(house.ask("GET", path, "").await?.status, 400, "{path}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn consoles_have_the_shape_of_document_b() -> Result<()> {
    let house = House::start().await?;
    house.add_target("card", "testcard:", None).await?;
    check(
        &house.ask("POST", "/api/vm/1/console/request", r#"{"protocol":"vnc"}"#).await?,
        &expect![[r#"
            {
              "console_path": "string",
              "expires_at": "string",
              "native": {
                "address": "string",
                "url": "string",
                "username": "string"
              },
              "protocol": "string",
              "token": "string",
              "view_only": "boolean",
              "vnc_password": "null",
              "websocket_path": "string"
            }"#]],
    );
    check(
        &house.ask("GET", "/api/vm/1/console/status", "").await?,
        &expect![[r#"
            {
              "active_session": "null",
              "available": "boolean",
              "power": "string",
              "protocols": [
                "string"
              ],
              "reason": "null"
            }"#]],
    );
    Ok(())
}
