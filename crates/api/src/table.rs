//! The one table of addresses: method, path, what is asked of whoever comes, and who answers.
//!
//! INVARIANT: there is no other way to add a route, so every route asks for something; a test walks the same table
//! with every role and every scope.

use crate::access;
use crate::state::Api;
use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, on};
use model::Right;
use std::sync::Arc;

/// What is asked of whoever comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Nothing, and it is not counted: health, documents, pages.
    Free,
    /// Nothing: logging in.
    Open,
    /// A console's token in the path; its handler judges it.
    ConsoleToken,
    /// A person, whatever they may do.
    Person,
    /// A person who came in by password or link: no API token does this.
    Login,
    /// A person with this right, however far it reaches; the handler looks at what it reaches.
    Right(Right),
    /// Loopback, the token of the configuration, or a person who may read metrics.
    Metrics,
}

/// One row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// `GET`, `POST`, ...
    pub method: &'static str,
    /// With `{names}` of its parameters.
    pub path: &'static str,
    /// What is asked of whoever comes.
    pub access: Access,
}

/// The table while it is made.
pub(crate) struct Table {
    api: Option<Arc<Api>>,
    router: Router<Arc<Api>>,
    rows: Vec<Route>,
}

impl Table {
    /// An empty table; without an `api` it only lists.
    pub(crate) fn new(api: Option<Arc<Api>>) -> Table {
        Table { api, router: Router::new(), rows: Vec::new() }
    }

    pub(crate) fn get<T: 'static>(
        self,
        path: &'static str,
        access: Access,
        to: impl Handler<T, Arc<Api>>,
    ) -> Table {
        self.row(Method::GET, "GET", path, access, to)
    }

    pub(crate) fn post<T: 'static>(
        self,
        path: &'static str,
        access: Access,
        to: impl Handler<T, Arc<Api>>,
    ) -> Table {
        self.row(Method::POST, "POST", path, access, to)
    }

    pub(crate) fn put<T: 'static>(
        self,
        path: &'static str,
        access: Access,
        to: impl Handler<T, Arc<Api>>,
    ) -> Table {
        self.row(Method::PUT, "PUT", path, access, to)
    }

    pub(crate) fn patch<T: 'static>(
        self,
        path: &'static str,
        access: Access,
        to: impl Handler<T, Arc<Api>>,
    ) -> Table {
        self.row(Method::PATCH, "PATCH", path, access, to)
    }

    pub(crate) fn delete<T: 'static>(
        self,
        path: &'static str,
        access: Access,
        to: impl Handler<T, Arc<Api>>,
    ) -> Table {
        self.row(Method::DELETE, "DELETE", path, access, to)
    }

    fn row<T: 'static>(
        mut self,
        method: Method,
        word: &'static str,
        path: &'static str,
        access: Access,
        to: impl Handler<T, Arc<Api>>,
    ) -> Table {
        self.rows.push(Route { method: word, path, access });
        if let (Some(api), Ok(filter)) = (&self.api, MethodFilter::try_from(method)) {
            let guarded =
                on(filter, to).route_layer(from_fn_with_state((Arc::clone(api), access), access::check));
            self.router = self.router.route(path, guarded);
        }
        self
    }

    pub(crate) fn into_router(self) -> Router<Arc<Api>> {
        self.router
    }

    pub(crate) fn into_rows(self) -> Vec<Route> {
        self.rows
    }
}
