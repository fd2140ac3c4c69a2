//! The target's direction: updates, announcements, clipboard.

use super::clipboard::{self, Transfer};
use super::fork::Fork;
use super::formats::Mark;
use super::lane::Lane;
use super::updates::{Finished, Progress};
use super::{Observer, Ruling, viewer};
use crate::encoding;
use crate::message::{self, Extent, target as kind};
use crate::wire::Reader;
use crate::{Misbehavior, limits};
use model::event::{Clipboard, ClipboardAction, Event, File, FileOperation, Origin, Sink};
use model::policy::ClipboardRule;

/// Place in the target's bytes, beside an update that may be open.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) lane: Lane,
    /// Fences of the viewer that were answered exactly.
    exact_answers: u64,
}

impl Stream {
    pub(super) fn is_at_boundary(&self) -> bool {
        self.lane.kind.is_none()
    }
}

impl Observer {
    pub(super) fn run_target<S: Sink>(
        &mut self,
        input: &[u8],
        at: &mut usize,
        sink: &mut S,
    ) -> Result<(), Misbehavior> {
        loop {
            if self.is_searching(Origin::Target) || self.fork.is_some() {
                if !self.run_unsure(input, at, sink)? {
                    return Ok(());
                }
                continue;
            }
            if self.updates.is_open() {
                let progress = self.updates.advance(input, at, self.formats.doubts(), sink);
                self.note_rectangles();
                match progress? {
                    Progress::Waits => return Ok(()),
                    Progress::Doubt => {
                        self.fork = Some(Fork::of_update(&self.updates, &self.formats));
                        continue;
                    }
                    Progress::Ended => {
                        let done = self.updates.finish();
                        self.end_update(done, sink);
                    }
                }
            }
            if !self.pass_message(Origin::Target, input, at, sink) {
                return Ok(());
            }
            self.insert_waiting(Origin::Target, *at);
            let rest = input.get(*at..).unwrap_or_default();
            let Some(&message) = rest.first() else { return Ok(()) };
            if message == kind::FRAMEBUFFER_UPDATE {
                let Some(&[_, _, high, low]) = rest.first_chunk::<4>() else { return Ok(()) };
                self.updates.sizes = self.formats.handle_update_begin();
                self.updates.begin(u16::from_be_bytes([high, low]));
                *at += 4;
                continue;
            }
            let Some(extent) = kind::measure(rest, self.takes_extended_clipboard())? else { return Ok(()) };
            let Some(shown) = rest.get(..extent.look) else { return Ok(()) };
            let ruling = self.judge_target(message, shown, extent, sink)?;
            if self.skeleton.is_some() {
                self.trace_message(Origin::Target, shown, extent);
            }
            self.target.lane.begin(message, extent, ruling);
            if ruling == Ruling::Drop {
                self.report_dropped(Origin::Target, message, sink);
            }
        }
    }

    /// The format or the place in the bytes is not known; false: more bytes are needed.
    fn run_unsure<S: Sink>(
        &mut self,
        input: &[u8],
        at: &mut usize,
        sink: &mut S,
    ) -> Result<bool, Misbehavior> {
        if self.fork.is_none() && !self.search_target(input, at) {
            return Ok(false);
        }
        self.run_fork(input, at, sink)
    }

    pub(super) fn end_update<S: Sink>(&mut self, done: Finished, sink: &mut S) {
        self.formats.handle_update_end(done.has_pixels);
        self.note_rectangles();
        if let Some(format) = self.updates.seen.format.take() {
            self.formats.handle_target_format(format);
            self.negotiated.pixel_format = self.formats.latest();
        }
        sink.event(Event::UpdateEnd { rectangles: done.rectangles, bytes: done.bytes });
        self.report_message(Origin::Target, kind::FRAMEBUFFER_UPDATE, sink);
    }

    /// What rectangles said counts at once: the viewer may answer before their update ends.
    fn note_rectangles(&mut self) {
        self.negotiated.note_pseudo(self.updates.seen.pseudo);
        if let Some((width, height)) = self.updates.screen {
            (self.negotiated.width, self.negotiated.height) = (width, height);
        }
    }

    pub(super) fn takes_extended_clipboard(&self) -> bool {
        !self.is_live() || self.negotiated.extensions.extended_clipboard
    }

    /// Says what a message means, and whether it may leave.
    fn judge_target<S: Sink>(
        &mut self,
        message: u8,
        shown: &[u8],
        extent: Extent,
        sink: &mut S,
    ) -> Result<Ruling, Misbehavior> {
        match message {
            kind::SET_COLOR_MAP_ENTRIES => {
                // A true color viewer has no use for it, and noVNC ends the session.
                let useless = self.formats.latest().true_color;
                Ok(Ruling::pass_if(!self.is_live() || !useless))
            }
            kind::BELL => {
                sink.event(Event::Bell);
                Ok(Ruling::Pass)
            }
            kind::SERVER_CUT_TEXT => self.judge_clipboard(Origin::Target, shown, extent, sink),
            kind::END_OF_CONTINUOUS_UPDATES => {
                self.require(self.negotiated.keeps(encoding::number::CONTINUOUS_UPDATES))?;
                self.negotiated.extensions.continuous_updates = true;
                Ok(Ruling::Pass)
            }
            kind::SERVER_FENCE => self.judge_target_fence(shown),
            kind::XVP => {
                self.require(self.negotiated.keeps(encoding::number::XVP))?;
                self.negotiated.extensions.xvp |= shown.get(3) == Some(&1);
                Ok(Ruling::Pass)
            }
            kind::GII => {
                self.require(false)?;
                self.negotiated.extensions.gii = true;
                Ok(Ruling::Pass)
            }
            kind::QEMU => {
                self.require(self.negotiated.extensions.audio)?;
                Ok(Ruling::pass_if(!self.is_live() || self.policy.audio))
            }
            _ => self.judge_target_vendor(message, shown, extent, sink),
        }
    }

