//! The PROXY protocol, versions 1 and 2: who really connected, told by a load balancer in front.
//!
//! Pure: bytes in, header and its length out. The shell reads exactly that many bytes, so nothing of
//! what follows (a TLS hello, an HTTP request) is ever taken by mistake. Section numbers are those of
//! the protocol's text, "The PROXY protocol, versions 1 & 2".

use model::Coded;
use rfb::wire::Reader;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// [2.1] The longest line of version 1, CR LF included.
const V1_MAX: usize = 107;
/// [2.2] First bytes of version 2.
const V2_SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of version 2 before its addresses.
const V2_HEADER: usize = 16;
/// Addresses and extensions (TLVs) of version 2. The field allows 64 KiB; real balancers send under 1 KiB.
const V2_BODY_MAX: usize = 4096;
/// The most bytes that a header can have; a shell's buffer never needs more.
pub const MAX_LENGTH: usize = V2_HEADER + V2_BODY_MAX;

/// What the header says about the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proxied {
    /// Somebody's connection, forwarded.
    Addresses {
        /// The client as the proxy saw it.
        source: SocketAddr,
        /// The address that the client connected to.
        destination: SocketAddr,
    },
    /// The proxy's own connection (a health check), or a client without an internet address: the
    /// connection's own addresses hold.
    Own,
}

/// Why bytes are no header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyProtocolError {
    /// Neither version's first bytes.
    #[error(
        "the connection does not begin with a PROXY header; switch it on at the proxy or off at this listener"
    )]
    Missing,
    /// The first bytes are right, the rest is not.
    #[error("the PROXY header is malformed; check the version of the proxy in front")]
    Malformed,
    /// Longer than any real one.
    #[error("the PROXY header is longer than {MAX_LENGTH} bytes; switch extensions off at the proxy")]
    TooLong,
}

impl Coded for ProxyProtocolError {
    fn code(&self) -> &'static str {
        match self {
            ProxyProtocolError::Missing => "proxy.missing",
            ProxyProtocolError::Malformed => "proxy.malformed",
            ProxyProtocolError::TooLong => "proxy.too_long",
        }
    }
}

/// Reads a header at the start of `bytes`: `Ok(None)` while bytes are missing, else what it says and
/// its length. As long as the answer is `Ok(None)`, every byte seen belongs to the header.
pub fn parse(bytes: &[u8]) -> Result<Option<(Proxied, usize)>, ProxyProtocolError> {
    if starts_alike(bytes, &V2_SIGNATURE) {
        parse_v2(bytes)
    } else if starts_alike(bytes, b"PROXY ") {
        parse_v1(bytes)
    } else {
        Err(ProxyProtocolError::Missing)
    }
}

/// Whether `bytes` agree with `pattern` as far as both go.
fn starts_alike(bytes: &[u8], pattern: &[u8]) -> bool {
    bytes.iter().zip(pattern).all(|(a, b)| a == b)
}

/// [2.1] `PROXY TCP4 source destination source-port destination-port CR LF`
fn parse_v1(bytes: &[u8]) -> Result<Option<(Proxied, usize)>, ProxyProtocolError> {
    let window = bytes.get(..V1_MAX).unwrap_or(bytes);
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return if window.len() < V1_MAX { Ok(None) } else { Err(ProxyProtocolError::Malformed) };
    };
    let line = window.get(..end).unwrap_or_default();
    let text = std::str::from_utf8(line).map_err(|_| ProxyProtocolError::Malformed)?;
    let mut words = text.split(' ').skip(1);
    let proxied = match words.next() {
        Some("TCP4") => v1_addresses::<Ipv4Addr>(words),
        Some("TCP6") => v1_addresses::<Ipv6Addr>(words),
        // [2.1] whatever follows UNKNOWN is ignored up to the end of the line
        Some("UNKNOWN") => Some(Proxied::Own),
        _ => None,
    };
    Ok(Some((proxied.ok_or(ProxyProtocolError::Malformed)?, end + 2)))
}

