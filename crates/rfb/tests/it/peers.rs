//! The client's handshake against real servers, over Unix sockets and socket pairs.
//!
//! Each server proves that it is ready before it is used, and is killed by its process id. The types
//! inside TLS meet their real servers where TLS is: in the gateway's tests.

use crate::shell::{Answers, Shell, Stand};
use model::Coded;
use model::target::Strength;
use rfb::client::{ClientConfig, ClientHandshake, ClientResult};
use rfb::handshake::{HandshakeError, RefusalKind};
use rfb::{SecurityType, Version};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);
const PASSWORD: &str = "s3cret12";
const ANSWERS: Answers = Answers { username: Some("kate"), password: Some(PASSWORD), accept_identity: true };

/// A process that dies with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A server with its directory.
struct Server {
    process: Process,
    directory: TempDir,
}

impl Server {
    fn start(package: &str, command: &mut Command, directory: TempDir) -> Server {
        let process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let process = process.unwrap_or_else(|e| panic!("{e}: install the Debian package {package}"));
        Server { process: Process(process), directory }
    }

    /// TigerVNC's X server. Says its display when it listens.
    fn xvnc(arguments: &[&str]) -> (Server, String) {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("Xvnc");
        command.args(["-displayfd", "1", "-rfbport", "-1", "-geometry", "320x240", "-nolisten", "tcp"]);
        command.arg("-rfbunixpath").arg(directory.path().join("rfb")).args(arguments);
        command.arg("-PasswordFile").arg(password_file(directory.path()));
        let mut server = Server::start("tigervnc-standalone-server", &mut command, directory);
        let mut display = String::new();
        BufReader::new(server.process.0.stdout.take().unwrap()).read_line(&mut display).unwrap();
        (server, format!(":{}", display.trim()))
    }

