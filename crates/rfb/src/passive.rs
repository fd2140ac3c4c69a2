//! A session read by somebody who takes no part in it: a capture, a recording, a mirror port.
//!
//! [`PassiveSession`] reads both halves of the handshake and then shows the rest to the same
//! [`Observer`] that guards live sessions. What is encrypted is counted, not guessed at.

mod opening;

pub use opening::{AuthResult, Seen};

use crate::Misbehavior;
use crate::observer::Observer;
use crate::trace::{self, Draft};
use model::Coded;
use model::event::{Origin, Sink};
use model::session::Counters;
use opening::{Opening, Outcome, Phase, Step};
use zeroize::Zeroize;

/// Bytes of one side that may wait for the other side's part of the handshake. The longest parts are
/// texts and lists of 64 KiB; a viewer that pipelines adds a few hundred bytes.
const AHEAD: usize = 256 * 1024;

/// How far the reading is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Progress {
    /// The handshake is under way.
    Opening,
    /// Messages and rectangles are framed.
    Session,
    /// Encrypted from here on, or a protocol that is not public.
    Opaque,
    /// The server refused the viewer.
    Refused,
    /// This side broke the protocol; nothing after that is framed.
    Broken(Origin, Misbehavior),
}

/// One session, both directions.
pub struct PassiveSession {
    state: State,
    seen: Seen,
    held: [Vec<u8>; 2],
    taken: [u64; 2],
    /// Bytes that observers of the past passed over.
    passed_over: [u64; 2],
    /// What the observer before the last gap or fault had counted.
    counted: Counters,
    late: bool,
    tape: Option<Box<Tape>>,
}

/// The skeleton of a session, as far as it was not taken.
struct Tape {
    text: String,
    opening: [Draft; 2],
    /// It ends where the session does, or before a gap: what a late comer framed does not count.
    over: bool,
    framed: [u64; 2],
    padding: i64,
    counters: Counters,
}

impl Tape {
    fn draft(&mut self, from: Origin) -> &mut Draft {
        match from {
            Origin::Viewer => &mut self.opening[0],
            Origin::Target => &mut self.opening[1],
        }
    }
}

enum State {
    Opening(Box<Opening>),
    Session(Box<Observer>),
    Opaque,
    Refused,
    Broken(Origin, Misbehavior),
}

impl State {
    fn late() -> State {
        State::Session(Box::new(Observer::joined_late()))
    }
}

impl Default for PassiveSession {
    fn default() -> Self {
        PassiveSession::new()
    }
}

impl PassiveSession {
    /// Begins with the server's first byte.
    pub fn new() -> PassiveSession {
        PassiveSession {
            state: State::Opening(Box::new(Opening::new())),
            seen: Seen::default(),
            held: [Vec::new(), Vec::new()],
            taken: [0; 2],
            passed_over: [0; 2],
            counted: Counters::default(),
            late: false,
            tape: None,
        }
    }

    /// From here on a skeleton of the session is kept, see [`crate::trace`]. Call it before any bytes are
    /// handled; a session that was joined late has none.
    pub fn keep_skeleton(&mut self) {
        if !self.late {
            let opening = [Draft::new(Origin::Viewer), Draft::new(Origin::Target)];
            let text = trace::head_of_connection();
            let (framed, counters) = ([0; 2], Counters::default());
            self.tape = Some(Box::new(Tape { text, opening, over: false, framed, padding: 0, counters }));
        }
    }

    /// Takes what was added to the skeleton since the last call: whole lines.
    pub fn take_skeleton(&mut self) -> String {
        self.tape.as_mut().map_or_else(String::new, |tape| std::mem::take(&mut tape.text))
    }

    /// Takes the rest of the skeleton: the session is over.
    pub fn finish_skeleton(&mut self) -> String {
        self.end_tape();
        let fault = match &self.state {
            State::Broken(_, fault) => Some(fault.code()),
            _ => None,
        };
        let Some(tape) = self.tape.as_deref_mut() else { return String::new() };
        let text = std::mem::take(&mut tape.text);
        text + &trace::last_line(tape.framed, tape.padding, &tape.counters, fault)
    }

