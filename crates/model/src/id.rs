//! Identifiers. Each is a type of its own, so that a session can never be looked up by a target.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map($name)
            }
        }
    };
}
pub(crate) use id;

id!(
    /// One console session, from the taken ticket to its end; reconnects keep it.
    SessionId
);
id!(
    /// One registered target: a VNC server that people may be let through to.
    TargetId
);
id!(
    /// One ticket: the right to open one session, once.
    TicketId
);
id!(
    /// One installation of the program on one machine; kept in the data directory.
    NodeId
);
id!(
    /// One run of the program. Sessions of a dead boot are closed at the next start.
    BootId
);
