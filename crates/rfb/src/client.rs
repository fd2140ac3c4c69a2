//! Our handshake towards a target: we are the client.
//!
//! Speaks versions 3.3, 3.7 and 3.8 and their odd relatives, takes the strongest type that the
//! target's entry allows, and ends with the target's ServerInit.

use crate::handshake::drive::{Asked, Desk, Driven};
use crate::handshake::{HandshakeError, JobOutput, RefusalKind, Step, sanitize};
use crate::security::choice::Terms;
use crate::security::random::Random;
use crate::security::{
    Answer, Channel, Exchange, Inner, Method, Setting, Turn, client_inner, client_outer, ra2,
};
use crate::security_type::Subtype;
use crate::version::VersionLine;
use crate::wire::{Put, Reader};
use crate::{Misbehavior, SecurityType, ServerInit, Version, limits};
use model::target::{Credentials, Security, Strength};
use std::sync::Arc;

/// What the client's side may do and has.
#[derive(Clone, Debug, Default)]
pub struct ClientConfig {
    /// Floor, history and whether anonymous TLS may be used.
    pub security: Security,
    /// No wire between us and the target: loopback or a Unix socket.
    pub host_is_local: bool,
    /// ClientInit's flag: whether other viewers of the target stay.
    pub shared: bool,
    /// Whether the entry has a user name. Types that need one are skipped without.
    pub has_username: bool,
    /// Whether the entry has a password. Types that need one are skipped without.
    pub has_password: bool,
    /// Types not to take, from earlier tries that ended in [`HandshakeError::Retry`].
    pub avoid: Vec<SecurityType>,
    /// What to tell an UltraVNC repeater, without `ID:`.
    pub repeater_id: Option<String>,
    /// Our RA2 key, made once per process. Without one, a job makes one when it is needed.
    pub ra2_key: Option<Arc<ra2::Ra2Key>>,
}

impl ClientConfig {
    /// Notes which credentials there are.
    pub fn with_credentials(mut self, credentials: &Credentials) -> Self {
        self.has_username = credentials.username.is_some();
        self.has_password = credentials.password.is_some();
        self
    }
}

/// What the handshake found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientResult {
    /// The target's version as it was sent.
    pub version_line: VersionLine,
    /// The types that the target offered, in its order.
    pub offered: Vec<SecurityType>,
    /// The type that was used.
    pub security_type: SecurityType,
    /// The VeNCrypt subtype that was used.
    pub subtype: Option<Subtype>,
    /// What the session has now.
    pub strength: Strength,
    /// The target's screen.
    pub init: ServerInit,
    /// SHA-256 of the RA2 key that the shell accepted.
    pub peer_identity: Option<String>,
}

/// The client's machine. See [`crate::handshake`] for how to drive it.
pub struct ClientHandshake {
    shared: bool,
    repeater_id: Option<String>,
    ra2_key: Option<Arc<ra2::Ra2Key>>,
    terms: Terms,
    random: Random,
    state: State,
    out: Vec<u8>,
    desk: Desk,
    found: Found,
}

enum State {
    Version,
    /// 3.3 names one type, later versions list them.
    Types,
    Exchange(Box<dyn Exchange>),
    Result,
    /// A length and a text, then the refusal.
    Reason(RefusalKind),
    ServerInit,
    /// Tight's lists behind ServerInit.
    Capabilities,
    Done,
}

#[derive(Default)]
struct Found {
    version_line: Option<VersionLine>,
    offered: Vec<SecurityType>,
    outer: Option<SecurityType>,
    inner: Option<Inner>,
    init: Option<ServerInit>,
    identity: Option<String>,
    plaintext: bool,
    /// The shell gave credentials to the exchange.
    given: bool,
    proven: bool,
}

