//! From a pixel's bytes to `0x00RRGGBB`, for every pixel format and its two short forms.

use crate::PixelFormat;
use crate::wire::Reader;

/// How a pixel is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// [7.4] PIXEL: all its bytes.
    Pixel,
    /// [7.7.6] CPIXEL of TRLE and ZRLE.
    Cpixel,
    /// [7.7.5] TPIXEL of Tight: red, green, blue.
    Tpixel,
}

/// Translates pixels of one format.
#[derive(Clone, Debug)]
pub(crate) struct Pixels {
    format: PixelFormat,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// The common one: 32 bits, 8 per channel, red at bit 16.
    Plain,
    Channels([Channel; 3]),
    Map(ColorMap),
    /// The value itself; for pictures with alpha.
    Exact,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    max: u32,
    shift: u32,
}

impl Channel {
    /// Brings 0..=max to 0..=255, rounding to the nearest.
    fn scale(self, value: u32) -> u32 {
        let value = value.checked_shr(self.shift).unwrap_or(0) & self.max;
        (value * 255 + self.max / 2).checked_div(self.max).unwrap_or(0).min(255)
    }
}

/// [7.6.2] Colors of an indexed format; black until they are set.
#[derive(Clone, Default, Debug)]
pub(crate) struct ColorMap {
    colors: Vec<u32>,
}

impl ColorMap {
    /// Sets the colors from `first` on; those past index 65535 cannot be reached and are left out.
    pub(crate) fn set(&mut self, first: u16, colors: impl Iterator<Item = u32>) {
        let first = usize::from(first);
        for (index, color) in (first..=usize::from(u16::MAX)).zip(colors) {
            if self.colors.len() <= index {
                self.colors.resize(index + 1, 0);
            }
            if let Some(slot) = self.colors.get_mut(index) {
                *slot = color;
            }
        }
    }

    fn color(&self, index: u32) -> u32 {
        usize::try_from(index).ok().and_then(|index| self.colors.get(index)).copied().unwrap_or(0)
    }
}

impl Pixels {
    pub(crate) fn new(format: PixelFormat, map: &ColorMap) -> Pixels {
        let rgb = [
            (format.red_max, format.red_shift),
            (format.green_max, format.green_shift),
            (format.blue_max, format.blue_shift),
        ];
        let kind = if !format.true_color {
            Kind::Map(map.clone())
        } else if format.bits_per_pixel == 32 && rgb == [(255, 16), (255, 8), (255, 0)] {
            Kind::Plain
        } else {
            Kind::Channels(rgb.map(|(max, shift)| Channel { max: max.into(), shift: shift.into() }))
        };
        Pixels { format, kind }
    }

    /// 32 bit whose first byte is red and last is alpha; values come out as they are.
    pub(crate) fn rgba() -> Pixels {
        let format =
            PixelFormat { depth: 32, red_shift: 0, green_shift: 8, blue_shift: 16, ..PixelFormat::RGB888 };
        Pixels { format, kind: Kind::Exact }
    }

    pub(crate) fn format(&self) -> &PixelFormat {
        &self.format
    }

    /// Bytes of one pixel.
    pub(crate) fn len(&self, form: Form) -> usize {
        match form {
            Form::Pixel => self.format.bytes_per_pixel(),
            Form::Cpixel => self.format.cpixel_len(),
            Form::Tpixel => self.format.tpixel_len(),
        }
    }

    /// The color of one pixel.
    pub(crate) fn color(&self, form: Form, bytes: &[u8]) -> u32 {
        match (form, bytes) {
            (Form::Tpixel, &[red, green, blue]) => u32::from_be_bytes([0, red, green, blue]),
            _ => self.color_of(self.value(bytes)),
        }
    }

    /// Takes one pixel.
    pub(crate) fn take(&self, form: Form, reader: &mut Reader<'_>) -> Option<u32> {
        let bytes = reader.take(self.len(form))?;
        Some(self.color(form, bytes))
    }

    /// Takes a row of pixels into `out`; `None`, and nothing written, if bytes are missing.
    pub(crate) fn take_row(&self, form: Form, reader: &mut Reader<'_>, out: &mut [u32]) -> Option<()> {
        let bytes = reader.take(out.len() * self.len(form))?;
        self.row(form, bytes, out);
        Some(())
    }

    /// Translates a row of pixels.
    pub(crate) fn row(&self, form: Form, bytes: &[u8], out: &mut [u32]) {
        if form == Form::Pixel && matches!(self.kind, Kind::Plain) && !self.format.big_endian {
            let (pixels, _) = bytes.as_chunks::<4>();
            for (to, from) in out.iter_mut().zip(pixels) {
                *to = u32::from_le_bytes(*from) & 0x00ff_ffff;
            }
            return;
        }
        for (to, from) in out.iter_mut().zip(bytes.chunks_exact(self.len(form))) {
            *to = self.color(form, from);
        }
    }

