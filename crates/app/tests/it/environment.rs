//! What the environment says, where each value came from, and that secrets do not stay in it.

use crate::house::{House, gatehouse};
use anyhow::Result;
use testkit::process::Program;

const KEY: &str = "canary-Zm9vYmFyIGJhegpvdXQgb2Y-environment";
const JWT: &str = "canary-bm90IHRoZSBzYW1lIG9uZSBhcyB-tokens-is";

fn with_secrets(program: Program) -> Program {
    program
        .env("GATEHOUSE_SECRET_KEY", KEY)
        .env("JWT_SECRET", JWT)
        .env("PROXMOX_PASSWORD", "canary-proxmox")
        .env("PROXMOX_TOKEN_VALUE", "canary-proxmox-token")
}

/// A process and all that it started.
fn family(id: i32) -> Result<Vec<i32>> {
    let mut all = vec![id];
    let mut next = 0;
    while let Some(&id) = all.get(next) {
        next += 1;
        for task in std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace() {
                all.push(child.parse()?);
            }
        }
    }
    Ok(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_do_not_stay_in_the_environment() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let serve = ["serve", "--demo", "--listen", "127.0.0.1:0", "--native", "127.0.0.1:0"];
    let mut house = House::begun(with_secrets(gatehouse(dir.path(), &serve)), dir).await?;
    let process = format!("/proc/{}", house.child.id());
    let environment = String::from_utf8_lossy(&std::fs::read(format!("{process}/environ"))?).into_owned();
    assert!(!environment.contains("canary") && environment.contains("GATEHOUSE_SECRETS_FD"), "{environment}");
    let arguments = String::from_utf8_lossy(&std::fs::read(format!("{process}/cmdline"))?).into_owned();
    assert!(arguments.contains("serve") && !arguments.contains("canary"), "{arguments}");
    // The file that they came in is closed, here and in whatever was started since.
    let family = family(house.child.id())?;
    assert!(family.len() > 1, "the demo desktop has processes of its own");
    for id in family {
        for file in std::fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten() {
            let to = std::fs::read_link(file.path()).unwrap_or_default();
            assert!(!to.to_string_lossy().contains("gatehouse-secrets"), "{id}: {to:?}");
        }
    }
    assert_eq!(std::fs::read_to_string(format!("{process}/comm"))?.trim(), "gatehouse");
    // The key is in use all the same.
    assert!(!house.dir.path().join("secret.key").exists());
    let link = house.link_token.clone();
    house.log_in(&link).await?;
    house.add_target("another card", "testcard:", Some("secret12")).await?;
    assert!(!house.dir.path().join("secret.key").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_systemd_credential_is_a_key() -> Result<()> {
    let (dir, credentials) = (tempfile::tempdir()?, tempfile::tempdir()?);
    std::fs::write(credentials.path().join("gatehouse-secret-key"), KEY)?;
    let check = |args: &[&str]| gatehouse(dir.path(), args).env("CREDENTIALS_DIRECTORY", credentials.path());
    let shown = check(&["config", "check"]).run().await?;
    assert!(shown.contains("systemd credential") && !shown.contains(KEY), "{shown}");
    check(&["target", "add", "card", "testcard:"]).run().await?;
    assert!(!dir.path().join("secret.key").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_none_are_refused_with_their_code() -> Result<()> {
    let dir = tempfile::tempdir()?;
    for (name, value, code) in [
        ("SECRET_KEY", "your-secret-key-here-please-change-it-now", "seal.key_placeholder"),
        ("SECRET_KEY", "changeme", "seal.key_too_short"),
        ("GATEHOUSE_SECRET_KEY", "changeme-changeme-changeme-changeme", "seal.key_placeholder"),
        ("JWT_SECRET", "short", "seal.key_too_short"),
        ("JWT_SECRET", "your-jwt-secret-key-your-jwt-secret-key", "seal.key_placeholder"),
    ] {
        for command in
            [&["config", "check"][..], &["serve", "--listen", "127.0.0.1:0", "--native", "127.0.0.1:0"]]
        {
            let error = gatehouse(dir.path(), command).env(name, value).run().await.unwrap_err().to_string();
            assert!(error.contains(code) && error.contains(name), "{name} {command:?}: {error}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn other_systems_variables_are_read_and_ours_win() -> Result<()> {
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("gatehouse.toml"), "[detection]\nthreshold = 60\n")?;
    let shown = with_secrets(gatehouse(dir.path(), &["config", "check"]))
        .env("DATABASE_URL", "postgres://gate:canary-database@db.example/gatehouse")
        .env("HOST", "0.0.0.0")
        .env("PORT", "8443")
        .env("JWT_EXPIRES_IN", "8h")
        .env("ALLOWED_ORIGINS", "http://localhost:3000, https://portal.example")
        .env("VNC_PORTS", "5900,5901-5905")
        .env("MONITORING_INTERVAL", "2500")
        .env("THREAT_THRESHOLD", "80")
        .env("PROXMOX_HOST", "https://pve.example:8006")
        .env("BCRYPT_ROUNDS", "12")
        .env("NODE_ENV", "staging")
        .env("GATEHOUSE_DETECTION__INTERVAL_MS", "1000")
        .run()
        .await?;
    for line in [
        "database.url = \"postgres://…@db.example/gatehouse\"  (variable DATABASE_URL)",
        "web.listen = \"0.0.0.0:8443\"  (variable HOST and PORT)",
        "auth.login_hours = 8  (variable JWT_EXPIRES_IN)",
        "web.allowed_origins = [\"http://localhost:3000\", \"https://portal.example\"]  (variable ALLOWED_ORIGINS)",
        "detection.vnc_ports = \"5900,5901-5905\"  (variable VNC_PORTS)",
        "detection.interval_ms = 1000",
        "proxmox.host = \"https://pve.example:8006\"  (variable PROXMOX_HOST)",
        "proxmox.password = …  (variable PROXMOX_PASSWORD)",
        "log.environment = \"staging\"  (variable NODE_ENV)",
        "key of stored secrets = …  (variable GATEHOUSE_SECRET_KEY)",
        "key of access tokens = …  (variable JWT_SECRET)",
        "note  BCRYPT_ROUNDS: accepted",
        "note  PROXMOX_*: accepted and kept as one cluster; not used yet",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    // The file wins over them, and says so.
    assert!(shown.contains("detection.threshold = 60  (") && shown.contains("gatehouse.toml"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
    for (name, value) in [
        ("PORT", "http"),
        ("HOST", "gate.example"),
        ("JWT_EXPIRES_IN", "soon"),
        ("MONITORING_INTERVAL", "often"),
        ("VNC_PORTS", "5900-"),
    ] {
        let wrong = gatehouse(dir.path(), &["config", "check"]).env(name, value);
        assert!(wrong.run().await.is_err(), "{name}");
    }
    Ok(())
}
