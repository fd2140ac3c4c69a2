//! What policy lets pass, drops, rewrites and answers.

use super::session::{self, *};
use super::shell::Shell;
use model::Policy;
use model::event::Origin::{self, Target, Viewer};
use model::policy::ClipboardRule;
use rfb::encoding::{self, Encoding};
use rfb::{Observer, PixelFormat};

fn live(policy: Policy) -> Shell {
    Shell::new(Observer::after_init(&session::init(), policy))
}

/// A session in which both sides announced all they can.
fn announced(policy: Policy) -> Shell {
    let power = policy.power;
    let mut shell = live(policy);
    for (origin, bytes) in session::live(&PixelFormat::RGB888).into_iter().take(62) {
        if bytes == session::XVP_INIT && !power {
            continue;
        }
        shell.feed(origin, &bytes);
        assert_eq!(shell.faults, [None; 2]);
    }
    let extensions = shell.observer.negotiated().extensions;
    assert!(extensions.extended_keys && extensions.extended_buttons && extensions.desktop_size);
    shell
}

/// What leaves when `bytes` arrive from one side.
fn passes(shell: &mut Shell, from: Origin, bytes: &[u8]) -> Vec<u8> {
    let before = shell.out(from).len();
    shell.feed(from, bytes);
    assert_eq!(shell.faults, [None; 2], "{:?}", shell.events(from).last());
    shell.out(from)[before..].to_vec()
}

#[test]
fn encodings_are_cut_to_what_can_be_framed() {
    let mut shell = live(Policy::default());
    let offered =
        [1, 50, 7, -260, 16, 21, 5, 2, 6, 0, -27, -254, -223, -224, -258, -261, -308, -309, -312, -313];
    let more =
        [-307, encoding::number::EXTENDED_CLIPBOARD, -316, 0x574d_5664, -239, -305, -32_768, 8, 999, -317];
    let sent = passes(&mut shell, Viewer, &set_encodings(&[&offered[..], &more].concat()));
    let kept = [
        1,
        50,
        7,
        -260,
        16,
        21,
        5,
        2,
        6,
        0,
        -27,
        -254,
        -223,
        -224,
        -258,
        -261,
        -308,
        -312,
        -313,
        -307,
        encoding::number::EXTENDED_CLIPBOARD,
        -316,
        0x574d_5664,
        -239,
    ];
    assert_eq!(sent, set_encodings(&kept));
    assert_eq!(shell.observer.negotiated().kept, kept);
    assert_eq!(shell.observer.negotiated().offered.len(), 30);
}

#[test]
fn policy_takes_its_extensions_out_of_the_list() {
    let deny = ClipboardRule::Deny;
    let policy = Policy {
        clipboard_to_target: deny,
        clipboard_to_viewer: deny,
        resize: false,
        audio: false,
        power: true,
        ..Policy::default()
    };
    let sent = passes(
        &mut live(policy),
        Viewer,
        &set_encodings(&[0, -308, -259, encoding::number::EXTENDED_CLIPBOARD, -309]),
    );
    assert_eq!(sent, set_encodings(&[0, -309]));
    let one_way = Policy { clipboard_to_target: deny, ..Policy::default() };
    let sent = passes(&mut live(one_way), Viewer, &set_encodings(&[0, encoding::number::EXTENDED_CLIPBOARD]));
    assert_eq!(sent, set_encodings(&[0, encoding::number::EXTENDED_CLIPBOARD]));
}

