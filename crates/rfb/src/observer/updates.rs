//! [7.6.1] FramebufferUpdate: from rectangle to rectangle, without looking at pixels.
//!
//! Only what must be seen to find the next rectangle is asked for; all else is counted down. The whole
//! state is a value that can be cloned, so that two readings of the same bytes can run side by side.

use crate::encoding::tight::{self, Dialect, Head};
use crate::encoding::{Encoding, EncodingSet, Measure, PixelSizes, Walked, hextile, jpeg, trle};
use crate::message::NAME_SHOWN;
use crate::trace::body::{Body, Shape};
use crate::trace::{self, Draft};
use crate::wire::Reader;
use crate::{Misbehavior, PixelFormat, limits};
use model::event::{Event, Sink};

/// What an update is made of and how far it was read.
#[derive(Clone, Debug)]
pub(super) struct Updates {
    pub(super) rules: Rules,
    pub(super) screen: Option<(u16, u16)>,
    pub(super) sizes: PixelSizes,
    pub(super) seen: Seen,
    /// Rectangles of all updates.
    pub(super) rectangles: u64,
    update: Update,
    rectangle: Rectangle,
    walk: Walk,
    skip: usize,
    /// Where a skeleton is kept.
    pub(super) draft: Option<Box<Draft>>,
}

/// What rectangles may come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Encodings that were asked for.
    pub(super) asked: EncodingSet,
    /// Whether pseudo-encodings are welcome unasked, as in a capture that nobody can refuse.
    pub(super) lenient: bool,
    /// Whether Tight may leave zlib out.
    pub(super) tight_without_zlib: bool,
}

/// What rectangles said about the session.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Pseudo-encodings that came.
    pub(super) pseudo: EncodingSet,
    /// [7.8.7] Screens of the last ExtendedDesktopSize: count, padding, 16 bytes each.
    pub(super) layout: Vec<u8>,
    /// A pixel format that the target set itself, not yet taken over.
    pub(super) format: Option<PixelFormat>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Update {
    open: bool,
    left: u16,
    rectangles: u32,
    bytes: u64,
    has_pixels: bool,
}

#[derive(Clone, Copy, Debug)]
struct Rectangle {
    width: u16,
    height: u16,
    sizes: PixelSizes,
}

#[derive(Clone, Debug)]
enum Walk {
    /// A rectangle's header is next.
    Header,
    /// A length or another small head is next.
    Head(Encoding),
    /// [7.7.6] A compact length is next.
    CompactLength,
    Hextile(hextile::Tiles),
    Trle(trle::Tiles),
    Jpeg(jpeg::Scan),
}

/// How far a call came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    /// All that can be understood is taken.
    Waits,
    /// The update is over.
    Ended,
    /// The next rectangle's length depends on a measure of which two are possible.
    Doubt,
}

/// A finished update.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finished {
    pub(super) rectangles: u32,
    pub(super) bytes: u64,
    /// Whether it had pixels, and so answered a request.
    pub(super) has_pixels: bool,
}

/// Measures of a pixel of which more than one is possible.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Doubts {
    pub(super) pixel: bool,
    pub(super) tpixel: bool,
    pub(super) cpixel: bool,
}

impl Doubts {
    fn about(self, measure: Measure) -> bool {
        match measure {
            Measure::Pixel => self.pixel,
            Measure::Tpixel => self.tpixel,
            Measure::Cpixel => self.cpixel,
        }
    }
}

impl Updates {
    pub(super) fn new(screen: Option<(u16, u16)>, sizes: PixelSizes, rules: Rules) -> Updates {
        Updates {
            rules,
            screen,
            sizes,
            seen: Seen::default(),
            rectangles: 0,
            update: Update::default(),
            rectangle: Rectangle { width: 0, height: 0, sizes },
            walk: Walk::Header,
            skip: 0,
            draft: None,
        }
    }

    /// An update's four bytes were read.
    pub(super) fn begin(&mut self, rectangles: u16) {
        self.update = Update { open: true, left: rectangles, bytes: 4, ..Update::default() };
        self.walk = Walk::Header;
        if self.is_traced() {
            self.trace_begin(rectangles);
        }
    }

    /// Forgets the update under way: it was none.
    pub(super) fn abandon(&mut self) {
        self.update.open = false;
        self.skip = 0;
    }

    /// Whether an update is under way.
    pub(super) fn is_open(&self) -> bool {
        self.update.open
    }

