//! The environment, and how secrets leave it.
//!
//! Whatever stands in a process's environment can be read in `/proc/PID/environ` for as long as it runs, and is handed
//! to every child. So the first thing that the program does with secrets in its environment is to put them into an
//! anonymous file in memory, and to begin anew without them: same process, same arguments, an environment that never
//! held them. The new beginning reads the file, empties it and closes it, before it starts anything.

use anyhow::{Context, Result, bail};
use rustix::fs::{MemfdFlags, memfd_create};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// Every variable that is or may carry a secret.
pub(crate) const SECRETS: &[&str] = &[
    auth::key::VARIABLE,
    auth::key::OLDER_VARIABLE,
    auth::key::PLAIN_VARIABLE,
    JWT_SECRET,
    DATABASE_URL,
    "GATEHOUSE_DATABASE__URL",
    "PROXMOX_PASSWORD",
    "PROXMOX_TOKEN_VALUE",
    "GATEHOUSE_PROXMOX__PASSWORD",
    "GATEHOUSE_PROXMOX__TOKEN_VALUE",
];
/// What access tokens are signed with, where it is not derived from the installation's key.
pub(crate) const JWT_SECRET: &str = "JWT_SECRET";
/// The database, as the source documents call it; it may carry a password.
pub(crate) const DATABASE_URL: &str = "DATABASE_URL";

/// The number of the descriptor on which the new beginning finds the secrets.
const HANDLE: &str = "GATEHOUSE_SECRETS_FD";
/// The anonymous file's name, by which a stray number is told from ours.
const NAME: &str = "gatehouse-secrets";
/// Nobody's secrets are longer.
const LONGEST: u64 = 1 << 20;

type Taken = Vec<(OsString, Zeroizing<Vec<u8>>)>;

/// What was taken out of the environment, for as long as the process runs.
static TAKEN: OnceLock<Taken> = OnceLock::new();

/// Takes the secrets out of the environment. Call it before anything else: it begins the program anew if there are
/// any.
pub(crate) fn clear() -> Result<()> {
    if let Some(taken) = handed_over()? {
        TAKEN.get_or_init(|| taken);
        return Ok(());
    }
    let found: Taken = SECRETS
        .iter()
        .filter_map(|name| Some((OsString::from(name), Zeroizing::new(std::env::var_os(name)?.into_vec()))))
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    let file = packed(&found).context("cannot make an anonymous file for the secrets of the environment")?;
    begin_anew(&file)
}

/// A variable, whether it still stands in the environment or was taken out of it.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    let taken = TAKEN.get().and_then(|taken| taken.iter().find(|(known, _)| known == name));
    taken.map(|(_, value)| OsString::from_vec(value.to_vec())).or_else(|| std::env::var_os(name))
}

/// As [`variable`], for what must be text; an empty one counts as none.
pub(crate) fn text(name: &str) -> Result<Option<String>> {
    match variable(name) {
        None => Ok(None),
        Some(value) => match value.into_string() {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => Ok(Some(text)),
            Err(_) => bail!("{name} is not text in UTF-8"),
        },
    }
}

/// Names and values, each with a zero behind it, which neither can contain. It must outlive `exec`, so the descriptor
/// is not closed by it.
fn packed(secrets: &Taken) -> Result<File> {
    let mut file = File::from(memfd_create(NAME, MemfdFlags::empty())?);
    for (name, value) in secrets {
        for part in [name.as_bytes(), value] {
            file.write_all(part)?;
            file.write_all(&[0])?;
        }
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// Does not return unless it fails.
fn begin_anew(secrets: &File) -> Result<()> {
    let program = std::env::current_exe().context("cannot find the program's own file")?;
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).env(HANDLE, secrets.as_raw_fd().to_string());
    for name in SECRETS {
        command.env_remove(name);
    }
    Err(command.exec()).context("cannot begin anew without the secrets of the environment")
}

/// What an earlier beginning of this process left; `None` if there was none.
fn handed_over() -> Result<Option<Taken>> {
    let Some(number) = std::env::var_os(HANDLE) else { return Ok(None) };
    let Some(number) = number.to_str().and_then(|text| text.parse::<RawFd>().ok()) else { return Ok(None) };
    let path = PathBuf::from(format!("/proc/self/fd/{number}"));
    let is_ours = std::fs::read_link(&path)
        .is_ok_and(|to| to.as_os_str().as_bytes().starts_with(format!("/memfd:{NAME}").as_bytes()));
    if !is_ours {
        return Ok(None);
    }
    let unreadable = "cannot read the secrets that the environment held";
    let mut file = File::options().read(true).write(true).open(path).context(unreadable)?;
    // One allocation leaves no copies behind.
    let length = usize::try_from(file.metadata().context(unreadable)?.len().min(LONGEST))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.saturating_add(1)));
    (&file).take(LONGEST).read_to_end(&mut bytes).context(unreadable)?;
    // Whoever opened it meanwhile finds nothing, and children do not inherit it.
    file.set_len(0).and_then(|()| file.flush()).context(unreadable)?;
    nix::unistd::close(number).context("cannot close the secrets that the environment held")?;
    Ok(Some(unpacked(&bytes)))
}

fn unpacked(bytes: &[u8]) -> Taken {
    let mut parts = bytes.split(|byte| *byte == 0);
    let mut taken = Vec::new();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        taken.push((OsStr::from_bytes(name).to_owned(), Zeroizing::new(value.to_vec())));
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let secrets: Taken = vec![
            ("SECRET_KEY".into(), Zeroizing::new(b"a b=c".to_vec())),
            ("JWT_SECRET".into(), Zeroizing::new(Vec::new())),
            ("DATABASE_URL".into(), Zeroizing::new(vec![0xff, 0xfe])),
        ];
        let mut bytes = Vec::new();
        packed(&secrets).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(unpacked(&bytes), secrets);
        assert!(unpacked(b"").is_empty());
    }
}
