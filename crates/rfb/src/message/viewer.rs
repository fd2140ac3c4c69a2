//! [7.5] Messages from the viewer to the target.

use super::{
    Extent, Measured, chat, cut_text, fence, gii, tight_data, tight_named, tight2_block, tight2_text,
    ultra_file,
};
use crate::wire::Reader;
use crate::{Misbehavior, limits};

/// [7.5.1]
pub const SET_PIXEL_FORMAT: u8 = 0;
/// Dead since 1998, but registered.
pub const FIX_COLOR_MAP_ENTRIES: u8 = 1;
/// [7.5.2]
pub const SET_ENCODINGS: u8 = 2;
/// [7.5.3]
pub const FRAMEBUFFER_UPDATE_REQUEST: u8 = 3;
/// [7.5.4]
pub const KEY_EVENT: u8 = 4;
/// [7.5.5]
pub const POINTER_EVENT: u8 = 5;
/// [7.5.6]
pub const CLIENT_CUT_TEXT: u8 = 6;
/// UltraVNC.
pub const FILE_TRANSFER: u8 = 7;
/// UltraVNC.
pub const SET_SCALE: u8 = 8;
/// UltraVNC.
pub const SET_SERVER_INPUT: u8 = 9;
/// UltraVNC: select a window.
pub const SET_SINGLE_WINDOW: u8 = 10;
/// UltraVNC.
pub const TEXT_CHAT: u8 = 11;
/// UltraVNC.
pub const KEEP_ALIVE: u8 = 13;
/// PalmVNC.
pub const SET_SCALE_FACTOR: u8 = 15;
/// UltraVNC.
pub const REQUEST_SESSION: u8 = 20;
/// UltraVNC.
pub const SET_SESSION: u8 = 21;
/// UltraVNC.
pub const NOTIFY_PLUGIN_STREAMING: u8 = 80;
/// TightVNC 1.3.
pub const FILE_LIST_REQUEST: u8 = 130;
/// TightVNC 1.3.
pub const FILE_DOWNLOAD_REQUEST: u8 = 131;
/// TightVNC 1.3.
pub const FILE_UPLOAD_REQUEST: u8 = 132;
/// TightVNC 1.3.
pub const FILE_UPLOAD_DATA: u8 = 133;
/// TightVNC 1.3.
pub const FILE_DOWNLOAD_CANCEL: u8 = 134;
/// TightVNC 1.3.
pub const FILE_UPLOAD_FAILED: u8 = 135;
/// TightVNC 1.3.
pub const FILE_CREATE_DIRECTORY: u8 = 136;
/// [7.5.7]
pub const ENABLE_CONTINUOUS_UPDATES: u8 = 150;
/// [7.5.8]
pub const CLIENT_FENCE: u8 = 248;
/// [7.5.9]
pub const XVP: u8 = 250;
/// [7.5.10]
pub const SET_DESKTOP_SIZE: u8 = 251;
/// TightVNC 2.
pub const TIGHT_EXTENSION: u8 = 252;
/// [7.5.11]
pub const GII: u8 = 253;
/// UltraVNC.
pub const SET_MONITOR: u8 = 254;
/// [7.5.12]
pub const QEMU: u8 = 255;
/// QEMU's second number of an extended key event.
pub const QEMU_KEY: u8 = 0;
/// QEMU's second number of an audio message.
pub const QEMU_AUDIO: u8 = 1;

/// What the length of some messages depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// Pointer events may have seven bytes.
    pub(crate) extended_buttons: bool,
    /// Clipboard messages may be extended.
    pub(crate) extended_clipboard: bool,
}

/// Where the message at the start of `bytes` ends.
#[inline]
pub(crate) fn measure(bytes: &[u8], dialect: Dialect) -> Measured {
    let Some(&kind) = bytes.first() else { return Ok(None) };
    match kind {
        POINTER_EVENT => {
            let long = dialect.extended_buttons && bytes.get(1).is_some_and(|mask| mask & 0x80 != 0);
            Ok(Some(Extent::whole(if long { 7 } else { 6 })))
        }
        FRAMEBUFFER_UPDATE_REQUEST => Ok(Some(Extent::whole(10))),
        KEY_EVENT => Ok(Some(Extent::whole(8))),
        _ => measure_rare(kind, bytes, dialect),
    }
}

