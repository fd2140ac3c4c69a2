//! Native viewers: TigerVNC's as it comes, and our own client for the types that it lacks.

use crate::support::{Door, House, certificate, context, endpoint, with_identity, with_password};
use gateway::dial::{DialError, Dialed, Purpose, dial};
use gateway::listener::{Listener, ListenerOptions};
use gateway::native::{Native, NativeOptions, open_ra2_key};
use gateway::tls::{Certificates, Source, own, server};
use model::Coded;
use model::target::Identity;
use rfb::SecurityType;
use rfb::security_type::Subtype;
use rfb::server::ServerTypes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use testkit::process::require;
use testkit::vncviewer::VncViewer;
use testkit::wait;
use testkit::xvfb::Xvfb;
use testkit::xvnc::{Xvnc, XvncOptions};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Switches one type on.
type SwitchOn = fn(&mut ServerTypes);

/// A native listener in front of one target.
struct Ingress {
    address: SocketAddr,
    door: Arc<Door>,
    house: Arc<House>,
    files: own::Files,
    fingerprint: String,
    ra2: String,
    _directory: tempfile::TempDir,
    _stop: DropGuard,
}

async fn ingress(door: Arc<Door>, target: SocketAddr, change: impl FnOnce(&mut NativeOptions)) -> Ingress {
    ingress_to(door, endpoint(target), change)
}

fn ingress_to(
    door: Arc<Door>,
    target: gateway::Endpoint,
    change: impl FnOnce(&mut NativeOptions),
) -> Ingress {
    let directory = tempfile::tempdir().unwrap();
    let (files, fingerprint) = certificate(directory.path());
    let source = Source::Files { certificate: files.leaf.clone(), key: files.leaf_key.clone() };
    let certificates = Certificates::open(source, SystemTime::now()).unwrap();
    let key = open_ra2_key(&directory.path().join("ra2.key")).unwrap();
    let ra2 = key.public().identity().sha256;
    let mut options = NativeOptions::new(server::native(&certificates).unwrap(), Some(key));
    change(&mut options);
    let native = Native::new(Arc::clone(&door) as _, options, Arc::new(Semaphore::new(1)));
    let listener = Listener::bind(ListenerOptions::new(([127, 0, 0, 1], 0).into())).unwrap();
    let address = listener.local_addr();
    let stop = CancellationToken::new();
    let (house, gateway) = House::gateway(target, Arc::clone(&door), context());
    tokio::spawn(
        listener.run(stop.clone(), move |accepted| Arc::clone(&native).serve(Arc::clone(&gateway), accepted)),
    );
    Ingress { address, door, house, files, fingerprint, ra2, _directory: directory, _stop: stop.drop_guard() }
}

async fn desktop() -> Xvnc {
    Xvnc::start(XvncOptions::default()).await.unwrap()
}

/// Our own client through the ingress, as if it were a target.
async fn enter(
    ingress: &Ingress,
    ticket: &str,
    change: impl FnOnce(&mut gateway::Endpoint),
) -> Result<Dialed, DialError> {
    let mut target = with_password(endpoint(ingress.address), ticket);
    target.credentials.username = Some("anybody".to_owned());
    change(&mut target);
    dial(&target, &context(), Purpose::Console).await
}

fn only(change: impl FnOnce(&mut ServerTypes)) -> impl FnOnce(&mut NativeOptions) {
    move |options| {
        options.offered = ServerTypes::default();
        change(&mut options.offered);
    }
}

async fn viewer(ingress: &Ingress, types: &str, ticket: &str) -> VncViewer {
    let server = format!("127.0.0.1::{}", ingress.address.port());
    let authority = format!("-X509CA={}", ingress.files.authority.display());
    let types = format!("-SecurityTypes={types}");
    VncViewer::start(&server, Some(ticket), Some(("", ticket)), &[&types, &authority]).await.unwrap()
}

#[tokio::test]
async fn tigervnc_comes_in_with_its_ticket_over_x509_plain() {
    let desktop = desktop().await;
    let ingress = ingress(Door::new("ticket-1"), desktop.address(), |_| {}).await;
    let viewer = viewer(&ingress, "X509Plain", "ticket-1").await;
    viewer.child().line("the session", |l| l.contains("Using pixel format").then_some(())).await.unwrap();
    let judged = ingress.door.judged.lock().unwrap().clone();
    assert_eq!(judged.len(), 1);
    assert_eq!(judged[0].1, "right");
    assert_eq!(ingress.house.journal.lock().unwrap()[..], ["seen Open", "started 640x480"]);
    drop(viewer);
    let ended =
        async || ingress.house.journal.lock().unwrap().iter().find(|n| n.starts_with("ended")).cloned();
    wait::until("the session's end", wait::LIMIT, ended).await.unwrap();
}

