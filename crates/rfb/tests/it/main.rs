//! The protocol core against captures, golden bytes and itself.

mod capture_file;
mod decode;
mod encode;
mod test_card;
