//! `/ws/events`: what happens, as it happens, to those who may see it.

use crate::error::Problem;
use crate::live::{About, Envelope};
use crate::state::Api;
use crate::unavailable;
use crate::who::{Login, Person};
use axum::Extension;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::response::Response;
use chrono::Utc;
use gateway::listener::Slot;
use model::{Reach, Right, TargetId};
use serde::Deserialize;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use store::UserRecord;
use tokio::sync::broadcast::error::RecvError;

/// A client that takes no event for so long is gone.
const STUCK: Duration = Duration::from_secs(30);
/// Keeps proxies from closing a quiet connection.
const PING: Duration = Duration::from_secs(25);
/// So often it is asked whether the listener is still logged in, and what they may see.
const REVIEW: Duration = Duration::from_secs(5);

/// Where to go on.
#[derive(Deserialize)]
pub(crate) struct Since {
    /// The last id that was seen.
    last_id: Option<String>,
}

/// Live events; a client that comes back names the last id it saw.
pub(crate) async fn events(
    State(api): State<Arc<Api>>,
    Extension(slot): Extension<Slot>,
    person: Person,
    Query(since): Query<Since>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let sight = Sight::of(&api, &person).await?;
    Ok(upgrade.max_message_size(1024).on_upgrade(move |socket| async move {
        // A listener is a connection like any other, as long as it listens.
        let _place = slot;
        tell(api, socket, person, sight, since.last_id).await;
    }))
}

/// What a listener may see.
enum Sight {
    All,
    /// Their own sessions, and those of other people of a group at the targets of the same group.
    Some {
        subject: String,
        groups: Vec<(HashSet<String>, HashSet<TargetId>)>,
    },
}

impl Sight {
    async fn of(api: &Api, person: &Person) -> Result<Sight, Problem> {
        let reach = person.reach(Right::SeeSessions)?;
        if reach == Reach::All {
            return Ok(Sight::All);
        }
        let mut groups = Vec::new();
        if reach == Reach::Operated {
            let people = api.store.people();
            let operated =
                people.grants().operated_groups(person.user.id).await.map_err(|e| unavailable(&e))?;
            for group in operated {
                let members = people.groups().members(group).await.map_err(|e| unavailable(&e))?;
                let targets = people.grants().of_group(group).await.map_err(|e| unavailable(&e))?;
                let subjects = members.into_iter().map(|member| member.user.subject.to_string()).collect();
                groups.push((subjects, targets.into_iter().map(|row| row.target).collect()));
            }
        }
        Ok(Sight::Some { subject: person.subject(), groups })
    }

    fn has(&self, event: &Envelope) -> bool {
        match (self, &event.about) {
            (Sight::All, _) | (_, None) => true,
            (Sight::Some { subject, groups }, Some(About { subject: whose, target })) => {
                subject == whose
                    || groups
                        .iter()
                        .any(|(people, targets)| people.contains(whose) && targets.contains(target))
            }
        }
    }
}

/// The listener as they are now; none when their log-in has ended.
async fn still(api: &Api, person: &Person) -> Option<Person> {
    let now = Utc::now();
    let user: Option<UserRecord> = match person.login {
        Login::Cookie { cookie, .. } => {
            api.store.logins().find(cookie, now).await.ok()?.map(|signed_in| signed_in.user)
        }
        Login::Family(family) => {
            let version = person.user.session_version;
            api.store.logins().bearer(person.user.id, family, version, now).await.ok()?
        }
        Login::ApiToken(id) => {
            let tokens = api.store.api_tokens().list(Some(person.user.id)).await.ok()?;
            let is_good = tokens.iter().any(|token| {
                token.id == id && token.revoked_at.is_none() && token.expires_at.is_none_or(|at| at > now)
            });
            let user = api.store.people().find(person.user.id).await.ok()?;
            user.filter(|user| is_good && !user.disabled)
        }
        Login::Password { .. } => None,
    };
    let user = user?;
    let who = auth::rights::Who { role: user.role, ..person.who.clone() };
    Some(Person { user: Arc::new(user), who, ..person.clone() })
}

async fn tell(
    api: Arc<Api>,
    mut socket: WebSocket,
    mut person: Person,
    mut sight: Sight,
    last_id: Option<String>,
) {
    let mut subscription = api.hub.subscribe(last_id.as_deref(), Utc::now());
    for event in subscription.missed.drain(..) {
        if sight.has(&event) && !send(&mut socket, &event).await {
            return;
        }
    }
    let mut ping = tokio::time::interval(PING);
    let mut review = tokio::time::interval(REVIEW);
    loop {
        let sent = tokio::select! {
            event = subscription.receiver.recv() => match event {
                Ok(event) if sight.has(&event) => send(&mut socket, &event).await,
                Ok(_) => true,
                Err(RecvError::Lagged(_)) => send(&mut socket, &api.hub.missed(Utc::now())).await,
                Err(RecvError::Closed) => return,
            },
            _ = ping.tick() => deliver(&mut socket, Message::Ping(Default::default())).await,
            _ = review.tick() => {
                let Some(now) = still(&api, &person).await else { return };
                let Ok(seen) = Sight::of(&api, &now).await else { return };
                (person, sight) = (now, seen);
                true
            }
            // Clients have nothing to say here; reading notices that they are gone.
            said = socket.recv() => matches!(said, Some(Ok(message)) if !matches!(message, Message::Close(_))),
        };
        if !sent {
            return;
        }
    }
}

async fn send(socket: &mut WebSocket, event: &Envelope) -> bool {
    let text = serde_json::to_string(event).unwrap_or_default();
    deliver(socket, Message::Text(text.into())).await
}

async fn deliver(socket: &mut WebSocket, message: Message) -> bool {
    matches!(tokio::time::timeout(STUCK, socket.send(message)).await, Ok(Ok(())))
}
