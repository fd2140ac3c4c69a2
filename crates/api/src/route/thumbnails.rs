//! The picture of a target's screen in lists.

use crate::error::{Problem, ProblemBody};
use crate::route::targets::find_for;
use crate::state::Api;
use crate::thumbnails::Thumbnails;
use crate::who::Person;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gateway::snapshot::Picture;
use model::Right;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Until a target was opened or tested for the first time, nothing of it is known.
const UNKNOWN: Duration = Duration::from_secs(30);

/// The last picture of a target's screen, at most 480 x 300. Asking for it may begin a new one, at most every 30 s for
/// all who ask; `Age` is how old this one is, `Retry-After` [RFC 9110, 10.2.3] when it is worth to ask again.
#[utoipa::path(get, path = "/api/targets/{id}/thumbnail", operation_id = "thumbnail", tag = "targets", params(("id" = String, Path, description = "id or number")),
    responses(
        (status = 200, content_type = "image/png", body = Vec<u8>),
        (status = 204, description = "it may be pictured, but there is no picture yet"),
        (status = 304, description = "the picture that `If-None-Match` names is still the last one"),
        (status = 404, body = ProblemBody, description = "the target's entry does not allow pictures, or there is no such target")
    ))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    person: Person,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let target = find_for(&api, &person, Right::SeeThumbnails, &id).await?;
    if !target.thumbnails {
        api.thumbnails.forget(target.id);
        let detail = "pictures of this target are not allowed; its entry can allow them";
        return Err(Problem::new(StatusCode::NOT_FOUND, "thumbnail.off", detail));
    }
    if target.security.seen.is_none() {
        return Ok(none(UNKNOWN));
    }
    let asked = Thumbnails::ask(&api, &target, Instant::now());
    let Some((picture, age)) = asked.picture else {
        return Ok(none(asked.again));
    };
    api.thumbnails.write_down(&api.store, &person, target.id).await?;
    Ok(answer(&picture, age, asked.again, &headers))
}

/// Not a refusal: browsers write every one of those into their consoles.
fn none(again: Duration) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_times(response.headers_mut(), again);
    response
}

fn answer(picture: &Picture, age: Duration, again: Duration, asked: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", picture.digest);
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(picture.png.clone()))
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("image/png"));
    headers.insert(header::AGE, HeaderValue::from(age.as_secs()));
    set_times(headers, again);
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

fn set_times(headers: &mut HeaderMap, again: Duration) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, private"));
    headers.insert(header::RETRY_AFTER, HeaderValue::from(again.as_secs().max(1)));
}
