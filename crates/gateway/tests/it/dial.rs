//! Targets of others: every way in that Debian's servers have, and every way they refuse.

use crate::support::{
    certificate, context, endpoint, endpoint_at, first_update, with_identity, with_password,
};
use gateway::Endpoint;
use gateway::dial::{DialError, Dialed, Purpose, dial};
use gateway::tls::TargetTrust;
use model::Coded;
use model::target::{Identity, Strength};
use rfb::SecurityType;
use rfb::security_type::Subtype;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use testkit::qemu::Qemu;
use testkit::x11vnc::X11vnc;
use testkit::xvnc::{Xvnc, XvncOptions, vncpasswd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn xvnc(security_types: &str) -> Xvnc {
    let password = security_types.contains("Vnc").then(|| "correct".to_owned());
    let options =
        XvncOptions { security_types: security_types.to_owned(), password, ..XvncOptions::default() };
    Xvnc::start(options).await.unwrap()
}

async fn console(endpoint: &Endpoint) -> Result<Dialed, DialError> {
    dial(endpoint, &context(), Purpose::Console).await
}

/// Dials, expects success, and sees pixels come through.
async fn works(endpoint: &Endpoint) -> Dialed {
    let mut dialed = console(endpoint).await.unwrap();
    first_update(&mut dialed).await;
    dialed
}

async fn refusal(endpoint: &Endpoint) -> DialError {
    let error = console(endpoint).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("correct") && !shown.contains("wr0ng"), "a secret in {shown}");
    error
}

#[tokio::test]
async fn xvnc_none_over_tcp_and_unix_socket() {
    let server = xvnc("None").await;
    for endpoint in [endpoint(server.address()), endpoint_at(&server.unix_path())] {
        let dialed = works(&endpoint).await;
        assert_eq!((dialed.init.width, dialed.init.height), (640, 480));
        assert_eq!(dialed.result.security_type, SecurityType::NONE);
        assert_eq!(dialed.identity, None);
    }
}

#[tokio::test]
async fn xvnc_vnc_auth_right_wrong_missing_and_locked() {
    let server = xvnc("VncAuth").await;
    let target = endpoint(server.address());
    let dialed = works(&with_password(target.clone(), "correct")).await;
    assert_eq!(dialed.result.security_type, SecurityType::VNC_AUTH);
    assert_eq!(refusal(&with_password(target.clone(), "wr0ng")).await.code(), "target.wrong_password");
    assert_eq!(refusal(&target).await.code(), "target.password_missing");

    let options = XvncOptions {
        security_types: "VncAuth".to_owned(),
        password: Some("correct".to_owned()),
        arguments: vec!["-UseBlacklist=1".to_owned(), "-BlacklistThreshold=1".to_owned()],
        ..XvncOptions::default()
    };
    let server = Xvnc::start(options).await.unwrap();
    let target = with_password(endpoint(server.address()), "wr0ng");
    assert_eq!(refusal(&target).await.code(), "target.wrong_password");
    assert_eq!(refusal(&with_password(target, "correct")).await.code(), "target.too_many_failures");
}

#[tokio::test]
async fn xvnc_protocol_3_3() {
    for (types, password) in [("None", None), ("VncAuth", Some("correct".to_owned()))] {
        let options = XvncOptions {
            security_types: types.to_owned(),
            password: password.clone(),
            arguments: vec!["-Protocol3.3".to_owned()],
            ..XvncOptions::default()
        };
        let server = Xvnc::start(options).await.unwrap();
        let target = endpoint(server.address());
        let target = if let Some(p) = password { with_password(target, &p) } else { target };
        assert_eq!(works(&target).await.result.version_line.minor, 3);
    }
}

#[tokio::test]
async fn xvnc_anonymous_tls_only_where_the_entry_allows_it() {
    for (types, subtype) in [("TLSNone", Subtype::TLS_NONE), ("TLSVnc", Subtype::TLS_VNC)] {
        let server = xvnc(types).await;
        let mut target = with_password(endpoint(server.address()), "correct");
        let error = refusal(&target).await;
        assert_eq!(error.code(), "target.below_floor");
        assert!(error.to_string().contains("TLS without a certificate"), "{error}");
        target.security.anonymous_tls = true;
        let dialed = works(&target).await;
        assert_eq!(dialed.result.subtype, Some(subtype));
        assert_eq!(dialed.result.strength, Strength::EncryptedAnonymous);
        target.security.floor = Strength::EncryptedVerified;
        assert_eq!(refusal(&target).await.code(), "target.below_floor");
    }
}

