//! The viewer's direction: input, requests, and everything that policy is about.

use super::formats::Mark;
use super::lane::Lane;
use super::negotiated::keeps;
use super::pressed::PressedKey;
use super::target::ultra_file;
use super::{Observer, Ruling};
use crate::encoding::{self, Encoding, EncodingSet};
use crate::message::{self, Extent, viewer as kind};
use crate::wire::{Put, Reader};
use crate::{Misbehavior, PixelFormat};
use model::event::{Event, File, FileOperation, Origin, PowerAction, Sink};
use model::secret::Keysym;

/// Starts the payload of every fence of our own; the number of the fence follows.
const OWN_FENCE: &[u8; 8] = b"\0GH-sync";

/// Place in the viewer's bytes.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) lane: Lane,
    /// Fences of the viewer that ask for an exact answer.
    exact_fences: u64,
    /// Payload of the last of them.
    last_exact_fence: Vec<u8>,
    /// Whether the last message was such a fence.
    after_exact_fence: bool,
    /// Fences of our own.
    own_fences: u64,
}

impl Stream {
    pub(super) fn is_at_boundary(&self) -> bool {
        // Nothing of a message that is being dropped has left.
        self.lane.kind.is_none() || self.lane.dropping
    }

    pub(super) fn is_last_exact_fence(&self, payload: &[u8]) -> bool {
        self.exact_fences > 0 && self.last_exact_fence == payload
    }
}

/// The number in the payload of a fence of our own.
pub(crate) fn own_fence_number(payload: &[u8]) -> Option<u64> {
    let number = payload.strip_prefix(OWN_FENCE)?.first_chunk::<8>()?;
    (payload.len() == 16).then_some(u64::from_be_bytes(*number))
}

impl Observer {
    pub(super) fn run_viewer<S: Sink>(
        &mut self,
        input: &[u8],
        at: &mut usize,
        sink: &mut S,
    ) -> Result<(), Misbehavior> {
        loop {
            if !self.pass_message(Origin::Viewer, input, at, sink) {
                if self.viewer.lane.dropping {
                    self.insert_waiting(Origin::Viewer, *at);
                }
                return Ok(());
            }
            if self.is_searching(Origin::Viewer) && !self.search_viewer(input, at) {
                return Ok(());
            }
            self.insert_waiting(Origin::Viewer, *at);
            let rest = input.get(*at..).unwrap_or_default();
            let Some(&message) = rest.first() else { return Ok(()) };
            let dialect = kind::Dialect {
                extended_buttons: self.negotiated.extensions.extended_buttons,
                extended_clipboard: self.takes_extended_clipboard(),
            };
            let Some(extent) = kind::measure(rest, dialect)? else { return Ok(()) };
            let Some(shown) = rest.get(..extent.look) else { return Ok(()) };
            let ruling = self.judge_viewer(message, shown, extent, *at, sink)?;
            if self.skeleton.is_some() {
                self.trace_message(Origin::Viewer, shown, extent);
            }
            self.viewer.lane.begin(message, extent, ruling);
            if ruling == Ruling::Drop {
                self.report_dropped(Origin::Viewer, message, sink);
            }
        }
    }

    /// Says what a message means, and whether it may leave. Those that change nothing at the target are
    /// listed; all others count as input.
    fn judge_viewer<S: Sink>(
        &mut self,
        message: u8,
        shown: &[u8],
        extent: Extent,
        at: usize,
        sink: &mut S,
    ) -> Result<Ruling, Misbehavior> {
        let after_exact_fence = std::mem::take(&mut self.viewer.after_exact_fence);
        match message {
            kind::FRAMEBUFFER_UPDATE_REQUEST => {
                self.formats.handle_request();
                sink.event(Event::UpdateRequest { incremental: shown.get(1).is_some_and(|&b| b != 0) });
                Ok(Ruling::Pass)
            }
            kind::SET_PIXEL_FORMAT => self.judge_pixel_format(shown, at, after_exact_fence),
            kind::SET_ENCODINGS => Ok(self.judge_encodings(shown, at, sink)),
            kind::ENABLE_CONTINUOUS_UPDATES => {
                self.require(self.negotiated.extensions.continuous_updates)?;
                let on = shown.get(1).is_some_and(|&b| b != 0);
                self.formats.handle_continuous(on);
                sink.event(Event::ContinuousUpdates { on });
                Ok(Ruling::Pass)
            }
            kind::CLIENT_FENCE => self.judge_viewer_fence(shown),
            _ => {
                let allowed = !self.is_live() || self.policy.allows_input();
                self.judge_input(message, shown, extent, allowed, sink)
            }
        }
    }

