//! Variables that other systems of this kind are configured by. They are read so that an installation can move here
//! with its `.env`; the file and `GATEHOUSE_*` win over them.

use crate::environment;
use anyhow::{Context, Result, bail};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A value and the variable that it came from.
struct Named {
    variable: &'static str,
    key: &'static str,
    value: Value,
}

impl Provider for Named {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("variable {}", self.variable))
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let dict = figment::util::nest(self.key, self.value.clone()).into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}

/// Variables whose text is the value of a key.
const TEXTS: [(&str, &str); 9] = [
    (environment::DATABASE_URL, "database.url"),
    ("PROXMOX_HOST", "proxmox.host"),
    ("PROXMOX_USER", "proxmox.user"),
    ("PROXMOX_PASSWORD", "proxmox.password"),
    ("PROXMOX_TOKEN_NAME", "proxmox.token_name"),
    ("PROXMOX_TOKEN_VALUE", "proxmox.token_value"),
    ("PROXMOX_SSH_HOST", "proxmox.ssh_host"),
    ("PROXMOX_SSH_USER", "proxmox.ssh_user"),
    ("PROXMOX_SSH_KEY_PATH", "proxmox.ssh_key_path"),
];

/// Secrets whose `GATEHOUSE_*` variables were taken out of the environment before figment could look.
const TAKEN: [(&str, &str); 3] = [
    ("GATEHOUSE_DATABASE__URL", "database.url"),
    ("GATEHOUSE_PROXMOX__PASSWORD", "proxmox.password"),
    ("GATEHOUSE_PROXMOX__TOKEN_VALUE", "proxmox.token_value"),
];

/// Adds what the documents' variables say; `listen` is the web address without them.
pub(crate) fn merge(mut figment: Figment, listen: SocketAddr) -> Result<Figment> {
    let mut put = |variable, key, value: Value| {
        let named = Named { variable, key, value };
        figment = std::mem::take(&mut figment).merge(named);
    };
    for (variable, key) in TEXTS {
        if let Some(text) = environment::text(variable)? {
            put(variable, key, Value::from(text));
        }
    }
    let (host, port) = (environment::text("HOST")?, environment::text("PORT")?);
    if host.is_some() || port.is_some() {
        let named = match (&host, &port) {
            (Some(_), Some(_)) => "HOST and PORT",
            (Some(_), None) => "HOST",
            _ => "PORT",
        };
        put(named, "web.listen", Value::from(address(host.as_deref(), port.as_deref(), listen)?.to_string()));
    }
    if let Some(text) = environment::text("ALLOWED_ORIGINS")? {
        let origins: Vec<&str> = text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).collect();
        put("ALLOWED_ORIGINS", "web.allowed_origins", Value::serialize(origins)?);
    }
    if let Some(text) = environment::text("JWT_EXPIRES_IN")? {
        put("JWT_EXPIRES_IN", "auth.login_hours", Value::from(hours(&text)?));
    }
    if let Some(text) = environment::text("VNC_PORTS")? {
        put("VNC_PORTS", "detection.vnc_ports", Value::from(text));
    }
    for (variable, key) in
        [("MONITORING_INTERVAL", "detection.interval_ms"), ("THREAT_THRESHOLD", "detection.threshold")]
    {
        if let Some(text) = environment::text(variable)? {
            let number: u32 =
                text.trim().parse().with_context(|| format!("{variable} is no number: {text:?}"))?;
            put(variable, key, Value::from(number));
        }
    }
    if let Some(text) = environment::text("NODE_ENV")? {
        put("NODE_ENV", "log.environment", Value::from(text));
    }
    Ok(figment)
}

/// Adds the values of secret variables of our own.
pub(crate) fn merge_taken(mut figment: Figment) -> Result<Figment> {
    for (variable, key) in TAKEN {
        if let Some(text) = environment::text(variable)? {
            figment = figment.merge(Named { variable, key, value: Value::from(text) });
        }
    }
    Ok(figment)
}

/// What is worth knowing about variables that are set, for `config check`.
pub(crate) fn notes() -> Vec<String> {
    let is_set = |name: &&str| environment::variable(name).is_some();
    let note = |name: &str, text: &str| format!("{name}: {text}");
    let mut notes = Vec::new();
    if is_set(&"BCRYPT_ROUNDS") {
        notes.push(note(
            "BCRYPT_ROUNDS",
            "accepted, without effect: passwords are hashed with Argon2id, whose cost auth.password_memory and auth.password_passes set",
        ));
    }
    if is_set(&"NODE_ENV") {
        notes.push(note("NODE_ENV", "accepted: it names the environment in logs and changes nothing else"));
    }
    if is_set(&"JWT_EXPIRES_IN") {
        notes.push(note(
            "JWT_EXPIRES_IN",
            "sets how long a log-in lasts; access tokens last auth.access_minutes",
        ));
    }
    for name in ["VNC_PORTS", "MONITORING_INTERVAL", "THREAT_THRESHOLD"].iter().filter(|name| is_set(name)) {
        notes.push(note(name, "accepted and kept; not used yet"));
    }
    if TEXTS.iter().any(|(name, _)| name.starts_with("PROXMOX_") && is_set(name)) {
        notes.push(note("PROXMOX_*", "accepted and kept as one cluster; not used yet"));
    }
    notes
}

fn address(host: Option<&str>, port: Option<&str>, listen: SocketAddr) -> Result<SocketAddr> {
    let ip = match host.map(str::trim) {
        None => listen.ip(),
        Some("localhost") => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Some(text) => text
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .with_context(|| format!("HOST is no address to listen on: {text:?}"))?,
    };
    let port = match port.map(str::trim) {
        None => listen.port(),
        Some(text) => text.parse().with_context(|| format!("PORT is no port: {text:?}"))?,
    };
    Ok(SocketAddr::new(ip, port))
}

/// A duration as the documents write it: `24h`, `7d`, `90m`, `3600s`; a bare number is seconds. At least an hour.
fn hours(text: &str) -> Result<u32> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = text.get(digits.len()..).unwrap_or_default().trim();
    let seconds: u64 = match unit {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" | "hours" => 3600,
        "d" | "days" => 86_400,
        _ => bail!("JWT_EXPIRES_IN is no duration such as 24h: {text:?}"),
    };
    let number: u64 = digits
        .trim()
        .parse()
        .with_context(|| format!("JWT_EXPIRES_IN is no duration such as 24h: {text:?}"))?;
    let hours = number.saturating_mul(seconds).div_ceil(3600).max(1);
    u32::try_from(hours).context("JWT_EXPIRES_IN is longer than anybody lives")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_the_documents_write_them() {
        for (text, expected) in
            [("24h", 24), ("7d", 168), ("90m", 2), ("86400", 24), ("1s", 1), ("8 hours", 8)]
        {
            assert_eq!(hours(text).unwrap(), expected, "{text}");
        }
        for text in ["", "soon", "h", "1w", "-1h"] {
            assert!(hours(text).is_err(), "{text}");
        }
    }

    #[test]
    fn host_and_port_make_one_address() {
        let listen = "127.0.0.1:5000".parse().unwrap();
        let of = |host, port| address(host, port, listen).map(|address| address.to_string());
        assert_eq!(of(Some("0.0.0.0"), None).unwrap(), "0.0.0.0:5000");
        assert_eq!(of(Some("[::]"), Some("80")).unwrap(), "[::]:80");
        assert_eq!(of(Some("localhost"), Some("8080")).unwrap(), "127.0.0.1:8080");
        assert!(of(Some("gate.example"), None).is_err());
        assert!(of(None, Some("70000")).is_err());
    }
}
