//! From a server's bytes to pixels: every encoding that the gateway lets through.
//!
//! The decoder takes what it can and answers how much that was: whole messages, and inside of updates whole
//! rectangles, rows or tiles, so that nobody must hold a screen's worth of bytes. What a peer claims is
//! checked before memory is spent: INVARIANT: memory is bounded by the pixels allowed, never by a length field.

mod copy_rect;
mod cursor;
mod hextile;
mod image;
mod inflate;
pub(crate) mod pixels;
mod raw;
mod rre;
mod tight;
mod trle;
mod zlib;
mod zrle;

pub use cursor::Cursor;

pub use crate::encoding::number;
use crate::framebuffer::{Framebuffer, Rect};
use crate::wire::Reader;
use crate::{Misbehavior, PixelFormat, ServerInit, limits};
use inflate::Stream;
use pixels::{ColorMap, Form, Pixels};

/// Whether a step is complete; false if bytes are missing.
type Progress = Result<bool, Misbehavior>;

/// Where rectangles are drawn, and how their pixels are written.
struct Canvas<'a> {
    screen: &'a mut Framebuffer,
    pixels: &'a Pixels,
}

/// The zlib streams of one connection. A new pixel format or list of encodings does not reset them.
#[derive(Debug, Default)]
struct Streams {
    zlib: Stream,
    zrle: Stream,
    tight: [Stream; 4],
}

/// What a server said besides pixels.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// An update is complete.
    Updated,
    /// The screen has another size, or other monitors, or refuses a wish for them.
    Resized(Layout),
    /// The desktop has another name.
    Renamed,
    /// The pointer has another picture.
    CursorChanged,
    /// The server moved the pointer.
    PointerMoved(u16, u16),
    /// The server knows an extension (a rectangle without pixels, by its encoding number).
    Extension(i32),
    /// Keyboard lights: scroll, num, caps from bit 0.
    Lights(u32),
    /// A bell.
    Bell,
    /// Clipboard text, Latin-1.
    CutText(Vec<u8>),
    /// The extended clipboard's message, from its flags on.
    ExtendedCutText(Vec<u8>),
    /// A fence.
    Fence {
        /// Bit 31: a request, to be answered.
        flags: u32,
        /// To be sent back.
        payload: Vec<u8>,
    },
    /// Continuous updates are known, or are over.
    EndOfContinuousUpdates,
}

/// [7.8.4] What an ExtendedDesktopSize rectangle says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Layout {
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
    /// Who wanted it: 0 the server, 1 this viewer, 2 another one.
    pub reason: u16,
    /// 0 done, 1 prohibited, 2 out of resources, 3 invalid, 4 forwarded.
    pub status: u16,
    /// Monitors; empty where the server only tells its size.
    pub screens: Vec<Screen>,
}

/// One monitor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Screen {
    /// The server's number.
    pub id: u32,
    /// Its part of the framebuffer.
    pub rect: Rect,
    /// None is defined yet.
    pub flags: u32,
}

/// Events held before the decoder waits for somebody to take them.
const EVENTS: usize = 64;

/// A viewer's half of a session, without input: server bytes in, pixels out.
#[derive(Debug)]
pub struct Decoder {
    screen: Framebuffer,
    max_pixels: usize,
    pixels: Pixels,
    map: ColorMap,
    next_format: Option<PixelFormat>,
    encodings: Option<Vec<i32>>,
    streams: Streams,
    update: Option<Update>,
    cursor: Option<Cursor>,
    name: Vec<u8>,
    updates: u64,
    events: Option<Vec<Event>>,
}

#[derive(Debug)]
struct Update {
    /// Rectangles to come; `None` until one says that it was the last.
    left: Option<u16>,
    current: Option<(Rect, i32, Body)>,
}

impl Decoder {
    /// Starts behind ServerInit, with the usual bound on pixels. Every encoding known here is accepted
    /// until [`Decoder::set_encodings`] says what was asked for.
    pub fn new(init: &ServerInit) -> Result<Decoder, Misbehavior> {
        Decoder::bounded(init, limits::DECODED_PIXELS)
    }

