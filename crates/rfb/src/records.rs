//! RA2's records: AES in EAX mode around every chunk of a connection.
//!
//! A record is the plaintext's length (U16, authenticated but not encrypted), the ciphertext and a
//! tag of sixteen bytes. The nonce is a counter of sixteen bytes, least significant first, that
//! starts at zero in each direction. EAX is OMAC (three tweaks of CMAC) around CTR.
//!
//! The codec is pure and strict: a record is opened whole or not at all, and after a forged one
//! nothing more can be read.

use crate::wire::{Put, Reader};
use crate::{Misbehavior, limits};
use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

const BLOCK: usize = 16;
/// Bytes of a record besides its plaintext.
pub const OVERHEAD: usize = 2 + BLOCK;
/// The most plaintext that we put into one record; TigerVNC's writer does the same.
pub const CHUNK: usize = 8192;

/// A session key of one direction.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Key(Vec<u8>);

impl Key {
    /// Sixteen bytes (AES-128) or thirty-two (AES-256); `None` for any other length.
    pub fn new(bytes: &[u8]) -> Option<Key> {
        matches!(bytes.len(), 16 | 32).then(|| Key(bytes.to_vec()))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Both directions' keys, as one side sees them.
#[derive(Clone, Debug)]
pub struct RecordKeys {
    /// Of what this side writes.
    pub write: Key,
    /// Of what this side reads.
    pub read: Key,
}

/// Wraps what this side writes.
pub struct Sealer(Eax);

impl Sealer {
    /// Starts the counter at zero.
    pub fn new(key: &Key) -> Self {
        Sealer(Eax::new(key))
    }

    /// Appends the records that carry `plaintext` (none for an empty one).
    pub fn seal(&mut self, plaintext: &[u8], out: &mut Vec<u8>) {
        out.reserve(plaintext.len() + plaintext.len().div_ceil(CHUNK) * OVERHEAD);
        for chunk in plaintext.chunks(CHUNK) {
            let length = u16::try_from(chunk.len()).unwrap_or(u16::MAX).to_be_bytes();
            let nonce = self.0.next_nonce();
            out.put(&length);
            let body = out.len();
            out.put(chunk);
            let ciphertext = out.get_mut(body..).unwrap_or_default();
            self.0.ctr(nonce, ciphertext);
            let tag = self.0.tag(nonce, &length, ciphertext);
            out.put(&tag);
        }
    }
}

/// Unwraps what this side reads.
pub struct Opener {
    eax: Eax,
    broken: bool,
}

impl Opener {
    /// The most bytes that a shell has to hold until a record is complete.
    pub const MAX_HELD: usize = limits::RECORD + OVERHEAD;

    /// Starts the counter at zero.
    pub fn new(key: &Key) -> Self {
        Opener { eax: Eax::new(key), broken: false }
    }

    /// Opens the record at the start of `input` and appends its plaintext: the bytes of `input` used,
    /// zero while the record is not complete. One record at a time, because what follows a record may
    /// be in clear again.
    pub fn open(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, Misbehavior> {
        if self.broken {
            return Err(Misbehavior::RecordForged);
        }
        let mut r = Reader::new(input);
        let Some(length) = r.array::<2>() else { return Ok(0) };
        let (Some(ciphertext), Some(tag)) =
            (r.take(usize::from(u16::from_be_bytes(length))), r.array::<BLOCK>())
        else {
            return Ok(0);
        };
        let nonce = self.eax.next_nonce();
        if !bool::from(self.eax.tag(nonce, &length, ciphertext).ct_eq(&tag)) {
            self.broken = true;
            return Err(Misbehavior::RecordForged);
        }
        let body = out.len();
        out.put(ciphertext);
        self.eax.ctr(nonce, out.get_mut(body..).unwrap_or_default());
        Ok(r.taken())
    }
}

/// One direction of EAX [Bellare, Rogaway, Wagner 2004].
struct Eax {
    cipher: Cipher,
    /// CMAC's two subkeys.
    whole: [u8; BLOCK],
    partial: [u8; BLOCK],
    counter: u128,
}

enum Cipher {
    Aes128(Box<Aes128>),
    Aes256(Box<Aes256>),
}

impl Cipher {
    fn new(key: &Key) -> Cipher {
        match <[u8; 32]>::try_from(key.0.as_slice()) {
            Ok(key) => Cipher::Aes256(Box::new(Aes256::new(&key.into()))),
            Err(_) => {
                let mut short = [0u8; 16];
                short.iter_mut().zip(&key.0).for_each(|(s, k)| *s = *k);
                Cipher::Aes128(Box::new(Aes128::new(&short.into())))
            }
        }
    }

    fn block(&self, block: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block: Block<Aes128> = block.into();
        match self {
            Cipher::Aes128(aes) => aes.encrypt_block(&mut block),
            Cipher::Aes256(aes) => aes.encrypt_block(&mut block),
        }
        block.into()
    }

    fn blocks(&self, blocks: &mut [Block<Aes128>]) {
        match self {
            Cipher::Aes128(aes) => aes.encrypt_blocks(blocks),
            Cipher::Aes256(aes) => aes.encrypt_blocks(blocks),
        }
    }
}

impl Eax {
    fn new(key: &Key) -> Eax {
        let cipher = Cipher::new(key);
        let whole = double(cipher.block([0; BLOCK]));
        Eax { cipher, whole, partial: double(whole), counter: 0 }
    }

    fn next_nonce(&mut self) -> [u8; BLOCK] {
        let nonce = self.counter.to_le_bytes();
        self.counter = self.counter.wrapping_add(1);
        nonce
    }

    fn tag(&self, nonce: [u8; BLOCK], header: &[u8], ciphertext: &[u8]) -> [u8; BLOCK] {
        let parts = [self.omac(0, &nonce), self.omac(1, header), self.omac(2, ciphertext)];
        parts.into_iter().fold([0; BLOCK], xor)
    }

    /// CMAC of `data` behind a block that holds `tweak`.
    fn omac(&self, tweak: u8, data: &[u8]) -> [u8; BLOCK] {
        let mut first = [0; BLOCK];
        if let Some(last) = first.last_mut() {
            *last = tweak;
        }
        if data.is_empty() {
            return self.cipher.block(xor(first, self.whole));
        }
        let mut state = self.cipher.block(first);
        let (blocks, rest) = data.as_chunks::<BLOCK>();
        let (last, full) = match blocks.split_last() {
            Some((last, before)) if rest.is_empty() => (xor(*last, self.whole), before),
            _ => (xor(pad(rest), self.partial), blocks),
        };
        for block in full {
            state = self.cipher.block(xor(state, *block));
        }
        self.cipher.block(xor(state, last))
    }

    /// Encrypts or decrypts in place.
    fn ctr(&self, nonce: [u8; BLOCK], data: &mut [u8]) {
        const AT_ONCE: usize = 8;
        let mut counter = u128::from_be_bytes(self.omac(0, &nonce));
        for stretch in data.chunks_mut(AT_ONCE * BLOCK) {
            let mut stream: [Block<Aes128>; AT_ONCE] = std::array::from_fn(|_| {
                let block = counter.to_be_bytes();
                counter = counter.wrapping_add(1);
                block.into()
            });
            self.cipher.blocks(&mut stream);
            for (byte, key) in stretch.iter_mut().zip(stream.iter().flatten()) {
                *byte ^= key;
            }
        }
    }
}

/// Multiplies by x in GF(2^128).
fn double(block: [u8; BLOCK]) -> [u8; BLOCK] {
    let value = u128::from_be_bytes(block);
    let carry = if value >> 127 == 1 { 0x87 } else { 0 };
    ((value << 1) ^ carry).to_be_bytes()
}

fn xor(a: [u8; BLOCK], b: [u8; BLOCK]) -> [u8; BLOCK] {
    (u128::from_ne_bytes(a) ^ u128::from_ne_bytes(b)).to_ne_bytes()
}

fn pad(rest: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    for (slot, byte) in block.iter_mut().zip(rest.iter().chain(&[0x80])) {
        *slot = *byte;
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(text: &str) -> Vec<u8> {
        data_encoding::HEXLOWER_PERMISSIVE.decode(text.replace(' ', "").as_bytes()).unwrap()
    }

    /// Vectors of the EAX paper (appendix G): key, nonce, header, message, ciphertext and tag.
    #[test]
    fn vectors_of_the_paper() {
        for (key, nonce, header, message, sealed) in [
            (
                "233952DEE4D5ED5F9B9C6D6FF80FF478",
                "62EC67F9C3A4A407FCB2A8C49031A8B3",
                "6BFB914FD07EAE6B",
                "",
                "E037830E8389F27B025A2D6527E79D01",
            ),
            (
                "91945D3F4DCBEE0BF45EF52255F095A4",
                "BECAF043B0A23D843194BA972C66DEBD",
                "FA3BFD4806EB53FA",
                "F7FB",
                "19DD5C4C9331049D0BDAB0277408F67967E5",
            ),
            (
                "8395FCF1E95BEBD697BD010BC766AAC3",
                "22E7ADD93CFC6393C57EC0B3C17D6B44",
                "126735FCC320D25A",
                "CA40D7446E545FFAED3BD12A740A659FFBBB3CEAB7",
                "CB8920F87A6C75CFF39627B56E3ED197C552D295A7CFC46AFC253B4652B1AF3795B124AB6E",
            ),
        ] {
            let eax = Eax::new(&Key::new(&hex(key)).unwrap());
            let nonce: [u8; 16] = hex(nonce).try_into().unwrap();
            let mut data = hex(message);
            eax.ctr(nonce, &mut data);
            let tag = eax.tag(nonce, &hex(header), &data);
            data.extend_from_slice(&tag);
            assert_eq!(data, hex(sealed));
        }
    }

    fn keys() -> impl Strategy<Value = Key> {
        prop_oneof![Just(16usize), Just(32)]
            .prop_flat_map(|n| proptest::collection::vec(any::<u8>(), n))
            .prop_map(|bytes| Key::new(&bytes).unwrap())
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(key in keys(), texts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20_000), 1..4)) {
            let (mut sealer, mut opener) = (Sealer::new(&key), Opener::new(&key));
            let (mut wire, mut back) = (Vec::new(), Vec::new());
            for text in &texts {
                sealer.seal(text, &mut wire);
            }
            let mut at = 0;
            while at < wire.len() {
                let used = opener.open(&wire[at..], &mut back).unwrap();
                prop_assert!(used > 0);
                at += used;
            }
            prop_assert_eq!(back, texts.concat());
        }

        #[test]
        fn a_flipped_bit_is_forged(key in keys(), text in proptest::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>(), bit in 0u32..8) {
            let (mut wire, mut out) = (Vec::new(), Vec::new());
            Sealer::new(&key).seal(&text, &mut wire);
            let i = at.index(wire.len());
            wire[i] ^= 1 << bit;
            let mut opener = Opener::new(&key);
            // A larger length waits for bytes that are not there; everything else is found out.
            match opener.open(&wire, &mut out) {
                Ok(used) => prop_assert!(used == 0 && i < 2),
                Err(e) => {
                    prop_assert_eq!(e, Misbehavior::RecordForged);
                    prop_assert_eq!(opener.open(&wire, &mut out), Err(Misbehavior::RecordForged));
                }
            }
            prop_assert!(out.is_empty());
        }

        #[test]
        fn every_prefix_waits(key in keys(), text in proptest::collection::vec(any::<u8>(), 1..200)) {
            let (mut wire, mut out) = (Vec::new(), Vec::new());
            Sealer::new(&key).seal(&text, &mut wire);
            let mut opener = Opener::new(&key);
            for n in 0..wire.len() {
                prop_assert_eq!(opener.open(&wire[..n], &mut out), Ok(0));
            }
            prop_assert_eq!(opener.open(&wire, &mut out), Ok(wire.len()));
        }
    }

    /// The order of records counts: the second one does not open as the first.
    #[test]
    fn a_replayed_record_is_forged() {
        let key = Key::new(&[1; 16]).unwrap();
        let (mut wire, mut out) = (Vec::new(), Vec::new());
        Sealer::new(&key).seal(b"once", &mut wire);
        let mut opener = Opener::new(&key);
        assert_eq!(opener.open(&wire, &mut out), Ok(wire.len()));
        assert_eq!(opener.open(&wire, &mut out), Err(Misbehavior::RecordForged));
    }
}
