//! The installation's keys, from wherever they were given: see `auth::key` for the order.

use crate::environment::{self, JWT_SECRET};
use anyhow::{Result, anyhow};
use auth::access::AccessTokens;
use auth::key::{Given, Key, KeyError, Keyring};
use model::{Coded, Secret};
use std::path::Path;

/// What was given outside of the data directory.
pub(crate) fn given() -> Result<Given> {
    Given::read(environment::variable).map_err(|error| coded(&error))
}

/// The keys in force; made in the data directory at first use.
pub(crate) fn keyring(data: &Path) -> Result<Keyring> {
    Keyring::open(&given()?, data).map_err(|error| coded(&error))
}

/// What signs and reads access tokens: `JWT_SECRET` where it is set, else derived from the installation's key.
pub(crate) fn access_tokens(keys: &Keyring) -> Result<AccessTokens> {
    Ok(match jwt_secret()? {
        Some(key) => AccessTokens::with_key(&key),
        None => AccessTokens::new(keys),
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

fn jwt_secret() -> Result<Option<Key>> {
    let Some(text) = environment::text(JWT_SECRET)? else { return Ok(None) };
    Key::from_text(JWT_SECRET, &Secret::new(text)).map(Some).map_err(|error| coded(&error))
}

fn coded(error: &KeyError) -> anyhow::Error {
    anyhow!("{error} ({})", error.code())
}
