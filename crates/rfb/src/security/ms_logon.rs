//! UltraVNC's MS-Logon II (113): a Windows account's name and password.
//!
//! The server sends generator, modulus and public key in eight bytes each. The client answers with
//! its public key, the name in 256 and the password in 64 bytes (closed by a zero, the rest random),
//! each under DES-CBC with the shared secret as key (bits reversed) and as first vector.
//!
//! A group of 64 bits hides nothing from somebody who wants to know: it is taken only where the
//! entry's floor allows a session in clear.

use super::apple_dh::put_text;
use super::random::Random;
use super::vnc_auth::reversed_des;
use super::{Answer, Exchange, Turn, credentials, fits};
use crate::Misbehavior;
use crate::handshake::{HandshakeError, SecretKind, Step};
use crate::wire::{Put, Reader};
use des::cipher::BlockCipherEncrypt;
use model::Secret;
use zeroize::Zeroizing;

const NAME: usize = 256;
const PASSWORD: usize = 64;

/// Generator, modulus and public key.
#[derive(Clone, Copy)]
struct Parameters {
    generator: u64,
    modulus: u64,
    public: u64,
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
            State::Send(bytes) => (Step::Send(bytes.to_vec()), State::Over),
            State::Over => return Ok(Turn::Over),
            State::SecretAsked(_) => return Err(HandshakeError::Misuse),
        };
        self.state = next;
        Ok(Turn::Step(step))
    }

    fn bytes(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        let mut probe = *reader;
        let (Some(generator), Some(modulus), Some(public)) = (probe.u64(), probe.u64(), probe.u64()) else {
            return Ok(());
        };
        if modulus < 3 || generator < 2 || public == 0 || public >= modulus {
            return Err(Misbehavior::PublicKey.into());
        }
        *reader = probe;
        self.state = State::Secret(Parameters { generator, modulus, public });
        Ok(())
    }

    fn answer(&mut self, answer: Answer) -> Result<(), HandshakeError> {
        let (State::SecretAsked(parameters), Answer::Secret(given)) = (&self.state, answer) else {
            return Err(HandshakeError::Misuse);
        };
        let (name, password) = credentials(SecretKind::UserAndPassword, given)?;
        fits(&name, NAME - 1, "user name")?;
        fits(password.expose(), PASSWORD - 1, "password")?;
        let private = u64::from_be_bytes(self.random.array());
        let padding = Zeroizing::new(self.random.bytes(NAME + PASSWORD));
        self.state = State::Send(respond(*parameters, &name, &password, private, &padding));
        Ok(())
    }
}

fn respond(p: Parameters, name: &str, password: &Secret, private: u64, padding: &[u8]) -> Zeroizing<Vec<u8>> {
    let shared = power(p.public, private, p.modulus).to_be_bytes();
    let mut bytes = Zeroizing::new(Vec::with_capacity(8 + NAME + PASSWORD));
    bytes.put_u64(power(p.generator, private, p.modulus));
    let mut fields = Zeroizing::new(padding.to_vec());
    let (first, second) = fields.split_at_mut(NAME.min(padding.len()));
    put_text(name, first);
    put_text(password.expose(), second);
    encrypt(shared, first);
    encrypt(shared, second);
    bytes.put(&fields);
    bytes
}

/// DES-CBC with the same secret as key and first vector.
fn encrypt(secret: [u8; 8], field: &mut [u8]) {
    let cipher = reversed_des(secret);
    let mut previous = u64::from_be_bytes(secret);
    for chunk in field.as_chunks_mut::<8>().0 {
        let mut block = (u64::from_be_bytes(*chunk) ^ previous).to_be_bytes().into();
        cipher.encrypt_block(&mut block);
        *chunk = block.into();
        previous = u64::from_be_bytes(*chunk);
    }
}

/// base^exponent mod modulus, which is at least 3.
fn power(base: u64, exponent: u64, modulus: u64) -> u64 {
    let multiply = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b) % u128::from(modulus);
        u64::try_from(product).unwrap_or(0)
    };
    let bits = (0..64).rev().map(|bit| exponent >> bit & 1 == 1);
    bits.fold(1, |result, set| {
        let square = multiply(result, result);
        if set { multiply(square, base % modulus) } else { square }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    /// Computed with Python's integers and OpenSSL's DES.
    #[test]
    fn golden_response() {
        let p = Parameters {
            generator: 0x0102_0304,
            modulus: 0xffff_ffff_ffff_ffc5,
            public: 0x1234_5678_9abc_def0,
        };
        let padding: Vec<u8> = (0..NAME + PASSWORD).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let response = respond(p, "DOMAIN\\user", &Secret::new("pa55word"), 0xfeed_face_cafe_beef, &padding);
        assert_eq!(HEXLOWER.encode(&response), GOLDEN_RESPONSE);
    }

    const GOLDEN_RESPONSE: &str = concat!(
        "0c8b932e3ff068fbf5a8dd2e0bb0fbaf7414be4b217e66b4c220ccc059237786f893c4d3d6c0e5f5da13ff68e9a54874",
        "3020e2ccc8d9582cac393e9cfaf01472744d1ee0fb57534f466d823e70d11266be4cf025891badafa9d7f7ec66b07224",
        "83ae29f0ceca739473b054850015ea7fc821becb41a06c5110cd6cb8b4c39399cd64bdab577b5f2128c8ae8320e9a908",
        "cf2663f8edfa6b38c21940e23a54b01228c1722a9c676ac580d8092338534953aa0f00ae3e6930221bf890cd6a4c72ac",
        "427e29cabc88a86246d3fb8cf39f9323bb0ac6737b5d4b4aec653951f72ee6591214de59ed6b9235b2c17992dc322162",
        "f0fc906e61541a2fbf141d6451cb2728986c16dadf1acc59f5bc004ed6331869c04eb185770f5aa95bd697d462f29357",
        "e1737c216111faeea80614fe2a4fc9a2fa9b34f5848702bc43929ff39a0ab9e6ea41e989193db4b1"
    );

    #[test]
    fn powers() {
        assert_eq!(power(3, 0, 7), 1);
        assert_eq!(power(3, 5, 7), 5);
        assert_eq!(power(u64::MAX - 1, u64::MAX, u64::MAX), u64::MAX - 1);
    }
}
