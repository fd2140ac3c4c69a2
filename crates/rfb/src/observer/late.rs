//! A session that is joined in its middle: nothing is known of it, and nothing is claimed before several
//! headers in a row make sense.
//!
//! Updates are looked for at every byte, with every usual size of pixel. The viewer's messages are small
//! and plain: three in a row that a program would send are a beginning. Bytes that nobody understood are
//! counted, and a fault later only starts the search again.

use super::fork::Fork;
use super::formats::Formats;
use super::{Mode, Observer};
use crate::encoding::{Encoding, PixelSizes};
use crate::message::viewer as kind;
use crate::{PixelFormat, limits};
use model::event::Origin;

/// Messages in a row that bytes meant as something else do not have.
const ENOUGH: usize = 3;
/// Longer messages are not believed in a chain.
const LONGEST: usize = 260;

/// What is known of a session that was joined late.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Late {
    viewer: Side,
    target: Side,
}

#[derive(Clone, Copy, Debug, Default)]
struct Side {
    in_step: bool,
    unframed: u64,
}

/// Formats that stand for the usual sizes of pixels.
const FORMATS: [PixelFormat; 4] = [
    PixelFormat::RGB888,
    PixelFormat { depth: 32, ..PixelFormat::RGB888 },
    PixelFormat::RGB565,
    PixelFormat::BGR233,
];

impl Late {
    fn side(&self, origin: Origin) -> Side {
        match origin {
            Origin::Viewer => self.viewer,
            Origin::Target => self.target,
        }
    }

    fn side_mut(&mut self, origin: Origin) -> &mut Side {
        match origin {
            Origin::Viewer => &mut self.viewer,
            Origin::Target => &mut self.target,
        }
    }
}

impl Observer {
    /// Whether the observer was there from the beginning, or has found its place since.
    pub fn is_in_step(&self, from: Origin) -> bool {
        self.mode != Mode::Late || self.late.side(from).in_step
    }

    /// Whether the session's beginning was missed: what it says of encodings, formats and size is partial.
    pub fn is_joined_late(&self) -> bool {
        self.mode == Mode::Late
    }

    /// Bytes that were passed over while looking for a place to begin.
    pub fn unframed_bytes(&self, from: Origin) -> u64 {
        self.late.side(from).unframed
    }

    pub(super) fn late_formats() -> Formats {
        let mut formats = Formats::new(PixelFormat::RGB888);
        // How many requests are under way is not known either.
        formats.handle_continuous(true);
        formats
    }

    pub(super) fn is_searching(&self, from: Origin) -> bool {
        !self.is_in_step(from)
    }

    fn pass_over(&mut self, from: Origin, count: usize, at: &mut usize) {
        *at += count;
        self.note_unframed(from, count);
    }

    pub(super) fn note_unframed(&mut self, from: Origin, count: usize) {
        self.late.side_mut(from).unframed += u64::try_from(count).unwrap_or(0);
    }

    /// Loses the place again; at least one byte is passed over, so that the search goes on.
    pub(super) fn lose_step(&mut self, from: Origin, input: &[u8], at: &mut usize) {
        self.late.side_mut(from).in_step = false;
        if *at < input.len() {
            self.pass_over(from, 1, at);
        }
    }

    /// Looks for what may be an update; true: readings of it are set up.
    pub(super) fn search_target(&mut self, input: &[u8], at: &mut usize) -> bool {
        let rest = input.get(*at..).unwrap_or_default();
        let found = rest.windows(16).position(is_update_head);
        let passed = found.unwrap_or(rest.len().saturating_sub(15));
        self.pass_over(Origin::Target, passed, at);
        if found.is_some() {
            let sizes = FORMATS.map(|f| PixelSizes::of(&f));
            self.fork = Some(Fork::of_beginning(self.updates.rules, &sizes));
        }
        found.is_some()
    }