    /// Bytes that need no look.
    pub(super) fn countdown(&self) -> usize {
        self.skip
    }

    /// The update that [`Progress::Ended`] reported.
    pub(super) fn finish(&mut self) -> Finished {
        self.update.open = false;
        let Update { rectangles, bytes, has_pixels, .. } = self.update;
        Finished { rectangles, bytes, has_pixels }
    }

    /// Reads on at `at`, and moves it behind what is understood.
    pub(super) fn advance<S: Sink>(
        &mut self,
        input: &[u8],
        at: &mut usize,
        doubts: Doubts,
        sink: &mut S,
    ) -> Result<Progress, Misbehavior> {
        let start = *at;
        let progress = self.run(input, at, doubts, sink);
        self.update.bytes += u64::try_from(*at - start).unwrap_or(0);
        progress
    }

    fn run<S: Sink>(
        &mut self,
        input: &[u8],
        at: &mut usize,
        doubts: Doubts,
        sink: &mut S,
    ) -> Result<Progress, Misbehavior> {
        loop {
            let mut rest = input.get(*at..).unwrap_or_default();
            if self.skip > 0 {
                let taken = self.skip.min(rest.len());
                self.skip -= taken;
                *at += taken;
                if self.is_traced() {
                    self.trace(taken);
                }
                if self.skip > 0 {
                    return Ok(Progress::Waits);
                }
                rest = input.get(*at..).unwrap_or_default();
            }
            if self.is_traced() {
                self.trace_end();
            }
            let walked = match &mut self.walk {
                Walk::Header if self.update.left == 0 => return Ok(Progress::Ended),
                Walk::Header => {
                    let Some(header) = rest.first_chunk::<12>() else { return Ok(Progress::Waits) };
                    if !self.open_rectangle(header, doubts, sink)? {
                        return Ok(Progress::Doubt);
                    }
                    *at += 12;
                    continue;
                }
                Walk::Head(encoding) => {
                    let encoding = *encoding;
                    match self.head(encoding, rest, sink)? {
                        Some(len) => {
                            let head = if self.is_traced() { self.trace_head(encoding, rest) } else { 0 };
                            self.pass(rest, at, len, head);
                            if self.is_traced() && encoding == Encoding::CursorWithAlpha {
                                self.trace_body();
                            }
                            continue;
                        }
                        None => return Ok(Progress::Waits),
                    }
                }
                Walk::CompactLength => {
                    let Some(len) = tight::compact_len(rest)? else { return Ok(Progress::Waits) };
                    self.walk = Walk::Header;
                    let head = if self.is_traced() { self.trace_compact(rest, len) } else { 0 };
                    self.pass(rest, at, len, head);
                    continue;
                }
                Walk::Hextile(tiles) => tiles.walk(rest, self.rectangle.sizes.pixel),
                Walk::Trle(tiles) => tiles.walk(rest, self.rectangle.sizes.cpixel),
                Walk::Jpeg(scan) => scan.walk(rest),
            };
            if !self.walked(walked, at)? {
                return Ok(Progress::Waits);
            }
        }
    }

    /// Steps over `len` bytes, of which some may not have come yet; a skeleton has the first `head` already.
    fn pass(&mut self, rest: &[u8], at: &mut usize, len: usize, head: usize) {
        let taken = len.min(rest.len());
        *at += taken;
        self.skip += len - taken;
        if self.is_traced() {
            self.trace(taken.saturating_sub(head));
        }
    }

    #[inline]
    fn is_traced(&self) -> bool {
        self.draft.is_some()
    }

    #[cold]
    fn trace_begin(&mut self, rectangles: u16) {
        if let Some(draft) = &mut self.draft {
            draft.line(format_args!("FramebufferUpdate"));
            draft.keep(&[0, 0]);
            draft.keep(&rectangles.to_be_bytes());
        }
    }

    /// The place before a header: the rectangle before it is over.
    #[cold]
    fn trace_end(&mut self) {
        if let (Walk::Header, Some(draft)) = (&self.walk, &mut self.draft) {
            draft.end_body();
        }
    }

    /// Bytes that do not frame were passed.
    #[cold]
    fn trace(&mut self, bytes: usize) {
        if let Some(draft) = &mut self.draft {
            draft.blank(bytes);
        }
    }

