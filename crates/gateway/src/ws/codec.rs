//! [RFC 6455, 5] Frames, decoded where they lie.
//!
//! A [`Decoder`] is shown bytes as they arrive and turns them into payload in place: masks are taken
//! off, headers squeezed out, so what remains at the front of the buffer is one contiguous piece of
//! the byte stream, however the viewer cut it into frames. It allocates nothing and keeps at most a
//! header and a control frame between calls.

use crate::limits::WS_CONTROL;
use model::Coded;

/// Most bytes of a server's frame header.
pub const HEADROOM: usize = 10;
/// Most bytes of a client's frame header.
const HEADER: usize = 14;

/// What a viewer did against [RFC 6455].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Violation {
    /// [5.2] A reserved bit is set although no extension was agreed on.
    ReservedBits,
    /// [5.2] An opcode that is not defined.
    Opcode,
    /// [5.1] A client's frame without mask.
    Unmasked,
    /// [5.4] A continuation of nothing, or a new message inside another.
    Fragmentation,
    /// [5.5] A control frame that is fragmented or over 125 bytes.
    Control,
    /// [5.2] A 64-bit length with its highest bit set.
    Length,
    /// [5.5.1] A close frame with half a code, or a code that may not be sent.
    CloseCode,
    /// [5.5.1] A close reason that is not UTF-8.
    CloseReason,
    /// [5.6] A text message: consoles speak binary.
    Text,
    /// A message over its limit.
    TooBig,
}

impl Violation {
    /// Every violation, for documents and tests.
    pub const ALL: &[Violation] = &[
        Violation::ReservedBits,
        Violation::Opcode,
        Violation::Unmasked,
        Violation::Fragmentation,
        Violation::Control,
        Violation::Length,
        Violation::CloseCode,
        Violation::CloseReason,
        Violation::Text,
        Violation::TooBig,
    ];

    /// [7.4.1] The close code to answer with.
    pub fn close_code(self) -> u16 {
        match self {
            Violation::Text => 1003,
            Violation::CloseReason => 1007,
            Violation::TooBig => 1009,
            _ => 1002,
        }
    }
}

impl Coded for Violation {
    fn code(&self) -> &'static str {
        match self {
            Violation::ReservedBits => "ws.reserved_bits",
            Violation::Opcode => "ws.opcode",
            Violation::Unmasked => "ws.unmasked",
            Violation::Fragmentation => "ws.fragmentation",
            Violation::Control => "ws.control_frame",
            Violation::Length => "ws.length",
            Violation::CloseCode => "ws.close_code",
            Violation::CloseReason => "ws.close_reason",
            Violation::Text => "ws.text",
            Violation::TooBig => "ws.too_big",
        }
    }
}

