mod simulation;

use super::*;
use crate::limits::{BUFFER, WS_MESSAGE};
use crate::port::SessionSpec;
use crate::registry::{Registry, Seat};
use model::SessionId;
use model::session::Ingress;
use rfb::PixelFormat;
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::task::JoinHandle;

/// Bytes that a duplex holds: a very small socket.
const WIRE: usize = 4096;

/// A relay between two duplexes, in virtual time.
struct Rig {
    viewer: DuplexStream,
    target: DuplexStream,
    registry: Registry,
    id: SessionId,
    pool: Arc<Pool>,
    task: JoinHandle<(End, Notices)>,
}

struct Setup {
    framed: bool,
    policy: Policy,
    early: (Vec<u8>, Vec<u8>),
    pool_bytes: usize,
}

fn framed() -> Setup {
    Setup { framed: true, policy: Policy::default(), early: Default::default(), pool_bytes: 1 << 20 }
}

fn raw() -> Setup {
    Setup { framed: false, ..framed() }
}

impl Setup {
    fn policy(self, change: impl FnOnce(&mut Policy)) -> Setup {
        let mut setup = self;
        change(&mut setup.policy);
        setup
    }

    fn start(self) -> Rig {
        let registry = Registry::new(10);
        let id = SessionId(uuid(1));
        let Ok(Seat::New(entry)) = registry.enter(&spec(id, self.policy)) else { panic!("no seat") };
        let (viewer, viewer_io) = tokio::io::duplex(WIRE);
        let (target, target_io) = tokio::io::duplex(WIRE);
        let pool = Pool::new(self.pool_bytes);
        let ws = self.framed.then(|| Decoder::new(WS_MESSAGE));
        let side = ViewerSide { io: Transport::Duplex(viewer_io), ws, early: self.early.0 };
        let limits = GatewayLimits::default();
        let mut relay =
            Relay::new(side, (target_io, self.early.1), &init(), entry, pool.clone(), &limits, None);
        let task = tokio::spawn(async move {
            let mut notices = Notices::default();
            let end = poll_fn(|cx| {
                let end = relay.poll(cx);
                notices.add(relay.take_notices());
                end
            })
            .await;
            if let Some(parting) = relay.close(end, limits.flush).await {
                parting.linger(limits.linger).await;
            }
            (end, notices)
        });
        Rig { viewer, target, registry, id, pool, task }
    }
}

fn uuid(n: u8) -> uuid::Uuid {
    uuid::Uuid::from_bytes([n; 16])
}

fn spec(session: SessionId, policy: Policy) -> SessionSpec {
    SessionSpec {
        session,
        target: model::TargetId(uuid(2)),
        policy,
        ingress: Ingress::WebSocket,
        viewer: "127.0.0.1:1".parse().unwrap(),
        user_agent: None,
        subject: "somebody".into(),
        resume: None,
    }
}

fn init() -> ServerInit {
    ServerInit { width: 640, height: 480, pixel_format: PixelFormat::RGB888, name: b"desk".to_vec() }
}

fn key(down: bool, keysym: u32) -> Vec<u8> {
    let [a, b, c, d] = keysym.to_be_bytes();
    vec![4, down.into(), 0, 0, a, b, c, d]
}

fn pointer(buttons: u8, x: u16) -> Vec<u8> {
    let [a, b] = x.to_be_bytes();
    vec![5, buttons, a, b, 0, 7]
}

/// An update of one Raw rectangle, `rows` rows of 640 pixels.
fn update(rows: u16, seed: u8) -> Vec<u8> {
    let [a, b] = rows.to_be_bytes();
    let mut bytes = vec![0, 0, 0, 1, 0, 0, 0, 0, 2, 0x80, a, b, 0, 0, 0, 0];
    bytes.extend((0..usize::from(rows) * 640 * 4).map(|i| seed.wrapping_add(u8::try_from(i % 251).unwrap())));
    bytes
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [7, 99, 3, 200];
    let mut out = vec![first];
    match payload.len() {
        n @ 0..=125 => out.push(0x80 | u8::try_from(n).unwrap()),
        n => {
            out.push(0xfe);
            out.extend(u16::try_from(n).unwrap().to_be_bytes());
        }
    }
    out.extend(mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
    out
}

fn binary(payload: &[u8]) -> Vec<u8> {
    frame(0x82, payload)
}

/// Server frames as (first byte, payload).
fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut list = Vec::new();
    while let [first, len, rest @ ..] = bytes {
        let (len, rest) = match len {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => (usize::try_from(u64::from_be_bytes(rest[..8].try_into().unwrap())).unwrap(), &rest[8..]),
            n => (usize::from(*n), rest),
        };
        list.push((*first, rest[..len].to_vec()));
        bytes = &rest[len..];
    }
    list
}

