//! The installation's keys, from wherever they were given: see `auth::key` for the order.

use crate::admin::by_cli;
use crate::cli::Common;
use crate::environment::{self, JWT_SECRET};
use crate::house::House;
use anyhow::{Context, Result, anyhow, bail};
use auth::access::AccessTokens;
use auth::key::{Given, Key, KeyError, Keyring};
use auth::seal::{OpenError, Sealer};
use chrono::Utc;
use model::audit::Action;
use model::{Coded, Secret};
use std::path::Path;
use std::time::Duration;
use store::{Resealed, Sealed, SealedAt};

/// What a running server sealed with the key before is in the database after this time, or never will be: no change
/// waits longer for the database.
const LATE: Duration = Duration::from_secs(6);

/// What was given outside of the data directory.
pub(crate) fn given() -> Result<Given> {
    Given::read(environment::variable).map_err(|error| coded(&error))
}

/// The keys in force; made in the data directory at first use.
pub(crate) fn keyring(data: &Path) -> Result<Keyring> {
    Keyring::open(&given()?, data).map_err(|error| coded(&error))
}

/// What signs and reads access tokens: `JWT_SECRET` where it is set, else derived from the installation's key, which it
/// follows like the sealer.
pub(crate) fn access_tokens(data: &Path, keys: &Keyring) -> Result<AccessTokens> {
    Ok(match jwt_secret()? {
        Some(key) => AccessTokens::with_key(&key),
        None => AccessTokens::following(given()?, data, keys),
    })
}

/// Refuses keys that are too short or copied from an example, without making any. Answers where the keys come from.
pub(crate) fn check() -> Result<Vec<String>> {
    let given = given()?;
    let is_given = Keyring::of(&given).map_err(|error| coded(&error))?.is_some();
    let source = match (&given.variable, &given.credential) {
        _ if !is_given => "the data directory's file".to_owned(),
        (Some(_), _) => format!("variable {}", auth::key::VARIABLE),
        (None, Some(_)) => format!("systemd credential {}", auth::key::CREDENTIAL),
        (None, None) => format!("variable {}", auth::key::PLAIN_VARIABLE),
    };
    let tokens = match jwt_secret()? {
        Some(_) => format!("variable {JWT_SECRET}"),
        None => "derived from the key of stored secrets".to_owned(),
    };
    Ok(vec![
        format!("key of stored secrets = …  ({source})"),
        format!("key of access tokens = …  ({tokens})"),
    ])
}

/// Changes the key of stored secrets. Each step leaves everything readable, so it may be cut short and run again.
///
/// A running server follows the key's file (see [`Sealer::following`]): from the first step on it seals with the new
/// key. What it sealed a moment before may still be on its way, so the old key goes only after a second look.
pub(crate) async fn rotate(common: &Common) -> Result<()> {
    let house = House::open(common).await?;
    let given = given()?;
    let from_file = Keyring::of(&given).map_err(|error| coded(&error))?.is_none();
    let keys = if from_file {
        Keyring::rotate_file(&given, &house.data).map_err(|error| coded(&error))?
    } else if house.keys.is_changing() {
        house.keys.clone()
    } else {
        // It says which variables are to be set.
        let refused = Keyring::rotate_file(&given, &house.data).map_err(|error| coded(&error));
        refused?
    };
    let sealer = Sealer::new(&keys);
    let mut moved = reseal(&house, &sealer, true).await?;
    if from_file {
        let is_served = house.serve_alone().is_err();
        if is_served {
            eprintln!("A server is running; waiting until nothing of it is on its way.");
            tokio::time::sleep(LATE).await;
            moved = moved.saturating_add(reseal(&house, &sealer, false).await?);
        }
        Keyring::retire_file(&house.data).map_err(|error| coded(&error))?;
        println!("The key is new, {moved} stored secrets were sealed anew, and the old key is gone.");
    } else {
        println!("{moved} stored secrets were sealed anew. Remove {} now.", auth::key::OLDER_VARIABLE);
    }
    house.store.close().await;
    Ok(())
}

/// Seals anew what is under an older key. A value that cannot be opened stops everything: the old key must stay.
async fn reseal(house: &House, sealer: &Sealer, is_first: bool) -> Result<u64> {
    let mut values = Vec::new();
    for (at, old) in house.store.sealed_values().all().await? {
        match reseal_one(sealer, at, &old) {
            Ok(Some(new)) => values.push(Resealed { at, old, new: Sealed(new) }),
            Ok(None) => {}
            Err(error) => bail!(
                "{at:?}: {error} ({}); nothing was lost, the old key is kept: enter that secret again, then run this again",
                error.code()
            ),
        }
    }
    if values.is_empty() && !is_first {
        return Ok(0);
    }
    let entry = by_cli(Action::KeysRotated).with("secrets", values.len());
    let wanted = u64::try_from(values.len()).unwrap_or(u64::MAX);
    let done = house.store.sealed_values().replace(values, entry, Utc::now()).await?;
    // What somebody changed meanwhile was sealed anew by them, with the new key.
    if done < wanted {
        return Box::pin(reseal(house, sealer, false))
            .await
            .map(|more| done.saturating_add(more))
            .context("again");
    }
    Ok(done)
}

fn reseal_one(sealer: &Sealer, at: SealedAt, sealed: &Sealed) -> Result<Option<Vec<u8>>, OpenError> {
    match at {
        SealedAt::Target(id) => sealer.reseal(&api::target_place(id), &sealed.0),
        SealedAt::Ticket(id) => sealer.reseal(&api::vnc_password_place(id), &sealed.0),
    }
}

fn jwt_secret() -> Result<Option<Key>> {
    let Some(text) = environment::text(JWT_SECRET)? else { return Ok(None) };
    Key::from_text(JWT_SECRET, &Secret::new(text)).map(Some).map_err(|error| coded(&error))
}

fn coded(error: &KeyError) -> anyhow::Error {
    anyhow!("{error} ({})", error.code())
}
