//! RSA keys of RA2: PKCS#1 v1.5 encryption, fingerprints, generation, and files.
//!
//! The arithmetic is `num-bigint`: not constant in time, and its intermediate values are not wiped.
//! Private operations are therefore blinded with fresh randomness, and a broken padding is answered
//! with random bytes instead of an error, so a peer cannot use us as an oracle.

use super::der;
use crate::handshake::PeerIdentity;
use crate::security::random::Random;
use crate::wire::Put;
use crate::{Misbehavior, limits};
use data_encoding::HEXLOWER;
use num_bigint::BigUint;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

/// Bits of the keys that we make.
const BITS: u32 = 2048;
/// The public exponent of the keys that we make.
const EXPONENT: u32 = 65_537;
/// Bits of the largest public exponent that we spend time on.
const EXPONENT_BITS: u64 = 64;

/// A peer's or our own public key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ra2PublicKey {
    bits: u32,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl Ra2PublicKey {
    /// Bytes of the modulus and of the exponent on the wire.
    pub(crate) fn size_of(bits: u32) -> Result<usize, Misbehavior> {
        if !(limits::RSA_BITS_MIN..=limits::RSA_BITS).contains(&bits) {
            return Err(Misbehavior::PublicKey);
        }
        usize::try_from(bits.div_ceil(8)).map_err(|_| Misbehavior::PublicKey)
    }

    /// Both numbers as on the wire. Refuses what is no RSA key or would cost too much.
    pub(crate) fn new(bits: u32, modulus: &[u8], exponent: &[u8]) -> Result<Self, Misbehavior> {
        let (n, e) = (BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(exponent));
        // TigerVNC names eight times the bytes, so the number itself may be up to seven bits shorter.
        let plausible = n.bits() <= u64::from(bits)
            && n.bits() + 8 > u64::from(bits)
            && n.bits() >= u64::from(limits::RSA_BITS_MIN)
            && n.bit(0)
            && e.bit(0)
            && e.bits() > 1
            && e.bits() <= EXPONENT_BITS;
        if !plausible {
            return Err(Misbehavior::PublicKey);
        }
        Ok(Ra2PublicKey { bits, modulus: modulus.to_vec(), exponent: exponent.to_vec() })
    }

    fn from_numbers(n: &BigUint, e: &BigUint) -> Result<Self, Misbehavior> {
        let bits = u32::try_from(n.bits()).map_err(|_| Misbehavior::PublicKey)?;
        let size = Self::size_of(bits)?;
        Self::new(bits, &padded(n, size), &padded(e, size))
    }

    /// Bytes of the modulus.
    pub fn size(&self) -> usize {
        self.modulus.len()
    }

    /// Bits, modulus and exponent as on the wire.
    pub fn wire(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 + 2 * self.size());
        bytes.put_u32(self.bits);
        bytes.put(&self.modulus);
        bytes.put(&self.exponent);
        bytes
    }

    /// What people compare and pins hold.
    pub fn identity(&self) -> PeerIdentity {
        let wire = self.wire();
        let short = Sha1::digest(&wire);
        let pairs: Vec<_> = short.iter().take(8).map(|b| format!("{b:02x}")).collect();
        PeerIdentity { sha256: HEXLOWER.encode(&Sha256::digest(&wire)), display: pairs.join("-") }
    }

    /// PKCS#1 v1.5, type 2. `message` must be eleven bytes shorter than the modulus or more.
    pub(crate) fn encrypt(&self, message: &[u8], random: &mut Random) -> Vec<u8> {
        let size = self.size();
        let padding = size.saturating_sub(message.len() + 3);
        let mut block = Zeroizing::new(Vec::with_capacity(size));
        block.put(&[0, 2]);
        while block.len() < padding + 2 {
            let wanted = padding + 2 - block.len();
            block.extend(random.bytes(wanted).into_iter().filter(|b| *b != 0));
        }
        block.put_u8(0);
        block.put(message);
        padded(&BigUint::from_bytes_be(&block).modpow(&self.e(), &self.n()), size)
    }

    fn n(&self) -> BigUint {
        BigUint::from_bytes_be(&self.modulus)
    }

    fn e(&self) -> BigUint {
        BigUint::from_bytes_be(&self.exponent)
    }
}

