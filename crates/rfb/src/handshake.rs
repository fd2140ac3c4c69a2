//! The words that both handshakes share: steps, answers, jobs and errors.
//!
//! A handshake is a machine that is asked for its next [`Step`] and told what came of it. It opens
//! no socket and draws no randomness: the shell writes, reads, wraps streams, computes and asks.
//!
//! ```text
//! loop {
//!     match machine.poll_step()? {
//!         Send(bytes)       => write them (inside the records or TLS, if those have started)
//!         NeedBytes         => read; consumed = machine.handle_bytes(everything not consumed yet)?
//!         StartTls(kind)    => wrap the stream, what is left over goes into it; handle_tls_started()
//!         StartRecords(k)   => wrap the stream by `records`; handle_records_started()
//!         StopRecords       => unwrap it again
//!         Compute(job)      => handle_computed(job.run()) from a thread that may be busy
//!         Need…, Judge      => ask whoever knows; handle_…(answer)
//!         Done              => take the result
//!     }
//! }
//! ```
//!
//! INVARIANT: `handle_bytes` takes whole units only and nothing beyond the current step, so bytes
//! that belong to TLS, to records or to the session are never touched.

pub(crate) mod drive;

pub use crate::security::job::{Job, JobOutput};
pub use crate::security::vnc_auth::VncResponse;

use crate::records::RecordKeys;
use crate::{Misbehavior, SecurityType, limits};
use model::{Coded, Secret};

/// The most bytes that a shell may have to keep until a unit is complete: a ServerInit with the
/// longest name. A peer that makes it keep more is refused by `handle_bytes` before that.
pub const MAX_HELD: usize = limits::NAME + 64;

/// What the shell does next.
pub enum Step {
    /// Write these, then ask again. May hold a password: wipe after writing, do not log.
    Send(Vec<u8>),
    /// Read, and present everything that was received and not consumed yet.
    NeedBytes,
    /// Client: what to log in with. Answer with `handle_secret`.
    NeedSecret(SecretKind),
    /// Client: an RA2 server showed its key. Answer with `handle_identity`.
    NeedIdentity(PeerIdentity),
    /// From here on the connection goes through TLS. Answer with `handle_tls_started`.
    StartTls(TlsKind),
    /// From here on both directions go through RA2's records. Answer with `handle_records_started`.
    StartRecords(RecordKeys),
    /// Both directions are in clear again (RA2ne, after the credentials). No answer.
    StopRecords,
    /// Run this off the reactor. Answer with `handle_computed`.
    Compute(Job),
    /// Server: is this right? Answer with `handle_judgement`.
    Judge(Claim),
    /// Over. Take the result.
    Done,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Step::Send(bytes) => write!(f, "Send({} bytes)", bytes.len()),
            Step::NeedBytes => f.write_str("NeedBytes"),
            Step::NeedSecret(kind) => write!(f, "NeedSecret({kind:?})"),
            Step::NeedIdentity(identity) => write!(f, "NeedIdentity({identity:?})"),
            Step::StartTls(kind) => write!(f, "StartTls({kind:?})"),
            Step::StartRecords(_) => f.write_str("StartRecords"),
            Step::StopRecords => f.write_str("StopRecords"),
            Step::Compute(job) => write!(f, "Compute({job:?})"),
            Step::Judge(claim) => write!(f, "Judge({claim:?})"),
            Step::Done => f.write_str("Done"),
        }
    }
}

/// Which credentials a type asks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SecretKind {
    /// A password alone.
    Password,
    /// A user name and a password.
    UserAndPassword,
}

/// Which TLS a peer wants.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TlsKind {
    /// Without any certificate (anonymous Diffie-Hellman).
    Anonymous,
    /// With the server's certificate.
    X509,
}

/// The key that an RA2 server showed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PeerIdentity {
    /// SHA-256 of the key as on the wire (bits, modulus, exponent), lower-case hex. Pins hold this.
    pub sha256: String,
    /// What RealVNC's and TigerVNC's viewers show: eight bytes of SHA-1, `xx-xx-xx-xx-xx-xx-xx-xx`.
    pub display: String,
}

/// What a viewer claims.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Claim {
    /// Nothing: type None was offered and taken.
    None,
    /// A user name (may be empty) and a password.
    Plain {
        /// As sent.
        username: String,
        /// As sent.
        password: Secret,
    },
    /// The answer to a challenge; compare with candidates by [`VncResponse::matches`].
    VncAuth(VncResponse),
}

/// What the shell found of a [`Claim`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// The viewer may go on.
    Accept,
    /// The viewer is told the reason (by RFB 3.8) and the handshake fails.
    Refuse {
        /// One sentence for the viewer's user.
        reason: String,
    },
}

