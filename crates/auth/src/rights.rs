//! May this person do this to that? One decision, by the table in [`model::right`].
//!
//! The answer is the lesser of person and token: the role must reach the object, and a token must have been made for
//! it. Whoever lists things asks for the [`Reach`] and filters by it; whoever touches one thing says how the person is
//! related to it.

use model::{Coded, Reach, Right, Role, Scope, Scopes, UserId};

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Who {
    /// The person.
    pub user: UserId,
    /// What they are here now, not when their token was made.
    pub role: Role,
    /// How they proved who they are.
    pub via: Via,
}

/// How somebody proved who they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Via {
    /// By a log-in: the session cookie of a browser, or an access token that came of one.
    Login,
    /// By an API token, which was made for some things only.
    ApiToken(Scopes),
}

/// How the person is related to what they want to touch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Relation {
    /// It is their own: their session, log-in, token, or themselves.
    pub own: bool,
    /// It is a target that is granted to them now, directly or by a group.
    pub granted: bool,
    /// It belongs to a group that they operate.
    pub operated: bool,
}

impl Relation {
    /// Nothing in common.
    pub const STRANGER: Relation = Relation { own: false, granted: false, operated: false };
    /// Their own.
    pub const OWN: Relation = Relation { own: true, ..Relation::STRANGER };
    /// A target granted to them.
    pub const GRANTED: Relation = Relation { granted: true, ..Relation::STRANGER };
    /// Of a group that they operate.
    pub const OPERATED: Relation = Relation { operated: true, ..Relation::STRANGER };

    fn is_within(self, reach: Reach) -> bool {
        match reach {
            Reach::No => false,
            Reach::Own => self.own,
            Reach::Granted => self.granted,
            Reach::Operated => self.own || self.operated,
            Reach::All => true,
        }
    }
}

/// Why not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// Their role never may.
    #[error("your role does not allow this; an administrator can change it")]
    Role,
    /// Their token was not made for it.
    #[error("this token lacks the scope {}; make one that has it", .0.word())]
    Scope(Scope),
    /// No token may.
    #[error("this needs a log-in with a password; no API token may do it")]
    NeedsLogin,
    /// Their role may, but not with this. To say more would tell that it exists: answer as if it did not.
    #[error("there is no such thing within your reach")]
    OutOfReach,
}

impl Coded for Denied {
    fn code(&self) -> &'static str {
        match self {
            Denied::Role => "right.role",
            Denied::Scope(_) => "right.scope",
            Denied::NeedsLogin => "right.needs_login",
            Denied::OutOfReach => "right.out_of_reach",
        }
    }
}

/// How far this person reaches with a right now: for lists, which are filtered by it. Never [`Reach::No`].
///
/// # Errors
/// [`Denied::Role`], [`Denied::Scope`] and [`Denied::NeedsLogin`].
pub fn reach(who: &Who, right: Right) -> Result<Reach, Denied> {
    let reach = right.reach(who.role);
    if reach == Reach::No {
        return Err(Denied::Role);
    }
    match &who.via {
        Via::Login => Ok(reach),
        Via::ApiToken(_) if right.needs_login() => Err(Denied::NeedsLogin),
        Via::ApiToken(scopes) if scopes.has(right.scope()) => Ok(reach),
        Via::ApiToken(_) => Err(Denied::Scope(right.scope())),
    }
}

/// Whether this person may do this to something that they are so related to.
///
/// # Errors
/// [`Denied`].
pub fn decide(who: &Who, right: Right, relation: Relation) -> Result<(), Denied> {
    let reach = reach(who, right)?;
    if relation.is_within(reach) { Ok(()) } else { Err(Denied::OutOfReach) }
}

