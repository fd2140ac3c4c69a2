//! From an address to an open socket.
//!
//! A name's addresses are tried in turn, families alternating, the next one when the one before
//! failed or was silent for a moment [RFC 8305, in short].
//!
//! INVARIANT: each address is judged by [`model::egress`] right before it is connected to; the name is not resolved again.

use super::{DialContext, DialError, TargetSocket};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use model::egress::{self, Egress, EgressError, Purpose};
use model::target::Address;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};

/// [RFC 8305, 8] Time that one address has before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);
/// Addresses of a name that are tried.
const ADDRESSES: usize = 8;

/// Why no socket was opened.
#[derive(Debug)]
enum ConnectError {
    Forbidden(EgressError),
    Io(io::Error),
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        ConnectError::Io(error)
    }
}

impl From<EgressError> for ConnectError {
    fn from(error: EgressError) -> Self {
        ConnectError::Forbidden(error)
    }
}

/// Opens the socket; `DialError` is `Unreachable`, `Forbidden`, `Timeout` or `NoTestCard`.
pub(super) async fn connect(
    address: &Address,
    purpose: Purpose,
    context: &DialContext,
) -> Result<TargetSocket, DialError> {
    let attempt = async {
        match address {
            Address::Tcp { host, port } => {
                let stream = connect_tcp(host, *port, purpose, &context.egress).await?;
                crate::socket::prepare_target(&stream)?;
                Ok(Some(TargetSocket::Tcp(stream)))
            }
            Address::Unix { path } => {
                egress::check_unix(purpose)?;
                Ok(Some(TargetSocket::Unix(UnixStream::connect(path).await?)))
            }
            Address::TestCard => {
                Ok(context.test_card.as_ref().map(|card| TargetSocket::Duplex(card.connect())))
            }
        }
    };
    match tokio::time::timeout(context.limits.connect, attempt).await {
        Err(_) => Err(DialError::Timeout { address: address.to_string() }),
        Ok(Err(ConnectError::Io(source))) => {
            Err(DialError::Unreachable { address: address.to_string(), source })
        }
        Ok(Err(ConnectError::Forbidden(source))) => {
            Err(DialError::Forbidden { address: address.to_string(), source })
        }
        Ok(Ok(None)) => Err(DialError::NoTestCard),
        Ok(Ok(Some(socket))) => Ok(socket),
    }
}

async fn connect_tcp(
    host: &str,
    port: u16,
    purpose: Purpose,
    egress: &Egress,
) -> Result<TcpStream, ConnectError> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    let mut addresses = alternate(found).into_iter();
    let mut under_way = FuturesUnordered::new();
    let mut last_error = ConnectError::Io(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    loop {
        let next = addresses.next();
        let is_last = next.is_none();
        under_way.extend(next.map(|peer| connect_one(peer, purpose, egress)));
        if under_way.is_empty() {
            return Err(last_error);
        }
        let pause = async {
            if is_last { std::future::pending().await } else { tokio::time::sleep(HEAD_START).await }
        };
        tokio::select! {
            Some(outcome) = under_way.next() => match outcome {
                Ok(stream) => return Ok(stream),
                Err(error) => last_error = error,
            },
            () = pause => {}
        }
    }
}

/// An address, if it may be connected to.
async fn connect_one(peer: SocketAddr, purpose: Purpose, egress: &Egress) -> Result<TcpStream, ConnectError> {
    egress::check(peer, purpose, egress)?;
    let stream = TcpStream::connect(peer).await?;
    egress::check_connected(stream.local_addr()?, stream.peer_addr()?, egress)?;
    Ok(stream)
}

/// The families in turn, the first one's first.
fn alternate(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    first.reverse();
    second.reverse();
    let mut mixed = Vec::new();
    while mixed.len() < ADDRESSES {
        let before = mixed.len();
        mixed.extend(first.pop());
        mixed.extend(second.pop());
        if mixed.len() == before {
            break;
        }
    }
    mixed.truncate(ADDRESSES);
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_alternate() {
        let parse = |list: &[&str]| list.iter().map(|a| a.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let found = parse(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]);
        assert_eq!(alternate(found), parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]));
        assert_eq!(alternate(Vec::new()), Vec::new());
        let many = (1..40u8).map(|n| SocketAddr::from(([10, 0, 0, n], 1))).collect();
        assert_eq!(alternate(many).len(), ADDRESSES);
    }

    #[tokio::test]
    async fn a_dead_address_does_not_hide_a_live_one() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // localhost may resolve to ::1 first, where nobody listens
        let (purpose, egress) = (Purpose::AdministratorsTarget, Egress::default());
        let stream = connect_tcp("localhost", port, purpose, &egress).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().port(), port);
        drop(listener);
        let error = connect_tcp("127.0.0.1", port, purpose, &egress).await.unwrap_err();
        assert!(matches!(error, ConnectError::Io(e) if e.kind() == io::ErrorKind::ConnectionRefused));
    }

    #[tokio::test]
    async fn a_name_does_not_hide_where_it_leads() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let forbidden =
            async |host: &str, purpose, egress: &Egress| match connect_tcp(host, port, purpose, egress).await
            {
                Err(ConnectError::Forbidden(error)) => error,
                other => panic!("{host}: {other:?}"),
            };
        let open = Egress::default();
        for host in ["localhost", "127.1", "2130706433", "0x7f000001", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(forbidden(host, Purpose::Target, &open).await, EgressError::Loopback, "{host}");
        }
        let administrator = Purpose::AdministratorsTarget;
        assert_eq!(forbidden("169.254.169.254", administrator, &open).await, EgressError::Metadata);
        let ours = Egress { listeners: vec![([0, 0, 0, 0], port).into()], ..Egress::default() };
        assert_eq!(forbidden("127.0.0.1", administrator, &ours).await, EgressError::OwnListener);
        // Nothing of all this has knocked.
        assert!(tokio::time::timeout(Duration::ZERO, listener.accept()).await.is_err());
    }
}
