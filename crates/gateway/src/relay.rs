//! The relay: one task per session forwards both directions and shows every byte to the observer.
//!
//! A hand-written poll loop instead of two copying tasks: both lanes share one observer and one set of
//! timers without a lock, a verdict on one lane can put bytes on the other in the same turn, and an
//! idle session is one small future that owns no buffer.
//!
//! INVARIANT: no byte leaves before its verdict, and nothing leaves after a fault.

mod bucket;
mod lane;
mod timers;
mod watch;

use crate::buffer::Pool;
use crate::limits::{GatewayLimits, TURNS, WS_CONTROL};
use crate::port::{Changed, Tap};
use crate::registry::Entry;
use crate::transport::Transport;
use crate::ws::codec::{self, Control, Decoder, Violation};
use bucket::Bucket;
use lane::Lane;
use model::event::Origin;
use model::session::EndReason;
use model::{Coded, Policy};
use rfb::{Misbehavior, Observer, ServerInit};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use timers::Timer;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};
use watch::Watch;

/// Codes of ends that no peer's misbehavior explains.
pub(crate) mod detail {
    /// A peer stopped inside a message, or stopped reading.
    pub(crate) const STALLED: &str = "session.stalled";
    /// The viewer answers no heartbeat.
    pub(crate) const NO_HEARTBEAT: &str = "session.no_heartbeat";
    /// The target closed inside a message.
    pub(crate) const TRUNCATED: &str = "session.truncated";
}

/// A close frame is written in this time even when the flush took all of its own.
const GOODBYE: Duration = Duration::from_millis(20);

/// How a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct End {
    pub(crate) reason: EndReason,
    pub(crate) detail: Option<&'static str>,
    /// Instead of the reason's own WebSocket close code.
    pub(crate) close_code: Option<u16>,
    /// Whether the viewer may come back for it.
    pub(crate) resumable: bool,
}

impl End {
    pub(crate) fn new(reason: EndReason) -> Self {
        End { reason, detail: None, close_code: None, resumable: reason == EndReason::ViewerLost }
    }

    pub(crate) fn with(reason: EndReason, detail: &'static str) -> Self {
        End { detail: Some(detail), ..End::new(reason) }
    }

    fn fault(from: Origin, fault: Misbehavior) -> Self {
        match from {
            Origin::Viewer => End::with(EndReason::ViewerMisbehaved, fault.code()),
            Origin::Target => End::with(EndReason::TargetMisbehaved, fault.code()),
        }
    }

    pub(crate) fn violation(violation: Violation) -> Self {
        let close_code = Some(violation.close_code());
        End { close_code, ..End::with(EndReason::ViewerMisbehaved, violation.code()) }
    }

    /// The most exact stable code.
    pub(crate) fn code(&self) -> &'static str {
        self.detail.unwrap_or_else(|| self.reason.code())
    }

    /// The close frame's code and reason: one stable code, which the page turns into a sentence.
    pub(crate) fn close_frame(&self) -> Vec<u8> {
        self.close_frame_saying(self.code())
    }

    /// The same with more than the code in its reason.
    pub(crate) fn close_frame_saying(&self, reason: &str) -> Vec<u8> {
        let mut frame = Vec::new();
        let code = self.close_code.unwrap_or_else(|| self.reason.close_code());
        codec::put_close(&mut frame, code, reason);
        frame
    }
}

/// What the viewer's side of a relay starts with.
#[derive(Debug)]
pub(crate) struct ViewerSide {
    pub(crate) io: Transport,
    /// The WebSocket decoder of the greeting; none for native viewers.
    pub(crate) ws: Option<Decoder>,
    /// Payload that came behind the greeting.
    pub(crate) early: Vec<u8>,
}

/// A WebSocket's state beside the bytes.
#[derive(Debug)]
struct Ws {
    decoder: Decoder,
    /// Control frames to send, each kind at most once.
    answer: Vec<u8>,
    /// The viewer's close code, once it closed.
    closed: Option<Option<u16>>,
    next_ping: Instant,
    pings: u64,
    pinged: Option<Instant>,
}

