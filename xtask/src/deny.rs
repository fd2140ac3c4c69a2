//! Licences, bans and sources by cargo-deny; advisories only where their database can be had.

use crate::shell::{cargo, exists, run, target};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// The release that `deny.toml` is written for.
const VERSION: &str = "0.20.2";

pub(crate) fn deny() -> Result<()> {
    let program = tool()?;
    run(Command::new(&program).args([
        "--workspace",
        "--log-level",
        "error",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))?;
    let fetched = Command::new(&program).args(["fetch", "db"]).output().is_ok_and(|o| o.status.success());
    if fetched {
        run(Command::new(&program).args(["--workspace", "check", "advisories"]))
    } else {
        println!("The advisory database cannot be had here; advisories were not checked.");
        Ok(())
    }
}

fn tool() -> Result<PathBuf> {
    if exists("cargo-deny") {
        return Ok("cargo-deny".into());
    }
    let root = target().join("tools");
    let program = root.join("bin/cargo-deny");
    if !program.exists() {
        run(cargo()
            .args(["install", "--locked", "--version", VERSION, "--root"])
            .arg(&root)
            .arg("cargo-deny")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_TARGET_DIR", root.join("build")))?;
    }
    Ok(program)
}
