//! A house around the gateway: one target, a journal in memory, a door for WebSockets, a recording wire.

use crate::support::{Door, context, uuid_of};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Sink, Stream, ready};
use gateway::port::{
    Changed, Endpoint, EndpointError, Endpoints, Journal, JournalError, Ports, ResumeKeyHash, Seen,
    SessionChange, SessionEnd, SessionSpec, SessionStart,
};
use gateway::transport::Transport;
use gateway::ws::Upgrade;
use gateway::{Gateway, GatewayLimits, SessionEndSummary};
use model::session::Ingress;
use model::{Coded, Policy, SessionId, TargetId};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};

/// The ports of a house with one target.
pub(crate) struct House {
    endpoint: Mutex<Option<Endpoint>>,
    lines: Mutex<Vec<String>>,
    pub(crate) broken: bool,
}

impl House {
    pub(crate) fn new(endpoint: Endpoint) -> Arc<House> {
        Arc::new(House { endpoint: Mutex::new(Some(endpoint)), lines: Mutex::default(), broken: false })
    }

    pub(crate) fn gateway(self: &Arc<Self>, limits: GatewayLimits) -> Arc<Gateway> {
        let ports = Ports {
            endpoints: self.clone(),
            doorkeeper: Door::new("unused"),
            journal: self.clone(),
            taps: None,
        };
        Gateway::new(ports, limits, context())
    }

    /// What the journal was told, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub(crate) fn move_target(&self, endpoint: Option<Endpoint>) {
        *self.endpoint.lock().unwrap() = endpoint;
    }

    fn note(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }
}

impl Endpoints for House {
    fn resolve(&self, _: TargetId) -> BoxFuture<'_, Result<Endpoint, EndpointError>> {
        let endpoint = self.endpoint.lock().unwrap().clone().ok_or(EndpointError::NotFound);
        async move { endpoint }.boxed()
    }

    fn remember(&self, _: TargetId, _: Seen) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}

impl Journal for House {
    fn started(&self, start: &SessionStart) -> BoxFuture<'_, Result<(), JournalError>> {
        self.note(format!("started {} type {}", start.target_version, start.security_type));
        let answer = if self.broken { Err(JournalError) } else { Ok(()) };
        async move { answer }.boxed()
    }

    fn not_begun(&self, _: SessionId) -> BoxFuture<'_, ()> {
        self.note("not begun".to_owned());
        async {}.boxed()
    }

    fn changed(&self, change: &SessionChange) -> BoxFuture<'_, ()> {
        self.note(match &change.what {
            Changed::Policy(policy) => format!("policy frozen {}", policy.frozen),
            Changed::Size { width, height } => format!("size {width}x{height}"),
            Changed::AwaitingResume { .. } => "awaiting resume".to_owned(),
            Changed::Resumed { .. } => "resumed".to_owned(),
            other => format!("{other:?}"),
        });
        async {}.boxed()
    }

    fn ended(&self, end: &SessionEnd) -> BoxFuture<'_, ()> {
        self.note(format!("ended {} keys {}", end.detail.unwrap_or(end.reason.code()), end.counters.keys));
        async {}.boxed()
    }
}

pub(crate) fn spec(session: u8, resume: Option<&[u8]>) -> SessionSpec {
    SessionSpec {
        session: SessionId(uuid_of(session)),
        target: TargetId(uuid_of(1)),
        policy: Policy::default(),
        ingress: Ingress::WebSocket,
        viewer: ([127, 0, 0, 1], 1).into(),
        user_agent: Some("test".to_owned()),
        subject: "test".to_owned(),
        resume: resume.map(ResumeKeyHash::of),
    }
}

