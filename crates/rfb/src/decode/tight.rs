//! [7.7.5] Tight and TightPNG: one color, JPEG or PNG, or filtered pixels over four zlib streams.

use super::inflate::{Chunk, Stream};
use super::pixels::{Form, Pixels};
use super::{Canvas, Progress, image};
use crate::framebuffer::Rect;
use crate::wire::Reader;
use crate::{Misbehavior, limits};

/// Less data than this is sent as it is, without a length.
const UNCOMPRESSED: usize = 12;

/// What the viewer asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    Tight {
        /// -317 was asked for: basic compression may leave out zlib.
        without_zlib: bool,
    },
    Png,
}

pub(crate) fn advance(
    r: &mut Reader<'_>,
    canvas: &mut Canvas<'_>,
    rect: Rect,
    dialect: Dialect,
    streams: &mut [Stream; 4],
) -> Progress {
    let mut ahead = *r;
    let Some(control) = ahead.u8() else { return Ok(false) };
    let Some(body) = parse(&mut ahead, control, canvas.pixels, rect, dialect)? else { return Ok(false) };
    *r = ahead;
    for (n, stream) in streams.iter_mut().enumerate() {
        if control >> n & 1 == 1 {
            stream.reset();
        }
    }
    match body {
        Body::Fill(color) => canvas.screen.fill(rect, color),
        Body::Jpeg(bytes) => image::jpeg(bytes, canvas.screen, rect)?,
        Body::Png(bytes) => image::png(bytes, canvas.screen, rect)?,
        Body::Basic { filter, stream: None, data } => draw(canvas, rect, filter, Data::Plain(data))?,
        Body::Basic { filter, stream: Some(n), data } => {
            let stream = streams.get_mut(usize::from(n)).ok_or(Misbehavior::RectangleMalformed)?;
            draw(canvas, rect, filter, Data::Deflated(stream.chunk(data)))?;
        }
    }
    Ok(true)
}

enum Body<'a> {
    Fill(u32),
    Jpeg(&'a [u8]),
    Png(&'a [u8]),
    Basic { filter: Filter, stream: Option<u8>, data: &'a [u8] },
}

enum Filter {
    Copy,
    Palette(Vec<u32>),
    Gradient,
}

impl Filter {
    /// Bytes of one row after inflating.
    fn row_len(&self, width: u16, pixels: &Pixels) -> usize {
        let width = usize::from(width);
        match self {
            Filter::Palette(colors) if colors.len() <= 2 => width.div_ceil(8),
            Filter::Palette(_) => width,
            Filter::Copy | Filter::Gradient => width * pixels.len(Form::Tpixel),
        }
    }
}

/// A whole rectangle, or `None` if bytes are missing.
fn parse<'a>(
    r: &mut Reader<'a>,
    control: u8,
    pixels: &Pixels,
    rect: Rect,
    dialect: Dialect,
) -> Result<Option<Body<'a>>, Misbehavior> {
    let kind = control >> 4;
    if kind == 8 {
        return Ok(pixels.take(Form::Tpixel, r).map(Body::Fill));
    }
    if rect.width > limits::TIGHT_WIDTH {
        return Err(Misbehavior::RectangleMalformed);
    }
    match (kind, dialect) {
        (9, _) => Ok(counted(r).map(Body::Jpeg)),
        (10, Dialect::Png) => Ok(counted(r).map(Body::Png)),
        (0..=7, Dialect::Tight { .. }) => basic(r, pixels, rect, kind & 4 != 0, Some(kind & 3)),
        (10 | 14, Dialect::Tight { without_zlib: true }) => basic(r, pixels, rect, kind == 14, None),
        _ => Err(Misbehavior::RectangleMalformed),
    }
}

fn basic<'a>(
    r: &mut Reader<'a>,
    pixels: &Pixels,
    rect: Rect,
    filtered: bool,
    stream: Option<u8>,
) -> Result<Option<Body<'a>>, Misbehavior> {
    let filter = match if filtered { r.u8() } else { Some(0) } {
        None => return Ok(None),
        Some(0) => Filter::Copy,
        Some(1) => match palette(r, pixels) {
            Some(colors) => Filter::Palette(colors),
            None => return Ok(None),
        },
        Some(2) => Filter::Gradient,
        Some(_) => return Err(Misbehavior::RectangleMalformed),
    };
    let len = usize::from(rect.height) * filter.row_len(rect.width, pixels);
    if len < UNCOMPRESSED {
        return Ok(r.take(len).map(|data| Body::Basic { filter, stream: None, data }));
    }
    Ok(counted(r).map(|data| Body::Basic { filter, stream, data }))
}

