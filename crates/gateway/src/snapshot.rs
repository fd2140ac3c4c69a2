//! One picture of a target's screen, by a short connection of its own.
//!
//! The bytes of a running session cannot be used for it: their compressed streams depend on everything since the
//! session's start, and a question of ours among the viewer's would change what the viewer gets. So the relay is left
//! alone: we connect beside it as one more viewer that shares the screen, ask once for all of it, decode that one
//! answer off the reactor, and leave. Nothing is sent that could change the target: no key, pointer or clipboard.
//!
//! INVARIANT: time, bytes and pixels are bounded whatever the target sends, see [`SnapshotLimits`] and `limits`.

mod picture;

pub use picture::Picture;

use crate::Gateway;
use crate::dial::{self, DialContext, DialError, DialLimits, Dialed, Purpose};
use crate::limits::{SNAPSHOT_HELD, SNAPSHOT_PIXELS, SNAPSHOT_REQUESTS};
use crate::port::Endpoint;
use model::Coded;
use rfb::decode::{Event, number};
use rfb::wire::Put;
use rfb::{Decoder, Misbehavior, PixelFormat};
use std::io;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What we ask for: nothing that loses pixels, and the pointer apart so that it is not in the picture. `-255` is the
/// least effort of compression, since the target has its viewers to serve.
const ENCODINGS: [i32; 8] = [
    number::TIGHT,
    number::ZRLE,
    number::HEXTILE,
    number::RAW,
    number::DESKTOP_SIZE,
    number::LAST_RECT,
    number::CURSOR,
    -255,
];
/// Marks pixels that the target has not drawn yet; drawn ones have these bits clear.
const UNDRAWN: u32 = 0xff00_0000;
/// Bytes read at a time.
const READ: usize = 128 * 1024;
/// Bytes decoded before the clock is looked at: some bytes can draw a whole screen.
const STEP: usize = 4096;
/// How long a polite end of the connection may take.
const CLOSE: Duration = Duration::from_millis(500);

/// How long a picture may take, and how large it may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotLimits {
    /// To reach and log in to the target.
    pub dial: DialLimits,
    /// From there to the last pixel.
    pub update: Duration,
    /// Most pixels across; the screen's shape is kept and nothing is made larger.
    pub width: u16,
    /// Most pixels down.
    pub height: u16,
}

