//! The brake on log-ins by password: wrong ones cost time, and cost it those who made them.
//!
//! Failures are counted three ways.
//! - By address: whoever tries many accounts from one place.
//! - By account, over all devices that never logged in to it: whoever tries one account from many places.
//! - By a *familiar* device or address, one that did log in to this account before: it has a counter of its own and no
//!   part in the other two. So nobody can lock a person out of their own devices, from wherever and however often
//!   they fail, even from the same address.
//!
//! Names that are nobody's are counted like accounts, apart from them, so that the brake does not tell who exists and
//! invented names cannot push real accounts out of memory.
//!
//! Only failures count; what is being judged counts as long as it is, see [`crate::throttle`].

use crate::throttle::{Limits, Source, Throttle};
use crate::token::Digest;
use model::{UserId, name};
use sha2::{Digest as _, Sha256};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How much is allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BrakeLimits {
    /// For one address, of devices that are not familiar to the account.
    pub address: Limits,
    /// For one account, over all devices that are not familiar to it.
    pub account: Limits,
    /// For one familiar device or address.
    pub familiar: Limits,
}

impl Default for BrakeLimits {
    fn default() -> Self {
        BrakeLimits {
            // A class behind one address logs in at the same minute.
            address: Limits { at_once: 16, ..Limits::PASSWORDS },
            // Under attack, a new device of the person waits too; so not as long as one address may have to. At one
            // guess a minute a password of twelve characters holds.
            account: Limits { max_delay: Duration::from_secs(60), ..Limits::PASSWORDS },
            familiar: Limits::PASSWORDS,
        }
    }
}

/// Who tries to log in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attempt {
    source: Source,
    counter: Counter,
}

/// What was familiar about an attempt at a person's account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Familiar {
    /// The device's cookie: it logged in to this account before.
    Device(Digest),
    /// The address: somebody logged in to this account from there before.
    Address,
}

