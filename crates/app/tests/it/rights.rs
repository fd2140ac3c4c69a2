//! Every route, every role, every scope: who is let through to a handler, and who is not.

use crate::house::{House, Someone};
use crate::http;
use anyhow::Result;
use api::{Access, Route};
use model::{Reach, Right, Role, Scope};

/// An id of nothing, so that what is allowed finds nothing to do.
const NOBODY: &str = "01a1fc9a-5aba-7154-aae6-930286a52acf";

/// How somebody comes, and with what.
struct Caller {
    name: String,
    role: Option<Role>,
    /// The scope of an API token; a log-in has none.
    scope: Option<Scope>,
    token: String,
}

fn may(caller: &Caller, access: Access) -> bool {
    match access {
        Access::Free | Access::Open | Access::ConsoleToken => true,
        // Who shows nothing comes from loopback here.
        Access::Metrics if caller.role.is_none() => true,
        Access::Metrics => may(caller, Access::Right(Right::ReadMetrics)),
        Access::Person => caller.role.is_some(),
        Access::Login => caller.role.is_some() && caller.scope.is_none(),
        Access::Right(right) => {
            let reaches = caller.role.is_some_and(|role| right.reach(role) != Reach::No);
            let is_in_scope = caller.scope.is_none_or(|scope| right.scope() == scope && !right.needs_login());
            reaches && is_in_scope
        }
    }
}

/// A body that reaches the handler and changes nothing.
fn body(route: &Route) -> &'static str {
    match (route.method, route.path) {
        ("POST", "/api/users" | "/api/groups" | "/api/targets" | "/api/tokens" | "/api/auth/password") => {
            "[]"
        }
        ("POST" | "PATCH" | "PUT", path) if path.contains("console") || path.contains("{") => {
            "{\"version\":1}"
        }
        ("PATCH" | "POST", _) => "[]",
        _ => "",
    }
}

async fn send(house: &House, caller: &Caller, route: &Route) -> Result<http::Answer> {
    let path = ["{id}", "{user}", "{target}", "{token}"]
        .iter()
        .fold(route.path.to_owned(), |p, name| p.replace(name, NOBODY));
    let authorization = format!("Bearer {}", caller.token);
    let mut headers = Vec::new();
    if caller.role.is_some() {
        headers.push(("Authorization", authorization.as_str()));
    }
    http::send(house.web, route.method, &path, &headers, body(route)).await
}

async fn callers(house: &House) -> Result<Vec<Caller>> {
    let anonymous = Caller { name: "anonymous".into(), role: None, scope: None, token: String::new() };
    let mut callers = vec![anonymous];
    for &role in Role::ALL {
        let someone = house.person(&format!("some {}", role.column()), role.column()).await?;
        for &scope in Scope::ALL {
            let wish = format!(r#"{{"name":"t","scopes":["{}"]}}"#, scope.word());
            let made = house.call(&someone, "POST", "/api/tokens", &wish).await?.json();
            let name = format!("{} by a token for {}", role.column(), scope.word());
            let token = made["token"].as_str().unwrap_or_default().to_owned();
            callers.push(Caller { name, role: Some(role), scope: Some(scope), token });
        }
        let Someone { access, .. } = someone;
        callers.push(Caller { name: role.column().into(), role: Some(role), scope: None, token: access });
    }
    Ok(callers)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_for_every_role_and_scope() -> Result<()> {
    let house = House::start().await?;
    house.add_target("card", "testcard:", None).await?;
    let mut checked = 0;
    for caller in callers(&house).await? {
        // Logging out comes last: it ends what the others need.
        let (last, first): (Vec<_>, Vec<_>) =
            api::routes().into_iter().partition(|r| r.path == "/api/auth/logout");
        for route in first.iter().chain(&last) {
            let answer = send(&house, &caller, route).await?;
            let what = format!("{} {} as {}: {answer:?}", route.method, route.path, caller.name);
            match (may(&caller, route.access), caller.role) {
                (true, _) if matches!(route.access, Access::Open | Access::ConsoleToken) => {
                    assert_ne!(answer.status, 403, "{what}");
                }
                (true, _) => assert!(!matches!(answer.status, 401 | 403 | 405 | 500..), "{what}"),
                (false, None) => {
                    assert_eq!((answer.status, answer.code().as_str()), (401, "auth.required"), "{what}")
                }
                (false, Some(_)) => {
                    assert_eq!(answer.status, 403, "{what}");
                    let code = answer.code();
                    assert!(code.starts_with("right.") || code == "metrics.forbidden", "{what}");
                }
            }
            checked += 1;
        }
    }
    assert!(checked > 1000, "{checked}");
    Ok(())
}

#[test]
fn every_route_is_documented_and_every_document_has_its_route() {
    let document: serde_json::Value = serde_json::from_str(&api::openapi()).unwrap();
    let is_document = |route: &Route| {
        route.path.starts_with("/api/")
            && !["/api/openapi.json", "/api/docs", "/api/docs.css"].contains(&route.path)
            && !route.path.ends_with("/view2")
            && !route.path.contains("/ws/")
    };
    let mut listed: Vec<_> = api::routes()
        .iter()
        .filter(|route| is_document(route))
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    let mut documented = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            documented.push(format!("{} {path}", method.to_uppercase()));
        }
    }
    listed.sort();
    documented.sort();
    assert_eq!(listed, documented);
}

#[test]
fn no_right_is_without_use_and_no_route_without_access() {
    let used: Vec<Right> = api::routes()
        .iter()
        .filter_map(|route| match route.access {
            Access::Right(right) => Some(right),
            _ => None,
        })
        .collect();
    for right in
        [Right::SeeTargets, Right::OpenConsole, Right::SeeSessions, Right::ManagePeople, Right::ReadAudit]
    {
        assert!(used.contains(&right), "{right:?}");
    }
}
