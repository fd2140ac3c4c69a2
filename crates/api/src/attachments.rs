//! What this process knows of its sessions beside their rows: which of several connections runs, which log-in opened
//! them, and who asked for their end.
//!
//! The store counts connections, so that the late end of an earlier one does not close the row of
//! the one that took over. Only sessions that were resumed have a number here.

use crate::who::Login;
use chrono::{DateTime, Utc};
use model::{SessionId, SubjectId, TicketId};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many tickets are kept without looking for those that expired.
const TICKETS: usize = 1024;

/// What is known of sessions and of tickets that were not taken yet.
#[derive(Debug, Default)]
pub struct Attachments(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    numbers: HashMap<SessionId, u32>,
    tickets: HashMap<TicketId, Issued>,
    /// The number of tickets at which those that expired are looked for next.
    full: usize,
    openings: HashMap<SessionId, Opening>,
    ending: HashMap<SessionId, SubjectId>,
}

#[derive(Debug)]
struct Issued {
    by: Login,
    until: DateTime<Utc>,
}

/// How a session was opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    /// By which log-in.
    pub(crate) by: Login,
    /// Keys and pointer messages when it was last looked at.
    pub(crate) input: u64,
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

    /// A ticket was issued to a log-in.
    pub(crate) fn issued(&self, ticket: TicketId, by: Login, until: DateTime<Utc>, now: DateTime<Utc>) {
        let mut state = self.lock();
        if state.tickets.len() >= state.full.max(TICKETS) {
            state.tickets.retain(|_, issued| issued.until > now);
            // Looking at all of them is worth it only once there may be twice as many.
            state.full = state.tickets.len() * 2;
        }
        state.tickets.insert(ticket, Issued { by, until });
    }

    /// A ticket was taken into a session.
    pub fn taken(&self, ticket: TicketId, session: SessionId) {
        let mut state = self.lock();
        if let Some(issued) = state.tickets.remove(&ticket) {
            state.openings.insert(session, Opening { by: issued.by, input: 0 });
        }
    }

    /// A session was opened by a log-in without a ticket.
    pub(crate) fn opened(&self, session: SessionId, by: Login) {
        self.lock().openings.insert(session, Opening { by, input: 0 });
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

    /// What a log-in opened, and what it may still open; the latter is forgotten by this.
    pub(crate) fn of_login(&self, login: Login) -> (Vec<SessionId>, Vec<TicketId>) {
        let mut state = self.lock();
        let sessions = state.openings.iter().filter(|(_, o)| o.by.is(login)).map(|(id, _)| *id).collect();
        let tickets: Vec<_> =
            state.tickets.iter().filter(|(_, issued)| issued.by.is(login)).map(|(id, _)| *id).collect();
        for id in &tickets {
            state.tickets.remove(id);
        }
        (sessions, tickets)
    }

    /// Forgets sessions that are not running: some never began.
    pub(crate) fn keep(&self, running: &HashSet<SessionId>) {
        let mut state = self.lock();
        state.openings.retain(|session, _| running.contains(session));
        state.ending.retain(|session, _| running.contains(session));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
