//! Secrets at rest: XChaCha20-Poly1305 under a key that lives outside the database.
//!
//! A sealed value is `1 | key id (8) | nonce (24) | ciphertext and tag`. It is bound to its place: table, row and
//! column are authenticated with it, so that a value copied to another row does not open there. The key id tells a
//! lost key from an altered value, and lets keys be changed one day.

use crate::random;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use data_encoding::HEXLOWER;
use model::{Coded, Secret};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, Zeroizing};

/// The environment variable that holds the key where it must not lie beside the data.
pub const VARIABLE: &str = "GATEHOUSE_SECRET_KEY";
/// The key's file in the data directory.
pub const FILE: &str = "secret.key";
/// The least length of a key given as text, in bytes.
pub const MIN_KEY: usize = 32;

const VERSION: u8 = 1;
const KEY_ID: usize = 8;
const NONCE: usize = 24;
const TAG: usize = 16;

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

/// Where a sealed value is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place<'a> {
    /// The table.
    pub table: &'a str,
    /// The row's id.
    pub row: [u8; 16],
    /// The column.
    pub column: &'a str,
}

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
        "others may read {path}; its key may be known, so change the targets' passwords and run chmod 600 on it"
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// The key file holds something else.
    #[error(
        "{path} does not hold a key; restore it from a backup, or remove it and enter the targets' passwords again"
    )]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
    /// The key in the environment is too short.
    #[error("GATEHOUSE_SECRET_KEY has {length} bytes and needs 32; make one with `openssl rand -base64 32`")]
    TooShort {
        /// Bytes it has.
        length: usize,
    },
    /// The key in the environment is an example's, or has too little variety to be random.
    #[error("GATEHOUSE_SECRET_KEY is not random; make one with `openssl rand -base64 32`")]
    Placeholder,
}

impl Coded for KeyError {
    fn code(&self) -> &'static str {
        match self {
            KeyError::Io { .. } => "seal.key_unreadable",
            KeyError::Exposed { .. } => "seal.key_exposed",
            KeyError::Malformed { .. } => "seal.key_malformed",
            KeyError::TooShort { .. } => "seal.key_too_short",
            KeyError::Placeholder => "seal.key_placeholder",
        }
    }
}

/// Why a sealed value does not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is not a sealed value.
    #[error("the stored secret is not in a known form; enter it again")]
    Malformed,
    /// It was sealed with another key.
    #[error("the stored secret was sealed with another key; bring that key back, or enter the secret again")]
    OtherKey,
    /// It was altered, or moved here from another place.
    #[error("the stored secret was altered or belongs to another entry; enter it again")]
    Altered,
}

impl Coded for OpenError {
    fn code(&self) -> &'static str {
        match self {
            OpenError::Malformed => "seal.malformed",
            OpenError::OtherKey => "seal.other_key",
            OpenError::Altered => "seal.altered",
        }
    }
}

/// Seals and opens secrets. `Debug` shows nothing of the key.
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    key_id: [u8; KEY_ID],
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