/// A control frame as it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Control<'a> {
    /// Answer it with a pong of the same payload; the latest one is enough [5.5.3].
    Ping(&'a [u8]),
    /// An answer to a ping of ours.
    Pong(&'a [u8]),
    /// The viewer closes; the code is absent where it gave none. Everything after it is ignored.
    Close(Option<u16>),
}

/// What became of bytes shown to a [`Decoder`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Unframed {
    /// So many bytes at the front are payload now.
    pub payload: usize,
    /// The stream is broken after that payload.
    pub fault: Option<Violation>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Opcode {
    Data,
    Close,
    Ping,
    Pong,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// In a header, of which `have` bytes are kept.
    Header,
    /// In a payload of which `left` bytes are missing.
    Payload,
    /// After a close or a violation.
    Over,
}

/// Decodes a client's frames.
#[derive(Clone, Debug)]
pub struct Decoder {
    place: Place,
    header: [u8; HEADER],
    have: u8,
    opcode: Opcode,
    left: u64,
    mask: [u8; 4],
    /// Whether a message is under way whose last frame has not come.
    open: bool,
    /// Whether the frame under way is its message's last.
    fin: bool,
    /// Bytes of the message under way, announced so far.
    message: u64,
    limit: u64,
    control: [u8; WS_CONTROL],
    control_have: u8,
}

impl Decoder {
    /// A decoder at the start of the stream; messages over `limit` bytes are violations.
    pub fn new(limit: u64) -> Self {
        Decoder {
            place: Place::Header,
            header: [0; HEADER],
            have: 0,
            opcode: Opcode::Data,
            left: 0,
            mask: [0; 4],
            open: false,
            fin: false,
            message: 0,
            limit,
            control: [0; WS_CONTROL],
            control_have: 0,
        }
    }

    /// Whether the stream stands between two frames.
    pub fn is_between_frames(&self) -> bool {
        self.place != Place::Payload && self.have == 0
    }

    /// Decodes all of `bytes` in place, reports control frames in their order.
    pub fn unframe(&mut self, bytes: &mut [u8], mut control: impl FnMut(Control<'_>)) -> Unframed {
        let (mut read, mut payload) = (0, 0);
        while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.place {
                Place::Over => break,
                Place::Header => match self.take_header(rest) {
                    Ok(taken) => read += taken,
                    Err(fault) => return self.fail(payload, fault),
                },
                Place::Payload => {
                    let n = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
                    let piece = rest.get_mut(..n).unwrap_or_default();
                    self.mask = unmask(piece, self.mask);
                    self.left = self.left.saturating_sub(n.try_into().unwrap_or(u64::MAX));
                    if self.opcode == Opcode::Data {
                        if read != payload {
                            bytes.copy_within(read..read.saturating_add(n), payload);
                        }
                        payload += n;
                    } else {
                        self.keep_control(piece);
                    }
                    read += n;
                }
            }
            if self.place == Place::Payload
                && self.left == 0
                && let Err(fault) = self.finish_frame(&mut control)
            {
                return self.fail(payload, fault);
            }
        }
        Unframed { payload, fault: None }
    }

    fn fail(&mut self, payload: usize, fault: Violation) -> Unframed {
        self.place = Place::Over;
        Unframed { payload, fault: Some(fault) }
    }

    /// Takes header bytes; enters the payload when the header is whole.
    fn take_header(&mut self, rest: &[u8]) -> Result<usize, Violation> {
        let mut taken = 0;
        for &byte in rest {
            if let Some(slot) = self.header.get_mut(usize::from(self.have)) {
                *slot = byte;
            }
            self.have += 1;
            taken += 1;
            match self.have {
                1 => self.check_first(byte)?,
                2 => self.check_second(byte)?,
                _ => {}
            }
            if self.have >= 2 && usize::from(self.have) == self.header_len() {
                self.start_payload()?;
                break;
            }
        }
        Ok(taken)
    }

    fn check_first(&mut self, byte: u8) -> Result<(), Violation> {
        if byte & 0x70 != 0 {
            return Err(Violation::ReservedBits);
        }
        let (fin, number) = (byte & 0x80 != 0, byte & 0x0f);
        self.opcode = match number {
            0x0..=0x2 => Opcode::Data,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xa => Opcode::Pong,
            _ => return Err(Violation::Opcode),
        };
        match number {
            0x0 if !self.open => return Err(Violation::Fragmentation),
            0x1 | 0x2 if self.open => return Err(Violation::Fragmentation),
            0x1 => return Err(Violation::Text),
            0x8.. if !fin => return Err(Violation::Control),
            _ => {}
        }
        self.fin = fin;
        Ok(())
    }

    fn check_second(&mut self, byte: u8) -> Result<(), Violation> {
        if byte & 0x80 == 0 {
            return Err(Violation::Unmasked);
        }
        if self.opcode != Opcode::Data && usize::from(byte & 0x7f) > WS_CONTROL {
            return Err(Violation::Control);
        }
        Ok(())
    }

    fn header_len(&self) -> usize {
        let [_, second, ..] = self.header;
        match second & 0x7f {
            127 => 14,
            126 => 8,
            _ => 6,
        }
    }

    fn start_payload(&mut self) -> Result<(), Violation> {
        let [_, second, a, b, c, d, e, f, g, h, i, j, k, l] = self.header;
        // Lengths in a longer form than needed are taken as they are: all that matters is the number.
        (self.left, self.mask) = match second & 0x7f {
            127 => (u64::from_be_bytes([a, b, c, d, e, f, g, h]), [i, j, k, l]),
            126 => (u64::from(u16::from_be_bytes([a, b])), [c, d, e, f]),
            short => (u64::from(short), [a, b, c, d]),
        };
        if self.left >> 63 != 0 {
            return Err(Violation::Length);
        }
        if self.opcode == Opcode::Data {
            self.message = self.message.saturating_add(self.left);
            if self.message > self.limit {
                return Err(Violation::TooBig);
            }
        }
        self.have = 0;
        self.control_have = 0;
        self.place = Place::Payload;
        Ok(())
    }

    fn keep_control(&mut self, piece: &[u8]) {
        let from = usize::from(self.control_have);
        if let Some(room) = self.control.get_mut(from..from.saturating_add(piece.len())) {
            room.copy_from_slice(piece);
        }
        // Checked with the header: a control frame has at most 125 bytes.
        self.control_have = self.control_have.saturating_add(u8::try_from(piece.len()).unwrap_or(u8::MAX));
    }

    fn finish_frame(&mut self, control: &mut impl FnMut(Control<'_>)) -> Result<(), Violation> {
        self.place = Place::Header;
        let payload = self.control.get(..usize::from(self.control_have)).unwrap_or_default();
        match self.opcode {
            Opcode::Data => {
                self.open = !self.fin;
                if self.fin {
                    self.message = 0;
                }
            }
            Opcode::Ping => control(Control::Ping(payload)),
            Opcode::Pong => control(Control::Pong(payload)),
            Opcode::Close => {
                control(Control::Close(close_code(payload)?));
                self.place = Place::Over;
            }
        }
        Ok(())
    }
}

/// [5.5.1, 7.4] The code of a close frame, if it has one.
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(None) } else { Err(Violation::CloseCode) };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::CloseCode);
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(Violation::CloseReason);
    }
    Ok(Some(code))
}

