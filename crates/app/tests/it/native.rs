//! Native viewers at the whole program: what is offered to whom, and one-time passwords for old ones.

use crate::house::{House, PASSWORD, gatehouse};
use anyhow::{Context, Result};
use rfb::SecurityType;
use std::net::SocketAddr;
use testkit::process::Program;
use testkit::vnc::{Viewer, ViewerOptions};
use testkit::vncviewer::VncViewer;
use testkit::wait;
use testkit::xvfb::Xvfb;
use testkit::xvnc::{Xvnc, XvncOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn house(config: &str) -> Result<House> {
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("gatehouse.toml"), config)?;
    House::start_in(dir, &[]).await
}

/// The security types that a viewer is offered.
async fn offered(door: SocketAddr, first: &[u8]) -> Result<Vec<u8>> {
    let mut viewer = TcpStream::connect(door).await?;
    viewer.write_all(first).await?;
    let mut version = [0; 12];
    viewer.read_exact(&mut version).await?;
    assert_eq!(&version, b"RFB 003.008\n");
    viewer.write_all(&version).await?;
    let count = viewer.read_u8().await?;
    let mut types = vec![0; count.into()];
    viewer.read_exact(&mut types).await?;
    types.sort_unstable();
    Ok(types)
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_protects_a_ticket_is_offered_unless_more_is_switched_on() -> Result<()> {
    // VeNCrypt and RA2-256: both encrypt before a ticket is asked for.
    assert_eq!(offered(House::start().await?.native, b"").await?, [19, 129]);
    let house = house("[native]\nvnc_auth = true\nra2ne = true\n").await?;
    assert_eq!(offered(house.native, b"").await?, [2, 19, 129, 130]);
    Ok(())
}

/// RA2ne's session is in clear, so whoever is not on this machine does not get it.
#[tokio::test(flavor = "multi_thread")]
async fn ra2ne_is_for_viewers_on_this_machine() -> Result<()> {
    let config = "[web]\ntrusted_proxies = [\"127.0.0.1\"]\n[native]\nra2ne = true\nproxy_protocol = true\n";
    let house = house(config).await?;
    let from = |address: &str| format!("PROXY TCP4 {address} 127.0.0.1 40000 5900\r\n").into_bytes();
    assert_eq!(offered(house.native, &from("127.0.0.9")).await?, [19, 129, 130]);
    assert_eq!(offered(house.native, &from("192.0.2.7")).await?, [19, 129]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_carry_no_password_where_vnc_auth_is_off() -> Result<()> {
    let house = House::start().await?;
    house.add_target("card", "testcard:", None).await?;
    let ticket = house.ask("POST", "/api/vm/1/console/request", "{}").await?.json();
    assert!(ticket["vnc_password"].is_null(), "{ticket}");
    let printed = gatehouse(house.dir.path(), &["ticket", "card"]).run().await?;
    assert!(!printed.contains("VncAuth"), "{printed}");
    Ok(())
}

/// A house that offers VncAuth, with the test card.
async fn old_fashioned() -> Result<House> {
    let house = house("[native]\nvnc_auth = true\n").await?;
    house.add_target("card", "testcard:", None).await?;
    Ok(house)
}

async fn password(house: &House) -> Result<String> {
    password_for(house, 1).await
}

async fn password_for(house: &House, number: u64) -> Result<String> {
    let ticket = house.ask("POST", &format!("/api/vm/{number}/console/request"), "{}").await?.json();
    Ok(ticket["vnc_password"].as_str().context("no password")?.to_owned())
}

/// The password of a ticket that the command line hands out.
async fn loose_password(house: &House) -> Result<String> {
    let printed = gatehouse(house.dir.path(), &["ticket", "card"]).run().await?;
    let line = printed.lines().find_map(|l| l.strip_prefix("VncAuth")).context("no password")?;
    Ok(line.split_whitespace().next().context("no password")?.to_owned())
}

async fn enter(house: &House, password: &str) -> Result<Viewer<TcpStream>> {
    let avoid = vec![SecurityType::VENCRYPT, SecurityType::RA2_256];
    let options = ViewerOptions { avoid, ..ViewerOptions::password(password) };
    Viewer::connect(TcpStream::connect(house.native).await?, options).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tickets_vnc_password_opens_one_session() -> Result<()> {
    let house = old_fashioned().await?;
    // Nobody's tickets: one of a person would take the place of another.
    let (first, second) = (loose_password(&house).await?, loose_password(&house).await?);
    let mut viewer = enter(&house, &first).await?;
    viewer.wait_for_updates(1).await?;
    let live = house.ask("GET", "/api/sessions?status=active", "").await?.json();
    assert_eq!(live["sessions"][0]["ingress"], "native", "{live}");
    let again = enter(&house, &first).await.err().context("used twice")?;
    assert!(format!("{again:#}").contains("the password or the ticket is wrong"), "{again:#}");
    let log = house.ask("GET", "/api/audit?action=console.refused", "").await?.json();
    assert_eq!(log["entries"][0]["code"], "door.wrong_credentials", "{log}");
    assert_eq!(log["entries"][0]["people"]["address"], "127.0.0.1", "{log}");
    // The token's own first eight characters are no password, and the other ticket is still good.
    let ticket = house.ticket(1, "{}").await?;
    assert!(enter(&house, &ticket).await.is_err());
    enter(&house, &second).await?.wait_for_updates(1).await?;
    // A ticket that was used in a browser is used up here too.
    let ticket = house.ask("POST", "/api/vm/1/console/request", "{}").await?.json();
    let (_stream, _closing) = house.console(ticket["token"].as_str().context("no token")?, "").await?;
    assert!(enter(&house, ticket["vnc_password"].as_str().context("no password")?).await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_reads_why_its_machine_cannot_be_used() -> Result<()> {
    let house = old_fashioned().await?;
    let gone = house.dir.path().join("nobody.sock");
    let number = house.add_target("gone", &format!("vnc+unix://{}", gone.display()), None).await?;
    let password = password_for(&house, number).await?;
    let error = enter(&house, &password).await.err().context("there is nothing to see")?;
    let sentence = "Gatehouse: the machine cannot be reached. Is it running? (target.unreachable)";
    assert!(format!("{error:#}").contains(sentence), "{error:#}");
    assert!(!format!("{error:#}").contains("nobody.sock"), "addresses are not the viewer's business");
    let sessions = house.ask("GET", "/api/sessions", "").await?.json();
    assert_eq!(sessions["total"], 0, "nothing began: {sessions}");
    // The ticket was used for nothing, so it still opens the machine once that is there; once.
    let machine = Xvnc::start(XvncOptions::default()).await?;
    std::os::unix::fs::symlink(machine.unix_path(), &gone)?;
    enter(&house, &password).await?.wait_for_updates(1).await?;
    let again = enter(&house, &password).await.err().context("used twice")?;
    assert!(format!("{again:#}").contains("the password or the ticket is wrong"), "{again:#}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tigervnc_comes_in_with_the_password_of_the_command_line() -> Result<()> {
    let house = old_fashioned().await?;
    let password = loose_password(&house).await?;
    assert_eq!(password.len(), 8, "{password}");
    let server = format!("127.0.0.1::{}", house.native.port());
    let viewer = VncViewer::start(&server, Some(&password), None, &["-SecurityTypes=VncAuth"]).await?;
    viewer.child().line("the session", |l| l.contains("Using pixel format").then_some(())).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tightvnc_comes_in_with_a_one_time_password() -> Result<()> {
    let house = old_fashioned().await?;
    let xvfb = Xvfb::start(1280, 1024).await?;
    let file = house.dir.path().join("passwd");
    std::fs::write(&file, testkit::xvnc::vncpasswd(&password(&house).await?).await?)?;
    let viewer: Program = xvfb.client("xtightvncviewer", "xtightvncviewer")?;
    let server = format!("127.0.0.1::{}", house.native.port());
    let viewer = viewer.arg("-passwd").arg(&file).arg(&server).start()?;
    viewer.line("its log-in", |l| l.contains("Authentication successful").then_some(())).await?;
    wait::until("a picture on its way", wait::LIMIT, async || {
        let live = house.ask("GET", "/api/sessions?status=active", "").await.ok()?.json();
        (live["sessions"][0]["counters"]["rectangles"].as_u64() > Some(0)).then_some(())
    })
    .await
    .with_context(|| viewer.output())
}

#[tokio::test(flavor = "multi_thread")]
async fn tigervnc_comes_in_with_a_persons_own_login() -> Result<()> {
    let house = house("[native]\nanonymous_tls = true\n").await?;
    house.add_target("card", "testcard:", None).await?;
    let ada = house.person("ada", "user").await?;
    house.grant(&ada, 1, "{}").await?;
    let server = format!("127.0.0.1::{}", house.native.port());
    let start = async |name: &str, password: &str| {
        VncViewer::start(&server, None, Some((name, password)), &["-SecurityTypes=TLSPlain"]).await
    };
    // The target by its name, however it is written; further down by its number.
    let viewer = start("ADA:Card", PASSWORD).await?;
    viewer.child().line("the session", |l| l.contains("Using pixel format").then_some(())).await?;
    let session = wait::until("the session", wait::LIMIT, async || {
        let list = house.call(&ada, "GET", "/api/sessions?status=active", "").await.ok()?.json();
        list["sessions"].get(0).cloned()
    })
    .await?;
    assert_eq!((session["ingress"].as_str(), session["subject"].as_str()), (Some("native"), Some("ada")));
    // A browser of the same person takes the session over.
    let request = house.call(&ada, "POST", "/api/vm/1/console/request", "{}").await?;
    assert_eq!(request.status, 200, "{request:?}");
    wait::until("the end of the viewer's session", wait::LIMIT, async || {
        let list = house.call(&ada, "GET", "/api/sessions?status=active", "").await.ok()?.json();
        (list["total"] == 0).then_some(())
    })
    .await?;
    // A wrong password, a target that is not granted and one that does not exist are told by the same words.
    for (name, password) in [
        ("ada:1", "not the password"),
        ("ada:9", PASSWORD),
        ("ada:nothing", PASSWORD),
        ("ada", PASSWORD),
        ("eve:1", PASSWORD),
    ] {
        let viewer = start(name, password).await?;
        let refusal = |line: &str| line.contains("the name, the password or the ticket").then_some(());
        viewer.child().line("the refusal", refusal).await.with_context(|| name.to_owned())?;
    }
    let log =
        house.ask("GET", "/api/audit?action=login.done,login.refused,console.refused", "").await?.json();
    let actions: Vec<_> =
        log["entries"].as_array().into_iter().flatten().map(|e| e["action"].clone()).collect();
    assert!(
        actions.iter().any(|a| a == "console.refused") && actions.iter().any(|a| a == "login.refused"),
        "{log}"
    );
    Ok(())
}
