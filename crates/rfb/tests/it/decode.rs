//! The decoder against servers' own bytes: captures, golden rectangles, every chunking, hostile input.

use crate::capture_file::{self, Said, Segment};
use expect_test::{Expect, expect};
use proptest::prelude::*;
use rfb::decode::{Decoder, Event, number};
use rfb::framebuffer::Rect;
use rfb::{Misbehavior, PixelFormat, ServerInit};
use sha2::{Digest, Sha256};

fn init(width: u16, height: u16) -> ServerInit {
    ServerInit { width, height, pixel_format: PixelFormat::RGB888, name: b"golden".to_vec() }
}

/// Presents bytes as a socket would, in pieces of `size`, and asserts that all were taken.
fn feed(decoder: &mut Decoder, bytes: &[u8], size: usize) -> Result<(), Misbehavior> {
    let mut held = Vec::new();
    for piece in bytes.chunks(size) {
        held.extend_from_slice(piece);
        while let taken @ 1.. = decoder.handle_server_bytes(&held)? {
            held.drain(..taken);
        }
    }
    assert_eq!(held.len(), 0, "bytes were left");
    Ok(())
}

fn hash(decoder: &Decoder) -> String {
    let screen = decoder.framebuffer();
    let bytes: Vec<u8> = screen.pixels().iter().flat_map(|pixel| pixel.to_be_bytes()).collect();
    let digest: String = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{}x{} {digest}", screen.width(), screen.height())
}

/// Decodes a capture's server stream, in pieces of at most `size` bytes.
fn replay(name: &str, size: usize) -> Decoder {
    let session = capture_file::read(name);
    let mut decoder = Decoder::new(&session.init).unwrap();
    let (mut server, mut viewer) = (Vec::new(), Vec::new());
    for segment in session.segments {
        match segment {
            Segment::Viewer(bytes) => {
                viewer.extend(bytes);
                for said in capture_file::viewer_messages(&mut viewer) {
                    match said {
                        Said::PixelFormat(format) => decoder.set_pixel_format(format),
                        Said::Encodings(encodings) => decoder.set_encodings(&encodings),
                    }
                }
            }
            Segment::Server(bytes) => {
                for piece in bytes.chunks(size) {
                    server.extend_from_slice(piece);
                    let taken = decoder.handle_server_bytes(&server).unwrap();
                    server.drain(..taken);
                }
            }
        }
    }
    assert_eq!((server.len(), viewer.len()), (0, 0), "{name}: bytes were left");
    assert!(decoder.is_between_messages());
    decoder
}

fn check(name: &str, expected: &Expect) {
    let whole = replay(name, usize::MAX);
    if let Some(directory) = std::env::var_os("GATEHOUSE_PICTURES") {
        picture(&whole, &std::path::Path::new(&directory).join(format!("{name}.ppm")));
    }
    let cursor = whole.cursor().map_or("none".to_owned(), |cursor| format!("{cursor:?}"));
    let text = format!(
        "{} updates={} cursor={cursor} name={}",
        hash(&whole),
        whole.updates(),
        String::from_utf8_lossy(whole.name())
    );
    expected.assert_eq(&text);
    let pieces = replay(name, 977);
    assert_eq!(pieces.framebuffer().pixels(), whole.framebuffer().pixels());
    assert_eq!((pieces.updates(), pieces.cursor()), (whole.updates(), whole.cursor()));
}

/// For people: what a capture shows at its end.
fn picture(decoder: &Decoder, path: &std::path::Path) {
    let screen = decoder.framebuffer();
    let mut bytes = format!("P6 {} {} 255\n", screen.width(), screen.height()).into_bytes();
    bytes.extend(screen.pixels().iter().flat_map(|pixel| pixel.to_be_bytes().into_iter().skip(1)));
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn capture_of_tigervnc_tight_jpeg() {
    check("tiger-tight-jpeg", &expect!["1024x768 3ec82bbee65ec4dc updates=72 cursor=Cursor(15x21 at 2,2) name=root@vm"]);
}

#[test]
fn capture_of_tigervnc_hextile_at_8_bit() {
    check("tiger-hextile-lowcolor", &expect!["1024x768 a35677c45c1a3d4b updates=52 cursor=Cursor(15x21 at 2,2) name=root@vm"]);
}

#[test]
fn capture_of_tigervnc_3_3_tight_zrle() {
    check("tiger33-tight-zrle", &expect!["320x240 d80e53c232e53576 updates=63 cursor=Cursor(0x0 at 0,0) name=root@vm"]);
}

#[test]
fn capture_of_tightvnc() {
    check("tight-tight", &expect!["1024x768 0dbb25bb64c38a82 updates=33 cursor=Cursor(16x16 at 7,7) name=root's x11 desktop (vm:13)"]);
}

#[test]
fn capture_of_qemu_and_gtk_vnc() {
    check("qemu-gvncviewer", &expect!["720x400 17b67437d283c2bc updates=43 cursor=none name=QEMU"]);
}

#[test]
fn capture_of_tigervnc_and_novnc() {
    check("novnc17-tigervnc", &expect!["800x600 8cb198150624f95f updates=9 cursor=Cursor(0x0 at 0,0) name=root@vm"]);
}

#[test]
fn capture_of_qemu_tight_png() {
    check("novnc17-qemu-tightpng", &expect!["720x400 17b67437d283c2bc updates=4 cursor=none name=QEMU"]);
}

#[test]
fn capture_of_x11vnc_zrle_at_8_bit() {
    check("x11vnc-ssvnc-zrle16", &expect!["640x480 b1ea1a5fb6232627 updates=34 cursor=Cursor(24x24 at 4,4) name=vm:72"]);
}
