//! HTTP: who asks, what they may do, and the upgrade that hands a connection to the gateway.
//!
//! Nothing here moves a byte of a session: after `/ws/console/vnc/{token}` the transport belongs to
//! [`gateway`], and this crate is done with it.

mod access;
pub mod arrival;
pub mod attachments;
pub mod connection;
mod cors;
pub mod csp;
pub mod error;
pub mod gate;
pub mod guard;
pub mod limits;
pub mod live;
mod native;
mod openapi;
mod paging;
mod review;
mod route;
mod schema;
mod state;
mod table;
pub mod thumbnails;
mod who;

pub use arrival::Peer;
pub use openapi::document as openapi;
pub use route::audit::HEAD_KIND;
pub use route::console::{
    console_path, open_vnc_password, seal_vnc_password, vnc_password_place, websocket_path,
};
pub use route::targets::{endpoint, place as target_place, seal_password};
pub use state::{Api, Rules};
pub use table::{Access, Route};

use crate::error::Problem;
use crate::table::Table;
use auth::token::Token;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use model::{Coded, Right};
use std::sync::Arc;
use std::time::Duration;
use store::{StoreError, TokenHash};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, NotForContentType, Predicate, SizeAbove};

/// Bodies are small JSON documents.
const BODY: usize = 64 * 1024;

/// A text of fewer bytes is sent as it is.
const LONG: u16 = 1024;

/// The whole site.
pub fn router(api: Arc<Api>) -> Router {
    table(Some(Arc::clone(&api)))
        .into_router()
        .fallback(elsewhere)
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "api.method",
                "this address does not take that method",
            )
        })
        .layer(DefaultBodyLimit::max(BODY))
        .layer(compression())
        .layer(from_fn_with_state(Arc::clone(&api), arrival::arrive))
        .with_state(api)
}

/// Long texts. Answers that carry a secret, tickets and tokens, are too short for it, so that their length tells nothing
/// of what stands beside the secret.
fn compression() -> CompressionLayer<And<SizeAbove, NotForContentType>> {
    let long_texts = SizeAbove::new(LONG).and(NotForContentType::IMAGES);
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(long_texts)
}

/// Every address with its method and what is asked of whoever comes.
pub fn routes() -> Vec<Route> {
    table(None).into_rows()
}

fn table(api: Option<Arc<Api>>) -> Table {
    let table = Table::new(api);
    let table = open_doors(table);
    let table = people(table);
    let table = targets(table);
    let table = consoles(table);
    let table = sessions(table);
    older_addresses(table)
}

/// What needs no log-in, and the log-in itself.
fn open_doors(table: Table) -> Table {
    use route::{docs, health, login};
    table
        .get("/api/health", Access::Free, health::health)
        .get("/api/status", Access::Right(Right::SeeDashboard), health::status)
        .get("/metrics", Access::Metrics, health::metrics)
        .get("/api/openapi.json", Access::Free, openapi::serve)
        .get("/api/docs", Access::Free, docs::page_of_the_api)
        .get("/api/docs.css", Access::Free, docs::style)
        .post("/api/auth/login", Access::Open, login::login)
        .post("/api/auth/refresh", Access::Open, login::refresh)
        .post("/api/auth/link", Access::Open, login::link)
        .post("/api/auth/logout", Access::Login, login::logout)
        .get("/api/auth/me", Access::Person, login::me)
        .patch("/api/auth/me", Access::Right(Right::ManageAccount), login::change_me)
        .post("/api/auth/password", Access::Right(Right::ManageAccount), login::password)
}

/// People, groups, tokens, and the log of what they do.
fn people(table: Table) -> Table {
    use route::{audit, groups, tokens, users};
    let (see, manage) = (Access::Right(Right::SeePeople), Access::Right(Right::ManagePeople));
    let (group, grant) = (Access::Right(Right::ManageGroups), Access::Right(Right::ManageGrants));
    let token = Access::Right(Right::ManageTokens);
    table
        .get("/api/users", see, users::list)
        .post("/api/users", manage, users::add)
        .get("/api/users/{id}", see, users::show)
        .patch("/api/users/{id}", manage, users::change)
        .delete("/api/users/{id}", manage, users::remove)
        .post("/api/users/{id}/disable", manage, users::disable)
        .post("/api/users/{id}/enable", manage, users::enable)
        .post("/api/users/{id}/password", manage, users::password)
        .post("/api/users/{id}/erase", manage, users::erase)
        .post("/api/users/{id}/logout", Access::Right(Right::ManageLogins), users::logout)
        .get("/api/users/{id}/targets", manage, users::grants)
        .put("/api/users/{id}/targets/{target}", grant, users::grant)
        .delete("/api/users/{id}/targets/{target}", grant, users::withdraw)
        .get("/api/groups", see, groups::list)
        .post("/api/groups", group, groups::add)
        .get("/api/groups/{id}", see, groups::show)
        .patch("/api/groups/{id}", group, groups::change)
        .delete("/api/groups/{id}", group, groups::remove)
        .put("/api/groups/{id}/members/{user}", group, groups::set_member)
        .delete("/api/groups/{id}/members/{user}", group, groups::remove_member)
        .put("/api/groups/{id}/targets/{target}", grant, groups::set_target)
        .delete("/api/groups/{id}/targets/{target}", grant, groups::remove_target)
        .get("/api/tokens", token, tokens::list)
        .post("/api/tokens", token, tokens::add)
        .delete("/api/tokens/{id}", token, tokens::revoke)
        .get("/api/audit", Access::Right(Right::ReadAudit), audit::list)
        .get("/api/audit/verify", Access::Right(Right::ReadAudit), audit::verify)
        .get("/api/audit/export", Access::Right(Right::ExportAudit), audit::export)
        .get("/api/audit/heads", Access::Right(Right::ExportAudit), audit::heads)
}

