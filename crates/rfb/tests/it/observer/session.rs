//! Made-up sessions with every message and every rectangle that can be framed.

use flate2::{Compression, write::ZlibEncoder};
use model::event::Origin;
use rfb::encoding::{self, Encoding};
use rfb::{PixelFormat, ServerInit};
use std::io::Write;

pub(crate) type Pieces = Vec<(Origin, Vec<u8>)>;

pub(crate) fn init() -> ServerInit {
    ServerInit { width: 640, height: 480, pixel_format: PixelFormat::RGB888, name: b"made up".to_vec() }
}

pub(crate) const RGB565: PixelFormat = PixelFormat::RGB565;

pub(crate) const RGB332: PixelFormat =
    PixelFormat { red_shift: 5, green_shift: 2, blue_shift: 0, ..PixelFormat::BGR233 };

pub(crate) fn be16(n: usize) -> [u8; 2] {
    u16::try_from(n).unwrap().to_be_bytes()
}

pub(crate) fn be32(n: usize) -> [u8; 4] {
    u32::try_from(n).unwrap().to_be_bytes()
}

pub(crate) fn cat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

std::thread_local! {
    /// Added to everything private: two sessions that differ only in it frame the same.
    pub(crate) static SALT: std::cell::Cell<u8> = const { std::cell::Cell::new(0) };
}

fn salt() -> usize {
    SALT.get().into()
}

fn salted(text: &[u8]) -> Vec<u8> {
    text.iter().map(|b| b ^ SALT.get()).collect()
}

/// Bytes that look like nothing in particular.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491u32 ^ u32::from(SALT.get());
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 24) as u8
        })
        .collect()
}

pub(crate) fn set_encodings(numbers: &[i32]) -> Vec<u8> {
    let mut message = cat(&[&[2, 0], &be16(numbers.len())]);
    numbers.iter().for_each(|n| message.extend(n.to_be_bytes()));
    message
}

pub(crate) fn set_pixel_format(format: &PixelFormat) -> Vec<u8> {
    let mut message = vec![0, 0, 0, 0];
    format.write(&mut message);
    message
}

pub(crate) fn request(incremental: u8) -> Vec<u8> {
    cat(&[&[3, incremental, 0, 0, 0, 0], &be16(640), &be16(480)])
}

pub(crate) fn key(down: u8, keysym: usize) -> Vec<u8> {
    cat(&[&[4, down, 0, 0], &be32(keysym + salt())])
}

pub(crate) fn extended_key(down: u8, keysym: usize, keycode: usize) -> Vec<u8> {
    cat(&[&[255, 0, 0, down], &be32(keysym + salt()), &be32(keycode + salt())])
}

pub(crate) fn pointer(buttons: u8, x: usize, y: usize) -> Vec<u8> {
    cat(&[&[5, buttons], &be16(x + salt()), &be16(y + salt())])
}

pub(crate) fn fence(flags: u32, payload: &[u8]) -> Vec<u8> {
    cat(&[&[248, 0, 0, 0], &flags.to_be_bytes(), &[payload.len() as u8], payload])
}

pub(crate) fn cut_text(kind: u8, text: &[u8]) -> Vec<u8> {
    cat(&[&[kind, 0, 0, 0], &be32(text.len()), &salted(text)])
}

pub(crate) fn extended_clipboard(kind: u8, flags: u32, data: &[u8]) -> Vec<u8> {
    let length = -(i32::try_from(data.len()).unwrap() + 4);
    cat(&[&[kind, 0, 0, 0], &length.to_be_bytes(), &flags.to_be_bytes(), data])
}

pub(crate) fn provide(kind: u8, text: &[u8]) -> Vec<u8> {
    extended_clipboard(kind, 0x1000_0001, &zlib(&cat(&[&be32(text.len()), &salted(text)])))
}

pub(crate) fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn rectangle(place: [usize; 4], number: i32, body: &[u8]) -> Vec<u8> {
    let [mut x, mut y, w, h] = place;
    if (0..1000).contains(&number) {
        (x, y) = (x + salt(), y + salt());
    }
    cat(&[&be16(x), &be16(y), &be16(w), &be16(h), &number.to_be_bytes(), body])
}

pub(crate) fn update(rectangles: &[Vec<u8>]) -> Vec<u8> {
    cat(&[&[0, 0], &be16(rectangles.len()), &rectangles.concat()])
}

pub(crate) fn layout(screens: usize) -> Vec<u8> {
    cat(&[&[screens as u8, 0, 0, 0], &noise(16 * screens)])
}

