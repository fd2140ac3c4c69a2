//! Pictures of targets: exact, beside whoever looks on, and bounded whatever the target sends.

use crate::support::{Door, House, certificate, context, endpoint, endpoint_at, with_identity};
use gateway::snapshot::{Picture, SnapshotError, SnapshotLimits};
use gateway::{Endpoint, Gateway};
use model::Coded;
use model::target::Identity;
use rfb::TestCard;
use rfb::wire::Put;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use testkit::qemu::Qemu;
use testkit::test_card::ServedCard;
use testkit::vnc::{Viewer, ViewerOptions};
use testkit::wait;
use testkit::x11vnc::X11vnc;
use testkit::xvnc::{Xvnc, XvncOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

fn gateway(endpoint: &Endpoint) -> Arc<Gateway> {
    House::gateway(endpoint.clone(), Door::new("unused"), context()).1
}

async fn snapshot(endpoint: &Endpoint) -> Result<Picture, SnapshotError> {
    gateway(endpoint).snapshot(endpoint, &SnapshotLimits::default()).await
}

fn of(screen: &rfb::Framebuffer) -> Picture {
    Picture::of(screen, 480, 300).unwrap()
}

#[tokio::test]
async fn the_test_card_is_its_own_oracle() {
    for (width, height) in [(1024, 768), (64, 64), (1366, 768)] {
        let (card, address) = ServedCard::listen(TestCard::still(width, height)).await.unwrap();
        let picture = snapshot(&endpoint(address)).await.unwrap();
        assert_eq!(picture, of(card.card().framebuffer()), "{width}x{height}");
        assert!(picture.width <= 480 && picture.height <= 300);
    }
}

#[tokio::test]
async fn a_picture_of_xvnc_is_what_its_viewer_sees_and_the_viewer_goes_on() {
    for depth in [24, 16] {
        let options = XvncOptions { width: 1024, height: 768, depth, ..XvncOptions::default() };
        let mut server = Xvnc::start(options).await.unwrap();
        server.draw_scene().await.unwrap();
        let stream = TcpStream::connect(server.address()).await.unwrap();
        let pixel_format = Some(rfb::PixelFormat::RGB888);
        let options = ViewerOptions { pixel_format, ..ViewerOptions::default() };
        let mut viewer = Viewer::connect(stream, options).await.unwrap();
        let picture = snapshot(&endpoint(server.address())).await.unwrap();
        assert_eq!((picture.width, picture.height), (400, 300));
        viewer.wait_for("the same picture", |screen| of(screen) == picture).await.unwrap();

        // Who was there before is still there, and sees what comes.
        let corner = viewer.screen().pixel(1023, 767);
        server.solid("#204060").await.unwrap();
        viewer.wait_for("the new root", |screen| screen.pixel(1023, 767) != corner).await.unwrap();
        let after = snapshot(&endpoint(server.address())).await.unwrap();
        assert_ne!(after.digest, picture.digest);
    }
}

#[tokio::test]
async fn qemu_and_x11vnc_are_pictured_as_their_viewers_see_them() {
    let machine = Qemu::start("", &[]).await.unwrap();
    let target = endpoint_at(&machine.vnc_path());
    let gateway = gateway(&target);
    let stream = UnixStream::connect(machine.vnc_path()).await.unwrap();
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await.unwrap();
    // The firmware writes for a moment, and its cursor blinks.
    wait::until("equal pictures", wait::LIMIT, async || {
        let picture = gateway.snapshot(&target, &SnapshotLimits::default()).await.ok()?;
        viewer.settle(Duration::from_millis(20)).await.ok()?;
        (viewer.screen().pixels().iter().any(|&pixel| pixel != 0) && picture == of(viewer.screen()))
            .then_some(())
    })
    .await
    .unwrap();

    let server = X11vnc::start(800, 600, &[]).await.unwrap();
    let picture = snapshot(&endpoint(server.address())).await.unwrap();
    let stream = TcpStream::connect(server.address()).await.unwrap();
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await.unwrap();
    viewer.wait_for("the same picture", |screen| of(screen) == picture).await.unwrap();
}

#[tokio::test]
async fn nothing_is_trusted_for_the_first_time() {
    let directory = tempfile::tempdir().unwrap();
    let (files, _) = certificate(directory.path());
    let options = XvncOptions {
        security_types: "X509None".to_owned(),
        certificate: Some((files.leaf, files.leaf_key)),
        ..XvncOptions::default()
    };
    let server = Xvnc::start(options).await.unwrap();
    let mut first = with_identity(endpoint(server.address()), Identity::FirstUse);
    first.security.pin_on_console = true;
    let error = snapshot(&first).await.unwrap_err();
    assert_eq!((error.code(), error.is_lasting()), ("target.identity_unknown", true));
}

/// A server with a handshake, a screen of this size, and then whatever `speak` sends.
async fn hostile<F>(
    width: u16,
    height: u16,
    speak: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> SocketAddr
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        greet(&mut stream, width, height).await?;
        // It ends with its viewer.
        speak(stream).await
    });
    address
}

async fn greet(stream: &mut TcpStream, width: u16, height: u16) -> std::io::Result<()> {
    stream.write_all(b"RFB 003.008\n\x01\x01").await?;
    let mut said = [0; 12 + 1];
    stream.read_exact(&mut said).await?;
    stream.write_all(&[0; 4]).await?;
    // ClientInit: shared, so that nobody is thrown out
    assert_eq!(stream.read_u8().await?, 1);
    let mut init = Vec::new();
    init.put_u16(width);
    init.put_u16(height);
    rfb::PixelFormat::RGB888.write(&mut init);
    init.put_u32(0);
    stream.write_all(&init).await
}

