//! Who may come in, and how secrets rest: tokens, sealed values, resume keys, and a brake on guessing.
//!
//! Nothing here opens a socket or asks a database. What needs a clock gets `now`; what needs randomness says so in
//! its name or documentation and takes it from the system's generator.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

mod random;
pub mod resume;
pub mod seal;
pub mod throttle;
pub mod token;
pub mod vnc_password;
