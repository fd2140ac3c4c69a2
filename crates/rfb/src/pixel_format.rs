//! [7.4] The pixel format: what one pixel's bytes mean.

use crate::Misbehavior;
use crate::wire::{Put, Reader};

/// [7.4] PIXEL_FORMAT, 16 bytes on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PixelFormat {
    /// 8, 16 or 32.
    pub bits_per_pixel: u8,
    /// Useful bits; real peers also send 32.
    pub depth: u8,
    /// Byte order of 16 and 32 bit pixels.
    pub big_endian: bool,
    /// False: pixels index a color map. On the wire any non-zero byte is true.
    pub true_color: bool,
    /// Largest value of red.
    pub red_max: u16,
    /// Largest value of green.
    pub green_max: u16,
    /// Largest value of blue.
    pub blue_max: u16,
    /// Bits to shift a pixel right to have red at the low end.
    pub red_shift: u8,
    /// The same for green.
    pub green_shift: u8,
    /// The same for blue.
    pub blue_shift: u8,
}

impl PixelFormat {
    /// Bytes on the wire, three of them padding.
    pub const LEN: usize = 16;

    /// 32 bit little-endian with red at bit 16: what noVNC and most servers use.
    pub const RGB888: PixelFormat = PixelFormat {
        bits_per_pixel: 32,
        depth: 24,
        big_endian: false,
        true_color: true,
        red_max: 255,
        green_max: 255,
        blue_max: 255,
        red_shift: 16,
        green_shift: 8,
        blue_shift: 0,
    };

    /// 16 bit little-endian, red highest.
    pub const RGB565: PixelFormat = PixelFormat {
        bits_per_pixel: 16,
        depth: 16,
        red_max: 31,
        green_max: 63,
        blue_max: 31,
        red_shift: 11,
        green_shift: 5,
        ..PixelFormat::RGB888
    };

    /// 8 bit, blue highest: what viewers ask for over slow lines.
    pub const BGR233: PixelFormat = PixelFormat {
        bits_per_pixel: 8,
        depth: 8,
        red_max: 7,
        green_max: 7,
        blue_max: 3,
        red_shift: 0,
        green_shift: 3,
        blue_shift: 6,
        ..PixelFormat::RGB888
    };

    /// 8 bit, through a map of colors.
    pub const MAPPED: PixelFormat =
        PixelFormat { bits_per_pixel: 8, depth: 8, true_color: false, ..PixelFormat::RGB888 };

    /// Parses the 16 bytes and refuses what no decoder could use.
    pub fn parse(bytes: [u8; Self::LEN]) -> Result<PixelFormat, Misbehavior> {
        let mut r = Reader::new(&bytes);
        let format = (|| {
            Some(PixelFormat {
                bits_per_pixel: r.u8()?,
                depth: r.u8()?,
                big_endian: r.u8()? != 0,
                true_color: r.u8()? != 0,
                red_max: r.u16()?,
                green_max: r.u16()?,
                blue_max: r.u16()?,
                red_shift: r.u8()?,
                green_shift: r.u8()?,
                blue_shift: r.u8()?,
            })
        })()
        .ok_or(Misbehavior::PixelFormat)?;
        let shifts = [format.red_shift, format.green_shift, format.blue_shift];
        let legal = matches!(format.bits_per_pixel, 8 | 16 | 32)
            && format.depth <= 32
            && (!format.true_color || shifts.iter().all(|&s| s < format.bits_per_pixel));
        if legal { Ok(format) } else { Err(Misbehavior::PixelFormat) }
    }

    /// Appends the 16 bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put(&[self.bits_per_pixel, self.depth, self.big_endian.into(), self.true_color.into()]);
        out.put_u16(self.red_max);
        out.put_u16(self.green_max);
        out.put_u16(self.blue_max);
        out.put(&[self.red_shift, self.green_shift, self.blue_shift, 0, 0, 0]);
    }

    /// Bytes of a PIXEL: 1, 2 or 4.
    pub fn bytes_per_pixel(&self) -> usize {
        usize::from(self.bits_per_pixel / 8)
    }

    /// [7.7.6] Bytes of a TPIXEL (Tight): 3 for 32 bit true color of depth 24 with 8 bit channels.
    pub fn tpixel_len(&self) -> usize {
        let packed = self.true_color
            && self.bits_per_pixel == 32
            && self.depth == 24
            && [self.red_max, self.green_max, self.blue_max] == [255; 3];
        if packed { 3 } else { self.bytes_per_pixel() }
    }

    /// [7.7.5] Bytes of a CPIXEL (TRLE, ZRLE): 3 where all color bits fit in three of four bytes.
    pub fn cpixel_len(&self) -> usize {
        if self.cpixel_skips_low().is_some() { 3 } else { self.bytes_per_pixel() }
    }

    /// Whether a 3 byte CPIXEL leaves out the least significant byte (`Some(true)`), the most
    /// significant one (`Some(false)`), or is a whole PIXEL (`None`).
    pub fn cpixel_skips_low(&self) -> Option<bool> {
        if !self.true_color || self.bits_per_pixel != 32 || self.depth > 24 {
            return None;
        }
        let mask = [
            (self.red_max, self.red_shift),
            (self.green_max, self.green_shift),
            (self.blue_max, self.blue_shift),
        ]
        .iter()
        .fold(0u32, |mask, &(max, shift)| mask | u32::from(max).checked_shl(shift.into()).unwrap_or(0));
        if mask & 0xff00_0000 == 0 {
            Some(false)
        } else if mask & 0x0000_00ff == 0 {
            Some(true)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes_of_tigervnc() {
        let bytes = [32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
        assert_eq!(PixelFormat::parse(bytes), Ok(PixelFormat::RGB888));
        let mut out = Vec::new();
        PixelFormat::RGB888.write(&mut out);
        assert_eq!(out, bytes);
    }

    #[test]
    fn cpixel_of_high_and_low_colors() {
        assert_eq!(PixelFormat::RGB888.cpixel_skips_low(), Some(false));
        let high = PixelFormat { red_shift: 24, green_shift: 16, blue_shift: 8, ..PixelFormat::RGB888 };
        assert_eq!(high.cpixel_skips_low(), Some(true));
        assert_eq!(PixelFormat { depth: 32, ..PixelFormat::RGB888 }.cpixel_len(), 4);
    }

    #[test]
    fn odd_sizes_are_refused() {
        for bpp in [0, 1, 24, 64] {
            let bytes = [bpp, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0];
            assert_eq!(PixelFormat::parse(bytes), Err(Misbehavior::PixelFormat));
        }
    }
}
