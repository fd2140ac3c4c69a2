//! `cargo xtask bench`: the benchmark programs, release build, each beside its peer.

use crate::shell::{cargo, run};
use crate::{install, ui};
use anyhow::Result;

/// Package and example of every benchmark.
const BENCHMARKS: &[(&str, &str)] =
    &[("rfb", "observer_bench"), ("gateway", "relay_bench"), ("store", "ticket_bench")];

pub(crate) fn bench(names: &[String]) -> Result<()> {
    install::build(true)?;
    install::peers(true)?;
    ui::build()?;
    // the relay's benchmark starts the program itself
    run(cargo().args(["build", "--release", "--package", "app"]))?;
    for (package, example) in BENCHMARKS {
        if names.is_empty() || names.iter().any(|n| example.starts_with(n.as_str())) {
            run(cargo().args(["run", "--release", "--package", package, "--example", example]))?;
        }
    }
    Ok(())
}
