//! The protocol core from outside: captures, golden bytes, itself, hostile peers and real ones.
mod capture_file;
mod decode;
mod handshake;
mod peers;
mod shell;
//! The protocol room's tests from outside: what its public interface promises.
mod observer;
mod encode;
