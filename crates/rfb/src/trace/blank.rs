//! Messages without what they say: which of their bytes frame, and zeros for the rest.

use super::Skeleton;
use crate::message::{Extent, target, viewer};
use crate::observer::clipboard;
use model::event::Origin;
use std::ops::Range;

/// X11's VoidSymbol stands for every key, so that presses and releases still belong together.
const VOID_SYMBOL: [u8; 4] = [0, 0xff, 0xff, 0xff];

/// Bytes of a message that is broken: enough for its numbers and lengths, or a whole SetPixelFormat.
pub(crate) const BROKEN: usize = 20;

/// The shown part of a message, with zeros where something private may be.
///
/// `shown` may be cut anywhere; `extent` is none if the message is broken.
pub(crate) fn message(from: Origin, shown: &[u8], extent: Option<Extent>, names: &mut Skeleton) -> Vec<u8> {
    let mut out = vec![0; shown.len()];
    for range in fields(from, shown) {
        copy(shown, &mut out, range);
    }
    let kind = shown.first().copied().unwrap_or(0);
    match (from, kind) {
        (Origin::Viewer, viewer::KEY_EVENT) => put(&mut out, 4, &VOID_SYMBOL),
        (Origin::Viewer, viewer::QEMU) if shown.get(1) == Some(&viewer::QEMU_KEY) => {
            put(&mut out, 4, &VOID_SYMBOL);
        }
        (Origin::Viewer, viewer::CLIENT_FENCE) | (Origin::Target, target::SERVER_FENCE) => {
            fence(shown, &mut out, names);
        }
        (Origin::Viewer, viewer::CLIENT_CUT_TEXT) | (Origin::Target, target::SERVER_CUT_TEXT) => {
            if let Some(content) = extent.and_then(|extent| clipboard::blank(shown, extent)) {
                put(&mut out, 12, &content);
            }
        }
        _ => {}
    }
    out
}

fn copy(from: &[u8], to: &mut [u8], range: Range<usize>) {
    let end = range.end.min(from.len());
    if let (Some(from), Some(to)) = (from.get(range.start..end), to.get_mut(range.start..end)) {
        to.copy_from_slice(from);
    }
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    for (to, from) in out.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}

/// A payload is the sender's own mark. Ours are known for what they are.
fn fence(shown: &[u8], out: &mut [u8], names: &mut Skeleton) {
    let payload = shown.get(9..).unwrap_or_default();
    if crate::observer::own_fence_number(payload).is_some() {
        put(out, 9, payload);
    } else if !payload.is_empty() {
        put(out, 9, &[names.name_fence(payload)]);
    }
}

/// Where a message has its number, its lengths, and what others depend on.
fn fields(from: Origin, shown: &[u8]) -> Vec<Range<usize>> {
    let kind = shown.first().copied().unwrap_or(0);
    let mut fields = Vec::with_capacity(4);
    fields.push(0..1);
    match from {
        Origin::Viewer => viewer_fields(kind, shown, &mut fields),
        Origin::Target => target_fields(kind, shown, &mut fields),
    }
    fields
}

fn viewer_fields(kind: u8, shown: &[u8], fields: &mut Vec<Range<usize>>) {
    match kind {
        viewer::SET_PIXEL_FORMAT => fields.push(4..17),
        viewer::FIX_COLOR_MAP_ENTRIES => fields.push(4..6),
        viewer::SET_ENCODINGS => fields.push(2..shown.len()),
        viewer::FRAMEBUFFER_UPDATE_REQUEST => fields.push(1..10),
        viewer::ENABLE_CONTINUOUS_UPDATES | viewer::KEY_EVENT => fields.push(1..2),
        // Buttons; the place stays at the origin.
        viewer::POINTER_EVENT => fields.extend([1..2, 6..7]),
        viewer::CLIENT_CUT_TEXT => cut_text(shown, fields),
        viewer::FILE_TRANSFER => fields.extend([1..2, 8..12]),
        viewer::SET_SCALE | viewer::SET_SCALE_FACTOR | viewer::XVP => fields.push(1..4),
        viewer::TEXT_CHAT => fields.push(4..8),
        viewer::FILE_UPLOAD_DATA => fields.push(2..6),
        viewer::FILE_LIST_REQUEST..=viewer::FILE_CREATE_DIRECTORY => fields.push(2..4),
        viewer::CLIENT_FENCE => fields.push(4..9),
        viewer::SET_DESKTOP_SIZE => fields.push(2..8),
        viewer::TIGHT_EXTENSION => tight2(shown, fields),
        viewer::GII => fields.push(1..4),
        viewer::QEMU if shown.get(1) == Some(&viewer::QEMU_KEY) => fields.push(1..4),
        viewer::QEMU => fields.push(1..10),
        _ => {}
    }
}

