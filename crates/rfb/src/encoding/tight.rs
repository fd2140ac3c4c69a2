//! [7.7.6] Tight and TightPNG: control byte, filter, compact length.

use super::PixelSizes;
use crate::{Misbehavior, limits};

/// Which dialect a rectangle is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    /// Tight as registered.
    Tight,
    /// Tight after the viewer announced that it reads rectangles without zlib.
    WithoutZlib,
    /// TightPNG: PNG takes the place of everything that zlib did.
    Png,
}

/// Shorter data is sent as it is, without a length.
const SHORTEST_COMPRESSED: usize = 12;

/// What is known of a rectangle from its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Head {
    /// So many bytes are all of it.
    Whole(usize),
    /// After so many bytes a compact length follows, and then what it counts.
    Lengthed(usize),
}

/// Reads the first bytes of a rectangle; three are always enough.
pub(crate) fn head(
    bytes: &[u8],
    (width, height): (u16, u16),
    sizes: PixelSizes,
    dialect: Dialect,
) -> Result<Option<Head>, Misbehavior> {
    let Some(&control) = bytes.first() else { return Ok(None) };
    match (control >> 4, dialect) {
        (0x8, _) => Ok(Some(Head::Whole(1 + sizes.tpixel))),
        (0x9, _) | (0xa, Dialect::Png) => Ok(Some(Head::Lengthed(1))),
        (0x0..=0x7, Dialect::Tight | Dialect::WithoutZlib) | (0xa | 0xe, Dialect::WithoutZlib) => {
            basic_head(bytes, (width, height), sizes.tpixel, control & 0x40 != 0)
        }
        _ => Err(Misbehavior::RectangleMalformed),
    }
}

/// How many of a rectangle's first bytes are control, filter and number of colors.
pub(crate) fn fields(bytes: &[u8]) -> usize {
    let has_filter = bytes.first().is_some_and(|control| matches!(control >> 4, 0x4..=0x7 | 0xe));
    match bytes.get(1) {
        Some(1) if has_filter => 3,
        _ => 1 + usize::from(has_filter),
    }
}

/// [7.7.6] A compact length.
pub(crate) fn compact(len: usize) -> Vec<u8> {
    let part = |shift: u32, mask: usize| u8::try_from(len >> shift & mask).unwrap_or(0);
    match len {
        ..0x80 => vec![part(0, 0x7f)],
        0x80..0x4000 => vec![part(0, 0x7f) | 0x80, part(7, 0x7f)],
        _ => vec![part(0, 0x7f) | 0x80, part(7, 0x7f) | 0x80, part(14, 0xff)],
    }
}

/// How many bytes a compact length itself has.
pub(crate) fn compact_fields(bytes: &[u8]) -> usize {
    let more = bytes.iter().take(2).take_while(|&&byte| byte >= 0x80).count();
    1 + more
}

fn basic_head(
    bytes: &[u8],
    (width, height): (u16, u16),
    tpixel: usize,
    has_filter: bool,
) -> Result<Option<Head>, Misbehavior> {
    if width > limits::TIGHT_WIDTH {
        return Err(Misbehavior::RectangleMalformed);
    }
    let (width, height) = (usize::from(width), usize::from(height));
    let filter = match (has_filter, bytes.get(1)) {
        (false, _) => 0,
        (true, Some(&filter)) => filter,
        (true, None) => return Ok(None),
    };
    let (head, data) = match filter {
        0 | 2 => (1 + usize::from(has_filter), width * height * tpixel),
        1 => {
            let Some(&last) = bytes.get(2) else { return Ok(None) };
            let colors = usize::from(last) + 1;
            let row = if colors <= 2 { width.div_ceil(8) } else { width };
            (3 + colors * tpixel, row * height)
        }
        _ => return Err(Misbehavior::RectangleMalformed),
    };
    Ok(Some(if data < SHORTEST_COMPRESSED { Head::Whole(head + data) } else { Head::Lengthed(head) }))
}

