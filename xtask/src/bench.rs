//! `cargo xtask bench`: the benchmark programs, release build, each beside its peer.

use crate::shell::{cargo, program, run, target};
use crate::{install, ui};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Package and example of every benchmark.
const BENCHMARKS: &[(&str, &str)] = &[
    ("rfb", "observer_bench"),
    ("gateway", "relay_bench"),
    ("store", "ticket_bench"),
    ("store", "page_bench"),
    ("app", "console_bench"),
];

pub(crate) fn bench(names: &[String]) -> Result<()> {
    install::build(true)?;
    install::peers(true)?;
    ui::build()?;
    // the relay's benchmark starts the program itself
    crate::run::build_release()?;
    for (package, example) in BENCHMARKS {
        if names.is_empty() || names.iter().any(|n| example.starts_with(n.as_str())) {
            run(cargo().args(["run", "--release", "--package", package, "--example", example]))?;
        }
    }
    if names.is_empty() || names.iter().any(|n| "page".starts_with(n.as_str())) {
        page()?;
    }
    Ok(())
}

/// From a click to the first picture, in a browser, beside noVNC's own page.
fn page() -> Result<()> {
    install::test(true)?;
    crate::run::build_release()?;
    let mut command = ui::npm(&["run", "bench"]);
    command.env("GATEHOUSE_TEST_BINARY", target().join("release/gatehouse"));
    command.env("GATEHOUSE_BENCH_NOVNC", novnc()?);
    run(&mut command)
}

/// Debian's noVNC. Only its page is wanted, so it is unpacked and not installed with all that it would run.
fn novnc() -> Result<PathBuf> {
    const PAGE: &str = "usr/share/novnc";
    let installed = Path::new("/").join(PAGE);
    if installed.join("vnc.html").exists() {
        return Ok(installed);
    }
    let dir = target().join("novnc");
    if !dir.join(PAGE).join("vnc.html").exists() {
        std::fs::create_dir_all(&dir)?;
        run(program("apt-get", &["download", "novnc"]).current_dir(&dir))?;
        let packages = std::fs::read_dir(&dir)?.collect::<Result<Vec<_>, _>>()?;
        let package =
            packages.iter().map(std::fs::DirEntry::path).find(|p| p.extension().is_some_and(|e| e == "deb"));
        let package = package.context("apt-get downloaded no package novnc")?;
        run(program("dpkg-deb", &["-x"]).arg(package).arg(&dir))?;
    }
    Ok(dir.join(PAGE))
}
