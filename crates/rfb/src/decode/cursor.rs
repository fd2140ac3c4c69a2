//! [7.8.1] The pointer's picture, in the four forms that servers send.

use super::pixels::{Form, Pixels};
use crate::framebuffer::{Framebuffer, Rect};
use crate::wire::Reader;
use crate::{Misbehavior, limits};

/// The pointer's picture.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    /// The pixel that points, from the left.
    pub hot_x: u16,
    /// The pixel that points, from above.
    pub hot_y: u16,
    /// Pixels across; 0 hides the pointer.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
    /// `0xAARRGGBB`, colors not multiplied by alpha, row by row.
    pub pixels: Vec<u32>,
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cursor({}x{} at {},{})", self.width, self.height, self.hot_x, self.hot_y)
    }
}

const OPAQUE: u32 = 0xff00_0000;

impl Cursor {
    /// A picture whose rectangle names the hot spot and the size.
    pub(crate) fn new(rect: Rect, pixels: Vec<u32>) -> Cursor {
        Cursor { hot_x: rect.x, hot_y: rect.y, width: rect.width, height: rect.height, pixels }
    }
}

/// Refuses sizes that no pointer has.
pub(crate) fn check(rect: Rect) -> Result<(), Misbehavior> {
    let legal = rect.width <= limits::CURSOR && rect.height <= limits::CURSOR;
    if legal { Ok(()) } else { Err(Misbehavior::CursorSize) }
}

/// [7.8.1] Pixels, then a bit for each that shows.
pub(crate) fn colored(r: &mut Reader<'_>, rect: Rect, pixels: &Pixels) -> Option<Cursor> {
    let mut ahead = *r;
    let mut colors = vec![0; rect.area()];
    pixels.take_row(Form::Pixel, &mut ahead, &mut colors)?;
    let mask = bits(&mut ahead, rect)?;
    *r = ahead;
    let shown = colors.into_iter().zip(mask).map(|(color, shown)| if shown { color | OPAQUE } else { 0 });
    Some(Cursor::new(rect, shown.collect()))
}

/// [7.8.2] Two colors, a bit for each pixel that has the first, a bit for each that shows.
pub(crate) fn two_colored(r: &mut Reader<'_>, rect: Rect) -> Option<Cursor> {
    if rect.is_empty() {
        return Some(Cursor::new(rect, Vec::new()));
    }
    let mut ahead = *r;
    let [r1, g1, b1, r2, g2, b2] = ahead.array()?;
    let (first, second) = (u32::from_be_bytes([255, r1, g1, b1]), u32::from_be_bytes([255, r2, g2, b2]));
    let source = bits(&mut ahead, rect)?;
    let mask = bits(&mut ahead, rect)?;
    *r = ahead;
    let pixels = source.into_iter().zip(mask).map(|(source, shown)| match (source, shown) {
        (_, false) => 0,
        (true, true) => first,
        (false, true) => second,
    });
    Some(Cursor::new(rect, pixels.collect()))
}

/// VMware's: AND and XOR pictures, or red, green, blue, alpha.
pub(crate) fn vmware(r: &mut Reader<'_>, rect: Rect, pixels: &Pixels) -> Result<Option<Cursor>, Misbehavior> {
    let mut ahead = *r;
    let Some([kind, _]) = ahead.array() else { return Ok(None) };
    let picture = match kind {
        0 => and_xor(&mut ahead, rect, pixels),
        1 => ahead.take(rect.area() * 4).map(|bytes| {
            let (pixels, _) = bytes.as_chunks::<4>();
            pixels.iter().map(|[r, g, b, a]| u32::from_be_bytes([*a, *r, *g, *b])).collect()
        }),
        _ => return Err(Misbehavior::RectangleMalformed),
    };
    let Some(picture) = picture else { return Ok(None) };
    *r = ahead;
    Ok(Some(Cursor::new(rect, picture)))
}