/// What the interface is told that this person may do: each right's word with its reach.
pub fn all(who: &Who) -> impl Iterator<Item = (Right, Reach)> + '_ {
    Right::of(who.role).filter_map(|(right, _)| reach(who, right).ok().map(|reach| (right, reach)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::right::TABLE;
    use std::collections::HashSet;
    use uuid::Uuid;

    fn who(role: Role, via: Via) -> Who {
        Who { user: UserId(Uuid::from_u128(1)), role, via }
    }

    fn login(role: Role) -> Who {
        who(role, Via::Login)
    }

    fn every_relation() -> impl Iterator<Item = Relation> {
        (0..8).map(|bits| Relation { own: bits & 1 != 0, granted: bits & 2 != 0, operated: bits & 4 != 0 })
    }

    fn every_scopes() -> impl Iterator<Item = Scopes> {
        (0..16).map(|bits| {
            Scope::ALL
                .iter()
                .copied()
                .enumerate()
                .filter(|(n, _)| bits >> n & 1 == 1)
                .map(|(_, s)| s)
                .collect()
        })
    }

    /// The document is the table, word for word: rows, order, scopes, reaches.
    #[test]
    fn the_document_says_what_the_table_says() {
        let document = include_str!("../../../docs/rights.md");
        let rows: Vec<Vec<&str>> = document
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
            .collect();
        assert_eq!(rows.len(), TABLE.len());
        for (row, (right, scope, reaches)) in rows.iter().zip(TABLE) {
            let [word, _, shown_scope, shown @ ..] = row.as_slice() else { panic!("{row:?}") };
            assert_eq!(*word, format!("`{}`", right.word()));
            let scope = if right.needs_login() { "none" } else { scope.word() };
            assert_eq!(*shown_scope, scope, "{word}");
            let words: Vec<&str> =
                reaches.iter().map(|reach| if *reach == Reach::No { "" } else { reach.word() }).collect();
            assert_eq!(shown, words, "{word}");
        }
        let header = document.lines().find(|line| line.starts_with("| right ")).unwrap();
        let roles: Vec<&str> = header.trim_matches('|').split('|').map(str::trim).skip(3).collect();
        assert_eq!(roles, Role::ALL.iter().map(|role| role.column()).collect::<Vec<_>>());
    }

    #[test]
    fn the_table_names_every_right_once() {
        let rights: HashSet<Right> = TABLE.iter().map(|(right, ..)| *right).collect();
        let words: HashSet<&str> = TABLE.iter().map(|(right, ..)| right.word()).collect();
        assert_eq!((rights.len(), words.len()), (TABLE.len(), TABLE.len()));
        assert_eq!(TABLE.len(), Right::ALL.len());
    }

    /// Every role × every right × every relation, against the words of the table.
    #[test]
    fn every_role_reaches_what_the_table_says_and_nothing_else() {
        for (right, _, reaches) in TABLE {
            for (&role, reach) in Role::ALL.iter().zip(reaches) {
                for relation in every_relation() {
                    let expected = match reach {
                        Reach::No => Err(Denied::Role),
                        Reach::All => Ok(()),
                        Reach::Own if relation.own => Ok(()),
                        Reach::Granted if relation.granted => Ok(()),
                        Reach::Operated if relation.own || relation.operated => Ok(()),
                        _ => Err(Denied::OutOfReach),
                    };
                    assert_eq!(
                        decide(&login(role), *right, relation),
                        expected,
                        "{role:?} {right:?} {relation:?}"
                    );
                }
                let listed = all(&login(role)).find(|(r, _)| r == right).map(|(_, reach)| reach);
                assert_eq!(listed, (*reach != Reach::No).then_some(*reach), "{role:?} {right:?}");
            }
        }
    }

    /// Every role × every right × every set of scopes: never more than the person, never more than the token.
    #[test]
    fn a_token_is_the_lesser_of_person_and_scopes() {
        for (right, scope, _) in TABLE {
            for &role in Role::ALL {
                for scopes in every_scopes() {
                    let person = reach(&login(role), *right);
                    let token = reach(&who(role, Via::ApiToken(scopes.clone())), *right);
                    match token {
                        Ok(reach) => {
                            assert_eq!(Ok(reach), person);
                            assert!(scopes.has(*scope) && !right.needs_login());
                        }
                        Err(Denied::Role) => assert_eq!(person, Err(Denied::Role)),
                        Err(Denied::NeedsLogin) => assert!(right.needs_login()),
                        Err(Denied::Scope(missing)) => assert!(missing == *scope && !scopes.has(*scope)),
                        Err(Denied::OutOfReach) => panic!("nothing was asked about an object"),
                    }
                }
            }
        }
    }

    /// What the roles are said to be, in sentences that do not look at the table's form.
    #[test]
    fn the_roles_are_what_they_are_called() {
        use Relation as R;
        let may = |role, right, relation| decide(&login(role), right, relation).is_ok();
        // A user opens granted targets and sees own sessions.
        assert!(
            may(Role::User, Right::OpenConsole, R::GRANTED)
                && !may(Role::User, Right::OpenConsole, R::STRANGER)
        );
        assert!(
            may(Role::User, Right::SeeSessions, R::OWN) && !may(Role::User, Right::SeeSessions, R::STRANGER)
        );
        assert!(
            !may(Role::User, Right::SeeDashboard, R::STRANGER)
                && !may(Role::User, Right::UsePower, R::GRANTED)
        );
        // A viewer reads and opens nothing, not even what was granted.
        assert!(
            may(Role::Viewer, Right::SeeSessions, R::STRANGER)
                && may(Role::Viewer, Right::SeeThreats, R::STRANGER)
        );
        for relation in every_relation() {
            assert!(
                !may(Role::Viewer, Right::OpenConsole, relation)
                    && !may(Role::Analyst, Right::OpenConsole, relation)
            );
            assert!(!may(Role::Viewer, Right::KillSession, relation));
        }
        // An analyst has all that a viewer has, and judges, freezes, kills and blocks.
        for (right, _) in Right::of(Role::Viewer) {
            assert_eq!(right.reach(Role::Analyst), right.reach(Role::Viewer));
        }
        for right in [Right::JudgeThreat, Right::FreezeSession, Right::KillSession, Right::BlockAddress] {
            assert!(may(Role::Analyst, right, R::STRANGER), "{right:?}");
        }
        // An operator has all that a user has, and more in the groups given; nothing elsewhere.
        for (right, _) in Right::of(Role::User) {
            for relation in every_relation().filter(|relation| may(Role::User, right, *relation)) {
                assert!(may(Role::Operator, right, relation), "{right:?} {relation:?}");
            }
        }
        for right in [Right::UsePower, Right::ManageTargets, Right::ManageDesktops, Right::KillSession] {
            assert!(
                may(Role::Operator, right, R::OPERATED) && !may(Role::Operator, right, R::STRANGER),
                "{right:?}"
            );
        }
        assert!(!may(Role::Operator, Right::ManagePeople, R::OPERATED));
        // An administrator has all.
        assert!(TABLE.iter().all(|(right, ..)| may(Role::Admin, *right, R::STRANGER)));
    }

    #[test]
    fn codes_are_distinct() {
        let all = [Denied::Role, Denied::Scope(Scope::Read), Denied::NeedsLogin, Denied::OutOfReach];
        assert_eq!(all.iter().map(Coded::code).collect::<HashSet<_>>().len(), all.len());
        assert!(Denied::Scope(Scope::Console).to_string().contains("console"));
    }
}
