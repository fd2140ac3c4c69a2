//! How often what may be asked, with a clock and a lock around the buckets.

use crate::error::Problem;
use auth::rate::{Buckets, Caller, Rate, Rates};
use axum::http::StatusCode;
use model::UserId;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// People whose connection tests are told apart.
const TESTERS: usize = 1000;

/// The buckets that every way in shares.
#[derive(Debug)]
pub struct Limits {
    rates: Mutex<Rates>,
    tests: Mutex<Buckets<Caller>>,
}

impl Limits {
    /// Full buckets of these rates.
    pub fn new(strangers: Rate, people: Rate, connection_tests: Rate) -> Limits {
        Limits {
            rates: Mutex::new(Rates::new(strangers, people)),
            tests: Mutex::new(Buckets::new(connection_tests, TESTERS)),
        }
    }

    /// A request without a valid login.
    ///
    /// # Errors
    /// 429 with `Retry-After`.
    pub fn stranger(&self, from: IpAddr) -> Result<(), Problem> {
        lock(&self.rates).strangers.take(from, Instant::now()).map_err(too_many)
    }

    /// A request of a person or an API token.
    pub(crate) fn caller(&self, caller: Caller) -> Result<(), Problem> {
        lock(&self.rates).people.take(caller, Instant::now()).map_err(too_many)
    }

    /// A connection to a target that a person has tried.
    pub(crate) fn connection_test(&self, user: UserId) -> Result<(), Problem> {
        lock(&self.tests).take(Caller::Person(user), Instant::now()).map_err(too_many)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn too_many(wait: Duration) -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "api.rate",
        format!("too many requests; try again in {} s", wait.as_secs() + 1),
    )
    .retry_after(wait + Duration::from_secs(1))
}
