//! Every bound of this crate, in one place, with its reason.

/// First buffer for a capture file: a block of it must fit whole, and snap lengths go up to 256 KiB.
pub const BLOCK_START: usize = 512 * 1024;
/// Largest block of a capture file; embedded TLS secrets and name tables are the large ones.
pub const BLOCK: usize = 16 << 20;
/// Interfaces of one pcapng section; a host with thousands does not capture on all of them.
pub const INTERFACES: usize = 4096;
/// VLAN tags before the IP header: customer and service tag, and one to spare.
pub const VLAN_TAGS: usize = 3;

/// Flows followed at once; the one that was silent for longest makes room.
pub const FLOWS: usize = 65_536;
/// Bytes held for one direction while an earlier segment is missing. A receive window seldom exceeds
/// it, so what is missing after that is lost to the capture.
pub const HELD_PER_DIRECTION: usize = 4 << 20;
/// The same over all flows together.
pub const HELD: usize = 64 << 20;
/// Acknowledgments of bytes that are missing here before these count as lost to the capture. More than
/// one, because captures of several queues mix the two directions up a little.
pub const ACKNOWLEDGED_HOLE: u8 = 3;
/// What holding one piece costs beyond its bytes; stops a stream of one-byte segments.
pub const HELD_PIECE: usize = 64;

/// Bytes of one flow that are kept until its protocol is known.
pub const SNIFF: usize = 32 * 1024;
/// Pieces of one flow that are kept until its protocol is known.
pub const SNIFF_PIECES: usize = 256;
/// The same where the beginning is missing: many connections may be so, and for long.
pub const SNIFF_LATE: usize = 8 * 1024;
/// Bytes of one side after which a stream without a beginning is given up; a busy screen without any input
/// goes on for long.
pub const LATE_LOOK: usize = 4 << 20;
/// Whole messages of a viewer that make a stream without a beginning RFB, on an unusual port.
pub const LATE_MESSAGES: usize = 4;
/// An HTTP request or response head before WebSocket frames.
pub const HTTP_HEAD: usize = 16 * 1024;

/// Sessions in one report.
pub const SESSIONS: usize = 100_000;
/// Text of one session's skeleton; a day of work is shorter.
pub const SKELETON: usize = 64 << 20;
/// Lists of encodings kept for one session; a viewer that changes its quality sends one each time.
pub const ENCODING_LISTS: usize = 32;
/// Sizes of the screen kept for one session.
pub const RESIZES: usize = 64;
/// Faults kept for one session.
pub const ERRORS: usize = 32;
/// Different encoding numbers counted for one session.
pub const ENCODING_KINDS: usize = 256;