fn measure_rare(kind: u8, bytes: &[u8], dialect: Dialect) -> Measured {
    let fixed = |len| Ok(Some(Extent::whole(len)));
    match kind {
        SET_PIXEL_FORMAT => fixed(20),
        FIX_COLOR_MAP_ENTRIES => {
            let Some(count) = Reader::new(bytes.get(4..).unwrap_or_default()).u16() else { return Ok(None) };
            Ok(Some(Extent { look: 6, total: 6 + 6 * usize::from(count) }))
        }
        SET_ENCODINGS => {
            let Some(count) = Reader::new(bytes.get(2..).unwrap_or_default()).u16() else { return Ok(None) };
            let count = usize::from(count);
            if count > limits::ENCODINGS { Err(Misbehavior::TooManyEncodings) } else { fixed(4 + 4 * count) }
        }
        CLIENT_CUT_TEXT => cut_text(bytes, dialect.extended_clipboard),
        FILE_TRANSFER => ultra_file(bytes, super::target::ULTRA_FILE_OFFER),
        KEEP_ALIVE | REQUEST_SESSION => fixed(1),
        SET_SESSION => fixed(2),
        SET_SCALE | SET_SERVER_INPUT | SET_SCALE_FACTOR | NOTIFY_PLUGIN_STREAMING | XVP | SET_MONITOR => {
            fixed(4)
        }
        SET_SINGLE_WINDOW => fixed(6),
        TEXT_CHAT => chat(bytes),
        FILE_LIST_REQUEST | FILE_DOWNLOAD_CANCEL | FILE_UPLOAD_FAILED | FILE_CREATE_DIRECTORY => {
            tight_named(bytes, 4, 2)
        }
        FILE_DOWNLOAD_REQUEST | FILE_UPLOAD_REQUEST => tight_named(bytes, 8, 2),
        FILE_UPLOAD_DATA => tight_data(bytes),
        ENABLE_CONTINUOUS_UPDATES => fixed(10),
        CLIENT_FENCE => fence(bytes),
        SET_DESKTOP_SIZE => {
            let Some(&screens) = bytes.get(6) else { return Ok(None) };
            let screens = usize::from(screens);
            if screens > limits::SCREENS { Err(Misbehavior::ScreenLayout) } else { fixed(8 + 16 * screens) }
        }
        TIGHT_EXTENSION => measure_tight2(bytes),
        GII => gii(bytes),
        QEMU => measure_qemu(bytes),
        _ => Err(Misbehavior::UnknownMessage),
    }
}

fn measure_qemu(bytes: &[u8]) -> Measured {
    let len = match bytes.get(1) {
        None => return Ok(None),
        Some(&QEMU_KEY) => 12,
        Some(&QEMU_AUDIO) => match Reader::new(bytes.get(2..).unwrap_or_default()).u16() {
            None => return Ok(None),
            Some(0 | 1) => 4,
            Some(2) => 10,
            Some(_) => return Err(Misbehavior::UnknownMessage),
        },
        Some(_) => return Err(Misbehavior::UnknownMessage),
    };
    Ok(Some(Extent::whole(len)))
}

