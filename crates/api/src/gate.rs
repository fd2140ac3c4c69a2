//! Where people prove who they are: by name and password, on the web and at the native door alike.
//!
//! An unknown name, a wrong password and a person who may not log in look the same: in what is answered, in what is
//! asked of the database, and in what is computed. Only judged attempts are written down; the brake holds the others.

use auth::brake::{self, Attempt, Brake, Familiar};
use auth::password::{Hasher, PasswordError, Verdict};
use auth::token::Token;
use chrono::{DateTime, Utc};
use model::audit::{Action, Object, Personal};
use model::{Coded, Secret, UserId};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use store::{AuditEntry, Store, StoreError, TokenHash, UserRecord};
use uuid::Uuid;

/// The gate: who exists, what they know, and how often they may be wrong.
#[derive(Debug)]
pub struct Gate {
    store: Store,
    hasher: Hasher,
    brake: Mutex<Brake>,
}

/// Somebody who says that they are somebody.
pub struct Claim<'a> {
    /// The name as typed.
    pub name: &'a str,
    /// The password as typed.
    pub password: &'a Secret,
    /// From where.
    pub address: IpAddr,
    /// The cookie of a device that logged in before.
    pub device: Option<&'a Token>,
}

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// Name or password is wrong, or the person may not log in. Which of them is not said.
    #[error("the name or the password is wrong")]
    Wrong,
    /// Wrong too often; the password was not looked at.
    #[error("too many wrong attempts; try again in {} s", .0.as_secs().max(1))]
    Throttled(Duration),
    /// Too many passwords are being checked.
    #[error("too many people are logging in; try again in {} s", .0.as_secs().max(1))]
    Busy(Duration),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Coded for GateError {
    fn code(&self) -> &'static str {
        match self {
            GateError::Wrong => "login.wrong",
            GateError::Throttled(_) => "door.throttled",
            GateError::Busy(_) => "password.busy",
            GateError::Store(error) => error.code(),
        }
    }
}

impl Gate {
    /// A gate with a fresh brake.
    pub fn new(store: Store, hasher: Hasher) -> Gate {
        Gate { store, hasher, brake: Mutex::default() }
    }

    /// What new passwords are hashed with, for people who are logged in.
    pub fn hasher(&self) -> Hasher {
        self.hasher.for_familiar()
    }

    /// The person whose name and password these are.
    ///
    /// # Errors
    /// [`GateError`]. A refusal that was judged is in the audit log by then.
    pub async fn prove(&self, claim: &Claim<'_>, now: DateTime<Utc>) -> Result<UserRecord, GateError> {
        let found = self.store.people().find_by_name(claim.name).await?;
        // Nobody's id is asked for as much as somebody's.
        let id = found.as_ref().map_or(UserId(Uuid::nil()), |user| user.id);
        let familiar = self.familiar(id, claim).await?;
        let attempt = match &found {
            Some(user) => Attempt::at(user.id, familiar, claim.address),
            None => Attempt::at_nobody(claim.name, claim.address),
        };
        let under_way = self.admit(attempt)?;
        let hasher = if familiar.is_some() { self.hasher.for_familiar() } else { self.hasher.clone() };
        let hash = found.as_ref().filter(|user| !user.disabled).and_then(|user| user.password_hash.clone());
        let verdict = hasher.verify(claim.password, hash.as_ref().map(Secret::expose)).await;
        match (verdict, found) {
            (Ok(Verdict::Right { outdated }), Some(user)) => {
                under_way.succeeded();
                if let (true, Some(hash)) = (outdated, hash) {
                    self.rehash(user.id, hash, claim.password).await;
                }
                Ok(user)
            }
            (Err(PasswordError::Busy { retry_after }), _) => Err(GateError::Busy(retry_after)),
            (verdict, found) => {
                if let Err(error) = verdict {
                    tracing::error!(%error, "A stored password cannot be compared");
                }
                under_way.failed();
                self.store.audit().append(vec![refused(claim, found.as_ref())], now).await?;
                Err(GateError::Wrong)
            }
        }
    }

    /// What is known of the device or the address from earlier log-ins of this person.
    async fn familiar(&self, user: UserId, claim: &Claim<'_>) -> Result<Option<Familiar>, StoreError> {
        let logins = self.store.logins();
        if let Some(device) = claim.device
            && logins.knows_device(user, TokenHash(*device.hash().as_bytes())).await?
        {
            return Ok(Some(Familiar::Device(device.hash())));
        }
        let here = logins.knows_device(user, footprint(user, claim.address)).await?;
        Ok(here.then_some(Familiar::Address))
    }

    fn admit(&self, attempt: Attempt) -> Result<UnderWay<'_>, GateError> {
        self.lock().admit(&attempt, Instant::now()).map_err(GateError::Throttled)?;
        Ok(UnderWay { gate: self, attempt, judged: false })
    }

    /// The cost of hashes was raised since this one was made.
    async fn rehash(&self, user: UserId, old: Secret, password: &Secret) {
        match self.hasher.for_familiar().hash(password).await {
            Ok(new) => {
                if let Err(error) = self.store.people().rehash(user, old, Secret::new(new)).await {
                    tracing::warn!(%error, "A password's stronger hash could not be stored");
                }
            }
            Err(error) => tracing::debug!(%error, "A password is hashed anew another time"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Brake> {
        self.brake.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// By what the store remembers that a person came from an address.
pub(crate) fn footprint(user: UserId, address: IpAddr) -> TokenHash {
    TokenHash(*brake::footprint(user, address).as_bytes())
}

fn refused(claim: &Claim<'_>, found: Option<&UserRecord>) -> AuditEntry {
    let subject = found.map(|user| user.subject);
    let entry = AuditEntry::new(Action::LoginRefused).code(GateError::Wrong.code());
    let entry = match subject {
        Some(subject) => entry.on(Object::Person(subject)),
        None => entry,
    };
    entry.person_of(subject, Personal::Name, claim.name).person_of(
        subject,
        Personal::Address,
        &claim.address.to_string(),
    )
}

/// An admitted attempt. Dropping it without a word counts as neither.
struct UnderWay<'a> {
    gate: &'a Gate,
    attempt: Attempt,
    judged: bool,
}

impl UnderWay<'_> {
    fn failed(mut self) {
        self.judged = true;
        self.gate.lock().failed(&self.attempt, Instant::now());
    }

    fn succeeded(mut self) {
        self.judged = true;
        self.gate.lock().succeeded(&self.attempt, Instant::now());
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.judged {
            self.gate.lock().withdrawn(&self.attempt, Instant::now());
        }
    }
}
