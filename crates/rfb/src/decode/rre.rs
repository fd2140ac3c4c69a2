//! [7.7.3] RRE and CoRRE: a background and rectangles on it.

use super::pixels::Form;
use super::{Canvas, Progress, inside};
use crate::Misbehavior;
use crate::framebuffer::Rect;
use crate::wire::Reader;

#[derive(Debug)]
pub(crate) struct Rre {
    /// CoRRE: coordinates are bytes.
    compact: bool,
    /// Rectangles to come, once the header was read.
    left: Option<u32>,
}

impl Rre {
    pub(crate) fn new(compact: bool) -> Rre {
        Rre { compact, left: None }
    }

    pub(crate) fn advance(&mut self, r: &mut Reader<'_>, canvas: &mut Canvas<'_>, rect: Rect) -> Progress {
        let left = match &mut self.left {
            Some(left) => left,
            None => match header(r, canvas, rect)? {
                Some(count) => self.left.insert(count),
                None => return Ok(false),
            },
        };
        while *left > 0 {
            let mut ahead = *r;
            let (Some(color), Some(part)) =
                (canvas.pixels.take(Form::Pixel, &mut ahead), coordinates(&mut ahead, self.compact))
            else {
                return Ok(false);
            };
            canvas.screen.fill(inside(rect, part)?, color);
            *r = ahead;
            *left -= 1;
        }
        Ok(true)
    }
}

fn header(r: &mut Reader<'_>, canvas: &mut Canvas<'_>, rect: Rect) -> Result<Option<u32>, Misbehavior> {
    let mut ahead = *r;
    let (Some(count), Some(background)) = (ahead.u32(), canvas.pixels.take(Form::Pixel, &mut ahead)) else {
        return Ok(None);
    };
    // More rectangles than pixels are of no use to anybody.
    if usize::try_from(count).map_or(true, |count| count > rect.area()) {
        return Err(Misbehavior::RectangleMalformed);
    }
    *r = ahead;
    canvas.screen.fill(rect, background);
    Ok(Some(count))
}

fn coordinates(r: &mut Reader<'_>, compact: bool) -> Option<Rect> {
    if compact {
        let [x, y, width, height] = r.array::<4>()?.map(u16::from);
        Some(Rect { x, y, width, height })
    } else {
        Some(Rect { x: r.u16()?, y: r.u16()?, width: r.u16()?, height: r.u16()? })
    }
}
