//! The test kit against the programs that it starts.

mod peers;
mod viewer;
