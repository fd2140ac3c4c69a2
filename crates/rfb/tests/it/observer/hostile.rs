//! What a hostile peer sends ends the session with a code, at the first byte that proves it.

use super::session::{self, *};
use super::shell::Shell;
use model::Policy;
use model::event::Origin::{self, Target, Viewer};
use rfb::encoding::{self, Encoding};
use rfb::{Misbehavior, Observer, PixelFormat};

fn live() -> Shell {
    Shell::new(Observer::after_init(&session::init(), Policy::default()))
}

fn with_encodings(numbers: &[i32]) -> Shell {
    let mut shell = live();
    shell.feed(Viewer, &set_encodings(numbers));
    shell
}

fn fault(mut shell: Shell, from: Origin, bytes: &[u8]) -> Option<Misbehavior> {
    shell.feed(from, bytes);
    shell.faults[super::shell::side(from)]
}

#[test]
fn messages_that_were_not_negotiated() {
    let unknown = Some(Misbehavior::UnknownMessage);
    let viewer: [&[u8]; 11] = [
        &[249],
        &[127],
        &[1, 0, 0, 0, 0, 1],
        &[150, 1, 0, 0, 0, 0, 0, 0, 0, 0],
        &fence(1 << 31, b""),
        &[253, 0, 1, 0, 0],
        &[254, 0, 0, 0],
        &extended_key(1, 0x61, 0x1e),
        &[255, 1, 0, 0],
        &[251, 0, 0, 9, 0, 9, 0, 0],
        &[255, 7, 0, 0],
    ];
    for message in viewer {
        assert_eq!(fault(live(), Viewer, message), unknown, "{message:?}");
    }
    let target: [&[u8]; 12] = [
        &[5],
        &[150],
        &fence(0, b""),
        &[250, 0, 1, 1],
        &[253, 0, 1, 0, 0],
        &[255, 1, 0, 1],
        &[4, 0, 0, 9, 0, 9],
        &[7, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[13],
        &[173, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[130, 0, 0, 0, 0, 0, 0, 0],
        &[252, 0, 0, 1],
    ];
    for message in target {
        assert_eq!(fault(live(), Target, message), unknown, "{message:?}");
    }
}

#[test]
fn rectangles_that_were_not_asked_for() {
    let cases = [7, 16, -239, -223, 8, 0x574d_5669, 77, -312];
    for number in cases {
        let rectangle = rectangle([0, 0, 1, 1], number, &[]);
        assert_eq!(
            fault(live(), Target, &update(&[rectangle])),
            Some(Misbehavior::UnknownEncoding),
            "{number}"
        );
    }
    // A rectangle of an earlier list may still be under way.
    let mut shell = with_encodings(&[1]);
    shell.feed(Viewer, &set_encodings(&[0]));
    assert_eq!(fault(shell, Target, &update(&rectangles(Encoding::CopyRect, &PixelFormat::RGB888))), None);
}

#[test]
fn rectangles_that_cannot_be() {
    let all: Vec<i32> = live_encodings().iter().map(|e| e.number()).collect();
    let malformed = Misbehavior::RectangleMalformed;
    let cases: [(i32, [usize; 4], Vec<u8>, Misbehavior); 15] = [
        (0, [600, 0, 41, 1], vec![], Misbehavior::RectangleOutside),
        (0, [65_535, 65_535, 65_535, 65_535], vec![], Misbehavior::RectangleOutside),
        (2, [0, 0, 2, 2], cat(&[&be32(5)]), malformed),
        (2, [0, 0, 2, 2], vec![0x20, 0, 0, 1], malformed),
        (4, [0, 0, 200, 200], vec![0x20, 0, 0, 1], malformed),
        (5, [0, 0, 16, 16], vec![0x20], malformed),
        (7, [0, 0, 16, 16], vec![0xb0], malformed),
        (16, [0, 0, 16, 16], vec![0xff; 4], malformed),
        (16, [0, 0, 16, 16], be32(16 * 16 * 8 + 65_537).to_vec(), malformed),
        (15, [0, 0, 16, 16], vec![127], malformed),
        (21, [0, 0, 16, 16], vec![1, 2], Misbehavior::ImageData),
        (-239, [0, 0, 1025, 1], vec![], Misbehavior::CursorSize),
        (-223, [0, 0, 0, 1], vec![], Misbehavior::ScreenSize),
        (-308, [0, 0, 65_535, 1], vec![], Misbehavior::ScreenSize),
        (-307, [0, 0, 0, 0], vec![0xff; 4], Misbehavior::NameTooLong),
    ];
    for (number, place, body, expected) in cases {
        let bytes = update(&[rectangle(place, number, &body)]);
        assert_eq!(fault(with_encodings(&all), Target, &bytes), Some(expected), "{number} {place:?}");
    }
    let screens = update(&[rectangle([0, 0, 9, 9], -308, &[65, 0, 0, 0])]);
    assert_eq!(fault(with_encodings(&all), Target, &screens), Some(Misbehavior::ScreenLayout));
    // A smaller screen counts from its rectangle on.
    let shrunk = update(&[rectangle([0, 0, 10, 10], -223, &[]), rectangle([0, 0, 11, 1], 0, &[])]);
    assert_eq!(fault(with_encodings(&all), Target, &shrunk), Some(Misbehavior::RectangleOutside));
    let inside = rectangle([0, 0, 4, 4], -314, &cat(&[&(-239i32).to_be_bytes()]));
    assert_eq!(fault(with_encodings(&all), Target, &update(&[inside])), Some(Misbehavior::UnknownEncoding));
}

#[test]
fn lengths_that_nobody_means() {
    let clip = || with_encodings(&[encoding::number::EXTENDED_CLIPBOARD]);
    let too_long = Some(Misbehavior::MessageTooLong);
    for kind in [6, 3] {
        let from = if kind == 6 { Viewer } else { Target };
        assert_eq!(fault(live(), from, &[kind, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]), too_long);
        assert_eq!(fault(live(), from, &[kind, 0, 0, 0, 0xff, 0xff, 0xff, 0xf0]), too_long);
        assert_eq!(fault(clip(), from, &[kind, 0, 0, 0, 0x80, 0, 0, 0]), too_long);
        let bomb = extended_clipboard(kind, 0x1000_0001, &zlib(&[0; 1 << 20]));
        assert_eq!(fault(clip(), from, &bomb), Some(Misbehavior::ClipboardBomb));
        let broken = extended_clipboard(kind, 0x1000_0001, &noise(30));
        assert_eq!(fault(clip(), from, &broken), Some(Misbehavior::ClipboardMalformed));
        let nothing = extended_clipboard(kind, 0, &[]);
        assert_eq!(fault(clip(), from, &nothing), Some(Misbehavior::ClipboardMalformed));
    }
    assert_eq!(fault(live(), Viewer, &[2, 0, 4, 1]), Some(Misbehavior::TooManyEncodings));
    assert_eq!(fault(live(), Viewer, &cat(&[&[0; 4], &[24; 16]])), Some(Misbehavior::PixelFormat));
}

/// The bytes before a fault leave, nothing after it does, and the verdict stays.
#[test]
fn a_fault_is_final_and_exact() {
    let mut observer = Observer::after_init(&session::init(), Policy::default());
    let bytes = cat(&[&request(0), &[249], &request(0)]);
    let mut sink = |_: model::Event<'_>| {};
    let verdict = observer.observe(Viewer, &bytes, &mut sink);
    assert_eq!((verdict.decided, verdict.fault), (10, Some(Misbehavior::UnknownMessage)));
    let verdict = observer.observe(Viewer, &request(0), &mut sink);
    assert_eq!((verdict.decided, verdict.fault), (0, Some(Misbehavior::UnknownMessage)));
    assert_eq!(observer.observe(Target, &[2], &mut sink).fault, None);
}

#[test]
fn formats_cannot_pile_up() {
    let mut shell = live();
    for _ in 0..8 {
        shell.feed(Viewer, &cat(&[&request(0), &set_pixel_format(&RGB332)]));
    }
    assert_eq!(shell.faults[0], None);
    assert_eq!(fault(shell, Viewer, &set_pixel_format(&RGB332)), Some(Misbehavior::AmbiguousFormat));
}

/// A capture cannot be refused: what is broken inside a message is reported, and reading goes on.
#[test]
fn a_capture_is_read_on_after_a_broken_clipboard() {
    let mut shell = Shell::new(Observer::passive(&session::init()));
    shell.feed(Viewer, &cat(&[&extended_clipboard(6, 0x1000_0001, &noise(30)), &request(0)]));
    assert_eq!(shell.faults, [None; 2]);
    assert!(shell.events(Viewer).iter().any(|e| e.contains("rfb.clipboard_malformed")));
    assert!(shell.events(Viewer).iter().any(|e| e.starts_with("UpdateRequest")));
}
