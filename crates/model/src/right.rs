//! Who may do what: one table.
//!
//! A row is one thing that can be done, a column is a role, a cell says how far the role reaches. `docs/rights.md`
//! shows the same table to people, and a test holds the two together. `auth::rights` decides by it.

use crate::principal::{Role, Scope};

macro_rules! rights {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// One thing that can be done.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum Right {
            $($(#[$doc])* $name,)*
        }

        impl Right {
            /// All rights, for tests that must name every one.
            pub const ALL: &[Right] = &[$(Right::$name,)*];

            /// The word in documents and in the API.
            pub fn word(self) -> &'static str {
                match self {
                    $(Right::$name => $word,)*
                }
            }
        }
    };
}

rights! {
    /// See targets in lists, with their state.
    SeeTargets = "see_targets",
    /// See small pictures of targets' screens in lists, where the target's entry allows them.
    SeeThumbnails = "see_thumbnails",
    /// Open a console of a target.
    OpenConsole = "open_console",
    /// Extend one's console.
    ExtendConsole = "extend_console",
    /// End one's console.
    EndConsole = "end_console",
    /// See sessions, running and past.
    SeeSessions = "see_sessions",
    /// End a running session.
    KillSession = "kill_session",
    /// Freeze the input of a running session, and thaw it.
    FreezeSession = "freeze_session",
    /// Change the policy of a running session.
    ChangePolicy = "change_policy",
    /// Switch machines on and off, and reset them.
    UsePower = "use_power",
    /// Add, change and remove targets.
    ManageTargets = "manage_targets",
    /// Let the gateway try a target's connection.
    TestTarget = "test_target",
    /// Start, stop and change desktops.
    ManageDesktops = "manage_desktops",
    /// See figures over everything: dashboards and the status.
    SeeDashboard = "see_dashboard",
    /// See threats and what they are made of.
    SeeThreats = "see_threats",
    /// Judge a threat: true or false.
    JudgeThreat = "judge_threat",
    /// Block an address for a time, and let it in again.
    BlockAddress = "block_address",
    /// Read the metrics.
    ReadMetrics = "read_metrics",
    /// See people and groups.
    SeePeople = "see_people",
    /// Add, change, disable and remove people.
    ManagePeople = "manage_people",
    /// Add, change and remove groups, their members and their targets.
    ManageGroups = "manage_groups",
    /// Grant targets to people.
    ManageGrants = "manage_grants",
    /// Change one's own name, language and password.
    ManageAccount = "manage_account",
    /// See log-ins and end them.
    ManageLogins = "manage_logins",
    /// Make, see and revoke API tokens.
    ManageTokens = "manage_tokens",
    /// Read and verify the audit log.
    ReadAudit = "read_audit",
    /// Take the audit log and its signed heads out.
    ExportAudit = "export_audit",
    /// See and change the settings.
    ManageSettings = "manage_settings",
}

/// How far a role reaches with a right.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reach {
    /// Not at all.
    No,
    /// What is the person's own: account, log-ins, tokens, sessions.
    Own,
    /// Targets that are granted to the person, directly or by a group.
    Granted,
    /// What belongs to groups that the person operates, and what is the person's own.
    Operated,
    /// Everything.
    All,
}

impl Reach {
    /// The word in documents and in the API.
    pub fn word(self) -> &'static str {
        match self {
            Reach::No => "no",
            Reach::Own => "own",
            Reach::Granted => "granted",
            Reach::Operated => "operated",
            Reach::All => "all",
        }
    }
}

/// One row: a right, the scope that an API token needs for it, and the reach of each role in the order of
/// [`Role::ALL`].
pub type Row = (Right, Scope, [Reach; 5]);

const NO: Reach = Reach::No;
const OWN: Reach = Reach::Own;
const GRANTED: Reach = Reach::Granted;
const OPERATED: Reach = Reach::Operated;
const ALL: Reach = Reach::All;

