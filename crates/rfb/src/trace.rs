//! A session's protocol skeleton: what was framed, without what it said.
//!
//! A skeleton is a text that somebody can read before sending it away, and that the machines of this crate
//! read as if it were the session: the same messages and rectangles in the same order, as long as they were;
//! only what was compressed is a little longer. It has no key symbols, no texts, no pixels, no places on the
//! screen, no secrets and no times. The format is described in `docs/trace.md`.
//!
//! It is written where bytes are understood: [`Observer`](crate::Observer) and
//! [`PassiveSession`](crate::passive::PassiveSession) hand each field that frames something to a draft, and
//! count all else. So no private byte is stored, not even for a moment.
//!
//! INVARIANT: a byte of the wire enters a skeleton only by [`Draft::keep`], after its field was named.

pub(crate) mod blank;
pub(crate) mod body;
mod replay;
mod text;

pub use replay::{Outcome, Replay};
pub use text::{Trace, TraceError};

use crate::{PixelFormat, ServerInit};
use body::Body;
use model::Policy;
use model::event::Origin;
use model::policy::ClipboardRule;
use model::session::Counters;
use std::fmt::Write;

/// The first line of every skeleton.
pub const FIRST_LINE: &str = "gatehouse-trace 1";

/// Zeros in a row that are written as a count.
const RUN: usize = 4;

/// Payloads of fences that are told apart at once. No program has so many under way.
const FENCES: usize = 64;

/// What a skeleton says of one direction since it was taken last.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    letter: char,
    text: String,
    zeros: u64,
    /// The last line of `text` may get more.
    open: bool,
    /// A rectangle that is replaced as a whole once its length is known.
    body: Option<Body>,
    /// Bytes to be added where the rectangle ends.
    owed: usize,
    /// Bytes that were added so far, or left out.
    padding: i64,
}

impl Draft {
    pub(crate) fn new(from: Origin) -> Draft {
        let letter = match from {
            Origin::Viewer => 'V',
            Origin::Target => 'T',
        };
        Draft { letter, text: String::new(), zeros: 0, open: false, body: None, owed: 0, padding: 0 }
    }

    /// An empty draft that goes on where this one is.
    pub(crate) fn branch(&self) -> Draft {
        let (text, body) = (String::new(), self.body.clone());
        Draft { letter: self.letter, text, zeros: 0, open: false, body, owed: self.owed, padding: 0 }
    }

    /// Takes over what a branch became.
    pub(crate) fn append(&mut self, branch: Draft) {
        self.close();
        self.text.push_str(&branch.text);
        (self.zeros, self.open, self.body) = (branch.zeros, branch.open, branch.body);
        self.owed = branch.owed;
        self.padding += branch.padding;
    }

    /// Begins a line of this direction.
    pub(crate) fn line(&mut self, label: std::fmt::Arguments<'_>) {
        self.close();
        // Writing to a string does not fail.
        let _ = write!(self.text, "{} {label}", self.letter);
        self.open = true;
    }

    /// Adds a line that is no bytes.
    pub(crate) fn remark(&mut self, line: std::fmt::Arguments<'_>) {
        self.close();
        let _ = writeln!(self.text, "{line}");
    }

    /// Takes bytes over as they are: only what frames, and is nobody's secret.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let zeros = rest.iter().take_while(|&&b| b == 0).count();
            let plain = rest.windows(RUN).position(|run| run == [0; RUN]).unwrap_or(rest.len());
            let plain = if zeros >= RUN || zeros == rest.len() { 0 } else { plain };
            let (head, tail) = rest.split_at(if plain == 0 { zeros } else { plain });
            if plain == 0 {
                self.zeros += u64::try_from(zeros).unwrap_or(0);
            } else {
                self.repeat(1, head);
            }
            rest = tail;
        }
    }

    /// Counts bytes that are not kept: they are zeros in the skeleton.
    pub(crate) fn blank(&mut self, count: usize) {
        let count = u64::try_from(count).unwrap_or(0);
        match &mut self.body {
            Some(body) => body.len += count,
            None => self.zeros += count,
        }
    }

    /// Writes a pattern so many times.
    pub(crate) fn repeat(&mut self, count: u64, pattern: &[u8]) {
        if count == 0 || pattern.is_empty() {
            return;
        }
        if pattern.iter().all(|&b| b == 0) {
            self.zeros += count.saturating_mul(u64::try_from(pattern.len()).unwrap_or(0));
            return;
        }
        self.flush();
        self.atom(count, pattern);
    }

    /// Notes that the skeleton has `made` bytes where the session had `real` ones.
    pub(crate) fn replace(&mut self, real: usize, made: usize) {
        let signed = |n: usize| i64::try_from(n).unwrap_or(0);
        self.padding += signed(made) - signed(real);
    }

    /// So many bytes are added where this rectangle ends.
    pub(crate) fn owe(&mut self, bytes: usize) {
        self.owed = bytes;
    }

    /// Bytes that the skeleton has more than the session.
    pub(crate) fn padding(&self) -> i64 {
        self.padding
    }

    /// The next bytes are a rectangle whose framing depends on its pixels.
    pub(crate) fn begin_body(&mut self, body: Body) {
        self.body = Some(body);
    }

    /// The rectangle is over: another one of the same length takes its place.
    pub(crate) fn end_body(&mut self) {
        if let Some(body) = self.body.take() {
            body.write(true, self);
        }
        let owed = std::mem::take(&mut self.owed);
        self.blank(owed);
        self.replace(0, owed);
    }

    /// What was written since the last call, as whole lines.
    pub(crate) fn take(&mut self) -> String {
        self.close();
        std::mem::take(&mut self.text)
    }

    /// The session is over, wherever it is.
    pub(crate) fn finish(&mut self) -> String {
        if let Some(body) = self.body.take() {
            body.write(false, self);
        }
        self.take()
    }

    /// Bytes that no other rectangle could be made to have.
    pub(crate) fn short(&mut self, count: u64) {
        self.close();
        let _ = writeln!(self.text, "{} short {count}", self.letter);
    }

    fn close(&mut self) {
        self.flush();
        if std::mem::take(&mut self.open) {
            self.text.push('\n');
        }
    }

    fn flush(&mut self) {
        let zeros = std::mem::take(&mut self.zeros);
        if zeros > 0 {
            self.atom(zeros, &[0]);
        }
    }

    fn atom(&mut self, count: u64, pattern: &[u8]) {
        if !std::mem::replace(&mut self.open, true) {
            let _ = write!(self.text, "{} +", self.letter);
        }
        self.text.push(' ');
        if count > 1 {
            let _ = write!(self.text, "{count}*");
        }
        for byte in pattern {
            let _ = write!(self.text, "{byte:02x}");
        }
    }
}