/// What one step of a lane came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flow {
    Moved,
    Waits,
}

/// What changed that the journal wants to know.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Notices {
    pub(crate) policy: bool,
    pub(crate) size: Option<(u16, u16)>,
}

impl Notices {
    /// Adds newer ones; of each kind the newest counts.
    pub(crate) fn add(&mut self, newer: Notices) {
        self.policy |= newer.policy;
        self.size = newer.size.or(self.size);
    }

    /// Takes one out, in words.
    pub(crate) fn next(&mut self, policy: &Policy) -> Option<Changed> {
        if std::mem::take(&mut self.policy) {
            return Some(Changed::Policy(policy.clone()));
        }
        self.size.take().map(|(width, height)| Changed::Size { width, height })
    }
}

/// One running session.
pub(crate) struct Relay<T> {
    viewer: Transport,
    target: T,
    ws: Option<Box<Ws>>,
    observer: Box<Observer>,
    entry: Arc<Entry>,
    seen: u32,
    policy: Policy,
    pool: Arc<Pool>,
    watch: Watch,
    up: Lane,
    down: Lane,
    /// Bytes that came with the greeting wait for their first verdict.
    fresh_up: bool,
    fresh_down: bool,
    /// The target takes no more; what it still sends is passed on.
    target_gone: bool,
    bucket: Option<Bucket>,
    throttled: Option<Instant>,
    stall: Duration,
    heartbeat: Duration,
    expires: Option<Instant>,
    opened: Instant,
    active: Instant,
    heard: Instant,
    awaited: Instant,
    timer: Timer,
    policy_changed: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Relay<T> {
    /// A relay whose both handshakes are over; beside the target, what it sent behind ServerInit already.
    pub(crate) fn new(
        viewer: ViewerSide,
        target: (T, Vec<u8>),
        init: &ServerInit,
        entry: Arc<Entry>,
        pool: Arc<Pool>,
        limits: &GatewayLimits,
        tap: Option<Box<dyn Tap>>,
    ) -> Self {
        let now = Instant::now();
        let (target, early) = target;
        let seen = entry.version();
        let policy = entry.decision().policy;
        let age = entry.started().elapsed().unwrap_or_default();
        let ws = viewer.ws.map(|decoder| {
            let next_ping = now + limits.heartbeat;
            Box::new(Ws { decoder, answer: Vec::new(), closed: None, next_ping, pings: 0, pinged: None })
        });
        entry.set_size(init.width, init.height);
        let mut relay = Relay {
            viewer: viewer.io,
            target,
            ws,
            observer: Box::new(Observer::after_init(init, policy.clone())),
            entry,
            seen,
            policy,
            pool,
            watch: Watch::new(tap),
            up: Lane::with_input(viewer.early),
            down: Lane::with_input(early),
            fresh_up: true,
            fresh_down: true,
            target_gone: false,
            bucket: None,
            throttled: None,
            stall: limits.stall,
            heartbeat: limits.heartbeat,
            expires: None,
            opened: now.checked_sub(age).unwrap_or(now),
            active: now,
            heard: now,
            awaited: now,
            timer: Timer::new(now + limits.heartbeat),
            policy_changed: false,
        };
        relay.watch.prepare(&mut relay.observer);
        relay.apply_limits(now);
        relay
    }

    /// Relays until the session ends.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        match self.turn(cx, Instant::now()) {
            Ok(()) => Poll::Pending,
            Err(end) => {
                self.entry.set_counters(&self.observer.counters());
                Poll::Ready(end)
            }
        }
    }

    /// Takes what the journal should know since it was asked last.
    pub(crate) fn take_notices(&mut self) -> Notices {
        let size = self.watch.size.take();
        if let Some((width, height)) = size {
            self.entry.set_size(width, height);
        }
        Notices { policy: std::mem::take(&mut self.policy_changed), size }
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    fn turn(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), End> {
        self.entry.register(cx.waker());
        self.look_at_decisions(now)?;
        self.look_at_time(now)?;
        let (mut up, mut down, mut moved) = (true, true, false);
        for _ in 0..TURNS {
            if up {
                up = self.turn_up(cx, now)? == Flow::Moved;
                moved |= up;
            }
            if down || self.viewer_is_due() {
                down = self.turn_down(cx, now)? == Flow::Moved;
                moved |= down;
                // What the target's bytes call for may go out on the other lane at once.
                up |= down && self.observer.has_insertions(Origin::Target);
            }
            if !up && !down {
                if moved {
                    self.entry.set_counters(&self.observer.counters());
                }
                return self.sleep(cx, now);
            }
        }
        self.entry.set_counters(&self.observer.counters());
        cx.waker().wake_by_ref();
        self.sleep(cx, now)
    }

    /// One atomic load, unless somebody decided something.
    #[inline]
    fn look_at_decisions(&mut self, now: Instant) -> Result<(), End> {
        let version = self.entry.version();
        if version == self.seen {
            return Ok(());
        }
        self.seen = version;
        let decision = self.entry.decision();
        if let Some(reason) = decision.end {
            return Err(End::new(reason));
        }
        if decision.policy != self.policy {
            self.policy = decision.policy;
            self.observer.set_policy(self.policy.clone());
            self.policy_changed = true;
            self.apply_limits(now);
        }
        Ok(())
    }

    fn apply_limits(&mut self, now: Instant) {
        self.expires = self.policy.max_duration.and_then(|d| self.opened.checked_add(d));
        self.throttled = None;
        match (self.policy.max_bytes_per_second, &mut self.bucket) {
            (Some(rate), Some(bucket)) => bucket.set_rate(rate, now),
            (Some(rate), none) => *none = Some(Bucket::new(rate, now)),
            (None, some) => *some = None,
        }
    }

    /// Whether something other than the target's bytes waits to go to the viewer.
    fn viewer_is_due(&self) -> bool {
        self.down.is_clear()
            && (self.ws.as_ref().is_some_and(|ws| !ws.answer.is_empty())
                || (self.observer.has_insertions(Origin::Viewer)
                    && self.observer.at_boundary(Origin::Target)))
    }

    /// Viewer to target: write what is decided, read, judge.
    #[inline]
    fn turn_up(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<Flow, End> {
        let was_blocked = self.up.blocked.is_some();
        match self.up.poll_write(&mut self.target, cx, now) {
            Poll::Pending => return Ok(Flow::Waits),
            Poll::Ready(Ok(())) if was_blocked => self.heard = now,
            // Its last words may still be on their way, and they say whether it closed or broke.
            Poll::Ready(Err(_)) if !self.target_gone => self.target_gone = true,
            Poll::Ready(_) => {}
        }
        if self.target_gone {
            return Ok(Flow::Waits);
        }
        if self.fresh_up || self.observer.has_insertions(Origin::Target) {
            self.fresh_up = false;
            self.judge_up(now)?;
            if !self.up.is_clear() {
                return Ok(Flow::Moved);
            }
        }
        let ws = &mut self.ws;
        let mut broken = None;
        let read = self.up.poll_read(&mut self.viewer, cx, &self.pool, usize::MAX, |bytes| match ws {
            Some(ws) => ws.unframe(bytes, now, &self.entry, &mut broken),
            None => bytes.len(),
        });
        match read {
            Poll::Pending => return Ok(Flow::Waits),
            Poll::Ready(Err(_)) => return Err(End::new(EndReason::ViewerLost)),
            Poll::Ready(Ok(0)) if self.ws.is_some() => return Err(End::new(EndReason::ViewerLost)),
            Poll::Ready(Ok(0)) => return Err(End::new(EndReason::ViewerLeft)),
            Poll::Ready(Ok(_)) => self.heard = now,
        }
        self.judge_up(now)?;
        if let Some(violation) = broken {
            return Err(End::violation(violation));
        }
        match self.ws.as_ref().and_then(|ws| ws.closed) {
            Some(code) => Err(viewer_closed(code)),
            None => Ok(Flow::Moved),
        }
    }

    fn judge_up(&mut self, now: Instant) -> Result<(), End> {
        let fault = self.up.judge(&mut self.observer, Origin::Viewer, false, &mut self.watch);
        self.watch.trace(&mut self.observer, Origin::Viewer);
        if std::mem::take(&mut self.watch.input) {
            self.active = now;
        }
        fault.map_or(Ok(()), |fault| Err(End::fault(Origin::Viewer, fault)))
    }

    /// Target to viewer: write what is decided, then control frames and insertions, read, judge.
    #[inline]
    fn turn_down(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<Flow, End> {
        let was_blocked = self.down.blocked.is_some();
        match self.down.poll_write(&mut self.viewer, cx, now) {
            Poll::Pending => return Ok(Flow::Waits),
            Poll::Ready(Err(_)) => return Err(End::new(EndReason::ViewerLost)),
            Poll::Ready(Ok(())) if was_blocked => self.awaited = now,
            Poll::Ready(Ok(())) => {}
        }
        if let Some(ws) = self.ws.as_mut().filter(|ws| !ws.answer.is_empty()) {
            self.down.push(std::mem::take(&mut ws.answer));
            return Ok(Flow::Moved);
        }
        let framed = self.ws.is_some();
        if self.fresh_down || self.viewer_is_due() {
            self.fresh_down = false;
            self.judge_down(framed)?;
            if !self.down.is_clear() {
                return Ok(Flow::Moved);
            }
        }
        let Some(most) = self.allowance(now) else { return Ok(Flow::Waits) };
        match self.down.poll_read(&mut self.target, cx, &self.pool, most, |bytes| bytes.len()) {
            Poll::Pending if self.target_gone => Err(End::new(EndReason::TargetLost)),
            Poll::Pending => Ok(Flow::Waits),
            Poll::Ready(Err(_)) => Err(End::new(EndReason::TargetLost)),
            Poll::Ready(Ok(0)) => Err(self.target_closed()),
            Poll::Ready(Ok(n)) => {
                if let Some(bucket) = &mut self.bucket {
                    bucket.spend(n);
                }
                self.awaited = now;
                self.judge_down(framed)?;
                Ok(Flow::Moved)
            }
        }
    }

    fn judge_down(&mut self, framed: bool) -> Result<(), End> {
        let fault = self.down.judge(&mut self.observer, Origin::Target, framed, &mut self.watch);
        self.watch.trace(&mut self.observer, Origin::Target);
        fault.map_or(Ok(()), |fault| Err(End::fault(Origin::Target, fault)))
    }

    fn target_closed(&self) -> End {
        if self.down.has_input() || !self.observer.at_boundary(Origin::Target) {
            End::with(EndReason::TargetClosed, detail::TRUNCATED)
        } else {
            End::new(EndReason::TargetClosed)
        }
    }

    /// How much of the target's bytes may be read now.
    fn allowance(&mut self, now: Instant) -> Option<usize> {
        let Some(bucket) = &mut self.bucket else { return Some(usize::MAX) };
        match bucket.allowance(now) {
            Ok(bytes) => {
                self.throttled = None;
                Some(bytes)
            }
            Err(until) => {
                self.throttled = Some(until);
                self.awaited = now;
                None
            }
        }
    }
}

/// The last words of a connection.
impl<T: AsyncRead + AsyncWrite + Unpin> Relay<T> {
    /// Releases what is pressed, flushes what is under way, says why, and closes both sides. What is
    /// left is a viewer that may still have to read it.
    pub(crate) async fn close(mut self, end: End, flush: Duration) -> Option<Parting> {
        self.observer.release_input();
        let deadline = Instant::now() + flush;
        let flush = timeout_at(deadline, poll_fn(|cx| self.poll_farewell(cx, &end)));
        let flushed = flush.await == Ok(true);
        self.watch.end(&mut self.observer);
        let last = if self.ws.is_some() { end.close_frame() } else { Vec::new() };
        // At the same time: nothing that a slow viewer does may keep the target.
        let goodbye = async {
            if flushed {
                self.viewer.write_all(&last).await?;
                self.viewer.shutdown().await?;
            }
            std::io::Result::Ok(flushed)
        };
        let (said, _) = tokio::join!(
            timeout_at(deadline.max(Instant::now() + GOODBYE), goodbye),
            timeout_at(deadline, self.target.shutdown())
        );
        match said {
            Ok(Ok(true)) => Some(Parting(self.viewer)),
            _ => {
                self.viewer.reset_on_close();
                None
            }
        }
    }

    /// Ready when nothing is left to write; false if the viewer's side is broken.
    fn poll_farewell(&mut self, cx: &mut Context<'_>, end: &End) -> Poll<bool> {
        let now = Instant::now();
        let viewer = match end.reason {
            EndReason::ViewerLost => Poll::Ready(false),
            _ => self.down.poll_write(&mut self.viewer, cx, now).map(|result| result.is_ok()),
        };
        let target = match end.reason {
            EndReason::TargetLost | EndReason::TargetClosed => Poll::Ready(()),
            _ => self.poll_release(cx, now),
        };
        match (viewer, target) {
            (Poll::Ready(clean), Poll::Ready(())) => Poll::Ready(clean),
            _ => Poll::Pending,
        }
    }

    /// Writes what is decided towards the target, then the releases of what is pressed.
    fn poll_release(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        loop {
            match self.up.poll_write(&mut self.target, cx, now) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {}
            }
            if self.target_gone || !self.observer.has_insertions(Origin::Target) {
                return Poll::Ready(());
            }
            // Inside a message there is no place for them; the target releases them itself then. A viewer's
            // half or forbidden message has not left and shall not stand before them.
            self.up.discard_input();
            self.up.judge(&mut self.observer, Origin::Viewer, false, &mut self.watch);
            if self.up.is_clear() {
                return Poll::Ready(());
            }
        }
    }
}

/// A viewer that was told everything.
#[derive(Debug)]
pub(crate) struct Parting(Transport);

impl Parting {
    /// Reads until the viewer closes too: closing a socket with unread bytes would reset it, and the
    /// viewer could lose the reason.
    pub(crate) async fn linger(self, limit: Duration) {
        crate::ws::stream::linger(self.0, limit).await;
    }
}

/// What a viewer's close frame means.
pub(crate) fn viewer_closed(code: Option<u16>) -> End {
    // 1001 is a page that reloads or a laptop that goes to sleep: it may want to come back.
    End { resumable: code == Some(1001), close_code: Some(1000), ..End::new(EndReason::ViewerLeft) }
}

impl Ws {
    /// Turns frames into payload in place, remembers what has to be answered.
    fn unframe(
        &mut self,
        bytes: &mut [u8],
        now: Instant,
        entry: &Entry,
        broken: &mut Option<Violation>,
    ) -> usize {
        let Ws { decoder, answer, closed, pings, pinged, .. } = self;
        let unframed = decoder.unframe(bytes, |control| match control {
            Control::Ping(payload) => {
                // The latest is enough [RFC 6455, 5.5.3], so a flood of pings costs nothing to hold.
                answer.clear();
                codec::put_pong(answer, payload.get(..WS_CONTROL).unwrap_or(payload));
            }
            Control::Pong(payload) => {
                if payload == pings.to_be_bytes()
                    && let Some(sent) = pinged.take()
                {
                    entry.set_round_trip(now.saturating_duration_since(sent));
                }
            }
            Control::Close(code) => *closed = Some(code),
        });
        *broken = unframed.fault;
        unframed.payload
    }

    fn ping(&mut self, now: Instant, interval: Duration) {
        self.next_ping = now + interval;
        self.pings = self.pings.wrapping_add(1);
        self.pinged = Some(now);
        codec::put_ping(&mut self.answer, &self.pings.to_be_bytes());
    }
}

impl<T> std::fmt::Debug for Relay<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("up", &self.up).field("down", &self.down).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
