//! One HTTP connection: hyper with our own accept loop in front and the data plane behind.
//!
//! After an upgrade the concrete transport is handed to the gateway, and nothing of HTTP stays in
//! memory: that is what keeps an idle console cheap.

use crate::arrival::Peer;
use crate::error::Problem;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gateway::listener::Accepted;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tracing::Instrument;
use uuid::Uuid;

/// A client that sends its headers more slowly than this is not one of ours.
const HEADERS: Duration = Duration::from_secs(10);
/// The same for a whole request and its answer; an upgrade is answered at once.
const REQUEST: Duration = Duration::from_secs(30);
/// Requests are small; a header block above this is refused by hyper with 431.
const HEADER_BYTES: usize = 16 * 1024;

/// Serves requests on a connection until it ends, upgrades, or `stop` asks for an orderly end.
///
/// The connection's place in the listener's bounds travels with each request, since an upgrade
/// outlives the connection.
pub async fn serve(router: Router, accepted: Accepted, tls: bool, stop: CancellationToken) {
    let Accepted { transport: io, peer, slot, .. } = accepted;
    let peer = Peer { address: peer, tls };
    let service = service_fn(move |request: Request<Incoming>| {
        slot.established();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(slot.clone());
        answer(router.clone(), request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "An HTTP connection ended early");
    }
}

/// The site's answer, or 408 where the client does not get to the end of its request.
///
/// Every request has an id: in what the log says while it is answered, and in the answer, so that the two can be
/// brought together. An id of the client's is not taken over: it could be anybody else's.
async fn answer(router: Router, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let id = Uuid::now_v7().simple().to_string();
    let span = tracing::error_span!("request", request_id = %id, method = %request.method());
    let mut response = in_time(router, request).instrument(span).await?;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    Ok(response)
}

async fn in_time(router: Router, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    match tokio::time::timeout(REQUEST, router.oneshot(request)).await {
        Ok(answer) => answer,
        Err(_) => {
            let slow = Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "api.timeout",
                "the request did not come to its end in 30 s",
            );
            let mut response = slow.into_response();
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            Ok(response)
        }
    }
}
