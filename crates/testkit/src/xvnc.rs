//! TigerVNC's server with a drawn scene.
//!
//! `-displayfd` lets the X server choose its display, and its RFB port is 5900 plus that number. Should
//! something else already listen there, the start is repeated with a port that was free a moment ago.

use crate::process::{Child, Program, require};
use anyhow::Context;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use tempfile::TempDir;

/// Times that a taken port is survived.
const ATTEMPTS: usize = 8;
/// What runs in [`Xvnc::draw_scene`]'s terminal: colors, text and lines, no cursor, then silence.
const SCENE: &str = r#"printf '\033[?25l\033[H\033[2J'
for row in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19
do for column in 0 1 2 3 4 5 6 7 8 9 10 11
   do printf '\033[38;5;%d;48;5;%dmgate%02d' $((255 - row * 12 - column)) $((row * 12 + column)) $column
   done
   printf '\033[0m\n'
done
printf '\033]2;scene\007'
while :; do sleep 1000; done"#;

/// What to start.
#[derive(Clone, Debug)]
pub struct XvncOptions {
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
    /// 8, 16 or 24.
    pub depth: u8,
    /// TigerVNC's names, such as `None`, `VncAuth`, `TLSVnc,VncAuth`, `X509Plain`.
    pub security_types: String,
    /// Password of VncAuth; its first eight characters count.
    pub password: Option<String>,
    /// Name and password of the Plain types. The server asks PAM, whose configuration is the test's own, in a mount
    /// namespace that only this server sees.
    pub plain: Option<(String, String)>,
    /// Certificate and key in PEM for X509 types.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// More arguments, such as `-Protocol3.3` or `-AcceptSetDesktopSize=0`.
    pub arguments: Vec<String>,
}

impl Default for XvncOptions {
    fn default() -> Self {
        XvncOptions {
            width: 640,
            height: 480,
            depth: 24,
            security_types: "None".to_owned(),
            password: None,
            plain: None,
            certificate: None,
            arguments: Vec::new(),
        }
    }
}

/// A running Xvnc.
#[derive(Debug)]
pub struct Xvnc {
    clients: Vec<Child>,
    child: Child,
    directory: TempDir,
    display: u32,
    address: SocketAddr,
}

impl Xvnc {
    /// Starts one and waits until it listens.
    pub async fn start(options: XvncOptions) -> anyhow::Result<Xvnc> {
        let directory = tempfile::tempdir()?;
        let mut port = None;
        for _ in 0..ATTEMPTS {
            let child = program(&options, &directory, port).await?.start()?;
            match child.line("its display", |line| line.parse::<u32>().ok()).await {
                Ok(display) => {
                    let port = match port {
                        Some(port) => port,
                        None => u16::try_from(5900 + display)?,
                    };
                    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                    return Ok(Xvnc { clients: Vec::new(), child, directory, display, address });
                }
                Err(error) if !child.output().contains("Address already in use") => return Err(error),
                Err(_) => port = Some(free_port()?),
            }
        }
        anyhow::bail!("no port for Xvnc after {ATTEMPTS} attempts")
    }

    /// Where it speaks RFB over TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it speaks RFB on a Unix socket.
    pub fn unix_path(&self) -> PathBuf {
        self.directory.path().join("rfb.sock")
    }

    /// `:N`, for `DISPLAY`.
    pub fn display(&self) -> String {
        format!(":{}", self.display)
    }

    /// The server's process.
    pub fn child(&self) -> &Child {
        &self.child
    }

    /// A program that draws on this display.
    pub fn client(&self, program: &str, package: &str) -> anyhow::Result<Program> {
        Ok(Program::new(require(program, package)?).env("DISPLAY", self.display()))
    }

    /// Keeps a started program for as long as the server lives.
    pub fn keep(&mut self, client: Child) {
        self.clients.push(client);
    }

    /// One color over the whole screen, such as `#102030`.
    pub async fn solid(&self, color: &str) -> anyhow::Result<()> {
        self.client("xsetroot", "x11-xserver-utils")?.args(["-solid", color]).run().await.map(drop)
    }

