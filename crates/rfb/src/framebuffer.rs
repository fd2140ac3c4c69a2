//! A screen in memory: pixels, and which of them changed.
//!
//! Everything that has pixels ends here (a decoded target, the test card) and everything that needs them
//! starts here (thumbnails, live view, the encoders). One pixel is a `u32`, `0x00RRGGBB`.

use crate::{Misbehavior, limits};

/// Damaged rectangles kept apart before they become one that holds them all.
const DAMAGE: usize = 64;

/// A rectangle in pixels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Rect {
    /// Left edge.
    pub x: u16,
    /// Upper edge.
    pub y: u16,
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
}

impl Rect {
    /// A rectangle by its upper left corner and its size.
    pub const fn new(x: u16, y: u16, width: u16, height: u16) -> Rect {
        Rect { x, y, width, height }
    }

    /// The first column to the right of it.
    pub fn right(&self) -> u32 {
        u32::from(self.x) + u32::from(self.width)
    }

    /// The first row below it.
    pub fn bottom(&self) -> u32 {
        u32::from(self.y) + u32::from(self.height)
    }

    /// Pixels inside.
    pub fn area(&self) -> usize {
        usize::from(self.width) * usize::from(self.height)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// Whether it lies inside a screen of this size.
    pub fn is_within(&self, width: u16, height: u16) -> bool {
        self.right() <= width.into() && self.bottom() <= height.into()
    }

    /// What both share; empty if nothing.
    pub fn intersection(&self, other: &Rect) -> Rect {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        let width = self.right().min(other.right()).saturating_sub(x.into());
        let height = self.bottom().min(other.bottom()).saturating_sub(y.into());
        Rect { x, y, width: narrow(width), height: narrow(height) }
    }

    /// The smallest rectangle that holds both.
    pub fn union(&self, other: &Rect) -> Rect {
        if self.is_empty() {
            return *other;
        }
        if other.is_empty() {
            return *self;
        }
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let width = self.right().max(other.right()).saturating_sub(x.into());
        let height = self.bottom().max(other.bottom()).saturating_sub(y.into());
        Rect { x, y, width: narrow(width), height: narrow(height) }
    }

    /// What it does not share with another one, in up to four rectangles.
    pub fn without(&self, other: &Rect) -> impl Iterator<Item = Rect> + use<> {
        let shared = self.intersection(other);
        let (right, bottom) = (narrow(self.right()), narrow(self.bottom()));
        let (shared_right, shared_bottom) = (narrow(shared.right()), narrow(shared.bottom()));
        let parts = if shared.is_empty() {
            [*self, Rect::default(), Rect::default(), Rect::default()]
        } else {
            [
                Rect { height: shared.y - self.y, ..*self },
                Rect { y: shared_bottom, height: bottom.saturating_sub(shared_bottom), ..*self },
                Rect { width: shared.x - self.x, ..Rect { y: shared.y, height: shared.height, ..*self } },
                Rect { x: shared_right, width: right.saturating_sub(shared_right), ..shared },
            ]
        };
        parts.into_iter().filter(|part| !part.is_empty())
    }

    /// Its tiles of `size` pixels, row by row; those at the right and lower edge may be smaller.
    pub fn tiles(&self, size: u16) -> Tiles {
        Tiles { rect: *self, size: size.max(1), x: 0, y: 0 }
    }
}

/// The tiles of a rectangle, see [`Rect::tiles`].
#[derive(Clone, Debug)]
pub struct Tiles {
    rect: Rect,
    size: u16,
    x: u32,
    y: u32,
}

impl Tiles {
    /// The tile that comes next.
    pub fn peek(&self) -> Option<Rect> {
        let (width, height) = (u32::from(self.rect.width), u32::from(self.rect.height));
        (self.x < width && self.y < height).then(|| Rect {
            x: narrow(u32::from(self.rect.x) + self.x),
            y: narrow(u32::from(self.rect.y) + self.y),
            width: self.size.min(narrow(width - self.x)),
            height: self.size.min(narrow(height - self.y)),
        })
    }
}

impl Iterator for Tiles {
    type Item = Rect;