impl Sealer {
    /// The key of this data directory: [`VARIABLE`] if it is set, else [`FILE`], which is made at the first run and
    /// readable by its owner alone.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn in_directory(directory: &Path) -> Result<Sealer, KeyError> {
        match std::env::var(VARIABLE) {
            Ok(text) => Sealer::from_text(&Secret::new(text)),
            // Set, but not text: never fall back to another key in silence.
            Err(std::env::VarError::NotUnicode(_)) => Err(KeyError::Placeholder),
            Err(std::env::VarError::NotPresent) => Sealer::from_file(directory),
        }
    }

    /// A key that is given as text of any form. Placeholders and short ones are refused.
    ///
    /// # Errors
    /// [`KeyError::TooShort`] and [`KeyError::Placeholder`].
    pub fn from_text(text: &Secret) -> Result<Sealer, KeyError> {
        let text = text.expose().trim();
        if text.len() < MIN_KEY {
            return Err(KeyError::TooShort { length: text.len() });
        }
        if is_placeholder(text) {
            return Err(KeyError::Placeholder);
        }
        let mut hash = Sha256::new();
        hash.update(b"gatehouse seal key\0");
        hash.update(text);
        Ok(Sealer::with_key(Zeroizing::new(hash.finalize().into())))
    }

    /// The key in the file of a data directory; made if absent.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_file(directory: &Path) -> Result<Sealer, KeyError> {
        let path = directory.join(FILE);
        let failed = |source| KeyError::Io { path: path.clone(), source };
        match std::fs::metadata(&path) {
            Ok(found) if found.permissions().mode() & 0o077 != 0 => return Err(KeyError::Exposed { path }),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                make_key(directory, &path).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        }
        let text = Zeroizing::new(std::fs::read(&path).map_err(failed)?);
        let key = HEXLOWER.decode(text.trim_ascii()).map(Zeroizing::new);
        let key = key.ok().and_then(|key| key.as_slice().try_into().ok());
        Ok(Sealer::with_key(Zeroizing::new(key.ok_or(KeyError::Malformed { path })?)))
    }

    fn with_key(key: Zeroizing<[u8; 32]>) -> Sealer {
        let mut hash = Sha256::new();
        hash.update(b"gatehouse seal key id\0");
        hash.update(*key);
        let hash: [u8; 32] = hash.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = hash;
        Sealer { cipher: XChaCha20Poly1305::new((&*key).into()), key_id: [a, b, c, d, e, f, g, h] }
    }

    /// Seals a secret for one place, with a random nonce.
    pub fn seal(&self, place: &Place<'_>, secret: &Secret) -> Vec<u8> {
        self.seal_with(place, secret, random::bytes())
    }

    #[expect(clippy::expect_used, reason = "sealing fails for values of 256 GiB only")]
    fn seal_with(&self, place: &Place<'_>, secret: &Secret, nonce: [u8; NONCE]) -> Vec<u8> {
        let bound = self.bound_to(place);
        let payload = Payload { msg: secret.expose().as_bytes(), aad: &bound };
        let ciphertext = self.cipher.encrypt(&nonce.into(), payload).expect("a secret is short");
        [&[VERSION][..], &self.key_id, &nonce, &ciphertext].concat()
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Secret, OpenError> {
        let rest = sealed.strip_prefix(&[VERSION]).ok_or(OpenError::Malformed)?;
        let (key_id, rest) = rest.split_first_chunk::<KEY_ID>().ok_or(OpenError::Malformed)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>().ok_or(OpenError::Malformed)?;
        if ciphertext.len() < TAG {
            return Err(OpenError::Malformed);
        }
        if *key_id != self.key_id {
            return Err(OpenError::OtherKey);
        }
        let payload = Payload { msg: ciphertext, aad: &self.bound_to(place) };
        let plain = self.cipher.decrypt(&(*nonce).into(), payload).map_err(|_| OpenError::Altered)?;
        String::from_utf8(plain).map(Secret::new).map_err(|error| {
            error.into_bytes().zeroize();
            OpenError::Altered
        })
    }

    /// What is authenticated beside the secret. Lengths come first, so that no two places read the same.
    fn bound_to(&self, place: &Place<'_>) -> Vec<u8> {
        let mut bound = vec![VERSION];
        bound.extend(self.key_id);
        for part in [place.table.as_bytes(), &place.row, place.column.as_bytes()] {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            bound.extend(length.to_be_bytes());
            bound.extend(part);
        }
        bound
    }
}

