//! The observer: frames every message of a session in both directions, says what happens, and edits by
//! policy, without decoding a pixel.
//!
//! One machine watches both directions, because they explain each other: the viewer's encodings say which
//! rectangles may come, the target's announcements say which messages may follow. It copies nothing:
//! the shell shows bytes, and shows those again that were not decided.
//!
//! - getters: [`Observer::negotiated`], [`Observer::counters`], [`Observer::at_boundary`],
//!   [`Observer::has_insertions`];
//! - inputs: [`Observer::observe`];
//! - mutators: [`Observer::set_policy`], [`Observer::release_input`].
//!
//! INVARIANT: the outcome does not depend on the pieces that the bytes come in.
//! INVARIANT: memory is bounded by `limits`, whatever the peers send.

pub(crate) mod clipboard;
mod fork;
mod formats;
mod lane;
mod late;
mod negotiated;
mod pressed;
mod target;
mod updates;
mod viewer;

pub use negotiated::{Extensions, Negotiated};
pub(crate) use viewer::own_fence_number;

use crate::encoding::EncodingSet;
use crate::encoding::PixelSizes;
use crate::message::Extent;
use crate::trace::{self, Draft, Skeleton, blank};
use crate::{Misbehavior, PixelFormat, ServerInit, limits};
use fork::Fork;
use formats::Formats;
use late::Late;
use model::event::{Event, Origin, Sink};
use model::session::Counters;
use model::{Coded, Policy};
use pressed::Pressed;
use updates::{Rules, Updates};

/// Watches one session after its handshakes.
pub struct Observer {
    mode: Mode,
    policy: Policy,
    negotiated: Negotiated,
    formats: Formats,
    updates: Updates,
    /// Readings that compete while the format or the place is not known.
    fork: Option<Fork>,
    late: Late,
    viewer: viewer::Stream,
    target: target::Stream,
    pressed: Pressed,
    /// Waits for a boundary of the viewer's messages.
    towards_target: Vec<u8>,
    /// Waits for a boundary of the target's messages.
    towards_viewer: Vec<u8>,
    edits: Vec<Edit>,
    insertions: Vec<u8>,
    counters: Counters,
    /// A skeleton is kept; the target's draft is with `updates`.
    skeleton: Option<Box<Skeleton>>,
}

/// What the observer may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    /// Edits by policy; only what was negotiated may come.
    Live,
    /// Edits nothing; takes the wire as it is.
    Passive,
    /// Passive, and the beginning was missed.
    Late,
}

/// What is to be done with the bytes of one call.
#[derive(Debug)]
pub struct Verdict<'a> {
    /// So many bytes of the input are understood; none after them may leave yet.
    pub decided: usize,
    /// Changes, in order, not overlapping, within the decided bytes.
    pub edits: &'a [Edit],
    /// The peer broke the protocol right after the decided bytes: the session ends.
    pub fault: Option<Misbehavior>,
    insertions: &'a [u8],
}

/// A change to the bytes of one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Edit {
    /// Offset in the input.
    pub at: usize,
    /// Bytes from there on that do not leave.
    pub drop: usize,
    from: usize,
    to: usize,
}

impl Verdict<'_> {
    /// Whether the decided bytes leave as they are.
    pub fn is_untouched(&self) -> bool {
        self.edits.is_empty()
    }

    /// Bytes that leave before `edit.at`.
    pub fn insertion(&self, edit: &Edit) -> &[u8] {
        self.insertions.get(edit.from..edit.to).unwrap_or_default()
    }

    /// Appends what leaves to `out`.
    pub fn apply(&self, input: &[u8], out: &mut Vec<u8>) {
        let mut done = 0;
        for edit in self.edits {
            out.extend_from_slice(input.get(done..edit.at).unwrap_or_default());
            out.extend_from_slice(self.insertion(edit));
            done = edit.at + edit.drop;
        }
        out.extend_from_slice(input.get(done..self.decided).unwrap_or_default());
    }
}

