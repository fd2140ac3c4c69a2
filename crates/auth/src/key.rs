//! The installation's key: where it comes from, how it is changed, and the keys that are derived from it.
//!
//! It lives outside the database, in this order: `GATEHOUSE_SECRET_KEY`, the systemd credential
//! `gatehouse-secret-key`, `SECRET_KEY`, and a file in the data directory that is made at the first run. Beside the
//! current key there can be older ones, which open what they sealed and seal nothing.
//!
//! A change has three steps, and may be cut short after each: the new key is put before the old one
//! ([`Keyring::rotate_file`], or the two variables); every sealed value is sealed anew ([`crate::seal::Sealer::reseal`]);
//! the old key is removed ([`Keyring::retire_file`]).

use crate::random;
use data_encoding::HEXLOWER;
use model::{Coded, Secret};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The environment variable that holds the key where it must not lie beside the data.
pub const VARIABLE: &str = "GATEHOUSE_SECRET_KEY";
/// The key before it, while stored values are sealed anew.
pub const OLDER_VARIABLE: &str = "GATEHOUSE_SECRET_KEY_OLD";
/// Read too, after [`VARIABLE`] and the credential.
pub const PLAIN_VARIABLE: &str = "SECRET_KEY";
/// The systemd credential (`LoadCredential=`, `LoadCredentialEncrypted=`) that holds the key.
pub const CREDENTIAL: &str = "gatehouse-secret-key";
/// The credential of the key before it.
pub const OLDER_CREDENTIAL: &str = "gatehouse-secret-key-old";
/// Where systemd says that credentials are.
pub const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// The key's file in the data directory: one key a line, the current one first.
pub const FILE: &str = "secret.key";
/// The least length of a key given as text, in bytes.
pub const MIN_KEY: usize = 32;

/// Bytes of a key's public name.
pub const ID_LEN: usize = 8;
/// Keys in a file: the current one and those that a change did not get rid of yet.
const MAX_KEYS: usize = 16;
/// A key given as text is no book.
const MAX_TEXT: u64 = 64 << 10;

/// Parts of keys that were copied from an example. Compared without case, spaces, `-` and `_`.
const PLACEHOLDERS: [&str; 10] = [
    "changeme",
    "changethis",
    "replaceme",
    "replacethis",
    "placeholder",
    "supersecret",
    "yoursecret",
    "secretkey",
    "password",
    "insecure",
];
/// A random key of 32 bytes, in whatever spelling, has more different characters than this.
const MIN_VARIETY: usize = 8;

/// Why no key could be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key file cannot be read or written.
    #[error("cannot read or write {path}; check the data directory's permissions")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others may read the key file.
    #[error(
        "others may read {path}; its key may be known, so change what it protects and run chmod 600 on it"
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// The key file holds something else.
    #[error(
        "{path} does not hold a key; restore it from a backup, or remove it and enter anew what it protected"
    )]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
    /// A key that was given as text is too short.
    #[error("{name} has {length} bytes and needs 32; make one with `openssl rand -base64 32`")]
    TooShort {
        /// The variable or credential.
        name: &'static str,
        /// Bytes it has.
        length: usize,
    },
    /// A key that was given as text is an example's, or has too little variety to be random.
    #[error("{name} is not random; make one with `openssl rand -base64 32`")]
    Placeholder {
        /// The variable or credential.
        name: &'static str,
    },
    /// The key is not in the data directory's file, so it cannot be changed there.
    #[error("the key comes from {name}; set {OLDER_VARIABLE} to it and {VARIABLE} to a new one")]
    Elsewhere {
        /// The variable or credential.
        name: &'static str,
    },
}

impl Coded for KeyError {
    fn code(&self) -> &'static str {
        match self {
            KeyError::Io { .. } => "seal.key_unreadable",
            KeyError::Exposed { .. } => "seal.key_exposed",
            KeyError::Malformed { .. } => "seal.key_malformed",
            KeyError::TooShort { .. } => "seal.key_too_short",
            KeyError::Placeholder { .. } => "seal.key_placeholder",
            KeyError::Elsewhere { .. } => "seal.key_elsewhere",
        }
    }
}

