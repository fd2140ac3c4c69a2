//! The observer between two hostile peers.
//!
//! Input: mode, seed for pieces, policy bits, screen; then records of two bytes `kind and length` (two
//! bits what, fourteen bits how long) and their bytes: what the viewer sends, what the target sends, a
//! new policy, or letting go of all input.

use crate::input::{Pieces, Record, settings};
use model::Policy;
use model::event::{Event, Origin};
use model::policy::ClipboardRule;
use rfb::passive::PassiveSession;
use rfb::{Misbehavior, Observer, PixelFormat, ServerInit};

/// See the module's text.
pub fn observer(data: &[u8]) {
    let ([mode, seed, policy, screen], rest) = settings::<4>(data);
    let mut records = crate::input::records(rest);
    if mode % 4 != 0 {
        // Who only watches has no policy to change.
        records.retain(|record| record.from().is_some());
    }
    let make = || start(mode, policy, screen);
    let whole = run(make(), &records, |bytes| vec![bytes]);
    let mut pieces = Pieces::new(seed);
    let split = run(make(), &records, |bytes| pieces.cut(bytes));
    assert_eq!(whole, split, "the outcome depends on the pieces");
    if mode % 4 != 0 {
        for (from, out) in [(Origin::Viewer, &whole.out[0]), (Origin::Target, &whole.out[1])] {
            let sent: Vec<u8> =
                records.iter().filter(|r| r.from() == Some(from)).flat_map(|r| r.bytes).copied().collect();
            assert!(sent.starts_with(out), "a passive observer edits");
        }
    }
    passive(&crate::input::records(rest));
}

/// The same records, as a whole session with its handshake.
fn passive(records: &[Record<'_>]) {
    let mut session = PassiveSession::new();
    let mut sent = [0u64; 2];
    for record in records {
        match record.from() {
            Some(from) => {
                sent[usize::from(from == Origin::Target)] += len(record.bytes);
                session.handle(from, record.bytes, &mut |_: Event<'_>| {});
            }
            None => session.handle_gap(),
        }
        assert!(session.framed(Origin::Viewer) <= sent[0] && session.framed(Origin::Target) <= sent[1]);
    }
}

fn start(mode: u8, policy_bits: u8, screen: u8) -> Observer {
    let size = [(0, 0), (64, 48), (1024, 768), (16_384, 16_384)];
    let (width, height) = size.get(usize::from(screen % 4)).copied().unwrap_or_default();
    let formats = [
        PixelFormat::RGB888,
        PixelFormat::MAPPED,
        PixelFormat::RGB565,
        PixelFormat { depth: 32, ..PixelFormat::RGB888 },
    ];
    let pixel_format = formats.get(usize::from(screen / 4 % 4)).copied().unwrap_or(PixelFormat::RGB888);
    let init = ServerInit { width, height, pixel_format, name: Vec::new() };
    match mode % 4 {
        0 => Observer::after_init(&init, policy(policy_bits)),
        3 => Observer::joined_late(),
        _ => Observer::passive(&init),
    }
}

fn policy(bits: u8) -> Policy {
    let bit = |n: u8| bits >> n & 1 == 1;
    let clipboard = |n| if bit(n) { ClipboardRule::Deny } else { ClipboardRule::Allow { max_bytes: 500 } };
    Policy {
        view_only: bit(0),
        frozen: bit(1),
        clipboard_to_target: clipboard(2),
        clipboard_to_viewer: clipboard(3),
        files: bit(4),
        power: bit(5),
        resize: !bit(6),
        audio: !bit(7),
        ..Policy::default()
    }
}

/// All that can be seen of a run.
#[derive(PartialEq, Debug)]
struct Outcome {
    out: [Vec<u8>; 2],
    events: Vec<String>,
    fault: Option<Misbehavior>,
    counters: model::session::Counters,
    boundaries: [bool; 2],
}

fn run<'a>(
    mut observer: Observer,
    records: &[Record<'a>],
    mut cut: impl FnMut(&'a [u8]) -> Vec<&'a [u8]>,
) -> Outcome {
    let (mut held, mut out) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let (mut events, mut fault) = (Vec::new(), None);
    'all: for record in records {
        let Some(from) = record.from() else {
            match record.kind {
                2 => observer.set_policy(policy(record.bytes.first().copied().unwrap_or(0))),
                _ => observer.release_input(),
            }
            continue;
        };
        let side = usize::from(from == Origin::Target);
        for piece in cut(record.bytes) {
            let (held, out) = (&mut held[side], &mut out[side]);
            held.extend_from_slice(piece);
            let verdict =
                observer.observe(from, held, &mut |event: Event<'_>| events.push(format!("{event:?}")));
            assert!(verdict.decided <= held.len());
            verdict.apply(held, out);
            let decided = verdict.decided;
            fault = verdict.fault;
            held.drain(..decided);
            assert!(held.len() <= Observer::MAX_HELD);
            if fault.is_some() {
                break 'all;
            }
        }
    }
    let boundaries = [observer.at_boundary(Origin::Viewer), observer.at_boundary(Origin::Target)];
    Outcome { out, events, fault, counters: observer.counters(), boundaries }
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
