//! Accepting viewers: the loops in front of web and native ingress, with every bound that a stranger
//! could otherwise stretch.
//!
//! A connection passes, in this order: the total bound, the PROXY header (only from configured
//! proxies, and they must send it), the bound on unfinished connections of one source, TLS. Each
//! waits for a limited time. What comes out is handed to a handler; the [`Slot`] that it carries is the
//! connection's place in the bounds and must live as long as the connection.

use crate::forwarded::TrustedProxies;
use crate::proxy_protocol::{self, Proxied};
use crate::socket;
use crate::transport::Transport;
use rustls::ServerConfig;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Connections that the kernel holds until we take them.
const BACKLOG: u32 = 1024;
/// Pause after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bounds of one listener.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListenerLimits {
    /// Connections at a time; one more is closed at once.
    pub connections: usize,
    /// Connections of one source (an IPv4 address or an IPv6 /64) that are not established yet.
    pub half_open_per_source: u32,
    /// Time for the PROXY header.
    pub proxy_header: Duration,
    /// Time for the TLS handshake.
    pub tls: Duration,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        ListenerLimits {
            connections: 20_000,
            half_open_per_source: 32,
            proxy_header: Duration::from_secs(5),
            tls: Duration::from_secs(10),
        }
    }
}

/// What to listen for.
#[derive(Clone, Debug)]
pub struct ListenerOptions {
    /// Port 0 takes a free one; [`Listener::local_addr`] says which.
    pub address: SocketAddr,
    /// TLS from the first byte on.
    pub tls: Option<Arc<ServerConfig>>,
    /// Each connection of these may be anybody's: they have no bound on unfinished ones.
    pub proxies: TrustedProxies,
    /// Demands a PROXY header, from exactly those proxies; connections from elsewhere are closed.
    pub proxy_protocol: bool,
    /// Bounds.
    pub limits: ListenerLimits,
}

impl ListenerOptions {
    /// In clear, without proxies, default bounds.
    pub fn new(address: SocketAddr) -> Self {
        ListenerOptions {
            address,
            tls: None,
            proxies: TrustedProxies::default(),
            proxy_protocol: false,
            limits: ListenerLimits::default(),
        }
    }
}

/// A viewer's connection, ready for HTTP or RFB.
#[derive(Debug)]
pub struct Accepted {
    /// The connection.
    pub transport: Transport,
    /// Who connected, after the PROXY header.
    pub peer: SocketAddr,
    /// The address that was connected to, after the PROXY header.
    pub local: SocketAddr,
    /// The connection's place in the bounds.
    pub slot: Slot,
}

/// A connection's place in the bounds of its listener. Give it up only with the connection.
#[derive(Clone, Debug)]
pub struct Slot(Arc<SlotInner>);

#[derive(Debug)]
struct SlotInner {
    _place: OwnedSemaphorePermit,
    half_open: Mutex<Option<HalfOpen>>,
}

impl Slot {
    /// The viewer has shown who it is: the connection no longer counts as unfinished.
    pub fn established(&self) {
        self.0.half_open.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// A listener that is bound.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    local: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    tls: Option<Arc<ServerConfig>>,
    proxies: TrustedProxies,
    proxy_protocol: bool,
    limits: ListenerLimits,
    places: Arc<Semaphore>,
    sources: Arc<Sources>,
}

impl Listener {
    /// Binds. Viewers are kept waiting until [`Listener::run`] takes them.
    pub fn bind(options: ListenerOptions) -> io::Result<Listener> {
        let socket = match options.address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(options.address)?;
        let tcp = socket.listen(BACKLOG)?;
        let local = tcp.local_addr()?;
        let shared = Shared {
            tls: options.tls,
            proxies: options.proxies,
            proxy_protocol: options.proxy_protocol,
            limits: options.limits,
            places: Arc::new(Semaphore::new(options.limits.connections)),
            sources: Arc::new(Sources::default()),
        };
        Ok(Listener { tcp, local, shared: Arc::new(shared) })
    }

    /// The bound address, with the port that was given.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Takes connections until `stop`, each in a task of its own that ends with the handler's future.
    /// Connections that are under way are not ended by `stop`.
    pub async fn run<H, F>(self, stop: CancellationToken, handler: H)
    where
        H: Fn(Accepted) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.tcp.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if wants_pause(&error) {
                        tracing::warn!(%error, "Cannot accept connections; raise the limit on open files");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&self.shared.places).try_acquire_owned() else {
                refuse("full");
                continue;
            };
            let (shared, handler, local) = (Arc::clone(&self.shared), handler.clone(), self.local);
            tokio::spawn(async move {
                match shared.greet(stream, peer, local, place).await {
                    Ok(accepted) => handler(accepted).await,
                    Err(reason) => {
                        tracing::debug!(%peer, reason, "A connection was refused");
                        refuse(reason);
                    }
                }
            });
        }
    }
}

