//! The test card against the decoder, step by step: what a viewer sees is what the card says it shows.

use proptest::prelude::*;
use rfb::decode::{Event, number};
use rfb::encode;
use rfb::framebuffer::Rect;
use rfb::wire::Put;
use rfb::{Decoder, Misbehavior, PixelFormat, TestCard};
use std::time::{Duration, Instant};

/// A card and a viewer with a perfect wire between them.
struct Pair {
    card: TestCard,
    decoder: Decoder,
    now: Instant,
    sent: usize,
}

impl Pair {
    fn new(card: TestCard) -> Pair {
        let decoder = Decoder::new(&card.server_init()).unwrap().with_events();
        Pair { card, decoder, now: Instant::now(), sent: 0 }
    }

    fn send(&mut self, bytes: &[u8]) {
        assert_eq!(self.card.handle_bytes(bytes, self.now), Ok(bytes.len()));
        self.flow();
    }

    fn flow(&mut self) {
        while let Some(bytes) = self.card.poll_output() {
            self.sent += bytes.len();
            let mut rest = &bytes[..];
            while let taken @ 1.. = self.decoder.handle_server_bytes(rest).unwrap() {
                rest = &rest[taken..];
            }
            assert!(rest.is_empty());
        }
    }

    fn encodings(&mut self, encodings: &[i32]) {
        let mut message = vec![2, 0];
        message.put_u16(encodings.len() as u16);
        encodings.iter().for_each(|&encoding| message.put_i32(encoding));
        self.decoder.set_encodings(encodings);
        self.send(&message);
    }

    fn request(&mut self, incremental: bool) {
        self.request_of(incremental, self.decoder.framebuffer().bounds());
    }

    fn request_of(&mut self, incremental: bool, rect: Rect) {
        let mut message = vec![3, incremental.into()];
        [rect.x, rect.y, rect.width, rect.height].into_iter().for_each(|field| message.put_u16(field));
        self.send(&message);
    }

    fn key(&mut self, key: u32) {
        for down in [1, 0] {
            let mut message = vec![4, down, 0, 0];
            message.put_u32(key);
            self.send(&message);
        }
    }

    fn pointer(&mut self, x: u16, y: u16, buttons: u8) {
        let mut message = vec![5, buttons];
        message.put_u16(x);
        message.put_u16(y);
        self.send(&message);
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.card.handle_timeout(self.now);
        self.flow();
    }

    fn assert_same(&self) {
        assert!(self.card.is_settled());
        assert_eq!(self.card.framebuffer().bounds(), self.decoder.framebuffer().bounds());
        assert!(self.card.framebuffer().pixels() == self.decoder.framebuffer().pixels());
        assert_eq!(self.decoder.framebuffer().pixel(0, 0), Some(self.card.revision()));
    }
}

fn comfortable(encoding: i32) -> Vec<i32> {
    vec![
        encoding,
        number::CURSOR,
        number::DESKTOP_NAME,
        number::EXTENDED_DESKTOP_SIZE,
        number::EXTENDED_KEY,
        number::FENCE,
        number::CONTINUOUS_UPDATES,
        number::QUALITY_9,
    ]
}

#[test]
fn every_encoding_shows_what_the_card_shows() {
    for encoding in [0, 2, 4, 5, 6, 7, 15, 16, -260] {
        let mut pair = Pair::new(TestCard::new(400, 300));
        pair.encodings(&comfortable(encoding));
        pair.request(false);
        pair.assert_same();
        for (n, key) in "Hello, World\r".chars().enumerate() {
            pair.request(true);
            pair.key(if key == '\r' { 0xff0d } else { key.into() });
            pair.pointer(n as u16 * 20, n as u16 * 15, (n % 2) as u8);
        }
        pair.wait(Duration::from_secs(7));
        pair.request(true);
        pair.assert_same();
    }
}

#[test]
fn the_same_input_gives_the_same_pixels() {
    let run = |chunk: usize| {
        let mut pair = Pair::new(TestCard::new(640, 480));
        pair.encodings(&comfortable(number::ZRLE));
        let mut bytes = Vec::new();
        for key in "deterministic".bytes() {
            bytes.extend([4, 1, 0, 0, 0, 0, 0, key, 5, 1, 0, key, 0, key]);
        }
        bytes.extend([6, 0, 0, 0, 0, 0, 0, 3, b'c', b'u', b't']);
        let mut held = Vec::new();
        for piece in bytes.chunks(chunk) {
            held.extend_from_slice(piece);
            let taken = pair.card.handle_bytes(&held, pair.now).unwrap();
            held.drain(..taken);
        }
        pair.request(false);
        pair.wait(Duration::from_secs(61));
        pair.request(true);
        pair.assert_same();
        // The revision counts pictures drawn, which is the same as nothing was asked for in between.
        pair.decoder.framebuffer().clone()
    };
    let first = run(usize::MAX);
    assert!(first.pixels() == run(1).pixels() && first.pixels() == run(5).pixels());
}