    /// A rectangle's small head; lengths that depend on what is shown are made coarse. Answers its bytes.
    #[cold]
    fn trace_head(&mut self, encoding: Encoding, rest: &[u8]) -> usize {
        let Rectangle { width, height, sizes } = self.rectangle;
        let head = rest.get(..head_fields(encoding, rest)).unwrap_or_default();
        let Some(draft) = &mut self.draft else { return 0 };
        let area = u64::from(width) * u64::from(height);
        let (each, most) = match encoding {
            Encoding::Rre => (sizes.pixel + 8, usize::try_from(area).unwrap_or(0)),
            Encoding::CoRre => (sizes.pixel + 4, usize::try_from(area.min(0xffff)).unwrap_or(0)),
            Encoding::H264 => (1, limits::H264),
            _ if is_lengthed(encoding) => (1, most_compressed(area)),
            _ => {
                draft.keep(head);
                return head.len();
            }
        };
        let count = Reader::new(head).u32().and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
        let made = trace::coarse(count).min(most).max(count);
        draft.keep(&u32::try_from(made).unwrap_or(u32::MAX).to_be_bytes());
        draft.keep(head.get(4..).unwrap_or_default());
        draft.owe((made - count) * each);
        head.len()
    }

    /// [7.7.6] A compact length, which has `len` bytes together with what it counts. Answers its own bytes.
    #[cold]
    fn trace_compact(&mut self, rest: &[u8], len: usize) -> usize {
        let head = tight::compact_fields(rest);
        let len = len.saturating_sub(head);
        let Some(draft) = &mut self.draft else { return 0 };
        // The field has 22 bits.
        let made = trace::coarse(len).min(limits::TIGHT - 1);
        let bytes = tight::compact(made);
        draft.keep(&bytes);
        draft.replace(head, bytes.len());
        draft.owe(made - len);
        head
    }

    /// A rectangle's header without its place, and what its body will be replaced by.
    #[cold]
    fn trace_header(&mut self, encoding: Encoding, header: &[u8; 12]) {
        let Rectangle { width, height, .. } = self.rectangle;
        let Some(draft) = &mut self.draft else { return };
        let [x0, x1, y0, y1, rest @ ..] = *header;
        draft.line(format_args!("{encoding:?}:{width}x{height}"));
        // [7.8.7] There the place says why the size changes.
        draft.keep(&if encoding == Encoding::ExtendedDesktopSize { [x0, x1, y0, y1] } else { [0; 4] });
        draft.keep(&rest);
        self.trace_body();
    }

    #[cold]
    fn trace_body(&mut self) {
        let Rectangle { width, height, sizes } = self.rectangle;
        let (shape, pixel) = match (&self.walk, self.updates_zlib_hex()) {
            (Walk::Hextile(_), true) => (Shape::ZlibHex, sizes.pixel),
            (Walk::Hextile(_), false) => (Shape::Hextile, sizes.pixel),
            (Walk::Trle(_), _) => (Shape::Trle, sizes.cpixel),
            (Walk::Jpeg(_), _) => (Shape::Jpeg, 1),
            _ => return,
        };
        if let Some(draft) = &mut self.draft {
            draft.begin_body(Body { shape, width, height, pixel, len: 0 });
        }
    }

    fn updates_zlib_hex(&self) -> bool {
        matches!(&self.walk, Walk::Hextile(tiles) if tiles.is_zlib())
    }

    /// What of a broken rectangle's first bytes frames: its header, or its own head's length.
    pub(super) fn head_of_fault(&self, rest: &[u8]) -> Vec<u8> {
        let kept = match self.walk {
            Walk::Header => 12,
            Walk::Head(encoding) => head_fields(encoding, rest),
            Walk::CompactLength => tight::compact_fields(rest),
            // A tile that breaks the rules follows tiles that were not kept.
            Walk::Hextile(_) | Walk::Trle(_) | Walk::Jpeg(_) => 0,
        };
        rest.get(..kept).unwrap_or(rest).to_vec()
    }

    /// Takes over how far a walk came; false: it needs more bytes.
    fn walked(&mut self, walked: Walked, at: &mut usize) -> Result<bool, Misbehavior> {
        *at += walked.taken;
        if self.is_traced() {
            self.trace(walked.taken);
        }
        self.skip = walked.skip;
        if let Some(fault) = walked.fault {
            return Err(fault);
        }
        if walked.done {
            self.walk = Walk::Header;
        }
        Ok(walked.done || walked.skip > 0)
    }