#[tokio::test]
async fn xvnc_plain_by_pam_with_and_without_tls() {
    let directory = tempfile::tempdir().unwrap();
    let (files, fingerprint) = certificate(directory.path());
    for (types, subtype, strength) in [
        ("Plain", Subtype::PLAIN, Strength::Authenticated),
        ("TLSPlain", Subtype::TLS_PLAIN, Strength::EncryptedAnonymous),
        ("X509Plain", Subtype::X509_PLAIN, Strength::EncryptedVerified),
    ] {
        let options = XvncOptions {
            security_types: types.to_owned(),
            plain: Some(("layla".to_owned(), "correct كلمة".to_owned())),
            certificate: Some((files.leaf.clone(), files.leaf_key.clone())),
            ..XvncOptions::default()
        };
        let server = Xvnc::start(options).await.unwrap();
        let mut target = with_identity(endpoint(server.address()), Identity::Pinned(fingerprint.clone()));
        target.security.anonymous_tls = true;
        let somebody = |name: &str, password: &str| {
            let mut target = with_password(target.clone(), password);
            target.credentials.username = Some(name.to_owned());
            target
        };
        let dialed = works(&somebody("layla", "correct كلمة")).await;
        assert_eq!((dialed.result.subtype, dialed.result.strength), (Some(subtype), strength));
        for (name, password) in [("layla", "wr0ng"), ("omar", "correct كلمة")] {
            let error = refusal(&somebody(name, password)).await;
            assert_eq!(error.code(), "target.wrong_password", "{types} {name}");
        }
    }
}

#[tokio::test]
async fn a_dead_end_inside_vencrypt_leads_to_another_type() {
    let server = xvnc("TLSNone,VncAuth").await;
    let target = with_password(endpoint(server.address()), "correct");
    assert_eq!(works(&target).await.result.security_type, SecurityType::VNC_AUTH);
}

#[tokio::test]
async fn less_than_was_seen_before_is_a_downgrade() {
    let server = xvnc("VncAuth").await;
    let mut target = with_password(endpoint(server.address()), "correct");
    target.security.seen = Some(Strength::Authenticated);
    works(&target).await;
    target.security.seen = Some(Strength::EncryptedVerified);
    assert_eq!(refusal(&target).await.code(), "target.downgrade");
}

#[tokio::test]
async fn xvnc_certificates_are_verified_pinned_or_trusted_on_first_use() {
    let directory = tempfile::tempdir().unwrap();
    let (files, fingerprint) = certificate(directory.path());
    for (types, subtype) in [("X509None", Subtype::X509_NONE), ("X509Vnc", Subtype::X509_VNC)] {
        let options = XvncOptions {
            security_types: types.to_owned(),
            password: Some("correct".to_owned()),
            certificate: Some((files.leaf.clone(), files.leaf_key.clone())),
            ..XvncOptions::default()
        };
        let server = Xvnc::start(options).await.unwrap();
        let target = with_password(endpoint(server.address()), "correct");

        // verify: with our authority it does, with the public ones it does not
        let mut ours = context();
        ours.trust = TargetTrust::new(Some(&files.authority)).unwrap();
        let mut dialed = dial(&target, &ours, Purpose::Console).await.unwrap();
        first_update(&mut dialed).await;
        assert_eq!(dialed.result.subtype, Some(subtype));
        assert_eq!(dialed.result.strength, Strength::EncryptedVerified);
        assert_eq!(dialed.identity, Some(fingerprint.clone()));
        let error = refusal(&target).await;
        assert!(matches!(&error, DialError::IdentityUnknown { found, .. } if found.to_hex() == fingerprint));

        // pinned
        let pinned = with_identity(target.clone(), Identity::Pinned(fingerprint.clone()));
        assert!(!works(&pinned).await.first_use);
        let other = "00".repeat(32);
        let error = refusal(&with_identity(target.clone(), Identity::Pinned(other))).await;
        assert_eq!(error.code(), "target.tls_mismatch");
        let sentence = error.to_string();
        assert!(sentence.contains("00:00:00:00") && sentence.contains(&fingerprint[..2].to_uppercase()));

        // first use: by a test, or where consoles may pin
        let mut first = with_identity(target, Identity::FirstUse);
        assert_eq!(refusal(&first).await.code(), "target.identity_unknown");
        let tested = dial(&first, &context(), Purpose::Test).await.unwrap();
        assert!(tested.first_use && tested.identity == Some(fingerprint.clone()));
        first.security.pin_on_console = true;
        assert!(works(&first).await.first_use);
    }
}