    fn next(&mut self) -> Option<Rect> {
        let tile = self.peek()?;
        self.x += u32::from(self.size);
        if self.x >= u32::from(self.rect.width) {
            self.x = 0;
            self.y += u32::from(self.size);
        }
        Some(tile)
    }
}

fn narrow(value: u32) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

/// A screen of pixels with its damage.
#[derive(Clone, PartialEq, Eq)]
pub struct Framebuffer {
    width: u16,
    height: u16,
    pixels: Vec<u32>,
    damage: Vec<Rect>,
}

impl Framebuffer {
    /// A black screen. Memory is only touched where pixels are drawn.
    pub fn new(width: u16, height: u16) -> Framebuffer {
        let pixels = vec![0; usize::from(width) * usize::from(height)];
        Framebuffer { width, height, pixels, damage: Vec::new() }
    }

    /// A black screen whose size a peer chose: refused over the limits.
    pub fn bounded(width: u16, height: u16, max_pixels: usize) -> Result<Framebuffer, Misbehavior> {
        let legal = width <= limits::DIMENSION
            && height <= limits::DIMENSION
            && Rect::new(0, 0, width, height).area() <= max_pixels;
        if legal { Ok(Framebuffer::new(width, height)) } else { Err(Misbehavior::ScreenSize) }
    }

    /// Pixels across.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Pixels down.
    pub fn height(&self) -> u16 {
        self.height
    }

    /// The whole screen.
    pub fn bounds(&self) -> Rect {
        Rect::new(0, 0, self.width, self.height)
    }

    /// All pixels, `0x00RRGGBB`, row by row.
    pub fn pixels(&self) -> &[u32] {
        &self.pixels
    }

    /// One pixel.
    pub fn pixel(&self, x: u16, y: u16) -> Option<u32> {
        self.rows(Rect::new(x, y, 1, 1)).next()?.first().copied()
    }

    /// The rows of a rectangle; nothing if it is not inside.
    pub fn rows(&self, rect: Rect) -> impl Iterator<Item = &[u32]> {
        let (start, end) = (usize::from(rect.x), usize::from(rect.x) + usize::from(rect.width));
        let height = if rect.is_within(self.width, self.height) { rect.height.into() } else { 0 };
        let rows = self.pixels.chunks_exact(usize::from(self.width).max(1));
        rows.skip(rect.y.into()).take(height).filter_map(move |row| row.get(start..end))
    }

    /// The rows of a rectangle, to draw on; nothing if it is not inside. Says nothing about damage.
    pub fn rows_mut(&mut self, rect: Rect) -> impl Iterator<Item = &mut [u32]> {
        let (start, end) = (usize::from(rect.x), usize::from(rect.x) + usize::from(rect.width));
        let height = if rect.is_within(self.width, self.height) { rect.height.into() } else { 0 };
        let rows = self.pixels.chunks_exact_mut(usize::from(self.width).max(1));
        rows.skip(rect.y.into()).take(height).filter_map(move |row| row.get_mut(start..end))
    }

    /// Gives a rectangle one color.
    pub fn fill(&mut self, rect: Rect, color: u32) {
        self.rows_mut(rect).for_each(|row| row.fill(color));
    }

    /// Moves pixels from (`x`, `y`) to `to`; both places may overlap. Nothing if either is not inside.
    pub fn copy(&mut self, x: u16, y: u16, to: Rect) {
        let from = Rect { x, y, ..to };
        let (width, height) = (self.width, self.height);
        if !from.is_within(width, height) || !to.is_within(width, height) {
            return;
        }
        let stride = usize::from(width);
        let mut row = |n: u16| {
            let start = usize::from(from.y + n) * stride + usize::from(from.x);
            let target = usize::from(to.y + n) * stride + usize::from(to.x);
            self.pixels.copy_within(start..start + usize::from(to.width), target);
        };
        if from.y < to.y {
            (0..to.height).rev().for_each(&mut row);
        } else {
            (0..to.height).for_each(&mut row);
        }
    }

    /// Another size; what both sizes share stays, the rest is black. Everything is damaged.
    pub fn resize(&mut self, width: u16, height: u16, max_pixels: usize) -> Result<(), Misbehavior> {
        let mut resized = Framebuffer::bounded(width, height, max_pixels)?;
        let shared = self.bounds().intersection(&resized.bounds());
        for (to, from) in resized.rows_mut(shared).zip(self.rows(shared)) {
            to.copy_from_slice(from);
        }
        *self = resized;
        self.add_damage(self.bounds());
        Ok(())
    }

