//! SASL (20, and inside VeNCrypt): PLAIN [RFC 4616], SCRAM-SHA-256 and SCRAM-SHA-1 [RFC 5802, 7677].
//!
//! The server sends U32 length and the mechanisms, separated by commas. The client names one, then
//! both exchange steps: U32 length and data (closed by a zero that counts; length 0 is no data), and
//! the server adds U8 *complete*. A security layer of SASL's own is not negotiated: these
//! mechanisms have none.

use super::choice::Terms;
use super::job::Output;
use super::random::Random;
use super::{Answer, Channel, Exchange, Turn, credentials};
use crate::handshake::{HandshakeError, Job, RefusalKind, SecretKind, Step, sanitize};
use crate::wire::{Put, Reader};
use crate::{Misbehavior, limits};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use model::Secret;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// SCRAM's header without channel binding, and its base64.
const NO_BINDING: &str = "n,,";
const NO_BINDING_BASE64: &str = "biws";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mechanism {
    ScramSha256,
    ScramSha1,
    Plain,
}

/// The preferred mechanism first: PLAIN shows the password to the server.
const MECHANISMS: &[(&str, Mechanism)] = &[
    ("SCRAM-SHA-256", Mechanism::ScramSha256),
    ("SCRAM-SHA-1", Mechanism::ScramSha1),
    ("PLAIN", Mechanism::Plain),
];

/// The client's side.
pub(crate) struct Client {
    terms: Terms,
    channel: Channel,
    nonce: String,
    mechanism: Mechanism,
    state: State,
}

enum State {
    Mechanisms,
    Secret,
    SecretAsked,
    Send(Zeroizing<Vec<u8>>, Box<State>),
    /// PLAIN: the next step must be the last.
    PlainStep,
    /// SCRAM: waits for salt and iterations.
    FirstStep {
        first_bare: String,
        password: Secret,
    },
    Compute(Challenge, Secret),
    Computing(Challenge),
    /// SCRAM: waits for the server's own proof.
    FinalStep {
        server_proof: Vec<u8>,
    },
    /// The proof came before *complete*; an empty step asks for it.
    LastStep,
    Over,
}

/// The server's first message of SCRAM.
#[derive(Clone)]
struct Challenge {
    first_bare: String,
    server_first: String,
    nonce: String,
    salt: Vec<u8>,
    iterations: u32,
}

/// A step of the server.
struct ServerStep {
    data: Vec<u8>,
    complete: bool,
}

impl Client {
    pub(crate) fn new(terms: Terms, channel: Channel, random: &mut Random) -> Self {
        let nonce = BASE64.encode(&random.array::<18>());
        Client { terms, channel, nonce, mechanism: Mechanism::Plain, state: State::Mechanisms }
    }

    fn take_mechanisms(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        let Some(list) = take_data(reader)? else { return Ok(()) };
        let offered: Vec<_> = list.split(|b| matches!(b, b',' | b' ' | 0)).collect();
        let plaintext = self.terms.allows_plaintext(self.channel);
        let usable = |(name, mechanism): &&(&str, Mechanism)| {
            offered.contains(&name.as_bytes()) && (plaintext || *mechanism != Mechanism::Plain)
        };
        let Some((_, mechanism)) = MECHANISMS.iter().find(usable) else {
            let reason = format!(
                "the target's SASL offers {}; PLAIN is taken only where nobody can listen or the floor is open",
                sanitize(&list)
            );
            return Err(self.terms.dead_end(HandshakeError::refused(RefusalKind::NoCommonType, reason)));
        };
        self.mechanism = *mechanism;
        self.state = State::Secret;
        Ok(())
    }

    /// The mechanism's name and its first data.
    fn start(&mut self, name: &str, password: Secret) {
        let mechanism = MECHANISMS.iter().find(|(_, m)| *m == self.mechanism).map_or("", |(name, _)| name);
        let mut bytes = Zeroizing::new(Vec::new());
        bytes.put_u32(u32::try_from(mechanism.len()).unwrap_or(0));
        bytes.put(mechanism.as_bytes());
        let next = if self.mechanism == Mechanism::Plain {
            put_step(&Zeroizing::new(format!("\0{name}\0{}", password.expose())), &mut bytes);
            State::PlainStep
        } else {
            let first_bare = format!("n={},r={}", escaped(name), self.nonce);
            put_step(&format!("{NO_BINDING}{first_bare}"), &mut bytes);
            State::FirstStep { first_bare, password }
        };
        self.state = State::Send(bytes, Box::new(next));
    }

