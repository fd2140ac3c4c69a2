//! Developer commands: `cargo xtask run | test | ci | bench | fuzz | deps | dist`.
//!
//! Everything that the README promises goes through here, so that a person, the project's CI and a
//! public forge run the same steps. Each step installs what it needs or names what is missing.

mod bench;
mod ci;
mod coverage;
mod deny;
mod deps;
mod dist;
mod fuzz;
mod install;
mod openapi;
mod run;
mod shell;
mod source;
mod test;
mod ui;

use anyhow::{Result, bail};
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask run [--no-install] [-- ARGS…]   build everything and start the demo
cargo xtask test [--no-install]             every test: unit, property, real peers, browser
cargo xtask ci [--after-test]               test, then format, lints, dependency rules, licences, drift, budgets
cargo xtask bench [NAME…]                   benchmarks, each beside a peer
cargo xtask fuzz [TARGET] [--seconds N]     coverage-guided fuzzing on the stable toolchain
cargo xtask deps                            the tiers of ARCHITECTURE.md against the real dependencies
cargo xtask openapi                         writes docs/openapi.json from the built program
cargo xtask dist                            release binary with the interface inside, size checked";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<()> {
    std::env::set_current_dir(shell::root())?;
    let Some((command, rest)) = args.split_first() else { bail!("which command?\n{USAGE}") };
    let has = |flag: &str| rest.iter().any(|a| a == flag);
    match command.as_str() {
        "run" => run::run(rest),
        "test" => test::test(!has("--no-install")),
        "ci" => ci::ci(has("--after-test")),
        "bench" => bench::bench(rest),
        "fuzz" => fuzz::fuzz(rest),
        "deps" => deps::deps(),
        "dist" => dist::dist(),
        "openapi" => openapi::openapi(true),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("no command '{other}'\n{USAGE}"),
    }
}
