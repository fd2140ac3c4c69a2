//! Every encoder through the decoder, in every kind of pixel format.

use proptest::prelude::*;
use rfb::decode::{Cursor, Decoder, number};
use rfb::encode::{self, Encoder};
use rfb::framebuffer::{Framebuffer, Rect};
use rfb::{PixelFormat, ServerInit};

const LOSSLESS: [i32; 10] = [
    number::RAW,
    number::RRE,
    number::CORRE,
    number::HEXTILE,
    number::ZLIB,
    number::TIGHT,
    number::TIGHT_PNG,
    number::TRLE,
    number::ZRLE,
    number::COPY_RECT,
];

/// Formats with whole and short channels, both byte orders, three and four byte CPIXELs.
fn formats() -> Vec<PixelFormat> {
    let rgb = PixelFormat::RGB888;
    let high = PixelFormat { red_shift: 24, green_shift: 16, blue_shift: 8, ..rgb };
    let bgr = PixelFormat { red_shift: 0, green_shift: 8, blue_shift: 16, ..rgb };
    let deep = PixelFormat {
        red_max: 1023,
        green_max: 1023,
        blue_max: 1023,
        red_shift: 20,
        green_shift: 10,
        depth: 30,
        ..rgb
    };
    let short = PixelFormat { depth: 12, red_max: 15, green_max: 15, blue_max: 15, ..rgb };
    let map = PixelFormat::MAPPED;
    let formats = [
        rgb,
        high,
        bgr,
        deep,
        short,
        PixelFormat { depth: 32, ..rgb },
        PixelFormat::RGB565,
        PixelFormat::BGR233,
        map,
    ];
    formats.into_iter().flat_map(|f| [f, PixelFormat { big_endian: true, ..f }]).collect()
}

/// What is left of a color in a format: written down apart from the encoder.
fn quantized(color: u32, format: &PixelFormat) -> u32 {
    let maxima =
        if format.true_color { [format.red_max, format.green_max, format.blue_max] } else { [7, 7, 3] };
    color.to_be_bytes()[1..].iter().zip(maxima).fold(0, |all, (&channel, max)| {
        let max = f64::from(max);
        let short = (f64::from(channel) * max / 255.0).round();
        all << 8 | (short * 255.0 / max).round() as u32
    })
}

/// Scenes of every kind that encoders treat apart: from one color to noise.
fn scene(width: u16, height: u16, kind: u8, seed: u32) -> Framebuffer {
    let mut screen = Framebuffer::new(width, height);
    let mut state = seed | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let palette: Vec<u32> = (0..200).map(|_| random() & 0xff_ffff).collect();
    for (y, row) in screen.rows_mut(Rect::new(0, 0, width, height)).enumerate() {
        for (x, pixel) in row.iter_mut().enumerate() {
            let (x, y) = (x as u32, y as u32);
            *pixel = match kind {
                0 => palette[0],
                1 => palette[(random() % 2) as usize],
                2 => palette[(random() % 3) as usize],
                3 => palette[(x / 9 % 16) as usize],
                4 => palette[((x / 5 + y) % 100) as usize],
                5 => palette[(random() % 200) as usize],
                6 => (x * 3 % 256) << 16 | (y * 5 % 256) << 8 | ((x + y) % 256),
                7 => palette[(random() % 40 / 39 * (x % 3)) as usize],
                _ => random() & 0xff_ffff,
            };
        }
    }
    screen
}

