//! What both peers agreed on: the state that the two directions share.

use crate::encoding::{self, Encoding, EncodingSet};
use crate::{PixelFormat, ServerInit};
use model::Policy;
use model::policy::ClipboardRule;

/// What the peers agreed on so far.
#[derive(Clone, Debug)]
pub struct Negotiated {
    /// Width of the screen in pixels.
    pub width: u16,
    /// Height of the screen in pixels.
    pub height: u16,
    /// The pixel format that the viewer asked for last, or the target's own.
    pub pixel_format: PixelFormat,
    /// Encodings as the viewer offered them last, in its order.
    pub offered: Vec<i32>,
    /// Those of them that were passed on.
    pub kept: Vec<i32>,
    /// Extensions that are in use.
    pub extensions: Extensions,
}

/// Extensions that a peer announced.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Extensions {
    /// The target speaks fences.
    pub fence: bool,
    /// The target can send updates unasked.
    pub continuous_updates: bool,
    /// The target takes power actions.
    pub xvp: bool,
    /// The target takes input devices.
    pub gii: bool,
    /// The target takes QEMU's key events.
    pub extended_keys: bool,
    /// The target takes more than seven buttons.
    pub extended_buttons: bool,
    /// The target offers audio.
    pub audio: bool,
    /// The target tells its screens and takes SetDesktopSize.
    pub desktop_size: bool,
    /// The viewer asked for the extended clipboard, and that was passed on.
    pub extended_clipboard: bool,
    /// The viewer used UltraVNC's file transfer.
    pub ultra_files: bool,
    /// The viewer used TightVNC 1.3's file transfer.
    pub tight_files: bool,
    /// The viewer used TightVNC 2's extension messages.
    pub tight2_files: bool,
    /// The viewer used UltraVNC's chat.
    pub chat: bool,
}

impl Negotiated {
    pub(super) fn new(init: &ServerInit) -> Negotiated {
        Negotiated {
            width: init.width,
            height: init.height,
            pixel_format: init.pixel_format,
            offered: Vec::new(),
            kept: Vec::new(),
            extensions: Extensions::default(),
        }
    }

    /// Whether an announcement was passed on.
    pub fn keeps(&self, number: i32) -> bool {
        self.kept.contains(&number)
    }

    pub(super) fn note_pseudo(&mut self, seen: EncodingSet) {
        let extensions = &mut self.extensions;
        extensions.extended_keys |= seen.contains(Encoding::ExtendedKey);
        extensions.extended_buttons |= seen.contains(Encoding::ExtendedButtons);
        extensions.audio |= seen.contains(Encoding::Audio);
        extensions.desktop_size |= seen.contains(Encoding::ExtendedDesktopSize);
    }
}

/// Whether an encoding of the viewer's list is passed on: it can be framed, or is an announcement that
/// changes no framing, and policy allows what it starts.
pub(super) fn keeps(number: i32, policy: &Policy) -> bool {
    match Encoding::of(number) {
        Some(encoding) => keeps_framed(encoding, policy),
        None => match number {
            // Quality and compression, coarse and fine, and subsampling: no rectangles.
            -32..=-23 | -256..=-247 | -512..=-412 | -768..=-763 => true,
            encoding::number::FENCE | encoding::number::CONTINUOUS_UPDATES => true,
            encoding::number::XVP => policy.power,
            encoding::number::EXTENDED_CLIPBOARD => {
                let denied = |rule| rule == ClipboardRule::Deny;
                // A view-only viewer may not send the extension's requests, so that only the plain
                // clipboard can reach it.
                let all_denied = denied(policy.clipboard_to_target) && denied(policy.clipboard_to_viewer);
                !policy.view_only && !all_denied
            }
            _ => false,
        },
    }
}

fn keeps_framed(encoding: Encoding, policy: &Policy) -> bool {
    match encoding {
        Encoding::Audio => policy.audio,
        Encoding::ExtendedDesktopSize => policy.resize,
        // Framed by rules that no public text states, or nothing that a viewer misses.
        Encoding::ZlibHex
        | Encoding::Ultra
        | Encoding::Ultra2
        | Encoding::Xz
        | Encoding::Xzyw
        | Encoding::Zstd
        | Encoding::ZstdRle
        | Encoding::ZstdYwRle
        | Encoding::VmwareCursorState
        | Encoding::VmwareKeyRepeat
        // The target would set the pixel format by itself.
        | Encoding::VmwareDisplayMode
        | Encoding::VmwareMachineState
        | Encoding::LibvncLed
        // They tell the viewer what policy may refuse.
        | Encoding::LibvncMessages
        | Encoding::LibvncEncodings
        | Encoding::LibvncIdentity => false,
        _ => true,
    }
}
