//! The test kit against the programs that it starts.

mod peers;
mod test_card;
mod viewer;
