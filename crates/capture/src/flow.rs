//! TCP connections as two ordered byte streams. Pure and bounded.

pub mod reassembly;
pub mod table;

pub use reassembly::{Chunk, Stream};
pub use table::{Closed, End, FlowInfo, Interest, Side, Table, Tracker};
