//! `gatehouse serve`: opens the doors, prints how to come in, and leaves in order.

use crate::cli::{Common, Serve};
use crate::config::{self, Config, TlsMode};
use crate::demo::Desktop;
use crate::house::{House, fresh_target};
use crate::ports::{NativeDoor, StoredEndpoints, StoredJournal};
use crate::{address, descriptors, heads, log, secrets, ticket};
use anyhow::{Context, Result};
use api::Api;
use api::Rules;
use api::attachments::Attachments;
use api::gate::Gate;
use api::guard::{Guard, LocalBrake};
use api::live::Hub;
use api::thumbnails::{self, Thumbnails};
use auth::password::{Cost, Crowd, Hasher};
use auth::rate::Rate;
use auth::throttle::{Limits, Throttle};
use chrono::Utc;
use gateway::dial::DialContext;
use gateway::forwarded::TrustedProxies;
use gateway::listener::{Accepted, Listener, ListenerOptions};
use gateway::native::{Native, NativeOptions};
use gateway::origin::Places;
use gateway::port::Taps;
use gateway::snapshot::SnapshotLimits;
use gateway::test_card::CardHost;
use gateway::tls::{Certificates, Names, Source};
use gateway::{Gateway, GatewayLimits, Ports};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use model::audit::{Action, Object};
use model::egress::Egress;
use model::target::{Address, Origin, Security};
use model::{BootId, Secret};
use rfb::security::ra2::Ra2Key;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};
use store::{AuditEntry, NewTarget, Store, TargetChange};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Changed certificate files are noticed within this time; SIGHUP is quicker.
const CERTIFICATE_CHECK: Duration = Duration::from_secs(60);
/// So often it is asked whether log-ins and grants behind running sessions still hold.
const REVIEW: Duration = Duration::from_secs(10);
/// What is too old is forgotten at this pace.
const PURGE: Duration = Duration::from_secs(3600);
/// Expired log-ins and links mean nothing any more.
const LOGINS_KEPT: chrono::TimeDelta = chrono::TimeDelta::days(1);
/// A taken ticket is what a lost viewer comes back with, and sessions may last for weeks.
const TICKETS_KEPT: chrono::TimeDelta = chrono::TimeDelta::days(30);

/// Runs the gateway until it is told to stop.
pub(crate) async fn run(common: &Common, wish: Serve) -> Result<()> {
    let mut config = config::load(common.config.as_deref(), common.data.as_deref())?.config;
    config.web.listen = wish.listen.unwrap_or(config.web.listen);
    config.native.listen = wish.native.unwrap_or(config.native.listen);
    log::init(&config.log)?;
    let signals = Signals::new()?;
    let house = House::with(config).await?;
    let _alone = house.serve_alone()?;
    let desktop = if wish.demo { furnish(&house).await? } else { None };
    let open = Open::doors(&house, None).await?;
    let link = ticket::new_admin_link(&house, &open.web, at_start(Action::LinkIssued)).await?;
    announce(&house, &open, &link, wish.demo);
    signals.stop(&open).await;
    let drain = Duration::from_secs(house.config.sessions.drain_seconds.into());
    open.close(drain).await;
    drop(desktop);
    house.store.close().await;
    Ok(())
}

/// An entry about what a server does by itself when it starts.
fn at_start(action: Action) -> AuditEntry {
    AuditEntry::new(action).with("by", "serve")
}

/// The program with its doors open.
pub(crate) struct Open {
    pub(crate) web: String,
    local: SocketAddr,
    pub(crate) native: Option<SocketAddr>,
    ra2_identity: Option<String>,
    certificates: Arc<Certificates>,
    gateway: Arc<Gateway>,
    stop: CancellationToken,
}

