//! A cap on bytes a second, as a bucket that fills with time.

use std::time::Duration;
use tokio::time::Instant;

/// Bytes worth waiting for: less makes reads that cost more than they carry.
const WORTH: u64 = 4096;

/// A token bucket of a quarter second's burst.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    rate: u64,
    /// Bytes times a million, so that no fraction of a byte is ever lost.
    micro: u128,
    at: Instant,
}

impl Bucket {
    pub(crate) fn new(rate: u64, now: Instant) -> Self {
        let rate = rate.max(1);
        Bucket { rate, micro: u128::from(Self::burst(rate)) * 1_000_000, at: now }
    }

    fn burst(rate: u64) -> u64 {
        (rate / 4).max(1)
    }

    /// Another rate from now on; what was saved up stays, within the new burst.
    pub(crate) fn set_rate(&mut self, rate: u64, now: Instant) {
        self.fill(now);
        self.rate = rate.max(1);
        self.micro = self.micro.min(u128::from(Self::burst(self.rate)) * 1_000_000);
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_micros();
        let cap = u128::from(Self::burst(self.rate)) * 1_000_000;
        self.micro = self.micro.saturating_add(elapsed.saturating_mul(self.rate.into())).min(cap);
        self.at += Duration::from_micros(u64::try_from(elapsed).unwrap_or(u64::MAX));
    }

    /// How many bytes may pass now, or until when to wait for a number worth it.
    pub(crate) fn allowance(&mut self, now: Instant) -> Result<usize, Instant> {
        self.fill(now);
        let worth = WORTH.min(Self::burst(self.rate));
        let have = u64::try_from(self.micro / 1_000_000).unwrap_or(u64::MAX);
        if have >= worth {
            return Ok(usize::try_from(have).unwrap_or(usize::MAX));
        }
        let missing = (u128::from(worth) * 1_000_000).saturating_sub(self.micro);
        let micros = missing.div_ceil(self.rate.into());
        Err(self.at + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)))
    }

    /// So many bytes passed.
    pub(crate) fn spend(&mut self, bytes: usize) {
        let spent = u128::try_from(bytes).unwrap_or(u128::MAX).saturating_mul(1_000_000);
        self.micro = self.micro.saturating_sub(spent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_a_minute_the_rate_is_exact_to_one_burst() {
        for rate in [1, 100, 12_345, 10_000_000] {
            let start = Instant::now();
            let (mut now, mut passed) = (start, 0_u64);
            let mut bucket = Bucket::new(rate, now);
            while now < start + Duration::from_secs(60) {
                match bucket.allowance(now) {
                    Ok(n) => {
                        let n = n.min(65_520);
                        bucket.spend(n);
                        passed += u64::try_from(n).unwrap();
                    }
                    Err(until) => now = until,
                }
            }
            let (low, high) = (rate * 60, rate * 60 + Bucket::burst(rate) + WORTH);
            assert!((low..=high).contains(&passed), "{rate}: {passed}");
        }
    }
}
