//! A skeleton's text, read.

use super::FIRST_LINE;
use crate::{PixelFormat, limits};
use model::event::Origin;
use model::policy::ClipboardRule;
use model::{Coded, Policy};

/// Why a text is no skeleton.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// Another format, or another version of it.
    #[error("the first line is not `gatehouse-trace 1`: another file, or one for another version")]
    Version,
    /// No line says how it starts, or the line is not understood.
    #[error("line 2 does not say how the session starts")]
    Start,
    /// A line that is not understood.
    #[error("line {0} cannot be read")]
    Line(usize),
    /// It is, or would become, longer than anybody sends.
    #[error("line {0} makes the skeleton longer than is read")]
    TooLong(usize),
}

impl Coded for TraceError {
    fn code(&self) -> &'static str {
        match self {
            TraceError::Version => "trace.version",
            TraceError::Start => "trace.start",
            TraceError::Line(_) => "trace.line",
            TraceError::TooLong(_) => "trace.too_long",
        }
    }
}

/// A skeleton.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    pub(super) start: Start,
    pub(super) steps: Vec<Step>,
    /// Fields of the last line: what the session had come to. Empty if it was cut off.
    pub(super) end: Vec<(String, String)>,
    /// Bytes of each side that the skeleton could not be given.
    pub(super) short: [u64; 2],
}

/// Where it begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Start {
    /// With the first byte.
    Connection,
    /// Behind the handshakes, as the gateway sees it.
    Live { width: u16, height: u16, pixel_format: PixelFormat },
}

/// What happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Bytes(Origin, Vec<Atom>),
    Policy(Box<Policy>),
    Release,
}

/// A pattern, so many times.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Atom {
    pub(super) count: u64,
    pub(super) pattern: Vec<u8>,
}

impl Trace {
    /// Reads a skeleton.
    pub fn parse(text: &str) -> Result<Trace, TraceError> {
        Trace::parse_within(text, limits::TRACE_BYTES)
    }

    /// As [`Trace::parse`], for a session of at most so many bytes.
    pub fn parse_within(text: &str, most: u64) -> Result<Trace, TraceError> {
        if text.len() > limits::TRACE_TEXT {
            return Err(TraceError::TooLong(1));
        }
        let mut lines =
            (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        if lines.next().is_none_or(|(_, line)| line != FIRST_LINE) {
            return Err(TraceError::Version);
        }
        let start = lines.next().and_then(|(_, line)| start(line)).ok_or(TraceError::Start)?;
        let mut trace = Trace { start, steps: Vec::new(), end: Vec::new(), short: [0; 2] };
        let mut left = most;
        for (number, line) in lines {
            if !trace.end.is_empty() {
                return Err(TraceError::Line(number));
            }
            trace.add(line).ok_or(TraceError::Line(number))?;
            if let Some(Step::Bytes(_, atoms)) = trace.steps.last() {
                let bytes = atoms.iter().try_fold(0u64, |sum, atom| sum.checked_add(atom.bytes()?));
                left = bytes.and_then(|bytes| left.checked_sub(bytes)).ok_or(TraceError::TooLong(number))?;
            }
        }
        Ok(trace)
    }

    /// Whether the session's end is in it; a program that was killed leaves none.
    pub fn is_whole(&self) -> bool {
        !self.end.is_empty()
    }

    /// What a side says in it, for short ones.
    #[cfg(test)]
    pub(crate) fn bytes(&self, from: Origin) -> Vec<u8> {
        let atoms = self.steps.iter().filter_map(|step| match step {
            Step::Bytes(side, atoms) if *side == from => Some(atoms),
            _ => None,
        });
        atoms.flatten().flat_map(|atom| atom.pattern.repeat(usize::try_from(atom.count).unwrap())).collect()
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let step = match word {
            "V" | "T" => {
                let from = if word == "V" { Origin::Viewer } else { Origin::Target };
                match rest.strip_prefix("short ") {
                    Some(count) => return self.add_short(from, count),
                    None => Step::Bytes(from, atoms(rest)?),
                }
            }
            "policy" => Step::Policy(Box::new(policy(rest)?)),
            "release" if rest.is_empty() => Step::Release,
            "end" => {
                self.end = fields(rest)?;
                return (!self.end.is_empty()).then_some(());
            }
            _ => return None,
        };
        self.steps.push(step);
        Some(())
    }

    fn add_short(&mut self, from: Origin, count: &str) -> Option<()> {
        let [viewer, target] = &mut self.short;
        let short = if from == Origin::Viewer { viewer } else { target };
        *short = short.checked_add(count.parse().ok()?)?;
        // Keeps the last step's bytes from being counted again.
        self.steps.push(Step::Bytes(from, Vec::new()));
        Some(())
    }
}

impl Atom {
    fn bytes(&self) -> Option<u64> {
        self.count.checked_mul(u64::try_from(self.pattern.len()).ok()?)
    }
}

fn start(line: &str) -> Option<Start> {
    let mut words = line.split(' ');
    if words.next() != Some("start") {
        return None;
    }
    let start = match words.next()? {
        "connection" => Start::Connection,
        "live" => {
            let size = |word: &str| word.parse::<u16>().ok().filter(|&n| n <= limits::DIMENSION);
            let (width, height) = (size(words.next()?)?, size(words.next()?)?);
            let format = hex(words.next()?)?;
            let pixel_format = PixelFormat::parse(format.try_into().ok()?).ok()?;
            Start::Live { width, height, pixel_format }
        }
        _ => return None,
    };
    words.next().is_none().then_some(start)
}

/// A label, and patterns of bytes behind it.
fn atoms(rest: &str) -> Option<Vec<Atom>> {
    let mut words = rest.split(' ');
    let label = words.next()?;
    let named = label.starts_with(|c: char| c.is_ascii_uppercase());
    if label != "+" && !(named && label.bytes().all(|b| b.is_ascii_graphic())) {
        return None;
    }
    words.map(atom).collect()
}

fn atom(word: &str) -> Option<Atom> {
    let (count, digits) = match word.split_once('*') {
        Some((count, digits)) => (count.parse().ok().filter(|&count| count > 0)?, digits),
        None => (1, word),
    };
    Some(Atom { count, pattern: hex(digits)? })
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    data_encoding::HEXLOWER.decode(digits.as_bytes()).ok().filter(|bytes| !bytes.is_empty())
}

fn fields(rest: &str) -> Option<Vec<(String, String)>> {
    let pair = |word: &str| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    rest.split(' ').map(pair).collect()
}

fn policy(rest: &str) -> Option<Policy> {
    let mut policy = Policy::default();
    for (name, value) in fields(rest)? {
        let bit = match value.as_str() {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        };
        let clipboard = match value.as_str() {
            "deny" => Some(ClipboardRule::Deny),
            most => most.parse().ok().map(|max_bytes| ClipboardRule::Allow { max_bytes }),
        };
        match name.as_str() {
            "view-only" => policy.view_only = bit?,
            "frozen" => policy.frozen = bit?,
            "to-target" => policy.clipboard_to_target = clipboard?,
            "to-viewer" => policy.clipboard_to_viewer = clipboard?,
            "files" => policy.files = bit?,
            "power" => policy.power = bit?,
            "resize" => policy.resize = bit?,
            "audio" => policy.audio = bit?,
            _ => return None,
        }
    }
    Some(policy)
}
