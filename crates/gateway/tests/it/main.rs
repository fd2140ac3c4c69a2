//! The gateway against real peers: servers and viewers of others, on loopback.

mod codec;
mod console;
mod dial;
mod house;
mod kill;
mod native;
mod proxy;
mod resume;
mod sasl;
mod snapshot;
mod support;
mod tls;
mod vino;