/// A length of four bytes and as much noise.
fn counted(len: usize) -> Vec<u8> {
    cat(&[&be32(len), &noise(len)])
}

fn hextile(width: usize, height: usize, pixel: usize) -> Vec<u8> {
    let mut body = Vec::new();
    let mut kind = 0;
    for y in (0..height).step_by(16) {
        for x in (0..width).step_by(16) {
            let area = (width - x).min(16) * (height - y).min(16);
            body.extend(match kind % 5 {
                0 => cat(&[&[1], &noise(area * pixel)]),
                1 => cat(&[&[2 | 4 | 8], &noise(2 * pixel), &[3], &noise(6)]),
                2 => vec![0],
                3 => cat(&[&[2 | 8 | 16], &noise(pixel), &[2], &noise(2 * (2 + pixel))]),
                _ => cat(&[&[2], &noise(pixel)]),
            });
            kind += 1;
        }
    }
    body
}

fn zlib_hex(width: usize, height: usize, pixel: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for (i, _) in
        (0..height).step_by(16).flat_map(|y| (0..width).step_by(16).map(move |x| (x, y))).enumerate()
    {
        body.extend(match i % 3 {
            0 => cat(&[&[32], &be16(9), &noise(9)]),
            1 => cat(&[&[64 | 8 | 2], &be16(5), &noise(5)]),
            _ => cat(&[&[2], &noise(pixel)]),
        });
    }
    body
}

fn trle(width: usize, height: usize, cpixel: usize) -> Vec<u8> {
    let mut body = Vec::new();
    let mut kind = 0;
    for y in (0..height).step_by(16) {
        for x in (0..width).step_by(16) {
            let (w, h) = ((width - x).min(16), (height - y).min(16));
            let packed = |bits: usize| noise((w * bits).div_ceil(8) * h);
            let run = |n: usize| if n > 255 { vec![255, (n - 256) as u8] } else { vec![(n - 1) as u8] };
            body.extend(match kind % 8 {
                0 => cat(&[&[0], &noise(w * h * cpixel)]),
                1 => cat(&[&[1], &noise(cpixel)]),
                2 => cat(&[&[2], &noise(2 * cpixel), &packed(1)]),
                3 => cat(&[&[5], &noise(5 * cpixel), &packed(4)]),
                4 => cat(&[&[127], &packed(4)]),
                5 => cat(&[&[128], &noise(cpixel), &run(w * h)]),
                6 => {
                    let singles = vec![1; w * h / 2];
                    cat(&[&[130], &noise(2 * cpixel), &singles, &[0x80], &run(w * h - w * h / 2)])
                }
                _ => cat(&[&[129], &[0x81], &run(w * h)]),
            });
            kind += 1;
        }
    }
    body
}

pub(crate) const JPEG: &[u8] = &[
    0xff, 0xd8, 0xff, 0xe0, 0, 6, 1, 2, 3, 4, 0xff, 0xc0, 0, 3, 9, 0xff, 0xda, 0, 2, 1, 2, 0xff, 0, 3, 0xff,
    0xd1, 4, 5, 0xff, 0xff, 0xd9,
];

fn compact(len: usize) -> Vec<u8> {
    match len {
        0..=0x7f => vec![len as u8],
        0x80..=0x3fff => vec![(len & 0x7f) as u8 | 0x80, (len >> 7) as u8],
        _ => vec![(len & 0x7f) as u8 | 0x80, (len >> 7 & 0x7f) as u8 | 0x80, (len >> 14) as u8],
    }
}

/// Tight rectangles of every kind.
fn tight(number: i32, tpixel: usize) -> Vec<Vec<u8>> {
    let r = |w, h, body: Vec<u8>| rectangle([3, 4, w, h], number, &body);
    let lengthed = |head: &[u8], len: usize| cat(&[head, &compact(len + salt()), &noise(len + salt())]);
    let mut all = vec![r(600, 400, cat(&[&[0x80], &noise(tpixel)])), r(64, 64, lengthed(&[0x9f], 20_000))];
    if number == Encoding::TightPng.number() {
        all.push(r(64, 64, lengthed(&[0xa0], 300)));
        return all;
    }
    all.push(r(1, 2, cat(&[&[0x00], &noise(2 * tpixel)])));
    all.push(r(64, 64, lengthed(&[0x1f], 100)));
    all.push(r(64, 64, lengthed(&[0x40, 0], 130)));
    all.push(r(64, 64, lengthed(&cat(&[&[0x50, 1, 1], &noise(2 * tpixel)]), 40)));
    all.push(r(8, 4, cat(&[&[0x50, 1, 1], &noise(2 * tpixel), &noise(4)])));
    all.push(r(64, 64, lengthed(&cat(&[&[0x60, 1, 255], &noise(256 * tpixel)]), 400)));
    all.push(r(64, 64, lengthed(&[0x70, 2], 17_000)));
    all
}

