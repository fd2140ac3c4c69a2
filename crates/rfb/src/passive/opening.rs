//! Both halves of the handshake, read from the wire by somebody who takes no part in it.
//!
//! Each phase says whose bytes come next; the other side's bytes wait, so it does not matter in which
//! packets, or in which order across the directions, a capture has them.
//!
//! INVARIANT: challenges, responses, user names and passwords are skipped by length and never looked at.

mod blank;

use crate::security_type::Subtype;
use crate::server_init::ServerInit;
use crate::version::{Version, VersionLine};
use crate::wire::Reader;
use crate::{Misbehavior, SecurityType, limits};
use model::event::Origin;

/// What the handshake said, as far as it was readable.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Seen {
    /// The server's version line.
    pub server_version: Option<VersionLine>,
    /// The viewer's version line.
    pub viewer_version: Option<VersionLine>,
    /// Security types that the server offered, in its order.
    pub offered: Vec<SecurityType>,
    /// The one that was taken.
    pub security_type: Option<SecurityType>,
    /// VeNCrypt subtypes or Tight authentication types offered inside, in the server's order.
    pub inner_offered: Vec<u32>,
    /// The one that was taken.
    pub inner: Option<u32>,
    /// How it ended.
    pub auth_result: Option<AuthResult>,
    /// The server's reason for refusing, as sent.
    pub reason: Option<Vec<u8>>,
    /// Whether the viewer leaves others connected.
    pub shared: Option<bool>,
    /// The screen at the start.
    pub init: Option<ServerInit>,
    /// What was wrong but did not stop the reading.
    pub violations: Vec<(Origin, Misbehavior)>,
}

/// The server's answer to the security exchange.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AuthResult {
    /// The viewer may go on: said in so many words, or by going on where the version has no words for it.
    Accepted,
    /// Refused.
    Failed,
    /// Refused without a check: too many failures before.
    TooManyFailures,
}

/// What the bytes did.
pub(super) enum Step {
    /// These bytes of this side are read; what they are is for a skeleton.
    Taken(Origin, usize, Phase),
    /// More are needed.
    Wait,
    /// The handshake is over.
    Over(Outcome),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// The session is in clear, and begins.
    Session,
    /// From here on everything is encrypted, or belongs to a protocol that is not public.
    Opaque,
    /// The server refused.
    Refused,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    ServerVersion,
    RepeaterId,
    ViewerVersion,
    Type33,
    Types,
    Choice,
    /// So many bytes of one side whose content is nobody's business.
    Skip(Origin, usize, After),
    Tunnels,
    TunnelChoice,
    Auths,
    AuthChoice,
    /// U32 length of name, U32 length of password, both.
    Login,
    VencryptVersion,
    VencryptReply,
    Subtypes,
    SubtypeChoice,
    TlsAcknowledged,
    SaslMechanisms,
    SaslChoice,
    SaslViewer,
    SaslTarget,
    XvpUser,
    AppleKeys,
    Ra2Key(Origin),
    Ra2Random(Origin),
    Ra2Hash(Origin),
    Ra2Record(Origin),
    Result,
    Reason,
    ViewerInit,
    ServerInit,
    TightTail,
    Over(Outcome),
}

/// Where a skipped exchange leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum After {
    VncResponse,
    MsLogonAnswer,
    Result,
}

pub(super) struct Opening {
    phase: Phase,
    version: Version,
    sasl_layer: bool,
    pub(super) seen: Seen,
}

/// Why a phase is not over.
enum Stop {
    Bytes,
    Fault(Misbehavior),
}

impl From<Misbehavior> for Stop {
    fn from(fault: Misbehavior) -> Stop {
        Stop::Fault(fault)
    }
}

fn need<T>(value: Option<T>) -> Result<T, Stop> {
    value.ok_or(Stop::Bytes)
}

/// A U32 length within its bound.
fn length(reader: &mut Reader<'_>, limit: usize, over: Misbehavior) -> Result<usize, Stop> {
    let length = usize::try_from(need(reader.u32())?).map_err(|_| over)?;
    if length > limit { Err(over.into()) } else { Ok(length) }
}

impl Opening {
    pub(super) fn new() -> Opening {
        Opening {
            phase: Phase::ServerVersion,
            version: Version::V3_8,
            sasl_layer: false,
            seen: Seen::default(),
        }
    }

