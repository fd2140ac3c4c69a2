//! Our handshake towards a viewer: we are the server.
//!
//! Offers what was switched on, asks the shell to judge the viewer's claim, and ends behind
//! ClientInit. The shell then writes [`server_init_bytes`].

use crate::handshake::drive::{Asked, Desk, Driven};
use crate::handshake::{Claim, HandshakeError, JobOutput, Judgement, RefusalKind, Step};
use crate::security::random::Random;
use crate::security::{Answer, Exchange, Turn, ra2, vencrypt, vnc_auth};
use crate::security_type::Subtype;
use crate::version::VersionLine;
use crate::wire::{Put, Reader};
use crate::{Misbehavior, SecurityType, ServerInit, Version};
use std::sync::Arc;

/// The types that viewers may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServerTypes {
    /// None: only where the viewer is known already.
    pub none: bool,
    /// VeNCrypt X509Plain.
    pub vencrypt_x509_plain: bool,
    /// VeNCrypt TLSPlain: anonymous TLS, so for one-time tickets only.
    pub vencrypt_tls_plain: bool,
    /// VncAuth: can be guessed offline by a listener, so for one-time tickets only.
    pub vnc_auth: bool,
    /// RA2_256. Needs `ra2_key`.
    pub ra2_256: bool,
    /// RA2ne_256: the session is in clear, so on loopback only. Needs `ra2_key`.
    pub ra2ne_256: bool,
}

/// What the server's side offers.
#[derive(Clone, Debug, Default)]
pub struct ServerConfig {
    /// The types switched on.
    pub offered: ServerTypes,
    /// Our persistent RA2 key. Without it the RA2 types are not offered.
    pub ra2_key: Option<Arc<ra2::Ra2Key>>,
    /// RA2 viewers ask their user for a password only, not for a name as well.
    pub ra2_password_only: bool,
}

/// What the handshake found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServerResult {
    /// The viewer's version as it was sent.
    pub version_line: VersionLine,
    /// The type that was used.
    pub security_type: SecurityType,
    /// The VeNCrypt subtype that was used.
    pub subtype: Option<Subtype>,
    /// ClientInit's flag. macOS sends other values than one.
    pub shared: bool,
}

/// The bytes that follow the handshake.
pub fn server_init_bytes(init: &ServerInit) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ServerInit::HEADER + init.name.len());
    init.write(&mut bytes);
    bytes
}

/// The server's machine. See [`crate::handshake`] for how to drive it.
pub struct ServerHandshake {
    offered: Vec<SecurityType>,
    subtypes: Vec<Subtype>,
    ra2_key: Option<Arc<ra2::Ra2Key>>,
    ra2_password_only: bool,
    random: Random,
    state: State,
    out: Vec<u8>,
    desk: Desk,
    /// The failure that comes once the viewer was told.
    parting: Option<HandshakeError>,
    version_line: Option<VersionLine>,
    chosen: Option<SecurityType>,
    subtype: Option<Subtype>,
    shared: bool,
}

enum State {
    Version,
    Choice,
    Exchange(Box<dyn Exchange>),
    Claim(Claim),
    Judged,
    ClientInit,
    Done,
}

impl ServerHandshake {
    /// Starts before the first byte. The seed must come from the system's generator.
    pub fn new(config: ServerConfig, seed: [u8; 32]) -> Self {
        let types = config.offered;
        let ra2 = config.ra2_key.is_some();
        let offered = [
            (types.vencrypt_x509_plain || types.vencrypt_tls_plain, SecurityType::VENCRYPT),
            (types.ra2_256 && ra2, SecurityType::RA2_256),
            (types.ra2ne_256 && ra2, SecurityType::RA2NE_256),
            (types.vnc_auth, SecurityType::VNC_AUTH),
            (types.none, SecurityType::NONE),
        ];
        let subtypes = [
            (types.vencrypt_x509_plain, Subtype::X509_PLAIN),
            (types.vencrypt_tls_plain, Subtype::TLS_PLAIN),
        ];
        ServerHandshake {
            offered: offered.into_iter().filter_map(|(on, t)| on.then_some(t)).collect(),
            subtypes: subtypes.into_iter().filter_map(|(on, t)| on.then_some(t)).collect(),
            ra2_key: config.ra2_key,
            ra2_password_only: config.ra2_password_only,
            random: Random::new(seed),
            state: State::Version,
            out: Version::V3_8.line().to_vec(),
            desk: Desk::default(),
            parting: None,
            version_line: None,
            chosen: None,
            subtype: None,
            shared: false,
        }
    }

