//! The connection to a viewer, once listener and handshake are done with it: one type, so that the
//! relay is compiled once.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A viewer's connection. Large states are boxed: a plain connection costs a plain one's memory.
#[derive(Debug)]
#[non_exhaustive]
pub enum Transport {
    /// In clear.
    Tcp(TcpStream),
    /// TLS with a certificate: HTTPS, or VeNCrypt X509.
    Tls(Box<TlsStream<TcpStream>>),
    /// TLS without a certificate: VeNCrypt TLSPlain, where it is switched on.
    Anonymous(Box<crate::tls::anonymous::SslStream<TcpStream>>),
    /// RA2's records, over one of the others.
    Records(Box<crate::record_stream::RecordStream<Transport>>),
    /// Inside the process: tests, and whatever needs no socket.
    Duplex(DuplexStream),
}

impl Transport {
    /// The socket below, for its options; `None` inside the process.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Transport::Tcp(tcp) => Some(tcp),
            Transport::Tls(tls) => Some(tls.get_ref().0),
            Transport::Anonymous(tls) => Some(tls.get_ref()),
            Transport::Records(records) => records.get_ref().tcp(),
            Transport::Duplex(_) => None,
        }
    }

    /// Whether nobody on the way can read along.
    pub fn is_encrypted(&self) -> bool {
        !matches!(self, Transport::Tcp(_))
    }

    /// Makes the next close a reset: what is still unsent is thrown away. For kills.
    pub fn reset_on_close(&self) {
        if let Some(tcp) = self.tcp() {
            // a socket that refuses is closed already
            let _ = crate::socket::reset_on_close(tcp);
        }
    }
}

impl From<TcpStream> for Transport {
    fn from(stream: TcpStream) -> Self {
        Transport::Tcp(stream)
    }
}

impl From<TlsStream<TcpStream>> for Transport {
    fn from(stream: TlsStream<TcpStream>) -> Self {
        Transport::Tls(Box::new(stream))
    }
}

impl From<DuplexStream> for Transport {
    fn from(stream: DuplexStream) -> Self {
        Transport::Duplex(stream)
    }
}

/// Calls the same method on whatever stream is inside.
macro_rules! inner {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Transport::Tcp(s) => {
                let $stream = Pin::new(s);
                $call
            }
            Transport::Tls(s) => {
                let $stream = Pin::new(&mut **s);
                $call
            }
            Transport::Anonymous(s) => {
                let $stream = Pin::new(&mut **s);
                $call
            }
            Transport::Records(s) => {
                let $stream = Pin::new(&mut **s);
                $call
            }
            Transport::Duplex(s) => {
                let $stream = Pin::new(s);
                $call
            }
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        inner!(self, stream => stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        inner!(self, stream => stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        inner!(self, stream => stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Transport::Tcp(s) => s.is_write_vectored(),
            Transport::Tls(s) => s.is_write_vectored(),
            Transport::Anonymous(s) => s.is_write_vectored(),
            Transport::Records(s) => s.is_write_vectored(),
            Transport::Duplex(s) => s.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        inner!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        inner!(self, stream => stream.poll_shutdown(cx))
    }
}
