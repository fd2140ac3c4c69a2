//! RA2, RA2ne, RA2_256 and RA2ne_256: RSA keys on both sides, random numbers encrypted with them,
//! then records under keys that only both could compute.
//!
//! | step | who | bytes |
//! | --- | --- | --- |
//! | key | server | U32 bits, modulus, exponent (both as long as the modulus) |
//! | key, random | client | the same; U16 length, 16 or 32 random bytes under the server's key |
//! | random | server | U16 length, 16 or 32 random bytes under the client's key |
//! | hash | both | in a record: SHA of own key and other's key |
//! | subtype | server | in a record: 1 name and password, 2 password |
//! | credentials | client | in a record: U8 length, name, U8 length, password |
//!
//! RA2 and RA2_256 stay in records; the `ne` kinds go back to clear behind the credentials.

pub(crate) mod client;
mod der;
mod key;
pub(crate) mod server;

pub(crate) use key::padded;
pub use key::{Ra2Key, Ra2KeyError, Ra2PublicKey};

use crate::Misbehavior;
use crate::records::{Key, RecordKeys};
use crate::wire::{Put, Reader};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The four kinds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Kind {
    Ra2,
    Ra2ne,
    Ra2_256,
    Ra2ne256,
}

impl Kind {
    /// Bytes of a random number and of a session key.
    fn key_bytes(self) -> usize {
        if self.is_256() { 32 } else { 16 }
    }

    /// Whether the session itself stays in records.
    fn encrypts_session(self) -> bool {
        matches!(self, Kind::Ra2 | Kind::Ra2_256)
    }

    fn is_256(self) -> bool {
        matches!(self, Kind::Ra2_256 | Kind::Ra2ne256)
    }

    fn digest(self, parts: [&[u8]; 2]) -> Vec<u8> {
        let [first, second] = parts;
        if self.is_256() {
            Sha256::new().chain_update(first).chain_update(second).finalize().to_vec()
        } else {
            Sha1::new().chain_update(first).chain_update(second).finalize().to_vec()
        }
    }

    /// The session key of the direction whose reader drew `reader` and whose writer drew `writer`.
    fn session_key(self, reader: &[u8], writer: &[u8]) -> Result<Key, Misbehavior> {
        let digest = zeroize::Zeroizing::new(self.digest([reader, writer]));
        digest.get(..self.key_bytes()).and_then(Key::new).ok_or(Misbehavior::SecurityExchange)
    }

    /// Both keys as the side sees them that drew `own`.
    fn record_keys(self, own: &[u8], others: &[u8]) -> Result<RecordKeys, Misbehavior> {
        Ok(RecordKeys { write: self.session_key(others, own)?, read: self.session_key(own, others)? })
    }

    /// What the side with the key `own` sends to prove that it saw the same keys.
    fn hash(self, own: &Ra2PublicKey, others: &Ra2PublicKey) -> Vec<u8> {
        self.digest([&own.wire(), &others.wire()])
    }

    /// Takes the hash of the side with the key `theirs`: false while it is not whole.
    fn take_hash(
        self,
        reader: &mut Reader<'_>,
        theirs: &Ra2PublicKey,
        ours: &Ra2PublicKey,
    ) -> Result<bool, Misbehavior> {
        let expected = self.hash(theirs, ours);
        let Some(hash) = reader.take(expected.len()) else { return Ok(false) };
        if bool::from(hash.ct_eq(&expected)) { Ok(true) } else { Err(Misbehavior::SecurityExchange) }
    }
}

/// A public key: nothing is taken while bytes are missing.
fn take_key(reader: &mut Reader<'_>) -> Result<Option<Ra2PublicKey>, Misbehavior> {
    let mut probe = *reader;
    let Some(bits) = probe.u32() else { return Ok(None) };
    let size = Ra2PublicKey::size_of(bits)?;
    let (Some(modulus), Some(exponent)) = (probe.take(size), probe.take(size)) else { return Ok(None) };
    *reader = probe;
    Ra2PublicKey::new(bits, modulus, exponent).map(Some)
}

/// A random number under a key of `size` bytes.
fn take_random<'a>(reader: &mut Reader<'a>, size: usize) -> Result<Option<&'a [u8]>, Misbehavior> {
    let mut probe = *reader;
    let Some(length) = probe.u16() else { return Ok(None) };
    if usize::from(length) != size {
        return Err(Misbehavior::SecurityExchange);
    }
    let Some(bytes) = probe.take(size) else { return Ok(None) };
    *reader = probe;
    Ok(Some(bytes))
}

fn put_random(encrypted: &[u8], out: &mut Vec<u8>) {
    out.put_u16(u16::try_from(encrypted.len()).unwrap_or(0));
    out.put(encrypted);
}

#[cfg(test)]
mod tests;