    /// A still scene with many colors and text: a patterned root and a terminal without a cursor.
    pub async fn draw_scene(&mut self) -> anyhow::Result<()> {
        let root = ["-mod", "7", "5", "-fg", "#c04020", "-bg", "#203040"];
        self.client("xsetroot", "x11-xserver-utils")?.args(root).run().await?;
        let terminal = self
            .client("xterm", "xterm")?
            .args(["-geometry", "72x20+40+30", "-b", "0", "-bw", "0", "+sb", "-e", "/bin/sh", "-c", SCENE])
            .start()?;
        self.clients.push(terminal);
        let title = self.client("xdotool", "xdotool")?.args(["search", "--sync", "--onlyvisible", "--name"]);
        title.arg("^scene$").run().await.context("the terminal never finished its scene").map(drop)
    }
}

async fn program(options: &XvncOptions, directory: &TempDir, port: Option<u16>) -> anyhow::Result<Program> {
    let mut program = match &options.plain {
        Some((name, password)) => with_pam(directory, password)?.args(["-PlainUsers", name]),
        None => Program::new(require("Xvnc", "tigervnc-standalone-server")?),
    };
    program = program
        .args(["-displayfd", "1", "-localhost", "-noreset", "-nolisten", "tcp", "-desktop", "gatehouse test"])
        .arg("-geometry")
        .arg(format!("{}x{}", options.width, options.height))
        .args(["-depth", &options.depth.to_string(), "-SecurityTypes", &options.security_types])
        .arg("-rfbunixpath")
        .arg(directory.path().join("rfb.sock"))
        .args(["-UseBlacklist=0", "-Log", "*:stderr:30"]);
    if let Some(port) = port {
        program = program.args(["-rfbport", &port.to_string()]);
    }
    if let Some(password) = &options.password {
        let file = directory.path().join("password");
        std::fs::write(&file, vncpasswd(password).await?)?;
        program = program.arg("-PasswordFile").arg(file);
    }
    if let Some((certificate, key)) = &options.certificate {
        program = program.arg("-X509Cert").arg(certificate).arg("-X509Key").arg(key);
    }
    Ok(program.args(&options.arguments))
}

/// Xvnc where PAM's service `vnc` knows this password, for every name.
fn with_pam(directory: &TempDir, password: &str) -> anyhow::Result<Program> {
    let services = directory.path().join("pam.d");
    std::fs::create_dir(&services)?;
    let (check, expected) = (directory.path().join("check"), directory.path().join("expected"));
    std::fs::write(&expected, password)?;
    // The password comes with a NUL behind it.
    let script = format!("test \"$(tr -d '\\0')\" = \"$(cat {})\"", expected.display());
    std::fs::write(&check, script)?;
    let auth = format!("auth required pam_exec.so quiet expose_authtok /bin/sh {}\n", check.display());
    std::fs::write(services.join("vnc"), auth + "account required pam_permit.so\n")?;
    let mount = format!("mount --bind {} /etc/pam.d && exec \"$@\"", services.display());
    let unshare = require("unshare", "util-linux")?;
    // Whoever may not have a mount namespace may have one inside a user namespace.
    let may = std::process::Command::new(&unshare).args(["--mount", "true"]).status()?.success();
    let namespaces: &[&str] = if may { &["--mount"] } else { &["--map-root-user", "--mount"] };
    Ok(Program::new(unshare)
        .args(namespaces)
        .args(["/bin/sh", "-c", &mount, "sh"])
        .arg(require("Xvnc", "tigervnc-standalone-server")?))
}

/// The obfuscated form in which VNC servers keep a password.
pub async fn vncpasswd(password: &str) -> anyhow::Result<Vec<u8>> {
    use tokio::io::AsyncWriteExt;
    let mut process = tokio::process::Command::new(require("vncpasswd", "tigervnc-tools")?)
        .arg("-f")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = process.stdin.take().context("no pipe")?;
    stdin.write_all(password.as_bytes()).await?;
    drop(stdin);
    let output = process.wait_with_output().await?;
    anyhow::ensure!(output.stdout.len() >= 8, "vncpasswd wrote no password");
    Ok(output.stdout)
}

/// A port that nobody used a moment ago. Only for programs that cannot bind port 0; be ready to try again.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
