//! One direction of a session: bytes come in, wait for their verdict, go out.
//!
//! INVARIANT: a lane reads only when everything decided has been written, so one buffer bounds it and a
//! side that does not read stops the other side's sender, nobody else.

use crate::buffer::{Buffer, Pool, Width};
use crate::limits::SMALL_BUFFER;
use crate::ws::codec::{self, HEADROOM};
use model::event::{Origin, Sink};
use rfb::{Misbehavior, Observer};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Where input begins in a buffer; a frame header fits before it, so header and payload leave together.
const BASE: usize = 16;
const _: () = assert!(BASE >= HEADROOM);

/// What is on its way out.
#[derive(Debug, Default)]
enum Out {
    #[default]
    Nothing,
    /// `from..to` of the buffer; the first `decided` bytes of input leave with it.
    Original { from: usize, to: usize, decided: usize },
    /// Bytes that are not as they came, and how many of them are written.
    Edited { bytes: Vec<u8>, written: usize },
}

/// One direction.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// Only while there are bytes in it.
    buffer: Option<Buffer>,
    /// Bytes of input in the buffer, from `BASE`.
    filled: usize,
    /// Undecided input while there is no buffer.
    parked: Vec<u8>,
    out: Out,
    flushing: bool,
    /// Wide while reads fill their buffers and the other side keeps up.
    width: Width,
    /// Since when the other side takes nothing.
    pub(crate) blocked: Option<Instant>,
}

impl Lane {
    /// A lane whose first input is there already.
    pub(crate) fn with_input(input: Vec<u8>) -> Self {
        Lane { parked: input, ..Lane::default() }
    }

    /// Whether everything decided is written.
    pub(crate) fn is_clear(&self) -> bool {
        matches!(self.out, Out::Nothing) && !self.flushing
    }

    /// Whether input waits for its verdict.
    pub(crate) fn has_input(&self) -> bool {
        self.filled > 0 || !self.parked.is_empty()
    }

    /// Forgets input that waits for its verdict: nothing of it has left, and nothing shall any more. Only
    /// on a clear lane.
    pub(crate) fn discard_input(&mut self) {
        self.buffer = None;
        self.filled = 0;
        self.parked = Vec::new();
    }

    /// Queues bytes that go out as they are. Only on a clear lane.
    pub(crate) fn push(&mut self, bytes: Vec<u8>) {
        debug_assert!(self.is_clear(), "a lane carries one thing at a time");
        self.out = Out::Edited { bytes, written: 0 };
    }

    /// Writes what is decided; ready when the lane is clear.
    #[inline]
    pub(crate) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        to: &mut W,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> Poll<io::Result<()>> {
        if self.is_clear() {
            return Poll::Ready(Ok(()));
        }
        let done = self.poll_write_out(to, cx);
        match done {
            Poll::Pending => {
                self.blocked.get_or_insert(now);
                self.width = Width::Usual;
            }
            Poll::Ready(_) => self.blocked = None,
        }
        done
    }

