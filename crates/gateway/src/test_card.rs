//! The test card as a target: our own server on a pipe inside the process, so that a first console
//! works where nothing can be installed. It goes through the same dialing, relay and policy as any
//! other target.

use crate::dial::{TestCardHost, seed};
use crate::wire::{Wire, WireError};
use rfb::TestCard;
use rfb::handshake::{HandshakeError, Judgement, Step};
use rfb::server::{ServerConfig, ServerHandshake, ServerTypes, server_init_bytes};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Semaphore;

/// Buffer of the pipe, each way.
const PIPE: usize = 64 * 1024;
/// Bytes read at a time; viewers' messages are short.
const READ: usize = 4096;
/// What a viewer's message may hold before it is complete: a clipboard.
const MAX_HELD: usize = rfb::limits::CLIPBOARD + READ;
/// Cards at a time: each keeps a framebuffer of a few mebibytes.
const CARDS: usize = 64;

/// Serves a card of its own to everybody who dials it.
#[derive(Debug)]
pub struct CardHost {
    width: u16,
    height: u16,
    places: Arc<Semaphore>,
}

impl CardHost {
    /// Cards of this size.
    pub fn new(width: u16, height: u16) -> Self {
        CardHost { width, height, places: Arc::new(Semaphore::new(CARDS)) }
    }
}

impl TestCardHost for CardHost {
    fn connect(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(PIPE);
        // where there is no place the pipe is closed at once, which dialing reports
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            let card = TestCard::new(self.width, self.height);
            tokio::spawn(async move {
                if let Err(error) = serve(card, far).await {
                    tracing::debug!(%error, "A test card's session ended");
                }
                drop(place);
            });
        }
        near
    }
}

/// Why a card's session ended before its viewer left.
#[derive(Debug, thiserror::Error)]
enum CardError {
    #[error("the pipe broke: {0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Handshake(#[from] HandshakeError),
}

/// One session, to its end.
async fn serve(mut card: TestCard, pipe: DuplexStream) -> Result<(), CardError> {
    let Some((mut stream, mut held)) = greet(pipe).await? else { return Ok(()) };
    stream.write_all(&server_init_bytes(&card.server_init())).await?;
    let mut chunk = [0; READ];
    loop {
        let taken = card.handle_bytes(&held, now()).map_err(HandshakeError::from)?;
        held.drain(..taken);
        let mut wrote = false;
        while let Some(output) = card.poll_output() {
            stream.write_all(&output).await?;
            wrote = true;
        }
        // answers made room for messages that were already here
        if wrote && taken > 0 && !held.is_empty() {
            continue;
        }
        if held.len() > MAX_HELD {
            return Err(HandshakeError::from(rfb::Misbehavior::MessageTooLong).into());
        }
        let change = async {
            match card.poll_timeout() {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = stream.read(&mut chunk) => match read? {
                0 => return Ok(()),
                n => held.extend_from_slice(chunk.get(..n).unwrap_or_default()),
            },
            () = change => card.handle_timeout(now()),
        }
    }
}

/// The handshake with type None: whoever is on the other end of the pipe was judged already. `None` if
/// it left.
async fn greet(pipe: DuplexStream) -> Result<Option<(DuplexStream, Vec<u8>)>, CardError> {
    let offered = ServerTypes { none: true, ..ServerTypes::default() };
    let seed = seed().ok_or(io::ErrorKind::Other).map_err(io::Error::from)?;
    let mut machine = ServerHandshake::new(ServerConfig { offered, ..ServerConfig::default() }, seed);
    let mut wire = Wire::new(pipe);
    loop {
        match machine.poll_step()? {
            Step::Send(bytes) => wire.send(bytes).await?,
            Step::NeedBytes => match wire.show(|bytes| machine.handle_bytes(bytes)).await {
                Ok(()) => {}
                Err(WireError::End) => return Ok(None),
                Err(WireError::Io(error)) => return Err(error.into()),
                Err(WireError::Handshake(error)) => return Err(error.into()),
            },
            Step::Judge(_) => machine.handle_judgement(Judgement::Accept)?,
            Step::Done => break,
            _ => return Err(HandshakeError::Misuse.into()),
        }
    }
    let early = wire.unconsumed().to_vec();
    wire.consume(early.len());
    Ok(wire.into_bare().map(|stream| (stream, early)))
}

/// Follows tokio's clock, so that tests can stop it.
fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}
