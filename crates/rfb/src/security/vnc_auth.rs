//! [7.2.2] VNC authentication: sixteen bytes encrypted with DES under the password.
//!
//! The key is the first eight bytes of the password, each with its bits in reverse order. It proves
//! little against a listener, who can guess offline; the floor of a target's entry decides.

use super::random::Random;
use super::{Answer, Exchange, Turn, credentials};
use crate::handshake::{Claim, HandshakeError, SecretKind, Step};
use crate::wire::Reader;
use des::Des;
use des::cipher::{BlockCipherEncrypt, KeyInit};
use model::Secret;
use subtle::ConstantTimeEq;

/// Bytes of a challenge and of a response.
pub(crate) const CHALLENGE: usize = 16;

/// A viewer's answer to our challenge.
#[derive(Clone, PartialEq, Eq)]
pub struct VncResponse {
    challenge: [u8; CHALLENGE],
    response: [u8; CHALLENGE],
}

impl VncResponse {
    /// Whether the viewer knew this password (its first eight bytes). Takes the same time either way.
    pub fn matches(&self, password: &Secret) -> bool {
        respond(self.challenge, password).ct_eq(&self.response).into()
    }
}

impl std::fmt::Debug for VncResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VncResponse(…)")
    }
}

/// The response to a challenge.
pub(crate) fn respond(challenge: [u8; CHALLENGE], password: &Secret) -> [u8; CHALLENGE] {
    let mut key = [0u8; 8];
    for (slot, byte) in key.iter_mut().zip(password.expose().bytes()) {
        *slot = byte;
    }
    let cipher = reversed_des(key);
    let mut response = challenge;
    for half in response.as_chunks_mut::<8>().0 {
        let mut block = (*half).into();
        cipher.encrypt_block(&mut block);
        *half = block.into();
    }
    response
}

/// DES whose key bytes are read from the other end, as every VNC implementation does.
pub(crate) fn reversed_des(key: [u8; 8]) -> Des {
    Des::new(&key.map(u8::reverse_bits).into())
}

/// The client's side.
pub(crate) struct Client(ClientState);

enum ClientState {
    Challenge,
    Secret([u8; CHALLENGE]),
    Respond([u8; CHALLENGE]),
    Over,
}

impl Client {
    pub(crate) fn new() -> Self {
        Client(ClientState::Challenge)
    }
}

impl Exchange for Client {
    fn poll(&mut self) -> Result<Turn, HandshakeError> {
        Ok(match &self.0 {
            ClientState::Challenge => Turn::Step(Step::NeedBytes),
            ClientState::Secret(_) => Turn::Step(Step::NeedSecret(SecretKind::Password)),
            ClientState::Respond(response) => {
                let response = response.to_vec();
                self.0 = ClientState::Over;
                Turn::Step(Step::Send(response))
            }
            ClientState::Over => Turn::Over,
        })
    }

    fn bytes(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        if let (ClientState::Challenge, Some(challenge)) = (&self.0, reader.array()) {
            self.0 = ClientState::Secret(challenge);
        }
        Ok(())
    }

    fn answer(&mut self, answer: Answer) -> Result<(), HandshakeError> {
        let (ClientState::Secret(challenge), Answer::Secret(given)) = (&self.0, answer) else {
            return Err(HandshakeError::Misuse);
        };
        let (_, password) = credentials(SecretKind::Password, given)?;
        self.0 = ClientState::Respond(respond(*challenge, &password));
        Ok(())
    }
}

/// The server's side: a fresh challenge, then the claim.
pub(crate) struct Server {
    challenge: [u8; CHALLENGE],
    state: ServerState,
}

enum ServerState {
    Send,
    Response,
    Claim([u8; CHALLENGE]),
}

impl Server {
    pub(crate) fn new(random: &mut Random) -> Self {
        Server { challenge: random.array(), state: ServerState::Send }
    }
}

impl Exchange for Server {
    fn poll(&mut self) -> Result<Turn, HandshakeError> {
        Ok(match self.state {
            ServerState::Send => {
                self.state = ServerState::Response;
                Turn::Step(Step::Send(self.challenge.to_vec()))
            }
            ServerState::Response => Turn::Step(Step::NeedBytes),
            ServerState::Claim(response) => {
                Turn::Claim(Claim::VncAuth(VncResponse { challenge: self.challenge, response }))
            }
        })
    }

    fn bytes(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        if let (ServerState::Response, Some(response)) = (&self.state, reader.array()) {
            self.state = ServerState::Claim(response);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with OpenSSL's DES-ECB under the bit-reversed key.
    #[test]
    fn golden_response() {
        let challenge: [u8; 16] = std::array::from_fn(|i| u8::try_from(i).unwrap());
        assert_eq!(respond(challenge, &Secret::new("secret")), GOLDEN_SECRET);
        assert_eq!(respond(challenge, &Secret::new("longer than eight")), GOLDEN_LONG);
        assert_eq!(respond(challenge, &Secret::new("longer t")), GOLDEN_LONG);
        assert_eq!(respond(challenge, &Secret::new("")), GOLDEN_EMPTY);
    }

    const GOLDEN_SECRET: [u8; 16] =
        [0xee, 0x22, 0x53, 0x9f, 0x33, 0xa5, 0x98, 0x3e, 0xc1, 0x2f, 0x9c, 0x2e, 0xdb, 0xc9, 0x95, 0xdd];
    const GOLDEN_LONG: [u8; 16] =
        [0x2b, 0x8d, 0xd6, 0x08, 0x9f, 0xd1, 0xe9, 0x84, 0x4f, 0x28, 0x89, 0xee, 0xec, 0xc3, 0x74, 0xd9];
    const GOLDEN_EMPTY: [u8; 16] =
        [0x49, 0x1e, 0x89, 0x0d, 0xe9, 0xac, 0xe9, 0x32, 0x83, 0x8a, 0x49, 0x79, 0x2f, 0x22, 0x13, 0xf3];

    #[test]
    fn a_response_matches_its_password_only() {
        let challenge = [7; 16];
        let answer = VncResponse { challenge, response: respond(challenge, &Secret::new("right")) };
        assert!(answer.matches(&Secret::new("right")));
        assert!(!answer.matches(&Secret::new("wrong")));
        assert_eq!(format!("{answer:?}"), "VncResponse(…)");
    }
}
