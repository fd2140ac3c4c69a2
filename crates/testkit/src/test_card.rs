//! The test card served on any stream: a target with an exact oracle, without a process.

use rfb::TestCard;
use rfb::handshake::{Judgement, Step};
use rfb::server::{ServerConfig, ServerHandshake, ServerTypes, server_init_bytes};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Buffer of a pipe between both sides.
const PIPE: usize = 64 * 1024;

/// A served card. Dropping it ends the session.
#[derive(Debug)]
pub struct ServedCard {
    card: Arc<Mutex<TestCard>>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl ServedCard {
    /// Serves `card` on one end of a pipe and returns the other.
    pub fn pipe(card: TestCard) -> (ServedCard, DuplexStream) {
        let (near, far) = tokio::io::duplex(PIPE);
        (ServedCard::serve(card, near), far)
    }

    /// Serves `card` on this stream, with security type None.
    pub fn serve(card: TestCard, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> ServedCard {
        let card = Arc::new(Mutex::new(card));
        let task = tokio::spawn(serve(card.clone(), stream));
        ServedCard { card, task }
    }

    /// Serves `card` to the first who connects to a port of its own.
    pub async fn listen(card: TestCard) -> anyhow::Result<(ServedCard, SocketAddr)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let card = Arc::new(Mutex::new(card));
        let shared = card.clone();
        let task = tokio::spawn(async move {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            serve(shared, stream).await
        });
        Ok((ServedCard { card, task }, address))
    }

    /// The card: the oracle.
    pub fn card(&self) -> MutexGuard<'_, TestCard> {
        lock(&self.card)
    }

    /// Whether the session is over.
    pub fn is_over(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for ServedCard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(card: &Mutex<TestCard>) -> MutexGuard<'_, TestCard> {
    card.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(
    card: Arc<Mutex<TestCard>>,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
) -> anyhow::Result<()> {
    let mut held = handshake(&mut stream).await?;
    let init = server_init_bytes(&lock(&card).server_init());
    stream.write_all(&init).await?;
    loop {
        loop {
            let taken = lock(&card).handle_bytes(&held, Instant::now());
            held.drain(..taken.map_err(|m| anyhow::anyhow!("the viewer misbehaved: {m:?}"))?);
            let Some(bytes) = lock(&card).poll_output() else { break };
            stream.write_all(&bytes).await?;
        }
        stream.flush().await?;
        let tick = lock(&card).poll_timeout();
        let read = stream.read_buf(&mut held);
        let count = match tick {
            Some(tick) => match tokio::time::timeout_at(tick.into(), read).await {
                Ok(count) => count?,
                Err(_) => continue,
            },
            None => read.await?,
        };
        if count == 0 {
            return Ok(());
        }
    }
}

async fn handshake(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> anyhow::Result<Vec<u8>> {
    let offered = ServerTypes { none: true, ..ServerTypes::default() };
    let mut machine = ServerHandshake::new(ServerConfig { offered, ..ServerConfig::default() }, [9; 32]);
    let mut held = Vec::new();
    loop {
        match machine.poll_step()? {
            Step::Send(bytes) => stream.write_all(&bytes).await?,
            Step::NeedBytes => {
                stream.flush().await?;
                anyhow::ensure!(stream.read_buf(&mut held).await? > 0, "the viewer left");
                let taken = machine.handle_bytes(&held)?;
                held.drain(..taken);
            }
            Step::Judge(_) => machine.handle_judgement(Judgement::Accept)?,
            Step::Done => return Ok(held),
            other => anyhow::bail!("type None has no {other:?}"),
        }
    }
}
