//! Consoles as browsers open them, on a real server: the picture, the bytes, and every refusal.

use crate::house::{House, Pipe, open, plain_target, recording_wire, spec};
use crate::support::{certificate, endpoint, with_identity, with_password};
use gateway::tls::Fingerprint;
use gateway::{Gateway, GatewayLimits};
use model::secret::Keysym;
use model::session::EndReason;
use rfb::decode::number;
use std::sync::Arc;
use std::time::Duration;
use testkit::vnc::{Viewer, ViewerOptions, lossless};
use testkit::xvnc::{Xvnc, XvncOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn xvnc() -> Xvnc {
    let options = XvncOptions {
        security_types: "VncAuth".to_owned(),
        password: Some("correct".to_owned()),
        ..XvncOptions::default()
    };
    Xvnc::start(options).await.unwrap()
}

async fn viewer(gateway: &Arc<Gateway>, session: u8) -> Viewer<Pipe> {
    let (pipe, _) = open(gateway, spec(session, None)).await;
    Viewer::connect(pipe, ViewerOptions::default()).await.unwrap()
}

/// The gateway logs in with its own secret, the browser needs none, and the picture behind it is the
/// picture before it, in every encoding.
#[tokio::test]
async fn the_picture_of_xvnc_is_the_same_on_both_sides() {
    let mut server = xvnc().await;
    server.draw_scene().await.unwrap();
    let house = House::new(with_password(endpoint(server.address()), "correct"));
    let gateway = house.gateway(GatewayLimits::default());
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let mut before = Viewer::connect(stream, ViewerOptions::password("correct")).await.unwrap();
    before.settle(Duration::from_millis(200)).await.unwrap();
    let encodings = [number::RAW, number::HEXTILE, number::ZRLE, number::TIGHT, number::RRE];
    for (session, encoding) in (10..).zip(encodings) {
        let (pipe, ended) = open(&gateway, spec(session, None)).await;
        let options = ViewerOptions::default().with_encodings(lossless(encoding));
        let mut behind = Viewer::connect(pipe, options).await.unwrap();
        behind.settle(Duration::from_millis(200)).await.unwrap();
        assert!(behind.screen() == before.screen(), "encoding {encoding}");
        let snapshot = gateway.registry().list().pop().unwrap();
        assert_eq!((snapshot.width, snapshot.height), (640, 480));
        assert!(snapshot.counters.rectangles > 0, "{snapshot:?}");
        drop(behind);
        assert_eq!(ended.await.unwrap().reason, EndReason::ViewerLost);
    }
    assert_eq!(house.lines()[..2], ["started RFB 003.008 type 2", "ended session.viewer_lost keys 0"]);
    assert_eq!(gateway.registry().count(), 0);
    assert_eq!(gateway.buffered(), 0);
}

/// Recorded on both sides of the gateway, the bytes are the same but for the edits: here a clipboard
/// that policy drops.
#[tokio::test]
async fn the_bytes_are_the_same_on_both_sides_but_for_the_edits() {
    let mut server = xvnc().await;
    server.draw_scene().await.unwrap();
    let (wire, record) = recording_wire(server.address()).await;
    let house = House::new(with_password(endpoint(wire), "correct"));
    let gateway = house.gateway(GatewayLimits::default());
    let mut spec = spec(10, None);
    spec.policy.clipboard_to_target = model::policy::ClipboardRule::Deny;
    let (pipe, _) = open(&gateway, spec).await;
    let options = ViewerOptions { record: true, ..ViewerOptions::default() };
    let mut viewer = Viewer::connect(pipe, options).await.unwrap();
    viewer.settle(Duration::from_millis(200)).await.unwrap();
    let sent_before = record.lock().unwrap().0.len();
    viewer.cut_text(b"not for the target").await.unwrap();
    for x in 0..50 {
        viewer.pointer(x, 3, 0).await.unwrap();
    }
    viewer.key(Keysym(0x61), true).await.unwrap();
    viewer.key(Keysym(0x61), false).await.unwrap();
    viewer.refresh().await.unwrap();
    viewer.settle(Duration::from_millis(300)).await.unwrap();
    let (up, down) = record.lock().unwrap().clone();
    let session_bytes = viewer.server_bytes();
    assert!(session_bytes.len() > 1000 && down.ends_with(session_bytes));
    let mut expected: Vec<u8> = (0..50).flat_map(|x| [5, 0, 0, x, 0, 3]).collect();
    expected.extend([4, 1, 0, 0, 0, 0, 0, 0x61, 4, 0, 0, 0, 0, 0, 0, 0x61]);
    assert!(up[sent_before..].starts_with(&expected), "{:?}", &up[sent_before..]);
    assert!(!up.windows(6).any(|w| w == b"target"));
    let counters = gateway.registry().list()[0].counters;
    assert_eq!((counters.keys, counters.pointers, counters.dropped), (1, 50, 1), "{counters:?}");
}

/// What a person compares: the certificate that was pinned and the one that is there.
#[tokio::test]
async fn a_changed_certificate_is_told_with_both_fingerprints() {
    let directory = tempfile::tempdir().unwrap();
    let (files, fingerprint) = certificate(directory.path());
    let options = XvncOptions {
        security_types: "X509None".to_owned(),
        certificate: Some((files.leaf, files.leaf_key)),
        ..XvncOptions::default()
    };
    let server = Xvnc::start(options).await.unwrap();
    let pinned = Fingerprint::of(b"what it was before");
    let shown = Fingerprint::parse(&fingerprint).unwrap();
    let identity = model::target::Identity::Pinned(pinned.to_hex());
    let house = House::new(with_identity(endpoint(server.address()), identity));
    let gateway = house.gateway(GatewayLimits::default());
    let (mut pipe, _) = open(&gateway, spec(10, None)).await;
    let told = refusal(&mut pipe).await;
    assert!(told.contains(&pinned.to_hex()) && told.contains(&shown.to_hex()), "{told}");
    let reason = format!("target.tls_mismatch {} {}", pinned.to_base64url(), shown.to_base64url());
    assert_eq!(pipe.close_frame().await, (4008, reason));
}

#[tokio::test]
async fn refusals_of_the_target_reach_the_viewer_as_codes() {
    let server = xvnc().await;
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let wrong = with_password(endpoint(server.address()), "wr0ng");
    for (target, code) in [
        (Some(wrong), "target.wrong_password"),
        (Some(endpoint(server.address())), "target.password_missing"),
        (Some(endpoint(nobody)), "target.unreachable"),
        (None, "target.not_found"),
    ] {
        let house = House::new(endpoint(nobody));
        house.move_target(target);
        let gateway = house.gateway(GatewayLimits::default());
        let (mut pipe, ended) = open(&gateway, spec(10, None)).await;
        assert!(refusal(&mut pipe).await.contains(code));
        assert_eq!(pipe.close_frame().await, (4008, code.to_owned()));
        let summary = ended.await.unwrap();
        assert_eq!((summary.reason, summary.detail), (EndReason::TargetRefused, Some(code)));
        assert_eq!(house.lines(), ["not begun"], "what did not start does not end");
        assert_eq!(gateway.registry().count(), 0);
    }
}

#[tokio::test]
async fn without_a_journal_there_is_no_session() {
    let (address, _targets) = plain_target().await;
    let mut house = House::new(endpoint(address));
    Arc::get_mut(&mut house).unwrap().broken = true;
    let gateway = house.gateway(GatewayLimits::default());
    let (pipe, ended) = open(&gateway, spec(10, None)).await;
    let error = Viewer::connect(pipe, ViewerOptions::default()).await.unwrap_err();
    assert!(format!("{error:#}").contains("journal.unavailable"), "{error:#}");
    assert_eq!(ended.await.unwrap().detail, Some("journal.unavailable"));
}

#[tokio::test]
async fn a_kill_reaches_the_page_as_close_code_and_the_journal_before_it_is_forgotten() {
    let server = xvnc().await;
    let house = House::new(with_password(endpoint(server.address()), "correct"));
    let gateway = house.gateway(GatewayLimits::default());
    let mut viewer = viewer(&gateway, 10).await;
    viewer.key(Keysym(0x61), true).await.unwrap();
    let id = spec(10, None).session;
    while gateway.registry().snapshot(id).unwrap().counters.keys == 0 {
        tokio::task::yield_now().await;
    }
    assert!(gateway.registry().kill(id, EndReason::Killed));
    let (mut pipe, _) = viewer.into_stream();
    assert_eq!(pipe.close_frame().await, (4003, "session.killed".to_owned()));
    gateway.drain(Duration::from_secs(5)).await;
    assert_eq!(house.lines().last().unwrap(), "ended session.killed keys 1");
    assert!(!gateway.registry().kill(id, EndReason::Killed));
}

#[tokio::test]
async fn draining_tells_everybody_and_lets_nobody_in() {
    let (address, _targets) = plain_target().await;
    let house = House::new(endpoint(address));
    let gateway = house.gateway(GatewayLimits::default());
    let viewers = [viewer(&gateway, 10).await, viewer(&gateway, 11).await];
    gateway.drain(Duration::from_secs(5)).await;
    assert_eq!(gateway.registry().count(), 0);
    for viewer in viewers {
        let frame = viewer.into_stream().0.close_frame().await;
        assert_eq!(frame, (4009, "session.draining".to_owned()));
    }
    let (mut late, _) = open(&gateway, spec(12, None)).await;
    assert_eq!(late.close_frame().await.0, 4009);
}

#[tokio::test]
async fn one_session_more_than_there_is_room_for_is_refused() {
    let (address, _targets) = plain_target().await;
    let house = House::new(endpoint(address));
    let gateway = house.gateway(GatewayLimits { sessions: 1, ..GatewayLimits::default() });
    let _first = viewer(&gateway, 10).await;
    let (mut second, _) = open(&gateway, spec(11, None)).await;
    assert_eq!(second.close_frame().await, (1013, "door.full".to_owned()));
}

/// A viewer that reads nothing stalls its own session only.
#[tokio::test]
async fn a_slow_viewer_does_not_disturb_the_others() {
    let (address, mut targets) = plain_target().await;
    let house = House::new(endpoint(address));
    let gateway = house.gateway(GatewayLimits::default());
    let update = [&[0, 0, 0, 1, 0, 0, 0, 0, 0, 64, 0, 48, 0, 0, 0, 0][..], &[7; 64 * 48 * 4]].concat();
    let slow = viewer(&gateway, 10).await;
    let mut slow_target = targets.recv().await.unwrap();
    let flood = update.clone();
    let flood = tokio::spawn(async move { while slow_target.write_all(&flood).await.is_ok() {} });
    let mut brisk = viewer(&gateway, 11).await;
    let mut brisk_target = targets.recv().await.unwrap();
    for _ in 0..100 {
        brisk_target.write_all(&update).await.unwrap();
        brisk.wait_for_updates(1).await.unwrap();
    }
    assert!(gateway.buffered() <= gateway::limits::WIDE_BUFFER, "one buffer for the slow one");
    gateway.registry().kill(spec(10, None).session, EndReason::Killed);
    flood.await.unwrap();
    drop(slow);
}

/// A viewer that says nothing, one that leaves, and a kill, while the target does not answer.
#[tokio::test]
async fn nobody_waits_for_a_silent_peer() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let house = House::new(endpoint(silent.local_addr().unwrap()));
    let limits = GatewayLimits { handshake: Duration::from_millis(100), ..GatewayLimits::default() };
    let (mut loris, ended) = open(&house.gateway(limits), spec(10, None)).await;
    assert_eq!(loris.close_frame().await, (4000, "session.stalled".to_owned()));
    assert_eq!(ended.await.unwrap().detail, Some("session.stalled"));

    let gateway = house.gateway(GatewayLimits::default());
    let (mut leaving, ended) = open(&gateway, spec(10, None)).await;
    greet(&mut leaving).await;
    leaving.shutdown().await.unwrap();
    assert_eq!(ended.await.unwrap().reason, EndReason::ViewerLeft);

    let (mut killed, ended) = open(&gateway, spec(10, None)).await;
    greet(&mut killed).await;
    assert!(gateway.registry().kill(spec(10, None).session, EndReason::Killed));
    assert_eq!(killed.close_frame().await, (4003, "session.killed".to_owned()));
    assert_eq!(ended.await.unwrap().reason, EndReason::Killed);
    assert_eq!(gateway.registry().count(), 0);
    assert_eq!(house.lines(), [""; 0]);
}