impl Open {
    /// Binds the listeners and begins to serve.
    pub(crate) async fn doors(house: &House, taps: Option<Arc<dyn Taps>>) -> Result<Open> {
        descriptors::raise();
        let boot = begin(house).await?;
        let certificates = certificates(house)?;
        let proxies = trusted_proxies(&house.config)?;
        let web = listen_web(house, &certificates, &proxies)?;
        let native = listen_native(house, &proxies)?;
        let (local, native_local) = (web.local_addr(), native.as_ref().map(Listener::local_addr));
        let listeners: Vec<SocketAddr> = std::iter::once(local).chain(native_local).collect();
        let dial = dial_context(&house.config, listeners.clone())?;
        let compute = Arc::clone(&dial.compute);
        let staff = Staff::new(house, boot);
        let gateway = Gateway::new(staff.ports(house, taps), limits(&house.config), dial);
        let stop = CancellationToken::new();
        let ra2_key = ra2_key(house)?;
        let ra2_identity = ra2_key.as_ref().map(|key| key.public().identity().display);
        let ingress =
            Native::new(staff.door.clone(), native_options(house, &certificates, ra2_key)?, compute);
        let api = staff.api(house, &gateway, proxies, local, native_local)?;
        if let Some(listener) = native {
            serve_native(listener, ingress, Arc::clone(&gateway), &stop);
        }
        review(&api, &stop);
        serve_web(web, api, house.config.web_is_tls(), &stop);
        keep_house(house, Arc::clone(&certificates), &stop);
        heads::keep(house, listeners, &stop)?;
        let web = match &house.config.web.external_url {
            Some(_) => address::external(&house.config),
            None => address::of_listener(local, house.config.web_is_tls()),
        };
        Ok(Open { web, local, native: native_local, ra2_identity, certificates, gateway, stop })
    }

    /// Tells viewers, waits for them, closes.
    pub(crate) async fn close(self, drain: Duration) {
        tracing::info!("The gateway is stopping; viewers are told");
        self.gateway.drain(drain).await;
        self.stop.cancel();
    }
}

/// Writes down that this process runs from here on, and that sessions of an earlier one do not.
async fn begin(house: &House) -> Result<BootId> {
    let boot = BootId(Uuid::now_v7());
    let lost = house.store.node().start(house.node, boot, Utc::now()).await?;
    if !lost.is_empty() {
        tracing::warn!(sessions = lost.len(), "Sessions of an earlier run were closed");
    }
    Ok(boot)
}

/// What the gateway and the API both work with.
struct Staff {
    boot: BootId,
    started: Instant,
    guard: Guard,
    hub: Arc<Hub>,
    attachments: Arc<Attachments>,
    thumbnails: Arc<Thumbnails>,
    door: Arc<NativeDoor>,
}

impl Staff {
    fn new(house: &House, boot: BootId) -> Staff {
        let guard = Guard::new(Arc::new(LocalBrake::new(Throttle::new(Limits::TOKENS))));
        let door = NativeDoor {
            store: house.store.clone(),
            sealer: Arc::clone(&house.sealer),
            guard: guard.clone(),
            api: OnceLock::new(),
        };
        Staff {
            boot,
            started: Instant::now(),
            guard,
            hub: Arc::new(Hub::new(boot.0.simple().to_string())),
            attachments: Arc::new(Attachments::default()),
            thumbnails: Arc::new(Thumbnails::new(thumbnails::Rules::default(), SnapshotLimits::default())),
            door: Arc::new(door),
        }
    }

    /// What the gateway asks of the house.
    fn ports(&self, house: &House, taps: Option<Arc<dyn Taps>>) -> Ports {
        let endpoints = StoredEndpoints { store: house.store.clone(), sealer: Arc::clone(&house.sealer) };
        let journal = StoredJournal {
            store: house.store.clone(),
            hub: Arc::clone(&self.hub),
            attachments: Arc::clone(&self.attachments),
            thumbnails: Arc::clone(&self.thumbnails),
            node: house.node,
            boot: self.boot,
        };
        Ports {
            endpoints: Arc::new(endpoints),
            doorkeeper: self.door.clone(),
            journal: Arc::new(journal),
            taps,
        }
    }

