//! [7.2.4] VeNCrypt 0.2, its Plain exchange, and the older type TLS (18).
//!
//! Both put TLS around what follows. The shell does TLS; here is what is said before and inside.

use super::choice::Terms;
use super::{Answer, Channel, Exchange, Inner, Method, Turn, credentials, fits};
use crate::handshake::{Claim, HandshakeError, RefusalKind, SecretKind, Step, TlsKind};
use crate::security_type::Subtype;
use crate::wire::{Put, Reader};
use crate::{Misbehavior, SecurityType, limits};
use model::Secret;
use zeroize::Zeroizing;

/// The version that we speak.
const VERSION: [u8; 2] = [0, 2];

/// The client's side.
pub(crate) struct Client {
    terms: Terms,
    state: ClientState,
}

enum ClientState {
    Version,
    Ack,
    Subtypes,
    Send(Vec<u8>, After),
    /// TLS types: does the server go on?
    TlsAck(Inner),
    StartTls(Inner),
    Tls(Inner),
    Inner(Inner),
}

#[derive(Clone, Copy)]
enum After {
    Ack,
    Chosen(Inner),
}

impl Client {
    pub(crate) fn new(terms: Terms) -> Self {
        Client { terms, state: ClientState::Version }
    }

    fn take_subtypes(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        let mut probe = *reader;
        let Some(count) = probe.u8().map(usize::from) else { return Ok(()) };
        let Some(list) = probe.take(count * 4) else { return Ok(()) };
        *reader = probe;
        let offered: Vec<_> =
            list.as_chunks::<4>().0.iter().map(|n| Subtype(u32::from_be_bytes(*n))).collect();
        if offered.is_empty() {
            return Err(Misbehavior::SecurityList.into());
        }
        let inner = self.terms.choose_subtype(&offered)?;
        let number = inner.subtype.map_or(0, |s| s.0);
        self.state = ClientState::Send(number.to_be_bytes().to_vec(), After::Chosen(inner));
        Ok(())
    }
}

impl Exchange for Client {
    fn poll(&mut self) -> Result<Turn, HandshakeError> {
        Ok(match &mut self.state {
            ClientState::Version | ClientState::Ack | ClientState::Subtypes | ClientState::TlsAck(_) => {
                Turn::Step(Step::NeedBytes)
            }
            ClientState::Send(bytes, after) => {
                let bytes = std::mem::take(bytes);
                self.state = match *after {
                    After::Ack => ClientState::Ack,
                    After::Chosen(inner) if inner.channel == Channel::Clear => ClientState::Inner(inner),
                    After::Chosen(inner) => ClientState::TlsAck(inner),
                };
                Turn::Step(Step::Send(bytes))
            }
            ClientState::StartTls(inner) => {
                let inner = *inner;
                self.state = ClientState::Tls(inner);
                Turn::Step(Step::StartTls(tls_kind(inner.channel)))
            }
            ClientState::Tls(_) => return Err(HandshakeError::Misuse),
            ClientState::Inner(inner) => Turn::Inner(*inner),
        })
    }

    fn bytes(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        match &self.state {
            ClientState::Version => {
                let Some(version) = reader.array::<2>() else { return Ok(()) };
                if version < VERSION {
                    let reason = "the target speaks an older VeNCrypt than 0.2";
                    let refused = HandshakeError::refused(RefusalKind::NoCommonType, reason);
                    return Err(self.terms.dead_end(refused));
                }
                self.state = ClientState::Send(VERSION.to_vec(), After::Ack);
            }
            ClientState::Ack => match reader.u8() {
                None => {}
                Some(0) => self.state = ClientState::Subtypes,
                Some(_) => {
                    let reason = "the target does not accept VeNCrypt 0.2";
                    let refused = HandshakeError::refused(RefusalKind::NoCommonType, reason);
                    return Err(self.terms.dead_end(refused));
                }
            },
            ClientState::Subtypes => return self.take_subtypes(reader),
            ClientState::TlsAck(inner) => match reader.u8() {
                None => {}
                Some(1) => self.state = ClientState::StartTls(*inner),
                Some(_) => {
                    let reason = "the target could not start TLS; its own log says why";
                    return Err(HandshakeError::refused(RefusalKind::Other, reason));
                }
            },
            _ => return Err(HandshakeError::Misuse),
        }
        Ok(())
    }

