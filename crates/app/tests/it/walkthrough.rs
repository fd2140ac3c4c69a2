//! `docs/api.md` is run as it stands: every command, and what it prints.

use crate::house::{House, PASSWORD};
use anyhow::{Context, Result, ensure};
use testkit::process::{Program, require};

const TEXT: &str = include_str!("../../../../docs/api.md");
/// Printed between two blocks, so that each one's output is known.
const SEAM: &str = "-- the next block --";

/// Commands with what they print.
fn steps() -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for block in TEXT.split("```").skip(1).step_by(2) {
        let (kind, text) = block.split_once('\n').unwrap_or((block, ""));
        match (kind, steps.last_mut()) {
            ("sh", _) => steps.push((text.to_owned(), String::new())),
            ("text", Some((_, printed))) => text.clone_into(printed),
            _ => panic!("a block of another kind: {kind}"),
        }
    }
    steps
}

/// Whether a line is as shown, where `…` stands for anything.
fn fits(line: &str, shown: &str) -> bool {
    match shown.split_once('…') {
        None => line == shown,
        Some((before, after)) => {
            line.len() >= before.len() + after.len() && line.starts_with(before) && line.ends_with(after)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_walk_through_prints_what_is_shown() -> Result<()> {
    let house = House::start().await?;
    house.person("ada", "admin").await?;
    let steps = steps();
    ensure!(steps.len() > 8, "too few steps: {}", steps.len());
    let script: String =
        steps.iter().map(|(commands, _)| format!("{commands}\necho '{SEAM}'\n")).collect::<Vec<_>>().concat();
    require("jq", "jq")?;
    require("curl", "curl")?;
    let place = tempfile::tempdir()?;
    let shell = Program::new(require("bash", "bash")?)
        .args(["-e", "-u", "-o", "pipefail", "-c", &script])
        .directory(place.path())
        .env("GATE", house.origin())
        .env("PASSWORD", PASSWORD);
    let output = shell.run().await?;
    let printed: Vec<_> = output.split(SEAM).collect();
    for ((commands, shown), printed) in steps.iter().zip(&printed) {
        let (lines, shown): (Vec<_>, Vec<_>) =
            (printed.trim().lines().collect(), shown.trim().lines().collect());
        ensure!(lines.len() == shown.len(), "{commands}\nprinted\n{printed}\nand not\n{shown:#?}");
        for (line, shown) in lines.iter().zip(&shown) {
            ensure!(fits(line, shown), "{commands}\nprinted\n{line}\nand not\n{shown}");
        }
    }
    printed.get(steps.len()).context("the last step printed nothing")?;
    Ok(())
}
