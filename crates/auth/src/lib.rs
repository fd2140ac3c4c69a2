//! Who may come in, who may do what, and how secrets rest.
//!
//! Nothing here opens a socket or asks a database. What needs a clock gets `now`; what needs randomness says so in
//! its name or documentation and takes it from the system's generator.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

pub mod access;
pub mod brake;
mod following;
mod generations;
pub mod head;
pub mod key;
pub mod password;
mod random;
pub mod rate;
pub mod resume;
pub mod rights;
pub mod seal;
pub mod throttle;
pub mod token;
pub mod vnc_password;