/// 32 bytes that nobody knows. `Debug` shows nothing of them; they are wiped when dropped.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// A key of these bytes, which must be random.
    pub fn from_random(bytes: [u8; 32]) -> Key {
        Key(Zeroizing::new(bytes))
    }

    /// The key of a text of any form that `name` gave. Placeholders and short ones are refused.
    ///
    /// # Errors
    /// [`KeyError::TooShort`] and [`KeyError::Placeholder`].
    pub fn from_text(name: &'static str, text: &Secret) -> Result<Key, KeyError> {
        let text = text.expose().trim();
        if text.len() < MIN_KEY {
            return Err(KeyError::TooShort { name, length: text.len() });
        }
        if is_placeholder(text) {
            return Err(KeyError::Placeholder { name });
        }
        let mut hash = Sha256::new();
        hash.update(b"gatehouse seal key\0");
        hash.update(text);
        Ok(Key::from_random(hash.finalize().into()))
    }

    /// A key for one use, from which neither this one nor those for other uses can be found.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Key {
        let mac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &*self.0);
        let mut context = aws_lc_rs::hmac::Context::with_key(&mac);
        context.update(b"gatehouse derived key\0");
        context.update(purpose.as_bytes());
        let mut key = Key::from_random([0; 32]);
        key.0.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        key
    }

    /// Its public name, which tells a lost key from an altered value.
    pub fn id(&self) -> [u8; ID_LEN] {
        let mut hash = Sha256::new();
        hash.update(b"gatehouse seal key id\0");
        hash.update(*self.0);
        let hash: [u8; 32] = hash.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = hash;
        [a, b, c, d, e, f, g, h]
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The current key and older ones.
#[derive(Clone, Debug)]
pub struct Keyring {
    current: Key,
    older: Vec<Key>,
}

/// What was found outside the data directory. Clearing the variables after is the caller's.
#[derive(Default)]
pub struct Given {
    /// [`VARIABLE`].
    pub variable: Option<Zeroizing<Vec<u8>>>,
    /// [`OLDER_VARIABLE`].
    pub older_variable: Option<Zeroizing<Vec<u8>>>,
    /// [`PLAIN_VARIABLE`].
    pub plain_variable: Option<Zeroizing<Vec<u8>>>,
    /// What the file [`CREDENTIAL`] holds.
    pub credential: Option<Zeroizing<Vec<u8>>>,
    /// What the file [`OLDER_CREDENTIAL`] holds.
    pub older_credential: Option<Zeroizing<Vec<u8>>>,
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Given(…)")
    }
}

impl Given {
    /// Asks for the variables by `variable`, and reads the credentials of the directory that systemd names there.
    ///
    /// # Errors
    /// [`KeyError::Io`] for a credential that exists and cannot be read.
    pub fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Given, KeyError> {
        let directory = variable(CREDENTIALS_DIRECTORY).map(PathBuf::from);
        let credential = |name: &str| match &directory {
            Some(directory) => read_if_there(&directory.join(name)),
            None => Ok(None),
        };
        let variable = |name: &str| variable(name).map(|text| Zeroizing::new(text.into_vec()));
        Ok(Given {
            credential: credential(CREDENTIAL)?,
            older_credential: credential(OLDER_CREDENTIAL)?,
            variable: variable(VARIABLE),
            older_variable: variable(OLDER_VARIABLE),
            plain_variable: variable(PLAIN_VARIABLE),
        })
    }

    fn current(&self) -> Option<(&'static str, &[u8])> {
        named(VARIABLE, &self.variable)
            .or(named(CREDENTIAL, &self.credential))
            .or(named(PLAIN_VARIABLE, &self.plain_variable))
    }

    fn older(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let variable = named(OLDER_VARIABLE, &self.older_variable);
        variable.into_iter().chain(named(OLDER_CREDENTIAL, &self.older_credential))
    }
}