    /// As [`Decoder::new`], for screens of at most `max_pixels`.
    pub fn bounded(init: &ServerInit, max_pixels: usize) -> Result<Decoder, Misbehavior> {
        Ok(Decoder {
            screen: Framebuffer::bounded(init.width, init.height, max_pixels)?,
            max_pixels,
            pixels: Pixels::new(init.pixel_format, &ColorMap::default()),
            map: ColorMap::default(),
            next_format: None,
            encodings: None,
            streams: Streams::default(),
            update: None,
            cursor: None,
            name: init.name.clone(),
            updates: 0,
            events: None,
        })
    }

    /// Keeps events for [`Decoder::take_events`]. Without this they are dropped.
    #[must_use]
    pub fn with_events(mut self) -> Decoder {
        self.events = Some(Vec::new());
        self
    }

    /// Takes bytes: everything that the server sent and that no earlier call took, contiguous. Returns how
    /// many are done with; the rest must be presented again with more behind it. With events kept, it
    /// also stops where many wait to be taken. An error ends the session; nothing more may be decoded.
    pub fn handle_server_bytes(&mut self, bytes: &[u8]) -> Result<usize, Misbehavior> {
        let mut reader = Reader::new(bytes);
        while self.events.as_ref().is_none_or(|events| events.len() < EVENTS) && self.step(&mut reader)? {}
        Ok(reader.taken())
    }

    /// The viewer's SetPixelFormat, in force from the next update on.
    pub fn set_pixel_format(&mut self, format: PixelFormat) {
        self.next_format = Some(format);
    }

    /// The viewer's SetEncodings. Rectangles in encodings that were never asked for are violations from now
    /// on; those of earlier lists stay allowed, as updates may be under way.
    pub fn set_encodings(&mut self, encodings: &[i32]) {
        let known = self.encodings.get_or_insert_default();
        for &encoding in encodings.iter().take(limits::ENCODINGS) {
            if known.len() < limits::ENCODINGS && !known.contains(&encoding) {
                known.push(encoding);
            }
        }
    }

    /// The screen.
    pub fn framebuffer(&self) -> &Framebuffer {
        &self.screen
    }

    /// The screen, to take its damage.
    pub fn framebuffer_mut(&mut self) -> &mut Framebuffer {
        &mut self.screen
    }

    /// The pixel format in force.
    pub fn pixel_format(&self) -> &PixelFormat {
        self.pixels.format()
    }

