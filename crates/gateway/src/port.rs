//! What the gateway asks of the house: who may come in, where a target is, who writes it down.
//!
//! Engines never import each other; `app` implements these ports over the store, the accounts and
//! the configuration, and tests implement them in a few lines. Futures are boxed because the ports
//! are used a few times a session, never for a byte of it.

use futures_util::future::BoxFuture;
use model::session::{Counters, EndReason, Ingress};
use model::target::{Address, Credentials, Identity, Security, Strength};
use model::{Coded, Event, Policy, SessionId, TargetId};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use subtle::ConstantTimeEq;

/// Everything the gateway asks of the house.
#[derive(Clone)]
pub struct Ports {
    /// Where targets are.
    pub endpoints: Arc<dyn Endpoints>,
    /// Who may come in.
    pub doorkeeper: Arc<dyn Doorkeeper>,
    /// Who writes it down.
    pub journal: Arc<dyn Journal>,
    /// Who looks on, if anybody.
    pub taps: Option<Arc<dyn Taps>>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ports")
    }
}

/// Knows where targets are and what they are logged in to with.
pub trait Endpoints: Send + Sync {
    /// Looks a target up, at the moment a session needs it.
    fn resolve(&self, target: TargetId) -> BoxFuture<'_, Result<Endpoint, EndpointError>>;
    /// Tells what a target showed when it was reached, for downgrade checks and first-use pins.
    fn remember(&self, target: TargetId, seen: Seen) -> BoxFuture<'_, ()>;
}

/// A target, ready to be dialed. The credentials never cross to the viewer.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Which entry this is.
    pub id: TargetId,
    /// Its name, as shown to people.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// What its entry asks for and allows.
    pub security: Security,
    /// What to log in with.
    pub credentials: Credentials,
    /// On whose word it is connected to, which decides whether it may be on this machine.
    pub purpose: model::egress::Purpose,
}

/// What a target showed when it was reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// How strong the way was.
    pub strength: Strength,
    /// Fingerprint of the certificate or key that was accepted, if the type has one.
    pub identity: Option<String>,
    /// Whether this identity may become the entry's pin (first use, where the entry allows it).
    pub may_pin: bool,
}

impl Seen {
    /// Whether there is anything in it that the entry does not know yet: mostly there is not, and then nothing
    /// has to be written.
    pub fn is_news_to(&self, security: &Security) -> bool {
        let pins = self.may_pin && self.identity.is_some() && security.identity == Identity::FirstUse;
        pins || security.seen < Some(self.strength)
    }
}

/// Why a target cannot be looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// It was removed, or never existed.
    #[error("the target does not exist any more, ask for a new link")]
    NotFound,
    /// The store cannot be asked.
    #[error("the target's entry cannot be read now, try again shortly")]
    Unavailable,
}

impl Coded for EndpointError {
    fn code(&self) -> &'static str {
        match self {
            EndpointError::NotFound => "target.not_found",
            EndpointError::Unavailable => "target.entry_unavailable",
        }
    }
}

/// Decides who may come in.
pub trait Doorkeeper: Send + Sync {
    /// Asked for every accepted connection before a byte of it is read; must not wait.
    fn admit(&self, source: SocketAddr) -> Result<(), Refusal>;
    /// Judges a native viewer's claim, at most once a connection.
    fn judge(&self, source: SocketAddr, claim: NativeClaim) -> BoxFuture<'_, Result<SessionSpec, Refusal>>;
}

/// What a native viewer claims.
#[derive(Debug)]
#[non_exhaustive]
pub enum NativeClaim {
    /// A name and a password, over an encrypted channel.
    Plain {
        /// As typed; may be empty for a ticket.
        username: String,
        /// A person's password or a ticket.
        password: model::Secret,
    },
    /// The answer to a DES challenge, in clear: for one-time tickets only, and only where it is
    /// switched on. Compare it with the tickets that may be used from there.
    VncAuth(rfb::handshake::VncResponse),
}

/// Why somebody is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Name, password or ticket is wrong. Which of them is not said.
    #[error("the name, the password or the ticket is wrong")]
    WrongCredentials,
    /// The ticket was used, has expired or was withdrawn.
    #[error("the ticket was used or has expired, ask for a new one")]
    TicketSpent,
    /// Too many attempts from there.
    #[error("too many attempts, wait before the next one")]
    Throttled,
    /// The source is banned.
    #[error("this address is not let in")]
    Banned,
    /// The program is full or stopping.
    #[error("no room for another session now, try again shortly")]
    Full,
    /// The house cannot decide, for instance because the database is gone.
    #[error("nobody can be let in right now, try again shortly")]
    Unavailable,
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Refusal::WrongCredentials => "door.wrong_credentials",
            Refusal::TicketSpent => "door.ticket_spent",
            Refusal::Throttled => "door.throttled",
            Refusal::Banned => "door.banned",
            Refusal::Full => "door.full",
            Refusal::Unavailable => "door.unavailable",
        }
    }
}

/// Writes sessions down. Every consequence is recorded before it is announced.
pub trait Journal: Send + Sync {
    /// A session is about to go live. It does not, if this fails.
    fn started(&self, start: &SessionStart) -> BoxFuture<'_, Result<(), JournalError>>;
    /// A session did not begin, since its target could not be used, and nobody can resume it: what was taken to open it
    /// was taken for nothing. Answered before the viewer is told.
    fn not_begun(&self, session: SessionId) -> BoxFuture<'_, ()>;
    /// Something about a session changed; called in order for one session.
    fn changed(&self, change: &SessionChange) -> BoxFuture<'_, ()>;
    /// A session is over. Called exactly once for every session that was started.
    fn ended(&self, end: &SessionEnd) -> BoxFuture<'_, ()>;
}

