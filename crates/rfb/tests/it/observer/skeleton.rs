//! Skeletons: what two sessions with other secrets have in common is all that is in them.

use super::formats::unfenced_switch;
use super::session::{self, Pieces, SALT, cat, key, pointer, rectangle, request, set_encodings, update};
use model::Policy;
use model::event::{Event, Origin, Sink};
use rfb::passive::PassiveSession;
use rfb::trace::{Outcome, Replay, Trace, TraceError};
use rfb::{Misbehavior, Observer, PixelFormat};

/// Who reads a session.
#[derive(Clone)]
enum Reader {
    Passive,
    Live(Policy),
}

struct Recorded {
    skeleton: String,
    events: Vec<String>,
}

fn open() -> Policy {
    Policy { power: true, files: true, ..Policy::default() }
}

/// The opening of a session without a password, in clear.
fn opening() -> Pieces {
    let mut init = Vec::new();
    let name = format!("desktop {}", SALT.get());
    rfb::ServerInit { name: name.into_bytes(), ..session::init() }.write(&mut init);
    let target = cat(&[b"RFB 003.008\n\x01\x01\0\0\0\0", &init]);
    vec![(Origin::Target, target), (Origin::Viewer, b"RFB 003.008\n\x01\x01".to_vec())]
}

struct Lines(Vec<String>);

impl Sink for Lines {
    fn event(&mut self, event: Event<'_>) {
        self.0.push(match event {
            // What they say is what a skeleton leaves out.
            Event::Key { down, .. } => format!("Key {down}"),
            Event::Pointer { buttons, .. } => format!("Pointer {buttons}"),
            Event::DesktopName(name) => format!("DesktopName {}", name.len()),
            Event::Clipboard(clip) => {
                format!("Clipboard {:?} {:?} {} {}", clip.from, clip.action, clip.formats, clip.bytes)
            }
            // Compressed bytes are made more.
            Event::UpdateEnd { rectangles, .. } => format!("UpdateEnd {rectangles}"),
            Event::File(file) => format!("File {:?} {}", file.from, file.name.len()),
            other => format!("{other:?}"),
        });
    }
}

/// A session and its skeleton; the pieces are cut to `most` bytes.
fn record(reader: &Reader, pieces: &Pieces, most: usize) -> Recorded {
    let mut events = Lines(Vec::new());
    let mut skeleton = String::new();
    let cut = |pieces: &Pieces| -> Pieces {
        let all = pieces.iter().flat_map(|(from, bytes)| bytes.chunks(most).map(|b| (*from, b.to_vec())));
        all.collect()
    };
    match reader {
        Reader::Passive => {
            let mut session = PassiveSession::new();
            session.keep_skeleton();
            for (from, bytes) in cut(&opening()).iter().chain(&cut(pieces)) {
                session.handle(*from, bytes, &mut events);
                skeleton.push_str(&session.take_skeleton());
            }
            skeleton.push_str(&session.finish_skeleton());
        }
        Reader::Live(policy) => {
            let mut observer = Observer::after_init(&session::init(), policy.clone());
            observer.keep_skeleton();
            let mut held = [Vec::new(), Vec::new()];
            let mut fault = None;
            for (from, bytes) in cut(pieces) {
                if fault.is_some() {
                    break;
                }
                let held = &mut held[usize::from(from == Origin::Target)];
                held.extend_from_slice(&bytes);
                let verdict = observer.observe(from, held, &mut events);
                fault = verdict.fault;
                let decided = verdict.decided;
                held.drain(..decided);
                skeleton.push_str(&observer.take_skeleton(from));
            }
            skeleton.push_str(&observer.finish_skeleton());
        }
    }
    Recorded { skeleton, events: events.0 }
}

fn replay(skeleton: &str, piece: usize) -> (Outcome, Vec<String>) {
    let trace = Trace::parse(skeleton).unwrap_or_else(|error| panic!("{error}\n{skeleton}"));
    assert!(trace.is_whole());
    let mut events = Lines(Vec::new());
    let outcome = Replay::new(&trace, piece).run(&mut events);
    assert_eq!(trace.difference(&outcome), None);
    (outcome, events.0)
}