    /// Notes that a rectangle changed.
    pub fn add_damage(&mut self, rect: Rect) {
        let rect = rect.intersection(&self.bounds());
        if rect.is_empty() {
            return;
        }
        if self.damage.len() >= DAMAGE {
            let all = self.damage.iter().fold(rect, |all, one| all.union(one));
            self.damage.clear();
            self.damage.push(all);
        } else {
            self.damage.push(rect);
        }
    }

    /// What changed since the last [`Framebuffer::take_damage`]; may overlap.
    pub fn damage(&self) -> &[Rect] {
        &self.damage
    }

    /// Takes the damage.
    pub fn take_damage(&mut self) -> Vec<Rect> {
        std::mem::take(&mut self.damage)
    }
}

impl std::fmt::Debug for Framebuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Framebuffer({}x{})", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn numbered(width: u16, height: u16) -> Framebuffer {
        let mut screen = Framebuffer::new(width, height);
        for (n, pixel) in (0..).zip(screen.rows_mut(Rect::new(0, 0, width, height)).flatten()) {
            *pixel = n;
        }
        screen
    }

    proptest! {
        /// The model copies through a second screen.
        #[test]
        fn overlapping_copies_are_as_if_through_another_screen(
            x in 0u16..8, y in 0u16..8, to_x in 0u16..8, to_y in 0u16..8, width in 0u16..9, height in 0u16..9,
        ) {
            let before = numbered(12, 11);
            let to = Rect::new(to_x, to_y, width, height);
            let from = Rect::new(x, y, width, height);
            let mut screen = before.clone();
            screen.copy(x, y, to);
            let mut model = before.clone();
            if from.is_within(12, 11) && to.is_within(12, 11) {
                for (to, from) in model.rows_mut(to).zip(before.rows(from)) {
                    to.copy_from_slice(from);
                }
            }
            prop_assert_eq!(screen.pixels(), model.pixels());
        }

        #[test]
        fn tiles_cover_each_pixel_once(width in 0u16..70, height in 0u16..70, size in 1u16..20) {
            let mut screen = Framebuffer::new(80, 80);
            for tile in Rect::new(3, 4, width, height).tiles(size) {
                screen.rows_mut(tile).flatten().for_each(|pixel| *pixel += 1);
            }
            let inside: u32 = screen.rows(Rect::new(3, 4, width, height)).flatten().sum();
            let all: u32 = screen.pixels().iter().sum();
            prop_assert_eq!(inside, u32::from(width) * u32::from(height));
            prop_assert_eq!(all, inside);
        }
    }

    proptest! {
        #[test]
        fn what_two_do_not_share(
            x in 0u16..8, y in 0u16..8, width in 1u16..9, height in 1u16..9,
            other_x in 0u16..8, other_y in 0u16..8, other_width in 0u16..9, other_height in 0u16..9,
        ) {
            let rect = Rect::new(x, y, width, height);
            let other = Rect::new(other_x, other_y, other_width, other_height);
            let mut screen = Framebuffer::new(20, 20);
            let mut add = |rect: Rect| screen.rows_mut(rect).flatten().for_each(|pixel| *pixel += 1);
            rect.without(&other).for_each(&mut add);
            add(rect.intersection(&other));
            let mut expected = Framebuffer::new(20, 20);
            expected.fill(rect, 1);
            prop_assert_eq!(screen.pixels(), expected.pixels());
        }
    }

    #[test]
    fn outside_is_nothing_and_a_bomb_is_refused() {
        let mut screen = Framebuffer::new(4, 4);
        screen.fill(Rect::new(3, 3, 2, 1), 7);
        assert!(screen.pixels().iter().all(|&p| p == 0));
        assert_eq!(screen.pixel(4, 0), None);
        assert_eq!(Framebuffer::bounded(16_384, 16_384, 1 << 20), Err(Misbehavior::ScreenSize));
        assert_eq!(Framebuffer::bounded(16_385, 1, 1 << 20), Err(Misbehavior::ScreenSize));
    }

    #[test]
    fn resizing_keeps_what_is_shared() {
        let mut screen = numbered(4, 3);
        screen.resize(2, 5, 100).unwrap();
        assert_eq!(screen.pixels(), [0, 1, 4, 5, 8, 9, 0, 0, 0, 0]);
        assert_eq!(screen.take_damage(), [Rect::new(0, 0, 2, 5)]);
        for n in 0..1000u16 {
            screen.add_damage(Rect::new(0, n % 5, 1, 1));
        }
        assert!(screen.damage().len() <= DAMAGE);
    }
}