/// The journal cannot write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the session cannot be written down, so it is not opened; try again shortly")]
pub struct JournalError;

impl Coded for JournalError {
    fn code(&self) -> &'static str {
        "journal.unavailable"
    }
}

/// The right to one session, as the house decided it.
#[derive(Clone, Debug)]
pub struct SessionSpec {
    /// The session; a resumed one keeps its id.
    pub session: SessionId,
    /// The target it may reach.
    pub target: TargetId,
    /// Its rules at the start.
    pub policy: Policy,
    /// Which way it came in.
    pub ingress: Ingress,
    /// The viewer's address, after PROXY protocol and trusted headers.
    pub viewer: SocketAddr,
    /// What the viewer's program calls itself.
    pub user_agent: Option<String>,
    /// Who, for the journal.
    pub subject: String,
    /// Hash of the key that may resume the session after its viewer was lost.
    pub resume: Option<ResumeKeyHash>,
}

/// SHA-256 of a resume key. The key itself is not kept anywhere.
#[derive(Clone, Copy)]
pub struct ResumeKeyHash([u8; 32]);

impl ResumeKeyHash {
    /// Hashes a key as it came over the wire.
    pub fn of(key: &[u8]) -> Self {
        ResumeKeyHash(Sha256::digest(key).into())
    }

    /// A hash that was computed elsewhere, for instance read from the store.
    pub fn from_bytes(hash: [u8; 32]) -> Self {
        ResumeKeyHash(hash)
    }

    /// The hash, to be stored.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for ResumeKeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for ResumeKeyHash {}

impl std::fmt::Debug for ResumeKeyHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ResumeKeyHash(…)")
    }
}

/// A session goes live: the target is reached and logged in to, the viewer waits for the picture.
#[derive(Clone, Debug)]
pub struct SessionStart {
    /// What the house decided.
    pub spec: SessionSpec,
    /// The target's name at this moment.
    pub target_name: String,
    /// The address that was dialed, where the target is on the network.
    pub server: Option<SocketAddr>,
    /// The target's version line, e.g. `RFB 003.008`.
    pub target_version: String,
    /// The number of the security type towards the target.
    pub security_type: u8,
    /// How strong the way to the target is.
    pub strength: Strength,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// The desktop's name as the target sent it, readable part only.
    pub desktop_name: String,
    /// When.
    pub at: SystemTime,
}

/// Something about a session changed.
#[derive(Clone, Debug)]
pub struct SessionChange {
    /// Which session.
    pub session: SessionId,
    /// What changed.
    pub what: Changed,
    /// Counted so far.
    pub counters: Counters,
    /// When.
    pub at: SystemTime,
}

/// What can change while a session runs.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Changed {
    /// The rules are others now; frozen and thawed are changes of rules.
    Policy(Policy),
    /// The screen has a new size.
    Size {
        /// Pixels.
        width: u16,
        /// Pixels.
        height: u16,
    },
    /// The viewer is gone; its key may resume the session for so long.
    AwaitingResume {
        /// How long it waits.
        window: Duration,
    },
    /// The viewer came back, on a new connection to the target.
    Resumed {
        /// From where.
        viewer: SocketAddr,
    },
}

/// A session is over.
#[derive(Clone, Debug)]
pub struct SessionEnd {
    /// Which session.
    pub session: SessionId,
    /// Which target it reached.
    pub target: TargetId,
    /// Why it ended.
    pub reason: EndReason,
    /// A more exact stable code, for instance of a misbehavior or dial error.
    pub detail: Option<&'static str>,
    /// What it moved, over all its connections.
    pub counters: Counters,
    /// How long it lasted.
    pub duration: Duration,
    /// When.
    pub at: SystemTime,
}

/// Gives sessions a tap, where somebody wants to look on.
pub trait Taps: Send + Sync {
    /// Asked once a connection, when it goes live.
    fn open(&self, start: &SessionStart) -> Option<Box<dyn Tap>>;
}

/// Looks on at one session, in its own task: it must neither wait nor lock for long.
pub trait Tap: Send {
    /// Called in wire order, for each direction.
    fn event(&mut self, event: Event<'_>);
    /// Whether it wants the session's skeleton, see [`rfb::trace`]; asked once.
    fn wants_skeleton(&self) -> bool {
        false
    }
    /// More lines of the skeleton.
    fn skeleton(&mut self, _lines: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_target_is_no_news() {
        let seen = |strength, may_pin| Seen { strength, identity: Some("ab".to_owned()), may_pin };
        let mut entry = Security { identity: Identity::FirstUse, ..Security::default() };
        assert!(seen(Strength::Open, false).is_news_to(&entry), "the first time");
        entry.seen = Some(Strength::Authenticated);
        assert!(!seen(Strength::Open, false).is_news_to(&entry));
        assert!(!seen(Strength::Authenticated, false).is_news_to(&entry));
        assert!(seen(Strength::EncryptedVerified, false).is_news_to(&entry));
        assert!(seen(Strength::Open, true).is_news_to(&entry), "a pin");
        entry.identity = Identity::Pinned("ab".to_owned());
        assert!(!seen(Strength::Open, true).is_news_to(&entry));
    }

    #[test]
    fn a_resume_key_is_compared_by_hash_and_never_printed() {
        let hash = ResumeKeyHash::of(b"abc");
        assert_eq!(hash, ResumeKeyHash::from_bytes(*hash.as_bytes()));
        assert_ne!(hash, ResumeKeyHash::of(b"abd"));
        assert_eq!(format!("{hash:?}"), "ResumeKeyHash(…)");
    }
}
