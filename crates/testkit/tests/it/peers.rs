//! Each real peer starts, tells where it listens, and answers with an RFB version.

use testkit::qemu::Qemu;
use testkit::vncviewer::VncViewer;
use testkit::x11vnc::X11vnc;
use testkit::xvnc::{Xvnc, XvncOptions};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, UnixStream};

async fn version(mut stream: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut line = [0; 12];
    stream.read_exact(&mut line).await.unwrap();
    String::from_utf8(line.to_vec()).unwrap()
}

#[tokio::test]
async fn xvnc_on_both_sockets() {
    let mut xvnc = Xvnc::start(XvncOptions::default()).await.unwrap();
    xvnc.draw_scene().await.unwrap();
    assert_eq!(version(TcpStream::connect(xvnc.address()).await.unwrap()).await, "RFB 003.008\n");
    assert_eq!(version(UnixStream::connect(xvnc.unix_path()).await.unwrap()).await, "RFB 003.008\n");
}

#[tokio::test]
async fn two_xvncs_choose_different_displays() {
    let (one, two) = tokio::join!(Xvnc::start(XvncOptions::default()), Xvnc::start(XvncOptions::default()));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.display(), two.display());
    assert_ne!(one.address(), two.address());
}

#[tokio::test]
async fn a_taken_port_is_survived() {
    let taken: Vec<_> =
        (5900..5999).filter_map(|p| std::net::TcpListener::bind(("127.0.0.1", p)).ok()).collect();
    let xvnc = Xvnc::start(XvncOptions::default()).await.unwrap();
    assert_eq!(version(TcpStream::connect(xvnc.address()).await.unwrap()).await, "RFB 003.008\n");
    drop(taken);
}

#[tokio::test]
async fn x11vnc_with_an_old_version() {
    let x11vnc = X11vnc::start(320, 200, &["-rfbversion", "3.3"]).await.unwrap();
    assert_eq!(version(TcpStream::connect(x11vnc.address()).await.unwrap()).await, "RFB 003.003\n");
}

#[tokio::test]
async fn qemu_with_a_password() {
    let qemu = Qemu::start("password=on", &[]).await.unwrap();
    qemu.set_password("secret12").await.unwrap();
    assert_eq!(version(UnixStream::connect(qemu.vnc_path()).await.unwrap()).await, "RFB 003.008\n");
}

#[tokio::test]
async fn tigervnc_viewer_reaches_xvnc() {
    let options = XvncOptions {
        security_types: "VncAuth".into(),
        password: Some("secret12".into()),
        ..XvncOptions::default()
    };
    let xvnc = Xvnc::start(options).await.unwrap();
    let server = format!("127.0.0.1::{}", xvnc.address().port());
    let viewer = VncViewer::start(&server, Some("secret12"), None, &[]).await.unwrap();
    // It asks for them once the first whole update was decoded.
    let sign = |l: &str| l.contains("Enabling continuous updates").then_some(());
    viewer.child().line("continuous updates", sign).await.unwrap();
}
