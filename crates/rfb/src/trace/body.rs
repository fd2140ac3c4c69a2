//! Rectangles whose framing depends on their pixels: others of the same length in their place.
//!
//! Tiles' kinds and the lengths of runs say what a screen shows almost as well as its colors. So nothing of
//! such a rectangle is kept but its length, about, and tiles are made up that fill exactly that.

use super::{Draft, coarse};

/// Tiles at the end that are tried together.
const TAIL: usize = 3;
/// Tries to make the last tiles fit.
const TRIES: usize = 1 << 20;

/// A rectangle to be replaced.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub(crate) shape: Shape,
    pub(crate) width: u16,
    pub(crate) height: u16,
    /// Bytes of a PIXEL, or of a CPIXEL in TRLE.
    pub(crate) pixel: usize,
    /// Bytes that came.
    pub(crate) len: u64,
}

/// What its framing follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    Hextile,
    ZlibHex,
    Trle,
    Jpeg,
}

/// A pattern, so many times.
type Part = (usize, Vec<u8>);

/// One tile's form.
type Form = Vec<Part>;

impl Body {
    /// Writes a rectangle of this length; if it is not `whole`, the beginning of one.
    pub(crate) fn write(&self, whole: bool, out: &mut Draft) {
        let real = usize::try_from(self.len).unwrap_or(usize::MAX);
        let mut left = if whole { coarse(real) } else { real };
        let mut forms = match (self.shape, whole) {
            (Shape::Jpeg, _) => Some(image(left, whole)),
            (_, true) => self.fill(left),
            (_, false) => None,
        };
        if forms.is_none() && whole {
            left = real;
            forms = self.fill(real);
        }
        out.replace(real, left);
        let forms = forms.unwrap_or_else(|| self.beginning());
        for (count, pattern) in forms.iter().flatten() {
            let fits = (left / pattern.len().max(1)).min(*count);
            out.repeat(u64::try_from(fits).unwrap_or(0), pattern);
            left -= fits * pattern.len();
            if fits < *count {
                let start = pattern.get(..left).unwrap_or_default();
                out.keep(start);
                left -= start.len();
                break;
            }
        }
        if left > 0 {
            out.short(u64::try_from(left).unwrap_or(0));
        }
    }

    /// Uncompressed tiles: the longest beginning that can be cut anywhere. Its last byte is missing, so that
    /// it never is a whole rectangle.
    fn beginning(&self) -> Vec<Form> {
        let mut forms: Vec<Form> = self.tiles().filter_map(|tile| self.raw(tile)).collect();
        if let Some((zeros, _)) = forms.last_mut().and_then(|form| form.last_mut()) {
            *zeros = zeros.saturating_sub(1);
        }
        forms
    }

    /// Width and height of each tile.
    fn tiles(&self) -> impl Iterator<Item = Tile> + use<> {
        let (width, height) = (usize::from(self.width), usize::from(self.height));
        (0..height.div_ceil(16)).flat_map(move |row| {
            (0..width.div_ceil(16)).map(move |column| Tile {
                width: (width - column * 16).min(16),
                height: (height - row * 16).min(16),
            })
        })
    }

    /// Tiles that have `len` bytes together.
    fn fill(&self, len: usize) -> Option<Vec<Form>> {
        let tiles: Vec<Tile> = self.tiles().collect();
        let (front, tail) = tiles.split_at(tiles.len().saturating_sub(TAIL));
        let (mut forms, mut left, mut palette) = (Vec::with_capacity(tiles.len()), len, false);
        let mut after = tiles.len();
        for tile in front {
            after -= 1;
            let most = left.checked_sub(after * self.least(palette))?.min(self.most(*tile));
            let form = (1..=most).rev().find_map(|n| Some((n, self.form(*tile, n, palette)?)));
            let (taken, form) = form?;
            palette |= self.is_palette(&form);
            left -= taken;
            forms.push(form);
        }
        let mut tries = TRIES;
        forms.append(&mut self.fit(tail, left, palette, &mut tries)?);
        Some(forms)
    }

    /// The last few tiles, all ways tried.
    fn fit(&self, tiles: &[Tile], len: usize, palette: bool, tries: &mut usize) -> Option<Vec<Form>> {
        let Some((&tile, rest)) = tiles.split_first() else { return (len == 0).then(Vec::new) };
        let (least, most) = if rest.is_empty() { (len, len) } else { (1, len.min(self.most(tile))) };
        for n in (least..=most).rev() {
            *tries = tries.checked_sub(1)?;
            let Some(form) = self.form(tile, n, palette) else { continue };
            let found = self.fit(rest, len - n, palette || self.is_palette(&form), tries);
            if let Some(mut forms) = found {
                forms.insert(0, form);
                return Some(forms);
            }
        }
        None
    }

    fn is_palette(&self, form: &Form) -> bool {
        self.shape == Shape::Trle && form.first().and_then(|(_, p)| p.first()).is_some_and(|&kind| kind > 129)
    }

