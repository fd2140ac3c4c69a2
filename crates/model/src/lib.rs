//! The words that every room of the house uses: ids, events, policies, secrets, end reasons.
//!
//! Tier 0. No I/O, no clock, no randomness: a value that needs either is made elsewhere and handed in.

pub mod audit;
pub mod code;
pub mod egress;
pub mod event;
pub mod id;
pub mod name;
pub mod policy;
pub mod principal;
pub mod right;
pub mod secret;
pub mod session;
pub mod target;
pub mod vnc_url;

pub use code::Coded;
pub use event::{Event, Sink};
pub use id::{BootId, NodeId, SessionId, TargetId, TicketId};
pub use name::Name;
pub use policy::Policy;
pub use principal::{ApiTokenId, GroupId, Role, Scope, Scopes, SubjectId, UserId};
pub use right::{Reach, Right};
pub use secret::Secret;
