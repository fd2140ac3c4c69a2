//! Deflating into a stream that goes on through the whole session; each piece ends on a whole byte.

use flate2::{Compress, Compression, FlushCompress};

/// A zlib stream; costs nothing until its first piece.
#[derive(Default)]
pub(crate) struct Stream(Option<Box<Compress>>);

impl Stream {
    /// Deflates one piece. The level of the first one holds.
    pub(crate) fn deflate(&mut self, bytes: &[u8], level: u32) -> Vec<u8> {
        let stream =
            self.0.get_or_insert_with(|| Box::new(Compress::new(Compression::new(level.min(9)), true)));
        let mut out = Vec::with_capacity(bytes.len() / 4 + 1024);
        let start = stream.total_in();
        loop {
            let taken = usize::try_from(stream.total_in() - start).unwrap_or(bytes.len());
            let rest = bytes.get(taken..).unwrap_or_default();
            let result = stream.compress_vec(rest, &mut out, FlushCompress::Sync);
            let taken = usize::try_from(stream.total_in() - start).unwrap_or(bytes.len());
            // Room that is left over says that the flush is complete.
            if result.is_err() || (taken == bytes.len() && out.len() < out.capacity()) {
                return out;
            }
            out.reserve(out.len().max(1024));
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Stream(begun)" } else { "Stream(new)" })
    }
}
