//! Skeletons from the command line: of a capture, and of a console that runs.

use crate::house::gatehouse;
use anyhow::Result;
use testkit::vnc::{Viewer, ViewerOptions};
use testkit::wait;
use testkit::xvnc::{Xvnc, XvncOptions};
use tokio::net::TcpStream;

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/rfb/tiger-tight-jpeg.pcap");

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_becomes_a_skeleton_that_replays() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let run = async |args: &[&str]| gatehouse(dir.path(), args).run().await;
    let file = dir.path().join("session.rfbtrace").display().to_string();
    run(&["trace", CAPTURE, "-o", &file]).await?;
    let text = std::fs::read_to_string(&file)?;
    assert!(
        text.starts_with("gatehouse-trace 1\n#") && text.contains("\nV QemuKeyEvent ff00000100ffffff 4*00\n")
    );
    // The desktop's name is "root@vm".
    assert!(text.contains("T ServerInit") && !text.contains("726f6f74"), "a name is left");
    let printed = run(&["trace", CAPTURE]).await?;
    assert!(printed.contains(text.lines().next_back().unwrap_or_default()), "{}", printed.len());
    let replayed = run(&["trace", "--check", &file]).await?;
    assert!(replayed.contains("target 471721 bytes, 225 messages, 603 rectangles"), "{replayed}");
    assert!(run(&["trace", CAPTURE, "-o", &file]).await.is_err(), "nothing is overwritten");
    assert!(run(&["trace", CAPTURE, "--session", "2"]).await.is_err());
    std::fs::write(&file, text.replace("rectangles=603", "rectangles=604"))?;
    assert!(run(&["trace", "--check", &file]).await.is_err(), "another reading is told");
    std::fs::write(&file, text.replace("V QemuKeyEvent", "V"))?;
    let error = run(&["trace", "--check", &file]).await.unwrap_err().to_string();
    assert!(error.contains("trace.line"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn several_sessions_want_a_number() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let capture = CAPTURE.replace("rfb/tiger-tight-jpeg", "capture/tigervnc-wrong-password");
    let error = gatehouse(dir.path(), &["trace", &capture]).run().await.unwrap_err().to_string();
    assert!(error.contains("--session N"), "{error}");
    let last = gatehouse(dir.path(), &["trace", &capture, "--session", "7"]).run().await?;
    assert!(last.contains("T Reason 000000"), "{last}");
    Ok(())
}

/// A live console with a real server: what is typed, cut and painted is not in its file.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_console_leaves_its_skeleton() -> Result<()> {
    let password = Some("secret12".to_owned());
    let options = XvncOptions { security_types: "VncAuth".into(), password, ..XvncOptions::default() };
    let xvnc = Xvnc::start(options).await?;
    xvnc.solid("#c0ffee").await?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("live.rfbtrace");
    let path = file.display().to_string();
    let url = format!("vnc://{}", xvnc.address());
    let password = dir.path().join("password");
    std::fs::write(&password, "secret12")?;
    let password = password.display().to_string();
    let args = ["quick", &url, "--password-file", &password, "--trace", &path];
    let child = gatehouse(dir.path(), &args).start()?;
    let link = child.line("the link", |l| l.contains("/console/").then(|| l.trim().to_owned())).await?;
    let (web, token) = link.trim_start_matches("http://").split_once("/console/").expect("a console");
    let stream = TcpStream::connect(web).await?;
    let (socket, _) =
        tokio_tungstenite::client_async(format!("ws://{web}/ws/console/vnc/{token}"), stream).await?;
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let closing = tokio::spawn(crate::house::pump(socket, theirs));
    let mut viewer = Viewer::connect(ours, ViewerOptions::default()).await?;
    viewer.wait_for("the server's color", |screen| screen.pixel(40, 40) == Some(0x00c0_ffee)).await?;
    viewer.type_text("Geheimnis").await?;
    viewer.cut_text(b"Geheimnis").await?;
    // Whoever sees the answer knows that the text before it was read.
    viewer.refresh().await?;
    viewer.wait_for_updates(1).await?;
    drop(viewer);
    let _ = closing.await;
    child.signal(rustix::process::Signal::INT);
    assert!(child.exit(wait::LIMIT).await?.success(), "{}", child.output());
    let text = std::fs::read_to_string(&file)?;
    assert_eq!(text.matches("V KeyEvent 04").count(), 18, "{text}");
    assert!(text.contains("V ClientCutText 06 6*00 09 9*00\n"), "{text}");
    for secret in ["47656865", "0000000000000047", "00000047", "c0ffee", "eeffc0"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    let replayed = gatehouse(dir.path(), &["trace", "--check", &path]).run().await?;
    assert!(!replayed.contains("missing") && !replayed.contains("broke"), "{replayed}\n{text}");
    Ok(())
}
