//! Installing what a command needs, where apt may do it; naming the package where it may not.

use crate::shell::{exists, output, program, root, run, target};
use crate::ui;
use anyhow::{Result, bail};

/// A program or file that must be there, and the Debian packages that bring it.
struct Need {
    probe: Probe,
    packages: &'static [&'static str],
}

enum Probe {
    Program(&'static str),
    AnyOf(&'static [&'static str]),
    File(&'static str),
    PythonModule(&'static str),
}

impl Probe {
    fn is_met(&self) -> bool {
        match self {
            Probe::Program(name) => exists(name),
            Probe::AnyOf(names) => names.iter().any(|n| exists(n)),
            Probe::File(path) => std::path::Path::new(path).exists(),
            Probe::PythonModule(name) => {
                output(&mut program("python3", &["-c", &format!("import {name}")])).is_ok()
            }
        }
    }
}

const fn tool(program: &'static str, packages: &'static [&'static str]) -> Need {
    Need { probe: Probe::Program(program), packages }
}

/// A C compiler and Perl for aws-lc, SQLite and OpenSSL; everything else is Rust.
const BUILD: &[Need] = &[tool("cc", &["gcc", "libc6-dev"]), tool("make", &["make"]), tool("perl", &["perl"])];

const DEMO: &[Need] = &[
    tool("Xvnc", &["tigervnc-standalone-server"]),
    tool("openbox", &["openbox"]),
    tool("xterm", &["xterm"]),
    Need {
        probe: Probe::File("/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf"),
        packages: &["fonts-dejavu-core"],
    },
];

const TEST: &[Need] = &[
    tool("xtigervncviewer", &["tigervnc-viewer"]),
    tool("tigervncpasswd", &["tigervnc-tools"]),
    tool("xtightvncviewer", &["xtightvncviewer"]),
    tool("x11vnc", &["x11vnc"]),
    tool("Xvfb", &["xvfb"]),
    tool("xclip", &["xclip"]),
    tool("xdotool", &["xdotool"]),
    tool("xsetroot", &["x11-xserver-utils"]),
    tool("xev", &["x11-utils"]),
    Need { probe: Probe::AnyOf(&["Xtightvnc"]), packages: &["tightvncserver"] },
    tool("gvncviewer", &["gvncviewer"]),
    Need {
        probe: Probe::File("/usr/sbin/saslpasswd2"),
        packages: &["sasl2-bin", "libsasl2-modules", "libsasl2-modules-db"],
    },
    Need { probe: Probe::File("/usr/lib/vino/vino-server"), packages: &["vino"] },
    tool("dbus-run-session", &["dbus-daemon"]),
    tool("curl", &["curl"]),
    tool("jq", &["jq"]),
    tool("openssl", &["openssl"]),
    tool("nginx", &["nginx-light", "libnginx-mod-stream"]),
    tool("caddy", &["caddy"]),
    tool("initdb", &["postgresql"]),
    tool("sqlite3", &["sqlite3"]),
    tool("setpriv", &["util-linux"]),
    tool("chromium", &["chromium"]),
    tool("firefox-esr", &["firefox-esr"]),
    tool("WebKitWebDriver", &["webkit2gtk-driver"]),
    // The module that makes environments is a package of its own.
    tool("python3", &["python3"]),
    Need { probe: Probe::PythonModule("ensurepip"), packages: &["python3-venv"] },
    tool("gvnccapture", &["gvncviewer"]),
    tool("script", &["bsdutils"]),
    Need {
        probe: Probe::File("/usr/share/fonts/truetype/noto/NotoSansArabic-Regular.ttf"),
        packages: &["fonts-noto-core"],
    },
    tool("llvm-profdata-19", &["llvm-19"]),
];

/// QEMU pulls a matching `qemu-utils`; a newer preinstalled one must step down in the same command.
const QEMU: Need =
    Need { probe: Probe::Program("qemu-system-x86_64"), packages: &["qemu-system-x86", "qemu-system-gui"] };

/// What building needs.
pub(crate) fn build(install: bool) -> Result<()> {
    meet(BUILD, install)
}

/// What the demo desktop needs. The test card works without.
pub(crate) fn demo(install: bool) -> Result<()> {
    meet(DEMO, install)
}

/// What the tests need.
pub(crate) fn test(install: bool) -> Result<()> {
    meet(DEMO, install)?;
    meet(TEST, install)?;
    if !QEMU.probe.is_met() {
        let mut packages: Vec<String> = QEMU.packages.iter().map(|p| (*p).to_owned()).collect();
        if let Some(version) = candidate_of("qemu-system-x86")? {
            packages.push(format!("qemu-utils={version}"));
        }
        apt(&packages, install)?;
    }
    schemathesis()
}

/// schemathesis and all that it needs, each at its version, in an environment of its own.
fn schemathesis() -> Result<()> {
    let wanted = root().join("crates/app/tests/schemathesis.txt");
    let folder = target().join("schemathesis");
    ui::once("schemathesis", std::slice::from_ref(&wanted), &folder.join("bin/schemathesis"), || {
        run(program("python3", &["-m", "venv", "--clear"]).arg(&folder))?;
        let pip = folder.join("bin/python").display().to_string();
        run(program(
            &pip,
            &["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"],
        )
        .arg(&wanted))
    })
}

/// What benchmarks compare against.
pub(crate) fn peers(install: bool) -> Result<()> {
    const PEERS: &[Need] =
        &[tool("nginx", &["nginx-light", "libnginx-mod-stream"]), tool("websockify", &["websockify"])];
    meet(PEERS, install)
}

fn meet(needs: &[Need], install: bool) -> Result<()> {
    let missing: Vec<String> = needs
        .iter()
        .filter(|n| !n.probe.is_met())
        .flat_map(|n| n.packages.iter().map(|p| (*p).to_owned()))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    apt(&missing, install)?;
    match needs.iter().find(|n| !n.probe.is_met()) {
        None => Ok(()),
        Some(need) => bail!("still missing after the installation: {}", need.packages.join(" ")),
    }
}

fn apt(packages: &[String], install: bool) -> Result<()> {
    let list = packages.join(" ");
    if !install || !exists("apt-get") {
        bail!("missing Debian packages: {list}\n  install them and run this again");
    }
    println!("Installing with apt: {list}");
    let as_root = output(&mut program("id", &["-u"]))?.trim() == "0";
    let apt_get = |args: &[&str]| {
        let mut command = if as_root { program("env", &[]) } else { program("sudo", &["env"]) };
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]).args(args);
        command
    };
    run(&mut apt_get(&["update", "-q"]))?;
    let mut command = apt_get(&["install", "-y", "-q", "--no-install-recommends", "--allow-downgrades"]);
    command.args(packages).stdin(std::process::Stdio::null());
    run(&mut command)
}

/// The version of a package that apt would install.
fn candidate_of(package: &str) -> Result<Option<String>> {
    let policy = output(&mut program("apt-cache", &["policy", package]))?;
    Ok(policy.lines().find_map(|l| l.trim().strip_prefix("Candidate: ").map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    /// On every machine that can build: essential packages, and what `ui::build` asks for by name.
    const THERE: &[&str] = &["/bin/sh", "sh", "stdbuf", "node", "sudo", "kill"];
    /// Programs of benchmarks, which install their own, and names that are made up.
    const APART: &[&str] = &["websockify", "unshare", "no-such-program"];
    /// Programs that come with a package whose probe is another one of its programs.
    const BESIDE: &[(&str, &str)] = &[
        ("vncpasswd", "tigervnc-tools"),
        ("saslpasswd2", "sasl2-bin"),
        ("vino-server", "vino"),
        ("xmodmap", "x11-xserver-utils"),
        ("qemu-system-x86_64", "qemu-system-x86"),
    ];
    /// How a test starts a program by its name.
    const CALLS: &[&str] =
        &["Command::new(", "Program::new(", "require(", "spawn(", "run(display, ", "run(this.display, "];

    #[test]
    fn every_program_that_a_test_starts_is_installed() {
        let crates = root().join("crates");
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&crates).unwrap() {
            sources(&entry.unwrap().path().join("tests"), &mut files);
        }
        sources(&crates.join("testkit/src"), &mut files);
        sources(&crates.join("web/ui/e2e"), &mut files);
        let started: Vec<(String, PathBuf)> = files
            .into_iter()
            .flat_map(|file| {
                programs(&std::fs::read_to_string(&file).unwrap())
                    .into_iter()
                    .map(move |name| (name, file.clone()))
            })
            .collect();
        // Were the search wrong, it would find nothing and be content.
        for sure in ["Xvnc", "nginx", "x11vnc", "WebKitWebDriver", "xclip"] {
            assert!(started.iter().any(|(name, _)| name == sure), "{sure} is not found any more");
        }
        let lost: Vec<_> = started.iter().filter(|(name, _)| !is_known(name)).collect();
        assert!(lost.is_empty(), "not in the lists of what is installed: {lost:?}");
    }

    fn is_known(name: &str) -> bool {
        let needs = || BUILD.iter().chain(DEMO).chain(TEST).chain([&QEMU]);
        let brought = |package: &str| needs().any(|need| need.packages.contains(&package));
        THERE.contains(&name)
            || APART.contains(&name)
            || BESIDE.iter().any(|(program, package)| *program == name && brought(package))
            || needs().any(|need| match need.probe {
                Probe::Program(program) => program == name,
                Probe::AnyOf(programs) => programs.contains(&name),
                Probe::File(path) => path == name,
                Probe::PythonModule(_) => false,
            })
    }

    fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                sources(&path, files);
            } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "ts") {
                files.push(path);
            }
        }
    }

    /// The quoted first argument of each call that starts a program.
    fn programs(text: &str) -> Vec<String> {
        let after = |call: &&str| text.split(*call).skip(1).map(str::trim_start).collect::<Vec<_>>();
        let quoted = |rest: &str| {
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            rest.get(1..)?.split_once(quote).map(|(name, _)| name.to_owned())
        };
        CALLS.iter().flat_map(after).filter_map(quoted).collect()
    }
}
