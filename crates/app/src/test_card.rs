//! The test card as a VNC server inside the process: its scene is pure, this gives it a wire and a clock.

use gateway::dial::TestCardHost;
use rfb::handshake::{Judgement, Step};
use rfb::server::{ServerConfig, ServerHandshake, ServerTypes, server_init_bytes};
use rfb::test_card::TestCard;
use std::io;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

const WIDTH: u16 = 1024;
const HEIGHT: u16 = 768;
/// Bytes in flight between scene and gateway.
const PIPE: usize = 256 * 1024;

/// Draws one test card for each viewer.
#[derive(Debug)]
pub(crate) struct TestCards;

impl TestCardHost for TestCards {
    fn connect(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        tokio::spawn(async move {
            if let Err(error) = host(ours).await {
                tracing::debug!(%error, "A test card's viewer left");
            }
        });
        theirs
    }
}

async fn host(mut io: DuplexStream) -> io::Result<()> {
    let mut card = TestCard::new(WIDTH, HEIGHT);
    let mut held = greet(&mut io, &card).await?;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let used = card.handle_bytes(&held, Instant::now()).map_err(|_| io::ErrorKind::InvalidData)?;
        held.drain(..used);
        while let Some(bytes) = card.poll_output() {
            io.write_all(&bytes).await?;
        }
        tokio::select! {
            read = io.read(&mut buffer) => match read? {
                0 => return Ok(()),
                n => held.extend(buffer.iter().take(n)),
            },
            () = until(card.poll_timeout()) => card.handle_timeout(Instant::now()),
        }
    }
}

/// The handshake of type None: the pipe ends inside this process.
async fn greet(io: &mut DuplexStream, card: &TestCard) -> io::Result<Vec<u8>> {
    let offered = ServerTypes { none: true, ..ServerTypes::default() };
    let mut handshake =
        ServerHandshake::new(ServerConfig { offered, ra2_key: None, ra2_password_only: false }, [0; 32]);
    let mut held = Vec::new();
    let mut buffer = [0; 256];
    loop {
        match handshake.poll_step().map_err(io::Error::other)? {
            Step::Send(bytes) => io.write_all(&bytes).await?,
            Step::Judge(_) => handshake.handle_judgement(Judgement::Accept).map_err(io::Error::other)?,
            Step::Done => break,
            Step::NeedBytes => {
                let used = handshake.handle_bytes(&held).map_err(io::Error::other)?;
                held.drain(..used);
                if used == 0 {
                    let n = io.read(&mut buffer).await?;
                    if n == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    held.extend(buffer.iter().take(n));
                }
            }
            _ => return Err(io::ErrorKind::Unsupported.into()),
        }
    }
    io.write_all(&server_init_bytes(&card.server_init())).await?;
    Ok(held)
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