    fn take_step(&mut self, step: ServerStep) -> Result<(), HandshakeError> {
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::PlainStep | State::LastStep if step.complete => State::Over,
            State::FirstStep { first_bare, password } if !step.complete => {
                let challenge = Challenge::parse(&step.data, first_bare, &self.nonce)?;
                State::Compute(challenge, password)
            }
            State::FinalStep { server_proof } => {
                check_final(&step.data, &server_proof)?;
                if step.complete {
                    State::Over
                } else {
                    State::Send(Zeroizing::new(vec![0; 4]), Box::new(State::LastStep))
                }
            }
            // INVARIANT: SCRAM is complete only after the server proved that it knows the password too.
            _ => return Err(Misbehavior::SecurityExchange.into()),
        };
        Ok(())
    }

    /// The client's proof, and what the server's must be.
    fn prove(&mut self, challenge: &Challenge, salted: &[u8]) {
        let without_proof = format!("c={NO_BINDING_BASE64},r={}", challenge.nonce);
        let message = format!("{},{},{without_proof}", challenge.first_bare, challenge.server_first);
        let client_key = Zeroizing::new(self.hmac(salted, b"Client Key"));
        let signature = self.hmac(&self.hash(&client_key), message.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(k, s)| k ^ s).collect();
        let server_proof = self.hmac(&Zeroizing::new(self.hmac(salted, b"Server Key")), message.as_bytes());
        let mut bytes = Zeroizing::new(Vec::new());
        put_step(&format!("{without_proof},p={}", BASE64.encode(&proof)), &mut bytes);
        self.state = State::Send(bytes, Box::new(State::FinalStep { server_proof }));
    }

    fn hash(&self, data: &[u8]) -> Vec<u8> {
        match self.mechanism {
            Mechanism::ScramSha256 => Sha256::digest(data).to_vec(),
            _ => Sha1::digest(data).to_vec(),
        }
    }

    fn hmac(&self, key: &[u8], data: &[u8]) -> Vec<u8> {
        hmac(self.mechanism, key, &[data])
    }
}

impl Exchange for Client {
    fn poll(&mut self) -> Result<Turn, HandshakeError> {
        let (step, next) = match std::mem::replace(&mut self.state, State::Over) {
            waits @ (State::Mechanisms
            | State::PlainStep
            | State::FirstStep { .. }
            | State::FinalStep { .. }
            | State::LastStep) => (Step::NeedBytes, waits),
            State::Secret => (Step::NeedSecret(SecretKind::UserAndPassword), State::SecretAsked),
            State::Send(bytes, next) => (Step::Send(bytes.to_vec()), *next),
            State::Compute(challenge, password) => {
                let (mechanism, salt, iterations) =
                    (self.mechanism, challenge.salt.clone(), challenge.iterations);
                let work = move || Output::Bytes(stretch(mechanism, &password, &salt, iterations));
                (Step::Compute(Job::new("stretch a password", work)), State::Computing(challenge))
            }
            State::Over => return Ok(Turn::Over),
            State::SecretAsked | State::Computing(_) => return Err(HandshakeError::Misuse),
        };
        self.state = next;
        Ok(Turn::Step(step))
    }

    fn bytes(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        if let State::Mechanisms = self.state {
            return self.take_mechanisms(reader);
        }
        let mut probe = *reader;
        let Some(mut data) = take_data(&mut probe)? else { return Ok(()) };
        let Some(complete) = probe.u8() else { return Ok(()) };
        *reader = probe;
        if data.last() == Some(&0) {
            data.pop();
        }
        self.take_step(ServerStep { data, complete: complete != 0 })
    }

    fn in_plaintext(&self) -> bool {
        self.mechanism == Mechanism::Plain
    }

    fn answer(&mut self, answer: Answer) -> Result<(), HandshakeError> {
        match (std::mem::replace(&mut self.state, State::Over), answer) {
            (State::SecretAsked, Answer::Secret(given)) => {
                let (name, password) = credentials(SecretKind::UserAndPassword, given)?;
                if name.contains('\0') || password.expose().contains('\0') {
                    let reason = "SASL cannot carry a zero character in a user name or password";
                    return Err(HandshakeError::refused(RefusalKind::Credentials, reason));
                }
                self.start(&name, password);
                Ok(())
            }
            (State::Computing(challenge), Answer::Computed(output)) => {
                self.prove(&challenge, &output.bytes()?);
                Ok(())
            }
            _ => Err(HandshakeError::Misuse),
        }
    }
}