    /// Messages that reach into the target. They are reported even where they do not pass: somebody tried.
    fn judge_input<S: Sink>(
        &mut self,
        message: u8,
        shown: &[u8],
        extent: Extent,
        allowed: bool,
        sink: &mut S,
    ) -> Result<Ruling, Misbehavior> {
        match message {
            kind::KEY_EVENT => {
                let keysym = Reader::new(shown.get(4..).unwrap_or_default()).u32().unwrap_or(0);
                let down = shown.get(1).is_some_and(|&b| b != 0);
                Ok(self.judge_key(down, PressedKey { keysym, keycode: None }, allowed, sink))
            }
            kind::POINTER_EVENT => Ok(self.judge_pointer(shown, allowed, sink)),
            kind::QEMU if shown.get(1) == Some(&kind::QEMU_KEY) => {
                self.require(!allowed || self.negotiated.extensions.extended_keys)?;
                let mut r = Reader::new(shown.get(2..).unwrap_or_default());
                let (down, keysym, keycode) = (r.u16().unwrap_or(0) != 0, r.u32().unwrap_or(0), r.u32());
                Ok(self.judge_key(down, PressedKey { keysym, keycode }, allowed, sink))
            }
            kind::QEMU => {
                let allowed = allowed && (!self.is_live() || self.policy.audio);
                self.require(!allowed || self.negotiated.extensions.audio)?;
                Ok(Ruling::pass_if(allowed))
            }
            kind::CLIENT_CUT_TEXT => self.judge_clipboard(Origin::Viewer, shown, extent, sink),
            kind::XVP => self.judge_power(shown, allowed, sink),
            kind::SET_DESKTOP_SIZE => self.judge_desktop_size(shown, allowed, sink),
            kind::FILE_TRANSFER
            | kind::FILE_LIST_REQUEST..=kind::FILE_CREATE_DIRECTORY
            | kind::TIGHT_EXTENSION => {
                let file = viewer_file(message, shown, extent);
                self.report_file(file, sink);
                let ruling = if allowed { self.pass_files() } else { Ruling::Drop };
                let extensions = &mut self.negotiated.extensions;
                let used = match message {
                    kind::FILE_TRANSFER => &mut extensions.ultra_files,
                    kind::TIGHT_EXTENSION => &mut extensions.tight2_files,
                    _ => &mut extensions.tight_files,
                };
                *used |= ruling == Ruling::Pass;
                Ok(ruling)
            }
            kind::TEXT_CHAT => {
                let bytes = u32::try_from(extent.total - 8).unwrap_or(0);
                sink.event(Event::Chat { from: Origin::Viewer, bytes });
                self.negotiated.extensions.chat |= allowed;
                Ok(Ruling::pass_if(allowed))
            }
            // Their announcements never pass in a live session.
            kind::GII | kind::SET_MONITOR | kind::FIX_COLOR_MAP_ENTRIES => {
                self.require(!allowed)?;
                Ok(Ruling::pass_if(allowed))
            }
            // UltraVNC's and PalmVNC's scaling, window choice, local input and plug-ins: they change how
            // the target behaves for everybody, or the size of all that follows.
            _ => Ok(Ruling::pass_if(!self.is_live())),
        }
    }

    fn judge_key<S: Sink>(&mut self, down: bool, key: PressedKey, allowed: bool, sink: &mut S) -> Ruling {
        self.counters.keys += u64::from(down);
        sink.event(Event::Key { down, keysym: Keysym(key.keysym) });
        if allowed && self.is_live() {
            self.pressed.key(down, key, &mut self.towards_target);
        }
        Ruling::pass_if(allowed)
    }

