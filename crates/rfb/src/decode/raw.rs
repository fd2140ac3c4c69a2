//! [7.7.1] Raw: pixels, row by row. Rows are drawn as they come, so that a large one needs no buffer.

use super::pixels::Form;
use super::{Canvas, Progress};
use crate::framebuffer::Rect;
use crate::wire::Reader;

#[derive(Debug, Default)]
pub(crate) struct Raw {
    rows: u16,
}

impl Raw {
    pub(crate) fn advance(&mut self, r: &mut Reader<'_>, canvas: &mut Canvas<'_>, rect: Rect) -> Progress {
        let left = Rect {
            y: rect.y.saturating_add(self.rows),
            height: rect.height.saturating_sub(self.rows),
            ..rect
        };
        for row in canvas.screen.rows_mut(left) {
            if canvas.pixels.take_row(Form::Pixel, r, row).is_none() {
                return Ok(false);
            }
            self.rows += 1;
        }
        Ok(true)
    }
}
