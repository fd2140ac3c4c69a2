//! Whole sessions in virtual time beside a reference model: any order of input, pictures, pieces,
//! changes of rules and ends gives exactly the bytes that the model says, on both sides.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Act {
    /// The viewer presses or releases one of a few keys.
    Key {
        down: bool,
        key: u8,
    },
    /// The viewer moves or clicks.
    Pointer {
        buttons: u8,
        x: u16,
    },
    /// The target sends an update, in pieces of so many bytes.
    Picture {
        rows: u16,
        seed: u8,
        piece: usize,
    },
    /// The target rings.
    Bell,
    /// The next message of the viewer comes in two pieces, with a change of rules between them.
    Split(usize, Rule),
    Rule(Rule),
    /// Nothing happens for so many seconds; the viewer answers heartbeats.
    Wait(u64),
}

#[derive(Clone, Copy, Debug)]
enum Rule {
    Freeze,
    Thaw,
    ViewOnly(bool),
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Kill,
    ViewerCloses,
    ViewerVanishes,
    ViewerRaves,
    TargetCloses,
    TargetRaves,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let rule = prop_oneof![
        Just(Rule::Freeze),
        Just(Rule::Thaw),
        Just(Rule::Thaw),
        any::<bool>().prop_map(Rule::ViewOnly)
    ];
    let act = prop_oneof![
        6 => (any::<bool>(), 0_u8..4).prop_map(|(down, key)| Act::Key { down, key }),
        4 => (0_u8..8, 0_u16..640).prop_map(|(buttons, x)| Act::Pointer { buttons, x }),
        4 => (1_u16..6, any::<u8>(), 1_usize..9000)
            .prop_map(|(rows, seed, piece)| Act::Picture { rows, seed, piece }),
        1 => Just(Act::Bell),
        2 => (1_usize..8, rule.clone()).prop_map(|(at, rule)| Act::Split(at, rule)),
        3 => rule.prop_map(Act::Rule),
        1 => (1_u64..15).prop_map(Act::Wait),
    ];
    proptest::collection::vec(act, 0..40)
}

fn endings() -> impl Strategy<Value = Ending> {
    prop_oneof![
        Just(Ending::Kill),
        Just(Ending::ViewerCloses),
        Just(Ending::ViewerVanishes),
        Just(Ending::ViewerRaves),
        Just(Ending::TargetCloses),
        Just(Ending::TargetRaves),
    ]
}

/// What should have happened.
#[derive(Default)]
struct Model {
    policy: Policy,
    pressed: Vec<u8>,
    buttons: u8,
    x: u16,
    to_target: Vec<u8>,
    to_viewer: Vec<u8>,
}

impl Model {
    fn key(&mut self, down: bool, which: u8) -> Vec<u8> {
        let message = key(down, symbol(which));
        if self.policy.allows_input() {
            self.to_target.extend_from_slice(&message);
            match self.pressed.iter().position(|&k| k == which) {
                None if down => self.pressed.push(which),
                Some(at) if !down => _ = self.pressed.remove(at),
                _ => {}
            }
        }
        message
    }

    fn pointer(&mut self, buttons: u8, x: u16) -> Vec<u8> {
        let message = pointer(buttons, x);
        if self.policy.allows_input() {
            self.to_target.extend_from_slice(&message);
            (self.buttons, self.x) = (buttons, x);
        }
        message
    }

    fn rule(&mut self, rule: Rule) {
        match rule {
            Rule::Freeze => self.policy.frozen = true,
            Rule::Thaw => self.policy.frozen = false,
            Rule::ViewOnly(on) => self.policy.view_only = on,
        }
        if !self.policy.allows_input() {
            self.release();
        }
    }

    /// Everything that is down is let go, the last first.
    fn release(&mut self) {
        while let Some(which) = self.pressed.pop() {
            self.to_target.extend(key(false, symbol(which)));
        }
        if std::mem::take(&mut self.buttons) != 0 {
            self.to_target.extend(pointer(0, self.x));
        }
    }
}

fn symbol(which: u8) -> u32 {
    0x61 + u32::from(which)
}

/// Both far ends, read by tasks into memory.
struct Ends {
    viewer: tokio::io::WriteHalf<DuplexStream>,
    target: tokio::io::WriteHalf<DuplexStream>,
    seen: JoinHandle<Vec<u8>>,
    taken: JoinHandle<Vec<u8>>,
}

