//! Which protocol a connection speaks, from its first bytes, on any port.
//!
//! In RFB the server speaks first, whoever opened the connection: a viewer that listens is called by the
//! server. So the side whose first bytes are `RFB ` is the server. Where the beginning was not captured,
//! only a run of whole viewer messages is taken as proof.

use crate::flow::Side;
use crate::limits;
use rfb::version::{Version, VersionLine};
use rfb::wire::Reader;

/// What is known about a flow's protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guess {
    /// More bytes are needed.
    Undecided,
    /// RFB from its first byte.
    Rfb {
        /// Who has the screen.
        server: Side,
    },
    /// RFB whose beginning is missing.
    RfbLate {
        /// Who has the screen.
        server: Side,
    },
    /// HTTP that asks for a WebSocket.
    WebSocket {
        /// Who asked.
        client: Side,
    },
    /// Something else.
    Other,
}

/// Holds a flow's first bytes, in the order in which they came, until the protocol is known.
#[derive(Clone, Debug)]
pub struct Sniffer {
    pieces: Vec<(Side, Vec<u8>)>,
    held: usize,
    from_start: bool,
    vnc_port: Option<Side>,
    late: [Late; 2],
}

/// What one side's pieces look like, where the beginning is missing.
#[derive(Clone, Copy, Debug, Default)]
struct Late {
    /// Viewer's messages in the latest pieces, all of them whole.
    messages: usize,
    /// Whether one of them is more telling than SetPixelFormat, which a run of zeros looks like.
    telling: bool,
    seen: usize,
    dropped: u64,
}

impl Sniffer {
    /// `from_start`: the connection's first packet was captured. `vnc_port`: the side that has a port
    /// which VNC servers usually have.
    pub fn new(from_start: bool, vnc_port: Option<Side>) -> Sniffer {
        Sniffer { pieces: Vec::new(), held: 0, from_start, vnc_port, late: [Late::default(); 2] }
    }

    /// A server's usual ports: 5900 and the displays above it.
    pub fn is_vnc_port(port: u16) -> bool {
        (5900..6000).contains(&port)
    }

    /// Takes the next bytes of one side.
    pub fn handle_bytes(&mut self, side: Side, bytes: &[u8]) -> Guess {
        self.held += bytes.len();
        self.pieces.push((side, bytes.to_vec()));
        let guess = match self.guess_opening() {
            Some(guess) => guess,
            None if self.from_start => Guess::Other,
            None => self.guess_late(side, bytes),
        };
        match guess {
            Guess::Undecided if self.from_start && self.is_full() => Guess::Other,
            Guess::Undecided if !self.from_start => {
                self.drop_oldest();
                guess
            }
            guess => guess,
        }
    }

    /// Bytes are missing: whatever follows is no beginning.
    pub fn handle_gap(&mut self) {
        self.from_start = false;
        while !self.pieces.is_empty() {
            self.drop_first();
        }
    }

    /// What was held, to be read again by whoever reads the protocol.
    pub fn into_pieces(self) -> Vec<(Side, Vec<u8>)> {
        self.pieces
    }

    /// Bytes of a side that were not held any longer.
    pub fn dropped(&self, side: Side) -> u64 {
        self.late_of(side).dropped
    }

    fn is_full(&self) -> bool {
        self.held > limits::SNIFF || self.pieces.len() > limits::SNIFF_PIECES
    }

