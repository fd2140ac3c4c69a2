//! The connection to a target, whatever it goes through.

use crate::record_stream::RecordStream;
use crate::tls::anonymous::SslStream;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

/// A socket to a target, before any wrapping.
#[derive(Debug)]
pub enum TargetSocket {
    /// Over the network.
    Tcp(TcpStream),
    /// On this machine.
    Unix(UnixStream),
    /// Inside this process: the test card.
    Duplex(DuplexStream),
}

impl TargetSocket {
    /// The other end's address, on the network.
    pub fn peer(&self) -> Option<SocketAddr> {
        match self {
            TargetSocket::Tcp(tcp) => tcp.peer_addr().ok(),
            TargetSocket::Unix(_) | TargetSocket::Duplex(_) => None,
        }
    }
}

/// A connection to a target. Large states are boxed.
#[derive(Debug)]
#[non_exhaustive]
pub enum TargetStream {
    /// In clear.
    Socket(TargetSocket),
    /// TLS with a certificate.
    Tls(Box<TlsStream<TargetSocket>>),
    /// TLS without a certificate.
    Anonymous(Box<SslStream<TargetSocket>>),
    /// RA2's records, inside one of the others.
    Records(Box<RecordStream<TargetStream>>),
}

impl TargetStream {
    /// The socket below.
    pub fn socket(&self) -> &TargetSocket {
        match self {
            TargetStream::Socket(socket) => socket,
            TargetStream::Tls(tls) => tls.get_ref().0,
            TargetStream::Anonymous(tls) => tls.get_ref(),
            TargetStream::Records(records) => records.get_ref().socket(),
        }
    }
}

macro_rules! socket {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            TargetSocket::Tcp(s) => {
                let $stream = Pin::new(s);
                $call
            }
            TargetSocket::Unix(s) => {
                let $stream = Pin::new(s);
                $call
            }
            TargetSocket::Duplex(s) => {
                let $stream = Pin::new(s);
                $call
            }
        }
    };
}

macro_rules! target {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            TargetStream::Socket(s) => {
                let $stream = Pin::new(s);
                $call
            }
            TargetStream::Tls(s) => {
                let $stream = Pin::new(&mut **s);
                $call
            }
            TargetStream::Anonymous(s) => {
                let $stream = Pin::new(&mut **s);
                $call
            }
            TargetStream::Records(s) => {
                let $stream = Pin::new(&mut **s);
                $call
            }
        }
    };
}

macro_rules! streams {
    ($ty:ty, $inner:ident) => {
        impl AsyncRead for $ty {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                $inner!(self, stream => stream.poll_read(cx, buf))
            }
        }

        impl AsyncWrite for $ty {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                $inner!(self, stream => stream.poll_write(cx, buf))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                $inner!(self, stream => stream.poll_write_vectored(cx, bufs))
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                $inner!(self, stream => stream.poll_flush(cx))
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                $inner!(self, stream => stream.poll_shutdown(cx))
            }
        }
    };
}

streams!(TargetSocket, socket);
streams!(TargetStream, target);