/// Sessions with every message and every rectangle there is.
fn sessions() -> Vec<(Reader, fn() -> Pieces)> {
    vec![
        (Reader::Live(open()), || session::live(&PixelFormat::RGB888)),
        (Reader::Live(open()), || session::live(&session::RGB565)),
        (Reader::Live(open()), || session::live(&session::RGB332)),
        (Reader::Live(Policy { view_only: true, ..open() }), || session::live(&PixelFormat::RGB888)),
        (Reader::Live(open()), || unfenced_switch(false)),
        (Reader::Passive, || session::live(&PixelFormat::RGB888)),
        (Reader::Passive, session::passive),
        (Reader::Passive, || unfenced_switch(true)),
    ]
}

#[test]
fn other_keys_texts_places_and_pixels_give_the_same_skeleton() {
    for (number, (reader, pieces)) in sessions().into_iter().enumerate() {
        let plain = pieces();
        let first = record(&reader, &plain, usize::MAX);
        SALT.set(1);
        let salted = pieces();
        let second = record(&reader, &salted, usize::MAX);
        SALT.set(0);
        assert_ne!(plain, salted);
        for (a, b) in first.skeleton.lines().zip(second.skeleton.lines()) {
            assert_eq!(a, b, "session {number}");
        }
        assert_eq!(first.skeleton, second.skeleton, "session {number}");
    }
}

#[test]
fn a_skeleton_replays_with_the_same_events_in_any_pieces() {
    for (number, (reader, pieces)) in sessions().into_iter().enumerate() {
        for most in [usize::MAX, 100, 1] {
            let recorded = record(&reader, &pieces(), most);
            let (whole, events) = replay(&recorded.skeleton, usize::MAX);
            assert_eq!(events, recorded.events, "session {number} in pieces of {most}");
            for piece in [1, 7, 1460] {
                let split = replay(&recorded.skeleton, piece);
                assert_eq!((split.0, split.1), (whole.clone(), events.clone()), "session {number}, {piece}");
            }
        }
    }
}

