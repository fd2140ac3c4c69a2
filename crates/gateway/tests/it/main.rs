//! The gateway against real peers: servers and viewers of others, on loopback.

mod dial;
mod native;
mod proxy;
mod support;
mod tls;
mod vino;