    /// Reads one phase from the bytes of both sides that were not taken yet.
    pub(super) fn step(&mut self, viewer: &[u8], target: &[u8]) -> Result<Step, (Origin, Misbehavior)> {
        if let Phase::Over(outcome) = self.phase {
            return Ok(Step::Over(outcome));
        }
        let from = self.phase.origin();
        let mut reader = Reader::new(if from == Origin::Viewer { viewer } else { target });
        match self.read(&mut reader) {
            Ok(next) => {
                let phase = std::mem::replace(&mut self.phase, next);
                Ok(Step::Taken(from, reader.taken(), phase))
            }
            Err(Stop::Bytes) => Ok(Step::Wait),
            Err(Stop::Fault(fault)) => Err((from, fault)),
        }
    }

    fn read(&mut self, r: &mut Reader<'_>) -> Result<Phase, Stop> {
        match self.phase {
            Phase::ServerVersion => self.server_version(r),
            Phase::RepeaterId => need(r.take(limits::REPEATER_ID)).map(|_| Phase::ServerVersion),
            Phase::ViewerVersion => self.viewer_version(r),
            Phase::Type33 | Phase::Types | Phase::Choice => self.security_type(r),
            Phase::Skip(_, bytes, after) => need(r.take(bytes)).map(|_| after.phase()),
            Phase::Tunnels | Phase::TunnelChoice | Phase::Auths | Phase::AuthChoice => self.tight(r),
            Phase::Login => login(r),
            Phase::VencryptVersion
            | Phase::VencryptReply
            | Phase::Subtypes
            | Phase::SubtypeChoice
            | Phase::TlsAcknowledged => self.vencrypt(r),
            Phase::SaslMechanisms | Phase::SaslChoice | Phase::SaslViewer | Phase::SaslTarget => self.sasl(r),
            Phase::XvpUser => xvp_user(r),
            Phase::AppleKeys => apple_keys(r),
            Phase::Ra2Key(_) | Phase::Ra2Random(_) | Phase::Ra2Hash(_) | Phase::Ra2Record(_) => {
                ra2(self.phase, r)
            }
            Phase::Result => self.result(r),
            Phase::Reason => self.reason(r),
            Phase::ViewerInit => {
                self.seen.shared = Some(need(r.u8())? != 0);
                Ok(Phase::ServerInit)
            }
            Phase::ServerInit => self.server_init(r),
            Phase::TightTail => tight_tail(r),
            Phase::Over(outcome) => Ok(Phase::Over(outcome)),
        }
    }

    fn server_version(&mut self, r: &mut Reader<'_>) -> Result<Phase, Stop> {
        if r.rest().starts_with(b"ID:") {
            // A server that calls a repeater says first which of its viewers it is for.
            need(r.take(limits::REPEATER_ID))?;
            return Ok(Phase::ServerVersion);
        }
        let line = VersionLine::parse(need(r.array())?)?;
        if line.is_repeater() {
            return Ok(Phase::RepeaterId);
        }
        self.seen.server_version = Some(line);
        Ok(Phase::ViewerVersion)
    }

    /// [7.1.1] The lower of both versions rules: viewers of macOS answer 3.3 to a 3.8 server.
    fn viewer_version(&mut self, r: &mut Reader<'_>) -> Result<Phase, Stop> {
        let line = VersionLine::parse(need(r.array())?)?;
        self.seen.viewer_version = Some(line);
        let server = self.seen.server_version.map_or(Version::V3_8, VersionLine::rules);
        self.version = server.min(line.rules());
        Ok(if self.version == Version::V3_3 { Phase::Type33 } else { Phase::Types })
    }

    /// [7.1.2]
    fn security_type(&mut self, r: &mut Reader<'_>) -> Result<Phase, Stop> {
        match self.phase {
            Phase::Type33 => {
                let kind = SecurityType(need(r.u32())?);
                if kind == SecurityType::INVALID {
                    return Ok(self.refused());
                }
                self.seen.offered = vec![kind];
                Ok(self.exchange(kind))
            }
            Phase::Types => {
                let count = usize::from(need(r.u8())?);
                if count == 0 {
                    return Ok(self.refused());
                }
                let types = need(r.take(count))?;
                self.seen.offered = types.iter().map(|&n| SecurityType(n.into())).collect();
                Ok(Phase::Choice)
            }
            _ => {
                let kind = SecurityType(need(r.u8())?.into());
                if !self.seen.offered.contains(&kind) {
                    self.violation(Origin::Viewer, Misbehavior::TypeNotOffered);
                }
                Ok(self.exchange(kind))
            }
        }
    }

