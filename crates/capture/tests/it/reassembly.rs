//! TCP reassembly against a model that keeps everything: for every byte, the first copy that came.

use capture::flow::{Chunk, Stream};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// One segment: where it begins, its bytes, and how much of it the capture cut off.
type Segment = (u32, Vec<u8>);

/// Unbounded and slow: positions from the start, first copy wins, output is the unbroken beginning.
fn model(segments: &[Segment]) -> Vec<u8> {
    let mut bytes = BTreeMap::new();
    for (at, payload) in segments {
        for (n, byte) in (*at..).zip(payload) {
            bytes.entry(n).or_insert(*byte);
        }
    }
    (0..).map_while(|n| bytes.get(&n).copied()).collect()
}

fn run(start: u32, segments: &[Segment]) -> Vec<u8> {
    let mut stream = Stream::new(1 << 20);
    stream.handle_start(start);
    let mut out = Vec::new();
    for (at, payload) in segments {
        stream.handle_segment(start.wrapping_add(*at), payload, 0, &mut |chunk| match chunk {
            Chunk::Bytes(bytes) => out.extend_from_slice(bytes),
            Chunk::Gap(_) => panic!("a gap although nothing was given up"),
        });
    }
    out
}

/// The segments of a stream, cut anywhere, some of them twice or overlapping, in a muddle.
fn muddled(length: u32) -> impl Strategy<Value = Vec<Segment>> {
    let cuts = prop::collection::vec((0..length, 1..60u32), 0..40);
    (cuts, prop::collection::btree_set(1..length, 0..20), any::<u64>()).prop_map(
        move |(extra, cuts, order)| {
            let content =
                |from: u32, until: u32| (from..until).map(|n| (n * 31 % 251) as u8).collect::<Vec<u8>>();
            let ends = cuts.iter().copied().chain([length]);
            let starts = [0].into_iter().chain(cuts.iter().copied());
            let mut segments: Vec<Segment> = starts.zip(ends).map(|(a, b)| (a, content(a, b))).collect();
            segments.extend(extra.iter().map(|&(at, n)| (at, content(at, (at + n).min(length)))));
            shuffle(&mut segments, order);
            segments
        },
    )
}

fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for n in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        items.swap(n, (seed >> 33) as usize % (n + 1));
    }
}

proptest! {
    #[test]
    fn any_order_and_any_overlap_gives_the_stream(segments in muddled(600), start in any::<u32>()) {
        prop_assert_eq!(run(start, &segments).len(), 600);
        prop_assert_eq!(run(start, &segments), model(&segments));
    }

    #[test]
    fn copies_that_disagree_are_settled_as_in_the_model(
        segments in prop::collection::vec((0..80u32, prop::collection::vec(any::<u8>(), 0..20)), 0..40),
        start in prop::sample::select(vec![0, 1000, u32::MAX - 30, u32::MAX]),
    ) {
        prop_assert_eq!(run(start, &segments), model(&segments));
    }

    #[test]
    fn with_a_bound_every_byte_is_delivered_or_declared_lost_and_little_is_held(
        segments in muddled(600), limit in 0usize..2000,
    ) {
        let mut stream = Stream::new(limit);
        stream.handle_start(0);
        let mut position = 0u64;
        let mut out = |chunk: Chunk<'_>| match chunk {
            Chunk::Bytes(bytes) => {
                for byte in bytes {
                    assert_eq!(*byte, (position * 31 % 251) as u8);
                    position += 1;
                }
            }
            Chunk::Gap(lost) => position += lost,
        };
        for (at, payload) in &segments {
            stream.handle_segment(*at, payload, 0, &mut out);
            prop_assert!(stream.held() <= limit);
        }
        stream.flush(&mut out);
        prop_assert_eq!(stream.held(), 0);
        prop_assert_eq!(position, 600);
    }
}
