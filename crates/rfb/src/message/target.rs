//! [7.6] Messages from the target to the viewer.

use super::{
    Extent, Measured, chat, cut_text, fence, gii, tight_data, tight_named, tight2_block, tight2_text,
    ultra_file,
};
use crate::wire::Reader;
use crate::{Misbehavior, limits};

/// [7.6.1]
pub const FRAMEBUFFER_UPDATE: u8 = 0;
/// [7.6.2]
pub const SET_COLOR_MAP_ENTRIES: u8 = 1;
/// [7.6.3]
pub const BELL: u8 = 2;
/// [7.6.4]
pub const SERVER_CUT_TEXT: u8 = 3;
/// UltraVNC.
pub const RESIZE_FRAMEBUFFER: u8 = 4;
/// UltraVNC.
pub const FILE_TRANSFER: u8 = 7;
/// UltraVNC.
pub const TEXT_CHAT: u8 = 11;
/// UltraVNC.
pub const KEEP_ALIVE: u8 = 13;
/// PalmVNC.
pub const RESIZE_FRAMEBUFFER_PALM: u8 = 15;
/// TightVNC 1.3.
pub const FILE_LIST_DATA: u8 = 130;
/// TightVNC 1.3.
pub const FILE_DOWNLOAD_DATA: u8 = 131;
/// TightVNC 1.3.
pub const FILE_UPLOAD_CANCEL: u8 = 132;
/// TightVNC 1.3.
pub const FILE_DOWNLOAD_FAILED: u8 = 133;
/// [7.6.6]
pub const END_OF_CONTINUOUS_UPDATES: u8 = 150;
/// UltraVNC.
pub const SERVER_STATE: u8 = 173;
/// [7.6.7]
pub const SERVER_FENCE: u8 = 248;
/// [7.6.8]
pub const XVP: u8 = 250;
/// TightVNC 2; UltraVNC uses the same number for another message.
pub const TIGHT_EXTENSION: u8 = 252;
/// [7.6.9]
pub const GII: u8 = 253;
/// [7.6.10]
pub const QEMU: u8 = 255;

/// UltraVNC's file transfer: contents of a directory.
pub(crate) const ULTRA_FILE_LIST: u8 = 2;
/// UltraVNC's file transfer: the target announces a file; four more bytes follow.
pub(crate) const ULTRA_FILE_HEADER: u8 = 4;
/// UltraVNC's file transfer: the viewer announces a file; four more bytes follow.
pub(crate) const ULTRA_FILE_OFFER: u8 = 8;

/// Where the message at the start of `bytes` ends; an update is not measured here but walked.
pub(crate) fn measure(bytes: &[u8], extended_clipboard: bool) -> Measured {
    let Some(&kind) = bytes.first() else { return Ok(None) };
    let fixed = |len| Ok(Some(Extent::whole(len)));
    match kind {
        FRAMEBUFFER_UPDATE | XVP => fixed(4),
        SET_COLOR_MAP_ENTRIES => {
            let Some(count) = Reader::new(bytes.get(4..).unwrap_or_default()).u16() else { return Ok(None) };
            Ok(Some(Extent { look: 6, total: 6 + 6 * usize::from(count) }))
        }
        BELL | KEEP_ALIVE | END_OF_CONTINUOUS_UPDATES => fixed(1),
        SERVER_CUT_TEXT => cut_text(bytes, extended_clipboard),
        RESIZE_FRAMEBUFFER => fixed(6),
        FILE_TRANSFER => ultra_file(bytes, ULTRA_FILE_HEADER),
        TEXT_CHAT => chat(bytes),
        RESIZE_FRAMEBUFFER_PALM | SERVER_STATE => fixed(12),
        FILE_LIST_DATA => {
            let Some(&[_, _, f0, f1, _, _, c0, c1]) = bytes.first_chunk::<8>() else { return Ok(None) };
            let files = usize::from(u16::from_be_bytes([f0, f1]));
            let names = usize::from(u16::from_be_bytes([c0, c1]));
            Ok(Some(Extent { look: 8, total: 8 + 8 * files + names }))
        }
        FILE_DOWNLOAD_DATA => tight_data(bytes),
        FILE_UPLOAD_CANCEL | FILE_DOWNLOAD_FAILED => tight_named(bytes, 4, 2),
        SERVER_FENCE => fence(bytes),
        TIGHT_EXTENSION => measure_tight2(bytes),
        GII => gii(bytes),
        QEMU => measure_audio(bytes),
        _ => Err(Misbehavior::UnknownMessage),
    }
}

