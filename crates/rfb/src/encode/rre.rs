//! [7.7.3] RRE and CoRRE: the first pixel's color is the background, every other run is a rectangle.

use super::pixels::{Form, Pixels};
use crate::framebuffer::{Framebuffer, Rect};
use crate::wire::Put;

pub(crate) fn rectangle(pixels: &Pixels, screen: &Framebuffer, rect: Rect, compact: bool, out: &mut Vec<u8>) {
    let background = screen.pixel(rect.x, rect.y).unwrap_or(0);
    let runs = runs(screen, rect, background);
    out.put_u32(u32::try_from(runs.len()).unwrap_or(0));
    pixels.put(Form::Pixel, background, out);
    for (run, color) in runs {
        pixels.put(Form::Pixel, color, out);
        for field in [run.x, run.y, run.width, run.height] {
            match u8::try_from(field) {
                Ok(byte) if compact => out.put_u8(byte),
                _ => out.put_u16(field),
            }
        }
    }
}

/// Runs of other colors than the background, relative to the rectangle.
pub(crate) fn runs(screen: &Framebuffer, rect: Rect, background: u32) -> Vec<(Rect, u32)> {
    let mut runs = Vec::new();
    for (y, row) in (0..).zip(screen.rows(rect)) {
        let mut x = 0;
        for run in row.chunk_by(|a, b| a == b) {
            let width = u16::try_from(run.len()).unwrap_or(0);
            match run.first() {
                Some(&color) if color != background => runs.push((Rect { x, y, width, height: 1 }, color)),
                _ => {}
            }
            x += width;
        }
    }
    runs
}
