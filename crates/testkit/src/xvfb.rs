//! An X server without a screen, for programs that need a display.

use crate::process::{Child, Program, require};

/// A running Xvfb, which chose its display itself.
#[derive(Debug)]
pub struct Xvfb {
    child: Child,
    display: u32,
}

impl Xvfb {
    /// Starts one with a single screen of this size and 24 bit of depth.
    pub async fn start(width: u16, height: u16) -> anyhow::Result<Xvfb> {
        let child = Program::new(require("Xvfb", "xvfb")?)
            .args(["-displayfd", "1", "-noreset", "-nolisten", "tcp", "-screen", "0"])
            .arg(format!("{width}x{height}x24"))
            .start()?;
        let display = child.line("its display", |line| line.parse().ok()).await?;
        Ok(Xvfb { child, display })
    }

    /// `:N`, for `DISPLAY`.
    pub fn display(&self) -> String {
        format!(":{}", self.display)
    }

    /// A program that draws on this display.
    pub fn client(&self, program: &str, package: &str) -> anyhow::Result<Program> {
        Ok(Program::new(require(program, package)?).env("DISPLAY", self.display()))
    }

    /// The server's process.
    pub fn child(&self) -> &Child {
        &self.child
    }
}