    /// Messages of one vendor's programs.
    fn judge_target_vendor<S: Sink>(
        &mut self,
        message: u8,
        shown: &[u8],
        extent: Extent,
        sink: &mut S,
    ) -> Result<Ruling, Misbehavior> {
        let extensions = self.negotiated.extensions;
        match message {
            kind::RESIZE_FRAMEBUFFER | kind::RESIZE_FRAMEBUFFER_PALM => {
                // It follows a SetScale, which does not pass in a live session.
                self.require(false)?;
                self.resize_by_message(message, shown, sink)?;
                Ok(Ruling::Pass)
            }
            kind::FILE_TRANSFER => {
                self.require(extensions.ultra_files)?;
                self.report_file(ultra_file(Origin::Target, shown), sink);
                Ok(self.pass_files())
            }
            kind::FILE_LIST_DATA..=kind::FILE_DOWNLOAD_FAILED => {
                self.require(extensions.tight_files)?;
                self.report_file(tight_file(message, shown, extent), sink);
                Ok(self.pass_files())
            }
            kind::TIGHT_EXTENSION => {
                self.require(extensions.tight2_files && shown.get(2) == Some(&1))?;
                if shown.get(2) == Some(&1) {
                    self.report_file(tight2_file(shown, extent), sink);
                }
                Ok(self.pass_files())
            }
            kind::TEXT_CHAT => {
                let bytes = u32::try_from(extent.total - 8).unwrap_or(0);
                sink.event(Event::Chat { from: Origin::Target, bytes });
                // A target may begin to chat; a viewer that never did cannot read it.
                Ok(Ruling::pass_if(!self.is_live() || extensions.chat))
            }
            _ => {
                // KeepAlive and ServerState: announced by encodings that are never passed on.
                self.require(false)?;
                Ok(Ruling::Pass)
            }
        }
    }

    fn resize_by_message<S: Sink>(
        &mut self,
        message: u8,
        shown: &[u8],
        sink: &mut S,
    ) -> Result<(), Misbehavior> {
        let skipped = if message == kind::RESIZE_FRAMEBUFFER { 2 } else { 8 };
        let mut r = Reader::new(shown.get(skipped..).unwrap_or_default());
        let (Some(width), Some(height)) = (r.u16(), r.u16()) else { return Err(Misbehavior::ScreenSize) };
        if width.min(height) == 0 || width.max(height) > limits::DIMENSION {
            return Err(Misbehavior::ScreenSize);
        }
        self.updates.screen = Some((width, height));
        (self.negotiated.width, self.negotiated.height) = (width, height);
        sink.event(Event::Resize { width, height });
        Ok(())
    }

    /// In a live session a message that was not negotiated breaks the protocol.
    pub(super) fn require(&self, negotiated: bool) -> Result<(), Misbehavior> {
        if negotiated || !self.is_live() { Ok(()) } else { Err(Misbehavior::UnknownMessage) }
    }

    pub(super) fn pass_files(&self) -> Ruling {
        Ruling::pass_if(!self.is_live() || self.policy.files)
    }

    pub(super) fn report_file<S: Sink>(&mut self, file: File<'_>, sink: &mut S) {
        self.counters.files += 1;
        sink.event(Event::File(file));
    }

    /// A fence of the target passes. An answer to one of ours is swallowed: it marks a format's start.
    fn judge_target_fence(&mut self, shown: &[u8]) -> Result<Ruling, Misbehavior> {
        self.require(self.negotiated.keeps(encoding::number::FENCE))?;
        self.negotiated.extensions.fence = true;
        let flags = Reader::new(shown.get(4..).unwrap_or_default()).u32().unwrap_or(0);
        if flags & message::FENCE_REQUEST != 0 {
            return Ok(Ruling::Pass);
        }
        let exact = flags & message::FENCE_SYNC_NEXT != 0;
        if let Some(number) = viewer::own_fence_number(shown.get(9..).unwrap_or_default()) {
            self.formats.handle_mark(Mark::OwnFence(number), exact);
            return Ok(Ruling::pass_if(!self.is_live()));
        }
        if exact {
            self.target.exact_answers += 1;
            self.formats.handle_mark(Mark::ViewerFence(self.target.exact_answers), true);
        } else if self.viewer.is_last_exact_fence(shown.get(9..).unwrap_or_default()) {
            self.formats.handle_inexact_answers();
        }
        Ok(Ruling::Pass)
    }

