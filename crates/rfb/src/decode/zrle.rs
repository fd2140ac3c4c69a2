//! [7.7.7] ZRLE: tiles of 64 pixels as in TRLE, through one stream.

use super::inflate::Stream;
use super::trle::{self, Dialect, Palette};
use super::{Canvas, Progress, chunk};
use crate::Misbehavior;
use crate::framebuffer::Rect;
use crate::wire::Reader;

/// The most bytes of one tile: a palette, then for each pixel its color and a run of one.
const TILE: usize = 1 + 127 * 4 + 64 * 64 * 5;

pub(crate) fn advance(
    r: &mut Reader<'_>,
    canvas: &mut Canvas<'_>,
    rect: Rect,
    stream: &mut Stream,
) -> Progress {
    let Some(bytes) = chunk(r, rect, canvas.pixels)? else { return Ok(false) };
    let mut chunk = stream.chunk(bytes);
    let mut palette = Palette::default();
    for tile in rect.tiles(64) {
        let mut reader = Reader::new(chunk.peek(TILE)?);
        if !trle::tile(&mut reader, canvas, tile, &mut palette, Dialect::Zrle)? {
            return Err(Misbehavior::CompressedData);
        }
        let taken = reader.taken();
        chunk.advance(taken);
    }
    chunk.finish()?;
    Ok(true)
}