    fn judge_pointer<S: Sink>(&mut self, shown: &[u8], allowed: bool, sink: &mut S) -> Ruling {
        let Some(&[_, low, x0, x1, y0, y1]) = shown.first_chunk::<6>() else { return Ruling::Drop };
        let (x, y) = (u16::from_be_bytes([x0, x1]), u16::from_be_bytes([y0, y1]));
        // [7.5.5] With more buttons, bit 7 only says that a second byte of them follows.
        let buttons = match shown.get(6) {
            None => u16::from(low),
            Some(&high) => u16::from(low & 0x7f) | u16::from(high) << 7,
        };
        self.counters.pointers += 1;
        sink.event(Event::Pointer { x, y, buttons });
        if allowed && self.is_live() {
            self.pressed.pointer(buttons, x, y);
        }
        Ruling::pass_if(allowed)
    }

    fn judge_power<S: Sink>(
        &mut self,
        shown: &[u8],
        allowed: bool,
        sink: &mut S,
    ) -> Result<Ruling, Misbehavior> {
        let action = match shown.get(3) {
            Some(2) => PowerAction::Shutdown,
            Some(3) => PowerAction::Reboot,
            Some(4) => PowerAction::Reset,
            _ => return Err(Misbehavior::UnknownMessage),
        };
        let allowed = allowed && (!self.is_live() || self.policy.power);
        self.require(!allowed || self.negotiated.extensions.xvp)?;
        sink.event(Event::Power(action));
        Ok(Ruling::pass_if(allowed))
    }

    /// [7.5.10] A refused wish for another size is answered here: the viewer waits for it.
    fn judge_desktop_size<S: Sink>(
        &mut self,
        shown: &[u8],
        allowed: bool,
        sink: &mut S,
    ) -> Result<Ruling, Misbehavior> {
        let mut r = Reader::new(shown.get(2..).unwrap_or_default());
        let (width, height) = (r.u16().unwrap_or(0), r.u16().unwrap_or(0));
        sink.event(Event::ResizeRequest { width, height });
        let known = self.negotiated.extensions.desktop_size;
        let allowed = allowed && (!self.is_live() || self.policy.resize);
        if allowed {
            self.require(known)?;
        } else if known {
            self.refuse_desktop_size();
        }
        Ok(Ruling::pass_if(allowed))
    }

    /// [7.8.7] An update of one ExtendedDesktopSize: asked by this viewer, prohibited.
    fn refuse_desktop_size(&mut self) {
        let (width, height) = (self.negotiated.width, self.negotiated.height);
        let out = &mut self.towards_viewer;
        out.put(&[0, 0, 0, 1, 0, 1, 0, 1]);
        out.put_u16(width);
        out.put_u16(height);
        out.put_i32(Encoding::ExtendedDesktopSize.number());
        out.put(&self.updates.seen.layout);
    }

    fn judge_viewer_fence(&mut self, shown: &[u8]) -> Result<Ruling, Misbehavior> {
        self.require(self.negotiated.extensions.fence)?;
        let flags = Reader::new(shown.get(4..).unwrap_or_default()).u32().unwrap_or(0);
        if shown.get(9..).unwrap_or_default().starts_with(OWN_FENCE) && self.is_live() {
            return Err(Misbehavior::OutOfOrder);
        }
        let exact = message::FENCE_REQUEST | message::FENCE_SYNC_NEXT;
        if flags & exact == exact {
            self.viewer.exact_fences += 1;
            self.viewer.last_exact_fence.clear();
            self.viewer.last_exact_fence.extend_from_slice(shown.get(9..).unwrap_or_default());
            self.viewer.after_exact_fence = true;
        }
        Ok(Ruling::Pass)
    }

    /// [7.5.1] Finds out how the point will be known at which the target switches.
    fn judge_pixel_format(
        &mut self,
        shown: &[u8],
        at: usize,
        after_exact_fence: bool,
    ) -> Result<Ruling, Misbehavior> {
        let bytes = shown.get(4..).and_then(|b| b.first_chunk::<16>()).ok_or(Misbehavior::PixelFormat)?;
        let format = PixelFormat::parse(*bytes)?;
        let mark = if after_exact_fence {
            // The viewer marked it itself; a second fence before the message would take its place.
            Mark::ViewerFence(self.viewer.exact_fences)
        } else if self.is_live() && self.negotiated.extensions.fence && !self.formats.is_settled() {
            self.viewer.own_fences += 1;
            let number = self.viewer.own_fences;
            self.insert_bytes(at, &own_fence(number));
            Mark::OwnFence(number)
        } else {
            self.formats.mark_by_answers()
        };
        self.formats.handle_set(format, mark)?;
        self.negotiated.pixel_format = format;
        Ok(Ruling::Pass)
    }

