//! Lost viewers come back with their key, others do not.

use crate::house::{House, Pipe, open, plain_target, spec};
use crate::support::endpoint;
use gateway::registry::Stage;
use gateway::{Gateway, GatewayLimits, ResumeKeyHash};
use model::secret::Keysym;
use model::session::EndReason;
use std::sync::Arc;
use std::time::Duration;
use testkit::vnc::{Viewer, ViewerOptions};
use tokio::io::AsyncWriteExt;

const KEY: Option<&[u8]> = Some(b"key");

async fn rig(window: Duration) -> (Arc<House>, Arc<Gateway>) {
    let (address, mut targets) = plain_target().await;
    // The target's connections stay open as long as the test.
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Some(stream) = targets.recv().await {
            kept.push(stream);
        }
    });
    let house = House::new(endpoint(address));
    let gateway = house.gateway(GatewayLimits { resume: window, ..GatewayLimits::default() });
    (house, gateway)
}

async fn type_a_key(gateway: &Gateway, viewer: &mut Viewer<Pipe>) {
    let id = spec(10, KEY).session;
    let before = gateway.registry().snapshot(id).unwrap().counters.keys;
    viewer.key(Keysym(0x61), true).await.unwrap();
    while gateway.registry().snapshot(id).unwrap().counters.keys == before {
        tokio::task::yield_now().await;
    }
}

async fn stage(gateway: &Gateway, stage: Stage) {
    while gateway.registry().snapshot(spec(10, KEY).session).map(|s| s.stage) != Some(stage) {
        tokio::task::yield_now().await;
    }
}

async fn connect(pipe: Pipe) -> Viewer<Pipe> {
    Viewer::connect(pipe, ViewerOptions::default()).await.unwrap()
}

#[tokio::test]
async fn a_lost_viewer_comes_back_under_the_same_session() {
    let (house, gateway) = rig(Duration::from_secs(30)).await;
    let (pipe, first) = open(&gateway, spec(10, KEY)).await;
    let mut viewer = connect(pipe).await;
    type_a_key(&gateway, &mut viewer).await;
    drop(viewer);
    stage(&gateway, Stage::AwaitingResume).await;

    assert!(gateway.registry().resumable(&ResumeKeyHash::of(b"another")).is_none());
    let back = gateway.registry().resumable(&ResumeKeyHash::of(b"key")).unwrap();
    assert_eq!(back.session, spec(10, KEY).session);
    let (pipe, second) = open(&gateway, back).await;
    let mut viewer = connect(pipe).await;
    assert_eq!(first.await.unwrap().reason, EndReason::Replaced);
    type_a_key(&gateway, &mut viewer).await;
    let (mut pipe, _) = viewer.into_stream();
    pipe.socket.close(None).await.unwrap();
    let summary = second.await.unwrap();
    assert_eq!((summary.reason, summary.counters.keys), (EndReason::ViewerLeft, 2));
    let expected =
        ["started RFB 003.008 type 1", "awaiting resume", "resumed", "ended session.viewer_left keys 2"];
    assert_eq!(house.lines(), expected);
    assert_eq!(gateway.registry().count(), 0);
}

#[tokio::test]
async fn the_key_takes_over_a_connection_that_still_stands_and_no_other_key_does() {
    let (house, gateway) = rig(Duration::from_secs(30)).await;
    let (pipe, first) = open(&gateway, spec(10, KEY)).await;
    let viewer = connect(pipe).await;
    for key in [None, Some(&b"other"[..])] {
        let (mut foreign, _) = open(&gateway, spec(10, key)).await;
        assert_eq!(foreign.close_frame().await, (4011, "session.replaced".to_owned()));
    }
    let (pipe, second) = open(&gateway, spec(10, KEY)).await;
    let newer = connect(pipe).await;
    assert_eq!(viewer.into_stream().0.close_frame().await, (4011, "session.replaced".to_owned()));
    assert_eq!(first.await.unwrap().reason, EndReason::Replaced);
    gateway.registry().kill(spec(10, KEY).session, EndReason::Killed);
    assert_eq!(newer.into_stream().0.close_frame().await.0, 4003);
    assert_eq!(second.await.unwrap().reason, EndReason::Killed);
    assert_eq!(house.lines(), ["started RFB 003.008 type 1", "resumed", "ended session.killed keys 0"]);
}

#[tokio::test]
async fn the_window_closes_and_a_kill_closes_it_at_once() {
    let (house, gateway) = rig(Duration::from_millis(50)).await;
    let (pipe, ended) = open(&gateway, spec(10, KEY)).await;
    drop(connect(pipe).await);
    assert_eq!(ended.await.unwrap().reason, EndReason::ViewerLost);
    assert!(gateway.registry().resumable(&ResumeKeyHash::of(b"key")).is_none());
    assert_eq!(house.lines().last().unwrap(), "ended session.viewer_lost keys 0");

    let (house, gateway) = rig(Duration::from_secs(600)).await;
    let (pipe, ended) = open(&gateway, spec(10, KEY)).await;
    drop(connect(pipe).await);
    stage(&gateway, Stage::AwaitingResume).await;
    assert!(gateway.registry().kill(spec(10, KEY).session, EndReason::Killed));
    assert_eq!(ended.await.unwrap().reason, EndReason::Killed);
    assert_eq!(house.lines().last().unwrap(), "ended session.killed keys 0");
}

/// A page that reloads closes with 1001 and is waited for; one that closes is not.
#[tokio::test]
async fn a_reload_is_waited_for() {
    let (_house, gateway) = rig(Duration::from_secs(30)).await;
    let (pipe, _) = open(&gateway, spec(10, KEY)).await;
    let (mut pipe, _) = connect(pipe).await.into_stream();
    let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame {
        code: tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode::Away,
        reason: "".into(),
    };
    pipe.socket.close(Some(frame)).await.unwrap();
    stage(&gateway, Stage::AwaitingResume).await;
    let (pipe, second) = open(&gateway, spec(10, KEY)).await;
    let mut viewer = connect(pipe).await;
    type_a_key(&gateway, &mut viewer).await;
    viewer.into_stream().0.shutdown().await.unwrap();
    assert_eq!(second.await.unwrap().reason, EndReason::ViewerLeft);
}

/// A target that is down for a moment does not use the ticket up.
#[tokio::test]
async fn an_unreachable_target_can_be_tried_again_with_the_key() {
    let (house, gateway) = rig(Duration::from_secs(30)).await;
    let (up, _targets) = plain_target().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    house.move_target(Some(endpoint(nobody)));
    let (mut pipe, first) = open(&gateway, spec(10, KEY)).await;
    // Greeted as far as the version, the page is told why.
    let mut version = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut pipe, &mut version).await.unwrap();
    pipe.write_all(&version).await.unwrap();
    pipe.flush().await.unwrap();
    tokio::io::AsyncReadExt::read_exact(&mut pipe, &mut [0; 2]).await.unwrap();
    pipe.write_all(&[1]).await.unwrap();
    pipe.flush().await.unwrap();
    assert_eq!(pipe.close_frame().await, (4008, "target.unreachable".to_owned()));
    house.move_target(Some(endpoint(up)));
    let (pipe, _) = open(&gateway, spec(10, KEY)).await;
    let _viewer = connect(pipe).await;
    assert_eq!(first.await.unwrap().reason, EndReason::Replaced);
    assert_eq!(house.lines(), ["started RFB 003.008 type 1"]);
}
