//! Native VNC viewers: our own handshake, the house's judgement, then the session.
//!
//! The viewer proves itself to the gateway, inside TLS with the gateway's certificate (VeNCrypt
//! X509Plain) or RealVNC's RA2-256; the ticket is the password. Weaker types exist for old viewers,
//! must be switched on, and are for one-time tickets only.

mod key;

pub use key::{generate as generate_ra2_key, open_ra2_key};

use crate::Gateway;
use crate::dial::{compute, seed};
use crate::listener::Accepted;
use crate::port::{Doorkeeper, NativeClaim, Refusal, SessionSpec};
use crate::transport::Transport;
use crate::wire::{Wire, WireError};
use model::Coded;
use rfb::handshake::{Claim, HandshakeError, Judgement, Step, TlsKind};
use rfb::security::ra2::Ra2Key;
use rfb::server::{ServerConfig, ServerHandshake, ServerTypes};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// What native viewers may use, and how long they may take.
#[derive(Clone, Debug)]
pub struct NativeOptions {
    /// Types offered. `none` is never offered here, whatever it says.
    pub offered: ServerTypes,
    /// TLS with the gateway's certificate, for X509Plain.
    pub tls: Arc<rustls::ServerConfig>,
    /// Our persistent key, for RA2 types.
    pub ra2_key: Option<Arc<Ra2Key>>,
    /// RA2 asks for a password alone: a ticket is one, a person's account is not.
    pub ra2_password_only: bool,
    /// Time until the viewer's channel is protected.
    pub handshake: Duration,
    /// Time for a person to type, after that.
    pub person: Duration,
}

impl NativeOptions {
    /// X509Plain, and RA2-256 if there is a key.
    pub fn new(tls: Arc<rustls::ServerConfig>, ra2_key: Option<Arc<Ra2Key>>) -> Self {
        let offered = ServerTypes { vencrypt_x509_plain: true, ra2_256: true, ..ServerTypes::default() };
        let (handshake, person) = (Duration::from_secs(10), Duration::from_secs(120));
        NativeOptions { offered, tls, ra2_key, ra2_password_only: false, handshake, person }
    }
}

/// The native ingress.
pub struct Native {
    doorkeeper: Arc<dyn Doorkeeper>,
    options: NativeOptions,
    compute: Arc<Semaphore>,
}

impl std::fmt::Debug for Native {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Native").field("options", &self.options).finish_non_exhaustive()
    }
}

/// A viewer that was judged and may have its session.
#[derive(Debug)]
pub struct Admitted {
    /// The connection, up to its SecurityResult, which [`Gateway::attach_native`] sends.
    pub waiting: Waiting,
    /// What the house decided.
    pub spec: SessionSpec,
}

/// A native viewer's connection that waits for its SecurityResult.
pub struct Waiting {
    pub(crate) wire: Wire<Transport>,
    pub(crate) machine: ServerHandshake,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiting")
    }
}

/// Why a viewer was not let in. For logs and metrics: the viewer was told what it may know.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NativeError {
    /// The house refused.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The handshake failed.
    #[error("handshake failed: {0}")]
    Handshake(#[from] HandshakeError),
    /// TLS failed.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// The connection broke.
    #[error("connection broke: {0}")]
    Io(#[from] io::Error),
    /// Too slow.
    #[error("the viewer took too long")]
    Timeout,
    /// The system cannot give randomness or threads.
    #[error("the system cannot serve this handshake")]
    System,
}

impl Coded for NativeError {
    fn code(&self) -> &'static str {
        match self {
            NativeError::Refused(refusal) => refusal.code(),
            NativeError::Handshake(error) => error.code(),
            NativeError::Tls(_) => "native.tls",
            NativeError::Io(_) => "native.lost",
            NativeError::Timeout => "native.timeout",
            NativeError::System => "native.system",
        }
    }
}

impl Native {
    /// An ingress whose viewers `doorkeeper` judges. `compute` bounds costly computations; share the
    /// dialer's.
    pub fn new(
        doorkeeper: Arc<dyn Doorkeeper>,
        mut options: NativeOptions,
        compute: Arc<Semaphore>,
    ) -> Arc<Self> {
        // INVARIANT: nobody comes in unasked; type None belongs on connections that are judged already.
        options.offered.none = false;
        Arc::new(Native { doorkeeper, options, compute })
    }

    /// Serves one connection of the native listener to its end; the session runs in `gateway`.
    pub async fn serve(self: Arc<Self>, gateway: Arc<Gateway>, accepted: Accepted) {
        let Accepted { transport, peer, slot, .. } = accepted;
        match self.admit(transport, peer).await {
            Ok(Admitted { waiting, spec }) => {
                slot.established();
                gateway.attach_native(waiting, spec).await;
            }
            Err(error) => {
                metrics::counter!("gatehouse_native_refused_total", "code" => error.code()).increment(1);
                tracing::debug!(%peer, %error, "A native viewer was not let in");
            }
        }
        drop(slot);
    }

