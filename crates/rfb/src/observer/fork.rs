//! Two readings of the same bytes, until one of them is disproved.
//!
//! Used where the bytes must tell which pixel format is in force, and where a session was joined late.
//! Each reading is a framer of its own. One that meets bytes that no server sends is given up; the last
//! one left, or the first with enough good headers, is right. Nothing is edited meanwhile: the reading that
//! wins goes on from the first message that is not an update, and only bytes before that place leave.
//!
//! INVARIANT: readings are shown one byte more at a time (bodies apart), so that the outcome depends on
//! the bytes only, not on the pieces they come in.

use super::Observer;
use super::formats::Formats;
use super::updates::{Doubts, Finished, Progress, Rules, Updates};
use crate::encoding::PixelSizes;
use crate::message::target as kind;
use crate::{Misbehavior, limits};
use model::event::{Event, Origin, Sink};

/// Headers in a row that bytes meant as something else do not have: the one that caused the doubt, and
/// three more.
const ENOUGH: usize = 4;
/// Notes of a reading that has not been proved. Black pixels read as headers are empty rectangles without
/// end.
const MOST_NOTES: usize = 1024;

/// Readings of one stretch of bytes.
#[derive(Debug)]
pub(super) struct Fork {
    readings: Vec<Reading>,
    /// Bytes after the first undecided one that all readings have seen.
    shown: usize,
    /// Bytes of earlier calls that it began with.
    passed: usize,
    /// Whether this looks for a place to begin, not for a format.
    joining: bool,
}

#[derive(Clone, Debug)]
struct Reading {
    place: Place,
    /// Looked at beyond a message that may have to be edited: where to go on if this reading is right.
    cut: Option<Box<Place>>,
    headers: usize,
    /// Bytes of a message under way, beyond the cut.
    skip: usize,
}

#[derive(Clone, Debug)]
struct Place {
    updates: Updates,
    /// Bytes after the first undecided one.
    ahead: usize,
    /// Index among the possible formats.
    format: usize,
    notes: Vec<Note>,
}

/// An event that is told once its reading is proved.
#[derive(Clone, Debug)]
enum Note {
    Rectangle { encoding: i32, width: u16, height: u16 },
    Resize { width: u16, height: u16 },
    Name(Vec<u8>),
    End(Finished),
}

impl Note {
    /// Whether it tells that a header was one: bytes of zero look like an empty Raw rectangle.
    fn is_telling(&self) -> bool {
        match self {
            Note::Rectangle { encoding: 0, width, height } => *width > 0 && *height > 0,
            Note::Rectangle { .. } => true,
            _ => false,
        }
    }
}

/// How a fork stands.
enum Standing {
    Open,
    /// The winner's place, and the formats that explain the bytes as well.
    Proved(Box<Place>, Vec<usize>),
    AllDead,
}

impl Fork {
    /// Readings of the update that `updates` has open, one for each size of pixel that is possible.
    pub(super) fn of_update(updates: &Updates, formats: &Formats) -> Fork {
        let mut readings: Vec<Reading> = Vec::new();
        for (index, format) in formats.candidates().enumerate() {
            let sizes = PixelSizes::of(&format);
            if readings.iter().all(|r| r.place.updates.sizes != sizes) {
                readings.push(Reading::new(updates.clone(), sizes, index));
            }
        }
        Fork { readings, shown: 0, passed: 0, joining: false }
    }

    /// Readings of what may be an update's beginning.
    pub(super) fn of_beginning(rules: Rules, sizes: &[PixelSizes]) -> Fork {
        let readings = sizes
            .iter()
            .enumerate()
            .map(|(index, &sizes)| Reading::new(Updates::new(None, sizes, rules), sizes, index));
        Fork { readings: readings.collect(), shown: 0, passed: 0, joining: true }
    }

    /// Bytes that need not be looked at by any reading, or one.
    fn step(&self) -> usize {
        self.readings.iter().map(Reading::countdown).min().unwrap_or(0).max(1)
    }

    /// Bytes that left while the readings still differed.
    pub(super) fn untold(&self) -> usize {
        self.passed
    }

    /// Bytes that every reading is done with.
    fn decided(&self) -> usize {
        self.readings.iter().map(|r| r.cut.as_ref().map_or(r.place.ahead, |cut| cut.ahead)).min().unwrap_or(0)
    }

    fn forget(&mut self, decided: usize) {
        self.shown -= decided;
        self.passed += decided;
        for reading in &mut self.readings {
            reading.place.ahead -= decided;
            if let Some(cut) = &mut reading.cut {
                cut.ahead -= decided;
            }
        }
    }