#[tokio::test]
async fn tigervnc_with_a_wrong_ticket_stays_outside() {
    let desktop = desktop().await;
    let ingress = ingress(Door::new("ticket-1"), desktop.address(), |_| {}).await;
    let viewer = viewer(&ingress, "X509Plain", "ticket-2").await;
    viewer.child().exit(wait::LIMIT).await.unwrap();
    assert!(!viewer.child().output().contains("Using pixel format"));
    let judged: Vec<_> = ingress.door.judged.lock().unwrap().iter().map(|(_, found)| *found).collect();
    assert_eq!(judged, ["wrong"]);
}

/// An address at which nothing listens.
fn nobody() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn tigervnc_is_told_why_the_target_cannot_be_used() {
    let ingress = ingress(Door::new("ticket-1"), nobody(), |_| {}).await;
    let viewer = viewer(&ingress, "X509Plain", "ticket-1").await;
    let sentence = "Gatehouse: the machine cannot be reached. Is it running? (target.unreachable)";
    viewer.child().exit(wait::LIMIT).await.unwrap();
    // it breaks its lines
    let said = viewer.child().output().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(&format!("Authentication failure: {sentence}")), "{said}");
    assert!(!said.contains("Using pixel format"));
}

#[tokio::test]
async fn every_type_carries_the_sentence() {
    let cases: [SwitchOn; 5] = [
        |t| t.vencrypt_x509_plain = true,
        |t| t.vencrypt_tls_plain = true,
        |t| t.ra2_256 = true,
        |t| t.ra2ne_256 = true,
        |t| t.vnc_auth = true,
    ];
    for switch_on in cases {
        let ingress = ingress(Door::new("ticket-1"), nobody(), only(switch_on)).await;
        let refused = enter(&ingress, "ticket-1", |target| {
            target.security.anonymous_tls = true;
            target.security.identity = Identity::FirstUse;
            target.security.pin_on_console = true;
        });
        let refused = refused.await.unwrap_err().to_string();
        assert!(refused.contains("Is it running? (target.unreachable)"), "{refused}");
        assert_eq!(*ingress.house.journal.lock().unwrap(), ["not begun"]);
    }
}

/// Another native listener serves as a target with a certificate.
#[tokio::test]
async fn a_native_viewer_sees_both_fingerprints_of_a_changed_target() {
    let desktop = desktop().await;
    let behind = ingress(Door::new("target"), desktop.address(), |_| {}).await;
    let mut target = with_password(endpoint(behind.address), "target");
    target.credentials.username = Some("gateway".to_owned());
    let target = with_identity(target, Identity::Pinned("11".repeat(32)));
    let ingress = ingress_to(Door::new("ticket-1"), target, only(|t| t.vnc_auth = true));
    let refused = enter(&ingress, "ticket-1", |_| {}).await.unwrap_err().to_string();
    let both = format!("Pinned: {}. Shown: {}", "11".repeat(32), behind.fingerprint);
    assert!(refused.contains(&both), "{refused}");
    assert!(refused.contains("(target.tls_mismatch)"), "{refused}");
}

#[tokio::test]
async fn tigervnc_with_the_weak_types_where_they_are_switched_on() {
    let desktop = desktop().await;
    let cases: [(&str, SwitchOn); 2] =
        [("TLSPlain", |types| types.vencrypt_tls_plain = true), ("VncAuth", |types| types.vnc_auth = true)];
    for (types, switch_on) in cases {
        let ingress = ingress(Door::new("ticket-1"), desktop.address(), only(switch_on)).await;
        let viewer = viewer(&ingress, types, "ticket-1").await;
        viewer.child().line("the session", |l| l.contains("Using pixel format").then_some(())).await.unwrap();
    }
}

#[tokio::test]
async fn our_client_takes_every_type_and_sees_the_pinned_identity() {
    let desktop = desktop().await;
    let cases: [(SwitchOn, SecurityType, Option<Subtype>); 5] = [
        (|t| t.vencrypt_x509_plain = true, SecurityType::VENCRYPT, Some(Subtype::X509_PLAIN)),
        (|t| t.vencrypt_tls_plain = true, SecurityType::VENCRYPT, Some(Subtype::TLS_PLAIN)),
        (|t| t.ra2_256 = true, SecurityType::RA2_256, None),
        (|t| t.ra2ne_256 = true, SecurityType::RA2NE_256, None),
        (|t| t.vnc_auth = true, SecurityType::VNC_AUTH, None),
    ];
    for (switch_on, security_type, subtype) in cases {
        let ingress = ingress(Door::new("ticket-1"), desktop.address(), only(switch_on)).await;
        let is_ra2 = matches!(security_type, SecurityType::RA2_256 | SecurityType::RA2NE_256);
        let pin = if is_ra2 { ingress.ra2.clone() } else { ingress.fingerprint.clone() };
        let enter = |ticket: &'static str| {
            let pin = pin.clone();
            enter(&ingress, ticket, |target| {
                target.security.anonymous_tls = true;
                *target = with_identity(target.clone(), Identity::Pinned(pin));
            })
        };
        let refused = enter("ticket-2").await.unwrap_err();
        assert_eq!(refused.code(), "target.wrong_password", "{security_type:?}");
        assert!(refused.to_string().contains("the password or the ticket is wrong"), "{refused}");
        let mut dialed = enter("ticket-1").await.unwrap();
        assert_eq!((dialed.result.security_type, dialed.result.subtype), (security_type, subtype));
        crate::support::first_update(&mut dialed).await;
        // the ticket is spent
        assert_eq!(enter("ticket-1").await.unwrap_err().code(), "target.wrong_password");
    }
}