fn named<'a>(name: &'static str, text: &'a Option<Zeroizing<Vec<u8>>>) -> Option<(&'static str, &'a [u8])> {
    text.as_ref().map(|text| (name, text.as_slice()))
}

impl Keyring {
    /// The keys of this installation: the given ones, else those in the data directory, made if absent.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(given: &Given, directory: &Path) -> Result<Keyring, KeyError> {
        let mut ring = match Keyring::of(given)? {
            Some(ring) => return Ok(ring),
            None => Keyring::from_file(directory)?,
        };
        // From a variable back to the file: the variable's values still open.
        for (name, text) in given.older() {
            ring.add_older(key_of(name, text)?);
        }
        Ok(ring)
    }

    /// The keys that were given, if the current one was.
    ///
    /// # Errors
    /// [`KeyError::TooShort`] and [`KeyError::Placeholder`]. A key that is given and cannot be used is never passed
    /// over in silence.
    pub fn of(given: &Given) -> Result<Option<Keyring>, KeyError> {
        let Some((name, text)) = given.current() else { return Ok(None) };
        let mut ring = Keyring { current: key_of(name, text)?, older: Vec::new() };
        for (name, text) in given.older() {
            ring.add_older(key_of(name, text)?);
        }
        Ok(Some(ring))
    }

    /// The keys in the file of a data directory; one is made if there is no file.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_file(directory: &Path) -> Result<Keyring, KeyError> {
        let path = directory.join(FILE);
        if let Some(ring) = Keyring::read_file(&path)? {
            return Ok(ring);
        }
        let failed = |source| KeyError::Io { path: path.clone(), source };
        put_new(directory, FILE, &lines([&Key::from_random(random::bytes())])).map_err(failed)?;
        // Of two first runs at once the first one's key stays: read what is there.
        Keyring::read_file(&path)?.ok_or(KeyError::Malformed { path })
    }

    /// Puts a new key before those in the data directory's file. Nobody else may do so at the same time: hold the
    /// data directory's lock.
    ///
    /// # Errors
    /// [`KeyError::Elsewhere`] if the key is given otherwise; the file's errors.
    pub fn rotate_file(given: &Given, directory: &Path) -> Result<Keyring, KeyError> {
        if let Some((name, _)) = given.current() {
            return Err(KeyError::Elsewhere { name });
        }
        let mut ring = Keyring::from_file(directory)?;
        ring.older.insert(0, std::mem::replace(&mut ring.current, Key::from_random(random::bytes())));
        ring.older.truncate(MAX_KEYS - 1);
        ring.write_file(directory)?;
        Ok(ring)
    }

    /// Leaves only the current key in the data directory's file. Every value must have been sealed anew before.
    ///
    /// # Errors
    /// The file's errors.
    pub fn retire_file(directory: &Path) -> Result<Keyring, KeyError> {
        let mut ring = Keyring::from_file(directory)?;
        ring.older.clear();
        ring.write_file(directory)?;
        Ok(ring)
    }

    /// A ring of one key.
    pub fn single(current: Key) -> Keyring {
        Keyring { current, older: Vec::new() }
    }

    /// The key that seals and signs.
    pub fn current(&self) -> &Key {
        &self.current
    }

    /// The current key, then the older ones.
    pub fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.older)
    }

    /// Whether older keys are still held, so that a change was begun and not finished.
    pub fn is_changing(&self) -> bool {
        !self.older.is_empty()
    }

    /// The ring of keys for one use, see [`Key::derive`].
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Keyring {
        Keyring {
            current: self.current.derive(purpose),
            older: self.older.iter().map(|key| key.derive(purpose)).collect(),
        }
    }

    fn add_older(&mut self, key: Key) {
        if self.all().all(|known| known.id() != key.id()) {
            self.older.push(key);
        }
    }

    fn read_file(path: &Path) -> Result<Option<Keyring>, KeyError> {
        let Some(text) = read_private(path)? else { return Ok(None) };
        let text = Zeroizing::new(text);
        let malformed = || KeyError::Malformed { path: path.to_owned() };
        let mut keys = Vec::new();
        for line in text.trim_ascii().split(|c| *c == b'\n').map(<[u8]>::trim_ascii) {
            let bytes = HEXLOWER.decode(line).map(Zeroizing::new).map_err(|_| malformed())?;
            keys.push(Key(Zeroizing::new(bytes.as_slice().try_into().map_err(|_| malformed())?)));
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or_else(malformed)?;
        if keys.len() >= MAX_KEYS {
            Err(malformed())
        } else {
            Ok(Some(Keyring { current, older: keys.collect() }))
        }
    }

    fn write_file(&self, directory: &Path) -> Result<(), KeyError> {
        replace(directory, FILE, &lines(self.all()))
            .map_err(|source| KeyError::Io { path: directory.join(FILE), source })
    }
}

