//! Captured packets as sessions: files of packets in, reports about RFB sessions out.
//!
//! The way of a packet: [`source`] reads it from a file, [`decode`] finds the TCP segment in it,
//! [`flow`] puts segments back into two ordered byte streams, [`sniff`] recognizes RFB in them (on any
//! port, in either direction, inside WebSocket too), and the machines of `rfb` read the streams.
//! [`inspect`](mod@inspect) composes all that into one report for a whole file.
//!
//! Everything but [`source`] is pure: packets and their times come in as arguments. Every table, queue
//! and buffer has a bound in [`limits`]; what does not fit is counted and reported, never hidden.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]

pub mod decode;
pub mod flow;
pub mod inspect;
pub mod limits;
pub mod sniff;
pub mod source;
pub mod time;
pub mod websocket;

pub use inspect::{Report, SessionReport, Skeleton, inspect, trace};
pub use time::Time;