    fn poll_write_out<W: AsyncWrite + Unpin>(
        &mut self,
        to: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let rest = match &self.out {
                Out::Nothing => break,
                Out::Original { from, to, .. } => {
                    self.buffer.as_deref().and_then(|b| b.get(*from..*to)).unwrap_or_default()
                }
                Out::Edited { bytes, written } => bytes.get(*written..).unwrap_or_default(),
            };
            if rest.is_empty() {
                self.finish_out();
                break;
            }
            let n = ready!(Pin::new(&mut *to).poll_write(cx, rest))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.flushing = true;
            // Progress: a slow peer is not a stalled one.
            self.blocked = None;
            match &mut self.out {
                Out::Nothing => {}
                Out::Original { from, .. } => *from += n,
                Out::Edited { written, .. } => *written += n,
            }
        }
        ready!(Pin::new(to).poll_flush(cx))?;
        self.flushing = false;
        Poll::Ready(Ok(()))
    }

    fn finish_out(&mut self) {
        if let Out::Original { decided, .. } = std::mem::take(&mut self.out) {
            self.consume(decided);
        }
    }

    /// Removes decided input from the front.
    fn consume(&mut self, decided: usize) {
        match &mut self.buffer {
            Some(buffer) => {
                let end = BASE.saturating_add(self.filled);
                buffer.copy_within(BASE.saturating_add(decided).min(end)..end, BASE);
                self.filled = self.filled.saturating_sub(decided);
            }
            None => drop(self.parked.drain(..decided.min(self.parked.len()))),
        }
    }

    /// Reads at most `most` bytes behind the input, lets `unframe` turn them into payload in place, and
    /// adds that to the input. Answers how many bytes were read; 0 is the end of the stream.
    #[inline]
    pub(crate) fn poll_read<R: AsyncRead + Unpin>(
        &mut self,
        from: &mut R,
        cx: &mut Context<'_>,
        pool: &Arc<Pool>,
        most: usize,
        unframe: impl FnOnce(&mut [u8]) -> usize,
    ) -> Poll<io::Result<usize>> {
        let at = self.make_room(pool);
        let Some(room) = at.and_then(|at| self.buffer.as_deref_mut()?.get_mut(at..)) else {
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        };
        let (most, whole) = (most.min(room.len()), room.len());
        let mut read = ReadBuf::new(room.get_mut(..most).unwrap_or_default());
        let result = Pin::new(from).poll_read(cx, &mut read);
        let n = read.filled().len();
        match result {
            Poll::Ready(Ok(())) if n > 0 => {
                if n == whole {
                    self.width = Width::Wide;
                }
                self.filled += unframe(read.filled_mut());
                Poll::Ready(Ok(n))
            }
            other => {
                self.park();
                other.map_ok(|()| 0)
            }
        }
    }

    /// Gets a buffer with room behind the input; answers where the room begins. The observer promises to
    /// leave no more undecided than `Observer::MAX_HELD`; there is no room beyond that.
    fn make_room(&mut self, pool: &Arc<Pool>) -> Option<usize> {
        if self.filled == 0 && self.buffer.as_ref().is_some_and(|b| b.len() != self.width.bytes()) {
            self.buffer = None;
        }
        let buffer = self.buffer.get_or_insert_with(|| pool.take(self.width));
        if !self.parked.is_empty() {
            let parked = std::mem::take(&mut self.parked);
            buffer.grow(BASE.saturating_add(parked.len()).saturating_add(SMALL_BUFFER / 2));
            if let Some(front) = buffer.get_mut(BASE..BASE.saturating_add(parked.len())) {
                front.copy_from_slice(&parked);
                self.filled = parked.len();
            }
        }
        let at = BASE.saturating_add(self.filled);
        if at >= buffer.len() {
            buffer.grow(buffer.len().saturating_mul(2));
        }
        (self.filled <= Observer::MAX_HELD).then_some(at)
    }

    /// Gives the buffer back; a few undecided bytes are kept aside, many keep the buffer.
    fn park(&mut self) {
        if self.filled > SMALL_BUFFER || !matches!(self.out, Out::Nothing) {
            return;
        }
        if let Some(buffer) = self.buffer.take()
            && self.filled > 0
        {
            self.parked = buffer.get(BASE..BASE.saturating_add(self.filled)).unwrap_or_default().to_vec();
        }
        self.filled = 0;
    }

    fn input(&self) -> &[u8] {
        match &self.buffer {
            Some(buffer) => buffer.get(BASE..BASE.saturating_add(self.filled)).unwrap_or_default(),
            None => &self.parked,
        }
    }

    /// Shows the input to the observer and queues what it decides, as one WebSocket frame if `framed`.
    /// Only on a clear lane. Answers a fault: nothing after it may leave.
    #[inline]
    pub(crate) fn judge(
        &mut self,
        observer: &mut Observer,
        from: Origin,
        framed: bool,
        sink: &mut impl Sink,
    ) -> Option<Misbehavior> {
        let input = self.input();
        let verdict = observer.observe(from, input, sink);
        let (decided, fault) = (verdict.decided, verdict.fault);
        if verdict.is_untouched() && self.buffer.is_some() {
            self.queue_original(decided, framed);
        } else if decided > 0 || !verdict.is_untouched() {
            let mut bytes = Vec::with_capacity(BASE.saturating_add(decided));
            bytes.resize(BASE, 0);
            verdict.apply(input, &mut bytes);
            self.queue_edited(bytes, framed);
            self.consume(decided);
        }
        fault
    }

    fn queue_original(&mut self, decided: usize, framed: bool) {
        let Some(buffer) = self.buffer.as_deref_mut().filter(|_| decided > 0) else { return };
        let from = match buffer.get_mut(..BASE) {
            Some(room) if framed => codec::put_header(room, decided),
            _ => BASE,
        };
        self.out = Out::Original { from, to: BASE.saturating_add(decided), decided };
    }

    fn queue_edited(&mut self, mut bytes: Vec<u8>, framed: bool) {
        let payload = bytes.len().saturating_sub(BASE);
        if payload == 0 {
            return;
        }
        let written = match bytes.get_mut(..BASE) {
            Some(room) if framed => codec::put_header(room, payload),
            _ => BASE,
        };
        self.out = Out::Edited { bytes, written };
    }
}
