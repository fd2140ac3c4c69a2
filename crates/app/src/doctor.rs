//! `gatehouse doctor`: what works, what does not, and what to do about it.

use crate::cli::Common;
use crate::config;
use crate::house::House;
use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use gateway::dial::{self, Purpose};
use std::net::{SocketAddr, TcpListener};

/// A clock before this program was made is wrong, and certificates and tickets depend on it.
const MADE: &str = "2026-11-01T00:00:00Z";

/// Checks one after the other; fails when one does.
pub(crate) async fn run(common: &Common) -> Result<()> {
    let mut findings = Findings::default();
    let loaded = config::load(common.config.as_deref(), common.data.as_deref());
    findings.note(
        "configuration",
        loaded
            .as_ref()
            .map(|l| match &l.file {
                Some(file) => file.display().to_string(),
                None => "defaults and environment".to_owned(),
            })
            .map_err(|e| format!("{e:#}")),
    );
    let Ok(loaded) = loaded else { return findings.close() };
    findings.note("clock", clock(Utc::now()));
    port(&mut findings, "web port", loaded.config.web.listen);
    if loaded.config.native.enabled {
        port(&mut findings, "native port", loaded.config.native.listen);
    }
    let house = match House::with(loaded.config).await {
        Ok(house) => house,
        Err(error) => {
            findings.note("data and database", Err(format!("{error:#}")));
            return findings.close();
        }
    };
    let database = house.store.ping().await;
    findings.note("database", database.map(|()| house.store.dialect().to_owned()).map_err(|e| e.to_string()));
    targets(&mut findings, &house).await?;
    findings.close()
}

/// What was found so far.
#[derive(Default)]
struct Findings {
    bad: usize,
}

impl Findings {
    fn note(&mut self, what: &str, found: std::result::Result<String, String>) {
        match found {
            Ok(detail) => println!("ok    {what}: {detail}"),
            Err(detail) => {
                self.bad += 1;
                println!("BAD   {what}: {detail}");
            }
        }
    }

    fn close(self) -> Result<()> {
        if self.bad > 0 {
            bail!("{} of the checks failed; each line above says what to do", self.bad);
        }
        Ok(())
    }
}

fn clock(now: DateTime<Utc>) -> std::result::Result<String, String> {
    let made = DateTime::parse_from_rfc3339(MADE).map_err(|e| e.to_string())?;
    if now < made {
        return Err(format!(
            "it is {now} here, which is before this program was made; set the clock (timedatectl)"
        ));
    }
    Ok(now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

/// A port is fine when it is free, or when Gatehouse itself answers on it.
fn port(findings: &mut Findings, what: &str, address: SocketAddr) {
    findings.note(
        what,
        match TcpListener::bind(address) {
            Ok(_) => Ok(format!("{address} is free")),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                Ok(format!("{address} is in use; if that is not Gatehouse, choose another in gatehouse.toml"))
            }
            Err(error) => Err(format!("{address}: {error}; choose another in gatehouse.toml")),
        },
    );
}

/// Reaches every target and logs in.
async fn targets(findings: &mut Findings, house: &House) -> Result<()> {
    let listeners = vec![house.config.web.listen, house.config.native.listen];
    let context = crate::serve::dial_context(&house.config, listeners)?;
    for record in house.store.targets().list().await? {
        let what = format!("target {}", record.name);
        let endpoint = api::endpoint(&house.sealer, record);
        let found = dial::dial(&endpoint, &context, Purpose::Console).await;
        findings.note(
            &what,
            found
                .map(|dialed| {
                    let result = &dialed.result;
                    format!("{:?}, {}x{}", result.security_type, dialed.init.width, dialed.init.height)
                })
                .map_err(|error| error.to_string()),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_of_long_ago_is_named() {
        assert!(clock(DateTime::UNIX_EPOCH).is_err());
        assert!(clock(Utc::now()).is_ok());
    }
}
