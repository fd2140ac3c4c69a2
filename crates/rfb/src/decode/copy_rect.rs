//! [7.7.2] CopyRect: pixels that are already on the screen.

use super::{Canvas, Progress};
use crate::Misbehavior;
use crate::framebuffer::Rect;
use crate::wire::Reader;

pub(crate) fn advance(r: &mut Reader<'_>, canvas: &mut Canvas<'_>, rect: Rect) -> Progress {
    let Some([a, b, c, d]) = r.array() else { return Ok(false) };
    let (x, y) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    if !(Rect { x, y, ..rect }).is_within(canvas.screen.width(), canvas.screen.height()) {
        return Err(Misbehavior::RectangleOutside);
    }
    canvas.screen.copy(x, y, rect);
    Ok(true)
}
