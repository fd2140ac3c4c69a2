//! [7.7.6] TRLE and the tiles of ZRLE: each tile in the shortest of its forms.

use super::colors;
use super::pixels::{Form, Pixels};
use crate::framebuffer::{Framebuffer, Rect};
use crate::wire::Put;

/// Only TRLE may use the palette of an earlier tile again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    Trle,
    Zrle,
}

pub(crate) fn rectangle(
    pixels: &Pixels,
    screen: &Framebuffer,
    rect: Rect,
    size: u16,
    dialect: Dialect,
    out: &mut Vec<u8>,
) {
    let mut last = Vec::new();
    for tile in rect.tiles(size) {
        let own: Vec<u32> = screen.rows(tile).flatten().copied().collect();
        let palette = colors(own.iter().copied(), 127);
        let reuse = dialect == Dialect::Trle && palette.as_ref() == Some(&last);
        tile_of(pixels, &own, tile.width, palette.as_deref(), reuse, out);
        if let Some(palette) = palette
            && palette.len() > 1
        {
            last = palette;
        }
    }
}

fn tile_of(
    pixels: &Pixels,
    own: &[u32],
    width: u16,
    palette: Option<&[u32]>,
    reuse: bool,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    match palette {
        Some(&[color]) => {
            out.put_u8(1);
            pixels.put(Form::Cpixel, color, out);
        }
        Some(palette) if palette.len() <= 16 => {
            packed(pixels, own, width, palette, reuse, out);
            shorter(start, out, |out| palette_runs(pixels, own, palette, reuse, out));
        }
        Some(palette) => palette_runs(pixels, own, palette, reuse, out),
        None => {
            out.put_u8(128);
            for run in own.chunk_by(|a, b| a == b) {
                pixels.put(Form::Cpixel, run.first().copied().unwrap_or(0), out);
                put_run(run.len(), out);
            }
        }
    }
    let raw = 1 + own.len() * pixels.format().cpixel_len();
    // A raw tile has no palette, and the decoder keeps the last one; so this is only for tiles without.
    if palette.is_none() && out.len() - start > raw {
        out.truncate(start);
        out.put_u8(0);
        pixels.put_row(Form::Cpixel, own, out);
    }
}

/// Replaces what was written since `start` if the other form is shorter.
fn shorter(start: usize, out: &mut Vec<u8>, other: impl FnOnce(&mut Vec<u8>)) {
    let mut candidate = Vec::new();
    other(&mut candidate);
    if candidate.len() < out.len() - start {
        out.truncate(start);
        out.put(&candidate);
    }
}

fn put_palette(pixels: &Pixels, palette: &[u32], kinds: [u8; 2], reuse: bool, out: &mut Vec<u8>) {
    let [first, reused] = kinds;
    if reuse {
        out.put_u8(reused);
    } else {
        out.put_u8(first + u8::try_from(palette.len()).unwrap_or(0));
        pixels.put_row(Form::Cpixel, palette, out);
    }
}

fn packed(pixels: &Pixels, own: &[u32], width: u16, palette: &[u32], reuse: bool, out: &mut Vec<u8>) {
    put_palette(pixels, palette, [0, 127], reuse, out);
    let bits = match palette.len() {
        ..=2 => 1,
        3..=4 => 2,
        _ => 4,
    };
    for row in own.chunks(usize::from(width).max(1)) {
        for group in row.chunks(8 / bits) {
            let packed = group.iter().fold(0, |byte: u8, color| byte << bits | index(palette, *color));
            out.put_u8(packed << (8 - bits * group.len()));
        }
    }
}

fn palette_runs(pixels: &Pixels, own: &[u32], palette: &[u32], reuse: bool, out: &mut Vec<u8>) {
    put_palette(pixels, palette, [128, 129], reuse, out);
    for run in own.chunk_by(|a, b| a == b) {
        let index = index(palette, run.first().copied().unwrap_or(0));
        if run.len() == 1 {
            out.put_u8(index);
        } else {
            out.put_u8(index | 128);
            put_run(run.len(), out);
        }
    }
}

fn put_run(len: usize, out: &mut Vec<u8>) {
    let mut rest = len.saturating_sub(1);
    while let Some(less) = rest.checked_sub(255) {
        out.put_u8(255);
        rest = less;
    }
    out.put_u8(u8::try_from(rest).unwrap_or(0));
}

fn index(palette: &[u32], color: u32) -> u8 {
    palette.iter().position(|c| *c == color).and_then(|n| u8::try_from(n).ok()).unwrap_or(0)
}
