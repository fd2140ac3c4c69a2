//! Listeners and their bounds, with the PROXY protocol in front and TLS behind.

use crate::support::certificate;
use gateway::forwarded::TrustedProxies;
use gateway::listener::{Accepted, Listener, ListenerOptions};
use gateway::tls::{Certificates, Source, TargetTrust, server};
use model::target::Identity;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Starts a listener whose connections come out of the channel.
fn listen(
    change: impl FnOnce(&mut ListenerOptions),
) -> (SocketAddr, mpsc::UnboundedReceiver<Accepted>, CancellationToken) {
    let mut options = ListenerOptions::new(([127, 0, 0, 1], 0).into());
    change(&mut options);
    let listener = Listener::bind(options).unwrap();
    let address = listener.local_addr();
    assert_ne!(address.port(), 0);
    let (send, receive) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    tokio::spawn(listener.run(stop.clone(), move |accepted| {
        let _ = send.send(accepted);
        async {}
    }));
    (address, receive, stop)
}

fn behind_proxies(options: &mut ListenerOptions) {
    options.proxies = TrustedProxies::new(vec!["127.0.0.0/8".parse().unwrap()]);
    options.proxy_protocol = true;
}

async fn is_closed(mut stream: TcpStream) -> bool {
    matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn the_header_names_the_client_and_what_follows_is_untouched() {
    let (address, mut accepted, _stop) = listen(behind_proxies);
    let v2 = [
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".as_slice(),
        &[192, 0, 2, 7, 198, 51, 100, 1, 0xc3, 0x50, 0x17, 0x0c],
    ]
    .concat();
    for header in [b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 5900\r\n".to_vec(), v2] {
        // in one piece, and byte by byte
        for size in [usize::MAX, 1, 7] {
            let mut client = TcpStream::connect(address).await.unwrap();
            client.set_nodelay(true).unwrap();
            let all = [&header[..], b"RFB 003.008\n"].concat();
            for piece in all.chunks(size.min(all.len())) {
                client.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            let mut got = accepted.recv().await.unwrap();
            assert_eq!(got.peer, "192.0.2.7:50000".parse().unwrap());
            assert_eq!(got.local, "198.51.100.1:5900".parse().unwrap());
            let mut behind = [0; 12];
            got.transport.read_exact(&mut behind).await.unwrap();
            assert_eq!(&behind, b"RFB 003.008\n");
        }
    }
}

#[tokio::test]
async fn without_a_header_nobody_comes_in() {
    let (address, mut accepted, _stop) = listen(|options| {
        behind_proxies(options);
        options.limits.proxy_header = Duration::from_millis(100);
    });
    for early in [&b""[..], b"GET / HTTP/1.1\r\n", b"PROXY TCP4 "] {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(early).await.unwrap();
        assert!(is_closed(client).await, "{early:?}");
    }
    // a health check of the proxy itself
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"PROXY UNKNOWN\r\n").await.unwrap();
    assert_eq!(accepted.recv().await.unwrap().peer, client.local_addr().unwrap());
}

#[tokio::test]
async fn a_stranger_cannot_send_a_header() {
    let (address, mut accepted, _stop) = listen(|options| {
        options.proxies = TrustedProxies::new(vec!["192.0.2.0/24".parse().unwrap()]);
        options.proxy_protocol = true;
    });
    let mut client = TcpStream::connect(address).await.unwrap();
    let _ = client.write_all(b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n").await;
    assert!(is_closed(client).await);
    assert!(accepted.try_recv().is_err());
}

#[tokio::test]
async fn half_open_connections_are_bounded_by_source_and_all_by_number() {
    let (address, mut accepted, _stop) = listen(|options| {
        options.limits.half_open_per_source = 2;
        options.limits.connections = 3;
    });
    let mut clients = Vec::new();
    for _ in 0..2 {
        clients.push(TcpStream::connect(address).await.unwrap());
    }
    let (first, second) = (accepted.recv().await.unwrap(), accepted.recv().await.unwrap());
    assert!(is_closed(TcpStream::connect(address).await.unwrap()).await, "a third unfinished one");
    first.slot.established();
    clients.push(TcpStream::connect(address).await.unwrap());
    let third = accepted.recv().await.unwrap();
    second.slot.established();
    third.slot.established();
    assert!(is_closed(TcpStream::connect(address).await.unwrap()).await, "a fourth connection");
    // a slot lives as long as any copy of it
    let copy = first.slot.clone();
    drop(first);
    assert!(is_closed(TcpStream::connect(address).await.unwrap()).await, "the copy holds the place");
    drop(copy);
    clients.push(TcpStream::connect(address).await.unwrap());
    accepted.recv().await.unwrap();
}

#[tokio::test]
async fn a_trusted_proxy_speaks_for_many_who_have_not_begun_yet() {
    let limit = 2;
    let (address, mut accepted, _stop) = listen(|options| {
        options.proxies = TrustedProxies::new(vec!["127.0.0.0/8".parse().unwrap()]);
        options.limits.half_open_per_source = limit;
    });
    let mut unfinished = Vec::new();
    for _ in 0..=limit {
        let client = TcpStream::connect(address).await.unwrap();
        unfinished.push((client, accepted.recv().await.unwrap()));
    }
}

#[tokio::test]
async fn tls_behind_the_header_and_a_bound_on_its_handshake() {
    let directory = tempfile::tempdir().unwrap();
    let (files, fingerprint) = certificate(directory.path());
    let source = Source::Files { certificate: files.leaf, key: files.leaf_key };
    let certificates = Certificates::open(source, SystemTime::now()).unwrap();
    let (address, mut accepted, _stop) = listen(|options| {
        behind_proxies(options);
        options.tls = Some(server::web(&certificates).unwrap());
        options.limits.tls = Duration::from_secs(1);
    });
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"PROXY TCP6 2001:db8::1 ::1 4000 443\r\n").await.unwrap();
    let trust = TargetTrust::new(None).unwrap();
    let (config, _) = trust.judge(&Identity::Pinned(fingerprint), false).unwrap();
    let connector = tokio_rustls::TlsConnector::from(config);
    let mut tls = connector.connect("localhost".try_into().unwrap(), client).await.unwrap();
    tls.write_all(b"x").await.unwrap();
    let mut got = accepted.recv().await.unwrap();
    assert_eq!(got.peer, "[2001:db8::1]:4000".parse().unwrap());
    assert!(got.transport.is_encrypted());
    assert_eq!(got.transport.read_u8().await.unwrap(), b'x');

    let mut silent = TcpStream::connect(address).await.unwrap();
    silent.write_all(b"PROXY UNKNOWN\r\n").await.unwrap();
    assert!(is_closed(silent).await);
}

#[tokio::test]
async fn stopping_ends_accepting_and_nothing_else() {
    let (address, mut accepted, stop) = listen(|_| {});
    let mut client = TcpStream::connect(address).await.unwrap();
    let mut got = accepted.recv().await.unwrap();
    stop.cancel();
    assert!(accepted.recv().await.is_none());
    assert!(TcpStream::connect(address).await.is_err());
    client.write_all(b"still here").await.unwrap();
    let mut text = [0; 10];
    got.transport.read_exact(&mut text).await.unwrap();
}
