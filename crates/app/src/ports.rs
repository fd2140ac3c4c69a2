//! The gateway's ports over store, auth and live events: the only place where these rooms meet.
//!
//! Every consequence is recorded before it is announced.

use api::Api;
use api::attachments::Attachments;
use api::live::{About, Hub};
use api::thumbnails::Thumbnails;
use auth::seal::Sealer;
use auth::token::Token;
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gateway::port::{
    Changed, Doorkeeper, EndpointError, Endpoints, Journal, JournalError, NativeClaim, Refusal, Seen,
    SessionChange, SessionEnd, SessionStart,
};
use gateway::{Endpoint, SessionSpec};
use model::audit::{Action, Object, Personal};
use model::session::Ingress;
use model::target::Identity;
use model::{BootId, Coded, NodeId, SessionId, SubjectId, TargetId};
use rfb::handshake::VncResponse;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock, Weak};
use std::time::SystemTime;
use store::{
    AuditEntry, NewSession, Owner, Store, StoreError, TakeError, TakeTicket, TokenHash, VncCandidate,
};
use uuid::Uuid;

/// Looks targets up in the store and opens their sealed secrets.
pub(crate) struct StoredEndpoints {
    pub(crate) store: Store,
    pub(crate) sealer: Arc<Sealer>,
}

impl Endpoints for StoredEndpoints {
    fn resolve(&self, target: TargetId) -> BoxFuture<'_, Result<Endpoint, EndpointError>> {
        async move {
            match self.store.targets().find(target).await {
                Ok(Some(record)) => Ok(api::endpoint(&self.sealer, record)),
                Ok(None) => Err(EndpointError::NotFound),
                Err(error) => {
                    tracing::error!(%error, %target, "A target's entry could not be read");
                    Err(EndpointError::Unavailable)
                }
            }
        }
        .boxed()
    }

    fn remember(&self, target: TargetId, seen: Seen) -> BoxFuture<'_, ()> {
        async move {
            let edit = move |security: &mut model::target::Security| {
                security.seen = security.seen.max(Some(seen.strength));
                if let (true, Some(identity), Identity::FirstUse) =
                    (seen.may_pin, &seen.identity, &security.identity)
                {
                    security.identity = Identity::Pinned(identity.clone());
                }
            };
            if let Err(error) = self.store.targets().update_security(target, edit, Utc::now()).await {
                tracing::error!(%error, %target, "What was seen of a target could not be stored");
            }
        }
        .boxed()
    }
}

/// Tickets that one VncAuth response is compared with: unseal and DES take a few microseconds each.
const VNC_CANDIDATES: u64 = 512;

/// Lets native viewers in: by ticket, and people by their own password.
pub(crate) struct NativeDoor {
    pub(crate) store: Store,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) guard: api::guard::Guard,
    /// Set once the rest of the house stands; it holds this door, so it is not held from here.
    pub(crate) api: OnceLock<Weak<Api>>,
}

impl Doorkeeper for NativeDoor {
    fn admit(&self, source: SocketAddr) -> Result<(), Refusal> {
        if self.guard.is_slowed(source.ip()) { Err(Refusal::Throttled) } else { Ok(()) }
    }

    fn judge(&self, source: SocketAddr, claim: NativeClaim) -> BoxFuture<'_, Result<SessionSpec, Refusal>> {
        async move {
            let api = self.api()?;
            if let NativeClaim::Plain { username, password } = &claim
                && Token::parse(password.expose().trim()).is_err()
            {
                return api.admit_by_password(source, username, password).await;
            }
            match self.admit_by_ticket(&api, source, claim).await {
                Err(refusal @ (Refusal::WrongCredentials | Refusal::TicketSpent)) => {
                    Err(self.written_down(source, refusal).await)
                }
                judged => judged,
            }
        }
        .boxed()
    }
}

impl NativeDoor {
    fn api(&self) -> Result<Arc<Api>, Refusal> {
        self.api.get().and_then(Weak::upgrade).ok_or(Refusal::Unavailable)
    }

    async fn admit_by_ticket(
        &self,
        api: &Api,
        source: SocketAddr,
        claim: NativeClaim,
    ) -> Result<SessionSpec, Refusal> {
        let attempt = self.guard.attempt(source.ip()).await.map_err(|_| Refusal::Throttled)?;
        let Some(token_hash) = self.claimed(claim).await? else {
            attempt.failed();
            return Err(Refusal::WrongCredentials);
        };
        let session = SessionId(Uuid::now_v7());
        let wish = TakeTicket { token_hash, session, taken_by: source, resume_hash: None };
        let taken = match self.store.tickets().take(wish, Utc::now()).await {
            Ok(taken) => taken,
            Err(TakeError::Store(error)) => {
                tracing::error!(%error, "A ticket could not be judged");
                return Err(Refusal::Unavailable);
            }
            Err(refused) => {
                attempt.failed();
                return Err(match refused {
                    TakeError::Used { .. } | TakeError::Expired { .. } => Refusal::TicketSpent,
                    _ => Refusal::WrongCredentials,
                });
            }
        };
        attempt.succeeded();
        let policy = api.settle(session, &taken).await.map_err(|problem| match problem.code() {
            "ticket.unknown" => Refusal::TicketSpent,
            _ => Refusal::Unavailable,
        })?;
        Ok(SessionSpec {
            session,
            target: taken.target,
            policy,
            ingress: Ingress::Native,
            viewer: source,
            user_agent: None,
            subject: taken.subject,
            resume: None,
        })
    }