#[test]
fn an_idle_viewer_costs_nothing_and_the_clock_ticks() {
    let mut still = Pair::new(TestCard::still(320, 200));
    still.encodings(&comfortable(number::RAW));
    still.request(false);
    let sent = still.sent;
    still.request(true);
    still.wait(Duration::from_secs(100));
    assert_eq!((still.sent, still.card.poll_timeout()), (sent, None));

    let mut moving = Pair::new(TestCard::new(320, 200));
    moving.encodings(&comfortable(number::RAW));
    moving.request(false);
    assert_eq!(moving.card.poll_timeout(), Some(moving.now + Duration::from_secs(1)));
    let revision = moving.card.revision();
    moving.request(true);
    moving.wait(Duration::from_secs(1));
    assert_eq!(moving.card.revision(), revision + 1);
    moving.assert_same();
    // Without a request nothing is drawn, whatever happens.
    moving.wait(Duration::from_secs(1));
    moving.key(0x61);
    assert_eq!(moving.card.revision(), revision + 1);
}

#[test]
fn what_is_typed_comes_back_as_the_clipboard() {
    let mut pair = Pair::new(TestCard::still(320, 200));
    pair.request(false);
    for key in [0x68, 0x69, 0x21, 0xff08, 0xe9, 0xff0d] {
        pair.key(key);
    }
    pair.key(0xff0d);
    for _ in 0..5 {
        pair.key(0xff08);
    }
    let events = pair.decoder.take_events();
    assert_eq!(events, [Event::Updated, Event::CutText(b"hi\xe9".to_vec())]);
    pair.key(0xff08);
    assert_eq!(pair.decoder.take_events(), [Event::Bell], "there is nothing left to take back");
}

#[test]
fn extensions_are_announced_once() {
    let mut pair = Pair::new(TestCard::still(320, 200));
    pair.encodings(&comfortable(number::ZRLE));
    pair.encodings(&comfortable(number::ZRLE));
    pair.request(false);
    let events = pair.decoder.take_events();
    let count = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
    assert_eq!(
        count(|e| matches!(e, Event::Resized(layout) if layout.reason == 0 && layout.screens.len() == 1)),
        1
    );
    assert_eq!(count(|e| *e == Event::Fence { flags: 1 << 31, payload: Vec::new() }), 1);
    assert_eq!(count(|e| *e == Event::EndOfContinuousUpdates), 1);
    assert_eq!(count(|e| *e == Event::Extension(number::EXTENDED_KEY)), 1);
    assert_eq!(count(|e| *e == Event::CursorChanged), 1);
    assert_eq!(pair.decoder.cursor().unwrap().width, 9);
    // QEMU's key event; a fence to answer.
    pair.send(&[255, 0, 0, 1, 0, 0, 0, 0x61, 0, 0, 0, 30]);
    pair.send(&[248, 0, 0, 0, 0x80, 0, 0, 3, 2, 5, 6]);
    assert_eq!(pair.decoder.take_events(), [Event::Fence { flags: 3, payload: vec![5, 6] }]);
}

#[test]
fn sizes_change_on_demand_and_within_limits() {
    let mut pair = Pair::new(TestCard::new(320, 200));
    pair.encodings(&comfortable(number::TIGHT));
    pair.request(false);
    let wish = |width: u16, height: u16| {
        let mut message = vec![251, 0];
        [width, height].into_iter().for_each(|field| message.put_u16(field));
        message.put(&[0, 0]);
        message
    };
    pair.decoder.take_events();
    pair.request(true);
    pair.send(&wish(500, 100));
    pair.assert_same();
    assert_eq!(pair.decoder.framebuffer().bounds(), Rect::new(0, 0, 500, 100));
    pair.request(true);
    pair.send(&wish(20_000, 10));
    let refused = pair.decoder.take_events().into_iter().any(
        |event| matches!(event, Event::Resized(layout) if (layout.reason, layout.status, layout.width) == (1, 3, 500)),
    );
    assert!(refused);
    let mut stranger = TestCard::new(320, 200);
    assert_eq!(stranger.handle_bytes(&wish(500, 100), pair.now), Err(Misbehavior::UnknownMessage));
}

