//! The OpenAPI 3.1 document, made from the routes' own types.

use crate::table::{Access, Route};
use axum::Json;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Content, PathItem, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(title = "Gatehouse", description = "The guarded entrance to every remote screen."),
    paths(
        crate::route::health::health,
        crate::route::health::status,
        crate::route::login::login,
        crate::route::login::refresh,
        crate::route::login::link,
        crate::route::login::logout,
        crate::route::login::me,
        crate::route::login::change_me,
        crate::route::login::password,
        crate::route::users::list,
        crate::route::users::show,
        crate::route::users::add,
        crate::route::users::change,
        crate::route::users::remove,
        crate::route::users::disable,
        crate::route::users::enable,
        crate::route::users::password,
        crate::route::users::erase,
        crate::route::users::logout,
        crate::route::users::grants,
        crate::route::users::grant,
        crate::route::users::withdraw,
        crate::route::groups::list,
        crate::route::groups::show,
        crate::route::groups::add,
        crate::route::groups::change,
        crate::route::groups::remove,
        crate::route::groups::set_member,
        crate::route::groups::remove_member,
        crate::route::groups::set_target,
        crate::route::groups::remove_target,
        crate::route::tokens::list,
        crate::route::tokens::add,
        crate::route::tokens::revoke,
        crate::route::audit::list,
        crate::route::audit::verify,
        crate::route::audit::export,
        crate::route::audit::heads,
        crate::route::targets::list,
        crate::route::targets::show,
        crate::route::targets::add,
        crate::route::targets::change,
        crate::route::targets::remove,
        crate::route::targets::test,
        crate::route::thumbnails::show,
        crate::route::console::request,
        crate::route::console::status,
        crate::route::console::extend,
        crate::route::console::end,
        crate::route::console::info,
        crate::route::sessions::list,
        crate::route::sessions::show,
        crate::route::sessions::kill,
        crate::route::sessions::freeze,
        crate::route::sessions::thaw,
        crate::route::sessions::policy,
    ),
    components(schemas(crate::error::ProblemBody, crate::route::login::Tokens)),
    modifiers(&NamedByRoom, &BothNames, &FromTheTable, &Refusals)
)]
struct Document;

/// Handlers are named within their module; across the document their tag goes before.
struct NamedByRoom;

impl Modify for NamedByRoom {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for item in document.paths.paths.values_mut() {
            let operations =
                [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
            operations.into_iter().flatten().for_each(name);
        }
    }
}

fn name(operation: &mut Operation) {
    if let (Some(tags), Some(id)) = (&operation.tags, &operation.operation_id)
        && let Some(tag) = tags.first()
    {
        operation.operation_id = Some(format!("{tag}_{id}"));
    }
}

/// `vm` and `target` name the same thing, so both addresses are in the document.
struct BothNames;

/// The addresses under the one name, as prefixes under the other.
const BOTH: [(&str, &str); 3] = [
    ("/api/vm/{id}/console/", "/api/targets/{id}/console/"),
    ("/api/targets/{id}", "/api/vm/{id}"),
    ("/api/targets", "/api/vm"),
];

impl Modify for BothNames {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let rows = crate::routes();
        let paths = &mut document.paths.paths;
        let others: Vec<_> = paths
            .iter()
            .filter_map(|(path, item)| {
                let (from, to) = BOTH
                    .iter()
                    .find(|(from, _)| path == from || (from.ends_with('/') && path.starts_with(from)))?;
                let path = path.replacen(from, to, 1);
                let item =
                    only(item.clone(), |method| rows.iter().any(|r| r.path == path && r.method == method));
                Some((path, item))
            })
            .collect();
        for (path, mut item) in others {
            let prefix = if path.starts_with("/api/vm") { "vm" } else { "target" };
            each(&mut item, |operation| {
                operation.operation_id = operation.operation_id.take().map(|id| format!("{prefix}_{id}"));
            });
            paths.insert(path, item);
        }
    }
}

