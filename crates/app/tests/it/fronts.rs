//! The shipped proxy configurations, started as they are in front of the program: only addresses, certificate
//! paths and log paths are replaced.

use crate::house::{Closing, House, pump};
use crate::http::{self, Answer};
use anyhow::{Context, Result, ensure};
use gateway::tls::own::{self, Files};
use gateway::tls::{Names, TargetTrust};
use model::target::Identity;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::SystemTime;
use testkit::process::{Child, Program, require};
use testkit::vnc::{Viewer, ViewerOptions};
use testkit::wait;
use tokio::io::DuplexStream;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

const NAME: &str = "console.example.org";
const ORIGIN: &str = "https://console.example.org";
/// Where the person sits; all of 127/8 is this machine.
const VIEWER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 77));
/// What somebody writes into a header to be taken for another.
const SPOOFED: &str = "198.51.100.66";
const RESUME: &str = "k5bbbbbbcccccccddddddeeeeeeffffffgggggghhhhhhiiiiiijj";

const NGINX: &str = include_str!("../../../../docs/nginx.conf");
const NGINX_STREAM: &str = include_str!("../../../../docs/nginx-stream.conf");
const CADDY: &str = include_str!("../../../../docs/Caddyfile");

/// A proxy in front of the program, with its logs in a directory of its own.
struct Front {
    address: SocketAddr,
    authority: PathBuf,
    child: Child,
    directory: tempfile::TempDir,
}

impl Front {
    /// nginx with `docs/nginx.conf` inside `http {}`.
    async fn nginx(house: &House) -> Result<Front> {
        let place = Place::new()?;
        let site = with(
            NGINX,
            &[
                ("listen 443 ssl;", &format!("listen {} ssl;", place.address)),
                ("/etc/ssl/console.example.org.pem", &place.files.leaf.display().to_string()),
                ("/etc/ssl/console.example.org.key", &place.files.leaf_key.display().to_string()),
                ("/var/log/nginx/gatehouse.log", &place.path("gatehouse.log")),
                ("/var/log/nginx/gatehouse.error.log", &place.path("gatehouse.error.log")),
                ("127.0.0.1:5000", &house.web.to_string()),
            ],
        );
        place.nginx(&format!("http {{\n{site}\n}}")).await
    }

    /// nginx with `docs/nginx-stream.conf`: TLS ends at the program, under its own certificate.
    async fn nginx_stream(house: &House) -> Result<(Front, SocketAddr)> {
        let mut place = Place::new()?;
        let native = free_address()?;
        let blocks = with(
            NGINX_STREAM,
            &[
                ("listen 443;", &format!("listen {};", place.address)),
                ("listen 5900;", &format!("listen {native};")),
                ("127.0.0.1:5000", &house.web.to_string()),
                ("127.0.0.1:5901", &house.native.to_string()),
            ],
        );
        place.files = Files::under(&house.dir.path().join("tls"));
        Ok((place.nginx(&blocks).await?, native))
    }

    /// Caddy with `docs/Caddyfile`; a certificate takes the place of asking an authority for one.
    async fn caddy(house: &House) -> Result<Front> {
        let place = Place::new()?;
        let Place { files, address, .. } = &place;
        let site = format!(
            "{ORIGIN}:{} {{\n\tbind {}\n\ttls {} {}",
            address.port(),
            address.ip(),
            files.leaf.display(),
            files.leaf_key.display()
        );
        let config = with(
            CADDY,
            &[
                ("\n{\n", "\n{\n\tadmin off\n\tauto_https disable_redirects\n"),
                ("\nconsole.example.org {", &format!("\n{site}")),
                ("/var/log/caddy/gatehouse.log", &place.path("gatehouse.log")),
                ("127.0.0.1:5000", &house.web.to_string()),
            ],
        );
        let file = place.directory.path().join("Caddyfile");
        std::fs::write(&file, config)?;
        let program = Program::new(require("caddy", "caddy")?)
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(&file)
            .env("HOME", place.directory.path())
            .env("XDG_DATA_HOME", place.directory.path())
            .env("XDG_CONFIG_HOME", place.directory.path());
        place.start(&program).await
    }

