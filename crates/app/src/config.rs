//! `gatehouse.toml` and `GATEHOUSE_*`: one typed configuration, checked with the line and the reason.

use crate::documents;
use anyhow::{Context, Result, anyhow, bail};
use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use gateway::tls::TargetTrust;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Everything that can be set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Database, keys and certificates; by default the user's data directory.
    pub(crate) data: Option<PathBuf>,
    pub(crate) web: Web,
    pub(crate) native: Native,
    pub(crate) database: Database,
    pub(crate) auth: Auth,
    pub(crate) limits: Limits,
    pub(crate) sessions: Sessions,
    pub(crate) egress: Egress,
    pub(crate) metrics: Metrics,
    pub(crate) audit: Audit,
    pub(crate) detection: Detection,
    pub(crate) proxmox: Option<Proxmox>,
    pub(crate) log: Log,
}

/// The web address and who may speak through it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Web {
    pub(crate) listen: SocketAddr,
    /// The address that people type, when it is not the one we listen on.
    pub(crate) external_url: Option<String>,
    /// Further host names under which requests are answered.
    pub(crate) hosts: Vec<String>,
    /// Pages of other sites that may use the API and consoles by tokens, never by a cookie.
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) tls: Tls,
    /// Addresses or networks of proxies whose forwarding headers are believed.
    pub(crate) trusted_proxies: Vec<String>,
    /// Connections must begin with a PROXY header (from a trusted proxy).
    pub(crate) proxy_protocol: bool,
}

/// Where TLS comes from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) mode: TlsMode,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TlsMode {
    /// Plain on loopback, the own certificate elsewhere.
    #[default]
    Auto,
    /// Plain HTTP; for loopback or behind a proxy.
    Off,
    /// The certificate made at first run.
    Own,
    /// `certificate` and `key`, read again when they change.
    Files,
}

/// The door for native viewers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Native {
    pub(crate) enabled: bool,
    pub(crate) listen: SocketAddr,
    /// Offers TLS without a certificate (VeNCrypt TLSPlain), for viewers that cannot check one.
    pub(crate) anonymous_tls: bool,
    /// Offers RA2-256.
    pub(crate) ra2: bool,
    /// Offers RA2ne-256, whose session is in clear after the credentials; on loopback only.
    pub(crate) ra2ne: bool,
    /// Offers VncAuth for one-time passwords that tickets then carry; a listener can guess them offline.
    pub(crate) vnc_auth: bool,
    /// Connections must begin with a PROXY header (from one of `web.trusted_proxies`).
    pub(crate) proxy_protocol: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Database {
    /// `sqlite:PATH` or `postgres://…`; by default SQLite in the data directory.
    pub(crate) url: Option<String>,
}

/// How people prove who they are, and for how long that counts.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Auth {
    /// Hours after which a log-in ends.
    pub(crate) login_hours: u32,
    /// Minutes without a request after which a log-in ends.
    pub(crate) idle_minutes: u32,
    /// Minutes that an access token of an API client lasts.
    pub(crate) access_minutes: u32,
    /// Fewest characters of a password.
    pub(crate) password_length: usize,
    /// Argon2id: memory in KiB.
    pub(crate) password_memory: u32,
    /// Argon2id: passes over it.
    pub(crate) password_passes: u32,
}

/// How often what may be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Requests of one address without a valid login, in 15 minutes.
    pub(crate) anonymous: u32,
    /// Requests of one person or API token in a minute.
    pub(crate) person: u32,
    /// Connection tests of one person in a minute.
    pub(crate) connection_tests: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sessions {
    /// Minutes that a session lasts unless it is extended; a ticket made at this machine must be used in them.
    pub(crate) expires_minutes: u32,
    /// Minutes after which a session ends, however often it was extended.
    pub(crate) max_minutes: u32,
    /// Whether consoles stay open when their person logs out or is logged out.
    pub(crate) outlive_login: bool,
    /// Seconds in which a lost viewer may come back.
    pub(crate) resume_seconds: u32,
    /// Seconds that a stop waits for sessions.
    pub(crate) drain_seconds: u32,
    pub(crate) max_sessions: usize,
}

