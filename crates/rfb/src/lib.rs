//! The RFB protocol (VNC) as pure state machines: bytes and time in, bytes and events out.
//!
//! Nothing here opens a socket, reads a clock, spawns a thread or draws randomness on its own.
//! The specification cited in square brackets is the community's `rfbproto` text, e.g. `[7.3.2]`.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]

pub mod client;
pub mod decode;
pub mod encode;
pub mod encoding;
pub mod framebuffer;
pub mod handshake;
pub mod limits;
pub mod message;
pub mod misbehavior;
pub mod observer;
pub mod passive;
pub mod pixel_format;
pub mod records;
pub mod security;
pub mod security_type;
pub mod server;
pub mod server_init;
pub mod test_card;
pub mod trace;
pub mod version;
pub mod wire;

pub use decode::Decoder;
pub use framebuffer::Framebuffer;
pub use misbehavior::Misbehavior;
pub use observer::Observer;
pub use pixel_format::PixelFormat;
pub use security_type::SecurityType;
pub use server_init::ServerInit;
pub use test_card::TestCard;
pub use version::Version;
