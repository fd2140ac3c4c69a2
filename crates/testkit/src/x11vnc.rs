//! x11vnc (libvncserver) on a display of its own.

use crate::process::{Child, Program, require};
use crate::xvfb::Xvfb;
use std::net::{Ipv4Addr, SocketAddr};

/// A running x11vnc with its Xvfb.
#[derive(Debug)]
pub struct X11vnc {
    child: Child,
    xvfb: Option<Xvfb>,
    address: SocketAddr,
}

impl X11vnc {
    /// Starts both. More arguments are x11vnc's, such as `-passwd`, `-rfbversion 3.3` or `-ssl`.
    pub async fn start(width: u16, height: u16, arguments: &[&str]) -> anyhow::Result<X11vnc> {
        let xvfb = Xvfb::start(width, height).await?;
        let x11vnc = X11vnc::watch(&xvfb, arguments).await?;
        Ok(X11vnc { xvfb: Some(xvfb), ..x11vnc })
    }

    /// Shows a display that somebody else started, such as a viewer's: an eye for tests.
    pub async fn watch(xvfb: &Xvfb, arguments: &[&str]) -> anyhow::Result<X11vnc> {
        let child = Program::new(require("x11vnc", "x11vnc")?)
            .args(["-display", &xvfb.display(), "-localhost", "-autoport", "6400", "-forever", "-shared"])
            .args(["-noipv6", "-nopw", "-cursor", "arrow", "-noxdamage", "-wait", "5"])
            .args(arguments)
            .start()?;
        let port: u16 = child.line("PORT=", |line| line.strip_prefix("PORT=")?.parse().ok()).await?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(X11vnc { child, xvfb: None, address })
    }

    /// Where it speaks RFB.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The display that it started.
    pub fn xvfb(&self) -> Option<&Xvfb> {
        self.xvfb.as_ref()
    }

    /// The server's process.
    pub fn child(&self) -> &Child {
        &self.child
    }
}
