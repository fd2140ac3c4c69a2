//! Whether those who are in may still be in.
//!
//! Asked after every change of people, groups and grants, and every few seconds for what changes by itself: log-ins
//! that end, grants that run out. Who no longer may is shown out; who may only look from now on is held to that.

use crate::state::Api;
use crate::who::Login;
use auth::rights::{Via, Who, reach};
use chrono::Utc;
use gateway::{SessionSnapshot, SessionsError};
use model::session::EndReason;
use model::{Reach, Right, SubjectId};
use std::collections::HashSet;
use std::time::Instant;
use store::{StoreError, UserRecord};

/// What becomes of a session.
enum Verdict {
    Stays,
    OnlyLooks,
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
                Ok(Verdict::Stays) => Ok(true),
                Ok(Verdict::OnlyLooks) => {
                    let policy = model::Policy { view_only: true, ..session.policy };
                    self.sessions.set_policy(session.session, policy).await
                }
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
        let Some(user) = user.filter(|user| !user.disabled) else { return Ok(Verdict::Ends) };
        let who = Who { user: user.id, role: user.role, via: Via::Login };
        let grant = match reach(&who, Right::OpenConsole) {
            Err(_) => return Ok(Verdict::Ends),
            Ok(Reach::All) => None,
            Ok(_) => match self.store.people().grants().of(user.id, session.target, Utc::now()).await? {
                None => return Ok(Verdict::Ends),
                grant => grant,
            },
        };
        if !self.rules.outlive_login && !self.is_logged_in(user, session).await? {
            return Ok(Verdict::Ends);
        }
        let only_looks = grant.is_some_and(|grant| grant.view_only) && !session.policy.view_only;
        Ok(if only_looks { Verdict::OnlyLooks } else { Verdict::Stays })
    }

    /// Whether the log-in that opened a session goes on. Whoever works in a console is not idle.
    async fn is_logged_in(&self, user: &UserRecord, session: &SessionSnapshot) -> Result<bool, StoreError> {
        let Some(opening) = self.attachments.opening(session.session) else { return Ok(true) };
        let now = Utc::now();
        match opening.by {
            Login::Cookie { cookie, .. } => {
                let logins = self.store.logins();
                if logins.find(cookie, now).await?.is_none() {
                    return Ok(false);
                }
                let input = session.counters.keys.saturating_add(session.counters.pointers);
                if input > opening.input {
                    self.attachments.saw_input(session.session, input);
                    logins.touch(cookie, now).await?;
                }
                Ok(true)
            }
            Login::Family(family) => {
                let found = self.store.logins().bearer(user.id, family, user.session_version, now).await?;
                Ok(found.is_some())
            }
            Login::ApiToken(id) => {
                let tokens = self.store.api_tokens().list(Some(user.id)).await?;
                Ok(tokens.iter().any(|token| {
                    token.id == id
                        && token.revoked_at.is_none()
                        && token.expires_at.is_none_or(|expires_at| expires_at > now)
                }))
            }
            Login::Password { version } => Ok(version == user.session_version),
        }
    }

    /// A log-in has ended: so do the consoles that it opened, unless the configuration lets them go on.
    pub(crate) async fn end_consoles_of(&self, login: Login) {
        let (sessions, tickets) = self.attachments.of_login(login);
        for ticket in tickets {
            if let Err(error) = self.store.tickets().revoke(ticket).await {
                tracing::error!(%error, "A ticket of a log-in that ended could not be withdrawn");
            }
        }
        if self.rules.outlive_login {
            return;
        }
        for session in sessions {
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