fn measure_audio(bytes: &[u8]) -> Measured {
    let Some(&[_, sub, high, low]) = bytes.first_chunk::<4>() else { return Ok(None) };
    match (sub, u16::from_be_bytes([high, low])) {
        (1, 0 | 1) => Ok(Some(Extent::whole(4))),
        (1, 2) => {
            let Some(length) = Reader::new(bytes.get(4..).unwrap_or_default()).u32() else { return Ok(None) };
            Extent::with_body(8, length, limits::AUDIO).map(Some)
        }
        _ => Err(Misbehavior::UnknownMessage),
    }
}

/// TightVNC 2's answers; UltraVNC's MonitorInfo has the same first byte, and 0 where TightVNC has 1.
fn measure_tight2(bytes: &[u8]) -> Measured {
    let Some(&[_, high, low, sub]) = bytes.first_chunk::<4>() else { return Ok(None) };
    match (high, low) {
        (0, 1) => {}
        (0, 0) => return Ok(Some(Extent::whole(4))),
        _ => return Err(Misbehavior::UnknownMessage),
    }
    let fixed = |len| Ok(Some(Extent::whole(len)));
    match sub {
        0x01 => fixed(5),
        0x03 | 0x0f => tight2_block(bytes, 4),
        0x05 => fixed(20),
        0x07 | 0x09 | 0x0b | 0x0d | 0x12 | 0x14 | 0x16 => fixed(4),
        0x10 => fixed(13),
        0x18 => fixed(12),
        0x19 => Ok(tight2_text(bytes, 4)?.map(Extent::whole)),
        _ => Err(Misbehavior::UnknownMessage),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_lengths() {
        let cases: &[(&[u8], usize)] = &[
            (&[1, 0, 0, 0, 0, 2], 18),
            (&[2], 1),
            (&[3, 0, 0, 0, 0, 0, 0, 5], 13),
            (&[3, 0, 0, 0, 0xff, 0xff, 0xff, 0xfc], 12),
            (&[4], 6),
            (&[7, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], 25),
            (&[7, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], 21),
            (&[11, 0, 0, 0, 0, 0, 0, 7], 15),
            (&[13], 1),
            (&[15], 12),
            (&[130, 0, 0, 2, 0, 9, 0, 5], 29),
            (&[131, 0, 0, 9, 0, 4], 10),
            (&[132, 0, 0, 3], 7),
            (&[133, 0, 0, 3], 7),
            (&[150], 1),
            (&[173], 12),
            (&[248, 0, 0, 0, 0, 0, 0, 0, 3], 12),
            (&[250], 4),
            (&[252, 0, 0, 2], 4),
            (&[252, 0, 1, 1], 5),
            (&[252, 0, 1, 3, 0, 0, 0, 0, 7, 0, 0, 0, 9], 20),
            (&[252, 0, 1, 5], 20),
            (&[252, 0, 1, 0x19, 0, 0, 0, 2], 10),
            (&[253, 0x81, 0, 4], 8),
            (&[255, 1, 0, 1], 4),
            (&[255, 1, 0, 2, 0, 0, 0, 6], 14),
        ];
        for (bytes, expected) in cases {
            assert_eq!(measure(bytes, true).map(|e| e.map(|e| e.total)), Ok(Some(*expected)), "{bytes:?}");
        }
    }

    #[test]
    fn what_no_rule_covers_is_refused() {
        for bytes in [&[5u8][..], &[127], &[254], &[255, 0, 0, 0], &[252, 9, 9, 9]] {
            assert_eq!(measure(bytes, true), Err(Misbehavior::UnknownMessage));
        }
        assert_eq!(measure(&[255, 1, 0, 2, 0xff, 0, 0, 0], true), Err(Misbehavior::MessageTooLong));
    }
}