/// `vm` and `target` name the same thing.
fn targets(table: Table) -> Table {
    use route::{targets, thumbnails};
    let (see, manage) = (Access::Right(Right::SeeTargets), Access::Right(Right::ManageTargets));
    table
        .get("/api/targets", see, targets::list)
        .post("/api/targets", manage, targets::add)
        .get("/api/targets/{id}", see, targets::show)
        .patch("/api/targets/{id}", manage, targets::change)
        .delete("/api/targets/{id}", manage, targets::remove)
        .post("/api/targets/{id}/test", Access::Right(Right::TestTarget), targets::test)
        .get("/api/targets/{id}/thumbnail", Access::Right(Right::SeeThumbnails), thumbnails::show)
        .get("/api/vm", see, targets::list)
        .get("/api/vm/{id}", see, targets::show)
}

fn consoles(table: Table) -> Table {
    use route::{console, door};
    let (open, see) = (Access::Right(Right::OpenConsole), Access::Right(Right::SeeTargets));
    let (extend, end) = (Access::Right(Right::ExtendConsole), Access::Right(Right::EndConsole));
    table
        .post("/api/vm/{id}/console/request", open, console::request)
        .get("/api/vm/{id}/console/status", see, console::status)
        .post("/api/vm/{id}/console/extend", extend, console::extend)
        .delete("/api/vm/{id}/console/session", end, console::end)
        .post("/api/targets/{id}/console/request", open, console::request)
        .get("/api/targets/{id}/console/status", see, console::status)
        .post("/api/targets/{id}/console/extend", extend, console::extend)
        .delete("/api/targets/{id}/console/session", end, console::end)
        .get("/api/console/{token}/info", Access::ConsoleToken, console::info)
        .get("/ws/console/vnc/{token}", Access::ConsoleToken, door::open)
}

fn sessions(table: Table) -> Table {
    use route::{events, sessions};
    let (see, freeze) = (Access::Right(Right::SeeSessions), Access::Right(Right::FreezeSession));
    table
        .get("/api/sessions", see, sessions::list)
        .get("/api/sessions/{id}", see, sessions::show)
        .post("/api/sessions/{id}/kill", Access::Right(Right::KillSession), sessions::kill)
        .post("/api/sessions/{id}/freeze", freeze, sessions::freeze)
        .post("/api/sessions/{id}/thaw", freeze, sessions::thaw)
        .post("/api/sessions/{id}/policy", Access::Right(Right::ChangePolicy), sessions::policy)
        .get("/ws/events", see, events::events)
        .get("/ws", see, events::events)
}

/// Addresses that other products had: pages, which only draw themselves, and their WebSockets.
fn older_addresses(table: Table) -> Table {
    use route::{assets, door};
    let open = Access::Right(Right::OpenConsole);
    table
        .get("/auth/login", Access::Free, assets::page)
        .get("/student/console/{id}", Access::Free, assets::page)
        .get("/teacher/console/{id}", Access::Free, assets::page)
        .get("/admin/console/{id}", Access::Free, assets::page)
        .get("/api/console/{token}/view2", Access::Free, assets::page)
        .get("/vnc-proxy/ws/{id}", open, door::open_by_login)
        .get("/api/console/ws/console/{id}", open, door::open_by_login)
}

/// What no route names: files of the interface, and nothing.
async fn elsewhere(State(api): State<Arc<Api>>, request: Request) -> Response {
    let path = request.uri().path();
    if (path.starts_with("/api/") || path.starts_with("/ws"))
        && let Some(arrival) = request.extensions().get::<arrival::Arrival>()
        && let Err(problem) = api.limits.stranger(arrival.client.ip())
    {
        return problem.into_response();
    }
    route::assets::serve(request).await
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