#[test]
fn golden_skeleton() {
    let pieces = vec![
        (Origin::Viewer, cat(&[&set_encodings(&[7, 5, 16]), &request(0)])),
        (
            Origin::Target,
            update(&[
                rectangle([3, 4, 8, 8], 7, &[0x80, 1, 2, 3]),
                rectangle([3, 4, 16, 16], 5, &[0x0e, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0x34, 0x56]),
                rectangle([0, 0, 9, 9], 16, &[0, 0, 0, 2, 0xca, 0xfe]),
            ]),
        ),
        (Origin::Viewer, cat(&[&key(1, 0x61), &pointer(1, 200, 100), &session::cut_text(6, b"password")])),
    ];
    let recorded = record(&Reader::Live(Policy::default()), &pieces, usize::MAX);
    expect_test::expect![[r#"
        gatehouse-trace 1
        start live 640 480 2018000100ff00ff00ff100800000000
        policy view-only=0 frozen=0 to-target=1048576 to-viewer=1048576 files=0 power=0 resize=1 audio=1
        V SetEncodings 02000003000000070000000500000010
        V FramebufferUpdateRequest 03 5*00 028001e0
        T FramebufferUpdate 2*00 0003
        T Tight:8x8 4*00 0008000800000007 80 3*00
        T Hextile:16x16 4*00 0010001000000005 081f 62*00
        T Zrle:9x9 4*00 0009000900000010 00000040 64*00
        V KeyEvent 0401000000ffffff
        V PointerEvent 0501 4*00
        V ClientCutText 06 6*00 08 8*00
        end viewer-bytes=56 target-bytes=176 viewer-messages=5 target-messages=1 rectangles=3 keys=1 pointers=1 clipboards=1 files=0 dropped=0
    "#]]
    .assert_eq(&recorded.skeleton);
}

/// A message that nobody knows, a rectangle outside the screen, a length that lies: the head is kept, so
/// that the same thing goes wrong again.
#[test]
fn what_went_wrong_goes_wrong_again_without_what_followed() {
    let encodings = || (Origin::Viewer, set_encodings(&[0, 7, 16]));
    let secret = b"secret secret secret secret";
    let broken = |rectangle: Vec<u8>| (Origin::Target, cat(&[&update(&[rectangle]), secret]));
    for (bad, fault) in [
        ((Origin::Viewer, cat(&[&[249], secret])), Misbehavior::UnknownMessage),
        ((Origin::Viewer, cat(&[&[6, 1, 2, 3, 0x7f, 0, 0, 0], secret])), Misbehavior::MessageTooLong),
        ((Origin::Viewer, cat(&[&[0; 4], &[7; 16], secret])), Misbehavior::PixelFormat),
        (broken(rectangle([639, 0, 2, 2], 0, b"")), Misbehavior::RectangleOutside),
        (broken(rectangle([0, 0, 2, 2], 77, b"")), Misbehavior::UnknownEncoding),
        (broken(rectangle([0, 0, 2, 2], 16, &[0xff; 4])), Misbehavior::RectangleMalformed),
        (broken(rectangle([0, 0, 2, 2], 7, &[0xb0])), Misbehavior::RectangleMalformed),
    ] {
        let pieces = vec![encodings(), bad.clone()];
        for reader in [Reader::Passive, Reader::Live(Policy::default())] {
            let recorded = record(&reader, &pieces, usize::MAX);
            let (outcome, _) = replay(&recorded.skeleton, usize::MAX);
            assert_eq!(outcome.fault, Some((bad.0, fault)), "{}", recorded.skeleton);
            let text = &recorded.skeleton;
            assert!(!text.contains("736563") && !text.contains("726574"), "{text}");
        }
    }
}

/// The longest compact length there is cannot be rounded up.
#[test]
fn the_longest_tight_rectangle_keeps_its_length() {
    let body = cat(&[&[0x90, 0xff, 0xff, 0xff], &vec![7; (1 << 22) - 1]]);
    let pieces = vec![
        (Origin::Viewer, set_encodings(&[7])),
        (Origin::Target, update(&[rectangle([0, 0, 9, 9], 7, &body)])),
    ];
    for part in [body.len(), 1000] {
        let mut pieces = pieces.clone();
        pieces[1].1.truncate(16 + part);
        let (outcome, _) = replay(&record(&Reader::Passive, &pieces, 65_536).skeleton, 65_536);
        assert_eq!(outcome.fault, None);
    }
}

#[test]
fn a_session_cut_off_anywhere_has_a_skeleton() {
    let pieces = session::passive();
    for cut in [1, 2, 3, 5, 9, 20] {
        for (at, (from, bytes)) in pieces.iter().enumerate() {
            let mut part = pieces[..at].to_vec();
            part.push((*from, bytes[..bytes.len() * cut / 21].to_vec()));
            let recorded = record(&Reader::Passive, &part, usize::MAX);
            replay(&recorded.skeleton, usize::MAX);
        }
    }
}

#[test]
fn what_is_no_skeleton_is_refused_with_its_line() {
    let parse = |body: &str| Trace::parse(&format!("gatehouse-trace 1\n# why\nstart connection\n{body}"));
    assert!(parse("T Version 524642\nV + 3*00 01\nV Short 4*00ff\n").is_ok_and(|trace| !trace.is_whole()));
    for text in ["", "gatehouse-trace 2\n", "RFB 003.008\n"] {
        assert_eq!(Trace::parse(text), Err(TraceError::Version));
    }
    for start in ["", "start\n", "start live 1 2\n", "start live 99999 1 00\n", "start connection x\n"] {
        assert_eq!(Trace::parse(&format!("gatehouse-trace 1\n{start}")), Err(TraceError::Start));
    }
    for line in ["X A 00", "V", "V ", "V 00", "V A 0", "V A 0g", "V A 0*00", "V A *00", "V A -1*00", "V A 1*"]
    {
        assert_eq!(parse(line), Err(TraceError::Line(4)), "{line}");
    }
    for line in ["policy", "policy files=2", "policy keys=1", "release now", "V short x", "end x"] {
        assert_eq!(parse(line), Err(TraceError::Line(4)), "{line}");
    }
    assert_eq!(parse("end a=1\nV A 00"), Err(TraceError::Line(5)));
    for line in ["V A 99999999999999*00", "V A 18446744073709551615*0000"] {
        assert_eq!(parse(line), Err(TraceError::TooLong(4)), "{line}");
    }
}