impl Observer {
    /// The most bytes that the shell may have to keep for one direction.
    pub const MAX_HELD: usize = 8 + limits::CLIPBOARD;

    /// Live: both handshakes are over and ServerInit is known.
    pub fn after_init(init: &ServerInit, policy: Policy) -> Observer {
        Observer::new(Mode::Live, init, policy)
    }

    /// For captures and recordings: nothing is edited, and encodings count as the viewer offered them.
    pub fn passive(init: &ServerInit) -> Observer {
        Observer::new(Mode::Passive, init, Policy::default())
    }

    /// For captures that begin in the middle of a session: nothing is known, and nothing is said before
    /// several headers in a row make sense. See [`Observer::is_in_step`].
    pub fn joined_late() -> Observer {
        let init = ServerInit { width: 0, height: 0, pixel_format: PixelFormat::RGB888, name: Vec::new() };
        let mut observer = Observer::new(Mode::Late, &init, Policy::default());
        observer.updates.screen = None;
        observer.updates.rules.asked = EncodingSet::ALL;
        observer.updates.rules.tight_without_zlib = true;
        observer.formats = Observer::late_formats();
        observer
    }

    fn new(mode: Mode, init: &ServerInit, policy: Policy) -> Observer {
        let mut asked = EncodingSet::default();
        asked.insert(crate::encoding::Encoding::Raw);
        let lenient = mode != Mode::Live;
        let rules = Rules { asked, lenient, tight_without_zlib: false };
        let screen = Some((init.width, init.height));
        Observer {
            mode,
            policy,
            negotiated: Negotiated::new(init),
            formats: Formats::new(init.pixel_format),
            updates: Updates::new(screen, PixelSizes::of(&init.pixel_format), rules),
            fork: None,
            late: Late::default(),
            viewer: viewer::Stream::default(),
            target: target::Stream::default(),
            pressed: Pressed::new(),
            towards_target: Vec::new(),
            towards_viewer: Vec::new(),
            edits: Vec::new(),
            insertions: Vec::new(),
            counters: Counters::default(),
            skeleton: None,
        }
    }

    /// From here on a skeleton of the session is kept, see [`crate::trace`]. Call it before any bytes are
    /// shown; whoever joins late has none to keep.
    pub fn keep_skeleton(&mut self) {
        if self.mode != Mode::Late {
            self.skeleton = Some(Box::new(Skeleton::new()));
            self.updates.draft = Some(Box::new(Draft::new(Origin::Target)));
        }
        if self.is_live() {
            let init = ServerInit {
                width: self.negotiated.width,
                height: self.negotiated.height,
                pixel_format: self.negotiated.pixel_format,
                name: Vec::new(),
            };
            let head = trace::head_of_live(&init, &self.policy);
            self.remark(head.trim_end());
        }
    }

    /// Takes what the skeleton says of one direction since the last call: whole lines. Call it after each
    /// [`Observer::observe`] for the same direction, so that the lines are in order.
    pub fn take_skeleton(&mut self, from: Origin) -> String {
        self.draft(from).map_or_else(String::new, Draft::take)
    }

    /// Takes the rest of the skeleton: the session is over.
    pub fn finish_skeleton(&mut self) -> String {
        if self.skeleton.is_none() {
            return String::new();
        }
        let mut text = self.end_skeleton();
        let counters = self.counters();
        let framed = [counters.viewer_bytes, counters.target_bytes];
        let fault = self.viewer.lane.fault.or(self.target.lane.fault);
        let padding = self.skeleton_padding();
        text.push_str(&trace::last_line(framed, padding, &counters, fault.as_ref().map(Coded::code)));
        text
    }

    /// Bytes that the skeleton has more than the target sent.
    pub(crate) fn skeleton_padding(&self) -> i64 {
        self.updates.draft.as_ref().map_or(0, |draft| draft.padding())
    }

