//! Every capture of real programs is framed to its last byte, in both directions.

use super::shell::Shell;
use model::Policy;
use model::event::Origin;
use rfb::{Observer, ServerInit};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A session's bytes in the order of the capture.
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) init: ServerInit,
    pub(crate) pieces: Vec<(Origin, Vec<u8>)>,
}

pub(crate) fn recordings() -> Vec<Recording> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/rfb");
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e == "pcap"));
    files.sort();
    assert!(files.len() >= 8, "captures are missing");
    files.iter().map(|path| recording(path)).collect()
}

fn recording(path: &Path) -> Recording {
    let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
    let pieces = tcp_pieces(&std::fs::read(path).unwrap());
    let stream = |origin| -> Vec<u8> {
        pieces.iter().filter(|(o, _)| *o == origin).flat_map(|(_, b)| b.iter().copied()).collect()
    };
    let (init, [mut viewer, mut target]) = skip_handshake(&stream(Origin::Viewer), &stream(Origin::Target));
    let mut rest = Vec::new();
    for (origin, bytes) in pieces {
        let left = if origin == Origin::Viewer { &mut viewer } else { &mut target };
        let skipped = bytes.len().min(*left);
        *left -= skipped;
        if skipped < bytes.len() {
            rest.push((origin, bytes[skipped..].to_vec()));
        }
    }
    Recording { name, init, pieces: rest }
}

/// The payloads of a loopback capture of one connection: Ethernet, IPv4, TCP in order.
fn tcp_pieces(file: &[u8]) -> Vec<(Origin, Vec<u8>)> {
    let u32_at = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let mut at = 24;
    let mut next: HashMap<u16, u32> = HashMap::new();
    let mut server_port = None;
    let mut pieces = Vec::new();
    while at < file.len() {
        let len = u32_at(at + 8) as usize;
        let frame = &file[at + 16..at + 16 + len];
        at += 16 + len;
        let be16 = |o: usize| u16::from_be_bytes([frame[o], frame[o + 1]]);
        let tcp = 14 + usize::from(frame[14] & 15) * 4;
        let data = tcp + usize::from(frame[tcp + 12] >> 4) * 4;
        let payload = &frame[data..14 + usize::from(be16(16))];
        if payload.is_empty() {
            continue;
        }
        let port = be16(tcp);
        let server = *server_port.get_or_insert_with(|| {
            assert!(payload.starts_with(b"RFB "));
            port
        });
        let sequence = u32::from_be_bytes(frame[tcp + 4..tcp + 8].try_into().unwrap());
        let expected = *next.entry(port).or_insert(sequence);
        if sequence != expected {
            assert!(sequence.wrapping_sub(expected) > u32::MAX / 2, "a gap in the capture");
            continue;
        }
        next.insert(port, sequence.wrapping_add(payload.len() as u32));
        let origin = if port == server { Origin::Target } else { Origin::Viewer };
        pieces.push((origin, payload.to_vec()));
    }
    pieces
}

/// ServerInit, and the bytes of each side's handshake.
fn skip_handshake(viewer: &[u8], target: &[u8]) -> (ServerInit, [usize; 2]) {
    let u32_at = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let (mut v, mut t) = (12, 12);
    let version: u32 = std::str::from_utf8(&viewer[8..11]).unwrap().parse().unwrap();
    let mut kind = if version == 3 {
        t += 4;
        target[15]
    } else {
        t += 1 + usize::from(target[12]);
        v += 1;
        viewer[12]
    };
    let tight = kind == 16;
    if tight {
        assert_eq!(u32_at(target, t), 0, "no tunnels");
        let count = u32_at(target, t + 4);
        t += 8 + 16 * count;
        kind = 1;
        if count > 0 {
            kind = viewer[v + 3];
            v += 4;
        }
    }
    if kind == 2 {
        (v, t) = (v + 16, t + 16);
    }
    if kind == 2 || version > 7 {
        assert_eq!(u32_at(target, t), 0, "accepted");
        t += 4;
    }
    v += 1;
    let (init, len) = ServerInit::parse(&target[t..]).unwrap().unwrap();
    t += len;
    if tight {
        let counts: usize =
            (0..3).map(|i| usize::from(u16::from_be_bytes([target[t + 2 * i], target[t + 2 * i + 1]]))).sum();
        t += 8 + 16 * counts;
    }
    (init, [v, t])
}

fn run(mut shell: Shell, recording: &Recording, restrict_at: Option<usize>) -> Shell {
    for (i, (origin, bytes)) in recording.pieces.iter().enumerate() {
        if Some(i) == restrict_at {
            shell.observer.set_policy(Policy { view_only: true, ..Policy::default() });
        }
        shell.feed(*origin, bytes);
    }
    for origin in [Origin::Viewer, Origin::Target] {
        let last: Vec<_> = shell.events(origin).iter().rev().take(8).collect();
        assert_eq!(shell.faults, [None; 2], "{} {origin:?} {last:#?}", recording.name);
        assert_eq!(shell.held(origin), 0, "{} {origin:?} {last:#?}", recording.name);
        assert!(shell.observer.at_boundary(origin), "{} {origin:?} {last:#?}", recording.name);
    }
    shell
}

#[test]
fn every_capture_is_framed_to_its_last_byte() {
    for recording in recordings() {
        let shell = run(Shell::new(Observer::passive(&recording.init)), &recording, None);
        let counters = shell.observer.counters();
        assert!(counters.rectangles > 0 && counters.viewer_messages > 0, "{}", recording.name);
        for origin in [Origin::Viewer, Origin::Target] {
            let bytes: Vec<u8> =
                recording.pieces.iter().filter(|(o, _)| *o == origin).flat_map(|(_, b)| b.clone()).collect();
            assert!(shell.out(origin) == bytes, "{}: a passive observer changes nothing", recording.name);
        }
    }
}

/// What leaves a live observer is a session that can be framed again, with input and after it ends.
#[test]
fn edited_captures_stay_valid() {
    for recording in recordings() {
        let third = recording.pieces.len() / 3;
        for restrict_at in [None, Some(third)] {
            let live = Shell::new(Observer::after_init(&recording.init, Policy::default()));
            let live = run(live, &recording, restrict_at);
            let edited = Recording {
                name: format!("{} edited", recording.name),
                init: recording.init.clone(),
                pieces: live.sent,
            };
            let again = run(Shell::new(Observer::passive(&edited.init)), &edited, None);
            let kinds = |shell_events: &[String]| {
                shell_events.iter().filter(|e| e.starts_with("Rectangle")).cloned().collect::<Vec<_>>()
            };
            assert_eq!(kinds(&live.events[1]), kinds(&again.events[1]), "{}", edited.name);
            if restrict_at.is_some() {
                assert!(live.observer.counters().dropped > 0, "{}", edited.name);
            }
        }
    }
}