fn target_fields(kind: u8, shown: &[u8], fields: &mut Vec<Range<usize>>) {
    match kind {
        target::FRAMEBUFFER_UPDATE => fields.push(2..4),
        target::SET_COLOR_MAP_ENTRIES => fields.push(2..6),
        target::SERVER_CUT_TEXT => cut_text(shown, fields),
        target::RESIZE_FRAMEBUFFER => fields.push(2..6),
        target::RESIZE_FRAMEBUFFER_PALM => fields.push(8..12),
        target::FILE_TRANSFER => fields.extend([1..2, 8..12]),
        target::TEXT_CHAT => fields.push(4..8),
        target::FILE_LIST_DATA => fields.extend([2..4, 6..8]),
        target::FILE_DOWNLOAD_DATA => fields.push(2..6),
        target::FILE_UPLOAD_CANCEL | target::FILE_DOWNLOAD_FAILED => fields.push(2..4),
        target::SERVER_FENCE => fields.push(4..9),
        target::XVP => fields.push(1..4),
        target::TIGHT_EXTENSION => tight2(shown, fields),
        target::GII => fields.push(1..4),
        target::QEMU => fields.push(1..8),
        _ => {}
    }
}

/// A length; in the extended clipboard also what the message does.
fn cut_text(shown: &[u8], fields: &mut Vec<Range<usize>>) {
    fields.push(4..8);
    if shown.get(4).is_some_and(|sign| sign & 0x80 != 0) {
        fields.push(8..12);
    }
}

/// TightVNC 2: texts begin with their lengths, blocks with level and two sizes.
fn tight2(shown: &[u8], fields: &mut Vec<Range<usize>>) {
    fields.push(1..4);
    match shown.get(3) {
        Some(0x02) => fields.push(5..9),
        Some(0x03 | 0x08 | 0x0f) => fields.push(4..13),
        Some(0x15) => {
            let length = shown.get(4..).and_then(|b| b.first_chunk::<4>()).map(|b| u32::from_be_bytes(*b));
            let second = length.and_then(|n| usize::try_from(n).ok()).and_then(|n| n.checked_add(8));
            fields.push(4..8);
            if let Some(second) = second.filter(|&at| at < shown.len()) {
                fields.push(second..second.saturating_add(4));
            }
        }
        Some(0x04 | 0x06 | 0x0c | 0x11 | 0x13 | 0x17 | 0x19) => fields.push(4..8),
        _ => {}
    }
}

/// What a message is called.
pub(crate) fn name(from: Origin, shown: &[u8]) -> &'static str {
    let kind = shown.first().copied().unwrap_or(0);
    match from {
        Origin::Viewer if shown.starts_with(&[viewer::QEMU, viewer::QEMU_KEY]) => "QemuKeyEvent",
        Origin::Viewer => viewer_name(kind),
        Origin::Target => target_name(kind),
    }
}

fn viewer_name(kind: u8) -> &'static str {
    match kind {
        viewer::SET_PIXEL_FORMAT => "SetPixelFormat",
        viewer::SET_ENCODINGS => "SetEncodings",
        viewer::FRAMEBUFFER_UPDATE_REQUEST => "FramebufferUpdateRequest",
        viewer::KEY_EVENT => "KeyEvent",
        viewer::POINTER_EVENT => "PointerEvent",
        viewer::CLIENT_CUT_TEXT => "ClientCutText",
        viewer::FILE_TRANSFER | viewer::FILE_LIST_REQUEST..=viewer::FILE_CREATE_DIRECTORY => "FileTransfer",
        viewer::TEXT_CHAT => "TextChat",
        viewer::ENABLE_CONTINUOUS_UPDATES => "EnableContinuousUpdates",
        viewer::CLIENT_FENCE => "ClientFence",
        viewer::XVP => "Xvp",
        viewer::SET_DESKTOP_SIZE => "SetDesktopSize",
        viewer::QEMU => "QemuAudio",
        _ => "Message",
    }
}

fn target_name(kind: u8) -> &'static str {
    match kind {
        target::FRAMEBUFFER_UPDATE => "FramebufferUpdate",
        target::SET_COLOR_MAP_ENTRIES => "SetColorMapEntries",
        target::BELL => "Bell",
        target::SERVER_CUT_TEXT => "ServerCutText",
        target::FILE_TRANSFER | target::FILE_LIST_DATA..=target::FILE_DOWNLOAD_FAILED => "FileTransfer",
        target::TEXT_CHAT => "TextChat",
        target::END_OF_CONTINUOUS_UPDATES => "EndOfContinuousUpdates",
        target::SERVER_FENCE => "ServerFence",
        target::XVP => "Xvp",
        target::QEMU => "QemuAudio",
        _ => "Message",
    }
}
