//! Before any handler: who asks, how often, and whether the route is for them at all.
//!
//! What a handler reaches is its own business: it asks [`Person::reach`] for lists and [`Person::may`] for one thing.

use crate::arrival::Arrival;
use crate::error::Problem;
use crate::state::Api;
use crate::table::Access;
use crate::unavailable;
use crate::who::{self, Person};
use auth::rights::{self, Denied};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use model::audit::Action;
use model::{Coded, Right};
use std::sync::Arc;

/// The guard of one route.
pub(crate) async fn check(
    State((api, access)): State<(Arc<Api>, Access)>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    match admit(&api, access, &mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    }
}

async fn admit(api: &Api, access: Access, parts: &mut Parts) -> Result<(), Problem> {
    let arrival = *parts.extensions.get::<Arrival>().ok_or_else(Problem::not_logged_in)?;
    match access {
        // Metrics have a token of their own, which is no person's.
        Access::Free | Access::Metrics => return Ok(()),
        Access::Open => return api.limits.stranger(arrival.client.ip()),
        _ => {}
    }
    let asked = who::authenticate(api, arrival, &parts.method, &parts.headers).await;
    if let Ok(Some(person)) = &asked {
        api.limits.caller(person.caller())?;
        parts.extensions.insert(person.clone());
    } else if !matches!(access, Access::ConsoleToken) {
        // A console's token is a login of its own: its handler counts the wrong ones.
        api.limits.stranger(arrival.client.ip())?;
    }
    if matches!(access, Access::ConsoleToken) {
        return Ok(());
    }
    let person = asked?;
    match access {
        Access::Free | Access::Open | Access::ConsoleToken | Access::Metrics => Ok(()),
        Access::Person => person.map(drop).ok_or_else(Problem::not_logged_in),
        Access::Login => match person.ok_or_else(Problem::not_logged_in)?.who.via {
            rights::Via::Login => Ok(()),
            rights::Via::ApiToken(_) => Err(denied(Denied::NeedsLogin)),
        },
        Access::Right(right) => {
            let person = person.ok_or_else(Problem::not_logged_in)?;
            match rights::reach(&person.who, right) {
                Ok(_) => Ok(()),
                Err(refused) if right == Right::OpenConsole => {
                    // An attempt at a console is written down also where it gets no further than this.
                    let entry = person.entry(Action::ConsoleRefused).code(refused.code());
                    api.store.audit().append(vec![entry], Utc::now()).await.map_err(|e| unavailable(&e))?;
                    Err(denied(refused))
                }
                Err(refused) => Err(denied(refused)),
            }
        }
    }
}

/// A refusal by the table of rights. What is out of reach does not exist for whoever asks.
pub(crate) fn denied(denied: Denied) -> Problem {
    match denied {
        Denied::OutOfReach => Problem::new(StatusCode::NOT_FOUND, "api.not_found", denied.to_string()),
        _ => Problem::new(StatusCode::FORBIDDEN, denied.code(), denied.to_string()),
    }
}

impl Person {
    /// How far this person reaches, for lists.
    pub(crate) fn reach(&self, right: Right) -> Result<model::Reach, Problem> {
        rights::reach(&self.who, right).map_err(denied)
    }

    /// Whether this person may do this to something so related to them.
    pub(crate) fn may(&self, right: Right, relation: rights::Relation) -> Result<(), Problem> {
        rights::decide(&self.who, right, relation).map_err(denied)
    }
}
