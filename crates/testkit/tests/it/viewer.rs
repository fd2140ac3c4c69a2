//! The viewer against real servers: every encoding must show the same pixels as Raw does.

use rfb::PixelFormat;
use rfb::decode::number;
use rfb::framebuffer::Framebuffer;
use testkit::qemu::Qemu;
use testkit::vnc::{Viewer, ViewerOptions, lossless};
use testkit::wait;
use testkit::x11vnc::X11vnc;
use testkit::xvnc::{Xvnc, XvncOptions};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// The first whole screen in an encoding and a format. Without CopyRect, cursors and other company.
async fn picture<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    encoding: i32,
    format: Option<PixelFormat>,
) -> Framebuffer {
    let encodings = vec![encoding, number::CURSOR, number::COMPRESS_9, number::LAST_RECT];
    let options = ViewerOptions { pixel_format: format, ..ViewerOptions::default() };
    let mut viewer = Viewer::connect(stream, options.with_encodings(encodings)).await.unwrap();
    viewer.wait_for_updates(1).await.unwrap();
    viewer.screen().clone()
}

fn colors(screen: &Framebuffer) -> usize {
    screen.pixels().iter().collect::<std::collections::HashSet<_>>().len()
}

fn assert_same(left: &Framebuffer, right: &Framebuffer, what: &str) {
    let different = left.pixels().iter().zip(right.pixels()).filter(|(a, b)| a != b).count();
    assert!(left.pixels() == right.pixels(), "{what}: {different} pixels differ");
}

async fn compare_xvnc(depth: u8, encodings: &[i32]) {
    let mut xvnc = Xvnc::start(XvncOptions { depth, ..XvncOptions::default() }).await.unwrap();
    xvnc.draw_scene().await.unwrap();
    let connect = || async { TcpStream::connect(xvnc.address()).await.unwrap() };
    for format in [
        None,
        Some(PixelFormat::RGB565),
        Some(PixelFormat::BGR233),
        Some(PixelFormat { big_endian: true, ..PixelFormat::RGB565 }),
    ] {
        let raw = picture(connect().await, number::RAW, format).await;
        assert!(colors(&raw) > 40, "the scene has only {} colors", colors(&raw));
        for &encoding in encodings {
            let other = picture(connect().await, encoding, format).await;
            assert_same(&other, &raw, &format!("encoding {encoding} in {format:?}"));
        }
    }
}

#[tokio::test]
async fn tigervnc_shows_the_same_pixels_in_every_encoding() {
    compare_xvnc(24, &[number::ZRLE, number::TIGHT, number::HEXTILE, number::RRE]).await;
}

#[tokio::test]
async fn tigervnc_with_a_screen_of_16_bit() {
    compare_xvnc(16, &[number::ZRLE, number::TIGHT, number::HEXTILE]).await;
}

#[tokio::test]
async fn x11vnc_shows_the_same_pixels_in_every_encoding() {
    let x11vnc = X11vnc::start(320, 240, &["-nocursor", "-threads"]).await.unwrap();
    let root = x11vnc.xvfb().unwrap().client("xsetroot", "x11-xserver-utils").unwrap();
    root.args(["-mod", "9", "7", "-fg", "#c04020", "-bg", "#203040"]).run().await.unwrap();
    let connect = || async { TcpStream::connect(x11vnc.address()).await.unwrap() };
    // x11vnc polls its display: the first pictures may still be the black root.
    let raw = wait::until("the pattern", wait::LIMIT, async || {
        let raw = picture(connect().await, number::RAW, None).await;
        (colors(&raw) == 2).then_some(raw)
    });
    let raw = raw.await.unwrap();
    for encoding in [number::RRE, number::CORRE, number::HEXTILE, number::ZLIB, number::TIGHT, number::ZRLE] {
        let other = picture(connect().await, encoding, None).await;
        assert_same(&other, &raw, &format!("encoding {encoding}"));
    }
    for format in [PixelFormat::RGB565, PixelFormat::BGR233] {
        let raw = picture(connect().await, number::RAW, Some(format)).await;
        for encoding in [number::CORRE, number::HEXTILE, number::ZLIB, number::TIGHT, number::ZRLE] {
            let other = picture(connect().await, encoding, Some(format)).await;
            assert_same(&other, &raw, &format!("encoding {encoding} in {format:?}"));
        }
    }
}