/// The operations of an address whose methods are in the table.
fn only(mut item: PathItem, keep: impl Fn(&str) -> bool) -> PathItem {
    item.get = item.get.filter(|_| keep("GET"));
    item.post = item.post.filter(|_| keep("POST"));
    item.put = item.put.filter(|_| keep("PUT"));
    item.patch = item.patch.filter(|_| keep("PATCH"));
    item.delete = item.delete.filter(|_| keep("DELETE"));
    item
}

fn each(item: &mut PathItem, change: impl FnMut(&mut Operation)) {
    let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
    operations.into_iter().flatten().for_each(change);
}

/// What is asked of whoever comes is said where the rest is said.
struct FromTheTable;

impl Modify for FromTheTable {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(crate::who::COOKIE_NAME)));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", bearer);
        components.add_security_scheme("cookie", cookie);
        for row in crate::routes() {
            if let Some(operation) = operation(document, row) {
                ask(operation, row.access);
            }
        }
    }
}

fn ask(operation: &mut Operation, access: Access) {
    let needs = match access {
        Access::Free | Access::Open | Access::ConsoleToken | Access::Metrics => {
            operation.security = Some(vec![SecurityRequirement::default()]);
            return;
        }
        Access::Person => "Needs a log-in or an API token.".to_owned(),
        Access::Login => "Needs a log-in; no API token does this.".to_owned(),
        Access::Right(right) if right.needs_login() => {
            format!("Needs the right `{}` and a log-in; no API token does this.", right.word())
        }
        Access::Right(right) => {
            format!(
                "Needs the right `{}`; an API token needs the scope `{}`.",
                right.word(),
                right.scope().word()
            )
        }
    };
    let text = operation.description.take().map_or(needs.clone(), |text| format!("{text}\n\n{needs}"));
    operation.description = Some(text);
    let none: [&str; 0] = [];
    operation.security =
        Some(vec![SecurityRequirement::new("bearer", none), SecurityRequirement::new("cookie", none)]);
}

/// Every operation may refuse: in words of its own, in those that its place in the table gives it, always as a problem.
struct Refusals;

impl Modify for Refusals {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for row in crate::routes() {
            if let Some(operation) = operation(document, row) {
                for (status, words) in shared(row, operation) {
                    add(operation, status, words);
                }
                operation.responses.responses.iter_mut().for_each(|(status, response)| say(status, response));
            }
        }
    }
}

/// The operation of a row of the table, where the document has it.
fn operation(document: &mut utoipa::openapi::OpenApi, row: Route) -> Option<&mut Operation> {
    let item = document.paths.paths.get_mut(row.path)?;
    match row.method {
        "GET" => item.get.as_mut(),
        "POST" => item.post.as_mut(),
        "PUT" => item.put.as_mut(),
        "PATCH" => item.patch.as_mut(),
        _ => item.delete.as_mut(),
    }
}

