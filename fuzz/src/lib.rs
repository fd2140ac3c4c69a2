//! One function per fuzz target: it takes any bytes, must not panic, and checks what must hold for any
//! bytes. The most telling of that is the split property: a peer's bytes mean the same in whatever
//! pieces they come.
//!
//! The same functions run under libFuzzer (`fuzz_targets/`) and over the committed corpus in
//! `cargo test` (`tests/replay.rs`).

mod capture_file;
mod decoders;
mod handshake;
mod input;
mod observer;
#[cfg(feature = "gateway")]
mod proxy_protocol;
mod trace;
#[cfg(feature = "gateway")]
mod websocket;

pub use capture_file::capture;
pub use decoders::decoders;
pub use handshake::{client_handshake, server_handshake};
pub use observer::observer;
#[cfg(feature = "gateway")]
pub use proxy_protocol::proxy_protocol;
pub use trace::trace;
#[cfg(feature = "gateway")]
pub use websocket::websocket;
