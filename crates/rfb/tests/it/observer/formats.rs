//! [7.5.1] The point at which a new pixel format is in force.

use super::session::{self, *};
use super::shell::Shell;
use model::Policy;
use model::event::Origin::{Target, Viewer};
use rfb::encoding::{self, Encoding};
use rfb::{Misbehavior, Observer, PixelFormat};

/// A viewer switches from 8 to 32 bits while two requests are under way, as some do. The next update is
/// still in the old format, or already in the new one.
pub(crate) fn unfenced_switch(old_first: bool) -> Pieces {
    let all: Vec<i32> = live_encodings().iter().map(|e| e.number()).collect();
    let of = |format: &PixelFormat| {
        let mut rectangles = session::rectangles(Encoding::Raw, format);
        rectangles.retain(|r| r.len() > 12);
        rectangles.extend(session::rectangles(Encoding::Hextile, format).into_iter().take(1));
        update(&rectangles)
    };
    let mut pieces = vec![
        (Viewer, cat(&[&set_pixel_format(&RGB332), &set_encodings(&all), &request(0)])),
        (Target, of(&RGB332)),
        (Viewer, cat(&[&request(0), &request(1), &set_pixel_format(&PixelFormat::RGB888), &request(0)])),
    ];
    if old_first {
        pieces.push((Target, of(&RGB332)));
    }
    pieces.push((Target, of(&PixelFormat::RGB888)));
    pieces.push((Target, cat(&[&[2], &of(&PixelFormat::RGB888), &of(&PixelFormat::RGB888)])));
    pieces.push((Target, cat(&[&cut_text(3, b"after"), &of(&PixelFormat::RGB888)])));
    pieces
}

fn live() -> Shell {
    Shell::new(Observer::after_init(&session::init(), Policy::default()))
}

fn feed(shell: &mut Shell, pieces: Pieces) {
    for (origin, bytes) in pieces {
        shell.feed(origin, &bytes);
        assert_eq!(shell.faults, [None; 2]);
    }
}

#[test]
fn without_requests_under_way_the_next_update_is_new() {
    let mut shell = live();
    shell.feed(Viewer, &set_pixel_format(&RGB332));
    shell.feed(Target, &update(&rectangles(Encoding::Raw, &RGB332)));
    assert!(shell.observer.at_boundary(Target));
    assert_eq!(shell.observer.pixel_format(), RGB332);
    assert_eq!(shell.out(Viewer), set_pixel_format(&RGB332));
}

#[test]
fn the_bytes_decide_between_two_formats() {
    for passive in [false, true] {
        for old_first in [false, true] {
            let mut shell = live();
            if passive {
                shell = Shell::new(Observer::passive(&session::init()));
            }
            let pieces = unfenced_switch(old_first);
            let bytes: Vec<u8> =
                pieces.iter().filter(|(o, _)| *o == Target).flat_map(|(_, b)| b.clone()).collect();
            feed(&mut shell, pieces);
            assert_eq!(shell.observer.pixel_format(), PixelFormat::RGB888);
            assert_eq!(shell.out(Target), bytes);
            let ends = shell.events(Target).iter().filter(|e| e.starts_with("UpdateEnd")).count();
            assert_eq!(ends, if old_first { 6 } else { 5 });
            assert_eq!(shell.events(Target).iter().filter(|e| e.starts_with("Clipboard")).count(), 1);
            assert!(shell.observer.at_boundary(Target));
        }
    }
}

#[test]
fn what_no_format_explains_is_ambiguous() {
    let mut shell = live();
    feed(&mut shell, unfenced_switch(true)[..3].to_vec());
    let broken = cat(&[&update(&rectangles(Encoding::Raw, &RGB565)), &noise(100_000)]);
    shell.feed(Target, &broken);
    assert!(shell.faults[1].is_some());
}

fn with_fences(shell: &mut Shell) {
    shell.feed(Viewer, &set_encodings(&[0, encoding::number::FENCE]));
    shell.feed(Target, &fence(1 << 31, b"x"));
    shell.feed(Viewer, &cat(&[&fence(0, b"x"), &request(0), &request(1)]));
}

/// The target speaks fences: ours goes out before the message, and its answer is swallowed.
#[test]
fn a_fence_of_our_own_marks_the_point() {
    let mut shell = live();
    with_fences(&mut shell);
    let before = shell.out(Viewer).len();
    let seen = shell.out(Target).len();
    shell.feed(Viewer, &set_pixel_format(&RGB332));
    let sent = shell.out(Viewer)[before..].to_vec();
    let payload = cat(&[b"\0GH-sync", &1u64.to_be_bytes()]);
    assert_eq!(sent, cat(&[&fence(0x8000_0004, &payload), &set_pixel_format(&RGB332)]));
    // One update is still old; a fence of the target in between is not ours.
    let old = update(&rectangles(Encoding::Raw, &PixelFormat::RGB888));
    let new = update(&rectangles(Encoding::Raw, &RGB332));
    shell.feed(Target, &cat(&[&old, &fence(1 << 31, b"y"), &fence(4, &payload), &new]));
    assert_eq!(shell.faults, [None; 2]);
    assert_eq!(shell.out(Target)[seen..], cat(&[&old, &fence(1 << 31, b"y"), &new]));
    assert_eq!(shell.observer.pixel_format(), RGB332);
}