/// [5.3] Takes the mask off; answers the mask turned to where the next byte needs it.
pub fn unmask(bytes: &mut [u8], mask: [u8; 4]) -> [u8; 4] {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = bytes.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    match rest.len() % 4 {
        1 => [b, c, d, a],
        2 => [c, d, a, b],
        3 => [d, a, b, c],
        _ => mask,
    }
}

/// [5.2] A server's frame header, at the end of its room: `header[start..]` goes before the payload.
fn header(first: u8, len: usize) -> ([u8; HEADROOM], usize) {
    let mut header = [0; HEADROOM];
    let long = u64::try_from(len).unwrap_or(u64::MAX).to_be_bytes();
    let [.., c, d] = long;
    let start = match len {
        0..=125 => {
            let [.., x, y] = &mut header;
            (*x, *y) = (first, d);
            HEADROOM - 2
        }
        126..=65_535 => {
            let [.., w, x, y, z] = &mut header;
            (*w, *x, *y, *z) = (first, 126, c, d);
            HEADROOM - 4
        }
        _ => {
            let [x, y, rest @ ..] = &mut header;
            (*x, *y) = (first, 127);
            *rest = long;
            0
        }
    };
    (header, start)
}

/// Writes a binary frame's header into the room before a payload: `room` ends where the payload of
/// `len` bytes begins and has at least [`HEADROOM`] bytes. Answers where in `room` the frame starts.
pub fn put_header(room: &mut [u8], len: usize) -> usize {
    let (header, start) = header(0x82, len);
    let header = header.get(start..).unwrap_or_default();
    let at = room.len().saturating_sub(header.len());
    if let Some(slot) = room.get_mut(at..).filter(|slot| slot.len() == header.len()) {
        slot.copy_from_slice(header);
    }
    at
}

/// Appends a binary frame.
pub fn put_binary(out: &mut Vec<u8>, payload: &[u8]) {
    put_frame(out, 0x82, payload);
}

/// [5.5.2] Appends a ping of at most 125 bytes.
pub fn put_ping(out: &mut Vec<u8>, payload: &[u8]) {
    put_frame(out, 0x89, payload.get(..WS_CONTROL).unwrap_or(payload));
}

/// [5.5.3] Appends a pong of at most 125 bytes.
pub fn put_pong(out: &mut Vec<u8>, payload: &[u8]) {
    put_frame(out, 0x8a, payload.get(..WS_CONTROL).unwrap_or(payload));
}

/// [5.5.1] Appends a close frame; the reason is cut to what fits, between characters.
pub fn put_close(out: &mut Vec<u8>, code: u16, reason: &str) {
    let mut end = reason.len().min(WS_CONTROL - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.get(..end).unwrap_or_default().as_bytes());
    put_frame(out, 0x88, &payload);
}

fn put_frame(out: &mut Vec<u8>, first: u8, payload: &[u8]) {
    let (header, start) = header(first, payload.len());
    out.extend_from_slice(header.get(start..).unwrap_or_default());
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests;
