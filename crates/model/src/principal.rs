//! Who acts: people, groups, API tokens, and what a person is here.

use crate::id::id;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

id!(
    /// One person who can log in.
    UserId
);
id!(
    /// One group of people and of targets.
    GroupId
);
id!(
    /// One API token of one person.
    ApiTokenId
);
id!(
    /// The random id that a person has in the audit log and in sessions.
    ///
    /// INVARIANT: differs from the person's [`UserId`]; when a person is erased, nothing leads from here to them.
    SubjectId
);

/// What a person is here; one for each person. What it allows is one table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Opens granted targets and sees own sessions.
    User,
    /// Reads dashboards, sessions and threats; opens nothing.
    Viewer,
    /// A viewer who also judges, freezes, kills and blocks.
    Analyst,
    /// A user who also has power, targets, desktops and sessions of the groups given.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// All roles, for tables and tests that must name every one.
    pub const ALL: &[Role] = &[Role::User, Role::Viewer, Role::Analyst, Role::Operator, Role::Admin];

    /// The word in the database and in the API.
    pub fn column(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Viewer => "viewer",
            Role::Analyst => "analyst",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }

    /// The role of a word that [`Role::column`] gave.
    pub fn from_column(text: &str) -> Option<Role> {
        Role::ALL.iter().copied().find(|role| role.column() == text)
    }
}