/// Where the gateway connects to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Egress {
    /// Networks that are never connected to, such as `10.9.0.0/16`.
    pub(crate) denied: Vec<String>,
    /// Loopback addresses where webhooks may be reached all the same: `127.0.0.1:8080`.
    pub(crate) local_services: Vec<SocketAddr>,
    /// Certificates of authorities, in PEM, that are trusted besides the public ones.
    pub(crate) authorities: Option<PathBuf>,
}

impl Egress {
    /// The networks as they are compared.
    pub(crate) fn denied_networks(&self) -> Result<Vec<model::egress::Network>> {
        let read = |text: &String| text.parse().with_context(|| format!("egress.denied: {text:?}"));
        self.denied.iter().map(read).collect()
    }

    /// Whose word counts for targets' and webhooks' certificates.
    pub(crate) fn trust(&self) -> Result<TargetTrust> {
        TargetTrust::new(self.authorities.as_deref()).context("egress.authorities")
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Metrics {
    /// Lets `/metrics` be read from elsewhere than loopback, by bearer token in this file.
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// error, warn, info, debug, trace, or a filter such as `info,gateway=debug`; for standard error.
    pub(crate) level: String,
    pub(crate) format: LogFormat,
    /// What this installation is, in each JSON line.
    pub(crate) environment: String,
    /// Where the files `application.log`, `vnc-monitor.log` and `error.log` are written; none without it.
    pub(crate) directory: Option<PathBuf>,
    /// Level or filter of `application.log`; `off` for none.
    pub(crate) application: String,
    /// Level of `vnc-monitor.log`, which holds what sessions and their protocol tell.
    pub(crate) vnc_monitor: String,
    /// Level of `error.log`.
    pub(crate) error: String,
    /// A file that would grow beyond this begins anew.
    pub(crate) max_megabytes: u64,
    /// So many older files are kept of each.
    pub(crate) keep: u32,
}

/// Where signed heads of the audit log go, so that a cut log is found out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Audit {
    /// Seconds between two heads; none is made while nothing was written down.
    pub(crate) head_seconds: u64,
    /// `udp://host:514`, `tcp://host:601` or `unix:///dev/log`.
    pub(crate) syslog: Option<String>,
    /// `https://…`, which gets each head as a JSON document by POST.
    pub(crate) webhook: Option<String>,
    /// A file that heads are appended to, best one that can only be appended to.
    pub(crate) file: Option<PathBuf>,
    /// Days after which names and addresses beside the log are forgotten; 0 for never.
    pub(crate) people_days: u32,
}

/// What the later parts of the program will watch for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Detection {
    /// Ports and ranges where VNC is expected; any other port that speaks RFB counts too.
    pub(crate) vnc_ports: String,
    /// Milliseconds between two looks.
    pub(crate) interval_ms: u32,
    /// Risk from 0 to 100 at which a session is a threat.
    pub(crate) threshold: u32,
}

/// One Proxmox cluster.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Proxmox {
    pub(crate) host: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) token_name: Option<String>,
    pub(crate) token_value: Option<String>,
    pub(crate) ssh_host: Option<String>,
    pub(crate) ssh_user: Option<String>,
    pub(crate) ssh_key_path: Option<PathBuf>,
}

impl std::fmt::Debug for Proxmox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxmox").field("host", &self.host).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

impl Default for Web {
    fn default() -> Self {
        Web {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5000),
            external_url: None,
            hosts: Vec::new(),
            allowed_origins: Vec::new(),
            tls: Tls::default(),
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
        }
    }
}

