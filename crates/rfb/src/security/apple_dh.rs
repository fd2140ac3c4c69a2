//! Apple Remote Desktop's Diffie-Hellman (30): macOS's login by name and password.
//!
//! The server sends U16 generator, U16 key bytes, prime and public key. The client answers with 128
//! bytes (name and password in 64 each, closed by a zero, the rest random) under AES-128-ECB with
//! the MD5 of the shared secret as key, and its own public key. The session stays in clear.

use super::job::Output;
use super::ra2::padded;
use super::random::Random;
use super::{Answer, Exchange, Turn, credentials, fits};
use crate::handshake::{HandshakeError, Job, SecretKind, Step};
use crate::wire::{Put, Reader};
use crate::{Misbehavior, limits};
use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use md5::{Digest, Md5};
use model::Secret;
use num_bigint::BigUint;
use zeroize::Zeroizing;

/// Bytes of each text's field, the closing zero included.
const FIELD: usize = 64;

/// What the server sent.
#[derive(Clone)]
struct Parameters {
    generator: u16,
    prime: BigUint,
    public: BigUint,
    size: usize,
}

/// The client's side.
pub(crate) struct Client {
    random: Random,
    state: State,
}

enum State {
    Parameters,
    Secret(Parameters),
    SecretAsked(Parameters),
    Compute(Parameters, String, Secret),
    Computing,
    Send(Zeroizing<Vec<u8>>),
    Over,
}

impl Client {
    pub(crate) fn new(random: &mut Random) -> Self {
        Client { random: random.fork(), state: State::Parameters }
    }
}

impl Exchange for Client {
    fn poll(&mut self) -> Result<Turn, HandshakeError> {
        let (step, next) = match std::mem::replace(&mut self.state, State::Over) {
            State::Parameters => (Step::NeedBytes, State::Parameters),
            State::Secret(parameters) => {
                (Step::NeedSecret(SecretKind::UserAndPassword), State::SecretAsked(parameters))
            }
            State::Compute(parameters, name, password) => {
                let mut random = self.random.fork();
                let work = move || Output::Bytes(respond(&parameters, &name, &password, &mut random));
                (Step::Compute(Job::new("answer Apple's Diffie-Hellman", work)), State::Computing)
            }
            State::Send(bytes) => (Step::Send(bytes.to_vec()), State::Over),
            State::Over => return Ok(Turn::Over),
            State::SecretAsked(_) | State::Computing => return Err(HandshakeError::Misuse),
        };
        self.state = next;
        Ok(Turn::Step(step))
    }

    fn bytes(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        if let Some(parameters) = take_parameters(reader)? {
            self.state = State::Secret(parameters);
        }
        Ok(())
    }

    fn answer(&mut self, answer: Answer) -> Result<(), HandshakeError> {
        self.state = match (std::mem::replace(&mut self.state, State::Over), answer) {
            (State::SecretAsked(parameters), Answer::Secret(given)) => {
                let (name, password) = credentials(SecretKind::UserAndPassword, given)?;
                fits(&name, FIELD - 1, "user name")?;
                fits(password.expose(), FIELD - 1, "password")?;
                State::Compute(parameters, name, password)
            }
            (State::Computing, Answer::Computed(output)) => State::Send(output.bytes()?),
            _ => return Err(HandshakeError::Misuse),
        };
        Ok(())
    }
}

fn take_parameters(reader: &mut Reader<'_>) -> Result<Option<Parameters>, Misbehavior> {
    let mut probe = *reader;
    let (Some(generator), Some(size)) = (probe.u16(), probe.u16().map(usize::from)) else { return Ok(None) };
    if !(limits::DH_BYTES_MIN..=limits::DH_BYTES).contains(&size) {
        return Err(Misbehavior::PublicKey);
    }
    let (Some(prime), Some(public)) = (probe.take(size), probe.take(size)) else { return Ok(None) };
    let (prime, public) = (BigUint::from_bytes_be(prime), BigUint::from_bytes_be(public));
    // A prime of few bits, or a public key of a tiny group, would give the password away.
    let one = BigUint::from(1u8);
    let full = usize::try_from(prime.bits()).is_ok_and(|bits| bits + 8 > size * 8);
    if !full || !prime.bit(0) || generator < 2 || public <= one || public >= &prime - &one {
        return Err(Misbehavior::PublicKey);
    }
    *reader = probe;
    Ok(Some(Parameters { generator, prime, public, size }))
}

fn respond(
    parameters: &Parameters,
    name: &str,
    password: &Secret,
    random: &mut Random,
) -> Zeroizing<Vec<u8>> {
    let private = Zeroizing::new(random.bytes(parameters.size));
    let padding = random.array::<{ 2 * FIELD }>();
    respond_with(parameters, name, password, &private, padding)
}