    /// A clipboard message of either side.
    pub(super) fn judge_clipboard<S: Sink>(
        &mut self,
        from: Origin,
        shown: &[u8],
        extent: Extent,
        sink: &mut S,
    ) -> Result<Ruling, Misbehavior> {
        let transfer = match clipboard::read(shown, extent) {
            Ok(transfer) => transfer,
            Err(fault) if self.is_live() => return Err(fault),
            Err(fault) => {
                // Its place in the stream is known all the same: a capture is read on.
                Self::report_fault(from, fault, sink);
                return Ok(Ruling::Pass);
            }
        };
        let Transfer { action, formats, bytes, ref content } = transfer;
        self.counters.clipboards += u64::from(action == ClipboardAction::Content);
        sink.event(Event::Clipboard(Clipboard { from, action, formats, bytes, content: content.bytes() }));
        let readable = extent.look == extent.total;
        Ok(Ruling::pass_if(!self.is_live() || (readable && self.allows_clipboard(from, action, bytes))))
    }

    fn allows_clipboard(&self, from: Origin, action: ClipboardAction, bytes: u32) -> bool {
        if from == Origin::Viewer && !self.policy.allows_input() {
            return false;
        }
        let rule_of = |origin| match origin {
            Origin::Viewer => self.policy.clipboard_to_target,
            Origin::Target => self.policy.clipboard_to_viewer,
        };
        let open = |rule| rule != ClipboardRule::Deny;
        match action {
            ClipboardAction::Content => match rule_of(from) {
                ClipboardRule::Deny => false,
                ClipboardRule::Allow { max_bytes } => {
                    bytes <= max_bytes && usize::try_from(bytes).is_ok_and(|n| n <= limits::CLIPBOARD)
                }
            },
            ClipboardAction::Notify => open(rule_of(from)),
            // They ask for what the other side has.
            ClipboardAction::Request | ClipboardAction::Peek => open(rule_of(from.other())),
            ClipboardAction::Capabilities => open(rule_of(from)) || open(rule_of(from.other())),
        }
    }
}

/// A file message of UltraVNC, from either side.
pub(super) fn ultra_file(from: Origin, shown: &[u8]) -> File<'_> {
    let mut r = Reader::new(shown.get(4..).unwrap_or_default());
    let size = u64::from(r.u32().unwrap_or(0));
    let length = u64::from(r.u32().unwrap_or(0));
    let name = shown.get(12..).unwrap_or_default();
    let (operation, name, bytes) = match (shown.get(1), from) {
        (Some(1), Origin::Viewer) => (FileOperation::List, name, 0),
        (Some(&kind::ULTRA_FILE_LIST), Origin::Target) => (FileOperation::List, &[][..], length),
        (Some(3), Origin::Viewer) => (FileOperation::Download, name, 0),
        (Some(&kind::ULTRA_FILE_HEADER), Origin::Target) => (FileOperation::Download, name, size),
        (Some(&kind::ULTRA_FILE_OFFER), Origin::Viewer) => (FileOperation::Upload, name, size),
        (Some(9), Origin::Target) => (FileOperation::Upload, name, 0),
        (Some(5), _) => (FileOperation::Data, &[][..], length),
        (Some(10 | 11), _) => (FileOperation::Change, name, 0),
        (Some(6 | 7 | 16), _) => (FileOperation::End, &[][..], 0),
        _ => (FileOperation::List, &[][..], 0),
    };
    File { from, operation, name, bytes }
}

/// A file message of TightVNC 1.3 from the target.
fn tight_file(message: u8, shown: &[u8], extent: Extent) -> File<'_> {
    let content = u64::try_from(extent.total.saturating_sub(6)).unwrap_or(0);
    let (operation, name, bytes) = match message {
        kind::FILE_LIST_DATA => (FileOperation::List, &[][..], content.saturating_sub(2)),
        kind::FILE_DOWNLOAD_DATA if shown.get(2..6) == Some(&[0; 4]) => (FileOperation::End, &[][..], 0),
        kind::FILE_DOWNLOAD_DATA => (FileOperation::Data, &[][..], content),
        _ => (FileOperation::End, shown.get(4..).unwrap_or_default(), 0),
    };
    File { from: Origin::Target, operation, name, bytes }
}

/// A file message of TightVNC 2 from the target.
fn tight2_file(shown: &[u8], extent: Extent) -> File<'_> {
    let content = u64::try_from(extent.total.saturating_sub(13)).unwrap_or(0);
    let (operation, bytes) = match shown.get(3) {
        Some(0x03) => (FileOperation::List, content),
        Some(0x07 | 0x09) => (FileOperation::Upload, 0),
        Some(0x0d) => (FileOperation::Download, 0),
        Some(0x0f) => (FileOperation::Data, content),
        Some(0x0b | 0x10 | 0x19) => (FileOperation::End, 0),
        Some(0x12 | 0x14 | 0x16) => (FileOperation::Change, 0),
        _ => (FileOperation::List, 0),
    };
    File { from: Origin::Target, operation, name: &[], bytes }
}