    fn exchange(&mut self, kind: SecurityType) -> Phase {
        const ULTRA: SecurityType = SecurityType(17);
        const XVP: SecurityType = SecurityType(22);
        self.seen.security_type = Some(kind);
        match kind {
            SecurityType::NONE => self.nothing_to_prove(),
            SecurityType::VNC_AUTH => VNC_CHALLENGE,
            SecurityType::TIGHT => Phase::Tunnels,
            // UltraVNC: the answer is 0xFFFFFFFF, "go on", and another list.
            ULTRA => Phase::Result,
            SecurityType::VENCRYPT => Phase::VencryptVersion,
            SecurityType::SASL => Phase::SaslMechanisms,
            XVP => Phase::XvpUser,
            SecurityType::APPLE_DH => Phase::AppleKeys,
            SecurityType::MS_LOGON_II => Phase::Skip(Origin::Target, 24, After::MsLogonAnswer),
            SecurityType::RA2NE | SecurityType::RA2NE_256 => Phase::Ra2Key(Origin::Target),
            _ => Phase::Over(Outcome::Opaque),
        }
    }

    /// [7.2.1] Before 3.8 the server does not even say that it is content.
    fn nothing_to_prove(&self) -> Phase {
        if self.version == Version::V3_8 { Phase::Result } else { Phase::ViewerInit }
    }

    /// [7.2.3] Tunnels, then authentication types, each list and the choice from it.
    fn tight(&mut self, r: &mut Reader<'_>) -> Result<Phase, Stop> {
        match self.phase {
            Phase::Tunnels => {
                let any = !capabilities(r)?.is_empty();
                Ok(if any { Phase::TunnelChoice } else { Phase::Auths })
            }
            Phase::TunnelChoice => {
                let none = need(r.u32())? == 0;
                Ok(if none { Phase::Auths } else { Phase::Over(Outcome::Opaque) })
            }
            Phase::Auths => {
                self.seen.inner_offered = capabilities(r)?;
                let none = self.seen.inner_offered.is_empty();
                Ok(if none { self.nothing_to_prove() } else { Phase::AuthChoice })
            }
            _ => {
                let kind = need(r.u32())?;
                if !self.seen.inner_offered.contains(&kind) {
                    self.violation(Origin::Viewer, Misbehavior::TypeNotOffered);
                }
                self.seen.inner = Some(kind);
                Ok(match kind {
                    1 => self.nothing_to_prove(),
                    2 => VNC_CHALLENGE,
                    129 => Phase::Login,
                    _ => Phase::Over(Outcome::Opaque),
                })
            }
        }
    }

    /// [7.2.4]
    fn vencrypt(&mut self, r: &mut Reader<'_>) -> Result<Phase, Stop> {
        match self.phase {
            Phase::VencryptVersion => need(r.u16()).map(|_| Phase::VencryptReply),
            Phase::VencryptReply => {
                let current = need(r.u16())? >= 2;
                // Version 0.1 was in use for a month, and numbers its subtypes otherwise.
                Ok(if current { Phase::Subtypes } else { Phase::Over(Outcome::Opaque) })
            }
            Phase::Subtypes => {
                if need(r.u8())? != 0 {
                    return Ok(Phase::Over(Outcome::Refused));
                }
                let count = usize::from(need(r.u8())?);
                let mut list = Reader::new(need(r.take(count * 4))?);
                self.seen.inner_offered = std::iter::from_fn(|| list.u32()).collect();
                Ok(if count == 0 { Phase::Over(Outcome::Refused) } else { Phase::SubtypeChoice })
            }
            Phase::SubtypeChoice => {
                let kind = need(r.u32())?;
                if !self.seen.inner_offered.contains(&kind) {
                    self.violation(Origin::Viewer, Misbehavior::TypeNotOffered);
                }
                self.seen.inner = Some(kind);
                Ok(if Subtype(kind) == Subtype::PLAIN { Phase::Login } else { Phase::TlsAcknowledged })
            }
            _ => {
                let goes_on = need(r.u8())? == 1;
                Ok(Phase::Over(if goes_on { Outcome::Opaque } else { Outcome::Refused }))
            }
        }
    }