    /// QEMU without a machine. Answers on its control channel once it listens.
    fn qemu(options: &str, more: &[&str]) -> Server {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("qemu-system-x86_64");
        command.args(["-M", "none", "-nodefaults", "-display", "none", "-qmp", "stdio"]);
        let socket = directory.path().join("rfb");
        command.arg("-vnc").arg(format!("unix:{}{options}", socket.display())).args(more);
        let mut server = Server::start("qemu-system-x86", &mut command, directory);
        server.process.0.stdin.as_mut().unwrap().write_all(b"{\"execute\":\"qmp_capabilities\"}\n").unwrap();
        let mut said = BufReader::new(server.process.0.stdout.take().unwrap()).lines();
        assert!(said.any(|line| line.unwrap().contains("return")), "QEMU did not start");
        server
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.directory.path().join("rfb")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

/// A server on one end of a connection, as inetd would start it; the other end. Ends with it.
fn inetd(program: &str, package: &str, arguments: &[&str]) -> (Process, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    let output = theirs.try_clone().unwrap();
    let mut command = Command::new(program);
    command.arg("-inetd").args(arguments);
    command.stdin(OwnedFd::from(theirs)).stdout(OwnedFd::from(output)).stderr(Stdio::null());
    let process = command.spawn().unwrap_or_else(|e| panic!("{e}: install the Debian package {package}"));
    ours.set_read_timeout(Some(PATIENCE)).unwrap();
    (Process(process), ours)
}

fn x11vnc(display: &str, arguments: &[&str]) -> (Process, TcpStream) {
    inetd("x11vnc", "x11vnc", &[&["-q", "-norc", "-display", display], arguments].concat())
}

/// The file that VNC servers keep a password in: DES under a key that everybody knows.
fn password_file(directory: &Path) -> PathBuf {
    // "s3cret12" as `vncpasswd -f` writes it.
    const OBFUSCATED: [u8; 8] = [0x8d, 0xe9, 0xe0, 0xf4, 0xc2, 0x46, 0x85, 0xba];
    let path = directory.join("passwd");
    std::fs::write(&path, OBFUSCATED).unwrap();
    path
}

fn config() -> ClientConfig {
    let local = ClientConfig { shared: true, host_is_local: true, ..ClientConfig::default() };
    local.with_credentials(&ANSWERS.credentials())
}

/// Shakes hands, then asks for a picture: proof that nothing of the handshake was left over.
fn login(
    mut stream: impl Read + Write,
    config: ClientConfig,
    answers: Answers,
) -> Result<ClientResult, HandshakeError> {
    let mut shell = Shell::new(ClientHandshake::new(config, [6; 32]), answers);
    let mut buffer = [0; 4096];
    while shell.receive(b"")? == Stand::Waits {
        stream.write_all(&std::mem::take(&mut shell.out)).ok();
        // One byte at a time: real servers, worst network.
        match stream.read(&mut buffer[..1]) {
            Ok(0) | Err(_) => return Err(shell.machine.handle_end()),
            Ok(n) => match shell.receive(&buffer[..n])? {
                Stand::Done => break,
                Stand::Waits => {}
            },
        }
    }
    stream.write_all(&std::mem::take(&mut shell.out)).unwrap();
    assert_eq!(shell.leftover()?, b"");
    let found = shell.machine.into_result().unwrap();
    let (width, height) = (found.init.width, found.init.height);
    let mut request = vec![3, 0, 0, 0, 0, 0];
    request.extend_from_slice(&width.to_be_bytes());
    request.extend_from_slice(&height.to_be_bytes());
    stream.write_all(&request).unwrap();
    let mut head = [0; 16];
    stream.read_exact(&mut head).unwrap();
    let [kind, _, _, rectangles, .., a, b, c, d] = head;
    assert_eq!((kind, [a, b, c, d]), (0, [0; 4]), "not a raw update");
    assert!(rectangles > 0);
    Ok(found)
}

#[test]
fn tigervnc_without_authentication() {
    let (server, _) = Server::xvnc(&["-SecurityTypes", "None"]);
    let found = login(server.connect(), config(), ANSWERS).unwrap();
    assert_eq!((found.security_type, found.strength), (SecurityType::NONE, Strength::Open));
    assert_eq!((found.init.width, found.init.height), (320, 240));
    assert_eq!(found.version_line.to_string(), "003.008");
    let mut seen = config();
    seen.security.seen = Some(Strength::Authenticated);
    assert_eq!(login(server.connect(), seen, ANSWERS).map_err(|e| e.code()), Err("target.downgrade"));
}

#[test]
fn tigervnc_with_a_password() {
    let (server, _) = Server::xvnc(&["-SecurityTypes", "VncAuth"]);
    let found = login(server.connect(), config(), ANSWERS).unwrap();
    assert_eq!((found.security_type, found.strength), (SecurityType::VNC_AUTH, Strength::Authenticated));
    let wrong = Answers { password: Some("wrong"), ..ANSWERS };
    let refused = login(server.connect(), config(), wrong).unwrap_err();
    assert!(
        matches!(&refused, HandshakeError::Refused { kind: RefusalKind::WrongPassword, reason } if reason.contains("Authentication failure")),
        "{refused:?}"
    );
    let nothing = ClientConfig { has_password: false, ..config() };
    assert_eq!(
        login(server.connect(), nothing, ANSWERS).map_err(|e| e.code()),
        Err("target.password_missing")
    );
}

/// A lock-out must not look like a wrong password.
#[test]
fn tigervnc_locks_out() {
    let (server, _) = Server::xvnc(&["-SecurityTypes", "VncAuth", "-BlacklistThreshold", "1"]);
    let codes: Vec<_> = (0..4)
        .map(|_| {
            let wrong = Answers { password: Some("wrong"), ..ANSWERS };
            login(server.connect(), config(), wrong).map(|_| ()).map_err(|e| e.code())
        })
        .collect();
    assert_eq!(codes.first(), Some(&Err("target.wrong_password")));
    assert_eq!(codes.last(), Some(&Err("target.too_many_failures")));
    assert_eq!(
        login(server.connect(), config(), ANSWERS).map_err(|e| e.code()),
        Err("target.too_many_failures")
    );
}

/// TigerVNC's default: VeNCrypt with anonymous TLS only, then VncAuth.
#[test]
fn tigervnc_as_it_comes_takes_two_tries() {
    let (server, _) = Server::xvnc(&["-SecurityTypes", "TLSVnc,VncAuth"]);
    let retry = login(server.connect(), config(), ANSWERS).unwrap_err();
    assert_eq!(retry, HandshakeError::Retry { avoid: SecurityType::VENCRYPT });
    let again = ClientConfig { avoid: vec![SecurityType::VENCRYPT], ..config() };
    assert_eq!(login(server.connect(), again, ANSWERS).unwrap().security_type, SecurityType::VNC_AUTH);
}

#[test]
fn tigervnc_three_three() {
    let (server, _) = Server::xvnc(&["-SecurityTypes", "VncAuth", "-Protocol3.3"]);
    let found = login(server.connect(), config(), ANSWERS).unwrap();
    assert_eq!((found.version_line.rules(), found.security_type), (Version::V3_3, SecurityType::VNC_AUTH));
    let wrong = Answers { password: Some("wrong"), ..ANSWERS };
    assert_eq!(login(server.connect(), config(), wrong).map_err(|e| e.code()), Err("target.wrong_password"));
}

#[test]
fn x11vnc_in_every_version() {
    let (_server, display) = Server::xvnc(&["-SecurityTypes", "None"]);
    for (version, line) in [("3.3", "003.003"), ("3.7", "003.007"), ("3.8", "003.008")] {
        for (arguments, security_type) in
            [(vec!["-nopw"], SecurityType::NONE), (vec!["-passwd", PASSWORD], SecurityType::VNC_AUTH)]
        {
            let arguments = [arguments.as_slice(), &["-rfbversion", version]].concat();
            let (_process, stream) = x11vnc(&display, &arguments);
            let found = login(stream, config(), ANSWERS).unwrap();
            assert_eq!((found.version_line.to_string().as_str(), found.security_type), (line, security_type));
        }
        let (_process, stream) = x11vnc(&display, &["-passwd", PASSWORD, "-rfbversion", version]);
        let wrong = Answers { password: Some("wrong"), ..ANSWERS };
        assert_eq!(login(stream, config(), wrong).map_err(|e| e.code()), Err("target.wrong_password"));
    }
}

/// Tight (16): the capability lists, and the tail of ServerInit.
#[test]
fn tightvnc_with_tight() {
    let directory = tempfile::tempdir().unwrap();
    let password = password_file(directory.path());
    let rfbauth = ["-rfbauth", password.to_str().unwrap()];
    for (arguments, strength) in [(&[][..], Strength::Open), (&rfbauth, Strength::Authenticated)] {
        let arguments = [&["-geometry", "320x240"], arguments].concat();
        let start = || inetd("Xtightvnc", "tightvncserver", &arguments);
        let only_tight = ClientConfig { avoid: vec![SecurityType::NONE, SecurityType::VNC_AUTH], ..config() };
        let (_process, stream) = start();
        let found = login(stream, only_tight.clone(), ANSWERS).unwrap();
        assert_eq!((found.security_type, found.strength), (SecurityType::TIGHT, strength));
        assert_eq!((found.init.width, found.init.height), (320, 240));
        if strength > Strength::Open {
            let (_process, stream) = start();
            let wrong = Answers { password: Some("wrong"), ..ANSWERS };
            assert_eq!(login(stream, only_tight, wrong).map_err(|e| e.code()), Err("target.wrong_password"));
        }
    }
}

#[test]
fn qemu_with_and_without_a_password() {
    let server = Server::qemu("", &[]);
    assert_eq!(login(server.connect(), config(), ANSWERS).unwrap().security_type, SecurityType::NONE);
    let secret = format!("secret,id=pw,data={PASSWORD}");
    let server = Server::qemu(",password-secret=pw", &["-object", &secret]);
    assert_eq!(login(server.connect(), config(), ANSWERS).unwrap().security_type, SecurityType::VNC_AUTH);
    let wrong = Answers { password: Some("wrong"), ..ANSWERS };
    assert_eq!(login(server.connect(), config(), wrong).map_err(|e| e.code()), Err("target.wrong_password"));
}
