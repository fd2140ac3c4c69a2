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
use crate::wire::{Finished, Wire, WireError};
use model::Coded;
use rfb::handshake::{Claim, HandshakeError, Judgement, Step, TlsKind};
use rfb::security::ra2::Ra2Key;
use rfb::server::{ServerConfig, ServerHandshake, ServerResult, ServerTypes};
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

/// A viewer that was let in.
#[derive(Debug)]
pub struct Admitted {
    /// The connection, behind ClientInit.
    pub transport: Transport,
    /// What the viewer sent early.
    pub leftover: Vec<u8>,
    /// What the house decided.
    pub spec: SessionSpec,
    /// How the handshake went.
    pub result: ServerResult,
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
            Ok(admitted) => {
                slot.established();
                let Admitted { transport, leftover, spec, .. } = admitted;
                gateway.attach_native(transport, leftover, spec).await;
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
            if let Step::Done = step {
                break;
            }
            let turn = tokio::time::timeout_at(deadline, self.turn(step, wire));
            wire = turn.await.map_err(|_| NativeError::Timeout)??;
            if protected {
                deadline = tokio::time::Instant::now() + self.native.options.person;
            }
        }
        let (finished, leftover) = wire.finish();
        let transport = match finished {
            Finished::Bare(transport) => transport,
            Finished::Records(records) => Transport::Records(records),
        };
        let (Some(result), Some(spec)) = (self.machine.into_result(), self.spec) else {
            return Err(NativeError::System);
        };
        Ok(Admitted { transport, leftover, spec, result })
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
            Step::Judge(claim) => {
                let judgement = self.judge(claim).await;
                self.machine.handle_judgement(judgement)?;
            }
            Step::NeedSecret(_) | Step::NeedIdentity(_) | Step::Done => {
                return Err(HandshakeError::Misuse.into());
            }
        }
        Ok(wire)
    }

    async fn take_bytes(&mut self, wire: &mut Wire<Transport>) -> Result<(), NativeError> {
        let consumed = self.machine.handle_bytes(wire.unconsumed())?;
        if consumed > 0 {
            wire.consume(consumed);
            return Ok(());
        }
        match wire.receive().await {
            Ok(()) => Ok(()),
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

    /// Asks the house. The viewer reads the refusal's sentence, which says no more than it may know.
    async fn judge(&mut self, claim: Claim) -> Judgement {
        let claim = match claim {
            Claim::Plain { username, password } => NativeClaim::Plain { username, password },
            Claim::VncAuth(response) => NativeClaim::VncAuth(response),
            _ => return self.refuse(Refusal::WrongCredentials),
        };
        match self.native.doorkeeper.judge(self.peer, claim).await {
            Ok(spec) => {
                self.spec = Some(spec);
                Judgement::Accept
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    fn refuse(&mut self, refusal: Refusal) -> Judgement {
        self.refused = Some(refusal);
        Judgement::Refuse { reason: refusal.to_string() }
    }

    /// A handshake that failed because the house refused says so.
    fn failed(&self, error: HandshakeError) -> NativeError {
        match self.refused {
            Some(refusal) => NativeError::Refused(refusal),
            None => error.into(),
        }
    }
}
