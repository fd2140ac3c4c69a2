//! How fast the observer is, alone: `cargo run --release -p rfb --example observer_bench`.
//!
//! Every figure is the best of fifteen rounds over bytes in memory, shown in the pieces that a socket gives:
//! whatever else the machine does can only make a round slower.

use model::Policy;
use model::event::{Event, Origin, Sink};
use rfb::{Observer, PixelFormat, ServerInit};
use std::time::{Duration, Instant};

const PIECES: [usize; 2] = [1460, 65_536];
const ROUNDS: usize = 15;

/// One kind of traffic.
struct Load {
    name: &'static str,
    origin: Origin,
    bytes: Vec<u8>,
    /// Rectangles or messages.
    items: usize,
    unit: Unit,
}

enum Unit {
    NanosecondsPerItem { at_most: f64 },
    GigabytesPerSecond { at_least: f64 },
}

#[derive(Default)]
struct Count(u64);

impl Sink for Count {
    #[inline]
    fn event(&mut self, event: Event<'_>) {
        self.0 += u64::from(matches!(event, Event::Rectangle { .. } | Event::Message { .. }));
    }
}

fn main() {
    let mut missed = 0;
    println!("{:<34} {:>9} {:>12} {:>12}  target", "load", "piece", "ns/item", "GB/s");
    for load in loads() {
        for piece in PIECES {
            let time = best(&load, piece);
            let ns = time.as_secs_f64() * 1e9 / load.items as f64;
            let gb = load.bytes.len() as f64 / time.as_secs_f64() / 1e9;
            let (target, met) = match load.unit {
                Unit::NanosecondsPerItem { at_most } => (format!("<= {at_most} ns"), ns <= at_most),
                Unit::GigabytesPerSecond { at_least } => (format!(">= {at_least} GB/s"), gb >= at_least),
            };
            missed += u32::from(!met);
            let mark = if met { "met" } else { "MISSED" };
            println!("{:<34} {piece:>9} {ns:>12.2} {gb:>12.2}  {target} {mark}", load.name);
        }
    }
    std::process::exit(i32::from(missed > 0));
}

fn best(load: &Load, piece: usize) -> Duration {
    (0..ROUNDS).map(|_| round(load, piece)).min().unwrap_or_default()
}

/// One pass over the load: undecided bytes are shown again with the next piece.
fn round(load: &Load, piece: usize) -> Duration {
    let mut observer = ready();
    let mut count = Count::default();
    let start = Instant::now();
    let (mut from, mut to) = (0, 0);
    while to < load.bytes.len() {
        to = (to + piece).min(load.bytes.len());
        let verdict = observer.observe(load.origin, &load.bytes[from..to], &mut count);
        assert!(verdict.fault.is_none() && verdict.is_untouched());
        from += verdict.decided;
    }
    let time = start.elapsed();
    assert!(from == to && count.0 >= load.items as u64);
    time
}

/// A live session after its first messages.
fn ready() -> Observer {
    let init = ServerInit { width: 1920, height: 1080, pixel_format: PixelFormat::RGB888, name: Vec::new() };
    let mut observer = Observer::after_init(&init, Policy::default());
    let encodings = [7i32, 16, 15, 6, 5, 2, 1, 0, -239, -224];
    let mut message = vec![2, 0, 0, encodings.len() as u8];
    encodings.iter().for_each(|n| message.extend(n.to_be_bytes()));
    assert!(observer.observe(Origin::Viewer, &message, &mut Count::default()).fault.is_none());
    observer
}

