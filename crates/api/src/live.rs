//! Live events: document E's envelope `{type, timestamp, payload, id}`, resumable by the last id.
//!
//! Everything is recorded before it is published here; this hub only tells. It keeps the last
//! [`KEPT`] events, so that a client that was away for a moment misses nothing; one that was away
//! longer is told so by `events_missed` and reads the lists again.
//!
//! INVARIANT: an event reaches only who may see the session that it is about; what it is about travels beside it.

use chrono::{DateTime, SecondsFormat, Utc};
use model::{SessionId, TargetId};
use serde::Serialize;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::broadcast;

/// Events kept for clients that come back: some minutes of a busy gateway, about 1 MB.
const KEPT: usize = 2048;
/// Events that a slow client may lag behind before it is told to read the lists again.
const LAG: usize = 256;

/// One event.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Envelope {
    /// `vnc_session_started`, `vnc_session_changed`, `vnc_session_ended`, `events_missed`.
    pub r#type: &'static str,
    /// When it happened, RFC 3339 with milliseconds.
    pub timestamp: String,
    /// What happened.
    pub payload: Value,
    /// Rises by one with every event of this run of the program; `boot-number`.
    pub id: String,
    /// Whose session it is about; nobody's where everybody may know.
    #[serde(skip)]
    pub about: Option<About>,
}

/// What decides who may see an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Whose session.
    pub subject: String,
    /// At which target.
    pub target: TargetId,
}

/// Where events are published and listened to.
#[derive(Debug)]
pub struct Hub {
    boot: String,
    state: Mutex<State>,
    sessions: Mutex<HashMap<SessionId, About>>,
    sender: broadcast::Sender<Arc<Envelope>>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    kept: VecDeque<(u64, Arc<Envelope>)>,
}

/// What a listener gets first, and then.
pub struct Subscription {
    /// Events since the id that the client named.
    pub missed: Vec<Arc<Envelope>>,
    /// Events from now on.
    pub receiver: broadcast::Receiver<Arc<Envelope>>,
}

impl Hub {
    /// `boot` tells runs of the program apart: a number of an earlier run means nothing now.
    pub fn new(boot: impl Into<String>) -> Hub {
        Hub {
            boot: boot.into(),
            state: Mutex::default(),
            sessions: Mutex::default(),
            sender: broadcast::channel(LAG).0,
        }
    }

    /// Remembers whose session it is, until [`Hub::forget`].
    pub fn introduce(&self, session: SessionId, about: About) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(session, about);
    }

    /// A session is over.
    pub fn forget(&self, session: SessionId) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&session);
    }

    /// Publishes an event about a session, to those who may see it. One that was not introduced reaches nobody.
    pub fn publish_about(&self, session: SessionId, kind: &'static str, at: DateTime<Utc>, payload: Value) {
        let about = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).get(&session).cloned();
        if let Some(about) = about {
            self.publish(kind, at, Some(about), payload);
        }
    }

    /// Publishes an event to those who may see it, now or when they come back soon.
    pub fn publish(&self, kind: &'static str, at: DateTime<Utc>, about: Option<About>, payload: Value) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last += 1;
        let number = state.last;
        let envelope = Arc::new(Envelope { about, ..self.envelope(kind, at, payload, number) });
        if state.kept.len() == KEPT {
            state.kept.pop_front();
        }
        state.kept.push_back((number, Arc::clone(&envelope)));
        // Sent under the lock, so that ids arrive in order; nobody listening is no error.
        let _ = self.sender.send(envelope);
    }

    /// Listens, with what was missed since `last_id`.
    pub fn subscribe(&self, last_id: Option<&str>, now: DateTime<Utc>) -> Subscription {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = self.sender.subscribe();
        let Some(last_id) = last_id else { return Subscription { missed: Vec::new(), receiver } };
        let since =
            last_id.rsplit_once('-').filter(|(boot, _)| *boot == self.boot).and_then(|(_, n)| n.parse().ok());
        let oldest = state.kept.front().map_or(state.last + 1, |(n, _)| *n);
        let missed = match since {
            Some(since) if since + 1 >= oldest => {
                state.kept.iter().filter(|(n, _)| *n > since).map(|(_, e)| Arc::clone(e)).collect()
            }
            _ => vec![Arc::new(self.envelope("events_missed", now, Value::Null, state.last))],
        };
        Subscription { missed, receiver }
    }

    /// Tells one client that it fell behind.
    pub(crate) fn missed(&self, now: DateTime<Utc>) -> Envelope {
        let last = self.state.lock().unwrap_or_else(PoisonError::into_inner).last;
        self.envelope("events_missed", now, Value::Null, last)
    }

    fn envelope(&self, kind: &'static str, at: DateTime<Utc>, payload: Value, number: u64) -> Envelope {
        let timestamp = at.to_rfc3339_opts(SecondsFormat::Millis, true);
        Envelope { r#type: kind, timestamp, payload, id: format!("{}-{number}", self.boot), about: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ids(events: &[Arc<Envelope>]) -> Vec<&str> {
        events.iter().map(|e| e.id.as_str()).collect()
    }

    #[test]
    fn a_client_that_comes_back_gets_what_it_missed() {
        let hub = Hub::new("b");
        for n in 0..3 {
            hub.publish("vnc_session_started", Utc::now(), None, json!({ "n": n }));
        }
        assert_eq!(ids(&hub.subscribe(Some("b-1"), Utc::now()).missed), ["b-2", "b-3"]);
        assert!(hub.subscribe(Some("b-3"), Utc::now()).missed.is_empty());
        assert!(hub.subscribe(None, Utc::now()).missed.is_empty());
    }

    #[test]
    fn a_gap_that_cannot_be_filled_is_told() {
        let hub = Hub::new("b");
        for n in 0..=KEPT {
            hub.publish("vnc_session_started", Utc::now(), None, json!({ "n": n }));
        }
        for last in ["b-0", "older-7", "nonsense"] {
            let missed = hub.subscribe(Some(last), Utc::now()).missed;
            assert_eq!(missed.len(), 1);
            assert_eq!(missed[0].r#type, "events_missed");
        }
        assert_eq!(hub.subscribe(Some("b-1"), Utc::now()).missed.len(), KEPT);
    }
}