/// TigerVNC's viewer sends its own fence right before the message. A second one would take its place.
#[test]
fn a_fence_of_the_viewer_is_used_as_it_is() {
    for passive in [false, true] {
        let mut shell = live();
        if passive {
            shell = Shell::new(Observer::passive(&session::init()));
        }
        with_fences(&mut shell);
        let before = shell.out(Viewer).len();
        let switch = cat(&[&fence(0x8000_0004, b""), &set_pixel_format(&RGB332)]);
        shell.feed(Viewer, &switch);
        assert_eq!(shell.out(Viewer)[before..], switch);
        let old = update(&rectangles(Encoding::Raw, &PixelFormat::RGB888));
        let new = update(&rectangles(Encoding::Raw, &RGB332));
        shell.feed(Target, &cat(&[&old, &fence(4, b""), &new]));
        assert_eq!(shell.faults, [None; 2]);
        assert!(shell.observer.at_boundary(Target));
        assert_eq!(shell.observer.pixel_format(), RGB332);
    }
}

/// A target that answers without keeping the promise leaves the decision to the bytes.
#[test]
fn an_inexact_answer_marks_nothing() {
    let mut shell = live();
    with_fences(&mut shell);
    shell.feed(Viewer, &set_pixel_format(&RGB332));
    let payload = cat(&[b"\0GH-sync", &1u64.to_be_bytes()]);
    let of = |format| {
        let mut rectangles = rectangles(Encoding::Raw, format);
        rectangles.retain(|r| r.len() > 12);
        update(&rectangles)
    };
    let (old, new) = (of(&PixelFormat::RGB888), of(&RGB332));
    shell.feed(Target, &cat(&[&fence(0, &payload), &old, &old, &new, &new, &new]));
    assert_eq!(shell.faults, [None; 2]);
    assert_eq!(shell.events(Target).iter().filter(|e| e.starts_with("UpdateEnd")).count(), 5);
    assert_eq!(shell.observer.pixel_format(), RGB332);
}

#[test]
fn an_inexact_answer_to_the_viewer_marks_nothing() {
    let mut shell = live();
    with_fences(&mut shell);
    shell.feed(Viewer, &cat(&[&fence(0x8000_0004, b"z"), &set_pixel_format(&RGB332)]));
    let of = |format| update(&rectangles(Encoding::Raw, format));
    shell.feed(Target, &cat(&[&fence(0, b"z"), &of(&PixelFormat::RGB888), &of(&RGB332).repeat(4)]));
    assert_eq!(shell.faults, [None; 2]);
    assert_eq!(shell.observer.pixel_format(), RGB332);
    assert!(shell.observer.at_boundary(Target));
}

/// Black pixels, read in the wrong format, are empty rectangles and empty updates without end.
#[test]
fn black_pixels_prove_nothing() {
    let mut shell = live();
    let black = |pixel: usize| update(&[rectangle([0, 0, 640, 480], 0, &vec![0; 640 * 480 * pixel])]);
    shell.feed(Viewer, &cat(&[&set_encodings(&[0]), &request(0), &request(1), &set_pixel_format(&RGB332)]));
    shell.feed(Target, &cat(&[&black(4), &update(&[]), &black(1).repeat(5)]));
    assert_eq!(shell.faults, [None; 2]);
    let ends = shell.events(Target).iter().filter(|e| e.starts_with("UpdateEnd")).count();
    assert_eq!(ends, 7);
    assert_eq!(shell.observer.pixel_format(), RGB332);
}

/// A viewer may use what a rectangle announced while the rest of its update still comes.
#[test]
fn announcements_count_before_their_update_ends() {
    let mut shell = live();
    shell.feed(Viewer, &set_encodings(&[0, -258]));
    let mut rectangles_both = rectangles(Encoding::ExtendedKey, &PixelFormat::RGB888);
    rectangles_both.extend(rectangles(Encoding::Raw, &PixelFormat::RGB888));
    let bytes = update(&rectangles_both);
    shell.feed(Target, &bytes[..40]);
    shell.feed(Viewer, &extended_key(1, 0x61, 0x1e));
    assert_eq!(shell.faults, [None; 2]);
}

#[test]
fn nobody_forges_our_fence() {
    let mut shell = live();
    with_fences(&mut shell);
    shell.feed(Viewer, &fence(0x8000_0000, &cat(&[b"\0GH-sync", &1u64.to_be_bytes()])));
    assert_eq!(shell.faults[0], Some(Misbehavior::OutOfOrder));
}

#[test]
fn vmware_sets_the_format_in_the_middle_of_an_update() {
    let mut shell = Shell::new(Observer::passive(&session::init()));
    shell.feed(Viewer, &set_encodings(&[0, 0x574d_5669]));
    let mut rectangles_both = rectangles(Encoding::VmwareDisplayMode, &RGB332);
    rectangles_both.extend(rectangles(Encoding::Raw, &RGB332));
    shell.feed(Target, &update(&rectangles_both));
    assert_eq!(shell.faults, [None; 2]);
    assert!(shell.observer.at_boundary(Target));
    assert_eq!(shell.observer.pixel_format(), RGB332);
}
