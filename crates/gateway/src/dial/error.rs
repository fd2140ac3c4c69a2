//! Why a target could not be reached or logged in to, in a sentence that says what to do.

use crate::tls::{Fingerprint, TlsError};
use model::Coded;
use model::egress::EgressError;
use rfb::Misbehavior;
use rfb::handshake::{HandshakeError, RefusalKind};
use std::io;

/// Why a target could not be reached or logged in to.
///
/// INVARIANT: carries no secret. Texts of the target are bounded and without control characters.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// No connection came about, or it broke.
    #[error("cannot reach {address}: {source}; check that the target runs, its address and the network")]
    Unreachable {
        /// As in the entry.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// It is an address that nobody is connected to, or not for this purpose.
    #[error("{address} is not connected to: {source}")]
    Forbidden {
        /// As in the entry.
        address: String,
        /// Which rule says so.
        source: EgressError,
    },
    /// Too slow.
    #[error("{address} did not answer in time; check the network, and that it speaks VNC on this port")]
    Timeout {
        /// As in the entry.
        address: String,
    },
    /// The target did not take the credentials.
    #[error("the target did not accept the stored password{}; change it in the target's entry", said(.reason))]
    WrongPassword {
        /// The target's words.
        reason: String,
    },
    /// The target is locked.
    #[error("the target is locked after too many wrong passwords{}; wait, then check the stored password", said(.reason))]
    TooManyFailures {
        /// The target's words.
        reason: String,
    },
    /// The target shows another certificate or key than the pinned one.
    #[error(
        "the target shows another identity ({found}) than the pinned one ({expected}); if it was changed on purpose, run test connection and pin the new one, otherwise somebody is in between"
    )]
    TlsMismatch {
        /// The pin.
        expected: Fingerprint,
        /// What it shows.
        found: Fingerprint,
    },
    /// The target's identity is neither verified nor pinned.
    #[error(
        "the target's identity cannot be trusted: {why} ({found}); run test connection and pin it, or install a certificate that verifies"
    )]
    IdentityUnknown {
        /// What it shows.
        found: Fingerprint,
        /// What is missing.
        why: &'static str,
    },
    /// TLS itself failed.
    #[error("TLS with the target failed: {why}; check the target's TLS settings and versions")]
    TlsFailed {
        /// In the library's words.
        why: String,
    },
    /// The target offers less than before.
    #[error(
        "the target offers less security than before: {reason}; if that is on purpose, forget the earlier level in its entry"
    )]
    Downgrade {
        /// What is offered.
        reason: String,
    },
    /// Nothing in common.
    #[error(
        "the target offers no security type that can be used: {reason}; check its settings, and whether its entry allows anonymous TLS"
    )]
    NoCommonType {
        /// What is offered.
        reason: String,
    },
    /// Less than the entry demands.
    #[error(
        "the target offers less security than its entry asks for: {reason}; change the entry or the target's settings"
    )]
    BelowFloor {
        /// What is offered.
        reason: String,
    },
    /// Something else listens there.
    #[error("{address} does not speak VNC; check the port")]
    NotVnc {
        /// As in the entry.
        address: String,
    },
    /// The target broke the protocol.
    #[error("the target broke the VNC protocol ({}); update it, or send a trace", .0.code())]
    Misbehaved(Misbehavior),
    /// The entry lacks what the type asks for.
    #[error("the target asks for credentials that its entry does not have: {reason}; add them")]
    PasswordMissing {
        /// What is asked for.
        reason: String,
    },
    /// A repeater answered.
    #[error("a repeater answered instead of a VNC server; give the target's own address")]
    Repeater,
    /// The target refused for another reason.
    #[error("the target refused the connection{}", said(.reason))]
    Refused {
        /// The target's words.
        reason: String,
    },
    /// This program has no test card.
    #[error("the test card is not switched on; start with --demo")]
    NoTestCard,
    /// Our own side cannot be set up.
    #[error(transparent)]
    Setup(#[from] TlsError),
    /// A defect of the program.
    #[error("internal error in the handshake ({code}); please report it")]
    Internal {
        /// Where.
        code: &'static str,
    },
}

fn said(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" (it says: {reason})") }
}

impl Coded for DialError {
    fn code(&self) -> &'static str {
        match self {
            DialError::Unreachable { .. } => "target.unreachable",
            DialError::Forbidden { source, .. } => source.code(),
            DialError::Timeout { .. } => "target.timeout",
            DialError::WrongPassword { .. } => "target.wrong_password",
            DialError::TooManyFailures { .. } => "target.too_many_failures",
            DialError::TlsMismatch { .. } => "target.tls_mismatch",
            DialError::IdentityUnknown { .. } => "target.identity_unknown",
            DialError::TlsFailed { .. } => "target.tls_failed",
            DialError::Downgrade { .. } => "target.downgrade",
            DialError::NoCommonType { .. } => "target.no_common_type",
            DialError::BelowFloor { .. } => "target.below_floor",
            DialError::NotVnc { .. } => "target.not_vnc",
            DialError::Misbehaved(_) => "target.misbehaved",
            DialError::PasswordMissing { .. } => "target.password_missing",
            DialError::Repeater => "target.repeater",
            DialError::Refused { .. } => "target.refused",
            DialError::NoTestCard => "target.no_test_card",
            DialError::Setup(_) => "target.setup",
            DialError::Internal { .. } => "target.internal",
        }
    }
}

impl DialError {
    /// The pinned identity and the one that was shown, where they differ.
    pub fn mismatch(&self) -> Option<(Fingerprint, Fingerprint)> {
        match self {
            DialError::TlsMismatch { expected, found } => Some((*expected, *found)),
            _ => None,
        }
    }

    /// What a failed handshake with `address` means.
    pub(super) fn of_handshake(error: HandshakeError, address: &str) -> DialError {
        match error {
            HandshakeError::Misbehavior(Misbehavior::VersionString) => {
                DialError::NotVnc { address: address.to_owned() }
            }
            HandshakeError::Misbehavior(misbehavior) => DialError::Misbehaved(misbehavior),
            HandshakeError::Refused { kind, reason } => DialError::of_refusal(kind, reason),
            HandshakeError::Retry { avoid } => {
                DialError::NoCommonType { reason: format!("nothing inside {avoid:?} fits") }
            }
            other => DialError::Internal { code: other.code() },
        }
    }

    fn of_refusal(kind: RefusalKind, reason: String) -> DialError {
        match kind {
            RefusalKind::WrongPassword => DialError::WrongPassword { reason },
            RefusalKind::TooManyFailures => DialError::TooManyFailures { reason },
            RefusalKind::NoCommonType => DialError::NoCommonType { reason },
            RefusalKind::Downgrade => DialError::Downgrade { reason },
            RefusalKind::BelowFloor => DialError::BelowFloor { reason },
            RefusalKind::Credentials => DialError::PasswordMissing { reason },
            RefusalKind::Repeater => DialError::Repeater,
            _ => DialError::Refused { reason },
        }
    }
}
