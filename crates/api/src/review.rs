//! Whether those who are in may still be in.
//!
//! Asked after every change of people, groups and grants, and every few seconds for what changes by itself: log-ins
//! that end, grants that run out. Who no longer may is shown out; who may only look from now on is held to that.

use crate::state::Api;
use auth::rights::{Via, Who, reach};
use chrono::Utc;
use gateway::{SessionSnapshot, SessionsError};
use model::session::EndReason;
use model::{Reach, Right, SubjectId, TargetId};
use std::collections::HashSet;
use std::time::Instant;
use store::{LoginId, Owner, StoreError, UserRecord};

/// What becomes of a session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on by its rules.
    Stays,
    /// It goes on, for looking only.
    OnlyLooks,
    /// It may not go on.
    Ends,
}

impl Api {
    /// Looks at every running session of a person once.
    pub async fn review(&self) {
        self.thumbnails.tidy(Instant::now());
        let sessions = match self.sessions.list().await {
            Ok(sessions) => sessions,
            Err(error) => return report(&error),
        };
        self.attachments.keep(&sessions.iter().map(|session| session.session).collect::<HashSet<_>>());
        let mut subjects: Vec<SubjectId> = sessions.iter().filter_map(|s| s.subject.parse().ok()).collect();
        subjects.sort_unstable();
        subjects.dedup();
        let people = match self.store.people().by_subjects(&subjects).await {
            Ok(people) => people,
            Err(error) => return undecided(&error),
        };
        for session in sessions {
            let Ok(subject) = session.subject.parse::<SubjectId>() else { continue };
            let done = match self.judge(people.get(&subject), &session).await {
                Ok(Verdict::OnlyLooks) if !session.policy.view_only => {
                    let policy = model::Policy { view_only: true, ..session.policy };
                    self.sessions.set_policy(session.session, policy).await
                }
                Ok(Verdict::Stays | Verdict::OnlyLooks) => Ok(true),
                Ok(Verdict::Ends) => self.sessions.kill(session.session, EndReason::Killed).await,
                Err(error) => {
                    undecided(&error);
                    Ok(true)
                }
            };
            if let Err(error) = done {
                report(&error);
            }
        }
    }

    async fn judge(
        &self,
        user: Option<&UserRecord>,
        session: &SessionSnapshot,
    ) -> Result<Verdict, StoreError> {
        let Some(user) = user else { return Ok(Verdict::Ends) };
        if !self.rules.outlive_login
            && let Some(opening) = self.attachments.opening(session.session)
        {
            if !self.is_logged_in(user, opening.by).await? {
                return Ok(Verdict::Ends);
            }
            let input = session.counters.keys.saturating_add(session.counters.pointers);
            if input > opening.input {
                self.attachments.saw_input(session.session, input);
                self.is_at_work(opening.by).await?;
            }
        }
        self.judge_by_grant(user, session.target).await
    }

    /// Whether somebody may still have what they were given a ticket for: between the two a log-in may have ended, a
    /// grant may have been withdrawn.
    pub(crate) async fn judge_ticket(
        &self,
        owner: Owner,
        target: TargetId,
        by: Option<LoginId>,
    ) -> Result<Verdict, StoreError> {
        let Some(user) = self.store.people().find(owner.user).await? else { return Ok(Verdict::Ends) };
        match by {
            Some(by) if !self.is_logged_in(&user, by).await? => Ok(Verdict::Ends),
            _ => self.judge_by_grant(&user, target).await,
        }
    }

    async fn judge_by_grant(&self, user: &UserRecord, target: TargetId) -> Result<Verdict, StoreError> {
        if user.disabled {
            return Ok(Verdict::Ends);
        }
        let who = Who { user: user.id, role: user.role, via: Via::Login };
        match reach(&who, Right::OpenConsole) {
            Err(_) => Ok(Verdict::Ends),
            Ok(Reach::All) => Ok(Verdict::Stays),
            Ok(_) => Ok(match self.store.people().grants().of(user.id, target, Utc::now()).await? {
                None => Verdict::Ends,
                Some(grant) if grant.view_only => Verdict::OnlyLooks,
                Some(_) => Verdict::Stays,
            }),
        }
    }

    /// Whether a log-in goes on.
    async fn is_logged_in(&self, user: &UserRecord, login: LoginId) -> Result<bool, StoreError> {
        let now = Utc::now();
        match login {
            LoginId::Cookie(cookie) => Ok(self.store.logins().find(cookie, now).await?.is_some()),
            LoginId::Family(family) => {
                let found = self.store.logins().bearer(user.id, family, user.session_version, now).await?;
                Ok(found.is_some())
            }
            LoginId::ApiToken(id) => {
                let tokens = self.store.api_tokens().list(Some(user.id)).await?;
                Ok(tokens.iter().any(|token| {
                    token.id == id
                        && token.revoked_at.is_none()
                        && token.expires_at.is_none_or(|expires_at| expires_at > now)
                }))
            }
            LoginId::Password(version) => Ok(version == user.session_version),
        }
    }

    /// Whoever works in a console is not idle.
    async fn is_at_work(&self, login: LoginId) -> Result<(), StoreError> {
        match login {
            LoginId::Cookie(cookie) => self.store.logins().touch(cookie, Utc::now()).await,
            _ => Ok(()),
        }
    }

    /// A log-in has ended: so do the consoles that it opened, unless the configuration lets them go on. Tickets that
    /// it asked for are withdrawn in any case.
    pub(crate) async fn end_consoles_of(&self, login: LoginId) {
        if let Err(error) = self.store.tickets().revoke_by(login).await {
            tracing::error!(%error, "The tickets of a log-in that ended could not be withdrawn");
        }
        if self.rules.outlive_login {
            return;
        }
        for session in self.attachments.of_login(login) {
            if let Err(error) = self.sessions.kill(session, EndReason::Killed).await {
                report(&error);
            }
        }
    }

    /// Ends every session of a person.
    pub(crate) async fn end_consoles_of_subject(&self, subject: SubjectId) {
        let subject = subject.to_string();
        let sessions = match self.sessions.list().await {
            Ok(sessions) => sessions,
            Err(error) => return report(&error),
        };
        for session in sessions.into_iter().filter(|session| session.subject == subject) {
            if let Err(error) = self.sessions.kill(session.session, EndReason::Killed).await {
                report(&error);
            }
        }
    }
}

/// A session stays while the database does not say that it may not: running ones outlive its absence.
fn undecided(error: &StoreError) {
    tracing::error!(%error, "Whether sessions may go on cannot be said now");
}

fn report(error: &SessionsError) {
    tracing::error!(%error, "Sessions could not be looked at");
}
