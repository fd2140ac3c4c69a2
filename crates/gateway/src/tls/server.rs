//! TLS towards viewers.

use super::{Certificates, TlsError, provider};
use rustls::{ServerConfig, SupportedProtocolVersion};
use std::sync::Arc;

/// For web and API: TLS 1.3 only, every browser of the last years speaks it; HTTP/1.1, because the
/// WebSocket takes the whole connection.
pub fn web(certificates: &Arc<Certificates>) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = build(certificates, &[&rustls::version::TLS13])?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// For web and API where old browsers must be let in: TLS 1.2 as well.
pub fn web_tls12(certificates: &Arc<Certificates>) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = build(certificates, rustls::ALL_VERSIONS)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// For native viewers inside VeNCrypt: TLS 1.2 as well, their libraries are older. They announce no
/// application protocol.
pub fn native(certificates: &Arc<Certificates>) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = build(certificates, rustls::ALL_VERSIONS)?;
    // TigerVNC 1.12 waits for ever when a ticket and our next message arrive in one segment
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn build(
    certificates: &Arc<Certificates>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(|error| TlsError::Setup(error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::<Certificates>::clone(certificates));
    // consoles are opened rarely and live long: one ticket is enough
    config.send_tls13_tickets = 1;
    Ok(config)
}
