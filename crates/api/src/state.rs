//! What the routes share.

use crate::live::Hub;
use gateway::forwarded::TrustedProxies;
use gateway::origin::Places;
use gateway::{Gateway, Sessions};
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::Store;

/// What the routes share. Made once, by `app`.
pub struct Api {
    /// Rows.
    pub store: Store,
    /// The data plane.
    pub gateway: Arc<Gateway>,
    /// The sessions that run.
    pub sessions: Arc<dyn Sessions>,
    /// Live events.
    pub hub: Arc<Hub>,
    /// Connections of resumed sessions.
    pub attachments: Arc<crate::attachments::Attachments>,
    /// Secrets at rest.
    pub sealer: Arc<auth::seal::Sealer>,
    /// Guessing is slowed down by address.
    pub throttle: crate::guard::Guard,
    /// Whose headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// How figures are rendered.
    pub metrics: PrometheusHandle,
    /// Who may read figures from elsewhere than loopback.
    pub metrics_token: Option<model::Secret>,
    /// Whether tickets carry a one-time password for VncAuth.
    pub vnc_auth: bool,
    /// The native door as people type it, where there is one.
    pub native: Option<String>,
    /// Where people prove who they are.
    pub gate: Arc<crate::gate::Gate>,
    /// Access tokens of API clients.
    pub access_tokens: auth::access::AccessTokens,
    /// What signs the audit log's heads.
    pub head_key: Arc<auth::head::HeadKey>,
    /// Pictures of targets' screens.
    pub thumbnails: Arc<crate::thumbnails::Thumbnails>,
    /// How often what may be asked.
    pub limits: crate::limits::Limits,
    /// How long what lasts.
    pub rules: Rules,
    /// This installation.
    pub node: model::NodeId,
    /// This run.
    pub boot: model::BootId,
    /// When this run began.
    pub started: Instant,
    /// The host names that are ours.
    pub places: Places,
}

/// How long what lasts.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// A log-in.
    pub login: Duration,
    /// A log-in without a request.
    pub idle: Duration,
    /// An access token.
    pub access: Duration,
    /// A session that asks for nothing else.
    pub session: Duration,
    /// A session, however often it is extended.
    pub session_longest: Duration,
    /// Whether consoles go on when their log-in ends.
    pub outlive_login: bool,
    /// Fewest characters of a new password.
    pub password_least: usize,
}