    /// Bytes that the finished skeleton has more than the target sent. They do not stand in it.
    pub fn skeleton_padding(&self) -> i64 {
        self.tape.as_ref().map_or(0, |tape| tape.padding)
    }

    /// Takes over what the observer has still to say, and what it came to.
    fn end_tape(&mut self) {
        let framed = [self.framed(Origin::Viewer), self.framed(Origin::Target)];
        let counters = self.counters();
        let Some(tape) = self.tape.as_deref_mut().filter(|tape| !tape.over) else { return };
        (tape.over, tape.framed, tape.counters) = (true, framed, counters);
        if let State::Session(observer) = &mut self.state {
            tape.text.push_str(&observer.end_skeleton());
            tape.padding = observer.skeleton_padding();
        }
    }

    /// Begins somewhere in a session whose handshake was not seen.
    pub fn joined_late() -> PassiveSession {
        PassiveSession { state: State::late(), late: true, ..PassiveSession::new() }
    }

    /// Takes the next bytes of one side, in the order in which they were captured.
    pub fn handle<S: Sink>(&mut self, from: Origin, bytes: &[u8], sink: &mut S) {
        match &self.state {
            State::Opening(_) => {
                self.held_mut(from).extend_from_slice(bytes);
                self.read_opening(sink);
            }
            State::Session(_) if self.held(from) == 0 => self.observe(from, bytes, sink),
            State::Session(_) => {
                let mut input = std::mem::take(self.held_mut(from));
                input.extend_from_slice(bytes);
                self.observe(from, &input, sink);
            }
            State::Opaque | State::Refused | State::Broken(..) => {}
        }
    }

    /// Bytes of one side are missing: the place in the stream is lost, and so is what the missing bytes
    /// may have changed. In what is encrypted there is no place to lose.
    pub fn handle_gap(&mut self) {
        if let State::Opening(_) | State::Session(_) = self.state {
            self.end(State::late());
            self.late = true;
        }
    }

    /// What the handshake said.
    pub fn seen(&self) -> &Seen {
        match &self.state {
            State::Opening(opening) => &opening.seen,
            _ => &self.seen,
        }
    }

    /// How far the reading is.
    pub fn progress(&self) -> Progress {
        match self.state {
            State::Opening(_) => Progress::Opening,
            State::Session(_) => Progress::Session,
            State::Opaque => Progress::Opaque,
            State::Refused => Progress::Refused,
            State::Broken(from, what) => Progress::Broken(from, what),
        }
    }

    /// The machine that reads the session, once it does.
    pub fn observer(&self) -> Option<&Observer> {
        match &self.state {
            State::Session(observer) => Some(observer),
            _ => None,
        }
    }

    /// What the machine that reads the session has counted, or had until the last gap or fault.
    pub fn counters(&self) -> Counters {
        self.observer().map_or(self.counted, Observer::counters)
    }

    /// Bytes of one side that were read as parts of the protocol; those that a late comer passed over in
    /// search of a place to begin are none.
    pub fn framed(&self, from: Origin) -> u64 {
        let ([viewer, target], [viewer_past, target_past]) = (self.taken, self.passed_over);
        let (taken, past) = match from {
            Origin::Viewer => (viewer, viewer_past),
            Origin::Target => (target, target_past),
        };
        let present = self.observer().map_or(0, |observer| observer.unframed_bytes(from));
        taken.saturating_sub(past).saturating_sub(present)
    }

    /// Bytes of one side that wait for the rest of what they begin.
    pub fn held(&self, from: Origin) -> usize {
        match from {
            Origin::Viewer => self.held[0].len(),
            Origin::Target => self.held[1].len(),
        }
    }

    /// Whether one side's bytes end where a message ends.
    pub fn at_boundary(&self, from: Origin) -> bool {
        self.held(from) == 0 && self.observer().is_none_or(|observer| observer.at_boundary(from))
    }

    /// Whether the beginning, or something in between, was missing.
    pub fn is_late(&self) -> bool {
        self.late
    }