    /// A TLS connection from the viewer's address, under the name that people type.
    async fn connect(&self) -> Result<TlsStream<TcpStream>> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(VIEWER, 0))?;
        let stream = socket.connect(self.address).await?;
        let (config, _) = TargetTrust::new(Some(&self.authority))?.judge(&Identity::Verify, false)?;
        Ok(TlsConnector::from(config).connect(NAME.try_into()?, stream).await?)
    }

    async fn send(&self, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> Result<Answer> {
        let host = [("Host", NAME)];
        let named = more.iter().any(|(name, _)| *name == "Host");
        let headers = if named { more.to_vec() } else { [&host, more].concat() };
        http::exchange(self.connect().await?, method, path, &headers, body).await
    }

    /// A request of the logged-in page.
    async fn ask(&self, method: &str, path: &str, cookie: &str, body: &str) -> Result<Answer> {
        self.send(method, path, &[("Origin", ORIGIN), ("Cookie", cookie)], body).await
    }

    async fn console(&self, token: &str, origin: &str) -> Result<(DuplexStream, Closing)> {
        let mut request = format!("wss://{NAME}/ws/console/vnc/{token}").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("origin", origin.parse()?);
        headers.insert("x-forwarded-for", SPOOFED.parse()?);
        headers.insert("sec-websocket-protocol", format!("binary, resume.{RESUME}").parse()?);
        let (socket, response) = tokio_tungstenite::client_async(request, self.connect().await?).await?;
        assert_eq!(response.headers()["sec-websocket-protocol"], "binary");
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        Ok((ours, tokio::spawn(pump(socket, theirs))))
    }

    /// Ends the proxy; everything that it wrote down.
    fn logs(self) -> Result<String> {
        let mut logs = self.child.output();
        drop(self.child);
        for entry in std::fs::read_dir(self.directory.path())? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "log") {
                logs += &std::fs::read_to_string(&path)?;
            }
        }
        Ok(logs)
    }
}

/// Where a proxy will be.
struct Place {
    address: SocketAddr,
    files: Files,
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Result<Place> {
        let directory = tempfile::tempdir()?;
        own::open(directory.path(), &Names::new([NAME]), SystemTime::now())?;
        Ok(Place { address: free_address()?, files: Files::under(directory.path()), directory })
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    async fn nginx(self, blocks: &str) -> Result<Front> {
        let module = Path::new("/usr/lib/nginx/modules/ngx_stream_module.so");
        ensure!(module.exists(), "nginx has no stream module: apt-get install libnginx-mod-stream");
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let config = format!(
            "load_module {}; {user} daemon off; worker_processes 1; pid {}; error_log {} info;\n\
             events {{}}\n{blocks}\n",
            module.display(),
            self.path("pid"),
            self.path("main.log"),
        );
        let file = self.directory.path().join("main.conf");
        std::fs::write(&file, config)?;
        let nginx = Program::new(require("nginx", "nginx-light")?).arg("-e").arg(self.path("main.log"));
        self.start(&nginx.arg("-c").arg(&file)).await
    }

    async fn start(self, program: &Program) -> Result<Front> {
        let child = program.start()?;
        let Place { address, files, directory } = self;
        wait::until("the proxy", wait::LIMIT, async || {
            assert_eq!(child.status(), None, "{}", child.output());
            TcpStream::connect(address).await.ok()
        })
        .await?;
        Ok(Front { address, authority: files.authority, child, directory })
    }
}

/// A loopback address that nobody else on this machine uses, so that no other program takes the port meanwhile.
fn free_address() -> Result<SocketAddr> {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, high | 0x80, low, NEXT.fetch_add(1, Ordering::Relaxed));
    Ok(std::net::TcpListener::bind((address, 0))?.local_addr()?)
}

/// The shipped text with each of these replaced, which must be there once.
fn with(shipped: &str, replacements: &[(&str, &str)]) -> String {
    replacements.iter().fold(shipped.to_owned(), |text, (old, new)| {
        assert_eq!(text.matches(old).count(), 1, "{old:?} in {text}");
        text.replacen(old, new, 1)
    })
}

async fn house(more: &str) -> Result<House> {
    let dir = tempfile::tempdir()?;
    let config = format!(
        "[log]\nlevel = \"debug,gateway=trace,api=trace,hyper=trace\"\n[web]\nexternal_url = \"{ORIGIN}\"\n\
         trusted_proxies = [\"127.0.0.1\"]\n{more}"
    );
    std::fs::write(dir.path().join("gatehouse.toml"), config)?;
    House::open(dir, &[]).await
}

