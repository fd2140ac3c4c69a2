//! The gateway's WebSocket codec, fed by a hostile browser.
//!
//! Input: seed for pieces, limit of a message; then the stream after the upgrade.

use crate::input::{Pieces, settings};
use gateway::ws::codec::{Decoder, Violation};

/// See the module's text.
pub fn websocket(data: &[u8]) {
    let ([seed, limit], rest) = settings::<2>(data);
    let limit = u64::from(limit) * 64;
    let whole = run(limit, [rest].into_iter());
    let split = run(limit, Pieces::new(seed).cut(rest).into_iter());
    assert_eq!(whole, split, "the content depends on the pieces");
    assert!(whole.content.len() <= rest.len());
}

#[derive(PartialEq, Debug, Default)]
struct Outcome {
    content: Vec<u8>,
    controls: Vec<String>,
    fault: Option<Violation>,
    between: bool,
}

fn run<'a>(limit: u64, pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let mut decoder = Decoder::new(limit);
    let mut outcome = Outcome::default();
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let done = decoder.unframe(&mut bytes, |control| outcome.controls.push(format!("{control:?}")));
        outcome.content.extend_from_slice(bytes.get(..done.payload).unwrap_or_default());
        if done.fault.is_some() {
            outcome.fault = done.fault;
            break;
        }
    }
    outcome.between = decoder.is_between_frames();
    outcome
}
