//! Guessing costs time: failed attempts with tokens are counted by address.

use crate::error::Problem;
use auth::throttle::Throttle;
use axum::http::StatusCode;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The throttle with a clock and a lock around it.
#[derive(Debug)]
pub struct Guard(Mutex<Throttle>);

/// One attempt under way. Dropping it without a word counts as neither.
#[derive(Debug)]
pub struct Attempt<'a> {
    guard: &'a Guard,
    source: IpAddr,
    judged: bool,
}

impl Guard {
    /// A fresh throttle.
    pub fn new(throttle: Throttle) -> Guard {
        Guard(Mutex::new(throttle))
    }

    /// Begins an attempt, or says how long to wait.
    ///
    /// # Errors
    /// 429 with `Retry-After` while the source is slowed down.
    pub fn attempt(&self, source: IpAddr) -> Result<Attempt<'_>, Problem> {
        match self.lock().admit(source, Instant::now()) {
            Ok(()) => Ok(Attempt { guard: self, source, judged: false }),
            Err(wait) => Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "door.throttled",
                format!("too many attempts; try again in {} s", wait.as_secs().max(1)),
            )
            .retry_after(wait)),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Throttle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// It was wrong.
    pub fn failed(mut self) {
        self.judged = true;
        self.guard.lock().failed(self.source, Instant::now());
    }

    /// It was right.
    pub fn succeeded(mut self) {
        self.judged = true;
        self.guard.lock().succeeded(self.source, Instant::now());
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.judged {
            self.guard.lock().withdrawn(self.source, Instant::now());
        }
    }
}
