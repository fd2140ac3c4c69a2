//! The test card shown to our viewer and to other people's: the pixels are the oracle's.

use rfb::TestCard;
use rfb::decode::number;
use rfb::framebuffer::Framebuffer;
use testkit::process::{Program, require};
use testkit::test_card::ServedCard;
use testkit::vnc::{Viewer, ViewerOptions, lossless};
use testkit::vncviewer::VncViewer;
use testkit::wait;
use testkit::x11vnc::X11vnc;
use tokio::net::TcpStream;

fn is_same(left: &Framebuffer, right: &Framebuffer) -> bool {
    left.bounds() == right.bounds() && left.pixels() == right.pixels()
}

#[tokio::test]
async fn our_viewer_sees_the_oracle_in_every_encoding() {
    for encoding in
        [number::RAW, number::HEXTILE, number::ZRLE, number::TIGHT, number::TIGHT_PNG, number::TRLE]
    {
        let (served, stream) = ServedCard::pipe(TestCard::still(640, 400));
        let options = ViewerOptions::default().with_encodings(lossless(encoding));
        let mut viewer = Viewer::connect(stream, options).await.unwrap();
        viewer.type_text("typed").await.unwrap();
        viewer.pointer(300, 200, 1).await.unwrap();
        viewer.cut_text(b"copied").await.unwrap();
        let same = |screen: &Framebuffer| {
            let card = served.card();
            card.revision() > 1 && card.is_settled() && is_same(screen, card.framebuffer())
        };
        viewer.wait_for("the oracle's picture", same).await.unwrap();
        let layout = viewer.set_desktop_size(500, 300).await.unwrap();
        assert_eq!((layout.status, layout.width), (0, 500));
        viewer.wait_for("the oracle's new picture", same).await.unwrap();
    }
}

#[tokio::test]
async fn a_moving_card_reaches_its_viewer() {
    let (served, stream) = ServedCard::pipe(TestCard::new(320, 200));
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await.unwrap();
    viewer.wait_for("a tick", |screen| screen.pixel(0, 0) >= Some(2)).await.unwrap();
    assert!(served.card().revision() >= 2);
}

/// What a viewer's display shows, read by x11vnc, must become the oracle's picture. It does once the
/// viewer's hint about its menu has faded.
#[tokio::test]
async fn tigervnc_viewer_shows_the_oracle() {
    tokio::join!(
        tigervnc_viewer_in("Tight"),
        tigervnc_viewer_in("ZRLE"),
        tigervnc_viewer_in("Hextile"),
        tigervnc_viewer_in("Raw"),
    );
}

async fn tigervnc_viewer_in(encoding: &str) {
    let (served, address) = ServedCard::listen(TestCard::still(1280, 1024)).await.unwrap();
    let preferred = format!("-PreferredEncoding={encoding}");
    let arguments = ["-FullScreen=1", "-RemoteResize=0", "-AutoSelect=0", "-FullColor=1", &preferred];
    let server = format!("127.0.0.1::{}", address.port());
    let viewer = VncViewer::start(&server, None, None, &arguments).await.unwrap();
    let x11vnc = X11vnc::watch(viewer.xvfb(), &["-nocursor"]).await.unwrap();
    let stream = TcpStream::connect(x11vnc.address()).await.unwrap();
    let options = ViewerOptions::default().with_encodings(vec![number::ZRLE]);
    let mut eye = Viewer::connect(stream, options).await.unwrap();
    let same = |screen: &Framebuffer| is_same(screen, served.card().framebuffer());
    eye.wait_for(&format!("the oracle's picture in TigerVNC's viewer by {encoding}"), same).await.unwrap();
}

/// gtk-vnc's own capture program writes what it decoded as a PNG.
#[tokio::test]
async fn gtk_vnc_captures_the_oracle() {
    let (served, address) = ServedCard::listen(TestCard::still(640, 400)).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("card.png");
    let capture = Program::new(require("gvnccapture", "gvncviewer").unwrap());
    let display = i32::from(address.port()) - 5900;
    capture.arg("-q").arg(format!("127.0.0.1:{display}")).arg(&file).run().await.unwrap();
    let picture = wait::until("the file", wait::LIMIT, async || read_png(&file)).await.unwrap();
    assert!(picture == served.card().framebuffer().pixels());
}

fn read_png(path: &std::path::Path) -> Option<Vec<u32>> {
    let mut reader =
        png::Decoder::new(std::io::BufReader::new(std::fs::File::open(path).ok()?)).read_info().ok()?;
    let mut bytes = vec![0; reader.output_buffer_size()?];
    let frame = reader.next_frame(&mut bytes).ok()?;
    let samples = frame.color_type.samples();
    let pixels = bytes[..frame.buffer_size()].chunks_exact(samples);
    Some(pixels.map(|pixel| u32::from_be_bytes([0, pixel[0], pixel[1], pixel[2]])).collect())
}
