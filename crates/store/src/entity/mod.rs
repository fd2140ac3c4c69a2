//! Rows as they are in the tables. Nothing outside this crate sees them: `repo` turns them into words of `model`.

/// The mapper wants `Debug` of every row; rows hold hashes and sealed secrets, so it shows none of them.
macro_rules! silent {
    ($row:ident) => {
        impl std::fmt::Debug for $row {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("Row(…)")
            }
        }
    };
}
use silent;

pub(crate) mod admin_link;
pub(crate) mod api_token;
pub(crate) mod audit;
pub(crate) mod audit_head;
pub(crate) mod audit_person;
pub(crate) mod audit_state;
pub(crate) mod group;
pub(crate) mod group_member;
pub(crate) mod group_target;
pub(crate) mod known_device;
pub(crate) mod login_session;
pub(crate) mod node;
pub(crate) mod refresh_token;
pub(crate) mod sequence;
pub(crate) mod setting;
pub(crate) mod target;
pub(crate) mod target_grant;
pub(crate) mod ticket;
pub(crate) mod user;
pub(crate) mod vnc_session;