/// Rectangles of one encoding, in a format with these sizes of pixels.
pub(crate) fn rectangles(encoding: Encoding, format: &PixelFormat) -> Vec<Vec<u8>> {
    let (pixel, tpixel, cpixel) = (format.bytes_per_pixel(), format.tpixel_len(), format.cpixel_len());
    let number = encoding.number();
    let r = |w: usize, h: usize, body: Vec<u8>| rectangle([1, 2, w, h], number, &body);
    match encoding {
        Encoding::Raw => vec![r(3, 2, noise(6 * pixel)), r(0, 0, vec![]), r(100, 50, noise(5000 * pixel))],
        Encoding::CopyRect => vec![r(10, 10, noise(4))],
        Encoding::Rre => vec![r(9, 9, cat(&[&be32(3), &noise(pixel + 3 * (pixel + 8))]))],
        Encoding::CoRre => vec![r(9, 9, cat(&[&be32(3), &noise(pixel + 3 * (pixel + 4))]))],
        Encoding::Hextile => vec![r(83, 39, hextile(83, 39, pixel)), r(0, 9, vec![])],
        Encoding::ZlibHex => vec![r(83, 39, zlib_hex(83, 39, pixel))],
        Encoding::Trle => vec![r(83, 39, trle(83, 39, cpixel))],
        Encoding::Tight | Encoding::TightPng => tight(number, tpixel),
        Encoding::Jpeg => vec![r(20, 20, JPEG.to_vec())],
        Encoding::H264 => vec![r(64, 64, cat(&[&be32(200), &be32(1), &noise(200)]))],
        Encoding::Cursor => vec![r(9, 5, noise(45 * pixel + 10)), r(0, 0, vec![])],
        Encoding::XCursor => vec![r(9, 5, noise(6 + 20)), r(0, 0, vec![])],
        Encoding::CursorWithAlpha => vec![
            r(9, 5, cat(&[&0i32.to_be_bytes(), &noise(180)])),
            r(20, 20, cat(&[&7i32.to_be_bytes(), &[0x80], &noise(4)])),
            r(20, 20, cat(&[&5i32.to_be_bytes(), &hextile(20, 20, 4)])),
            r(20, 20, cat(&[&16i32.to_be_bytes(), &counted(33)])),
        ],
        Encoding::VmwareCursor => {
            vec![r(9, 5, cat(&[&[0, 0], &noise(90 * pixel)])), r(9, 5, cat(&[&[1, 0], &noise(180)]))]
        }
        Encoding::VmwareCursorState | Encoding::VmwareMachineState => vec![r(0, 0, noise(2))],
        Encoding::VmwareKeyRepeat => vec![r(0, 0, noise(10))],
        Encoding::VmwareLed => vec![r(0, 0, noise(4))],
        Encoding::VmwareDisplayMode => {
            let mut body = Vec::new();
            format.write(&mut body);
            vec![r(640, 480, body)]
        }
        Encoding::DesktopName => vec![
            r(0, 0, cat(&[&be32(5), &salted(b"a new")])),
            r(0, 0, cat(&[&be32(3000), &noise(3000)])),
            r(0, 0, vec![0; 4]),
        ],
        Encoding::ExtendedDesktopSize => vec![r(640, 480, layout(2))],
        Encoding::DesktopSize => vec![r(640, 480, vec![])],
        Encoding::QemuLed => vec![r(0, 0, noise(1))],
        Encoding::LibvncMessages => vec![r(64, 0, noise(64))],
        Encoding::LibvncEncodings | Encoding::LibvncIdentity => vec![r(24, 0, noise(24))],
        Encoding::PointerPosition
        | Encoding::PointerChange
        | Encoding::ExtendedKey
        | Encoding::Audio
        | Encoding::ExtendedButtons
        | Encoding::VmwareCursorPosition
        | Encoding::LibvncLed => vec![r(0, 0, vec![])],
        // It ends its update, so it has a session of its own.
        Encoding::LastRect => vec![],
        Encoding::Zlib
        | Encoding::Ultra
        | Encoding::Ultra2
        | Encoding::Zrle
        | Encoding::Zywrle
        | Encoding::Xz
        | Encoding::Xzyw
        | Encoding::Zstd
        | Encoding::ZstdRle
        | Encoding::ZstdYwRle => vec![r(60, 60, counted(777 + salt()))],
    }
}

