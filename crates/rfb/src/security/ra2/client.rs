//! RA2 on the client's side.

use super::{Kind, Ra2Key, Ra2PublicKey, put_random, take_key, take_random};
use crate::Misbehavior;
use crate::handshake::{HandshakeError, Job, JobOutput, RefusalKind, SecretKind, Step};
use crate::security::job::Output;
use crate::security::random::Random;
use crate::security::{Answer, Exchange, Turn, credentials, fits};
use crate::wire::{Put, Reader};
use model::target::Credentials;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The client's side.
pub(crate) struct Client {
    kind: Kind,
    random: Random,
    own: Option<Arc<Ra2Key>>,
    others: Option<Ra2PublicKey>,
    own_random: Zeroizing<Vec<u8>>,
    state: State,
}

enum State {
    ServerKey,
    Identity,
    IdentityAsked,
    Generate,
    Generating,
    Encrypt,
    Encrypting,
    SendKeys(Vec<u8>),
    ServerRandom,
    Decrypt(Vec<u8>),
    Decrypting,
    StartRecords(Zeroizing<Vec<u8>>),
    RecordsAsked,
    SendHash,
    Hash,
    Subtype,
    Secret(SecretKind),
    SecretAsked(SecretKind),
    SendCredentials(Zeroizing<Vec<u8>>),
    StopRecords,
    Over,
}

impl Client {
    pub(crate) fn new(kind: Kind, own: Option<Arc<Ra2Key>>, random: &mut Random) -> Self {
        let mut random = random.fork();
        let own_random = Zeroizing::new(random.bytes(kind.key_bytes()));
        Client { kind, random, own, others: None, own_random, state: State::ServerKey }
    }

    fn keys(&self) -> Result<(&Arc<Ra2Key>, &Ra2PublicKey), HandshakeError> {
        match (&self.own, &self.others) {
            (Some(own), Some(others)) => Ok((own, others)),
            _ => Err(HandshakeError::Misuse),
        }
    }

    fn generate(&mut self) -> Job {
        let seed = self.random.array();
        Job::new("make an RSA key", move || Output::Key(Arc::new(Ra2Key::generate(seed))))
    }

    fn encrypt(&mut self) -> Result<Job, HandshakeError> {
        let mut random = self.random.fork();
        let (own, others) = self.keys()?;
        let (mut bytes, others, own_random) = (own.public().wire(), others.clone(), self.own_random.clone());
        Ok(Job::new("encrypt with RSA", move || {
            put_random(&others.encrypt(&own_random, &mut random), &mut bytes);
            Output::Bytes(Zeroizing::new(bytes))
        }))
    }

    fn decrypt(&mut self, encrypted: Vec<u8>) -> Result<Job, HandshakeError> {
        let mut random = self.random.fork();
        let length = self.kind.key_bytes();
        let own = Arc::clone(self.keys()?.0);
        Ok(Job::new("decrypt with RSA", move || Output::Bytes(own.decrypt(&encrypted, length, &mut random))))
    }

    fn computed(&mut self, output: JobOutput) -> Result<State, HandshakeError> {
        match (&self.state, output.0) {
            (State::Generating, Output::Key(key)) => {
                self.own = Some(key);
                Ok(State::Encrypt)
            }
            (State::Encrypting, Output::Bytes(bytes)) => Ok(State::SendKeys(bytes.to_vec())),
            (State::Decrypting, Output::Bytes(others)) => Ok(State::StartRecords(others)),
            _ => Err(HandshakeError::Misuse),
        }
    }

    fn login(kind: SecretKind, given: Credentials) -> Result<Zeroizing<Vec<u8>>, HandshakeError> {
        let (name, password) = credentials(kind, given)?;
        let name = if kind == SecretKind::UserAndPassword { name } else { String::new() };
        fits(&name, usize::from(u8::MAX), "user name")?;
        fits(password.expose(), usize::from(u8::MAX), "password")?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 + name.len() + password.expose().len()));
        for text in [name.as_str(), password.expose()] {
            bytes.put_u8(u8::try_from(text.len()).unwrap_or(0));
            bytes.put(text.as_bytes());
        }
        Ok(bytes)
    }
}