impl Default for Native {
    fn default() -> Self {
        Native {
            enabled: true,
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5900),
            anonymous_tls: false,
            ra2: true,
            ra2ne: false,
            vnc_auth: false,
            proxy_protocol: false,
        }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Auth {
            login_hours: 24,
            idle_minutes: 30,
            access_minutes: 15,
            password_length: 12,
            password_memory: 19_456,
            password_passes: 2,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits { anonymous: 100, person: 600, connection_tests: 10 }
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Sessions {
            expires_minutes: 15,
            max_minutes: 480,
            outlive_login: false,
            resume_seconds: 30,
            drain_seconds: 10,
            max_sessions: 10_000,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log {
            level: "info".to_owned(),
            format: LogFormat::Text,
            environment: "production".to_owned(),
            directory: None,
            application: "info".to_owned(),
            vnc_monitor: "info".to_owned(),
            error: "error".to_owned(),
            max_megabytes: 20,
            keep: 5,
        }
    }
}

impl Default for Audit {
    fn default() -> Self {
        Audit { head_seconds: 3600, syslog: None, webhook: None, file: None, people_days: 365 }
    }
}

impl Default for Detection {
    fn default() -> Self {
        Detection { vnc_ports: "5900-5905".to_owned(), interval_ms: 5000, threshold: 70 }
    }
}

/// A configuration with the places that it came from.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) file: Option<PathBuf>,
    figment: Figment,
}

impl Loaded {
    /// `key = value  (source)` for every value that is set.
    pub(crate) fn provenance(&self) -> Result<Vec<String>> {
        let value = toml::Value::try_from(&self.config).context("the configuration cannot be shown")?;
        let mut lines = Vec::new();
        flatten("", &value, &mut |key, shown| {
            let source = self.figment.find_metadata(key).map_or("default".to_owned(), |m| match &m.source {
                Some(source) => source.to_string(),
                None => m.name.to_string(),
            });
            let source = if source.starts_with("code ") || source.contains(".rs") {
                "default".to_owned()
            } else {
                source
            };
            lines.push(format!("{key} = {shown}  ({source})"));
        });
        Ok(lines)
    }
}

/// Reads defaults, then other systems' variables, then the file, then the environment (`GATEHOUSE_WEB__LISTEN`).
pub(crate) fn load(file: Option<&Path>, data: Option<&Path>) -> Result<Loaded> {
    let file = match file {
        Some(path) => Some(path.to_path_buf()),
        None => [Some(PathBuf::from("gatehouse.toml")), data.map(|d| d.join("gatehouse.toml"))]
            .into_iter()
            .flatten()
            .find(|p| p.is_file()),
    };
    let defaults = Config::default();
    let listen = defaults.web.listen;
    let mut figment = documents::merge(Figment::from(Serialized::defaults(defaults)), listen)?;
    if let Some(path) = &file {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        // Parsed alone first: the toml crate names line and column, figment only the key.
        toml::from_str::<Config>(&text).map_err(|e| anyhow!("{}: {e}", path.display()))?;
        figment = figment.merge(Toml::file_exact(path));
    }
    // A value always names its section; GATEHOUSE_DATA and the like are not values of the file.
    let environment = Env::prefixed("GATEHOUSE_").filter(|key| key.as_str().contains("__")).split("__");
    figment = documents::merge_taken(figment.merge(environment))?;
    if let Some(data) =
        data.map(Path::to_path_buf).or_else(|| std::env::var_os("GATEHOUSE_DATA").map(PathBuf::from))
    {
        figment = figment.merge(("data", data));
    }
    let config: Config = figment.extract().map_err(|e| anyhow!("the configuration is not valid: {e}"))?;
    check(&config)?;
    Ok(Loaded { config, file, figment })
}

