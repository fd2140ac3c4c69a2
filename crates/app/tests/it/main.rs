//! The program from outside: started as people start it, spoken to as browsers and viewers do.

mod cli;
mod console;
mod house;
mod http;
mod refusals;
mod trace;