/// Logs in by the printed link and asks for a console of the test card: the cookie and the ticket's token.
async fn enter(house: &House, front: &Front) -> Result<(String, String)> {
    let body = format!(r#"{{"token":"{}"}}"#, house.link_token);
    let answer = front.send("POST", "/api/auth/link", &[("Origin", ORIGIN)], &body).await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    let cookie = answer.header("set-cookie").context("no cookie")?;
    assert!(cookie.contains("; Secure"), "the person's side is encrypted: {cookie}");
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let card = r#"{"name":"card","url":"testcard:"}"#;
    let added = front.ask("POST", "/api/targets", &cookie, card).await?;
    assert_eq!(added.status, 201, "{added:?}");
    let ticket = front.ask("POST", "/api/vm/1/console/request", &cookie, "{}").await?.json();
    Ok((cookie, ticket["token"].as_str().context("no token")?.to_owned()))
}

/// Works on a console and looks at what the program knows of it.
async fn work(front: &Front, cookie: &str, token: &str) -> Result<()> {
    let page = front.send("GET", &format!("/console/{token}"), &[], "").await?;
    assert_eq!(page.status, 200, "{page:?}");
    let info = front.send("GET", &format!("/api/console/{token}/info"), &[], "").await?.json();
    assert_eq!(info["state"], "waiting", "{info}");
    let (stream, closing) = front.console(token, ORIGIN).await?;
    let mut viewer = Viewer::connect(stream, ViewerOptions::default()).await?;
    viewer.wait_for_updates(1).await?;
    let list = front.ask("GET", "/api/sessions?status=active", cookie, "").await?.json();
    let session: &Value = &list["sessions"][0];
    assert_eq!(session["client_ip"], VIEWER.to_string(), "{list}");
    let kill = format!("/api/sessions/{}/kill", session["id"].as_str().unwrap_or_default());
    assert_eq!(front.ask("POST", &kill, cookie, "").await?.status, 204);
    let (code, reason) = closing.await?.context("no close frame came through")?;
    assert_eq!((code, reason.as_str()), (4003, "session.killed"));
    Ok(())
}

/// What is not for us is refused behind a proxy as it is without one.
async fn refusals(front: &Front, token: &str) -> Result<()> {
    let foreign = front.send("GET", "/api/health", &[("Host", "evil.example")], "").await?;
    // A proxy that knows the name's site only answers by itself, with nothing.
    assert!(
        foreign.status == 421 && foreign.code() == "request.host" || foreign.body.is_empty(),
        "{foreign:?}"
    );
    let error =
        front.console(token, "https://evil.example").await.err().context("opened for another site")?;
    assert!(error.to_string().contains("403"), "{error}");
    Ok(())
}

/// A session behind a proxy, then the proxy without the program, then what both wrote down.
async fn through(house: House, front: Front) -> Result<()> {
    let (cookie, token) = enter(&house, &front).await?;
    refusals(&front, &token).await?;
    work(&front, &cookie, &token).await?;
    let program = house.child.output();
    house.child.signal(rustix::process::Signal::TERM);
    house.child.exit(wait::LIMIT).await?;
    let gone =
        front.send("GET", &format!("/ws/console/vnc/{token}"), &[("Upgrade", "websocket")], "").await?;
    assert_eq!(gone.status, 502, "{gone:?}");
    let logs = front.logs()?;
    for path in ["/ws/console/vnc/…", "/console/…", "/api/console/…"] {
        assert!(logs.contains(path), "{path} in {logs}");
    }
    let login = cookie.split_once('=').context("no value")?.1;
    for secret in [token.as_str(), RESUME, login] {
        assert!(!logs.contains(secret), "{secret} in {logs}");
        assert!(!program.contains(secret), "{secret} in {program}");
    }
    assert!(!logs.contains(&house.link_token), "{logs}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_as_shipped() -> Result<()> {
    let house = house("").await?;
    let front = Front::nginx(&house).await?;
    through(house, front).await
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_caddy_as_shipped() -> Result<()> {
    let house = house("").await?;
    let front = Front::caddy(&house).await?;
    through(house, front).await
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_that_passes_connections_on() -> Result<()> {
    let own = "proxy_protocol = true\ntls.mode = \"own\"\n[native]\nproxy_protocol = true\n";
    let house = house(own).await?;
    let (front, native) = Front::nginx_stream(&house).await?;
    let (cookie, token) = enter(&house, &front).await?;
    work(&front, &cookie, &token).await?;
    greeting(native).await?.context("no greeting through the proxy")?;
    // Past the proxy there is no way in.
    for door in [house.web, house.native] {
        assert_eq!(greeting(door).await?, None);
    }
    assert!(http::send(house.web, "GET", "/api/health", &[], "").await.is_err());
    Ok(())
}

/// The first bytes of a native door, if it lets one in.
async fn greeting(door: SocketAddr) -> Result<Option<[u8; 12]>> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = TcpStream::connect(door).await?;
    let mut bytes = *b"RFB 003.008\n";
    stream.write_all(&bytes).await?;
    let read = tokio::time::timeout(wait::LIMIT, stream.read_exact(&mut bytes)).await?;
    Ok(read.is_ok().then_some(bytes))
}
