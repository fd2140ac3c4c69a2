//! Reaching a target: connect, shake hands, log in with the gateway's own secret.
//!
//! [`rfb::client`] decides, this module does: it resolves and connects, wraps the stream in TLS or
//! records when a step asks for it, judges certificates, and runs costly arithmetic off the reactor.
//! What it hands on is a stream behind ServerInit. The secret goes into the handshake and nowhere else.

mod connect;
mod error;
mod stream;

pub use error::DialError;
pub use stream::{TargetSocket, TargetStream};

use crate::port::Endpoint;
use crate::tls::client::{Judged, Outcome, PeerVerdict};
use crate::tls::{Fingerprint, TargetTrust};
use crate::wire::{Finished, Wire, WireError};
use model::egress::Egress;
use model::target::{Address, Identity};
use rfb::ServerInit;
use rfb::client::{ClientConfig, ClientHandshake, ClientResult};
use rfb::handshake::{HandshakeError, Job, JobOutput, PeerIdentity, Step, TlsKind};
use rfb::security::ra2::Ra2Key;
use rustls_pki_types::ServerName;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::sync::Semaphore;

/// Connections tried when a target's types lead into dead ends; each leaves one more type out.
const TRIES: usize = 4;

/// Why a target is dialed. Decides whether a first identity may be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A person's console.
    Console,
    /// An administrator's *test connection*.
    Test,
    /// A picture for a list. Nobody looks at what the target shows of itself, so nothing is trusted for the first time.
    Snapshot,
}

/// Draws the test card on a stream of its own.
pub trait TestCardHost: Send + Sync {
    /// A new viewer's connection; whoever implements this serves RFB on the other end.
    fn connect(&self) -> DuplexStream;
}

/// Bounds of dialing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DialLimits {
    /// From the first packet to an open connection, over all addresses of a name.
    pub connect: Duration,
    /// From there to ServerInit.
    pub handshake: Duration,
}

impl Default for DialLimits {
    fn default() -> Self {
        DialLimits { connect: Duration::from_secs(5), handshake: Duration::from_secs(10) }
    }
}

/// What dialing needs besides the endpoint; one for the program.
#[derive(Clone)]
pub struct DialContext {
    /// Authorities for targets whose certificates are verified.
    pub trust: TargetTrust,
    /// The test card, where it is switched on.
    pub test_card: Option<Arc<dyn TestCardHost>>,
    /// Our key towards RA2 targets, made once; without it each such handshake makes its own.
    pub ra2_key: Option<Arc<Ra2Key>>,
    /// Bounds how many costly computations run at a time.
    pub compute: Arc<Semaphore>,
    /// Time bounds.
    pub limits: DialLimits,
    /// Where nobody is connected to, beside what is never connected to.
    pub egress: Arc<Egress>,
}

impl DialContext {
    /// Defaults around the authorities: no test card, computations on half of the machine, no listener known as ours.
    pub fn new(trust: TargetTrust) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        DialContext {
            trust,
            test_card: None,
            ra2_key: None,
            compute: Arc::new(Semaphore::new(threads.div_ceil(2))),
            limits: DialLimits::default(),
            egress: Arc::default(),
        }
    }
}

impl std::fmt::Debug for DialContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DialContext").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// A target that is logged in to.
#[derive(Debug)]
pub struct Dialed {
    /// The connection, behind ServerInit.
    pub stream: TargetStream,
    /// What came behind ServerInit already: the session's first bytes from the target.
    pub leftover: Vec<u8>,
    /// The target's screen.
    pub init: ServerInit,
    /// How it was logged in to.
    pub result: ClientResult,
    /// SHA-256 of the certificate or RA2 key that was accepted, lower-case hex.
    pub identity: Option<String>,
    /// Whether that identity was trusted because it is the first one, and should be pinned now.
    pub first_use: bool,
}

/// Connects to a target and logs in.
pub async fn dial(endpoint: &Endpoint, context: &DialContext, purpose: Purpose) -> Result<Dialed, DialError> {
    let mut avoid = Vec::new();
    loop {
        let socket = connect::connect(&endpoint.address, endpoint.purpose, context).await?;
        let attempt = Attempt::new(endpoint, context, purpose, &socket, avoid.clone())?;
        let shaken = tokio::time::timeout(context.limits.handshake, attempt.run(socket)).await;
        match shaken {
            Err(_) => return Err(DialError::Timeout { address: endpoint.address.to_string() }),
            Ok(Err(Failure::Retry(kind))) if avoid.len() + 1 < TRIES && !avoid.contains(&kind) => {
                avoid.push(kind)
            }
            Ok(Err(failure)) => return Err(failure.into_error(&endpoint.address)),
            Ok(Ok(dialed)) => return Ok(dialed),
        }
    }
}

