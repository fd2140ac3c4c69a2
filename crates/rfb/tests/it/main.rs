//! The protocol core from outside: captures, golden bytes, itself, hostile peers and real ones.

mod capture_file;
mod decode;
mod encode;
mod handshake;
mod observer;
mod peers;
mod shell;
mod test_card;