/// Encodings that a live observer passes on.
pub(crate) fn live_encodings() -> Vec<Encoding> {
    let kept = [
        0,
        1,
        2,
        4,
        5,
        6,
        7,
        15,
        16,
        17,
        21,
        50,
        -260,
        -239,
        -240,
        -314,
        0x574d_5664,
        0x574d_5666,
        0x574d_5668,
        -223,
        -224,
        -232,
        -257,
        -258,
        -259,
        -261,
        -307,
        -308,
        -316,
    ];
    kept.into_iter().map(|n| Encoding::of(n).unwrap()).collect()
}

pub(crate) const ANNOUNCEMENTS: &[i32] = &[
    -24,
    -250,
    -420,
    -764,
    encoding::number::FENCE,
    encoding::number::CONTINUOUS_UPDATES,
    encoding::number::XVP,
    encoding::number::EXTENDED_CLIPBOARD,
];

/// [7.6.8] The target takes power actions.
pub(crate) const XVP_INIT: &[u8] = &[250, 0, 1, 1];

/// A session with everything that may pass a live observer.
pub(crate) fn live(format: &PixelFormat) -> Pieces {
    use Origin::{Target, Viewer};
    let mut numbers: Vec<i32> = live_encodings().iter().map(|e| e.number()).collect();
    numbers.extend(ANNOUNCEMENTS);
    // These cannot be framed or are not wanted.
    numbers.extend([8, 9, -305, 0x574d_5669, -32_768, 12_345]);
    let mut pieces = vec![
        (Viewer, cat(&[&set_pixel_format(format), &set_encodings(&numbers), &request(0)])),
        (
            Target,
            cat(&[&extended_clipboard(3, 0x1f00_0001, &be32(1 << 20)), &[150], &fence(1 << 31, b"abc")]),
        ),
        (Target, XVP_INIT.to_vec()),
        (Viewer, cat(&[&extended_clipboard(6, 0x1f00_0001, &be32(1 << 20)), &fence(0, b"abc")])),
    ];
    for encoding in live_encodings() {
        let all = rectangles(encoding, format);
        pieces.push((Target, update(&all)));
        pieces.push((Viewer, request(1)));
    }
    let endless = cat(&[
        &[0, 0, 0xff, 0xff],
        &rectangles(Encoding::Raw, format).concat(),
        &rectangle([0, 0, 0, 0], Encoding::LastRect.number(), &[]),
    ]);
    pieces.push((Target, cat(&[&endless, &[2], &cut_text(3, b"hello"), &update(&[])])));
    pieces.push((Viewer, input()));
    pieces.push((Target, target_extras()));
    pieces.push((Viewer, cat(&[&[150, 1], &noise(8)])));
    pieces.push((Target, cat(&[&update(&rectangles(Encoding::Raw, format)), &[150]])));
    pieces
}

/// Everything that a viewer may send after both sides announced all they can.
pub(crate) fn input() -> Vec<u8> {
    cat(&[
        &key(1, 0x61),
        &extended_key(1, 0x62, 0x30),
        &pointer(1, 10, 20),
        &cat(&[&pointer(0x81, 10, 20), &[1]]),
        &cut_text(6, b"from the viewer"),
        &extended_clipboard(6, 0x0200_0001, &[]),
        &extended_clipboard(6, 0x0400_0000, &[]),
        &extended_clipboard(6, 0x0800_0001, &[]),
        &provide(6, b"a text of some length"),
        &cat(&[&[251, 0], &be16(800), &be16(600), &[1, 0], &noise(16)]),
        &[250, 0, 1, 3],
        &[255, 1, 0, 0],
        &[255, 1, 0, 1],
        &[255, 1, 0, 2, 3, 2, 0, 0, 0xac, 0x44],
        &fence(1 << 31 | 1, b""),
        &extended_key(0, 0x62, 0x30),
        &key(0, 0x61),
        &pointer(0, 10, 20),
    ])
}

fn target_extras() -> Vec<u8> {
    cat(&[
        &fence(0, b""),
        &[255, 1, 0, 1],
        &cat(&[&[255, 1, 0, 2], &counted(1000)]),
        &[255, 1, 0, 0],
        &extended_clipboard(3, 0x0800_0001, &[]),
        &extended_clipboard(3, 0x0200_0001, &[]),
        &provide(3, "مرحبا".as_bytes()),
        &cat(&[&[1, 0, 0, 0, 0, 2], &noise(12)]),
        &[250, 0, 1, 0],
    ])
}