    fn answer(&mut self, answer: Answer) -> Result<(), HandshakeError> {
        match (&self.state, answer) {
            (ClientState::Tls(inner), Answer::TlsStarted) => self.state = ClientState::Inner(*inner),
            _ => return Err(HandshakeError::Misuse),
        }
        Ok(())
    }
}

fn tls_kind(channel: Channel) -> TlsKind {
    if channel == Channel::Verified { TlsKind::X509 } else { TlsKind::Anonymous }
}

/// The client's side of type 18: anonymous TLS at once, then a list of types as in [7.1.2].
pub(crate) struct TlsClient {
    terms: Terms,
    state: TlsState,
}

enum TlsState {
    StartTls,
    Tls,
    Types,
    Send(u8, Inner),
    Inner(Inner),
}

impl TlsClient {
    pub(crate) fn new(terms: Terms) -> Self {
        TlsClient { terms, state: TlsState::StartTls }
    }
}

impl Exchange for TlsClient {
    fn poll(&mut self) -> Result<Turn, HandshakeError> {
        Ok(match self.state {
            TlsState::StartTls => {
                self.state = TlsState::Tls;
                Turn::Step(Step::StartTls(TlsKind::Anonymous))
            }
            TlsState::Tls => return Err(HandshakeError::Misuse),
            TlsState::Types => Turn::Step(Step::NeedBytes),
            TlsState::Send(choice, inner) => {
                self.state = TlsState::Inner(inner);
                Turn::Step(Step::Send(vec![choice]))
            }
            TlsState::Inner(inner) => Turn::Inner(inner),
        })
    }

    fn bytes(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        let TlsState::Types = self.state else { return Err(HandshakeError::Misuse) };
        let mut probe = *reader;
        let Some(count) = probe.u8() else { return Ok(()) };
        let Some(list) = probe.take(usize::from(count)) else { return Ok(()) };
        *reader = probe;
        let method = |t: &u8| Method::of(SecurityType(u32::from(*t)));
        let methods: Vec<_> = list.iter().filter_map(method).collect();
        let inner = self.terms.choose_inner(&methods, Channel::Anonymous)?;
        let choice = list.iter().find(|t| method(t) == Some(inner.method));
        self.state = TlsState::Send(*choice.ok_or(Misbehavior::SecurityList)?, inner);
        Ok(())
    }

    fn answer(&mut self, answer: Answer) -> Result<(), HandshakeError> {
        match (&self.state, answer) {
            (TlsState::Tls, Answer::TlsStarted) => self.state = TlsState::Types,
            _ => return Err(HandshakeError::Misuse),
        }
        Ok(())
    }
}

/// The client's side of Plain, and of Tight's Unix login: both lengths, then both texts.
pub(crate) struct PlainClient(PlainState);

enum PlainState {
    Ask,
    Asked,
    Send(Zeroizing<Vec<u8>>),
    Over,
}

impl PlainClient {
    pub(crate) fn new() -> Self {
        PlainClient(PlainState::Ask)
    }
}

impl Exchange for PlainClient {
    fn poll(&mut self) -> Result<Turn, HandshakeError> {
        Ok(match &self.0 {
            PlainState::Ask => {
                self.0 = PlainState::Asked;
                Turn::Step(Step::NeedSecret(SecretKind::UserAndPassword))
            }
            PlainState::Asked => return Err(HandshakeError::Misuse),
            PlainState::Send(bytes) => {
                let bytes = bytes.to_vec();
                self.0 = PlainState::Over;
                Turn::Step(Step::Send(bytes))
            }
            PlainState::Over => Turn::Over,
        })
    }

    fn answer(&mut self, answer: Answer) -> Result<(), HandshakeError> {
        let (PlainState::Asked, Answer::Secret(given)) = (&self.0, answer) else {
            return Err(HandshakeError::Misuse);
        };
        let (name, password) = credentials(SecretKind::UserAndPassword, given)?;
        fits(&name, limits::CREDENTIAL, "user name")?;
        fits(password.expose(), limits::CREDENTIAL, "password")?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(8 + name.len() + password.expose().len()));
        bytes.put_u32(u32::try_from(name.len()).unwrap_or(0));
        bytes.put_u32(u32::try_from(password.expose().len()).unwrap_or(0));
        bytes.put(name.as_bytes());
        bytes.put(password.expose().as_bytes());
        self.0 = PlainState::Send(bytes);
        Ok(())
    }
}