#[tokio::test]
async fn qemu_shows_the_same_pixels_in_every_encoding() {
    let qemu = Qemu::start("", &[]).await.unwrap();
    // The firmware writes and then waits; its cursor blinks, so the machine stops first.
    let mut viewer =
        Viewer::connect(UnixStream::connect(qemu.vnc_path()).await.unwrap(), ViewerOptions::default())
            .await
            .unwrap();
    viewer
        .wait_for("the firmware's text", |screen| screen.width() == 720 && colors(screen) > 1)
        .await
        .unwrap();
    drop(viewer);
    qemu.qmp(r#"{"execute":"stop"}"#).await.unwrap();
    let connect = || async { UnixStream::connect(qemu.vnc_path()).await.unwrap() };
    for format in [None, Some(PixelFormat::RGB565)] {
        let raw = picture(connect().await, number::RAW, format).await;
        for encoding in [number::ZRLE, number::TIGHT, number::TIGHT_PNG, number::ZLIB, number::HEXTILE] {
            if encoding == number::TIGHT_PNG && format.is_some() {
                continue;
            }
            let other = picture(connect().await, encoding, format).await;
            assert_same(&other, &raw, &format!("encoding {encoding} in {format:?}"));
        }
    }
}

#[tokio::test]
async fn passwords_resizing_and_the_clipboard() {
    let options = XvncOptions {
        security_types: "VncAuth".into(),
        password: Some("secret12".into()),
        ..XvncOptions::default()
    };
    let mut xvnc = Xvnc::start(options).await.unwrap();
    let stream = TcpStream::connect(xvnc.address()).await.unwrap();
    let mut viewer = Viewer::connect(stream, ViewerOptions::password("secret12")).await.unwrap();
    xvnc.solid("#102030").await.unwrap();
    viewer.wait_for("the color", |screen| screen.pixels().iter().all(|&p| p == 0x102030)).await.unwrap();
    let layout = viewer.set_desktop_size(800, 500).await.unwrap();
    assert_eq!((layout.status, layout.width, layout.height), (0, 800, 500));
    viewer.wait_for("the size", |screen| (screen.width(), screen.height()) == (800, 500)).await.unwrap();

    viewer.cut_text(b"from the viewer").await.unwrap();
    let clipboard = || xvnc.client("xclip", "xclip").unwrap().args(["-selection", "clipboard"]);
    let arrived = wait::until("the clipboard", wait::LIMIT, async || {
        clipboard().arg("-o").run().await.ok().filter(|text| text == "from the viewer")
    });
    arrived.await.unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from the server").unwrap();
    let owner = clipboard().args(["-i", "-quiet"]).arg(file.path()).start().unwrap();
    xvnc.keep(owner);
    let text = viewer.wait_for_event("the clipboard", |event| match event {
        rfb::decode::Event::CutText(text) => Some(text.clone()),
        _ => None,
    });
    assert_eq!(text.await.unwrap(), b"from the server");

    let wrong = TcpStream::connect(xvnc.address()).await.unwrap();
    let error = Viewer::connect(wrong, ViewerOptions::password("wrong")).await.unwrap_err();
    assert!(format!("{error:?}").contains("did not accept the password"), "{error:?}");
}

#[tokio::test]
async fn what_is_typed_arrives() {
    let mut xvnc = Xvnc::start(XvncOptions::default()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("typed");
    let script = format!(
        "printf '\\033]2;ready\\007'; read -r line; echo \"$line\" > '{0}.new'; mv '{0}.new' '{0}'; sleep 1000",
        file.display()
    );
    let terminal =
        xvnc.client("xterm", "xterm").unwrap().args(["-geometry", "80x25+0+0", "-e", "/bin/sh", "-c"]);
    xvnc.keep(terminal.arg(script).start().unwrap());
    let ready = xvnc.client("xdotool", "xdotool").unwrap();
    ready.args(["search", "--sync", "--onlyvisible", "--name", "^ready$"]).run().await.unwrap();
    let stream = UnixStream::connect(xvnc.unix_path()).await.unwrap();
    let viewer = Viewer::connect(stream, ViewerOptions::default().with_encodings(lossless(number::TIGHT)));
    let mut viewer = viewer.await.unwrap();
    viewer.pointer(100, 100, 0).await.unwrap();
    viewer.type_text("hello\n").await.unwrap();
    let typed =
        wait::until("the text", wait::LIMIT, async || std::fs::read_to_string(&file).ok()).await.unwrap();
    assert_eq!(typed, "hello\n");
}
