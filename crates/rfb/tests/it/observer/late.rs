//! Sessions that are joined in their middle.

use super::capture::recordings;
use super::session::{self, *};
use super::shell::Shell;
use model::event::Origin::{Target, Viewer};
use rfb::encoding::Encoding;
use rfb::{Observer, PixelFormat};

#[test]
fn captures_that_begin_in_the_middle_find_their_place() {
    let mut found = [0, 0];
    for recording in recordings() {
        let mut shell = Shell::new(Observer::joined_late());
        assert!(shell.observer.is_joined_late());
        let skipped = recording.pieces.len() / 4;
        for (origin, bytes) in &recording.pieces[skipped..] {
            // Not even at the start of a packet.
            let from =
                usize::from(shell.held(*origin) == 0 && shell.out(*origin).is_empty()).min(bytes.len());
            shell.feed(*origin, &bytes[from..]);
        }
        assert_eq!(shell.faults, [None; 2]);
        for (i, origin) in [Viewer, Target].into_iter().enumerate() {
            found[i] += usize::from(shell.observer.is_in_step(origin));
            if !shell.observer.is_in_step(origin) {
                assert!(shell.events(origin).is_empty(), "{}: nothing is claimed", recording.name);
            }
        }
    }
    assert!(found[0] >= 7 && found[1] >= 5, "{found:?}");
}

#[test]
fn every_size_of_pixel_is_found_behind_noise() {
    for format in [PixelFormat::RGB888, PixelFormat { depth: 32, ..PixelFormat::RGB888 }, RGB565, RGB332] {
        let mut shell = Shell::new(Observer::joined_late());
        let mut rectangles = session::rectangles(Encoding::Raw, &format);
        rectangles.retain(|r| r.len() > 12);
        rectangles.extend(session::rectangles(Encoding::Trle, &format));
        let updates = update(&rectangles).repeat(4);
        shell.feed(Target, &noise(1000));
        assert!(!shell.observer.is_in_step(Target));
        shell.feed(Target, &updates);
        assert!(shell.observer.is_in_step(Target));
        assert_eq!(shell.observer.unframed_bytes(Target), 1000);
        assert_eq!(shell.events(Target).iter().filter(|e| e.starts_with("UpdateEnd")).count(), 4);
        let found = shell.observer.pixel_format();
        assert_eq!(found.bytes_per_pixel(), format.bytes_per_pixel());
        assert_eq!(found.cpixel_len(), format.cpixel_len());
    }
}

/// Where several formats explain all bytes, the first rectangle that tells them apart decides.
#[test]
fn what_is_not_known_yet_is_not_guessed() {
    let mut shell = Shell::new(Observer::joined_late());
    let neutral = update(&session::rectangles(Encoding::Zrle, &PixelFormat::RGB888));
    let telling = update(&session::rectangles(Encoding::Raw, &RGB565)[..1]);
    let mut bytes = neutral.repeat(6);
    bytes.extend(telling.repeat(6));
    shell.feed(Target, &bytes);
    assert!(shell.observer.is_in_step(Target));
    assert_eq!(shell.events(Target).iter().filter(|e| e.starts_with("Fault")).count(), 0);
    assert_eq!(shell.observer.pixel_format().bytes_per_pixel(), 2);
}

#[test]
fn a_lost_place_is_reported_and_found_again() {
    let mut shell = Shell::new(Observer::joined_late());
    let good = cat(&[&request(1), &key(1, 0x61), &key(0, 0x61), &request(1)]);
    shell.feed(Viewer, &cat(&[&[0xaa; 7], &good, &[249, 99, 98], &good]));
    assert!(shell.observer.is_in_step(Viewer));
    assert_eq!(shell.faults, [None; 2]);
    assert_eq!(shell.observer.unframed_bytes(Viewer), 10);
    let count = |name: &str| shell.events(Viewer).iter().filter(|e| e.starts_with(name)).count();
    assert_eq!((count("Fault"), count("UpdateRequest"), count("Key")), (1, 4, 4));
}
