//! Rules that no linter knows: logical CSS only, no wall-clock sleeps in tests, no switched-off tests.

use crate::shell::root;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// A pattern, where it is looked for, and why it may not be there.
struct Ban {
    /// Only files whose path has this in it; polling between two looks at a condition is fine elsewhere.
    within: &'static str,
    endings: &'static [&'static str],
    words: &'static [&'static str],
    reason: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        within: "",
        endings: &["css", "svelte"],
        words: &[
            "margin-left",
            "margin-right",
            "padding-left",
            "padding-right",
            "border-left",
            "border-right",
            "text-align: left",
            "text-align: right",
            "float: left",
            "float: right",
        ],
        reason: "physical side in CSS; use the logical property (inline-start, inline-end)",
    },
    Ban { within: "", endings: &["rs"], words: &["#[ignore"], reason: "a switched-off test" },
    Ban {
        within: "",
        endings: &["ts"],
        words: &["test.skip(", "test.fixme(", "it.skip(", "waitForTimeout("],
        reason: "a switched-off test or a wait for time",
    },
    Ban {
        within: "/tests/",
        endings: &["rs"],
        words: &["thread::sleep("],
        reason: "a sleep in place of a condition",
    },
];

pub(crate) fn check() -> Result<()> {
    let mut faults = Vec::new();
    for dir in ["crates", "fuzz"] {
        visit(&root().join(dir), &mut faults)?;
    }
    undocumented_codes(&mut faults)?;
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(())
}

/// Every code that an error or refusal can carry stands in `docs/errors.md`.
fn undocumented_codes(faults: &mut Vec<String>) -> Result<()> {
    let documented = std::fs::read_to_string(root().join("docs/errors.md"))?;
    let mut files = Vec::new();
    rust_files(&root().join("crates"), &mut files)?;
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        for code in text
            .lines()
            .filter_map(|line| line.split_once("=> \""))
            .filter_map(|(_, rest)| rest.split_once('"'))
        {
            if is_code(code.0) && !documented.contains(&format!("`{}`", code.0)) {
                faults.push(format!("{}: the code {} is not in docs/errors.md", file.display(), code.0));
            }
        }
    }
    Ok(())
}

/// `area.what`, lower case.
fn is_code(text: &str) -> bool {
    let is_word = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    text.split_once('.').is_some_and(|(area, what)| is_word(area) && is_word(what))
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(name.as_str(), "ui" | "tests" | "examples") {
            rust_files(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

fn visit(path: &Path, faults: &mut Vec<String>) -> Result<()> {
    if path.is_dir() {
        let skipped = ["node_modules", "dist", "target", "corpus"];
        if path.file_name().is_some_and(|n| skipped.iter().any(|s| n == *s)) {
            return Ok(());
        }
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(path)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
        entries.sort();
        return entries.iter().try_for_each(|p| visit(p, faults));
    }
    let name = path.to_string_lossy();
    let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
    let bans: Vec<_> =
        BANS.iter().filter(|b| b.endings.contains(&ending.as_str()) && name.contains(b.within)).collect();
    if bans.is_empty() {
        return Ok(());
    }
    let text = std::fs::read_to_string(path)?;
    for (number, line) in text.lines().enumerate() {
        for ban in &bans {
            if ban.words.iter().any(|w| line.contains(w)) && !line.contains("source-check: ") {
                faults.push(format!("{}:{}: {}", path.display(), number + 1, ban.reason));
            }
        }
    }
    Ok(())
}