/// Opens a console's WebSocket over TCP, upgrade and all; also how its session ends.
pub(crate) async fn open(gateway: &Arc<Gateway>, spec: SessionSpec) -> (Pipe, JoinHandle<SessionEndSummary>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let gateway = gateway.clone();
    let session = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (upgrade, leftover) = upgrade(&mut stream).await;
        stream.write_all(&upgrade.response()).await.unwrap();
        gateway.attach_websocket(Transport::Tcp(stream), leftover, spec).await
    });
    let stream = TcpStream::connect(address).await.unwrap();
    let request = tungstenite::ClientRequestBuilder::new(format!("ws://{address}/").parse().unwrap())
        .with_sub_protocol("binary");
    let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    (Pipe { socket, rest: Vec::new(), closed: None }, session)
}

async fn upgrade(stream: &mut TcpStream) -> (Upgrade, Vec<u8>) {
    let mut head = Vec::new();
    let end = loop {
        assert!(stream.read_buf(&mut head).await.unwrap() > 0);
        if let Some(at) = head.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
    };
    let text = String::from_utf8(head[..end].to_vec()).unwrap();
    let fields = text.lines().skip(1).filter_map(|line| line.split_once(": "));
    let upgrade = Upgrade::check(fields.map(|(name, value)| (name, value.as_bytes()))).unwrap();
    (upgrade, head[end + 4..].to_vec())
}

/// A client's WebSocket as a byte stream.
#[derive(Debug)]
pub(crate) struct Pipe {
    pub(crate) socket: WebSocketStream<TcpStream>,
    rest: Vec<u8>,
    /// Code and reason of the server's close frame.
    pub(crate) closed: Option<(u16, String)>,
}

impl Pipe {
    /// Reads to the end; answers the close frame.
    pub(crate) async fn close_frame(&mut self) -> (u16, String) {
        let mut rest = Vec::new();
        let _ = self.read_to_end(&mut rest).await;
        self.closed.clone().unwrap()
    }
}

fn other(error: tungstenite::Error) -> io::Error {
    io::Error::other(error)
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes.to_vec(),
                Some(Ok(Message::Close(frame))) => {
                    self.closed = frame.map(|f| (f.code.into(), f.reason.to_string()));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(other(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let n = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest[..n]);
        self.rest.drain(..n);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(other)?;
        Pin::new(&mut self.socket).start_send(Message::Binary(buf.to_vec().into())).map_err(other)?;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx).map_err(other)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx).map_err(other)
    }
}

/// Bytes that passed a wire, towards the server and towards the client.
pub(crate) type Record = Arc<Mutex<(Vec<u8>, Vec<u8>)>>;

/// A wire in front of a server that records both directions; one connection after the other.
pub(crate) async fn recording_wire(server: SocketAddr) -> (SocketAddr, Record) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let record = Record::default();
    let written = record.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(server).await.unwrap();
            let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
            loop {
                tokio::select! {
                    n = client.read(&mut up) => {
                        let n = n.unwrap_or(0);
                        written.lock().unwrap().0.extend_from_slice(&up[..n]);
                        if n == 0 || server.write_all(&up[..n]).await.is_err() { break }
                    }
                    n = server.read(&mut down) => {
                        let n = n.unwrap_or(0);
                        written.lock().unwrap().1.extend_from_slice(&down[..n]);
                        if n == 0 || client.write_all(&down[..n]).await.is_err() { break }
                    }
                }
            }
        }
    });
    (address, record)
}

/// A target without password that hands its connections to the test, behind ServerInit.
pub(crate) async fn plain_target() -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (hand, taken) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            if greet(&mut stream).await.is_ok() {
                let _ = hand.send(stream);
            }
        }
    });
    (address, taken)
}

async fn greet(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"RFB 003.008\n").await?;
    stream.read_exact(&mut [0; 12]).await?;
    stream.write_all(&[1, 1]).await?;
    stream.read_exact(&mut [0; 1]).await?;
    stream.write_all(&[0; 4]).await?;
    stream.read_exact(&mut [0; 1]).await?;
    let init = rfb::ServerInit {
        width: 64,
        height: 48,
        pixel_format: rfb::PixelFormat::RGB888,
        name: b"plain".to_vec(),
    };
    stream.write_all(&rfb::server::server_init_bytes(&init)).await
}
