//! `cargo xtask test`: every test there is, instrumented for coverage, in one build.

use crate::shell::{cargo, run, target};
use crate::{coverage, install, ui};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

pub(crate) fn test(install_packages: bool) -> Result<()> {
    let start = std::time::Instant::now();
    install::build(install_packages)?;
    install::test(install_packages)?;
    ui::build()?;
    coverage::clear()?;
    build_binary()?;
    rust_tests()?;
    print_conformance()?;
    run(&mut ui::npm(&["run", "test"]))?;
    browser_tests()?;
    coverage::collect()?;
    // `ci --after-test` counts these minutes too.
    std::fs::write(target().join("test.seconds"), start.elapsed().as_secs().to_string())?;
    Ok(())
}

/// The program itself, instrumented: end-to-end tests run it.
fn build_binary() -> Result<()> {
    run(instrumented(cargo().args(["build", "--package", "app", "--bin", "gatehouse"])))
}

fn rust_tests() -> Result<()> {
    let mut command = cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]);
    run(instrumented(&mut command))
}

/// What schemathesis said last, which the tests keep to themselves when it is good.
fn print_conformance() -> Result<()> {
    for who in ["administrator", "stranger"] {
        let closing = std::fs::read_to_string(target().join(format!("tmp/schemathesis-{who}.txt")))?;
        println!("schemathesis as {who}: {}", closing.trim_matches(['=', ' ', '\n']));
    }
    Ok(())
}

/// Pages and consoles in a real browser; the tests start the program themselves. Their pictures are complete, too.
fn browser_tests() -> Result<()> {
    let screens = target().join("screens");
    // A picture of an earlier run would stand for one that is no longer taken.
    if screens.exists() {
        std::fs::remove_dir_all(&screens)?;
    }
    let mut command = ui::npm(&["run", "e2e"]);
    command.env("GATEHOUSE_TEST_BINARY", binary());
    command.env("GATEHOUSE_SCREENS", &screens);
    run(instrumented(&mut command))?;
    run(ui::npm(&["run", "screens"]).env("GATEHOUSE_SCREENS", screens))
}

fn binary() -> PathBuf {
    target().join("debug/gatehouse")
}

/// Coverage of our own crates only: dependencies are shared with every other build.
pub(crate) fn instrumented(command: &mut Command) -> &mut Command {
    let own = std::env::current_exe().unwrap_or_default();
    let wrapper = own.with_file_name("xtask-rustc-coverage");
    // A script beside us, since cargo wants a program without arguments as wrapper.
    if write_wrapper(&wrapper).is_ok() {
        command.env("RUSTC_WORKSPACE_WRAPPER", wrapper);
    }
    command.env("LLVM_PROFILE_FILE", coverage::profile_pattern())
}

fn write_wrapper(path: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    const SCRIPT: &str = "#!/bin/sh\nrustc=$1\nshift\nexec \"$rustc\" -C instrument-coverage \"$@\"\n";
    if std::fs::read_to_string(path).is_ok_and(|text| text == SCRIPT) {
        return Ok(());
    }
    std::fs::write(path, SCRIPT)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}
