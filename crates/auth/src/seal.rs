//! Secrets at rest: XChaCha20-Poly1305 under a key that lives outside the database, see [`crate::key`].
//!
//! A sealed value is `1 | key id (8) | nonce (24) | ciphertext and tag`. It is bound to its place: table, row and
//! column are authenticated with it, so that a value copied to another row does not open there. The key id tells a
//! lost key from an altered value, and says which of several keys opens it while the key is being changed.

use crate::following::Following;
use crate::key::{Given, ID_LEN, Key, Keyring};
use crate::random;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use model::{Coded, Secret};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroize;

const VERSION: u8 = 1;
const NONCE: usize = 24;
const TAG: usize = 16;

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

/// Seals with the current key and opens with every key of a ring. `Debug` shows nothing of them.
pub struct Sealer {
    locks: Following<Locks>,
}

struct Locks {
    current: Lock,
    older: Vec<Lock>,
}

struct Lock {
    cipher: XChaCha20Poly1305,
    key_id: [u8; ID_LEN],
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(…)")
    }
}

impl Sealer {
    /// A sealer of these keys.
    pub fn new(keys: &Keyring) -> Sealer {
        Sealer { locks: Following::fixed(keys, Locks::new) }
    }

    /// A sealer of these keys, which were found with `given` in `directory`. When the key's file there is changed
    /// it takes the new ones, so that a key can be changed while others use it.
    pub fn following(given: Given, directory: &Path, keys: &Keyring) -> Sealer {
        Sealer { locks: Following::of(given, directory, keys, Locks::new) }
    }

    /// Seals a secret for one place, with a random nonce.
    pub fn seal(&self, place: &Place<'_>, secret: &Secret) -> Vec<u8> {
        self.locks().current.seal(place, secret, random::bytes())
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Secret, OpenError> {
        self.locks().open(place, sealed)
    }

    /// What this value becomes under the current key; `None` if it is under it already.
    ///
    /// # Errors
    /// [`OpenError`]: leave such a value as it is and tell somebody.
    pub fn reseal(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Option<Vec<u8>>, OpenError> {
        let locks = self.locks();
        let secret = locks.open(place, sealed)?;
        let is_current = Sealed::read(sealed)?.key_id == locks.current.key_id;
        Ok((!is_current).then(|| locks.current.seal(place, &secret, random::bytes())))
    }

    fn locks(&self) -> Arc<Locks> {
        self.locks.current()
    }
}

impl Locks {
    fn new(keys: &Keyring) -> Locks {
        let older = keys.all().skip(1).map(Lock::new).collect();
        Locks { current: Lock::new(keys.current()), older }
    }

    fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Secret, OpenError> {
        let sealed = Sealed::read(sealed)?;
        let mut locks = std::iter::once(&self.current).chain(&self.older);
        locks.find(|lock| lock.key_id == sealed.key_id).ok_or(OpenError::OtherKey)?.open(place, &sealed)
    }
}

/// A sealed value's parts.
struct Sealed<'a> {
    key_id: [u8; ID_LEN],
    nonce: [u8; NONCE],
    ciphertext: &'a [u8],
}

impl<'a> Sealed<'a> {
    fn read(sealed: &'a [u8]) -> Result<Sealed<'a>, OpenError> {
        let rest = sealed.strip_prefix(&[VERSION]).ok_or(OpenError::Malformed)?;
        let (key_id, rest) = rest.split_first_chunk().ok_or(OpenError::Malformed)?;
        let (nonce, ciphertext) = rest.split_first_chunk().ok_or(OpenError::Malformed)?;
        if ciphertext.len() < TAG {
            return Err(OpenError::Malformed);
        }
        Ok(Sealed { key_id: *key_id, nonce: *nonce, ciphertext })
    }
}

impl Lock {
    fn new(key: &Key) -> Lock {
        Lock { cipher: XChaCha20Poly1305::new(key.bytes().into()), key_id: key.id() }
    }

    #[expect(clippy::expect_used, reason = "sealing fails for values of 256 GiB only")]
    fn seal(&self, place: &Place<'_>, secret: &Secret, nonce: [u8; NONCE]) -> Vec<u8> {
        let bound = self.bound_to(place);
        let payload = Payload { msg: secret.expose().as_bytes(), aad: &bound };
        let ciphertext = self.cipher.encrypt(&nonce.into(), payload).expect("a secret is short");
        [&[VERSION][..], &self.key_id, &nonce, &ciphertext].concat()
    }

    fn open(&self, place: &Place<'_>, sealed: &Sealed<'_>) -> Result<Secret, OpenError> {
        let payload = Payload { msg: sealed.ciphertext, aad: &self.bound_to(place) };
        let plain = self.cipher.decrypt(&sealed.nonce.into(), payload).map_err(|_| OpenError::Altered)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    const PLACE: Place<'static> = Place { table: "targets", row: [7; 16], column: "secret" };

    fn sealer(key: u8) -> Sealer {
        Sealer::new(&Keyring::single(Key::from_random([key; 32])))
    }

    #[test]
    fn golden() {
        // Made by an implementation of its own: HChaCha20, ChaCha20 and Poly1305 in 60 lines of Python.
        let sealed = sealer(1).locks().current.seal(&PLACE, &Secret::new("hunter2"), [9; 24]);
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
    fn the_key_can_be_changed_under_the_values() {
        let directory = tempfile::tempdir().unwrap();
        let given = Given::default();
        let open = || Sealer::new(&Keyring::open(&given, directory.path()).unwrap());
        let (before, secret) = (open(), Secret::new("hunter2"));
        let sealed = before.seal(&PLACE, &secret);
        assert_eq!(before.reseal(&PLACE, &sealed), Ok(None));
        Keyring::rotate_file(&given, directory.path()).unwrap();
        let during = open();
        assert_eq!(during.open(&PLACE, &sealed).unwrap().expose(), "hunter2");
        let anew = during.reseal(&PLACE, &sealed).unwrap().unwrap();
        assert_eq!(during.reseal(&PLACE, &anew), Ok(None));
        assert_eq!(before.open(&PLACE, &anew).unwrap_err(), OpenError::OtherKey);
        // Neither a moved value nor an altered one is made good by a change.
        let elsewhere = Place { row: [8; 16], ..PLACE };
        assert_eq!(during.reseal(&elsewhere, &sealed), Err(OpenError::Altered));
        Keyring::retire_file(directory.path()).unwrap();
        assert_eq!(open().open(&PLACE, &anew).unwrap().expose(), "hunter2");
        assert_eq!(open().open(&PLACE, &sealed).unwrap_err(), OpenError::OtherKey);
    }

    #[test]
    fn a_running_sealer_follows_a_change() {
        let directory = tempfile::tempdir().unwrap();
        let keys = Keyring::from_file(directory.path()).unwrap();
        let running = Sealer::following(Given::default(), directory.path(), &keys);
        let secret = Secret::new("hunter2");
        let sealed = running.seal(&PLACE, &secret);
        Keyring::rotate_file(&Given::default(), directory.path()).unwrap();
        let anew = running.reseal(&PLACE, &sealed).unwrap().unwrap();
        Keyring::retire_file(directory.path()).unwrap();
        assert_eq!(running.open(&PLACE, &anew).unwrap().expose(), "hunter2");
        assert_eq!(running.open(&PLACE, &sealed).unwrap_err(), OpenError::OtherKey);
        // A file that cannot be used changes nothing.
        std::fs::write(directory.path().join(crate::key::FILE), "no key").unwrap();
        assert_eq!(running.open(&PLACE, &anew).unwrap().expose(), "hunter2");
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
