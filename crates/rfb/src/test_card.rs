//! The test card: a VNC server's application without a machine behind it.
//!
//! It starts where both handshakes end. It draws a scene that answers to keys, pointer and clipboard, so
//! that a first console works where nothing can be installed; and since the same input gives the same
//! pixels, [`TestCard::framebuffer`] is an exact oracle for every test of pictures.
//!
//! - `handle_*`: the viewer's bytes and the passing of time;
//! - `poll_*`: the server's bytes, and when time matters next. Updates are drawn when they are polled, so
//!   a slow viewer sees late frames and never old ones.

mod font;
mod scene;

use crate::decode::{Cursor, Layout, Screen, number};
use crate::encode::{self, Encoder};
use crate::framebuffer::{Framebuffer, Rect};
use crate::wire::{Put, Reader};
use crate::{Misbehavior, PixelFormat, ServerInit, limits};
use model::secret::{KeyClass, Keysym};
use scene::State;
use std::time::{Duration, Instant};

/// Smallest width and height.
const SMALLEST: u16 = 64;
/// Largest width and height.
const LARGEST: u16 = 4096;
/// Answers that wait to be polled before no more messages are taken.
const OUTPUT: usize = 64 * 1024;
/// Changes are found in tiles of this size.
const TILE: u16 = 32;
/// Bit 31 of a fence's flags: an answer is wanted.
const FENCE_REQUEST: u32 = 1 << 31;
/// The flags that an answer repeats.
const FENCE_KNOWN: u32 = 7;
const RETURN: u32 = 0xff0d;
const BACK_SPACE: u32 = 0xff08;

/// The server's side of one viewer's session.
#[derive(Debug)]
pub struct TestCard {
    name: Vec<u8>,
    animated: bool,
    epoch: Option<Instant>,
    state: State,
    /// What the background and `screen` were drawn from.
    drawn: Option<State>,
    background: Framebuffer,
    screen: Framebuffer,
    revision: u32,
    encoder: Encoder,
    encodings: Vec<i32>,
    request: Option<Rect>,
    continuous: Option<Rect>,
    news: News,
    /// A size that the viewer wants and that the next update brings.
    wish: Option<(u16, u16)>,
    output: Vec<u8>,
}

/// Rectangles without pixels that wait for an update.
#[derive(Debug, Default)]
struct News {
    cursor: bool,
    name: bool,
    extended_key: bool,
    layouts: Vec<Layout>,
}

impl News {
    fn count(&self) -> usize {
        usize::from(self.cursor)
            + usize::from(self.name)
            + usize::from(self.extended_key)
            + self.layouts.len()
    }
}

impl TestCard {
    /// The most bytes that a caller may have to hold until a message is complete.
    pub const MAX_HELD: usize = limits::CLIPBOARD + 8;

    /// A card with a clock. Sizes are brought within 64 and 4096.
    pub fn new(width: u16, height: u16) -> TestCard {
        TestCard::with_animation(width, height, true)
    }

    /// A card on which nothing moves unless the viewer does something.
    pub fn still(width: u16, height: u16) -> TestCard {
        TestCard::with_animation(width, height, false)
    }

    fn with_animation(width: u16, height: u16, animated: bool) -> TestCard {
        let (width, height) = (width.clamp(SMALLEST, LARGEST), height.clamp(SMALLEST, LARGEST));
        let mut background = Framebuffer::new(width, height);
        scene::background(&mut background);
        let mut card = TestCard {
            name: b"Gatehouse test card".to_vec(),
            animated,
            epoch: None,
            state: State { seconds: animated.then_some(0), ..State::default() },
            drawn: None,
            screen: background.clone(),
            background,
            revision: 0,
            encoder: Encoder::new(PixelFormat::RGB888),
            encodings: Vec::new(),
            request: None,
            continuous: None,
            news: News::default(),
            wish: None,
            output: Vec::new(),
        };
        card.draw();
        card
    }

    /// What the handshake sends: the size, the format and the name.
    pub fn server_init(&self) -> ServerInit {
        ServerInit {
            width: self.screen.width(),
            height: self.screen.height(),
            pixel_format: *self.encoder.pixel_format(),
            name: self.name.clone(),
        }
    }

    /// The picture as it was last drawn. Where [`TestCard::is_settled`], a viewer that decoded everything
    /// polled has the same pixels, in a 24 bit format to the last bit.
    pub fn framebuffer(&self) -> &Framebuffer {
        &self.screen
    }

    /// How often the picture changed, which is also the color of the pixel at (0, 0).
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// Whether the viewer was sent all that there is to see.
    pub fn is_settled(&self) -> bool {
        self.output.is_empty() && self.screen.damage().is_empty() && self.drawn.as_ref() == Some(&self.state)
    }

