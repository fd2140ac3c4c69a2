//! A brake on guessing: failures by source, with a growing delay.
//!
//! Attempts that are being judged count too. Guessing programs open many connections at once, so whoever counts
//! only failures has let a dozen guesses in before the first of them is seen to be wrong.
//!
//! A source is an IPv4 address or an IPv6 network of 64 bits, since whoever has one address of it has all. It may also
//! be something else that attempts are counted by, see [`crate::brake`]. Memory is bounded.

use crate::generations::Generations;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// How much is allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Failures that cost no delay: people mistype.
    pub free: u32,
    /// Attempts judged at once for a source without failures. After the first failure, failures and attempts under
    /// way together may reach `free`, and beyond it one at a time is judged.
    pub at_once: u32,
    /// The delay after the first failure that is not free; each further one doubles it.
    pub delay: Duration,
    /// The longest delay.
    pub max_delay: Duration,
    /// A source that did nothing wrong for so long is a new one.
    pub forget: Duration,
    /// Sources in one generation; at most twice as many are remembered.
    pub sources: usize,
}

impl Limits {
    /// For tokens of 256 bits, which nobody guesses: the brake keeps the database from being asked at will, and
    /// offices behind one address may open many consoles at once.
    pub const TOKENS: Limits = Limits {
        free: 5,
        at_once: 256,
        delay: Duration::from_secs(2),
        max_delay: Duration::from_secs(15 * 60),
        forget: Duration::from_secs(15 * 60),
        sources: 10_000,
    };

    /// For passwords that people chose: never more than `free` guesses, however many come at once.
    pub const PASSWORDS: Limits = Limits { at_once: 5, ..Limits::TOKENS };
}

impl Default for Limits {
    fn default() -> Self {
        Limits::TOKENS
    }
}

/// The brake. Pure: time comes in. Every admitted attempt must be reported as failed, succeeded or withdrawn.
pub struct Throttle<K = Source> {
    limits: Limits,
    records: Generations<K, Record>,
}

/// An IPv4 address, or the IPv6 network of 64 bits that an address is in. A mapped IPv4 address is the IPv4 address.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(SourceKind);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum SourceKind {
    V4([u8; 4]),
    V6Network([u8; 8]),
}

/// Addresses of people are not for logs.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source(…)")
    }
}

#[derive(Clone, Copy, Debug)]
struct Record {
    failures: u32,
    under_way: u32,
    open_from: Instant,
    last: Instant,
}

impl<K> std::fmt::Debug for Throttle<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Throttle").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl<K: Eq + Hash> Default for Throttle<K> {
    fn default() -> Self {
        Throttle::new(Limits::default())
    }
}

impl<K: Eq + Hash> Throttle<K> {
    /// A brake that has seen nothing yet.
    pub fn new(limits: Limits) -> Self {
        Throttle { limits, records: Generations::new(limits.sources) }
    }

    /// Begins an attempt.
    ///
    /// # Errors
    /// How long the source must wait before it tries again; the attempt must not be judged.
    pub fn admit(&mut self, source: impl Into<K>, now: Instant) -> Result<(), Duration> {
        let limits = self.limits;
        let record = self.record(source, now);
        let wait = record.open_from.saturating_duration_since(now);
        if !wait.is_zero() {
            return Err(wait);
        }
        if record.under_way >= record.allowed(&limits) {
            // Not before one of those under way is judged, which takes a moment.
            return Err(Duration::from_secs(1));
        }
        record.under_way += 1;
        record.last = now;
        Ok(())
    }

    /// An admitted attempt was wrong.
    pub fn failed(&mut self, source: impl Into<K>, now: Instant) {
        let limits = self.limits;
        let record = self.record(source, now);
        record.under_way = record.under_way.saturating_sub(1);
        record.failures = record.failures.saturating_add(1);
        record.last = now;
        if let Some(beyond) = record.failures.checked_sub(limits.free) {
            let delay = limits.delay.saturating_mul(2_u32.saturating_pow(beyond)).min(limits.max_delay);
            record.open_from = record.open_from.max(now + delay);
        }
    }

