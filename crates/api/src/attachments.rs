//! What this process knows of its sessions beside their rows: which of several connections runs, which log-in opened
//! them, and who asked for their end.
//!
//! The store counts connections, so that the late end of an earlier one does not close the row of
//! the one that took over. Only sessions that were resumed have a number here.

use model::{SessionId, SubjectId};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::LoginId;

/// A session that was opened so lately may not be running yet.
const BEGINNING: Duration = Duration::from_secs(60);

/// What is known of sessions.
#[derive(Debug, Default)]
pub struct Attachments(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    numbers: HashMap<SessionId, u32>,
    openings: HashMap<SessionId, Opening>,
    ending: HashMap<SessionId, SubjectId>,
}

/// How a session was opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    /// By which log-in.
    pub(crate) by: LoginId,
    /// Keys and pointer messages when it was last looked at.
    pub(crate) input: u64,
    at: Instant,
}

impl Attachments {
    /// A session is running on this connection now.
    pub fn set(&self, session: SessionId, attachment: u32) {
        self.lock().numbers.insert(session, attachment);
    }

    /// The running connection's number.
    pub fn of(&self, session: SessionId) -> u32 {
        self.lock().numbers.get(&session).copied().unwrap_or(0)
    }

    /// The session is over: its connection's number, and who asked for its end.
    pub fn forget(&self, session: SessionId) -> (u32, Option<SubjectId>) {
        let mut state = self.lock();
        state.openings.remove(&session);
        (state.numbers.remove(&session).unwrap_or(0), state.ending.remove(&session))
    }

    /// Somebody asks for its end; the first one is remembered.
    pub(crate) fn ending(&self, session: SessionId, by: SubjectId) {
        self.lock().ending.entry(session).or_insert(by);
    }

    /// A session was opened by a log-in; one that goes on keeps what is known of it.
    pub(crate) fn opened(&self, session: SessionId, by: LoginId) {
        let opening = Opening { by, input: 0, at: Instant::now() };
        self.lock().openings.entry(session).or_insert(opening);
    }

    /// How a session was opened, where this process saw it.
    pub(crate) fn opening(&self, session: SessionId) -> Option<Opening> {
        self.lock().openings.get(&session).copied()
    }

    /// So much was pressed and pointed until now.
    pub(crate) fn saw_input(&self, session: SessionId, input: u64) {
        if let Some(opening) = self.lock().openings.get_mut(&session) {
            opening.input = input;
        }
    }

    /// What a log-in opened.
    pub(crate) fn of_login(&self, login: LoginId) -> Vec<SessionId> {
        let state = self.lock();
        state.openings.iter().filter(|(_, opening)| opening.by == login).map(|(id, _)| *id).collect()
    }

    /// Forgets sessions that are not running: some never began.
    pub(crate) fn keep(&self, running: &HashSet<SessionId>) {
        let mut state = self.lock();
        state
            .openings
            .retain(|session, opening| running.contains(session) || opening.at.elapsed() < BEGINNING);
        state.ending.retain(|session, _| running.contains(session));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
