//! The addresses, one module per thing they are about.

pub(crate) mod assets;
pub(crate) mod console;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod login;
pub(crate) mod sessions;
pub(crate) mod targets;