/// Our own RA2 key.
pub struct Ra2Key {
    public: Ra2PublicKey,
    p: Zeroizing<Vec<u8>>,
    q: Zeroizing<Vec<u8>>,
}

/// Why a key file was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Ra2KeyError {
    /// Neither PKCS#8 nor PKCS#1 in DER, or not an RSA key.
    #[error("the key is no RSA private key in DER (PKCS#8 or PKCS#1)")]
    Encoding,
    /// Under 1024 or over 4096 bits, or numbers that do not belong together.
    #[error("the key's numbers cannot be used; make one of 2048 bits")]
    Numbers,
}

impl Ra2Key {
    /// Makes a key of 2048 bits. Takes up to seconds. The seed must come from the system's generator.
    pub fn generate(seed: [u8; 32]) -> Ra2Key {
        Self::generate_bits(seed, BITS)
    }

    pub(crate) fn generate_bits(seed: [u8; 32], bits: u32) -> Ra2Key {
        let mut random = Random::new(seed);
        loop {
            let p = prime(bits / 2, &mut random);
            let q = prime(bits / 2, &mut random);
            if let Ok(key) = Ra2Key::from_primes(&p, &q, &BigUint::from(EXPONENT)) {
                return key;
            }
        }
    }

    /// Reads PKCS#8 or PKCS#1 in DER, for example `openssl genpkey -algorithm rsa -outform der`.
    pub fn from_der(bytes: &[u8]) -> Result<Ra2Key, Ra2KeyError> {
        let numbers = der::read_private_key(bytes).ok_or(Ra2KeyError::Encoding)?;
        let [n, e, d, p, q] = numbers.map(BigUint::from_bytes_be);
        let one = BigUint::from(1u8);
        let inverse = |prime: &BigUint| *prime > one && &d * &e % (prime - &one) == one;
        if &p * &q != n || !inverse(&p) || !inverse(&q) {
            return Err(Ra2KeyError::Numbers);
        }
        Ra2Key::from_primes(&p, &q, &e)
    }

    /// PKCS#8 in DER, for a file that nobody else may read.
    pub fn to_der(&self) -> Zeroizing<Vec<u8>> {
        let (p, q) = self.primes();
        let one = BigUint::from(1u8);
        let (p1, q1) = (&p - &one, &q - &one);
        let d = self.public.e().modinv(&(&p1 * &q1)).unwrap_or_default();
        let (dp, dq) = (&d % &p1, &d % &q1);
        let inverse = q.modinv(&p).unwrap_or_default();
        let numbers = [self.public.n(), self.public.e(), d, p, q, dp, dq, inverse];
        der::write_private_key(&numbers.map(|n| Zeroizing::new(n.to_bytes_be())))
    }

    /// What we show to peers.
    pub fn public(&self) -> &Ra2PublicKey {
        &self.public
    }

    fn from_primes(p: &BigUint, q: &BigUint, e: &BigUint) -> Result<Ra2Key, Ra2KeyError> {
        let public = Ra2PublicKey::from_numbers(&(p * q), e).map_err(|_| Ra2KeyError::Numbers)?;
        let one = BigUint::from(1u8);
        let sane = p != q && *p > one && *q > one && q.modinv(p).is_some();
        if !sane || e.modinv(&((p - &one) * (q - &one))).is_none() {
            return Err(Ra2KeyError::Numbers);
        }
        let [p, q] = [p, q].map(|n| Zeroizing::new(n.to_bytes_be()));
        Ok(Ra2Key { public, p, q })
    }

    fn primes(&self) -> (BigUint, BigUint) {
        (BigUint::from_bytes_be(&self.p), BigUint::from_bytes_be(&self.q))
    }

