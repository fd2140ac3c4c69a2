//! `gatehouse inspect`: the observer over packet files.

use crate::cli::Inspect;
use anyhow::{Context, Result};
use std::io::{BufReader, Read, Write};
use std::path::Path;

pub(crate) fn run(wish: &Inspect) -> Result<()> {
    let report = capture::inspect(open(&wish.file)?);
    let report = report.with_context(|| format!("{} cannot be inspected", wish.file.display()))?;
    let text = if wish.json { serde_json::to_string_pretty(&report)? + "\n" } else { report.to_string() };
    print(&text)
}

/// A file; `-` is standard input.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}

/// Writes to standard output.
pub(crate) fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        // A reader such as `head` that has seen enough is no error.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}
