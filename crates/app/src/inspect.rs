//! `gatehouse inspect`: the observer over packet files.

use crate::cli::Inspect;
use anyhow::{Context, Result};
use std::io::{BufReader, Write};
use std::path::Path;

pub(crate) fn run(wish: &Inspect) -> Result<()> {
    let report = if wish.file == Path::new("-") {
        capture::inspect::inspect(std::io::stdin())
    } else {
        let file = std::fs::File::open(&wish.file)
            .with_context(|| format!("cannot read {}", wish.file.display()))?;
        capture::inspect::inspect(BufReader::new(file))
    };
    let report = report.with_context(|| format!("{} cannot be inspected", wish.file.display()))?;
    let text = if wish.json { serde_json::to_string_pretty(&report)? + "\n" } else { report.to_string() };
    match std::io::stdout().write_all(text.as_bytes()) {
        // A reader such as `head` that has seen enough is no error.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write the report"),
    }
}