    /// The pointer's picture, if the server sent one.
    pub fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }

    /// The desktop's name; it need not be UTF-8.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Complete updates so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Whether the next byte starts a message.
    pub fn is_between_messages(&self) -> bool {
        self.update.is_none()
    }

    /// Takes the events.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.events.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn event(&mut self, event: Event) {
        if let Some(events) = &mut self.events {
            events.push(event);
        }
    }

    /// One header, rectangle part or message.
    fn step(&mut self, r: &mut Reader<'_>) -> Progress {
        let Some(mut update) = self.update.take() else { return self.message(r) };
        let progress = self.update_step(r, &mut update)?;
        if update.left == Some(0) && update.current.is_none() {
            self.updates += 1;
            self.event(Event::Updated);
            return Ok(true);
        }
        self.update = Some(update);
        Ok(progress)
    }

    fn update_step(&mut self, r: &mut Reader<'_>, update: &mut Update) -> Progress {
        if let Some((rect, encoding, body)) = &mut update.current {
            let (rect, encoding) = (*rect, *encoding);
            if !self.body_step(r, rect, encoding, body)? {
                return Ok(false);
            }
            update.current = None;
            return Ok(true);
        }
        if update.left == Some(0) {
            return Ok(true);
        }
        let mut ahead = *r;
        let (Some([x, y, width, height]), Some(encoding)) = (four(&mut ahead), ahead.i32()) else {
            return Ok(false);
        };
        *r = ahead;
        let rect = Rect { x, y, width, height };
        if encoding == number::LAST_RECT && self.is_allowed(encoding) {
            update.left = Some(0);
            return Ok(true);
        }
        update.left = update.left.map(|left| left - 1);
        update.current = Some((rect, encoding, self.body(rect, encoding)?));
        Ok(true)
    }

    fn is_allowed(&self, encoding: i32) -> bool {
        encoding == number::RAW || self.encodings.as_ref().is_none_or(|known| known.contains(&encoding))
    }

    /// Checks a rectangle's header and says how its body is read.
    fn body(&self, rect: Rect, encoding: i32) -> Result<Body, Misbehavior> {
        if !self.is_allowed(encoding) {
            return Err(Misbehavior::UnknownEncoding);
        }
        let without_zlib = self.encodings.is_none() || self.is_allowed(number::TIGHT_WITHOUT_ZLIB);
        if let Some(body) = Body::of_pixels(encoding, rect, without_zlib) {
            let inside = rect.is_within(self.screen.width(), self.screen.height());
            return if inside { Ok(body) } else { Err(Misbehavior::RectangleOutside) };
        }
        let fixed = |len| Ok(Body::Fixed { len });
        match encoding {
            number::CURSOR | number::X_CURSOR | number::VMWARE_CURSOR | number::CURSOR_WITH_ALPHA => {
                cursor::check(rect)?;
                let alpha = encoding == number::CURSOR_WITH_ALPHA;
                Ok(if alpha { Body::AlphaCursor(None) } else { Body::Cursor })
            }
            number::EXTENDED_DESKTOP_SIZE => Ok(Body::Layout),
            number::DESKTOP_NAME => Ok(Body::Name),
            number::DESKTOP_SIZE
            | number::POINTER_POSITION
            | number::POINTER_CHANGE
            | number::EXTENDED_KEY
            | number::AUDIO
            | number::EXTENDED_BUTTONS
            | number::VMWARE_CURSOR_POSITION => fixed(0),
            number::LED => fixed(1),
            number::VMWARE_CURSOR_STATE | number::VMWARE_MACHINE_STATE => fixed(2),
            number::VMWARE_LED => fixed(4),
            number::VMWARE_KEY_REPEAT => fixed(10),
            number::VMWARE_DISPLAY_MODE => fixed(PixelFormat::LEN),
            _ => Err(Misbehavior::UnknownEncoding),
        }
    }

    /// Reads on in a rectangle's body; true at its end.
    fn body_step(&mut self, r: &mut Reader<'_>, rect: Rect, encoding: i32, body: &mut Body) -> Progress {
        match body {
            Body::Cursor => {
                let cursor = match encoding {
                    number::CURSOR => cursor::colored(r, rect, &self.pixels),
                    number::X_CURSOR => cursor::two_colored(r, rect),
                    _ => cursor::vmware(r, rect, &self.pixels)?,
                };
                return Ok(cursor.map(|cursor| self.set_cursor(cursor)).is_some());
            }
            Body::AlphaCursor(inner) => {
                let Some(cursor) = alpha_cursor(r, rect, inner, &mut self.streams)? else { return Ok(false) };
                self.set_cursor(cursor);
            }
            Body::Layout => return self.layout(r, rect),
            Body::Name => {
                let Some(name) = counted(r, limits::NAME, Misbehavior::NameTooLong)? else {
                    return Ok(false);
                };
                self.name = name.to_vec();
                self.event(Event::Renamed);
            }
            Body::Fixed { len } => {
                let Some(bytes) = r.take(*len) else { return Ok(false) };
                self.announcement(rect, encoding, bytes)?;
            }
            pixels => {
                let mut canvas = Canvas { screen: &mut self.screen, pixels: &self.pixels };
                if !pixels.draw(r, &mut canvas, rect, &mut self.streams)? {
                    return Ok(false);
                }
                self.screen.add_damage(rect);
            }
        }
        Ok(true)
    }

    fn set_cursor(&mut self, cursor: Cursor) {
        self.cursor = Some(cursor);
        self.event(Event::CursorChanged);
    }

    /// Rectangles without pixels, of fixed length.
    fn announcement(&mut self, rect: Rect, encoding: i32, bytes: &[u8]) -> Result<(), Misbehavior> {
        match (encoding, bytes) {
            (number::DESKTOP_SIZE, _) => {
                self.resize(rect)?;
                let layout = Layout { width: rect.width, height: rect.height, ..Layout::default() };
                self.event(Event::Resized(layout));
            }
            (number::POINTER_POSITION | number::VMWARE_CURSOR_POSITION, _) => {
                self.event(Event::PointerMoved(rect.x, rect.y));
            }
            (number::LED, &[lights]) => self.event(Event::Lights(lights.into())),
            (number::VMWARE_LED, &[a, b, c, d]) => {
                self.event(Event::Lights(u32::from_be_bytes([a, b, c, d])))
            }
            (number::VMWARE_DISPLAY_MODE, bytes) => {
                let format = bytes.try_into().map_err(|_| Misbehavior::PixelFormat)?;
                self.pixels = Pixels::new(PixelFormat::parse(format)?, &self.map);
            }
            _ => self.event(Event::Extension(encoding)),
        }
        Ok(())
    }

    fn resize(&mut self, rect: Rect) -> Result<(), Misbehavior> {
        if rect.is_empty() {
            return Err(Misbehavior::ScreenSize);
        }
        self.screen.resize(rect.width, rect.height, self.max_pixels)
    }

    /// [7.8.4] ExtendedDesktopSize: x is the reason, y the status.
    fn layout(&mut self, r: &mut Reader<'_>, rect: Rect) -> Progress {
        let mut ahead = *r;
        let Some([count, _, _, _]) = ahead.array() else { return Ok(false) };
        if usize::from(count) > limits::SCREENS {
            return Err(Misbehavior::ScreenLayout);
        }
        let Some(bytes) = ahead.take(usize::from(count) * 16) else { return Ok(false) };
        *r = ahead;
        let mut layout = Layout {
            width: rect.width,
            height: rect.height,
            reason: rect.x,
            status: rect.y,
            screens: Vec::new(),
        };
        let mut screens = Reader::new(bytes);
        while let (Some(id), Some([x, y, width, height]), Some(flags)) =
            (screens.u32(), four(&mut screens), screens.u32())
        {
            layout.screens.push(Screen { id, rect: Rect { x, y, width, height }, flags });
        }
        if layout.status == 0 {
            if layout.screens.iter().any(|s| !s.rect.is_within(rect.width, rect.height)) {
                return Err(Misbehavior::ScreenLayout);
            }
            if (rect.width, rect.height) != (self.screen.width(), self.screen.height()) {
                self.resize(rect)?;
            }
        }
        self.event(Event::Resized(layout));
        Ok(true)
    }

    /// A message, or the header of an update.
    fn message(&mut self, r: &mut Reader<'_>) -> Progress {
        let mut ahead = *r;
        let Some(kind) = ahead.u8() else { return Ok(false) };
        let done = match kind {
            0 => self.update_header(&mut ahead),
            1 => self.color_map(&mut ahead),
            2 => {
                self.event(Event::Bell);
                true
            }
            3 => self.cut_text(&mut ahead)?,
            150 => {
                self.event(Event::EndOfContinuousUpdates);
                true
            }
            248 => self.fence(&mut ahead)?,
            250 => ahead.take(3).is_some(),
            253 => gii(&mut ahead)?,
            255 => audio(&mut ahead)?,
            _ => return Err(Misbehavior::UnknownMessage),
        };
        if done {
            *r = ahead;
        }
        Ok(done)
    }

    fn update_header(&mut self, r: &mut Reader<'_>) -> bool {
        let (Some(_), Some(count)) = (r.u8(), r.u16()) else { return false };
        if let Some(format) = self.next_format.take() {
            self.pixels = Pixels::new(format, &self.map);
        }
        self.update = Some(Update { left: (count != u16::MAX).then_some(count), current: None });
        true
    }

    /// [7.6.2] SetColourMapEntries.
    fn color_map(&mut self, r: &mut Reader<'_>) -> bool {
        let (Some(_), Some(first), Some(count)) = (r.u8(), r.u16(), r.u16()) else { return false };
        let Some(bytes) = r.take(usize::from(count) * 6) else { return false };
        let (colors, _) = bytes.as_chunks::<6>();
        self.map.set(first, colors.iter().map(|&[r, _, g, _, b, _]| u32::from_be_bytes([0, r, g, b])));
        self.pixels = Pixels::new(*self.pixels.format(), &self.map);
        true
    }

    /// [7.6.4] ServerCutText; a negative length is the extended clipboard.
    fn cut_text(&mut self, r: &mut Reader<'_>) -> Progress {
        let (Some(_), Some(len)) = (r.array::<3>(), r.i32()) else { return Ok(false) };
        let count = usize::try_from(len.unsigned_abs()).map_err(|_| Misbehavior::MessageTooLong)?;
        if count > limits::CLIPBOARD {
            return Err(Misbehavior::MessageTooLong);
        }
        let Some(text) = r.take(count) else { return Ok(false) };
        let text = text.to_vec();
        self.event(if len < 0 { Event::ExtendedCutText(text) } else { Event::CutText(text) });
        Ok(true)
    }

    /// [7.5.4] ServerFence.
    fn fence(&mut self, r: &mut Reader<'_>) -> Progress {
        let (Some(_), Some(flags), Some(len)) = (r.array::<3>(), r.u32(), r.u8()) else { return Ok(false) };
        if usize::from(len) > limits::FENCE {
            return Err(Misbehavior::FenceTooLong);
        }
        let Some(payload) = r.take(len.into()) else { return Ok(false) };
        self.event(Event::Fence { flags, payload: payload.to_vec() });
        Ok(true)
    }
}

