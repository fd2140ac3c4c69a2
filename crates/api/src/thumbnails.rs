//! Pictures of targets' screens for lists: who takes them, and when.
//!
//! Nothing happens unless somebody who may open the target looks at it in a list: each of their requests may begin
//! one picture, which is ready for the next request. Pictures are in memory only.

pub(crate) mod album;

pub use album::Rules;

use crate::error::Problem;
use crate::route::targets::endpoint;
use crate::state::Api;
use crate::unavailable;
use crate::who::Person;
use album::{Album, Asked, Outcome};
use chrono::Utc;
use gateway::snapshot::{SnapshotError, SnapshotLimits};
use model::audit::{Action, Object};
use model::session::EndReason;
use model::{Coded, TargetId, UserId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use store::{AuditEntry, Store, TargetChange, TargetRecord};
use tokio::sync::Semaphore;

/// Pictures taken at a time. One needs up to 36 MiB for the largest screen, as much again for what it is sent, and a
/// part of a core.
const AT_ONCE: usize = 2;
/// People and targets whose looks are told apart; beyond it, looks are written down more often.
const LOOKS: usize = 10_000;

/// The album, and who looks into it.
#[derive(Debug)]
pub struct Thumbnails {
    rules: Rules,
    limits: SnapshotLimits,
    album: Mutex<Album>,
    turns: Semaphore,
    looks: Mutex<HashMap<(UserId, TargetId), Instant>>,
}

impl Thumbnails {
    /// An empty album.
    pub fn new(rules: Rules, limits: SnapshotLimits) -> Thumbnails {
        Thumbnails {
            rules,
            limits,
            album: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
            looks: Mutex::default(),
        }
    }

    /// The target is gone, or its entry is another one.
    pub(crate) fn forget(&self, target: TargetId) {
        lock(&self.album).forget(target);
    }

    /// Forgets what nobody looks at. To be called now and then.
    pub(crate) fn tidy(&self, now: Instant) {
        lock(&self.album).handle_time(&self.rules, now);
        lock(&self.looks).retain(|_, at| now.saturating_duration_since(*at) <= self.rules.kept);
    }

    /// A session has ended. Where the target ended it because we came for a picture, it lets in one viewer alone and
    /// is not pictured again.
    pub async fn session_ended(&self, store: &Store, target: TargetId, reason: EndReason) {
        let by_target = matches!(reason, EndReason::TargetClosed | EndReason::TargetLost);
        if by_target && lock(&self.album).handle_session_end(target, Instant::now()) {
            switch_off(store, target).await;
        }
    }

    /// The last picture of a target. Begins a new one where it is time.
    pub(crate) fn ask(api: &Arc<Api>, target: &TargetRecord, now: Instant) -> Asked {
        let (this, id, version) = (&api.thumbnails, target.id, target.version);
        let asked = lock(&this.album).handle_ask(&this.rules, id, version, now);
        if asked.take {
            let taking = Taking { api: Arc::clone(api), target: id, version, done: false };
            tokio::spawn(taking.run());
        }
        asked
    }

    /// Writes down that a person sees a target's screen: once for as long as they keep looking.
    pub(crate) async fn write_down(
        &self,
        store: &Store,
        person: &Person,
        target: TargetId,
    ) -> Result<(), Problem> {
        let look = (person.user.id, target);
        if !self.is_known(look, Instant::now()) {
            let entry = person.entry(Action::ThumbnailShown).on(Object::Target(target));
            store.audit().append(vec![entry], Utc::now()).await.map_err(|e| unavailable(&e))?;
            let mut looks = lock(&self.looks);
            if looks.len() < LOOKS {
                looks.insert(look, Instant::now());
            }
        }
        Ok(())
    }

    fn is_known(&self, look: (UserId, TargetId), now: Instant) -> bool {
        let mut looks = lock(&self.looks);
        let at = looks.get_mut(&look).filter(|at| now.saturating_duration_since(**at) <= self.rules.kept);
        at.map(|at| *at = now).is_some()
    }
}

/// One picture that is to be taken.
struct Taking {
    api: Arc<Api>,
    target: TargetId,
    version: u64,
    done: bool,
}

impl Taking {
    async fn run(mut self) {
        let api = Arc::clone(&self.api);
        let Ok(_turn) = api.thumbnails.turns.acquire().await else { return };
        let wanted = {
            let mut album = lock(&api.thumbnails.album);
            album.handle_turn(&api.thumbnails.rules, self.target, self.version, Instant::now())
        };
        if !wanted {
            return;
        }
        let Some(record) = self.entry().await else { return };
        let endpoint = endpoint(&api.sealer, record);
        let taken = api.gateway.snapshot(&endpoint, &api.thumbnails.limits).await;
        let result = taken.as_ref().map_or_else(Coded::code, |_| "taken");
        metrics::counter!("gatehouse_thumbnails_total", "result" => result).increment(1);
        let outcome = match taken {
            Ok(picture) => Outcome::Taken(picture),
            Err(error) => self.failed(&error),
        };
        if self.finish(outcome) {
            switch_off(&api.store, self.target).await;
        }
    }

    /// The entry as it is now: what was waited for may be forbidden meanwhile, or has another password.
    async fn entry(&self) -> Option<TargetRecord> {
        let found = self.api.store.targets().find(self.target).await.ok()?;
        found.filter(|record| record.thumbnails && record.version == self.version)
    }

    fn failed(&self, error: &SnapshotError) -> Outcome {
        tracing::debug!(target = %self.target, code = error.code(), %error, "No picture of a target could be taken");
        if error.is_lasting() { Outcome::FailedForLong } else { Outcome::Failed }
    }

    fn finish(&mut self, outcome: Outcome) -> bool {
        self.done = true;
        let this = &self.api.thumbnails;
        lock(&this.album).handle_outcome(&this.rules, self.target, self.version, outcome, Instant::now())
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        if !self.done {
            self.finish(Outcome::Dropped);
        }
    }
}

/// Takes back that lists may show a target's screen, because taking it disturbs whoever works there.
async fn switch_off(store: &Store, target: TargetId) {
    tracing::warn!(%target, "A target ended a session when a picture of it was taken; pictures of it are switched off");
    let entry = AuditEntry::new(Action::TargetChanged).on(Object::Target(target)).code("snapshot.disturbs");
    let change = TargetChange { thumbnails: Some(false), ..TargetChange::default() };
    if let Err(error) = store.targets().audited(entry).change(target, change, Utc::now()).await {
        tracing::error!(%error, %target, "Pictures of a target could not be switched off");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
