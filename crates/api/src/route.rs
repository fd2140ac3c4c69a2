//! The addresses, one module per thing they are about.

pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod console;
pub(crate) mod docs;
pub(crate) mod door;
pub(crate) mod events;
pub(crate) mod groups;
pub(crate) mod health;
pub(crate) mod login;
pub(crate) mod sessions;
pub(crate) mod standing;
pub(crate) mod targets;
pub(crate) mod thumbnails;
pub(crate) mod tokens;
pub(crate) mod users;
