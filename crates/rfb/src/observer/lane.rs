//! One direction: the message under way, and the fault that ended it.

use super::{Observer, Ruling};
use crate::Misbehavior;
use crate::message::Extent;
use model::event::{Origin, Sink};

/// Place in one side's bytes, beside an update that may be open.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// Bytes of the message under way that need no look.
    pub(super) skip: usize,
    /// Those of them that a skeleton does not have yet.
    unseen: usize,
    pub(super) dropping: bool,
    /// The message under way.
    pub(super) kind: Option<u8>,
    pub(super) fault: Option<Misbehavior>,
}

impl Lane {
    /// A message of this kind and length begins.
    pub(super) fn begin(&mut self, kind: u8, extent: Extent, ruling: Ruling) {
        self.kind = Some(kind);
        self.dropping = ruling != Ruling::Pass;
        self.skip = extent.total;
        self.unseen = extent.total - extent.look;
    }
}

impl Observer {
    fn lane(&mut self, from: Origin) -> &mut Lane {
        match from {
            Origin::Viewer => &mut self.viewer.lane,
            Origin::Target => &mut self.target.lane,
        }
    }

    /// Reads on, and after a fault never again; who joined late looks for a place to begin again.
    pub(super) fn observe_side<S: Sink>(
        &mut self,
        from: Origin,
        input: &[u8],
        sink: &mut S,
    ) -> (usize, Option<Misbehavior>) {
        let mut at = 0;
        if let Some(fault) = self.lane(from).fault.filter(|_| !input.is_empty()) {
            return (0, Some(fault));
        }
        loop {
            let ran = match from {
                Origin::Viewer => self.run_viewer(input, &mut at, sink),
                Origin::Target => self.run_target(input, &mut at, sink),
            };
            let Err(fault) = ran else { return (at, None) };
            Self::report_fault(from, fault, sink);
            self.trace_fault(from, input.get(at..).unwrap_or_default());
            if !self.is_joined_late() {
                self.lane(from).fault = Some(fault);
                return (at, Some(fault));
            }
            if from == Origin::Target {
                self.updates.abandon();
            }
            self.lose_step(from, input, &mut at);
        }
    }

    /// Of the message under way, so many bytes have still to come.
    #[cold]
    fn trace_body(&mut self, from: Origin, skip: usize) {
        let lane = self.lane(from);
        let blank = lane.unseen.saturating_sub(skip);
        lane.unseen = lane.unseen.min(skip);
        if let Some(draft) = self.draft(from) {
            draft.blank(blank);
        }
    }

    /// Steps over what is there of the message under way; true: it is over, and was reported.
    #[inline]
    pub(super) fn pass_message<S: Sink>(
        &mut self,
        from: Origin,
        input: &[u8],
        at: &mut usize,
        sink: &mut S,
    ) -> bool {
        let lane = self.lane(from);
        let Some(kind) = lane.kind else { return true };
        let (start, taken) = (*at, lane.skip.min(input.len().saturating_sub(*at)));
        let dropping = lane.dropping;
        lane.skip -= taken;
        let skip = lane.skip;
        if skip == 0 {
            lane.kind = None;
        }
        if dropping {
            self.drop_bytes(start, taken);
        }
        if self.skeleton.is_some() {
            self.trace_body(from, skip);
        }
        *at += taken;
        if skip == 0 {
            self.report_message(from, kind, sink);
        }
        skip == 0
    }
}
