//! [7.7.4] Hextile: each tile in the shortest of its forms.

use super::pixels::{Form, Pixels};
use super::{colors, raw, rre};
use crate::framebuffer::{Framebuffer, Rect};
use crate::wire::Put;

const RAW: u8 = 1;
const BACKGROUND: u8 = 2;
const FOREGROUND: u8 = 4;
const PARTS: u8 = 8;
const COLORED: u8 = 16;

pub(crate) fn rectangle(pixels: &Pixels, screen: &Framebuffer, rect: Rect, out: &mut Vec<u8>) {
    let mut background = None;
    for tile in rect.tiles(16) {
        let start = out.len();
        tile_of(pixels, screen, tile, &mut background, out);
        if out.len() - start > 1 + tile.area() * pixels.format().bytes_per_pixel() {
            out.truncate(start);
            out.put_u8(RAW);
            raw(pixels, screen, tile, out);
            // The specification forbids to carry colors over a raw tile.
            background = None;
        }
    }
}

fn tile_of(
    pixels: &Pixels,
    screen: &Framebuffer,
    tile: Rect,
    background: &mut Option<u32>,
    out: &mut Vec<u8>,
) {
    let own = screen.pixel(tile.x, tile.y).unwrap_or(0);
    let parts = rre::runs(screen, tile, own);
    let foreground = colors(parts.iter().map(|(_, color)| *color), 1);
    let mut mask = if *background == Some(own) { 0 } else { BACKGROUND };
    *background = Some(own);
    let one = match foreground.as_deref() {
        Some([]) => None,
        Some([color, ..]) => {
            mask |= FOREGROUND | PARTS;
            Some(*color)
        }
        None => {
            mask |= PARTS | COLORED;
            None
        }
    };
    out.put_u8(mask);
    if mask & BACKGROUND != 0 {
        pixels.put(Form::Pixel, own, out);
    }
    if let Some(color) = one {
        pixels.put(Form::Pixel, color, out);
    }
    if mask & PARTS == 0 {
        return;
    }
    // At most 16 rows of 16 runs, one of which is the background: 255 fit, and 256 are longer than raw.
    out.put_u8(u8::try_from(parts.len()).unwrap_or(u8::MAX));
    for (part, color) in parts {
        if mask & COLORED != 0 {
            pixels.put(Form::Pixel, color, out);
        }
        let nibbles = |high: u16, low: u16| u8::try_from(high << 4 | low).unwrap_or(0);
        out.put_u8(nibbles(part.x, part.y));
        out.put_u8(nibbles(part.width - 1, part.height - 1));
    }
}