/// TightVNC 2: a number of four bytes, then texts and fixed fields.
fn measure_tight2(bytes: &[u8]) -> Measured {
    let Some(&[_, 0, 1, sub]) = bytes.first_chunk::<4>() else {
        return if bytes.len() < 4 { Ok(None) } else { Err(Misbehavior::UnknownMessage) };
    };
    let text_then = |at, tail| Ok(tight2_text(bytes, at)?.map(|end| Extent::whole(end + tail)));
    match sub {
        0x00 => Ok(Some(Extent::whole(4))),
        0x02 => text_then(5, 0),
        0x04 => text_then(4, 16),
        0x06 => text_then(4, 9),
        0x08 => tight2_block(bytes, 4),
        0x0a => Ok(Some(Extent::whole(14))),
        0x0c => text_then(4, 8),
        0x0e => Ok(Some(Extent::whole(9))),
        0x11 | 0x13 | 0x17 => text_then(4, 0),
        0x15 => match tight2_text(bytes, 4)? {
            Some(end) => text_then(end, 0),
            None => Ok(None),
        },
        _ => Err(Misbehavior::UnknownMessage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALECT: Dialect = Dialect { extended_buttons: true, extended_clipboard: true };

    fn total(bytes: &[u8]) -> Result<Option<usize>, Misbehavior> {
        measure(bytes, DIALECT).map(|e| e.map(|e| e.total))
    }

    #[test]
    fn golden_lengths() {
        let cases: &[(&[u8], usize)] = &[
            (&[0], 20),
            (&[1, 0, 0, 0, 0, 2], 18),
            (&[2, 0, 0, 3], 16),
            (&[3], 10),
            (&[4], 8),
            (&[5, 0x7f], 6),
            (&[5, 0x80], 7),
            (&[6, 0, 0, 0, 0, 0, 0, 5], 13),
            (&[6, 0, 0, 0, 0xff, 0xff, 0xff, 0xf8], 16),
            (&[7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], 21),
            (&[7, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], 25),
            (&[8], 4),
            (&[9], 4),
            (&[10], 6),
            (&[11, 0, 0, 0, 0, 0, 0, 7], 15),
            (&[11, 0, 0, 0, 0xff, 0xff, 0xff, 0xfd], 8),
            (&[13], 1),
            (&[15], 4),
            (&[20], 1),
            (&[21], 2),
            (&[80], 4),
            (&[130, 0, 0, 3], 7),
            (&[131, 0, 0, 3, 0, 0, 0, 0], 11),
            (&[132, 0, 0, 3, 0, 0, 0, 0], 11),
            (&[133, 0, 0, 9, 0, 4], 10),
            (&[133, 0, 0, 0, 0, 0], 10),
            (&[134, 0, 0, 3], 7),
            (&[135, 0, 0, 3], 7),
            (&[136, 0, 0, 3], 7),
            (&[150], 10),
            (&[248, 0, 0, 0, 0, 0, 0, 0, 64], 73),
            (&[250], 4),
            (&[251, 0, 0, 0, 0, 0, 2], 40),
            (&[252, 0, 1, 0], 4),
            (&[252, 0, 1, 2, 9, 0, 0, 0, 1], 10),
            (&[252, 0, 1, 4, 0, 0, 0, 1], 25),
            (&[252, 0, 1, 6, 0, 0, 0, 1], 18),
            (&[252, 0, 1, 8, 0, 0, 0, 0, 7, 0, 0, 0, 9], 20),
            (&[252, 0, 1, 10], 14),
            (&[252, 0, 1, 12, 0, 0, 0, 1], 17),
            (&[252, 0, 1, 14], 9),
            (&[252, 0, 1, 0x11, 0, 0, 0, 1], 9),
            (&[252, 0, 1, 0x15, 0, 0, 0, 1, b'a', 0, 0, 0, 2], 15),
            (&[253, 0x80, 0, 3], 7),
            (&[253, 0x00, 3, 0], 7),
            (&[254], 4),
            (&[255, 0], 12),
            (&[255, 1, 0, 1], 4),
            (&[255, 1, 0, 2], 10),
        ];
        for (bytes, expected) in cases {
            assert_eq!(total(bytes), Ok(Some(*expected)), "{bytes:?}");
        }
    }

    #[test]
    fn what_no_rule_covers_is_refused() {
        for kind in [12, 14, 16, 127, 128, 249] {
            assert_eq!(total(&[kind]), Err(Misbehavior::UnknownMessage));
        }
        assert_eq!(total(&[2, 0, 4, 1]), Err(Misbehavior::TooManyEncodings));
        assert_eq!(total(&[6, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]), Err(Misbehavior::MessageTooLong));
        assert_eq!(total(&[6, 0, 0, 0, 0x80, 0, 0, 0]), Err(Misbehavior::MessageTooLong));
        assert_eq!(total(&[6, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]), Err(Misbehavior::ClipboardMalformed));
        assert_eq!(total(&[248, 0, 0, 0, 0, 0, 0, 0, 65]), Err(Misbehavior::FenceTooLong));
        assert_eq!(total(&[251, 0, 0, 0, 0, 0, 65]), Err(Misbehavior::ScreenLayout));
        let classic = Dialect { extended_buttons: false, extended_clipboard: false };
        assert_eq!(measure(&[5, 0x80], classic), Ok(Some(Extent::whole(6))));
        assert_eq!(measure(&[6, 0, 0, 0, 0xff, 0, 0, 0], classic), Err(Misbehavior::MessageTooLong));
    }
}