/// The table.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    //                                        user     viewer  analyst  operator  admin
    (Right::SeeTargets,     Scope::Read,    [GRANTED,  ALL,    ALL,     GRANTED,  ALL]),
    (Right::SeeThumbnails,  Scope::Console, [GRANTED,  NO,     NO,      GRANTED,  ALL]),
    (Right::OpenConsole,    Scope::Console, [GRANTED,  NO,     NO,      GRANTED,  ALL]),
    (Right::ExtendConsole,  Scope::Console, [OWN,      NO,     NO,      OWN,      ALL]),
    (Right::EndConsole,     Scope::Console, [OWN,      NO,     NO,      OWN,      ALL]),
    (Right::SeeSessions,    Scope::Read,    [OWN,      ALL,    ALL,     OPERATED, ALL]),
    (Right::KillSession,    Scope::Operate, [OWN,      NO,     ALL,     OPERATED, ALL]),
    (Right::FreezeSession,  Scope::Operate, [NO,       NO,     ALL,     OPERATED, ALL]),
    (Right::ChangePolicy,   Scope::Operate, [NO,       NO,     NO,      OPERATED, ALL]),
    (Right::UsePower,       Scope::Operate, [NO,       NO,     NO,      OPERATED, ALL]),
    (Right::ManageTargets,  Scope::Operate, [NO,       NO,     NO,      OPERATED, ALL]),
    (Right::TestTarget,     Scope::Operate, [NO,       NO,     NO,      OPERATED, ALL]),
    (Right::ManageDesktops, Scope::Operate, [NO,       NO,     NO,      OPERATED, ALL]),
    (Right::SeeDashboard,   Scope::Read,    [NO,       ALL,    ALL,     NO,       ALL]),
    (Right::SeeThreats,     Scope::Read,    [NO,       ALL,    ALL,     NO,       ALL]),
    (Right::JudgeThreat,    Scope::Operate, [NO,       NO,     ALL,     NO,       ALL]),
    (Right::BlockAddress,   Scope::Operate, [NO,       NO,     ALL,     NO,       ALL]),
    (Right::ReadMetrics,    Scope::Read,    [NO,       ALL,    ALL,     NO,       ALL]),
    (Right::SeePeople,      Scope::Read,    [NO,       NO,     NO,      NO,       ALL]),
    (Right::ManagePeople,   Scope::Admin,   [NO,       NO,     NO,      NO,       ALL]),
    (Right::ManageGroups,   Scope::Admin,   [NO,       NO,     NO,      NO,       ALL]),
    (Right::ManageGrants,   Scope::Admin,   [NO,       NO,     NO,      NO,       ALL]),
    (Right::ManageAccount,  Scope::Admin,   [OWN,      OWN,    OWN,     OWN,      ALL]),
    (Right::ManageLogins,   Scope::Admin,   [OWN,      OWN,    OWN,     OWN,      ALL]),
    (Right::ManageTokens,   Scope::Admin,   [OWN,      OWN,    OWN,     OWN,      ALL]),
    (Right::ReadAudit,      Scope::Admin,   [NO,       NO,     NO,      NO,       ALL]),
    (Right::ExportAudit,    Scope::Admin,   [NO,       NO,     NO,      NO,       ALL]),
    (Right::ManageSettings, Scope::Admin,   [NO,       NO,     NO,      NO,       ALL]),
];

impl Right {
    /// How far a role reaches with it. What the table lacks nobody may do.
    pub fn reach(self, role: Role) -> Reach {
        let Some((_, _, [user, viewer, analyst, operator, admin])) = self.row() else { return Reach::No };
        match role {
            Role::User => *user,
            Role::Viewer => *viewer,
            Role::Analyst => *analyst,
            Role::Operator => *operator,
            Role::Admin => *admin,
        }
    }

    /// What an API token must have been made for.
    pub fn scope(self) -> Scope {
        self.row().map_or(Scope::Admin, |(_, scope, _)| *scope)
    }

    /// Whether no API token may ever use it: else one that leaked would outlive its own revocation, by a new
    /// password or a new token.
    pub fn needs_login(self) -> bool {
        matches!(self, Right::ManageAccount | Right::ManageLogins | Right::ManageTokens)
    }

    /// All rights with what a role reaches by them, for the interface; without those that it has not.
    pub fn of(role: Role) -> impl Iterator<Item = (Right, Reach)> {
        TABLE
            .iter()
            .map(move |(right, ..)| (*right, right.reach(role)))
            .filter(|(_, reach)| *reach != Reach::No)
    }

    fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|(right, ..)| *right == self)
    }
}
