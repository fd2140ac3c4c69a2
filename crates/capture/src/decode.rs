//! From a captured packet to a TCP segment: link layer, VLAN tags, IP and its extension headers.
//!
//! Checksums are not verified: captures on the sending host show them before the network card has
//! filled them in.

use crate::limits;
use crate::source::{LinkType, Packet};
use etherparse::{IpNumber, LaxIpSlice, TcpSlice};
use rfb::wire::Reader;
use std::net::SocketAddr;

/// One TCP segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment<'a> {
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// Number of the first payload byte, or of the SYN before it.
    pub sequence: u32,
    /// The next byte that its sender expects from the other side, if it says so.
    pub acknowledgment: Option<u32>,
    /// Which of the flags that matter are set.
    pub flags: Flags,
    /// What was captured of the payload.
    pub payload: &'a [u8],
    /// Payload bytes behind it that the capture cut off.
    pub missing: u32,
}

/// The flags of a segment that open or close a flow.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flags {
    /// Opens.
    pub syn: bool,
    /// Carries an acknowledgement; a SYN without it is the first packet of a connection.
    pub ack: bool,
    /// The sender is done.
    pub fin: bool,
    /// The connection is void.
    pub rst: bool,
}

/// What a packet is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decoded<'a> {
    /// TCP.
    Segment(Segment<'a>),
    /// Part of a fragmented IP packet; they are not put together, only counted.
    Fragment,
    /// Something well formed that is not TCP.
    Other,
    /// A link layer that is not read here.
    UnknownLink(LinkType),
    /// Headers that are cut off or contradict themselves.
    Malformed,
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// Decodes one packet.
pub fn decode<'a>(packet: &Packet<'a>) -> Decoded<'a> {
    let mut reader = Reader::new(packet.bytes);
    let kind = match packet.link {
        LinkType::ETHERNET => reader.take(12).and_then(|_| reader.u16()),
        LinkType::LINUX_SLL => reader.take(14).and_then(|_| reader.u16()),
        LinkType::LINUX_SLL2 => reader.u16().filter(|_| reader.take(18).is_some()),
        LinkType::NULL | LinkType::LOOP => reader.array().map(of_family),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD | LinkType::IPV4 | LinkType::IPV6 => {
            Some(IPV4)
        }
        other => return Decoded::UnknownLink(other),
    };
    match kind.and_then(|kind| skip_vlan(kind, &mut reader)) {
        // The version in the IP header itself decides between the two.
        Some(IPV4 | IPV6) => ip(reader.rest()),
        Some(_) => Decoded::Other,
        None => Decoded::Malformed,
    }
}

/// The address family of BSD loopback headers; IPv6 has another number on every system, and the byte
/// order is that of the capturing host.
fn of_family(bytes: [u8; 4]) -> u16 {
    match u32::from_be_bytes(bytes).min(u32::from_le_bytes(bytes)) {
        2 => IPV4,
        10 | 24 | 28 | 30 => IPV6,
        _ => 0,
    }
}

/// Skips VLAN tags: one, or customer tags inside service tags.
fn skip_vlan(mut kind: u16, reader: &mut Reader<'_>) -> Option<u16> {
    for _ in 0..limits::VLAN_TAGS {
        if !matches!(kind, 0x8100 | 0x88a8 | 0x9100) {
            break;
        }
        reader.u16()?;
        kind = reader.u16()?;
    }
    Some(kind)
}

fn ip(bytes: &[u8]) -> Decoded<'_> {
    let Ok((ip, stopped)) = LaxIpSlice::from_slice(bytes) else { return Decoded::Malformed };
    if ip.is_fragmenting_payload() {
        return Decoded::Fragment;
    }
    let inner = ip.payload();
    if inner.ip_number != IpNumber::TCP {
        return if stopped.is_some() { Decoded::Malformed } else { Decoded::Other };
    }
    let Ok(tcp) = TcpSlice::from_slice(inner.payload) else { return Decoded::Malformed };
    Decoded::Segment(Segment {
        source: SocketAddr::new(ip.source_addr(), tcp.source_port()),
        destination: SocketAddr::new(ip.destination_addr(), tcp.destination_port()),
        sequence: tcp.sequence_number(),
        acknowledgment: tcp.ack().then(|| tcp.acknowledgment_number()),
        flags: Flags { syn: tcp.syn(), ack: tcp.ack(), fin: tcp.fin(), rst: tcp.rst() },
        payload: tcp.payload(),
        missing: cut_off(&ip, bytes.len()),
    })
}

/// How many bytes of the IP packet the capture does not have. A length of zero is that of a packet
/// which the network card is going to split; then everything is there.
fn cut_off(ip: &LaxIpSlice<'_>, captured: usize) -> u32 {
    let declared = match ip {
        LaxIpSlice::Ipv4(v4) => usize::from(v4.header().total_len()),
        LaxIpSlice::Ipv6(v6) => match v6.header().payload_length() {
            0 => 0,
            length => usize::from(length) + 40,
        },
    };
    u32::try_from(declared.saturating_sub(captured)).unwrap_or(0)
}