/// What types cannot say.
fn check(config: &Config) -> Result<()> {
    let tls = &config.web.tls;
    if tls.mode == TlsMode::Files && (tls.certificate.is_none() || tls.key.is_none()) {
        bail!("web.tls.mode is \"files\", so web.tls.certificate and web.tls.key must name PEM files");
    }
    if config.web.tls.mode == TlsMode::Off
        && !config.web.listen.ip().is_loopback()
        && config.web.trusted_proxies.is_empty()
    {
        bail!(
            "web.tls.mode is \"off\" on {}: name the proxy in web.trusted_proxies, or use \"own\"",
            config.web.listen
        );
    }
    if (config.web.proxy_protocol || config.native.proxy_protocol) && config.web.trusted_proxies.is_empty() {
        bail!("proxy_protocol needs web.trusted_proxies: whose headers may be believed?");
    }
    if config.native.ra2ne && !config.native.listen.ip().is_loopback() {
        bail!(
            "native.ra2ne sends the session in clear, so native.listen must be on loopback, not {}",
            config.native.listen
        );
    }
    if let Some(url) = &config.web.external_url
        && !(url.starts_with("https://") || url.starts_with("http://"))
    {
        bail!("web.external_url must start with https:// or http://, not {url:?}");
    }
    config.egress.denied_networks()?;
    config.egress.trust()?;
    if !(1..=1440).contains(&config.sessions.expires_minutes) {
        bail!("sessions.expires_minutes must be from 1 to 1440");
    }
    if config.sessions.max_minutes < config.sessions.expires_minutes {
        bail!("sessions.max_minutes must not be less than sessions.expires_minutes");
    }
    let auth = &config.auth;
    if auth.login_hours == 0 || auth.idle_minutes == 0 || !(1..=60).contains(&auth.access_minutes) {
        bail!("auth.login_hours and auth.idle_minutes start at 1, auth.access_minutes is from 1 to 60");
    }
    check_audit(&config.audit)?;
    if config.log.max_megabytes == 0 {
        bail!("log.max_megabytes starts at 1");
    }
    if config.detection.threshold > 100 || config.detection.interval_ms == 0 {
        bail!("detection.threshold is from 0 to 100, detection.interval_ms starts at 1");
    }
    ports(&config.detection.vnc_ports)?;
    if config.limits.anonymous == 0 || config.limits.person == 0 || config.limits.connection_tests == 0 {
        bail!("limits start at 1");
    }
    Ok(())
}

fn check_audit(audit: &Audit) -> Result<()> {
    if audit.head_seconds == 0 {
        bail!("audit.head_seconds starts at 1");
    }
    if let Some(syslog) = &audit.syslog {
        crate::heads::Syslog::parse(syslog).context("audit.syslog")?;
    }
    if let Some(webhook) = &audit.webhook {
        crate::outgoing::Address::parse(webhook).context("audit.webhook")?;
    }
    Ok(())
}

/// Ports and ranges with commas between.
fn ports(text: &str) -> Result<()> {
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.trim().parse::<u16>(), last.trim().parse::<u16>()) {
            (Ok(first), Ok(last)) if 0 < first && first <= last => {}
            _ => bail!("detection.vnc_ports has ports and ranges such as 5900-5905,6000, not {part:?}"),
        }
    }
    Ok(())
}

impl Config {
    /// Whether the web address speaks TLS.
    pub(crate) fn web_is_tls(&self) -> bool {
        match self.web.tls.mode {
            TlsMode::Off => false,
            TlsMode::Auto => !self.web.listen.ip().is_loopback(),
            TlsMode::Own | TlsMode::Files => true,
        }
    }

    /// The data directory in force.
    pub(crate) fn data_dir(&self) -> Result<PathBuf> {
        if let Some(dir) = &self.data {
            return Ok(dir.clone());
        }
        let home = std::env::var_os("XDG_DATA_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".local/share")));
        match home {
            Some(dir) => Ok(dir.join("gatehouse")),
            None => bail!("no home directory: say where the data goes with --data DIR"),
        }
    }
}

fn flatten(prefix: &str, value: &toml::Value, each: &mut impl FnMut(&str, String)) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&path, value, each);
            }
        }
        other => each(prefix, redact(prefix, other)),
    }
}

