//! Hand-made packets and files: bytes put down one by one, so that they prove the decoder.

use std::net::{IpAddr, SocketAddr};

pub(crate) const SYN: u8 = 2;
pub(crate) const ACK: u8 = 16;
pub(crate) const FIN: u8 = 1;
pub(crate) const RST: u8 = 4;

#[derive(Clone, Debug)]
pub(crate) struct Tcp {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) sequence: u32,
    pub(crate) acknowledgment: u32,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl Tcp {
    fn segment(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&self.from.port().to_be_bytes());
        out.extend_from_slice(&self.to.port().to_be_bytes());
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&self.acknowledgment.to_be_bytes());
        // Twelve bytes of options: two no-operations and a timestamp, as nearly every packet has.
        out.extend_from_slice(&[8 << 4, self.flags, 1, 0, 0, 0, 0, 0, 1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
        out.extend_from_slice(&self.payload);
        out
    }

    pub(crate) fn ip(&self) -> Vec<u8> {
        match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let segment = self.segment();
                let length = u16::try_from(20 + segment.len()).unwrap().to_be_bytes();
                let mut out = vec![0x45, 0, length[0], length[1], 0, 1, 0x40, 0, 64, 6, 0, 0];
                out.extend_from_slice(&from.octets());
                out.extend_from_slice(&to.octets());
                out.extend_from_slice(&segment);
                out
            }
            (IpAddr::V6(_), IpAddr::V6(_)) => self.ipv6(&[], 6),
            _ => panic!("addresses of two kinds"),
        }
    }

    /// IPv6 with extension headers before TCP, the first of them of kind `first`.
    pub(crate) fn ipv6(&self, extensions: &[u8], first: u8) -> Vec<u8> {
        let (IpAddr::V6(from), IpAddr::V6(to)) = (self.from.ip(), self.to.ip()) else {
            panic!("addresses are not IPv6")
        };
        let segment = self.segment();
        let length = u16::try_from(extensions.len() + segment.len()).unwrap().to_be_bytes();
        let mut out = vec![0x60, 0, 0, 0, length[0], length[1], first, 64];
        out.extend_from_slice(&from.octets());
        out.extend_from_slice(&to.octets());
        out.extend_from_slice(extensions);
        out.extend_from_slice(&segment);
        out
    }

    pub(crate) fn ethertype(&self) -> [u8; 2] {
        if self.from.is_ipv4() { [8, 0] } else { [0x86, 0xdd] }
    }

    pub(crate) fn ethernet(&self) -> Vec<u8> {
        [&[0x11; 12][..], &self.ethertype(), &self.ip()].concat()
    }
}

/// A conversation whose sequence numbers keep themselves.
pub(crate) struct Talk {
    ends: [SocketAddr; 2],
    next: [u32; 2],
    pub(crate) packets: Vec<Tcp>,
}

impl Talk {
    /// The first end opens the connection.
    pub(crate) fn open(client: &str, server: &str, starts: [u32; 2]) -> Talk {
        let mut talk = Talk::in_the_middle(client, server, starts);
        talk.push(0, SYN, b"");
        talk.push(1, SYN | ACK, b"");
        talk
    }

    pub(crate) fn in_the_middle(client: &str, server: &str, starts: [u32; 2]) -> Talk {
        Talk { ends: [address(client), address(server)], next: starts, packets: Vec::new() }
    }

    pub(crate) fn push(&mut self, from: usize, flags: u8, payload: &[u8]) {
        let (ends, sequence, acknowledgment) = (self.ends, self.next[from], self.next[1 - from]);
        let (from_end, to) = (ends[from], ends[1 - from]);
        let payload = payload.to_vec();
        let steps = u32::try_from(payload.len()).unwrap() + u32::from(flags & (SYN | FIN) != 0);
        self.packets.push(Tcp { from: from_end, to, sequence, acknowledgment, flags, payload });
        self.next[from] = sequence.wrapping_add(steps);
    }

    pub(crate) fn say(&mut self, from: usize, payload: &[u8]) {
        self.push(from, ACK, payload);
    }

    pub(crate) fn close(&mut self, from: usize) {
        self.push(from, FIN | ACK, b"");
        self.push(1 - from, FIN | ACK, b"");
    }
}

/// How a file writes its numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    pub(crate) big_endian: bool,
    pub(crate) nanoseconds: bool,
}

impl Dialect {
    fn u32(self, n: u32) -> [u8; 4] {
        if self.big_endian { n.to_be_bytes() } else { n.to_le_bytes() }
    }

    fn u16(self, n: u16) -> [u8; 2] {
        if self.big_endian { n.to_be_bytes() } else { n.to_le_bytes() }
    }
}

pub(crate) const LITTLE: Dialect = Dialect { big_endian: false, nanoseconds: false };

/// A pcap file of packets, one a millisecond from 2026-01-02T03:04:05Z.
pub(crate) fn pcap(link: u16, dialect: Dialect, packets: &[Vec<u8>]) -> Vec<u8> {
    let magic: u32 = if dialect.nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
    let mut out = dialect.u32(magic).to_vec();
    out.extend_from_slice(&dialect.u16(2));
    out.extend_from_slice(&dialect.u16(4));
    for field in [0, 0, 262_144, u32::from(link)] {
        out.extend_from_slice(&dialect.u32(field));
    }
    for (n, packet) in (0..).zip(packets) {
        let fraction = if dialect.nanoseconds { n * 1_000_000 } else { n * 1000 };
        let length = u32::try_from(packet.len()).unwrap();
        for field in [1_767_323_045, fraction, length, length] {
            out.extend_from_slice(&dialect.u32(field));
        }
        out.extend_from_slice(packet);
    }
    out
}

/// The same as pcapng: a section, an interface with nanoseconds where asked, blocks between packets
/// that mean nothing here, and the packets.
pub(crate) fn pcapng(link: u16, dialect: Dialect, packets: &[Vec<u8>]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let length = dialect.u32(u32::try_from(body.len() + 12).unwrap());
        [&dialect.u32(kind)[..], &length, &body, &length].concat()
    };
    let section = [&dialect.u32(0x1a2b_3c4d)[..], &dialect.u16(1), &dialect.u16(0), &[0xff; 8]].concat();
    let mut interface = [&dialect.u16(link)[..], &[0, 0], &dialect.u32(0)].concat();
    if dialect.nanoseconds {
        interface.extend_from_slice(&dialect.u16(9));
        interface.extend_from_slice(&dialect.u16(1));
        interface.extend_from_slice(&[9, 0, 0, 0]);
    }
    interface.extend_from_slice(&[0; 4]);
    let mut out = [block(0x0a0d_0d0a, &section), block(1, &interface)].concat();
    for (n, packet) in (0..).zip(packets) {
        let micros: u64 = 1_767_323_045_000_000 + n * 1000;
        let ticks = if dialect.nanoseconds { micros * 1000 } else { micros };
        let length = u32::try_from(packet.len()).unwrap();
        let fields = [0, u32::try_from(ticks >> 32).unwrap(), u32::try_from(ticks & 0xffff_ffff).unwrap()];
        let mut body: Vec<u8> = fields.iter().flat_map(|&f| dialect.u32(f)).collect();
        body.extend([length, length].iter().flat_map(|&f| dialect.u32(f)));
        body.extend_from_slice(packet);
        out.extend(block(6, &body));
        if n % 7 == 0 {
            out.extend(block(0x0bad_f00d, b"a private block"));
        }
    }
    out
}
