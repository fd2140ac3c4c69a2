//! Real captures told differently: other containers, muddled, cut, with holes, inside WebSocket.

use crate::captures::file;
use crate::packets::{Dialect, LITTLE, Talk, pcap, pcapng};
use capture::decode::{Decoded, Segment, decode};
use capture::flow::table::Bounds;
use capture::flow::{FlowInfo, Interest, Side, Table, Tracker};
use capture::inspect::{Joined, Reading, Transport};
use capture::source::{LinkType, Packet, PcapFile};
use capture::{Report, SessionReport, inspect};
use proptest::prelude::*;
use std::sync::OnceLock;

const SMALL: [&str; 4] = ["x11vnc-37-corre", "tigervnc-ipv6-any", "novnc17-qemu-tightpng", "tight-tight"];

/// The packets of a file, in its link layer.
fn packets(name: &str) -> (u16, Vec<Vec<u8>>) {
    let (mut link, mut packets) = (0, Vec::new());
    let bytes = file(name);
    let mut file = PcapFile::open(bytes.as_slice()).unwrap();
    file.for_each(|packet| {
        link = packet.link.0;
        packets.push(packet.bytes.to_vec());
    })
    .unwrap();
    (link, packets)
}

/// Sessions without what depends on the container: times, and the bytes of retransmissions.
fn essence(report: Report) -> Vec<SessionReport> {
    let timeless = |session| SessionReport { start_time: None, end_time: None, ..session };
    report.sessions.into_iter().map(timeless).collect()
}

fn original(name: &str) -> Vec<SessionReport> {
    essence(inspect(file(name).as_slice()).unwrap())
}

#[test]
fn every_container_gives_the_same_sessions() {
    for name in SMALL {
        let (link, packets) = packets(name);
        for (big_endian, nanoseconds) in [(false, true), (true, false), (true, true)] {
            let dialect = Dialect { big_endian, nanoseconds };
            for file in [pcap(link, dialect, &packets), pcapng(link, dialect, &packets)] {
                assert_eq!(essence(inspect(file.as_slice()).unwrap()), original(name));
            }
        }
    }
}

/// Ethernet or cooked header, and what is behind it.
fn split_link(link: u16, packet: &[u8]) -> (&[u8], &[u8]) {
    packet.split_at(if link == LinkType::ETHERNET.0 { 14 } else { 20 })
}

#[test]
fn vlan_tags_change_nothing() {
    let (link, packets) = packets("tight-tight");
    let tagged: Vec<Vec<u8>> = packets
        .iter()
        .map(|packet| {
            let (_, ip) = split_link(link, packet);
            [&[2; 12][..], &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 9, 8, 0], ip].concat()
        })
        .collect();
    let report = inspect(pcap(1, LITTLE, &tagged).as_slice()).unwrap();
    assert_eq!(essence(report), original("tight-tight"));
}

/// Cuts the payload of an IPv4-in-Ethernet packet in two packets.
fn split_payload(packet: &[u8], at: usize) -> Option<[Vec<u8>; 2]> {
    let Decoded::Segment(segment) = decode(&Packet { time: None, link: LinkType::ETHERNET, bytes: packet })
    else {
        return None;
    };
    let (length, flags) = (segment.payload.len(), segment.flags);
    if at == 0 || at >= length || flags.fin || flags.syn || packet[12..14] != [8, 0] {
        return None;
    }
    let headers = packet.len() - length;
    let make = |from: usize, until: usize| {
        let mut made = [&packet[..headers], &packet[headers + from..headers + until]].concat();
        let total = u16::try_from(made.len() - 14).unwrap();
        made[16..18].copy_from_slice(&total.to_be_bytes());
        let sequence = segment.sequence.wrapping_add(u32::try_from(from).unwrap());
        made[38..42].copy_from_slice(&sequence.to_be_bytes());
        made
    };
    Some([make(0, at), make(at, length)])
}

