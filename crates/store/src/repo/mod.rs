//! One file for each thing that is stored. Every function here is one read, or one change for the writer.

pub(crate) mod access;
pub(crate) mod api_token;
pub(crate) mod audit;
pub(crate) mod group;
pub(crate) mod login;
pub(crate) mod node;
pub(crate) mod person;
pub(crate) mod refresh;
pub(crate) mod sealed;
pub(crate) mod session;
pub(crate) mod target;
pub(crate) mod ticket;
