//! RA2's records as a stream: what is written is sealed, what is read is opened.

use rfb::records::{CHUNK, OVERHEAD, Opener, RecordKeys, Sealer};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes asked of the stream below at a time.
const READ: usize = 16 * 1024;

/// A stream inside RA2's records. Buffers are let go whenever they are empty: an idle session holds none.
pub struct RecordStream<S> {
    stream: S,
    records: Records,
    /// Sealed and not written yet.
    outgoing: Vec<u8>,
    written: usize,
    /// Opened and not read yet.
    opened: Vec<u8>,
    read: usize,
}

/// The two directions' ciphers, and what was received of a record that is not complete.
pub(crate) struct Records {
    pub(crate) sealer: Sealer,
    pub(crate) opener: Opener,
    pub(crate) received: Vec<u8>,
}

impl Records {
    /// Starts both directions. `received` is what already came behind the last byte in clear.
    pub(crate) fn new(keys: &RecordKeys, received: Vec<u8>) -> Self {
        Records { sealer: Sealer::new(&keys.write), opener: Opener::new(&keys.read), received }
    }

    /// Opens one record, if a whole one was received: whether one was.
    pub(crate) fn open_one(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let used = self.opener.open(&self.received, out).map_err(|error| {
            use model::Coded;
            io::Error::new(io::ErrorKind::InvalidData, error.code())
        })?;
        self.received.drain(..used);
        if self.received.is_empty() {
            self.received = Vec::new();
        }
        Ok(used > 0)
    }
}

impl<S> RecordStream<S> {
    /// Goes on where the handshake's records are.
    pub(crate) fn new(stream: S, records: Records) -> Self {
        RecordStream { stream, records, outgoing: Vec::new(), written: 0, opened: Vec::new(), read: 0 }
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncWrite + Unpin> RecordStream<S> {
    /// Writes what is sealed; `Ready` once nothing is left.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.outgoing.get(self.written..).filter(|rest| !rest.is_empty()) {
            let n = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += n;
        }
        self.outgoing = Vec::new();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for RecordStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if let Some(rest) = this.opened.get(this.read..).filter(|rest| !rest.is_empty()) {
                let n = rest.len().min(buf.remaining());
                buf.put_slice(rest.get(..n).unwrap_or_default());
                this.read += n;
                if this.read == this.opened.len() {
                    this.opened = Vec::new();
                    this.read = 0;
                }
                return Poll::Ready(Ok(()));
            }
            if this.records.open_one(&mut this.opened)? {
                continue;
            }
            let mut chunk = [0; READ];
            let mut below = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut this.stream).poll_read(cx, &mut below))?;
            if below.filled().is_empty() {
                let cut = !this.records.received.is_empty();
                return Poll::Ready(if cut { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) });
            }
            this.records.received.extend_from_slice(below.filled());
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RecordStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        let piece = buf.get(..CHUNK).unwrap_or(buf);
        this.outgoing.reserve_exact(piece.len() + OVERHEAD);
        this.records.sealer.seal(piece, &mut this.outgoing);
        // what cannot leave now leaves with the next write or flush
        match this.poll_drain(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(piece.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

impl<S: std::fmt::Debug> std::fmt::Debug for RecordStream<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RecordStream").field(&self.stream).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rfb::records::Key;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn pair(
        capacity: usize,
    ) -> (RecordStream<tokio::io::DuplexStream>, RecordStream<tokio::io::DuplexStream>) {
        let (near, far) = tokio::io::duplex(capacity);
        let (there, back) = (Key::new(&[1; 16]).unwrap(), Key::new(&[2; 16]).unwrap());
        let keys = |write: &Key, read: &Key| RecordKeys { write: write.clone(), read: read.clone() };
        (
            RecordStream::new(near, Records::new(&keys(&there, &back), Vec::new())),
            RecordStream::new(far, Records::new(&keys(&back, &there), Vec::new())),
        )
    }

    #[tokio::test]
    async fn a_megabyte_goes_both_ways_through_a_narrow_pipe() {
        let text: Vec<u8> = (0..1_000_000u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let (mut near, mut far) = pair(1000);
        let echo = tokio::spawn(async move {
            let mut all = vec![0; 1_000_000];
            far.read_exact(&mut all).await.unwrap();
            far.write_all(&all).await.unwrap();
            far.shutdown().await.unwrap();
            assert!(far.outgoing.capacity() == 0 && far.opened.capacity() == 0);
        });
        near.write_all(&text).await.unwrap();
        near.flush().await.unwrap();
        let mut back = Vec::new();
        near.read_to_end(&mut back).await.unwrap();
        assert!(back == text);
        echo.await.unwrap();
    }

    #[tokio::test]
    async fn a_forged_record_and_a_cut_one_are_errors() {
        let (near, mut far) = pair(1000);
        let mut bare = near.stream;
        bare.write_all(&[0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]).await.unwrap();
        let error = far.read_u8().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (io::ErrorKind::InvalidData, "rfb.record_forged")
        );
        let (near, mut far) = pair(1000);
        let mut bare = near.stream;
        bare.write_all(&[0, 1, 9]).await.unwrap();
        drop(bare);
        let mut rest = Vec::new();
        assert_eq!(far.read_to_end(&mut rest).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
