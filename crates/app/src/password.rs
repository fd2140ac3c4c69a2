//! Passwords from files, standard input and the terminal; never from arguments if it can be helped.

use anyhow::{Context, Result, bail};
use model::Secret;
use std::io::{IsTerminal, Read};
use std::path::Path;

/// A password is a line, not a disk image.
const LONGEST: u64 = 64 * 1024;

/// The first line of a file, or of standard input for `-`.
pub(crate) fn from_file(path: &Path) -> Result<Secret> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin()
            .take(LONGEST)
            .read_to_string(&mut text)
            .context("cannot read the password from standard input")?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        file.take(LONGEST)
            .read_to_string(&mut text)
            .with_context(|| format!("cannot read {}", path.display()))?;
    }
    let line = text.lines().next().unwrap_or_default().to_owned();
    zeroize::Zeroize::zeroize(&mut text);
    if line.is_empty() {
        bail!("the first line of {} is empty", path.display());
    }
    Ok(Secret::new(line))
}

/// Asks on the terminal; `None` where there is none, or where nothing was typed.
pub(crate) fn ask(prompt: &str) -> Result<Option<Secret>> {
    if !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let text = rpassword::prompt_password(prompt).context("cannot read from the terminal")?;
    Ok((!text.is_empty()).then(|| Secret::new(text)))
}

/// For a password that was typed as part of an argument.
pub(crate) fn warn_visible() {
    eprintln!(
        "A password in the address can be seen by others on this machine (in the process list and the shell's history); use --password-file."
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_line_counts() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("p");
        std::fs::write(&file, "secret12\nnot this\n").unwrap();
        assert_eq!(from_file(&file).unwrap().expose(), "secret12");
        std::fs::write(&file, "\n").unwrap();
        assert!(from_file(&file).is_err());
    }
}
