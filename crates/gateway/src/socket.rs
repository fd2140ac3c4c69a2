//! Options of TCP sockets, each with its reason.

use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// Unsent bytes that the kernel may hold for a viewer. More would be old pictures: a slow viewer
/// shall see a late frame, not all frames that it missed.
const VIEWER_UNSENT: u32 = 128 * 1024;
/// A peer that acknowledges nothing for so long is gone.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
/// An idle peer is asked for a sign of life after so long,
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
/// and then so often.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Congestion control of connections that stay on this machine, which every kernel has and lets everyone use.
const LOCAL_CONGESTION: &[u8] = b"reno";

/// Prepares a viewer's socket.
pub fn prepare_viewer(stream: &TcpStream) -> io::Result<()> {
    prepare(stream)?;
    let socket = socket2::SockRef::from(stream);
    if stream.peer_addr()?.ip().to_canonical().is_loopback() {
        // Behind a proxy on this machine nothing can be congested, but where BBR is the default the kernel
        // paces even that, with a timer per segment: twice the CPU per byte. Without it it is only slower.
        let _ = socket.set_tcp_congestion(LOCAL_CONGESTION);
    }
    socket.set_tcp_notsent_lowat(VIEWER_UNSENT)
}

/// Prepares a socket to a target: input must not wait for company.
pub fn prepare_target(stream: &TcpStream) -> io::Result<()> {
    prepare(stream)
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = socket2::SockRef::from(stream);
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))
}

/// Makes the next close a reset: what is still unsent is thrown away. For kills.
pub fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn options_arrive_in_the_kernel() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        prepare_viewer(&stream).unwrap();
        let socket = socket2::SockRef::from(&stream);
        assert!(stream.nodelay().unwrap());
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), VIEWER_UNSENT);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED));
        assert!(socket.keepalive().unwrap());
        let congestion = socket.tcp_congestion().unwrap();
        assert!(congestion.starts_with(LOCAL_CONGESTION), "{congestion:?}");
        reset_on_close(&stream).unwrap();
        assert_eq!(socket.linger().unwrap(), Some(Duration::ZERO));
    }
}
