//! [7.5, 7.6] Messages after the handshake: their numbers, and where each one ends.
//!
//! Only lengths are known here. What a message means, whether it was negotiated and whether it may pass
//! is the observer's business.

pub mod target;
pub mod viewer;

use crate::wire::Reader;
use crate::{Misbehavior, limits};

/// Fence flag: an answer is asked for [7.6.7].
pub const FENCE_REQUEST: u32 = 1 << 31;
/// Fence flag: the next message takes effect exactly at the answer [7.6.7].
pub const FENCE_SYNC_NEXT: u32 = 1 << 2;

/// How long a message is, and how much of it must be seen at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Extent {
    /// Bytes that are to be shown together.
    pub(crate) look: usize,
    /// All its bytes.
    pub(crate) total: usize,
}

impl Extent {
    pub(crate) const fn whole(len: usize) -> Extent {
        Extent { look: len, total: len }
    }

    /// A header, and a body that nobody looks into.
    fn with_body(header: usize, body: u32, most: usize) -> Result<Extent, Misbehavior> {
        let body = bounded(body, most)?;
        Ok(Extent { look: header, total: header + body })
    }

    /// A header, and a body of which the first bytes are looked at.
    fn with_name(header: usize, body: u32, most: usize) -> Result<Extent, Misbehavior> {
        let extent = Extent::with_body(header, body, most)?;
        Ok(Extent { look: extent.total.min(header + NAME_SHOWN), ..extent })
    }
}

/// Bytes of a file's name or a desktop's name that are shown in an event; longer ones are cut.
pub(crate) const NAME_SHOWN: usize = 1024;

/// What a length function answers: nothing while the length cannot be known yet.
pub(crate) type Measured = Result<Option<Extent>, Misbehavior>;

fn bounded(length: u32, most: usize) -> Result<usize, Misbehavior> {
    usize::try_from(length).ok().filter(|&n| n <= most).ok_or(Misbehavior::MessageTooLong)
}

/// The clipboard messages of both directions have one shape: three bytes of padding, a length; a
/// negative one means the extended clipboard [7.6.4].
fn cut_text(bytes: &[u8], extended: bool) -> Measured {
    let Some(length) = Reader::new(bytes.get(4..).unwrap_or_default()).i32() else { return Ok(None) };
    if length < 0 && !extended {
        return Err(Misbehavior::MessageTooLong);
    }
    let extent = Extent::with_body(8, length.unsigned_abs(), limits::CLIPBOARD_DROPPED)?;
    if length < 0 && extent.total < 12 {
        return Err(Misbehavior::ClipboardMalformed);
    }
    // Contents within the limit are looked at whole; larger ones are dropped by their first bytes.
    let look = if extent.total <= 8 + limits::CLIPBOARD { extent.total } else { extent.total.min(12) };
    Ok(Some(Extent { look, ..extent }))
}

/// UltraVNC's file transfer: `longer` is the content whose message has four more bytes at its end.
fn ultra_file(bytes: &[u8], longer: u8) -> Measured {
    let (Some(&content), Some(length)) =
        (bytes.get(1), Reader::new(bytes.get(8..).unwrap_or_default()).u32())
    else {
        return Ok(None);
    };
    let mut extent = Extent::with_name(12, length, limits::FILE_MESSAGE)?;
    if content == longer {
        extent.total += 4;
    }
    Ok(Some(extent))
}

/// UltraVNC's chat: three lengths mean open, close and finished instead of text.
fn chat(bytes: &[u8]) -> Measured {
    let Some(length) = Reader::new(bytes.get(4..).unwrap_or_default()).u32() else { return Ok(None) };
    if length >= 0xffff_fffd {
        return Ok(Some(Extent::whole(8)));
    }
    Extent::with_body(8, length, limits::CHAT).map(Some)
}

fn fence(bytes: &[u8]) -> Measured {
    let Some(&length) = bytes.get(8) else { return Ok(None) };
    let length = usize::from(length);
    if length > limits::FENCE { Err(Misbehavior::FenceTooLong) } else { Ok(Some(Extent::whole(9 + length))) }
}

/// Input devices: bit 7 of the second byte says whether lengths are big-endian.
fn gii(bytes: &[u8]) -> Measured {
    let Some(&[_, sub, a, b]) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = if sub & 0x80 != 0 { u16::from_be_bytes([a, b]) } else { u16::from_le_bytes([a, b]) };
    Ok(Some(Extent { look: 4, total: 4 + usize::from(length) }))
}

/// TightVNC 1.3: a header that ends in a name's length at `at`.
fn tight_named(bytes: &[u8], header: usize, at: usize) -> Measured {
    let Some(length) = Reader::new(bytes.get(at..).unwrap_or_default()).u16() else { return Ok(None) };
    if bytes.len() < header {
        return Ok(None);
    }
    Extent::with_name(header, length.into(), limits::FILE_MESSAGE).map(Some)
}

/// TightVNC 1.3: a piece of a file; both sizes 0 mean the end, and a time follows.
fn tight_data(bytes: &[u8]) -> Measured {
    let Some(&[_, _, r0, r1, c0, c1]) = bytes.first_chunk::<6>() else { return Ok(None) };
    let body = match (u16::from_be_bytes([r0, r1]), u16::from_be_bytes([c0, c1])) {
        (0, 0) => 4,
        (_, compressed) => usize::from(compressed),
    };
    Ok(Some(Extent { look: 6, total: 6 + body }))
}

/// TightVNC 2: level, compressed size, real size, data, after `header` bytes.
fn tight2_block(bytes: &[u8], header: usize) -> Measured {
    let Some(size) = Reader::new(bytes.get(header + 1..).unwrap_or_default()).u32() else { return Ok(None) };
    Extent::with_body(header + 9, size, limits::FILE_MESSAGE).map(Some)
}

/// TightVNC 2: a text with its length at `at`: where it ends.
fn tight2_text(bytes: &[u8], at: usize) -> Result<Option<usize>, Misbehavior> {
    let Some(length) = Reader::new(bytes.get(at..).unwrap_or_default()).u32() else { return Ok(None) };
    Ok(Some(at + 4 + bounded(length, limits::FILE_NAME)?))
}
