//! The relay beside its peers, on one machine in the same rounds: CPU per gigabyte, throughput, CPU per
//! keyboard round trip, latency, and memory of idle sessions.
//!
//! ```text
//! cargo run --release -p gateway --example relay_bench -- [--mb 1000] [--rounds 5] [--trips 5000] [--idle 1000] [--only-gateway]
//! ```
//!
//! A fake target sends valid RFB in a loop, a fake viewer takes it and decodes nothing. Between them,
//! in turn: nothing, nginx `stream` as it comes, nginx with 64 KiB buffers, websockify, and this gateway
//! (a child process of this program) over WebSocket with observation and policy on. Programs that are
//! not installed are left out. CPU is that of the proxy's processes alone.

#![expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "figures for people")]

use anyhow::{Context, Result, ensure};
use rfb::decode::number;
use rfb::encode::Encoder;
use rfb::framebuffer::{Framebuffer, Rect};
use rfb::{PixelFormat, ServerInit};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const WIDTH: u16 = 1024;
const HEIGHT: u16 = 768;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, target] = arguments.as_slice()
        && mode == "--serve"
    {
        return proxy::serve(target.parse()?);
    }
    let number = |name: &str, default: usize| -> Result<usize> {
        match arguments.iter().position(|a| a == name) {
            Some(at) => Ok(arguments.get(at + 1).context("a number is missing")?.parse()?),
            None => Ok(default),
        }
    };
    let plan = Plan {
        bytes: number("--mb", 1000)? * 1_000_000,
        rounds: number("--rounds", 5)?,
        trips: number("--trips", 5000)?,
        idle: number("--idle", 1000)?,
    };
    let target = target::start()?;
    let directory = tempfile::tempdir()?;
    let mut peers = Peer::start_all(target, directory.path())?;
    if arguments.iter().any(|a| a == "--only-gateway") {
        peers.drain(..peers.len() - 1);
    }
    streams(&peers, &plan)?;
    round_trips(&peers, &plan)?;
    idle(&peers, &plan)
}

struct Plan {
    bytes: usize,
    rounds: usize,
    trips: usize,
    idle: usize,
}

/// Something between viewer and target.
struct Peer {
    name: &'static str,
    address: SocketAddr,
    websocket: bool,
    child: Option<Child>,
}

impl Peer {
    fn start_all(target: SocketAddr, directory: &std::path::Path) -> Result<Vec<Peer>> {
        let mut peers = vec![Peer { name: "nothing", address: target, websocket: false, child: None }];
        for (name, buffer) in [("nginx stream", ""), ("nginx stream 64k", "proxy_buffer_size 64k;")] {
            match nginx(target, &directory.join(name.replace(' ', "-")), buffer) {
                Ok((address, child)) => {
                    peers.push(Peer { name, address, websocket: false, child: Some(child) });
                }
                Err(error) => println!("{name} is left out: {error:#}"),
            }
        }
        match websockify(target) {
            Ok((address, child)) => {
                peers.push(Peer { name: "websockify", address, websocket: true, child: Some(child) });
            }
            Err(error) => println!("websockify is left out: {error:#}"),
        }
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--serve", &target.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = line.trim().parse()?;
        peers.push(Peer { name: "gateway", address, websocket: true, child: Some(child) });
        Ok(peers)
    }

    /// Seconds of CPU that the processes of this peer have used so far.
    fn cpu(&self) -> f64 {
        self.child.as_ref().map_or(0.0, |child| family(child.id()).into_iter().map(cpu).sum())
    }

    fn pss(&self) -> u64 {
        self.child.as_ref().map_or(0, |child| family(child.id()).into_iter().map(pss).sum())
    }

