//! `gatehouse admin token`.

use super::{by_cli, minute, person, until};
use crate::cli::TokenCommand;
use crate::house::House;
use anyhow::Result;
use auth::token::Token;
use chrono::Utc;
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
        let state = match (token.revoked_at, token.expires_at) {
            (Some(at), _) => format!("revoked {}", minute(at)),
            (None, Some(at)) if at <= now => format!("expired {}", minute(at)),
            (None, Some(at)) => format!("until {}", minute(at)),
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
