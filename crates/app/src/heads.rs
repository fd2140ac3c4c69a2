//! Signed heads of the audit log, and how they reach places that nobody on this machine can rewrite.
//!
//! Whoever owns this machine can write the database anew, its tip and its heads included. What they cannot do is to
//! take back a head that lies elsewhere. So heads are signed at a steady pace and carried to every configured place,
//! in order, until that place has taken them.

use crate::config;
use crate::house::House;
use crate::outgoing::{self, Client};
use anyhow::{Context, Result, bail};
use auth::head::{HeadKey, PublicKey, Signature};
use chrono::{DateTime, SecondsFormat, Utc};
use data_encoding::HEXLOWER_PERMISSIVE as HEX;
use model::Coded;
use model::audit::Position;
use model::egress::{Egress, Purpose};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::{AuditHead, Store};
use tokio::io::AsyncWriteExt;
use tokio::net::{UdpSocket, UnixDatagram};
use tokio_util::sync::CancellationToken;

/// What a place did not take is offered again after this time, then after twice as long, up to [`SLOWEST`].
const RETRY: Duration = Duration::from_secs(1);
const SLOWEST: Duration = Duration::from_secs(300);
/// A collector that does not read holds nobody up for longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Heads carried in one go.
const STRIDE: u32 = 100;
/// The priority of RFC 5424: facility 13 (log audit), severity 5 (notice).
const PRIORITY: u32 = 13 * 8 + 5;

/// A head as it is carried and kept: one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Tells it from other lines in a collector.
    kind: String,
    seq: u64,
    at: String,
    hash: String,
    /// What the signature is verified with.
    key: String,
    signature: String,
}

impl Line {
    pub(crate) fn of(head: &AuditHead) -> Line {
        let key = Signature::from_bytes(&head.signature).map(|signature| signature.key.to_string());
        Line {
            kind: api::HEAD_KIND.to_owned(),
            seq: head.position.seq,
            at: head.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            hash: HEX.encode(&head.position.hash),
            key: key.unwrap_or_default(),
            signature: HEX.encode(&head.signature),
        }
    }

    /// Every head in a text, whatever stands around it: a collector's file, or what the API answered.
    pub(crate) fn all(text: &str) -> impl Iterator<Item = Line> + use<'_> {
        text.match_indices('{').filter_map(|(at, _)| {
            // A head has no object inside, so that what follows the first closing brace is not looked at.
            let rest = text.get(at..)?;
            let object = rest.get(..=rest.find('}')?)?;
            serde_json::from_str::<Line>(object).ok().filter(|line| line.kind == api::HEAD_KIND)
        })
    }

    /// The position, if the holder of this key signed it.
    pub(crate) fn verify(&self, key: &PublicKey) -> Result<Position> {
        let malformed = || format!("the head of entry {} cannot be read; was it copied whole?", self.seq);
        let hash = HEX.decode(self.hash.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
        let position = Position { seq: self.seq, hash: hash.with_context(malformed)? };
        let at = DateTime::parse_from_rfc3339(&self.at).with_context(malformed)?.timestamp_micros();
        let signature = HEX.decode(self.signature.as_bytes()).with_context(malformed)?;
        Signature::from_bytes(&signature)
            .and_then(|signature| signature.verify(key, position, at))
            .map_err(|error| anyhow::anyhow!("entry {}: {error} ({})", self.seq, error.code()))?;
        Ok(position)
    }

    pub(crate) fn text(&self) -> Result<String> {
        serde_json::to_string(self).context("a head cannot be written")
    }
}

/// A syslog collector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Syslog {
    /// `udp://host:514`
    Udp(String, u16),
    /// `tcp://host:601`
    Tcp(String, u16),
    /// `unix:///dev/log`
    Unix(PathBuf),
}

impl Syslog {
    /// Reads what stands in the configuration.
    pub(crate) fn parse(text: &str) -> Result<Syslog> {
        let (scheme, rest) = text.split_once("://").context("it starts with udp://, tcp:// or unix://")?;
        let place = |usual: u16| -> Result<(String, u16)> {
            let (host, port) = match rest.rsplit_once(':') {
                Some((host, port)) if !port.ends_with(']') => {
                    (host, port.parse().context("the port is no number")?)
                }
                _ => (rest, usual),
            };
            let host = host.trim_start_matches('[').trim_end_matches(']');
            if host.is_empty() || host.contains('/') {
                bail!("it has a host and a port, such as udp://log.example.org:514");
            }
            Ok((host.to_owned(), port))
        };
        Ok(match scheme {
            "udp" => place(514).map(|(host, port)| Syslog::Udp(host, port))?,
            "tcp" => place(601).map(|(host, port)| Syslog::Tcp(host, port))?,
            "unix" if rest.starts_with('/') => Syslog::Unix(rest.into()),
            _ => bail!("it starts with udp://, tcp:// or unix:///"),
        })
    }

