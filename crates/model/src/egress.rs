//! Where this program may connect to.
//!
//! People and peers name addresses that the gateway then connects to: targets, hypervisors, webhooks, object stores,
//! identity providers. A name can lead anywhere and can lead elsewhere a second later, so what is checked is the
//! resolved address that is connected to, right before, every time. What the check lets through is an address, never
//! a name, and whoever follows redirects asks again.
//!
//! An IPv6 address can carry an IPv4 one (mapped, NAT64, 6to4, Teredo, ISATAP). Packets then end at the IPv4 address, so
//! that one is checked too.

use crate::Coded;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Purpose {
    /// A target that an administrator entered.
    AdministratorsTarget,
    /// A target that anybody else entered: operators have the targets of their groups.
    Target,
    /// A desktop that this program started.
    Desktop,
    /// Everything else: hypervisors, webhooks, object stores, identity providers, mail.
    Service,
}

impl Purpose {
    /// Whether it may stay on this machine: a loopback address, or a Unix socket.
    pub fn may_stay_here(self) -> bool {
        matches!(self, Purpose::AdministratorsTarget | Purpose::Desktop)
    }
}

/// What the configuration and the running program add to the fixed rules.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// Where this program itself listens. A connection to itself would be a loop, or a way around a check of addresses.
    pub listeners: Vec<SocketAddr>,
    /// Loopback addresses where services of this machine may be reached all the same. Opens nothing but loopback.
    pub local_services: Vec<SocketAddr>,
    /// Networks that are never connected to, whatever asks.
    pub denied: Vec<Network>,
}

/// Why an address is not connected to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EgressError {
    /// No address at all: 0.0.0.0/8 or ::.
    #[error("the address means no machine; enter the machine's own address")]
    Unspecified,
    /// This machine, for a purpose that may not stay here.
    #[error("the address is this machine's own; only an administrator can enter one")]
    Loopback,
    /// An address that is valid on one cable only.
    #[error("link-local addresses are not connected to; give the machine an address of its network")]
    LinkLocal,
    /// A cloud's metadata service, which gives credentials to whoever asks from this machine.
    #[error("the address is a cloud's metadata service and is not connected to")]
    Metadata,
    /// Many machines at once: multicast or broadcast.
    #[error("the address means many machines at once; enter the address of one")]
    Multicast,
    /// Reserved for protocols or for the future.
    #[error("the address is reserved and belongs to no machine")]
    Reserved,
    /// One of our own listeners.
    #[error("the address is the gateway's own; enter the address of the machine behind it")]
    OwnListener,
    /// In a network that the configuration closed.
    #[error("the configuration forbids connections to this network")]
    Denied,
}

impl Coded for EgressError {
    fn code(&self) -> &'static str {
        match self {
            EgressError::Unspecified => "egress.unspecified",
            EgressError::Loopback => "egress.loopback",
            EgressError::LinkLocal => "egress.link_local",
            EgressError::Metadata => "egress.metadata",
            EgressError::Multicast => "egress.multicast",
            EgressError::Reserved => "egress.reserved",
            EgressError::OwnListener => "egress.own_listener",
            EgressError::Denied => "egress.denied",
        }
    }
}

/// Metadata services outside the link-local networks.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba Cloud
    Ipv4Addr::new(192, 0, 0, 192),     // Oracle Cloud
    Ipv4Addr::new(168, 63, 129, 16),   // Azure's host agent
];
/// The link-local ones, told apart only for the sake of the message.
const METADATA_LINK_LOCAL: [Ipv4Addr; 3] = [
    Ipv4Addr::new(169, 254, 169, 254), // nearly all
    Ipv4Addr::new(169, 254, 170, 2),   // AWS containers
    Ipv4Addr::new(169, 254, 170, 23),  // AWS pods
];
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254), // AWS
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0023), // AWS pods
    Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254), // Google Cloud
];

/// Judges an address that is about to be connected to.
///
/// # Errors
/// [`EgressError`]: do not connect.
pub fn check(peer: SocketAddr, purpose: Purpose, egress: &Egress) -> Result<(), EgressError> {
    let address = peer.ip().to_canonical();
    let place = SocketAddr::new(address, peer.port());
    every_form(address).try_for_each(|form| check_form(form, address, purpose, place, egress))?;
    if egress.listeners.iter().any(|listener| is_listener(*listener, place)) {
        return Err(EgressError::OwnListener);
    }
    Ok(())
}

