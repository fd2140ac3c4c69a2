//! What stands between viewer and target: nothing, or one of several programs.

use crate::house::House;
use crate::http::{HOST, Line};
use crate::process::{cpu_ever, cpu_now, family, pss};
use crate::viewer::Viewer;
use anyhow::{Context, Result, ensure};
use rustls::{ClientConfig, RootCertStore};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Something between viewer and target.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    address: SocketAddr,
    door: Door,
    tls: Option<Arc<ClientConfig>>,
    child: Option<Child>,
}

/// How a viewer comes in.
enum Door {
    Tcp,
    WebSocket,
    /// A WebSocket for which a ticket is asked first.
    Ticket(Box<House>),
}

impl Peer {
    pub(crate) fn start_all(
        target: SocketAddr,
        desks: usize,
        directory: &Path,
        over_tls: bool,
    ) -> Result<Vec<Peer>> {
        let certificate = if over_tls { Some(Certificate::make(directory)?) } else { None };
        let tls = certificate.as_ref();
        let client = tls.map(|c| Arc::clone(&c.client));
        let mut peers =
            vec![Peer { name: "nothing", address: target, door: Door::Tcp, tls: None, child: None }];
        let mut add = |name, door, started: Result<(SocketAddr, Child)>| match started {
            Ok((address, child)) => {
                peers.push(Peer { name, address, door, tls: client.clone(), child: Some(child) });
            }
            Err(error) => println!("{name} is left out: {error:#}"),
        };
        let wide = "proxy_buffer_size 64k;";
        add("nginx", Door::Tcp, nginx(target, &directory.join("nginx"), "", tls));
        add("nginx 64k", Door::Tcp, nginx(target, &directory.join("nginx-64k"), wide, tls));
        add("websockify", Door::WebSocket, websockify(target, tls));
        let (house, child) = House::start(target, desks, &directory.join("house"), tls)?;
        let address = house.address;
        add("gateway", Door::Ticket(Box::new(house)), Ok((address, child)));
        Ok(peers)
    }

    /// Whether there is a program to measure.
    pub(crate) fn is_program(&self) -> bool {
        self.child.is_some()
    }

    /// Seconds of CPU that the processes of this peer have used so far, while none of them ends.
    pub(crate) fn cpu(&self) -> f64 {
        self.child.as_ref().map_or(0.0, |child| family(child.id()).into_iter().map(cpu_now).sum())
    }

    /// The same with those that ended, in steps of 10 ms.
    pub(crate) fn cpu_ever(&self) -> f64 {
        self.child.as_ref().map_or(0.0, |child| family(child.id()).into_iter().map(cpu_ever).sum())
    }

    /// The gateway's own side, where it is one.
    pub(crate) fn house(&self) -> Option<&House> {
        match &self.door {
            Door::Ticket(house) => Some(house),
            _ => None,
        }
    }

    /// Proportional memory of all its processes in KiB.
    pub(crate) fn pss(&self) -> u64 {
        self.child.as_ref().map_or(0, |child| family(child.id()).into_iter().map(pss).sum())
    }

    /// One session.
    pub(crate) fn connect(&self) -> Result<Viewer> {
        let mut visitor = self.visitor()?;
        let path = visitor.path(0)?;
        visitor.open(&path)
    }

    /// Somebody who opens sessions one after the other.
    pub(crate) fn visitor(&self) -> Result<Visitor<'_>> {
        let line = match &self.door {
            Door::Ticket(house) => Some(house.line()?),
            _ => None,
        };
        Ok(Visitor { peer: self, line })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            for pid in family(child.id()).into_iter().rev() {
                let _ = Command::new("kill").arg(pid.to_string()).status();
            }
            let _ = child.wait();
        }
    }
}

/// Opens sessions; where tickets are needed, it asks for them on a connection that it keeps.
pub(crate) struct Visitor<'a> {
    peer: &'a Peer,
    line: Option<Line>,
}

