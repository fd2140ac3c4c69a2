//! Signatures under the audit log's heads: Ed25519, by a key that is made once in the data directory.
//!
//! A head says how far the log reached at a moment and with what hash. Kept elsewhere, it shows later that the log was
//! cut or written anew. The signature shows that this installation made it; the public key travels with it and says
//! nothing by itself: whoever verifies compares it with the one that was written down when Gatehouse was set up.

use crate::key::{self, Key, KeyError};
use crate::random;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use data_encoding::HEXLOWER;
use model::Coded;
use model::audit::{Position, head_message};
use std::path::Path;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The private key's file in the data directory.
pub const FILE: &str = "audit.key";
/// Bytes of a [`Signature`].
pub const SIGNATURE_LEN: usize = 1 + 32 + 64;

const VERSION: u8 = 1;

/// Signs heads. `Debug` shows the public key alone.
pub struct HeadKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl std::fmt::Debug for HeadKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("HeadKey").field(&self.public).finish()
    }
}

/// What heads are verified with. As text: 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl std::str::FromStr for PublicKey {
    type Err = HeadError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes());
        let bytes = bytes.ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(PublicKey).ok_or(HeadError::Malformed)
    }
}

/// A signature with the public key beside it: `1 | public key (32) | Ed25519 (64)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signature {
    /// Whose it claims to be.
    pub key: PublicKey,
    bytes: [u8; 64],
}

/// Why a head proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// It is not a signature or not a key.
    #[error("the head's signature cannot be read; was it copied whole?")]
    Malformed,
    /// Another installation signed it, or somebody else.
    #[error("the head was signed with another key than the one expected")]
    OtherKey,
    /// The signature is not of this head.
    #[error("the head's signature does not belong to it: it was altered")]
    Forged,
}

impl Coded for HeadError {
    fn code(&self) -> &'static str {
        match self {
            HeadError::Malformed => "audit.head_malformed",
            HeadError::OtherKey => "audit.head_other_key",
            HeadError::Forged => "audit.head_forged",
        }
    }
}

impl HeadKey {
    /// The key of this data directory; made if absent, readable by its owner alone.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn in_directory(directory: &Path) -> Result<HeadKey, KeyError> {
        let path = directory.join(FILE);
        let seed = match key::read_private(&path)? {
            Some(text) => Zeroizing::new(text),
            None => {
                let seed = Zeroizing::new(random::bytes::<32>());
                let line = Zeroizing::new(format!("{}\n", Zeroizing::new(HEXLOWER.encode(&*seed)).as_str()));
                key::put_new(directory, FILE, &line)
                    .map_err(|source| KeyError::Io { path: path.clone(), source })?;
                // Of two first runs at once the first one's key stays: read what is there.
                Zeroizing::new(key::read_private(&path)?.unwrap_or_default())
            }
        };
        let seed = HEXLOWER.decode(seed.trim_ascii()).map(Zeroizing::new).ok();
        let seed: Option<[u8; 32]> = seed.and_then(|seed| seed.as_slice().try_into().ok());
        let seed = seed.map(Zeroizing::new).map(|seed| Key::from_random(*seed));
        HeadKey::from_seed(&seed.ok_or(KeyError::Malformed { path })?)
    }

    /// The key of a seed.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if it makes no key.
    fn from_seed(seed: &Key) -> Result<HeadKey, KeyError> {
        let malformed = || KeyError::Malformed { path: FILE.into() };
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.bytes()).map_err(|_| malformed())?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| malformed())?;
        Ok(HeadKey { pair, public: PublicKey(public) })
    }

    /// What its heads are verified with: to be written down elsewhere.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a head that was reached at `at`, in microseconds since 1970 (UTC).
    pub fn sign(&self, head: Position, at: i64) -> Signature {
        let signed = self.pair.sign(&head_message(head, at));
        let mut bytes = [0; 64];
        bytes.iter_mut().zip(signed.as_ref()).for_each(|(to, from)| *to = *from);
        Signature { key: self.public, bytes }
    }
}