/// Values that nobody may read over a shoulder. A URL may carry a name and a password, or a token in its path.
fn redact(key: &str, value: &toml::Value) -> String {
    if key.ends_with("password") || key.ends_with("token_value") {
        return "…".to_owned();
    }
    let Some((scheme, rest)) = value.as_str().and_then(|text| text.split_once("://")) else {
        return value.to_string();
    };
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path));
    let host = authority.rsplit_once('@').map_or(authority.to_owned(), |(_, host)| format!("…@{host}"));
    match key {
        // A password may stand in the query as well.
        "database.url" => {
            let path = path.split_once('?').map_or(path.to_owned(), |(path, _)| format!("{path}?…"));
            // A password with a slash in it would end up in the path.
            match path.rsplit_once('@') {
                Some((_, rest)) => format!("\"{scheme}://…@{rest}\""),
                None => format!("\"{scheme}://{host}/{path}\""),
            }
        }
        "audit.webhook" => format!("\"{scheme}://{host}/…\""),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Result<Loaded> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("gatehouse.toml");
        std::fs::write(&file, text).unwrap();
        load(Some(&file), None)
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        let loaded = load_text("").unwrap();
        assert_eq!(loaded.config.web.listen.to_string(), "127.0.0.1:5000");
        assert!(!loaded.config.web_is_tls());
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let error = load_text("[web]\nlisten = \"127.0.0.1:5000\"\nlisen = 3\n").err().unwrap().to_string();
        assert!(error.contains("line 3") && error.contains("lisen"), "{error}");
        let error = load_text("[sessions]\nexpires_minutes = \"soon\"\n").err().unwrap().to_string();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn contradictions_are_refused() {
        for (text, word) in [
            ("[web.tls]\nmode = \"files\"", "certificate"),
            ("[web]\nlisten = \"0.0.0.0:80\"\ntls.mode = \"off\"", "trusted_proxies"),
            ("[web]\nproxy_protocol = true", "trusted_proxies"),
            ("[native]\nproxy_protocol = true", "trusted_proxies"),
            ("[native]\nlisten = \"192.0.2.1:5900\"\nra2ne = true", "loopback"),
            ("[web]\nexternal_url = \"gate.example\"", "https://"),
            ("[sessions]\nexpires_minutes = 0", "1440"),
            ("[sessions]\nexpires_minutes = 60\nmax_minutes = 30", "max_minutes"),
            ("[auth]\nidle_minutes = 0", "idle_minutes"),
            ("[limits]\nperson = 0", "limits"),
            ("[audit]\nhead_seconds = 0", "head_seconds"),
            ("[audit]\nsyslog = \"log.example\"", "audit.syslog"),
            ("[audit]\nwebhook = \"http://log.example/\"", "audit.webhook"),
            ("[detection]\nthreshold = 101", "threshold"),
            ("[detection]\nvnc_ports = \"5905-5900\"", "vnc_ports"),
            ("[log]\nmax_megabytes = 0", "max_megabytes"),
            ("[egress]\ndenied = [\"10.0.0.0/40\"]", "10.0.0.0/40"),
            ("[egress]\nauthorities = \"/nonexistent/ca.pem\"", "egress.authorities"),
        ] {
            let error = load_text(text).err().unwrap().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_database_password_is_not_shown() {
        for url in [
            "postgres://gate:hunter2@db/gatehouse",
            "postgres://gate:a/hunter2@db/gatehouse",
            "postgres://gate@db/gatehouse?password=hunter2",
        ] {
            let loaded = load_text(&format!("[database]\nurl = \"{url}\"")).unwrap();
            let shown = loaded.provenance().unwrap().join("\n");
            assert!(shown.contains("db/gatehouse") && !shown.contains("hunter2"), "{shown}");
        }
    }
}
