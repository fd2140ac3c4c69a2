//! The program from outside: started as people start it, spoken to as browsers and viewers do.

mod admin;
mod answers;
mod audit;
mod cli;
mod conformance;
mod console;
mod document_e;
mod environment;
mod fronts;
mod house;
mod http;
mod logs;
mod native;
mod people;
mod refusals;
mod rights;
mod secrets;
mod thumbnails;
mod trace;
mod walkthrough;
