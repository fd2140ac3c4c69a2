//! The OpenAPI document in `docs/` is the one that the program serves, and the interface's types are its.

use crate::shell::{output, root, run, target};
use crate::ui;
use anyhow::{Result, bail};
use std::process::Command;

/// Compares, or writes where `write` says so.
pub(crate) fn openapi(write: bool) -> Result<()> {
    let file = root().join("docs/openapi.json");
    // Instrumented or not, the program says the same; its profile goes nowhere.
    let document = output(
        Command::new(target().join("debug/gatehouse")).arg("openapi").env("LLVM_PROFILE_FILE", "/dev/null"),
    )?;
    if write {
        std::fs::write(file, document)?;
        return run(&mut ui::npm(&["run", "types"]));
    }
    if std::fs::read_to_string(&file).unwrap_or_default() != document {
        bail!("docs/openapi.json is not what the program serves; `cargo xtask openapi` writes it");
    }
    run(&mut ui::npm(&["run", "types:check"]))
}
