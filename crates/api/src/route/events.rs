//! `/ws/events`: what happens, as it happens.

use crate::live::Envelope;
use crate::state::Api;
use crate::who::Admin;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::response::Response;
use chrono::Utc;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// A client that takes no event for so long is gone.
const STUCK: Duration = Duration::from_secs(30);
/// Keeps proxies from closing a quiet connection.
const PING: Duration = Duration::from_secs(25);

/// Where to go on.
#[derive(Deserialize)]
pub(crate) struct Since {
    /// The last id that was seen.
    last_id: Option<String>,
}

/// Live events; a client that comes back names the last id it saw.
pub(crate) async fn events(
    State(api): State<Arc<Api>>,
    _admin: Admin,
    Query(since): Query<Since>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.max_message_size(1024).on_upgrade(move |socket| tell(api, socket, since.last_id))
}

async fn tell(api: Arc<Api>, mut socket: WebSocket, last_id: Option<String>) {
    let mut subscription = api.hub.subscribe(last_id.as_deref(), Utc::now());
    for event in subscription.missed.drain(..) {
        if !send(&mut socket, &event).await {
            return;
        }
    }
    let mut ping = tokio::time::interval(PING);
    loop {
        let sent = tokio::select! {
            event = subscription.receiver.recv() => match event {
                Ok(event) => send(&mut socket, &event).await,
                Err(RecvError::Lagged(_)) => send(&mut socket, &api.hub.missed(Utc::now())).await,
                Err(RecvError::Closed) => return,
            },
            _ = ping.tick() => deliver(&mut socket, Message::Ping(Default::default())).await,
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