/// What is known about the body of the rectangle being read.
#[derive(Debug)]
enum Body {
    Raw(raw::Raw),
    CopyRect,
    Rre(rre::Rre),
    Hextile(hextile::Hextile),
    Trle(trle::Trle),
    Zlib,
    Zrle,
    Tight(tight::Dialect),
    Cursor,
    AlphaCursor(Option<Box<AlphaCursor>>),
    Layout,
    Name,
    Fixed { len: usize },
}

#[derive(Debug)]
struct AlphaCursor {
    screen: Framebuffer,
    body: Body,
}

impl Body {
    /// The body of a rectangle that draws; `None` for every other encoding.
    fn of_pixels(encoding: i32, rect: Rect, without_zlib: bool) -> Option<Body> {
        Some(match encoding {
            number::RAW => Body::Raw(raw::Raw::default()),
            number::COPY_RECT => Body::CopyRect,
            number::RRE => Body::Rre(rre::Rre::new(false)),
            number::CORRE => Body::Rre(rre::Rre::new(true)),
            number::HEXTILE => Body::Hextile(hextile::Hextile::new(rect)),
            number::TRLE => Body::Trle(trle::Trle::new(rect)),
            number::ZLIB => Body::Zlib,
            number::ZRLE => Body::Zrle,
            number::TIGHT => Body::Tight(tight::Dialect::Tight { without_zlib }),
            number::TIGHT_PNG => Body::Tight(tight::Dialect::Png),
            _ => return None,
        })
    }