    fn api(
        self,
        house: &House,
        gateway: &Arc<Gateway>,
        trusted_proxies: TrustedProxies,
        local: SocketAddr,
        native: Option<SocketAddr>,
    ) -> Result<Arc<Api>> {
        let config = &house.config;
        let web = &config.web;
        let api = Arc::new(Api {
            store: house.store.clone(),
            gateway: Arc::clone(gateway),
            sessions: gateway.sessions(),
            hub: self.hub,
            attachments: self.attachments,
            sealer: Arc::clone(&house.sealer),
            throttle: self.guard,
            trusted_proxies,
            metrics: recorder()?,
            metrics_token: metrics_token(config)?,
            vnc_auth: config.native.enabled && config.native.vnc_auth,
            native: native.map(|address| address::native(config, address)),
            gate: Arc::new(Gate::new(house.store.clone(), hasher(config)?)),
            access_tokens: secrets::access_tokens(&house.data, &house.keys)?,
            head_key: Arc::clone(&house.head_key),
            thumbnails: self.thumbnails,
            limits: rates(config),
            rules: rules(config),
            node: house.node,
            boot: self.boot,
            started: self.started,
            places: Places::new(web.external_url.as_deref(), &web.hosts, &[local.port()])?
                .allowing(&web.allowed_origins)?,
        });
        // Set once, here; nobody comes in before.
        let _ = self.door.api.set(Arc::downgrade(&api));
        Ok(api)
    }
}

fn trusted_proxies(config: &Config) -> Result<TrustedProxies> {
    let networks = config.web.trusted_proxies.iter().map(|network| network.parse());
    Ok(TrustedProxies::new(networks.collect::<Result<_, _>>().context("web.trusted_proxies")?))
}

/// Log-ins end and grants run out by themselves: so often it is asked who may go on.
fn review(api: &Arc<Api>, stop: &CancellationToken) {
    let (api, stop) = (Arc::clone(api), stop.clone());
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(REVIEW);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => api.review().await,
            }
        }
    });
}

/// Hashes passwords at the configured cost.
pub(crate) fn hasher(config: &Config) -> Result<Hasher> {
    let cost = Cost {
        memory_kib: config.auth.password_memory,
        passes: config.auth.password_passes,
        ..Cost::default()
    };
    Hasher::new(cost, Crowd::default()).context("auth.password_memory and auth.password_passes")
}

fn rates(config: &Config) -> api::limits::Limits {
    let limits = &config.limits;
    let minute = |requests| Rate { requests, window: Duration::from_secs(60) };
    let strangers = Rate { requests: limits.anonymous, ..Rate::STRANGERS };
    api::limits::Limits::new(strangers, minute(limits.person), minute(limits.connection_tests))
}

fn rules(config: &Config) -> Rules {
    let minutes = |minutes: u32| Duration::from_secs(u64::from(minutes) * 60);
    Rules {
        login: minutes(config.auth.login_hours.saturating_mul(60)),
        idle: minutes(config.auth.idle_minutes),
        access: minutes(config.auth.access_minutes),
        session: minutes(config.sessions.expires_minutes),
        session_longest: minutes(config.sessions.max_minutes),
        outlive_login: config.sessions.outlive_login,
        password_least: config.auth.password_length,
    }
}

fn limits(config: &Config) -> GatewayLimits {
    GatewayLimits {
        sessions: config.sessions.max_sessions,
        resume: Duration::from_secs(config.sessions.resume_seconds.into()),
        ..GatewayLimits::default()
    }
}

/// How targets are reached; `listeners` are our own.
pub(crate) fn dial_context(config: &Config, listeners: Vec<SocketAddr>) -> Result<DialContext> {
    let mut dial = DialContext::new(config.egress.trust()?);
    dial.test_card = Some(Arc::new(CardHost::new(1024, 768)));
    let denied = config.egress.denied_networks()?;
    dial.egress = Arc::new(Egress { listeners, denied, ..Egress::default() });
    Ok(dial)
}

