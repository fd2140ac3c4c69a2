//! Packets, files and whole captures through the public interface of the crate.

mod captures;
mod decoding;
mod files;
mod flows;
mod packets;
mod reassembly;
mod skeletons;
mod synthetic;