    /// The value of a pixel; three bytes are a CPIXEL whose fourth was left out.
    fn value(&self, bytes: &[u8]) -> u32 {
        let big = self.format.big_endian;
        match *bytes {
            [a] => a.into(),
            [a, b] if big => u16::from_be_bytes([a, b]).into(),
            [a, b] => u16::from_le_bytes([a, b]).into(),
            [a, b, c] => {
                let value = u32::from_be_bytes(if big { [0, a, b, c] } else { [0, c, b, a] });
                if self.format.cpixel_skips_low() == Some(true) { value << 8 } else { value }
            }
            [a, b, c, d] if big => u32::from_be_bytes([a, b, c, d]),
            [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
            _ => 0,
        }
    }

    fn color_of(&self, value: u32) -> u32 {
        match &self.kind {
            Kind::Plain => value & 0x00ff_ffff,
            Kind::Channels([red, green, blue]) => {
                red.scale(value) << 16 | green.scale(value) << 8 | blue.scale(value)
            }
            Kind::Map(map) => map.color(value),
            Kind::Exact => value,
        }
    }

    /// The largest value of each channel: Tight's gradient filter predicts in these.
    pub(crate) fn channels(&self) -> [(u32, u32); 3] {
        let f = &self.format;
        [(f.red_max, f.red_shift), (f.green_max, f.green_shift), (f.blue_max, f.blue_shift)]
            .map(|(max, shift)| (max.into(), shift.into()))
    }

    /// The value and color of a pixel whose channels are known, for the gradient filter.
    pub(crate) fn color_of_channels(&self, channels: [u32; 3]) -> u32 {
        let value = channels
            .iter()
            .zip(self.channels())
            .fold(0, |value, (&channel, (_, shift))| value | channel.checked_shl(shift).unwrap_or(0));
        self.color_of(value)
    }

    /// The channels of a pixel's bytes, unscaled.
    pub(crate) fn channels_of(&self, bytes: &[u8]) -> [u32; 3] {
        let value = self.value(bytes);
        self.channels().map(|(max, shift)| value.checked_shr(shift).unwrap_or(0) & max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color(format: PixelFormat, form: Form, bytes: &[u8]) -> u32 {
        Pixels::new(format, &ColorMap::default()).color(form, bytes)
    }

    #[test]
    fn one_orange_in_many_formats() {
        let rgb = PixelFormat::RGB888;
        assert_eq!(color(rgb, Form::Pixel, &[0x10, 0x80, 0xff, 0xee]), 0xff8010);
        assert_eq!(color(rgb, Form::Cpixel, &[0x10, 0x80, 0xff]), 0xff8010);
        assert_eq!(color(rgb, Form::Tpixel, &[0xff, 0x80, 0x10]), 0xff8010);
        let big = PixelFormat { big_endian: true, ..rgb };
        assert_eq!(color(big, Form::Pixel, &[0, 0xff, 0x80, 0x10]), 0xff8010);
        assert_eq!(color(big, Form::Cpixel, &[0xff, 0x80, 0x10]), 0xff8010);
        let high = PixelFormat { red_shift: 24, green_shift: 16, blue_shift: 8, ..rgb };
        assert_eq!(color(high, Form::Pixel, &[0, 0x10, 0x80, 0xff]), 0xff8010);
        assert_eq!(color(high, Form::Cpixel, &[0x10, 0x80, 0xff]), 0xff8010);
        let high_big = PixelFormat { big_endian: true, ..high };
        assert_eq!(color(high_big, Form::Cpixel, &[0xff, 0x80, 0x10]), 0xff8010);
    }

    #[test]
    fn short_channels_reach_full_brightness() {
        let rgb565 = PixelFormat::RGB565;
        assert_eq!(color(rgb565, Form::Pixel, &[0xff, 0xff]), 0xff_ffff);
        assert_eq!(color(rgb565, Form::Pixel, &[0x00, 0xf8]), 0xff_0000);
        assert_eq!(color(PixelFormat { big_endian: true, ..rgb565 }, Form::Pixel, &[0xf8, 0]), 0xff_0000);
        assert_eq!(color(PixelFormat::BGR233, Form::Pixel, &[0xc0]), 0x00_00ff);
        assert_eq!(color(PixelFormat::BGR233, Form::Pixel, &[0x01]), 36 << 16);
    }

    #[test]
    fn a_map_answers_black_for_what_was_never_set() {
        let mut map = ColorMap::default();
        map.set(2, [0x112233, 0x445566].into_iter());
        map.set(u16::MAX, [1, 2].into_iter());
        let pixels = Pixels::new(PixelFormat::MAPPED, &map);
        let mut row = [9; 4];
        pixels.row(Form::Pixel, &[1, 2, 3, 200], &mut row);
        assert_eq!(row, [0, 0x112233, 0x445566, 0]);
    }
}