/// What only a capture may hold: every vendor's messages and encodings.
pub(crate) fn passive() -> Pieces {
    use Origin::{Target, Viewer};
    let numbers: Vec<i32> =
        Encoding::ALL.iter().map(|e| e.number()).chain(ANNOUNCEMENTS.iter().copied()).collect();
    let mut pieces = vec![(Viewer, cat(&[&set_encodings(&numbers), &request(0)]))];
    for &encoding in Encoding::ALL {
        pieces.push((Target, update(&rectangles(encoding, &PixelFormat::RGB888))));
        pieces.push((Viewer, request(1)));
    }
    let name = &salted(b"C:\\secret.txt");
    let named = |head: &[u8]| cat(&[head, &be16(name.len()), name]);
    let text = cat(&[&be32(name.len()), name]);
    pieces.push((Viewer, input()));
    pieces.push((
        Viewer,
        cat(&[
            &cat(&[&[1, 0, 0, 0, 0, 2], &noise(12)]),
            &cat(&[&[7, 1, 0, 0, 0, 0, 0, 0], &text]),
            &cat(&[&[7, 8, 0, 0, 0, 0, 9, 9], &text, &[0, 0, 0, 0]]),
            &cat(&[&[7, 5, 0, 0, 0, 0, 0, 0], &counted(3000)]),
            &[8, 2, 0, 0, 9, 1, 0, 0, 10, 0, 0, 0, 0, 0],
            &cat(&[&[11, 0, 0, 0], &counted(30)]),
            &[11, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 13, 15, 2, 0, 0, 20, 21, 1, 80, 0, 0, 0],
            &named(&[130, 0]),
            &cat(&[&[131, 0], &be16(name.len()), &[0; 4], name]),
            &cat(&[&[132, 0], &be16(name.len()), &[0; 4], name]),
            &cat(&[&[133, 0], &be16(9), &be16(5), &noise(5)]),
            &cat(&[&[133, 0, 0, 0, 0, 0], &noise(4)]),
            &cat(&[&named(&[134, 0]), &named(&[135, 0]), &named(&[136, 0])]),
            &cat(&[&[252, 0, 1, 0, 252, 0, 1, 2, 9], &text]),
            &cat(&[&[252, 0, 1, 4], &text, &noise(16), &[252, 0, 1, 6], &text, &noise(9)]),
            &cat(&[&[252, 0, 1, 8, 1], &be32(70), &be32(99), &noise(70)]),
            &cat(&[
                &[252, 0, 1, 10],
                &noise(10),
                &[252, 0, 1, 12],
                &text,
                &noise(8),
                &[252, 0, 1, 14],
                &noise(5),
            ]),
            &cat(&[&[252, 0, 1, 0x11], &text, &[252, 0, 1, 0x15], &text, &text]),
            &cat(&[&[253, 0x81, 0, 9], &noise(9), &[253, 1, 9, 0], &noise(9)]),
            &[254, 1, 0, 0],
        ]),
    ));
    pieces.push((
        Target,
        cat(&[
            &target_extras(),
            &[4, 0, 2, 128, 1, 224],
            &cat(&[&[7, 2, 0, 0, 0, 0, 0, 0], &text, &[7, 4, 0, 0, 0, 0, 9, 9], &text, &[0; 4]]),
            &cat(&[&[11, 0, 0, 0], &counted(30), &[13]]),
            &cat(&[&[15, 0, 0, 0, 0, 0, 0, 0, 2, 128, 1, 224], &[173], &noise(11)]),
            &cat(&[&[130, 0], &be16(2), &be16(9), &be16(5), &noise(21)]),
            &cat(&[&[131, 0], &be16(9), &be16(5), &noise(5), &[131, 0, 0, 0, 0, 0], &noise(4)]),
            &cat(&[&named(&[132, 0]), &named(&[133, 0])]),
            &[252, 0, 0, 2, 252, 0, 1, 1, 1],
            &cat(&[&[252, 0, 1, 3, 1], &be32(70), &be32(99), &noise(70), &[252, 0, 1, 5], &noise(16)]),
            &cat(&[&[252, 0, 1, 7, 252, 0, 1, 9, 252, 0, 1, 0x10], &noise(9), &[252, 0, 1, 0x18], &noise(8)]),
            &cat(&[&[252, 0, 1, 0x19], &text, &[253, 0x81, 0, 9], &noise(9)]),
            &update(&rectangles(Encoding::Raw, &PixelFormat::RGB888)),
        ]),
    ));
    pieces
}