/// Judges a connection that was just made, by both of its addresses: a listener on every address of this machine
/// (`0.0.0.0`, `::`) is found only here, since nobody else knows all of them. On a refusal close it unused.
///
/// # Errors
/// [`EgressError::OwnListener`].
pub fn check_connected(local: SocketAddr, peer: SocketAddr, egress: &Egress) -> Result<(), EgressError> {
    // Who connects to an address of its own machine does so from that very address.
    let stays_here = local.ip().to_canonical() == peer.ip().to_canonical();
    let is_ours = |l: &SocketAddr| l.port() == peer.port() && l.ip().to_canonical().is_unspecified();
    if stays_here && egress.listeners.iter().any(is_ours) { Err(EgressError::OwnListener) } else { Ok(()) }
}

/// Judges a Unix socket, which is on this machine by its nature.
///
/// # Errors
/// [`EgressError::Loopback`].
pub fn check_unix(purpose: Purpose) -> Result<(), EgressError> {
    if purpose.may_stay_here() { Ok(()) } else { Err(EgressError::Loopback) }
}

fn check_form(
    form: IpAddr,
    address: IpAddr,
    purpose: Purpose,
    place: SocketAddr,
    egress: &Egress,
) -> Result<(), EgressError> {
    if egress.denied.iter().any(|network| network.contains(form)) {
        return Err(EgressError::Denied);
    }
    match form {
        IpAddr::V4(v4) => check_v4(v4)?,
        IpAddr::V6(v6) => check_v6(v6)?,
    }
    // Loopback is permitted under its own name only: nobody honest writes it inside a tunnel's address.
    let is_permitted = form == address && (purpose.may_stay_here() || egress.local_services.contains(&place));
    if form.is_loopback() && !is_permitted { Err(EgressError::Loopback) } else { Ok(()) }
}

fn check_v4(address: Ipv4Addr) -> Result<(), EgressError> {
    let [a, b, c, _] = address.octets();
    if METADATA_V4.contains(&address) || METADATA_LINK_LOCAL.contains(&address) {
        Err(EgressError::Metadata)
    } else if a == 0 {
        Err(EgressError::Unspecified)
    } else if address.is_link_local() {
        Err(EgressError::LinkLocal)
    } else if address.is_multicast() || address.is_broadcast() {
        Err(EgressError::Multicast)
    } else if a >= 240 || (a, b, c) == (192, 0, 0) {
        Err(EgressError::Reserved)
    } else {
        Ok(())
    }
}

fn check_v6(address: Ipv6Addr) -> Result<(), EgressError> {
    if METADATA_V6.contains(&address) {
        Err(EgressError::Metadata)
    } else if address.is_unspecified() {
        Err(EgressError::Unspecified)
    } else if address.is_unicast_link_local() || address.to_bits() >> 118 == 0x3fb {
        Err(EgressError::LinkLocal)
    } else if address.is_multicast() {
        Err(EgressError::Multicast)
    } else {
        Ok(())
    }
}

/// The address, and each IPv4 address that packets to it may end at.
fn every_form(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let embedded = match address {
        IpAddr::V4(_) => [None; 2],
        IpAddr::V6(v6) => embedded(v6),
    };
    std::iter::once(address).chain(embedded.into_iter().flatten().map(IpAddr::V4))
}

/// IPv4 addresses inside an IPv6 one.
fn embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([w, x], [y, z]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(w, x, y, z))
    };
    match [a, b, c, d, e, f] {
        // ::1 and :: are no IPv4 addresses.
        [0, 0, 0, 0, 0, 0] if g == 0 => [None; 2],
        // IPv4-compatible [RFC 4291, 2.5.5.1], mapped, translated [RFC 2765, 2.1], NAT64 [RFC 6052, 2.1].
        [0, 0, 0, 0, 0, 0 | 0xffff] | [0, 0, 0, 0, 0xffff, 0] | [0x0064, 0xff9b, 0, 0, 0, 0] => {
            [v4(g, h), None]
        }
        // NAT64 of a local prefix [RFC 8215], whose length is not known: of 96 bits, or of 48.
        [0x0064, 0xff9b, 1, 0, 0, 0] => [v4(g, h), None],
        [0x0064, 0xff9b, 1, high, low, _] => {
            [v4(high, (low << 8) | (f >> 8)), v4(g, h).filter(|_| high == 0)]
        }
        // 6to4 [RFC 3056, 2].
        [0x2002, high, low, ..] => [v4(high, low), None],
        // Teredo: the server, and the client with its bits flipped [RFC 4380, 4].
        [0x2001, 0, high, low, ..] => [v4(high, low), v4(!g, !h)],
        // ISATAP [RFC 5214, 6.1].
        [.., 0x0000 | 0x0200, 0x5efe] => [v4(g, h), None],
        _ => [None; 2],
    }
}

fn is_listener(listener: SocketAddr, place: SocketAddr) -> bool {
    let at = listener.ip().to_canonical();
    listener.port() == place.port() && (at == place.ip() || (at.is_unspecified() && place.ip().is_loopback()))
}

/// An address with the length of its network: `10.0.0.0/8`, `2001:db8::/32`, or a single address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that is no network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("write a network as 10.0.0.0/8 or 2001:db8::/32")]
pub struct NetworkError;

