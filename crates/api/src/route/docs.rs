//! `/api/docs`: the OpenAPI document as one readable page.
//!
//! Made here and not by a script from elsewhere: the page needs no other host and no exception from the content
//! security policy.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::fmt::Write;
use std::sync::LazyLock;

static PAGE: LazyLock<String> = LazyLock::new(|| {
    let document = serde_json::from_str(&crate::openapi::document()).unwrap_or_default();
    page(&document)
});

const STYLE: &str = include_str!("docs.css");

/// The page.
pub(crate) async fn page_of_the_api() -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE.as_str()).into_response()
}

/// Its style, in a file of its own as the policy asks.
pub(crate) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

/// An operation with its address.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    value: &'a Value,
}

fn page(document: &Value) -> String {
    let title = text(&document["info"]["title"]);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} API</title><link rel=\"stylesheet\" href=\"/api/docs.css\"></head><body>\
         <header><h1>{title} API</h1><p>{} The same as a document for programs: \
         <a href=\"/api/openapi.json\">openapi.json</a>.</p></header>",
        text(&document["info"]["description"])
    );
    let rooms = rooms(document);
    html.push_str("<nav aria-label=\"Sections\"><ul>");
    for (room, _) in &rooms {
        let _ = write!(html, "<li><a href=\"#{0}\">{0}</a></li>", escape(room));
    }
    html.push_str("<li><a href=\"#shapes\">shapes</a></li></ul></nav><main>");
    for (room, operations) in &rooms {
        let _ = write!(html, "<section id=\"{0}\"><h2>{0}</h2>", escape(room));
        operations.iter().for_each(|operation| put_operation(&mut html, operation));
        html.push_str("</section>");
    }
    put_shapes(&mut html, &document["components"]["schemas"]);
    html.push_str("</main></body></html>\n");
    html
}

/// Operations by their tag, in the order of the document.
fn rooms(document: &Value) -> Vec<(&str, Vec<Operation<'_>>)> {
    let mut rooms: Vec<(&str, Vec<Operation<'_>>)> = Vec::new();
    for (path, item) in members(&document["paths"]) {
        for (method, value) in members(item).filter(|(_, value)| value["responses"].is_object()) {
            let tag = value["tags"][0].as_str().unwrap_or("other");
            let operation = Operation { method, path, value };
            match rooms.iter_mut().find(|(room, _)| *room == tag) {
                Some((_, operations)) => operations.push(operation),
                None => rooms.push((tag, vec![operation])),
            }
        }
    }
    rooms
}

fn put_operation(html: &mut String, Operation { method, path, value }: &Operation<'_>) {
    let id = text(&value["operationId"]);
    let _ = write!(
        html,
        "<article id=\"{id}\"><h3><code class=\"method\">{}</code> <code>{}</code></h3><p>{}</p>",
        method.to_uppercase(),
        escape(path),
        text(&value["summary"])
    );
    if value["description"].is_string() {
        let _ = write!(html, "<p>{}</p>", text(&value["description"]));
    }
    let rows: Vec<_> = value["parameters"].as_array().into_iter().flatten().collect();
    if !rows.is_empty() {
        html.push_str("<table><caption>Parameters</caption><tbody>");
        for row in rows {
            let _ = write!(
                html,
                "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}</td><td>{}</td></tr>",
                text(&row["name"]),
                text(&row["in"]),
                shape(&row["schema"]),
                text(&row["description"])
            );
        }
        html.push_str("</tbody></table>");
    }
    let body = &value["requestBody"]["content"]["application/json"]["schema"];
    if body.is_object() {
        let _ = write!(html, "<p>Body: {}</p>", shape(body));
    }
    html.push_str("<table><caption>Answers</caption><tbody>");
    for (status, answer) in members(&value["responses"]) {
        let schema = members(&answer["content"]).next().map(|(_, content)| shape(&content["schema"]));
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td></tr>",
            escape(status),
            schema.unwrap_or_default(),
            text(&answer["description"])
        );
    }
    html.push_str("</tbody></table></article>");
}

fn put_shapes(html: &mut String, schemas: &Value) {
    html.push_str("<section id=\"shapes\"><h2>shapes</h2>");
    for (name, schema) in members(schemas) {
        let name = escape(name);
        let _ = write!(
            html,
            "<article id=\"shape-{name}\"><h3>{name}</h3><p>{}</p>",
            text(&schema["description"])
        );
        let fields: Vec<_> = members(&schema["properties"]).collect();
        if fields.is_empty() {
            let _ = write!(html, "<p>{}</p>", shape(schema));
        } else {
            html.push_str("<table><tbody>");
            for (field, value) in fields {
                let _ = write!(
                    html,
                    "<tr><th scope=\"row\"><code>{}</code></th><td>{}</td><td>{}</td></tr>",
                    escape(field),
                    shape(value),
                    text(&value["description"])
                );
            }
            html.push_str("</tbody></table>");
        }
        html.push_str("</article>");
    }
    html.push_str("</section>");
}

/// A schema in a few words, with a link where it has a name.
fn shape(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
        let name = escape(name);
        return format!("<a href=\"#shape-{name}\">{name}</a>");
    }
    for list in ["oneOf", "anyOf", "allOf"] {
        if let Some(options) = schema[list].as_array() {
            return options.iter().map(shape).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        return words
            .iter()
            .map(|w| format!("<code>{}</code>", escape(&w.to_string())))
            .collect::<Vec<_>>()
            .join(", ");
    }
    if schema["items"].is_object() {
        return format!("list of {}", shape(&schema["items"]));
    }
    match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect::<Vec<_>>().join(" or "),
        other => text(other),
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_operation_is_on_the_page_and_nothing_from_elsewhere() {
        let document: Value = serde_json::from_str(&crate::openapi::document()).unwrap();
        for (path, _) in members(&document["paths"]) {
            assert!(PAGE.contains(&escape(path)), "{path}");
        }
        assert!(!PAGE.contains("<script") && !PAGE.contains("style=") && !PAGE.contains("http://"));
        assert!(!PAGE.contains("https://"));
    }

    #[test]
    fn markup_in_the_document_stays_text() {
        let evil = "<img src=x onerror=alert(1)>";
        let document = json!({
            "info": { "title": evil, "description": evil },
            "paths": { evil: { "get": { "tags": [evil], "operationId": evil, "summary": evil,
                "responses": { "200": { "description": evil } } } } },
            "components": { "schemas": { evil: { "description": evil, "enum": [evil] } } },
        });
        assert!(!page(&document).contains("<img"));
    }
}
