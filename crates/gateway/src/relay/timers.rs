//! A session's clock: one timer for everything that may become due.
//!
//! Most deadlines move with every byte. The timer is set again only when the next one is earlier than
//! what it is set to; when it rings too early it is simply set anew, so a busy session never touches
//! the timer wheel.

use super::lane::Lane;
use super::{End, Relay, detail};
use model::event::Origin;
use model::session::EndReason;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is set lazily.
#[derive(Debug)]
pub(crate) struct Timer {
    sleep: Pin<Box<Sleep>>,
    set: Instant,
}

impl Timer {
    pub(crate) fn new(at: Instant) -> Self {
        Timer { sleep: Box::pin(sleep_until(at)), set: at }
    }

    /// Whether something may be due: nothing is before the time it is set to.
    #[inline]
    fn is_over(&self, now: Instant) -> bool {
        self.set <= now
    }

    /// Arranges a wake at `next` or earlier, always in the future of `now`.
    fn arm(&mut self, next: Instant, now: Instant, cx: &mut Context<'_>) {
        if next < self.set || self.is_over(now) {
            self.set = next;
            self.sleep.as_mut().reset(next);
        }
        if self.sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}

/// When a session has nothing else to wait for, it looks again after an hour.
const FAR: std::time::Duration = std::time::Duration::from_secs(3600);

impl<T: AsyncRead + AsyncWrite + Unpin> Relay<T> {
    /// Ends the session if one of its times is over; pings if it is time to.
    pub(super) fn look_at_time(&mut self, now: Instant) -> Result<(), End> {
        if !self.timer.is_over(now) {
            return Ok(());
        }
        let over = self.deadlines().into_iter().find(|(at, _)| at.is_some_and(|at| at <= now));
        if let Some((_, end)) = over {
            return Err(end);
        }
        let interval = self.heartbeat;
        if let Some(ws) = self.ws.as_mut().filter(|ws| ws.next_ping <= now) {
            ws.ping(now, interval);
        }
        Ok(())
    }

    /// Arranges to be woken for whatever becomes due next.
    pub(super) fn sleep(&mut self, cx: &mut Context<'_>, now: Instant) -> Result<(), End> {
        let ends = self.deadlines().into_iter().filter_map(|(at, _)| at);
        let ping = self.ws.as_ref().map(|ws| ws.next_ping);
        let next = ends
            .chain(ping)
            .chain(self.throttled.filter(|_| self.down.is_clear()))
            .min()
            .unwrap_or(now + FAR);
        self.timer.arm(next, now, cx);
        Ok(())
    }

    /// Everything that ends a session by time, and how.
    fn deadlines(&self) -> [(Option<Instant>, End); 7] {
        let lost = |by| End::with(EndReason::ViewerLost, by);
        let stalled = |at: Instant, waits: bool| waits.then(|| at + self.stall);
        let up_waits = self.up.is_clear() && !self.target_gone;
        let down_waits = self.down.is_clear() && self.throttled.is_none();
        let inside = |lane: &Lane, from| lane.has_input() || !self.observer.at_boundary(from);
        let target_lost = End::with(EndReason::TargetLost, detail::STALLED);
        [
            (self.expires, End::new(EndReason::Expired)),
            (self.policy.max_idle.map(|idle| self.active + idle), End::new(EndReason::Idle)),
            (
                (self.ws.is_some() && up_waits).then(|| self.heard + self.heartbeat * 3),
                lost(detail::NO_HEARTBEAT),
            ),
            (self.down.blocked.map(|since| since + self.stall), lost(detail::STALLED)),
            (self.up.blocked.map(|since| since + self.stall), target_lost),
            (stalled(self.heard, up_waits && inside(&self.up, Origin::Viewer)), lost(detail::STALLED)),
            (stalled(self.awaited, down_waits && inside(&self.down, Origin::Target)), target_lost),
        ]
    }
}
