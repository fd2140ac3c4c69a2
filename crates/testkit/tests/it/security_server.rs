//! The server of rare security types: first foreign clients log in to it, then ours.

use anyhow::{Context, ensure};
use model::target::{Credentials, Strength};
use model::{Coded, Secret};
use rfb::SecurityType;
use rfb::client::{ClientConfig, ClientHandshake, ClientResult};
use rfb::handshake::{HandshakeError, Step};
use rfb::records::{Opener, Sealer};
use rfb::security::ra2::Ra2Key;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;
use testkit::require;
use testkit::security_server::{COLOR, Kind, Login, SIDE, SecurityServer, Trick};

const PATIENCE: Duration = Duration::from_secs(30);
const NAME: &str = "kate";
const PASSWORD: &str = "corréct horse";

fn login(accepted: bool, password: &str) -> Login {
    Login { username: NAME.to_owned(), password: password.to_owned(), accepted }
}

/// Serves one client over TCP: its port, and what became of it.
fn listen(server: SecurityServer) -> (u16, JoinHandle<anyhow::Result<Login>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        server.serve(stream)
    });
    (port, serving)
}

/// Serves one client over a socket pair.
fn pair(server: SecurityServer) -> (UnixStream, JoinHandle<anyhow::Result<Login>>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    for end in [&ours, &theirs] {
        end.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    (ours, std::thread::spawn(move || server.serve(theirs)))
}

/// What noVNC's own code says when it logs in, one JSON object a line.
fn novnc(port: u16, password: &str) -> anyhow::Result<Vec<String>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let package = here.join("../web/ui/node_modules/@novnc/novnc");
    ensure!(package.is_dir(), "noVNC is not installed: run `npm ci` in crates/web/ui");
    let mut node = Command::new(require("node", "nodejs")?);
    node.arg(here.join("tests/novnc/login.mjs")).arg(package);
    node.args([&port.to_string(), NAME, password]).stdout(Stdio::piped());
    let output = node.spawn()?.wait_with_output()?;
    ensure!(output.status.success(), "node ended with {}", output.status);
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

/// Foreign client, RA2ne, Apple's and MS-Logon II: noVNC.
#[test]
fn novnc_logs_in() {
    for kind in [Kind::Ra2ne, Kind::AppleDh, Kind::MsLogonII] {
        let (port, serving) = listen(SecurityServer::new(kind, NAME, PASSWORD));
        let said = novnc(port, PASSWORD).unwrap();
        let picture = format!(r#"{{"event":"picture","width":{SIDE},"color":{COLOR}}}"#);
        assert_eq!(said.last(), Some(&picture), "{kind:?}: {said:?}");
        assert_eq!(serving.join().unwrap().unwrap(), login(true, PASSWORD), "{kind:?}");

        let (port, serving) = listen(SecurityServer::new(kind, NAME, "another"));
        let said = novnc(port, PASSWORD).unwrap();
        let refused = r#"{"event":"refused","status":1,"reason":"wrong"}"#;
        assert!(said.iter().any(|line| line == refused), "{kind:?}: {said:?}");
        assert_eq!(serving.join().unwrap().unwrap(), login(false, PASSWORD), "{kind:?}");
    }
}

/// gtk-vnc's own tool, on a terminal of its own, as a person would use it: whether it took a picture.
fn gvnccapture(port: u16, password: &str) -> anyhow::Result<bool> {
    let directory = tempfile::tempdir()?;
    let picture = directory.path().join("picture.png");
    let program = require("gvnccapture", "gvncviewer")?;
    let line = format!("{} 127.0.0.1:{} {}", program.display(), port - 5900, picture.display());
    let mut terminal = Command::new(require("script", "bsdutils")?);
    terminal.args(["-qec", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut terminal = terminal.spawn()?;
    let keyboard = terminal.stdin.take().context("a keyboard")?;
    let mut keyboard = File::from(OwnedFd::from(keyboard));
    let mut screen = terminal.stdout.take().context("a screen")?;
    let (over, ended) = mpsc::channel::<()>();
    let mut ended = Some(ended);
    let (mut shown, mut byte) = (Vec::new(), [0]);
    while screen.read(&mut byte)? > 0 {
        shown.push(byte[0]);
        if shown.ends_with(b"Username: ") {
            writeln!(keyboard, "{NAME}")?;
        }
        if shown.ends_with(b"Password: ") {
            // A terminal throws away what is typed before its echo is off, so the line is typed again
            // until the program ends. It reads one.
            let (mut keyboard, password) = (keyboard.try_clone()?, password.to_owned());
            let ended = ended.take().context("one password")?;
            std::thread::spawn(move || {
                while ended.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
                    writeln!(keyboard, "{password}").ok();
                }
            });
        }
    }
    drop(over);
    terminal.wait()?;
    Ok(picture.is_file())
}

/// Foreign client, Apple's and MS-Logon II: gtk-vnc.
#[test]
fn gtk_vnc_logs_in() {
    for kind in [Kind::AppleDh, Kind::MsLogonII] {
        let (port, serving) = listen(SecurityServer::new(kind, NAME, PASSWORD));
        assert!(gvnccapture(port, PASSWORD).unwrap(), "{kind:?}");
        assert_eq!(serving.join().unwrap().unwrap(), login(true, PASSWORD), "{kind:?}");

        let (port, serving) = listen(SecurityServer::new(kind, NAME, "another"));
        assert!(!gvnccapture(port, PASSWORD).unwrap(), "{kind:?}");
        assert_eq!(serving.join().unwrap().unwrap(), login(false, PASSWORD), "{kind:?}");
    }
}

/// Our client on a blocking stream, to its first picture.
fn ours(stream: UnixStream, kind: Kind, password: &str) -> Result<ClientResult, HandshakeError> {
    let credentials = Credentials { username: Some(NAME.to_owned()), password: Some(Secret::new(password)) };
    let config = ClientConfig { ra2_key: Some(client_key()), ..ClientConfig::default() };
    let mut machine = ClientHandshake::new(config.with_credentials(&credentials), [7; 32]);
    let mut wire = Wire { stream, records: None, raw: Vec::new(), plain: Vec::new() };
    loop {
        match machine.poll_step()? {
            Step::Send(bytes) => wire.write(&bytes).unwrap(),
            Step::NeedBytes => {
                let used = machine.handle_bytes(&wire.plain)?;
                wire.plain.drain(..used);
                if used == 0 && wire.read().is_err() {
                    return Err(machine.handle_end());
                }
            }
            Step::NeedSecret(_) => machine.handle_secret(credentials.clone())?,
            Step::NeedIdentity(_) => machine.handle_identity(true)?,
            Step::Compute(job) => machine.handle_computed(job.run())?,
            Step::StartRecords(keys) => {
                wire.raw.splice(..0, wire.plain.drain(..));
                wire.records = Some((Sealer::new(&keys.write), Opener::new(&keys.read)));
                machine.handle_records_started()?;
            }
            Step::StopRecords => wire.records = None,
            Step::Done => break,
            other => panic!("{other:?}"),
        }
    }
    wire.picture().unwrap();
    let found = machine.into_result().unwrap();
    assert_eq!(found.security_type, SecurityType(u32::from(kind.number())));
    Ok(found)
}

fn client_key() -> Arc<Ra2Key> {
    static KEY: OnceLock<Arc<Ra2Key>> = OnceLock::new();
    Arc::clone(KEY.get_or_init(|| Arc::new(Ra2Key::generate([2; 32]))))
}

struct Wire {
    stream: UnixStream,
    records: Option<(Sealer, Opener)>,
    raw: Vec<u8>,
    plain: Vec<u8>,
}

impl Wire {
    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut out = Vec::new();
        match &mut self.records {
            Some((sealer, _)) => sealer.seal(bytes, &mut out),
            None => out.extend_from_slice(bytes),
        }
        Ok(self.stream.write_all(&out)?)
    }

    /// More plaintext: one record at a time, or whatever there is.
    fn read(&mut self) -> anyhow::Result<()> {
        loop {
            match &mut self.records {
                None if !self.raw.is_empty() => {
                    self.plain.append(&mut self.raw);
                    return Ok(());
                }
                None => {}
                Some((_, opener)) => {
                    let used =
                        opener.open(&self.raw, &mut self.plain).map_err(|e| anyhow::anyhow!(e.code()))?;
                    self.raw.drain(..used);
                    if used > 0 {
                        return Ok(());
                    }
                }
            }
            let mut buffer = [0; 700];
            let n = self.stream.read(&mut buffer)?;
            ensure!(n > 0, "the server closed");
            self.raw.extend_from_slice(&buffer[..n]);
        }
    }

    /// Asks for the picture and looks at its first pixel.
    fn picture(&mut self) -> anyhow::Result<()> {
        self.write(&[[3, 0, 0, 0, 0, 0, 0].as_slice(), &[16, 0, 16]].concat())?;
        while self.plain.len() < 16 + usize::from(SIDE) * usize::from(SIDE) * 4 {
            self.read()?;
        }
        let pixel = self.plain[16..20].try_into().context("a pixel")?;
        ensure!(u32::from_le_bytes(pixel) & 0x00ff_ffff == COLOR, "another color");
        Ok(())
    }
}

#[test]
fn our_client_logs_in() {
    for kind in Kind::ALL {
        let (stream, serving) = pair(SecurityServer::new(kind, NAME, PASSWORD));
        let found = ours(stream, kind, PASSWORD).unwrap();
        assert_eq!(serving.join().unwrap().unwrap(), login(true, PASSWORD), "{kind:?}");
        let encrypted = matches!(kind, Kind::Ra2 | Kind::Ra2_256);
        let strength = if encrypted { Strength::EncryptedVerified } else { Strength::Authenticated };
        assert_eq!(found.strength, strength);

        let (stream, serving) = pair(SecurityServer::new(kind, NAME, "another"));
        let refused = ours(stream, kind, PASSWORD).unwrap_err();
        assert_eq!(refused.code(), "target.wrong_password", "{kind:?}");
        assert_eq!(serving.join().unwrap().unwrap(), login(false, PASSWORD), "{kind:?}");
    }
}

#[test]
fn ra2_may_ask_for_a_password_only() {
    let mut server = SecurityServer::new(Kind::Ra2, NAME, PASSWORD);
    server.password_only = true;
    let (stream, serving) = pair(server);
    ours(stream, Kind::Ra2, PASSWORD).unwrap();
    let got = serving.join().unwrap().unwrap();
    assert_eq!((got.username.as_str(), got.accepted), ("", true));
}

#[test]
fn tricks_are_refused_before_any_credential() {
    let ra2 = [Kind::Ra2, Kind::Ra2ne, Kind::Ra2_256, Kind::Ra2ne256];
    let cases = [
        (Kind::AppleDh, Trick::HugeKey, "rfb.public_key"),
        (Kind::AppleDh, Trick::TinyGroup, "rfb.public_key"),
    ];
    let cases = cases.into_iter().chain([(Kind::MsLogonII, Trick::TinyGroup, "rfb.public_key")]);
    let cases = cases.chain(ra2.into_iter().flat_map(|kind| {
        [
            (kind, Trick::HugeKey, "rfb.public_key"),
            (kind, Trick::TinyGroup, "rfb.public_key"),
            (kind, Trick::OtherHash, "rfb.security_exchange"),
            (kind, Trick::ForgedRecord, "rfb.truncated"),
            (kind, Trick::UnknownSubtype, "rfb.security_exchange"),
        ]
    }));
    for (kind, trick, code) in cases {
        let (stream, serving) = pair(SecurityServer { trick, ..SecurityServer::new(kind, NAME, PASSWORD) });
        let refused = ours(stream, kind, PASSWORD).unwrap_err();
        assert_eq!(refused.code(), code, "{kind:?} {trick:?}");
        assert!(serving.join().unwrap().is_err(), "{kind:?} {trick:?}: the server got credentials");
    }
}