impl Default for SnapshotLimits {
    fn default() -> Self {
        SnapshotLimits {
            dial: DialLimits { connect: Duration::from_secs(2), handshake: Duration::from_secs(4) },
            update: Duration::from_secs(5),
            width: 480,
            height: 300,
        }
    }
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The target could not be reached or logged in to.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection broke.
    #[error("the target ended the connection before its screen was there: {0}")]
    Lost(#[from] io::Error),
    /// The target broke the protocol.
    #[error("the target broke the VNC protocol ({})", .0.code())]
    Misbehaved(Misbehavior),
    /// The target was too slow.
    #[error("the target did not send its screen in time")]
    Timeout,
    /// The screen has more pixels than a picture is made of.
    #[error("the screen is too large for a picture")]
    TooLarge,
    /// More bytes came than a screen has.
    #[error("the target sends more than its screen")]
    Endless,
    /// Updates came, but no pixels.
    #[error("the target sends no pixels")]
    Empty,
    /// A defect of the program.
    #[error("internal error while a picture was made ({0})")]
    Internal(&'static str),
}

impl Coded for SnapshotError {
    fn code(&self) -> &'static str {
        match self {
            SnapshotError::Dial(error) => error.code(),
            SnapshotError::Lost(_) => "target.unreachable",
            SnapshotError::Misbehaved(_) => "target.misbehaved",
            SnapshotError::Timeout => "target.timeout",
            SnapshotError::TooLarge => "snapshot.too_large",
            SnapshotError::Endless => "snapshot.endless",
            SnapshotError::Empty => "snapshot.empty",
            SnapshotError::Internal(_) => "snapshot.internal",
        }
    }
}

impl SnapshotError {
    /// Whether trying again would fail again until somebody changes the target or its entry. A wrong password that
    /// is tried again and again locks people out.
    pub fn is_lasting(&self) -> bool {
        match self {
            SnapshotError::Dial(error) => {
                !matches!(error, DialError::Unreachable { .. } | DialError::Timeout { .. })
            }
            SnapshotError::TooLarge | SnapshotError::Endless | SnapshotError::Misbehaved(_) => true,
            _ => false,
        }
    }
}

impl From<Misbehavior> for SnapshotError {
    fn from(misbehavior: Misbehavior) -> Self {
        match misbehavior {
            Misbehavior::ScreenSize => SnapshotError::TooLarge,
            other => SnapshotError::Misbehaved(other),
        }
    }
}

impl Gateway {
    /// Takes one picture of a target's screen. Whoever calls bounds how often and how many at a time.
    pub async fn snapshot(
        &self,
        endpoint: &Endpoint,
        limits: &SnapshotLimits,
    ) -> Result<Picture, SnapshotError> {
        let context = DialContext { limits: limits.dial, ..self.dial.clone() };
        let dialed = Box::pin(dial::dial(endpoint, &context, Purpose::Snapshot)).await?;
        let deadline = Instant::now() + limits.update;
        let screen = tokio::time::timeout(limits.update, whole_screen(dialed, deadline));
        let screen = screen.await.unwrap_or(Err(SnapshotError::Timeout))?;
        let (width, height) = (limits.width, limits.height);
        off_reactor(move || Picture::of(screen.decoder.framebuffer(), width, height)).await?
    }
}

/// Asks for the whole screen and reads until it is there.
async fn whole_screen(dialed: Dialed, deadline: Instant) -> Result<Screen, SnapshotError> {
    let Dialed { mut stream, leftover, init, .. } = dialed;
    let mut screen = Screen::new(&init)?;
    screen.held = leftover;
    stream.write_all(&[wishes(), screen.request()].concat()).await?;
    stream.flush().await?;
    loop {
        let next;
        (screen, next) = off_reactor(move || {
            let next = screen.decode(deadline);
            (screen, next)
        })
        .await?;
        match next? {
            Next::Request => {
                let request = screen.request();
                stream.write_all(&request).await?;
                stream.flush().await?;
            }
            Next::Read => {
                screen.held.reserve(READ);
                let count = stream.read_buf(&mut screen.held).await?;
                if count == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                screen.count(count)?;
            }
            Next::Done => break,
        }
    }
    let _ = tokio::time::timeout(CLOSE, stream.shutdown()).await;
    Ok(screen)
}

/// Decoding takes milliseconds that sessions on the same thread would wait for.
async fn off_reactor<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SnapshotError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| SnapshotError::Internal("snapshot.worker"))
}

/// SetPixelFormat and SetEncodings [7.5.1, 7.5.2].
fn wishes() -> Vec<u8> {
    let mut message = vec![0; 4];
    PixelFormat::RGB888.write(&mut message);
    message.put(&[2, 0]);
    message.put_u16(u16::try_from(ENCODINGS.len()).unwrap_or_default());
    for encoding in ENCODINGS {
        message.put_i32(encoding);
    }
    message
}

/// A screen that comes in.
#[derive(Debug)]
struct Screen {
    decoder: Decoder,
    /// Received, not yet decoded.
    held: Vec<u8>,
    /// Received since the last request.
    received: usize,
    requests: u32,
    /// Every pixel before this one is drawn.
    drawn: usize,
    /// The answer to the last request is complete.
    answered: bool,
}

enum Next {
    Read,
    Request,
    Done,
}