#[test]
fn continuous_updates_need_no_requests() {
    let mut pair = Pair::new(TestCard::still(320, 200));
    pair.encodings(&comfortable(number::HEXTILE));
    pair.send(&[150, 1, 0, 0, 0, 0, 1, 64, 0, 200]);
    pair.request(false);
    pair.key(0x78);
    pair.pointer(50, 50, 0);
    pair.assert_same();
    pair.decoder.take_events();
    pair.send(&[150, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(pair.decoder.take_events(), [Event::EndOfContinuousUpdates]);
    pair.key(0x79);
    assert!(!pair.card.is_settled());
}

#[test]
fn parts_of_the_screen_are_sent_once() {
    let mut pair = Pair::new(TestCard::still(320, 200));
    pair.request_of(false, Rect::new(0, 0, 320, 200));
    pair.pointer(100, 100, 0);
    pair.request_of(true, Rect::new(0, 0, 100, 200));
    let sent = pair.sent;
    pair.request_of(true, Rect::new(0, 0, 100, 200));
    assert_eq!(pair.sent, sent, "the left part is known already");
    pair.request_of(true, Rect::new(100, 0, 220, 200));
    assert!(pair.sent > sent);
    pair.assert_same();
}

#[test]
fn low_colors_and_color_maps() {
    let format = PixelFormat::MAPPED;
    let mut pair = Pair::new(TestCard::still(320, 200));
    let mut message = vec![0; 4];
    format.write(&mut message);
    pair.decoder.set_pixel_format(format);
    pair.send(&message);
    pair.encodings(&[number::ZRLE]);
    pair.request(false);
    // The brightest bar is white in every format.
    assert_eq!(pair.decoder.framebuffer().pixel(20, 60), Some(0xff_ffff));
    let mut expected = Vec::new();
    encode::color_map(&mut expected);
    assert_eq!(expected.len(), 6 + 256 * 6);
}

#[test]
fn output_is_bounded_whatever_is_asked() {
    let mut card = TestCard::still(64, 64);
    let now = Instant::now();
    let fence = [[248, 0, 0, 0, 0x80, 0, 0, 0, 64].as_slice(), &[9; 64]].concat();
    let flood = fence.repeat(10_000);
    let mut taken = card.handle_bytes(&flood, now).unwrap();
    assert!(taken < flood.len() / 2, "it stops taking until somebody polls");
    let mut answers = 0;
    while taken < flood.len() {
        let output = card.poll_output().unwrap();
        assert!(output.len() < 70_000);
        answers += output.len();
        taken += card.handle_bytes(&flood[taken..], now).unwrap();
    }
    answers += card.poll_output().unwrap().len();
    assert_eq!(answers, flood.len());
}

#[test]
fn every_size_has_a_picture() {
    for (width, height) in [(0, 0), (64, 64), (64, 4096), (4096, 64), (65_535, 65_535), (97, 301)] {
        let mut pair = Pair::new(TestCard::new(width, height));
        pair.pointer(width, height, 1);
        pair.key(0x61);
        pair.request(false);
        pair.assert_same();
        let screen = pair.card.framebuffer();
        assert_eq!((screen.width(), screen.height()), (width.clamp(64, 4096), height.clamp(64, 4096)));
    }
}

#[test]
fn a_picture_for_people() {
    let mut pair = Pair::new(TestCard::new(1024, 768));
    pair.encodings(&comfortable(number::TIGHT));
    for key in "The quick brown fox jumps over the lazy dog. 0123456789 (){}[]<>!?@#$%&*".bytes() {
        pair.key(key.into());
    }
    pair.send(&[6, 0, 0, 0, 0, 0, 0, 9, b'C', b'l', b'i', b'p', b'b', b'o', b'a', b'r', b'd']);
    for n in 0..20u16 {
        pair.pointer(400 + n * 12, 300 + n * n, 0);
    }
    pair.request(false);
    pair.wait(Duration::from_secs(3725));
    pair.request(true);
    pair.assert_same();
    let colors: std::collections::HashSet<_> = pair.card.framebuffer().pixels().iter().collect();
    assert!(colors.len() > 500, "{} colors", colors.len());
    if let Some(directory) = std::env::var_os("GATEHOUSE_PICTURES") {
        super::decode::picture(&pair.decoder, &std::path::Path::new(&directory).join("test-card.ppm"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever a viewer sends: no panic, and what comes back can be decoded.
    #[test]
    fn hostile_viewers_get_nowhere(
        messages in proptest::collection::vec(
            (proptest::sample::select(&[0u8, 2, 3, 4, 5, 6, 150, 248, 251, 255, 7][..]),
             proptest::collection::vec(prop_oneof![Just(0u8), 0u8..3, any::<u8>()], 0..40)),
            0..30,
        ),
    ) {
        let mut card = TestCard::new(100, 80);
        let now = Instant::now();
        let mut bytes = vec![2, 0, 0, 2, 0, 0, 0, 16, 0xff, 0xff, 0xfe, 0xcc];
        bytes.extend(messages.into_iter().flat_map(|(kind, body)| [vec![kind], body].concat()));
        let mut rest = &bytes[..];
        while let Ok(taken @ 1..) = card.handle_bytes(rest, now) {
            rest = &rest[taken..];
            while card.poll_output().is_some() {}
        }
    }
}
