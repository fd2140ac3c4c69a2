//! [7.7.5] TRLE: a walk from tile to tile, and through the runs of a tile.

use super::Walked;
use crate::Misbehavior;

/// Place of the next tile, and of the next run inside a tile.
#[derive(Clone, Debug)]
pub(crate) struct Tiles {
    width: usize,
    x: usize,
    rows_left: usize,
    /// Colors of the last palette, for the tiles that use it again.
    palette: usize,
    /// Pixels of the current tile that its runs have still to cover.
    run_pixels: usize,
    /// Whether the current runs name palette entries.
    indexed: bool,
}

impl Tiles {
    pub(crate) fn new(width: u16, height: u16) -> Tiles {
        let rows_left = if width == 0 { 0 } else { usize::from(height) };
        Tiles { width: usize::from(width), x: 0, rows_left, palette: 0, run_pixels: 0, indexed: false }
    }

    /// Walks as far as `bytes` show.
    pub(crate) fn walk(&mut self, bytes: &[u8], cpixel: usize) -> Walked {
        let mut rest = bytes;
        loop {
            if self.run_pixels > 0 {
                let fault;
                (rest, fault) = self.walk_runs(rest, cpixel);
                let taken = bytes.len() - rest.len();
                match fault {
                    Some(fault) => return Walked::broken(taken, fault),
                    None if self.run_pixels > 0 => return Walked::waits(taken),
                    None => {}
                }
            }
            let taken = bytes.len() - rest.len();
            if self.rows_left == 0 {
                return Walked::skips(taken, 0, true);
            }
            let Some(&kind) = rest.first() else { return Walked::waits(taken) };
            let Some(len) = self.begin_tile(kind, cpixel) else {
                return Walked::broken(taken, Misbehavior::RectangleMalformed);
            };
            match rest.get(len..) {
                Some(after) => rest = after,
                None => {
                    let done = self.rows_left == 0 && self.run_pixels == 0;
                    return Walked::skips(bytes.len(), len - rest.len(), done);
                }
            }
        }
    }

    /// Steps over a tile's head: the bytes up to its runs, or all of it where it has none.
    fn begin_tile(&mut self, kind: u8, cpixel: usize) -> Option<usize> {
        let kind = usize::from(kind);
        let known = matches!(kind, 0..=16 | 128 | 130..=255);
        if !known && (self.palette == 0 || !matches!(kind, 127 | 129)) {
            return None;
        }
        let width = (self.width - self.x).min(16);
        let height = self.rows_left.min(16);
        self.x += 16;
        if self.x >= self.width {
            self.x = 0;
            self.rows_left = self.rows_left.saturating_sub(16);
        }
        Some(match kind {
            0 => 1 + width * height * cpixel,
            1 => 1 + cpixel,
            2..=16 => {
                self.palette = kind;
                1 + kind * cpixel + packed_len(kind, width, height)
            }
            127 => 1 + packed_len(self.palette, width, height),
            128 => {
                self.run_pixels = width * height;
                self.indexed = false;
                1
            }
            129 => {
                self.run_pixels = width * height;
                self.indexed = true;
                1
            }
            _ => {
                self.palette = kind - 128;
                self.run_pixels = width * height;
                self.indexed = true;
                1 + self.palette * cpixel
            }
        })
    }

    /// Steps over whole runs and returns what follows them.
    fn walk_runs<'a>(&mut self, bytes: &'a [u8], cpixel: usize) -> (&'a [u8], Option<Misbehavior>) {
        let mut rest = bytes;
        let mut left = self.run_pixels;
        let mut fault = None;
        while left > 0 {
            if self.indexed {
                let singles = single_pixels(rest, left);
                left -= singles;
                rest = rest.get(singles..).unwrap_or_default();
                if left == 0 {
                    break;
                }
            }
            let head = if self.indexed { 1 } else { cpixel };
            let Some((run, len)) = rest.get(head..).and_then(run_length) else { break };
            let Some(fewer) = left.checked_sub(run) else {
                fault = Some(Misbehavior::RectangleMalformed);
                break;
            };
            left = fewer;
            rest = rest.get(head + len..).unwrap_or_default();
        }
        self.run_pixels = left;
        (rest, fault)
    }
}

/// How many of the next `most` palette entries stand for one pixel each, without a run length.
#[inline]
fn single_pixels(bytes: &[u8], most: usize) -> usize {
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let window = bytes.get(..most).unwrap_or(bytes);
    let mut count = 0;
    let (words, tail) = window.as_chunks::<8>();
    for word in words {
        let tops = u64::from_le_bytes(*word) & TOPS;
        if tops != 0 {
            return count + usize::try_from(tops.trailing_zeros() / 8).unwrap_or(0);
        }
        count += 8;
    }
    count + tail.iter().take_while(|&&b| b < 0x80).count()
}

/// A run's pixels and the bytes that say so: 255s, then a smaller one.
#[inline]
fn run_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut run = 1;
    // A tile has 256 pixels: a third byte after two of 255 is already too much.
    for (i, &b) in bytes.iter().enumerate().take(3) {
        run += usize::from(b);
        if b != 255 {
            return Some((run, i + 1));
        }
    }
    if bytes.len() >= 3 { Some((usize::MAX, 3)) } else { None }
}

/// Bytes of a packed tile: 1, 2 or 4 bits a pixel, each row filled up to a byte.
fn packed_len(colors: usize, width: usize, height: usize) -> usize {
    let bits = match colors {
        0..=2 => 1,
        3..=4 => 2,
        5..=16 => 4,
        _ => 8,
    };
    (width * bits).div_ceil(8) * height
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8], width: u16, height: u16) -> Walked {
        Tiles::new(width, height).walk(bytes, 3)
    }

    #[test]
    fn golden_tiles_of_every_kind() {
        let done = |taken| Walked::skips(taken, 0, true);
        assert_eq!(whole(&[1, 7, 7, 7], 16, 16), done(4));
        assert_eq!(whole(&[0, 1, 2, 3, 4, 5, 6], 2, 1), done(7));
        assert_eq!(whole(&[2, 0, 0, 0, 1, 1, 1, 0b1010_0000], 4, 1), done(8));
        assert_eq!(whole(&[128, 9, 9, 9, 255, 0], 16, 16), done(6));
        assert_eq!(whole(&[130, 0, 0, 0, 1, 1, 1, 0, 0x81, 254], 16, 16), done(10));
        // A palette of three is used again: packed (2 bits a pixel, so 4 bytes), then by runs.
        let mut reuse = vec![3, 0, 0, 0, 1, 1, 1, 2, 2, 2, 9, 9, 9, 9];
        reuse.extend([127, 9, 9, 9, 9, 129, 0, 0x80, 0]);
        assert_eq!(whole(&reuse, 34, 1), done(reuse.len()));
    }

    #[test]
    fn a_run_past_its_tile_is_refused() {
        let broken = |taken| Walked::broken(taken, Misbehavior::RectangleMalformed);
        assert_eq!(whole(&[128, 0, 0, 0, 255, 255, 0], 16, 16), broken(1));
        assert_eq!(whole(&[128, 0, 0, 0, 2], 1, 1), broken(1));
        assert_eq!(whole(&[127], 1, 1), broken(0));
        assert_eq!(whole(&[17], 1, 1), broken(0));
    }
}
