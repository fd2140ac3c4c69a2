//! The interface: npm is run here and nowhere else; cargo never runs it.

use crate::shell::{exists, program, root, run, target};
use anyhow::{Context, Result, bail};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The interface's folder.
pub(crate) fn dir() -> PathBuf {
    root().join("crates/web/ui")
}

/// An npm script.
pub(crate) fn npm(args: &[&str]) -> Command {
    let mut command = program("npm", args);
    command.current_dir(dir());
    command
}

/// Dependencies as the lock file says, then the build, each only when its inputs changed.
pub(crate) fn build() -> Result<()> {
    if !exists("node") || !exists("npm") {
        bail!(
            "Node.js 20 or newer with npm is missing (Debian: nodejs npm, or the Node.js project's own packages)"
        );
    }
    once("npm-ci", &[dir().join("package-lock.json")], &dir().join("node_modules"), || {
        run(&mut npm(&["ci", "--no-audit", "--no-fund"]))
    })?;
    let inputs =
        ["src", "index.html", "vite.config.ts", "package-lock.json", "public"].map(|p| dir().join(p));
    let locales = root().join("locales");
    let inputs: Vec<PathBuf> = inputs.into_iter().chain([locales]).collect();
    once("ui-build", &inputs, &dir().join("dist/index.html"), || run(&mut npm(&["run", "build"])))
}

/// Runs `work` unless its inputs are as they were at its last success and its product exists.
pub(crate) fn once(
    name: &str,
    inputs: &[PathBuf],
    product: &Path,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let mut hasher = DefaultHasher::new();
    for input in inputs {
        hash_path(input, &mut hasher)?;
    }
    let stamp = target().join(format!("{name}.stamp"));
    let now = format!("{:x} {}", hasher.finish(), product.display());
    if product.exists() && std::fs::read_to_string(&stamp).is_ok_and(|then| then == now) {
        return Ok(());
    }
    work()?;
    std::fs::create_dir_all(target())?;
    std::fs::write(&stamp, now).context("cannot write the build stamp")
}

fn hash_path(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    if path.is_dir() {
        let mut entries: Vec<_> = std::fs::read_dir(path)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(std::fs::DirEntry::path);
        for entry in entries {
            hash_path(&entry.path(), hasher)?;
        }
    } else if path.is_file() {
        path.hash(hasher);
        std::fs::read(path)?.hash(hasher);
    }
    Ok(())
}