    /// The next thing to do. Not to be asked while an answer is due.
    pub fn poll_step(&mut self) -> Result<Step, HandshakeError> {
        self.guard(Self::next_step)
    }

    /// Shows everything that was received and not consumed yet: the bytes consumed. Consumes nothing
    /// while another step is due first.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<usize, HandshakeError> {
        self.guard(|this| this.take_bytes(bytes))
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

    /// Answers [`Step::Judge`].
    pub fn handle_judgement(&mut self, judgement: Judgement) -> Result<(), HandshakeError> {
        self.guard(|this| {
            this.expect(Asked::Judgement)?;
            this.apply(judgement);
            Ok(())
        })
    }

    /// What the end of the stream means now.
    pub fn handle_end(&self) -> HandshakeError {
        self.desk.failure().cloned().unwrap_or(Misbehavior::Truncated.into())
    }

    /// What was found, after [`Step::Done`].
    pub fn into_result(self) -> Option<ServerResult> {
        let State::Done = self.state else { return None };
        Some(ServerResult {
            version_line: self.version_line?,
            security_type: self.chosen?,
            subtype: self.subtype,
            shared: self.shared,
        })
    }
}

impl Driven for ServerHandshake {
    fn desk(&mut self) -> &mut Desk {
        &mut self.desk
    }

    fn exchange(&mut self) -> Option<&mut dyn Exchange> {
        match &mut self.state {
            State::Exchange(exchange) => Some(exchange.as_mut()),
            _ => None,
        }
    }

    fn is_parting(&self) -> bool {
        self.parting.is_some()
    }

    fn advance(&mut self) -> Result<Step, HandshakeError> {
        loop {
            if !self.out.is_empty() {
                return Ok(Step::Send(std::mem::take(&mut self.out)));
            }
            if let Some(parting) = self.parting.take() {
                return Err(parting);
            }
            match &mut self.state {
                State::Done => return Ok(Step::Done),
                State::Claim(claim) => return Ok(Step::Judge(claim.clone())),
                State::Judged => return Err(HandshakeError::Misuse),
                State::Version | State::Choice | State::ClientInit => return Ok(Step::NeedBytes),
                State::Exchange(exchange) => match exchange.poll()? {
                    Turn::Step(step) => return Ok(step),
                    Turn::Claim(claim) => {
                        self.subtype = exchange.subtype();
                        self.state = State::Claim(claim);
                    }
                    Turn::Inner(_) | Turn::Over => return Err(HandshakeError::Misuse),
                },
            }
        }
    }

    fn take_unit(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        match &mut self.state {
            State::Version => self.take_version(reader),
            State::Choice => self.take_choice(reader),
            State::Exchange(exchange) => exchange.bytes(reader),
            State::ClientInit => {
                if let Some(shared) = reader.u8() {
                    self.shared = shared != 0;
                    self.state = State::Done;
                }
                Ok(())
            }
            State::Claim(_) | State::Judged | State::Done => Ok(()),
        }
    }
}