    /// A refused ticket is in the audit log before its viewer is told.
    async fn written_down(&self, source: SocketAddr, refusal: Refusal) -> Refusal {
        let entry = AuditEntry::new(Action::ConsoleRefused)
            .code(refusal.code())
            .person(Personal::Address, &source.ip().to_string());
        match self.store.audit().append(vec![entry], Utc::now()).await {
            Ok(()) => refusal,
            Err(error) => {
                tracing::error!(%error, "A refused ticket could not be written down");
                Refusal::Unavailable
            }
        }
    }

    /// The ticket that a viewer claims to have.
    async fn claimed(&self, claim: NativeClaim) -> Result<Option<TokenHash>, Refusal> {
        match claim {
            NativeClaim::Plain { password, .. } => {
                let token = Token::parse(password.expose().trim()).ok();
                Ok(token.map(|token| TokenHash(*token.hash().as_bytes())))
            }
            NativeClaim::VncAuth(response) => self.challenged(&response).await,
            _ => Ok(None),
        }
    }

    /// The ticket whose one-time password a response was made with. Every candidate is compared, so that the
    /// time tells nothing about which one fits.
    async fn challenged(&self, response: &VncResponse) -> Result<Option<TokenHash>, Refusal> {
        let candidates = self.store.tickets().vnc_candidates(VNC_CANDIDATES, Utc::now()).await;
        let candidates = candidates.map_err(|error| {
            tracing::error!(%error, "Tickets could not be compared with a response");
            Refusal::Unavailable
        })?;
        let fits = |candidate: &VncCandidate| {
            let sealed = &candidate.sealed_vnc_password;
            let password = api::open_vnc_password(&self.sealer, candidate.id, sealed);
            password.is_some_and(|password| response.matches(&password))
        };
        let fitting: Vec<_> = candidates.iter().filter(|candidate| fits(candidate)).collect();
        Ok(fitting.first().map(|found| found.token_hash))
    }
}

/// Writes sessions into the store, then tells the live pages.
pub(crate) struct StoredJournal {
    pub(crate) store: Store,
    pub(crate) hub: Arc<Hub>,
    pub(crate) attachments: Arc<Attachments>,
    pub(crate) thumbnails: Arc<Thumbnails>,
    pub(crate) node: NodeId,
    pub(crate) boot: BootId,
}

