//! Line coverage per crate, from the profiles that the one test run left behind.
//!
//! The toolchain need not carry its own LLVM tools: Debian's `llvm-19` reads the format.

use crate::shell::{output, program, root, run, target};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Lines of every crate that must be run by some test, in percent.
const FLOOR: f64 = 80.0;

fn dir() -> PathBuf {
    target().join("coverage")
}

/// `LLVM_PROFILE_FILE`: merged on exit, so that thousands of processes leave few files.
pub(crate) fn profile_pattern() -> PathBuf {
    dir().join("run-%8m.profraw")
}

/// Forgets the last run.
pub(crate) fn clear() -> Result<()> {
    if dir().exists() {
        std::fs::remove_dir_all(dir())?;
    }
    std::fs::create_dir_all(dir()).context("cannot make the coverage folder")
}

/// Merges the profiles and writes `coverage/report.json`.
pub(crate) fn collect() -> Result<()> {
    let profiles = files(&dir(), &|p| p.extension().is_some_and(|e| e == "profraw"))?;
    let list = dir().join("profiles.txt");
    std::fs::write(&list, profiles.iter().map(|p| format!("{}\n", p.display())).collect::<String>())?;
    let merged = dir().join("all.profdata");
    run(program("llvm-profdata-19", &["merge", "--sparse", "--failure-mode=all", "-f"])
        .arg(&list)
        .arg("-o")
        .arg(&merged))?;
    let mut export =
        program("llvm-cov-19", &["export", "--summary-only", "--ignore-filename-regex=/(registry|rustc)/"]);
    export.arg(format!("--instr-profile={}", merged.display()));
    for binary in binaries()? {
        export.arg("--object").arg(binary);
    }
    std::fs::write(dir().join("report.json"), output(&mut export)?)?;
    Ok(())
}

/// Prints coverage per crate; fails when one is under the floor.
pub(crate) fn check() -> Result<()> {
    let report: Value = serde_json::from_slice(&std::fs::read(dir().join("report.json"))?)?;
    let mut crates: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for file in report["data"][0]["files"].as_array().context("the coverage report has no files")? {
        let name = file["filename"].as_str().unwrap_or_default();
        let Some(krate) = crate_of(Path::new(name)) else { continue };
        let lines = &file["summary"]["lines"];
        let sum = crates.entry(krate).or_default();
        sum.0 += lines["covered"].as_u64().unwrap_or(0);
        sum.1 += lines["count"].as_u64().unwrap_or(0);
    }
    let mut low = Vec::new();
    println!("{:<10} {:>8} {:>8} {:>7}", "crate", "lines", "covered", "%");
    for (krate, (covered, count)) in &crates {
        let percent = if *count == 0 { 100.0 } else { *covered as f64 * 100.0 / *count as f64 };
        println!("{krate:<10} {count:>8} {covered:>8} {percent:>7.1}");
        if percent < FLOOR {
            low.push(format!("{krate} {percent:.1} %"));
        }
    }
    if crates.is_empty() {
        bail!("the coverage report names none of our crates");
    }
    if !low.is_empty() {
        bail!("line coverage under {FLOOR} %: {}", low.join(", "));
    }
    Ok(())
}

/// The crate that a source file belongs to; generated and test code does not count.
fn crate_of(file: &Path) -> Option<String> {
    let inside = file.strip_prefix(root().join("crates")).ok()?;
    let mut parts = inside.components().map(|c| c.as_os_str().to_string_lossy().into_owned());
    let krate = parts.next()?;
    (parts.next()? == "src").then_some(krate)
}

/// Test binaries and the program: everything executable that the instrumented build made.
fn binaries() -> Result<Vec<PathBuf>> {
    let debug = target().join("debug");
    let is_recent_program = |path: &Path| {
        use std::os::unix::fs::PermissionsExt;
        path.extension().is_none()
            && path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
            && is_instrumented(path)
    };
    let mut found = files(&debug.join("deps"), &is_recent_program)?;
    found.push(debug.join("gatehouse"));
    Ok(newest_of_each(found))
}

/// Old builds of the same test stay in the folder; only the newest speaks for today's source.
fn newest_of_each(paths: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut newest: BTreeMap<String, (std::time::SystemTime, PathBuf)> = BTreeMap::new();
    for path in paths {
        let Ok(modified) = path.metadata().and_then(|m| m.modified()) else { continue };
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stem = file.rsplit_once('-').map_or(file.clone(), |(stem, _)| stem.to_owned());
        // Unit tests and `tests/it` of several crates share the stem `it`: the dep-info file tells them apart.
        let key = format!("{stem} {}", source_of(&path));
        match newest.get(&key) {
            Some((then, _)) if *then >= modified => {}
            _ => {
                newest.insert(key, (modified, path));
            }
        }
    }
    newest.into_values().map(|(_, path)| path).collect()
}

/// The first source file in the dep-info that cargo wrote beside the binary.
fn source_of(binary: &Path) -> String {
    let text = std::fs::read_to_string(binary.with_extension("d")).unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    first
        .split_once(": ")
        .map(|(_, sources)| sources.split(' ').next().unwrap_or_default().to_owned())
        .unwrap_or_default()
}

fn is_instrumented(path: &Path) -> bool {
    output(program("llvm-readobj-19", &["--sections"]).arg(path))
        .is_ok_and(|text| text.contains("__llvm_covmap"))
}

fn files(dir: &Path, keep: &dyn Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let path = entry?.path();
        if keep(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
