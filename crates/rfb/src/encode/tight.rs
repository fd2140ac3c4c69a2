//! [7.7.5] Tight and TightPNG: one color, a palette, JPEG where a quality was asked for, else the pixels.

use super::colors;
use super::deflate::Stream;
use super::pixels::{Form, Pixels};
use crate::framebuffer::{Framebuffer, Rect};
use crate::wire::Put;
use jpeg_encoder::ColorType;

/// Less data than this is sent as it is, without a length.
const UNCOMPRESSED: usize = 12;
/// Width and height of the parts of a rectangle: no length can outgrow its 22 bits.
const PART: u16 = 512;
/// Pictures with fewer pixels than this are not worth a JPEG's tables.
const JPEG: usize = 1024;

/// What the viewer asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) level: u32,
    pub(crate) quality: Option<u8>,
    pub(crate) without_zlib: bool,
    pub(crate) png: bool,
}

/// The rectangles that one becomes.
pub(crate) fn parts(rect: Rect) -> impl Iterator<Item = Rect> {
    rect.tiles(PART)
}

pub(crate) fn rectangle(
    pixels: &Pixels,
    screen: &Framebuffer,
    rect: Rect,
    options: Options,
    streams: &mut [Stream; 4],
    out: &mut Vec<u8>,
) {
    let all = || screen.rows(rect).flatten().copied();
    let palette = colors(all(), 256);
    if let Some(&[color]) = palette.as_deref() {
        out.put_u8(0x80);
        pixels.put(Form::Tpixel, color, out);
        return;
    }
    let jpeg = palette.is_none() && rect.area() >= JPEG && pixels.format().bits_per_pixel > 8;
    if let Some(quality) = options.quality.filter(|_| jpeg)
        && let Some(bytes) = jpeg_of(all(), rect, quality)
    {
        out.put_u8(0x90);
        put_counted(&bytes, out);
        return;
    }
    if options.png {
        out.put_u8(0xa0);
        put_counted(&png_of(all(), rect).unwrap_or_default(), out);
        return;
    }
    let basic = match &palette {
        Some(palette) if palette.len() < rect.area() => palette_of(pixels, screen, rect, palette),
        _ if pixels.format().tpixel_len() == 3 => gradient_of(screen, rect),
        _ => Basic { stream: 0, filter: None, data: copy_of(pixels, screen, rect) },
    };
    put_basic(basic, options, streams, out);
}

struct Basic {
    stream: u8,
    /// The filter's number and parameters; none is Copy.
    filter: Option<Vec<u8>>,
    data: Vec<u8>,
}

fn put_basic(basic: Basic, options: Options, streams: &mut [Stream; 4], out: &mut Vec<u8>) {
    let filtered = u8::from(basic.filter.is_some()) << 2;
    let plain = options.without_zlib && options.level == 0;
    out.put_u8((if plain { 0x0a | filtered } else { basic.stream | filtered }) << 4);
    out.put(&basic.filter.unwrap_or_default());
    if basic.data.len() < UNCOMPRESSED {
        out.put(&basic.data);
    } else if plain {
        put_counted(&basic.data, out);
    } else if let Some(stream) = streams.get_mut(usize::from(basic.stream)) {
        put_counted(&stream.deflate(&basic.data, options.level), out);
    }
}

/// Bytes behind a compact length.
fn put_counted(bytes: &[u8], out: &mut Vec<u8>) {
    let seven = |shift: usize| u8::try_from(bytes.len() >> shift & 127).unwrap_or(0);
    match bytes.len() {
        ..128 => out.put_u8(seven(0)),
        128..16_384 => out.put(&[seven(0) | 128, seven(7)]),
        len => out.put(&[seven(0) | 128, seven(7) | 128, u8::try_from(len >> 14).unwrap_or(u8::MAX)]),
    }
    out.put(bytes);
}

fn copy_of(pixels: &Pixels, screen: &Framebuffer, rect: Rect) -> Vec<u8> {
    let mut data = Vec::new();
    screen.rows(rect).for_each(|row| pixels.put_row(Form::Tpixel, row, &mut data));
    data
}

fn palette_of(pixels: &Pixels, screen: &Framebuffer, rect: Rect, palette: &[u32]) -> Basic {
    let mut filter = vec![1, u8::try_from(palette.len() - 1).unwrap_or(0)];
    pixels.put_row(Form::Tpixel, palette, &mut filter);
    let index = |color: &u32| palette.iter().position(|c| c == color).and_then(|n| u8::try_from(n).ok());
    let mut data = Vec::new();
    for row in screen.rows(rect) {
        if palette.len() > 2 {
            data.extend(row.iter().map(|color| index(color).unwrap_or(0)));
        } else {
            data.extend(row.chunks(8).map(|group| {
                let bits = group.iter().zip((0..8).rev());
                bits.fold(0, |byte, (color, bit)| byte | index(color).unwrap_or(0) << bit)
            }));
        }
    }
    Basic { stream: if palette.len() > 2 { 2 } else { 1 }, filter: Some(filter), data }
}

/// Each channel as the difference to what the pixels to the left, above and above left let expect.
fn gradient_of(screen: &Framebuffer, rect: Rect) -> Basic {
    let mut data = Vec::new();
    let mut above = vec![[0u8; 3]; rect.width.into()];
    for row in screen.rows(rect) {
        let (mut left, mut corner) = ([0u8; 3], [0u8; 3]);
        for (color, up) in row.iter().zip(&mut above) {
            let [_, red, green, blue] = color.to_be_bytes();
            let now = [red, green, blue];
            for ((channel, left), (up, corner)) in now.iter().zip(left).zip(up.iter().zip(corner)) {
                let expected = (i16::from(left) + i16::from(*up) - i16::from(corner)).clamp(0, 255);
                data.put_u8(channel.wrapping_sub(u8::try_from(expected).unwrap_or(0)));
            }
            corner = *up;
            *up = now;
            left = now;
        }
    }
    Basic { stream: 3, filter: Some(vec![2]), data }
}

fn rgb(colors: impl Iterator<Item = u32>) -> Vec<u8> {
    colors.flat_map(|color| color.to_be_bytes().into_iter().skip(1)).collect()
}

fn jpeg_of(colors: impl Iterator<Item = u32>, rect: Rect, quality: u8) -> Option<Vec<u8>> {
    // The steps that TightVNC's encoders have always used.
    const QUALITY: [u8; 10] = [5, 10, 15, 25, 37, 50, 60, 70, 75, 80];
    let quality = QUALITY.get(usize::from(quality)).copied().unwrap_or(80);
    let mut out = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut out, quality);
    encoder.encode(&rgb(colors), rect.width, rect.height, ColorType::Rgb).ok()?;
    Some(out)
}

fn png_of(colors: impl Iterator<Item = u32>, rect: Rect) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, rect.width.into(), rect.height.into());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fast);
    encoder.write_header().ok()?.write_image_data(&rgb(colors)).ok()?;
    Some(out)
}