    /// A session: shaken hands, encodings said.
    fn connect(&self) -> Result<Viewer> {
        Viewer::connect(self.address, self.websocket).with_context(|| format!("through {}", self.name))
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

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn nginx(target: SocketAddr, directory: &std::path::Path, buffer: &str) -> Result<(SocketAddr, Child)> {
    std::fs::create_dir(directory)?;
    let listen = free_address()?;
    let module = "/usr/lib/nginx/modules/ngx_stream_module.so";
    let load =
        if std::path::Path::new(module).exists() { format!("load_module {module};") } else { String::new() };
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let configuration = format!(
        "{load} {user} worker_processes 1; pid {0}/pid; error_log {0}/error.log;\n\
         events {{ worker_connections 20000; }}\n\
         stream {{ server {{ listen {listen}; {buffer} proxy_pass {target}; tcp_nodelay on; }} }}\n",
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

fn websockify(target: SocketAddr) -> Result<(SocketAddr, Child)> {
    let listen = free_address()?;
    let child = Command::new("websockify")
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

/// A process and its descendants.
fn family(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        next += 1;
        for task in entries(&format!("/proc/{parent}/task")) {
            let children = std::fs::read_to_string(format!("/proc/{parent}/task/{task}/children"));
            found.extend(
                children.unwrap_or_default().split_whitespace().filter_map(|c| c.parse::<u32>().ok()),
            );
        }
    }
    found
}

fn entries(directory: &str) -> Vec<String> {
    let list = std::fs::read_dir(directory).into_iter().flatten().flatten();
    list.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Nanoseconds on a CPU, over all threads, in seconds.
fn cpu(pid: u32) -> f64 {
    let task = |task: String| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{task}/schedstat")).unwrap_or_default();
        stat.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0)
    };
    entries(&format!("/proc/{pid}/task")).into_iter().map(task).sum::<f64>() / 1e9
}

/// Proportional memory in KiB.
fn pss(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn streams(peers: &[Peer], plan: &Plan) -> Result<()> {
    for (kind, name) in target::KINDS {
        println!("\n{name}, {} MB, median of {} rounds", plan.bytes / 1_000_000, plan.rounds);
        let mut figures: Vec<(Vec<f64>, Vec<f64>)> = peers.iter().map(|_| Default::default()).collect();
        for _ in 0..plan.rounds {
            for (peer, (speeds, costs)) in peers.iter().zip(&mut figures) {
                let mut viewer = peer.connect()?;
                let (cpu, start) = (peer.cpu(), Instant::now());
                viewer.ask(*kind, plan.bytes)?;
                let bytes = target::whole(*kind, plan.bytes);
                viewer.skip(bytes)?;
                let gigabytes = bytes as f64 / 1e9;
                speeds.push(gigabytes / start.elapsed().as_secs_f64());
                costs.push((peer.cpu() - cpu) / gigabytes);
            }
        }
        let ours = figures.last().cloned().unwrap_or_default();
        println!(
            "{:18} {:>8} {:>10} {:>16} {:>14}",
            "peer", "GB/s", "CPU-s/GB", "gateway's speed", "gateway's CPU"
        );
        for (peer, (speeds, costs)) in peers.iter().zip(figures) {
            let ratio = |a: &[f64], b: &[f64]| median(a.iter().zip(b).map(|(a, b)| a / b).collect());
            println!(
                "{:18} {:8.2} {:10.3} {:15.2}x {:13.2}x",
                peer.name,
                median(speeds.clone()),
                median(costs.clone()),
                ratio(&ours.0, &speeds),
                ratio(&ours.1, &costs)
            );
        }
    }
    Ok(())
}

fn round_trips(peers: &[Peer], plan: &Plan) -> Result<()> {
    println!("\nKeyboard round trips, {} each, median of {} rounds", plan.trips, plan.rounds);
    let mut figures: Vec<[Vec<f64>; 3]> = peers.iter().map(|_| Default::default()).collect();
    for _ in 0..plan.rounds {
        for (peer, [p50, p99, cost]) in peers.iter().zip(&mut figures) {
            let mut viewer = peer.connect()?;
            for _ in 0..200 {
                viewer.round_trip()?;
            }
            let cpu = peer.cpu();
            let mut times = Vec::with_capacity(plan.trips);
            for _ in 0..plan.trips {
                let start = Instant::now();
                viewer.round_trip()?;
                times.push(start.elapsed().as_secs_f64() * 1e6);
            }
            cost.push((peer.cpu() - cpu) * 1e6 / plan.trips as f64);
            times.sort_by(f64::total_cmp);
            p50.push(times[times.len() / 2]);
            p99.push(times[times.len() * 99 / 100]);
        }
    }
    println!("{:18} {:>8} {:>8} {:>12}", "peer", "p50 us", "p99 us", "CPU us/trip");
    for (peer, [p50, p99, cost]) in peers.iter().zip(figures) {
        println!("{:18} {:8.1} {:8.1} {:12.1}", peer.name, median(p50), median(p99), median(cost));
    }
    Ok(())
}

fn idle(peers: &[Peer], plan: &Plan) -> Result<()> {
    println!("\n{} idle sessions", plan.idle);
    println!("{:18} {:>16} {:>16} {:>18}", "peer", "KiB/session", "after a busy one", "CPU ms/opened");
    for peer in peers.iter().filter(|p| p.child.is_some()) {
        // One forked process each: a tenth is enough to know, and all of them would not fit.
        let count = if peer.name == "websockify" { plan.idle.min(50) } else { plan.idle };
        drop(peer.connect()?);
        let (before, cpu) = (peer.pss(), peer.cpu());
        let mut viewers = (0..count).map(|_| peer.connect()).collect::<Result<Vec<_>>>()?;
        let opened = (peer.cpu() - cpu) * 1e3 / count as f64;
        thread::sleep(Duration::from_secs(1));
        let each = |peer: &Peer| peer.pss().saturating_sub(before) as f64 / count as f64;
        let idle = each(peer);
        for viewer in &mut viewers {
            viewer.ask(0, 1000)?;
            viewer.skip(target::whole(0, 1000))?;
        }
        thread::sleep(Duration::from_secs(1));
        println!("{:18} {:16.1} {:16.1} {:18.3}", peer.name, idle, each(peer), opened);
    }
    Ok(())
}

/// A viewer that counts.
struct Viewer {
    stream: TcpStream,
    websocket: bool,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    /// Payload left of the frame under way.
    frame: usize,
}

impl Viewer {
    fn connect(address: SocketAddr, websocket: bool) -> Result<Viewer> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let buffer = vec![0; 256 * 1024];
        let mut viewer = Viewer { stream, websocket, buffer, at: 0, end: 0, frame: 0 };
        if websocket {
            viewer.stream.write_all(
                b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                  Sec-WebSocket-Protocol: binary\r\n\r\n",
            )?;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                viewer.stream.read_exact(&mut byte)?;
                head.push(byte[0]);
            }
        }
        viewer.skip(12)?;
        viewer.send(b"RFB 003.008\n")?;
        viewer.skip(2)?;
        viewer.send(&[1])?;
        viewer.skip(4)?;
        viewer.send(&[1])?;
        viewer.skip(ServerInit::HEADER + target::NAME.len())?;
        let encodings = [number::TIGHT, number::ZRLE, number::RAW];
        let mut message = vec![2, 0, 0, 3];
        message.extend(encodings.iter().flat_map(|e| e.to_be_bytes()));
        viewer.send(&message)?;
        if viewer.at == viewer.end {
            // A thousand idle viewers shall fit.
            (viewer.buffer, viewer.at, viewer.end) = (Vec::new(), 0, 0);
        }
        Ok(viewer)
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        if !self.websocket {
            return Ok(self.stream.write_all(bytes)?);
        }
        let mut frame = vec![0x82, 0x80 | u8::try_from(bytes.len())?, 0, 0, 0, 0];
        frame.extend_from_slice(bytes);
        Ok(self.stream.write_all(&frame)?)
    }

    /// Asks for so many bytes of a kind: a pointer event that the fake target understands.
    fn ask(&mut self, kind: u8, bytes: usize) -> Result<()> {
        let units = u32::try_from(bytes / 1000)?.to_be_bytes();
        self.send(&[5, 1 << kind, units[0], units[1], units[2], units[3]])
    }

    fn round_trip(&mut self) -> Result<()> {
        self.send(&[4, 1, 0, 0, 0, 0, 0, 0x61])?;
        self.skip(target::ANSWER)
    }

    fn fill(&mut self) -> Result<()> {
        if self.buffer.is_empty() {
            self.buffer.resize(256 * 1024, 0);
        }
        self.buffer.copy_within(self.at..self.end, 0);
        self.end -= self.at;
        self.at = 0;
        let n = self.stream.read(&mut self.buffer[self.end..])?;
        ensure!(n > 0, "the connection ended");
        self.end += n;
        Ok(())
    }

    /// Takes so many bytes of payload.
    fn skip(&mut self, mut bytes: usize) -> Result<()> {
        while bytes > 0 {
            if self.websocket && self.frame == 0 {
                while !self.take_frame_header()? {
                    self.fill()?;
                }
            }
            let here = self.end - self.at;
            let n = bytes.min(here).min(if self.websocket { self.frame } else { usize::MAX });
            self.at += n;
            bytes -= n;
            self.frame = self.frame.saturating_sub(n);
            if bytes > 0 && self.at == self.end {
                self.fill()?;
            }
        }
        Ok(())
    }

    /// False while bytes of it are missing.
    fn take_frame_header(&mut self) -> Result<bool> {
        loop {
            let (header, len) = match &self.buffer[self.at..self.end] {
                // A heartbeat: whatever is sent next counts as an answer.
                [0x89, n, rest @ ..] if rest.len() >= usize::from(*n) => {
                    self.at += 2 + usize::from(*n);
                    continue;
                }
                [0x82, 126, a, b, ..] => (4, usize::from(u16::from_be_bytes([*a, *b]))),
                [0x82, 127, _, _, _, _, a, b, c, d, ..] => {
                    (10, u32::from_be_bytes([*a, *b, *c, *d]) as usize)
                }
                [0x82, n @ 0..=125, ..] => (2, usize::from(*n)),
                [0x88, ..] => anyhow::bail!("the WebSocket was closed"),
                _ => return Ok(false),
            };
            self.at += header;
            self.frame = len;
            return Ok(true);
        }
    }
}

/// The fake target: valid RFB, ready-made.
mod target {
    use super::*;
    use std::sync::OnceLock;

    pub(super) const NAME: &[u8] = b"bench";
    pub(super) const KINDS: &[(u8, &str)] = &[(0, "Raw"), (1, "ZRLE"), (2, "Tight")];
    /// A small update: header, rectangle's header, five by five pixels.
    pub(super) const ANSWER: usize = 4 + 12 + 100;

    pub(super) fn start() -> Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serve = move || serve(stream);
                let _ = thread::Builder::new().stack_size(64 * 1024).spawn(serve);
            }
        });
        Ok(address)
    }

    /// Part gradient, part text-like, part noise.
    fn scene() -> Framebuffer {
        let mut screen = Framebuffer::new(WIDTH, HEIGHT);
        let mut state = 1_u32;
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let color = match (x / 128 + y / 96) % 4 {
                    0 => u32::from(x) << 8 | u32::from(y & 0xff),
                    1 => {
                        if state >> 30 == 0 {
                            0
                        } else {
                            0xff_ffff
                        }
                    }
                    2 => state >> 8,
                    _ => 0x33_6699,
                };
                screen.fill(Rect { x, y, width: 1, height: 1 }, color);
            }
        }
        screen
    }

    fn update(scene: &Framebuffer, encoding: i32) -> Vec<u8> {
        let mut out = Vec::new();
        let rects: Vec<_> = (0..HEIGHT / 96)
            .flat_map(|row| (0..WIDTH / 128).map(move |column| (column * 128, row * 96)))
            .map(|(x, y)| Rect { x, y, width: 128, height: 96 })
            .collect();
        Encoder::new(PixelFormat::RGB888).update(encoding, scene, &rects, &mut out);
        out
    }

    fn serve(mut stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        stream.write_all(b"RFB 003.008\n")?;
        stream.read_exact(&mut [0; 12])?;
        stream.write_all(&[1, 1])?;
        stream.read_exact(&mut [0; 1])?;
        stream.write_all(&[0; 4])?;
        stream.read_exact(&mut [0; 1])?;
        let init = ServerInit {
            width: WIDTH,
            height: HEIGHT,
            pixel_format: PixelFormat::RGB888,
            name: NAME.to_vec(),
        };
        stream.write_all(&rfb::server::server_init_bytes(&init))?;
        let mut head = [0; 4];
        stream.read_exact(&mut head)?;
        let mut encodings = vec![0; usize::from(head[3]) * 4];
        stream.read_exact(&mut encodings)?;
        let mut answer = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 5, 0, 5, 0, 0, 0, 0];
        answer.resize(ANSWER, 7);
        loop {
            let mut kind = [0];
            stream.read_exact(&mut kind)?;
            if kind == [4] {
                stream.read_exact(&mut [0; 7])?;
                stream.write_all(&answer)?;
                continue;
            }
            let mut rest = [0; 5];
            stream.read_exact(&mut rest)?;
            let [buttons, a, b, c, d] = rest;
            let bytes = u32::from_be_bytes([a, b, c, d]) as usize * 1000;
            let picture = picture(buttons.trailing_zeros() as usize);
            for _ in 0..bytes.div_ceil(picture.len()) {
                stream.write_all(picture)?;
            }
        }
    }

    /// An update of the whole screen.
    fn picture(kind: usize) -> &'static [u8] {
        static PICTURES: OnceLock<[Vec<u8>; 3]> = OnceLock::new();
        let pictures = PICTURES.get_or_init(|| {
            let scene = scene();
            [number::RAW, number::ZRLE, number::TIGHT].map(|encoding| update(&scene, encoding))
        });
        &pictures[kind % 3]
    }

    /// What is sent when so many bytes are asked for: whole updates.
    pub(super) fn whole(kind: u8, bytes: usize) -> usize {
        let len = picture(usize::from(kind)).len();
        bytes.div_ceil(len) * len
    }
}

