//! The native door for people: `person:target` as the name, and their own password. The target is its number, its id
//! or its name.

use crate::gate::{Claim, GateError, footprint};
use crate::route::console::{ConsoleWish, Granted, end_live, granted, refused};
use crate::route::door::shorter;
use crate::state::Api;
use crate::who::{Login, Person};
use chrono::Utc;
use gateway::SessionSpec;
use gateway::port::Refusal;
use model::audit::{Action, Object};
use model::session::{EndReason, Ingress};
use model::{Policy, Secret, SessionId, TargetId};
use std::net::SocketAddr;
use uuid::Uuid;

impl Api {
    /// Lets a person with a native viewer in, by the same rules as on the web. A target that they may not use is a
    /// wrong name: strangers learn nothing of what there is.
    ///
    /// # Errors
    /// [`Refusal`]; what was judged is in the audit log by then.
    pub async fn admit_by_password(
        &self,
        source: SocketAddr,
        username: &str,
        password: &Secret,
    ) -> Result<SessionSpec, Refusal> {
        self.limits.stranger(source.ip()).map_err(|_| Refusal::Throttled)?;
        // No name of a person has a colon.
        let (name, target) = username.trim().split_once(':').unwrap_or((username.trim(), ""));
        let now = Utc::now();
        let claim = Claim { name, password, address: source.ip(), device: None };
        let user = self.gate.prove(&claim, now).await.map_err(refusal)?;
        let login = Login::Password { version: user.session_version };
        let person = Person::new(user, login, None, source.ip());
        let entered = person.entry(Action::LoggedIn).with("by", "native");
        let footprint = footprint(person.user.id, source.ip());
        if let Err(error) = self.store.logins().came_by(person.user.id, footprint, entered, now).await {
            tracing::error!(%error, "A log-in at the native door could not be written down");
            return Err(Refusal::Unavailable);
        }
        let target = &self.named(target).await?;
        match granted(self, &person, target, &ConsoleWish::default()).await {
            Ok(granted) => self.open_native(source, &person, granted).await,
            Err(problem) => {
                let problem = refused(self, &person, target, problem).await;
                Err(match problem.code() {
                    "store.unavailable" => Refusal::Unavailable,
                    "gateway.draining" => Refusal::Full,
                    _ => Refusal::WrongCredentials,
                })
            }
        }
    }

    /// The id of the target that has this name, or what was typed: a number or an id, which win.
    async fn named(&self, typed: &str) -> Result<String, Refusal> {
        if typed.parse::<u32>().is_ok() || typed.parse::<TargetId>().is_ok() {
            return Ok(typed.to_owned());
        }
        match self.store.targets().find_by_name(typed).await {
            Ok(found) => Ok(found.map_or_else(|| typed.to_owned(), |target| target.id.to_string())),
            Err(error) => {
                tracing::error!(%error, "A target could not be looked up for the native door");
                Err(Refusal::Unavailable)
            }
        }
    }

    async fn open_native(
        &self,
        source: SocketAddr,
        person: &Person,
        granted: Granted,
    ) -> Result<SessionSpec, Refusal> {
        let Granted { target, policy, expires_at } = granted;
        let session = SessionId(Uuid::now_v7());
        let entry = person
            .entry(Action::ConsoleGranted)
            .on(Object::Target(target.id))
            .with("session", session.to_string());
        if let Err(error) = self.store.audit().append(vec![entry], Utc::now()).await {
            tracing::error!(%error, "A console at the native door could not be written down");
            return Err(Refusal::Unavailable);
        }
        end_live(self, person, &target, EndReason::Replaced).await.map_err(|_| Refusal::Unavailable)?;
        self.attachments.opened(session, person.login.id());
        self.replace(session, person.owner(), target.id).await.map_err(|_| Refusal::Unavailable)?;
        let max_duration = shorter(policy.max_duration, expires_at);
        Ok(SessionSpec {
            session,
            target: target.id,
            policy: Policy { max_duration, ..policy },
            ingress: Ingress::Native,
            viewer: source,
            user_agent: None,
            subject: person.subject(),
            resume: None,
        })
    }
}

fn refusal(error: GateError) -> Refusal {
    match error {
        GateError::Wrong => Refusal::WrongCredentials,
        GateError::Throttled(_) => Refusal::Throttled,
        GateError::Busy(_) => Refusal::Full,
        GateError::Store(error) => {
            tracing::error!(%error, "A log-in at the native door could not be judged");
            Refusal::Unavailable
        }
    }
}