    /// [7.5.2] Passes on only what can be framed and what policy allows, in the viewer's order.
    fn judge_encodings<S: Sink>(&mut self, shown: &[u8], at: usize, sink: &mut S) -> Ruling {
        let negotiated = &mut self.negotiated;
        negotiated.offered.clear();
        let mut r = Reader::new(shown.get(4..).unwrap_or_default());
        while let Some(number) = r.i32() {
            negotiated.offered.push(number);
        }
        let live = self.mode == super::Mode::Live;
        let policy = &self.policy;
        negotiated.kept.clear();
        negotiated.kept.extend(negotiated.offered.iter().copied().filter(|&n| !live || keeps(n, policy)));
        sink.event(Event::Encodings { offered: &negotiated.offered, kept: &negotiated.kept });
        self.apply_encodings();
        if self.negotiated.kept.len() == self.negotiated.offered.len() {
            return Ruling::Pass;
        }
        let mut message = vec![kind::SET_ENCODINGS, 0];
        message.put_u16(u16::try_from(self.negotiated.kept.len()).unwrap_or(0));
        for &number in &self.negotiated.kept {
            message.put_i32(number);
        }
        self.insert_bytes(at, &message);
        Ruling::Replace
    }

    /// What was asked for once may still be under way after a later list without it.
    fn apply_encodings(&mut self) {
        let mut asked: EncodingSet = self.updates.rules.asked;
        for encoding in self.negotiated.kept.iter().filter_map(|&n| Encoding::of(n)) {
            asked.insert(encoding);
        }
        self.updates.rules.asked = asked;
        self.updates.rules.tight_without_zlib |= self.negotiated.keeps(encoding::number::TIGHT_WITHOUT_ZLIB);
        self.negotiated.extensions.extended_clipboard |=
            self.negotiated.keeps(encoding::number::EXTENDED_CLIPBOARD);
    }
}

/// A ClientFence that asks for an answer exactly where the next message takes effect.
fn own_fence(number: u64) -> [u8; 25] {
    let mut fence = [0; 25];
    let flags = message::FENCE_REQUEST | message::FENCE_SYNC_NEXT;
    let parts: [&[u8]; 5] =
        [&[kind::CLIENT_FENCE, 0, 0, 0], &flags.to_be_bytes(), &[16], OWN_FENCE, &number.to_be_bytes()];
    for (to, from) in fence.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
    fence
}

/// A file message of the viewer.
fn viewer_file(message: u8, shown: &[u8], extent: Extent) -> File<'_> {
    let after = |n| shown.get(n..).unwrap_or_default();
    let content = |header| u64::try_from(extent.total.saturating_sub(header)).unwrap_or(0);
    let (operation, name, bytes) = match message {
        kind::FILE_TRANSFER => return ultra_file(Origin::Viewer, shown),
        kind::FILE_LIST_REQUEST => (FileOperation::List, after(4), 0),
        kind::FILE_DOWNLOAD_REQUEST => (FileOperation::Download, after(8), 0),
        kind::FILE_UPLOAD_REQUEST => (FileOperation::Upload, after(8), 0),
        kind::FILE_UPLOAD_DATA if shown.get(2..6) == Some(&[0; 4]) => (FileOperation::End, after(6), 0),
        kind::FILE_UPLOAD_DATA => (FileOperation::Data, after(6), content(6)),
        kind::FILE_CREATE_DIRECTORY => (FileOperation::Change, after(4), 0),
        kind::TIGHT_EXTENSION => match shown.get(3) {
            Some(0x02) => (FileOperation::List, after(9), 0),
            Some(0x06) => {
                let end = shown.len().saturating_sub(9);
                (FileOperation::Upload, shown.get(8..end).unwrap_or_default(), 0)
            }
            Some(0x08) => (FileOperation::Data, after(13), content(13)),
            Some(0x0c) => {
                let end = shown.len().saturating_sub(8);
                (FileOperation::Download, shown.get(8..end).unwrap_or_default(), 0)
            }
            Some(0x11 | 0x13 | 0x15) => (FileOperation::Change, after(8), 0),
            Some(0x0a) => (FileOperation::End, after(14), 0),
            _ => (FileOperation::List, after(shown.len()), 0),
        },
        _ => (FileOperation::End, after(4), 0),
    };
    File { from: Origin::Viewer, operation, name, bytes }
}
