//! The interface, from the binary. Its routes are pages of one application.

use crate::error::Problem;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use web::{Accepted, File};

/// Serves a file, or the application's page for an address of one of its routes.
pub(crate) async fn serve(request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/api/") || path.starts_with("/ws") {
        return Problem::not_found("address").into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, "api.method", "pages are only read")
            .into_response();
    }
    let accepted =
        text(request.headers(), header::ACCEPT_ENCODING).map_or(Accepted::NOTHING, Accepted::from_header);
    match web::resolve(path, accepted) {
        Some(file) => answer(file, request.headers()),
        None => Problem::not_found("file").into_response(),
    }
}

/// The page that draws all pages, for addresses that other products had. Asking for it changes nothing.
pub(crate) async fn page(headers: HeaderMap) -> Response {
    let accepted = text(&headers, header::ACCEPT_ENCODING).map_or(Accepted::NOTHING, Accepted::from_header);
    answer(web::index(accepted), &headers)
}

fn answer(file: File, asked: &HeaderMap) -> Response {
    let known = text(asked, header::IF_NONE_MATCH).is_some_and(|tag| file.is_known_to(tag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(file.bytes.clone().into_owned()))
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.mime));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(file.cache_control()));
    if let Ok(tag) = HeaderValue::try_from(file.etag.as_str()) {
        headers.insert(header::ETAG, tag);
    }
    if let Some(encoding) = file.encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    }
    if file.varies {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    response
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}
