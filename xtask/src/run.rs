//! `cargo xtask run`: from a clone to a console in one command.

use crate::shell::{cargo, target};
use crate::{install, ui};
use anyhow::{Context, Result, bail};
use std::process::Command;

pub(crate) fn run(args: &[String]) -> Result<()> {
    let (own, passed) = match args.iter().position(|a| a == "--") {
        Some(at) => (&args[..at], &args[at + 1..]),
        None => (args, &[][..]),
    };
    let mut install_packages = true;
    for arg in own {
        match arg.as_str() {
            "--no-install" => install_packages = false,
            other => bail!("run: no option '{other}'; options of the program go after --"),
        }
    }
    install::build(install_packages)?;
    if let Err(error) = install::demo(install_packages) {
        println!("The demo desktop is left out: {error}\nThe built-in test card works without it.");
    }
    ui::build()?;
    self::build_release()?;
    serve(passed)
}

/// Builds the release binary.
pub(crate) fn build_release() -> Result<()> {
    crate::shell::run(cargo().args(["build", "--release", "--package", "app"]))
}

/// Becomes the program, so that Ctrl-C and the exit status are its own.
fn serve(args: &[String]) -> Result<()> {
    use std::os::unix::process::CommandExt;
    let binary = target().join("release/gatehouse");
    let mut command = Command::new(&binary);
    command.args(["serve", "--demo"]).args(args);
    Err(command.exec()).with_context(|| format!("cannot start {}", binary.display()))
}