/// By what an address is remembered for one person: a hash of both, so that it leads to no other person's.
pub fn footprint(user: UserId, from: IpAddr) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"gatehouse footprint\0");
    hash.update(user.0.as_bytes());
    // Of four bytes or of eight, which are never the same.
    hash.update(Source::from(from).bytes());
    Digest(hash.finalize().into())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Counter {
    Device(Owned<[u8; 32]>),
    Address(Owned<Source>),
    Account(UserId),
    Invented(NameHash),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Owned<T>(UserId, T);

/// A part of the hash of a name, so that a guessed name of any length takes the same room.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct NameHash([u8; 16]);

impl Attempt {
    /// At the account of a person who exists.
    pub fn at(user: UserId, familiar: Option<Familiar>, from: IpAddr) -> Attempt {
        let source = Source::from(from);
        let counter = match familiar {
            Some(Familiar::Device(device)) => Counter::Device(Owned(user, *device.as_bytes())),
            Some(Familiar::Address) => Counter::Address(Owned(user, source)),
            None => Counter::Account(user),
        };
        Attempt { source, counter }
    }

    /// With a name that is nobody's.
    pub fn at_nobody(typed: &str, from: IpAddr) -> Attempt {
        // However much was typed, this much is looked at: no longer name exists.
        let typed: String = typed.chars().take(4 * name::MAX_CHARS).collect();
        let hash: [u8; 32] = Sha256::digest(name::key(&typed)).into();
        let mut short = [0; 16];
        short.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Attempt { source: from.into(), counter: Counter::Invented(NameHash(short)) }
    }
}

/// The brake. Pure: time comes in. Every admitted attempt must be reported as failed, succeeded or withdrawn.
#[derive(Debug)]
pub struct Brake {
    addresses: Throttle<Source>,
    accounts: Throttle<UserId>,
    invented: Throttle<NameHash>,
    devices: Throttle<Owned<[u8; 32]>>,
    familiar: Throttle<Owned<Source>>,
}

/// What came of an attempt.
#[derive(Clone, Copy)]
enum Outcome {
    Failed,
    Succeeded,
    Withdrawn,
}

impl Default for Brake {
    fn default() -> Self {
        Brake::new(BrakeLimits::default())
    }
}

impl Brake {
    /// A brake that has seen nothing yet.
    pub fn new(limits: BrakeLimits) -> Brake {
        Brake {
            addresses: Throttle::new(limits.address),
            accounts: Throttle::new(limits.account),
            invented: Throttle::new(limits.account),
            devices: Throttle::new(limits.familiar),
            familiar: Throttle::new(limits.familiar),
        }
    }

    /// Begins an attempt.
    ///
    /// # Errors
    /// How long to wait before trying again; the password must not be looked at.
    pub fn admit(&mut self, attempt: &Attempt, now: Instant) -> Result<(), Duration> {
        match attempt.counter {
            Counter::Device(device) => self.devices.admit(device, now),
            Counter::Address(address) => self.familiar.admit(address, now),
            Counter::Account(_) | Counter::Invented(_) => {
                self.addresses.admit(attempt.source, now)?;
                let admitted = match attempt.counter {
                    Counter::Account(user) => self.accounts.admit(user, now),
                    Counter::Invented(name) => self.invented.admit(name, now),
                    Counter::Device(_) | Counter::Address(_) => Ok(()),
                };
                admitted.inspect_err(|_| self.addresses.withdrawn(attempt.source, now))
            }
        }
    }

    /// An admitted attempt was wrong.
    pub fn failed(&mut self, attempt: &Attempt, now: Instant) {
        self.report(attempt, Outcome::Failed, now);
    }

    /// An admitted attempt was right. Its device is familiar from now on, which the caller remembers.
    pub fn succeeded(&mut self, attempt: &Attempt, now: Instant) {
        self.report(attempt, Outcome::Succeeded, now);
    }

    /// An admitted attempt came to nothing: too many passwords were under way, or the database did not answer.
    pub fn withdrawn(&mut self, attempt: &Attempt, now: Instant) {
        self.report(attempt, Outcome::Withdrawn, now);
    }

    /// Counters remembered now.
    pub fn remembered(&self) -> usize {
        self.addresses.remembered()
            + self.accounts.remembered()
            + self.invented.remembered()
            + self.devices.remembered()
            + self.familiar.remembered()
    }

    fn report(&mut self, attempt: &Attempt, outcome: Outcome, now: Instant) {
        match attempt.counter {
            Counter::Device(device) => outcome.tell(&mut self.devices, device, now),
            Counter::Address(address) => outcome.tell(&mut self.familiar, address, now),
            Counter::Account(user) => {
                outcome.tell(&mut self.addresses, attempt.source, now);
                outcome.tell(&mut self.accounts, user, now);
            }
            Counter::Invented(name) => {
                outcome.tell(&mut self.addresses, attempt.source, now);
                outcome.tell(&mut self.invented, name, now);
            }
        }
    }
}

impl Outcome {
    fn tell<K: Eq + std::hash::Hash>(self, throttle: &mut Throttle<K>, key: K, now: Instant) {
        match self {
            Outcome::Failed => throttle.failed(key, now),
            Outcome::Succeeded => throttle.succeeded(key, now),
            Outcome::Withdrawn => throttle.withdrawn(key, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    fn v4(n: u32) -> IpAddr {
        IpAddr::from((0x0a00_0000 | n).to_be_bytes())
    }

    fn device(n: u8) -> Option<Familiar> {
        Some(Familiar::Device(Digest::from([n; 32])))
    }

    fn fail(brake: &mut Brake, attempt: Attempt, now: Instant) -> Result<(), Duration> {
        brake.admit(&attempt, now)?;
        brake.failed(&attempt, now);
        Ok(())
    }

    #[test]
    fn one_address_with_many_accounts_is_slowed_down() {
        let (mut brake, now) = (Brake::default(), Instant::now());
        let wrong =
            (0..100).filter(|&n| fail(&mut brake, Attempt::at(user(n), None, v4(1)), now).is_ok()).count();
        assert_eq!(wrong, 5);
        assert!(fail(&mut brake, Attempt::at_nobody("x", v4(1)), now).is_err());
        assert!(fail(&mut brake, Attempt::at(user(200), None, v4(2)), now).is_ok());
    }

    #[test]
    fn ten_thousand_addresses_with_one_account_are_slowed_down_and_its_devices_are_not() {
        let (mut brake, start) = (Brake::default(), Instant::now());
        let (victim, home) = (user(1), v4(1));
        let mut guesses = 0;
        for n in 0..10_000 {
            let now = start + Duration::from_millis(10) * n;
            guesses += u32::from(fail(&mut brake, Attempt::at(victim, None, v4(100 + n)), now).is_ok());
        }
        // 100 seconds: five free ones, then 2, 4, 8, 16, 32 seconds apart, then a minute.
        assert!((8..=11).contains(&guesses), "{guesses}");
        let now = start + Duration::from_secs(100);
        assert_eq!(brake.admit(&Attempt::at(victim, device(1), home), now), Ok(()));
        assert_eq!(brake.admit(&Attempt::at(victim, Some(Familiar::Address), home), now), Ok(()));
        // A new device waits, but never more than a minute.
        let wait = brake.admit(&Attempt::at(victim, None, home), now).unwrap_err();
        assert!(wait <= Duration::from_secs(60));
        // Others are not concerned.
        assert_eq!(brake.admit(&Attempt::at(user(2), None, home), now), Ok(()));
    }

    #[test]
    fn a_familiar_device_has_a_limit_too() {
        let (mut brake, now) = (Brake::default(), Instant::now());
        for familiar in [device(1), Some(Familiar::Address)] {
            let attempt = Attempt::at(user(1), familiar, v4(1));
            assert_eq!((0..50).filter(|_| fail(&mut brake, attempt, now).is_ok()).count(), 5);
        }
        assert_eq!(brake.admit(&Attempt::at(user(1), device(2), v4(1)), now), Ok(()));
        assert_eq!(brake.admit(&Attempt::at(user(2), device(1), v4(1)), now), Ok(()));
    }

    #[test]
    fn a_footprint_is_one_persons_and_of_one_network() {
        let of = |n, address: &str| footprint(user(n), address.parse().unwrap());
        assert_eq!(of(1, "192.0.2.7"), of(1, "::ffff:192.0.2.7"));
        assert_eq!(of(1, "2001:db8:0:7::1"), of(1, "2001:db8:0:7:ffff::2"));
        assert_ne!(of(1, "192.0.2.7"), of(1, "192.0.2.8"));
        assert_ne!(of(1, "2001:db8:0:7::1"), of(1, "2001:db8:0:8::1"));
        assert_ne!(of(1, "192.0.2.7"), of(2, "192.0.2.7"));
    }

    #[test]
    fn a_class_logs_in_at_once() {
        let (mut brake, now) = (Brake::default(), Instant::now());
        let attempts: Vec<_> = (0..16).map(|n| Attempt::at(user(n), None, v4(1))).collect();
        assert!(attempts.iter().all(|attempt| brake.admit(attempt, now).is_ok()));
        attempts.iter().for_each(|attempt| brake.succeeded(attempt, now));
        assert!(attempts.iter().all(|attempt| brake.admit(attempt, now).is_ok()));
    }

    #[test]
    fn the_same_name_is_the_same_however_it_is_typed() {
        let (mut brake, now) = (Brake::default(), Instant::now());
        for (n, typed) in ["Ana", "ANA", " ana", "ａｎａ", "ana "].into_iter().enumerate() {
            let from = v4(u32::try_from(n).unwrap());
            assert!(fail(&mut brake, Attempt::at_nobody(typed, from), now).is_ok());
        }
        assert!(fail(&mut brake, Attempt::at_nobody("aNa", v4(77)), now).is_err());
        assert!(fail(&mut brake, Attempt::at_nobody(&"a".repeat(10 << 20), v4(77)), now).is_ok());
    }

    #[test]
    fn an_attempt_that_the_account_refuses_costs_its_address_nothing() {
        let (mut brake, now) = (Brake::default(), Instant::now());
        for n in 0..5 {
            fail(&mut brake, Attempt::at(user(1), None, v4(n)), now).unwrap();
        }
        let here = v4(50);
        for _ in 0..100 {
            assert!(brake.admit(&Attempt::at(user(1), None, here), now).is_err());
        }
        let others: Vec<_> = (10..26).map(|n| Attempt::at(user(n), None, here)).collect();
        assert!(others.iter().all(|attempt| brake.admit(attempt, now).is_ok()));
    }

    #[test]
    fn memory_is_bounded_and_invented_names_push_nobody_out() {
        let small = Limits { sources: 100, ..Limits::PASSWORDS };
        let limits = BrakeLimits { address: small, account: small, familiar: small };
        let (mut brake, now) = (Brake::new(limits), Instant::now());
        for n in 0..5 {
            fail(&mut brake, Attempt::at(user(1), None, v4(n)), now).unwrap();
        }
        for n in 0..20_000_u32 {
            let _ = fail(&mut brake, Attempt::at_nobody(&n.to_string(), v4(n)), now);
            assert!(brake.remembered() <= 5 * 200);
        }
        assert!(fail(&mut brake, Attempt::at(user(1), None, v4(9)), now).is_err());
        let shown = format!("{brake:?}");
        assert!(!shown.contains("10, 0, 0") && !shown.contains("10.0.0"), "{shown}");
    }

    /// What strangers may do: any account, any address, invented names, cookies of other accounts.
    fn step() -> impl Strategy<Value = (u64, u128, u32, u8, u8)> {
        (0..5_000_u64, 1..4_u128, 0..40_u32, 0..4_u8, 0..3_u8)
    }

    proptest! {
        /// Whatever strangers do, from the victim's own address too, a familiar device is let try.
        #[test]
        fn nobody_locks_a_familiar_device_out(steps in proptest::collection::vec(step(), 1..200)) {
            let (mut brake, mut now) = (Brake::default(), Instant::now());
            let (victim, home) = (user(1), v4(0));
            for (pause, account, from, kind, outcome) in steps {
                now += Duration::from_millis(pause);
                let attempt = match kind {
                    0 => Attempt::at_nobody("nobody", v4(from)),
                    1 if account != 1 => Attempt::at(user(account), device(9), v4(from)),
                    // From the victim's account's familiar address only strangers' other accounts.
                    2 if account != 1 => Attempt::at(user(account), Some(Familiar::Address), v4(from)),
                    _ => Attempt::at(user(account), None, v4(from)),
                };
                if brake.admit(&attempt, now).is_ok() {
                    match outcome {
                        0 => brake.failed(&attempt, now),
                        1 => brake.withdrawn(&attempt, now),
                        _ => {} // never reported: as if it hung for ever
                    }
                }
                for familiar in [device(9), Some(Familiar::Address)] {
                    let own = Attempt::at(victim, familiar, home);
                    prop_assert_eq!(brake.admit(&own, now), Ok(()));
                    brake.succeeded(&own, now);
                }
            }
        }

        /// However many addresses take part, an account gets no more guesses than its delays allow.
        #[test]
        fn guesses_at_an_account_are_bounded(steps in proptest::collection::vec((0..20_000_u64, 1..9_u32), 1..60)) {
            let (mut brake, start) = (Brake::default(), Instant::now());
            let (mut now, mut guesses, mut address) = (start, 0_u64, 0);
            for (pause, burst) in steps {
                now += Duration::from_millis(pause);
                for _ in 0..burst {
                    address += 1;
                    guesses += u64::from(fail(&mut brake, Attempt::at(user(1), None, v4(address)), now).is_ok());
                }
            }
            // 5 are free; then 2 + 4 + 8 + 16 + 32 seconds, and a minute for each further one.
            let beyond = guesses.saturating_sub(5);
            let needed = (1..=beyond).map(|n| if n <= 5 { 1 << n } else { 60 }).sum::<u64>();
            prop_assert!(needed <= (now - start).as_secs(), "{} guesses in {:?}", guesses, now - start);
        }

        /// Only failures count.
        #[test]
        fn who_is_right_never_waits(pauses in proptest::collection::vec((0..1000_u64, any::<bool>()), 1..200)) {
            let (mut brake, mut now) = (Brake::default(), Instant::now());
            let attempt = Attempt::at(user(1), None, v4(1));
            for (pause, is_right) in pauses {
                now += Duration::from_millis(pause);
                prop_assert_eq!(brake.admit(&attempt, now), Ok(()));
                if is_right { brake.succeeded(&attempt, now) } else { brake.withdrawn(&attempt, now) }
            }
        }

        /// The brake does not tell who exists.
        #[test]
        fn a_real_account_and_an_invented_one_look_the_same(
            steps in proptest::collection::vec((0..5_000_u64, 0..10_u32), 1..100),
        ) {
            let (mut real, mut invented, mut now) = (Brake::default(), Brake::default(), Instant::now());
            for (pause, from) in steps {
                now += Duration::from_millis(pause);
                let (a, b) = (Attempt::at(user(1), None, v4(from)), Attempt::at_nobody("ana", v4(from)));
                prop_assert_eq!(fail(&mut real, a, now), fail(&mut invented, b, now));
            }
        }
    }
}