impl Screen {
    fn new(init: &rfb::ServerInit) -> Result<Screen, SnapshotError> {
        let mut decoder = Decoder::bounded(init, SNAPSHOT_PIXELS)?.with_events();
        if decoder.framebuffer().bounds().is_empty() {
            return Err(SnapshotError::Empty);
        }
        decoder.set_pixel_format(PixelFormat::RGB888);
        decoder.set_encodings(&ENCODINGS);
        let mut screen =
            Screen { decoder, held: Vec::new(), received: 0, requests: 0, drawn: 0, answered: false };
        screen.begin_anew();
        Ok(screen)
    }

    /// Nothing is drawn yet.
    fn begin_anew(&mut self) {
        let framebuffer = self.decoder.framebuffer_mut();
        framebuffer.fill(framebuffer.bounds(), UNDRAWN);
        self.drawn = 0;
    }

    /// [7.5.3] FramebufferUpdateRequest of everything.
    fn request(&mut self) -> Vec<u8> {
        self.received = 0;
        self.requests += 1;
        self.answered = false;
        let bounds = self.decoder.framebuffer().bounds();
        let mut message = vec![3, 0];
        for field in [0, 0, bounds.width, bounds.height] {
            message.put_u16(field);
        }
        message
    }

    /// Counts what came; an honest answer is hardly larger than the pixels themselves.
    fn count(&mut self, bytes: usize) -> Result<(), SnapshotError> {
        let raw = self.decoder.framebuffer().bounds().area() * 4;
        self.received += bytes;
        let within = self.received <= raw + raw / 8 + (1 << 20) && self.held.len() <= SNAPSHOT_HELD;
        if within { Ok(()) } else { Err(SnapshotError::Endless) }
    }

    /// Decodes what is held, and says what is to be done next.
    fn decode(&mut self, deadline: Instant) -> Result<Next, SnapshotError> {
        let (mut done, mut shown) = (0, STEP);
        loop {
            if Instant::now() > deadline {
                return Err(SnapshotError::Timeout);
            }
            let end = self.held.len().min(done + shown);
            let taken = self.decoder.handle_server_bytes(self.held.get(done..end).unwrap_or_default())?;
            let events = self.decoder.take_events();
            if taken > 0 || !events.is_empty() {
                done += taken;
                shown = STEP;
                events.iter().for_each(|event| self.note(event));
            } else if end < self.held.len() {
                shown += STEP;
            } else {
                break;
            }
        }
        self.held.drain(..done);
        self.decoder.framebuffer_mut().take_damage();
        self.next()
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Resized(_) => self.begin_anew(),
            Event::Updated => self.answered = true,
            _ => {}
        }
    }

    fn next(&mut self) -> Result<Next, SnapshotError> {
        if !self.answered {
            return Ok(Next::Read);
        }
        if self.is_drawn() {
            return Ok(Next::Done);
        }
        // Some servers answer the first request with their layout alone, or in parts.
        match self.requests {
            0..SNAPSHOT_REQUESTS => Ok(Next::Request),
            _ if self.has_pixels() => Ok(Next::Done),
            _ => Err(SnapshotError::Empty),
        }
    }

    /// Whether every pixel is drawn. Goes on where it stopped before: drawn ones stay drawn.
    fn is_drawn(&mut self) -> bool {
        let pixels = self.decoder.framebuffer().pixels();
        let left = pixels.iter().skip(self.drawn);
        let undrawn = left.clone().position(|pixel| pixel & UNDRAWN != 0);
        self.drawn += undrawn.unwrap_or(left.len());
        undrawn.is_none()
    }

    fn has_pixels(&self) -> bool {
        self.decoder.framebuffer().pixels().iter().any(|pixel| pixel & UNDRAWN == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_password_lasts_and_a_lost_connection_passes() {
        let wrong = DialError::WrongPassword { reason: String::new() };
        assert!(SnapshotError::from(wrong).is_lasting());
        assert!(!SnapshotError::Timeout.is_lasting());
        let gone = DialError::Unreachable { address: String::new(), source: io::ErrorKind::TimedOut.into() };
        assert!(!SnapshotError::from(gone).is_lasting());
    }
}
