//! Just enough of pcap and of the handshake to hand a committed capture to a decoder: classic pcap,
//! Ethernet, IPv4, one connection, nothing lost.

use rfb::wire::Reader;
use rfb::{ServerInit, Version};

/// A stretch of one direction in the order of the wire.
pub(crate) enum Segment {
    /// From the server.
    Server(Vec<u8>),
    /// From the viewer.
    Viewer(Vec<u8>),
}

/// A session behind its handshakes.
pub(crate) struct Session {
    pub(crate) init: ServerInit,
    pub(crate) segments: Vec<Segment>,
}

/// Reads `testdata/rfb/NAME.pcap`.
pub(crate) fn read(name: &str) -> Session {
    let path = format!("{}/../../testdata/rfb/{name}.pcap", env!("CARGO_MANIFEST_DIR"));
    let segments = segments(&std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}")));
    let join = |server: bool| -> Vec<u8> {
        let bytes = segments.iter().filter_map(|segment| match segment {
            Segment::Server(bytes) if server => Some(bytes),
            Segment::Viewer(bytes) if !server => Some(bytes),
            _ => None,
        });
        bytes.flatten().copied().collect()
    };
    let (init, mut server, mut viewer) = handshake(&join(true), &join(false));
    let cut = |bytes: Vec<u8>, skip: &mut usize| {
        let n = bytes.len().min(*skip);
        *skip -= n;
        bytes[n..].to_vec()
    };
    let segments = segments.into_iter().map(|segment| match segment {
        Segment::Server(bytes) => Segment::Server(cut(bytes, &mut server)),
        Segment::Viewer(bytes) => Segment::Viewer(cut(bytes, &mut viewer)),
    });
    Session { init, segments: segments.collect() }
}

fn segments(file: &[u8]) -> Vec<Segment> {
    assert_eq!(file[..4], [0xd4, 0xc3, 0xb2, 0xa1], "little-endian pcap");
    let (mut at, mut server_port, mut segments) = (24, None, Vec::new());
    let mut next = std::collections::HashMap::new();
    while at < file.len() {
        let len = u32::from_le_bytes(file[at + 8..at + 12].try_into().unwrap()) as usize;
        let ip = &file[at + 16 + 14..at + 16 + len];
        at += 16 + len;
        let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        let tcp = &ip[usize::from(ip[0] & 15) * 4..total];
        let port = u16::from_be_bytes([tcp[0], tcp[1]]);
        let sequence = u32::from_be_bytes(tcp[4..8].try_into().unwrap());
        let payload = &tcp[usize::from(tcp[12] >> 4) * 4..];
        if payload.is_empty() {
            continue;
        }
        let expected = *next.entry(port).or_insert(sequence);
        if sequence != expected {
            assert!(sequence.wrapping_sub(expected) > 1 << 31, "a segment is missing");
            continue;
        }
        next.insert(port, sequence.wrapping_add(payload.len() as u32));
        let from_server = *server_port.get_or_insert(port) == port;
        segments.push(if from_server {
            Segment::Server(payload.to_vec())
        } else {
            Segment::Viewer(payload.to_vec())
        });
    }
    segments
}

/// ServerInit, and the bytes of the server and of the viewer up to the end of the handshakes.
fn handshake(server: &[u8], viewer: &[u8]) -> (ServerInit, usize, usize) {
    let (mut s, mut v) = (Reader::new(server), Reader::new(viewer));
    s.take(12).unwrap();
    let line = rfb::version::VersionLine::parse(v.array().unwrap()).unwrap();
    let mut kind = if line.rules() == Version::V3_3 {
        s.u32().unwrap()
    } else {
        let count = s.u8().unwrap();
        s.take(count.into()).unwrap();
        v.u8().unwrap().into()
    };
    let tight = kind == 16;
    if tight {
        for _ in 0..2 {
            let count = s.u32().unwrap();
            s.take(count as usize * 16).unwrap();
            kind = if count > 0 { v.u32().unwrap() } else { 1 };
        }
    }
    if kind == 2 {
        s.take(16).unwrap();
        v.take(16).unwrap();
    }
    if kind == 2 || line.rules() == Version::V3_8 {
        assert_eq!(s.u32(), Some(0), "the security result");
    }
    v.u8().unwrap();
    let (init, len) = ServerInit::parse(s.rest()).unwrap().unwrap();
    s.take(len).unwrap();
    if tight {
        let counts = [s.u16().unwrap(), s.u16().unwrap(), s.u16().unwrap()];
        s.take(2 + 16 * counts.map(usize::from).iter().sum::<usize>()).unwrap();
    }
    (init, s.taken(), v.taken())
}

/// What a viewer said that changes how the server's bytes are read.
pub(crate) enum Said {
    PixelFormat(rfb::PixelFormat),
    Encodings(Vec<i32>),
}

/// Takes whole messages off the front of `bytes`.
pub(crate) fn viewer_messages(bytes: &mut Vec<u8>) -> Vec<Said> {
    let mut said = Vec::new();
    loop {
        let mut r = Reader::new(bytes);
        let Some(message) = viewer_message(&mut r) else { return said };
        let taken = r.taken();
        bytes.drain(..taken);
        said.extend(message);
    }
}

fn viewer_message(r: &mut Reader<'_>) -> Option<Option<Said>> {
    match r.u8()? {
        0 => {
            r.take(3)?;
            Some(Some(Said::PixelFormat(rfb::PixelFormat::parse(r.array()?).unwrap())))
        }
        2 => {
            r.u8()?;
            let count = r.u16()?;
            let mut list = Reader::new(r.take(usize::from(count) * 4)?);
            Some(Some(Said::Encodings(std::iter::from_fn(|| list.i32()).collect())))
        }
        3 | 150 => r.take(9).map(|_| None),
        4 => r.take(7).map(|_| None),
        5 => r.take(5).map(|_| None),
        6 => {
            r.take(3)?;
            let len = r.i32()?.unsigned_abs() as usize;
            r.take(len).map(|_| None)
        }
        248 => {
            r.take(7)?;
            let len = r.u8()?;
            r.take(len.into()).map(|_| None)
        }
        251 => {
            r.take(5)?;
            let screens = r.u8()?;
            r.take(1 + usize::from(screens) * 16).map(|_| None)
        }
        255 => match (r.u8()?, r.u16()?) {
            (0, _) => r.take(8).map(|_| None),
            (1, 2) => r.take(6).map(|_| None),
            (1, _) => Some(None),
            _ => panic!("unknown QEMU message"),
        },
        other => panic!("unknown message {other}"),
    }
}