fn palette(r: &mut Reader<'_>, pixels: &Pixels) -> Option<Vec<u32>> {
    let mut colors = vec![0; usize::from(r.u8()?) + 1];
    pixels.take_row(Form::Tpixel, r, &mut colors)?;
    Some(colors)
}

/// Bytes behind a compact length, which has one to three bytes and thus never more than 22 bits.
fn counted<'a>(r: &mut Reader<'a>) -> Option<&'a [u8]> {
    let mut len = 0;
    for shift in [0, 7, 14] {
        let byte = usize::from(r.u8()?);
        if shift == 14 {
            len |= byte << shift;
            break;
        }
        len |= (byte & 127) << shift;
        if byte & 128 == 0 {
            break;
        }
    }
    r.take(len)
}

enum Data<'a> {
    Plain(&'a [u8]),
    Deflated(Chunk<'a>),
}

impl Data<'_> {
    fn take(&mut self, n: usize, use_it: impl FnOnce(&[u8])) -> Result<(), Misbehavior> {
        match self {
            Data::Plain(bytes) => {
                let (head, tail) = bytes.split_at_checked(n).ok_or(Misbehavior::RectangleMalformed)?;
                *bytes = tail;
                use_it(head);
                Ok(())
            }
            Data::Deflated(chunk) => chunk.take(n, use_it),
        }
    }

    fn finish(self) -> Result<(), Misbehavior> {
        match self {
            Data::Plain([]) => Ok(()),
            Data::Plain(_) => Err(Misbehavior::RectangleMalformed),
            Data::Deflated(chunk) => chunk.finish(),
        }
    }
}

fn draw(canvas: &mut Canvas<'_>, rect: Rect, filter: Filter, mut data: Data<'_>) -> Result<(), Misbehavior> {
    let pixels = canvas.pixels;
    let row_len = filter.row_len(rect.width, pixels);
    let mut above = vec![[0; 3]; rect.width.into()];
    for row in canvas.screen.rows_mut(rect) {
        match &filter {
            Filter::Copy => data.take(row_len, |bytes| pixels.row(Form::Tpixel, bytes, row))?,
            Filter::Palette(colors) => {
                let mut known = true;
                data.take(row_len, |bytes| known = palette_row(bytes, colors, row))?;
                if !known {
                    return Err(Misbehavior::RectangleMalformed);
                }
            }
            Filter::Gradient => data.take(row_len, |bytes| gradient_row(bytes, pixels, &mut above, row))?,
        }
    }
    data.finish()
}

/// False if an index has no color.
fn palette_row(bytes: &[u8], colors: &[u32], row: &mut [u32]) -> bool {
    let draw = |pixel: &mut u32, index: u8| colors.get(usize::from(index)).map(|color| *pixel = *color);
    if colors.len() > 2 {
        return row.iter_mut().zip(bytes).all(|(pixel, index)| draw(pixel, *index).is_some());
    }
    row.chunks_mut(8).zip(bytes).all(|(group, byte)| {
        group.iter_mut().zip((0..8).rev()).all(|(pixel, bit)| draw(pixel, byte >> bit & 1).is_some())
    })
}

/// Each channel is the difference to what the pixels to the left, above and above left let expect.
fn gradient_row(bytes: &[u8], pixels: &Pixels, above: &mut [[u32; 3]], row: &mut [u32]) {
    let len = pixels.len(Form::Tpixel);
    let packed = len == 3;
    let maxima = if packed { [255; 3] } else { pixels.channels().map(|(max, _)| max) };
    let (mut left, mut corner) = ([0; 3], [0; 3]);
    for ((pixel, from), up) in row.iter_mut().zip(bytes.chunks_exact(len)).zip(above) {
        let difference = match *from {
            [red, green, blue] => [red, green, blue].map(u32::from),
            _ => pixels.channels_of(from),
        };
        let mut now = [0; 3];
        let neighbors = left.iter().zip(up.iter()).zip(&corner);
        for (((channel, difference), max), ((left, up), corner)) in
            now.iter_mut().zip(difference).zip(maxima).zip(neighbors)
        {
            let expected = (left + up).saturating_sub(*corner).min(max);
            *channel = (difference + expected) & max;
        }
        *pixel = if packed {
            now.iter().fold(0, |color, c| color << 8 | c)
        } else {
            pixels.color_of_channels(now)
        };
        corner = *up;
        *up = now;
        left = now;
    }
}