/// Why a handshake ended without a session.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The peer broke the protocol.
    #[error("the peer broke the protocol ({})", .0.code())]
    Misbehavior(Misbehavior),
    /// Somebody refused: the peer, the target's entry, or the judge.
    #[error("{kind}: {reason}")]
    Refused {
        /// What to tell people.
        kind: RefusalKind,
        /// The peer's or our own words, bounded, without control characters.
        reason: String,
    },
    /// What is inside this type cannot be used, but another type of the list can: connect again with
    /// this one in `ClientConfig::avoid`.
    #[error("nothing inside {avoid:?} can be used; try again without it")]
    Retry {
        /// The type to leave out.
        avoid: SecurityType,
    },
    /// The shell answered a question that was not asked. A defect of the program, not of the peer.
    #[error("an answer came that no step had asked for")]
    Misuse,
}

impl From<Misbehavior> for HandshakeError {
    fn from(misbehavior: Misbehavior) -> Self {
        HandshakeError::Misbehavior(misbehavior)
    }
}

impl Coded for HandshakeError {
    fn code(&self) -> &'static str {
        match self {
            HandshakeError::Misbehavior(misbehavior) => misbehavior.code(),
            HandshakeError::Refused { kind, .. } => kind.code(),
            HandshakeError::Retry { .. } => "target.no_common_type",
            HandshakeError::Misuse => "handshake.misuse",
        }
    }
}

impl HandshakeError {
    pub(crate) fn refused(kind: RefusalKind, reason: impl Into<String>) -> Self {
        HandshakeError::Refused { kind, reason: reason.into() }
    }
}

/// Kinds of refusal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum RefusalKind {
    /// The target did not take the credentials.
    WrongPassword,
    /// The target is locked after too many wrong passwords; trying again makes it worse.
    TooManyFailures,
    /// No security type that both sides can use.
    NoCommonType,
    /// The target offers less than it did before.
    Downgrade,
    /// The target offers less than its entry asks for.
    BelowFloor,
    /// The type needs a user name or password that the target's entry lacks or that does not fit.
    Credentials,
    /// The shell did not accept the RA2 key.
    Identity,
    /// A repeater answered and the target's entry has no repeater id.
    Repeater,
    /// Server side: the judge refused the viewer.
    Judged,
    /// Any other refusal by the peer, with its own words.
    Other,
}

impl RefusalKind {
    /// Every kind, for documents and tests.
    pub const ALL: &[RefusalKind] = &[
        RefusalKind::WrongPassword,
        RefusalKind::TooManyFailures,
        RefusalKind::NoCommonType,
        RefusalKind::Downgrade,
        RefusalKind::BelowFloor,
        RefusalKind::Credentials,
        RefusalKind::Identity,
        RefusalKind::Repeater,
        RefusalKind::Judged,
        RefusalKind::Other,
    ];
}

impl Coded for RefusalKind {
    fn code(&self) -> &'static str {
        match self {
            RefusalKind::WrongPassword => "target.wrong_password",
            RefusalKind::TooManyFailures => "target.too_many_failures",
            RefusalKind::NoCommonType => "target.no_common_type",
            RefusalKind::Downgrade => "target.downgrade",
            RefusalKind::BelowFloor => "target.below_floor",
            RefusalKind::Credentials => "target.password_missing",
            RefusalKind::Identity => "target.identity_unknown",
            RefusalKind::Repeater => "target.repeater",
            RefusalKind::Judged => "viewer.refused",
            RefusalKind::Other => "target.refused",
        }
    }
}

impl std::fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RefusalKind::WrongPassword => "the target did not accept the password",
            RefusalKind::TooManyFailures => "the target is locked after too many wrong passwords",
            RefusalKind::NoCommonType => "no security type in common",
            RefusalKind::Downgrade => "the target offers less security than before",
            RefusalKind::BelowFloor => "the target offers less security than its entry asks for",
            RefusalKind::Credentials => "the target asks for other credentials than its entry has",
            RefusalKind::Identity => "the target's key was not accepted",
            RefusalKind::Repeater => "a repeater answered",
            RefusalKind::Judged => "the viewer was refused",
            RefusalKind::Other => "the target refused",
        })
    }
}

/// Characters of a peer's reason that are kept.
const REASON_CHARS: usize = 300;

/// A peer's text for people: valid, on one line, short, and unable to steer a terminal or the
/// direction of the text around it.
pub(crate) fn sanitize(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let clean = |c: char| {
        let steers = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if c.is_control() || steers { ' ' } else { c }
    };
    let words: String = text.chars().map(clean).collect();
    let joined = words.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.chars().take(REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_cannot_steer() {
        assert_eq!(sanitize(b"Too many\r\n\x1b[31mtries\0"), "Too many [31mtries");
        assert_eq!(sanitize("a\u{202e}b\u{2066}c".as_bytes()), "a b c");
        assert_eq!(sanitize(b"\xff\xfe").chars().count(), 2);
        assert_eq!(sanitize(&[b'x'; 5000]).len(), REASON_CHARS);
        assert_eq!(sanitize(b"\0\0\0"), "");
    }

    #[test]
    fn codes_are_distinct() {
        let codes: std::collections::HashSet<_> = RefusalKind::ALL.iter().map(|k| k.code()).collect();
        assert_eq!(codes.len(), RefusalKind::ALL.len());
    }

    #[test]
    fn what_is_sent_is_not_printed() {
        assert_eq!(format!("{:?}", Step::Send(b"hunter2".to_vec())), "Send(7 bytes)");
    }
}