    /// Judges a header and opens its body; false: the body's length is in doubt, nothing was done.
    fn open_rectangle<S: Sink>(
        &mut self,
        header: &[u8; 12],
        doubts: Doubts,
        sink: &mut S,
    ) -> Result<bool, Misbehavior> {
        let [x0, x1, y0, y1, w0, w1, h0, h1, e0, e1, e2, e3] = *header;
        let (x, y) = (u16::from_be_bytes([x0, x1]), u16::from_be_bytes([y0, y1]));
        let (width, height) = (u16::from_be_bytes([w0, w1]), u16::from_be_bytes([h0, h1]));
        let number = i32::from_be_bytes([e0, e1, e2, e3]);
        let encoding = Encoding::of(number).ok_or(Misbehavior::UnknownEncoding)?;
        let pseudo = encoding.is_pseudo();
        let welcome = self.rules.asked.contains(encoding) || (self.rules.lenient && pseudo);
        if !welcome {
            return Err(Misbehavior::UnknownEncoding);
        }
        if pseudo {
            self.seen.pseudo.insert(encoding);
        } else {
            self.check_place(x, y, width, height)?;
        }
        if doubts != Doubts::default() && encoding.measure().is_some_and(|m| doubts.about(m)) {
            return Ok(false);
        }
        self.rectangle = Rectangle { width, height, sizes: self.sizes };
        self.update.left -= 1;
        self.update.rectangles += 1;
        self.rectangles += 1;
        self.update.has_pixels |= !pseudo;
        let screen = self.screen;
        self.open_body(encoding, (x, y))?;
        if self.is_traced() {
            self.trace_header(encoding, header);
        }
        sink.event(Event::Rectangle { encoding: number, width, height });
        if self.screen != screen {
            sink.event(Event::Resize { width, height });
        }
        Ok(true)
    }

    fn check_place(&self, x: u16, y: u16, width: u16, height: u16) -> Result<(), Misbehavior> {
        let (right, bottom) = (u32::from(x) + u32::from(width), u32::from(y) + u32::from(height));
        let (most_x, most_y) = self.screen.unwrap_or((limits::DIMENSION, limits::DIMENSION));
        let inside = right <= u32::from(most_x) && bottom <= u32::from(most_y);
        if inside { Ok(()) } else { Err(Misbehavior::RectangleOutside) }
    }

    /// Sets what follows a header: a number of bytes, or something that must be looked at.
    fn open_body(&mut self, encoding: Encoding, (x, y): (u16, u16)) -> Result<(), Misbehavior> {
        let (width, height) = (usize::from(self.rectangle.width), usize::from(self.rectangle.height));
        let area = width * height;
        let (w, h) = (self.rectangle.width, self.rectangle.height);
        self.walk = Walk::Header;
        self.skip = match encoding {
            Encoding::Raw => area * self.rectangle.sizes.pixel,
            Encoding::CopyRect | Encoding::VmwareLed => 4,
            Encoding::Hextile => return self.walk_on(Walk::Hextile(hextile::Tiles::new(w, h, false))),
            Encoding::ZlibHex => return self.walk_on(Walk::Hextile(hextile::Tiles::new(w, h, true))),
            Encoding::Trle => return self.walk_on(Walk::Trle(trle::Tiles::new(w, h))),
            Encoding::Jpeg => return self.walk_on(Walk::Jpeg(jpeg::Scan::new())),
            Encoding::Cursor => {
                self.check_cursor()?;
                area * self.rectangle.sizes.pixel + width.div_ceil(8) * height
            }
            Encoding::XCursor => {
                self.check_cursor()?;
                if area == 0 { 0 } else { 6 + 2 * width.div_ceil(8) * height }
            }
            Encoding::CursorWithAlpha | Encoding::VmwareCursor => {
                self.check_cursor()?;
                return self.walk_on(Walk::Head(encoding));
            }
            Encoding::DesktopSize => {
                self.resize(w, h)?;
                0
            }
            Encoding::LastRect => {
                self.update.left = 0;
                0
            }
            Encoding::ExtendedDesktopSize => {
                // [7.8.7] x 1: an answer to this viewer; y not 0: it was refused and nothing changed.
                if x != 1 || y == 0 {
                    self.resize(w, h)?;
                }
                return self.walk_on(Walk::Head(encoding));
            }
            Encoding::PointerPosition
            | Encoding::PointerChange
            | Encoding::ExtendedKey
            | Encoding::Audio
            | Encoding::ExtendedButtons
            | Encoding::VmwareCursorPosition
            | Encoding::LibvncLed => 0,
            Encoding::QemuLed => 1,
            Encoding::VmwareCursorState | Encoding::VmwareMachineState => 2,
            Encoding::VmwareKeyRepeat => 10,
            Encoding::LibvncMessages => 64,
            Encoding::LibvncEncodings | Encoding::LibvncIdentity => width,
            _ => return self.walk_on(Walk::Head(encoding)),
        };
        Ok(())
    }