impl Ends {
    fn of(viewer: DuplexStream, target: DuplexStream) -> Ends {
        let read = |mut half: tokio::io::ReadHalf<DuplexStream>| {
            tokio::spawn(async move {
                let mut bytes = Vec::new();
                half.read_to_end(&mut bytes).await.unwrap();
                bytes
            })
        };
        let (from_viewer, viewer) = tokio::io::split(viewer);
        let (from_target, target) = tokio::io::split(target);
        Ends { viewer, target, seen: read(from_viewer), taken: read(from_target) }
    }

    async fn send(&mut self, payload: &[u8]) {
        self.viewer.write_all(&binary(payload)).await.unwrap();
        settle().await;
    }
}

async fn play(acts: Vec<Act>, ending: Ending) {
    let Rig { viewer, target, registry, id, pool, task } = framed().start();
    let mut ends = Ends::of(viewer, target);
    let mut model = Model::default();
    let apply = |rule: Rule, model: &mut Model| {
        model.rule(rule);
        match rule {
            Rule::Freeze => registry.freeze(id),
            Rule::Thaw => registry.thaw(id),
            Rule::ViewOnly(_) => registry.set_policy(id, model.policy.clone()),
        };
    };
    for act in acts {
        match act {
            Act::Key { down, key } => ends.send(&model.key(down, key)).await,
            Act::Pointer { buttons, x } => ends.send(&model.pointer(buttons, x)).await,
            Act::Picture { rows, seed, piece } => {
                let picture = update(rows, seed);
                model.to_viewer.extend_from_slice(&picture);
                for piece in picture.chunks(piece) {
                    ends.target.write_all(piece).await.unwrap();
                }
                settle().await;
            }
            Act::Bell => {
                model.to_viewer.push(2);
                ends.target.write_all(&[2]).await.unwrap();
                settle().await;
            }
            Act::Split(at, rule) => {
                // Held until it is whole, and judged by the rules of that moment.
                let message = key(true, symbol(9));
                ends.send(&message[..at]).await;
                apply(rule, &mut model);
                settle().await;
                ends.send(&message[at..]).await;
                model.key(true, 9);
            }
            Act::Rule(rule) => {
                apply(rule, &mut model);
                settle().await;
            }
            Act::Wait(seconds) => {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                // Any sign of life will do.
                ends.viewer.write_all(&frame(0x8a, b"")).await.unwrap();
                settle().await;
            }
        }
    }
    let end = finish(ending, &mut ends, &registry, id, &mut model).await;
    let Ends { viewer, target, seen, taken } = ends;
    let (seen, taken) = match ending {
        Ending::TargetCloses | Ending::TargetRaves => (seen.await.unwrap(), taken.await.unwrap()),
        _ => {
            let taken = taken.await.unwrap();
            drop(viewer);
            (seen.await.unwrap(), taken)
        }
    };
    drop(target);
    assert_eq!(taken, model.to_target, "towards the target, {ending:?}");
    assert!(payload(&seen) == model.to_viewer, "towards the viewer, {ending:?}");
    assert_eq!(task.await.unwrap().0.reason, end);
    assert_eq!(pool.lent(), 0);
}

/// Ends the session in one of its ways; answers why it should have ended.
async fn finish(
    ending: Ending,
    ends: &mut Ends,
    registry: &Registry,
    id: SessionId,
    model: &mut Model,
) -> EndReason {
    match ending {
        Ending::Kill => {
            model.release();
            registry.kill(id, EndReason::Killed);
            EndReason::Killed
        }
        Ending::ViewerCloses => {
            model.release();
            ends.viewer.write_all(&frame(0x88, &1000_u16.to_be_bytes())).await.unwrap();
            EndReason::ViewerLeft
        }
        Ending::ViewerVanishes => {
            model.release();
            ends.viewer.shutdown().await.unwrap();
            EndReason::ViewerLost
        }
        Ending::ViewerRaves => {
            model.release();
            ends.viewer.write_all(&binary(&[99; 30])).await.unwrap();
            EndReason::ViewerMisbehaved
        }
        Ending::TargetCloses => {
            ends.target.shutdown().await.unwrap();
            EndReason::TargetClosed
        }
        Ending::TargetRaves => {
            model.release();
            ends.target.write_all(&[99; 30]).await.unwrap();
            EndReason::TargetMisbehaved
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn sessions_do_what_the_model_says(acts in acts(), ending in endings()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(play(acts, ending));
    }
}
