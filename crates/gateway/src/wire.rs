//! The bytes of a handshake under way: read, written, wrapped and unwrapped as its steps ask.
//!
//! Nothing is read beyond what the current step may need to know about: whatever came early stays in
//! order, and is either handed to the session or, where TLS begins, refused. Bytes in clear that sit
//! in front of a TLS handshake would be taken for protected ones.

use crate::record_stream::{RecordStream, Records};
use rfb::handshake::{HandshakeError, MAX_HELD};
use rfb::records::{Opener, RecordKeys};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroize;

/// Bytes read at a time; handshakes are short.
const READ: usize = 4096;

/// A stream in its handshake.
pub(crate) struct Wire<S> {
    stream: S,
    records: Option<Records>,
    /// Received (and opened, inside records) and not consumed yet.
    plain: Vec<u8>,
}

/// Why no more bytes come.
#[derive(Debug)]
pub(crate) enum WireError {
    /// The peer closed in order.
    End,
    /// The connection broke, or what came is not what may come.
    Io(io::Error),
    /// The handshake does not go on with what came.
    Handshake(HandshakeError),
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        WireError::Io(error)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Wire { stream, records: None, plain: Vec::new() }
    }

    /// The stream below, to close it.
    pub(crate) fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Everything that was received and not consumed yet.
    pub(crate) fn unconsumed(&self) -> &[u8] {
        &self.plain
    }

    pub(crate) fn consume(&mut self, n: usize) {
        self.plain.drain(..n.min(self.plain.len()));
    }

    /// Writes and wipes: the bytes may hold a password.
    pub(crate) async fn send(&mut self, mut bytes: Vec<u8>) -> io::Result<()> {
        let outcome = match &mut self.records {
            Some(records) => {
                let mut sealed = Vec::new();
                records.sealer.seal(&bytes, &mut sealed);
                self.stream.write_all(&sealed).await
            }
            None => self.stream.write_all(&bytes).await,
        };
        bytes.zeroize();
        outcome?;
        self.stream.flush().await
    }

    /// Shows a handshake everything that it has not consumed yet; if it takes nothing of that, waits for more.
    pub(crate) async fn show(
        &mut self,
        handle_bytes: impl FnOnce(&[u8]) -> Result<usize, HandshakeError>,
    ) -> Result<(), WireError> {
        let consumed = handle_bytes(&self.plain).map_err(WireError::Handshake)?;
        self.consume(consumed);
        if consumed == 0 { self.receive().await } else { Ok(()) }
    }

    /// Waits until there is at least one more byte to show.
    pub(crate) async fn receive(&mut self) -> Result<(), WireError> {
        let mut chunk = [0; READ];
        loop {
            if let Some(records) = &mut self.records {
                let before = self.plain.len();
                while records.open_one(&mut self.plain)? {
                    if self.plain.len() > before {
                        return Ok(());
                    }
                }
            }
            let n = self.stream.read(&mut chunk).await?;
            if n == 0 {
                return Err(WireError::End);
            }
            let (buffer, limit) = match &mut self.records {
                Some(records) => (&mut records.received, Opener::MAX_HELD),
                None => (&mut self.plain, MAX_HELD),
            };
            buffer.extend_from_slice(chunk.get(..n).unwrap_or_default());
            if buffer.len() > limit + READ {
                return Err(WireError::Io(io::ErrorKind::InvalidData.into()));
            }
            if self.records.is_none() {
                return Ok(());
            }
        }
    }

    /// Wraps both directions by records; what already came is the beginning of the first one.
    pub(crate) fn start_records(&mut self, keys: &RecordKeys) {
        self.records = Some(Records::new(keys, std::mem::take(&mut self.plain)));
    }

    /// Both directions are in clear again; what came behind the last record is too.
    pub(crate) fn stop_records(&mut self) {
        if let Some(records) = self.records.take() {
            self.plain.extend_from_slice(&records.received);
        }
    }

    /// The bare stream, to be wrapped in TLS. `None` if bytes came that are not TLS's, or if it is
    /// inside records.
    pub(crate) fn into_bare(self) -> Option<S> {
        (self.plain.is_empty() && self.records.is_none()).then_some(self.stream)
    }

    /// The end of the handshake: the stream, its records if it has any, and what came early.
    pub(crate) fn finish(self) -> (Finished<S>, Vec<u8>) {
        let stream = match self.records {
            Some(records) => Finished::Records(Box::new(RecordStream::new(self.stream, records))),
            None => Finished::Bare(self.stream),
        };
        (stream, self.plain)
    }
}

/// A stream whose handshake is over.
pub(crate) enum Finished<S> {
    Bare(S),
    Records(Box<RecordStream<S>>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use rfb::records::{Key, Sealer};

    fn keys() -> RecordKeys {
        RecordKeys { write: Key::new(&[1; 16]).unwrap(), read: Key::new(&[2; 16]).unwrap() }
    }

    #[tokio::test]
    async fn what_comes_early_is_in_records_exactly_while_they_last() {
        let (near, mut far) = tokio::io::duplex(4096);
        let mut early = b"clear".to_vec();
        Sealer::new(&keys().read).seal(b"sealed", &mut early);
        early.extend_from_slice(b"clear again");
        far.write_all(&early).await.unwrap();
        let mut wire = Wire::new(near);
        wire.receive().await.unwrap();
        wire.consume(5);
        wire.start_records(&keys());
        assert_eq!(wire.unconsumed(), b"");
        wire.receive().await.unwrap();
        assert_eq!(wire.unconsumed(), b"sealed");
        wire.consume(6);
        wire.stop_records();
        assert_eq!(wire.unconsumed(), b"clear again");
        assert!(matches!(wire.finish(), (Finished::Bare(_), rest) if rest == b"clear again"));
    }

    #[tokio::test]
    async fn bytes_in_front_of_tls_are_refused() {
        let (near, mut far) = tokio::io::duplex(4096);
        far.write_all(b"x").await.unwrap();
        let mut wire = Wire::new(near);
        wire.receive().await.unwrap();
        assert!(wire.into_bare().is_none());
    }

    #[tokio::test]
    async fn a_peer_cannot_make_us_hold_more_than_the_limit() {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        far.write_all(&vec![0; 1 << 18]).await.unwrap();
        let mut wire = Wire::new(near);
        let refused = loop {
            if let Err(error) = wire.receive().await {
                break error;
            }
        };
        assert!(matches!(refused, WireError::Io(e) if e.kind() == io::ErrorKind::InvalidData));
        assert!(wire.unconsumed().len() <= MAX_HELD + 2 * READ);
    }
}