    /// Of a stream without a beginning only the latest pieces are kept.
    fn drop_oldest(&mut self) {
        while self.held > limits::SNIFF_LATE || self.pieces.len() > limits::SNIFF_PIECES {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let (side, bytes) = self.pieces.remove(0);
        self.held -= bytes.len();
        self.late_of_mut(side).dropped += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    }

    fn late_of(&self, side: Side) -> &Late {
        let [initiator, responder] = &self.late;
        if side == Side::Initiator { initiator } else { responder }
    }

    fn late_of_mut(&mut self, side: Side) -> &mut Late {
        let [initiator, responder] = &mut self.late;
        if side == Side::Initiator { initiator } else { responder }
    }

    /// What the first bytes say; none, if they are no beginning that is known here.
    fn guess_opening(&self) -> Option<Guess> {
        let &(first, _) = self.pieces.first()?;
        let opening = self.prefix(first, 512);
        match opens_rfb(&opening) {
            Opening::Yes => return Some(Guess::Rfb { server: first }),
            Opening::Maybe => return Some(Guess::Undecided),
            Opening::No => {}
        }
        match opening.get(..4) {
            Some(b"GET ") => Some(Guess::WebSocket { client: first }),
            None if b"GET ".starts_with(&opening) => Some(Guess::Undecided),
            _ => None,
        }
    }

    /// The first bytes of one side.
    fn prefix(&self, side: Side, length: usize) -> Vec<u8> {
        let of_side = self.pieces.iter().filter(|(from, _)| *from == side);
        of_side.flat_map(|(_, bytes)| bytes.iter().copied()).take(length).collect()
    }

    /// Viewers write whole messages, so nearly every one of their segments begins and ends with one.
    fn guess_late(&mut self, side: Side, bytes: &[u8]) -> Guess {
        let enough = if self.vnc_port == Some(side.other()) { 1 } else { limits::LATE_MESSAGES };
        let late = self.late_of_mut(side);
        late.seen += bytes.len();
        match viewer_messages(bytes) {
            Some(run) => {
                late.messages += run.messages;
                late.telling |= run.telling;
            }
            None => (late.messages, late.telling) = (0, false),
        }
        if late.messages >= enough && late.telling {
            return Guess::RfbLate { server: side.other() };
        }
        let too_long = |side: Side| self.late_of(side).seen > limits::LATE_LOOK;
        if too_long(side) && (too_long(side.other()) || self.vnc_port.is_none()) {
            return Guess::Other;
        }
        Guess::Undecided
    }
}

enum Opening {
    Yes,
    Maybe,
    No,
}

/// Whether a side's first bytes are a server's: the version line, behind 250 bytes of identification
/// where an UltraVNC server calls a repeater.
fn opens_rfb(opening: &[u8]) -> Opening {
    const ID: usize = rfb::limits::REPEATER_ID;
    let line = if opening.starts_with(b"ID:") { opening.get(ID..).unwrap_or_default() } else { opening };
    match line.first_chunk::<{ Version::LEN }>() {
        Some(line) if VersionLine::parse(*line).is_ok() => Opening::Yes,
        Some(_) => Opening::No,
        None if b"RFB ".starts_with(line.get(..4).unwrap_or(line)) && !opening.is_empty() => Opening::Maybe,
        None if b"ID:".starts_with(opening) && !opening.is_empty() => Opening::Maybe,
        None => Opening::No,
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Run {
    messages: usize,
    telling: bool,
}

/// Whole messages of a viewer, if `bytes` are nothing else.
fn viewer_messages(bytes: &[u8]) -> Option<Run> {
    let mut run = Run::default();
    let mut reader = Reader::new(bytes);
    while let Some(&kind) = reader.rest().first() {
        let length = viewer_message(reader.rest())?;
        reader.take(length)?;
        run.messages += 1;
        run.telling |= kind != 0;
    }
    Some(run)
}

/// The length of the viewer message at the start of `bytes`, if it is one that viewers send unasked.
fn viewer_message(bytes: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(bytes);
    match (reader.u8()?, reader.array::<3>()?) {
        (0, [0, 0, 0]) => Some(20),
        (2, [0, high, low]) => Some(4 + 4 * usize::from(u16::from_be_bytes([high, low]))),
        (3, [0 | 1, ..]) => Some(10),
        (4, [0 | 1, 0, 0]) => Some(8),
        (5, [_, x, _]) if x < 64 => Some(6),
        (6, [0, 0, 0]) => usize::try_from(reader.u32()?).ok().map(|text| text.saturating_add(8)),
        (248, [0, 0, 0]) => {
            reader.u32()?;
            Some(9 + usize::from(reader.u8()?))
        }
        (255, [0, 0, 0 | 1]) => Some(12),
        (150, [0 | 1, ..]) => Some(10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Side = Side::Initiator;
    const SECOND: Side = Side::Responder;

    #[test]
    fn whoever_says_rfb_first_is_the_server() {
        for server in [FIRST, SECOND] {
            let mut sniffer = Sniffer::new(true, None);
            for byte in b"RFB 003.00" {
                assert_eq!(sniffer.handle_bytes(server, &[*byte]), Guess::Undecided);
            }
            assert_eq!(sniffer.handle_bytes(server, b"8\n\x01"), Guess::Rfb { server });
            assert_eq!(sniffer.into_pieces().len(), 11);
        }
    }

    #[test]
    fn other_protocols_are_let_go_at_once() {
        for opening in
            [b"SSH-2.0-OpenSSH_9.2".as_slice(), b"RFB 3.8\n....", b"\x16\x03\x01\x02\x00", b"IDENT"]
        {
            assert_eq!(Sniffer::new(true, None).handle_bytes(SECOND, opening), Guess::Other);
        }
    }

    #[test]
    fn a_server_that_calls_a_repeater_says_its_number_first() {
        let mut sniffer = Sniffer::new(true, None);
        let mut id = b"ID:1234".to_vec();
        id.resize(250, 0);
        assert_eq!(sniffer.handle_bytes(FIRST, &id), Guess::Undecided);
        assert_eq!(sniffer.handle_bytes(FIRST, b"RFB 003.008\n"), Guess::Rfb { server: FIRST });
    }

    #[test]
    fn a_run_of_viewer_messages_is_rfb_that_was_joined_late() {
        let request = [3, 1, 0, 0, 0, 0, 2, 0, 1, 0x80];
        let mut sniffer = Sniffer::new(false, None);
        assert_eq!(sniffer.handle_bytes(SECOND, &[0, 0, 0, 1, 9, 9]), Guess::Undecided);
        for _ in 0..3 {
            assert_eq!(sniffer.handle_bytes(FIRST, &request), Guess::Undecided);
        }
        assert_eq!(sniffer.handle_bytes(FIRST, &request), Guess::RfbLate { server: SECOND });
        let mut on_port = Sniffer::new(false, Some(SECOND));
        assert_eq!(on_port.handle_bytes(FIRST, &request), Guess::RfbLate { server: SECOND });
        assert_eq!(Sniffer::new(true, Some(SECOND)).handle_bytes(FIRST, &request), Guess::Other);
    }
}
