//! Skeletons: texts from strangers, and the skeletons of hostile sessions.
//!
//! Input: mode, then a text; or, as for `observer`, records of both sides of a connection, whose skeleton must
//! read as the connection does and be its own skeleton.

use crate::input::{Pieces, records, settings};
use model::event::Event;
use rfb::passive::PassiveSession;
use rfb::trace::{Outcome, Replay, Trace};

/// Longer sessions are refused here, so that one input cannot take all the time there is.
const BYTES: u64 = 1 << 16;

/// See the module's text.
pub fn trace(data: &[u8]) {
    let ([mode, seed], rest) = settings::<2>(data);
    if mode % 2 == 0 {
        read(&String::from_utf8_lossy(rest), seed);
    } else {
        write(rest, seed);
    }
}

fn read(text: &str, seed: u8) {
    let Ok(trace) = Trace::parse_within(text, BYTES) else { return };
    let (whole, split) = (replay(&trace, usize::MAX), replay(&trace, 1 + usize::from(seed)));
    assert_eq!(whole, split, "the outcome depends on the pieces");
    let _ = trace.difference(&whole.0);
}

/// What it comes to, and what is said on the way.
fn replay(trace: &Trace, piece: usize) -> (Outcome, Vec<String>) {
    let mut events = Vec::new();
    let outcome = Replay::new(trace, piece).run(&mut |event: Event<'_>| events.push(format!("{event:?}")));
    (outcome, events)
}

fn write(data: &[u8], seed: u8) {
    let mut pieces = Pieces::new(seed);
    let mut tracer = PassiveSession::new();
    tracer.keep_skeleton();
    let mut text = String::new();
    for record in records(data) {
        let Some(from) = record.from() else { continue };
        for piece in pieces.cut(record.bytes) {
            tracer.handle(from, piece, &mut |_: Event<'_>| {});
            text.push_str(&tracer.take_skeleton());
        }
    }
    text.push_str(&tracer.finish_skeleton());
    let trace = Trace::parse(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    let (outcome, _) = replay(&trace, usize::MAX);
    assert_eq!(trace.difference(&outcome), None, "{text}");
    // A fault whose bytes are left out is not met again, nor are bytes that could not be made up.
    let is_whole = outcome.fault.is_some() || !text.contains(" fault=");
    if is_whole && !text.contains(" short ") {
        assert_eq!(again(&trace), text, "a skeleton has another one");
    }
}

/// The skeleton of a skeleton.
fn again(trace: &Trace) -> String {
    let mut tracer = PassiveSession::new();
    tracer.keep_skeleton();
    let mut text = String::new();
    Replay::new(trace, usize::MAX).bytes(&mut |from, bytes| {
        tracer.handle(from, bytes, &mut |_: Event<'_>| {});
        text.push_str(&tracer.take_skeleton());
    });
    text + &tracer.finish_skeleton()
}