    fn draw(
        &mut self,
        r: &mut Reader<'_>,
        canvas: &mut Canvas<'_>,
        rect: Rect,
        streams: &mut Streams,
    ) -> Progress {
        match self {
            Body::Raw(raw) => raw.advance(r, canvas, rect),
            Body::CopyRect => copy_rect::advance(r, canvas, rect),
            Body::Rre(rre) => rre.advance(r, canvas, rect),
            Body::Hextile(hextile) => hextile.advance(r, canvas),
            Body::Trle(trle) => trle.advance(r, canvas),
            Body::Zlib => zlib::advance(r, canvas, rect, &mut streams.zlib),
            Body::Zrle => zrle::advance(r, canvas, rect, &mut streams.zrle),
            Body::Tight(dialect) => tight::advance(r, canvas, rect, *dialect, &mut streams.tight),
            Body::Cursor | Body::AlphaCursor(_) | Body::Layout | Body::Name | Body::Fixed { .. } => {
                Err(Misbehavior::UnknownEncoding)
            }
        }
    }
}

/// The pointer with alpha: a rectangle of its own inside, in RGBA whatever the pixel format is.
fn alpha_cursor(
    r: &mut Reader<'_>,
    rect: Rect,
    inner: &mut Option<Box<AlphaCursor>>,
    streams: &mut Streams,
) -> Result<Option<Cursor>, Misbehavior> {
    let own = Rect { x: 0, y: 0, ..rect };
    let inner = match inner {
        Some(inner) => inner,
        None => {
            let Some(encoding) = r.i32() else { return Ok(None) };
            let body = match encoding {
                number::COPY_RECT | number::TIGHT_PNG => None,
                _ => Body::of_pixels(encoding, own, false),
            };
            let body = body.ok_or(Misbehavior::UnknownEncoding)?;
            let screen = Framebuffer::new(own.width, own.height);
            inner.insert(Box::new(AlphaCursor { screen, body }))
        }
    };
    let mut canvas = Canvas { screen: &mut inner.screen, pixels: &Pixels::rgba() };
    let done = inner.body.draw(r, &mut canvas, own, streams)?;
    Ok(done.then(|| cursor::premultiplied(&inner.screen, rect)))
}