    /// The `length` bytes inside a PKCS#1 v1.5 block; random ones if the block is broken, which the
    /// peer notices only as keys that do not fit.
    pub(crate) fn decrypt(&self, encrypted: &[u8], length: usize, random: &mut Random) -> Zeroizing<Vec<u8>> {
        let size = self.public.size();
        let block = Zeroizing::new(padded(&self.private(&BigUint::from_bytes_be(encrypted), random), size));
        let decoy = Zeroizing::new(random.bytes(length));
        let Some((head, message)) = block.split_at_checked(size.saturating_sub(length)) else { return decoy };
        let mut good = Choice::from(u8::from(head.len() >= 11));
        let last = head.len().saturating_sub(1);
        for (i, byte) in head.iter().enumerate() {
            let zero = byte.ct_eq(&0);
            good &= match i {
                0 => zero,
                1 => byte.ct_eq(&2),
                i if i == last => zero,
                _ => !zero,
            };
        }
        let chosen = decoy.iter().zip(message).map(|(decoy, byte)| u8::conditional_select(decoy, byte, good));
        Zeroizing::new(chosen.collect())
    }

    /// c^d mod n by the Chinese remainders, blinded and checked against computation faults.
    fn private(&self, c: &BigUint, random: &mut Random) -> BigUint {
        let (p, q) = self.primes();
        let (n, e, one) = (self.public.n(), self.public.e(), BigUint::from(1u8));
        let (blind, unblind) = loop {
            let blind = BigUint::from_bytes_be(&Zeroizing::new(random.bytes(self.public.size()))) % &n;
            if let Some(unblind) = blind.modinv(&n) {
                break (blind, unblind);
            }
        };
        let blinded = c * blind.modpow(&e, &n) % &n;
        let root = |prime: &BigUint| {
            let order = prime - &one;
            e.modinv(&order).map(|d| blinded.modpow(&d, prime))
        };
        let (Some(mp), Some(mq), Some(inverse)) = (root(&p), root(&q), q.modinv(&p)) else {
            return BigUint::default();
        };
        let h = (mp + &p - &mq % &p) * inverse % &p;
        let m = mq + h * &q;
        if m.modpow(&e, &n) != blinded {
            return BigUint::default();
        }
        m * unblind % n
    }
}

impl std::fmt::Debug for Ra2Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ra2Key({})", self.public.identity().display)
    }
}

/// Big-endian, with zeros in front.
pub(crate) fn padded(number: &BigUint, size: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let mut out = vec![0; size.saturating_sub(bytes.len())];
    out.put(&bytes);
    out
}

/// A prime with its two highest bits set, so that two of them make a modulus of full length.
fn prime(bits: u32, random: &mut Random) -> BigUint {
    let small: Vec<u32> =
        (3u32..2000).step_by(2).filter(|n| (3..*n).step_by(2).all(|d| n % d != 0)).collect();
    let bytes = usize::try_from(bits.div_ceil(8)).unwrap_or(0);
    loop {
        let mut candidate = BigUint::from_bytes_be(&Zeroizing::new(random.bytes(bytes)));
        for bit in 0..2 {
            candidate.set_bit(u64::from(bits) - 1 - bit, true);
        }
        candidate.set_bit(0, true);
        let divided = small.iter().any(|d| (&candidate % *d) == BigUint::default());
        let fits = (&candidate - 1u8) % EXPONENT != BigUint::default();
        if !divided && fits && is_probably_prime(&candidate, random) {
            return candidate;
        }
    }
}

/// Miller and Rabin. Twenty rounds on random candidates are far beyond what FIPS 186 asks for.
fn is_probably_prime(n: &BigUint, random: &mut Random) -> bool {
    let one = BigUint::from(1u8);
    let order = n - &one;
    let twos = order.trailing_zeros().unwrap_or(0);
    let odd = &order >> twos;
    let size = n.to_bytes_be().len();
    (0..20).all(|_| {
        let base = BigUint::from_bytes_be(&random.bytes(size)) % (n - 3u8) + 2u8;
        let mut x = base.modpow(&odd, n);
        if x == one || x == order {
            return true;
        }
        (1..twos).any(|_| {
            x = &x * &x % n;
            x == order
        })
    })
}