impl Coded for NetworkError {
    fn code(&self) -> &'static str {
        "egress.network"
    }
}

impl Network {
    /// Whether the address lies in it. A mapped IPv4 address is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let kept = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                (ours.to_bits() ^ theirs.to_bits()) & kept == 0
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let kept = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                (ours.to_bits() ^ theirs.to_bits()) & kept == 0
            }
            _ => false,
        }
    }
}

impl std::str::FromStr for Network {
    type Err = NetworkError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| NetworkError))?;
        if bits > most { Err(NetworkError) } else { Ok(Network { address, bits }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EgressError::*;
    use proptest::prelude::*;

    fn judge(address: &str, purpose: Purpose) -> Result<(), EgressError> {
        check(SocketAddr::new(address.parse().unwrap(), 5900), purpose, &Egress::default())
    }

    #[test]
    fn machines_of_ordinary_networks_are_reached() {
        for address in [
            "10.0.0.7",
            "192.168.1.7",
            "172.16.0.1",
            "100.64.0.9",
            "203.0.113.9",
            "8.8.8.8",
            "223.255.255.255",
            "192.0.1.1",
            "fd00::7",
            "2001:db8::7",
            "2a00:1450::1",
            "::ffff:10.0.0.7",
            "64:ff9b::a00:7",
            "64:ff9b:1::a00:7",
            "64:ff9b:1:a00:0:700::",
            "2002:a00:7::1",
            "2001:0:a00:1::f5ff:fff8",
            "fd00::5efe:a00:7",
        ] {
            for purpose in
                [Purpose::AdministratorsTarget, Purpose::Target, Purpose::Desktop, Purpose::Service]
            {
                assert_eq!(judge(address, purpose), Ok(()), "{address}");
            }
        }
    }

    #[test]
    fn nobody_reaches_these() {
        for (address, why) in [
            ("169.254.169.254", Metadata),
            ("169.254.170.2", Metadata),
            ("100.100.100.200", Metadata),
            ("192.0.0.192", Metadata),
            ("168.63.129.16", Metadata),
            ("fd00:ec2::254", Metadata),
            ("fd20:ce::254", Metadata),
            ("169.254.7.7", LinkLocal),
            ("fe80::1", LinkLocal),
            ("febf::1", LinkLocal),
            ("fec0::1", LinkLocal),
            ("0.0.0.0", Unspecified),
            ("0.1.2.3", Unspecified),
            ("::", Unspecified),
            ("224.0.0.1", Multicast),
            ("239.255.255.250", Multicast),
            ("ff02::1", Multicast),
            ("255.255.255.255", Multicast),
            ("240.0.0.1", Reserved),
            ("192.0.0.8", Reserved),
            // The same inside IPv6.
            ("::ffff:169.254.169.254", Metadata),
            ("::169.254.169.254", Metadata),
            ("::ffff:0:169.254.169.254", Metadata),
            ("64:ff9b::a9fe:a9fe", Metadata),
            ("64:ff9b:1::a9fe:a9fe", Metadata),
            ("64:ff9b:1:a9fe:a9:fe00::", Metadata),
            ("2002:a9fe:a9fe::1", Metadata),
            ("2001:0:a9fe:a9fe::1", Metadata),
            ("2001:0:a00:1::5601:5601", Metadata),
            ("2001:db8::5efe:a9fe:a9fe", Metadata),
            ("2001:db8::200:5efe:a9fe:a9fe", Metadata),
            ("64:ff9b::e000:1", Multicast),
            // Loopback in disguise is worse than loopback.
            ("64:ff9b::7f00:1", Loopback),
            ("2002:7f00:1::", Loopback),
            ("::127.0.0.1", Loopback),
            ("::ffff:0:127.0.0.1", Loopback),
            ("2001:0:a00:1::80ff:fffe", Loopback),
        ] {
            for purpose in
                [Purpose::AdministratorsTarget, Purpose::Target, Purpose::Desktop, Purpose::Service]
            {
                assert_eq!(judge(address, purpose), Err(why), "{address} {purpose:?}");
            }
        }
    }

    #[test]
    fn this_machine_is_for_administrators_and_desktops() {
        for here in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(judge(here, Purpose::AdministratorsTarget), Ok(()), "{here}");
            assert_eq!(judge(here, Purpose::Desktop), Ok(()), "{here}");
            assert_eq!(judge(here, Purpose::Target), Err(Loopback), "{here}");
            assert_eq!(judge(here, Purpose::Service), Err(Loopback), "{here}");
        }
        assert_eq!(check_unix(Purpose::AdministratorsTarget), Ok(()));
        assert_eq!(check_unix(Purpose::Target), Err(Loopback));
    }

    #[test]
    fn a_service_of_this_machine_must_be_named_with_its_port() {
        let egress = Egress { local_services: vec!["127.0.0.1:9000".parse().unwrap()], ..Egress::default() };
        let judge = |place: &str| check(place.parse().unwrap(), Purpose::Service, &egress);
        assert_eq!(judge("127.0.0.1:9000"), Ok(()));
        assert_eq!(judge("[::ffff:127.0.0.1]:9000"), Ok(()));
        assert_eq!(judge("127.0.0.1:9001"), Err(Loopback));
        assert_eq!(judge("[64:ff9b::7f00:1]:9000"), Err(Loopback));
        // It opens nothing but loopback.
        let egress =
            Egress { local_services: vec!["169.254.169.254:80".parse().unwrap()], ..Egress::default() };
        assert_eq!(check("169.254.169.254:80".parse().unwrap(), Purpose::Service, &egress), Err(Metadata));
    }

    #[test]
    fn the_gateway_does_not_connect_to_itself() {
        let listeners = ["127.0.0.1:5000", "0.0.0.0:5900", "[::]:5443", "192.168.1.5:5001"];
        let listeners = listeners.iter().map(|l| l.parse().unwrap()).collect();
        let egress = Egress { listeners, ..Egress::default() };
        let judge = |place: &str| check(place.parse().unwrap(), Purpose::AdministratorsTarget, &egress);
        for ours in [
            "127.0.0.1:5000",
            "127.0.0.1:5900",
            "127.0.0.2:5900",
            "[::1]:5443",
            "127.0.0.1:5443",
            "192.168.1.5:5001",
            "[::ffff:192.168.1.5]:5001",
        ] {
            assert_eq!(judge(ours), Err(OwnListener), "{ours}");
        }
        for other in ["127.0.0.1:5901", "192.168.1.6:5900", "192.168.1.5:5000"] {
            assert_eq!(judge(other), Ok(()), "{other}");
        }
        let connected =
            |local: &str, peer: &str| check_connected(local.parse().unwrap(), peer.parse().unwrap(), &egress);
        assert_eq!(connected("192.168.1.5:40000", "192.168.1.5:5900"), Err(OwnListener));
        assert_eq!(connected("[::ffff:192.168.1.5]:40000", "192.168.1.5:5443"), Err(OwnListener));
        assert_eq!(connected("192.168.1.5:40000", "192.168.1.6:5900"), Ok(()));
        assert_eq!(connected("192.168.1.5:40000", "192.168.1.5:5901"), Ok(()));
    }

    #[test]
    fn closed_networks_are_closed_in_every_form() {
        let egress = Egress { denied: vec!["10.1.0.0/16".parse().unwrap()], ..Egress::default() };
        let judge =
            |a: &str| check(SocketAddr::new(a.parse().unwrap(), 1), Purpose::AdministratorsTarget, &egress);
        for closed in ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "2002:a01:203::1"] {
            assert_eq!(judge(closed), Err(Denied), "{closed}");
        }
        assert_eq!(judge("10.2.2.3"), Ok(()));
    }

    #[test]
    fn networks_are_read_and_contain() {
        let within = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().contains(address.parse().unwrap())
        };
        assert!(within("0.0.0.0/0", "8.8.8.8") && within("::/0", "2001:db8::1"));
        assert!(within("10.0.0.7", "10.0.0.7") && !within("10.0.0.7", "10.0.0.8"));
        assert!(within("2001:db8::/33", "2001:db8:7fff::1") && !within("2001:db8::/33", "2001:db8:8000::1"));
        assert!(!within("0.0.0.0/0", "2001:db8::1"));
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/-1", "10.0.0.0/8/8", "host/8"] {
            assert_eq!(bad.parse::<Network>(), Err(NetworkError), "{bad}");
        }
    }

    proptest! {
        /// An IPv4 address that is refused stays refused in every IPv6 form of it.
        #[test]
        fn no_form_lets_more_through(
            first in prop::sample::select(vec![0_u8, 127, 169, 224, 239, 240, 255]),
            rest: [u8; 3],
        ) {
            let [second, third, fourth] = rest;
            let second = if first == 169 { 254 } else { second };
            let bits = u32::from_be_bytes([first, second, third, fourth]);
            let judge = |ip: IpAddr| check(SocketAddr::new(ip, 80), Purpose::Service, &Egress::default());
            prop_assert!(judge(Ipv4Addr::from_bits(bits).into()).is_err());
            let wide = u128::from(bits);
            let nat64 = (0x0064_ff9b_u128 << 96) | wide;
            let six_to_four = (0x2002_u128 << 112) | (wide << 80);
            for form in [(0xffff_u128 << 32) | wide, nat64, six_to_four] {
                prop_assert!(judge(Ipv6Addr::from_bits(form).into()).is_err());
            }
        }
    }
}
