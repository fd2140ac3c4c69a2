//! Who acts: people, groups, API tokens, and what a person is here.

use crate::Coded;
use crate::id::id;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
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

/// What an API token was made for. Scopes do not include one another: a token that lists and kills sessions has two.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Looks at what its person may see.
    Read,
    /// Opens and extends consoles.
    Console,
    /// Acts on sessions, targets, desktops, power and threats.
    Operate,
    /// Changes people, groups, grants and settings, and reads the audit log.
    Admin,
}

impl Scope {
    /// All scopes, for tables and tests that must name every one.
    pub const ALL: &[Scope] = &[Scope::Read, Scope::Console, Scope::Operate, Scope::Admin];

    /// The word in the database, in the API and in an access token.
    pub fn word(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Console => "console",
            Scope::Operate => "operate",
            Scope::Admin => "admin",
        }
    }

    /// The scope of a word.
    pub fn from_word(text: &str) -> Option<Scope> {
        Scope::ALL.iter().copied().find(|scope| scope.word() == text)
    }
}

/// A set of scopes. As text: words with one space between, in the order of [`Scope::ALL`].
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scopes(BTreeSet<Scope>);

/// A text that is no set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a token's scopes are one or more of read, console, operate and admin")]
pub struct ScopesError;

impl Coded for ScopesError {
    fn code(&self) -> &'static str {
        "token.scopes"
    }
}

impl Scopes {
    /// Whether this scope is among them.
    pub fn has(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// Whether all of the other ones are among them.
    pub fn cover(&self, other: &Scopes) -> bool {
        other.0.is_subset(&self.0)
    }

    /// The scopes that both have: the lesser of two.
    #[must_use]
    pub fn intersection(&self, other: &Scopes) -> Scopes {
        Scopes(self.0.intersection(&other.0).copied().collect())
    }

    /// Whether there are none, so that nothing may be done.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Scopes(scopes.into_iter().collect())
    }
}

impl std::fmt::Display for Scopes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<&str> = self.iter().map(Scope::word).collect();
        f.write_str(&words.join(" "))
    }
}

impl std::str::FromStr for Scopes {
    type Err = ScopesError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scopes = text.split_ascii_whitespace().map(Scope::from_word).collect::<Option<Scopes>>();
        scopes.filter(|scopes| !scopes.is_empty()).ok_or(ScopesError)
    }
}

impl TryFrom<String> for Scopes {
    type Error = ScopesError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Scopes> for String {
    fn from(scopes: Scopes) -> String {
        scopes.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_back() {
        for &role in Role::ALL {
            assert_eq!(Role::from_column(role.column()), Some(role));
        }
        for &scope in Scope::ALL {
            assert_eq!(Scope::from_word(scope.word()), Some(scope));
        }
        let all: Scopes = Scope::ALL.iter().copied().collect();
        assert_eq!(all.to_string(), "read console operate admin");
        assert_eq!(all.to_string().parse(), Ok(all));
        assert_eq!("admin  read".parse::<Scopes>().unwrap().to_string(), "read admin");
        for bad in ["", " ", "root", "read,admin", "Read"] {
            assert_eq!(bad.parse::<Scopes>(), Err(ScopesError), "{bad}");
        }
    }

    #[test]
    fn the_lesser_of_two() {
        let set = |text: &str| text.parse::<Scopes>().unwrap();
        assert!(set("read operate").cover(&set("operate")) && !set("admin").cover(&set("read")));
        assert_eq!(set("read console").intersection(&set("console admin")), set("console"));
        assert!(set("read").intersection(&set("admin")).is_empty());
    }
}
