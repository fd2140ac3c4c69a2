//! TigerVNC's viewer on a display of its own.

use crate::process::{Child, Program, require};
use crate::xvfb::Xvfb;
use crate::xvnc::vncpasswd;
use tempfile::TempDir;

/// A running viewer with its Xvfb.
#[derive(Debug)]
pub struct VncViewer {
    child: Child,
    xvfb: Xvfb,
    directory: TempDir,
}

impl VncViewer {
    /// Starts a viewer for `server` (`host::port` or a socket's path). `password` answers VncAuth; a user
    /// name and password for Plain go into `VNC_USERNAME` and `VNC_PASSWORD` by `plain`.
    pub async fn start(
        server: &str,
        password: Option<&str>,
        plain: Option<(&str, &str)>,
        arguments: &[&str],
    ) -> anyhow::Result<VncViewer> {
        let xvfb = Xvfb::start(1280, 1024).await?;
        let directory = tempfile::tempdir()?;
        let mut program = Program::new(require("xtigervncviewer", "tigervnc-viewer")?)
            .env("DISPLAY", xvfb.display())
            .env("HOME", directory.path())
            .args(["-AlertOnFatalError=0", "-ReconnectOnError=0"])
            // Its window draws statistics over the picture where it may log everything.
            .args(["-Log", "*:stderr:100,DesktopWindow:stderr:30"]);
        if let Some(password) = password {
            let file = directory.path().join("password");
            std::fs::write(&file, vncpasswd(password).await?)?;
            program = program.arg("-PasswordFile").arg(file);
        }
        if let Some((user, password)) = plain {
            program = program.env("VNC_USERNAME", user).env("VNC_PASSWORD", password);
        }
        let child = program.args(arguments).arg(server).start()?;
        Ok(VncViewer { child, xvfb, directory })
    }

    /// The display on which its window is, for `xdotool` and screenshots.
    pub fn xvfb(&self) -> &Xvfb {
        &self.xvfb
    }

    /// The viewer's process, whose output says how far it came.
    pub fn child(&self) -> &Child {
        &self.child
    }

    /// Its home, with what it remembers.
    pub fn home(&self) -> &std::path::Path {
        self.directory.path()
    }
}
