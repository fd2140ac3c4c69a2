//! The data plane: viewers in, targets out, every byte seen on its way.
//!
//! One task per session forwards the original bytes in both directions and shows each slice to
//! [`rfb`]'s observer before it leaves. The rest of the house is asked through the [`port`]s.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]

pub mod dial;
pub mod forwarded;
pub mod limits;
pub mod listener;
pub mod native;
pub mod origin;
pub mod port;
pub mod proxy_protocol;
pub mod record_stream;
pub mod registry;
pub mod sessions;
pub mod snapshot;
pub mod socket;
pub mod test_card;
pub mod tls;
pub mod transport;
mod wire;
pub mod ws;

mod buffer;
mod relay;
mod session;

pub use limits::GatewayLimits;
pub use port::{Endpoint, Ports, ResumeKeyHash, SessionSpec};
pub use registry::{Registry, SessionSnapshot};
pub use session::SessionEndSummary;
pub use sessions::{Sessions, SessionsError};

use buffer::Pool;
use dial::{DialContext, DialError, Purpose};
use model::session::EndReason;
use model::target::Strength;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The data plane of one process.
#[derive(Debug)]
pub struct Gateway {
    ports: Ports,
    limits: GatewayLimits,
    dial: DialContext,
    registry: Arc<Registry>,
    pool: Arc<Pool>,
    closed: AtomicBool,
}

/// What *test connection* found out about a target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TestReport {
    /// The target's version as it was sent, e.g. `3.8`.
    pub version: String,
    /// Security types that it offered, by name, in its order.
    pub offered: Vec<String>,
    /// The type that was used, by name.
    pub security_type: String,
    /// How strong the way is.
    pub strength: Strength,
    /// Fingerprint of the certificate or key that was accepted.
    pub identity: Option<String>,
    /// Whether that fingerprint was pinned by this test.
    pub pinned: bool,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// The desktop's name, readable part only.
    pub desktop_name: String,
}

impl TestReport {
    /// Version, security type and size, in words.
    pub fn summary(&self) -> String {
        format!("RFB {}, {}, {}x{}", self.version, self.security_type, self.width, self.height)
    }
}

impl Gateway {
    /// Opens the data plane. Nothing listens yet.
    pub fn new(ports: Ports, limits: GatewayLimits, dial: DialContext) -> Arc<Gateway> {
        let registry = Arc::new(Registry::new(limits.sessions));
        let pool = Pool::new(limits.pool_bytes);
        Arc::new(Gateway { ports, limits, dial, registry, pool, closed: AtomicBool::new(false) })
    }

    /// Connects to a target, logs in and leaves. The first identity becomes the pin where the entry says
    /// so, because an administrator looks on.
    pub async fn test_connection(&self, endpoint: &Endpoint) -> Result<TestReport, DialError> {
        let dialed = dial::dial(endpoint, &self.dial, Purpose::Test).await?;
        self.ports.endpoints.remember(endpoint.id, session::seen(&dialed)).await;
        let version = dialed.result.version_line;
        Ok(TestReport {
            version: format!("{}.{}", version.major, version.minor),
            offered: dialed.result.offered.iter().map(|t| format!("{t:?}")).collect(),
            security_type: match dialed.result.subtype {
                Some(subtype) => format!("{:?} {subtype:?}", dialed.result.security_type),
                None => format!("{:?}", dialed.result.security_type),
            },
            strength: dialed.result.strength,
            identity: dialed.identity,
            pinned: dialed.first_use,
            width: dialed.init.width,
            height: dialed.init.height,
            desktop_name: session::readable(&dialed.init.name),
        })
    }

    /// Bytes that sessions hold in buffers at this moment.
    pub fn buffered(&self) -> usize {
        self.pool.lent()
    }

    /// The sessions that run in this process.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// How many those are, sessions that await their viewer included.
    pub fn running(&self) -> usize {
        self.registry.count()
    }

    /// The same, for whoever must not know where sessions run.
    pub fn sessions(&self) -> Arc<dyn Sessions> {
        self.registry.clone()
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
        self.closed.load(Ordering::Acquire)
    }

    /// Refuses new sessions, tells every viewer that the program is stopping, and waits until all are
    /// gone or `limit` is over.
    pub async fn drain(&self, limit: Duration) {
        self.closed.store(true, Ordering::Release);
        self.registry.kill_where(EndReason::Draining, |_| true);
        let _ = tokio::time::timeout(limit, self.registry.empty()).await;
    }
}