    /// Fewest bytes of a tile.
    fn least(&self, palette: bool) -> usize {
        match self.shape {
            Shape::Trle if palette => (1 + self.pixel).min(4),
            Shape::Trle => 1 + self.pixel,
            _ => 1,
        }
    }

    /// Most bytes of a tile.
    fn most(&self, tile: Tile) -> usize {
        let (pixel, area) = (self.pixel, tile.area());
        match self.shape {
            Shape::Trle => (1 + area * (pixel + 1)).max(1 + 127 * pixel + 2 * area),
            Shape::ZlibHex => 3 + 0xffff,
            _ => (1 + area * pixel).max(2 + 2 * pixel + 255 * (2 + pixel)),
        }
    }

    /// A tile of exactly `len` bytes.
    fn form(&self, tile: Tile, len: usize, palette: bool) -> Option<Form> {
        match self.shape {
            Shape::Trle => trle_tile(tile.area(), self.pixel, len, palette),
            Shape::ZlibHex => zlib_tile(len).or_else(|| hextile_tile(tile.area(), self.pixel, len)),
            _ => hextile_tile(tile.area(), self.pixel, len),
        }
    }

    /// An uncompressed tile.
    fn raw(&self, tile: Tile) -> Option<Form> {
        let kind = if self.shape == Shape::Trle { 0 } else { 1 };
        Some(vec![(1, vec![kind]), (tile.area() * self.pixel, vec![0])])
    }
}

#[derive(Clone, Copy, Debug)]
struct Tile {
    width: usize,
    height: usize,
}

impl Tile {
    fn area(self) -> usize {
        self.width * self.height
    }
}

/// A whole image may have any length from four bytes, as fill bytes are allowed before a marker; the
/// beginning of one goes on in coded data.
fn image(len: usize, whole: bool) -> Vec<Form> {
    let (start, fill, end): (&[u8], u8, &[u8]) = match (whole, len) {
        (true, _) => (&[0xff, 0xd8], 0xff, &[0xd9]),
        (false, ..6) => (&[0xff, 0xd8], 0, &[]),
        (false, _) => (&[0xff, 0xd8, 0xff, 0xda, 0, 2], 0, &[]),
    };
    let filled = if len < 6 && !whole { 0 } else { len.saturating_sub(start.len() + end.len()) };
    vec![vec![(1, start.to_vec()), (filled, vec![fill]), (1, end.to_vec())]]
}

/// [7.7.4]
fn hextile_tile(area: usize, pixel: usize, len: usize) -> Option<Form> {
    if len == 1 + area * pixel {
        return Some(vec![(1, vec![1]), (area * pixel, vec![0])]);
    }
    for (mask, colors) in [(0, 0), (2, pixel), (6, 2 * pixel)] {
        if len == 1 + colors {
            return Some(vec![(1, [&[mask][..], &vec![0; colors]].concat())]);
        }
        for (kind, each) in [(8, 2), (0x18, 2 + pixel)] {
            let Some(subrectangles) = len.checked_sub(2 + colors) else { continue };
            let count = subrectangles / each;
            if let (0, Ok(count)) = (subrectangles % each, u8::try_from(count)) {
                let head = [&[mask | kind][..], &vec![0; colors], &[count]].concat();
                return Some(vec![(1, head), (subrectangles, vec![0])]);
            }
        }
    }
    None
}

/// A compressed tile of ZlibHex.
fn zlib_tile(len: usize) -> Option<Form> {
    let [high, low] = u16::try_from(len.checked_sub(3)?).ok()?.to_be_bytes();
    Some(vec![(1, vec![0x20, high, low]), (len - 3, vec![0])])
}

/// [7.7.5]
fn trle_tile(area: usize, pixel: usize, len: usize, palette: bool) -> Option<Form> {
    let body = len.checked_sub(1)?;
    if body == area * pixel {
        return Some(vec![(len, vec![0])]);
    }
    if body == pixel {
        return Some(vec![(1, [&[1][..], &vec![0; pixel]].concat())]);
    }
    if palette && let Some(mut runs) = indexed_runs(area, body) {
        runs.insert(0, (1, vec![129]));
        return Some(runs);
    }
    let colors = body.saturating_sub(2 * area).div_ceil(pixel).max(2);
    if let (Ok(kind), Some(runs)) = (
        u8::try_from(128 + colors),
        body.checked_sub(colors * pixel).and_then(|runs| indexed_runs(area, runs)),
    ) {
        let mut form = vec![(1, [&[kind][..], &vec![0; colors * pixel]].concat())];
        form.extend(runs);
        return Some(form);
    }
    let run = |pixels: usize| [&vec![0; pixel][..], &[u8::try_from(pixels - 1).unwrap_or(0)]].concat();
    let count = body / (pixel + 1);
    let last = (area + 1).checked_sub(count)?;
    let fits = body % (pixel + 1) == 0 && count > 0 && last > 0 && last < 256;
    fits.then(|| vec![(1, vec![128]), (count - 1, run(1)), (1, run(last))])
}

