//! Every decoder of rectangles, fed by a hostile server.
//!
//! Input: seed for pieces, pixel format, width, height; then the server's bytes after ServerInit.

use crate::input::{Pieces, settings};
use rfb::decode::Event;
use rfb::{Decoder, Misbehavior, PixelFormat, ServerInit};

/// Screens beyond this are refused here, so that one input cannot take all the time there is.
const PIXELS: usize = 1 << 17;

/// See the module's text.
pub fn decoders(data: &[u8]) {
    let ([seed, format, width, height], rest) = settings::<4>(data);
    let init = ServerInit {
        width: u16::from(width) * 2,
        height: u16::from(height) * 2,
        pixel_format: pixel_format(format),
        name: Vec::new(),
    };
    let whole = run(&init, [rest].into_iter());
    let split = run(&init, Pieces::new(seed).cut(rest).into_iter());
    assert_eq!(whole, split, "the picture depends on the pieces");
}

fn pixel_format(n: u8) -> PixelFormat {
    let formats = [
        PixelFormat::RGB888,
        PixelFormat::RGB565,
        PixelFormat::BGR233,
        PixelFormat::MAPPED,
        PixelFormat {
            big_endian: true,
            red_shift: 24,
            green_shift: 16,
            blue_shift: 8,
            ..PixelFormat::RGB888
        },
        PixelFormat { depth: 32, ..PixelFormat::RGB888 },
        PixelFormat { big_endian: true, ..PixelFormat::RGB565 },
    ];
    formats.get(usize::from(n) % formats.len()).copied().unwrap_or(PixelFormat::RGB888)
}

#[derive(PartialEq, Debug)]
struct Outcome {
    pixels: Vec<u32>,
    size: (u16, u16),
    events: Vec<Event>,
    cursor: String,
    updates: u64,
    done: usize,
    error: Option<Misbehavior>,
}

fn run<'a>(init: &ServerInit, pieces: impl Iterator<Item = &'a [u8]>) -> Option<Outcome> {
    let mut decoder = Decoder::bounded(init, PIXELS).ok()?.with_events();
    let (mut held, mut events, mut done, mut error) = (Vec::new(), Vec::new(), 0, None);
    'all: for piece in pieces {
        held.extend_from_slice(piece);
        loop {
            let taken = match decoder.handle_server_bytes(&held) {
                Ok(taken) => taken,
                Err(misbehavior) => {
                    error = Some(misbehavior);
                    events.extend(decoder.take_events());
                    break 'all;
                }
            };
            assert!(taken <= held.len());
            held.drain(..taken);
            done += taken;
            let new = decoder.take_events();
            if taken == 0 && new.is_empty() {
                break;
            }
            events.extend(new);
        }
    }
    let screen = decoder.framebuffer();
    assert!(screen.pixels().len() <= PIXELS);
    Some(Outcome {
        pixels: screen.pixels().to_vec(),
        size: (screen.width(), screen.height()),
        events,
        cursor: format!("{:?}", decoder.cursor()),
        updates: decoder.updates(),
        // How far an error came is a matter of pieces; that it came is not.
        done: if error.is_some() { 0 } else { done },
        error,
    })
}
