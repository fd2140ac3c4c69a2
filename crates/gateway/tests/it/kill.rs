//! Kills on real sockets: a viewer that reads is told why, one that stopped reading is cut off.
//!
//! How long it took is printed (`--nocapture`), not asserted: the bounds are shown in virtual time.

use crate::house::{House, Pipe, open, plain_target, spec};
use crate::support::endpoint;
use gateway::{Gateway, GatewayLimits, SessionEndSummary};
use model::session::EndReason;
use rfb::wire::Put;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Instant;
use testkit::vnc::{Viewer, ViewerOptions};
use testkit::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// More than all buffers between a target and its viewer can hold.
const FLOOD: usize = 64 << 20;
/// Looks at a counter that has not moved before it counts as standing still.
const STILL: u32 = 30;

struct Scene {
    gateway: Arc<Gateway>,
    viewer: Viewer<Pipe>,
    target: TcpStream,
    ended: JoinHandle<SessionEndSummary>,
}

async fn scene() -> Scene {
    let (address, mut targets) = plain_target().await;
    let gateway = House::new(endpoint(address)).gateway(GatewayLimits::default());
    let (pipe, ended) = open(&gateway, spec(10, None)).await;
    let viewer = Viewer::connect(pipe, ViewerOptions::default()).await.unwrap();
    Scene { gateway, viewer, target: targets.recv().await.unwrap(), ended }
}

/// A whole screen in Raw.
fn update() -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 1];
    for n in [0, 0, 64, 48] {
        bytes.put_u16(n);
    }
    bytes.put_i32(0);
    bytes.resize(bytes.len() + 64 * 48 * 4, 0x55);
    bytes
}

/// Sends more than anybody takes; how the target's connection ended.
fn flood(mut target: TcpStream) -> JoinHandle<std::io::Result<()>> {
    tokio::spawn(async move {
        let update = update();
        for _ in 0..FLOOD / update.len() {
            target.write_all(&update).await?;
        }
        Ok(())
    })
}

/// Waits until the gateway takes nothing more from the target, because nobody takes it from the gateway.
async fn all_buffers_are_full(gateway: &Gateway) {
    let (mut last, mut still) = (0, 0);
    let full = async || {
        let moved = gateway.registry().snapshot(spec(10, None).session)?.counters.target_bytes;
        still = if moved == last { still + 1 } else { 0 };
        last = moved;
        (moved > 0 && still == STILL).then_some(())
    };
    wait::until("full buffers", wait::LIMIT, full).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_stopped_reading_is_reset() {
    let Scene { gateway, viewer, target, ended } = scene().await;
    let flooding = flood(target);
    all_buffers_are_full(&gateway).await;
    let killed = Instant::now();
    assert!(gateway.registry().kill(spec(10, None).session, EndReason::Killed));
    assert_eq!(ended.await.unwrap().reason, EndReason::Killed);
    println!("killed and reset after {:?} (bounds: 50 ms and 200 ms of flush)", killed.elapsed());
    // What had come before is still there to be read; then the reset, and no close frame.
    let mut stream = viewer.into_stream().0.socket.into_inner();
    let mut scrap = vec![0; 1 << 20];
    let end = loop {
        match stream.read(&mut scrap).await {
            Ok(0) => break None,
            Ok(_) => {}
            Err(error) => break Some(error.kind()),
        }
    };
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
    assert!(flooding.await.unwrap().is_err(), "the target was let go of as well");
    assert_eq!(gateway.buffered(), 0);
    assert_eq!(gateway.registry().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_that_reads_is_told_why() {
    let Scene { gateway, viewer, mut target, ended } = scene().await;
    target.write_all(&update()).await.unwrap();
    let (mut pipe, _) = viewer.into_stream();
    pipe.read_exact(&mut update()).await.unwrap();
    let killed = Instant::now();
    assert!(gateway.registry().kill(spec(10, None).session, EndReason::Killed));
    assert_eq!(pipe.close_frame().await, (4003, "session.killed".to_owned()));
    println!("told why {:?} after the kill", killed.elapsed());
    assert_eq!(ended.await.unwrap().reason, EndReason::Killed);
    // The target's side is closed too: what the viewer had sent, then the end.
    tokio::time::timeout(wait::LIMIT, target.read_to_end(&mut Vec::new())).await.unwrap().unwrap();
}