/// Palette entries and runs of the first one: `area` pixels in `len` bytes.
fn indexed_runs(area: usize, len: usize) -> Option<Form> {
    if len >= area {
        let explicit = len - area;
        return (explicit <= area).then(|| vec![(explicit, vec![0x80, 0]), (area - explicit, vec![0])]);
    }
    let singles = len.checked_sub(2)?;
    let run = u8::try_from(area - singles - 1).ok().filter(|&run| run < 255)?;
    Some(vec![(singles, vec![0]), (1, vec![0x80, run])])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{hextile, jpeg, trle};
    use model::event::Origin;
    use proptest::prelude::*;

    /// The bytes that a draft says.
    fn bytes(body: &Body, whole: bool) -> Option<Vec<u8>> {
        let mut draft = Draft::new(Origin::Target);
        body.write(whole, &mut draft);
        let text = draft.finish();
        let mut bytes = Vec::new();
        for atom in text.split_whitespace().skip(2) {
            let (count, hex) = atom.split_once('*').unwrap_or(("1", atom));
            let pattern = data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?;
            bytes.extend(pattern.repeat(count.parse().unwrap()));
        }
        Some(bytes)
    }

    fn check(shape: Shape, size: (u16, u16), pixel: usize, real: usize) {
        let body = Body { shape, width: size.0, height: size.1, pixel, len: u64::try_from(real).unwrap() };
        let made = bytes(&body, true).unwrap_or_else(|| panic!("{body:?} is short"));
        let len = made.len();
        assert!(len == coarse(real) || len == real);
        let walked = match shape {
            Shape::Trle => trle::Tiles::new(size.0, size.1).walk(&made, pixel),
            Shape::Jpeg => jpeg::Scan::new().walk(&made),
            _ => hextile::Tiles::new(size.0, size.1, shape == Shape::ZlibHex).walk(&made, pixel),
        };
        assert_eq!((walked.taken + walked.skip, walked.done, walked.fault), (len, true, None));
    }

    /// Tiles as servers make them, from a string of choices.
    fn real_tiles(shape: Shape, body: &Body, choices: &[u8]) -> usize {
        let mut palette = 0;
        let pixel = body.pixel;
        let lens = body.tiles().zip(choices.iter().cycle()).map(|(tile, &choice)| {
            let (n, area) = (usize::from(choice), tile.area());
            match (shape, choice % 5) {
                (Shape::Trle, 0) => 1 + pixel,
                (Shape::Trle, 1) => 1 + area * pixel,
                (Shape::Trle, 2) => {
                    palette = 2 + n % 15;
                    let bits = if palette == 2 {
                        1
                    } else if palette < 5 {
                        2
                    } else {
                        4
                    };
                    1 + palette * pixel + (tile.width * bits).div_ceil(8) * tile.height
                }
                (Shape::Trle, 3) => 1 + (1 + n % area) * (pixel + 1) + usize::from(area == 256),
                (Shape::Trle, _) if palette > 0 => 1 + area,
                (Shape::Trle, _) => 1 + pixel,
                (_, 0) => 1,
                (_, 1) => 1 + area * pixel,
                (_, 2) => 1 + pixel,
                (_, 3) => 2 + pixel + n * 2,
                (_, _) => 2 + n * (2 + pixel),
            }
        });
        lens.sum()
    }

    proptest! {
        #[test]
        fn tiles_of_the_same_length_are_found(
            trle in any::<bool>(),
            size in (1..200u16, 1..100u16),
            pixel in 1..=4usize,
            choices in prop::collection::vec(any::<u8>(), 1..40),
        ) {
            let shape = if trle { Shape::Trle } else { Shape::Hextile };
            let pixel = if !trle && pixel == 3 { 4 } else { pixel };
            let body = Body { shape, width: size.0, height: size.1, pixel, len: 0 };
            check(shape, size, pixel, real_tiles(shape, &body, &choices));
        }
    }

    #[test]
    fn images_and_compressed_tiles_have_any_length() {
        for len in [4, 5, 9, 70_000] {
            check(Shape::Jpeg, (64, 64), 4, len);
        }
        for len in [4, 20, 5000, 200_000] {
            check(Shape::ZlibHex, (32, 32), 4, len);
        }
    }

    #[test]
    fn beginnings_are_beginnings() {
        for (shape, len) in [(Shape::Trle, 1000), (Shape::Hextile, 700), (Shape::Jpeg, 2), (Shape::Jpeg, 600)]
        {
            let body = Body { shape, width: 40, height: 40, pixel: 3, len };
            assert_eq!(bytes(&body, false).map(|b| u64::try_from(b.len()).unwrap()), Some(len));
        }
    }
}