    fn held_mut(&mut self, from: Origin) -> &mut Vec<u8> {
        match from {
            Origin::Viewer => &mut self.held[0],
            Origin::Target => &mut self.held[1],
        }
    }

    fn read_opening<S: Sink>(&mut self, sink: &mut S) {
        while let State::Opening(opening) = &mut self.state {
            match opening.step(&self.held[0], &self.held[1]) {
                Ok(Step::Taken(from, bytes, phase)) => {
                    self.trace_opening(from, phase, bytes);
                    let held = self.held_mut(from);
                    // A challenge's or response's bytes do not even stay behind in freed memory.
                    if let Some(read) = held.get_mut(..bytes) {
                        read.zeroize();
                    }
                    held.drain(..bytes);
                    self.count(from, bytes);
                }
                Ok(Step::Wait) => {
                    let ahead = [Origin::Viewer, Origin::Target].into_iter().find(|&o| self.held(o) > AHEAD);
                    match ahead {
                        Some(from) => self.end(State::Broken(from, Misbehavior::OutOfOrder)),
                        None => return,
                    }
                }
                Ok(Step::Over(outcome)) => self.leave_opening(outcome, sink),
                Err((from, fault)) => self.end(State::Broken(from, fault)),
            }
        }
    }

    fn trace_opening(&mut self, from: Origin, phase: Phase, bytes: usize) {
        let [viewer, target] = &self.held;
        let held = if from == Origin::Viewer { viewer } else { target };
        let (Some(tape), Some(read)) = (&mut self.tape, held.get(..bytes)) else { return };
        let blanked = phase.blank(read);
        let draft = tape.draft(from);
        draft.line(format_args!("{}", phase.name()));
        draft.keep(&blanked);
        let lines = draft.take();
        tape.text.push_str(&lines);
    }

    fn leave_opening<S: Sink>(&mut self, outcome: Outcome, sink: &mut S) {
        match (outcome, &self.seen().init) {
            (Outcome::Session, Some(init)) => {
                let mut observer = Box::new(Observer::passive(init));
                if self.tape.is_some() {
                    observer.keep_skeleton();
                }
                self.keep_seen();
                self.state = State::Session(observer);
                for from in [Origin::Viewer, Origin::Target] {
                    let input = std::mem::take(self.held_mut(from));
                    if !input.is_empty() {
                        self.observe(from, &input, sink);
                    }
                }
            }
            (Outcome::Refused, _) => self.end(State::Refused),
            _ => self.end(State::Opaque),
        }
    }

    fn observe<S: Sink>(&mut self, from: Origin, input: &[u8], sink: &mut S) {
        let State::Session(observer) = &mut self.state else { return };
        let verdict = observer.observe(from, input, sink);
        let (decided, fault) = (verdict.decided, verdict.fault);
        if let Some(tape) = &mut self.tape {
            tape.text.push_str(&observer.take_skeleton(from));
        }
        self.count(from, decided);
        match fault {
            Some(fault) => self.end(State::Broken(from, fault)),
            None => {
                let rest = input.get(decided..).unwrap_or_default();
                let held = self.held_mut(from);
                held.clear();
                held.extend_from_slice(rest);
            }
        }
    }

    fn count(&mut self, from: Origin, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        match from {
            Origin::Viewer => self.taken[0] += bytes,
            Origin::Target => self.taken[1] += bytes,
        }
    }

    fn end(&mut self, state: State) {
        self.end_tape();
        self.counted = self.counters();
        self.keep_seen();
        self.forget_held();
        if let State::Session(observer) = std::mem::replace(&mut self.state, state) {
            self.passed_over[0] += observer.unframed_bytes(Origin::Viewer);
            self.passed_over[1] += observer.unframed_bytes(Origin::Target);
        }
    }

    fn keep_seen(&mut self) {
        if let State::Opening(opening) = &mut self.state {
            self.seen = std::mem::take(&mut opening.seen);
        }
    }

    fn forget_held(&mut self) {
        for held in &mut self.held {
            held.zeroize();
        }
    }
}

#[cfg(test)]
mod tests;
