//! One direction of a TCP connection: segments in any order in, bytes in order out.
//!
//! Where two segments disagree about a byte, the one that was captured first wins, as it does at most
//! receivers; disagreements that can be seen are counted, because they are how inspection is evaded.
//!
//! INVARIANT: what is held never exceeds the limit by more than one segment. Beyond it, whatever is
//! missing is declared lost and reported as a gap.

use crate::limits;
use std::collections::BTreeMap;

/// What comes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chunk<'a> {
    /// The next bytes of the stream.
    Bytes(&'a [u8]),
    /// So many bytes of the stream were never captured.
    Gap(u64),
}

/// What was odd about the segments.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Oddities {
    /// Payload bytes that had been seen before.
    pub repeated: u64,
    /// Bytes of held segments that a later segment contradicts.
    pub contradicted: u64,
    /// Bytes that were never captured.
    pub lost: u64,
    /// Most bytes held at once, bookkeeping included.
    pub most_held: usize,
}

/// One direction.
///
/// Positions are 64 bit and count from the first byte, so that a sequence number that wraps is no
/// special case: a segment's position is the signed 32 bit distance from what is expected next.
#[derive(Clone, Debug)]
pub struct Stream {
    expected: Option<u32>,
    position: u64,
    held: BTreeMap<u64, Piece>,
    held_cost: usize,
    limit: usize,
    end: Option<u64>,
    /// How often the receiver said that it has what is missing here.
    acknowledged: u8,
    oddities: Oddities,
}

#[derive(Clone, Debug)]
enum Piece {
    Bytes(Vec<u8>),
    /// Cut off by the capture: known to exist, never to be seen.
    Lost(u64),
}

impl Piece {
    fn len(&self) -> u64 {
        match self {
            Piece::Bytes(bytes) => len64(bytes),
            Piece::Lost(n) => *n,
        }
    }

    fn cost(&self) -> usize {
        match self {
            Piece::Bytes(bytes) => bytes.len() + limits::HELD_PIECE,
            Piece::Lost(_) => limits::HELD_PIECE,
        }
    }
}

impl Default for Stream {
    fn default() -> Self {
        Stream::new(limits::HELD_PER_DIRECTION)
    }
}

impl Stream {
    /// A stream that holds at most `limit` bytes while others are missing.
    pub fn new(limit: usize) -> Stream {
        Stream {
            expected: None,
            position: 0,
            held: BTreeMap::new(),
            held_cost: 0,
            limit,
            end: None,
            acknowledged: 0,
            oddities: Oddities::default(),
        }
    }

    /// Sets where the stream begins, if nothing has yet.
    pub fn handle_start(&mut self, sequence: u32) {
        self.expected.get_or_insert(sequence);
    }

