//! The store on real databases: every test here runs on a SQLite file and on PostgreSQL.

mod admin;
mod availability;
mod crash;
mod house;
mod node;
mod sessions;
mod targets;
mod tickets;
mod tls;
mod writer;
