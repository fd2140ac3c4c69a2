//! The outcome does not depend on the pieces that the bytes come in: not on good sessions, and not on
//! broken ones.

use super::session::{self, Pieces};
use super::shell::Shell;
use model::Policy;
use model::event::Origin;
use proptest::prelude::*;
use proptest::sample::Index;
use rfb::{Misbehavior, Observer, PixelFormat};

#[derive(PartialEq, Debug)]
struct Outcome {
    out: [Vec<u8>; 2],
    events: [Vec<String>; 2],
    faults: [Option<Misbehavior>; 2],
    held: [usize; 2],
}

fn run(observer: Observer, pieces: &Pieces, mut cuts: impl FnMut(usize) -> Vec<usize>) -> Outcome {
    let mut shell = Shell::new(observer);
    for (origin, bytes) in pieces {
        let mut at = 0;
        for cut in cuts(bytes.len()) {
            shell.feed(*origin, &bytes[at..cut]);
            at = cut;
        }
        shell.feed(*origin, &bytes[at..]);
    }
    let held = [Origin::Viewer, Origin::Target]
        .map(|o| if shell.faults[super::shell::side(o)].is_some() { 0 } else { shell.held(o) });
    Outcome { out: shell.out, events: shell.events, faults: shell.faults, held }
}

fn everything() -> Policy {
    Policy { power: true, ..Policy::default() }
}

/// An observer for a session by number, and the session.
fn case(number: usize) -> (Observer, Pieces) {
    let init = session::init();
    let live = |policy, format| (Observer::after_init(&init, policy), session::live(&format));
    match number {
        0 => live(everything(), PixelFormat::RGB888),
        1 => live(everything(), session::RGB565),
        2 => live(everything(), session::RGB332),
        3 => live(everything(), PixelFormat { depth: 32, ..PixelFormat::RGB888 }),
        4 => live(Policy { frozen: true, ..everything() }, PixelFormat::RGB888),
        5 => (Observer::passive(&init), session::live(&PixelFormat::RGB888)),
        6 => (Observer::passive(&init), session::passive()),
        7 => (Observer::joined_late(), session::live(&PixelFormat::RGB888)),
        8 => (Observer::joined_late(), session::live(&session::RGB332)),
        9 => (Observer::after_init(&init, everything()), super::formats::unfenced_switch(true)),
        10 => (Observer::after_init(&init, everything()), super::formats::unfenced_switch(false)),
        _ => (Observer::passive(&init), super::formats::unfenced_switch(true)),
    }
}

const CASES: usize = 12;

#[test]
fn made_up_sessions_are_framed_to_the_last_byte() {
    for number in 0..7 {
        let (observer, pieces) = case(number);
        let outcome = run(observer, &pieces, |_| vec![]);
        assert_eq!(
            (outcome.faults, outcome.held),
            ([None; 2], [0; 2]),
            "{number} {:?}",
            outcome.events[1].last()
        );
    }
}

#[test]
fn byte_by_byte_is_the_same_as_at_once() {
    for number in 0..CASES {
        let whole = run(case(number).0, &case(number).1, |_| vec![]);
        let single = run(case(number).0, &case(number).1, |len| (0..len).collect());
        for s in 0..2 {
            for (a, b) in whole.events[s].iter().zip(&single.events[s]) {
                assert_eq!(a, b, "case {number}");
            }
        }
        assert!(whole == single, "case {number}: {:?} {:?}", whole.faults, single.faults);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_pieces_give_the_same(number in 0..CASES, cuts in prop::collection::vec(any::<Index>(), 0..40)) {
        let whole = run(case(number).0, &case(number).1, |_| vec![]);
        let split = run(case(number).0, &case(number).1, |len| places(&cuts, len));
        prop_assert!(whole == split);
    }

    /// Some bytes are changed at random; whatever comes of it is the same for any pieces.
    #[test]
    fn any_pieces_of_broken_sessions_give_the_same(
        number in 0..CASES,
        cuts in prop::collection::vec(any::<Index>(), 0..40),
        damage in prop::collection::vec((any::<Index>(), any::<Index>(), any::<u8>()), 1..6),
    ) {
        let mut pieces = case(number).1;
        for (piece, place, byte) in damage {
            let piece = piece.get_mut(&mut pieces);
            if !piece.1.is_empty() {
                *place.get_mut(&mut piece.1) = byte;
            }
        }
        let whole = run(case(number).0, &pieces, |_| vec![]);
        let split = run(case(number).0, &pieces, |len| places(&cuts, len));
        prop_assert_eq!(&whole.faults, &split.faults);
        for s in 0..2 {
            prop_assert_eq!(&whole.events[s], &split.events[s]);
        }
        prop_assert!(whole == split);
    }

    /// Bytes without any sense neither panic nor grow the memory.
    #[test]
    fn noise_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000), mode in 0..3, target in any::<bool>()) {
        let observer = match mode {
            0 => Observer::after_init(&session::init(), everything()),
            1 => Observer::passive(&session::init()),
            _ => Observer::joined_late(),
        };
        let origin = if target { Origin::Target } else { Origin::Viewer };
        run(observer, &vec![(origin, bytes)], |_| vec![]);
    }
}

fn places(cuts: &[Index], len: usize) -> Vec<usize> {
    if len == 0 {
        return vec![];
    }
    let mut places: Vec<usize> = cuts.iter().map(|i| i.index(len)).collect();
    places.sort_unstable();
    places
}
