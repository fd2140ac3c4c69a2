//! The test kit against the programs that it starts.

mod peers;
mod security_server;
mod test_card;
mod viewer;
