//! A skeleton, shown to the machines that wrote it.

use super::last_line;
use super::text::{Atom, Start, Step, Trace};
use crate::observer::Observer;
use crate::passive::{PassiveSession, Progress};
use crate::{Misbehavior, ServerInit};
use model::event::{Origin, Sink};
use model::session::Counters;
use model::{Coded, Policy};

/// What a skeleton came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Bytes of the viewer and of the target that were framed.
    pub framed: [u64; 2],
    /// Bytes of each that wait for more; none after a fault.
    pub held: [usize; 2],
    /// What was counted behind the handshakes.
    pub counters: Counters,
    /// Who broke the protocol, and how.
    pub fault: Option<(Origin, Misbehavior)>,
}

/// Shows a skeleton to an observer, in pieces of a chosen size.
pub struct Replay<'a> {
    trace: &'a Trace,
    piece: usize,
}

impl<'a> Replay<'a> {
    /// Pieces are of `piece` bytes at most, and end where a step ends.
    pub fn new(trace: &'a Trace, piece: usize) -> Replay<'a> {
        Replay { trace, piece: piece.max(1) }
    }

    /// Plays it to its end, or to the first fault.
    pub fn run<S: Sink>(&self, sink: &mut S) -> Outcome {
        let mut player = Player::new(&self.trace.start, self.trace.steps.first());
        let mut piece = Vec::new();
        for step in &self.trace.steps {
            match step {
                Step::Policy(policy) => player.set_policy(policy),
                Step::Release => player.release(),
                Step::Bytes(from, atoms) => {
                    for atom in atoms {
                        self.cut(atom, &mut piece, &mut |bytes| player.show(*from, bytes, sink));
                    }
                    player.show(*from, &piece, sink);
                    piece.clear();
                }
            }
        }
        player.outcome()
    }

    /// Shows what both sides say, without reading it.
    pub fn bytes(&self, show: &mut impl FnMut(Origin, &[u8])) {
        let mut piece = Vec::new();
        for step in &self.trace.steps {
            let Step::Bytes(from, atoms) = step else { continue };
            for atom in atoms {
                self.cut(atom, &mut piece, &mut |bytes| show(*from, bytes));
            }
            show(*from, &piece);
            piece.clear();
        }
    }

    fn cut(&self, atom: &Atom, piece: &mut Vec<u8>, show: &mut impl FnMut(&[u8])) {
        for _ in 0..atom.count {
            for &byte in &atom.pattern {
                piece.push(byte);
                if piece.len() == self.piece {
                    show(piece);
                    piece.clear();
                }
            }
        }
    }
}

impl Trace {
    /// How what it came to differs from what its last line says; none if it does not. A fault whose bytes
    /// were not kept is not expected again.
    pub fn difference(&self, outcome: &Outcome) -> Option<String> {
        let framed = [outcome.framed[0] + self.short[0], outcome.framed[1] + self.short[1]];
        let fault = outcome.fault.as_ref().map(|(_, fault)| fault.code());
        let line = last_line(framed, 0, &outcome.counters, fault);
        let expected: Vec<_> = self.end.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut found: Vec<_> = line.split_whitespace().skip(1).map(str::to_owned).collect();
        let fault = expected.iter().find(|field| field.starts_with("fault="));
        if outcome.fault.is_none() {
            found.extend(fault.cloned());
        }
        (self.is_whole() && expected != found)
            .then(|| format!("the last line says {}, it came to {}", expected.join(" "), found.join(" ")))
    }
}

/// Whoever the skeleton is shown to.
enum Player {
    Connection(Box<PassiveSession>),
    Live { observer: Box<Observer>, held: [Vec<u8>; 2], fault: Option<(Origin, Misbehavior)> },
}

impl Player {
    fn new(start: &Start, first: Option<&Step>) -> Player {
        let Start::Live { width, height, pixel_format } = *start else {
            return Player::Connection(Box::default());
        };
        let init = ServerInit { width, height, pixel_format, name: Vec::new() };
        let policy = match first {
            Some(Step::Policy(policy)) => Policy::clone(policy),
            _ => Policy::default(),
        };
        let observer = Box::new(Observer::after_init(&init, policy));
        Player::Live { observer, held: Default::default(), fault: None }
    }

    fn show<S: Sink>(&mut self, from: Origin, bytes: &[u8], sink: &mut S) {
        match self {
            Player::Connection(session) => session.handle(from, bytes, sink),
            Player::Live { observer, held: [viewer, target], fault } => {
                let held = if from == Origin::Viewer { viewer } else { target };
                if fault.is_some() {
                    return;
                }
                held.extend_from_slice(bytes);
                let verdict = observer.observe(from, held, sink);
                let decided = verdict.decided;
                *fault = verdict.fault.map(|fault| (from, fault));
                held.drain(..decided);
            }
        }
    }

    fn set_policy(&mut self, policy: &Policy) {
        if let Player::Live { observer, .. } = self {
            observer.set_policy(policy.clone());
        }
    }

    fn release(&mut self) {
        if let Player::Live { observer, .. } = self {
            observer.release_input();
        }
    }

    fn outcome(self) -> Outcome {
        match self {
            Player::Connection(session) => {
                let both = [Origin::Viewer, Origin::Target];
                let fault = match session.progress() {
                    Progress::Broken(from, fault) => Some((from, fault)),
                    _ => None,
                };
                Outcome {
                    framed: both.map(|from| session.framed(from)),
                    held: both.map(|from| session.held(from)),
                    counters: session.counters(),
                    fault,
                }
            }
            Player::Live { observer, held, fault } => {
                let counters = observer.counters();
                let framed = [counters.viewer_bytes, counters.target_bytes];
                let held = if fault.is_some() { [0; 2] } else { held.map(|held| held.len()) };
                Outcome { framed, held, counters, fault }
            }
        }
    }
}