/// The server's side: X509Plain and TLSPlain.
pub(crate) struct Server {
    subtypes: Vec<Subtype>,
    chosen: Option<Subtype>,
    state: ServerState,
}

enum ServerState {
    Send(Vec<u8>, Box<ServerState>),
    Refuse,
    Version,
    Choice,
    StartTls,
    Tls,
    Plain,
    Claim(Claim),
}

impl Server {
    pub(crate) fn new(subtypes: Vec<Subtype>) -> Self {
        let state = ServerState::Send(VERSION.to_vec(), Box::new(ServerState::Version));
        Server { subtypes, chosen: None, state }
    }

    fn then(&mut self, bytes: Vec<u8>, next: ServerState) {
        self.state = ServerState::Send(bytes, Box::new(next));
    }

    fn take_version(&mut self, version: [u8; 2]) {
        if version != VERSION {
            self.then(vec![1], ServerState::Refuse);
            return;
        }
        let mut bytes = vec![0];
        bytes.put_u8(u8::try_from(self.subtypes.len()).unwrap_or(0));
        for subtype in &self.subtypes {
            bytes.put_u32(subtype.0);
        }
        self.then(bytes, ServerState::Choice);
    }
}

impl Exchange for Server {
    fn poll(&mut self) -> Result<Turn, HandshakeError> {
        let state = std::mem::replace(&mut self.state, ServerState::Refuse);
        Ok(match state {
            ServerState::Send(bytes, next) => {
                self.state = *next;
                Turn::Step(Step::Send(bytes))
            }
            ServerState::Refuse => {
                let reason = "the viewer does not speak VeNCrypt 0.2";
                return Err(HandshakeError::refused(RefusalKind::NoCommonType, reason));
            }
            ServerState::StartTls => {
                self.state = ServerState::Tls;
                let anonymous = self.chosen == Some(Subtype::TLS_PLAIN);
                Turn::Step(Step::StartTls(if anonymous { TlsKind::Anonymous } else { TlsKind::X509 }))
            }
            ServerState::Claim(claim) => Turn::Claim(claim),
            waits @ (ServerState::Version | ServerState::Choice | ServerState::Plain) => {
                self.state = waits;
                Turn::Step(Step::NeedBytes)
            }
            ServerState::Tls => return Err(HandshakeError::Misuse),
        })
    }

    fn bytes(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        match self.state {
            ServerState::Version => {
                if let Some(version) = reader.array() {
                    self.take_version(version);
                }
            }
            ServerState::Choice => {
                let Some(choice) = reader.u32().map(Subtype) else { return Ok(()) };
                if !self.subtypes.contains(&choice) {
                    return Err(Misbehavior::TypeNotOffered.into());
                }
                self.chosen = Some(choice);
                self.then(vec![1], ServerState::StartTls);
            }
            ServerState::Plain => {
                if let Some(claim) = take_plain(reader)? {
                    self.state = ServerState::Claim(claim);
                }
            }
            _ => return Err(HandshakeError::Misuse),
        }
        Ok(())
    }

    fn subtype(&self) -> Option<Subtype> {
        self.chosen
    }

    fn answer(&mut self, answer: Answer) -> Result<(), HandshakeError> {
        match (&self.state, answer) {
            (ServerState::Tls, Answer::TlsStarted) => self.state = ServerState::Plain,
            _ => return Err(HandshakeError::Misuse),
        }
        Ok(())
    }
}

fn take_plain(reader: &mut Reader<'_>) -> Result<Option<Claim>, HandshakeError> {
    let mut probe = *reader;
    let (Some(name), Some(password)) = (probe.u32(), probe.u32()) else { return Ok(None) };
    let bounded = |n: u32| usize::try_from(n).ok().filter(|n| *n <= limits::CREDENTIAL);
    let (Some(name), Some(password)) = (bounded(name), bounded(password)) else {
        return Err(Misbehavior::CredentialTooLong.into());
    };
    let (Some(name), Some(password)) = (probe.take(name), probe.take(password)) else { return Ok(None) };
    *reader = probe;
    Ok(Some(Claim::Plain { username: text(name), password: Secret::new(text(password)) }))
}

/// A viewer's text: UTF-8, or Latin-1 from older viewers.
pub(crate) fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|b| char::from(*b)).collect(),
    }
}
