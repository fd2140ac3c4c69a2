//! The data plane: viewers in, targets out, every byte seen on its way.
//!
//! One task per session forwards the original bytes in both directions and shows each slice to
//! [`rfb`]'s observer before it leaves. The rest of the house is asked through the [`port`]s.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]

pub mod forwarded;
pub mod limits;
pub mod origin;
pub mod port;
pub mod proxy_protocol;
pub mod registry;
pub mod socket;
pub mod tls;
pub mod transport;
pub mod ws;

mod buffer;
mod relay;
mod session;

pub use limits::GatewayLimits;
pub use port::{Endpoint, Ports, ResumeKeyHash, SessionSpec};
pub use registry::{Registry, SessionSnapshot};

use model::session::EndReason;
use std::sync::Arc;
use std::time::Duration;

/// The data plane of one process.
#[derive(Debug)]
pub struct Gateway {
    ports: Ports,
    limits: GatewayLimits,
    registry: Registry,
    closed: std::sync::atomic::AtomicBool,
}

impl Gateway {
    /// Opens the data plane. Nothing listens yet.
    pub fn new(ports: Ports, limits: GatewayLimits) -> Arc<Gateway> {
        let registry = Registry::new(limits.sessions);
        Arc::new(Gateway { ports, limits, registry, closed: false.into() })
    }

    /// The sessions that run.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The ports it was given.
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The bounds it works in.
    pub fn limits(&self) -> &GatewayLimits {
        &self.limits
    }

    /// Whether new sessions are refused because the program is stopping.
    pub fn is_draining(&self) -> bool {
        self.closed.load(std::sync::atomic::Ordering::Acquire)
    }

    /// Refuses new sessions, tells every viewer that the program is stopping, and waits until all are
    /// gone or `limit` is over.
    pub async fn drain(&self, limit: Duration) {
        self.closed.store(true, std::sync::atomic::Ordering::Release);
        self.registry.kill_where(EndReason::Draining, |_| true);
        let _ = tokio::time::timeout(limit, self.registry.empty()).await;
    }
}
