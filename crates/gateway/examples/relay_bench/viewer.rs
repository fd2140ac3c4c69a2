//! A viewer that counts.

use crate::http::Line;
use crate::target;
use anyhow::{Result, ensure};
use rfb::ServerInit;
use rfb::decode::number;
use std::io::{Read, Write};

/// Bytes read at a time.
const BUFFER: usize = 256 * 1024;

/// A session's viewer: takes updates and decodes nothing.
pub(crate) struct Viewer {
    line: Line,
    websocket: bool,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    /// Payload left of the frame under way.
    frame: usize,
}

impl Viewer {
    /// Shakes hands and says its encodings.
    pub(crate) fn greet(line: Line, websocket: bool) -> Result<Viewer> {
        let mut viewer = Viewer { line, websocket, buffer: vec![0; BUFFER], at: 0, end: 0, frame: 0 };
        viewer.skip(12)?;
        viewer.send(b"RFB 003.008\n")?;
        viewer.skip(2)?;
        viewer.send(&[1])?;
        viewer.skip(4)?;
        viewer.send(&[1])?;
        viewer.skip(ServerInit::HEADER + target::NAME.len())?;
        let encodings = [number::TIGHT, number::ZRLE, number::RAW];
        let mut message = vec![2, 0, 0, 3];
        message.extend(encodings.iter().flat_map(|e| e.to_be_bytes()));
        viewer.send(&message)?;
        Ok(viewer)
    }

    /// Gives its memory back while it is idle: thousands of viewers shall fit.
    pub(crate) fn let_go(&mut self) {
        if self.at == self.end {
            (self.buffer, self.at, self.end) = (Vec::new(), 0, 0);
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        if self.websocket { self.send_frame(0x82, bytes) } else { Ok(self.line.write_all(bytes)?) }
    }

    fn send_frame(&mut self, first: u8, payload: &[u8]) -> Result<()> {
        let mut frame = vec![first, 0x80 | u8::try_from(payload.len())?, 0, 0, 0, 0];
        frame.extend_from_slice(payload);
        Ok(self.line.write_all(&frame)?)
    }

    /// Asks for so many bytes of a kind: a pointer event that the fake target understands.
    pub(crate) fn ask(&mut self, kind: u8, bytes: usize) -> Result<()> {
        let [a, b, c, d] = u32::try_from(bytes / 1000)?.to_be_bytes();
        self.send(&[5, 1 << kind, a, b, c, d])
    }

    /// Presses a key and waits for the small update that answers it.
    pub(crate) fn round_trip(&mut self) -> Result<()> {
        self.send(&[4, 1, 0, 0, 0, 0, 0, 0x61])?;
        self.skip(target::ANSWER)
    }

    /// Closes as a page does, and waits until the other side has.
    pub(crate) fn leave(mut self) -> Result<()> {
        if self.websocket {
            self.send_frame(0x88, &1000_u16.to_be_bytes())?;
            // A reset instead of an end is an end too.
            while self.line.read(&mut self.buffer).is_ok_and(|n| n > 0) {}
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            self.buffer.resize(BUFFER, 0);
        }
        self.buffer.copy_within(self.at..self.end, 0);
        self.end -= self.at;
        self.at = 0;
        let n = self.line.read(&mut self.buffer[self.end..])?;
        ensure!(n > 0, "the connection ended");
        self.end += n;
        Ok(())
    }

    /// Takes so many bytes of payload.
    pub(crate) fn skip(&mut self, mut bytes: usize) -> Result<()> {
        while bytes > 0 {
            if self.websocket && self.frame == 0 {
                while !self.take_frame_header()? {
                    self.fill()?;
                }
            }
            let here = self.end - self.at;
            let n = bytes.min(here).min(if self.websocket { self.frame } else { usize::MAX });
            self.at += n;
            bytes -= n;
            self.frame = self.frame.saturating_sub(n);
            if bytes > 0 && self.at == self.end {
                self.fill()?;
            }
        }
        Ok(())
    }

    /// False while bytes of it are missing.
    fn take_frame_header(&mut self) -> Result<bool> {
        loop {
            let (header, len) = match &self.buffer[self.at..self.end] {
                // A heartbeat: whatever is sent next counts as an answer.
                [0x89, n, rest @ ..] if rest.len() >= usize::from(*n) => {
                    self.at += 2 + usize::from(*n);
                    continue;
                }
                [0x82, 126, a, b, ..] => (4, usize::from(u16::from_be_bytes([*a, *b]))),
                [0x82, 127, _, _, _, _, a, b, c, d, ..] => {
                    (10, u32::from_be_bytes([*a, *b, *c, *d]) as usize)
                }
                [0x82, n @ 0..=125, ..] => (2, usize::from(*n)),
                [0x88, n, a, b, reason @ ..] if reason.len() + 2 >= usize::from(*n) => {
                    let code = u16::from_be_bytes([*a, *b]);
                    anyhow::bail!("the WebSocket was closed: {code} {}", String::from_utf8_lossy(reason))
                }
                _ => return Ok(false),
            };
            self.at += header;
            self.frame = len;
            return Ok(true);
        }
    }
}
