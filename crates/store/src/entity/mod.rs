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
pub(crate) mod admin_session;
pub(crate) mod node;
pub(crate) mod sequence;
pub(crate) mod setting;
pub(crate) mod target;
pub(crate) mod ticket;
pub(crate) mod vnc_session;
