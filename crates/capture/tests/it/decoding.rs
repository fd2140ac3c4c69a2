//! One TCP segment in every link layer, and packets that are none.

use crate::packets::{Tcp, address};
use capture::decode::{Decoded, Segment, decode};
use capture::source::{LinkType, Packet};

fn tcp(from: &str, to: &str) -> Tcp {
    Tcp {
        from: address(from),
        to: address(to),
        sequence: 0xfedc_ba98,
        acknowledgment: 0x0102_0304,
        flags: 0x11,
        payload: b"RFB".to_vec(),
    }
}

fn v4() -> Tcp {
    tcp("192.0.2.1:40000", "198.51.100.7:5901")
}

fn v6() -> Tcp {
    tcp("[2001:db8::1]:40000", "[2001:db8::2]:5901")
}

fn decoded(link: LinkType, bytes: &[u8]) -> Decoded<'_> {
    decode(&Packet { time: None, link, bytes })
}

#[track_caller]
fn assert_is(tcp: &Tcp, link: LinkType, bytes: &[u8]) {
    let Decoded::Segment(Segment { source, destination, sequence, acknowledgment, flags, payload, missing }) =
        decoded(link, bytes)
    else {
        panic!("{:?}", decoded(link, bytes))
    };
    assert_eq!((source, destination, sequence), (tcp.from, tcp.to, tcp.sequence));
    assert_eq!(acknowledgment, Some(tcp.acknowledgment));
    assert!(flags.ack && flags.fin && !flags.syn && !flags.rst);
    assert_eq!((payload, missing), (tcp.payload.as_slice(), 0));
}

#[test]
fn every_link_layer() {
    for tcp in [v4(), v6()] {
        let (ip, kind) = (tcp.ip(), tcp.ethertype());
        assert_is(&tcp, LinkType::ETHERNET, &tcp.ethernet());
        let tagged = [&[0x11; 12][..], &[0x81, 0, 0x20, 5], &kind, &ip].concat();
        assert_is(&tcp, LinkType::ETHERNET, &tagged);
        let twice = [&[0x11; 12][..], &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 5], &kind, &ip].concat();
        assert_is(&tcp, LinkType::ETHERNET, &twice);
        let cooked = [&[0, 4, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0][..], &kind, &ip].concat();
        assert_is(&tcp, LinkType::LINUX_SLL, &cooked);
        let cooked = [&kind[..], &[0, 0, 0, 0, 0, 1, 3, 4, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0], &ip].concat();
        assert_is(&tcp, LinkType::LINUX_SLL2, &cooked);
        for link in [LinkType::RAW, LinkType::RAW_BSD, LinkType::RAW_OPENBSD] {
            assert_is(&tcp, link, &ip);
        }
        let families: &[u8] = if tcp.from.is_ipv4() { &[2] } else { &[24, 28, 30] };
        for &family in families {
            assert_is(&tcp, LinkType::NULL, &[&[family, 0, 0, 0][..], &ip].concat());
            assert_is(&tcp, LinkType::NULL, &[&[0, 0, 0, family][..], &ip].concat());
            assert_is(&tcp, LinkType::LOOP, &[&[0, 0, 0, family][..], &ip].concat());
        }
    }
}

#[test]
fn padding_of_short_ethernet_frames_is_no_payload() {
    let mut frame = v4().ethernet();
    frame.resize(frame.len() + 9, 0);
    assert_is(&v4(), LinkType::ETHERNET, &frame);
}

#[test]
fn ipv6_extension_headers_are_passed() {
    // Hop-by-hop with eight bytes, destination options with sixteen, then TCP.
    let mut extensions = vec![60, 0, 1, 4, 0, 0, 0, 0, 6, 1, 1, 12];
    extensions.resize(24, 0);
    assert_is(&v6(), LinkType::RAW, &v6().ipv6(&extensions, 0));
    // A fragment header of a packet that is whole after all.
    assert_is(&v6(), LinkType::RAW, &v6().ipv6(&[6, 0, 0, 0, 0, 0, 0, 1], 44));
}

#[test]
fn fragments_are_named_as_such() {
    let mut first = v4().ip();
    first[6] = 0x20;
    assert_eq!(decoded(LinkType::RAW, &first), Decoded::Fragment);
    let mut later = v4().ip();
    later[7] = 0x10;
    assert_eq!(decoded(LinkType::RAW, &later), Decoded::Fragment);
    let first = v6().ipv6(&[6, 0, 0, 1, 0, 0, 0, 1], 44);
    assert_eq!(decoded(LinkType::RAW, &first), Decoded::Fragment);
}

#[test]
fn what_the_snap_length_cut_off_is_counted() {
    for tcp in [v4(), v6()] {
        let ip = tcp.ip();
        let Decoded::Segment(segment) = decoded(LinkType::RAW, &ip[..ip.len() - 2]) else { panic!() };
        assert_eq!((segment.payload, segment.missing), (b"R".as_slice(), 2));
    }
}

#[test]
fn a_length_of_zero_means_that_the_card_would_have_filled_it_in() {
    for mut ip in [v4().ip(), v6().ip()] {
        let at = if ip[0] == 0x45 { 2 } else { 4 };
        ip[at..at + 2].copy_from_slice(&[0, 0]);
        let Decoded::Segment(segment) = decoded(LinkType::RAW, &ip) else { panic!() };
        assert_eq!((segment.payload, segment.missing), (b"RFB".as_slice(), 0));
    }
}

#[test]
fn everything_else_is_other_or_malformed_and_no_prefix_panics() {
    let arp = [&[0x11; 12][..], &[8, 6], &[0; 28]].concat();
    assert_eq!(decoded(LinkType::ETHERNET, &arp), Decoded::Other);
    let mut udp = v4().ip();
    udp[9] = 17;
    assert_eq!(decoded(LinkType::RAW, &udp), Decoded::Other);
    assert_eq!(decoded(LinkType(147), &udp), Decoded::UnknownLink(LinkType(147)));
    for tcp in [v4(), v6()] {
        let frame = tcp.ethernet();
        let headers = frame.len() - tcp.payload.len();
        for n in 0..headers {
            assert_eq!(decoded(LinkType::ETHERNET, &frame[..n]), Decoded::Malformed, "{n}");
        }
    }
}
