//! What these tests share: endpoints, a doorkeeper, certificates, one exchange of the session.

use futures_util::future::BoxFuture;
use gateway::dial::{DialContext, Dialed};
use gateway::port::{
    Doorkeeper, Endpoint, EndpointError, Endpoints, Journal, JournalError, NativeClaim, Ports, Refusal, Seen,
    SessionChange, SessionEnd, SessionSpec, SessionStart,
};
use gateway::tls::{Names, TargetTrust, own};
use gateway::{Gateway, GatewayLimits};
use model::session::Ingress;
use model::target::{Address, Credentials, Identity, Security};
use model::{Policy, Secret, SessionId, TargetId};
use rfb::wire::Put;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A target at an address.
pub(crate) fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint {
        id: TargetId(uuid_of(1)),
        name: "test".to_owned(),
        address: Address::Tcp { host: address.ip().to_string(), port: address.port() },
        security: Security::default(),
        credentials: Credentials::default(),
        purpose: model::egress::Purpose::AdministratorsTarget,
    }
}

/// A target on a Unix socket.
pub(crate) fn endpoint_at(path: &Path) -> Endpoint {
    let path = path.display().to_string();
    Endpoint { address: Address::Unix { path }, ..endpoint(([127, 0, 0, 1], 1).into()) }
}

pub(crate) fn with_password(mut endpoint: Endpoint, password: &str) -> Endpoint {
    endpoint.credentials.password = Some(Secret::new(password));
    endpoint
}

pub(crate) fn with_identity(mut endpoint: Endpoint, identity: Identity) -> Endpoint {
    endpoint.security.identity = identity;
    endpoint
}

pub(crate) fn context() -> DialContext {
    DialContext::new(TargetTrust::new(None).unwrap())
}

/// An own certificate with its authority in a directory.
pub(crate) fn certificate(directory: &Path) -> (own::Files, String) {
    let own = own::open(directory, &Names::new([]), SystemTime::now()).unwrap();
    let fingerprint = gateway::tls::Fingerprint::of(&own.chain[0]).to_hex();
    (own::Files::under(directory), fingerprint)
}

/// Asks for the whole screen in Raw and reads to the end of the first update: the stream behind the
/// handshake is where it should be and carries both directions.
pub(crate) async fn first_update(dialed: &mut Dialed) {
    let mut request = vec![2, 0];
    request.put_u16(1);
    request.put_i32(0);
    request.put(&[3, 0]);
    for n in [0, 0, 16, 16] {
        request.put_u16(n);
    }
    dialed.stream.write_all(&request).await.unwrap();
    dialed.stream.flush().await.unwrap();
    let bytes_per_pixel = usize::from(dialed.init.pixel_format.bits_per_pixel / 8);
    let leftover = std::mem::take(&mut dialed.leftover);
    let mut reader = leftover.as_slice().chain(&mut dialed.stream);
    assert_eq!(reader.read_u8().await.unwrap(), 0, "FramebufferUpdate");
    reader.read_u8().await.unwrap();
    let rectangles = reader.read_u16().await.unwrap();
    assert!(rectangles > 0);
    for _ in 0..rectangles {
        let mut header = [0; 12];
        reader.read_exact(&mut header).await.unwrap();
        assert_eq!(header[8..], [0; 4], "Raw");
        let area = [4, 6].map(|at| usize::from(u16::from_be_bytes([header[at], header[at + 1]])));
        let mut pixels = vec![0; area[0] * area[1] * bytes_per_pixel];
        reader.read_exact(&mut pixels).await.unwrap();
    }
}

/// Lets one ticket in, once, and counts what it was asked.
pub(crate) struct Door {
    pub(crate) ticket: Mutex<Option<Secret>>,
    pub(crate) banned: bool,
    pub(crate) judged: Mutex<Vec<(SocketAddr, &'static str)>>,
}

impl Door {
    pub(crate) fn new(ticket: &str) -> Arc<Door> {
        let ticket = Mutex::new(Some(Secret::new(ticket)));
        Arc::new(Door { ticket, banned: false, judged: Mutex::default() })
    }
}

impl Doorkeeper for Door {
    fn admit(&self, _source: SocketAddr) -> Result<(), Refusal> {
        if self.banned { Err(Refusal::Banned) } else { Ok(()) }
    }

    fn judge(&self, source: SocketAddr, claim: NativeClaim) -> BoxFuture<'_, Result<SessionSpec, Refusal>> {
        let mut ticket = self.ticket.lock().unwrap();
        let right = ticket.as_ref().is_some_and(|ticket| match &claim {
            NativeClaim::Plain { password, .. } => password == ticket,
            NativeClaim::VncAuth(response) => response.matches(ticket),
            _ => false,
        });
        self.judged.lock().unwrap().push((source, if right { "right" } else { "wrong" }));
        let answer = if right {
            *ticket = None;
            Ok(spec(source))
        } else {
            Err(Refusal::WrongCredentials)
        };
        Box::pin(async { answer })
    }
}

/// A house with one target, whose journal keeps what happened.
pub(crate) struct House {
    pub(crate) endpoint: Endpoint,
    pub(crate) journal: Mutex<Vec<String>>,
}

impl House {
    /// A gateway in front of one target.
    pub(crate) fn gateway(
        endpoint: Endpoint,
        door: Arc<Door>,
        context: DialContext,
    ) -> (Arc<House>, Arc<Gateway>) {
        let house = Arc::new(House { endpoint, journal: Mutex::default() });
        let ports = Ports {
            endpoints: Arc::clone(&house) as _,
            doorkeeper: door,
            journal: Arc::clone(&house) as _,
            taps: None,
        };
        let gateway = Gateway::new(ports, GatewayLimits::default(), context);
        (house, gateway)
    }

    fn note(&self, what: String) {
        self.journal.lock().unwrap().push(what);
    }
}

impl Endpoints for House {
    fn resolve(&self, _target: TargetId) -> BoxFuture<'_, Result<Endpoint, EndpointError>> {
        Box::pin(async { Ok(self.endpoint.clone()) })
    }

    fn remember(&self, _target: TargetId, seen: Seen) -> BoxFuture<'_, ()> {
        self.note(format!("seen {:?}", seen.strength));
        Box::pin(async {})
    }
}

impl Journal for House {
    fn started(&self, start: &SessionStart) -> BoxFuture<'_, Result<(), JournalError>> {
        self.note(format!("started {}x{}", start.width, start.height));
        Box::pin(async { Ok(()) })
    }

    fn not_begun(&self, _: SessionId) -> BoxFuture<'_, ()> {
        self.note("not begun".to_owned());
        Box::pin(async {})
    }

    fn changed(&self, _change: &SessionChange) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn ended(&self, end: &SessionEnd) -> BoxFuture<'_, ()> {
        self.note(format!("ended {:?}", end.reason));
        Box::pin(async {})
    }
}

fn spec(viewer: SocketAddr) -> SessionSpec {
    SessionSpec {
        session: SessionId(uuid_of(2)),
        target: TargetId(uuid_of(1)),
        policy: Policy::default(),
        ingress: Ingress::Native,
        viewer,
        user_agent: None,
        subject: "test".to_owned(),
        resume: None,
    }
}

pub(crate) fn uuid_of(n: u8) -> uuid::Uuid {
    uuid::Uuid::from_bytes([n; 16])
}