/// [7.7.6] A compact length: itself and what it counts.
pub(crate) fn compact_len(bytes: &[u8]) -> Result<Option<usize>, Misbehavior> {
    let [a, b, c] = [0, 1, 2].map(|i| bytes.get(i).copied());
    let Some(a) = a else { return Ok(None) };
    let low = usize::from(a & 0x7f);
    if a < 0x80 {
        return Ok(Some(1 + low));
    }
    let Some(b) = b else { return Ok(None) };
    let low = low | usize::from(b & 0x7f) << 7;
    if b < 0x80 {
        return Ok(Some(2 + low));
    }
    let Some(c) = c else { return Ok(None) };
    let length = low | usize::from(c) << 14;
    if length <= limits::TIGHT { Ok(Some(3 + length)) } else { Err(Misbehavior::RectangleMalformed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PixelFormat;

    fn read(bytes: &[u8], size: (u16, u16), dialect: Dialect) -> Result<Option<Head>, Misbehavior> {
        head(bytes, size, PixelSizes::of(&PixelFormat::RGB888), dialect)
    }

    #[test]
    fn golden_heads() {
        let read = |bytes, size| read(bytes, size, Dialect::Tight);
        assert_eq!(read(&[0x80], (5000, 9)), Ok(Some(Head::Whole(4))));
        assert_eq!(read(&[0x90], (64, 64)), Ok(Some(Head::Lengthed(1))));
        assert_eq!(read(&[0x00], (1, 3)), Ok(Some(Head::Whole(10))));
        assert_eq!(read(&[0x00], (2, 2)), Ok(Some(Head::Lengthed(1))));
        assert_eq!(read(&[0x40, 1, 1], (8, 11)), Ok(Some(Head::Whole(20))));
        assert_eq!(read(&[0x40, 1, 1], (8, 12)), Ok(Some(Head::Lengthed(9))));
        assert_eq!(read(&[0x40, 2], (64, 64)), Ok(Some(Head::Lengthed(2))));
        assert_eq!(read(&[0x40, 1], (64, 64)), Ok(None));
        assert_eq!(read(&[], (64, 64)), Ok(None));
    }

    #[test]
    fn golden_lengths() {
        assert_eq!(compact_len(&[0x7f]), Ok(Some(128)));
        assert_eq!(compact_len(&[0x90, 0x4e]), Ok(Some(2 + 10_000)));
        assert_eq!(compact_len(&[0xff, 0xff, 0xff]), Ok(Some(3 + 4_194_303)));
        for len in [0, 1, 127, 128, 10_000, 16_383, 16_384, 4_194_303] {
            let bytes = compact(len);
            assert_eq!(compact_fields(&bytes), bytes.len());
            assert_eq!(compact_len(&bytes), Ok(Some(bytes.len() + len)));
        }
        assert_eq!(compact_len(&[0x90]), Ok(None));
        assert_eq!(compact_len(&[0x90, 0xce]), Ok(None));
    }

    #[test]
    fn each_dialect_refuses_the_others() {
        let refused = Err(Misbehavior::RectangleMalformed);
        assert_eq!(read(&[0xa0], (64, 64), Dialect::Tight), refused);
        assert_eq!(read(&[0xa0], (64, 64), Dialect::Png), Ok(Some(Head::Lengthed(1))));
        assert_eq!(read(&[0xe0, 0], (64, 64), Dialect::WithoutZlib), Ok(Some(Head::Lengthed(2))));
        assert_eq!(read(&[0x00], (64, 64), Dialect::Png), refused);
        assert_eq!(read(&[0xb0], (64, 64), Dialect::Tight), refused);
        assert_eq!(read(&[0x40, 3], (64, 64), Dialect::Tight), refused);
        assert_eq!(read(&[0x00], (2049, 64), Dialect::Tight), refused);
    }
}
