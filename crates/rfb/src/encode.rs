//! From pixels to a server's bytes: the encoders behind the test card, in every pixel format.
//!
//! An [`Encoder`] is one connection's: its zlib streams go on from rectangle to rectangle. Where a viewer
//! asks for an encoding that is not written here, the answer is Raw, which every viewer must understand.

mod deflate;
mod hextile;
mod pixels;
mod rre;
mod tight;
mod trle;

use crate::decode::number;
use crate::framebuffer::{Framebuffer, Rect};
use crate::wire::Put;
use crate::{PixelFormat, decode};
use deflate::Stream;
use pixels::{Form, Pixels};

pub use pixels::color_map;

/// The server's half of pixels.
#[derive(Debug)]
pub struct Encoder {
    pixels: Pixels,
    level: u32,
    quality: Option<u8>,
    without_zlib: bool,
    zlib: Stream,
    zrle: Stream,
    tight: [Stream; 4],
}

impl Encoder {
    /// Starts with the format of ServerInit.
    pub fn new(format: PixelFormat) -> Encoder {
        Encoder {
            pixels: Pixels::new(format),
            level: 2,
            quality: None,
            without_zlib: false,
            zlib: Stream::default(),
            zrle: Stream::default(),
            tight: Default::default(),
        }
    }

    /// The viewer's SetPixelFormat.
    pub fn set_pixel_format(&mut self, format: PixelFormat) {
        self.pixels = Pixels::new(format);
    }

    /// The format in force.
    pub fn pixel_format(&self) -> &PixelFormat {
        self.pixels.format()
    }

    /// Compression effort, quality and leave to go without zlib, as a viewer's SetEncodings asks for them.
    /// The quality of Tight's JPEG is lossless where none is named.
    pub fn set_encodings(&mut self, encodings: &[i32]) {
        let within =
            |from: i32, to: i32| encodings.iter().find(|&&e| (from..=to).contains(&e)).map(|e| e - from);
        let level = within(number::COMPRESS_0, number::COMPRESS_9).and_then(|n| u32::try_from(n).ok());
        self.level = level.unwrap_or(2);
        self.quality = within(number::QUALITY_0, number::QUALITY_9).and_then(|n| u8::try_from(n).ok());
        self.without_zlib = encodings.contains(&number::TIGHT_WITHOUT_ZLIB);
    }

    /// Whether pixels can be written in this encoding (CopyRect moves pixels, see [`copy_rect`]).
    pub fn knows(encoding: i32) -> bool {
        matches!(
            encoding,
            number::RAW
                | number::RRE
                | number::CORRE
                | number::HEXTILE
                | number::ZLIB
                | number::TIGHT
                | number::TIGHT_PNG
                | number::TRLE
                | number::ZRLE
        )
    }

    /// Appends one rectangle, header included, in the wanted encoding; Tight may make several of it.
    /// Answers how many. A rectangle that is empty or not inside the screen makes none.
    pub fn rectangle(&mut self, encoding: i32, screen: &Framebuffer, rect: Rect, out: &mut Vec<u8>) -> u16 {
        if rect.is_empty() || !rect.is_within(screen.width(), screen.height()) {
            return 0;
        }
        if matches!(encoding, number::TIGHT | number::TIGHT_PNG) {
            return self.tight(encoding, screen, rect, out);
        }
        let start = out.len();
        header(rect, encoding, out);
        match encoding {
            number::RAW => raw(&self.pixels, screen, rect, out),
            number::RRE => rre::rectangle(&self.pixels, screen, rect, false, out),
            number::CORRE if rect.width < 256 && rect.height < 256 => {
                rre::rectangle(&self.pixels, screen, rect, true, out);
            }
            number::HEXTILE => hextile::rectangle(&self.pixels, screen, rect, out),
            number::TRLE => trle::rectangle(&self.pixels, screen, rect, 16, trle::Dialect::Trle, out),
            number::ZLIB => {
                let mut plain = Vec::new();
                raw(&self.pixels, screen, rect, &mut plain);
                put_counted(&self.zlib.deflate(&plain, self.level), out);
            }
            number::ZRLE => {
                let mut plain = Vec::new();
                trle::rectangle(&self.pixels, screen, rect, 64, trle::Dialect::Zrle, &mut plain);
                put_counted(&self.zrle.deflate(&plain, self.level), out);
            }
            _ => {
                out.truncate(start);
                header(rect, number::RAW, out);
                raw(&self.pixels, screen, rect, out);
            }
        }
        1
    }

