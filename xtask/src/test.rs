//! `cargo xtask test`: every test there is, instrumented for coverage, in one build.

use crate::shell::{cargo, run, target};
use crate::{coverage, install, ui};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

pub(crate) fn test(install_packages: bool) -> Result<()> {
    let start = std::time::Instant::now();
    install::build(install_packages)?;
    install::test(install_packages)?;
    ui::build()?;
    coverage::clear()?;
    build_binary()?;
    rust_tests()?;
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
    command.env("GATEHOUSE_TEST_BINARY", binary());
    run(instrumented(&mut command))
}

/// Pages and consoles in a real browser, against the program itself.
fn browser_tests() -> Result<()> {
    let server = Server::start()?;
    let mut command = ui::npm(&["run", "e2e"]);
    command.env("GATEHOUSE_E2E_URL", &server.address);
    command.env("GATEHOUSE_E2E_LINK", &server.link);
    run(&mut command)
}

/// A `gatehouse serve --demo` on free ports, stopped in order so that its coverage is written.
struct Server {
    child: Child,
    data: PathBuf,
    address: String,
    link: String,
}

impl Server {
    fn start() -> Result<Server> {
        let data = std::env::temp_dir().join(format!("gatehouse-e2e-{}", std::process::id()));
        let mut command = Command::new(binary());
        command.arg("--data").arg(&data).args(["serve", "--demo"]);
        command.args(["--listen", "127.0.0.1:0", "--native", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut child = instrumented(&mut command).spawn().context("cannot start the program")?;
        let output = child.stdout.take().context("the program has no output")?;
        let mut server = Server { child, data, address: String::new(), link: String::new() };
        for line in BufReader::new(output).lines() {
            let line = line?;
            match line.trim().split_once("  ").map(|(word, rest)| (word, rest.trim())) {
                Some(("address", rest)) => server.address = rest.to_owned(),
                Some(("log in", rest)) => server.link = rest.to_owned(),
                Some(("memory", _)) => return Ok(server),
                _ => {}
            }
        }
        bail!("the program ended before it was open")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A failure to stop it shows as a test run that does not end; nothing better can be done here.
        let _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
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