/// With what a route may refuse before its handler decides anything, and with which codes.
fn shared(row: Route, operation: &Operation) -> Vec<(u16, &'static str)> {
    let takes_body = operation.request_body.is_some();
    let takes_words = operation.parameters.as_ref().is_some_and(|parameters| !parameters.is_empty());
    let (is_free, asks_person) = match row.access {
        Access::Free | Access::Metrics => (true, false),
        Access::Open | Access::ConsoleToken => (false, false),
        Access::Person | Access::Login | Access::Right(_) => (false, true),
    };
    let asks_right = matches!(row.access, Access::Login | Access::Right(_));
    let whenever = |condition: bool, status, words| condition.then_some((status, words));
    [
        whenever(takes_body || takes_words, 400, "The request cannot be read: `api.bad_request`"),
        whenever(
            asks_person,
            401,
            "Nobody is logged in, or no longer: `auth.required`, `access.invalid`, `access.expired`, `access.not_yet`, `api_token.invalid`",
        ),
        whenever(asks_right, 403, "Not with this role or token: `right.role`, `right.scope`, `right.needs_login`; or `request.origin`"),
        whenever(!asks_right, 403, "From a page of another site: `request.origin`"),
        whenever(row.path.contains('{'), 404, "There is none, or not for whoever asks: `api.not_found`"),
        whenever(true, 408, "The request did not come to its end: `api.timeout`"),
        whenever(takes_body, 413, "The body is too large: `api.bad_request`"),
        whenever(takes_body, 415, "The body is not declared as JSON: `api.bad_request`"),
        whenever(takes_body, 422, "The body is JSON and not what is asked for: `api.bad_request`, or a code that says more"),
        whenever(true, 421, "The gateway has another name: `request.host`"),
        whenever(!is_free, 429, "Too many; `Retry-After` says when again: `api.rate`, `door.throttled`"),
        whenever(true, 503, "Not now; `Retry-After` says when again: `store.unavailable`, or a code that says more"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const PROBLEM: &str = "application/problem+json";

/// Adds a refusal, or its words to one that the handler names without any.
fn add(operation: &mut Operation, status: u16, words: &str) {
    let content = Content::new(Some(RefOr::Ref(Ref::from_schema_name("ProblemBody"))));
    let shared = ResponseBuilder::new().description(words).content(PROBLEM, content).build();
    match operation.responses.responses.entry(status.to_string()).or_insert_with(|| RefOr::T(shared)) {
        RefOr::T(response) if response.description.is_empty() => words.clone_into(&mut response.description),
        _ => {}
    }
}

/// Refusals are problems, whatever the handler's own words say.
fn say(status: &str, response: &mut RefOr<Response>) {
    let problem = RefOr::Ref(Ref::from_schema_name("ProblemBody"));
    let RefOr::T(response) = response else { return };
    let is_problem = |content: &RefOr<Content>| matches!(content, RefOr::T(content) if content.schema.as_ref() == Some(&problem));
    // A failing server may also answer with what it was asked for, as health does.
    if status.starts_with('4') || response.content.get("application/json").is_some_and(is_problem) {
        let content = response.content.shift_remove("application/json");
        response.content.extend(content.map(|content| (PROBLEM.to_owned(), content)));
    }
}

/// The document as JSON text.
pub fn document() -> String {
    Document::openapi().to_pretty_json().unwrap_or_default()
}

/// Serves the document.
pub(crate) async fn serve() -> Json<utoipa::openapi::OpenApi> {
    Json(Document::openapi())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::HashSet;

    #[test]
    fn every_operation_has_a_name_of_its_own() {
        let document: Value = serde_json::from_str(&document()).unwrap();
        let paths = document["paths"].as_object().unwrap().values();
        let names: Vec<_> = paths
            .flat_map(|item| item.as_object().unwrap().values())
            .filter_map(|operation| operation["operationId"].as_str())
            .collect();
        assert!(names.contains(&"sessions_list"), "{names:?}");
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
    }

    #[test]
    fn every_refusal_is_a_problem_that_is_named() {
        let document: Value = serde_json::from_str(&document()).unwrap();
        for row in crate::routes() {
            let operation = &document["paths"][row.path][row.method.to_lowercase()];
            let Some(responses) = operation["responses"].as_object() else { continue };
            for (status, response) in responses {
                assert!(status.parse::<u16>().is_ok(), "{} {}: {status}", row.method, row.path);
                assert_ne!(response["description"], "", "{status} of {} {}", row.method, row.path);
                for kind in response["content"].as_object().into_iter().flat_map(|kinds| kinds.keys()) {
                    assert!(!status.starts_with('4') || kind == PROBLEM, "{status} of {operation}");
                }
            }
            let named = |status| responses.contains_key(status);
            let asks_right = matches!(row.access, Access::Login | Access::Right(_));
            assert!(named("403") && named("408") && named("421") && named("503"), "{operation}");
            assert!(!asks_right || named("401") && named("429"), "{operation}");
            assert!(!row.path.contains('{') || named("404"), "{operation}");
            assert!(operation["requestBody"].is_null() || named("413") && named("422"), "{operation}");
        }
    }
}