/// Why one connection did not lead to a session.
enum Failure {
    Retry(rfb::SecurityType),
    Handshake(HandshakeError),
    Other(DialError),
}

impl Failure {
    fn into_error(self, address: &Address) -> DialError {
        match self {
            Failure::Retry(avoid) => {
                DialError::of_handshake(HandshakeError::Retry { avoid }, &address.to_string())
            }
            Failure::Handshake(error) => DialError::of_handshake(error, &address.to_string()),
            Failure::Other(error) => error,
        }
    }
}

impl From<HandshakeError> for Failure {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Retry { avoid } => Failure::Retry(avoid),
            error => Failure::Handshake(error),
        }
    }
}

impl From<DialError> for Failure {
    fn from(error: DialError) -> Self {
        Failure::Other(error)
    }
}

/// One connection's handshake.
struct Attempt<'a> {
    endpoint: &'a Endpoint,
    context: &'a DialContext,
    may_trust_first: bool,
    machine: ClientHandshake,
    identity: Option<String>,
    first_use: bool,
}

impl<'a> Attempt<'a> {
    fn new(
        endpoint: &'a Endpoint,
        context: &'a DialContext,
        purpose: Purpose,
        socket: &TargetSocket,
        avoid: Vec<rfb::SecurityType>,
    ) -> Result<Self, DialError> {
        let config = ClientConfig {
            security: endpoint.security.clone(),
            host_is_local: is_local(socket),
            shared: true,
            avoid,
            ra2_key: context.ra2_key.clone(),
            ..ClientConfig::default()
        }
        .with_credentials(&endpoint.credentials);
        let may_trust_first = match purpose {
            Purpose::Console => endpoint.security.pin_on_console,
            Purpose::Test => true,
            Purpose::Snapshot => false,
        };
        let seed = seed().ok_or(DialError::Internal { code: "random.failed" })?;
        let machine = ClientHandshake::new(config, seed);
        Ok(Attempt { endpoint, context, may_trust_first, machine, identity: None, first_use: false })
    }

    async fn run(mut self, socket: TargetSocket) -> Result<Dialed, Failure> {
        let mut wire = Wire::new(TargetStream::Socket(socket));
        loop {
            match self.machine.poll_step()? {
                Step::Send(bytes) => wire.send(bytes).await.map_err(|error| self.lost(error))?,
                Step::NeedBytes => self.take_bytes(&mut wire).await?,
                Step::NeedSecret(_) => self.machine.handle_secret(self.endpoint.credentials.clone())?,
                Step::NeedIdentity(identity) => self.judge_key(&identity)?,
                Step::StartTls(kind) => {
                    let bare = wire.into_bare().and_then(|stream| match stream {
                        TargetStream::Socket(socket) => Some(socket),
                        _ => None,
                    });
                    let bare = bare.ok_or(DialError::Misbehaved(rfb::Misbehavior::OutOfOrder))?;
                    wire = Wire::new(self.start_tls(kind, bare).await?);
                    self.machine.handle_tls_started()?;
                }
                Step::StartRecords(keys) => {
                    wire.start_records(&keys);
                    self.machine.handle_records_started()?;
                }
                Step::StopRecords => wire.stop_records(),
                Step::Compute(job) => {
                    let output = compute(&self.context.compute, job).await.ok_or_else(internal)?;
                    self.machine.handle_computed(output)?;
                }
                Step::Judge(_) => return Err(internal().into()),
                Step::Done => break,
            }
        }
        let (finished, leftover) = wire.finish();
        let stream = match finished {
            Finished::Bare(stream) => stream,
            Finished::Records(records) => TargetStream::Records(records),
        };
        let result = self.machine.into_result().ok_or_else(internal)?;
        let init = result.init.clone();
        Ok(Dialed { stream, leftover, init, result, identity: self.identity, first_use: self.first_use })
    }

    async fn take_bytes(&mut self, wire: &mut Wire<TargetStream>) -> Result<(), Failure> {
        match wire.show(|bytes| self.machine.handle_bytes(bytes)).await {
            Ok(()) => Ok(()),
            Err(WireError::Handshake(error)) => Err(error.into()),
            Err(WireError::End) => Err(self.ended(wire.unconsumed()).into()),
            Err(WireError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Err(DialError::Misbehaved(rfb::Misbehavior::RecordForged).into())
            }
            // servers that are done with somebody often reset instead of closing, or close without TLS's own end
            Err(WireError::Io(error)) if is_cut(error.kind()) => match self.machine.handle_end() {
                refused @ HandshakeError::Refused { .. } => Err(refused.into()),
                _ => Err(self.lost(error).into()),
            },
            Err(WireError::Io(error)) => Err(self.lost(error).into()),
        }
    }

