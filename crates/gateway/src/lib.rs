//! The data plane: sockets, TLS, dialing targets, relaying the original bytes.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]

pub mod forwarded;
pub mod origin;
pub mod proxy_protocol;