    /// An admitted attempt was right. Half of the failures stay: one valid ticket does not buy a fresh start.
    pub fn succeeded(&mut self, source: impl Into<K>, now: Instant) {
        let record = self.record(source, now);
        record.under_way = record.under_way.saturating_sub(1);
        record.failures /= 2;
        record.last = now;
    }

    /// An admitted attempt came to nothing: the connection broke, or the database did not answer.
    pub fn withdrawn(&mut self, source: impl Into<K>, now: Instant) {
        let record = self.record(source, now);
        record.under_way = record.under_way.saturating_sub(1);
    }

    /// Sources remembered now.
    pub fn remembered(&self) -> usize {
        self.records.len()
    }

    fn record(&mut self, source: impl Into<K>, now: Instant) -> &mut Record {
        let limits = self.limits;
        let fresh = Record { failures: 0, under_way: 0, open_from: now, last: now };
        self.records.touch(source.into(), fresh, |record| record.is_stale(&limits, now))
    }
}

impl Record {
    fn allowed(&self, limits: &Limits) -> u32 {
        match self.failures {
            0 => limits.at_once.max(1),
            failures => limits.free.saturating_sub(failures).max(1),
        }
    }

    fn is_stale(&self, limits: &Limits, now: Instant) -> bool {
        now.saturating_duration_since(self.last.max(self.open_from)) >= limits.forget
    }
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Source {
        Source(match address.to_canonical() {
            IpAddr::V4(address) => SourceKind::V4(address.octets()),
            IpAddr::V6(address) => SourceKind::V6Network(network(address)),
        })
    }
}

impl Source {
    /// Says which source it is, for a hash.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self.0 {
            SourceKind::V4(address) => address.to_vec(),
            SourceKind::V6Network(network) => network.to_vec(),
        }
    }
}

