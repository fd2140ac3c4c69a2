//! Points in time as captures have them: microseconds since 1970, written as RFC 3339 in UTC.

use serde::{Serialize, Serializer};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Time(pub i64);

const SECOND: i64 = 1_000_000;

impl Time {
    /// Seconds and a fraction counted in `units` per second, which a file may choose freely.
    pub fn from_fraction(seconds: i64, fraction: u64, units: u64) -> Time {
        let micros = u128::from(fraction) * 1_000_000 / u128::from(units.max(1));
        let micros = i64::try_from(micros).unwrap_or(i64::MAX);
        Time(seconds.saturating_mul(SECOND).saturating_add(micros))
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, micros) = (self.0.div_euclid(SECOND), self.0.rem_euclid(SECOND));
        let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Year, month and day of a count of days since 1970-01-01, in the proleptic Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year; 146,097 days are 400 years.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_that_calendars_get_wrong() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (951_868_800, "2000-03-01T00:00:00.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
            (1_340_954_905, "2012-06-29T07:28:25.000000Z"),
        ] {
            assert_eq!(Time::from_fraction(seconds, 0, 1).to_string(), text);
        }
    }

    #[test]
    fn fractions_in_any_unit_become_microseconds() {
        assert_eq!(Time::from_fraction(1, 500_000_000, 1_000_000_000), Time(1_500_000));
        assert_eq!(Time::from_fraction(1, 1 << 19, 1 << 20), Time(1_500_000));
        assert_eq!(Time::from_fraction(i64::MAX, u64::MAX, 0), Time(i64::MAX));
    }
}