/// The same bytes in other packets: runs of one direction in another order, some packets cut in two,
/// some sent again later. What one side sends between two packets of the other stays between them,
/// because RFB means different things in another order.
fn muddle(packets: &[Vec<u8>], mut seed: u64) -> Vec<Vec<u8>> {
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below.max(1)
    };
    let source = |packet: &[u8]| match decode(&Packet { time: None, link: LinkType::ETHERNET, bytes: packet })
    {
        Decoded::Segment(Segment { source, flags, .. }) => Some((source, flags.syn)),
        _ => None,
    };
    let mut out: Vec<Vec<u8>> = Vec::new();
    let mut run: Vec<Vec<u8>> = Vec::new();
    for (n, packet) in packets.iter().enumerate() {
        match split_payload(packet, random(200)) {
            Some(halves) if random(2) == 0 => run.extend(halves),
            _ => run.push(packet.clone()),
        }
        let next = packets.get(n + 1).and_then(|next| source(next));
        if next != source(packet) {
            while !run.is_empty() {
                out.push(run.swap_remove(random(run.len())));
            }
            if random(4) == 0 && out.len() > 3 {
                out.push(out[out.len() - 1 - random(8).min(out.len() - 3)].clone());
            }
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn muddled_packets_give_the_same_sessions(seed in any::<u64>(), which in 0..3usize) {
        let name = ["x11vnc-37-corre", "novnc17-qemu-tightpng", "tight-tight"][which];
        let (link, packets) = packets(name);
        let report = inspect(pcap(link, LITTLE, &muddle(&packets, seed)).as_slice()).unwrap();
        prop_assert_eq!(essence(report), original(name));
    }

    #[test]
    fn a_file_that_is_cut_off_tells_what_it_has(cut in 0usize..14_000) {
        let whole = file("novnc17-qemu-tightpng");
        let cut = cut.min(whole.len());
        if let Ok(report) = inspect(&whole[..cut]) {
            prop_assert!(report.sessions.len() <= 1);
            for session in &report.sessions {
                prop_assert!(session.client_bytes_framed <= session.client_bytes);
                prop_assert!(session.server_bytes_framed <= session.server_bytes);
                prop_assert!(session.errors.iter().all(|error| error.code == "rfb.truncated"));
            }
        }
    }

    #[test]
    fn missing_packets_are_told(lost in prop::collection::btree_set(4usize..330, 1..4)) {
        static PACKETS: OnceLock<(u16, Vec<Vec<u8>>)> = OnceLock::new();
        let (link, packets) = PACKETS.get_or_init(|| packets("tight-tight"));
        let kept: Vec<Vec<u8>> =
            packets.iter().enumerate().filter(|(n, _)| !lost.contains(n)).map(|(_, p)| p.clone()).collect();
        let whole = &original("tight-tight")[0];
        let report = inspect(pcap(*link, LITTLE, &kept).as_slice()).unwrap();
        let session = &report.sessions[0];
        prop_assert_eq!(session.client_bytes + session.client_bytes_lost, whole.client_bytes);
        prop_assert_eq!(session.server_bytes + session.server_bytes_lost, whole.server_bytes);
        let all_there = session.client_bytes_lost + session.server_bytes_lost == 0;
        prop_assert_eq!(session.joined == Joined::FromStart, all_there);
        prop_assert!(session.client_bytes_framed <= session.client_bytes);
        prop_assert!(session.server_bytes_framed <= session.server_bytes);
    }
}

#[test]
fn a_snap_length_loses_bytes_and_says_how_many() {
    let (link, mut packets) = packets("tight-tight");
    packets.iter_mut().for_each(|packet| packet.truncate(700));
    let report = inspect(pcap(link, LITTLE, &packets).as_slice()).unwrap();
    let (session, whole) = (&report.sessions[0], &original("tight-tight")[0]);
    assert!(session.server_bytes_lost > 0);
    assert_eq!(session.server_bytes + session.server_bytes_lost, whole.server_bytes);
    assert_eq!(session.joined, Joined::Late);
    assert_eq!(session.desktop_name, whole.desktop_name);
}

/// What both sides said, in the order of the capture.
struct Conversation(Vec<(Side, Vec<u8>)>);

impl Tracker for Conversation {
    fn opened(_: &FlowInfo) -> Self {
        Conversation(Vec::new())
    }
    fn bytes(&mut self, side: Side, bytes: &[u8]) -> Interest {
        self.0.push((side, bytes.to_vec()));
        Interest::More
    }
    fn gap(&mut self, _: Side, _: u64) -> Interest {
        panic!("a gap in a whole capture")
    }
}

fn conversation(name: &str) -> Vec<(Side, Vec<u8>)> {
    let mut table: Table<Conversation> = Table::new(Bounds::default());
    let mut found = Vec::new();
    let mut keep = |closed: capture::flow::Closed<Conversation>| found.extend(closed.tracker.unwrap().0);
    let (link, packets) = packets(name);
    for bytes in &packets {
        if let Decoded::Segment(segment) = decode(&Packet { time: None, link: LinkType(link), bytes }) {
            table.handle_segment(&segment, None, &mut keep);
        }
    }
    table.finish(&mut keep);
    found
}

fn frame(masked: bool, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let bit = if masked { 0x80 } else { 0 };
    let mut frame = match payload.len() {
        n @ 0..126 => vec![0x82, bit | u8::try_from(n).unwrap()],
        n => [&[0x82, bit | 126][..], &u16::try_from(n).unwrap().to_be_bytes()].concat(),
    };
    if masked {
        frame.extend_from_slice(&mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    } else {
        frame.extend_from_slice(payload);
    }
    frame
}

#[test]
fn inside_a_websocket() {
    for name in ["novnc17-qemu-tightpng", "novnc17-tigervnc"] {
        let mut talk = Talk::open("192.0.2.5:51000", "192.0.2.9:443", [1, 2]);
        talk.say(
            0,
            b"GET /websockify HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        );
        talk.say(1, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
        for (side, bytes) in conversation(name) {
            for piece in bytes.chunks(16_000) {
                let from = usize::from(side == Side::Responder);
                talk.say(from, &frame(from == 0, piece));
            }
        }
        talk.close(0);
        let packets: Vec<Vec<u8>> = talk.packets.iter().map(|packet| packet.ethernet()).collect();
        let report = inspect(pcap(1, LITTLE, &packets).as_slice()).unwrap();
        let session = essence(report).remove(0);
        assert_eq!((session.transport, session.reading), (Transport::WebSocket, Reading::Session));
        let plain = original(name).remove(0);
        let (ip, port) = (session.server_ip, session.server_port);
        assert_eq!((ip, port), ("192.0.2.9".parse().unwrap(), 443));
        let same_ends = SessionReport {
            client_ip: plain.client_ip,
            client_port: plain.client_port,
            server_ip: plain.server_ip,
            server_port: plain.server_port,
            transport: plain.transport,
            end_reason: plain.end_reason,
            ..session
        };
        assert_eq!(same_ends, plain);
    }
}

#[test]
fn connections_without_rfb_are_no_sessions() {
    let mut talk = Talk::open("192.0.2.5:51000", "192.0.2.9:5900", [1, 2]);
    talk.say(0, b"GET / HTTP/1.1\r\n\r\n");
    talk.say(1, b"HTTP/1.1 200 OK\r\n\r\n");
    let mut ssh = Talk::open("192.0.2.5:51001", "192.0.2.9:5901", [1, 2]);
    ssh.say(1, b"SSH-2.0-OpenSSH_9.2\r\n");
    let packets: Vec<Vec<u8>> =
        talk.packets.iter().chain(&ssh.packets).map(|packet| packet.ethernet()).collect();
    let report = inspect(pcap(1, LITTLE, &packets).as_slice()).unwrap();
    assert!(report.sessions.is_empty());
    assert_eq!(report.to_string(), "No RFB session found.\n7 packets, 7 TCP segments\n");
}

/// The handshake and the first quarter of the packets are missing.
#[test]
fn joined_late() {
    let mut told = String::new();
    for name in [
        "tiger-tight-jpeg",
        "tiger-hextile-lowcolor",
        "tight-tight",
        "qemu-gvncviewer",
        "novnc17-tigervnc",
        "x11vnc-ssvnc-zrle16",
    ] {
        let (link, mut packets) = packets(name);
        packets.drain(..packets.len() / 4);
        let report = inspect(pcap(link, LITTLE, &packets).as_slice()).unwrap();
        let whole = &original(name)[0];
        match report.sessions.as_slice() {
            [s] => {
                assert_eq!((s.joined, s.server_port), (Joined::Late, whole.server_port));
                told.push_str(&format!(
                    "{name}: client {}/{} server {}/{} {:?} {:?}\n",
                    s.client_bytes_framed,
                    s.client_bytes,
                    s.server_bytes_framed,
                    s.server_bytes,
                    s.errors,
                    s.rectangles
                ));
            }
            other => panic!("{name}: {} sessions", other.len()),
        }
    }
    expect_test::expect![[r#"
        tiger-tight-jpeg: client 1572/1572 server 99927/99937 [] {-314: 5, -224: 51, 1: 12, 7: 160}
        tiger-hextile-lowcolor: client 1268/1268 server 17076/17086 [] {-314: 6, -224: 38, 1: 44, 5: 92, 7: 72}
        tight-tight: client 622/622 server 40038/41884 [] {-240: 3, -224: 10, 1: 2, 7: 415}
        qemu-gvncviewer: client 738/738 server 666/666 [] {7: 27}
        novnc17-tigervnc: client 406/406 server 65643/65653 [] {-224: 8, 7: 60, 1464686180: 1}
        x11vnc-ssvnc-zrle16: client 544/544 server 62061/62061 [] {-239: 1, 16: 57}
    "#]].assert_eq(&told);
}
