//! The command line, as typed.

use crate::house::{House, gatehouse};
use anyhow::Result;
use testkit::vnc::{Viewer, ViewerOptions};

#[tokio::test(flavor = "multi_thread")]
async fn targets_and_tickets_from_the_terminal_open_a_console() -> Result<()> {
    let house = House::start().await?;
    let dir = house.dir.path().to_path_buf();
    let run = async |args: &[&str]| gatehouse(&dir, args).run().await;
    assert!(run(&["target", "list"]).await?.contains("No targets yet"));
    let password = dir.join("p.txt");
    std::fs::write(&password, "secret12\n")?;
    let added =
        run(&["target", "add", "card", "testcard:", "--password-file", &password.display().to_string()])
            .await?;
    assert!(added.contains("card"), "{added}");
    assert!(run(&["target", "add", "card", "testcard:"]).await.is_err());
    assert!(run(&["target", "add", "bad", "testcard:", "--floor", "strong"]).await.is_err());
    assert!(run(&["target", "list"]).await?.contains("password stored"));
    let file = dir.join("card.vnc");
    let ticket = run(&["ticket", "card", "--view-only", "--vnc-file", &file.display().to_string()]).await?;
    let token = ticket.lines().find_map(|l| l.strip_prefix("ticket")).expect("a ticket").trim().to_owned();
    assert!(std::fs::read_to_string(&file)?.contains(&token));
    let (stream, _closing) = house.console(&token, "").await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    run(&["target", "remove", "card"]).await?;
    assert!(run(&["ticket", "card"]).await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn quick_opens_one_console_and_leaves() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let child =
        gatehouse(dir.path(), &["quick", "testcard:", "--view-only", "--native", "127.0.0.1:0"]).start()?;
    let link = child.line("the link", |l| l.contains("/console/").then(|| l.trim().to_owned())).await?;
    let (web, token) = link.trim_start_matches("http://").split_once("/console/").expect("a console");
    let web = web.parse()?;
    for _ in 0..2 {
        let page = crate::http::send(web, "GET", &format!("/console/{token}"), &[], "").await?;
        assert_eq!(page.status, 200, "{page:?}");
    }
    let info = crate::http::send(web, "GET", &format!("/api/console/{token}/info"), &[], "").await?.json();
    assert_eq!(
        (info["state"].as_str(), info["view_only"].as_bool()),
        (Some("waiting"), Some(true)),
        "{info}"
    );
    child.signal(rustix::process::Signal::INT);
    assert!(child.exit(testkit::wait::LIMIT).await?.success(), "{}", child.output());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_config_inspect_and_openapi_answer() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let run = async |args: &[&str]| gatehouse(dir.path(), args).run().await;
    run(&["target", "add", "card", "testcard:"]).await?;
    std::fs::write(
        dir.path().join("gatehouse.toml"),
        "[web]\nlisten = \"127.0.0.1:0\"\n[native]\nlisten = \"127.0.0.1:0\"\n",
    )?;
    let doctor = run(&["doctor"]).await?;
    assert!(doctor.contains("ok    target card") && !doctor.contains("BAD"), "{doctor}");
    let config = run(&["config", "check"]).await?;
    assert!(config.contains("web.listen = \"127.0.0.1:0\""), "{config}");
    let openapi = run(&["openapi"]).await?;
    assert!(openapi.contains("/api/vm/{id}/console/request"));
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/rfb/tiger-tight-jpeg.pcap");
    let report: serde_json::Value = serde_json::from_str(&run(&["inspect", capture, "--json"]).await?)?;
    let session = &report["sessions"][0];
    assert_eq!(session["server_bytes"], session["server_bytes_framed"], "{session}");
    assert!(run(&["inspect", capture]).await?.contains("003.008"));
    assert!(run(&["inspect", "/nowhere.pcap"]).await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_is_refused_with_its_line() -> Result<()> {
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("gatehouse.toml"), "[web]\nlisten = 7\n")?;
    let error = gatehouse(dir.path(), &["serve"]).run().await.unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
    assert!(gatehouse(dir.path(), &["doctor"]).run().await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_data_is_refused_and_harms_nothing() -> Result<()> {
    let house = House::start().await?;
    let second =
        gatehouse(house.dir.path(), &["serve", "--listen", "127.0.0.1:0", "--native", "127.0.0.1:0"]);
    let error = second.run().await.unwrap_err();
    assert!(error.to_string().contains("another gatehouse serves"), "{error}");
    assert_eq!(house.ask("GET", "/api/status", "").await?.status, 200);
    Ok(())
}