impl Signature {
    /// Reads what [`Signature::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`HeadError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Signature, HeadError> {
        let rest = bytes.strip_prefix(&[VERSION]).ok_or(HeadError::Malformed)?;
        let (key, rest) = rest.split_first_chunk().ok_or(HeadError::Malformed)?;
        let bytes = rest.try_into().map_err(|_| HeadError::Malformed)?;
        Ok(Signature { key: PublicKey(*key), bytes })
    }

    /// For a database column and for files.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&[VERSION][..], &self.key.0, &self.bytes].concat()
    }

    /// Whether the holder of the `expected` key signed this head.
    ///
    /// # Errors
    /// [`HeadError::OtherKey`] and [`HeadError::Forged`].
    pub fn verify(&self, expected: &PublicKey, head: Position, at: i64) -> Result<(), HeadError> {
        if !bool::from(self.key.0.ct_eq(&expected.0)) {
            return Err(HeadError::OtherKey);
        }
        let key = UnparsedPublicKey::new(&ED25519, expected.0);
        key.verify(&head_message(head, at), &self.bytes).map_err(|_| HeadError::Forged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const HEAD: Position = Position { seq: 7, hash: [5; 32] };

    fn signer(seed: u8) -> HeadKey {
        HeadKey::from_seed(&Key::from_random([seed; 32])).unwrap()
    }

    #[test]
    fn golden() {
        // openssl pkeyutl -sign -rawin with the Ed25519 key of 32 bytes of 3, over `gatehouse audit head 1`, a zero,
        // 7 in 8 bytes, 9 in 8 bytes and 32 bytes of 5.
        let signature = signer(3).sign(HEAD, 9);
        assert_eq!(HEXLOWER.encode(&signature.to_bytes()), GOLDEN);
    }
    const GOLDEN: &str = "01ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1603db679a6e55178ba86c6b15bf4d37ea908ef0c37c3388728695ebab70d7217030de56925bf784ad2a1d293d48d5e25b12dbafed28d276c43da67a368234b03";

    #[test]
    fn a_signature_is_of_one_head_and_one_key() {
        let key = signer(3);
        let signature = key.sign(HEAD, 9);
        let again = Signature::from_bytes(&signature.to_bytes()).unwrap();
        assert_eq!(again.verify(&key.public(), HEAD, 9), Ok(()));
        assert_eq!(again.verify(&signer(4).public(), HEAD, 9), Err(HeadError::OtherKey));
        for (head, at) in [
            (Position { seq: 8, ..HEAD }, 9),
            (Position { hash: [6; 32], ..HEAD }, 9),
            (HEAD, 10),
            (HEAD, -9),
        ] {
            assert_eq!(again.verify(&key.public(), head, at), Err(HeadError::Forged));
        }
        // Another's signature under our key's name.
        let foreign = Signature { key: key.public(), ..signer(4).sign(HEAD, 9) };
        assert_eq!(foreign.verify(&key.public(), HEAD, 9), Err(HeadError::Forged));
    }

    #[test]
    fn no_altered_signature_is_good() {
        let key = signer(3);
        let bytes = key.sign(HEAD, 9).to_bytes();
        assert_eq!(bytes.len(), SIGNATURE_LEN);
        for n in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[n] ^= 1;
            let judged = Signature::from_bytes(&altered).and_then(|s| s.verify(&key.public(), HEAD, 9));
            assert!(judged.is_err(), "byte {n}");
            assert_eq!(Signature::from_bytes(&bytes[..n]), Err(HeadError::Malformed));
        }
        assert_eq!(Signature::from_bytes(&[bytes, vec![0]].concat()), Err(HeadError::Malformed));
    }

    #[test]
    fn a_directory_keeps_its_key() {
        let directory = tempfile::tempdir().unwrap();
        let key = HeadKey::in_directory(directory.path()).unwrap();
        assert_eq!(HeadKey::in_directory(directory.path()).unwrap().public(), key.public());
        assert_eq!(key.public().to_string().parse(), Ok(key.public()));
        assert_eq!("abc".parse::<PublicKey>(), Err(HeadError::Malformed));
        let path = directory.path().join(FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let private = std::fs::read_to_string(&path).unwrap();
        assert!(!format!("{key:?}").contains(private.trim()));
        std::fs::write(&path, "no key").unwrap();
        assert_eq!(HeadKey::in_directory(directory.path()).unwrap_err().code(), "seal.key_malformed");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(HeadKey::in_directory(directory.path()).unwrap_err().code(), "seal.key_exposed");
    }
}