/// Written aside and linked in place: nobody reads half a key, and of two first runs at once the first one's stays.
fn make_key(directory: &Path, path: &Path) -> std::io::Result<()> {
    let key = Zeroizing::new(random::bytes::<32>());
    let text = Zeroizing::new(HEXLOWER.encode(&*key));
    let aside = directory.join(format!("{FILE}.{}", HEXLOWER.encode(&random::bytes::<8>())));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    let written = writeln!(file, "{}", text.as_str()).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| std::fs::hard_link(&aside, path));
    std::fs::remove_file(&aside)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // The name must survive a power cut as well: without it the secrets sealed next are lost.
    std::fs::File::open(directory)?.sync_all()
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
    use proptest::prelude::*;

    const PLACE: Place<'static> = Place { table: "targets", row: [7; 16], column: "secret" };

    fn sealer(key: u8) -> Sealer {
        Sealer::with_key(Zeroizing::new([key; 32]))
    }

    #[test]
    fn golden() {
        // Made by an implementation of its own: HChaCha20, ChaCha20 and Poly1305 in 60 lines of Python.
        let sealed = sealer(1).seal_with(&PLACE, &Secret::new("hunter2"), [9; 24]);
        assert_eq!(HEXLOWER.encode(&sealed), GOLDEN);
    }
    const GOLDEN: &str = "017954898255c380090909090909090909090909090909090909090909090909099b98d1e23bb40abb4bbe27375ca9af64847d1c48872563";

    #[test]
    fn a_value_opens_only_where_it_was_sealed() {
        let sealer = sealer(1);
        let sealed = sealer.seal(&PLACE, &Secret::new("hunter2"));
        assert_eq!(sealer.open(&PLACE, &sealed).unwrap().expose(), "hunter2");
        for elsewhere in [
            Place { table: "nodes", ..PLACE },
            Place { row: [8; 16], ..PLACE },
            Place { column: "username", ..PLACE },
            // The same bytes in a row, cut differently.
            Place { table: "target", column: "ssecret", ..PLACE },
        ] {
            assert_eq!(sealer.open(&elsewhere, &sealed).unwrap_err(), OpenError::Altered, "{elsewhere:?}");
        }
    }

    #[test]
    fn another_key_is_told_from_an_altered_value() {
        let sealed = sealer(1).seal(&PLACE, &Secret::new("hunter2"));
        assert_eq!(sealer(2).open(&PLACE, &sealed).unwrap_err(), OpenError::OtherKey);
        for n in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[n] ^= 1;
            let expected = match n {
                0 => OpenError::Malformed,
                1..=8 => OpenError::OtherKey,
                _ => OpenError::Altered,
            };
            assert_eq!(sealer(1).open(&PLACE, &altered).unwrap_err(), expected, "byte {n}");
        }
        for n in 0..sealed.len() {
            assert!(sealer(1).open(&PLACE, &sealed[..n]).is_err(), "cut at {n}");
        }
    }

    #[test]
    fn equal_secrets_do_not_look_equal() {
        let (sealer, secret) = (sealer(1), Secret::new("hunter2"));
        assert_ne!(sealer.seal(&PLACE, &secret), sealer.seal(&PLACE, &secret));
        assert_eq!(format!("{sealer:?}"), "Sealer(…)");
    }

    #[test]
    fn a_directory_keeps_its_key_and_guards_it() {
        let directory = tempfile::tempdir().unwrap();
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let path = directory.path().to_owned();
                std::thread::spawn(move || Sealer::from_file(&path).unwrap())
            })
            .collect();
        let sealers: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let sealed = sealers[0].seal(&PLACE, &Secret::new("hunter2"));
        for sealer in &sealers {
            assert_eq!(sealer.open(&PLACE, &sealed).unwrap().expose(), "hunter2");
        }
        let path = directory.path().join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(Sealer::from_file(directory.path()).unwrap_err().code(), "seal.key_exposed");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "0123").unwrap();
        assert_eq!(Sealer::from_file(directory.path()).unwrap_err().code(), "seal.key_malformed");
        let missing = directory.path().join("missing");
        assert_eq!(Sealer::from_file(&missing).unwrap_err().code(), "seal.key_unreadable");
    }

    #[test]
    fn keys_that_are_not_random_are_refused() {
        let refused = |text: &str| Sealer::from_text(&Secret::new(text)).unwrap_err().code();
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
    fn random_keys_of_any_spelling_are_taken_and_are_what_they_are() {
        let text = "q7oJ4cYkT3v9Qp2Xr7Lm5Zc8Wn4Bh6Jd1Fg0SaEuI=";
        let hex = "8f3a1c5be29d7046b1f8e3c2a9d05476fe1b3c8a97d2e4605b7c1f9e8d3a2b46";
        let sealed = Sealer::from_text(&Secret::new(text)).unwrap().seal(&PLACE, &Secret::new("x"));
        assert!(Sealer::from_text(&Secret::new(format!("{text}\n"))).unwrap().open(&PLACE, &sealed).is_ok());
        let other = Sealer::from_text(&Secret::new(hex)).unwrap();
        assert_eq!(other.open(&PLACE, &sealed).unwrap_err(), OpenError::OtherKey);
    }

    proptest! {
        #[test]
        fn whatever_is_sealed_opens(text in any::<String>(), row: [u8; 16], key: u8) {
            let place = Place { row, ..PLACE };
            let sealed = sealer(key).seal(&place, &Secret::new(text.clone()));
            let opened = sealer(key).open(&place, &sealed).unwrap();
            prop_assert_eq!(opened.expose(), text);
        }

        #[test]
        fn whatever_comes_back_from_a_disk_is_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(sealer(1).open(&PLACE, &bytes).is_err());
        }
    }
}
