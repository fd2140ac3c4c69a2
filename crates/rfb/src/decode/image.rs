//! JPEG and PNG pictures inside Tight rectangles.

use crate::Misbehavior;
use crate::framebuffer::{Framebuffer, Rect};
use png::Transformations;
use std::io::Cursor;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Draws a JPEG picture of exactly the rectangle's size.
pub(crate) fn jpeg(bytes: &[u8], screen: &mut Framebuffer, rect: Rect) -> Result<(), Misbehavior> {
    let options = DecoderOptions::default()
        .set_max_width(rect.width.into())
        .set_max_height(rect.height.into())
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|_| Misbehavior::ImageData)?;
    if decoder.dimensions() != Some((rect.width.into(), rect.height.into())) {
        return Err(Misbehavior::ImageData);
    }
    let pixels = decoder.decode().map_err(|_| Misbehavior::ImageData)?;
    draw(&pixels, pixels.len().checked_div(rect.area()).unwrap_or(0), screen, rect)
}

/// Draws a PNG picture of exactly the rectangle's size.
pub(crate) fn png(bytes: &[u8], screen: &mut Framebuffer, rect: Rect) -> Result<(), Misbehavior> {
    let limits = png::Limits { bytes: rect.area() * 8 + (1 << 20) };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(|_| Misbehavior::ImageData)?;
    let size = (reader.info().width, reader.info().height);
    if size != (rect.width.into(), rect.height.into()) {
        return Err(Misbehavior::ImageData);
    }
    let mut pixels = vec![0; reader.output_buffer_size().ok_or(Misbehavior::ImageData)?];
    let frame = reader.next_frame(&mut pixels).map_err(|_| Misbehavior::ImageData)?;
    let pixels = pixels.get(..frame.buffer_size()).ok_or(Misbehavior::ImageData)?;
    draw(pixels, frame.color_type.samples(), screen, rect)
}

/// Draws pixels of one (gray), two (gray, alpha), three or four (alpha last) bytes.
fn draw(bytes: &[u8], samples: usize, screen: &mut Framebuffer, rect: Rect) -> Result<(), Misbehavior> {
    if bytes.len() != rect.area() * samples || !(1..=4).contains(&samples) {
        return Err(Misbehavior::ImageData);
    }
    let rows = bytes.chunks_exact((usize::from(rect.width) * samples).max(1));
    for (row, bytes) in screen.rows_mut(rect).zip(rows) {
        for (pixel, bytes) in row.iter_mut().zip(bytes.chunks_exact(samples)) {
            *pixel = match *bytes {
                [gray] | [gray, _] => u32::from_be_bytes([0, gray, gray, gray]),
                [red, green, blue] | [red, green, blue, _] => u32::from_be_bytes([0, red, green, blue]),
                _ => 0,
            };
        }
    }
    Ok(())
}
