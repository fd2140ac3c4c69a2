//! Whether it works, for load balancers and for people.

use crate::arrival::{Arrival, is_passed_on};
use crate::error::Problem;
use crate::state::Api;
use crate::who::{Person, authenticate};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use model::Right;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// Whether it works.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `healthy`, `draining` or `unhealthy`.
    #[schema(example = "healthy")]
    status: &'static str,
    /// `connected` or `unavailable`.
    #[schema(example = "connected")]
    database: &'static str,
    /// Now.
    timestamp: DateTime<Utc>,
}

/// Whether it works; needs no login.
#[utoipa::path(get, path = "/api/health", tag = "status", responses(
    (status = 200, body = Health), (status = 503, body = Health, description = "the database is gone, or the program is stopping")
))]
pub(crate) async fn health(State(api): State<Arc<Api>>) -> Response {
    let database = api.store.ping().await.is_ok();
    let status = match (database, api.gateway.is_draining()) {
        (true, false) => "healthy",
        (true, true) => "draining",
        (false, _) => "unhealthy",
    };
    let body = Health {
        status,
        database: if database { "connected" } else { "unavailable" },
        timestamp: Utc::now(),
    };
    let code = if status == "healthy" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(body)).into_response()
}

/// Figures at a glance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Status {
    /// Seconds since the start.
    uptime: u64,
    /// Sessions that run now, without those that only wait for a lost viewer.
    active_sessions: usize,
    /// Threats in the last 24 hours; detection comes later, so none are known.
    threats_24h: u64,
    /// The program's version.
    version: &'static str,
}

/// Figures at a glance.
#[utoipa::path(get, path = "/api/status", tag = "status", responses((status = 200, body = Status)))]
pub(crate) async fn status(State(api): State<Arc<Api>>, _person: Person) -> Result<Json<Status>, Problem> {
    let running = api.sessions.list().await?;
    Ok(Json(Status {
        uptime: api.started.elapsed().as_secs(),
        active_sessions: running.iter().filter(|s| s.has_viewer()).count(),
        threats_24h: 0,
        version: env!("CARGO_PKG_VERSION"),
    }))
}

/// Prometheus text; from loopback itself, with the configured bearer token, or for a person who may read it. What a
/// proxy on this machine passes on comes from elsewhere, also where the configuration does not know of that proxy.
pub(crate) async fn metrics(
    State(api): State<Arc<Api>>,
    axum::Extension(arrival): axum::Extension<Arrival>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let shown = bearer.and_then(|v| v.strip_prefix("Bearer "));
    let known = match (&api.metrics_token, shown) {
        (Some(token), Some(shown)) => auth::token::equal(token.expose(), shown),
        (_, None) => arrival.client.ip().is_loopback() && !is_passed_on(&headers),
        (None, Some(_)) => false,
    };
    if !known {
        let person = authenticate(&api, arrival, &method, &headers).await.ok().flatten();
        if person.is_none_or(|person| person.reach(Right::ReadMetrics).is_err()) {
            api.limits.stranger(arrival.client.ip())?;
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "metrics.forbidden",
                "metrics are for loopback, for the bearer token of metrics.token_file, and for people who may read them",
            ));
        }
    }
    metrics::gauge!("gatehouse_sessions").set(u32::try_from(api.gateway.running()).unwrap_or(u32::MAX));
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], api.metrics.render()).into_response())
}
