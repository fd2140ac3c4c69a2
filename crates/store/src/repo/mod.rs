//! One file for each thing that is stored. Every function here is one read, or one change for the writer.

pub(crate) mod admin;
pub(crate) mod node;
pub(crate) mod session;
pub(crate) mod target;
pub(crate) mod ticket;