#[test]
fn a_list_that_needs_no_change_goes_out_as_it_is() {
    let list = set_encodings(&[7, 0, -239]);
    let mut shell = live(Policy::default());
    assert_eq!(passes(&mut shell, Viewer, &list), list);
    let mut observer = Observer::after_init(&session::init(), Policy::default());
    assert!(observer.observe(Viewer, &list, &mut |_: model::Event<'_>| {}).is_untouched());
}

#[test]
fn only_requests_pass_when_input_is_refused() {
    for policy in [
        Policy { view_only: true, power: true, files: true, ..Policy::default() },
        Policy { frozen: true, power: true, files: true, ..Policy::default() },
    ] {
        let mut shell = announced(Policy { power: true, files: true, ..Policy::default() });
        shell.observer.set_policy(policy);
        let quiet = cat(&[&request(1), &fence(1 << 31 | 1, b"q")]);
        let all = cat(&[&quiet, &input(), &request(0)]);
        let expected = cat(&[&quiet, &fence(1 << 31 | 1, b""), &request(0)]);
        assert_eq!(passes(&mut shell, Viewer, &all), expected);
        let reported = |name: &str| shell.events(Viewer).iter().filter(|e| e.starts_with(name)).count();
        assert_eq!((reported("Key"), reported("Pointer")), (4, 3));
        assert_eq!(reported("Dropped"), 17);
        assert_eq!(shell.observer.counters().dropped, 17);
    }
}

#[test]
fn every_other_message_is_dropped_too_when_input_is_refused() {
    let mut shell = live(Policy { view_only: true, files: true, power: true, ..Policy::default() });
    let pieces = session::passive();
    let vendors = &pieces[pieces.len() - 2].1;
    assert_eq!(passes(&mut shell, Viewer, vendors), b"");
    assert!(shell.observer.counters().dropped >= 30);
}

#[test]
fn what_is_pressed_is_let_go_once_when_input_stops() {
    let pressed = cat(&[&key(1, 0xffe3), &extended_key(1, 0x63, 0x2e), &pointer(5, 7, 8)]);
    let released = cat(&[&extended_key(0, 0x63, 0x2e), &key(0, 0xffe3), &pointer(0, 7, 8)]);
    let mut shell = announced(Policy::default());
    passes(&mut shell, Viewer, &pressed);
    shell.observer.set_policy(Policy { frozen: true, ..Policy::default() });
    assert!(shell.observer.has_insertions(Target));
    // The viewer's own releases come later and are dropped; nothing is let go twice.
    assert_eq!(passes(&mut shell, Viewer, &cat(&[&key(0, 0xffe3), &pointer(0, 7, 8)])), released);
    shell.observer.set_policy(Policy { view_only: true, ..Policy::default() });
    shell.observer.release_input();
    assert!(!shell.observer.has_insertions(Target));
}

#[test]
fn who_only_watches_lets_go_of_nothing() {
    for observer in [Observer::passive(&session::init()), Observer::joined_late()] {
        let mut shell = Shell::new(observer);
        let pressed = cat(&[&key(1, 0x61), &pointer(1, 7, 8), &request(1), &request(1)]);
        assert_eq!(passes(&mut shell, Viewer, &pressed), pressed);
        shell.observer.set_policy(Policy { view_only: true, ..Policy::default() });
        shell.observer.release_input();
        assert!(!shell.observer.has_insertions(Target));
        assert_eq!(passes(&mut shell, Viewer, &request(0)), request(0));
    }
}

#[test]
fn release_waits_for_a_boundary_and_needs_no_bytes() {
    let mut shell = announced(Policy::default());
    passes(&mut shell, Viewer, &key(1, 0x61));
    // Half a message of the viewer is held: it has not left, so that this is a boundary.
    shell.feed(Viewer, &key(1, 0x62)[..5]);
    assert!(shell.observer.at_boundary(Viewer));
    shell.observer.release_input();
    let before = shell.out(Viewer).len();
    shell.collect(Viewer);
    assert_eq!(shell.out(Viewer)[before..], key(0, 0x61));
    // After a fault the shell can still collect it.
    let mut shell = announced(Policy::default());
    passes(&mut shell, Viewer, &key(1, 0x61));
    shell.feed(Viewer, &[249]);
    assert!(shell.faults[0].is_some());
    shell.observer.release_input();
    let before = shell.out(Viewer).len();
    shell.collect(Viewer);
    assert_eq!(shell.out(Viewer)[before..], key(0, 0x61));
}

#[test]
fn the_clipboard_has_a_direction_and_a_size() {
    let small = ClipboardRule::Allow { max_bytes: 10 };
    let deny = ClipboardRule::Deny;
    for (from, kind) in [(Viewer, 6), (Target, 3)] {
        let only = |rule, other| match from {
            Viewer => Policy { clipboard_to_target: rule, clipboard_to_viewer: other, ..Policy::default() },
            Target => Policy { clipboard_to_viewer: rule, clipboard_to_target: other, ..Policy::default() },
        };
        let mut shell = announced(only(small, deny));
        let (fits, large) = (cut_text(kind, b"0123456789"), cut_text(kind, b"0123456789a"));
        assert_eq!(passes(&mut shell, from, &cat(&[&fits, &large, &fits])), cat(&[&fits, &fits]));
        let (fits, large) = (provide(kind, b"0123456789"), provide(kind, b"0123456789a"));
        assert_eq!(passes(&mut shell, from, &cat(&[&large, &fits])), fits);
        let notify = extended_clipboard(kind, 0x0800_0001, &[]);
        let ask = extended_clipboard(kind, 0x0200_0001, &[]);
        assert_eq!(passes(&mut shell, from, &cat(&[&notify, &ask])), notify);
        let mut shell = announced(only(deny, small));
        assert_eq!(passes(&mut shell, from, &cat(&[&fits, &notify, &cut_text(kind, b"x"), &ask])), ask);
    }
}

#[test]
fn a_clipboard_over_the_limit_is_dropped_without_being_held() {
    let mut shell = announced(Policy::default());
    for message in [cut_text(6, &noise(2 << 20)), extended_clipboard(6, 0x1000_0001, &noise(2 << 20))] {
        for piece in message.chunks(100_000) {
            assert_eq!(passes(&mut shell, Viewer, piece), b"");
        }
        assert_eq!(shell.held(Viewer), 0);
    }
    let text = cut_text(6, &noise(1 << 20));
    assert_eq!(passes(&mut shell, Viewer, &text), text);
}

#[test]
fn clipboard_events_carry_the_text() {
    let mut shell = announced(Policy::default());
    passes(&mut shell, Target, &cat(&[&provide(3, b"abc"), &cut_text(3, b"de")]));
    let clipboards: Vec<_> =
        shell.events(Target).iter().filter(|e| e.contains("Content")).rev().take(2).collect();
    assert!(clipboards[0].contains("bytes: 2, content: [100, 101]"), "{clipboards:?}");
    assert!(clipboards[1].contains("bytes: 3, content: [97, 98, 99]"), "{clipboards:?}");
}

#[test]
fn a_refused_size_is_answered_at_a_boundary_of_the_target() {
    let mut shell = announced(Policy::default());
    shell.observer.set_policy(Policy { resize: false, ..Policy::default() });
    let raw = update(&rectangles(Encoding::Raw, &PixelFormat::RGB888));
    let (head, tail) = raw.split_at(30);
    assert_eq!(passes(&mut shell, Target, head), head);
    let wish = cat(&[&[251, 0], &be16(800), &be16(600), &[1, 0], &noise(16)]);
    assert_eq!(passes(&mut shell, Viewer, &wish), b"");
    assert!(shell.events(Viewer).iter().any(|e| e == "ResizeRequest { width: 800, height: 600 }"));
    let answer = cat(&[&[0, 0, 0, 1, 0, 1, 0, 1, 2, 128, 1, 224, 0xff, 0xff, 0xfe, 0xcc], &layout(2)]);
    assert_eq!(passes(&mut shell, Target, tail), cat(&[tail, &answer]));
}

#[test]
fn color_maps_are_kept_from_true_color_viewers() {
    let map = cat(&[&[1, 0, 0, 0, 0, 2], &noise(12)]);
    let mut shell = live(Policy::default());
    assert_eq!(passes(&mut shell, Target, &map), b"");
    let indexed = PixelFormat::MAPPED;
    passes(&mut shell, Viewer, &set_pixel_format(&indexed));
    assert_eq!(passes(&mut shell, Target, &map), map);
}

#[test]
fn power_files_and_audio_pass_only_if_allowed() {
    let reboot = [250, 0, 1, 3];
    let mut shell = announced(Policy { power: true, ..Policy::default() });
    assert_eq!(passes(&mut shell, Viewer, &reboot), reboot);
    shell.observer.set_policy(Policy::default());
    assert_eq!(passes(&mut shell, Viewer, &reboot), b"");
    assert!(shell.events(Viewer).iter().any(|e| e == "Power(Reboot)"));

    let list = cat(&[&[7, 1, 0, 0, 0, 0, 0, 0], &be32(3), b"C:\\"]);
    let answer = cat(&[&[7, 2, 0, 0, 0, 0, 0, 0], &be32(3), b"D:\\"]);
    assert_eq!(passes(&mut shell, Viewer, &list), b"");
    shell.observer.set_policy(Policy { files: true, ..Policy::default() });
    assert_eq!(passes(&mut shell, Viewer, &list), list);
    assert_eq!(passes(&mut shell, Target, &answer), answer);
    shell.observer.set_policy(Policy { audio: false, ..Policy::default() });
    assert_eq!(passes(&mut shell, Target, &answer), b"");
    assert!(shell.events(Viewer).iter().any(|e| e.contains("operation: List, name: [67, 58, 92]")));

    let sound = cat(&[&[255, 1, 0, 2], &be32(5), &noise(5)]);
    assert_eq!(passes(&mut shell, Target, &sound), b"");
    assert_eq!(passes(&mut shell, Viewer, &[255, 1, 0, 0]), b"");
}

#[test]
fn scaling_and_local_input_never_pass() {
    let mut shell = announced(Policy { files: true, power: true, ..Policy::default() });
    let messages = [8, 2, 0, 0, 9, 1, 0, 0, 10, 0, 0, 0, 0, 0, 15, 2, 0, 0, 13, 20, 21, 1, 80, 0, 0, 0];
    assert_eq!(passes(&mut shell, Viewer, &messages), b"");
}

#[test]
fn a_long_button_message_needs_the_targets_consent() {
    let mut shell = live(Policy::default());
    passes(&mut shell, Viewer, &set_encodings(&[0, -316]));
    // Not announced yet: bit 7 is an eighth button, and the message has six bytes.
    let two = cat(&[&pointer(0x80, 1, 2), &pointer(0, 1, 2)]);
    assert_eq!(passes(&mut shell, Viewer, &two), two);
    passes(&mut shell, Target, &update(&rectangles(Encoding::ExtendedButtons, &PixelFormat::RGB888)));
    let long = cat(&[&pointer(0x81, 1, 2), &[2], &pointer(0, 1, 2)]);
    assert_eq!(passes(&mut shell, Viewer, &long), long);
    assert!(shell.events(Viewer).iter().any(|e| e == "Pointer { x: 1, y: 2, buttons: 257 }"));
}

#[test]
fn a_target_may_chat_only_with_a_viewer_that_does() {
    let mut shell = announced(Policy::default());
    let chat = cat(&[&[11, 0, 0, 0], &be32(2), b"hi"]);
    assert_eq!(passes(&mut shell, Target, &chat), b"");
    assert_eq!(passes(&mut shell, Viewer, &chat), chat);
    assert_eq!(passes(&mut shell, Target, &chat), chat);
}
