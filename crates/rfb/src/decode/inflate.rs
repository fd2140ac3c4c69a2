//! Inflating a chunk of a stream that goes on through the whole session, in bounded steps.
//!
//! A rectangle knows how many bytes it needs; nothing is inflated beyond that, so a bomb costs a buffer.

use crate::Misbehavior;
use flate2::{Decompress, FlushDecompress, Status};

/// Inflated at a time beyond what was asked for.
const AHEAD: usize = 16 * 1024;

/// A zlib stream; costs nothing until its first chunk.
#[derive(Default)]
pub(crate) struct Stream(Option<Box<Decompress>>);

impl Stream {
    /// Forgets everything: the next chunk starts with a zlib header again.
    pub(crate) fn reset(&mut self) {
        self.0 = None;
    }

    /// Starts reading one chunk.
    pub(crate) fn chunk<'a>(&'a mut self, input: &'a [u8]) -> Chunk<'a> {
        let stream = self.0.get_or_insert_with(|| Box::new(Decompress::new(true)));
        Chunk { stream, input, output: Vec::new(), taken: 0 }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Stream(begun)" } else { "Stream(new)" })
    }
}

/// One chunk being read. INVARIANT: must be finished, or the stream loses its place.
pub(crate) struct Chunk<'a> {
    stream: &'a mut Decompress,
    input: &'a [u8],
    output: Vec<u8>,
    taken: usize,
}

impl Chunk<'_> {
    /// Up to `n` inflated bytes that are not taken yet; fewer at the end of the chunk.
    pub(crate) fn peek(&mut self, n: usize) -> Result<&[u8], Misbehavior> {
        if self.output.len() - self.taken < n {
            self.output.drain(..self.taken);
            self.taken = 0;
            while self.output.len() < n && self.inflate(n - self.output.len() + AHEAD)? > 0 {}
        }
        let rest = self.output.get(self.taken..).unwrap_or_default();
        Ok(rest.get(..n).unwrap_or(rest))
    }

    /// Takes `n` bytes that [`Chunk::peek`] showed.
    pub(crate) fn advance(&mut self, n: usize) {
        self.taken = (self.taken + n).min(self.output.len());
    }

    /// Exactly `n` bytes, handed to `use_it`.
    pub(crate) fn take<T>(&mut self, n: usize, use_it: impl FnOnce(&[u8]) -> T) -> Result<T, Misbehavior> {
        let bytes = self.peek(n)?;
        if bytes.len() < n {
            return Err(Misbehavior::CompressedData);
        }
        let answer = use_it(bytes);
        self.advance(n);
        Ok(answer)
    }

    /// Reads the chunk to its end, where no more output may come.
    pub(crate) fn finish(mut self) -> Result<(), Misbehavior> {
        if self.taken < self.output.len() || self.inflate(1)? > 0 {
            return Err(Misbehavior::CompressionBomb);
        }
        if self.input.is_empty() { Ok(()) } else { Err(Misbehavior::CompressedData) }
    }

    /// Inflates at most `room` bytes more; 0 means that the chunk has no more.
    fn inflate(&mut self, room: usize) -> Result<usize, Misbehavior> {
        let start = self.output.len();
        self.output.resize(start + room, 0);
        let result = self.step(start);
        self.output.truncate(start + result.unwrap_or(0));
        result
    }

    fn step(&mut self, start: usize) -> Result<usize, Misbehavior> {
        loop {
            let (taken_before, given_before) = (self.stream.total_in(), self.stream.total_out());
            let room = self.output.get_mut(start..).unwrap_or_default();
            let status = self.stream.decompress(self.input, room, FlushDecompress::None);
            let taken = usize::try_from(self.stream.total_in() - taken_before).unwrap_or(0);
            let given = usize::try_from(self.stream.total_out() - given_before).unwrap_or(0);
            self.input = self.input.get(taken..).unwrap_or_default();
            match status {
                Err(_) => return Err(Misbehavior::CompressedData),
                Ok(Status::StreamEnd) if given == 0 => return Ok(0),
                Ok(_) if given > 0 || taken == 0 => return Ok(given),
                Ok(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compress, Compression, FlushCompress};

    fn deflate(stream: &mut Compress, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 1024);
        stream.compress_vec(bytes, &mut out, FlushCompress::Sync).unwrap();
        out
    }

    #[test]
    fn chunks_continue_one_stream() {
        let mut deflater = Compress::new(Compression::default(), true);
        let mut stream = Stream::default();
        for n in 0..5u8 {
            let text = vec![n; 100_000];
            let chunk = deflate(&mut deflater, &text);
            let mut chunk = stream.chunk(&chunk);
            for part in text.chunks(33_333) {
                assert!(chunk.take(part.len(), |bytes| bytes == part).unwrap());
            }
            chunk.finish().unwrap();
        }
    }

    #[test]
    fn more_or_less_than_promised_is_refused() {
        let mut deflater = Compress::new(Compression::default(), true);
        let bytes = deflate(&mut deflater, &[7; 1_000_000]);
        let mut stream = Stream::default();
        let mut chunk = stream.chunk(&bytes);
        chunk.take(1000, |_| ()).unwrap();
        assert!(chunk.output.len() < 100_000, "a bomb is not inflated");
        assert_eq!(chunk.finish(), Err(Misbehavior::CompressionBomb));
        stream.reset();
        assert_eq!(stream.chunk(&bytes).take(1_000_001, |_| ()), Err(Misbehavior::CompressedData));
        stream.reset();
        assert_eq!(stream.chunk(b"not zlib at all").take(1, |_| ()), Err(Misbehavior::CompressedData));
    }
}
