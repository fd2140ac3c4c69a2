//! `gatehouse admin token`.

use super::{by_cli, person};
use crate::cli::TokenCommand;
use crate::house::House;
use anyhow::{Context, Result, bail};
use auth::token::Token;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use model::audit::{Action, Object, Personal};
use model::{ApiTokenId, Scope, Scopes};
use std::collections::HashMap;
use store::{MAX_PAGE, NewApiToken, TokenHash, UserFilter, Window};
use uuid::Uuid;

pub(crate) async fn run(house: &House, command: TokenCommand) -> Result<()> {
    match command {
        TokenCommand::Add { user, name, scopes, expires } => add(house, &user, name, scopes, expires).await,
        TokenCommand::List { user } => list(house, user.as_deref()).await,
        TokenCommand::Revoke { id } => revoke(house, ApiTokenId(id)).await,
    }
}

async fn add(
    house: &House,
    user: &str,
    name: String,
    scopes: Vec<Scope>,
    expires: Option<String>,
) -> Result<()> {
    let now = Utc::now();
    let user = person(house, user).await?;
    let expires_at = expires.as_deref().map(|text| until(text, now)).transpose()?;
    let scopes: Scopes = scopes.into_iter().collect();
    let (id, token) = (ApiTokenId(Uuid::now_v7()), Token::fresh());
    let entry = by_cli(Action::TokenAdded)
        .on(Object::ApiToken(id))
        .person_of(Some(user.subject), Personal::Name, &user.name)
        .with("owner", user.subject.to_string())
        .with("scopes", scopes.to_string());
    let new = NewApiToken {
        id,
        user: user.id,
        name,
        token_hash: TokenHash(*token.hash().as_bytes()),
        scopes: scopes.iter().map(|scope| scope.word().to_owned()).collect(),
        expires_at,
    };
    house.store.api_tokens().add(new, entry, now).await?;
    println!("{}", token.expose());
    eprintln!("This is the token, shown once. It is {id} in the list; send it as `Authorization: Bearer …`.");
    Ok(())
}

async fn list(house: &House, user: Option<&str>) -> Result<()> {
    let user = match user {
        Some(name) => Some(person(house, name).await?.id),
        None => None,
    };
    let mut names = HashMap::new();
    let mut window = Window { limit: MAX_PAGE, offset: 0 };
    loop {
        let page = house.store.people().list(&UserFilter::default(), window).await?;
        names.extend(page.items.into_iter().map(|user| (user.id, user.name)));
        window.offset = window.offset.saturating_add(u64::from(window.limit));
        if window.offset >= page.total {
            break;
        }
    }
    let now = Utc::now();
    for token in house.store.api_tokens().list(user).await? {
        let owner = names.get(&token.user).map_or("?", String::as_str);
        let day = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M").to_string();
        let state = match (token.revoked_at, token.expires_at) {
            (Some(at), _) => format!("revoked {}", day(at)),
            (None, Some(at)) if at <= now => format!("expired {}", day(at)),
            (None, Some(at)) => format!("until {}", day(at)),
            (None, None) => "does not expire".to_owned(),
        };
        println!("{}  {owner}  {}  {}  {state}", token.id, token.scopes.join(" "), token.name);
    }
    Ok(())
}

async fn revoke(house: &House, id: ApiTokenId) -> Result<()> {
    let entry = by_cli(Action::TokenRevoked).on(Object::ApiToken(id));
    house.store.api_tokens().revoke(id, None, entry, Utc::now()).await?;
    println!("Revoked; the next request with it is refused.");
    Ok(())
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