/// A viewer's half of the handshake, up to where the target has to be there.
/// Up to SecurityResult, as a viewer does: the reason, which carries the code too.
async fn refusal(pipe: &mut Pipe) -> String {
    greet(pipe).await;
    assert_eq!(pipe.read_u32().await.unwrap(), 1, "SecurityResult");
    let mut reason = vec![0; usize::try_from(pipe.read_u32().await.unwrap()).unwrap()];
    pipe.read_exact(&mut reason).await.unwrap();
    String::from_utf8(reason).unwrap()
}

async fn greet(pipe: &mut Pipe) {
    let mut version = [0; 12];
    pipe.read_exact(&mut version).await.unwrap();
    pipe.write_all(&version).await.unwrap();
    pipe.flush().await.unwrap();
    pipe.read_exact(&mut [0; 2]).await.unwrap();
    pipe.write_all(&[1]).await.unwrap();
    pipe.flush().await.unwrap();
}

/// Waiting for the target or relaying: what a session's task needs beside its boxed parts.
#[tokio::test]
async fn the_future_of_a_session_is_small() {
    let (address, _targets) = plain_target().await;
    let gateway = House::new(endpoint(address)).gateway(GatewayLimits::default());
    let (io, _far) = tokio::io::duplex(16);
    let io = gateway::transport::Transport::from(io);
    let size = size_of_val(&gateway.attach_websocket(io, Vec::new(), spec(10, None)));
    assert!(size <= 4096, "{size}");
}