    /// One message [RFC 5424]; an administrator's own collector may be on this machine.
    async fn send(&self, message: &str, egress: &Egress) -> Result<()> {
        match self {
            Syslog::Udp(host, port) => {
                let all = outgoing::resolve(host, *port, Purpose::AdministratorsTarget, egress).await?;
                let to = *all.first().context("the name leads nowhere")?;
                let any: SocketAddr = if to.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
                let socket = UdpSocket::bind(any).await?;
                // Connected, so that a refusal of the other side is heard of.
                socket.connect(to).await?;
                socket.send(message.as_bytes()).await?;
            }
            Syslog::Tcp(host, port) => {
                let purpose = Purpose::AdministratorsTarget;
                let mut stream = outgoing::connect(host, *port, purpose, egress).await?;
                // The length in front [RFC 6587, 3.4.1].
                stream.write_all(format!("{} {message}", message.len()).as_bytes()).await?;
                stream.shutdown().await?;
            }
            Syslog::Unix(path) => {
                UnixDatagram::unbound()?.send_to(message.as_bytes(), path).await?;
            }
        }
        Ok(())
    }
}

fn message(line: &str, at: DateTime<Utc>) -> String {
    let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host =
        if host.is_empty() { "-".to_owned() } else { host.replace(|c: char| !c.is_ascii_graphic(), "-") };
    format!("<{PRIORITY}>1 {at} {host} gatehouse {} audit-head - {line}", std::process::id())
}

/// A place that heads are carried to.
enum Place {
    Syslog(Syslog),
    Webhook(outgoing::Address, Client),
    File(PathBuf),
}

impl Place {
    /// What it is called in logs and where its progress is kept. No address: that may carry a token.
    fn name(&self) -> &'static str {
        match self {
            Place::Syslog(_) => "syslog",
            Place::Webhook(..) => "webhook",
            Place::File(_) => "file",
        }
    }

    async fn take(&self, head: &AuditHead, egress: &Egress) -> Result<()> {
        let line = Line::of(head).text()?;
        match self {
            Place::Syslog(syslog) => {
                tokio::time::timeout(PATIENCE, syslog.send(&message(&line, head.at), egress))
                    .await
                    .context("it did not take the message in time")?
            }
            Place::Webhook(address, client) => client.post(address, &line).await,
            Place::File(path) => append(path, &line),
        }
    }
}

/// Flushed to the disk: what is called delivered is there.
fn append(path: &Path, line: &str) -> Result<()> {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_data()?;
    Ok(())
}

/// Signs heads and carries them.
pub(crate) struct Keeper {
    store: Store,
    key: Arc<HeadKey>,
    places: Vec<Place>,
    egress: Arc<Egress>,
}

/// Begins to sign and carry heads until `stop`.
pub(crate) fn keep(house: &House, listeners: Vec<SocketAddr>, stop: &CancellationToken) -> Result<()> {
    let keeper = Keeper::new(house, listeners)?;
    let period = Duration::from_secs(house.config.audit.head_seconds);
    tokio::spawn(keeper.run(period, stop.clone()));
    Ok(())
}

impl Keeper {
    fn new(house: &House, listeners: Vec<SocketAddr>) -> Result<Keeper> {
        let config::Audit { syslog, webhook, file, .. } = &house.config.audit;
        let egress = Arc::new(Egress {
            listeners,
            local_services: house.config.egress.local_services.clone(),
            denied: house.config.egress.denied_networks()?,
        });
        let mut places = Vec::new();
        if let Some(syslog) = syslog {
            places.push(Place::Syslog(Syslog::parse(syslog).context("audit.syslog")?));
        }
        if let Some(webhook) = webhook {
            let address = outgoing::Address::parse(webhook).context("audit.webhook")?;
            tracing::debug!(place = address.place(), "Heads of the audit log go to a webhook");
            places.push(Place::Webhook(
                address,
                Client::new(Arc::clone(&egress), house.config.egress.trust()?),
            ));
        }
        if let Some(file) = file {
            places.push(Place::File(file.clone()));
        }
        Ok(Keeper { store: house.store.clone(), key: Arc::clone(&house.head_key), places, egress })
    }

