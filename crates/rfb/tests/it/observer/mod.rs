//! The observer on captures of real programs, on made-up sessions, and on its memory.

mod capture;
mod shell;
