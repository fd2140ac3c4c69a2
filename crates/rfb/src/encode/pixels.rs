//! From `0x00RRGGBB` to a pixel's bytes.

use crate::PixelFormat;
pub(crate) use crate::decode::pixels::Form;
use crate::wire::Put;

/// Writes pixels of one format.
#[derive(Clone, Debug)]
pub(crate) struct Pixels {
    format: PixelFormat,
}

impl Pixels {
    pub(crate) fn new(format: PixelFormat) -> Pixels {
        Pixels { format }
    }

    pub(crate) fn format(&self) -> &PixelFormat {
        &self.format
    }

    pub(crate) fn put(&self, form: Form, color: u32, out: &mut Vec<u8>) {
        let [_, red, green, blue] = color.to_be_bytes();
        if form == Form::Tpixel && self.format.tpixel_len() == 3 {
            out.put(&[red, green, blue]);
            return;
        }
        let value = self.value(color);
        let big = self.format.big_endian;
        let [a, b, c, d] = if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let short = if form == Form::Cpixel { self.format.cpixel_skips_low() } else { None };
        match (self.format.bits_per_pixel, short) {
            // The low byte comes last in big-endian order and first in little-endian order.
            (32, Some(low)) if low == big => out.put(&[a, b, c]),
            (32, Some(_)) => out.put(&[b, c, d]),
            (32, None) => out.put(&[a, b, c, d]),
            (16, _) if big => out.put(&[c, d]),
            (16, _) => out.put(&[a, b]),
            _ => out.put_u8(if big { d } else { a }),
        }
    }

    pub(crate) fn put_row(&self, form: Form, colors: &[u32], out: &mut Vec<u8>) {
        for &color in colors {
            self.put(form, color, out);
        }
    }

    /// A pixel's value in the format.
    fn value(&self, color: u32) -> u32 {
        let f = &self.format;
        if !f.true_color {
            return index(color);
        }
        let [_, red, green, blue] = color.to_be_bytes();
        [(red, f.red_max, f.red_shift), (green, f.green_max, f.green_shift), (blue, f.blue_max, f.blue_shift)]
            .into_iter()
            .fold(0, |value, (channel, max, shift)| {
                value | scale(channel, max).checked_shl(shift.into()).unwrap_or(0)
            })
    }
}

/// Brings 0..=255 to 0..=max, rounding to the nearest.
fn scale(channel: u8, max: u16) -> u32 {
    (u32::from(channel) * u32::from(max) + 127) / 255
}

/// The index of the nearest color of [`color_map`].
fn index(color: u32) -> u32 {
    let [_, red, green, blue] = color.to_be_bytes();
    scale(red, 7) << 5 | scale(green, 7) << 2 | scale(blue, 3)
}

/// Appends SetColourMapEntries for viewers of indexed formats: three bits of red, three of green, two of blue.
pub fn color_map(out: &mut Vec<u8>) {
    out.put(&[1, 0]);
    out.put_u16(0);
    out.put_u16(256);
    for index in 0..256u32 {
        for (value, max) in [(index >> 5, 7), (index >> 2 & 7, 7), (index & 3, 3)] {
            out.put_u16(u16::try_from((value * 65_535 + max / 2) / max).unwrap_or(u16::MAX));
        }
    }
}