impl Exchange for Client {
    fn poll(&mut self) -> Result<Turn, HandshakeError> {
        let state = std::mem::replace(&mut self.state, State::Over);
        let (step, next) = match state {
            waits @ (State::ServerKey | State::ServerRandom | State::Hash | State::Subtype) => {
                (Step::NeedBytes, waits)
            }
            State::Identity => (
                Step::NeedIdentity(self.others.as_ref().ok_or(HandshakeError::Misuse)?.identity()),
                State::IdentityAsked,
            ),
            State::Generate => (Step::Compute(self.generate()), State::Generating),
            State::Encrypt => (Step::Compute(self.encrypt()?), State::Encrypting),
            State::SendKeys(bytes) => (Step::Send(bytes), State::ServerRandom),
            State::Decrypt(encrypted) => (Step::Compute(self.decrypt(encrypted)?), State::Decrypting),
            State::StartRecords(others) => {
                let keys = self.kind.record_keys(&self.own_random, &others)?;
                (Step::StartRecords(keys), State::RecordsAsked)
            }
            State::SendHash => {
                let (own, others) = self.keys()?;
                (Step::Send(self.kind.hash(own.public(), others)), State::Hash)
            }
            State::Secret(kind) => (Step::NeedSecret(kind), State::SecretAsked(kind)),
            State::SendCredentials(bytes) => {
                let next = if self.kind.encrypts_session() { State::Over } else { State::StopRecords };
                (Step::Send(bytes.to_vec()), next)
            }
            State::StopRecords => (Step::StopRecords, State::Over),
            State::Over => return Ok(Turn::Over),
            State::IdentityAsked
            | State::Generating
            | State::Encrypting
            | State::Decrypting
            | State::RecordsAsked
            | State::SecretAsked(_) => {
                return Err(HandshakeError::Misuse);
            }
        };
        self.state = next;
        Ok(Turn::Step(step))
    }

    fn bytes(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        match self.state {
            State::ServerKey => {
                if let Some(key) = take_key(reader)? {
                    self.others = Some(key);
                    self.state = State::Identity;
                }
            }
            State::ServerRandom => {
                let size = self.keys()?.0.public().size();
                if let Some(encrypted) = take_random(reader, size)? {
                    self.state = State::Decrypt(encrypted.to_vec());
                }
            }
            State::Hash => {
                let (own, others) = self.keys()?;
                if self.kind.take_hash(reader, others, own.public())? {
                    self.state = State::Subtype;
                }
            }
            State::Subtype => match reader.u8() {
                None => {}
                Some(1) => self.state = State::Secret(SecretKind::UserAndPassword),
                Some(2) => self.state = State::Secret(SecretKind::Password),
                Some(_) => return Err(Misbehavior::SecurityExchange.into()),
            },
            _ => return Err(HandshakeError::Misuse),
        }
        Ok(())
    }

    fn answer(&mut self, answer: Answer) -> Result<(), HandshakeError> {
        self.state = match (&self.state, answer) {
            (State::IdentityAsked, Answer::Identity(true)) if self.own.is_some() => State::Encrypt,
            (State::IdentityAsked, Answer::Identity(true)) => State::Generate,
            (State::IdentityAsked, Answer::Identity(false)) => {
                let shown = self.others.as_ref().map(|k| k.identity().sha256).unwrap_or_default();
                let reason = format!("the target showed the key {shown}");
                return Err(HandshakeError::refused(RefusalKind::Identity, reason));
            }
            (State::RecordsAsked, Answer::RecordsStarted) => State::SendHash,
            (State::SecretAsked(kind), Answer::Secret(given)) => {
                State::SendCredentials(Self::login(*kind, given)?)
            }
            (_, Answer::Computed(output)) => self.computed(output)?,
            _ => return Err(HandshakeError::Misuse),
        };
        Ok(())
    }
}