#[tokio::test]
async fn an_ra2_key_that_is_not_the_pinned_one_is_refused() {
    let desktop = desktop().await;
    let ingress = ingress(Door::new("ticket-1"), desktop.address(), only(|t| t.ra2_256 = true)).await;
    for (identity, code) in [
        (Identity::Pinned("11".repeat(32)), "target.tls_mismatch"),
        (Identity::Verify, "target.identity_unknown"),
        (Identity::FirstUse, "target.identity_unknown"),
    ] {
        let refused = enter(&ingress, "ticket-1", |t| t.security.identity = identity.clone()).await;
        assert_eq!(refused.unwrap_err().code(), code, "{identity:?}");
    }
    let tested = enter(&ingress, "ticket-1", |t| {
        t.security.identity = Identity::FirstUse;
        t.security.pin_on_console = true;
    });
    let tested = tested.await.unwrap();
    assert!(tested.first_use);
    assert_eq!(tested.identity, Some(ingress.ra2.clone()));
}

#[tokio::test]
async fn a_banned_source_is_not_greeted_and_a_silent_one_is_let_go() {
    let door = Arc::new(Door { banned: true, ticket: Default::default(), judged: Default::default() });
    let ingress_banned = ingress(door, ([127, 0, 0, 1], 1).into(), |_| {}).await;
    let patience = |options: &mut NativeOptions| options.handshake = Duration::from_millis(100);
    let ingress_silent = ingress(Door::new("ticket-1"), ([127, 0, 0, 1], 1).into(), patience).await;
    for (ingress, greeting) in [(ingress_banned, ""), (ingress_silent, "RFB 003.008\n")] {
        let mut stream = tokio::net::TcpStream::connect(ingress.address).await.unwrap();
        let mut heard = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut heard);
        tokio::time::timeout(wait::LIMIT, read).await.unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&heard), greeting);
        assert!(ingress.door.judged.lock().unwrap().is_empty());
    }
}

/// Shows its first argument as the user's home to the rest: gtk-vnc asks the user database, not `HOME`.
const AT_HOME: &str =
    r#"mount --bind "$1" "$(getent passwd "$(id -u)" | cut -d: -f6)" && shift && exec "$@""#;

/// gtk-vnc's viewer finds the gateway's authority in `~/.pki/CA/cacert.pem`, checks the host's name
/// against the certificate, and asks for the ticket in a dialog.
#[tokio::test]
async fn gvncviewer_comes_in_with_the_authority_where_it_looks() {
    let desktop = desktop().await;
    let ingress = ingress(Door::new("ticket1"), desktop.address(), |_| {}).await;
    let home = tempfile::tempdir().unwrap();
    let place = home.path().join(".pki/CA");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::copy(&ingress.files.authority, place.join("cacert.pem")).unwrap();
    let xvfb = Xvfb::start(1024, 768).await.unwrap();
    let viewer = require("gvncviewer", "gvncviewer").unwrap();
    // it counts displays from 5900
    let server = format!("localhost:{}", ingress.address.port() - 5900);
    let inside = xvfb.client("unshare", "util-linux").unwrap().args(["-rm", "sh", "-c", AT_HOME, "sh"]);
    let viewer = inside.arg(home.path()).arg(viewer).args([&server, "--gtk-vnc-debug"]).start().unwrap();
    let asks = |line: &str| line.contains("Want a username").then_some(());
    viewer.line("its question", asks).await.unwrap();
    let xdotool = || xvfb.client("xdotool", "xdotool").unwrap();
    let search = ["search", "--sync", "--onlyvisible", "--name", "Authentication"];
    let dialog = xdotool().args(search).run().await.unwrap();
    let focus = ["windowfocus", "--sync", dialog.trim()];
    xdotool().args(focus).args(["type", "--delay", "20", "me\tticket1"]).run().await.unwrap();
    // the button at the dialog's lower right corner; no key presses it by itself
    let size = xdotool().args(["getwindowgeometry", "--shell", dialog.trim()]).run().await.unwrap();
    let side = |name: &str| size.lines().find_map(|l| l.strip_prefix(name)?.parse::<i32>().ok()).unwrap();
    let (x, y) = (side("WIDTH=") - 40, side("HEIGHT=") - 20);
    let press = ["mousemove", "--window", dialog.trim(), &x.to_string(), &y.to_string(), "click", "1"];
    xdotool().args(press).run().await.unwrap();
    let live =
        async || ingress.house.journal.lock().unwrap().iter().find(|n| n.starts_with("started")).cloned();
    let started = wait::until("the session", wait::LIMIT, live).await;
    assert!(started.is_ok(), "{}", viewer.output());
    let shown = |line: &str| line.contains("size changed to 640x480").then_some(());
    viewer.line("the picture", shown).await.unwrap();
}
