//! The address that people type.

use crate::config::Config;
use std::net::SocketAddr;

/// The web address as links show it.
pub(crate) fn external(config: &Config) -> String {
    match &config.web.external_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => of_listener(config.web.listen, config.web_is_tls()),
    }
}

/// A listener as a URL; an unspecified address is shown as this machine.
pub(crate) fn of_listener(address: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    if address.ip().is_unspecified() {
        format!("{scheme}://localhost:{}", address.port())
    } else {
        format!("{scheme}://{address}")
    }
}

/// The native door as people type it: under the host of the web address where that is known.
pub(crate) fn native(config: &Config, listens: SocketAddr) -> String {
    let host = config.web.external_url.as_deref().and_then(host_of);
    match host {
        Some(host) => format!("{host}:{}", listens.port()),
        None if listens.ip().is_unspecified() => format!("localhost:{}", listens.port()),
        None => listens.to_string(),
    }
}

/// The host of a URL, without port.
pub(crate) fn host_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split('/').next()?;
    Some(match authority.rsplit_once(':') {
        Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) => host,
        _ => authority,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_carry_the_outer_address() {
        let mut config = Config::default();
        assert_eq!(external(&config), "http://127.0.0.1:5000");
        config.web.external_url = Some("https://gate.example/".to_owned());
        assert_eq!(external(&config), "https://gate.example");
        assert_eq!(of_listener("[::]:443".parse().unwrap(), true), "https://localhost:443");
    }
}
