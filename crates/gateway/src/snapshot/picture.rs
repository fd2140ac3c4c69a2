//! A screen made small: averaged over areas, as PNG.

use super::SnapshotError;
use rfb::Framebuffer;
use sha2::{Digest, Sha256};

/// A small picture of a screen.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
    /// The picture, as a PNG file. No smaller than it need be: screens are text and flat areas.
    pub png: Vec<u8>,
    /// Tells it from others: the first half of SHA-256 over the file, lower-case hex.
    pub digest: String,
}

impl std::fmt::Debug for Picture {
    /// Says nothing about what it shows.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}x{}, {} bytes)", self.width, self.height, self.png.len())
    }
}

impl Picture {
    /// A picture of at most `most_width` x `most_height`, in the screen's shape.
    pub fn of(screen: &Framebuffer, most_width: u16, most_height: u16) -> Result<Picture, SnapshotError> {
        if screen.bounds().is_empty() {
            return Err(SnapshotError::Empty);
        }
        let (width, height) = fit((screen.width(), screen.height()), (most_width, most_height));
        let png = encode(&averaged(screen, width, height), width, height)
            .map_err(|_| SnapshotError::Internal("snapshot.encoder"))?;
        let digest =
            data_encoding::HEXLOWER.encode(Sha256::digest(&png).first_chunk::<16>().unwrap_or(&[0; 16]));
        Ok(Picture { width, height, png, digest })
    }
}

/// The largest size of the same shape within `most`, never larger than the screen.
fn fit((width, height): (u16, u16), (most_width, most_height): (u16, u16)) -> (u16, u16) {
    let (w, h) = (u64::from(width), u64::from(height));
    let (mw, mh) = (u64::from(most_width.max(1)), u64::from(most_height.max(1)));
    let (fit_w, fit_h) = if w <= mw && h <= mh {
        (w, h)
    } else if w * mh >= h * mw {
        (mw, (h * mw + w / 2) / w)
    } else {
        ((w * mh + h / 2) / h, mh)
    };
    let narrow = |value: u64| u16::try_from(value.max(1)).unwrap_or(u16::MAX);
    (narrow(fit_w), narrow(fit_h))
}

/// Sums of red, green and blue.
type Sum = [u64; 3];

/// Red, green and blue of each pixel: the mean over the area of the screen that it stands for, edges by their share.
fn averaged(screen: &Framebuffer, width: u16, height: u16) -> Vec<u8> {
    let across: Vec<_> = overlaps(screen.width(), width).collect();
    let mut out = Vec::with_capacity(usize::from(width) * usize::from(height) * 3);
    let area = u64::from(screen.width()) * u64::from(screen.height());
    let mut rows = screen.rows(screen.bounds());
    let mut row: Vec<Sum> = Vec::new();
    let mut at = None;
    let mut sums = vec![Sum::default(); width.into()];
    let mut line = 0;
    for overlap in overlaps(screen.height(), height) {
        if overlap.to != line {
            finish_line(&mut sums, area, &mut out);
            line = overlap.to;
        }
        if at != Some(overlap.from) {
            row = across_row(rows.next().unwrap_or_default(), &across, width);
            at = Some(overlap.from);
        }
        for (sum, part) in sums.iter_mut().zip(&row) {
            add(sum, *part, overlap.weight);
        }
    }
    finish_line(&mut sums, area, &mut out);
    out
}

fn finish_line(sums: &mut [Sum], area: u64, out: &mut Vec<u8>) {
    for sum in sums {
        out.extend(
            std::mem::take(sum).map(|value| u8::try_from((value + area / 2) / area).unwrap_or(u8::MAX)),
        );
    }
}

fn across_row(pixels: &[u32], across: &[Overlap], width: u16) -> Vec<Sum> {
    let mut row = vec![Sum::default(); width.into()];
    for overlap in across {
        if let (Some(pixel), Some(sum)) = (pixels.get(overlap.from), row.get_mut(overlap.to)) {
            let [_, red, green, blue] = pixel.to_be_bytes();
            add(sum, [red, green, blue].map(u64::from), overlap.weight);
        }
    }
    row
}