impl ClientHandshake {
    /// Starts before the first byte. The seed must come from the system's generator.
    pub fn new(config: ClientConfig, seed: [u8; 32]) -> Self {
        ClientHandshake {
            shared: config.shared,
            repeater_id: config.repeater_id,
            ra2_key: config.ra2_key,
            terms: Terms {
                security: config.security,
                local: config.host_is_local,
                username: config.has_username,
                password: config.has_password,
                avoid: config.avoid,
                retry: None,
            },
            random: Random::new(seed),
            state: State::Version,
            out: Vec::new(),
            desk: Desk::default(),
            found: Found::default(),
        }
    }

    /// The next thing to do. Not to be asked while an answer is due.
    pub fn poll_step(&mut self) -> Result<Step, HandshakeError> {
        let step = self.guard(Self::next_step)?;
        if let Step::NeedIdentity(identity) = &step {
            self.found.identity = Some(identity.sha256.clone());
        }
        Ok(step)
    }

    /// Shows everything that was received and not consumed yet: the bytes consumed. Consumes nothing
    /// while another step is due first.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<usize, HandshakeError> {
        self.guard(|this| this.take_bytes(bytes))
    }

    /// Answers [`Step::NeedSecret`].
    pub fn handle_secret(&mut self, credentials: Credentials) -> Result<(), HandshakeError> {
        self.guard(|this| {
            this.expect(Asked::Secret)?;
            this.found.given = true;
            this.exchange().ok_or(HandshakeError::Misuse)?.answer(Answer::Secret(credentials))
        })
    }

    /// Answers [`Step::NeedIdentity`].
    pub fn handle_identity(&mut self, accepted: bool) -> Result<(), HandshakeError> {
        self.answer(Asked::Identity, Answer::Identity(accepted))
    }

    /// Answers [`Step::StartTls`].
    pub fn handle_tls_started(&mut self) -> Result<(), HandshakeError> {
        self.answer(Asked::Tls, Answer::TlsStarted)
    }

    /// Answers [`Step::StartRecords`].
    pub fn handle_records_started(&mut self) -> Result<(), HandshakeError> {
        self.answer(Asked::Records, Answer::RecordsStarted)
    }

    /// Answers [`Step::Compute`].
    pub fn handle_computed(&mut self, output: JobOutput) -> Result<(), HandshakeError> {
        self.answer(Asked::Computation, Answer::Computed(output))
    }

    /// What the end of the stream means now: QEMU's SASL closes without a word when a password is wrong.
    pub fn handle_end(&self) -> HandshakeError {
        match (self.desk.failure(), &self.state) {
            (Some(failed), _) => failed.clone(),
            (None, State::Exchange(_)) if self.found.given => HandshakeError::refused(
                RefusalKind::WrongPassword,
                "the target closed the connection when it had the password",
            ),
            _ => Misbehavior::Truncated.into(),
        }
    }

    /// What was found, after [`Step::Done`].
    pub fn into_result(self) -> Option<ClientResult> {
        let (State::Done, Found { version_line, offered, outer, inner, init, identity, plaintext, .. }) =
            (self.state, self.found)
        else {
            return None;
        };
        let inner = inner?;
        let method = if plaintext { Method::Plain } else { inner.method };
        Some(ClientResult {
            version_line: version_line?,
            offered,
            security_type: outer?,
            subtype: inner.subtype,
            strength: method.strength(inner.channel, self.terms.local),
            init: init?,
            peer_identity: identity,
        })
    }
}

impl Driven for ClientHandshake {
    fn desk(&mut self) -> &mut Desk {
        &mut self.desk
    }

    fn exchange(&mut self) -> Option<&mut dyn Exchange> {
        match &mut self.state {
            State::Exchange(exchange) => Some(exchange.as_mut()),
            _ => None,
        }
    }