    /// QEMU's SASL: mechanisms, the viewer's choice with its first message, then answers in turn. The
    /// session stays in clear only after mechanisms that cannot negotiate a security layer.
    fn sasl(&mut self, r: &mut Reader<'_>) -> Result<Phase, Stop> {
        const LIMIT: Misbehavior = Misbehavior::SecurityExchange;
        let bytes = length(r, limits::SASL, LIMIT)?;
        let text = need(r.take(bytes))?;
        match self.phase {
            Phase::SaslMechanisms => Ok(Phase::SaslChoice),
            Phase::SaslChoice => {
                let plain = [b"PLAIN".as_slice(), b"LOGIN", b"ANONYMOUS", b"CRAM-MD5"].contains(&text)
                    || text.starts_with(b"SCRAM-");
                self.sasl_layer = !plain;
                Ok(Phase::SaslViewer)
            }
            Phase::SaslViewer => Ok(Phase::SaslTarget),
            _ => match (need(r.u8())?, self.sasl_layer) {
                (0, _) => Ok(Phase::SaslViewer),
                (_, true) => Ok(Phase::Over(Outcome::Opaque)),
                (_, false) => Ok(Phase::Result),
            },
        }
    }

    /// [7.1.3] SecurityResult, with UltraVNC's two additions.
    fn result(&mut self, r: &mut Reader<'_>) -> Result<Phase, Stop> {
        const ULTRA_FAILED_WITH_TEXT: u32 = 3;
        const ULTRA_CONTINUE: u32 = 0xffff_ffff;
        let code = need(r.u32())?;
        self.seen.auth_result = match code {
            0 => Some(AuthResult::Accepted),
            2 => Some(AuthResult::TooManyFailures),
            ULTRA_CONTINUE => None,
            _ => Some(AuthResult::Failed),
        };
        let has_text = self.version == Version::V3_8 || code == ULTRA_FAILED_WITH_TEXT;
        Ok(match code {
            0 => Phase::ViewerInit,
            ULTRA_CONTINUE => Phase::Types,
            _ if has_text => Phase::Reason,
            _ => Phase::Over(Outcome::Refused),
        })
    }

    fn reason(&mut self, r: &mut Reader<'_>) -> Result<Phase, Stop> {
        let bytes = length(r, limits::REASON, Misbehavior::ReasonTooLong)?;
        self.seen.reason = Some(need(r.take(bytes))?.to_vec());
        Ok(Phase::Over(Outcome::Refused))
    }

    /// The server offers nothing at all.
    fn refused(&mut self) -> Phase {
        self.seen.auth_result = Some(AuthResult::Failed);
        Phase::Reason
    }

    /// [7.3.2]
    fn server_init(&mut self, r: &mut Reader<'_>) -> Result<Phase, Stop> {
        let (init, taken) = need(ServerInit::parse(r.rest())?)?;
        need(r.take(taken))?;
        self.seen.init = Some(init);
        self.seen.auth_result.get_or_insert(AuthResult::Accepted);
        const APPLE: u16 = 889;
        let versions = [self.seen.server_version, self.seen.viewer_version];
        if versions.iter().all(|line| line.is_some_and(|line| line.minor == APPLE)) {
            // Two Macs go on in a protocol of their own.
            return Ok(Phase::Over(Outcome::Opaque));
        }
        let tight = self.seen.security_type == Some(SecurityType::TIGHT);
        Ok(if tight { Phase::TightTail } else { Phase::Over(Outcome::Session) })
    }

    fn violation(&mut self, from: Origin, what: Misbehavior) {
        const KEPT: usize = 8;
        if self.seen.violations.len() < KEPT {
            self.seen.violations.push((from, what));
        }
    }
}

/// [7.2.2] 16 bytes each way.
const VNC_CHALLENGE: Phase = Phase::Skip(Origin::Target, 16, After::VncResponse);

impl After {
    fn phase(self) -> Phase {
        match self {
            After::VncResponse => Phase::Skip(Origin::Viewer, 16, After::Result),
            // Public key 8, user name 256, password 64.
            After::MsLogonAnswer => Phase::Skip(Origin::Viewer, 8 + 256 + 64, After::Result),
            After::Result => Phase::Result,
        }
    }
}

impl Phase {
    /// Whose bytes come next.
    fn origin(self) -> Origin {
        match self {
            Phase::Skip(from, ..)
            | Phase::Ra2Key(from)
            | Phase::Ra2Random(from)
            | Phase::Ra2Hash(from)
            | Phase::Ra2Record(from) => from,
            Phase::RepeaterId
            | Phase::ViewerVersion
            | Phase::Choice
            | Phase::TunnelChoice
            | Phase::AuthChoice
            | Phase::Login
            | Phase::VencryptReply
            | Phase::SubtypeChoice
            | Phase::SaslChoice
            | Phase::SaslViewer
            | Phase::XvpUser
            | Phase::ViewerInit => Origin::Viewer,
            _ => Origin::Target,
        }
    }
}

