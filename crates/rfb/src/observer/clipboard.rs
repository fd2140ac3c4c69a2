//! [7.5.6, 7.6.4] Clipboards, plain and extended: what a message does, and how much it carries.

use crate::message::Extent;
use crate::wire::Reader;
use crate::{Misbehavior, limits};
use flate2::{Decompress, FlushDecompress, Status};
use model::event::ClipboardAction;

const CAPABILITIES: u32 = 1 << 24;
const REQUEST: u32 = 1 << 25;
const PEEK: u32 = 1 << 26;
const NOTIFY: u32 = 1 << 27;
const PROVIDE: u32 = 1 << 28;
const TEXT: u16 = 1;

/// Bytes that a compressed clipboard may hold beyond what it declares.
const SLACK: usize = 256;

/// A clipboard message, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Transfer<'a> {
    pub(super) action: ClipboardAction,
    pub(super) formats: u16,
    /// Bytes of content, inflated where that was done.
    pub(super) bytes: u32,
    /// The content, or its text if it has several formats.
    pub(super) content: Content<'a>,
}

/// Text of a clipboard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// As it stood in the message; empty where it was too large to look at.
    Plain(&'a [u8]),
    /// After inflation.
    Inflated(Vec<u8>),
}

impl Content<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Content::Plain(bytes) => bytes,
            Content::Inflated(bytes) => bytes,
        }
    }
}

/// Reads a message of which `extent.look` bytes are shown.
pub(super) fn read(shown: &[u8], extent: Extent) -> Result<Transfer<'_>, Misbehavior> {
    let body = shown.get(8..).unwrap_or_default();
    let whole = extent.look == extent.total;
    let length = u32::try_from(extent.total - 8).unwrap_or(u32::MAX);
    if shown.get(4).is_none_or(|sign| sign & 0x80 == 0) {
        let content = Content::Plain(if whole { body } else { &[] });
        return Ok(Transfer { action: ClipboardAction::Content, formats: TEXT, bytes: length, content });
    }
    let mut r = Reader::new(body);
    let flags = r.u32().ok_or(Misbehavior::ClipboardMalformed)?;
    let formats = u16::try_from(flags & 0xffff).unwrap_or(0);
    let action = match flags & 0xff00_0000 {
        f if f & CAPABILITIES != 0 => ClipboardAction::Capabilities,
        REQUEST => ClipboardAction::Request,
        PEEK => ClipboardAction::Peek,
        NOTIFY => ClipboardAction::Notify,
        PROVIDE => ClipboardAction::Content,
        _ => return Err(Misbehavior::ClipboardMalformed),
    };
    if action != ClipboardAction::Content {
        return Ok(Transfer { action, formats, bytes: 0, content: Content::Plain(&[]) });
    }
    if !whole {
        return Ok(Transfer { action, formats, bytes: length, content: Content::Plain(&[]) });
    }
    let (bytes, text) = inflate(formats, r.rest())?;
    Ok(Transfer { action, formats, bytes, content: Content::Inflated(text) })
}

/// Inflates a `provide`: for each format a size and so many bytes. Answers their sum and the text.
///
/// Nothing is inflated past a size that is over [`limits::CLIPBOARD`]: policy drops such a message by
/// that size alone. A size that nobody copies, or much more data than declared, is a bomb.
fn inflate(formats: u16, compressed: &[u8]) -> Result<(u32, Vec<u8>), Misbehavior> {
    let mut stream = Inflater { inner: Decompress::new(true), input: compressed };
    let mut total = 0usize;
    let mut text = Vec::new();
    for bit in 0..16 {
        if formats & (1 << bit) == 0 {
            continue;
        }
        let mut size = [0; 4];
        stream.fill(&mut size)?;
        let size = usize::try_from(u32::from_be_bytes(size)).map_err(|_| Misbehavior::ClipboardBomb)?;
        if size > limits::CLIPBOARD_DROPPED {
            return Err(Misbehavior::ClipboardBomb);
        }
        total += size;
        if total > limits::CLIPBOARD {
            text.clear();
            return Ok((u32::try_from(total).unwrap_or(u32::MAX), text));
        }
        let mut data = vec![0; size];
        stream.fill(&mut data)?;
        if bit == 0 {
            text = data;
        }
    }
    let mut slack = [0; SLACK];
    if stream.some(&mut slack)? == SLACK {
        return Err(Misbehavior::ClipboardBomb);
    }
    Ok((u32::try_from(total).unwrap_or(u32::MAX), text))
}

/// The body of a `provide` without its content: as many compressed bytes, which declare the same formats and
/// the same sum of sizes, all of it zeros. None where the message says no content, or none that fits.
pub(crate) fn blank(shown: &[u8], extent: Extent) -> Option<Vec<u8>> {
    let transfer = read(shown, extent).ok()?;
    let Content::Inflated(_) = transfer.content else { return None };
    let room = shown.len().checked_sub(12)?;
    let mut size = transfer.bytes;
    loop {
        if let Some(body) = deflate_zeros(transfer.formats, size, room) {
            return Some(body);
        }
        // Zeros shrink further than any text, but not below a few bytes.
        size = size.checked_sub(1)? / 2;
    }
}