fn network(address: Ipv6Addr) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = address.octets();
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn strict() -> Throttle {
        Throttle::new(Limits::PASSWORDS)
    }

    fn fail(throttle: &mut Throttle, source: IpAddr, now: Instant) {
        throttle.admit(source, now).unwrap();
        throttle.failed(source, now);
    }

    #[test]
    fn five_mistakes_are_free_and_then_it_doubles() {
        let (mut throttle, source, mut now) = (strict(), ip("192.0.2.7"), Instant::now());
        for _ in 0..5 {
            fail(&mut throttle, source, now);
        }
        let mut delays = Vec::new();
        for _ in 0..12 {
            let wait = throttle.admit(source, now).unwrap_err();
            delays.push(wait.as_secs());
            assert!(throttle.admit(source, now + wait - Duration::from_nanos(1)).is_err());
            now += wait;
            fail(&mut throttle, source, now);
        }
        assert_eq!(delays, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert_eq!(throttle.admit(ip("192.0.2.8"), now), Ok(()));
    }

    #[test]
    fn a_dozen_at_once_are_five() {
        let (mut throttle, source, now) = (strict(), ip("192.0.2.7"), Instant::now());
        let admitted = (0..12).filter(|_| throttle.admit(source, now).is_ok()).count();
        assert_eq!(admitted, 5);
        for _ in 0..5 {
            throttle.failed(source, now);
        }
        assert_eq!(throttle.admit(source, now), Err(seconds(2)));
        // When it may try again, one guess at a time.
        let later = now + seconds(2);
        assert_eq!(throttle.admit(source, later), Ok(()));
        assert_eq!(throttle.admit(source, later), Err(seconds(1)));
    }

    #[test]
    fn an_office_may_open_many_consoles_at_once_until_somebody_guesses() {
        let (mut throttle, office, now) = (Throttle::<Source>::default(), ip("192.0.2.7"), Instant::now());
        let at_once = Limits::TOKENS.at_once;
        for _ in 0..at_once {
            throttle.admit(office, now).unwrap();
        }
        assert!(throttle.admit(office, now).is_err());
        throttle.failed(office, now);
        for _ in 1..at_once {
            throttle.succeeded(office, now);
        }
        // The one failure halved away; all is as before.
        let admitted = (0..2 * at_once).filter(|_| throttle.admit(office, now).is_ok()).count();
        assert_eq!(admitted, usize::try_from(at_once).unwrap());
    }

    #[test]
    fn a_success_halves_and_does_not_wipe() {
        let (mut throttle, source, now) = (strict(), ip("192.0.2.7"), Instant::now());
        for _ in 0..4 {
            fail(&mut throttle, source, now);
        }
        throttle.admit(source, now).unwrap();
        throttle.succeeded(source, now);
        for _ in 0..3 {
            fail(&mut throttle, source, now);
        }
        assert_eq!(throttle.admit(source, now), Err(seconds(2)));
    }

    #[test]
    fn what_came_to_nothing_is_neither() {
        let (mut throttle, source, now) = (strict(), ip("192.0.2.7"), Instant::now());
        for _ in 0..100 {
            throttle.admit(source, now).unwrap();
            throttle.withdrawn(source, now);
        }
        // More reports than attempts do not make room for more.
        throttle.withdrawn(source, now);
        assert_eq!((0..12).filter(|_| throttle.admit(source, now).is_ok()).count(), 5);
    }

    #[test]
    fn one_network_is_one_source_and_mapped_addresses_are_themselves() {
        let (mut throttle, now) = (strict(), Instant::now());
        for n in 0..5 {
            fail(&mut throttle, ip(&format!("2001:db8:0:7::{n}")), now);
        }
        assert!(throttle.admit(ip("2001:db8:0:7:ffff::1"), now).is_err());
        assert!(throttle.admit(ip("2001:db8:0:8::1"), now).is_ok());
        for _ in 0..5 {
            fail(&mut throttle, ip("::ffff:192.0.2.7"), now);
        }
        assert!(throttle.admit(ip("192.0.2.7"), now).is_err());
        assert!(throttle.admit(ip("::ffff:192.0.2.8"), now).is_ok());
    }

    #[test]
    fn quiet_sources_are_forgotten() {
        let (mut throttle, source, now) = (strict(), ip("192.0.2.7"), Instant::now());
        for _ in 0..5 {
            fail(&mut throttle, source, now);
        }
        // The time counts from the end of the delay.
        let almost = now + seconds(2) + Limits::PASSWORDS.forget - Duration::from_nanos(1);
        fail(&mut throttle, source, almost);
        assert_eq!(throttle.admit(source, almost), Err(seconds(4)));
        let later = almost + seconds(4) + Limits::PASSWORDS.forget;
        assert_eq!((0..12).filter(|_| throttle.admit(source, later).is_ok()).count(), 5);
    }

    #[test]
    fn memory_is_bounded_and_active_sources_outlive_a_generation() {
        let limits = Limits { sources: 100, ..Limits::PASSWORDS };
        let (mut throttle, guilty, now) = (Throttle::new(limits), ip("192.0.2.7"), Instant::now());
        for _ in 0..5 {
            fail(&mut throttle, guilty, now);
        }
        for n in 0_u32..10_000 {
            let _ = throttle.admit(IpAddr::from((0x0a00_0000 + n).to_be_bytes()), now);
            if n % 50 == 0 {
                assert!(throttle.admit(guilty, now).is_err(), "{n}");
            }
            assert!(throttle.remembered() <= 200);
        }
        let shown = format!("{throttle:?}");
        assert!(!shown.contains("192.0.2") && !shown.contains("192, 0, 2"), "{shown}");
    }

    proptest! {
        /// However reports and attempts mix, a source never gets more guesses than the sum of its delays allows.
        #[test]
        fn guesses_are_bounded(steps in proptest::collection::vec((0_u64..3_000, 1_u32..20), 1..60)) {
            let (mut throttle, source, start) = (strict(), ip("192.0.2.7"), Instant::now());
            let (mut now, mut guesses) = (start, 0_u32);
            for (pause, burst) in steps {
                now += Duration::from_millis(pause);
                let admitted = (0..burst).filter(|_| throttle.admit(source, now).is_ok()).count();
                for _ in 0..admitted {
                    throttle.failed(source, now);
                    guesses += 1;
                }
            }
            // Guess number 5 + n needs 2 + 4 + ... + 2^n seconds.
            let elapsed = (now - start).as_secs();
            let beyond = u64::from(guesses.saturating_sub(5));
            prop_assert!((1_u64 << (beyond + 1)).saturating_sub(2) <= elapsed, "{} guesses in {} s", guesses, elapsed);
        }
    }
}