/// What an observer keeps beside the target's draft, which lives with its updates.
#[derive(Debug)]
pub(crate) struct Skeleton {
    pub(crate) viewer: Draft,
    /// What broke the rules, as far as it is kept.
    pub(crate) fault: Option<(Origin, Vec<u8>)>,
    fences: Vec<Vec<u8>>,
}

impl Skeleton {
    pub(crate) fn new() -> Skeleton {
        Skeleton { viewer: Draft::new(Origin::Viewer), fault: None, fences: Vec::new() }
    }

    /// A number in place of a fence's payload: the same for the same payload, so that answers still belong
    /// to what they answer.
    pub(crate) fn name_fence(&mut self, payload: &[u8]) -> u8 {
        let known = self.fences.iter().position(|known| known == payload);
        let index = known.unwrap_or_else(|| {
            if self.fences.len() == FENCES {
                self.fences.clear();
            }
            self.fences.push(payload.to_vec());
            self.fences.len() - 1
        });
        u8::try_from(index + 1).unwrap_or(0)
    }
}

/// A compressed length, made coarse: that of a letter's picture tells the letter.
pub(crate) fn coarse(len: usize) -> usize {
    let step = (len / 8).checked_ilog2().map_or(64, |bits| 1usize << bits).max(64);
    len.checked_next_multiple_of(step).unwrap_or(len)
}

/// The head of a skeleton that begins with the first byte of a connection.
pub(crate) fn head_of_connection() -> String {
    format!("{FIRST_LINE}\nstart connection\n")
}

/// The head of a skeleton that begins behind the handshakes.
pub(crate) fn head_of_live(init: &ServerInit, policy: &Policy) -> String {
    let mut format = Vec::with_capacity(PixelFormat::LEN);
    init.pixel_format.write(&mut format);
    let mut head = format!("{FIRST_LINE}\nstart live {} {} ", init.width, init.height);
    for byte in format {
        let _ = write!(head, "{byte:02x}");
    }
    let _ = writeln!(head, "\n{}", policy_line(policy));
    head
}

/// A policy, as far as the observer acts on it.
pub(crate) fn policy_line(policy: &Policy) -> String {
    let bit = u8::from;
    let clipboard = |rule| match rule {
        ClipboardRule::Deny => "deny".to_owned(),
        ClipboardRule::Allow { max_bytes } => max_bytes.to_string(),
    };
    format!(
        "policy view-only={} frozen={} to-target={} to-viewer={} files={} power={} resize={} audio={}",
        bit(policy.view_only),
        bit(policy.frozen),
        clipboard(policy.clipboard_to_target),
        clipboard(policy.clipboard_to_viewer),
        bit(policy.files),
        bit(policy.power),
        bit(policy.resize),
        bit(policy.audio),
    )
}

/// The last line: what a session with this skeleton comes to. `padding` is what the real one had less; how much
/// that is stays outside, as it may tell a compressed length.
pub(crate) fn last_line(framed: [u64; 2], padding: i64, counters: &Counters, fault: Option<&str>) -> String {
    let [viewer, target] = framed;
    let target = target.saturating_add_signed(padding);
    let mut line = format!(
        "end viewer-bytes={viewer} target-bytes={target} viewer-messages={} target-messages={} \
         rectangles={} keys={} pointers={} clipboards={} files={} dropped={}",
        counters.viewer_messages,
        counters.target_messages,
        counters.rectangles,
        counters.keys,
        counters.pointers,
        counters.clipboards,
        counters.files,
        counters.dropped,
    );
    if let Some(code) = fault {
        let _ = write!(line, " fault={code}");
    }
    line.push('\n');
    line
}
