//! From an address to an open socket.
//!
//! A name's addresses are tried in turn, families alternating, the next one when the one before
//! failed or was silent for a moment [RFC 8305, in short].

use super::{DialContext, DialError, TargetSocket};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use model::target::Address;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};

/// [RFC 8305, 8] Time that one address has before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);
/// Addresses of a name that are tried.
const ADDRESSES: usize = 8;

/// Opens the socket; `DialError` is `Unreachable`, `Timeout` or `NoTestCard`.
pub(super) async fn connect(address: &Address, context: &DialContext) -> Result<TargetSocket, DialError> {
    let attempt = async {
        match address {
            Address::Tcp { host, port } => {
                let stream = connect_tcp(host, *port).await?;
                crate::socket::prepare_target(&stream)?;
                Ok(Some(TargetSocket::Tcp(stream)))
            }
            Address::Unix { path } => Ok(Some(TargetSocket::Unix(UnixStream::connect(path).await?))),
            Address::TestCard => {
                Ok(context.test_card.as_ref().map(|card| TargetSocket::Duplex(card.connect())))
            }
        }
    };
    match tokio::time::timeout(context.limits.connect, attempt).await {
        Err(_) => Err(DialError::Timeout { address: address.to_string() }),
        Ok(Err(source)) => Err(DialError::Unreachable { address: address.to_string(), source }),
        Ok(Ok(None)) => Err(DialError::NoTestCard),
        Ok(Ok(Some(socket))) => Ok(socket),
    }
}

async fn connect_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
    let mut addresses = alternate(found).into_iter();
    let mut under_way = FuturesUnordered::new();
    let mut last_error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        let next = addresses.next();
        let is_last = next.is_none();
        under_way.extend(next.map(TcpStream::connect));
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
        let stream = connect_tcp("localhost", port).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().port(), port);
        drop(listener);
        let error = connect_tcp("127.0.0.1", port).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
