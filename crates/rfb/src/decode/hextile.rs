//! [7.7.4] Hextile: tiles of 16 pixels, each raw or a background with rectangles on it.

use super::pixels::Form;
use super::{Canvas, Progress, inside};
use crate::Misbehavior;
use crate::framebuffer::{Rect, Tiles};
use crate::wire::Reader;

const RAW: u8 = 1;
const BACKGROUND: u8 = 2;
const FOREGROUND: u8 = 4;
const PARTS: u8 = 8;
const COLORED: u8 = 16;

#[derive(Debug)]
pub(crate) struct Hextile {
    tiles: Tiles,
    background: u32,
    foreground: u32,
}

impl Hextile {
    pub(crate) fn new(rect: Rect) -> Hextile {
        Hextile { tiles: rect.tiles(16), background: 0, foreground: 0 }
    }

    pub(crate) fn advance(&mut self, r: &mut Reader<'_>, canvas: &mut Canvas<'_>) -> Progress {
        while let Some(tile) = self.tiles.peek() {
            let mut ahead = *r;
            if self.tile(&mut ahead, canvas, tile)?.is_none() {
                return Ok(false);
            }
            *r = ahead;
            self.tiles.next();
        }
        Ok(true)
    }

    /// Draws one tile; `None` if bytes are missing, and then it is drawn again from its start.
    fn tile(
        &mut self,
        r: &mut Reader<'_>,
        canvas: &mut Canvas<'_>,
        tile: Rect,
    ) -> Result<Option<()>, Misbehavior> {
        let Some(mask) = r.u8() else { return Ok(None) };
        if mask & RAW != 0 {
            let drawn =
                canvas.screen.rows_mut(tile).try_for_each(|row| canvas.pixels.take_row(Form::Pixel, r, row));
            return Ok(drawn);
        }
        if mask & BACKGROUND != 0 {
            let Some(color) = canvas.pixels.take(Form::Pixel, r) else { return Ok(None) };
            self.background = color;
        }
        if mask & FOREGROUND != 0 {
            let Some(color) = canvas.pixels.take(Form::Pixel, r) else { return Ok(None) };
            self.foreground = color;
        }
        canvas.screen.fill(tile, self.background);
        if mask & PARTS == 0 {
            return Ok(Some(()));
        }
        let Some(count) = r.u8() else { return Ok(None) };
        for _ in 0..count {
            let color =
                if mask & COLORED != 0 { canvas.pixels.take(Form::Pixel, r) } else { Some(self.foreground) };
            let (Some(color), Some([place, size])) = (color, r.array()) else { return Ok(None) };
            let part = Rect {
                x: (place >> 4).into(),
                y: (place & 15).into(),
                width: u16::from(size >> 4) + 1,
                height: u16::from(size & 15) + 1,
            };
            canvas.screen.fill(inside(tile, part)?, color);
        }
        Ok(Some(()))
    }
}
