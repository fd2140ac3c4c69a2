//! QEMU with a VNC display and no disk: the firmware's screen is the scene. No KVM is needed.

use crate::process::{Child, Program, require};
use crate::wait;
use anyhow::Context;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// A running virtual machine.
#[derive(Debug)]
pub struct Qemu {
    child: Child,
    directory: TempDir,
}

impl Qemu {
    /// Starts a machine that speaks RFB on a Unix socket (see [`Qemu::vnc_path`]); `vnc` are more options of
    /// `-vnc`, such as `password=on`; `arguments` are QEMU's own, such as `-object secret,…`.
    pub async fn start(vnc: &str, arguments: &[&str]) -> anyhow::Result<Qemu> {
        Qemu::start_in(vnc, arguments, &[]).await
    }

    /// As [`Qemu::start`], with environment variables of its own.
    pub async fn start_in(
        vnc: &str,
        arguments: &[&str],
        environment: &[(&str, &Path)],
    ) -> anyhow::Result<Qemu> {
        let directory = tempfile::tempdir()?;
        let socket = |name: &str| directory.path().join(name).display().to_string();
        let comma = if vnc.is_empty() { "" } else { "," };
        let qemu = Program::new(require("qemu-system-x86_64", "qemu-system-x86")?);
        let child = environment
            .iter()
            .fold(qemu, |program, (name, value)| program.env(name, value))
            .args(["-accel", "tcg", "-m", "16", "-nodefaults", "-vga", "std", "-display", "none", "-vnc"])
            .arg(format!("unix:{}{comma}{vnc}", socket("vnc.sock")))
            .args(["-qmp", &format!("unix:{},server=on,wait=off", socket("qmp.sock"))])
            .args(arguments)
            .start()?;
        let qemu = Qemu { child, directory };
        wait::until("QEMU's sockets", wait::LIMIT, async || {
            let ready = UnixStream::connect(qemu.vnc_path()).await.is_ok();
            (ready || qemu.child.status().is_some()).then_some(())
        })
        .await
        .with_context(|| qemu.child.output())?;
        anyhow::ensure!(qemu.child.status().is_none(), "QEMU ended:\n{}", qemu.child.output());
        Ok(qemu)
    }

    /// Where it speaks RFB.
    pub fn vnc_path(&self) -> PathBuf {
        self.directory.path().join("vnc.sock")
    }

    /// Moves the display to a free TCP port of this machine: QEMU's SASL does not work on Unix sockets.
    pub async fn listen_on_tcp(&self) -> anyhow::Result<SocketAddr> {
        let addresses = r#"[{"type":"inet","host":"127.0.0.1","port":"0"}]"#;
        let move_there =
            format!(r#"{{"execute":"display-update","arguments":{{"type":"vnc","addresses":{addresses}}}}}"#);
        self.qmp(&move_there).await?;
        let answer = self.qmp(r#"{"execute":"query-vnc"}"#).await?;
        // Clients on the Unix socket are listed too, with an empty service.
        let mut services = answer.split("\"service\": \"").skip(1).filter_map(|rest| rest.split('"').next());
        let port =
            services.find_map(|service| service.parse::<u16>().ok()).with_context(|| answer.clone())?;
        Ok(([127, 0, 0, 1], port).into())
    }

    /// One command of QEMU's own protocol, as JSON; returns the line that answers it.
    pub async fn qmp(&self, command: &str) -> anyhow::Result<String> {
        let stream = UnixStream::connect(self.directory.path().join("qmp.sock")).await?;
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line).await?;
        for command in [r#"{"execute":"qmp_capabilities"}"#, command] {
            lines.get_mut().write_all(command.as_bytes()).await?;
            loop {
                line.clear();
                anyhow::ensure!(lines.read_line(&mut line).await? > 0, "QEMU closed its monitor");
                if line.contains("\"return\"") || line.contains("\"error\"") {
                    break;
                }
            }
        }
        anyhow::ensure!(!line.contains("\"error\""), "QEMU refused {command}: {line}");
        Ok(line)
    }

    /// Sets VncAuth's password of a machine that was started with `password=on`.
    pub async fn set_password(&self, password: &str) -> anyhow::Result<()> {
        let command = format!(
            r#"{{"execute":"set_password","arguments":{{"protocol":"vnc","password":"{password}"}}}}"#
        );
        self.qmp(&command).await.map(drop)
    }

    /// The machine's process.
    pub fn child(&self) -> &Child {
        &self.child
    }
}