fn certificates(house: &House) -> Result<Arc<Certificates>> {
    let tls = &house.config.web.tls;
    let source = match (tls.mode, &tls.certificate, &tls.key) {
        (TlsMode::Files, Some(certificate), Some(key)) => {
            Source::Files { certificate: certificate.clone(), key: key.clone() }
        }
        _ => {
            let host = house.config.web.external_url.as_deref().and_then(address::host_of);
            let names = house.config.web.hosts.iter().map(String::as_str).chain(host);
            Source::Own { directory: house.data.join("tls"), names: Names::new(names) }
        }
    };
    Ok(Certificates::open(source, SystemTime::now())?)
}

fn listen_web(house: &House, certificates: &Arc<Certificates>, proxies: &TrustedProxies) -> Result<Listener> {
    let web = &house.config.web;
    let mut options = ListenerOptions::new(web.listen);
    if house.config.web_is_tls() {
        options.tls = Some(gateway::tls::server::web(certificates)?);
    }
    (options.proxies, options.proxy_protocol) = (proxies.clone(), web.proxy_protocol);
    Listener::bind(options).with_context(|| {
        format!("cannot listen on {}: is another program there? --listen chooses another address", web.listen)
    })
}

fn serve_web(listener: Listener, api: Arc<Api>, tls: bool, stop: &CancellationToken) {
    let router = api::router(api);
    let ends = stop.clone();
    tokio::spawn(listener.run(stop.clone(), move |accepted: Accepted| {
        api::connection::serve(router.clone(), accepted, tls, ends.clone())
    }));
}

/// The key that RA2 viewers know this gateway by; made once.
fn ra2_key(house: &House) -> Result<Option<Arc<Ra2Key>>> {
    let native = &house.config.native;
    let wanted = native.enabled && (native.ra2 || native.ra2ne);
    Ok(wanted.then(|| gateway::native::open_ra2_key(&house.data.join("ra2.key"))).transpose()?)
}

fn listen_native(house: &House, proxies: &TrustedProxies) -> Result<Option<Listener>> {
    let native = &house.config.native;
    if !native.enabled {
        return Ok(None);
    }
    let mut options = ListenerOptions::new(native.listen);
    (options.proxies, options.proxy_protocol) = (proxies.clone(), native.proxy_protocol);
    let listener = Listener::bind(options).with_context(|| {
        format!("cannot listen on {} for native viewers: choose another with --native, or set native.enabled = false", native.listen)
    })?;
    Ok(Some(listener))
}

/// What native viewers may use: the strong types, and of the weak ones those that were switched on.
fn native_options(
    house: &House,
    certificates: &Arc<Certificates>,
    ra2_key: Option<Arc<Ra2Key>>,
) -> Result<NativeOptions> {
    let native = &house.config.native;
    let mut options = NativeOptions::new(gateway::tls::server::native(certificates)?, ra2_key);
    options.offered.ra2_256 = native.ra2;
    options.offered.ra2ne_256 = native.ra2ne;
    options.offered.vencrypt_tls_plain = native.anonymous_tls;
    options.offered.vnc_auth = native.vnc_auth;
    Ok(options)
}

fn serve_native(listener: Listener, ingress: Arc<Native>, gateway: Arc<Gateway>, stop: &CancellationToken) {
    tokio::spawn(
        listener
            .run(stop.clone(), move |accepted| Arc::clone(&ingress).serve(Arc::clone(&gateway), accepted)),
    );
}

/// Certificates that change, and what is forgotten in time.
fn keep_house(house: &House, certificates: Arc<Certificates>, stop: &CancellationToken) {
    let store = house.store.clone();
    let people = house.config.audit.people_days;
    let stop = stop.clone();
    tokio::spawn(async move {
        let mut check = tokio::time::interval(CERTIFICATE_CHECK);
        let mut purge = tokio::time::interval(PURGE);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = check.tick() => reload(&certificates),
                _ = purge.tick() => forget(&store, people).await,
            }
        }
    });
}

