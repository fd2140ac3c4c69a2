//! A WebSocket as a byte stream with `await`, for the greeting of a viewer.
//!
//! The relay itself drives the codec directly; this is for the few round trips before it.

use super::codec::{self, Control, Decoder, Violation};
use crate::limits::WS_MESSAGE;
use model::Coded;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes of one read while greeting: the viewer's messages have under 20.
const READ: usize = 2048;

/// How a WebSocket ended while it was greeted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WsError {
    /// The viewer closed in order, with this code.
    #[error("the viewer closed the WebSocket")]
    Closed(Option<u16>),
    /// The connection broke.
    #[error("the viewer's connection broke: {0}")]
    Io(#[from] std::io::Error),
    /// The viewer broke the WebSocket protocol.
    #[error("the viewer broke the WebSocket protocol ({})", .0.code())]
    Violation(Violation),
}

/// A server's end of a WebSocket.
#[derive(Debug)]
pub struct WsStream<S> {
    io: S,
    decoder: Decoder,
    /// Received before the upgrade was answered, not yet decoded.
    leftover: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WsStream<S> {
    /// Takes over a connection whose upgrade was answered, with bytes that came early.
    pub fn new(io: S, leftover: Vec<u8>) -> Self {
        WsStream { io, decoder: Decoder::new(WS_MESSAGE), leftover }
    }

    /// Appends at least one byte of payload to `out`. Answers pings.
    ///
    /// Cancel-safe: what was read is in `out` or in the decoder.
    pub async fn receive(&mut self, out: &mut Vec<u8>) -> Result<(), WsError> {
        let before = out.len();
        loop {
            let mut bytes = std::mem::take(&mut self.leftover);
            if bytes.is_empty() {
                bytes.resize(READ, 0);
                let n = self.io.read(&mut bytes).await?;
                if n == 0 {
                    return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
                }
                bytes.truncate(n);
            }
            let (mut answer, mut closed) = (Vec::new(), None);
            let unframed = self.decoder.unframe(&mut bytes, |control| match control {
                Control::Ping(payload) => {
                    answer.clear();
                    codec::put_pong(&mut answer, payload);
                }
                Control::Pong(_) => {}
                Control::Close(code) => closed = Some(code),
            });
            out.extend_from_slice(bytes.get(..unframed.payload).unwrap_or_default());
            if let Some(violation) = unframed.fault {
                return Err(WsError::Violation(violation));
            }
            if let Some(code) = closed {
                return Err(WsError::Closed(code));
            }
            if !answer.is_empty() {
                self.io.write_all(&answer).await?;
                self.io.flush().await?;
            }
            if out.len() > before {
                return Ok(());
            }
        }
    }

    /// Sends one binary message.
    pub async fn send(&mut self, payload: &[u8]) -> std::io::Result<()> {
        let mut frame = Vec::with_capacity(payload.len().saturating_add(codec::HEADROOM));
        codec::put_binary(&mut frame, payload);
        self.io.write_all(&frame).await?;
        self.io.flush().await
    }

    /// The connection and the decoder, in the middle of whatever they are in.
    pub fn into_parts(self) -> (S, Decoder, Vec<u8>) {
        (self.io, self.decoder, self.leftover)
    }

    /// Sends a close frame and closes; reads on until the viewer closes too or `limit` is over.
    pub async fn close(mut self, code: u16, reason: &str, limit: Duration) {
        let mut frame = Vec::new();
        codec::put_close(&mut frame, code, reason);
        self.close_with(&frame, limit).await;
    }

    pub(crate) async fn close_with(&mut self, frame: &[u8], limit: Duration) {
        let goodbye = async {
            self.io.write_all(frame).await?;
            self.io.shutdown().await
        };
        // Whatever goes wrong now, the connection is over.
        if let Ok(Ok(())) = tokio::time::timeout(limit, goodbye).await {
            linger(&mut self.io, limit).await;
        }
    }
}

/// Reads and forgets until the peer closes or `limit` is over: closing a socket with unread bytes
/// would reset it, and the peer could lose what it was told last.
pub(crate) async fn linger<S: AsyncRead + Unpin>(mut io: S, limit: Duration) {
    let until_closed = async {
        let mut scrap = [0; 512];
        while io.read(&mut scrap).await? > 0 {}
        std::io::Result::Ok(())
    };
    let _ = tokio::time::timeout(limit, until_closed).await;
}
