//! Parts of lists, and changes that leave most of a thing as it is.

use crate::error::Problem;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use store::{MAX_PAGE, Window};
use utoipa::IntoParams;

/// Rows of a page where the client does not say.
const PAGE: u32 = 100;

/// Which part of a list.
#[derive(Debug, Default, Clone, Copy, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Part {
    /// Rows of a page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub(crate) limit: Option<u32>,
    /// Rows to leave out before the first.
    pub(crate) offset: Option<u64>,
}

impl Part {
    pub(crate) fn window(self) -> Result<Window, Problem> {
        let limit = self.limit.unwrap_or(PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(Problem::bad_request("limit is from 1 to 1000"));
        }
        let offset = self.offset.unwrap_or(0);
        if i64::try_from(offset).is_err() {
            return Err(Problem::bad_request("offset is larger than any list"));
        }
        Ok(Window { limit, offset })
    }
}

/// Which page of this size a window is, counted from 1.
pub(crate) fn page(window: Window) -> u64 {
    window.offset / u64::from(window.limit.max(1)) + 1
}

/// A JSON body that may be left out, whatever its type was said to be.
pub(crate) struct Optional<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for Optional<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let whole = Request::from_parts(parts.clone(), body);
        let bytes = Bytes::from_request(whole, state).await.map_err(IntoResponse::into_response)?;
        if bytes.is_empty() {
            return Ok(Optional(T::default()));
        }
        let again = Request::from_parts(parts, Body::from(bytes));
        let Json(value) = Json::<T>::from_request(again, state).await.map_err(IntoResponse::into_response)?;
        Ok(Optional(value))
    }
}

/// Tells a field that is `null` from one that is left out.
pub(crate) fn given<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}
