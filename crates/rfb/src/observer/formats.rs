//! [7.5.1] Which pixel format the target's next update has.
//!
//! SetPixelFormat leaves no mark in the target's bytes. The point where it takes effect is known when
//! nothing was outstanding, when a fence marks it, or when more updates came than requests were under
//! way before it. Until then several formats are possible, in the order in which they were set.

use super::updates::Doubts;
use crate::encoding::PixelSizes;
use crate::{Misbehavior, PixelFormat, limits};

/// Formats that the next update may have.
#[derive(Debug)]
pub(super) struct Formats {
    current: PixelFormat,
    pending: Vec<Pending>,
    /// Requests that passed and have not been answered, at most.
    outstanding: u64,
    /// Updates with pixels that came.
    answers: u64,
    /// Whether the target may send updates unasked.
    continuous: bool,
    doubts: Doubts,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    format: PixelFormat,
    mark: Mark,
}

/// What tells that a format is in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mark {
    /// The answer to a fence of our own, by its number.
    OwnFence(u64),
    /// The answer to a fence of the viewer, by its number among those.
    ViewerFence(u64),
    /// So many updates; none: only the bytes themselves can tell.
    Answers(Option<u64>),
}

impl Formats {
    pub(super) fn new(current: PixelFormat) -> Formats {
        let (pending, doubts) = (Vec::new(), Doubts::default());
        Formats { current, pending, outstanding: 0, answers: 0, continuous: false, doubts }
    }

    /// The earliest format that is still possible.
    pub(super) fn current(&self) -> PixelFormat {
        self.current
    }

    /// The format that the viewer asked for last.
    pub(super) fn latest(&self) -> PixelFormat {
        self.pending.last().map_or(self.current, |p| p.format)
    }

    /// Measures on which the possible formats differ.
    #[inline]
    pub(super) fn doubts(&self) -> Doubts {
        self.doubts
    }

    pub(super) fn handle_request(&mut self) {
        self.outstanding += 1;
    }

    pub(super) fn handle_continuous(&mut self, on: bool) {
        self.continuous |= on;
    }

    /// Whether a format set now would be in force at a known point without a fence.
    pub(super) fn is_settled(&self) -> bool {
        self.outstanding == 0 && !self.continuous
    }

    /// The mark of a format that is set now without a fence.
    pub(super) fn mark_by_answers(&self) -> Mark {
        Mark::Answers((!self.continuous).then_some(self.answers + self.outstanding))
    }

    /// A SetPixelFormat passes.
    pub(super) fn handle_set(&mut self, format: PixelFormat, mark: Mark) -> Result<(), Misbehavior> {
        if self.pending.len() >= limits::PENDING_FORMATS {
            return Err(Misbehavior::AmbiguousFormat);
        }
        self.pending.push(Pending { format, mark });
        Ok(())
    }

    /// An update begins: settles what it can and answers the pixel sizes it starts with.
    pub(super) fn handle_update_begin(&mut self) -> PixelSizes {
        let due = |p: &Pending| matches!(p.mark, Mark::Answers(Some(count)) if count <= self.answers);
        if let Some(last) = self.pending.iter().rposition(due) {
            self.settle(last);
        }
        self.doubts = self.find_doubts();
        PixelSizes::of(&self.current)
    }

    /// An update ended.
    pub(super) fn handle_update_end(&mut self, has_pixels: bool) {
        if has_pixels {
            self.answers += 1;
            self.outstanding = self.outstanding.saturating_sub(1);
        }
    }

    /// A fence's answer came; `exact` if the target keeps its promise to switch exactly there.
    pub(super) fn handle_mark(&mut self, mark: Mark, exact: bool) {
        let Some(at) = self.pending.iter().position(|p| p.mark == mark) else { return };
        if exact {
            self.settle(at);
        } else if let Some(pending) = self.pending.get_mut(at) {
            pending.mark = Mark::Answers(None);
        }
    }

    /// The target answers the viewer's fences without the promise to switch there.
    pub(super) fn handle_inexact_answers(&mut self) {
        for pending in &mut self.pending {
            if matches!(pending.mark, Mark::ViewerFence(_)) {
                pending.mark = Mark::Answers(None);
            }
        }
    }

    /// The target set the format itself.
    pub(super) fn handle_target_format(&mut self, format: PixelFormat) {
        self.current = format;
    }

    /// Formats that the update under way may have, the earliest first.
    pub(super) fn candidates(&self) -> impl Iterator<Item = PixelFormat> {
        let unmarked = self.pending.iter().take_while(|p| matches!(p.mark, Mark::Answers(_)));
        std::iter::once(self.current).chain(unmarked.map(|p| p.format))
    }

    /// Another format explains all bytes so far.
    pub(super) fn handle_alternative(&mut self, format: PixelFormat) {
        self.pending.push(Pending { format, mark: Mark::Answers(None) });
        self.doubts = self.find_doubts();
    }

    /// The bytes proved which of the possible formats is in force.
    pub(super) fn handle_proof(&mut self, candidate: usize) {
        if let Some(pending) = candidate.checked_sub(1) {
            self.settle(pending);
        }
        self.doubts = Doubts::default();
    }

    /// Index of the earliest format that is possible after so many more updates with pixels.
    pub(super) fn forced_after(&self, updates: usize) -> usize {
        let answers = self.answers + u64::try_from(updates).unwrap_or(0);
        let due = |p: &Pending| matches!(p.mark, Mark::Answers(Some(count)) if count <= answers);
        let unmarked = self.pending.iter().take_while(|p| matches!(p.mark, Mark::Answers(_)));
        unmarked.enumerate().filter(|(_, p)| due(p)).last().map_or(0, |(at, _)| at + 1)
    }

    fn settle(&mut self, at: usize) {
        if let Some(pending) = self.pending.drain(..=at).next_back() {
            self.current = pending.format;
        }
    }

    fn find_doubts(&self) -> Doubts {
        if self.pending.is_empty() {
            return Doubts::default();
        }
        let first = PixelSizes::of(&self.current);
        self.candidates().map(|f| PixelSizes::of(&f)).fold(Doubts::default(), |doubts, sizes| Doubts {
            pixel: doubts.pixel || sizes.pixel != first.pixel,
            tpixel: doubts.tpixel || sizes.tpixel != first.tpixel,
            cpixel: doubts.cpixel || sizes.cpixel != first.cpixel,
        })
    }
}