fn payload(bytes: &[u8]) -> Vec<u8> {
    frames(bytes).into_iter().filter(|(first, _)| *first == 0x82).flat_map(|(_, p)| p).collect()
}

/// Code and reason of the close frame that ends `bytes`.
fn closed(bytes: &[u8]) -> (u16, String) {
    let (first, payload) = frames(bytes).pop().unwrap();
    assert_eq!(first, 0x88);
    let code = u16::from_be_bytes([payload[0], payload[1]]);
    (code, String::from_utf8(payload[2..].to_vec()).unwrap())
}

async fn rest_of(stream: &mut DuplexStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

async fn exactly(stream: &mut DuplexStream, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// Lets every task run until all wait.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

impl Rig {
    /// Reads both sides to their ends and answers what came out, and how it ended.
    async fn finish(mut self) -> (Vec<u8>, Vec<u8>, End) {
        let (viewer, target) = tokio::join!(rest_of(&mut self.viewer), rest_of(&mut self.target));
        drop((self.viewer, self.target));
        (viewer, target, self.task.await.unwrap().0)
    }
}

#[tokio::test(start_paused = true)]
async fn original_bytes_pass_in_both_directions() {
    for setup in [raw(), framed()] {
        let is_framed = setup.framed;
        let rig = setup.start();
        let up = [pointer(0, 5), key(true, 0x61), key(false, 0x61), pointer(1, 9), pointer(0, 9)].concat();
        let down = [update(3, 1), vec![2], update(1, 2)].concat();
        let sent = if is_framed { [binary(&up[..9]), binary(&up[9..])].concat() } else { up.clone() };
        let (mut from_viewer, mut to_viewer) = tokio::io::split(rig.viewer);
        let (mut from_target, mut to_target) = tokio::io::split(rig.target);
        let write = async {
            to_viewer.write_all(&sent).await.unwrap();
            to_target.write_all(&down).await.unwrap();
            settle().await;
            rig.registry.kill(rig.id, EndReason::Killed);
        };
        let (mut seen, mut taken) = (Vec::new(), Vec::new());
        let (_, a, b) =
            tokio::join!(write, from_viewer.read_to_end(&mut seen), from_target.read_to_end(&mut taken));
        a.unwrap();
        b.unwrap();
        assert_eq!(taken, up);
        assert_eq!(if is_framed { payload(&seen) } else { seen }, down);
        assert_eq!(rig.pool.lent(), 0);
    }
}

/// The split property: however the bytes are cut on both sides, the same bytes leave.
#[tokio::test(start_paused = true)]
async fn cutting_changes_nothing() {
    let up = [pointer(0, 5), key(true, 0xffe1), key(false, 0xffe1), pointer(1, 9)].concat();
    let sent =
        [binary(&up[..3]), frame(0x89, b"?"), frame(0x02, &up[3..11]), frame(0x80, &up[11..])].concat();
    let down = [update(2, 1), vec![2], update(1, 7)].concat();
    for piece in [1, 2, 3, 5, 7, 13, 64, 1000, 5000] {
        let rig = framed().start();
        let expected = up.len();
        let (mut from_viewer, mut to_viewer) = tokio::io::split(rig.viewer);
        let (mut from_target, mut to_target) = tokio::io::split(rig.target);
        let write_up = async {
            for piece in sent.chunks(piece) {
                to_viewer.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let write_down = async {
            for piece in down.chunks(piece) {
                to_target.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let (mut taken, mut seen) = (vec![0; expected], Vec::new());
        let write = async {
            tokio::join!(write_up, write_down);
            settle().await;
            rig.registry.kill(rig.id, EndReason::Killed);
        };
        let read = from_viewer.read_to_end(&mut seen);
        let (_, read, _) = tokio::join!(write, read, from_target.read_exact(&mut taken));
        read.unwrap();
        assert_eq!(taken, up, "pieces of {piece}");
        assert_eq!(payload(&seen), down, "pieces of {piece}");
        assert!(frames(&seen).contains(&(0x8a, b"?".to_vec())));
        rig.task.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_behind_the_greeting_come_first() {
    let down = update(1, 3);
    let mut setup = framed();
    setup.early = (pointer(0, 1)[..4].to_vec(), down[..20].to_vec());
    let mut rig = setup.start();
    rig.viewer.write_all(&binary(&[pointer(0, 1)[4..].to_vec(), pointer(0, 2)].concat())).await.unwrap();
    rig.target.write_all(&down[20..]).await.unwrap();
    assert_eq!(exactly(&mut rig.target, 12).await, [pointer(0, 1), pointer(0, 2)].concat());
    settle().await;
    rig.registry.kill(rig.id, EndReason::Killed);
    let (seen, _, _) = rig.finish().await;
    assert_eq!(payload(&seen), down);
}

#[tokio::test(start_paused = true)]
async fn a_kill_releases_keys_tells_the_viewer_and_closes_both_sides() {
    let mut rig = framed().start();
    rig.viewer.write_all(&binary(&[key(true, 0xffe3), pointer(1, 4)].concat())).await.unwrap();
    exactly(&mut rig.target, 14).await;
    let before = Instant::now();
    assert!(rig.registry.kill(rig.id, EndReason::Killed));
    let released = rest_of(&mut rig.target).await;
    assert!(before.elapsed() < Duration::from_millis(50));
    assert!(released.windows(8).any(|w| w == key(false, 0xffe3)), "{released:?}");
    assert!(released.windows(6).any(|w| w == pointer(0, 4)), "{released:?}");
    let (seen, _, end) = rig.finish().await;
    assert_eq!(closed(&seen), (4003, "session.killed".into()));
    assert_eq!(end, End::new(EndReason::Killed));
}

/// A viewer that reads nothing cannot keep a killed session, nor the keys that are pressed.
#[tokio::test(start_paused = true)]
async fn a_kill_waits_200_ms_for_a_viewer_that_does_not_read() {
    let mut rig = framed().start();
    rig.viewer.write_all(&binary(&key(true, 0x61))).await.unwrap();
    exactly(&mut rig.target, 8).await;
    let (mut from_target, mut to_target) = tokio::io::split(rig.target);
    let flood = tokio::spawn(async move { to_target.write_all(&update(400, 0)).await });
    settle().await;
    let before = Instant::now();
    rig.registry.kill(rig.id, EndReason::Killed);
    let mut released = Vec::new();
    let read = tokio::spawn(async move {
        from_target.read_to_end(&mut released).await.unwrap();
        released
    });
    let (end, _) = rig.task.await.unwrap();
    assert_eq!(end.reason, EndReason::Killed);
    assert!(before.elapsed() < Duration::from_millis(250), "{:?}", before.elapsed());
    assert_eq!(read.await.unwrap(), key(false, 0x61));
    assert!(flood.await.unwrap().is_err());
    assert_eq!(rig.pool.lent(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_freeze_stops_input_but_not_the_picture() {
    let mut rig = framed().start();
    rig.viewer.write_all(&binary(&key(true, 0x61))).await.unwrap();
    exactly(&mut rig.target, 8).await;
    assert!(rig.registry.freeze(rig.id));
    assert_eq!(exactly(&mut rig.target, 8).await, key(false, 0x61), "released without any input");
    rig.viewer
        .write_all(&binary(&[key(true, 0x62), pointer(1, 1), key(false, 0x62)].concat()))
        .await
        .unwrap();
    settle().await;
    rig.target.write_all(&update(1, 9)).await.unwrap();
    let seen = exactly(&mut rig.viewer, 4 + update(1, 9).len()).await;
    assert_eq!(payload(&seen), update(1, 9));
    assert!(rig.registry.thaw(rig.id));
    settle().await;
    rig.viewer.write_all(&binary(&key(true, 0x63))).await.unwrap();
    assert_eq!(exactly(&mut rig.target, 8).await, key(true, 0x63), "nothing held was replayed");
    assert_eq!(rig.registry.snapshot(rig.id).unwrap().counters.dropped, 3);
    rig.viewer.write_all(&frame(0x88, &1000_u16.to_be_bytes())).await.unwrap();
    let (_, _, end) = rig.finish().await;
    assert_eq!(end.reason, EndReason::ViewerLeft);
}

#[tokio::test(start_paused = true)]
async fn rules_change_while_the_session_runs_and_the_journal_hears_of_it() {
    let mut rig = framed().start();
    let policy = Policy { view_only: true, max_duration: Some(Duration::from_secs(60)), ..Policy::default() };
    assert!(rig.registry.set_policy(rig.id, policy));
    rig.viewer.write_all(&binary(&key(true, 0x61))).await.unwrap();
    let before = Instant::now();
    assert_eq!(rest_of(&mut rig.target).await, b"");
    assert!((59..=61).contains(&before.elapsed().as_secs()), "{:?}", before.elapsed());
    assert_eq!(closed(&rest_of(&mut rig.viewer).await), (4004, "session.expired".into()));
    drop(rig.viewer);
    let (end, notices) = rig.task.await.unwrap();
    assert_eq!((end.reason, notices.policy), (EndReason::Expired, true));
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_ends_and_input_postpones_it() {
    let setup = framed().policy(|p| p.max_idle = Some(Duration::from_secs(30)));
    let mut rig = setup.start();
    let start = Instant::now();
    tokio::time::sleep(Duration::from_secs(20)).await;
    rig.viewer.write_all(&binary(&pointer(0, 3))).await.unwrap();
    let (seen, _, end) = rig.finish().await;
    assert_eq!(end.reason, EndReason::Idle);
    assert_eq!(start.elapsed().as_secs(), 50);
    assert_eq!(closed(&seen), (4005, "session.idle".into()));
}

#[tokio::test(start_paused = true)]
async fn heartbeats_measure_the_round_trip_and_find_the_dead() {
    let mut rig = framed().start();
    let start = Instant::now();
    let ping = exactly(&mut rig.viewer, 10).await;
    assert_eq!(start.elapsed().as_secs(), 20);
    tokio::time::sleep(Duration::from_millis(30)).await;
    rig.viewer.write_all(&frame(0x8a, &ping[2..])).await.unwrap();
    settle().await;
    let round_trip = rig.registry.snapshot(rig.id).unwrap().round_trip.unwrap();
    assert!((30..=32).contains(&round_trip.as_millis()), "{round_trip:?}");
    let (_, end) = tokio::join!(rest_of(&mut rig.viewer), rig.task);
    assert_eq!(end.unwrap().0, End::with(EndReason::ViewerLost, detail::NO_HEARTBEAT));
    assert_eq!(start.elapsed().as_secs(), 80);
}

#[tokio::test(start_paused = true)]
async fn broken_websockets_end_with_their_codes() {
    for (bytes, code, reason) in [
        (vec![0x82, 0x01, 0x05], 1002, "ws.unmasked"),
        (frame(0x81, b"hello"), 1003, "ws.text"),
        (frame(0xc2, b""), 1002, "ws.reserved_bits"),
        ([&[0x82, 0xff][..], &(WS_MESSAGE + 1).to_be_bytes(), &[0; 4]].concat(), 1009, "ws.too_big"),
    ] {
        let mut rig = framed().start();
        rig.viewer.write_all(&[binary(&pointer(0, 1)), bytes].concat()).await.unwrap();
        let (seen, taken, end) = rig.finish().await;
        assert_eq!(closed(&seen), (code, reason.to_owned()));
        assert_eq!(taken, pointer(0, 1), "what came before the fault has left");
        assert_eq!(end.reason, EndReason::ViewerMisbehaved);
    }
}

#[tokio::test(start_paused = true)]
async fn faults_of_either_peer_end_the_session_and_nothing_leaves_after_them() {
    let mut rig = framed().start();
    rig.target.write_all(&[update(1, 1), vec![99, 1, 2, 3]].concat()).await.unwrap();
    let (seen, _, end) = rig.finish().await;
    assert_eq!(closed(&seen), (4007, "rfb.unknown_message".into()));
    assert_eq!(payload(&seen), update(1, 1));
    assert_eq!(end.reason, EndReason::TargetMisbehaved);

    let mut rig = framed().start();
    rig.viewer.write_all(&binary(&[pointer(0, 1), vec![77; 40]].concat())).await.unwrap();
    let (seen, taken, end) = rig.finish().await;
    assert_eq!(closed(&seen), (4006, "rfb.unknown_message".into()));
    assert_eq!(taken, pointer(0, 1));
    assert_eq!(end.reason, EndReason::ViewerMisbehaved);
}

#[tokio::test(start_paused = true)]
async fn the_ways_of_leaving_are_told_apart() {
    let rig = framed().start();
    drop(rig.target);
    let mut viewer = rig.viewer;
    assert_eq!(closed(&rest_of(&mut viewer).await), (4001, "session.target_closed".into()));
    drop(viewer);
    assert_eq!(rig.task.await.unwrap().0, End::new(EndReason::TargetClosed));

    let mut rig = framed().start();
    rig.target.write_all(&update(1, 1)[..100]).await.unwrap();
    drop(rig.target);
    assert_eq!(closed(&rest_of(&mut rig.viewer).await), (4001, "session.truncated".into()));

    for (goodbye, reason, resumable) in [
        (frame(0x88, &[]), EndReason::ViewerLeft, false),
        (frame(0x88, &1001_u16.to_be_bytes()), EndReason::ViewerLeft, true),
        (vec![], EndReason::ViewerLost, true),
    ] {
        let mut rig = framed().start();
        rig.viewer.write_all(&[binary(&key(true, 0x61)), goodbye].concat()).await.unwrap();
        rig.viewer.shutdown().await.unwrap();
        let (_, taken, end) = rig.finish().await;
        assert_eq!((end.reason, end.resumable), (reason, resumable));
        assert_eq!(taken, [key(true, 0x61), key(false, 0x61)].concat(), "released when the viewer is gone");
    }

    let rig = raw().start();
    drop(rig.viewer);
    assert_eq!(rig.task.await.unwrap().0.reason, EndReason::ViewerLeft, "native viewers just close");
}

/// A viewer that does not read stops its target's writer, holds one buffer, and goes on when it reads.
#[tokio::test(start_paused = true)]
async fn a_slow_viewer_pushes_back_and_holds_one_buffer() {
    let mut rig = framed().start();
    let picture = update(400, 5);
    let (_from_target, mut to_target) = tokio::io::split(rig.target);
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let flood = tokio::spawn({
        let (picture, sent) = (picture.clone(), sent.clone());
        async move {
            for piece in picture.chunks(1000) {
                to_target.write_all(piece).await.unwrap();
                sent.fetch_add(piece.len(), std::sync::atomic::Ordering::Relaxed);
            }
            to_target
        }
    });
    settle().await;
    let stuck = sent.load(std::sync::atomic::Ordering::Relaxed);
    assert!(stuck <= BUFFER + 3 * WIRE, "{stuck}");
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(sent.load(std::sync::atomic::Ordering::Relaxed), stuck);
    assert_eq!(rig.pool.lent(), BUFFER);
    let mut seen = Vec::new();
    while payload_len(&seen) < picture.len() {
        rig.viewer.read_buf(&mut seen).await.unwrap();
    }
    drop(flood.await.unwrap());
    settle().await;
    assert_eq!(rig.pool.lent(), 0);
    assert!(payload(&seen) == picture);
}

/// Payload bytes of whole binary frames.
fn payload_len(bytes: &[u8]) -> usize {
    let (mut rest, mut sum) = (bytes, 0);
    loop {
        let (header, len) = match rest {
            [_, 126, a, b, ..] => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            [_, n @ 0..=125, ..] => (2, usize::from(*n)),
            _ => return sum,
        };
        if rest.len() < header + len {
            return sum;
        }
        sum += if rest[0] == 0x82 { len } else { 0 };
        rest = &rest[header + len..];
    }
}

#[tokio::test(start_paused = true)]
async fn peers_that_stop_are_given_thirty_seconds() {
    // A viewer that reads nothing of a picture under way.
    let rig = framed().start();
    let (_from_target, mut to_target) = tokio::io::split(rig.target);
    let start = Instant::now();
    tokio::spawn(async move { to_target.write_all(&update(400, 0)).await });
    assert_eq!(rig.task.await.unwrap().0, End::with(EndReason::ViewerLost, detail::STALLED));
    assert!((30..=31).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());

    // A target that reads nothing of what is typed.
    let rig = framed().start();
    let (_from_viewer, mut to_viewer) = tokio::io::split(rig.viewer);
    let start = Instant::now();
    tokio::spawn(async move { to_viewer.write_all(&binary(&pointer(0, 1).repeat(20)).repeat(1000)).await });
    assert_eq!(rig.task.await.unwrap().0, End::with(EndReason::TargetLost, detail::STALLED));
    assert!((30..=31).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());

    // A viewer, then a target, in the middle of a message.
    let mut rig = framed().start();
    rig.viewer.write_all(&binary(&[6, 0, 0, 0, 0, 0, 0, 200, b'x'])).await.unwrap();
    let (_, _, end) = rig.finish().await;
    assert_eq!(end, End::with(EndReason::ViewerLost, detail::STALLED));
    let mut rig = framed().start();
    rig.target.write_all(&update(1, 0)[..40]).await.unwrap();
    let (seen, _, end) = rig.finish().await;
    assert_eq!(end, End::with(EndReason::TargetLost, detail::STALLED));
    assert_eq!(closed(&seen), (4002, "session.stalled".into()));
}

#[tokio::test(start_paused = true)]
async fn a_bandwidth_cap_holds_and_can_be_lifted() {
    let mut rig = framed().policy(|p| p.max_bytes_per_second = Some(100_000)).start();
    let picture = update(400, 5);
    let start = Instant::now();
    let (_from_target, mut to_target) = tokio::io::split(rig.target);
    let copy = picture.clone();
    tokio::spawn(async move {
        to_target.write_all(&copy).await.unwrap();
        std::future::pending::<()>().await;
        drop(to_target);
    });
    let mut seen = Vec::new();
    while start.elapsed() < Duration::from_secs(5) {
        let _ = tokio::time::timeout(Duration::from_millis(100), rig.viewer.read_buf(&mut seen)).await;
    }
    let passed = payload_len(&seen);
    assert!((450_000..=560_000).contains(&passed), "{passed}");
    rig.registry.set_policy(rig.id, Policy::default());
    while payload_len(&seen) < picture.len() {
        rig.viewer.read_buf(&mut seen).await.unwrap();
    }
    assert!(start.elapsed() < Duration::from_millis(5_200), "{:?}", start.elapsed());
    assert!(payload(&seen) == picture);
}

/// Also in the middle of a message, and when the pool's cap leaves only small buffers.
#[tokio::test(start_paused = true)]
async fn an_idle_session_holds_no_buffer_and_a_full_pool_stops_nobody() {
    let mut setup = framed();
    setup.pool_bytes = 0;
    let mut rig = setup.start();
    let picture = update(3, 5);
    rig.target.write_all(&picture[..14]).await.unwrap();
    settle().await;
    assert_eq!(rig.pool.lent(), 0);
    let mut seen = Vec::new();
    let (mut from_target, mut to_target) = tokio::io::split(rig.target);
    let rest = picture[14..].to_vec();
    tokio::spawn(async move { to_target.write_all(&rest).await.map(|()| to_target) });
    while payload_len(&seen) < picture.len() {
        rig.viewer.read_buf(&mut seen).await.unwrap();
    }
    assert!(payload(&seen) == picture);
    // A clipboard that is held whole until its verdict.
    let text = [&[6, 0, 0, 0, 0, 0, 0x40, 0][..], &[b'x'; 0x4000]].concat();
    let sent: Vec<u8> = text.chunks(3000).flat_map(binary).collect();
    let mut taken = vec![0; text.len()];
    let (wrote, read) = tokio::join!(rig.viewer.write_all(&sent), from_target.read_exact(&mut taken));
    wrote.unwrap();
    read.unwrap();
    assert!(taken == text);
    settle().await;
    assert_eq!(rig.pool.lent(), 0);
}

/// What an idle session costs beside its sockets: this, the observer, a timer and a WebSocket's state.
#[test]
fn a_session_is_small() {
    let relay = size_of::<Relay<crate::dial::TargetStream>>();
    let all = relay
        + size_of::<Observer>()
        + size_of::<Ws>()
        + size_of::<Entry>()
        + size_of::<tokio::time::Sleep>();
    println!(
        "relay {relay}, observer {}, ws {}, entry {}",
        size_of::<Observer>(),
        size_of::<Ws>(),
        size_of::<Entry>()
    );
    assert!(relay <= 1536, "{relay}");
    assert!(all <= 6144, "{all}");
}
