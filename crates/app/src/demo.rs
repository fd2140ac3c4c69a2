//! The demo desktop: Xvnc on a Unix socket that only this user can open, a window manager, a terminal.

use crate::tied::Tied;
use anyhow::{Context, Result, bail};
use model::target::Address;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};

/// X starts in a tenth of a second; a loaded machine may take long.
const START: Duration = Duration::from_secs(20);

/// A running demo desktop. Dropping it ends all of it.
pub(crate) struct Desktop {
    socket: PathBuf,
    _programs: Vec<Tied>,
}

impl Desktop {
    /// Starts the desktop with its files under `dir`.
    pub(crate) async fn start(dir: &Path) -> Result<Desktop> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let authority = dir.join("xauthority");
        write_authority(&authority)?;
        let socket = dir.join("vnc.socket");
        if socket.as_os_str().len() > 100 {
            bail!("the path {} is too long for a Unix socket; choose a shorter --data", socket.display());
        }
        remove_stale(&socket)?;
        let mut programs = Vec::new();
        let display = start_x(&socket, &authority, &mut programs).await?;
        for (program, args) in PROGRAMS {
            let mut command = Tied::command(program, args);
            command.env("DISPLAY", &display).env("XAUTHORITY", &authority);
            command.current_dir(std::env::var_os("HOME").map_or_else(|| "/".into(), PathBuf::from));
            match Tied::spawn(&mut command) {
                Ok(child) => programs.push(child),
                Err(error) => tracing::warn!(program, %error, "A program of the demo desktop did not start"),
            }
        }
        Ok(Desktop { socket, _programs: programs })
    }

    /// Where the gateway finds it.
    pub(crate) fn address(&self) -> Address {
        Address::Unix { path: self.socket.display().to_string() }
    }
}

/// What runs on the desktop. A missing one is left out.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("openbox", &["--sm-disable"]),
    ("xsetroot", &["-solid", "#20303f"]),
    (
        "xterm",
        &[
            "-geometry",
            "84x24+72+64",
            "-fa",
            "DejaVu Sans Mono",
            "-fs",
            "12",
            "-bg",
            "#101820",
            "-fg",
            "#e8eef2",
            "-title",
            "Gatehouse demo",
        ],
    ),
];

/// Starts Xvnc, which picks a free display by itself, and returns the display's name.
async fn start_x(socket: &Path, authority: &Path, programs: &mut Vec<Tied>) -> Result<String> {
    let mut command = Tied::command(
        "Xvnc",
        &[
            "-displayfd",
            "1",
            "-rfbport",
            "-1",
            "-rfbunixmode",
            "0600",
            "-SecurityTypes",
            "None",
            "-geometry",
            "1024x768",
        ],
    );
    command.args([
        "-depth",
        "24",
        "-nolisten",
        "tcp",
        "-desktop",
        "Gatehouse demo",
        "-AlwaysShared",
        "-rfbunixpath",
    ]);
    command.arg(socket).arg("-auth").arg(authority);
    command.stdout(std::process::Stdio::piped());
    let mut x =
        Tied::spawn(&mut command).context("Xvnc does not start (Debian: tigervnc-standalone-server)")?;
    let stdout = x.take_stdout().context("Xvnc has no output")?;
    programs.push(x);
    let mut line = String::new();
    let read = async { BufReader::new(stdout).read_line(&mut line).await };
    tokio::time::timeout(START, read).await.context("Xvnc did not get ready in 20 s")??;
    match line.trim().parse::<u32>() {
        Ok(number) => Ok(format!(":{number}")),
        Err(_) => bail!(
            "Xvnc ended at its start; run it by hand to see why: Xvnc -rfbport -1 -SecurityTypes None :7"
        ),
    }
}

/// A socket left behind by a killed run must not stop the next one.
fn remove_stale(socket: &Path) -> Result<()> {
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", socket.display()))
        }
        _ => Ok(()),
    }
}

/// An X authority file with one fresh cookie for any display: the format of Xauth(3), big-endian.
fn write_authority(path: &Path) -> Result<()> {
    const FAMILY_WILD: u16 = 0xffff;
    const NAME: &[u8] = b"MIT-MAGIC-COOKIE-1";
    let cookie = *uuid::Uuid::new_v4().as_bytes();
    let mut bytes = Vec::new();
    bytes.extend(FAMILY_WILD.to_be_bytes());
    for field in [&b""[..], b"", NAME, &cookie] {
        bytes.extend(u16::try_from(field.len())?.to_be_bytes());
        bytes.extend(field);
    }
    let mut file =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    std::io::Write::write_all(&mut file, &bytes).with_context(|| format!("cannot write {}", path.display()))
}
