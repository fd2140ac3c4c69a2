//! What a gateway does around an observer, without sockets: keeps undecided bytes, applies edits.

use model::event::{Event, Origin, Sink};
use rfb::{Misbehavior, Observer};

/// One session's two directions.
pub(crate) struct Shell {
    pub(crate) observer: Observer,
    held: [Vec<u8>; 2],
    /// What left, by the side that sent it.
    pub(crate) out: [Vec<u8>; 2],
    /// The same, in the order in which it left.
    pub(crate) sent: Vec<(Origin, Vec<u8>)>,
    /// Events as text, by the side whose bytes caused them.
    pub(crate) events: [Vec<String>; 2],
    /// First fault of each side.
    pub(crate) faults: [Option<Misbehavior>; 2],
}

/// Index of a side.
pub(crate) fn side(origin: Origin) -> usize {
    match origin {
        Origin::Viewer => 0,
        Origin::Target => 1,
    }
}

struct Lines<'a>(&'a mut Vec<String>);

impl Sink for Lines<'_> {
    fn event(&mut self, event: Event<'_>) {
        // Keysyms are redacted in Debug, but a test wants to tell keys apart.
        self.0.push(match event {
            Event::Key { down, keysym } => format!("Key {down} {:#x}", keysym.0),
            other => format!("{other:?}"),
        });
    }
}

impl Shell {
    pub(crate) fn new(observer: Observer) -> Shell {
        Shell {
            observer,
            held: Default::default(),
            out: Default::default(),
            sent: Vec::new(),
            events: Default::default(),
            faults: [None; 2],
        }
    }

    /// Bytes arrive from one side.
    pub(crate) fn feed(&mut self, from: Origin, bytes: &[u8]) {
        let s = side(from);
        if self.faults[s].is_some() {
            return;
        }
        self.held[s].extend_from_slice(bytes);
        self.show(from);
        for towards in [Origin::Viewer, Origin::Target] {
            if self.observer.has_insertions(towards) && self.held[side(towards.other())].is_empty() {
                self.collect(towards.other());
            }
        }
    }

    fn show(&mut self, from: Origin) {
        let s = side(from);
        let verdict = self.observer.observe(from, &self.held[s], &mut Lines(&mut self.events[s]));
        check(&verdict, self.held[s].len());
        let before = self.out[s].len();
        verdict.apply(&self.held[s], &mut self.out[s]);
        self.sent.push((from, self.out[s][before..].to_vec()));
        let decided = verdict.decided;
        self.faults[s] = verdict.fault;
        self.held[s].drain(..decided);
        assert!(self.held[s].len() <= Observer::MAX_HELD || self.faults[s].is_some());
    }

    /// Collects insertions without bytes.
    pub(crate) fn collect(&mut self, from: Origin) {
        let s = side(from);
        let verdict = self.observer.observe(from, &[], &mut Lines(&mut self.events[s]));
        assert_eq!((verdict.decided, verdict.fault), (0, None));
        let before = self.out[s].len();
        verdict.apply(&[], &mut self.out[s]);
        self.sent.push((from, self.out[s][before..].to_vec()));
    }

    /// Bytes of one side that are not decided.
    pub(crate) fn held(&self, from: Origin) -> usize {
        self.held[side(from)].len()
    }

    pub(crate) fn out(&self, from: Origin) -> &[u8] {
        &self.out[side(from)]
    }

    pub(crate) fn events(&self, from: Origin) -> &[String] {
        &self.events[side(from)]
    }
}

/// Edits are ordered, do not overlap and lie within the decided bytes.
fn check(verdict: &rfb::observer::Verdict<'_>, len: usize) {
    let mut done = 0;
    for edit in verdict.edits {
        assert!(edit.at >= done && edit.at + edit.drop <= verdict.decided);
        done = edit.at + edit.drop;
    }
    assert!(verdict.decided <= len);
}