    /// The handshake and the house's judgement.
    pub async fn admit(&self, transport: Transport, peer: SocketAddr) -> Result<Admitted, NativeError> {
        self.doorkeeper.admit(peer).map_err(NativeError::Refused)?;
        let mut offered = self.options.offered;
        // INVARIANT: where others could read along, no session goes in clear behind credentials that were not.
        offered.ra2ne_256 &= peer.ip().is_loopback();
        let config = ServerConfig {
            offered,
            ra2_key: self.options.ra2_key.clone(),
            ra2_password_only: self.options.ra2_password_only,
        };
        let machine = ServerHandshake::new(config, seed().ok_or(NativeError::System)?);
        let greeting = Greeting { native: self, peer, machine, spec: None, refused: None };
        greeting.run(transport).await
    }
}

/// One viewer's handshake.
struct Greeting<'a> {
    native: &'a Native,
    peer: SocketAddr,
    machine: ServerHandshake,
    spec: Option<SessionSpec>,
    refused: Option<Refusal>,
}

impl Greeting<'_> {
    async fn run(mut self, transport: Transport) -> Result<Admitted, NativeError> {
        let mut wire = Wire::new(transport);
        let offered = self.native.options.offered;
        // VncAuth asks its question in clear, and then a person types
        let first = if offered.vnc_auth { self.native.options.person } else { self.native.options.handshake };
        let mut deadline = tokio::time::Instant::now() + first;
        loop {
            let step = self.machine.poll_step().map_err(|error| self.failed(error))?;
            let protected = matches!(step, Step::StartTls(_) | Step::StartRecords(_));
            let turn = tokio::time::timeout_at(deadline, self.turn(step, wire));
            wire = turn.await.map_err(|_| NativeError::Timeout)??;
            if let Some(spec) = self.spec.take() {
                return Ok(Admitted { waiting: Waiting { wire, machine: self.machine }, spec });
            }
            if protected {
                deadline = tokio::time::Instant::now() + self.native.options.person;
            }
        }
    }

    /// Does what one step asks for.
    async fn turn(&mut self, step: Step, mut wire: Wire<Transport>) -> Result<Wire<Transport>, NativeError> {
        match step {
            Step::Send(bytes) => wire.send(bytes).await?,
            Step::NeedBytes => self.take_bytes(&mut wire).await?,
            Step::StartTls(kind) => {
                wire = Wire::new(self.start_tls(kind, wire).await?);
                self.machine.handle_tls_started()?;
            }
            Step::StartRecords(keys) => {
                wire.start_records(&keys);
                self.machine.handle_records_started()?;
            }
            Step::StopRecords => wire.stop_records(),
            Step::Compute(job) => {
                let output = compute(&self.native.compute, job).await.ok_or(NativeError::System)?;
                self.machine.handle_computed(output)?;
            }
            Step::Judge(claim) => self.judge(claim).await?,
            Step::NeedSecret(_) | Step::NeedIdentity(_) | Step::Done => {
                return Err(HandshakeError::Misuse.into());
            }
        }
        Ok(wire)
    }

    async fn take_bytes(&mut self, wire: &mut Wire<Transport>) -> Result<(), NativeError> {
        match wire.show(|bytes| self.machine.handle_bytes(bytes)).await {
            Ok(()) => Ok(()),
            Err(WireError::Handshake(error)) => Err(error.into()),
            Err(WireError::End) => Err(self.machine.handle_end().into()),
            Err(WireError::Io(error)) => Err(error.into()),
        }
    }

    async fn start_tls(&mut self, kind: TlsKind, wire: Wire<Transport>) -> Result<Transport, NativeError> {
        let early = HandshakeError::Misbehavior(rfb::Misbehavior::OutOfOrder);
        let Some(Transport::Tcp(stream)) = wire.into_bare() else { return Err(early.into()) };
        match kind {
            TlsKind::X509 => {
                let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&self.native.options.tls));
                let tls = acceptor.accept(stream).await;
                Ok(Transport::from(tls.map_err(|error| NativeError::Tls(error.to_string()))?))
            }
            TlsKind::Anonymous => {
                let tls = crate::tls::anonymous::accept(stream).await;
                Ok(Transport::Anonymous(Box::new(tls.map_err(|error| NativeError::Tls(error.to_string()))?)))
            }
        }
    }

    /// Asks the house. Who may come in waits for the target; who may not reads the refusal's sentence, which
    /// says no more than it may know.
    async fn judge(&mut self, claim: Claim) -> Result<(), NativeError> {
        let refusal = match claim {
            Claim::Plain { username, password } => self.ask(NativeClaim::Plain { username, password }).await,
            Claim::VncAuth(response) => self.ask(NativeClaim::VncAuth(response)).await,
            _ => Some(Refusal::WrongCredentials),
        };
        self.refused = refusal;
        match refusal {
            None => Ok(()),
            Some(refusal) => {
                Ok(self.machine.handle_judgement(Judgement::Refuse { reason: refusal.to_string() })?)
            }
        }
    }

    async fn ask(&mut self, claim: NativeClaim) -> Option<Refusal> {
        match self.native.doorkeeper.judge(self.peer, claim).await {
            Ok(spec) => {
                self.spec = Some(spec);
                None
            }
            Err(refusal) => Some(refusal),
        }
    }

    /// A handshake that failed because the house refused says so.
    fn failed(&self, error: HandshakeError) -> NativeError {
        match self.refused {
            Some(refusal) => NativeError::Refused(refusal),
            None => error.into(),
        }
    }
}