    fn advance(&mut self) -> Result<Step, HandshakeError> {
        loop {
            if !self.out.is_empty() {
                return Ok(Step::Send(std::mem::take(&mut self.out)));
            }
            let State::Exchange(exchange) = &mut self.state else {
                return Ok(if let State::Done = self.state { Step::Done } else { Step::NeedBytes });
            };
            match exchange.poll()? {
                Turn::Step(step) => return Ok(step),
                Turn::Inner(inner) => self.enter(inner)?,
                Turn::Over => {
                    self.found.plaintext = exchange.in_plaintext();
                    self.exchange_over();
                }
                Turn::Claim(_) => return Err(HandshakeError::Misuse),
            }
        }
    }

    fn take_unit(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        match &mut self.state {
            State::Version => self.take_version(reader),
            State::Types => self.take_types(reader),
            State::Exchange(exchange) => exchange.bytes(reader),
            State::Result => self.take_result(reader),
            State::Reason(kind) => {
                let kind = *kind;
                match take_reason(reader)? {
                    Some(reason) => Err(refusal(kind, reason)),
                    None => Ok(()),
                }
            }
            State::ServerInit => self.take_server_init(reader),
            State::Capabilities => self.take_capabilities(reader),
            State::Done => Ok(()),
        }
    }
}

/// The states in the order of the wire.
impl ClientHandshake {
    /// [7.1.1] ProtocolVersion.
    fn take_version(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        let Some(bytes) = reader.array() else { return Ok(()) };
        let line = VersionLine::parse(bytes)?;
        if line.is_repeater() {
            // INVARIANT: the id goes out once, so a repeater cannot keep us in a circle.
            let id = self.repeater_id.take().ok_or_else(|| {
                let reason = "a repeater answered; set the repeater id in the target's entry";
                HandshakeError::refused(RefusalKind::Repeater, reason)
            })?;
            self.out = repeater_id(&id)?;
            return Ok(());
        }
        self.found.version_line = Some(line);
        self.out.put(&line.rules().line());
        self.state = State::Types;
        Ok(())
    }

    /// [7.1.2] The list of types, or the one type of 3.3.
    fn take_types(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        let offered = if self.version() == Version::V3_3 {
            let Some(only) = reader.u32() else { return Ok(()) };
            vec![SecurityType(only)]
        } else {
            let mut probe = *reader;
            let Some(count) = probe.u8() else { return Ok(()) };
            let Some(list) = probe.take(usize::from(count)) else { return Ok(()) };
            *reader = probe;
            list.iter().map(|t| SecurityType(u32::from(*t))).collect()
        };
        let old = self.version() == Version::V3_3;
        if offered.is_empty() || (old && offered == [SecurityType::INVALID]) {
            self.state = State::Reason(RefusalKind::Other);
            return Ok(());
        }
        let chosen = self.terms.choose_outer(&offered)?;
        self.found.offered = offered;
        self.found.outer = Some(chosen);
        if !old {
            // Types over a byte exist in 3.3 only.
            self.out.put_u8(u8::try_from(chosen.0).map_err(|_| Misbehavior::SecurityList)?);
        }
        if let Some(method) = Method::of(chosen) {
            self.found.inner = Some(Inner { method, channel: Channel::Clear, subtype: None });
        }
        let mut setting =
            Setting { terms: &self.terms, random: &mut self.random, ra2_key: self.ra2_key.as_ref() };
        let exchange = client_outer(chosen, &mut setting).ok_or(HandshakeError::Misuse)?;
        self.state = State::Exchange(exchange);
        Ok(())
    }

    fn enter(&mut self, inner: Inner) -> Result<(), HandshakeError> {
        self.found.inner = Some(inner);
        let mut setting =
            Setting { terms: &self.terms, random: &mut self.random, ra2_key: self.ra2_key.as_ref() };
        let exchange = client_inner(inner, &mut setting).ok_or(HandshakeError::Misuse)?;
        self.state = State::Exchange(exchange);
        Ok(())
    }

