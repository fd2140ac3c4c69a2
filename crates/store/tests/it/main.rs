//! The store on real databases: every test here runs on a SQLite file and on PostgreSQL.

mod api_tokens;
mod audit;
mod availability;
mod crash;
mod house;
mod logins;
mod node;
mod people;
mod sessions;
mod targets;
mod tickets;
mod tls;
mod writer;