impl Challenge {
    /// `r=…,s=…,i=…`: the nonce must extend ours, the iterations be neither cheap nor endless.
    fn parse(data: &[u8], first_bare: String, own_nonce: &str) -> Result<Challenge, HandshakeError> {
        let broken = Misbehavior::SecurityExchange;
        let text = std::str::from_utf8(data).map_err(|_| broken)?;
        refuse_error(text)?;
        let mut fields = text.split(',');
        let mut field = |name: &str| fields.next().and_then(|f| f.strip_prefix(name)).ok_or(broken);
        let (nonce, salt, iterations) = (field("r=")?, field("s=")?, field("i=")?);
        let salt = BASE64.decode(salt.as_bytes()).map_err(|_| broken)?;
        let iterations: u32 = iterations.parse().map_err(|_| broken)?;
        let bounded = limits::SCRAM_ITERATIONS_MIN..=limits::SCRAM_ITERATIONS;
        let extends = nonce.starts_with(own_nonce) && nonce.len() > own_nonce.len();
        if !extends || salt.is_empty() || !bounded.contains(&iterations) {
            return Err(broken.into());
        }
        Ok(Challenge { first_bare, server_first: text.to_owned(), nonce: nonce.to_owned(), salt, iterations })
    }
}

/// `v=…`, or `e=…` with a reason.
fn check_final(data: &[u8], expected: &[u8]) -> Result<(), HandshakeError> {
    let broken = Misbehavior::SecurityExchange;
    let text = std::str::from_utf8(data).map_err(|_| broken)?;
    refuse_error(text)?;
    let proof = text.split(',').next().and_then(|f| f.strip_prefix("v=")).ok_or(broken)?;
    let proof = BASE64.decode(proof.as_bytes()).map_err(|_| broken)?;
    if bool::from(proof.ct_eq(expected)) { Ok(()) } else { Err(broken.into()) }
}

fn refuse_error(text: &str) -> Result<(), HandshakeError> {
    match text.strip_prefix("e=") {
        Some(error) => Err(HandshakeError::refused(RefusalKind::WrongPassword, sanitize(error.as_bytes()))),
        None => Ok(()),
    }
}

/// Data with its length; nothing is taken while bytes are missing.
fn take_data(reader: &mut Reader<'_>) -> Result<Option<Vec<u8>>, Misbehavior> {
    let mut probe = *reader;
    let Some(length) = probe.u32() else { return Ok(None) };
    let length = usize::try_from(length).ok().filter(|n| *n <= limits::SASL);
    let length = length.ok_or(Misbehavior::SecurityExchange)?;
    let Some(data) = probe.take(length) else { return Ok(None) };
    *reader = probe;
    Ok(Some(data.to_vec()))
}

fn put_step(data: &str, out: &mut Vec<u8>) {
    out.put_u32(u32::try_from(data.len() + 1).unwrap_or(0));
    out.put(data.as_bytes());
    out.put_u8(0);
}

/// [RFC 5802, 5.1] A name's comma and equals sign.
fn escaped(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

fn hmac(mechanism: Mechanism, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    fn with<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        // A MAC of the HMAC family takes keys of any length.
        let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().to_vec()
    }
    match mechanism {
        Mechanism::ScramSha256 => with::<Hmac<Sha256>>(key, parts),
        _ => with::<Hmac<Sha1>>(key, parts),
    }
}

