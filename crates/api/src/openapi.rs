//! The OpenAPI 3.1 document, made from the routes' own types.

use axum::Json;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(title = "Gatehouse", description = "The guarded entrance to every remote screen."),
    paths(
        crate::route::health::health,
        crate::route::health::status,
        crate::route::login::link,
        crate::route::login::logout,
        crate::route::login::me,
        crate::route::targets::list,
        crate::route::targets::show,
        crate::route::targets::add,
        crate::route::targets::remove,
        crate::route::targets::test,
        crate::route::console::request,
        crate::route::console::info,
        crate::route::sessions::list,
        crate::route::sessions::show,
        crate::route::sessions::kill,
        crate::route::sessions::freeze,
        crate::route::sessions::thaw,
        crate::route::sessions::policy,
    ),
    components(schemas(crate::error::ProblemBody))
)]
struct Document;

/// The document as JSON text.
pub fn document() -> String {
    Document::openapi().to_pretty_json().unwrap_or_default()
}

/// Serves the document.
pub(crate) async fn serve() -> Json<utoipa::openapi::OpenApi> {
    Json(Document::openapi())
}
