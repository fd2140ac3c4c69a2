//! Which connection of a session is the running one, where there was more than one.
//!
//! The store counts connections, so that the late end of an earlier one does not close the row of
//! the one that took over. Only sessions that were resumed are in here.

use model::SessionId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Numbers of running connections, 0 where a session has only had one.
#[derive(Debug, Default)]
pub struct Attachments(Mutex<HashMap<SessionId, u32>>);

impl Attachments {
    /// A session is running on this connection now.
    pub fn set(&self, session: SessionId, attachment: u32) {
        self.lock().insert(session, attachment);
    }

    /// The running connection's number.
    pub fn of(&self, session: SessionId) -> u32 {
        self.lock().get(&session).copied().unwrap_or(0)
    }

    /// The number, when the session is over.
    pub fn forget(&self, session: SessionId) -> u32 {
        self.lock().remove(&session).unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