fn add(sum: &mut Sum, part: Sum, weight: u64) {
    for (sum, part) in sum.iter_mut().zip(part) {
        *sum += part * weight;
    }
}

/// How much pixel `from` of the screen shares with pixel `to` of the picture, along one axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Overlap {
    from: usize,
    to: usize,
    weight: u64,
}

/// All overlaps of `many` pixels with `few`, in order. A pixel of the screen is `few` units long and one of the
/// picture `many`, so that all is in whole numbers.
fn overlaps(many: u16, few: u16) -> impl Iterator<Item = Overlap> {
    let (many, few) = (u64::from(many), u64::from(few));
    let (mut from, mut to, mut position) = (0, 0, 0);
    std::iter::from_fn(move || {
        if position >= many * few {
            return None;
        }
        let (from_end, to_end) = ((from + 1) * few, (to + 1) * many);
        let end = from_end.min(to_end);
        let overlap = Overlap {
            from: usize::try_from(from).unwrap_or(usize::MAX),
            to: usize::try_from(to).unwrap_or(usize::MAX),
            weight: end - position,
        };
        position = end;
        from += u64::from(end == from_end);
        to += u64::from(end == to_end);
        Some(overlap)
    })
}

fn encode(rgb: &[u8], width: u16, height: u16) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width.into(), height.into());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgb)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rfb::framebuffer::Rect;

    #[test]
    fn the_shape_is_kept_and_nothing_grows() {
        let most = (480, 300);
        for (screen, picture) in [
            ((1024, 768), (400, 300)),
            ((1920, 1080), (480, 270)),
            ((320, 200), (320, 200)),
            ((480, 300), (480, 300)),
            ((16_384, 2), (480, 1)),
            ((2, 16_384), (1, 300)),
            ((1, 1), (1, 1)),
        ] {
            assert_eq!(fit(screen, most), picture, "{screen:?}");
        }
    }

    #[test]
    fn whole_areas_are_averaged() {
        let mut screen = Framebuffer::new(4, 2);
        screen.fill(Rect::new(0, 0, 1, 2), 0x00ff_0000);
        screen.fill(Rect::new(2, 0, 2, 2), 0x0010_2030);
        assert_eq!(averaged(&screen, 2, 1), [128, 0, 0, 0x10, 0x20, 0x30]);
        // Three pixels into two: the middle one belongs to both by half.
        let mut screen = Framebuffer::new(3, 1);
        screen.fill(Rect::new(0, 0, 1, 1), 90);
        screen.fill(Rect::new(1, 0, 1, 1), 30);
        assert_eq!(averaged(&screen, 2, 1), [0, 0, 70, 0, 0, 10]);
    }

    #[test]
    fn what_it_shows_is_in_no_debug_text() {
        let picture = Picture::of(&Framebuffer::new(2, 2), 480, 300).unwrap();
        assert_eq!(format!("{picture:?}"), format!("Picture(2x2, {} bytes)", picture.png.len()));
    }

    proptest! {
        #[test]
        fn every_pixel_counts_once(many in 1u16..200, few in 1u16..200) {
            let few = few.min(many);
            let mut from = vec![0u64; many.into()];
            let mut to = vec![0u64; few.into()];
            for overlap in overlaps(many, few) {
                from[overlap.from] += overlap.weight;
                to[overlap.to] += overlap.weight;
            }
            prop_assert!(from.iter().all(|&weight| weight == few.into()));
            prop_assert!(to.iter().all(|&weight| weight == many.into()));
        }

        #[test]
        fn one_color_stays_that_color(
            width in 1u16..700, height in 1u16..400, color in 0u32..0x0100_0000,
        ) {
            let mut screen = Framebuffer::new(width, height);
            screen.fill(screen.bounds(), color);
            let (small_width, small_height) = fit((width, height), (48, 30));
            let rgb = averaged(&screen, small_width, small_height);
            let [_, red, green, blue] = color.to_be_bytes();
            prop_assert_eq!(rgb.len(), usize::from(small_width) * usize::from(small_height) * 3);
            prop_assert!(rgb.as_chunks::<3>().0.iter().all(|pixel| *pixel == [red, green, blue]));
        }
    }
}