    /// What the end of the connection means.
    fn ended(&self, unconsumed: &[u8]) -> DialError {
        let address = self.endpoint.address.to_string();
        match self.machine.handle_end() {
            HandshakeError::Misbehavior(rfb::Misbehavior::Truncated) if unconsumed.is_empty() => {
                let source = io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection");
                DialError::Unreachable { address, source }
            }
            error => DialError::of_handshake(error, &address),
        }
    }

    fn lost(&self, source: io::Error) -> DialError {
        DialError::Unreachable { address: self.endpoint.address.to_string(), source }
    }

    async fn start_tls(&mut self, kind: TlsKind, socket: TargetSocket) -> Result<TargetStream, DialError> {
        match kind {
            TlsKind::Anonymous => {
                let tls = crate::tls::anonymous::connect(socket).await;
                let tls = tls.map_err(|error| DialError::TlsFailed { why: error.to_string() })?;
                Ok(TargetStream::Anonymous(Box::new(tls)))
            }
            TlsKind::X509 => {
                let identity = &self.endpoint.security.identity;
                let (config, verdict) = self.context.trust.judge(identity, self.may_trust_first)?;
                let name = server_name(&self.endpoint.address);
                let tls = tokio_rustls::TlsConnector::from(config).connect(name, socket).await;
                let tls = tls.map_err(|error| tls_refused(&error, &verdict))?;
                if let Some(judged) = verdict.judged() {
                    self.identity = Some(judged.found.to_hex());
                    self.first_use = judged.outcome == Outcome::First;
                }
                Ok(TargetStream::Tls(Box::new(tls)))
            }
        }
    }

    /// RA2 keys are pinned like certificates; no authority signs them.
    fn judge_key(&mut self, shown: &PeerIdentity) -> Result<(), Failure> {
        let found = Fingerprint::parse(&shown.sha256).ok_or_else(internal)?;
        match &self.endpoint.security.identity {
            Identity::Pinned(pin) => {
                let expected = Fingerprint::parse(pin).ok_or_else(internal)?;
                if expected != found {
                    return Err(DialError::TlsMismatch { expected, found }.into());
                }
            }
            Identity::FirstUse if self.may_trust_first => self.first_use = true,
            Identity::FirstUse => {
                return Err(DialError::IdentityUnknown { found, why: NOT_PINNED }.into());
            }
            Identity::Verify => {
                let why = "an RA2 key has no certificate that could be verified";
                return Err(DialError::IdentityUnknown { found, why }.into());
            }
        }
        self.identity = Some(found.to_hex());
        Ok(self.machine.handle_identity(true)?)
    }
}

const NOT_PINNED: &str = "nothing is pinned yet and a console may not set the first pin";

fn is_cut(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof)
}

/// Turns a failed TLS handshake into what the verifier had found, if it came so far.
fn tls_refused(error: &io::Error, verdict: &PeerVerdict) -> DialError {
    match verdict.judged() {
        Some(Judged { found, outcome: Outcome::Mismatch { expected } }) => {
            DialError::TlsMismatch { expected: *expected, found: *found }
        }
        Some(Judged { found, outcome: Outcome::NotPinned }) => {
            DialError::IdentityUnknown { found: *found, why: NOT_PINNED }
        }
        Some(Judged { found, outcome: Outcome::Unverified { why } }) => {
            DialError::IdentityUnknown { found: *found, why }
        }
        _ => DialError::TlsFailed { why: error.to_string() },
    }
}

/// Runs a costly computation off the reactor, not too many at a time.
pub(crate) async fn compute(bound: &Semaphore, job: Job) -> Option<JobOutput> {
    let _permit = bound.acquire().await.ok()?;
    tokio::task::spawn_blocking(move || job.run()).await.ok()
}

/// Thirty-two bytes of the system's generator; `None` if it fails.
pub(crate) fn seed() -> Option<[u8; 32]> {
    let mut seed = [0; 32];
    aws_lc_rs::rand::fill(&mut seed).ok()?;
    Some(seed)
}

fn internal() -> DialError {
    DialError::Internal { code: "handshake.misuse" }
}

/// The name that a certificate must carry.
fn server_name(address: &Address) -> ServerName<'static> {
    let local = ServerName::IpAddress(std::net::IpAddr::from([127, 0, 0, 1]).into());
    match address {
        Address::Tcp { host, .. } => ServerName::try_from(host.clone()).unwrap_or(local),
        Address::Unix { .. } | Address::TestCard => ServerName::try_from("localhost").unwrap_or(local),
    }
}

/// Whether no wire is between us and the target.
fn is_local(socket: &TargetSocket) -> bool {
    match socket {
        TargetSocket::Tcp(tcp) => tcp.peer_addr().is_ok_and(|peer| peer.ip().to_canonical().is_loopback()),
        TargetSocket::Unix(_) | TargetSocket::Duplex(_) => true,
    }
}
