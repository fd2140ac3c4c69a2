//! Where packets come from.

pub mod pcap_file;

pub use pcap_file::{PcapFile, SourceError};

use crate::Time;

/// One captured packet, still in its link layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    /// When it was captured; a pcapng *simple packet* does not say.
    pub time: Option<Time>,
    /// What the first byte belongs to.
    pub link: LinkType,
    /// As captured, possibly cut at the snap length.
    pub bytes: &'a [u8],
}

/// A LINKTYPE number as the capture file formats use it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: four bytes of address family in the byte order of the capturing host.
    pub const NULL: LinkType = LinkType(0);
    /// Ethernet.
    pub const ETHERNET: LinkType = LinkType(1);
    /// Bare IP, the number inside the kernel of some systems.
    pub const RAW_BSD: LinkType = LinkType(12);
    /// Bare IP, the number inside the kernel of OpenBSD.
    pub const RAW_OPENBSD: LinkType = LinkType(14);
    /// Bare IP.
    pub const RAW: LinkType = LinkType(101);
    /// OpenBSD loopback: the family in network byte order.
    pub const LOOP: LinkType = LinkType(108);
    /// Linux "cooked" capture, as of the device `any`.
    pub const LINUX_SLL: LinkType = LinkType(113);
    /// Bare IPv4.
    pub const IPV4: LinkType = LinkType(228);
    /// Bare IPv6.
    pub const IPV6: LinkType = LinkType(229);
    /// Linux "cooked" capture, second version.
    pub const LINUX_SLL2: LinkType = LinkType(276);
}
