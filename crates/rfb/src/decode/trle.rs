//! [7.7.6] TRLE: tiles of 16 pixels, each raw, one color, a packed palette or runs. ZRLE shares the tiles.

use super::pixels::Form;
use super::{Canvas, Progress};
use crate::Misbehavior;
use crate::framebuffer::{Rect, Tiles};
use crate::wire::Reader;

/// What a tile may do: only TRLE may use the palette of an earlier tile again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    Trle,
    Zrle,
}

/// The palette of the last tile that had one.
#[derive(Debug, Default)]
pub(crate) struct Palette {
    colors: Vec<u32>,
}

#[derive(Debug)]
pub(crate) struct Trle {
    tiles: Tiles,
    palette: Palette,
}

impl Trle {
    pub(crate) fn new(rect: Rect) -> Trle {
        Trle { tiles: rect.tiles(16), palette: Palette::default() }
    }

    pub(crate) fn advance(&mut self, r: &mut Reader<'_>, canvas: &mut Canvas<'_>) -> Progress {
        while let Some(rect) = self.tiles.peek() {
            if !tile(r, canvas, rect, &mut self.palette, Dialect::Trle)? {
                return Ok(false);
            }
            self.tiles.next();
        }
        Ok(true)
    }
}

/// Takes and draws one tile; false, and nothing taken, if bytes are missing.
pub(crate) fn tile(
    r: &mut Reader<'_>,
    canvas: &mut Canvas<'_>,
    rect: Rect,
    palette: &mut Palette,
    dialect: Dialect,
) -> Progress {
    let mut ahead = *r;
    let mut pixels = vec![0; rect.area()];
    if fill(&mut ahead, canvas, rect, palette, dialect, &mut pixels)?.is_none() {
        return Ok(false);
    }
    *r = ahead;
    for (row, from) in canvas.screen.rows_mut(rect).zip(pixels.chunks_exact(usize::from(rect.width).max(1))) {
        row.copy_from_slice(from);
    }
    Ok(true)
}

/// `Ok(None)` where bytes are missing.
type Filled = Result<Option<()>, Misbehavior>;

fn fill(
    r: &mut Reader<'_>,
    canvas: &Canvas<'_>,
    rect: Rect,
    palette: &mut Palette,
    dialect: Dialect,
    pixels: &mut [u32],
) -> Filled {
    let Some(kind) = r.u8() else { return Ok(None) };
    match (kind, dialect) {
        (0, _) => Ok(canvas.pixels.take_row(Form::Cpixel, r, pixels)),
        (1, _) => Ok(canvas.pixels.take(Form::Cpixel, r).map(|color| pixels.fill(color))),
        (2..=16, _) => match read_palette(r, canvas, kind) {
            Some(colors) => packed(r, rect, &palette.replace(colors).colors, pixels),
            None => Ok(None),
        },
        (127, Dialect::Trle) => packed(r, rect, &palette.colors, pixels),
        (128, _) => runs(r, canvas, pixels),
        (129, Dialect::Trle) => palette_runs(r, &palette.colors, pixels),
        (130.., _) => match read_palette(r, canvas, kind - 128) {
            Some(colors) => palette_runs(r, &palette.replace(colors).colors, pixels),
            None => Ok(None),
        },
        _ => Err(Misbehavior::RectangleMalformed),
    }
}

impl Palette {
    fn replace(&mut self, colors: Vec<u32>) -> &Palette {
        self.colors = colors;
        self
    }
}

fn read_palette(r: &mut Reader<'_>, canvas: &Canvas<'_>, count: u8) -> Option<Vec<u32>> {
    let mut colors = vec![0; count.into()];
    canvas.pixels.take_row(Form::Cpixel, r, &mut colors)?;
    Some(colors)
}

fn packed(r: &mut Reader<'_>, rect: Rect, palette: &[u32], pixels: &mut [u32]) -> Filled {
    let bits = match palette.len() {
        2 => 1,
        3..=4 => 2,
        5..=16 => 4,
        _ => return Err(Misbehavior::RectangleMalformed),
    };
    let mask = (1u8 << bits) - 1;
    let width = usize::from(rect.width).max(1);
    let row_len = (width * bits).div_ceil(8);
    for row in pixels.chunks_exact_mut(width) {
        let Some(bytes) = r.take(row_len) else { return Ok(None) };
        for (group, byte) in row.chunks_mut(8 / bits).zip(bytes) {
            let mut byte = *byte;
            for pixel in group {
                byte = byte.rotate_left(u32::try_from(bits).unwrap_or(0));
                let color = palette.get(usize::from(byte & mask));
                *pixel = *color.ok_or(Misbehavior::RectangleMalformed)?;
            }
        }
    }
    Ok(Some(()))
}

fn runs(r: &mut Reader<'_>, canvas: &Canvas<'_>, mut pixels: &mut [u32]) -> Filled {
    while !pixels.is_empty() {
        let Some(color) = canvas.pixels.take(Form::Cpixel, r) else { return Ok(None) };
        let Some(rest) = run(r, color, pixels)? else { return Ok(None) };
        pixels = rest;
    }
    Ok(Some(()))
}

fn palette_runs(r: &mut Reader<'_>, palette: &[u32], mut pixels: &mut [u32]) -> Filled {
    while !pixels.is_empty() {
        let Some(index) = r.u8() else { return Ok(None) };
        let color = palette.get(usize::from(index & 127)).ok_or(Misbehavior::RectangleMalformed)?;
        if index & 128 == 0 {
            let Some((pixel, rest)) = pixels.split_first_mut() else { break };
            *pixel = *color;
            pixels = rest;
        } else {
            let Some(rest) = run(r, *color, pixels)? else { return Ok(None) };
            pixels = rest;
        }
    }
    Ok(Some(()))
}

/// Takes a run's length and draws it; returns the pixels that are left.
fn run<'p>(
    r: &mut Reader<'_>,
    color: u32,
    pixels: &'p mut [u32],
) -> Result<Option<&'p mut [u32]>, Misbehavior> {
    let mut length = 1;
    loop {
        let Some(byte) = r.u8() else { return Ok(None) };
        length += usize::from(byte);
        if length > pixels.len() {
            return Err(Misbehavior::RectangleMalformed);
        }
        if byte != 255 {
            break;
        }
    }
    let (run, rest) = pixels.split_at_mut_checked(length).ok_or(Misbehavior::RectangleMalformed)?;
    run.fill(color);
    Ok(Some(rest))
}