    fn walk_on(&mut self, walk: Walk) -> Result<(), Misbehavior> {
        self.walk = walk;
        Ok(())
    }

    fn check_cursor(&self) -> Result<(), Misbehavior> {
        let Rectangle { width, height, .. } = self.rectangle;
        if width.max(height) > limits::CURSOR { Err(Misbehavior::CursorSize) } else { Ok(()) }
    }

    fn resize(&mut self, width: u16, height: u16) -> Result<(), Misbehavior> {
        if width.min(height) == 0 || width.max(height) > limits::DIMENSION {
            return Err(Misbehavior::ScreenSize);
        }
        self.screen = Some((width, height));
        Ok(())
    }

    /// Reads a rectangle's small head: how many bytes it and its body have.
    fn head<S: Sink>(
        &mut self,
        encoding: Encoding,
        rest: &[u8],
        sink: &mut S,
    ) -> Result<Option<usize>, Misbehavior> {
        let Rectangle { width, height, sizes } = self.rectangle;
        let area = u64::from(width) * u64::from(height);
        let mut r = Reader::new(rest);
        let len = match encoding {
            Encoding::Tight | Encoding::TightPng => return self.head_of_tight(encoding, rest),
            Encoding::Rre => counted(r.u32(), area, 4 + sizes.pixel, sizes.pixel + 8)?,
            Encoding::CoRre => counted(r.u32(), area.min(0xffff), 4 + sizes.pixel, sizes.pixel + 4)?,
            Encoding::H264 => match (r.u32(), r.u32()) {
                (Some(length), Some(_flags)) => Some(8 + within(length, limits::H264)?),
                _ => None,
            },
            Encoding::CursorWithAlpha => return self.head_of_alpha_cursor(rest),
            Encoding::VmwareCursor => match r.u16() {
                Some(kind) => Some(vmware_cursor_len(kind, area, sizes.pixel)?),
                None => None,
            },
            Encoding::VmwareDisplayMode => return self.head_of_display_mode(rest, sink),
            Encoding::ExtendedDesktopSize => return self.head_of_layout(rest),
            Encoding::DesktopName => return self.head_of_name(rest, sink),
            _ => match r.u32() {
                Some(length) => Some(4 + within(length, most_compressed(area))?),
                None => None,
            },
        };
        if len.is_some() {
            self.walk = Walk::Header;
        }
        Ok(len)
    }

    fn head_of_tight(&mut self, encoding: Encoding, rest: &[u8]) -> Result<Option<usize>, Misbehavior> {
        let dialect = match encoding {
            Encoding::TightPng => Dialect::Png,
            _ if self.rules.tight_without_zlib => Dialect::WithoutZlib,
            _ => Dialect::Tight,
        };
        let Rectangle { width, height, sizes } = self.rectangle;
        Ok(tight::head(rest, (width, height), sizes, dialect)?.map(|head| match head {
            Head::Whole(len) => {
                self.walk = Walk::Header;
                len
            }
            Head::Lengthed(len) => {
                self.walk = Walk::CompactLength;
                len
            }
        }))
    }

    /// [7.8.2] An encoding of its own for the pixels, always RGBA.
    fn head_of_alpha_cursor(&mut self, rest: &[u8]) -> Result<Option<usize>, Misbehavior> {
        let Some(number) = Reader::new(rest).i32() else { return Ok(None) };
        let inner = Encoding::of(number).filter(|e| !e.is_pseudo() && *e != Encoding::CopyRect);
        let inner = inner.filter(|&e| self.rules.asked.contains(e)).ok_or(Misbehavior::UnknownEncoding)?;
        self.rectangle.sizes = PixelSizes::RGBA;
        self.open_body(inner, (0, 0))?;
        Ok(Some(4 + std::mem::take(&mut self.skip)))
    }