impl Visitor<'_> {
    /// Where the WebSocket of a session is, whose number no other session has meanwhile; asks for a ticket where one is
    /// needed.
    pub(crate) fn path(&mut self, number: usize) -> Result<String> {
        match (&self.peer.door, &mut self.line) {
            (Door::Ticket(house), Some(line)) => house.ticket(line, number + 1),
            _ => Ok("/ws".to_owned()),
        }
    }

    /// A session: shaken hands, encodings said.
    pub(crate) fn open(&self, path: &str) -> Result<Viewer> {
        self.attempt(path).with_context(|| format!("through {}", self.peer.name))
    }

    fn attempt(&self, path: &str) -> Result<Viewer> {
        let peer = self.peer;
        let mut line = Line::connect(peer.address, peer.tls.as_ref())?;
        let origin = match &peer.door {
            Door::Tcp => return Viewer::greet(line, false),
            Door::WebSocket => format!("http://{HOST}"),
            Door::Ticket(house) => house.origin().to_owned(),
        };
        let host = origin.split_once("://").map_or(HOST, |(_, host)| host);
        let (status, _) = line.request(&format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: binary\r\n\r\n"
        ))?;
        ensure!(status == 101, "no WebSocket: {status}");
        Viewer::greet(line, true)
    }
}

/// One self-signed certificate for all: the same key, the same signatures.
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) client: Arc<ClientConfig>,
}

impl Certificate {
    fn make(directory: &Path) -> Result<Certificate> {
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
        let (chain, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
        std::fs::write(&chain, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Certificate { chain, key, client: Arc::new(client) })
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn nginx(
    target: SocketAddr,
    directory: &Path,
    buffer: &str,
    certificate: Option<&Certificate>,
) -> Result<(SocketAddr, Child)> {
    std::fs::create_dir(directory)?;
    let listen = free_address()?;
    let module = "/usr/lib/nginx/modules/ngx_stream_module.so";
    let load = if Path::new(module).exists() { format!("load_module {module};") } else { String::new() };
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let (ssl, files) = match certificate {
        Some(Certificate { chain, key, .. }) => (
            "ssl",
            format!(
                "ssl_certificate {}; ssl_certificate_key {}; ssl_protocols TLSv1.3;",
                chain.display(),
                key.display()
            ),
        ),
        None => ("", String::new()),
    };
    let configuration = format!(
        "{load} {user} worker_processes 1; pid {0}/pid; error_log {0}/error.log;\n\
         worker_rlimit_nofile 20000; events {{ worker_connections 20000; }}\n\
         stream {{ server {{ listen {listen} {ssl}; {files} {buffer} proxy_pass {target}; tcp_nodelay on; }} }}\n",
        directory.display()
    );
    let file = directory.join("nginx.conf");
    std::fs::write(&file, configuration)?;
    let child = Command::new("nginx")
        .arg("-c")
        .arg(&file)
        .args(["-g", "daemon off;"])
        .stderr(Stdio::null())
        .spawn()
        .context("nginx does not start; it is in package nginx with libnginx-mod-stream")?;
    wait_for(listen, child)
}

fn websockify(target: SocketAddr, certificate: Option<&Certificate>) -> Result<(SocketAddr, Child)> {
    let listen = free_address()?;
    let mut command = Command::new("websockify");
    if let Some(Certificate { chain, key, .. }) = certificate {
        command.arg("--ssl-only").arg("--cert").arg(chain).arg("--key").arg(key);
    }
    let child = command
        .args([listen.to_string(), target.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("websockify does not start; it is in package websockify")?;
    wait_for(listen, child)
}

fn wait_for(address: SocketAddr, mut child: Child) -> Result<(SocketAddr, Child)> {
    let end = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_err() {
        ensure!(child.try_wait()?.is_none(), "it ended at once");
        ensure!(Instant::now() < end, "it does not listen");
        thread::sleep(Duration::from_millis(20));
    }
    Ok((address, child))
}