    /// Takes the viewer's bytes: everything received and not taken yet, contiguous. Returns how many are
    /// done with. Takes none while many answers wait to be polled.
    pub fn handle_bytes(&mut self, bytes: &[u8], now: Instant) -> Result<usize, Misbehavior> {
        self.handle_timeout(now);
        let mut reader = Reader::new(bytes);
        while self.output.len() < OUTPUT && self.message(&mut reader)? {}
        Ok(reader.taken())
    }

    /// Time passes. The first `now` that a card sees is its beginning.
    pub fn handle_timeout(&mut self, now: Instant) {
        let epoch = *self.epoch.get_or_insert(now);
        if self.animated {
            self.state.seconds = Some(now.saturating_duration_since(epoch).as_secs());
        }
    }

    /// When the picture changes next by itself.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let seconds = self.state.seconds?;
        self.epoch?.checked_add(Duration::from_secs(seconds + 1))
    }

    /// The server's next bytes. Poll until there are none after every `handle_*`, and write them before
    /// the next poll.
    pub fn poll_output(&mut self) -> Option<Vec<u8>> {
        if self.output.is_empty() {
            self.update();
        }
        let output = std::mem::take(&mut self.output);
        (!output.is_empty()).then_some(output)
    }

    fn message(&mut self, r: &mut Reader<'_>) -> Result<bool, Misbehavior> {
        let mut ahead = *r;
        let Some(kind) = ahead.u8() else { return Ok(false) };
        let done = match kind {
            0 => self.set_pixel_format(&mut ahead)?,
            2 => self.set_encodings(&mut ahead)?,
            3 => self.update_request(&mut ahead),
            4 => self.key_event(&mut ahead),
            5 => self.pointer_event(&mut ahead),
            6 => self.cut_text(&mut ahead)?,
            150 => self.continuous_updates(&mut ahead),
            248 => self.fence(&mut ahead)?,
            251 => self.set_desktop_size(&mut ahead)?,
            255 => self.extended_key(&mut ahead)?,
            _ => return Err(Misbehavior::UnknownMessage),
        };
        if done.is_some() {
            *r = ahead;
        }
        Ok(done.is_some())
    }

    /// [7.5.1]
    fn set_pixel_format(&mut self, r: &mut Reader<'_>) -> Result<Option<()>, Misbehavior> {
        let (Some(_), Some(format)) = (r.take(3), r.array()) else { return Ok(None) };
        let format = PixelFormat::parse(format)?;
        self.encoder.set_pixel_format(format);
        if !format.true_color {
            encode::color_map(&mut self.output);
        }
        Ok(Some(()))
    }

    /// [7.5.2]
    fn set_encodings(&mut self, r: &mut Reader<'_>) -> Result<Option<()>, Misbehavior> {
        let (Some(_), Some(count)) = (r.u8(), r.u16()) else { return Ok(None) };
        if usize::from(count) > limits::ENCODINGS {
            return Err(Misbehavior::TooManyEncodings);
        }
        let Some(bytes) = r.take(usize::from(count) * 4) else { return Ok(None) };
        let (numbers, _) = bytes.as_chunks::<4>();
        let before = std::mem::replace(
            &mut self.encodings,
            numbers.iter().map(|number| i32::from_be_bytes(*number)).collect(),
        );
        // Quality is not heard: JPEG would take the oracle away.
        let exact: Vec<i32> = self
            .encodings
            .iter()
            .copied()
            .filter(|e| !(number::QUALITY_0..=number::QUALITY_9).contains(e))
            .collect();
        self.encoder.set_encodings(&exact);
        let is_new = |number| self.encodings.contains(&number) && !before.contains(&number);
        self.news.cursor |= is_new(number::CURSOR);
        self.news.name |= is_new(number::DESKTOP_NAME);
        self.news.extended_key |= is_new(number::EXTENDED_KEY);
        if is_new(number::EXTENDED_DESKTOP_SIZE) {
            self.news.layouts.push(self.layout(0, 0));
        }
        let (fence, continuous) = (is_new(number::FENCE), is_new(number::CONTINUOUS_UPDATES));
        if fence {
            self.put_fence(FENCE_REQUEST, &[]);
        }
        if continuous {
            self.output.put_u8(150);
        }
        Ok(Some(()))
    }

    /// [7.5.3]
    fn update_request(&mut self, r: &mut Reader<'_>) -> Option<()> {
        let incremental = r.u8()? != 0;
        let rect = rect(r)?.intersection(&self.screen.bounds());
        if !incremental {
            self.screen.add_damage(rect);
        }
        self.request = Some(self.request.map_or(rect, |before| before.union(&rect)));
        Some(())
    }

    /// [7.5.4]
    fn key_event(&mut self, r: &mut Reader<'_>) -> Option<()> {
        let (down, _, key) = (r.u8()?, r.u16()?, r.u32()?);
        if down != 0 {
            self.press(Keysym(key));
        }
        Some(())
    }

    /// QEMU's key event, announced by an extension rectangle.
    fn extended_key(&mut self, r: &mut Reader<'_>) -> Result<Option<()>, Misbehavior> {
        let Some(kind) = r.u8() else { return Ok(None) };
        if kind != 0 || !self.encodings.contains(&number::EXTENDED_KEY) {
            return Err(Misbehavior::UnknownMessage);
        }
        let (Some(down), Some(key), Some(_)) = (r.u16(), r.u32(), r.u32()) else { return Ok(None) };
        if down != 0 {
            self.press(Keysym(key));
        }
        Ok(Some(()))
    }

    fn press(&mut self, key: Keysym) {
        self.state.keys += 1;
        self.state.last_key = match key.class() {
            KeyClass::Text => "text",
            KeyClass::Enter => "enter",
            KeyClass::Modifier => "modifier",
            KeyClass::Function => "function",
            KeyClass::Control => "control",
        };
        match key.0 {
            RETURN => self.enter(),
            BACK_SPACE if self.state.typed.pop_back().is_none() => self.output.put_u8(2),
            0x20..=0x7e | 0xa0..=0xff => self.state.write(char::from_u32(key.0).unwrap_or(' ')),
            _ => {}
        }
    }

    /// The line that was typed becomes the server's clipboard.
    fn enter(&mut self) {
        let line: Vec<u8> =
            self.state.line().chars().filter_map(|c| u8::try_from(u32::from(c)).ok()).collect();
        if !line.is_empty() {
            self.output.put(&[3, 0, 0, 0]);
            self.output.put_u32(u32::try_from(line.len()).unwrap_or(0));
            self.output.put(&line);
        }
        self.state.write('\n');
    }

    /// [7.5.5]
    fn pointer_event(&mut self, r: &mut Reader<'_>) -> Option<()> {
        let (buttons, x, y) = (r.u8()?, r.u16()?, r.u16()?);
        let (right, lower) = (self.screen.width().saturating_sub(1), self.screen.height().saturating_sub(1));
        self.state.point(x.min(right), y.min(lower), buttons);
        Some(())
    }

    /// [7.5.6]
    fn cut_text(&mut self, r: &mut Reader<'_>) -> Result<Option<()>, Misbehavior> {
        let (Some(_), Some(len)) = (r.take(3), r.i32()) else { return Ok(None) };
        // The extended clipboard, a negative length, is never announced.
        let len = usize::try_from(len).ok().filter(|&len| len <= limits::CLIPBOARD);
        let Some(text) = r.take(len.ok_or(Misbehavior::MessageTooLong)?) else { return Ok(None) };
        self.state.cut(text);
        Ok(Some(()))
    }

    fn continuous_updates(&mut self, r: &mut Reader<'_>) -> Option<()> {
        let enable = r.u8()? != 0;
        let rect = rect(r)?;
        if !enable {
            self.output.put_u8(150);
        }
        self.continuous = enable.then_some(rect);
        Some(())
    }

    fn fence(&mut self, r: &mut Reader<'_>) -> Result<Option<()>, Misbehavior> {
        let (Some(_), Some(flags), Some(len)) = (r.take(3), r.u32(), r.u8()) else { return Ok(None) };
        if usize::from(len) > limits::FENCE {
            return Err(Misbehavior::FenceTooLong);
        }
        let Some(payload) = r.take(len.into()) else { return Ok(None) };
        if flags & FENCE_REQUEST != 0 {
            self.put_fence(flags & FENCE_KNOWN, payload);
        }
        Ok(Some(()))
    }

    fn put_fence(&mut self, flags: u32, payload: &[u8]) {
        self.output.put(&[248, 0, 0, 0]);
        self.output.put_u32(flags);
        self.output.put_u8(u8::try_from(payload.len()).unwrap_or(0));
        self.output.put(payload);
    }

    fn set_desktop_size(&mut self, r: &mut Reader<'_>) -> Result<Option<()>, Misbehavior> {
        let (Some(_), Some(width), Some(height), Some(count), Some(_)) =
            (r.u8(), r.u16(), r.u16(), r.u8(), r.u8())
        else {
            return Ok(None);
        };
        if usize::from(count) > limits::SCREENS {
            return Err(Misbehavior::ScreenLayout);
        }
        if r.take(usize::from(count) * 16).is_none() {
            return Ok(None);
        }
        if !self.encodings.contains(&number::EXTENDED_DESKTOP_SIZE) {
            return Err(Misbehavior::UnknownMessage);
        }
        let size = SMALLEST..=LARGEST;
        if size.contains(&width) && size.contains(&height) {
            self.wish = Some((width, height));
        } else if self.news.layouts.len() < limits::SCREENS {
            self.news.layouts.push(self.layout(1, 3));
        }
        Ok(Some(()))
    }

    fn layout(&self, reason: u16, status: u16) -> Layout {
        let (width, height) = (self.screen.width(), self.screen.height());
        let screens = vec![Screen { id: 0, rect: self.screen.bounds(), flags: 0 }];
        Layout { width, height, reason, status, screens }
    }

    fn resize(&mut self, width: u16, height: u16) {
        self.background = Framebuffer::new(width, height);
        scene::background(&mut self.background);
        self.screen = self.background.clone();
        self.drawn = None;
        self.screen.add_damage(self.screen.bounds());
    }

    /// Brings the picture to the state, and notes what changed.
    fn draw(&mut self) {
        if self.drawn.as_ref() == Some(&self.state) {
            return;
        }
        self.drawn = Some(self.state.clone());
        let mut next = self.background.clone();
        scene::foreground(&mut next, &self.state);
        self.revision = self.revision.wrapping_add(1) & 0x00ff_ffff;
        next.fill(Rect::new(0, 0, 1, 1), self.revision);
        let changed: Vec<Rect> =
            next.bounds().tiles(TILE).filter(|&tile| !next.rows(tile).eq(self.screen.rows(tile))).collect();
        let before = self.screen.take_damage();
        self.screen = next;
        before.into_iter().chain(changed).for_each(|rect| self.screen.add_damage(rect));
    }

    /// Draws and encodes what is asked for, if there is anything.
    fn update(&mut self) {
        let wanted = match (self.request, self.continuous) {
            (Some(once), Some(always)) => once.union(&always),
            (Some(rect), None) | (None, Some(rect)) => rect,
            (None, None) => return,
        };
        let mut wanted = wanted.intersection(&self.screen.bounds());
        if let Some((width, height)) = self.wish.take() {
            self.resize(width, height);
            self.news.layouts.push(self.layout(1, 0));
            wanted = self.screen.bounds();
        }
        self.draw();
        let mut rects = Vec::new();
        for rect in self.screen.take_damage() {
            let part = rect.intersection(&wanted);
            if !part.is_empty() {
                rects.push(part);
            }
            rect.without(&wanted).for_each(|rest| self.screen.add_damage(rest));
        }
        if rects.is_empty() && self.news.count() == 0 {
            return;
        }
        self.request = None;
        self.put_update(&rects);
    }

    fn put_update(&mut self, rects: &[Rect]) {
        let news = std::mem::take(&mut self.news);
        let mut body = Vec::new();
        let mut count = u16::try_from(news.count()).unwrap_or(0);
        news.layouts.iter().for_each(|layout| encode::layout(layout, &mut body));
        if news.extended_key {
            encode::header(Rect::default(), number::EXTENDED_KEY, &mut body);
        }
        if news.name {
            encode::desktop_name(&self.name, &mut body);
        }
        if news.cursor {
            self.encoder.cursor(&arrow(), &mut body);
        }
        let encoding = self.encodings.iter().copied().find(|&encoding| Encoder::knows(encoding));
        for &rect in rects {
            let more = self.encoder.rectangle(encoding.unwrap_or(number::RAW), &self.screen, rect, &mut body);
            count = count.saturating_add(more);
        }
        encode::update_header(count, &mut self.output);
        self.output.put(&body);
    }
}

impl std::fmt::Debug for State {
    /// Nothing of what was typed or copied.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("seconds", &self.seconds)
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

fn rect(r: &mut Reader<'_>) -> Option<Rect> {
    Some(Rect { x: r.u16()?, y: r.u16()?, width: r.u16()?, height: r.u16()? })
}

/// The pointer's picture: a white arrow with a dark edge.
fn arrow() -> Cursor {
    const ROWS: [&str; 13] = [
        "x        ",
        "xx       ",
        "x.x      ",
        "x..x     ",
        "x...x    ",
        "x....x   ",
        "x.....x  ",
        "x......x ",
        "x....xxxx",
        "x..x..x  ",
        "x.x x..x ",
        "xx  x..x ",
        "     xx  ",
    ];
    let pixels = ROWS.iter().flat_map(|row| row.chars()).map(|c| match c {
        'x' => 0xff10_1820,
        '.' => 0xffff_ffff,
        _ => 0,
    });
    Cursor { hot_x: 0, hot_y: 0, width: 9, height: 13, pixels: pixels.collect() }
}
