//! `gatehouse admin`: people, groups, API tokens and targets from the machine itself.
//!
//! Whoever may read the data directory may do all of this, so no log-in is asked for. Each change is written down in
//! the audit log, in its own transaction, as done from the command line. A running server sees it at its next look:
//! rights at once, open consoles within seconds.

mod group;
mod token;
mod user;

use crate::cli::{AdminCommand, Common};
use crate::house::House;
use crate::{target, ticket};
use anyhow::{Context, Result, bail};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use model::audit::Action;
use store::{AuditEntry, UserRecord};

pub(crate) async fn run(common: &Common, command: AdminCommand) -> Result<()> {
    match command {
        AdminCommand::Link => ticket::admin_link(common).await,
        AdminCommand::Target(command) => target::run(common, command).await,
        AdminCommand::User(command) => user::run(&House::open(common).await?, command).await,
        AdminCommand::Group(command) => group::run(&House::open(common).await?, command).await,
        AdminCommand::Token(command) => token::run(&House::open(common).await?, command).await,
    }
}

/// An entry about something that was done here. It names no person: who could run this is known to the machine.
pub(crate) fn by_cli(action: Action) -> AuditEntry {
    AuditEntry::new(action).with("by", "cli")
}

/// The person of this name.
async fn person(house: &House, name: &str) -> Result<UserRecord> {
    let found = house.store.people().find_by_name(name).await?;
    found.with_context(|| format!("nobody is called {name:?}; `gatehouse admin user list` shows everybody"))
}

/// The widest of some texts, for columns.
fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

/// A time as lists show it, in UTC.
fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}

/// `30d`, `12h`, `90m`, a date (its end, in UTC) or a time of RFC 3339.
fn until(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let wrong = || format!("--expires is 30d, 12h, 90m, or a date such as 2027-01-31, not {text:?}");
    let at = if let Ok(day) = text.parse::<NaiveDate>() {
        day.succ_opt().and_then(|day| day.and_hms_opt(0, 0, 0)).with_context(wrong)?.and_utc()
    } else if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        at.to_utc()
    } else {
        let unit = text.chars().next_back().with_context(wrong)?;
        let number: i64 =
            text.strip_suffix(unit).and_then(|digits| digits.parse().ok()).with_context(wrong)?;
        let life = match unit {
            'd' => TimeDelta::try_days(number),
            'h' => TimeDelta::try_hours(number),
            'm' => TimeDelta::try_minutes(number),
            _ => None,
        };
        life.and_then(|life| now.checked_add_signed(life)).with_context(wrong)?
    };
    if at <= now {
        bail!("--expires is in the past");
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read() {
        let now = "2026-11-21T10:00:00Z".parse().unwrap();
        let read = |text| until(text, now).map(|at| at.to_rfc3339());
        assert_eq!(read("30d").unwrap(), "2026-12-21T10:00:00+00:00");
        assert_eq!(read("12h").unwrap(), "2026-11-21T22:00:00+00:00");
        assert_eq!(read("2026-11-21").unwrap(), "2026-11-22T00:00:00+00:00");
        assert_eq!(read("2027-01-01T00:00:00+01:00").unwrap(), "2026-12-31T23:00:00+00:00");
        for bad in ["", "d", "-3d", "0h", "soon", "2020-01-01", "99999999999999999d", "3é"] {
            assert!(until(bad, now).is_err(), "{bad}");
        }
    }
}