/// [7.2.3] A list of capabilities: their numbers.
fn capabilities(r: &mut Reader<'_>) -> Result<Vec<u32>, Stop> {
    const CAPABILITY: usize = 16;
    let count = length(r, limits::CAPABILITIES, Misbehavior::SecurityList)?;
    let list = need(r.take(count * CAPABILITY))?;
    Ok(list.chunks_exact(CAPABILITY).filter_map(|one| Reader::new(one).u32()).collect())
}

/// [7.3.2] The message and encoding lists that follow ServerInit when type 16 was taken.
fn tight_tail(r: &mut Reader<'_>) -> Result<Phase, Stop> {
    let counts = [need(r.u16())?, need(r.u16())?, need(r.u16())?].map(usize::from);
    need(r.u16())?;
    if counts.iter().any(|&count| count > limits::CAPABILITIES) {
        return Err(Misbehavior::SecurityList.into());
    }
    need(r.take(counts.iter().sum::<usize>() * 16))?;
    Ok(Phase::Over(Outcome::Session))
}

fn login(r: &mut Reader<'_>) -> Result<Phase, Stop> {
    const LIMIT: Misbehavior = Misbehavior::CredentialTooLong;
    let name = length(r, limits::CREDENTIAL, LIMIT)?;
    let password = length(r, limits::CREDENTIAL, LIMIT)?;
    need(r.take(name + password))?;
    Ok(Phase::Result)
}

fn xvp_user(r: &mut Reader<'_>) -> Result<Phase, Stop> {
    let (name, target) = (need(r.u8())?, need(r.u8())?);
    need(r.take(usize::from(name) + usize::from(target)))?;
    Ok(VNC_CHALLENGE)
}

/// Apple Diffie-Hellman: generator, key length, prime and public key; the answer is 128 bytes of
/// encrypted credentials and a public key.
fn apple_keys(r: &mut Reader<'_>) -> Result<Phase, Stop> {
    need(r.u16())?;
    let bytes = usize::from(need(r.u16())?);
    if bytes > limits::DH_BYTES {
        return Err(Misbehavior::PublicKey.into());
    }
    need(r.take(2 * bytes))?;
    Ok(Phase::Skip(Origin::Viewer, 128 + bytes, After::Result))
}

/// RA2ne, where only the exchange itself is encrypted: keys, randoms, hashes, then the subtype from the
/// server and the credentials from the viewer, each in turn, the server first.
fn ra2(phase: Phase, r: &mut Reader<'_>) -> Result<Phase, Stop> {
    const TAG: usize = 16;
    match phase {
        Phase::Ra2Key(_) => {
            let bits = need(r.u32())?;
            if !(limits::RSA_BITS_MIN..=2 * limits::RSA_BITS).contains(&bits) {
                return Err(Misbehavior::PublicKey.into());
            }
            let bytes = usize::try_from(bits.div_ceil(8)).unwrap_or(usize::MAX);
            need(r.take(bytes.saturating_mul(2)))?;
        }
        Phase::Ra2Random(_) => {
            let bytes = usize::from(need(r.u16())?);
            need(r.take(bytes))?;
        }
        _ => {
            let bytes = usize::from(need(r.u16())?);
            need(r.take(bytes + TAG))?;
        }
    }
    Ok(match phase {
        Phase::Ra2Key(Origin::Target) => Phase::Ra2Key(Origin::Viewer),
        Phase::Ra2Key(Origin::Viewer) => Phase::Ra2Random(Origin::Target),
        Phase::Ra2Random(Origin::Target) => Phase::Ra2Random(Origin::Viewer),
        Phase::Ra2Random(Origin::Viewer) => Phase::Ra2Hash(Origin::Target),
        Phase::Ra2Hash(Origin::Target) => Phase::Ra2Hash(Origin::Viewer),
        Phase::Ra2Hash(Origin::Viewer) => Phase::Ra2Record(Origin::Target),
        Phase::Ra2Record(Origin::Target) => Phase::Ra2Record(Origin::Viewer),
        _ => Phase::Result,
    })
}