/// libvncserver's own VeNCrypt, and vino's type 18 as x11vnc speaks it.
#[tokio::test]
async fn x11vnc_anonymous_and_certificate() {
    let server =
        X11vnc::start(320, 240, &["-ssl", "TMP", "-vencrypt", "only", "-anontls", "never"]).await.unwrap();
    let first = with_identity(endpoint(server.address()), Identity::FirstUse);
    let mut dialed = dial(&first, &context(), Purpose::Test).await.unwrap();
    first_update(&mut dialed).await;
    assert_eq!(dialed.result.security_type, SecurityType::VENCRYPT);
    assert!(dialed.first_use);
    let pinned = with_identity(first, Identity::Pinned(dialed.identity.unwrap()));
    works(&pinned).await;
}

#[tokio::test]
async fn x11vnc_type_18() {
    // its own OpenSSL refuses suites without a certificate unless it is told otherwise
    let directory = tempfile::tempdir().unwrap();
    let configuration = directory.path().join("openssl.cnf");
    let text = "openssl_conf=c\n[c]\nssl_conf=s\n[s]\nsystem_default=d\n[d]\nCipherString=ALL:@SECLEVEL=0\n";
    std::fs::write(&configuration, text).unwrap();
    let variable = format!("OPENSSL_CONF={}", configuration.display());
    let arguments = ["-env", &variable, "-ssl", "ANON", "-anontls", "only", "-vencrypt", "never"];
    let server = X11vnc::start(320, 240, &arguments).await.unwrap();
    let mut target = endpoint(server.address());
    target.security.anonymous_tls = true;
    let dialed = works(&target).await;
    assert_eq!(dialed.result.security_type, SecurityType::TLS);
    assert_eq!(dialed.result.strength, Strength::EncryptedAnonymous);
}

#[tokio::test]
async fn x11vnc_vnc_auth_beside_tights_file_transfer() {
    let server = X11vnc::start(320, 240, &["-tightfilexfer", "-passwd", "correct"]).await.unwrap();
    let target = with_password(endpoint(server.address()), "correct");
    assert_eq!(works(&target).await.result.security_type, SecurityType::VNC_AUTH);
    assert_eq!(refusal(&with_password(target, "wr0ng")).await.code(), "target.wrong_password");
}

/// Starts Xtightvnc for every connection, as inetd does, and hides that it also speaks older types.
async fn xtightvnc_with_tight_only(rfbauth: Option<&Path>) -> SocketAddr {
    let program = testkit::require("Xtightvnc", "tightvncserver").unwrap();
    let mut arguments = vec!["-inetd".into(), "-geometry".into(), "320x240".into()];
    if let Some(file) = rfbauth {
        arguments.extend(["-rfbauth".into(), file.as_os_str().to_owned()]);
    }
    let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = door.local_addr().unwrap();
    let serve = async move {
        while let Ok((mut viewer, _)) = door.accept().await {
            let back = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut ours = TcpStream::connect(back.local_addr().unwrap()).await.unwrap();
            let theirs = back.accept().await.unwrap().0.into_std().unwrap();
            theirs.set_nonblocking(false).unwrap();
            let mut command = tokio::process::Command::new(&program);
            command.args(&arguments).kill_on_drop(true).stderr(Stdio::null());
            command.stdin(OwnedFd::from(theirs.try_clone().unwrap())).stdout(OwnedFd::from(theirs));
            let server = command.spawn().unwrap();
            drop(command);
            tokio::spawn(async move {
                let mut line = [0; 12];
                ours.read_exact(&mut line).await?;
                viewer.write_all(&line).await?;
                viewer.read_exact(&mut line).await?;
                ours.write_all(&line).await?;
                let mut types = vec![0; ours.read_u8().await?.into()];
                ours.read_exact(&mut types).await?;
                assert!(types.contains(&16), "{types:?}");
                viewer.write_all(&[1, 16]).await?;
                tokio::io::copy_bidirectional(&mut viewer, &mut ours).await?;
                drop(server);
                std::io::Result::Ok(())
            });
        }
    };
    tokio::spawn(serve);
    address
}

