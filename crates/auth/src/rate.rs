//! How many requests: a bucket for each stranger's address and for each person or API token.
//!
//! A bucket holds as many requests as its window allows and fills up evenly over the window (the generic cell rate
//! algorithm: one instant a bucket, no timer). Full buckets need not be remembered, so memory stays bounded.

use crate::generations::Generations;
use crate::throttle::Source;
use model::{ApiTokenId, UserId};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// So many in so long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// Requests; at least one.
    pub requests: u32,
    /// In this time.
    pub window: Duration,
}

impl Rate {
    /// For everything without a valid log-in, by address.
    pub const STRANGERS: Rate = Rate { requests: 100, window: Duration::from_secs(15 * 60) };
    /// For each person, and for each API token.
    pub const PEOPLE: Rate = Rate { requests: 600, window: Duration::from_secs(60) };

    /// From one request to the next when the bucket is empty.
    fn interval(self) -> Duration {
        self.window / self.requests.max(1)
    }
}

/// Buckets by key. Pure: time comes in.
pub struct Buckets<K> {
    rate: Rate,
    /// When each bucket is full again.
    full_at: Generations<K, Instant>,
}

impl<K> std::fmt::Debug for Buckets<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buckets").field("rate", &self.rate).finish_non_exhaustive()
    }
}

impl<K: Eq + Hash> Buckets<K> {
    /// Full buckets for everybody; those of `most` keys are told apart, up to twice as many.
    pub fn new(rate: Rate, most: usize) -> Self {
        Buckets { rate, full_at: Generations::new(most) }
    }

    /// Takes one request out of a bucket.
    ///
    /// # Errors
    /// How long to wait until there is one again: `Retry-After`.
    pub fn take(&mut self, key: impl Into<K>, now: Instant) -> Result<(), Duration> {
        let interval = self.rate.interval();
        let full_at = self.full_at.touch(key.into(), now, |full_at| *full_at <= now);
        // So long may it take to fill up before there was none left.
        let room = interval.saturating_mul(self.rate.requests.max(1) - 1);
        let wait = full_at.saturating_duration_since(now).saturating_sub(room);
        if wait.is_zero() {
            *full_at += interval;
            Ok(())
        } else {
            Err(wait)
        }
    }

    /// Buckets remembered now.
    pub fn remembered(&self) -> usize {
        self.full_at.len()
    }
}

/// Who has a bucket of their own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Caller {
    /// A person, over all log-ins.
    Person(UserId),
    /// An API token, apart from its person.
    Token(ApiTokenId),
}

/// Keys that are told apart in one generation.
const MOST: usize = 10_000;

/// The two kinds of buckets that every way in shares.
#[derive(Debug)]
pub struct Rates {
    /// By address, for everything without a valid log-in.
    pub strangers: Buckets<Source>,
    /// By person or API token.
    pub people: Buckets<Caller>,
}

impl Rates {
    /// Buckets of these rates.
    pub fn new(strangers: Rate, people: Rate) -> Rates {
        Rates { strangers: Buckets::new(strangers, MOST), people: Buckets::new(people, MOST) }
    }
}

impl Default for Rates {
    fn default() -> Self {
        Rates::new(Rate::STRANGERS, Rate::PEOPLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::IpAddr;
    use uuid::Uuid;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_hundred_in_a_quarter_of_an_hour() {
        let (mut rates, now, source) = (Rates::default(), Instant::now(), ip("192.0.2.7"));
        assert!((0..100).all(|_| rates.strangers.take(source, now).is_ok()));
        assert_eq!(rates.strangers.take(source, now), Err(Duration::from_secs(9)));
        assert_eq!(rates.strangers.take(ip("192.0.2.8"), now), Ok(()));
        let later = now + Duration::from_secs(9);
        assert_eq!(
            rates.strangers.take(source, later - Duration::from_nanos(1)),
            Err(Duration::from_nanos(1))
        );
        assert_eq!(rates.strangers.take(source, later), Ok(()));
        assert!(rates.strangers.take(source, later).is_err());
        // After the whole window it is full again, and no fuller.
        let full = later + Duration::from_secs(15 * 60);
        assert_eq!((0..500).filter(|_| rates.strangers.take(source, full).is_ok()).count(), 100);
    }

    #[test]
    fn a_network_of_ipv6_is_one_stranger() {
        let (mut rates, now) = (Rates::default(), Instant::now());
        let taken = (0..500)
            .filter(|n| rates.strangers.take(ip(&format!("2001:db8:0:7::{n:x}")), now).is_ok())
            .count();
        assert_eq!(taken, 100);
    }

    #[test]
    fn a_person_and_their_tokens_have_buckets_of_their_own() {
        let (mut rates, now, id) = (Rates::default(), Instant::now(), Uuid::from_u128(1));
        let (person, token) = (Caller::Person(UserId(id)), Caller::Token(ApiTokenId(id)));
        assert_eq!((0..1000).filter(|_| rates.people.take(person, now).is_ok()).count(), 600);
        assert_eq!((0..1000).filter(|_| rates.people.take(token, now).is_ok()).count(), 600);
        assert_eq!(rates.people.take(person, now), Err(Duration::from_millis(100)));
    }

    #[test]
    fn memory_is_bounded_and_an_active_one_is_not_forgotten() {
        let (mut buckets, now, greedy) =
            (Buckets::<Source>::new(Rate::STRANGERS, 100), Instant::now(), ip("192.0.2.7"));
        while buckets.take(greedy, now).is_ok() {}
        for n in 0..10_000_u32 {
            let _ = buckets.take(IpAddr::from((0x0a00_0000 + n).to_be_bytes()), now);
            if n % 50 == 0 {
                assert!(buckets.take(greedy, now).is_err());
            }
            assert!(buckets.remembered() <= 200);
        }
        assert!(!format!("{buckets:?}").contains("192"));
    }

    #[test]
    fn a_rate_of_nothing_is_one() {
        let rate = Rate { requests: 0, window: Duration::from_secs(60) };
        let (mut buckets, now) = (Buckets::<Source>::new(rate, 0), Instant::now());
        assert_eq!(buckets.take(ip("::1"), now), Ok(()));
        assert_eq!(buckets.take(ip("::1"), now), Err(Duration::from_secs(60)));
    }

    proptest! {
        /// In any span there are no more than a bucket and what flowed in; and who waits as told is served.
        #[test]
        fn the_rate_holds_and_is_fair(
            requests in 1..50_u32,
            steps in proptest::collection::vec((0..3_000_u64, 1..20_u32), 1..100),
        ) {
            let rate = Rate { requests, window: Duration::from_secs(10) };
            let (mut buckets, start, source) = (Buckets::<Source>::new(rate, 10), Instant::now(), ip("192.0.2.7"));
            let mut now = start;
            let mut taken: Vec<Instant> = Vec::new();
            for (pause, burst) in steps {
                now += Duration::from_millis(pause);
                for _ in 0..burst {
                    match buckets.take(source, now) {
                        Ok(()) => taken.push(now),
                        Err(wait) => {
                            now += wait;
                            prop_assert_eq!(buckets.take(source, now), Ok(()));
                            taken.push(now);
                        }
                    }
                }
            }
            let interval = Duration::from_secs(10) / requests;
            for (n, from) in taken.iter().enumerate() {
                for (count, until) in (1_u32..).zip(&taken[n..]) {
                    let most = f64::from(requests) + (*until - *from).as_secs_f64() / interval.as_secs_f64();
                    prop_assert!(f64::from(count) <= most + 1e-6);
                }
            }
        }
    }
}
