//! `X-Forwarded-*`: what an HTTP proxy in front says about the client, and when it is believed.
//!
//! Anybody can send these headers. They count only on a connection from a configured proxy, and of
//! `X-Forwarded-For` only the part that configured proxies wrote: the rightmost address that is not
//! itself such a proxy is the client, whatever stands further left.

use std::net::IpAddr;

/// Entries of `X-Forwarded-For` that are looked at, from the right; no real chain is longer.
const MAX_HOPS: usize = 32;

/// An address range in CIDR notation, or a single address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no address range.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an address or a range such as 10.0.0.0/8 or fd00::/8")]
pub struct NetworkError;

impl std::str::FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| NetworkError)?;
        let bits: u8 = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(text) => text.trim().parse().ok().filter(|p| *p <= bits).ok_or(NetworkError)?,
            None => bits,
        };
        Ok(Network { address, prefix })
    }
}

impl Network {
    /// Whether the address is in the range. IPv4 addresses mapped into IPv6 are IPv4 addresses.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (net, candidate, bits) = match (self.address, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
            _ => return false,
        };
        let host_bits = bits - u32::from(self.prefix);
        // a shift by the full width means that the prefix is 0 and everything matches
        net.checked_shr(host_bits).unwrap_or(0) == candidate.checked_shr(host_bits).unwrap_or(0)
    }
}

/// The proxies that are believed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// These ranges, no others; loopback is not trusted unless listed.
    pub fn new(networks: Vec<Network>) -> Self {
        TrustedProxies(networks)
    }

    /// Whether a connection from this address is a trusted proxy's.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Whether no proxy is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The headers as they came, in order, one element per header line.
#[derive(Clone, Copy, Debug, Default)]
pub struct ForwardedHeaders<'a> {
    /// Every `X-Forwarded-For` line.
    pub forwarded_for: &'a [&'a str],
    /// Every `X-Forwarded-Proto` line.
    pub proto: &'a [&'a str],
    /// Every `X-Forwarded-Host` line.
    pub host: &'a [&'a str],
}

/// What is believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client<'a> {
    /// The client's address.
    pub address: IpAddr,
    /// Whether the client spoke HTTPS, where a trusted proxy says so.
    pub secure: Option<bool>,
    /// The host that the client asked for, where a trusted proxy says so.
    pub host: Option<&'a str>,
}

/// Applies the rules to one request from `peer` (after the PROXY protocol, if that is in use).
pub fn client<'a>(peer: IpAddr, headers: &ForwardedHeaders<'a>, trusted: &TrustedProxies) -> Client<'a> {
    let peer = peer.to_canonical();
    if !trusted.contains(peer) {
        return Client { address: peer, secure: None, host: None };
    }
    Client {
        address: client_address(peer, headers.forwarded_for, trusted),
        secure: last_element(headers.proto).and_then(|proto| {
            if proto.eq_ignore_ascii_case("https") || proto.eq_ignore_ascii_case("wss") {
                Some(true)
            } else if proto.eq_ignore_ascii_case("http") || proto.eq_ignore_ascii_case("ws") {
                Some(false)
            } else {
                None
            }
        }),
        host: last_element(headers.host),
    }
}