    /// Takes one segment: `payload` begins at `sequence`, and `missing` further bytes of it were cut off
    /// by the capture. Without a start, the first segment is the start.
    pub fn handle_segment(
        &mut self,
        sequence: u32,
        payload: &[u8],
        missing: u32,
        out: &mut impl FnMut(Chunk<'_>),
    ) {
        if payload.is_empty() && missing == 0 {
            return;
        }
        let Some((start, skip)) = self.locate(sequence) else { return };
        let skipped = usize::try_from(skip).unwrap_or(usize::MAX);
        let fresh = payload.get(skipped..).unwrap_or_default();
        let lost = u64::from(missing).saturating_sub(skip.saturating_sub(len64(payload)));
        self.oddities.repeated += len64(payload) - len64(fresh);
        let fresh = self.before_end(start, fresh);
        if start == self.position && self.held.is_empty() {
            self.deliver(fresh, out);
        } else {
            self.hold(start, fresh);
        }
        if lost > 0 {
            self.hold_lost(start + len64(fresh), lost);
        }
        self.drain(out);
        while self.held_cost > self.limit {
            self.skip_gap(out);
        }
    }

    /// The receiver has everything before `sequence`. Where that is more than came here, the capture lost
    /// something, and waiting longer would only bring the two directions out of order.
    pub fn handle_acknowledgment(&mut self, sequence: u32, out: &mut impl FnMut(Chunk<'_>)) {
        let Some(&first) = self.held.keys().next() else { return };
        let Some(expected) = self.expected else { return };
        let distance = u64::from(sequence.wrapping_sub(expected));
        if distance > u64::from(u32::MAX / 2) || self.position + distance < first {
            return;
        }
        self.acknowledged += 1;
        if self.acknowledged >= limits::ACKNOWLEDGED_HOLE {
            self.skip_gap(out);
        }
    }

    /// The sender closes behind `sequence`.
    pub fn handle_end(&mut self, sequence: u32) {
        if let Some((start, 0)) = self.locate(sequence) {
            self.end.get_or_insert(start);
        }
    }

    /// Gives up waiting: everything held comes out, with gaps before it, up to the sender's close.
    pub fn flush(&mut self, out: &mut impl FnMut(Chunk<'_>)) {
        while !self.held.is_empty() {
            self.skip_gap(out);
        }
        if let Some(end) = self.end {
            self.lose(end.saturating_sub(self.position), out);
        }
    }

    /// Whether every byte up to the sender's close came out.
    pub fn is_finished(&self) -> bool {
        self.end.is_some_and(|end| self.position >= end)
    }

    /// Whether the sender has closed, even if bytes before that are missing.
    pub fn is_closing(&self) -> bool {
        self.end.is_some()
    }

    /// Whether anything was ever taken.
    pub fn has_started(&self) -> bool {
        self.expected.is_some()
    }

    /// What holding back costs now, in bytes.
    pub fn held(&self) -> usize {
        self.held_cost
    }

    /// What was odd so far.
    pub fn oddities(&self) -> Oddities {
        self.oddities
    }

    /// Whether `sequence` is about where the stream is: a reset from elsewhere is not believed.
    pub fn is_near(&self, sequence: u32) -> bool {
        const NEAR: u32 = 1 << 24;
        self.expected.is_none_or(|expected| {
            sequence.wrapping_sub(expected) < NEAR || expected.wrapping_sub(sequence) < NEAR
        })
    }

    /// Whether `sequence` is the one that the stream began with.
    pub fn began_at(&self, sequence: u32) -> bool {
        // The position modulo 2^32 is the distance from the start.
        let passed = u32::try_from(self.position & u64::from(u32::MAX)).unwrap_or(0);
        self.expected.is_none_or(|expected| expected.wrapping_sub(passed) == sequence)
    }

    /// The position of a sequence number, not below the current one, and how much was skipped for that.
    fn locate(&mut self, sequence: u32) -> Option<(u64, u64)> {
        let expected = *self.expected.get_or_insert(sequence);
        let distance = sequence.wrapping_sub(expected).cast_signed();
        let past = u64::from(distance.unsigned_abs());
        if distance < 0 { Some((self.position, past)) } else { Some((self.position.checked_add(past)?, 0)) }
    }

    /// Nothing after the sender's close belongs to the stream.
    fn before_end<'a>(&self, start: u64, payload: &'a [u8]) -> &'a [u8] {
        let Some(end) = self.end else { return payload };
        let allowed = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
        payload.get(..allowed).unwrap_or(payload)
    }

    fn deliver(&mut self, bytes: &[u8], out: &mut impl FnMut(Chunk<'_>)) {
        if !bytes.is_empty() {
            self.advance(len64(bytes));
            out(Chunk::Bytes(bytes));
        }
    }

    fn advance(&mut self, by: u64) {
        self.acknowledged = 0;
        self.position += by;
        let wrapped = u32::try_from(by & u64::from(u32::MAX)).unwrap_or(0);
        self.expected = self.expected.map(|expected| expected.wrapping_add(wrapped));
    }

    /// Keeps those bytes of a segment that no held piece has.
    fn hold(&mut self, start: u64, payload: &[u8]) {
        let end = start + len64(payload);
        let mut at = start;
        for (from, until) in self.covered(start, end) {
            self.compare(start, payload, from, until);
            self.keep(at, slice(payload, start, at, from));
            at = until.max(at);
        }
        self.keep(at, slice(payload, start, at, end));
    }

    fn hold_lost(&mut self, start: u64, length: u64) {
        let end = start + length;
        let mut at = start;
        for (from, until) in self.covered(start, end) {
            self.keep_piece(at, Piece::Lost(from.saturating_sub(at)));
            at = until.max(at);
        }
        self.keep_piece(at, Piece::Lost(end.saturating_sub(at)));
    }

    /// The parts of a range that are held already, in order.
    fn covered(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let before = self.held.range(..start).next_back();
        let within = self.held.range(start..end);
        before
            .into_iter()
            .chain(within)
            .map(|(&at, piece)| (at.max(start), (at + piece.len()).min(end)))
            .filter(|(from, until)| from < until)
            .collect()
    }

    fn compare(&mut self, start: u64, payload: &[u8], from: u64, until: u64) {
        let new = slice(payload, start, from, until);
        let Some((&at, Piece::Bytes(old))) = self.held.range(..=from).next_back() else { return };
        let old = slice(old, at, from, until);
        let differing = old.iter().zip(new).filter(|(a, b)| a != b).count();
        self.oddities.repeated += len64(new);
        self.oddities.contradicted += u64::try_from(differing).unwrap_or(u64::MAX);
    }

    fn keep(&mut self, at: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.keep_piece(at, Piece::Bytes(bytes.to_vec()));
        }
    }

    fn keep_piece(&mut self, at: u64, piece: Piece) {
        if piece.len() > 0 {
            self.held_cost += piece.cost();
            self.oddities.most_held = self.oddities.most_held.max(self.held_cost);
            self.held.insert(at, piece);
        }
    }

    fn drain(&mut self, out: &mut impl FnMut(Chunk<'_>)) {
        while let Some(piece) = self.held.remove(&self.position) {
            self.held_cost -= piece.cost();
            match piece {
                Piece::Bytes(bytes) => self.deliver(&bytes, out),
                Piece::Lost(n) => self.lose(n, out),
            }
        }
    }

    fn skip_gap(&mut self, out: &mut impl FnMut(Chunk<'_>)) {
        if let Some(&first) = self.held.keys().next() {
            self.lose(first.saturating_sub(self.position), out);
        }
        self.drain(out);
    }

    fn lose(&mut self, bytes: u64, out: &mut impl FnMut(Chunk<'_>)) {
        if bytes > 0 {
            self.oddities.lost += bytes;
            self.advance(bytes);
            out(Chunk::Gap(bytes));
        }
    }
}

/// The part of `bytes`, which begin at position `start`, between two positions.
fn slice(bytes: &[u8], start: u64, from: u64, until: u64) -> &[u8] {
    let index = |position: u64| usize::try_from(position.saturating_sub(start)).unwrap_or(usize::MAX);
    bytes.get(index(from)..index(until)).unwrap_or_default()
}

fn len64(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(segments: &[(u32, &[u8])], limit: usize) -> (Vec<u8>, u64, Oddities) {
        let mut stream = Stream::new(limit);
        let (mut bytes, mut lost) = (Vec::new(), 0);
        let mut out = |chunk: Chunk<'_>| match chunk {
            Chunk::Bytes(b) => bytes.extend_from_slice(b),
            Chunk::Gap(n) => lost += n,
        };
        for (sequence, payload) in segments {
            stream.handle_segment(*sequence, payload, 0, &mut out);
        }
        stream.flush(&mut out);
        (bytes, lost, stream.oddities())
    }

    #[test]
    fn out_of_order_over_the_wrap() {
        let start = u32::MAX - 1;
        let (bytes, lost, _) =
            run(&[(start, b"ab"), (2, b"ef"), (0, b"cd"), (start, b"ab"), (4, b"g")], 1 << 20);
        assert_eq!((bytes.as_slice(), lost), (b"abcdefg".as_slice(), 0));
    }

    #[test]
    fn the_first_copy_of_a_byte_wins_and_contradictions_are_counted() {
        let (bytes, _, odd) = run(&[(0, b"a"), (3, b"DE"), (1, b"bcxyz"), (0, b"QQQ")], 1 << 20);
        assert_eq!(bytes, b"abcDEz");
        assert_eq!((odd.repeated, odd.contradicted), (2 + 3, 2));
    }

    #[test]
    fn a_hole_becomes_a_gap_once_too_much_is_held() {
        let piece = [7u8; 100];
        let segments: Vec<(u32, &[u8])> = std::iter::once((0, b"x".as_slice()))
            .chain((0..50).map(|n| (11 + n * 100, &piece[..])))
            .collect();
        let (bytes, lost, odd) = run(&segments, 1000);
        assert_eq!((bytes.len(), lost), (1 + 5000, 10));
        assert!(odd.most_held <= 1000 + 100 + limits::HELD_PIECE);
    }

    #[test]
    fn what_the_snap_length_cut_off_is_a_gap_at_its_place() {
        let mut stream = Stream::new(1 << 20);
        let mut seen = String::new();
        let mut out = |chunk: Chunk<'_>| match chunk {
            Chunk::Bytes(b) => seen.push_str(std::str::from_utf8(b).unwrap()),
            Chunk::Gap(n) => seen.push_str(&format!("[{n}]")),
        };
        stream.handle_segment(0, b"ab", 0, &mut out);
        stream.handle_segment(7, b"hi", 3, &mut out);
        stream.handle_segment(2, b"cd", 3, &mut out);
        stream.handle_segment(12, b"m", 0, &mut out);
        assert_eq!(seen, "abcd[3]hi[3]m");
    }

    #[test]
    fn a_hole_that_the_receiver_does_not_see_is_a_gap() {
        let mut stream = Stream::new(1 << 20);
        let mut seen = String::new();
        let mut out = |chunk: Chunk<'_>| match chunk {
            Chunk::Bytes(b) => seen.push_str(std::str::from_utf8(b).unwrap()),
            Chunk::Gap(n) => seen.push_str(&format!("[{n}]")),
        };
        stream.handle_segment(0, b"ab", 0, &mut out);
        stream.handle_segment(5, b"fg", 0, &mut out);
        for _ in 0..9 {
            // The receiver waits for the missing bytes itself: they were lost on the way, and will come.
            stream.handle_acknowledgment(2, &mut out);
            stream.handle_acknowledgment(u32::MAX, &mut out);
        }
        stream.handle_acknowledgment(7, &mut out);
        stream.handle_acknowledgment(7, &mut out);
        assert_eq!(stream.held(), 2 + limits::HELD_PIECE);
        stream.handle_acknowledgment(7, &mut out);
        assert_eq!((stream.held(), seen.as_str()), (0, "ab[3]fg"));
    }

    #[test]
    fn nothing_follows_the_close() {
        let mut stream = Stream::new(1 << 20);
        let mut bytes = Vec::new();
        let mut out = |chunk: Chunk<'_>| {
            if let Chunk::Bytes(b) = chunk {
                bytes.extend_from_slice(b);
            }
        };
        stream.handle_segment(0, b"ab", 0, &mut out);
        stream.handle_end(4);
        assert!(stream.is_closing() && !stream.is_finished());
        stream.handle_segment(2, b"cdEVIL", 0, &mut out);
        assert!(stream.is_finished());
        assert_eq!(bytes, b"abcd");
    }
}