fn respond_with(
    parameters: &Parameters,
    name: &str,
    password: &Secret,
    private: &[u8],
    padding: [u8; 2 * FIELD],
) -> Zeroizing<Vec<u8>> {
    let Parameters { generator, prime, public, size } = parameters;
    let exponent = BigUint::from_bytes_be(private);
    let shared = Zeroizing::new(padded(&public.modpow(&exponent, prime), *size));
    let cipher = Aes128::new(&Md5::digest(&*shared));
    let mut block = Zeroizing::new(padding.to_vec());
    let (first, second) = block.split_at_mut(FIELD);
    put_text(name, first);
    put_text(password.expose(), second);
    for chunk in block.as_chunks_mut::<16>().0 {
        let mut ciphertext = (*chunk).into();
        cipher.encrypt_block(&mut ciphertext);
        *chunk = ciphertext.into();
    }
    block.put(&padded(&BigUint::from(*generator).modpow(&exponent, prime), *size));
    block
}

/// A text closed by a zero at the start of a field.
pub(super) fn put_text(text: &str, field: &mut [u8]) {
    for (slot, byte) in field.iter_mut().zip(text.bytes().chain([0])) {
        *slot = byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    /// The 1024-bit MODP group of RFC 2409, generator 2; the values were computed with Python's
    /// integers and OpenSSL's AES and MD5.
    #[test]
    fn golden_response() {
        let wire = HEXLOWER.decode(GOLDEN_PARAMETERS.as_bytes()).unwrap();
        let mut reader = Reader::new(&wire);
        let parameters = take_parameters(&mut reader).unwrap().unwrap();
        assert!(reader.rest().is_empty());
        let private: Vec<u8> = (1..=128).collect();
        let padding: [u8; 128] = std::array::from_fn(|i| u8::try_from(200 - i).unwrap());
        let response = respond_with(&parameters, "admin", &Secret::new("päss word"), &private, padding);
        assert_eq!(HEXLOWER.encode(&response), GOLDEN_RESPONSE);
    }

    const GOLDEN_PARAMETERS: &str = concat!(
        "00020080ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a0879",
        "8e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6",
        "f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffffcdc50596412e1b5eb0176d89",
        "ec4b3677d08cf9886959b1efd899cb44489e2dc1349f29aaf13a78443da050a7125c9a02027570830fb1e4c025fb685a",
        "377f283cece20ec23264f094602b494c4695d2a6d3bbb50b77e6e941af16dbd61d8572c9327bf56c5701bb1af079b070",
        "78ffc0d34fd1d88305105bd17c8d7ce146a5b6f2"
    );
    const GOLDEN_RESPONSE: &str = concat!(
        "d4a74cc7731c5964446dca9c620b6172d10e1dfa4bb65adea10db9479e32e4a3b43894aa08ad54c21daa115771a0485f",
        "929ac2bde8c4b8cf2d8e69f51e9fb118fd3153cbe44f8b05c1d226fb4d35a279a152394a39d07fd41bc22ad8b17730b7",
        "d1fce0b6d9e3343fcb4c41804051f999e03c0cc12ac52cb6987b88223ad0853652893c96a07492593d36d00328ba2110",
        "1c0ab104717cf1928b3890e1ecbd76e827e7ba7d589a03ef64f8f5648cea2b077409319013d832c41a04a3793eb4b73c",
        "a2a36306241de180ec36f5cfbef207ba2e04a39f1384dce12b8ebe27b54dbf049be0abc80ebd4849976974b2be955c2c",
        "87ba11712576887f5b96427a1d8fb2fd"
    );

    #[test]
    fn weak_groups_are_refused() {
        let wire = HEXLOWER.decode(GOLDEN_PARAMETERS.as_bytes()).unwrap();
        for n in 0..wire.len() {
            assert!(matches!(take_parameters(&mut Reader::new(&wire[..n])), Ok(None)));
        }
        let refused = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut wire = wire.clone();
            change(&mut wire);
            matches!(take_parameters(&mut Reader::new(&wire)), Err(Misbehavior::PublicKey))
        };
        assert!(refused(&|w| w[2..4].copy_from_slice(&[0xff, 0xff])));
        assert!(refused(&|w| w[2..4].copy_from_slice(&[0, 8])));
        assert!(refused(&|w| w[..2].copy_from_slice(&[0, 1])));
        assert!(refused(&|w| w[4..132].fill(0)));
        assert!(refused(&|w| w[132..].fill(0)));
        assert!(refused(&|w| w[132..].fill(0xff)));
        assert!(refused(&|w| {
            w[132..259].fill(0);
            w[259] = 1;
        }));
    }
}