    fn tight(&mut self, encoding: i32, screen: &Framebuffer, rect: Rect, out: &mut Vec<u8>) -> u16 {
        let mut count = 0;
        for part in tight::parts(rect) {
            header(part, encoding, out);
            let png = encoding == number::TIGHT_PNG;
            let options = tight::Options {
                level: self.level,
                quality: self.quality,
                without_zlib: self.without_zlib,
                png,
            };
            tight::rectangle(&self.pixels, screen, part, options, &mut self.tight, out);
            count += 1;
        }
        count
    }

    /// Appends a whole FramebufferUpdate with these rectangles.
    pub fn update(&mut self, encoding: i32, screen: &Framebuffer, rects: &[Rect], out: &mut Vec<u8>) {
        let mut body = Vec::new();
        let count = rects.iter().fold(0u16, |count, &rect| {
            count.saturating_add(self.rectangle(encoding, screen, rect, &mut body))
        });
        update_header(count, out);
        out.put(&body);
    }

    /// Appends the pointer's picture as a Cursor rectangle; alpha of half and more shows.
    pub fn cursor(&self, cursor: &decode::Cursor, out: &mut Vec<u8>) {
        let size = Rect::new(cursor.hot_x, cursor.hot_y, cursor.width, cursor.height);
        header(size, number::CURSOR, out);
        for pixel in &cursor.pixels {
            self.pixels.put(Form::Pixel, pixel & 0x00ff_ffff, out);
        }
        for row in cursor.pixels.chunks(usize::from(cursor.width).max(1)) {
            for group in row.chunks(8) {
                let bits = group.iter().map(|pixel| pixel >> 31 == 1);
                out.put_u8(
                    bits.zip((0..8).rev()).fold(0, |byte, (shown, bit)| byte | u8::from(shown) << bit),
                );
            }
        }
    }
}

/// Appends the header of a FramebufferUpdate.
pub fn update_header(rectangles: u16, out: &mut Vec<u8>) {
    out.put_u16(0);
    out.put_u16(rectangles);
}

/// Appends a rectangle's header.
pub fn header(rect: Rect, encoding: i32, out: &mut Vec<u8>) {
    for field in [rect.x, rect.y, rect.width, rect.height] {
        out.put_u16(field);
    }
    out.put_i32(encoding);
}

/// Appends a CopyRect rectangle.
pub fn copy_rect(from_x: u16, from_y: u16, to: Rect, out: &mut Vec<u8>) {
    header(to, number::COPY_RECT, out);
    out.put_u16(from_x);
    out.put_u16(from_y);
}

/// Appends a DesktopName rectangle.
pub fn desktop_name(name: &[u8], out: &mut Vec<u8>) {
    header(Rect::default(), number::DESKTOP_NAME, out);
    put_counted(name, out);
}

/// Appends an ExtendedDesktopSize rectangle.
pub fn layout(layout: &decode::Layout, out: &mut Vec<u8>) {
    let size = Rect::new(layout.reason, layout.status, layout.width, layout.height);
    header(size, number::EXTENDED_DESKTOP_SIZE, out);
    out.put(&[u8::try_from(layout.screens.len()).unwrap_or(u8::MAX), 0, 0, 0]);
    for screen in layout.screens.iter().take(u8::MAX.into()) {
        out.put_u32(screen.id);
        for field in [screen.rect.x, screen.rect.y, screen.rect.width, screen.rect.height] {
            out.put_u16(field);
        }
        out.put_u32(screen.flags);
    }
}

fn raw(pixels: &Pixels, screen: &Framebuffer, rect: Rect, out: &mut Vec<u8>) {
    for row in screen.rows(rect) {
        pixels.put_row(Form::Pixel, row, out);
    }
}

fn put_counted(bytes: &[u8], out: &mut Vec<u8>) {
    out.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.put(bytes);
}

/// The colors of some pixels in order of appearance, if there are at most `most`.
fn colors(pixels: impl Iterator<Item = u32>, most: usize) -> Option<Vec<u32>> {
    let mut colors: Vec<u32> = Vec::new();
    for pixel in pixels {
        if colors.last() != Some(&pixel) && !colors.contains(&pixel) {
            if colors.len() == most {
                return None;
            }
            colors.push(pixel);
        }
    }
    Some(colors)
}