    /// VMware's display mode: the target sets size and pixel format at this point of its bytes.
    fn head_of_display_mode<S: Sink>(
        &mut self,
        rest: &[u8],
        sink: &mut S,
    ) -> Result<Option<usize>, Misbehavior> {
        let Some(bytes) = rest.first_chunk::<16>() else { return Ok(None) };
        let format = PixelFormat::parse(*bytes)?;
        let Rectangle { width, height, .. } = self.rectangle;
        let screen = self.screen;
        self.resize(width, height)?;
        self.sizes = PixelSizes::of(&format);
        self.seen.format = Some(format);
        self.walk = Walk::Header;
        if self.screen != screen {
            sink.event(Event::Resize { width, height });
        }
        Ok(Some(16))
    }

    /// [7.8.7] Screens, kept to answer a refused SetDesktopSize with them.
    fn head_of_layout(&mut self, rest: &[u8]) -> Result<Option<usize>, Misbehavior> {
        let Some(&screens) = rest.first() else { return Ok(None) };
        let screens = usize::from(screens);
        if screens > limits::SCREENS {
            return Err(Misbehavior::ScreenLayout);
        }
        let Some(layout) = rest.get(..4 + 16 * screens) else { return Ok(None) };
        self.seen.layout.clear();
        self.seen.layout.extend_from_slice(layout);
        self.walk = Walk::Header;
        Ok(Some(layout.len()))
    }

    /// [7.8.6] The first [`NAME_SHOWN`] bytes of a name are shown, whatever pieces it comes in.
    fn head_of_name<S: Sink>(&mut self, rest: &[u8], sink: &mut S) -> Result<Option<usize>, Misbehavior> {
        let mut r = Reader::new(rest);
        let Some(length) = r.u32() else { return Ok(None) };
        let length = usize::try_from(length).ok().filter(|&n| n <= limits::NAME);
        let length = length.ok_or(Misbehavior::NameTooLong)?;
        let Some(shown) = r.take(length.min(NAME_SHOWN)) else { return Ok(None) };
        self.walk = Walk::Header;
        sink.event(Event::DesktopName(shown));
        Ok(Some(4 + length))
    }
}

/// Most bytes of a compressed rectangle.
fn most_compressed(area: u64) -> usize {
    usize::try_from(area * 8 + 65_536).unwrap_or(limits::ZLIB).min(limits::ZLIB)
}

/// Whether it is a length of four bytes and what that counts.
fn is_lengthed(encoding: Encoding) -> bool {
    !matches!(
        encoding,
        Encoding::Tight
            | Encoding::TightPng
            | Encoding::CursorWithAlpha
            | Encoding::VmwareCursor
            | Encoding::VmwareDisplayMode
            | Encoding::ExtendedDesktopSize
            | Encoding::DesktopName
    )
}

/// Bytes of a rectangle's small head that frame: counts, lengths, kinds.
fn head_fields(encoding: Encoding, rest: &[u8]) -> usize {
    match encoding {
        Encoding::Tight | Encoding::TightPng => tight::fields(rest),
        Encoding::H264 => 8,
        Encoding::VmwareCursor => 2,
        Encoding::VmwareDisplayMode => 16,
        Encoding::ExtendedDesktopSize => 1,
        _ => 4,
    }
}

/// A count of up to `most` subrectangles: the length of everything.
fn counted(count: Option<u32>, most: u64, head: usize, each: usize) -> Result<Option<usize>, Misbehavior> {
    let Some(count) = count else { return Ok(None) };
    if u64::from(count) > most {
        return Err(Misbehavior::RectangleMalformed);
    }
    let count = usize::try_from(count).map_err(|_| Misbehavior::RectangleMalformed)?;
    let body = count.checked_mul(each).ok_or(Misbehavior::RectangleMalformed)?;
    Ok(Some(head + body))
}

fn within(length: u32, most: usize) -> Result<usize, Misbehavior> {
    usize::try_from(length).ok().filter(|&n| n <= most).ok_or(Misbehavior::RectangleMalformed)
}

/// VMware's cursor: two bytes, then two masks in the pixel format, or RGBA.
fn vmware_cursor_len(kind: u16, area: u64, pixel: usize) -> Result<usize, Misbehavior> {
    let area = usize::try_from(area).map_err(|_| Misbehavior::CursorSize)?;
    match kind >> 8 {
        0 => Ok(2 + 2 * area * pixel),
        1 => Ok(2 + area * 4),
        _ => Err(Misbehavior::RectangleMalformed),
    }
}
