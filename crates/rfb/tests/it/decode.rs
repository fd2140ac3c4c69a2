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

/// Adds every damaged pixel to a digest, so that it covers pictures that are overdrawn later.
fn digest_damage(decoder: &mut Decoder, digest: &mut Sha256) {
    for rect in decoder.framebuffer_mut().take_damage() {
        for row in decoder.framebuffer().rows(rect) {
            digest.update(row.iter().flat_map(|pixel| pixel.to_be_bytes()).collect::<Vec<u8>>());
        }
    }
}

/// Decodes a capture's server stream, in pieces of at most `size` bytes; with a digest of all pictures.
fn replay(name: &str, size: usize) -> (Decoder, String) {
    let mut digest = Sha256::new();
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
                    digest_damage(&mut decoder, &mut digest);
                }
            }
        }
    }
    assert_eq!((server.len(), viewer.len()), (0, 0), "{name}: bytes were left");
    assert!(decoder.is_between_messages());
    (decoder, digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

fn check(name: &str, expected: &Expect) {
    let (whole, digest) = replay(name, usize::MAX);
    if let Some(directory) = std::env::var_os("GATEHOUSE_PICTURES") {
        picture(&whole, &std::path::Path::new(&directory).join(format!("{name}.ppm")));
    }
    let cursor = whole.cursor().map_or("none".to_owned(), |cursor| format!("{cursor:?}"));
    let text = format!(
        "{:?} {digest} updates={} cursor={cursor} name={}",
        whole.framebuffer(),
        whole.updates(),
        String::from_utf8_lossy(whole.name())
    );
    expected.assert_eq(&text);
    let (pieces, _) = replay(name, 977);
    assert_eq!(pieces.framebuffer().pixels(), whole.framebuffer().pixels());
    assert_eq!((pieces.updates(), pieces.cursor()), (whole.updates(), whole.cursor()));
}

/// For people: what a capture shows at its end.
pub(crate) fn picture(decoder: &Decoder, path: &std::path::Path) {
    let screen = decoder.framebuffer();
    let mut bytes = format!("P6 {} {} 255\n", screen.width(), screen.height()).into_bytes();
    bytes.extend(screen.pixels().iter().flat_map(|pixel| pixel.to_be_bytes().into_iter().skip(1)));
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn capture_of_tigervnc_tight_jpeg() {
    check(
        "tiger-tight-jpeg",
        &expect![
            "Framebuffer(1024x768) 0c2f8109e616f4a6 updates=72 cursor=Cursor(15x21 at 2,2) name=root@vm"
        ],
    );
}

#[test]
fn capture_of_tigervnc_hextile_at_8_bit() {
    check(
        "tiger-hextile-lowcolor",
        &expect![
            "Framebuffer(1024x768) 00506fc534d7d868 updates=52 cursor=Cursor(15x21 at 2,2) name=root@vm"
        ],
    );
}

#[test]
fn capture_of_tigervnc_3_3_tight_zrle() {
    check(
        "tiger33-tight-zrle",
        &expect!["Framebuffer(320x240) c63b985e07bc2861 updates=63 cursor=Cursor(0x0 at 0,0) name=root@vm"],
    );
}

#[test]
fn capture_of_tightvnc() {
    check(
        "tight-tight",
        &expect![[
            r#"Framebuffer(1024x768) d6ea1a2b6dbfc62a updates=33 cursor=Cursor(16x16 at 7,7) name=root's x11 desktop (vm:13)"#
        ]],
    );
}

#[test]
fn capture_of_qemu_and_gtk_vnc() {
    check(
        "qemu-gvncviewer",
        &expect!["Framebuffer(720x400) af933720761b2375 updates=43 cursor=none name=QEMU"],
    );
}

#[test]
fn capture_of_tigervnc_and_novnc() {
    check(
        "novnc17-tigervnc",
        &expect!["Framebuffer(800x600) c37c158cd353c97c updates=9 cursor=Cursor(0x0 at 0,0) name=root@vm"],
    );
}

#[test]
fn capture_of_qemu_tight_png() {
    check(
        "novnc17-qemu-tightpng",
        &expect!["Framebuffer(720x400) 4ae9e823c9f0d9be updates=4 cursor=none name=QEMU"],
    );
}

#[test]
fn capture_of_x11vnc_zrle_at_8_bit() {
    check(
        "x11vnc-ssvnc-zrle16",
        &expect!["Framebuffer(640x480) 4df31a797fb1e7b3 updates=34 cursor=Cursor(24x24 at 4,4) name=vm:72"],
    );
}

#[test]
fn capture_of_x11vnc_3_3() {
    check(
        "../capture/x11vnc-33-none",
        &expect!["Framebuffer(320x200) 55e06a6aa5736ae6 updates=6 cursor=Cursor(18x18 at 0,0) name=vm:172"],
    );
}

#[test]
fn capture_of_x11vnc_corre() {
    check(
        "../capture/x11vnc-37-corre",
        &expect!["Framebuffer(320x200) dd84ec8c6ac500fb updates=5 cursor=Cursor(18x18 at 0,0) name=vm:172"],
    );
}

/// One update with one rectangle.
fn update(rect: Rect, encoding: i32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    rfb::encode::update_header(1, &mut out);
    rfb::encode::header(rect, encoding, &mut out);
    out.extend_from_slice(body);
    out
}

/// Decodes one rectangle at (1, 0) of a screen of its size and a column more, in every chunking.
fn golden(width: u16, height: u16, encoding: i32, body: &[u8]) -> Vec<u32> {
    golden_in(PixelFormat::RGB888, width, height, encoding, body)
}

fn golden_in(format: PixelFormat, width: u16, height: u16, encoding: i32, body: &[u8]) -> Vec<u32> {
    let rect = Rect::new(1, 0, width, height);
    let bytes = update(rect, encoding, body);
    let pictures = [usize::MAX, 1, 2, 3].map(|size| {
        let init = ServerInit { pixel_format: format, ..init(width + 1, height) };
        let mut decoder = Decoder::new(&init).unwrap();
        feed(&mut decoder, &bytes, size).unwrap();
        assert_eq!(decoder.updates(), 1);
        assert_eq!(decoder.framebuffer_mut().take_damage(), [rect]);
        decoder.framebuffer().rows(rect).flatten().copied().collect::<Vec<u32>>()
    });
    assert!(pictures.iter().all(|picture| *picture == pictures[0]));
    pictures[0].clone()
}

/// What decoding one rectangle on a screen of 32 by 32 is refused with.
fn refusal(rect: Rect, encoding: i32, body: &[u8]) -> Misbehavior {
    let mut decoder = Decoder::new(&init(32, 32)).unwrap();
    decoder.handle_server_bytes(&update(rect, encoding, body)).unwrap_err()
}

const R: u32 = 0xff_0000;
const G: u32 = 0x00_ff00;
const B: u32 = 0x00_00ff;
const RED: [u8; 4] = [0, 0, 255, 0];
const GREEN: [u8; 4] = [0, 255, 0, 0];
const BLUE: [u8; 4] = [255, 0, 0, 0];

#[test]
fn raw_golden() {
    assert_eq!(golden(2, 1, number::RAW, &[RED, BLUE].concat()), [R, B]);
}

#[test]
fn copy_rect_golden() {
    let mut decoder = Decoder::new(&init(3, 2)).unwrap();
    feed(&mut decoder, &update(Rect::new(0, 0, 3, 1), number::RAW, &[RED, GREEN, BLUE].concat()), 1).unwrap();
    feed(&mut decoder, &update(Rect::new(1, 1, 2, 1), number::COPY_RECT, &[0, 0, 0, 0]), 1).unwrap();
    assert_eq!(decoder.framebuffer().pixels(), [R, G, B, 0, R, G]);
    let outside = update(Rect::new(0, 0, 2, 1), number::COPY_RECT, &[0, 2, 0, 0]);
    assert_eq!(decoder.handle_server_bytes(&outside), Err(Misbehavior::RectangleOutside));
}

#[test]
fn rre_golden() {
    let long = [&[0, 0, 0, 1][..], &RED, &BLUE, &[0, 1, 0, 0, 0, 1, 0, 2]].concat();
    assert_eq!(golden(2, 2, number::RRE, &long), [R, B, R, B]);
    let short = [&[0, 0, 0, 1][..], &RED, &BLUE, &[1, 0, 1, 2]].concat();
    assert_eq!(golden(2, 2, number::CORRE, &short), [R, B, R, B]);
    let outside = [&[0, 0, 0, 1][..], &RED, &BLUE, &[1, 0, 2, 2]].concat();
    assert_eq!(refusal(Rect::new(0, 0, 2, 2), number::CORRE, &outside), Misbehavior::RectangleMalformed);
    assert_eq!(
        refusal(Rect::new(0, 0, 2, 2), number::RRE, &[0x20, 0, 0, 1, 0, 0, 0, 0]),
        Misbehavior::RectangleMalformed
    );
}

#[test]
fn hextile_golden() {
    // Background and one part in the foreground; nothing new; raw; colored parts over the old background.
    let first = [&[0x0e][..], &RED, &GREEN, &[1, 0x10, 0xe0]].concat();
    let raw = [&[0x01][..], &[BLUE; 16].concat()].concat();
    let colored = [&[0x18, 1][..], &BLUE, &[0x00, 0x00]].concat();
    let picture = golden(49, 1, number::HEXTILE, &[first, vec![0x00], raw, colored].concat());
    let expected = [vec![R], vec![G; 15], vec![R; 16], vec![B; 17]].concat();
    assert_eq!(picture, expected);
    let outside = [&[0x0e][..], &RED, &GREEN, &[1, 0x10, 0xf0]].concat();
    assert_eq!(refusal(Rect::new(0, 0, 16, 1), number::HEXTILE, &outside), Misbehavior::RectangleMalformed);
}

#[test]
fn trle_golden() {
    let (red, green, blue) = (&RED[..3], &GREEN[..3], &BLUE[..3]);
    let packed = [&[2][..], red, green, &[0b0101_0000, 0b1000_0000]].concat();
    let reused = vec![127, 0xff, 0xff];
    let reused_runs = vec![129, 0x80, 14, 1];
    let runs = [&[128][..], blue, &[7], green, &[7]].concat();
    let palette_runs = [&[131][..], red, green, blue, &[2, 0x81, 13, 0]].concat();
    let solid = [&[1][..], blue].concat();
    let raw = [&[0][..], red].concat();
    let body = [packed, reused, reused_runs, runs, palette_runs, solid, raw].concat();
    let picture = golden(97, 1, number::TRLE, &body);
    let expected = [
        vec![R, G, R, G, R, R, R, R, G],
        vec![R; 7],
        vec![G; 16],
        vec![R; 15],
        vec![G],
        vec![B; 8],
        vec![G; 8],
        vec![B],
        vec![G; 14],
        vec![R],
        vec![B; 16],
        vec![R],
    ];
    assert_eq!(picture, expected.concat());
    for (body, what) in [
        (&[127][..], "no palette to use again"),
        (&[17], "a palette of 17"),
        (&[128, 0, 0, 0, 255, 255], "a run past the tile"),
        (&[130, 0, 0, 0, 1, 1, 1, 2], "an index past the palette"),
    ] {
        let refused = refusal(Rect::new(0, 0, 16, 1), number::TRLE, body);
        assert_eq!(refused, Misbehavior::RectangleMalformed, "{what}");
    }
}

/// One zlib stream made by Python's zlib with Z_SYNC_FLUSH, not by the library under test.
#[test]
fn zlib_and_zrle_golden() {
    // zlib.compressobj(): compress(b"\0\0\xff\0" * 4) + flush(Z_SYNC_FLUSH)
    let zlib = [0x78, 0x9c, 0x62, 0x60, 0xf8, 0xcf, 0xc0, 0x80, 0x84, 1, 0, 0, 0, 0xff, 0xff];
    let body = [&[0, 0, 0, 15][..], &zlib].concat();
    assert_eq!(golden(2, 2, number::ZLIB, &body), [R; 4]);
    // zlib.compressobj(): compress(b"\1\xff\0\0") + flush(Z_SYNC_FLUSH)
    let zrle = [0x78, 0x9c, 0x62, 0xfc, 0xcf, 0xc0, 0, 0, 0, 0, 0xff, 0xff];
    let body = [&[0, 0, 0, 12][..], &zrle].concat();
    assert_eq!(golden(2, 2, number::ZRLE, &body), [B; 4]);
    let short = [&[0, 0, 0, 12][..], &zrle].concat();
    assert_eq!(refusal(Rect::new(0, 0, 2, 2), number::ZLIB, &short), Misbehavior::CompressedData);
    let long = [&[0, 0, 0, 15][..], &zlib].concat();
    assert_eq!(refusal(Rect::new(0, 0, 1, 2), number::ZLIB, &long), Misbehavior::CompressionBomb);
    let huge = [4, 0, 0, 0];
    assert_eq!(refusal(Rect::new(0, 0, 2, 2), number::ZRLE, &huge), Misbehavior::RectangleMalformed);
}

#[test]
fn tight_golden() {
    assert_eq!(golden(2, 1, number::TIGHT, &[0x80, 255, 0, 0]), [R, R]);
    // Under 12 bytes there is neither zlib nor a length: copied, two colors, three colors, gradient.
    assert_eq!(golden(2, 1, number::TIGHT, &[0x00, 255, 0, 0, 0, 0, 255]), [R, B]);
    let two = [0x50, 1, 1, 255, 0, 0, 0, 255, 0, 0b0100_0000, 0b1000_0000];
    assert_eq!(golden(2, 2, number::TIGHT, &two), [R, G, G, R]);
    let three = [0x60, 1, 2, 255, 0, 0, 0, 255, 0, 0, 0, 255, 2, 1, 0];
    assert_eq!(golden(3, 1, number::TIGHT, &three), [B, G, R]);
    let gradient = [0x70, 2, 10, 20, 30, 1, 1, 255, 250, 0, 5];
    assert_eq!(golden(3, 1, number::TIGHT, &gradient), [0x0a141e, 0x0b151d, 0x051522]);
    // The same stream as in the Zlib test, reset before use; and without zlib.
    let zlib = [0x78, 0x9c, 0x62, 0x60, 0xf8, 0xcf, 0xc0, 0x80, 0x84, 1, 0, 0, 0, 0xff, 0xff];
    let deflated = [&[0x42, 1, 2, 255, 0, 0, 0, 255, 0, 0, 0, 255, 15][..], &zlib].concat();
    assert_eq!(refusal(Rect::new(0, 0, 4, 4), number::TIGHT, &deflated), Misbehavior::RectangleMalformed);
    let plain =
        [&[0xe0, 1, 2, 255, 0, 0, 0, 255, 0, 0, 0, 255, 12][..], &[0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]];
    assert_eq!(golden(12, 1, number::TIGHT, &plain.concat()), [R, G, B].repeat(4));
    for control in [0xa0, 0xb0, 0xc0, 0xd0, 0xf0] {
        let mut decoder = Decoder::new(&init(32, 32)).unwrap();
        decoder.set_encodings(&[number::TIGHT]);
        let bytes = update(Rect::new(0, 0, 4, 4), number::TIGHT, &[control, 1, 0]);
        assert_eq!(decoder.handle_server_bytes(&bytes), Err(Misbehavior::RectangleMalformed), "{control:x}");
    }
}

#[test]
fn indexed_colors_golden() {
    let format = PixelFormat::MAPPED;
    let mut decoder = Decoder::new(&ServerInit { pixel_format: format, ..init(2, 1) }).unwrap();
    let map = [1, 0, 0, 7, 0, 2, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x12];
    feed(&mut decoder, &map, 1).unwrap();
    feed(&mut decoder, &update(Rect::new(0, 0, 2, 1), number::RAW, &[8, 7]), 1).unwrap();
    assert_eq!(decoder.framebuffer().pixels(), [0x80, R]);
}

#[test]
fn sizes_names_fences_and_the_last_rectangle() {
    let mut decoder = Decoder::new(&init(2, 2)).unwrap().with_events();
    let mut bytes = vec![0, 0, 0xff, 0xff];
    rfb::encode::header(Rect::new(0, 0, 4, 3), number::DESKTOP_SIZE, &mut bytes);
    rfb::encode::desktop_name(b"other", &mut bytes);
    rfb::encode::header(Rect::default(), number::LAST_RECT, &mut bytes);
    bytes.extend([2, 3, 0, 0, 0, 0, 0, 0, 2, b'h', b'i', 150]);
    bytes.extend([3, 0, 0, 0, 0xff, 0xff, 0xff, 0xfc, 1, 0, 0, 2]);
    bytes.extend([248, 0, 0, 0, 0x80, 0, 0, 1, 1, 7]);
    feed(&mut decoder, &bytes, 3).unwrap();
    let layout = rfb::decode::Layout { width: 4, height: 3, ..Default::default() };
    let expected = [
        Event::Resized(layout),
        Event::Renamed,
        Event::Updated,
        Event::Bell,
        Event::CutText(b"hi".to_vec()),
        Event::EndOfContinuousUpdates,
        Event::ExtendedCutText(vec![1, 0, 0, 2]),
        Event::Fence { flags: 0x8000_0001, payload: vec![7] },
    ];
    assert_eq!(decoder.take_events(), expected);
    assert_eq!((decoder.framebuffer().width(), decoder.name()), (4, &b"other"[..]));
}

#[test]
fn a_refused_size_changes_nothing() {
    let mut decoder = Decoder::new(&init(2, 2)).unwrap();
    let screen = rfb::decode::Screen { id: 1, rect: Rect::new(0, 0, 9, 9), flags: 0 };
    let refused = rfb::decode::Layout { width: 9, height: 9, reason: 1, status: 1, screens: vec![screen] };
    let mut bytes = vec![0, 0, 0, 1];
    rfb::encode::layout(&refused, &mut bytes);
    feed(&mut decoder, &bytes, 5).unwrap();
    assert_eq!(decoder.framebuffer().width(), 2);
    let done = rfb::decode::Layout { status: 0, width: 5, ..refused };
    let mut bytes = vec![0, 0, 0, 1];
    rfb::encode::layout(&done, &mut bytes);
    assert_eq!(decoder.handle_server_bytes(&bytes), Err(Misbehavior::ScreenLayout));
}

#[test]
fn limits_end_the_session() {
    let everywhere = Rect::new(0, 0, 16_384, 16_384);
    for (bytes, expected) in [
        (update(Rect::new(30, 0, 3, 1), number::RAW, &[]), Misbehavior::RectangleOutside),
        (update(everywhere, number::DESKTOP_SIZE, &[]), Misbehavior::ScreenSize),
        (update(Rect::default(), number::DESKTOP_SIZE, &[]), Misbehavior::ScreenSize),
        (update(Rect::new(0, 0, 2000, 1), number::CURSOR, &[]), Misbehavior::CursorSize),
        (update(Rect::default(), number::DESKTOP_NAME, &[0xff; 4]), Misbehavior::NameTooLong),
        (update(Rect::default(), 50, &[]), Misbehavior::UnknownEncoding),
        (vec![3, 0, 0, 0, 0x80, 0, 0, 0], Misbehavior::MessageTooLong),
        (vec![3, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff], Misbehavior::MessageTooLong),
        (vec![248, 0, 0, 0, 0, 0, 0, 0, 65], Misbehavior::FenceTooLong),
        (vec![99], Misbehavior::UnknownMessage),
    ] {
        let mut decoder = Decoder::new(&init(32, 32)).unwrap();
        assert_eq!(decoder.handle_server_bytes(&bytes), Err(expected), "{bytes:?}");
    }
    let mut decoder = Decoder::new(&init(32, 32)).unwrap();
    decoder.set_encodings(&[number::RAW, number::ZRLE]);
    let unasked = update(Rect::new(0, 0, 1, 1), number::HEXTILE, &[]);
    assert_eq!(decoder.handle_server_bytes(&unasked), Err(Misbehavior::UnknownEncoding));
    assert_eq!(Decoder::bounded(&init(100, 100), 9999).err(), Some(Misbehavior::ScreenSize));
}

#[test]
fn a_cursor_with_alpha_is_raw_inside() {
    let body = [&[0, 0, 0, 0][..], &[128, 0, 0, 128], &[0, 0, 255, 255]].concat();
    let mut decoder = Decoder::new(&init(4, 4)).unwrap().with_events();
    feed(&mut decoder, &update(Rect::new(1, 0, 2, 1), number::CURSOR_WITH_ALPHA, &body), 1).unwrap();
    let cursor = decoder.cursor().unwrap();
    assert_eq!((cursor.hot_x, cursor.pixels.as_slice()), (1, &[0x80ff_0000, 0xff00_00ff][..]));
    assert_eq!(decoder.take_events(), [Event::CursorChanged, Event::Updated]);
}

const ENCODINGS: [i32; 26] = [
    0,
    1,
    2,
    4,
    5,
    6,
    7,
    15,
    16,
    -260,
    -223,
    -224,
    -232,
    -239,
    -240,
    -257,
    -258,
    -259,
    -261,
    -307,
    -308,
    -314,
    0x574d_5664,
    0x574d_5668,
    0x574d_5669,
    50,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whatever bytes come: no panic, and the same answer in every chunking.
    #[test]
    fn hostile_rectangles_never_panic(
        encoding in proptest::sample::select(&ENCODINGS[..]),
        x in 0u16..20, y in 0u16..20, width in 0u16..70, height in 0u16..40,
        body in proptest::collection::vec(prop_oneof![any::<u8>(), 0u8..4, Just(128), Just(255)], 0..600),
        bits in proptest::sample::select(&[8u8, 16, 32][..]),
        size in 1usize..40,
    ) {
        let pixel_format = PixelFormat { bits_per_pixel: bits, depth: bits.min(24), ..PixelFormat::RGB888 };
        let init = ServerInit { pixel_format, ..init(64, 32) };
        let mut bytes = update(Rect::new(x, y, width, height), encoding, &body);
        bytes.extend(&body);
        let mut whole = Decoder::bounded(&init, 1 << 16).unwrap();
        let mut pieces = Decoder::bounded(&init, 1 << 16).unwrap();
        let answer = whole.handle_server_bytes(&bytes);
        let mut held = Vec::new();
        let mut in_pieces = Ok(0);
        for piece in bytes.chunks(size) {
            held.extend_from_slice(piece);
            in_pieces = in_pieces.and_then(|taken| {
                let more = pieces.handle_server_bytes(&held)?;
                held.drain(..more);
                Ok(taken + more)
            });
        }
        prop_assert_eq!(&answer, &in_pieces);
        if answer.is_ok() {
            prop_assert_eq!(whole.framebuffer().pixels(), pieces.framebuffer().pixels());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn broken_captures_never_panic(
        at in any::<proptest::sample::Index>(), byte in any::<u8>(),
        name in proptest::sample::select(&["novnc17-qemu-tightpng", "qemu-gvncviewer", "tight-tight"][..]),
    ) {
        let session = capture_file::read(name);
        let server = session.segments.iter().filter_map(|segment| match segment {
            Segment::Server(bytes) => Some(bytes),
            Segment::Viewer(_) => None,
        });
        let mut bytes: Vec<u8> = server.flatten().copied().collect();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let mut decoder = Decoder::bounded(&session.init, 1 << 20).unwrap();
        let _ = decoder.handle_server_bytes(&bytes);
    }
}