/// Tight's (16) capability lists and the tail of ServerInit, without and with a password inside.
#[tokio::test]
async fn xtightvnc_tight_security_type_and_its_capabilities() {
    let open = works(&endpoint(xtightvnc_with_tight_only(None).await)).await.result;
    assert_eq!((open.security_type, open.strength), (SecurityType::TIGHT, Strength::Open));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("password");
    std::fs::write(&file, vncpasswd("correct").await.unwrap()).unwrap();
    let target = endpoint(xtightvnc_with_tight_only(Some(&file)).await);
    let proven = works(&with_password(target.clone(), "correct")).await.result;
    assert_eq!((proven.security_type, proven.strength), (SecurityType::TIGHT, Strength::Authenticated));
    assert_eq!(refusal(&with_password(target, "wr0ng")).await.code(), "target.wrong_password");
}

#[tokio::test]
async fn qemu_with_and_without_a_certificate() {
    let server = Qemu::start("tls-creds=tls0", &["-object", "tls-creds-anon,id=tls0,endpoint=server"]);
    let server = server.await.unwrap();
    let mut target = endpoint_at(&server.vnc_path());
    target.security.anonymous_tls = true;
    assert_eq!(works(&target).await.result.subtype, Some(Subtype::TLS_NONE));

    let directory = tempfile::tempdir().unwrap();
    let (files, fingerprint) = certificate(directory.path());
    for (from, to) in [
        (&files.authority, "ca-cert.pem"),
        (&files.leaf, "server-cert.pem"),
        (&files.leaf_key, "server-key.pem"),
    ] {
        std::fs::copy(from, directory.path().join(to)).unwrap();
    }
    let credentials =
        format!("tls-creds-x509,id=tls0,dir={},endpoint=server,verify-peer=no", directory.path().display());
    let server = Qemu::start("tls-creds=tls0,password=on", &["-object", &credentials]).await.unwrap();
    server.set_password("correct").await.unwrap();
    let target = with_password(endpoint_at(&server.vnc_path()), "correct");
    let target = with_identity(target, Identity::Pinned(fingerprint));
    assert_eq!(works(&target).await.result.subtype, Some(Subtype::X509_VNC));
}

/// A server that says this to everybody, then closes or stays silent.
async fn says(bytes: Vec<u8>, closes: bool) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let bytes = bytes.clone();
            tokio::spawn(async move {
                let _ = stream.write_all(&bytes).await;
                if closes {
                    let _ = stream.shutdown().await;
                }
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
        }
    });
    address
}

const VERSION: &[u8] = b"RFB 003.008\n";