/// Whether accepting again at once would fail again: no descriptors or no memory.
fn wants_pause(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

fn refuse(reason: &'static str) {
    metrics::counter!("gatehouse_refused_connections_total", "reason" => reason).increment(1);
}

impl Shared {
    /// Everything between the accepted socket and the handler; the error is the reason for metrics.
    async fn greet(
        &self,
        mut stream: TcpStream,
        peer: SocketAddr,
        local: SocketAddr,
        place: OwnedSemaphorePermit,
    ) -> Result<Accepted, &'static str> {
        socket::prepare_viewer(&stream).map_err(|_| "socket")?;
        let mut ends = (canonical(peer), canonical(stream.local_addr().unwrap_or(local)));
        if self.proxy_protocol {
            if !self.proxies.contains(ends.0.ip()) {
                return Err("not_a_proxy");
            }
            let header = tokio::time::timeout(self.limits.proxy_header, read_proxy_header(&mut stream));
            match header.await.map_err(|_| "proxy_timeout")?? {
                Proxied::Addresses { source, destination } => {
                    ends = (canonical(source), canonical(destination))
                }
                Proxied::Own => {}
            }
        }
        let (peer, local) = ends;
        let half_open = match self.proxies.contains(peer.ip()) {
            true => None,
            false => {
                Some(self.sources.enter(peer.ip(), self.limits.half_open_per_source).ok_or("half_open")?)
            }
        };
        let transport = match &self.tls {
            None => Transport::Tcp(stream),
            Some(config) => {
                let handshake = tokio_rustls::TlsAcceptor::from(Arc::clone(config)).accept(stream);
                let tls = tokio::time::timeout(self.limits.tls, handshake);
                Transport::from(tls.await.map_err(|_| "tls_timeout")?.map_err(|_| "tls")?)
            }
        };
        let slot = Slot(Arc::new(SlotInner { _place: place, half_open: Mutex::new(half_open) }));
        Ok(Accepted { transport, peer, local, slot })
    }
}

/// Reads exactly the header. What was peeked at without being a whole one belongs to it, so it can be
/// taken without fear for what follows.
async fn read_proxy_header(stream: &mut TcpStream) -> Result<Proxied, &'static str> {
    let mut header = Vec::new();
    let mut chunk = [0; 256];
    loop {
        let n = stream.peek(&mut chunk).await.map_err(|_| "proxy_closed")?;
        if n == 0 {
            return Err("proxy_closed");
        }
        let before = header.len();
        header.extend_from_slice(chunk.get(..n).unwrap_or_default());
        let parsed = proxy_protocol::parse(&header).map_err(|error| {
            use model::Coded;
            error.code()
        })?;
        let take = parsed.map_or(n, |(_, length)| length.saturating_sub(before));
        let taken = chunk.get_mut(..take).ok_or("proxy.malformed")?;
        stream.read_exact(taken).await.map_err(|_| "proxy_closed")?;
        if let Some((proxied, _)) = parsed {
            return Ok(proxied);
        }
    }
}

/// IPv4 addresses that arrive on an IPv6 socket are IPv4 addresses.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Unfinished connections by source. Bounded by the listener's total bound.
#[derive(Debug, Default)]
struct Sources(Mutex<HashMap<IpAddr, u32>>);

impl Sources {
    fn enter(self: &Arc<Self>, address: IpAddr, limit: u32) -> Option<HalfOpen> {
        let source = source_of(address);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(source).or_insert(0);
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(HalfOpen { sources: Arc::clone(self), source })
    }
}

/// One unfinished connection.
#[derive(Debug)]
struct HalfOpen {
    sources: Arc<Sources>,
    source: IpAddr,
}

impl Drop for HalfOpen {
    fn drop(&mut self) {
        let mut counts = self.sources.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.source);
            }
        }
    }
}

/// One person easily has a whole IPv6 /64.
fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_counted_and_forgotten() {
        let sources = Arc::new(Sources::default());
        let (a, b) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
        let first = sources.enter(a, 2).unwrap();
        let second = sources.enter(b, 2).unwrap();
        assert!(sources.enter(a, 2).is_none());
        assert!(sources.enter("2001:db8:0:1::1".parse().unwrap(), 2).is_some());
        drop(first);
        assert!(sources.enter(b, 2).is_some());
        drop(second);
        assert!(sources.0.lock().unwrap().is_empty());
    }
}