/// What is too old goes. What cannot go now goes the next time.
async fn forget(store: &Store, people_days: u32) {
    let now = Utc::now();
    let mut outcomes = vec![
        ("log-ins", store.logins().purge(now - LOGINS_KEPT).await),
        ("tickets", store.tickets().purge(now - TICKETS_KEPT).await),
    ];
    if people_days > 0 {
        let before = now - chrono::TimeDelta::days(people_days.into());
        outcomes
            .push(("names and addresses beside the audit log", store.audit().forget_people(before).await));
    }
    for (what, outcome) in outcomes {
        if let Err(error) = outcome {
            tracing::warn!(%error, "Old {what} could not be forgotten");
        }
    }
}

fn reload(certificates: &Certificates) {
    match certificates.reload_if_changed(SystemTime::now()) {
        Ok(true) => tracing::info!("A new certificate is in force"),
        Ok(false) => {}
        Err(error) => tracing::error!(%error, "The changed certificate cannot be used; the old one stays"),
    }
}

fn recorder() -> Result<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().context("metrics are already set up")
}

fn metrics_token(config: &Config) -> Result<Option<Secret>> {
    config
        .metrics
        .token_file
        .as_deref()
        .map(crate::password::from_file)
        .transpose()
        .context("metrics.token_file")
}

/// Registers the demo's targets, once, and starts its desktop where that is possible.
async fn furnish(house: &House) -> Result<Option<Desktop>> {
    register(house, "test card", Address::TestCard).await?;
    match Desktop::start(&house.data.join("demo")).await {
        Ok(desktop) => {
            register(house, "demo desktop", desktop.address()).await?;
            Ok(Some(desktop))
        }
        Err(error) => {
            eprintln!("The demo desktop is left out: {error:#}. The test card works without it.");
            Ok(None)
        }
    }
}

async fn register(house: &House, name: &str, address: Address) -> Result<()> {
    let targets = house.store.targets();
    match targets.find_by_name(name).await? {
        Some(known) if known.address == address => {}
        Some(known) => {
            let change =
                TargetChange { address: Some((address, Origin::Administrator)), ..TargetChange::default() };
            let entry = at_start(Action::TargetChanged).on(Object::Target(known.id)).with("name", name);
            targets.audited(entry).change(known.id, change, Utc::now()).await?;
        }
        None => {
            let new = NewTarget {
                id: fresh_target(),
                name: name.to_owned(),
                address,
                origin: Origin::Administrator,
                security: Security::default(),
                username: None,
                sealed_secret: None,
                tags: Vec::new(),
                description: String::new(),
                thumbnails: false,
            };
            let entry = at_start(Action::TargetAdded).on(Object::Target(new.id)).with("name", name);
            targets.audited(entry).add(new, Utc::now()).await?;
        }
    }
    Ok(())
}

/// Says how to come in. The link goes to the terminal, never to the log.
fn announce(house: &House, open: &Open, link: &str, demo: bool) {
    println!("Gatehouse is open.");
    println!("  address   {}", open.web);
    if house.config.web.external_url.is_some() {
        println!("  listens   {}  for the proxy in front", open.local);
    }
    println!("  log in    {link}");
    println!("            (works once, within 30 minutes; `gatehouse admin link` makes another)");
    if let Some(native) = open.native {
        println!(
            "  native    {native}  for VNC viewers: a ticket as password, or person:target and the person's own"
        );
    }
    if let Some(fingerprint) = open.certificates.leaf_fingerprint() {
        println!("  identity  SHA-256 {fingerprint}");
    }
    if let Some(identity) = &open.ra2_identity {
        println!("  RA2 key   {identity}  as viewers show it");
    }
    if demo {
        println!("  targets   demo desktop, test card");
    }
    println!("  data      {}", house.data.display());
    if let Some(memory) = resident() {
        println!("  memory    {memory:.0} MiB");
    }
}

/// Resident memory in MiB.
pub(crate) fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok().map(|kb| kb / 1024.0)
}

/// The ways to be told to stop, or to look at the certificate again.
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    /// Listens from now on.
    pub(crate) fn new() -> Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Returns when it is time to stop.
    pub(crate) async fn stop(mut self, open: &Open) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => return,
                _ = self.hangup.recv() => reload(&open.certificates),
            }
        }
    }
}