    async fn run(self, period: Duration, stop: CancellationToken) {
        let mut signing = tokio::time::interval(period);
        signing.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut is_waiting, mut wait) = (false, RETRY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = signing.tick() => {
                    if let Err(error) = sign(&self.store, &self.key).await {
                        tracing::error!(error = format!("{error:#}"), "The audit log's end could not be signed");
                    }
                }
                () = tokio::time::sleep(wait), if is_waiting => {}
            }
            is_waiting = !self.carry().await;
            wait = if is_waiting { (wait * 2).min(SLOWEST) } else { RETRY };
        }
    }

    /// Carries what waits to every place; answers whether all of them have everything.
    async fn carry(&self) -> bool {
        let mut is_done = true;
        for place in &self.places {
            if let Err(error) = self.carry_to(place).await {
                is_done = false;
                tracing::warn!(
                    error = format!("{error:#}"),
                    place = place.name(),
                    "A head of the audit log was not delivered; it is tried again"
                );
            }
        }
        is_done
    }

    async fn carry_to(&self, place: &Place) -> Result<()> {
        let (settings, audit) = (self.store.settings(), self.store.audit());
        let name = format!("audit.head.{}", place.name());
        let mut reached = match settings.find(&name).await?.and_then(|text| text.parse::<u64>().ok()) {
            Some(seq) => seq,
            // A new place begins with the newest head, which vouches for all that is before it.
            None => audit.last_head().await?.map_or(0, |head| head.position.seq.saturating_sub(1)),
        };
        loop {
            let heads = audit.heads(reached, false, STRIDE).await?;
            if heads.is_empty() {
                return Ok(());
            }
            for head in heads {
                place.take(&head, &self.egress).await?;
                reached = head.position.seq;
                settings.put(&name, &reached.to_string(), Utc::now()).await?;
                audit.head_delivered(reached, Utc::now()).await?;
            }
        }
    }
}

/// Signs the log's end, unless that was done. Answers the head, if there is anything to sign.
pub(crate) async fn sign(store: &Store, key: &HeadKey) -> Result<Option<AuditHead>> {
    let audit = store.audit();
    let position = audit.tip().await?;
    let last = audit.last_head().await?;
    if position.seq == 0 || last.as_ref().is_some_and(|last| last.position.seq >= position.seq) {
        return Ok(last);
    }
    let at = chrono::SubsecRound::trunc_subsecs(Utc::now(), 6);
    let signature = key.sign(position, at.timestamp_micros()).to_bytes();
    let head = AuditHead { position, at, signature, delivered_at: None };
    match audit.add_head(head.clone()).await {
        // Somebody else was quicker: the same place is signed all the same.
        Ok(()) | Err(store::StoreError::Conflict(_)) => Ok(Some(head)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_found_among_a_collectors_words() {
        let directory = tempfile::tempdir().unwrap();
        let key = HeadKey::in_directory(directory.path()).unwrap();
        let position = Position { seq: 7, hash: [5; 32] };
        let at = DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap();
        let signature = key.sign(position, at.timestamp_micros()).to_bytes();
        let head = AuditHead { position, at, signature, delivered_at: None };
        let text = message(&Line::of(&head).text().unwrap(), at);
        assert!(text.starts_with("<109>1 2023-11-14T22:13:20.123456Z "), "{text}");
        let words = format!(
            "Nov 14 22:13:20 {{odd}} {text} [end]\n{{\"heads\":[{0},\n {0}]}}",
            Line::of(&head).text().unwrap()
        );
        assert_eq!(Line::all(&words).count(), 3);
        let line = Line::all(&words).next().unwrap();
        assert_eq!(line.verify(&key.public()).unwrap(), position);
        let forged = Line { seq: 8, ..line };
        let error = forged.verify(&key.public()).unwrap_err().to_string();
        assert!(error.contains("audit.head_forged"), "{error}");
        assert!(Line::all("{\"kind\":\"other\"} {").next().is_none() && Line::all("").next().is_none());
    }

    #[test]
    fn collectors_are_read() {
        assert_eq!(Syslog::parse("udp://log.example").unwrap(), Syslog::Udp("log.example".into(), 514));
        assert_eq!(Syslog::parse("tcp://[::1]:6514").unwrap(), Syslog::Tcp("::1".into(), 6514));
        assert_eq!(Syslog::parse("unix:///dev/log").unwrap(), Syslog::Unix("/dev/log".into()));
        for bad in
            ["log.example", "udp://", "tls://host", "udp://host:x", "unix://dev/log", "udp://host/path"]
        {
            assert!(Syslog::parse(bad).is_err(), "{bad}");
        }
    }
}