/// A rectangle given relative to another, in which it must lie.
fn inside(outer: Rect, part: Rect) -> Result<Rect, Misbehavior> {
    if !part.is_within(outer.width, outer.height) {
        return Err(Misbehavior::RectangleMalformed);
    }
    Ok(Rect { x: outer.x.saturating_add(part.x), y: outer.y.saturating_add(part.y), ..part })
}

/// The compressed bytes of a rectangle behind their length, or `None` if some are missing.
fn chunk<'a>(r: &mut Reader<'a>, rect: Rect, pixels: &Pixels) -> Result<Option<&'a [u8]>, Misbehavior> {
    let raw = rect.area() * pixels.len(Form::Pixel);
    counted(r, limits::ZLIB.min(2 * raw + 64 * 1024), Misbehavior::RectangleMalformed)
}

/// Bytes behind a length of 32 bits that is at most `limit`.
fn counted<'a>(r: &mut Reader<'a>, limit: usize, over: Misbehavior) -> Result<Option<&'a [u8]>, Misbehavior> {
    let mut ahead = *r;
    let Some(len) = ahead.u32() else { return Ok(None) };
    let len = usize::try_from(len).ok().filter(|&len| len <= limit).ok_or(over)?;
    let bytes = ahead.take(len);
    if bytes.is_some() {
        *r = ahead;
    }
    Ok(bytes)
}

/// Four fields of 16 bits.
fn four(r: &mut Reader<'_>) -> Option<[u16; 4]> {
    let [a, b, c, d, e, f, g, h] = r.array()?;
    Some([[a, b], [c, d], [e, f], [g, h]].map(u16::from_be_bytes))
}

/// General input: of no use to a decoder.
fn gii(r: &mut Reader<'_>) -> Progress {
    let Some([kind, a, b]) = r.array() else { return Ok(false) };
    let len = if kind & 0x80 != 0 { u16::from_be_bytes([a, b]) } else { u16::from_le_bytes([a, b]) };
    if usize::from(len) > limits::FILE_MESSAGE {
        return Err(Misbehavior::MessageTooLong);
    }
    Ok(r.take(len.into()).is_some())
}

/// QEMU's audio: framed and dropped.
fn audio(r: &mut Reader<'_>) -> Progress {
    let (Some(kind), Some(operation)) = (r.u8(), r.u16()) else { return Ok(false) };
    match (kind, operation) {
        (1, 0 | 1) => Ok(true),
        (1, 2) => Ok(counted(r, limits::AUDIO, Misbehavior::MessageTooLong)?.is_some()),
        _ => Err(Misbehavior::UnknownMessage),
    }
}