fn v1_addresses<'a, A>(mut words: impl Iterator<Item = &'a str>) -> Option<Proxied>
where
    A: std::str::FromStr + Into<IpAddr>,
{
    let source: A = words.next()?.parse().ok()?;
    let destination: A = words.next()?.parse().ok()?;
    let source_port = v1_port(words.next()?)?;
    let destination_port = v1_port(words.next()?)?;
    if words.next().is_some() {
        return None;
    }
    Some(Proxied::Addresses {
        source: SocketAddr::new(source.into(), source_port),
        destination: SocketAddr::new(destination.into(), destination_port),
    })
}

/// [2.1] Decimal without leading zeroes or signs.
fn v1_port(word: &str) -> Option<u16> {
    let canonical = word.bytes().all(|b| b.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    if canonical { word.parse().ok() } else { None }
}

/// [2.2] Signature, version and command, family and transport, length, addresses, extensions.
fn parse_v2(bytes: &[u8]) -> Result<Option<(Proxied, usize)>, ProxyProtocolError> {
    let mut r = Reader::new(bytes);
    let (Some(_), Some(version_command)) = (r.array::<12>(), r.u8()) else { return Ok(None) };
    if version_command >> 4 != 2 {
        return Err(ProxyProtocolError::Malformed);
    }
    let (Some(family), Some(length)) = (r.u8(), r.u16()) else { return Ok(None) };
    let length = usize::from(length);
    if length > V2_BODY_MAX {
        return Err(ProxyProtocolError::TooLong);
    }
    let Some(body) = r.take(length) else { return Ok(None) };
    let proxied = match version_command & 0x0f {
        0x0 => Proxied::Own,
        0x1 => v2_addresses(family, body).ok_or(ProxyProtocolError::Malformed)?,
        _ => return Err(ProxyProtocolError::Malformed),
    };
    Ok(Some((proxied, r.taken())))
}

/// [2.2] The address block; extensions after it are skipped unread.
fn v2_addresses(family: u8, body: &[u8]) -> Option<Proxied> {
    let mut r = Reader::new(body);
    let (source, destination): (IpAddr, IpAddr) = match family {
        0x11 => (Ipv4Addr::from(r.array::<4>()?).into(), Ipv4Addr::from(r.array::<4>()?).into()),
        0x21 => (Ipv6Addr::from(r.array::<16>()?).into(), Ipv6Addr::from(r.array::<16>()?).into()),
        // unspecified, datagrams, Unix sockets: [2.2] accepted, the real addresses are used
        0x00 | 0x12 | 0x22 | 0x31 | 0x32 => return Some(Proxied::Own),
        _ => return None,
    };
    let source = SocketAddr::new(source, r.u16()?);
    let destination = SocketAddr::new(destination, r.u16()?);
    Some(Proxied::Addresses { source, destination })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v2(version_command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = V2_SIGNATURE.to_vec();
        bytes.extend([version_command, family]);
        bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend(body);
        bytes
    }

    fn addresses(source: &str, destination: &str) -> Proxied {
        Proxied::Addresses { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    fn golden() -> Vec<(Vec<u8>, Proxied)> {
        let mut v4_with_tlv = vec![192, 0, 2, 7, 198, 51, 100, 1, 0xc3, 0x50, 0x01, 0xbb];
        // PP2_TYPE_ALPN "h2", then an unknown type
        v4_with_tlv.extend([0x01, 0, 2, b'h', b'2', 0xea, 0, 1, 0xff]);
        let mut v6 = Vec::new();
        v6.extend(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 9).octets());
        v6.extend(Ipv6Addr::LOCALHOST.octets());
        v6.extend([0x30, 0x39, 0x17, 0x0c]);
        vec![
            (
                b"PROXY TCP4 255.255.255.255 192.168.0.11 56324 443\r\n".to_vec(),
                addresses("255.255.255.255:56324", "192.168.0.11:443"),
            ),
            (
                b"PROXY TCP6 2001:db8::1 ::1 4124 5900\r\n".to_vec(),
                addresses("[2001:db8::1]:4124", "[::1]:5900"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), Proxied::Own),
            (b"PROXY UNKNOWN ffff:f:f ffff::f 65535 65535\r\n".to_vec(), Proxied::Own),
            (v2(0x21, 0x11, &v4_with_tlv), addresses("192.0.2.7:50000", "198.51.100.1:443")),
            (v2(0x21, 0x21, &v6), addresses("[2001:db8::9]:12345", "[::1]:5900")),
            (v2(0x20, 0x00, &[]), Proxied::Own),
            (v2(0x20, 0x11, &[0; 12]), Proxied::Own),
            (v2(0x21, 0x31, &[b'/'; 216]), Proxied::Own),
        ]
    }

    #[test]
    fn golden_bytes_are_read_and_what_follows_is_left() {
        for (bytes, expected) in golden() {
            for tail in [&b""[..], b"RFB 003.008\n", b"\x16\x03\x01"] {
                let whole = [&bytes[..], tail].concat();
                assert_eq!(parse(&whole), Ok(Some((expected, bytes.len()))));
            }
        }
    }

    #[test]
    fn every_prefix_waits() {
        for (bytes, _) in golden() {
            for n in 0..bytes.len() {
                assert_eq!(parse(&bytes[..n]), Ok(None), "prefix of {n} of {bytes:?}");
            }
        }
    }

    #[test]
    fn everything_else_is_refused_at_the_first_wrong_byte() {
        for bytes in
            [&b"GET / HTTP/1.1\r\n"[..], b"RFB 003.008\n", b"\x16\x03", b"PROXX", b"\r\n\r\n\0\r\nQUIX"]
        {
            assert_eq!(parse(bytes), Err(ProxyProtocolError::Missing));
        }
        for line in [
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
            "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
            "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
        ] {
            assert_eq!(parse(line.as_bytes()), Err(ProxyProtocolError::Malformed), "{line}");
        }
        assert_eq!(parse(&v2(0x11, 0x11, &[0; 12])), Err(ProxyProtocolError::Malformed), "version");
        assert_eq!(parse(&v2(0x22, 0x11, &[0; 12])), Err(ProxyProtocolError::Malformed), "command");
        assert_eq!(parse(&v2(0x21, 0x11, &[0; 11])), Err(ProxyProtocolError::Malformed), "short addresses");
        assert_eq!(parse(&v2(0x21, 0x41, &[0; 12])), Err(ProxyProtocolError::Malformed), "family");
    }

    #[test]
    fn lengths_are_bounded_before_they_are_waited_for() {
        let endless = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
        assert_eq!(parse(&endless), Err(ProxyProtocolError::Malformed));
        let mut huge = V2_SIGNATURE.to_vec();
        huge.extend([0x21, 0x11, 0xff, 0xff]);
        assert_eq!(parse(&huge), Err(ProxyProtocolError::TooLong));
    }

    proptest! {
        /// The split property: what is read does not depend on how the bytes arrive.
        #[test]
        fn any_split_gives_the_same_answer(index in 0usize..9, extra in proptest::collection::vec(any::<u8>(), 0..40),
                                           cuts in proptest::collection::vec(1usize..30, 1..40)) {
            let (header, expected) = golden().swap_remove(index);
            let whole = [header.clone(), extra].concat();
            let mut end = 0;
            for cut in cuts.iter().cycle() {
                end = (end + cut).min(whole.len());
                match parse(&whole[..end]).unwrap() {
                    None => prop_assert!(end < header.len()),
                    Some(answer) => {
                        prop_assert_eq!(answer, (expected, header.len()));
                        break;
                    }
                }
            }
        }

        #[test]
        fn no_bytes_panic_and_no_wait_is_longer_than_the_limit(bytes in proptest::collection::vec(any::<u8>(), 0..5000), v2_start in any::<bool>()) {
            let bytes = if v2_start { [&V2_SIGNATURE[..], &bytes].concat() } else { [&b"PROXY "[..], &bytes].concat() };
            if parse(&bytes) == Ok(None) {
                prop_assert!(bytes.len() < MAX_LENGTH);
            }
        }
    }
}