fn loads() -> Vec<Load> {
    let per_rectangle = || Unit::NanosecondsPerItem { at_most: 25.0 };
    let throughput = |at_least| Unit::GigabytesPerSecond { at_least };
    let fill = [&[0x80][..], &[1, 2, 3]].concat();
    let small_tight = [&[0x00, 40][..], &[7; 40]].concat();
    let palette = [&[0x50, 1, 1, 0, 0, 0, 9, 9, 9, 60][..], &[7; 60]].concat();
    let counted = |n: usize| [&(n as u32).to_be_bytes()[..], &vec![7; n]].concat();
    vec![
        updates("rectangles: Tight fill", 7, (64, 64), &fill, 16 << 20, per_rectangle()),
        updates("rectangles: Tight 40 bytes", 7, (64, 64), &small_tight, 16 << 20, per_rectangle()),
        updates("rectangles: Tight palette 60 bytes", 7, (64, 64), &palette, 16 << 20, per_rectangle()),
        updates("rectangles: ZRLE 100 bytes", 16, (64, 64), &counted(100), 16 << 20, per_rectangle()),
        updates("rectangles: CopyRect", 1, (64, 64), &[0, 1, 0, 1], 16 << 20, per_rectangle()),
        updates("rectangles: Raw 4 x 4", 0, (4, 4), &[7; 64], 16 << 20, per_rectangle()),
        messages("viewer: pointer", &[&[5, 0, 0, 9, 0, 9]]),
        messages("viewer: key", &[&[4, 1, 0, 0, 0, 0, 0, 0x61], &[4, 0, 0, 0, 0, 0, 0, 0x61]]),
        messages("viewer: request", &[&[3, 1, 0, 0, 0, 0, 7, 0x80, 4, 0x38]]),
        messages(
            "viewer: mixed",
            &[&[5, 0, 0, 9, 0, 9], &[3, 1, 0, 0, 0, 0, 7, 0x80, 4, 0x38], &[4, 1, 0, 0, 0, 0, 0, 0x61]],
        ),
        updates("bodies: ZRLE 2 KiB", 16, (64, 64), &counted(2048), 64 << 20, throughput(15.0)),
        updates("bodies: Zlib 16 KiB", 6, (256, 256), &counted(16_384), 64 << 20, throughput(15.0)),
        updates("bodies: Raw 64 KiB", 0, (128, 128), &vec![7; 65_536], 64 << 20, throughput(15.0)),
        updates("walk: Hextile, text", 5, (640, 480), &hextile(640, 480), 32 << 20, throughput(1.0)),
        updates("walk: TRLE, mixed", 15, (640, 480), &trle(640, 480), 32 << 20, throughput(1.0)),
        updates("walk: TRLE, runs", 15, (640, 480), &trle_runs(640, 480), 32 << 20, throughput(1.0)),
    ]
}

/// About `len` bytes of updates, 64 equal rectangles each.
fn updates(
    name: &'static str,
    number: i32,
    (width, height): (u16, u16),
    body: &[u8],
    len: usize,
    unit: Unit,
) -> Load {
    let mut update = vec![0, 0, 0, 64];
    for _ in 0..64 {
        update.extend([0; 4]);
        update.extend(width.to_be_bytes());
        update.extend(height.to_be_bytes());
        update.extend(number.to_be_bytes());
        update.extend(body);
    }
    let repeats = (len / update.len()).max(1);
    Load { name, origin: Origin::Target, bytes: update.repeat(repeats), items: repeats * 64, unit }
}

fn messages(name: &'static str, messages: &[&[u8]]) -> Load {
    let repeats = 300_000 / messages.len();
    let bytes = messages.concat().repeat(repeats);
    let items = repeats * messages.len();
    Load { name, origin: Origin::Viewer, bytes, items, unit: Unit::NanosecondsPerItem { at_most: 30.0 } }
}

/// Tiles as a desktop with text gives them: background, a foreground, and subrectangles.
fn hextile(width: usize, height: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for tile in 0..width / 16 * (height / 16) {
        match tile % 4 {
            0 => body.extend([2 | 4 | 8, 1, 2, 3, 4, 5, 6, 7, 8, 30].into_iter().chain([9; 60])),
            1 => body.extend([8, 20].into_iter().chain([9; 40])),
            2 => body.extend([8 | 16, 12].into_iter().chain([9; 72])),
            _ => body.extend([2, 1, 2, 3, 4]),
        }
    }
    body
}

/// Solid, packed and palette tiles, some with runs.
fn trle(width: usize, height: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for tile in 0..width / 16 * (height / 16) {
        match tile % 4 {
            0 => body.extend([1, 5, 5, 5]),
            1 => body.extend([2, 0, 0, 0, 1, 1, 1].into_iter().chain([0x55; 32])),
            2 => body.extend([4].into_iter().chain([3; 12]).chain([0x1b; 64])),
            _ => {
                body.extend([131].into_iter().chain([3; 9]));
                body.extend([0, 1, 2, 0x80, 12].repeat(16));
            }
        }
    }
    body
}

/// Only runs of three pixels with a color each: the slowest walk there is.
fn trle_runs(width: usize, height: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..width / 16 * (height / 16) {
        body.push(128);
        body.extend([1, 2, 3, 3].repeat(64));
    }
    body
}