/// PBKDF2 for one block [RFC 5802's Hi].
fn stretch(mechanism: Mechanism, password: &Secret, salt: &[u8], iterations: u32) -> Zeroizing<Vec<u8>> {
    fn with<M: Mac + KeyInit + Clone>(password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        let Ok(keyed) = <M as KeyInit>::new_from_slice(password) else { return Vec::new() };
        let mut last = keyed.clone().chain_update(salt).chain_update([0, 0, 0, 1]).finalize().into_bytes();
        let mut result = last.to_vec();
        for _ in 1..iterations {
            last = keyed.clone().chain_update(&last).finalize().into_bytes();
            result.iter_mut().zip(&last).for_each(|(r, l)| *r ^= l);
        }
        result
    }
    let password = password.expose().as_bytes();
    Zeroizing::new(match mechanism {
        Mechanism::ScramSha256 => with::<Hmac<Sha256>>(password, salt, iterations),
        _ => with::<Hmac<Sha1>>(password, salt, iterations),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        Terms {
            security: model::target::Security::default(),
            local: false,
            username: true,
            password: true,
            avoid: Vec::new(),
            retry: None,
        }
    }

    /// The example of RFC 7677, section 3, with its nonces.
    #[test]
    fn example_of_rfc_7677() {
        let mut client = scram(Mechanism::ScramSha256, "rOprNGfwEbeRWgbNEkqO");
        let proof = run(
            &mut client,
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        );
        assert_eq!(
            proof,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        let step =
            ServerStep { data: b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".to_vec(), complete: true };
        assert!(client.take_step(step).is_ok());
        assert!(matches!(client.poll(), Ok(Turn::Over)));
    }

    /// The example of RFC 5802, section 5.
    #[test]
    fn example_of_rfc_5802() {
        let mut client = scram(Mechanism::ScramSha1, "fyko+d2lbbFgONRv9qkxdawL");
        let proof =
            run(&mut client, "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096");
        assert_eq!(
            proof,
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
        );
        let wrong = ServerStep { data: b"v=rmF9pqV8S7suAoZWja4dJRkFsKR=".to_vec(), complete: true };
        assert!(client.take_step(wrong).is_err());
    }

    fn scram(mechanism: Mechanism, nonce: &str) -> Client {
        let mut client = Client::new(terms(), Channel::Clear, &mut Random::new([0; 32]));
        client.mechanism = mechanism;
        client.nonce = nonce.to_owned();
        client.start("user", Secret::new("pencil"));
        client
    }

    /// Lets the client answer the server's first message: the client's last one.
    fn run(client: &mut Client, server_first: &str) -> String {
        assert!(matches!(client.poll(), Ok(Turn::Step(Step::Send(_)))));
        client.take_step(ServerStep { data: server_first.as_bytes().to_vec(), complete: false }).unwrap();
        let Ok(Turn::Step(Step::Compute(job))) = client.poll() else { panic!("no job") };
        client.answer(Answer::Computed(job.run())).unwrap();
        let Ok(Turn::Step(Step::Send(bytes))) = client.poll() else { panic!("nothing to send") };
        let (length, data) = bytes.split_at(4);
        assert_eq!(length, u32::try_from(data.len()).unwrap().to_be_bytes());
        String::from_utf8(data.strip_suffix(&[0]).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn a_server_may_not_skip_its_proof() {
        let mut client = scram(Mechanism::ScramSha256, "abc");
        assert!(matches!(client.poll(), Ok(Turn::Step(Step::Send(_)))));
        assert!(client.take_step(ServerStep { data: Vec::new(), complete: true }).is_err());
    }

    #[test]
    fn challenges_that_cheat() {
        for first in [
            "r=abc,s=QSXCR+Q6sek8bf92,i=4096",
            "r=xyzabc,s=QSXCR+Q6sek8bf92,i=4096",
            "r=abcd,s=,i=4096",
            "r=abcd,s=QSXCR+Q6sek8bf92,i=1",
            "r=abcd,s=QSXCR+Q6sek8bf92,i=4294967295",
            "r=abcd,s=QSXCR+Q6sek8bf92,i=-1",
            "s=QSXCR+Q6sek8bf92,r=abcd,i=4096",
            "m=ext,r=abcd,s=QSXCR+Q6sek8bf92,i=4096",
            "",
        ] {
            let parsed = Challenge::parse(first.as_bytes(), String::new(), "abc");
            assert!(
                matches!(parsed, Err(HandshakeError::Misbehavior(Misbehavior::SecurityExchange))),
                "{first}"
            );
        }
        let refused = Challenge::parse(b"e=unknown-user", String::new(), "abc");
        assert!(matches!(refused, Err(HandshakeError::Refused { kind: RefusalKind::WrongPassword, .. })));
    }

    /// Bytes on the wire for QEMU: lengths count the closing zero.
    #[test]
    fn golden_plain() {
        let mut client = Client::new(terms(), Channel::Clear, &mut Random::new([0; 32]));
        let mut reader = Reader::new(b"\0\0\0\x15GSSAPI,PLAIN,CRAM-MD5");
        client.bytes(&mut reader).unwrap();
        assert!(reader.rest().is_empty());
        client.start("me", Secret::new("pw"));
        let Ok(Turn::Step(Step::Send(bytes))) = client.poll() else { panic!("nothing to send") };
        assert_eq!(bytes, b"\0\0\0\x05PLAIN\0\0\0\x07\0me\0pw\0");
        let mut reader = Reader::new(b"\0\0\0\0\x01");
        client.bytes(&mut reader).unwrap();
        assert!(matches!(client.poll(), Ok(Turn::Over)));
        assert!(client.in_plaintext());
    }

    #[test]
    fn plain_is_not_taken_over_a_wire_that_the_floor_forbids() {
        let mut strict = terms();
        strict.security.floor = model::target::Strength::Authenticated;
        let mut client = Client::new(strict.clone(), Channel::Clear, &mut Random::new([0; 32]));
        assert!(client.bytes(&mut Reader::new(b"\0\0\0\x05PLAIN")).is_err());
        let mut inside = Client::new(strict, Channel::Anonymous, &mut Random::new([0; 32]));
        assert!(inside.bytes(&mut Reader::new(b"\0\0\0\x05PLAIN")).is_ok());
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(escaped("a=b,c"), "a=3Db=2Cc");
    }
}