/// The gateway as a process of its own.
mod proxy {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use gateway::dial::DialContext;
    use gateway::port::*;
    use gateway::tls::TargetTrust;
    use gateway::transport::Transport;
    use gateway::ws::Upgrade;
    use gateway::{Gateway, GatewayLimits};
    use model::session::Ingress;
    use model::target::{Address, Credentials, Security};
    use model::{Policy, SessionId, TargetId};
    use std::sync::Arc;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    struct House(SocketAddr);

    impl Endpoints for House {
        fn resolve(&self, id: TargetId) -> BoxFuture<'_, Result<Endpoint, EndpointError>> {
            let address = Address::Tcp { host: self.0.ip().to_string(), port: self.0.port() };
            let (security, credentials) = (Security::default(), Credentials::default());
            let endpoint = Endpoint {
                id,
                name: "bench".to_owned(),
                address,
                security,
                credentials,
                purpose: model::egress::Purpose::AdministratorsTarget,
            };
            async { Ok(endpoint) }.boxed()
        }
        fn remember(&self, _: TargetId, _: Seen) -> BoxFuture<'_, ()> {
            async {}.boxed()
        }
    }

    impl Doorkeeper for House {
        fn admit(&self, _: SocketAddr) -> Result<(), Refusal> {
            Ok(())
        }
        fn judge(&self, _: SocketAddr, _: NativeClaim) -> BoxFuture<'_, Result<SessionSpec, Refusal>> {
            async { Err(Refusal::WrongCredentials) }.boxed()
        }
    }

    impl Journal for House {
        fn started(&self, _: &SessionStart) -> BoxFuture<'_, Result<(), JournalError>> {
            async { Ok(()) }.boxed()
        }
        fn changed(&self, _: &SessionChange) -> BoxFuture<'_, ()> {
            async {}.boxed()
        }
        fn ended(&self, _: &SessionEnd) -> BoxFuture<'_, ()> {
            async {}.boxed()
        }
    }

    #[tokio::main]
    pub(super) async fn serve(target: SocketAddr) -> Result<()> {
        let house = Arc::new(House(target));
        let ports = Ports { endpoints: house.clone(), doorkeeper: house.clone(), journal: house, taps: None };
        let gateway =
            Gateway::new(ports, GatewayLimits::default(), DialContext::new(TargetTrust::new(None)?));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        loop {
            let (stream, viewer) = listener.accept().await?;
            gateway::socket::prepare_viewer(&stream)?;
            tokio::spawn(session(gateway.clone(), stream, viewer));
        }
    }

    async fn session(
        gateway: Arc<Gateway>,
        mut stream: tokio::net::TcpStream,
        viewer: SocketAddr,
    ) -> Result<()> {
        let leftover = Box::pin(upgrade(&mut stream)).await?;
        let spec = SessionSpec {
            session: SessionId(uuid::Uuid::new_v4()),
            target: TargetId(uuid::Uuid::nil()),
            policy: Policy::default(),
            ingress: Ingress::WebSocket,
            viewer,
            user_agent: None,
            subject: "bench".to_owned(),
            resume: None,
        };
        gateway.attach_websocket(Transport::Tcp(stream), leftover, spec).await;
        Ok(())
    }

    async fn upgrade(stream: &mut tokio::net::TcpStream) -> Result<Vec<u8>> {
        let mut head = Vec::new();
        let end = loop {
            ensure!(stream.read_buf(&mut head).await? > 0, "no request");
            if let Some(at) = head.windows(4).position(|w| w == b"\r\n\r\n") {
                break at;
            }
        };
        let text = std::str::from_utf8(&head[..end])?;
        let fields = text.lines().skip(1).filter_map(|line| line.split_once(": "));
        let upgrade = Upgrade::check(fields.map(|(name, value)| (name, value.as_bytes())))?;
        stream.write_all(&upgrade.response()).await?;
        Ok(head[end + 4..].to_vec())
    }
}
