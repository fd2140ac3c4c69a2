//! Skeletons of real captures: they frame as the captures do, and say nothing of what was in them.

use capture::inspect::{self, Reading, Skeleton};
use model::event::{Event, Origin, Sink};
use rfb::trace::{Replay, Trace};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn testdata(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(folder)
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(testdata(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == extension));
    files.sort();
    files
}

fn skeletons() -> Vec<(String, Skeleton)> {
    let files = [files("rfb", "pcap"), files("capture", "pcap")].concat();
    assert!(files.len() >= 15);
    let name = |file: &Path| file.file_stem().unwrap().to_string_lossy().into_owned();
    let of_file = |file: PathBuf| {
        let skeletons = inspect::trace(std::fs::File::open(&file).unwrap()).unwrap();
        skeletons.into_iter().map(move |skeleton| (name(&file), skeleton))
    };
    files.into_iter().flat_map(of_file).collect()
}

#[derive(Default, PartialEq, Debug)]
struct Seen {
    messages: [BTreeMap<u8, u64>; 2],
    rectangles: BTreeMap<i32, u64>,
    keys: u64,
    encodings: Vec<Vec<i32>>,
}

impl Sink for Seen {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Message { from, kind } => {
                *self.messages[usize::from(from == Origin::Target)].entry(kind).or_default() += 1;
            }
            Event::Rectangle { encoding, .. } => *self.rectangles.entry(encoding).or_default() += 1,
            Event::Key { keysym, .. } => {
                assert_eq!(keysym.0, 0xff_ffff, "a key symbol is left");
                self.keys += 1;
            }
            Event::Pointer { x, y, .. } => assert_eq!((x, y), (0, 0), "a place is left"),
            Event::Encodings { offered, .. } => self.encodings.push(offered.to_vec()),
            Event::Clipboard(clipboard) => assert!(clipboard.content.iter().all(|&b| b == 0)),
            Event::DesktopName(name) => assert!(name.iter().all(|&b| b == 0)),
            Event::File(file) => assert!(file.name.iter().all(|&b| b == 0)),
            _ => {}
        }
    }
}

#[test]
fn every_capture_frames_the_same_without_what_it_said() {
    let mut in_clear = 0;
    for (name, Skeleton { session, text, padding }) in skeletons() {
        let text = text.unwrap();
        let trace = Trace::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut seen = Seen::default();
        let outcome = Replay::new(&trace, usize::MAX).run(&mut seen);
        assert_eq!(trace.difference(&outcome), None, "{name}");
        let server = session.server_bytes_framed.strict_add_signed(padding);
        assert_eq!(outcome.framed, [session.client_bytes_framed, server], "{name}");
        assert!(server < session.server_bytes_framed * 5 / 4 + 64 * 1024, "{name}: {padding}");
        let expected = Seen {
            messages: [session.client_messages, session.server_messages],
            rectangles: session.rectangles,
            keys: session.key_events,
            encodings: session.encodings,
        };
        assert_eq!(seen, expected, "{name}");
        assert!(!text.contains(" short "), "{name}");
        in_clear += usize::from(session.reading == Reading::Session);
    }
    assert!(in_clear >= 13, "{in_clear}");
}

/// Not one run of a text, a name, a secret or of pixels is left: no stretch of eight bytes that are not
/// all the same, beside lists and heads whose fields have names.
#[test]
fn only_short_heads_and_public_lists_are_left() {
    const LISTS: [&str; 12] = [
        "Version",
        "SecurityTypes",
        "SecurityType",
        "Security",
        "Capabilities",
        "ServerInit",
        "SetPixelFormat",
        "SetEncodings",
        "FramebufferUpdateRequest",
        "EnableContinuousUpdates",
        "SetDesktopSize",
        "end",
    ];
    for (name, skeleton) in skeletons() {
        for line in skeleton.text.unwrap().lines().skip(2) {
            let label = line.split(' ').nth(1).unwrap();
            if LISTS.contains(&label) || label.starts_with("Extended") || label.starts_with("CopyRect") {
                continue;
            }
            let atoms = line.split(' ').skip(2).filter(|atom| !atom.contains('*'));
            let longest = atoms.map(|atom| atom.len() / 2).max().unwrap_or(0);
            // A rectangle's size and encoding, or a message's head; for a clipboard so many zeros, compressed.
            let most = if label.ends_with("CutText") { 32 } else { 12 };
            assert!(longest <= most, "{name}: {line}");
        }
    }
}

/// What strangers sent, and what the captures of this repository became.
#[test]
fn every_committed_skeleton_replays_in_any_pieces() {
    let files = files("trace", "rfbtrace");
    assert!(files.len() >= 5);
    for file in files {
        let name = file.display();
        let text = std::fs::read_to_string(&file).unwrap();
        let trace = Trace::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut whole = Seen::default();
        let outcome = Replay::new(&trace, usize::MAX).run(&mut whole);
        assert_eq!(trace.difference(&outcome), None, "{name}");
        assert_eq!(outcome.held, [0, 0], "{name}");
        for piece in [1, 7, 1460] {
            let mut split = Seen::default();
            assert_eq!(Replay::new(&trace, piece).run(&mut split), outcome, "{name} in pieces of {piece}");
            assert_eq!(split, whole, "{name} in pieces of {piece}");
        }
    }
}
