//! `cargo xtask dist`: the release binary, with its size checked.

use crate::shell::target;
use crate::{install, run, ui};
use anyhow::{Result, bail};

/// Bytes of the stripped binary with the interface inside.
const LIMIT: u64 = 40 << 20;

pub(crate) fn dist() -> Result<()> {
    install::build(true)?;
    ui::build()?;
    run::build_release()?;
    let binary = target().join("release/gatehouse");
    let size = binary.metadata()?.len();
    println!("{}  {:.1} MiB", binary.display(), size as f64 / f64::from(1 << 20));
    if size > LIMIT {
        bail!("the binary is over {} MiB", LIMIT >> 20);
    }
    Ok(())
}
