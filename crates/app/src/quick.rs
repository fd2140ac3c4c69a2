//! `gatehouse quick`: one console, no set-up, nothing left behind.

use crate::cli::Quick;
use crate::config::Config;
use crate::house::{House, fresh_target};
use crate::serve::{Open, Signals};
use crate::trace::{self, TraceFiles};
use crate::{log, password, ticket};
use anyhow::{Context, Result};
use chrono::{TimeDelta, Utc};
use gateway::port::Taps;
use model::Policy;
use model::target::{Address, Identity, Origin, Security};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use store::NewTarget;

/// The link works as long as somebody may still be on the way to it.
const LIFE: TimeDelta = TimeDelta::hours(24);

pub(crate) async fn run(wish: Quick) -> Result<()> {
    let url = model::vnc_url::parse(&wish.url)?;
    if let Some(file) = &wish.trace {
        trace::may_create(file)?;
    }
    let secret = match (&wish.password_file, url.password) {
        (Some(file), _) => Some(password::from_file(file)?),
        (None, Some(secret)) => {
            password::warn_visible();
            Some(secret)
        }
        (None, None) if url.address == Address::TestCard => None,
        (None, None) => password::ask("Password of the VNC server (empty if it has none): ")?,
    };
    let place = tempdir()?;
    let mut config = Config { data: Some(place.0.clone()), ..Config::default() };
    config.log.level = "warn".to_owned();
    config.database.url = Some("sqlite::memory:".to_owned());
    config.web.listen = wish.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)));
    config.native.enabled = wish.native.is_some();
    config.native.listen = wish.native.unwrap_or(config.native.listen);
    log::init(&config.log)?;
    let signals = Signals::new()?;
    let house = House::with(config).await?;
    let id = fresh_target();
    let new = NewTarget {
        id,
        name: url.address.to_string().chars().take(model::name::MAX_CHARS).collect(),
        address: url.address,
        origin: Origin::Administrator,
        // A person at the terminal vouches for the address; what is shown there is pinned for this run.
        security: Security {
            identity: Identity::FirstUse,
            pin_on_console: true,
            anonymous_tls: true,
            ..Security::default()
        },
        username: url.username,
        sealed_secret: secret.map(|secret| api::seal_password(&house.sealer, id, &secret)),
        tags: Vec::new(),
        description: String::new(),
        thumbnails: false,
    };
    house.store.targets().add(new, Utc::now()).await?;
    let taps = wish.trace.map(|file| Arc::new(TraceFiles::new(file)) as Arc<dyn Taps>);
    let open = Open::doors(&house, taps).await?;
    let policy = Policy { view_only: wish.view_only, ..Policy::default() };
    let token = ticket::issue(&house, id, policy, LIFE).await?.token;
    println!("{}{}", open.web, api::console_path(&token));
    if let Some(native) = open.native {
        println!("native viewers: {native}, the last part of the link as password");
    }
    eprintln!("One session; Ctrl-C ends it.");
    signals.stop(&open).await;
    open.close(Duration::from_secs(2)).await;
    house.store.close().await;
    Ok(())
}

/// A directory for keys of this run, removed at its end.
struct Place(std::path::PathBuf);

fn tempdir() -> Result<Place> {
    use std::os::unix::fs::DirBuilderExt;
    let path = std::env::temp_dir().join(format!("gatehouse-quick-{}", uuid::Uuid::new_v4().simple()));
    std::fs::DirBuilder::new().mode(0o700).create(&path).context("cannot make a temporary directory")?;
    Ok(Place(path))
}

impl Drop for Place {
    fn drop(&mut self) {
        // What stays behind is a certificate of a run that is over.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
