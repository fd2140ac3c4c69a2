//! The sessions that run, as the rest of the house sees them.
//!
//! In one process the [`Registry`] answers. Where several nodes share a database, whoever answers may have to
//! ask another node, so every answer may take a while and may fail. A running session never comes here: it reads
//! its own entry of the registry.

use crate::port::{ResumeKeyHash, SessionSpec};
use crate::registry::{Registry, SessionSnapshot};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use model::session::EndReason;
use model::{Coded, Policy, SessionId, TargetId};

/// What comes of a question about sessions.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, SessionsError>>;

/// Looks at sessions that run, and decides about them. What answers `bool` says whether there is such a session.
pub trait Sessions: Send + Sync {
    /// Every session, oldest first.
    fn list(&self) -> Answer<'_, Vec<SessionSnapshot>>;
    /// One session.
    fn snapshot(&self, id: SessionId) -> Answer<'_, Option<SessionSnapshot>>;
    /// Ends a session; the first reason given stays.
    fn kill(&self, id: SessionId, reason: EndReason) -> Answer<'_, bool>;
    /// Ends every session of a target; how many there were.
    fn kill_all_of(&self, target: TargetId, reason: EndReason) -> Answer<'_, usize>;
    /// Replaces a session's rules while it runs; whether it is frozen stays.
    fn set_policy(&self, id: SessionId, policy: Policy) -> Answer<'_, bool>;
    /// Stops a session's input; the picture goes on.
    fn freeze(&self, id: SessionId) -> Answer<'_, bool>;
    /// Lets a session's input pass again.
    fn thaw(&self, id: SessionId) -> Answer<'_, bool>;
    /// The session that a resume key belongs to, with its rules as they are now.
    fn resumable(&self, key: ResumeKeyHash) -> Answer<'_, Option<SessionSpec>>;
}

/// Sessions cannot be asked or told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionsError {
    /// The node that has the session does not answer.
    #[error("the gateway that has the session does not answer; try again shortly")]
    Unreachable,
}

impl Coded for SessionsError {
    fn code(&self) -> &'static str {
        match self {
            SessionsError::Unreachable => "sessions.unreachable",
        }
    }
}

/// The sessions of this process alone.
impl Sessions for Registry {
    fn list(&self) -> Answer<'_, Vec<SessionSnapshot>> {
        at_once(Registry::list(self))
    }

    fn snapshot(&self, id: SessionId) -> Answer<'_, Option<SessionSnapshot>> {
        at_once(Registry::snapshot(self, id))
    }

    fn kill(&self, id: SessionId, reason: EndReason) -> Answer<'_, bool> {
        at_once(Registry::kill(self, id, reason))
    }

    fn kill_all_of(&self, target: TargetId, reason: EndReason) -> Answer<'_, usize> {
        at_once(self.kill_where(reason, |session| session.target == target))
    }

    fn set_policy(&self, id: SessionId, policy: Policy) -> Answer<'_, bool> {
        at_once(Registry::set_policy(self, id, policy))
    }

    fn freeze(&self, id: SessionId) -> Answer<'_, bool> {
        at_once(Registry::freeze(self, id))
    }

    fn thaw(&self, id: SessionId) -> Answer<'_, bool> {
        at_once(Registry::thaw(self, id))
    }

    fn resumable(&self, key: ResumeKeyHash) -> Answer<'_, Option<SessionSpec>> {
        at_once(Registry::resumable(self, &key))
    }
}

fn at_once<'a, T: Send + 'a>(answer: T) -> Answer<'a, T> {
    ready(Ok(answer)).boxed()
}
