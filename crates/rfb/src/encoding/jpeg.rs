//! RealVNC's JPEG (21): no length, so a walk over markers and through the entropy-coded part.

use super::Walked;
use crate::{Misbehavior, limits};

const START: u8 = 0xd8;
const END: u8 = 0xd9;
const SCAN: u8 = 0xda;

/// Place in the image.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    place: Place,
    /// Bytes seen so far, for the limit.
    seen: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Start,
    Marker,
    Entropy,
}

impl Scan {
    pub(crate) fn new() -> Scan {
        Scan { place: Place::Start, seen: 0 }
    }

    /// Walks as far as `bytes` show.
    pub(crate) fn walk(&mut self, bytes: &[u8]) -> Walked {
        let mut at = 0;
        let walked = loop {
            let Some(rest) = bytes.get(at..) else {
                break Walked::skips(bytes.len(), at - bytes.len(), false);
            };
            let step = match self.place {
                Place::Start | Place::Marker => self.marker(rest),
                Place::Entropy => Ok(self.entropy(rest)),
            };
            match step {
                Ok(Some((len, false))) => at += len,
                Ok(Some((len, true))) => break Walked::skips(at + len, 0, true),
                Ok(None) => break Walked::waits(at),
                Err(fault) => break Walked::broken(at, fault),
            }
        };
        self.count(walked)
    }

    /// Cuts the walk at the limit, at the same byte however the image arrives.
    fn count(&mut self, walked: Walked) -> Walked {
        let room = limits::JPEG - self.seen;
        if walked.taken + walked.skip > room {
            return Walked::broken(room.min(walked.taken), Misbehavior::ImageData);
        }
        self.seen += walked.taken + walked.skip;
        walked
    }

    /// A marker and its segment: length and whether the image ends there.
    fn marker(&mut self, rest: &[u8]) -> Result<Option<(usize, bool)>, Misbehavior> {
        let Some(&[mark, code]) = rest.first_chunk::<2>() else { return Ok(None) };
        let first = self.place == Place::Start;
        if mark != 0xff || first != (code == START) {
            return Err(Misbehavior::ImageData);
        }
        match code {
            START => {
                self.place = Place::Marker;
                Ok(Some((2, false)))
            }
            END => Ok(Some((2, true))),
            // A fill byte before a marker.
            0xff => Ok(Some((1, false))),
            // Restarts and TEM stand alone.
            0x01 | 0xd0..=0xd7 => Ok(Some((2, false))),
            0x00 => Err(Misbehavior::ImageData),
            _ => {
                let Some(&[_, _, high, low]) = rest.first_chunk::<4>() else { return Ok(None) };
                let len = usize::from(u16::from_be_bytes([high, low]));
                if len < 2 {
                    return Err(Misbehavior::ImageData);
                }
                if code == SCAN {
                    self.place = Place::Entropy;
                }
                Ok(Some((2 + len, false)))
            }
        }
    }

    /// Coded data up to the next real marker, or as far as it can be told.
    fn entropy(&mut self, rest: &[u8]) -> Option<(usize, bool)> {
        let mut at = 0;
        loop {
            let Some(mark) = rest.get(at..).unwrap_or_default().iter().position(|&b| b == 0xff) else {
                return Some(rest.len()).filter(|&len| len > 0).map(|len| (len, false));
            };
            at += mark;
            match rest.get(at + 1) {
                None => return Some(at).filter(|&len| len > 0).map(|len| (len, false)),
                Some(0x00 | 0xd0..=0xd7) => at += 2,
                Some(_) => {
                    self.place = Place::Marker;
                    return Some((at, false));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &[u8] = &[
        0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xda, 0, 2, 1, 0xff, 0, 2, 0xff, 0xd3, 3, 0xff, 0xff, 0xd9,
    ];

    #[test]
    fn golden_image_in_any_two_pieces() {
        assert_eq!(Scan::new().walk(IMAGE), Walked::skips(IMAGE.len(), 0, true));
        for cut in 0..IMAGE.len() {
            let mut scan = Scan::new();
            let first = scan.walk(&IMAGE[..cut]);
            assert!(!first.done);
            let second = scan.walk(&IMAGE[first.taken + first.skip..]);
            assert_eq!(first.taken + first.skip + second.taken, IMAGE.len());
            assert!(second.done);
        }
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let broken = |taken| Walked::broken(taken, Misbehavior::ImageData);
        assert_eq!(Scan::new().walk(&[0xff, 0xe0, 0, 2]), broken(0));
        assert_eq!(Scan::new().walk(&[0xff, 0xd8, 1, 2]), broken(2));
        assert_eq!(Scan::new().walk(&[0xff, 0xd8, 0xff, 0xc0, 0, 1]), broken(2));
    }
}
