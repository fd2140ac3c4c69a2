//! Logs in several places at once, and nothing secret in any of them.

use crate::console::with_password;
use crate::house::{House, PASSWORD, gatehouse};
use anyhow::{Context, Result};
use serde_json::Value;
use testkit::vnc::{Viewer, ViewerOptions};
use testkit::wait;
use testkit::xvnc::{Xvnc, XvncOptions};

const KEY: &str = "canary-key-Zm9vYmFyIGJhegpvdXQgb2Ygbg";
const JWT: &str = "canary-jwt-bm90IHRoZSBzYW1lIG9uZSBhcyB";
const TARGET: &str = "cnry-vnc";

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_whole_session_is_in_any_log() -> Result<()> {
    let target = Xvnc::start(XvncOptions { password: Some(TARGET.to_owned()), ..with_password() }).await?;
    let dir = tempfile::tempdir()?;
    let logs = dir.path().join("logs");
    std::fs::write(
        dir.path().join("gatehouse.toml"),
        format!(
            "[log]\nlevel = \"trace\"\nformat = \"json\"\nenvironment = \"staging\"\ndirectory = {logs:?}\napplication = \"trace\"\nvnc_monitor = \"trace\"\n"
        ),
    )?;
    let serve = gatehouse(dir.path(), &["serve", "--listen", "127.0.0.1:0", "--native", "127.0.0.1:0"]);
    let program = serve.env("GATEHOUSE_SECRET_KEY", KEY).env("JWT_SECRET", JWT);
    let mut house = House::begun(program, dir).await?;
    let link = house.link_token.clone();
    house.log_in(&link).await?;
    let number = house.add_target("desk", &format!("vnc://{}", target.address()), Some(TARGET)).await?;
    let ada = house.person("ada", "user").await?;
    house.grant(&ada, number, "{}").await?;
    let cookie = house.browser("ada", PASSWORD).await?;
    let wrong = house.tokens("ada", "canary-wrong-password").await?;
    assert_eq!(wrong.status, 401, "{wrong:?}");
    let ticket = house.ticket(number, "{}").await?;
    let (stream, _closing) = house.console(&ticket, "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    drop(viewer);
    let lost = house.ask("GET", &format!("/api/console/{ticket}/info"), "").await?;
    let request = lost.header("x-request-id").context("no request id")?.to_owned();
    house.child.signal(rustix::process::Signal::INT);
    house.child.exit(wait::LIMIT).await?;

    let read = |name: &str| std::fs::read_to_string(logs.join(name)).with_context(|| name.to_owned());
    let (application, monitor) = (read("application.log")?, read("vnc-monitor.log")?);
    let everything =
        [application.as_str(), &monitor, &read("error.log")?, &after_greeting(&house.child.output())]
            .join("\n");
    let secrets = [
        KEY,
        JWT,
        TARGET,
        PASSWORD,
        "canary-wrong-password",
        &link,
        &ticket,
        &ada.access,
        &ada.refresh,
        cookie.split('=').nth(1).context("no cookie")?,
        house.cookie().split('=').nth(1).context("no cookie")?,
    ];
    for secret in secrets {
        assert!(secret.len() >= 8 && !everything.contains(secret), "{secret} is in a log");
    }
    for line in lines(&application) {
        for field in ["timestamp", "level", "message", "context", "service", "environment"] {
            assert!(!line[field].is_null(), "{field}: {line}");
        }
        assert_eq!((&line["service"], &line["environment"]), (&"gatehouse".into(), &"staging".into()));
    }
    assert!(!lines(&monitor).is_empty(), "nothing was said about the session");
    assert!(
        lines(&monitor)
            .iter()
            .all(|line| line["context"]["target"].as_str().is_some_and(|t| !t.starts_with("api")))
    );
    assert_eq!(request.len(), 32);
    Ok(())
}

/// The link is printed for whoever started the program; that is no log.
fn after_greeting(output: &str) -> String {
    output.lines().filter(|line| line.starts_with('{')).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_is_named_at_the_start() -> Result<()> {
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("file"), "")?;
    let config = format!("[log]\ndirectory = {:?}\n", dir.path().join("file/logs"));
    std::fs::write(dir.path().join("gatehouse.toml"), config)?;
    let error = gatehouse(dir.path(), &["serve"]).run().await.unwrap_err().to_string();
    assert!(error.contains("log directory"), "{error}");
    Ok(())
}
