//! vino, whose type 18 is the one that everybody else copied: anonymous TLS, the list of types inside.

use crate::support::{context, endpoint, first_update, with_password};
use gateway::dial::{Purpose, dial};
use model::Coded;
use model::target::Strength;
use rfb::SecurityType;
use std::net::SocketAddr;
use testkit::process::{Child, Program, require};
use testkit::xvfb::Xvfb;
use testkit::xvnc::free_port;

/// Passwords are kept in base64; this one is `correct`.
const PASSWORD: &str = "Y29ycmVjdA==";

struct Vino {
    _child: Child,
    _xvfb: Xvfb,
    _home: tempfile::TempDir,
    address: SocketAddr,
}

/// Its settings come from a file instead of a desktop's database.
async fn start() -> Vino {
    let xvfb = Xvfb::start(320, 240).await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let port = free_port().unwrap();
    let settings = home.path().join("glib-2.0/settings");
    std::fs::create_dir_all(&settings).unwrap();
    let keys = [
        "[org/gnome/desktop/remote-access]".to_owned(),
        "prompt-enabled=false".to_owned(),
        "notify-on-connect=false".to_owned(),
        "icon-visibility='never'".to_owned(),
        "network-interface='lo'".to_owned(),
        "require-encryption=true".to_owned(),
        "authentication-methods=['vnc']".to_owned(),
        format!("vnc-password='{PASSWORD}'"),
        "use-alternative-port=true".to_owned(),
        format!("alternative-port=uint16 {port}"),
    ];
    std::fs::write(settings.join("keyfile"), keys.join("\n")).unwrap();
    let vino = require("vino-server", "vino").unwrap_or_else(|_| "/usr/lib/vino/vino-server".into());
    assert!(vino.is_file(), "vino-server is not installed: apt-get install vino");
    let child = Program::new(require("dbus-run-session", "dbus-daemon").unwrap())
        .arg("--")
        .arg(vino)
        .env("DISPLAY", xvfb.display())
        .env("HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path())
        .env("GSETTINGS_BACKEND", "keyfile")
        .env("NO_AT_BRIDGE", "1")
        .start()
        .unwrap();
    for sign in [format!("127.0.0.1:{port}"), "'VNC Authentication'".to_owned()] {
        child.line(&sign, |line| line.contains(&sign).then_some(())).await.unwrap();
    }
    Vino { _child: child, _xvfb: xvfb, _home: home, address: ([127, 0, 0, 1], port).into() }
}

#[tokio::test]
async fn vino_by_anonymous_tls_and_a_password_inside() {
    let server = start().await;
    let mut target = with_password(endpoint(server.address), "correct");
    target.security.anonymous_tls = true;
    let mut dialed = dial(&target, &context(), Purpose::Console).await.unwrap();
    first_update(&mut dialed).await;
    assert_eq!(dialed.result.security_type, SecurityType::TLS);
    assert_eq!(dialed.result.strength, Strength::EncryptedAnonymous);
    let wrong = with_password(target, "wrong");
    let refused = dial(&wrong, &context(), Purpose::Console).await.unwrap_err();
    assert_eq!(refused.code(), "target.wrong_password");
}
