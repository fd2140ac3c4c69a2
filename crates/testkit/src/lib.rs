//! What tests need besides the code under test: real peers as child processes, and a VNC viewer that decodes.
//!
//! Real peers bind their own ports and tell them, so nothing here races for a port; a program that is
//! not installed fails the test with the name of its Debian package.

pub mod pg;
pub mod process;
pub mod qemu;
pub mod security_server;
pub mod test_card;
pub mod vnc;
pub mod vncviewer;
pub mod wait;
pub mod x11vnc;
pub mod xvfb;
pub mod xvnc;

pub use process::require;