    /// Bytes of the target that no skeleton can tell: it never came out how they were meant.
    fn leave_out(&mut self, bytes: usize) {
        if let Some(draft) = self.updates.draft.as_deref_mut() {
            draft.replace(bytes, 0);
        }
    }

    /// What both directions have left to say.
    pub(crate) fn end_skeleton(&mut self) -> String {
        self.leave_out(self.fork.as_ref().map_or(0, Fork::untold));
        let [viewer, target] = [Origin::Viewer, Origin::Target]
            .map(|from| self.draft(from).map_or_else(String::new, Draft::finish));
        // The session ends there, whatever the other side is in the middle of.
        let fault = self.skeleton.as_deref_mut().and_then(|skeleton| skeleton.fault.take());
        let fault = fault.map_or_else(String::new, |(from, bytes)| {
            let mut draft = Draft::new(from);
            draft.line(format_args!("Fault"));
            draft.keep(&bytes);
            draft.take()
        });
        viewer + &target + &fault
    }

    fn draft(&mut self, from: Origin) -> Option<&mut Draft> {
        match from {
            Origin::Viewer => self.skeleton.as_deref_mut().map(|skeleton| &mut skeleton.viewer),
            Origin::Target => self.updates.draft.as_deref_mut(),
        }
    }

    fn remark(&mut self, line: &str) {
        if let Some(draft) = self.draft(Origin::Viewer) {
            draft.remark(format_args!("{line}"));
        }
    }

    /// A message begins: its shown part goes into the skeleton without what it says.
    #[cold]
    fn trace_message(&mut self, from: Origin, shown: &[u8], extent: Extent) {
        let Some(names) = self.skeleton.as_deref_mut() else { return };
        let bytes = blank::message(from, shown, Some(extent), names);
        let name = blank::name(from, shown);
        if let Some(draft) = self.draft(from) {
            draft.line(format_args!("{name}"));
            draft.keep(&bytes);
        }
    }

    /// The bytes that broke the rules, as far as they are a message's or a rectangle's head.
    #[cold]
    fn trace_fault(&mut self, from: Origin, rest: &[u8]) {
        let Some(names) = self.skeleton.as_deref_mut() else { return };
        let rest = rest.get(..blank::BROKEN).unwrap_or(rest);
        let bytes = match from {
            Origin::Target if self.updates.is_open() => self.updates.head_of_fault(rest),
            _ => blank::message(from, rest, None, names),
        };
        if let Some(skeleton) = self.skeleton.as_deref_mut().filter(|_| !bytes.is_empty()) {
            skeleton.fault = Some((from, bytes));
        }
    }