    /// Shows all readings the bytes so far.
    fn advance(&mut self, shown: &[u8], formats: &Formats, is_plausible: &dyn Fn(u8, &[u8]) -> bool) {
        let mut born = Vec::new();
        let formats = (!self.joining).then_some(formats);
        self.readings.retain_mut(|r| r.advance(shown, formats, is_plausible, &mut born).is_ok());
        self.readings.append(&mut born);
    }

    fn standing(&mut self) -> Standing {
        if self.readings.len() > limits::PENDING_FORMATS * 2 {
            return Standing::AllDead;
        }
        // A beginning needs proof; where formats compete, being the last one left is proof.
        let needed = if self.readings.len() == 1 && !self.joining { 0 } else { ENOUGH };
        match self.readings.iter().position(|r| r.headers >= needed) {
            _ if self.readings.is_empty() => Standing::AllDead,
            None => Standing::Open,
            Some(index) => {
                let reading = self.readings.swap_remove(index);
                let same =
                    |r: &&Reading| r.place.ahead == reading.place.ahead && r.headers == reading.headers;
                let others = self.readings.iter().filter(same).map(|r| r.place.format).collect();
                Standing::Proved(reading.cut.unwrap_or_else(|| Box::new(reading.place)), others)
            }
        }
    }
}

impl Reading {
    fn new(mut updates: Updates, sizes: PixelSizes, format: usize) -> Reading {
        updates.sizes = sizes;
        updates.draft = updates.draft.map(|draft| Box::new(draft.branch()));
        let place = Place { updates, ahead: 0, format, notes: Vec::new() };
        Reading { place, cut: None, headers: 0, skip: 0 }
    }

    fn countdown(&self) -> usize {
        if self.place.updates.is_open() { self.place.updates.countdown() } else { self.skip }
    }

    fn advance(
        &mut self,
        shown: &[u8],
        formats: Option<&Formats>,
        is_plausible: &dyn Fn(u8, &[u8]) -> bool,
        born: &mut Vec<Reading>,
    ) -> Result<(), Misbehavior> {
        loop {
            if self.place.updates.is_open() && self.advance_update(shown)? == Progress::Waits {
                return Ok(());
            }
            let taken = self.skip.min(shown.len() - self.place.ahead);
            self.skip -= taken;
            self.place.ahead += taken;
            let rest = shown.get(self.place.ahead..).unwrap_or_default();
            let Some(&message) = rest.first() else { return Ok(()) };
            if message != kind::FRAMEBUFFER_UPDATE {
                self.look_beyond(message, rest, is_plausible)?;
                if self.skip == 0 {
                    return Ok(());
                }
                continue;
            }
            let Some(&[_, _, high, low]) = rest.first_chunk::<4>() else { return Ok(()) };
            let rectangles = u16::from_be_bytes([high, low]);
            if let Some(formats) = formats {
                self.follow_formats(formats, born);
            }
            self.begin_update(rectangles);
            born.iter_mut().filter(|b| !b.place.updates.is_open()).for_each(|b| b.begin_update(rectangles));
        }
    }

    fn begin_update(&mut self, rectangles: u16) {
        self.place.ahead += 4;
        self.place.updates.begin(rectangles);
    }

    fn advance_update(&mut self, shown: &[u8]) -> Result<Progress, Misbehavior> {
        let Place { updates, ahead, notes, .. } = &mut self.place;
        let before = notes.len();
        let mut note = |event: Event<'_>| match event {
            Event::Rectangle { encoding, width, height } => {
                notes.push(Note::Rectangle { encoding, width, height });
            }
            Event::Resize { width, height } => notes.push(Note::Resize { width, height }),
            Event::DesktopName(name) => notes.push(Note::Name(name.to_vec())),
            _ => {}
        };
        let progress = updates.advance(shown, ahead, Doubts::default(), &mut note)?;
        self.headers += notes.get(before..).unwrap_or_default().iter().filter(|n| n.is_telling()).count();
        if notes.len() > MOST_NOTES {
            return Err(Misbehavior::AmbiguousFormat);
        }
        if progress == Progress::Ended {
            notes.push(Note::End(updates.finish()));
        }
        Ok(progress)
    }

    /// A message that is no update: it is looked at only to judge this reading.
    fn look_beyond(
        &mut self,
        message: u8,
        rest: &[u8],
        is_plausible: &dyn Fn(u8, &[u8]) -> bool,
    ) -> Result<(), Misbehavior> {
        if self.cut.is_none() {
            self.cut = Some(Box::new(self.place.clone()));
        }
        if !is_plausible(message, rest) {
            return Err(Misbehavior::AmbiguousFormat);
        }
        if let Some(extent) = kind::measure(rest, true)? {
            self.skip = extent.total;
            // One byte alone proves little.
            self.headers += usize::from(extent.total >= 8);
        }
        Ok(())
    }

    /// At an update's beginning a later format may have come into force: a reading for each such size.
    fn follow_formats(&mut self, formats: &Formats, born: &mut Vec<Reading>) {
        let ended = self.place.notes.iter().filter(|n| matches!(n, Note::End(f) if f.has_pixels)).count();
        let forced = formats.forced_after(ended);
        let mut known = Vec::new();
        for (index, format) in formats.candidates().enumerate() {
            let sizes = PixelSizes::of(&format);
            if index <= self.place.format.max(forced) {
                if index == self.place.format.max(forced) {
                    (self.place.format, self.place.updates.sizes) = (index, sizes);
                    known.push(sizes);
                }
            } else if !known.contains(&sizes) {
                known.push(sizes);
                let mut reading = self.clone();
                (reading.place.format, reading.place.updates.sizes) = (index, sizes);
                born.push(reading);
            }
        }
    }
}

