//! HTTP: who asks, what they may do, and the upgrade that hands a connection to the gateway.
//!
//! Nothing here moves a byte of a session: after `/ws/console/vnc/{token}` the transport belongs to
//! [`gateway`], and this crate is done with it.

pub mod arrival;
pub mod attachments;
pub mod connection;
pub mod csp;
pub mod error;
pub mod guard;
pub mod live;
mod openapi;
mod route;
mod schema;
mod state;
mod who;

pub use arrival::Peer;
pub use openapi::document as openapi;
pub use route::console::{console_path, open_vnc_password, seal_vnc_password, websocket_path};
pub use route::targets::{endpoint, seal_password};
pub use state::Api;

use crate::error::Problem;
use auth::token::Token;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use model::Coded;
use std::sync::Arc;
use std::time::Duration;
use store::{StoreError, TokenHash};

/// Bodies are small JSON documents.
const BODY: usize = 64 * 1024;

/// The whole site.
pub fn router(api: Arc<Api>) -> Router {
    use route::{assets, console, events, health, login, sessions, targets};
    Router::new()
        .route("/api/health", get(health::health))
        .route("/api/status", get(health::status))
        .route("/metrics", get(health::metrics))
        .route("/api/auth/link", post(login::link))
        .route("/api/auth/logout", post(login::logout))
        .route("/api/auth/me", get(login::me))
        .route("/api/targets", get(targets::list).post(targets::add))
        .route("/api/targets/{id}", get(targets::show).delete(targets::remove))
        .route("/api/targets/{id}/test", post(targets::test))
        .route("/api/vm/{id}/console/request", post(console::request))
        .route("/api/console/{token}/info", get(console::info))
        .route("/ws/console/vnc/{token}", get(console::open))
        .route("/api/sessions", get(sessions::list))
        .route("/api/sessions/{id}", get(sessions::show))
        .route("/api/sessions/{id}/kill", post(sessions::kill))
        .route("/api/sessions/{id}/freeze", post(sessions::freeze))
        .route("/api/sessions/{id}/thaw", post(sessions::thaw))
        .route("/api/sessions/{id}/policy", post(sessions::policy))
        .route("/ws/events", get(events::events))
        .route("/ws", get(events::events))
        .route("/api/openapi.json", get(openapi::serve))
        .fallback(assets::serve)
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "api.method",
                "this address does not take that method",
            )
        })
        .layer(DefaultBodyLimit::max(BODY))
        .layer(from_fn_with_state(Arc::clone(&api), arrival::arrive))
        .with_state(api)
}

/// A token's hash, as the store keeps it.
fn hash(token: &Token) -> TokenHash {
    TokenHash(*token.hash().as_bytes())
}

/// The database cannot be asked: the cause goes to the log.
fn unavailable(error: &StoreError) -> Problem {
    tracing::error!(%error, code = error.code(), "The database did not answer a request");
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "store.unavailable",
        "the database does not answer; try again shortly",
    )
    .retry_after(Duration::from_secs(5))
}