    /// Shows bytes of one direction: those of earlier calls that were not decided, and new ones after
    /// them. Without bytes it only collects insertions that wait for a message boundary.
    pub fn observe<S: Sink>(&mut self, from: Origin, input: &[u8], sink: &mut S) -> Verdict<'_> {
        clear(&mut self.edits, MOST_KEPT);
        clear(&mut self.insertions, MOST_KEPT);
        let (decided, fault) = self.observe_side(from, input, sink);
        let bytes = u64::try_from(decided).unwrap_or(0);
        match from {
            Origin::Viewer => self.counters.viewer_bytes += bytes,
            Origin::Target => self.counters.target_bytes += bytes,
        }
        Verdict { decided, edits: &self.edits, fault, insertions: &self.insertions }
    }

    /// Changes the rules. If input was allowed and is no longer, everything pressed is let go.
    pub fn set_policy(&mut self, policy: Policy) {
        if self.skeleton.is_some() {
            self.remark(&trace::policy_line(&policy));
        }
        self.policy = policy;
        if !self.policy.allows_input() {
            self.let_go();
        }
    }

    /// Lets go of every key and button that is down at the target. Who only watches lets go of nothing.
    pub fn release_input(&mut self) {
        self.remark("release");
        self.let_go();
    }

    fn let_go(&mut self) {
        if self.is_live() {
            self.pressed.release(&mut self.towards_target);
        }
    }

    /// Whether bytes wait to be inserted; `observe(towards.other(), &[], …)` collects them at a boundary.
    pub fn has_insertions(&self, towards: Origin) -> bool {
        match towards {
            Origin::Target => !self.towards_target.is_empty(),
            Origin::Viewer => !self.towards_viewer.is_empty(),
        }
    }

    /// Whether what left so far ends with a whole message.
    pub fn at_boundary(&self, from: Origin) -> bool {
        match from {
            Origin::Viewer => self.viewer.is_at_boundary(),
            Origin::Target => self.target.is_at_boundary() && !self.updates.is_open() && self.fork.is_none(),
        }
    }

    /// What the peers agreed on so far.
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// The format of the next update, as far as it is known: the earliest that is still possible.
    pub fn pixel_format(&self) -> PixelFormat {
        self.formats.current()
    }

    /// What was moved so far. Bytes count once they are decided.
    pub fn counters(&self) -> Counters {
        Counters { rectangles: self.updates.rectangles, ..self.counters }
    }

    fn is_live(&self) -> bool {
        self.mode == Mode::Live
    }

    fn drop_bytes(&mut self, at: usize, count: usize) {
        if count == 0 {
            return;
        }
        match self.edits.last_mut() {
            Some(last) if last.at + last.drop == at => last.drop += count,
            _ => {
                let end = self.insertions.len();
                self.edits.push(Edit { at, drop: count, from: end, to: end });
            }
        }
    }

    fn insert_bytes(&mut self, at: usize, bytes: &[u8]) {
        let from = self.insertions.len();
        self.insertions.extend_from_slice(bytes);
        let to = self.insertions.len();
        match self.edits.last_mut() {
            // Goes out after the earlier insertion and in place of the same dropped bytes.
            Some(last) if last.to == from && last.at + last.drop == at => last.to = to,
            _ => self.edits.push(Edit { at, drop: 0, from, to }),
        }
    }

    /// Inserts what waits for a boundary of `from`'s messages.
    #[inline]
    fn insert_waiting(&mut self, from: Origin, at: usize) {
        let waiting = match from {
            Origin::Viewer => &mut self.towards_target,
            Origin::Target => &mut self.towards_viewer,
        };
        if waiting.is_empty() {
            return;
        }
        let mut bytes = std::mem::take(waiting);
        self.insert_bytes(at, &bytes);
        bytes.clear();
        match from {
            Origin::Viewer => self.towards_target = bytes,
            Origin::Target => self.towards_viewer = bytes,
        }
    }

    fn report_message<S: Sink>(&mut self, from: Origin, kind: u8, sink: &mut S) {
        match from {
            Origin::Viewer => self.counters.viewer_messages += 1,
            Origin::Target => self.counters.target_messages += 1,
        }
        sink.event(Event::Message { from, kind });
    }

    fn report_dropped<S: Sink>(&mut self, from: Origin, kind: u8, sink: &mut S) {
        self.counters.dropped += 1;
        sink.event(Event::Dropped { from, kind });
    }

    fn report_fault<S: Sink>(from: Origin, fault: Misbehavior, sink: &mut S) {
        sink.event(Event::Fault { from, code: fault.code() });
    }
}

/// Elements of a list that keep their room between calls: an idle session costs almost nothing.
const MOST_KEPT: usize = 256;

fn clear<T>(list: &mut Vec<T>, most_kept: usize) {
    list.clear();
    if list.capacity() > most_kept {
        *list = Vec::new();
    }
}

/// Whether a message leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ruling {
    Pass,
    Drop,
    /// Another message was inserted in its place.
    Replace,
}

impl Ruling {
    fn pass_if(allowed: bool) -> Ruling {
        if allowed { Ruling::Pass } else { Ruling::Drop }
    }
}
