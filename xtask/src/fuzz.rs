//! `cargo xtask fuzz`: coverage-guided fuzzing on the stable toolchain.
//!
//! libFuzzer only needs the coverage pass, which stable rustc can run; sanitizers it does not need,
//! since the code under test has no `unsafe`.

use crate::shell::{cargo, output, program, root, run, target};
use anyhow::{Context, Result};
use std::process::Command;

const PASSES: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions";

pub(crate) fn fuzz(args: &[String]) -> Result<()> {
    let seconds: u64 = match args.iter().position(|a| a == "--seconds") {
        Some(at) => args.get(at + 1).context("--seconds wants a number")?.parse()?,
        None => 600,
    };
    let chosen = args.first().filter(|a| !a.starts_with("--"));
    let out = target().join("fuzz");
    let host = host()?;
    run(cargo()
        .args(["build", "--release", "--package", "fuzz", "--features", "libfuzzer", "--bins"])
        // With a named target the passes stay out of build scripts, which have no fuzzer to link to.
        .args(["--target", &host])
        .env("RUSTFLAGS", PASSES)
        .env("CARGO_TARGET_DIR", &out))?;
    for name in targets()? {
        if chosen.is_some_and(|c| *c != name) {
            continue;
        }
        let found = target().join("fuzz-corpus").join(&name);
        std::fs::create_dir_all(&found)?;
        run(Command::new(out.join(&host).join("release").join(format!("fuzz_{name}")))
            .arg(&found)
            .arg(root().join("fuzz/corpus").join(&name))
            .arg(format!("-max_total_time={seconds}"))
            .args(["-runs=20000000", "-rss_limit_mb=2048", "-timeout=60", "-print_final_stats=1"])
            .current_dir(&found))?;
    }
    Ok(())
}

/// The toolchain's own target triple.
fn host() -> Result<String> {
    let version = output(&mut program("rustc", &["-vV"]))?;
    let line = version.lines().find_map(|l| l.strip_prefix("host: "));
    Ok(line.context("rustc does not name its host")?.to_owned())
}

/// One folder of `fuzz/corpus` per target.
fn targets() -> Result<Vec<String>> {
    let mut names: Vec<String> = std::fs::read_dir(root().join("fuzz/corpus"))?
        .map(|e| e.map(|e| e.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_, _>>()?;
    names.sort();
    Ok(names)
}
