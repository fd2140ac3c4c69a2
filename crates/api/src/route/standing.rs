//! What a console page is told about where it stands: what whoever looks may do here, and who else looks at the same
//! screen.
//!
//! People at one screen see each other's hands, so they are told of each other, whatever their role sees elsewhere.
//! Names are for those who are logged in: a bare token learns that somebody is there, and not who.

use crate::error::Problem;
use crate::route::{console, sessions, targets};
use crate::state::Api;
use crate::unavailable;
use crate::who::Person;
use chrono::{DateTime, Utc};
use gateway::SessionSnapshot;
use model::{Reach, Right, SessionId, TargetId};
use serde::Serialize;
use std::collections::HashMap;
use store::{PageRequest, SessionFilter, SessionRecord, SessionStatus};
use utoipa::ToSchema;

/// So many others are named at most; nobody reads more names beside a screen.
const COMPANY: u32 = 20;

/// Somebody else who looks at the same screen now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OtherViewer {
    /// The name that they log in with; none for a bare token.
    person: Option<String>,
    since: DateTime<Utc>,
    view_only: bool,
}

/// What a person may do at a console.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// The target, where they may ask for its console anew.
    pub(crate) target: Option<TargetId>,
    /// Seconds that would be left after *extend*, where the session is theirs to extend.
    pub(crate) extended_s: Option<u64>,
    /// Whether they may change the rules of the session.
    pub(crate) may_change_policy: bool,
}

impl Standing {
    /// Of a person at a console of this target, whose session may not have begun.
    pub(crate) async fn of(
        api: &Api,
        person: &Person,
        target: TargetId,
        session: Option<SessionId>,
    ) -> Result<Standing, Problem> {
        let grant = match person.reach(Right::OpenConsole) {
            Ok(Reach::All) => Some(None),
            Ok(_) => targets::grant_of(api, person, target).await?.map(Some),
            Err(_) => None,
        };
        let target = grant.is_some().then_some(target);
        let record = match session {
            Some(id) => api.store.sessions().find(id).await.map_err(|e| unavailable(&e))?,
            None => None,
        };
        let Some(record) = record.filter(|record| record.status == SessionStatus::Active) else {
            return Ok(Standing { target, ..Standing::default() });
        };
        let may_change_policy = match person.reach(Right::ChangePolicy) {
            Ok(Reach::All) => true,
            Ok(_) => sessions::find_for(api, person, Right::ChangePolicy, record.id).await.is_ok(),
            Err(_) => false,
        };
        let extends = record.user == Some(person.user.id) && person.reach(Right::ExtendConsole).is_ok();
        let extended_s = grant.filter(|_| extends).map(|grant| {
            let now = Utc::now();
            let until = console::extended(api, person, grant.as_ref(), &record, api.rules.session, now);
            u64::try_from((until - now).num_seconds()).unwrap_or(0)
        });
        Ok(Standing { target, extended_s, may_change_policy })
    }
}

/// Who else looks at this target now, those first who came last.
pub(crate) async fn others(
    api: &Api,
    target: TargetId,
    own: SessionId,
    named: bool,
) -> Result<Vec<OtherViewer>, Problem> {
    let filter = SessionFilter {
        status: Some(SessionStatus::Active),
        target: Some(target),
        ..SessionFilter::default()
    };
    // One more than is told, since one of them is who asks.
    let page = PageRequest::first(COMPANY + 1);
    let page = api.store.sessions().list(&filter, &page).await.map_err(|e| unavailable(&e))?;
    let mut found = Vec::new();
    for record in page.items.into_iter().filter(|record| record.id != own) {
        if let Some(now) = api.sessions.snapshot(record.id).await?.filter(SessionSnapshot::has_viewer) {
            found.push((record, now.policy.view_only));
        }
    }
    let (records, watching): (Vec<SessionRecord>, Vec<bool>) = found.into_iter().unzip();
    let names = if named { sessions::names(api, &records).await? } else { HashMap::new() };
    let viewer = |(record, view_only): (SessionRecord, bool)| OtherViewer {
        person: named
            .then(|| record.subject_id.and_then(|id| names.get(&id).cloned()).unwrap_or(record.subject)),
        since: record.start_time,
        view_only,
    };
    Ok(records.into_iter().zip(watching).map(viewer).collect())
}