#[tokio::test]
async fn hostile_and_broken_targets_get_a_code_each() {
    let vencrypt_tls_none = [VERSION, &[1, 19], &[0, 2], &[0, 1, 0, 0, 1, 1], &[1]].concat();
    let table: Vec<(&str, Vec<u8>, bool, &str)> = vec![
        ("nothing", vec![], true, "target.unreachable"),
        ("silence", vec![], false, "target.timeout"),
        ("half a version", b"RFB 003".to_vec(), false, "target.timeout"),
        ("ssh", b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec(), false, "target.not_vnc"),
        ("http", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), true, "target.not_vnc"),
        ("a cut list", [VERSION, &[9, 1]].concat(), true, "target.misbehaved"),
        ("a refusal", [VERSION, &[0, 0, 0, 0, 4], b"full"].concat(), true, "target.refused"),
        (
            "four gigabytes of reason",
            [VERSION, &[0, 255, 255, 255, 255]].concat(),
            false,
            "target.misbehaved",
        ),
        ("unknown types", [VERSION, &[2, 200, 201]].concat(), false, "target.no_common_type"),
        ("no screen", [VERSION, &[1, 1], &[0; 4], &[0; 24]].concat(), false, "target.misbehaved"),
        ("a huge screen", [VERSION, &[1, 1], &[0; 4], &[255; 24]].concat(), false, "target.misbehaved"),
        ("bytes in front of TLS", [&vencrypt_tls_none[..], b"RFB"].concat(), false, "target.misbehaved"),
        ("no TLS behind VeNCrypt", vencrypt_tls_none, true, "target.tls_failed"),
    ];
    let mut hasty = context();
    hasty.limits.handshake = Duration::from_millis(300);
    for (what, bytes, closes, code) in table {
        let mut target = endpoint(says(bytes, closes).await);
        target.security.anonymous_tls = true;
        let context = if code == "target.timeout" { hasty.clone() } else { context() };
        let error = dial(&target, &context, Purpose::Console).await.unwrap_err();
        assert_eq!(error.code(), code, "{what}: {error}");
    }
}

/// The whole handshake in one segment, with the session's first bytes behind it.
#[tokio::test]
async fn what_comes_behind_server_init_is_kept() {
    let mut init = vec![0, 8, 0, 8];
    rfb::PixelFormat::RGB888.write(&mut init);
    init.extend([0, 0, 0, 1, b'x']);
    let all = [VERSION, &[1, 1], &[0; 4], &init, &[2, 2, 2]].concat();
    let dialed = console(&endpoint(says(all, false).await)).await.unwrap();
    assert_eq!(dialed.leftover, [2, 2, 2]);
    assert_eq!(dialed.init.name, b"x");
}

#[tokio::test]
async fn nobody_there_no_test_card_no_such_name() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = endpoint(listener.local_addr().unwrap());
    drop(listener);
    assert_eq!(refusal(&gone).await.code(), "target.unreachable");
    let missing = endpoint_at(std::path::Path::new("/nonexistent/socket"));
    assert_eq!(refusal(&missing).await.code(), "target.unreachable");
    let card = Endpoint { address: model::target::Address::TestCard, ..gone };
    assert_eq!(refusal(&card).await.code(), "target.no_test_card");
}

/// The built-in card, dialed like any other target: what the viewer decodes is what the card drew.
#[tokio::test]
async fn the_test_card_is_a_target() {
    let mut with_card = context();
    with_card.test_card = Some(std::sync::Arc::new(gateway::test_card::CardHost::new(320, 200)));
    let card = endpoint(([127, 0, 0, 1], 1).into());
    let card = Endpoint { address: model::target::Address::TestCard, ..card };
    let mut dialed = dial(&card, &with_card, Purpose::Console).await.unwrap();
    assert_eq!((dialed.init.width, dialed.init.height), (320, 200));
    first_update(&mut dialed).await;
    first_update(&mut dialed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_administrator_points_a_target_at_this_machine() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let of_operator = Endpoint { purpose: model::egress::Purpose::Target, ..endpoint(here) };
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("vm.sock");
    let _socket = tokio::net::UnixListener::bind(&socket).unwrap();
    let on_socket = Endpoint { purpose: model::egress::Purpose::Target, ..endpoint_at(&socket) };
    let metadata = endpoint(([169, 254, 169, 254], 80).into());
    for (target, code) in
        [(of_operator, "egress.loopback"), (on_socket, "egress.loopback"), (metadata, "egress.metadata")]
    {
        assert_eq!(refusal(&target).await.code(), code);
    }
    let mut ours = context();
    ours.egress = std::sync::Arc::new(model::egress::Egress { listeners: vec![here], ..Default::default() });
    let refused = dial(&endpoint(here), &ours, Purpose::Console).await.unwrap_err();
    assert_eq!(refused.code(), "egress.own_listener");
}
