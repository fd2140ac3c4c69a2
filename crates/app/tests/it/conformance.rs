//! The running program against its own OpenAPI document: schemathesis asks what the document allows and what it forbids.

use crate::house::House;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::time::Duration;
use testkit::process::Program;

const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
/// Far longer than `--max-time` allows; a hung run must end too.
const LIMIT: Duration = Duration::from_secs(400);

#[tokio::test(flavor = "multi_thread")]
async fn answers_an_administrators_token_as_documented() -> Result<()> {
    let house = House::start().await?;
    house.add_target("desk", "vnc://127.0.0.1:1", None).await?;
    let wish = r#"{"name":"conformance","scopes":["read","console","operate","admin"]}"#;
    let made = house.ask("POST", "/api/tokens", wish).await?;
    assert_eq!(made.status, 201, "{made:?}");
    let token = made.json()["token"].as_str().context("no token")?.to_owned();
    conforms(&house, "administrator", &["--header", &format!("Authorization: Bearer {token}")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_strangers_as_documented() -> Result<()> {
    conforms(&House::start().await?, "stranger", &[]).await
}

/// Runs schemathesis and keeps its closing line, which `cargo xtask test` prints.
async fn conforms(house: &House, who: &str, more: &[&str]) -> Result<()> {
    let run = Program::new(schemathesis()?)
        .args(["run", &format!("{}/api/openapi.json", house.origin())])
        // No chance: the same requests each time, and an end on a slow machine too.
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "5", "--seed", "1"])
        .args(["--max-time", "50", "--continue-on-failure", "--warnings", "off", "--checks", CHECKS])
        .args(more)
        .directory(house.dir.path())
        .start()?;
    let status = run.exit(LIMIT).await?;
    let is_closing = |line: &str| line.starts_with("==") && line.contains(" in ");
    let closing = run.line("the closing line", |line| is_closing(line).then(|| line.to_owned())).await?;
    ensure!(status.success(), "schemathesis as {who}:\n{}", run.output());
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("schemathesis-{who}.txt")), closing)?;
    Ok(())
}

fn schemathesis() -> Result<PathBuf> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("schemathesis/bin/schemathesis");
    ensure!(program.exists(), "schemathesis is missing; `cargo xtask test` installs it");
    Ok(program)
}
