//! [7.7.4] Hextile, and ZlibHex that adds two bits to it: a walk from tile to tile.

use super::Walked;
use crate::Misbehavior;

const RAW: u8 = 1;
const BACKGROUND: u8 = 2;
const FOREGROUND: u8 = 4;
const SUBRECTANGLES: u8 = 8;
const COLORED: u8 = 16;
const ZLIB_RAW: u8 = 32;
const ZLIB_SUBRECTANGLES: u8 = 64;

/// Place of the next tile.
#[derive(Clone, Debug)]
pub(crate) struct Tiles {
    width: usize,
    x: usize,
    /// Rows of pixels below the current row of tiles' upper edge.
    rows_left: usize,
    zlib: bool,
}

impl Tiles {
    pub(crate) fn new(width: u16, height: u16, zlib: bool) -> Tiles {
        let rows_left = if width == 0 { 0 } else { usize::from(height) };
        Tiles { width: usize::from(width), x: 0, rows_left, zlib }
    }

    /// Whether tiles may be compressed.
    pub(crate) fn is_zlib(&self) -> bool {
        self.zlib
    }

    /// Walks as many tiles as `bytes` show.
    pub(crate) fn walk(&mut self, bytes: &[u8], pixel: usize) -> Walked {
        let mut rest = bytes;
        while self.rows_left > 0 {
            let taken = bytes.len() - rest.len();
            let area = (self.width - self.x).min(16) * self.rows_left.min(16);
            let len = match tile_len(rest, area, pixel, self.zlib) {
                Ok(Some(len)) => len,
                Ok(None) => return Walked::waits(taken),
                Err(fault) => return Walked::broken(taken, fault),
            };
            self.x += 16;
            if self.x >= self.width {
                self.x = 0;
                self.rows_left = self.rows_left.saturating_sub(16);
            }
            match rest.get(len..) {
                Some(after) => rest = after,
                None => return Walked::skips(bytes.len(), len - rest.len(), self.rows_left == 0),
            }
        }
        Walked::skips(bytes.len() - rest.len(), 0, true)
    }
}

/// Bytes of the tile at the start of `rest`, as soon as they can be known.
#[inline]
fn tile_len(rest: &[u8], area: usize, pixel: usize, zlib: bool) -> Result<Option<usize>, Misbehavior> {
    let Some(&mask) = rest.first() else { return Ok(None) };
    if mask >= ZLIB_RAW {
        return if zlib {
            Ok(zlib_tile_len(rest, mask, area, pixel))
        } else {
            Err(Misbehavior::RectangleMalformed)
        };
    }
    if mask & RAW != 0 {
        return Ok(Some(1 + area * pixel));
    }
    Ok(plain_tile_len(rest, mask, pixel))
}

#[inline]
fn plain_tile_len(rest: &[u8], mask: u8, pixel: usize) -> Option<usize> {
    let colors = colors_len(mask, pixel);
    if mask & SUBRECTANGLES == 0 {
        return Some(1 + colors);
    }
    let count = usize::from(*rest.get(1 + colors)?);
    let each = if mask & COLORED != 0 { 2 + pixel } else { 2 };
    Some(2 + colors + count * each)
}

#[inline]
fn colors_len(mask: u8, pixel: usize) -> usize {
    usize::from((mask & BACKGROUND) >> 1) * pixel + usize::from((mask & FOREGROUND) >> 2) * pixel
}

/// TightVNC's and UltraVNC's viewers: a raw tile is as in Hextile; a compressed one is a length and data.
fn zlib_tile_len(rest: &[u8], mask: u8, area: usize, pixel: usize) -> Option<usize> {
    if mask & RAW != 0 {
        return Some(1 + area * pixel);
    }
    if mask & (ZLIB_RAW | ZLIB_SUBRECTANGLES) == 0 {
        return plain_tile_len(rest, mask, pixel);
    }
    let &[_, high, low] = rest.first_chunk::<3>()?;
    Some(3 + usize::from(u16::from_be_bytes([high, low])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_tiles() {
        // 17 x 16: one full tile (background, two plain subrectangles), one tile of one column, raw.
        let mut bytes = vec![0x0e, 1, 2, 2, 0x00, 0x11, 0x22, 0x33, 0x01];
        bytes.extend([9; 16]);
        let mut tiles = Tiles::new(17, 16, false);
        assert_eq!(tiles.walk(&bytes, 1), Walked::skips(25, 0, true));
    }

    #[test]
    fn the_count_is_waited_for_and_the_rest_is_skipped() {
        let mut tiles = Tiles::new(16, 16, false);
        assert_eq!(tiles.walk(&[0x18], 4), Walked::waits(0));
        assert_eq!(tiles.walk(&[0x18, 3], 4), Walked::skips(2, 18, true));
    }

    #[test]
    fn high_bits_belong_to_zlib_hex() {
        let broken = Walked::broken(0, Misbehavior::RectangleMalformed);
        assert_eq!(Tiles::new(16, 16, false).walk(&[32], 4), broken);
        let bytes = [32, 0, 5, 0, 0, 0, 0, 0];
        assert_eq!(Tiles::new(16, 16, true).walk(&bytes, 4), Walked::skips(8, 0, true));
    }
}