/// The states in the order of the wire.
impl ServerHandshake {
    /// [7.1.1] The viewer's version; [7.1.2] then our types.
    fn take_version(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        let Some(bytes) = reader.array() else { return Ok(()) };
        let line = VersionLine::parse(bytes)?;
        if line.is_repeater() {
            return Err(Misbehavior::VersionString.into());
        }
        self.version_line = Some(line);
        if line.rules() == Version::V3_3 {
            return self.dictate_type();
        }
        if self.offered.is_empty() {
            self.out.put_u8(0);
            self.part_without_types();
            return Ok(());
        }
        self.out.put_u8(u8::try_from(self.offered.len()).unwrap_or(u8::MAX));
        for offered in &self.offered {
            self.out.put_u8(u8::try_from(offered.0).unwrap_or(0));
        }
        self.state = State::Choice;
        Ok(())
    }

    /// 3.3: the server names one type, and only the two oldest are known to such viewers.
    fn dictate_type(&mut self) -> Result<(), HandshakeError> {
        let old = [SecurityType::VNC_AUTH, SecurityType::NONE];
        match old.into_iter().find(|t| self.offered.contains(t)) {
            Some(dictated) => {
                self.out.put_u32(dictated.0);
                self.enter(dictated)
            }
            None => {
                self.out.put_u32(SecurityType::INVALID.0);
                self.part_without_types();
                Ok(())
            }
        }
    }

    fn part_without_types(&mut self) {
        let reason = "this server needs a viewer with RFB 3.7 or later and VeNCrypt or RA2";
        put_reason(reason, &mut self.out);
        self.state = State::Judged;
        self.parting = Some(HandshakeError::refused(RefusalKind::NoCommonType, reason));
    }

    /// [7.1.2] The viewer's choice. A type that was not offered ends the session (CVE-2006-2369).
    fn take_choice(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        let Some(choice) = reader.u8().map(|t| SecurityType(u32::from(t))) else { return Ok(()) };
        if !self.offered.contains(&choice) {
            return Err(Misbehavior::TypeNotOffered.into());
        }
        self.enter(choice)
    }

    fn enter(&mut self, chosen: SecurityType) -> Result<(), HandshakeError> {
        self.chosen = Some(chosen);
        self.state = match chosen {
            SecurityType::NONE => State::Claim(Claim::None),
            SecurityType::VNC_AUTH => State::Exchange(Box::new(vnc_auth::Server::new(&mut self.random))),
            SecurityType::VENCRYPT => State::Exchange(Box::new(vencrypt::Server::new(self.subtypes.clone()))),
            SecurityType::RA2_256 | SecurityType::RA2NE_256 => {
                let kind =
                    if chosen == SecurityType::RA2_256 { ra2::Kind::Ra2_256 } else { ra2::Kind::Ra2ne256 };
                let key = self.ra2_key.clone().ok_or(HandshakeError::Misuse)?;
                State::Exchange(Box::new(ra2::server::Server::new(
                    kind,
                    self.ra2_password_only,
                    key,
                    &mut self.random,
                )))
            }
            _ => return Err(Misbehavior::TypeNotOffered.into()),
        };
        Ok(())
    }

    /// [7.1.3] SecurityResult, where the version has one.
    fn apply(&mut self, judgement: Judgement) {
        let version = self.version_line.map_or(Version::V3_8, VersionLine::rules);
        let silent = self.chosen == Some(SecurityType::NONE) && version < Version::V3_8;
        match judgement {
            Judgement::Accept => {
                if !silent {
                    self.out.put_u32(0);
                }
                self.state = State::ClientInit;
            }
            Judgement::Refuse { reason } => {
                if !silent {
                    self.out.put_u32(1);
                }
                if version == Version::V3_8 {
                    put_reason(&reason, &mut self.out);
                }
                self.state = State::Judged;
                self.parting = Some(HandshakeError::Refused { kind: RefusalKind::Judged, reason });
            }
        }
    }
}

/// Bytes of our reasons; viewers show them in a dialog.
const REASON: usize = 1024;

fn put_reason(reason: &str, out: &mut Vec<u8>) {
    let cut = reason.floor_char_boundary(REASON);
    let text = reason.get(..cut).unwrap_or_default();
    out.put_u32(u32::try_from(text.len()).unwrap_or(0));
    out.put(text.as_bytes());
}
