//! Zlib: Raw through one stream, a length in front.

use super::inflate::Stream;
use super::pixels::Form;
use super::{Canvas, Progress, chunk};
use crate::framebuffer::Rect;
use crate::wire::Reader;

pub(crate) fn advance(
    r: &mut Reader<'_>,
    canvas: &mut Canvas<'_>,
    rect: Rect,
    stream: &mut Stream,
) -> Progress {
    let Some(bytes) = chunk(r, rect, canvas.pixels)? else { return Ok(false) };
    let mut chunk = stream.chunk(bytes);
    let row_len = usize::from(rect.width) * canvas.pixels.len(Form::Pixel);
    for row in canvas.screen.rows_mut(rect) {
        chunk.take(row_len, |bytes| canvas.pixels.row(Form::Pixel, bytes, row))?;
    }
    chunk.finish()?;
    Ok(true)
}
