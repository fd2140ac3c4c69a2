//! Installing what a command needs, where apt may do it; naming the package where it may not.

use crate::shell::{exists, output, program, run};
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
}

impl Probe {
    fn is_met(&self) -> bool {
        match self {
            Probe::Program(name) => exists(name),
            Probe::AnyOf(names) => names.iter().any(|n| exists(n)),
            Probe::File(path) => std::path::Path::new(path).exists(),
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
    Ok(())
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
