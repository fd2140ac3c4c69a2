//! WebSocket frames of a captured connection: what one side sent, without HTTP head and framing.
//!
//! Only what a passive reader needs: nobody is answered, and a fault ends the reading.

use crate::limits;
use rfb::wire::Reader;

/// Reads one direction.
#[derive(Clone, Debug, Default)]
pub struct Unframer {
    held: Vec<u8>,
    head_read: bool,
    left: u64,
    mask: Option<[u8; 4]>,
    turned: usize,
    content: bool,
}

/// Why a direction cannot be read any further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The HTTP head is over its limit, or is no upgrade to a WebSocket.
    NoUpgrade,
    /// A reserved bit is set: an extension such as compression was agreed on.
    Extension,
    /// A frame that RFC 6455 does not allow.
    Malformed,
}

impl Unframer {
    /// Appends to `out` the content of the data frames in `bytes`.
    pub fn handle_bytes(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        let mut reader = Reader::new(&held);
        let result = self.read(&mut reader, out);
        self.held = reader.rest().to_vec();
        result
    }

    /// Whether the HTTP head is behind us.
    pub fn is_open(&self) -> bool {
        self.head_read
    }

    fn read(&mut self, reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if !self.head_read {
            let Some(length) = head_length(reader.rest()) else {
                let over = reader.rest().len() > limits::HTTP_HEAD;
                return if over { Err(Refusal::NoUpgrade) } else { Ok(()) };
            };
            let head = reader.take(length).unwrap_or_default();
            self.head_read = is_upgrade(head);
            if !self.head_read {
                return Err(Refusal::NoUpgrade);
            }
        }
        loop {
            if self.left == 0 && !self.frame_header(reader)? {
                return Ok(());
            }
            let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(reader.rest().len());
            let Some(payload) = reader.take(length).filter(|payload| !payload.is_empty()) else {
                if self.left == 0 {
                    continue;
                }
                return Ok(());
            };
            self.take_payload(payload, out);
        }
    }

    /// [RFC 6455, 5.2] Reads the next frame's header, if it is there whole.
    fn frame_header(&mut self, reader: &mut Reader<'_>) -> Result<bool, Refusal> {
        let mut peek = *reader;
        let Some([first, second]) = peek.array::<2>() else { return Ok(false) };
        if first & 0x70 != 0 {
            return Err(Refusal::Extension);
        }
        let length = match second & 0x7f {
            126 => peek.u16().map(u64::from),
            127 => peek.u64(),
            short => Some(u64::from(short)),
        };
        let Some(length) = length else { return Ok(false) };
        let mask = if second & 0x80 == 0 {
            None
        } else {
            let Some(mask) = peek.array::<4>() else { return Ok(false) };
            Some(mask)
        };
        match first & 0x0f {
            0..=2 => self.content = true,
            8..=10 if length <= 125 => self.content = false,
            _ => return Err(Refusal::Malformed),
        }
        if length > u64::from(u32::MAX) {
            return Err(Refusal::Malformed);
        }
        (self.left, self.mask, self.turned) = (length, mask, 0);
        *reader = peek;
        Ok(true)
    }

    fn take_payload(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        self.left -= u64::try_from(payload.len()).unwrap_or(u64::MAX);
        if !self.content {
            return;
        }
        match self.mask {
            None => out.extend_from_slice(payload),
            Some(mask) => {
                let key = mask.iter().cycle().skip(self.turned % 4);
                out.extend(payload.iter().zip(key).map(|(byte, key)| byte ^ key));
                self.turned += payload.len();
            }
        }
    }
}

fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).take(limits::HTTP_HEAD).position(|w| w == b"\r\n\r\n").map(|at| at + 4)
}

/// Whether a request asks for a WebSocket, or a response grants one.
fn is_upgrade(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let mut lines = text.split("\r\n");
    let start = lines.next().unwrap_or_default();
    let names_websocket =
        lines.any(|line| line.strip_prefix("upgrade:").is_some_and(|value| value.trim() == "websocket"));
    (start.starts_with("get ") || start.contains(" 101")) && names_websocket
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"GET /websockify HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\n\r\n";

    fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        let bit = if mask.is_some() { 0x80 } else { 0 };
        match payload.len() {
            n @ 0..126 => frame.push(bit | u8::try_from(n).unwrap()),
            n => {
                frame.push(bit | 126);
                frame.extend_from_slice(&u16::try_from(n).unwrap().to_be_bytes());
            }
        }
        frame.extend_from_slice(&mask.unwrap_or_default()[..if mask.is_some() { 4 } else { 0 }]);
        let mask = mask.unwrap_or_default();
        frame.extend(payload.iter().enumerate().map(|(n, b)| b ^ mask[n % 4]));
        frame
    }

    #[test]
    fn any_chunking_gives_the_content() {
        let mut wire = REQUEST.to_vec();
        wire.extend(frame(0x82, Some([1, 2, 3, 4]), b"RFB 003.008\n"));
        wire.extend(frame(0x89, Some([9, 9, 9, 9]), b"ping"));
        wire.extend(frame(0x02, None, &[7; 300]));
        wire.extend(frame(0x82, None, b""));
        wire.extend(frame(0x80, Some([5, 6, 7, 8]), b"end"));
        for size in [1, 2, 3, 7, 64, wire.len()] {
            let (mut reader, mut out) = (Unframer::default(), Vec::new());
            for chunk in wire.chunks(size) {
                reader.handle_bytes(chunk, &mut out).unwrap();
            }
            assert_eq!(out, [b"RFB 003.008\n".as_slice(), &[7; 300], b"end"].concat());
        }
    }

    #[test]
    fn other_http_and_broken_frames_are_refused() {
        let read = |bytes: &[u8]| Unframer::default().handle_bytes(bytes, &mut Vec::new());
        assert_eq!(read(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Err(Refusal::NoUpgrade));
        assert_eq!(read(&[b'a'; limits::HTTP_HEAD + 1]), Err(Refusal::NoUpgrade));
        assert_eq!(read(&[REQUEST, &[0xc2, 0]].concat()), Err(Refusal::Extension));
        assert_eq!(read(&[REQUEST, &[0x83, 0]].concat()), Err(Refusal::Malformed));
        assert_eq!(read(&[REQUEST, &[0x89, 126, 0, 200]].concat()), Err(Refusal::Malformed));
    }
}