impl Journal for StoredJournal {
    fn started(&self, start: &SessionStart) -> BoxFuture<'_, Result<(), JournalError>> {
        let start = start.clone();
        async move {
            let at = DateTime::<Utc>::from(start.at);
            let spec = &start.spec;
            // A session that an earlier run of the program had has its row already.
            let came_back = self.attachments.of(spec.session) > 0;
            let person = self.person(&spec.subject).await.map_err(|e| not_written(&e))?;
            let owner = person.as_ref().map(|(owner, _)| *owner);
            let entry = started(&start, owner);
            let written = if came_back {
                // Its end was written down by whoever stopped, or found it dead.
                self.store.audit().append(vec![entry.with("resumed", true)], at).await
            } else {
                self.store.sessions().audited(entry).start(self.row(&start, owner, at)).await
            };
            written.map_err(|e| not_written(&e))?;
            let kind = if came_back { "vnc_session_changed" } else { "vnc_session_started" };
            let payload = json!({
                "session_id": spec.session,
                "target_id": spec.target,
                "target_name": start.target_name,
                "subject": person.map_or_else(|| spec.subject.clone(), |(_, name)| name),
                "client_ip": spec.viewer.ip(),
                "ingress": spec.ingress,
                "width": start.width,
                "height": start.height,
                "resumed": came_back,
            });
            self.hub.introduce(spec.session, About { subject: spec.subject.clone(), target: spec.target });
            self.hub.publish_about(spec.session, kind, at, payload);
            metrics::counter!("gatehouse_sessions_started_total").increment(1);
            Ok(())
        }
        .boxed()
    }

    fn not_begun(&self, session: SessionId) -> BoxFuture<'_, ()> {
        async move {
            if let Err(error) = self.store.tickets().give_back(session).await {
                tracing::error!(%error, %session, "A ticket could not be given back");
            }
        }
        .boxed()
    }

    fn changed(&self, change: &SessionChange) -> BoxFuture<'_, ()> {
        let change = change.clone();
        async move {
            let at = DateTime::<Utc>::from(change.at);
            let policy = match &change.what {
                Changed::Policy(policy) => Some(policy.clone()),
                _ => None,
            };
            let row = store::SessionChange { policy, counters: Some(change.counters), ..Default::default() };
            if let Err(error) = self.store.sessions().change(change.session, row, at).await {
                tracing::error!(%error, session = %change.session, "A session's change could not be stored");
            }
            let what = match &change.what {
                Changed::Policy(policy) => json!({ "policy": policy }),
                Changed::Size { width, height } => json!({ "width": width, "height": height }),
                Changed::AwaitingResume { window } => json!({ "awaiting_resume_s": window.as_secs() }),
                Changed::Resumed { viewer } => json!({ "resumed_from": viewer.ip() }),
                _ => json!({}),
            };
            let payload = json!({ "session_id": change.session, "changed": what });
            self.hub.publish_about(change.session, "vnc_session_changed", at, payload);
        }
        .boxed()
    }

    fn ended(&self, end: &SessionEnd) -> BoxFuture<'_, ()> {
        let end = end.clone();
        async move {
            let at = DateTime::<Utc>::from(end.at);
            let (attachment, ended_by) = self.attachments.forget(end.session);
            let row = store::SessionEnd {
                id: end.session,
                attachment,
                reason: end.reason,
                code: end.detail.map(str::to_owned),
                blocked: false,
                ended_by,
                counters: end.counters,
                ended_at: at,
            };
            if let Err(error) = self.store.sessions().audited(ended(&end, ended_by)).end(row).await {
                tracing::error!(%error, session = %end.session, "A session's end could not be stored");
            }
            self.thumbnails.session_ended(&self.store, end.target, end.reason).await;
            metrics::counter!("gatehouse_sessions_ended_total", "reason" => end.reason.code()).increment(1);
            metrics::counter!("gatehouse_bytes_total", "from" => "viewer")
                .increment(end.counters.viewer_bytes);
            metrics::counter!("gatehouse_bytes_total", "from" => "target")
                .increment(end.counters.target_bytes);
            let payload = json!({
                "session_id": end.session,
                "target_id": end.target,
                "reason": end.reason.code(),
                "code": end.detail,
                "duration_s": end.duration.as_secs_f64(),
                "bytes": end.counters.viewer_bytes + end.counters.target_bytes,
            });
            self.hub.publish_about(end.session, "vnc_session_ended", at, payload);
            self.hub.forget(end.session);
        }
        .boxed()
    }
}

impl StoredJournal {
    /// Whose session it is, and how they are called now; none where nobody logged in.
    async fn person(&self, subject: &str) -> Result<Option<(Owner, String)>, StoreError> {
        let Ok(subject) = subject.parse::<SubjectId>() else { return Ok(None) };
        let found = self.store.people().by_subjects(&[subject]).await?.remove(&subject);
        Ok(found.map(|user| (user.owner(), user.name)))
    }

    fn row(&self, start: &SessionStart, owner: Option<Owner>, started_at: DateTime<Utc>) -> NewSession {
        let longest = start.spec.policy.max_duration;
        NewSession {
            id: start.spec.session,
            target: start.spec.target,
            target_name: start.target_name.clone(),
            subject: start.spec.subject.clone(),
            owner,
            protocol: "vnc",
            ingress: start.spec.ingress,
            viewer: start.spec.viewer,
            server: start.server,
            auth_method: rfb::SecurityType(start.security_type.into()).name().map(str::to_owned),
            user_agent: start.spec.user_agent.clone(),
            port_mapping: None,
            policy: start.spec.policy.clone(),
            token_hash: None,
            expires_at: longest.map(|longest| DateTime::<Utc>::from(SystemTime::from(started_at) + longest)),
            node: self.node,
            boot: self.boot,
            started_at,
        }
    }
}

/// What the audit log says of a session that starts.
fn started(start: &SessionStart, owner: Option<Owner>) -> AuditEntry {
    let spec = &start.spec;
    let entry = AuditEntry::new(Action::SessionStarted).on(Object::Session(spec.session));
    let entry = match owner {
        Some(owner) => entry.by(owner.subject),
        None => entry,
    };
    entry.with("target", spec.target.to_string()).person(Personal::Address, &spec.viewer.ip().to_string())
}

/// What the audit log says of a session that ended.
fn ended(end: &SessionEnd, by: Option<SubjectId>) -> AuditEntry {
    let entry = AuditEntry::new(Action::SessionEnded)
        .on(Object::Session(end.session))
        .code(end.reason.code())
        .with("target", end.target.to_string())
        .with("duration_s", end.duration.as_secs())
        .with("bytes", end.counters.viewer_bytes.saturating_add(end.counters.target_bytes));
    match by {
        Some(by) => entry.by(by),
        None => entry,
    }
}

fn not_written(error: &StoreError) -> JournalError {
    tracing::error!(%error, code = error.code(), "A session could not be written down and is not opened");
    JournalError
}