fn and_xor(r: &mut Reader<'_>, rect: Rect, pixels: &Pixels) -> Option<Vec<u32>> {
    let len = rect.area() * pixels.len(Form::Pixel);
    let mut ahead = *r;
    let and = ahead.take(len)?;
    let mut xor = vec![0; rect.area()];
    pixels.take_row(Form::Pixel, &mut ahead, &mut xor)?;
    *r = ahead;
    let kept = and.chunks_exact(pixels.len(Form::Pixel)).map(|pixel| pixel.iter().any(|&byte| byte != 0));
    // A pixel of the screen that is kept and then changed is inverted, which no overlay can; black shows.
    let picture = kept.zip(xor).map(|(kept, xor)| match (kept, xor) {
        (true, 0) => 0,
        (true, _) => OPAQUE,
        (false, color) => color | OPAQUE,
    });
    Some(picture.collect())
}

/// A picture of red, green, blue, alpha, the colors multiplied by alpha.
pub(crate) fn premultiplied(screen: &Framebuffer, rect: Rect) -> Cursor {
    let pixels = screen.pixels().iter().map(|pixel| {
        let [red, green, blue, alpha] = pixel.to_le_bytes();
        let divide = |channel: u8| {
            let value = (u32::from(channel) * 255 + u32::from(alpha) / 2).checked_div(alpha.into());
            u8::try_from(value.unwrap_or(0).min(255)).unwrap_or(255)
        };
        u32::from_be_bytes([alpha, divide(red), divide(green), divide(blue)])
    });
    Cursor::new(rect, pixels.collect())
}

/// A bit for each pixel, rows padded to whole bytes, the highest bit first.
fn bits(r: &mut Reader<'_>, rect: Rect) -> Option<Vec<bool>> {
    let width = usize::from(rect.width);
    let row_len = width.div_ceil(8);
    let bytes = r.take(row_len * usize::from(rect.height))?;
    let bit = |row: &[u8], x: usize| row.get(x / 8).is_some_and(|byte| byte & (0x80 >> (x % 8)) != 0);
    Some(bytes.chunks_exact(row_len.max(1)).flat_map(|row| (0..width).map(move |x| bit(row, x))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PixelFormat;
    use crate::decode::pixels::ColorMap;

    const RECT: Rect = Rect::new(1, 0, 9, 2);

    #[test]
    fn x_cursor_golden() {
        let bytes = [255, 0, 0, 0, 0, 255, 0x80, 0x80, 0, 0, 0xc0, 0x80, 0, 0];
        let mut reader = Reader::new(&bytes);
        let cursor = two_colored(&mut reader, RECT).unwrap();
        assert!(reader.rest().is_empty());
        assert_eq!(cursor.pixels[..3], [0xffff0000, 0xff0000ff, 0]);
        assert_eq!(cursor.pixels[8], 0xffff0000);
        assert_eq!((cursor.hot_x, cursor.width, cursor.height), (1, 9, 2));
        assert!(two_colored(&mut Reader::new(&bytes[..13]), RECT).is_none());
    }

    #[test]
    fn vmware_golden() {
        let pixels = Pixels::new(PixelFormat::RGB888, &ColorMap::default());
        let rect = Rect::new(0, 0, 3, 1);
        let mut bytes = vec![0, 0];
        bytes.extend([0xff, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0]);
        bytes.extend([0, 0, 0, 0, 0xff, 0xff, 0xff, 0, 1, 2, 3, 0]);
        let cursor = vmware(&mut Reader::new(&bytes), rect, &pixels).unwrap().unwrap();
        assert_eq!(cursor.pixels, [0, OPAQUE, 0xff030201]);
        let alpha = vmware(&mut Reader::new(&[1, 0, 1, 2, 3, 4]), Rect::new(0, 0, 1, 1), &pixels).unwrap();
        assert_eq!(alpha.unwrap().pixels, [0x04010203]);
        assert_eq!(vmware(&mut Reader::new(&[2, 0]), rect, &pixels), Err(Misbehavior::RectangleMalformed));
    }

    #[test]
    fn alpha_is_divided_out() {
        let mut screen = Framebuffer::new(2, 1);
        for (pixel, bytes) in
            screen.rows_mut(Rect::new(0, 0, 2, 1)).flatten().zip([[64, 0, 128, 128], [9, 9, 9, 0]])
        {
            *pixel = u32::from_le_bytes(bytes);
        }
        let cursor = premultiplied(&screen, Rect::new(0, 0, 2, 1));
        assert_eq!(cursor.pixels, [0x80_80_00_ff, 0]);
    }
}
