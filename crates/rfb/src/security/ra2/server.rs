//! RA2 on the server's side.

use super::{Kind, Ra2Key, Ra2PublicKey, put_random, take_key, take_random};
use crate::handshake::{Claim, HandshakeError, Job, Step};
use crate::security::job::Output;
use crate::security::random::Random;
use crate::security::vencrypt::text;
use crate::security::{Answer, Exchange, Turn};
use crate::wire::Reader;
use model::Secret;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The server's side.
pub(crate) struct Server {
    kind: Kind,
    /// Subtype 2: the viewer asks its user for a password only.
    password_only: bool,
    random: Random,
    own: Arc<Ra2Key>,
    others: Option<Ra2PublicKey>,
    own_random: Zeroizing<Vec<u8>>,
    state: State,
}

enum State {
    SendKey,
    ClientKey,
    Encrypt,
    Encrypting,
    SendRandom(Vec<u8>),
    ClientRandom,
    Decrypt(Vec<u8>),
    Decrypting,
    StartRecords(Zeroizing<Vec<u8>>),
    RecordsAsked,
    SendHash,
    Hash,
    SendSubtype,
    Credentials,
    StopRecords(Claim),
    Claim(Claim),
    Over,
}

impl Server {
    pub(crate) fn new(kind: Kind, password_only: bool, own: Arc<Ra2Key>, random: &mut Random) -> Self {
        let mut random = random.fork();
        let own_random = Zeroizing::new(random.bytes(kind.key_bytes()));
        Server { kind, password_only, random, own, others: None, own_random, state: State::SendKey }
    }

    fn others(&self) -> Result<&Ra2PublicKey, HandshakeError> {
        self.others.as_ref().ok_or(HandshakeError::Misuse)
    }

    fn encrypt(&mut self) -> Result<Job, HandshakeError> {
        let mut random = self.random.fork();
        let (others, own_random) = (self.others()?.clone(), self.own_random.clone());
        Ok(Job::new("encrypt with RSA", move || {
            let mut bytes = Vec::new();
            put_random(&others.encrypt(&own_random, &mut random), &mut bytes);
            Output::Bytes(Zeroizing::new(bytes))
        }))
    }

    fn decrypt(&mut self, encrypted: Vec<u8>) -> Job {
        let (mut random, own) = (self.random.fork(), Arc::clone(&self.own));
        let length = self.kind.key_bytes();
        Job::new("decrypt with RSA", move || Output::Bytes(own.decrypt(&encrypted, length, &mut random)))
    }
}

impl Exchange for Server {
    fn poll(&mut self) -> Result<Turn, HandshakeError> {
        let state = std::mem::replace(&mut self.state, State::Over);
        let (step, next) = match state {
            State::SendKey => (Step::Send(self.own.public().wire()), State::ClientKey),
            waits @ (State::ClientKey | State::ClientRandom | State::Hash | State::Credentials) => {
                (Step::NeedBytes, waits)
            }
            State::Encrypt => (Step::Compute(self.encrypt()?), State::Encrypting),
            State::SendRandom(bytes) => (Step::Send(bytes), State::ClientRandom),
            State::Decrypt(encrypted) => (Step::Compute(self.decrypt(encrypted)), State::Decrypting),
            State::StartRecords(others) => {
                let keys = self.kind.record_keys(&self.own_random, &others)?;
                (Step::StartRecords(keys), State::RecordsAsked)
            }
            State::SendHash => (Step::Send(self.kind.hash(self.own.public(), self.others()?)), State::Hash),
            State::SendSubtype => {
                (Step::Send(vec![if self.password_only { 2 } else { 1 }]), State::Credentials)
            }
            State::StopRecords(claim) => (Step::StopRecords, State::Claim(claim)),
            State::Claim(claim) => return Ok(Turn::Claim(claim)),
            State::Encrypting | State::Decrypting | State::RecordsAsked | State::Over => {
                return Err(HandshakeError::Misuse);
            }
        };
        self.state = next;
        Ok(Turn::Step(step))
    }

    fn bytes(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        match self.state {
            State::ClientKey => {
                if let Some(key) = take_key(reader)? {
                    self.others = Some(key);
                    self.state = State::Encrypt;
                }
            }
            State::ClientRandom => {
                if let Some(encrypted) = take_random(reader, self.own.public().size())? {
                    self.state = State::Decrypt(encrypted.to_vec());
                }
            }
            State::Hash => {
                if self.kind.take_hash(reader, self.others()?, self.own.public())? {
                    self.state = State::SendSubtype;
                }
            }
            State::Credentials => {
                if let Some(claim) = take_credentials(reader) {
                    let clear = !self.kind.encrypts_session();
                    self.state = if clear { State::StopRecords(claim) } else { State::Claim(claim) };
                }
            }
            _ => return Err(HandshakeError::Misuse),
        }
        Ok(())
    }

    fn answer(&mut self, answer: Answer) -> Result<(), HandshakeError> {
        self.state = match (&self.state, answer) {
            (State::Encrypting, Answer::Computed(output)) => State::SendRandom(output.bytes()?.to_vec()),
            (State::Decrypting, Answer::Computed(output)) => State::StartRecords(output.bytes()?),
            (State::RecordsAsked, Answer::RecordsStarted) => State::SendHash,
            _ => return Err(HandshakeError::Misuse),
        };
        Ok(())
    }
}

fn take_credentials(reader: &mut Reader<'_>) -> Option<Claim> {
    let mut probe = *reader;
    let name = probe.u8()?;
    let name = probe.take(usize::from(name))?;
    let password = probe.u8()?;
    let password = probe.take(usize::from(password))?;
    *reader = probe;
    Some(Claim::Plain { username: text(name), password: Secret::new(text(password)) })
}