impl Observer {
    /// Reads on with all readings; true: one of them was proved, or the search goes on.
    pub(super) fn run_fork<S: Sink>(
        &mut self,
        input: &[u8],
        at: &mut usize,
        sink: &mut S,
    ) -> Result<bool, Misbehavior> {
        let Some(mut fork) = self.fork.take() else { return Ok(true) };
        let rest = input.get(*at..).unwrap_or_default();
        while fork.shown < rest.len() {
            let before = fork.decided();
            fork.shown = rest.len().min(fork.shown + fork.step());
            let shown = rest.get(..fork.shown).unwrap_or_default();
            fork.advance(shown, &self.formats, &|message, bytes| self.is_plausible(message, bytes));
            let held = fork.shown - fork.decided();
            match fork.standing() {
                Standing::Open if held <= limits::DOUBTED => {}
                Standing::Proved(place, others) => {
                    *at += place.ahead;
                    self.take_over(*place, fork.joining.then_some(others), sink);
                    return Ok(true);
                }
                Standing::Open | Standing::AllDead if fork.joining => {
                    *at += fork.shown;
                    self.note_unframed(Origin::Target, fork.passed + fork.shown);
                    return Ok(true);
                }
                Standing::Open | Standing::AllDead => {
                    *at += before;
                    self.leave_out(fork.passed + before);
                    return Err(Misbehavior::AmbiguousFormat);
                }
            }
        }
        let decided = fork.decided();
        fork.forget(decided);
        *at += decided;
        self.fork = Some(fork);
        Ok(false)
    }

    fn take_over<S: Sink>(&mut self, place: Place, joined: Option<Vec<usize>>, sink: &mut S) {
        let rectangles = self.updates.rectangles;
        let mut draft = self.updates.draft.take();
        self.updates = place.updates;
        if let (Some(draft), Some(branch)) = (&mut draft, self.updates.draft.take()) {
            draft.append(*branch);
        }
        self.updates.draft = draft;
        match joined {
            Some(others) => {
                self.updates.rectangles += rectangles;
                self.join_target(place.format, &others);
            }
            None => self.formats.handle_proof(place.format),
        }
        for note in place.notes {
            match note {
                Note::Rectangle { encoding, width, height } => {
                    sink.event(Event::Rectangle { encoding, width, height });
                }
                Note::Resize { width, height } => sink.event(Event::Resize { width, height }),
                Note::Name(name) => sink.event(Event::DesktopName(&name)),
                Note::End(done) => self.end_update(done, sink),
            }
        }
    }

    /// Whether a server would send this message here.
    fn is_plausible(&self, message: u8, bytes: &[u8]) -> bool {
        let negotiated = &self.negotiated;
        let late = self.is_joined_late();
        let padded = |from: usize, to: usize| bytes.iter().take(to).skip(from).all(|&b| b == 0);
        match message {
            kind::SET_COLOR_MAP_ENTRIES => padded(1, 2),
            kind::BELL => true,
            kind::SERVER_CUT_TEXT => padded(1, 4),
            kind::SERVER_FENCE => (late || negotiated.extensions.fence) && padded(1, 4),
            kind::END_OF_CONTINUOUS_UPDATES => {
                late || negotiated.keeps(crate::encoding::number::CONTINUOUS_UPDATES)
            }
            kind::XVP => negotiated.keeps(crate::encoding::number::XVP) && padded(1, 2),
            kind::QEMU => (late || negotiated.extensions.audio) && bytes.get(1).is_none_or(|&sub| sub == 1),
            _ => false,
        }
    }
}