/// The header of a rectangle.
fn rectangle(width: u16, height: u16, encoding: i32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in [0, 0, width, height] {
        bytes.put_u16(field);
    }
    bytes.put_i32(encoding);
    bytes
}

/// The code of what a server leads to, with a short time for its screen.
async fn code(address: SocketAddr) -> &'static str {
    let target = endpoint(address);
    let limits = SnapshotLimits { update: Duration::from_secs(2), ..SnapshotLimits::default() };
    let gateway = gateway(&target);
    let taken = tokio::time::timeout(wait::LIMIT, gateway.snapshot(&target, &limits)).await;
    taken.expect("it hangs").unwrap_err().code()
}

#[tokio::test]
async fn a_screen_that_is_too_large_is_left_alone() {
    // Of the first one already the handshake says that there is no such screen.
    for (size, expected) in
        [(65_535, "target.misbehaved"), (16_384, "snapshot.too_large"), (4096, "snapshot.too_large")]
    {
        let address = hostile(size, size, |_| async { Ok(()) }).await;
        assert_eq!(code(address).await, expected, "{size}");
    }
    let address = hostile(0, 0, |_| async { Ok(()) }).await;
    assert_eq!(code(address).await, "snapshot.empty");
    // One that grows later.
    let address = hostile(64, 64, |mut stream| async move {
        stream.write_all(&[&[0, 0, 0, 1], &rectangle(16_384, 16_384, -223)[..]].concat()).await?;
        stream.read_to_end(&mut Vec::new()).await.map(drop)
    })
    .await;
    assert_eq!(code(address).await, "snapshot.too_large");
}

#[tokio::test]
async fn a_silent_server_is_left_after_a_while() {
    let address =
        hostile(640, 480, |mut stream| async move { stream.read_to_end(&mut Vec::new()).await.map(drop) })
            .await;
    assert_eq!(code(address).await, "target.timeout");
    // One that leaves.
    let address = hostile(640, 480, |_| async { Ok(()) }).await;
    assert_eq!(code(address).await, "target.unreachable");
}

#[tokio::test]
async fn an_endless_update_ends() {
    // Raw rectangles without an end, in an update that says "until LastRect".
    let raw = [rectangle(64, 64, 0), vec![0x55; 64 * 64 * 4]].concat();
    let address = hostile(64, 64, |mut stream| async move {
        stream.write_all(&[0, 0, 0xff, 0xff]).await?;
        loop {
            stream.write_all(&raw).await?;
        }
    })
    .await;
    assert_eq!(code(address).await, "snapshot.endless");
    // Updates without a rectangle.
    let address = hostile(64, 64, |mut stream| async move {
        loop {
            stream.write_all(&[0; 4096]).await?;
        }
    })
    .await;
    assert_eq!(code(address).await, "snapshot.empty");
    // A rectangle whose compressed bytes never end.
    let address = hostile(2048, 2048, |mut stream| async move {
        stream.write_all(&[&[0, 0, 0, 1], &rectangle(2048, 2048, 16)[..], &[1, 0, 0, 0]].concat()).await?;
        loop {
            stream.write_all(&[0; 64 * 1024]).await?;
        }
    })
    .await;
    assert_eq!(code(address).await, "snapshot.endless");
}

/// A few bytes that draw a whole large screen, again and again: the time of the clock counts, not only bytes.
#[tokio::test]
async fn whole_screens_from_a_few_bytes_end() {
    let fill = [rectangle(2048, 4096, 7), vec![0x80, 1, 2, 3]].concat();
    let fills = fill.repeat(4096);
    let address = hostile(2048, 4096, |mut stream| async move {
        stream.write_all(&[0, 0, 0xff, 0xff]).await?;
        loop {
            stream.write_all(&fills).await?;
        }
    })
    .await;
    assert_eq!(code(address).await, "target.timeout");
    // The same with sizes.
    let sizes = [rectangle(2048, 4096, -223), rectangle(4096, 2048, -223)].concat().repeat(4096);
    let address = hostile(64, 64, |mut stream| async move {
        stream.write_all(&[0, 0, 0xff, 0xff]).await?;
        loop {
            stream.write_all(&sizes).await?;
        }
    })
    .await;
    assert_eq!(code(address).await, "target.timeout");
}

/// A target that draws only a part of its screen is pictured after some requests, the rest black.
#[tokio::test]
async fn what_is_there_is_pictured() {
    let address = hostile(64, 64, |mut stream| async move {
        let part = [&[0, 0, 0, 1], &rectangle(32, 64, 0)[..], &[0xff; 32 * 64 * 4]].concat();
        // SetPixelFormat, SetEncodings of eight, and one request after the other.
        stream.read_exact(&mut [0; 20 + 4 + 8 * 4]).await?;
        for _ in 0..3 {
            stream.read_exact(&mut [0; 10]).await?;
            stream.write_all(&part).await?;
        }
        stream.read_to_end(&mut Vec::new()).await.map(drop)
    })
    .await;
    let picture = snapshot(&endpoint(address)).await.unwrap();
    let mut screen = rfb::Framebuffer::new(64, 64);
    screen.fill(rfb::framebuffer::Rect::new(0, 0, 32, 64), 0x00ff_ffff);
    assert_eq!(picture, of(&screen));
}
