//! Where a request comes from, decided once, before any route sees it.
//!
//! The connection tells its peer and whether it is TLS; headers of proxies are believed only from
//! configured ones. Requests for host names that are not ours and writes from pages that are not
//! ours end here.

use crate::cors;
use crate::csp;
use crate::error::Problem;
use crate::state::Api;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use gateway::forwarded::{self, ForwardedHeaders};
use gateway::origin::{OriginError, Sender};
use model::Coded;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;

/// The framework's explanations are a line long.
const EXPLANATION: usize = 4096;
/// Headers that proxies add, whichever they are configured to.
const PASSED_ON: [&str; 6] =
    ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via"];

/// What the connection knows of itself; an extension of every request on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The other end, after a PROXY header.
    pub address: SocketAddr,
    /// Whether it came by TLS.
    pub tls: bool,
}

/// What is known of a request's sender; an extension that routes may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The client's address, after trusted headers.
    pub client: SocketAddr,
    /// Whether the client's side is encrypted.
    pub secure: bool,
    /// A page of ours, a page that is allowed, or a program.
    pub sender: Sender,
}

/// Judges a request and dresses its answer.
pub(crate) async fn arrive(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    let judged = peer
        .ok_or_else(|| Problem::bad_request("the connection has no peer"))
        .and_then(|p| judge(&api, p, &request));
    let secure = judged.as_ref().is_ok_and(|a| a.secure);
    let allowed = judged.as_ref().is_ok_and(|a| a.sender == Sender::AllowedPage);
    let origin = request.headers().get(header::ORIGIN).filter(|_| allowed).cloned();
    let mut response = match judged {
        Ok(_) if origin.is_some() && request.method() == Method::OPTIONS => cors::preflight(),
        Ok(arrival) => {
            request.extensions_mut().insert(arrival);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    response = as_problem(response).await;
    csp::secure(response.headers_mut(), secure);
    cors::share(response.headers_mut(), origin);
    response
}

/// A request that an extractor could not read is refused in plain text by the framework; clients of this
/// API get the same shape for every refusal.
async fn as_problem(response: Response) -> Response {
    let plain =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"text/plain"));
    if !(plain && response.status().is_client_error()) {
        return response;
    }
    let status = response.status();
    let text = axum::body::to_bytes(response.into_body(), EXPLANATION).await.unwrap_or_default();
    Problem::new(status, "api.bad_request", String::from_utf8_lossy(&text)).into_response()
}

fn judge(api: &Api, peer: Peer, request: &Request) -> Result<Arrival, Problem> {
    let headers = request.headers();
    let [for_, proto, host] =
        ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"].map(|name| lines(headers, name));
    let [for_, proto, host] = [&for_, &proto, &host].map(|lines| texts(lines));
    let told = ForwardedHeaders { forwarded_for: &for_, proto: &proto, host: &host };
    let client = forwarded::client(peer.address.ip(), &told, &api.trusted_proxies);
    let secure = client.secure.unwrap_or(peer.tls);
    // Of two hosts a proxy may have looked at the other one [RFC 9112, 3.2].
    let one = headers.get_all(header::HOST).iter().count() == 1;
    let named = client.host.or_else(|| text(headers, header::HOST).filter(|_| one));
    let places = &api.places;
    places.check_host(named).map_err(refused)?;
    let sender = match places.check_origin(text(headers, header::ORIGIN), secure) {
        Ok(sender) => sender,
        // A page elsewhere may link here; it may neither write nor open a socket.
        Err(_) if is_harmless(request) => Sender::Program,
        Err(error) => return Err(refused(error)),
    };
    let port = if client.address == peer.address.ip() { peer.address.port() } else { 0 };
    Ok(Arrival { client: SocketAddr::new(client.address, port), secure, sender })
}

/// Reads only: the answer stays unreadable for the page that asked.
fn is_harmless(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
        && !request.headers().contains_key(header::UPGRADE)
}

fn refused(error: OriginError) -> Problem {
    let status = match error {
        OriginError::Host => StatusCode::MISDIRECTED_REQUEST,
        _ => StatusCode::FORBIDDEN,
    };
    Problem::new(status, error.code(), error.to_string())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// Every line of a header. One with odd bytes is not left out: whoever sent those would take along what a proxy
/// appended to them, and pass for the proxy itself.
fn lines<'a>(headers: &'a HeaderMap, name: &str) -> Vec<Cow<'a, str>> {
    headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect()
}

fn texts<'a>(lines: &'a [Cow<'_, str>]) -> Vec<&'a str> {
    lines.iter().map(AsRef::as_ref).collect()
}

/// Whether a proxy says that it passes a request on, believed or not.
pub(crate) fn is_passed_on(headers: &HeaderMap) -> bool {
    PASSED_ON.iter().any(|name| headers.contains_key(*name))
}