fn decoded(format: PixelFormat, width: u16, height: u16, bytes: &[u8]) -> Decoder {
    let init = ServerInit { width, height, pixel_format: format, name: Vec::new() };
    let mut decoder = Decoder::new(&init).unwrap();
    if !format.true_color {
        let mut map = Vec::new();
        encode::color_map(&mut map);
        assert_eq!(decoder.handle_server_bytes(&map), Ok(map.len()));
    }
    assert_eq!(decoder.handle_server_bytes(bytes), Ok(bytes.len()));
    decoder
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_encoder_through_the_decoder(
        width in 1u16..150, height in 1u16..90, seed in any::<u32>(),
        kinds in proptest::collection::vec(0u8..9, 1..4),
        encoding in proptest::sample::select(&LOSSLESS[..]),
        format in proptest::sample::select(formats()),
        level in 0i32..10,
        without_zlib in any::<bool>(),
        x in 0u16..40, y in 0u16..40,
    ) {
        // A PNG keeps its 24 bits whatever the format is, so only those can be compared.
        prop_assume!(encoding != number::TIGHT_PNG || quantized(0x123457, &format) == 0x123457);
        let mut encoder = Encoder::new(format);
        let pseudo = if without_zlib { number::TIGHT_WITHOUT_ZLIB } else { number::LAST_RECT };
        encoder.set_encodings(&[encoding, number::COMPRESS_0 + level, pseudo]);
        let mut expected = Framebuffer::new(width, height);
        let mut bytes = Vec::new();
        for (n, kind) in kinds.into_iter().enumerate() {
            // Later rectangles are smaller and elsewhere; the zlib streams go on.
            let rect = if n == 0 {
                expected.bounds()
            } else {
                Rect::new(x % width, y % height, 100, 60).intersection(&expected.bounds())
            };
            let screen = scene(width, height, kind, seed);
            encoder.update(encoding, &screen, &[rect], &mut bytes);
            for (to, from) in expected.rows_mut(rect).zip(screen.rows(rect)) {
                for (to, from) in to.iter_mut().zip(from) {
                    *to = quantized(*from, &format);
                }
            }
        }
        let decoder = decoded(format, width, height, &bytes);
        prop_assert_eq!(decoder.framebuffer().pixels(), expected.pixels());
    }
}

#[test]
fn large_tight_rectangles_become_parts() {
    let screen = scene(2100, 600, 6, 1);
    let mut bytes = Vec::new();
    Encoder::new(PixelFormat::RGB888).update(number::TIGHT, &screen, &[screen.bounds()], &mut bytes);
    assert_eq!(bytes[..4], [0, 0, 0, 10]);
    let decoder = decoded(PixelFormat::RGB888, 2100, 600, &bytes);
    assert_eq!(decoder.framebuffer().pixels(), screen.pixels());
}

#[test]
fn jpeg_is_near() {
    let mut screen = Framebuffer::new(200, 120);
    for (y, row) in (0..).zip(screen.rows_mut(Rect::new(0, 0, 200, 120))) {
        for (x, pixel) in (0..).zip(row) {
            *pixel = x << 16 | (y * 2) << 8 | (255 - x);
        }
    }
    let mut encoder = Encoder::new(PixelFormat::RGB888);
    encoder.set_encodings(&[number::TIGHT, number::QUALITY_9]);
    let mut bytes = Vec::new();
    encoder.update(number::TIGHT, &screen, &[screen.bounds()], &mut bytes);
    assert_eq!(bytes[16], 0x90, "it is JPEG");
    let decoder = decoded(PixelFormat::RGB888, 200, 120, &bytes);
    let squares = screen.pixels().iter().zip(decoder.framebuffer().pixels()).flat_map(|(a, b)| {
        let channels = a.to_be_bytes().into_iter().zip(b.to_be_bytes());
        channels.map(|(a, b)| (f64::from(a) - f64::from(b)).powi(2))
    });
    let mean = squares.sum::<f64>() / (200.0 * 120.0 * 3.0);
    assert!(mean > 0.0 && mean < 10.0, "mean square error {mean}");
}

#[test]
fn cursors_in_every_format() {
    let pixels = vec![0xffff_ffff, 0, 0xff00_0000, 0xff00_00ff, 0, 0xffff_ffff];
    let cursor = Cursor { hot_x: 1, hot_y: 0, width: 3, height: 2, pixels };
    for format in formats() {
        let mut bytes = vec![0, 0, 0, 1];
        Encoder::new(format).cursor(&cursor, &mut bytes);
        assert_eq!(decoded(format, 4, 4, &bytes).cursor(), Some(&cursor), "{format:?}");
    }
}