/// The key of a text that was given; text that is not UTF-8 was not typed by a person, and is as good.
fn key_of(name: &'static str, text: &[u8]) -> Result<Key, KeyError> {
    match std::str::from_utf8(text) {
        Ok(text) => Key::from_text(name, &Secret::new(text)),
        Err(_) => Key::from_text(name, &Secret::new(HEXLOWER.encode(text))),
    }
}

fn lines<'a>(keys: impl IntoIterator<Item = &'a Key>) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(65 * MAX_KEYS));
    for key in keys {
        HEXLOWER.encode_append(&*key.0, &mut text);
        text.push('\n');
    }
    text
}

/// The content of a file that only its owner may read; `None` if there is none.
pub(crate) fn read_private(path: &Path) -> Result<Option<Vec<u8>>, KeyError> {
    let failed = |source| KeyError::Io { path: path.to_owned(), source };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    // Asked of what was opened, not of what has its name by now.
    if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned() });
    }
    let mut content = Vec::new();
    file.take(MAX_TEXT).read_to_end(&mut content).map_err(failed)?;
    Ok(Some(content))
}

/// systemd gives credentials the mode that it finds right.
fn read_if_there(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
    let failed = |source| KeyError::Io { path: path.to_owned(), source };
    match std::fs::File::open(path) {
        Ok(file) => {
            let mut content = Zeroizing::new(Vec::new());
            file.take(MAX_TEXT).read_to_end(&mut content).map_err(failed)?;
            Ok(Some(content))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Puts a file of mode 0600 in place, unless there is one: written aside and linked, so that nobody reads half of it.
pub(crate) fn put_new(directory: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let aside = write_aside(directory, name, text)?;
    let linked = std::fs::hard_link(&aside, directory.join(name));
    std::fs::remove_file(&aside)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // The name must survive a power cut as well: without it what is sealed next is lost.
    std::fs::File::open(directory)?.sync_all()
}

/// Puts a file of mode 0600 in the place of another, at once and for good.
fn replace(directory: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let aside = write_aside(directory, name, text)?;
    if let Err(error) = std::fs::rename(&aside, directory.join(name)) {
        // It holds keys; if it cannot be removed either, there is nothing better to say than the first error.
        let _ = std::fs::remove_file(&aside);
        return Err(error);
    }
    std::fs::File::open(directory)?.sync_all()
}

fn write_aside(directory: &Path, name: &str, text: &str) -> std::io::Result<PathBuf> {
    let aside = directory.join(format!("{name}.{}", HEXLOWER.encode(&random::bytes::<8>())));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    if let Err(error) = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()) {
        let _ = std::fs::remove_file(&aside);
        return Err(error);
    }
    Ok(aside)
}

fn is_placeholder(text: &str) -> bool {
    let bare: String =
        text.chars().filter(|c| !matches!(c, ' ' | '-' | '_')).flat_map(char::to_lowercase).collect();
    let mut variety: Vec<char> = bare.chars().collect();
    variety.sort_unstable();
    variety.dedup();
    variety.len() < MIN_VARIETY || PLACEHOLDERS.iter().any(|word| bare.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "q7oJ4cYkT3v9Qp2Xr7Lm5Zc8Wn4Bh6Jd1Fg0SaEuI=";
    const OTHER: &str = "8f3a1c5be29d7046b1f8e3c2a9d05476fe1b3c8a97d2e4605b7c1f9e8d3a2b46";

    fn text(text: &str) -> Option<Zeroizing<Vec<u8>>> {
        Some(Zeroizing::new(text.into()))
    }

    fn id(text: &str) -> [u8; ID_LEN] {
        Key::from_text(VARIABLE, &Secret::new(text)).unwrap().id()
    }

    fn ids(ring: &Keyring) -> Vec<[u8; ID_LEN]> {
        ring.all().map(Key::id).collect()
    }

    #[test]
    fn a_directory_keeps_its_key_and_guards_it() {
        let directory = tempfile::tempdir().unwrap();
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let path = directory.path().to_owned();
                std::thread::spawn(move || Keyring::from_file(&path).unwrap())
            })
            .collect();
        let rings: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(rings.iter().all(|ring| ids(ring) == ids(&rings[0])));
        let path = directory.path().join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(Keyring::from_file(directory.path()).unwrap_err().code(), "seal.key_exposed");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        for bad in ["0123", "", "\n", &"0".repeat(66), &format!("{}\n\n{}", "0".repeat(64), "1".repeat(64))] {
            std::fs::write(&path, bad).unwrap();
            assert_eq!(
                Keyring::from_file(directory.path()).unwrap_err().code(),
                "seal.key_malformed",
                "{bad}"
            );
        }
        let missing = directory.path().join("missing");
        assert_eq!(Keyring::from_file(&missing).unwrap_err().code(), "seal.key_unreadable");
    }

    #[test]
    fn a_change_keeps_the_old_key_until_it_is_retired() {
        let (directory, given) = (tempfile::tempdir().unwrap(), Given::default());
        let before = Keyring::open(&given, directory.path()).unwrap();
        let during = Keyring::rotate_file(&given, directory.path()).unwrap();
        assert!(!before.is_changing() && during.is_changing());
        assert_eq!(ids(&during)[1], before.current().id());
        assert_ne!(ids(&during)[0], before.current().id());
        assert_eq!(ids(&Keyring::open(&given, directory.path()).unwrap()), ids(&during));
        let after = Keyring::retire_file(directory.path()).unwrap();
        assert_eq!(ids(&after), ids(&during)[..1]);
        assert_eq!(ids(&Keyring::open(&given, directory.path()).unwrap()), ids(&after));
        let path = directory.path().join(FILE);
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        // Changes that were never finished do not let the file grow for ever.
        for _ in 0..2 * MAX_KEYS {
            Keyring::rotate_file(&given, directory.path()).unwrap();
        }
        assert_eq!(Keyring::open(&given, directory.path()).unwrap().all().count(), MAX_KEYS);
    }

    #[test]
    fn what_is_given_comes_before_the_file_and_in_its_order() {
        let directory = tempfile::tempdir().unwrap();
        let open = |given: &Given| Keyring::open(given, directory.path()).unwrap();
        let all = Given {
            variable: text(TEXT),
            credential: text(OTHER),
            plain_variable: text("Zk3mQ8wXr5Tn2Lp7Vc9Bd4Hf6Jg1SaYe0UoIi"),
            ..Given::default()
        };
        assert_eq!(open(&all).current().id(), id(TEXT));
        let credential = Given { credential: text(&format!("{OTHER}\n")), ..Given::default() };
        assert_eq!(ids(&open(&credential)), [id(OTHER)]);
        let plain = Given { plain_variable: text(OTHER), ..Given::default() };
        assert_eq!(ids(&open(&plain)), [id(OTHER)]);
        let changing = Given {
            variable: text(TEXT),
            older_variable: text(OTHER),
            older_credential: text(OTHER),
            ..Given::default()
        };
        assert_eq!(ids(&open(&changing)), [id(TEXT), id(OTHER)]);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        assert_eq!(
            Keyring::rotate_file(&changing, directory.path()).unwrap_err().code(),
            "seal.key_elsewhere"
        );
        let back = Given { older_variable: text(TEXT), ..Given::default() };
        assert_eq!(ids(&open(&back))[1..], [id(TEXT)]);
    }

    #[test]
    fn a_given_key_that_cannot_be_used_is_never_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let refused = |given: Given| Keyring::open(&given, directory.path()).unwrap_err().code();
        let with = |variable: &str| Given { variable: text(variable), ..Given::default() };
        assert_eq!(refused(with("")), "seal.key_too_short");
        assert_eq!(refused(Given { credential: text(OTHER), ..with("short") }), "seal.key_too_short");
        assert_eq!(refused(Given { older_variable: text("short"), ..with(TEXT) }), "seal.key_too_short");
        assert_eq!(refused(with(&"0".repeat(40))), "seal.key_placeholder");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn credentials_are_read_where_systemd_puts_them() {
        let directory = tempfile::tempdir().unwrap();
        let ask =
            |name: &str| (name == CREDENTIALS_DIRECTORY).then(|| directory.path().as_os_str().to_owned());
        let given = Given::read(ask).unwrap();
        assert!(given.credential.is_none() && Keyring::of(&given).unwrap().is_none());
        // Any bytes do.
        std::fs::write(directory.path().join(CREDENTIAL), [0xFF, 1, 2, 3].repeat(9)).unwrap();
        assert_eq!(Keyring::of(&Given::read(ask).unwrap()).unwrap_err().code(), "seal.key_placeholder");
        std::fs::write(directory.path().join(CREDENTIAL), (100_u8..200).collect::<Vec<_>>()).unwrap();
        assert!(Keyring::of(&Given::read(ask).unwrap()).unwrap().is_some());
        std::fs::write(directory.path().join(CREDENTIAL), TEXT).unwrap();
        std::fs::write(directory.path().join(OLDER_CREDENTIAL), OTHER).unwrap();
        let ring = Keyring::of(&Given::read(ask).unwrap()).unwrap().unwrap();
        assert_eq!(ids(&ring), [id(TEXT), id(OTHER)]);
        std::fs::create_dir(directory.path().join("x")).unwrap();
        let broken = |name: &str| (name == CREDENTIALS_DIRECTORY).then(|| "/dev/null".into());
        assert_eq!(Given::read(broken).unwrap_err().code(), "seal.key_unreadable");
    }

    #[test]
    fn keys_that_are_not_random_are_refused() {
        let refused = |text: &str| Key::from_text(VARIABLE, &Secret::new(text)).unwrap_err().code();
        assert_eq!(refused("kT3v9Qp2Xr7Lm5Zc"), "seal.key_too_short");
        assert_eq!(refused(&format!("   {}   ", "kT3v9Qp2Xr7Lm5Zc8Wn4Bh6Jd1Fg0S")), "seal.key_too_short");
        for example in [
            "your-super-secure-secret-key-of-32-bytes",
            "CHANGE_ME CHANGE_ME CHANGE_ME CHANGE_ME",
            "this-is-only-a-placeholder-0123456789",
            "0000000000000000000000000000000000000000",
            "abababababababababababababababababababab",
            "Pass-word1234567890 Pass-word1234567890",
        ] {
            assert_eq!(refused(example), "seal.key_placeholder", "{example}");
        }
    }

    #[test]
    fn derived_keys_tell_nothing_of_each_other() {
        let key = Key::from_random([7; 32]);
        // HMAC-SHA256 of "gatehouse derived key\0access token" under 32 bytes of 7, by Python's hmac.
        assert_eq!(HEXLOWER.encode(key.derive("access token").bytes()), GOLDEN);
        assert_ne!(key.derive("access token").bytes(), key.derive("other").bytes());
        assert_eq!(format!("{key:?} {:?}", Given::default()), "Key(…) Given(…)");
    }
    const GOLDEN: &str = "3ec4c48bd1d9f045332e55a9df5ff1a3b07d4e21bafd1dbef64aa4ff28f78cba";
}
