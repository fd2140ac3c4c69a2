//! Guessing costs time: failed attempts with tokens are counted by address.

use crate::error::Problem;
use auth::throttle::Throttle;
use axum::http::StatusCode;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counts attempts by source. In one process this is [`LocalBrake`]; nodes that share a database can share one,
/// which then decides for itself what holds while its memory is out of reach.
pub trait Brake: Send + Sync {
    /// Begins an attempt, which is settled later, or says how long to wait.
    fn begin(&self, source: IpAddr) -> BoxFuture<'_, Result<(), Duration>>;
    /// How an attempt went. Does not wait: what is far away is told in the background.
    fn settle(&self, source: IpAddr, outcome: Outcome);
    /// Whether a source has to wait, as far as is known here: for doors that cannot ask.
    fn is_slowed(&self, source: IpAddr) -> bool;
}

/// How an attempt went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// What was presented was right.
    Right,
    /// It was wrong.
    Wrong,
    /// It was never judged.
    Withdrawn,
}

/// A brake of this process alone: the throttle with a clock and a lock around it.
#[derive(Debug)]
pub struct LocalBrake(Mutex<Throttle>);

impl LocalBrake {
    /// A fresh one.
    pub fn new(throttle: Throttle) -> LocalBrake {
        LocalBrake(Mutex::new(throttle))
    }

    fn lock(&self) -> MutexGuard<'_, Throttle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Brake for LocalBrake {
    fn begin(&self, source: IpAddr) -> BoxFuture<'_, Result<(), Duration>> {
        ready(self.lock().admit(source, Instant::now())).boxed()
    }

    fn settle(&self, source: IpAddr, outcome: Outcome) {
        let now = Instant::now();
        match outcome {
            Outcome::Right => self.lock().succeeded(source, now),
            Outcome::Wrong => self.lock().failed(source, now),
            Outcome::Withdrawn => self.lock().withdrawn(source, now),
        }
    }

    fn is_slowed(&self, source: IpAddr) -> bool {
        let (mut throttle, now) = (self.lock(), Instant::now());
        let admitted = throttle.admit(source, now).is_ok();
        if admitted {
            throttle.withdrawn(source, now);
        }
        !admitted
    }
}

/// The brake in front of everything that can be guessed.
#[derive(Clone)]
pub struct Guard(Arc<dyn Brake>);

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guard")
    }
}

/// One attempt under way. Dropping it without a word counts as neither.
#[derive(Debug)]
pub struct Attempt<'a> {
    guard: &'a Guard,
    source: IpAddr,
    outcome: Outcome,
}

impl Guard {
    /// Guards by this brake.
    pub fn new(brake: Arc<dyn Brake>) -> Guard {
        Guard(brake)
    }

    /// Begins an attempt, or says how long to wait.
    ///
    /// # Errors
    /// 429 with `Retry-After` while the source is slowed down.
    pub async fn attempt(&self, source: IpAddr) -> Result<Attempt<'_>, Problem> {
        match self.0.begin(source).await {
            Ok(()) => Ok(Attempt { guard: self, source, outcome: Outcome::Withdrawn }),
            Err(wait) => Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "door.throttled",
                format!("too many attempts; try again in {} s", wait.as_secs().max(1)),
            )
            .retry_after(wait)),
        }
    }

    /// Whether a source has to wait, as far as is known here.
    pub fn is_slowed(&self, source: IpAddr) -> bool {
        self.0.is_slowed(source)
    }
}

impl Attempt<'_> {
    /// It was wrong.
    pub fn failed(mut self) {
        self.outcome = Outcome::Wrong;
    }

    /// It was right.
    pub fn succeeded(mut self) {
        self.outcome = Outcome::Right;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.guard.0.settle(self.source, self.outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use auth::throttle::Limits;

    async fn is_admitted(guard: &Guard, source: IpAddr) -> bool {
        guard.attempt(source).await.is_ok()
    }

    #[tokio::test]
    async fn wrong_attempts_slow_their_source_down_and_only_it() {
        let guard = Guard::new(Arc::new(LocalBrake::new(Throttle::new(Limits::TOKENS))));
        let [guesser, other] = ["192.0.2.1", "192.0.2.2"].map(|a| a.parse().unwrap());
        let mut wrong = 0;
        while let Ok(attempt) = guard.attempt(guesser).await {
            attempt.failed();
            wrong += 1;
            assert!(wrong < 1000, "never slowed down");
        }
        assert!(wrong > 1, "a mistake is free");
        assert!(guard.is_slowed(guesser) && !guard.is_slowed(other));
        assert!(is_admitted(&guard, other).await);
    }

    #[tokio::test]
    async fn what_was_never_judged_does_not_count() {
        let guard = Guard::new(Arc::new(LocalBrake::new(Throttle::new(Limits::TOKENS))));
        let source = "192.0.2.1".parse().unwrap();
        for _ in 0..1000 {
            assert!(!guard.is_slowed(source));
            assert!(is_admitted(&guard, source).await);
        }
        guard.attempt(source).await.unwrap().succeeded();
        assert!(!guard.is_slowed(source));
    }
}
