//! The observer on captures of real programs, on made-up sessions, on hostile bytes, and on its memory.

mod allocation;
mod capture;
mod formats;
mod hostile;
mod late;
mod policy;
mod session;
mod shell;
mod skeleton;
mod split;
