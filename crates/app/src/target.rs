//! `gatehouse target`: registering VNC servers from the machine itself.

use crate::admin::by_cli;
use crate::cli::{Common, TargetAdd, TargetCommand};
use crate::house::{House, fresh_target};
use crate::password;
use anyhow::{Context, Result, bail};
use chrono::Utc;
use model::audit::{Action, Object};
use model::target::{Identity, Origin, Security, Strength};
use store::NewTarget;

pub(crate) async fn run(common: &Common, command: TargetCommand) -> Result<()> {
    let house = House::open(common).await?;
    match command {
        TargetCommand::Add(wish) => add(&house, wish).await,
        TargetCommand::List => list(&house).await,
        TargetCommand::Remove { name } => remove(&house, &name).await,
    }
}

async fn add(house: &House, wish: TargetAdd) -> Result<()> {
    let security = Security {
        floor: strength(&wish.floor)?,
        identity: identity(wish.pin, wish.first_use)?,
        anonymous_tls: wish.anonymous_tls,
        ..Security::default()
    };
    let url = model::vnc_url::parse(&wish.url)?;
    let secret = match wish.password_file {
        Some(file) => Some(password::from_file(&file)?),
        None => {
            if url.password.is_some() {
                password::warn_visible();
            }
            url.password
        }
    };
    let id = fresh_target();
    let sealed_secret = secret.map(|secret| api::seal_password(&house.sealer, id, &secret));
    let new = NewTarget {
        id,
        name: wish.name,
        address: url.address,
        // Whoever may read the data directory is an administrator.
        origin: Origin::Administrator,
        security,
        username: url.username,
        sealed_secret,
        tags: Vec::new(),
        description: String::new(),
        thumbnails: wish.thumbnails,
    };
    let entry = by_cli(Action::TargetAdded).on(Object::Target(id)).with("name", new.name.as_str());
    let record = house.store.targets().audited(entry).add(new, Utc::now()).await?;
    println!("{}  {}  {}", record.number, record.name, record.address);
    Ok(())
}

async fn list(house: &House) -> Result<()> {
    let targets = house.store.targets().list().await?;
    if targets.is_empty() {
        println!("No targets yet. Register one: gatehouse target add NAME vnc://host:5900");
        return Ok(());
    }
    let wide = targets.iter().map(|t| t.name.chars().count()).max().unwrap_or(0);
    for target in targets {
        let secret = if target.sealed_secret.is_some() { "password stored" } else { "no password" };
        println!("{:>4}  {:wide$}  {}  ({secret})", target.number, target.name, target.address);
    }
    Ok(())
}

async fn remove(house: &House, name: &str) -> Result<()> {
    let target = house.target(name).await?;
    let entry =
        by_cli(Action::TargetRemoved).on(Object::Target(target.id)).with("name", target.name.as_str());
    house.store.targets().audited(entry).remove(target.id, Utc::now()).await?;
    println!("Removed {name}. Sessions that run on it go on until they end.");
    Ok(())
}

fn strength(text: &str) -> Result<Strength> {
    Ok(match text {
        "open" => Strength::Open,
        "authenticated" => Strength::Authenticated,
        "encrypted-anonymous" => Strength::EncryptedAnonymous,
        "encrypted-verified" => Strength::EncryptedVerified,
        _ => bail!("--floor is open, authenticated, encrypted-anonymous or encrypted-verified, not {text:?}"),
    })
}

fn identity(pin: Option<String>, first_use: bool) -> Result<Identity> {
    let Some(pin) = pin else {
        return Ok(if first_use { Identity::FirstUse } else { Identity::Verify });
    };
    let hex: String = pin.chars().filter(|c| *c != ':').map(|c| c.to_ascii_lowercase()).collect();
    let is_sha256 = hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit());
    is_sha256
        .then_some(Identity::Pinned(hex))
        .context("--pin is the SHA-256 of the certificate: 64 hexadecimal digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_read_with_and_without_colons() {
        let digits = "AB".repeat(32);
        let colons = digits
            .as_bytes()
            .chunks(2)
            .map(|c| std::str::from_utf8(c).unwrap())
            .collect::<Vec<_>>()
            .join(":");
        assert_eq!(identity(Some(colons), false).unwrap(), Identity::Pinned(digits.to_lowercase()));
        assert!(identity(Some("ab".into()), false).is_err());
        assert_eq!(identity(None, true).unwrap(), Identity::FirstUse);
    }

    #[test]
    fn a_floor_is_spelled_exactly() {
        assert_eq!(strength("encrypted-verified").unwrap(), Strength::EncryptedVerified);
        assert!(strength("strong").is_err());
    }
}