    /// A beginning was proved, in one of [`FORMATS`] or in others that fit the bytes as well.
    pub(super) fn join_target(&mut self, format: usize, others: &[usize]) {
        self.late.target.in_step = true;
        self.formats = Observer::late_formats();
        let fitting = |index: usize| FORMATS.get(index).copied().unwrap_or(PixelFormat::RGB888);
        self.formats.handle_target_format(fitting(format));
        for &other in others {
            self.formats.handle_alternative(fitting(other));
        }
        self.negotiated.pixel_format = self.formats.current();
    }

    /// Looks for messages in a row; true: the next byte begins one.
    pub(super) fn search_viewer(&mut self, input: &[u8], at: &mut usize) -> bool {
        while let Some(rest) = input.get(*at..).filter(|rest| !rest.is_empty()) {
            match is_chain(rest) {
                None => return false,
                Some(true) => {
                    self.late.viewer.in_step = true;
                    return true;
                }
                Some(false) => self.pass_over(Origin::Viewer, 1, at),
            }
        }
        false
    }
}

/// [7.6.1] An update with a first rectangle that could be real.
fn is_update_head(bytes: &[u8]) -> bool {
    let Some(&[0, 0, n0, n1, x0, x1, y0, y1, w0, w1, h0, h1, e0, e1, e2, e3]) = bytes.first_chunk::<16>()
    else {
        return false;
    };
    let be = |a, b| u32::from(u16::from_be_bytes([a, b]));
    let most = u32::from(limits::DIMENSION);
    match Encoding::of(i32::from_be_bytes([e0, e1, e2, e3])) {
        None => false,
        _ if be(n0, n1) == 0 => false,
        Some(encoding) if encoding.is_pseudo() => true,
        Some(_) => {
            let (w, h) = (be(w0, w1), be(h0, h1));
            w > 0 && h > 0 && be(x0, x1) + w <= most && be(y0, y1) + h <= most
        }
    }
}

/// Whether messages in a row begin here; none: more bytes are needed to tell.
fn is_chain(bytes: &[u8]) -> Option<bool> {
    let dialect = kind::Dialect { extended_buttons: false, extended_clipboard: true };
    let mut rest = bytes;
    for _ in 0..ENOUGH {
        if rest.is_empty() {
            return None;
        }
        match kind::measure(rest, dialect) {
            Err(_) => return Some(false),
            Ok(None) => return None,
            Ok(Some(extent)) if extent.total > LONGEST => return Some(false),
            Ok(Some(extent)) => {
                let message = rest.get(..extent.total)?;
                if !is_plain(message) {
                    return Some(false);
                }
                rest = rest.get(extent.total..).unwrap_or_default();
            }
        }
    }
    Some(true)
}

/// Whether a program would send this message.
fn is_plain(message: &[u8]) -> bool {
    let be = |at: usize| {
        message.get(at..).and_then(|b| b.first_chunk::<2>()).map_or(0, |b| u16::from_be_bytes(*b))
    };
    let zero = |from: usize, to: usize| message.iter().take(to).skip(from).all(|&b| b == 0);
    let flag = message.get(1).is_some_and(|&b| b <= 1);
    let inside = |x: u16, y: u16| x <= limits::DIMENSION && y <= limits::DIMENSION;
    match message.first().copied() {
        Some(kind::SET_PIXEL_FORMAT) => {
            let format = message.get(4..).and_then(|b| b.first_chunk::<16>()).map(|b| PixelFormat::parse(*b));
            zero(1, 4) && matches!(format, Some(Ok(_)))
        }
        Some(kind::SET_ENCODINGS) => zero(1, 2),
        Some(kind::FRAMEBUFFER_UPDATE_REQUEST) => {
            flag && be(6) > 0 && be(8) > 0 && inside(be(2), be(4)) && inside(be(6), be(8))
        }
        Some(kind::KEY_EVENT) => flag && zero(2, 4) && be(4) < 0x1100 && (be(4) | be(6)) != 0,
        Some(kind::POINTER_EVENT) => inside(be(2), be(4)),
        Some(kind::CLIENT_CUT_TEXT | kind::CLIENT_FENCE) => zero(1, 4),
        Some(kind::ENABLE_CONTINUOUS_UPDATES) => flag,
        Some(kind::QEMU) => message.len() == 12 && be(2) <= 1,
        _ => false,
    }
}
