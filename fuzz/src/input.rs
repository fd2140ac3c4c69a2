//! What a target makes of its input: a few bytes of settings, and the rest.

use model::event::Origin;

/// A splitter of byte strings into pieces that only its seed decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pieces(u32);

impl Pieces {
    pub(crate) fn new(seed: u8) -> Pieces {
        Pieces(u32::from(seed).wrapping_mul(0x9e37_79b9) | 1)
    }

    /// Mostly small pieces, so that headers are cut everywhere; now and then a long one. Long inputs are
    /// cut into fewer, because what is not decided is shown again each time.
    fn next(&mut self, total: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        let random = usize::try_from(self.0 >> 8).unwrap_or(1);
        let small = 1 + random % 7 + total / 512;
        if random % 5 == 0 { small * 37 } else { small }
    }

    /// The pieces of one byte string; an empty one is a piece, too.
    pub(crate) fn cut<'a>(&mut self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let (mut rest, mut pieces) = (bytes, Vec::new());
        if bytes.is_empty() {
            pieces.push(bytes);
        }
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(self.next(bytes.len()).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces
    }
}

/// The settings in front: `N` bytes, zeros where there are fewer.
pub(crate) fn settings<const N: usize>(data: &[u8]) -> ([u8; N], &[u8]) {
    match data.split_first_chunk::<N>() {
        Some((settings, rest)) => (*settings, rest),
        None => ([0; N], &[]),
    }
}

/// A stretch of what one side sends, or something else that happens.
pub(crate) struct Record<'a> {
    pub(crate) kind: u8,
    pub(crate) bytes: &'a [u8],
}

impl Record<'_> {
    pub(crate) fn from(&self) -> Option<Origin> {
        match self.kind {
            0 => Some(Origin::Viewer),
            1 => Some(Origin::Target),
            _ => None,
        }
    }
}

/// Records of two bytes `kind and length` (two bits what, fourteen bits how long) and their bytes.
pub(crate) fn records(mut data: &[u8]) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    while let Some((head, rest)) = data.split_first_chunk::<2>() {
        let head = u16::from_be_bytes(*head);
        let (bytes, after) = rest.split_at(usize::from(head & 0x3fff).min(rest.len()));
        records.push(Record { kind: u8::try_from(head >> 14).unwrap_or(0), bytes });
        data = after;
    }
    records
}