/// The rightmost address that is not a trusted proxy. Where an entry cannot be read, the trusted
/// proxy that wrote it is the last address known for certain.
fn client_address(peer: IpAddr, lines: &[&str], trusted: &TrustedProxies) -> IpAddr {
    let entries = lines.iter().rev().flat_map(|line| line.rsplit(','));
    let mut nearest = peer;
    for entry in entries.take(MAX_HOPS) {
        let Some(address) = parse_entry(entry.trim()) else { return nearest };
        if !trusted.contains(address) {
            return address;
        }
        nearest = address;
    }
    nearest
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:4711`.
fn parse_entry(text: &str) -> Option<IpAddr> {
    let address = if let Some(rest) = text.strip_prefix('[') {
        let (inside, after) = rest.split_once(']')?;
        let port_is_right = after.is_empty() || after.strip_prefix(':').is_some_and(is_port);
        if !port_is_right {
            return None;
        }
        inside
    } else {
        match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => {
                if !is_port(port) {
                    return None;
                }
                host
            }
            _ => text,
        }
    };
    address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

/// The element that the nearest proxy appended.
fn last_element<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let element = lines.last()?.rsplit(',').next()?.trim();
    if element.is_empty() { None } else { Some(element) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(list: &[&str]) -> TrustedProxies {
        TrustedProxies::new(list.iter().map(|n| n.parse().unwrap()).collect())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_rightmost_untrusted_address_is_the_client() {
        let proxies = trusted(&["10.0.0.0/8", "fd00::/8", "127.0.0.1"]);
        // peer, X-Forwarded-For lines, client
        let table: &[(&str, &[&str], &str)] = &[
            // no proxy: the header is anybody's word
            ("203.0.113.5", &["1.2.3.4"], "203.0.113.5"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            // what the client itself wrote stands further left
            ("10.0.0.1", &["127.0.0.1, 198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.7, 10.9.9.9"], "198.51.100.7"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.7,10.9.9.9"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7", "10.2.2.2"], "198.51.100.7"),
            // only proxies: the one furthest away
            ("10.0.0.1", &["10.2.2.2, 10.3.3.3"], "10.2.2.2"),
            // ports and brackets
            ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("fd00::1", &["2001:db8::1, fd00::2"], "2001:db8::1"),
            // mapped addresses are what they map
            ("::ffff:10.0.0.1", &["::ffff:198.51.100.7"], "198.51.100.7"),
            // unreadable entries end the search
            ("10.0.0.1", &["198.51.100.7, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7, , 10.2.2.2"], "10.2.2.2"),
            ("10.0.0.1", &["198.51.100.7:port"], "10.0.0.1"),
            ("10.0.0.1", &["[2001:db8::1"], "10.0.0.1"),
            ("10.0.0.1", &["[2001:db8::1]x"], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ];
        for (peer, lines, expected) in table {
            let headers = ForwardedHeaders { forwarded_for: lines, ..Default::default() };
            assert_eq!(client(ip(peer), &headers, &proxies).address, ip(expected), "{peer} {lines:?}");
        }
    }

    #[test]
    fn an_endless_chain_of_proxies_is_cut() {
        let proxies = trusted(&["10.0.0.0/8"]);
        let line = format!("198.51.100.7{}", ",10.0.0.2".repeat(10_000));
        let headers = ForwardedHeaders { forwarded_for: &[&line], ..Default::default() };
        assert_eq!(client(ip("10.0.0.1"), &headers, &proxies).address, ip("10.0.0.2"));
    }

    #[test]
    fn scheme_and_host_count_only_from_a_trusted_proxy() {
        let proxies = trusted(&["10.0.0.0/8"]);
        let headers = ForwardedHeaders {
            forwarded_for: &["198.51.100.7"],
            proto: &["http", "http, HTTPS"],
            host: &["evil.example, console.example.org"],
        };
        let believed = client(ip("10.0.0.1"), &headers, &proxies);
        assert_eq!(believed.secure, Some(true));
        assert_eq!(believed.host, Some("console.example.org"));
        let stranger = client(ip("192.0.2.1"), &headers, &proxies);
        assert_eq!(stranger, Client { address: ip("192.0.2.1"), secure: None, host: None });
        let odd = ForwardedHeaders { proto: &["gopher"], host: &[" "], ..Default::default() };
        let odd = client(ip("10.0.0.1"), &odd, &proxies);
        assert_eq!((odd.secure, odd.host), (None, None));
    }

    #[test]
    fn ranges() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "8.8.8.8", "::1"),
            ("::/0", "2001:db8::1", "8.8.8.8"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
            ("::1", "::1", "::2"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(network.contains(ip(inside)));
            assert!(!network.contains(ip(outside)));
        }
        for wrong in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "localhost", "10.0.0.0/-1"] {
            assert_eq!(wrong.parse::<Network>(), Err(NetworkError), "{wrong}");
        }
    }
}