    /// [7.1.3] Before 3.8 there is no SecurityResult for None, be it inside Tight or TLS; VeNCrypt's
    /// subtypes always have one.
    fn exchange_over(&mut self) {
        let inner = self.found.inner;
        let none = inner.is_some_and(|i| i.method == Method::None && i.subtype.is_none());
        self.found.proven = inner.is_some_and(|i| i.method != Method::None);
        if none && self.version() < Version::V3_8 {
            self.send_client_init();
        } else {
            self.state = State::Result;
        }
    }

    /// [7.1.3] SecurityResult.
    fn take_result(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        let Some(result) = reader.u32() else { return Ok(()) };
        let kind = match result {
            0 => {
                self.send_client_init();
                return Ok(());
            }
            2 => RefusalKind::TooManyFailures,
            // UltraVNC: failed, with a text in every version.
            1 | 3 if self.found.proven => RefusalKind::WrongPassword,
            1 | 3 => RefusalKind::Other,
            _ => return Err(Misbehavior::SecurityExchange.into()),
        };
        if self.version() == Version::V3_8 || result == 3 {
            self.state = State::Reason(kind);
            return Ok(());
        }
        Err(refusal(kind, String::new()))
    }

    /// [7.3.1] ClientInit.
    fn send_client_init(&mut self) {
        self.out.put_u8(u8::from(self.shared));
        self.state = State::ServerInit;
    }

    /// [7.3.2] ServerInit.
    fn take_server_init(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        let Some((init, length)) = ServerInit::parse(reader.rest())? else { return Ok(()) };
        let _ = reader.take(length);
        self.found.init = Some(init);
        let tight = self.found.outer == Some(SecurityType::TIGHT);
        self.state = if tight { State::Capabilities } else { State::Done };
        Ok(())
    }

    /// [7.3.2] Tight's message and encoding capabilities. We use none of them.
    fn take_capabilities(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        let mut probe = *reader;
        let mut total = 0;
        for _ in 0..3 {
            let Some(count) = probe.u16().map(usize::from) else { return Ok(()) };
            if count > limits::CAPABILITIES {
                return Err(Misbehavior::SecurityList.into());
            }
            total += count;
        }
        if probe.u16().is_some() && probe.take(total * 16).is_some() {
            *reader = probe;
            self.state = State::Done;
        }
        Ok(())
    }

    fn version(&self) -> Version {
        self.found.version_line.map_or(Version::V3_8, VersionLine::rules)
    }
}

/// UltraVNC's repeater wants 250 bytes, padded with zeros.
fn repeater_id(id: &str) -> Result<Vec<u8>, HandshakeError> {
    let mut bytes = format!("ID:{id}").into_bytes();
    if bytes.len() > limits::REPEATER_ID {
        let reason = "the repeater id is too long; 247 bytes are the most";
        return Err(HandshakeError::refused(RefusalKind::Repeater, reason));
    }
    bytes.resize(limits::REPEATER_ID, 0);
    Ok(bytes)
}

/// A reason: its length and its text.
fn take_reason(reader: &mut Reader<'_>) -> Result<Option<String>, HandshakeError> {
    let mut probe = *reader;
    let Some(length) = probe.u32() else { return Ok(None) };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > limits::REASON {
        return Err(Misbehavior::ReasonTooLong.into());
    }
    let Some(text) = probe.take(length) else { return Ok(None) };
    *reader = probe;
    Ok(Some(sanitize(text)))
}

/// Reads what servers write into their reasons: a lock-out must not be taken for a wrong password,
/// or the next try prolongs it.
fn refusal(kind: RefusalKind, reason: String) -> HandshakeError {
    let text = reason.to_ascii_lowercase();
    let kind = if text.contains("too many") {
        RefusalKind::TooManyFailures
    } else if kind == RefusalKind::WrongPassword && text.contains("rejected by") {
        RefusalKind::Other
    } else {
        kind
    };
    let reason = if reason.is_empty() { "the target gave no reason".to_owned() } else { reason };
    HandshakeError::Refused { kind, reason }
}