/// A `provide` whose first format has `size` zeros and whose others are empty, in exactly `room` bytes.
fn deflate_zeros(formats: u16, size: u32, room: usize) -> Option<Vec<u8>> {
    let first = usize::try_from(size).ok().filter(|_| formats != 0).unwrap_or(0);
    let empty = formats.count_ones().saturating_sub(1);
    let mut plain = size.to_be_bytes().to_vec();
    plain.truncate(if formats == 0 { 0 } else { 4 });
    plain.resize(plain.len() + first + 4 * usize::try_from(empty).unwrap_or(0), 0);
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut zlib, &plain).ok()?;
    let mut body = zlib.finish().ok()?;
    // Nobody waits for the checksum, and bytes behind it are not looked at.
    if body.len() > room + 4 {
        return None;
    }
    body.resize(room, 0);
    Some(body)
}

struct Inflater<'a> {
    inner: Decompress,
    input: &'a [u8],
}

impl Inflater<'_> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Misbehavior> {
        let len = out.len();
        if self.some(out)? == len { Ok(()) } else { Err(Misbehavior::ClipboardMalformed) }
    }

    /// Inflates as much as there is, at most all of `out`.
    fn some(&mut self, out: &mut [u8]) -> Result<usize, Misbehavior> {
        let mut filled = 0;
        while let Some(space) = out.get_mut(filled..).filter(|space| !space.is_empty()) {
            let before = (self.inner.total_in(), self.inner.total_out());
            let status = self.inner.decompress(self.input, space, FlushDecompress::Sync);
            let status = status.map_err(|_| Misbehavior::ClipboardMalformed)?;
            let read = usize::try_from(self.inner.total_in() - before.0).unwrap_or(usize::MAX);
            let written = usize::try_from(self.inner.total_out() - before.1).unwrap_or(usize::MAX);
            self.input = self.input.get(read..).unwrap_or_default();
            filled += written;
            if status == Status::StreamEnd || (read == 0 && written == 0) {
                break;
            }
        }
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::ZlibEncoder};
    use std::io::Write;

    fn provide(formats: u16, plain: &[u8]) -> Vec<u8> {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(plain).unwrap();
        let data = zlib.finish().unwrap();
        let length = -i32::try_from(data.len() + 4).unwrap();
        let mut message = vec![6, 0, 0, 0];
        message.extend(length.to_be_bytes());
        message.extend((PROVIDE | u32::from(formats)).to_be_bytes());
        message.extend(data);
        message
    }

    #[test]
    fn a_blank_body_has_the_same_length_formats_and_size_and_no_text() {
        for (formats, plain) in [
            (1u16, &b"\0\0\0\x05hallo"[..]),
            (3, b"\0\0\0\x10secret-in-a-text\0\0\0\x02{}"),
            (1, b"\0\0\0\0"),
            (0, b""),
        ] {
            let message = provide(formats, plain);
            let body = blank(&message, Extent::whole(message.len())).unwrap();
            let mut blanked = message[..12].to_vec();
            blanked.extend(body);
            assert_eq!(blanked.len(), message.len());
            let (real, made) = (read_whole(&message).unwrap(), read_whole(&blanked).unwrap());
            assert_eq!((made.action, made.formats, made.bytes), (real.action, real.formats, real.bytes));
            assert!(made.content.bytes().iter().all(|&b| b == 0));
        }
    }

    fn read_whole(message: &[u8]) -> Result<Transfer<'_>, Misbehavior> {
        read(message, Extent::whole(message.len()))
    }

    #[test]
    fn golden_actions() {
        for (flags, action) in [
            (0x0100_0003u32, ClipboardAction::Capabilities),
            (0x1f00_0003, ClipboardAction::Capabilities),
            (0x0200_0003, ClipboardAction::Request),
            (0x0400_0003, ClipboardAction::Peek),
            (0x0800_0003, ClipboardAction::Notify),
        ] {
            let mut message = vec![3, 0, 0, 0, 0xff, 0xff, 0xff, 0xfc];
            message.extend(flags.to_be_bytes());
            let transfer = read_whole(&message).unwrap();
            assert_eq!((transfer.action, transfer.formats, transfer.bytes), (action, 3, 0));
        }
    }

    #[test]
    fn contents_are_measured_after_inflation() {
        let message = provide(3, b"\0\0\0\x05hallo\0\0\0\x02{}");
        let transfer = read_whole(&message).unwrap();
        assert_eq!((transfer.formats, transfer.bytes), (3, 7));
        assert_eq!(transfer.content.bytes(), b"hallo");
        assert_eq!(read_whole(&[6, 0, 0, 0, 0, 0, 0, 1, b'x']).unwrap().content.bytes(), b"x");
    }

    #[test]
    fn large_is_reported_and_bombs_are_refused() {
        let mut large = (2u32 << 20).to_be_bytes().to_vec();
        large.resize(large.len() + (2 << 20), b'a');
        assert_eq!(read_whole(&provide(1, &large)).unwrap().bytes, 2 << 20);
        let mut bomb = 0xffff_ffffu32.to_be_bytes().to_vec();
        bomb.resize(4 << 20, 0);
        assert_eq!(read_whole(&provide(1, &bomb)), Err(Misbehavior::ClipboardBomb));
        assert_eq!(read_whole(&provide(1, &vec![0; 1 << 20])), Err(Misbehavior::ClipboardBomb));
        assert_eq!(read_whole(&provide(1, b"\0\0\0\x05hal")), Err(Misbehavior::ClipboardMalformed));
        let mut broken = provide(1, b"\0\0\0\x05hallo");
        broken[13] ^= 0xff;
        assert_eq!(read_whole(&broken), Err(Misbehavior::ClipboardMalformed));
    }
}
