//! The program from outside: started as people start it, spoken to as browsers and viewers do.

mod cli;
mod conformance;
mod console;
mod fronts;
mod house;
mod http;
mod native;
mod people;
mod refusals;
mod rights;
mod trace;
