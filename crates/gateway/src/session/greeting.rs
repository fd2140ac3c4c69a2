//! The RFB handshake with a browser, inside its WebSocket.
//!
//! The ticket has been taken, so type None is all that is offered; the judgement on it waits for the
//! target. A target that refuses becomes the reason text of SecurityResult, which every viewer shows.

use super::farewell::Farewell;
use crate::relay::{End, ViewerSide, detail, viewer_closed};
use crate::transport::Transport;
use crate::ws::stream::{WsError, WsStream};
use futures_util::future::{Either, select};
use model::Coded;
use model::session::EndReason;
use rfb::handshake::{HandshakeError, Judgement, Step};
use rfb::server::{ServerConfig, ServerHandshake, ServerTypes};
use std::time::Duration;

/// A viewer may send so much before it was let in: ClientInit, and what impatient ones put behind it.
pub(super) const EARLY: usize = 4096;

/// A browser that is greeted.
pub(super) struct Greeting {
    ws: WsStream<Transport>,
    machine: ServerHandshake,
    /// Received and not consumed.
    bytes: Vec<u8>,
    /// The viewer waits for the judgement.
    claimed: bool,
}

impl Greeting {
    pub(super) fn new(io: Transport, leftover: Vec<u8>) -> Self {
        let offered = ServerTypes { none: true, ..ServerTypes::default() };
        // Type None draws nothing from its seed.
        let machine = ServerHandshake::new(ServerConfig { offered, ..ServerConfig::default() }, [0; 32]);
        Greeting { ws: WsStream::new(io, leftover), machine, bytes: Vec::new(), claimed: false }
    }

    /// Greets up to the judgement while `work` goes on, then keeps an eye on the viewer until `work` is
    /// done.
    pub(super) async fn greet_while<T>(
        &mut self,
        work: impl Future<Output = T> + Unpin,
        limit: Duration,
    ) -> Result<T, End> {
        let greeted = Box::pin(tokio::time::timeout(limit, self.until_claim()));
        let (greeted, work) = match select(greeted, work).await {
            Either::Left((greeted, work)) => (greeted, Either::Left(work)),
            Either::Right((done, greeted)) => (greeted.await, Either::Right(done)),
        };
        greeted.map_err(|_| too_slow())??;
        match work {
            Either::Right(done) => Ok(done),
            Either::Left(work) => unless(self.watch(), work).await,
        }
    }

    async fn until_claim(&mut self) -> Result<(), End> {
        loop {
            match self.machine.poll_step().map_err(broke)? {
                Step::Send(bytes) => self.send(&bytes).await?,
                Step::NeedBytes => self.take_bytes().await?,
                Step::Judge(_) => {
                    self.claimed = true;
                    return Ok(());
                }
                _ => return Err(broke(HandshakeError::Misuse)),
            }
        }
    }

    /// Returns when the viewer leaves or sends more than it may.
    async fn watch(&mut self) -> End {
        while self.bytes.len() <= EARLY {
            if let Err(error) = self.ws.receive(&mut self.bytes).await {
                return left(error);
            }
        }
        End::with(EndReason::ViewerMisbehaved, rfb::Misbehavior::OutOfOrder.code())
    }

    /// Lets the viewer in and sends ServerInit.
    pub(super) async fn welcome(&mut self, init: &[u8], limit: Duration) -> Result<(), End> {
        let enter = async {
            self.machine.handle_judgement(Judgement::Accept).map_err(broke)?;
            loop {
                match self.machine.poll_step().map_err(broke)? {
                    Step::Send(bytes) => self.send(&bytes).await?,
                    Step::NeedBytes => self.take_bytes().await?,
                    Step::Done => return self.send(init).await,
                    _ => return Err(broke(HandshakeError::Misuse)),
                }
            }
        };
        tokio::time::timeout(limit, enter).await.unwrap_or_else(|_| Err(too_slow()))
    }

    /// Refuses by RFB where the viewer waits for its judgement, then closes the WebSocket.
    pub(super) async fn turn_away(&mut self, farewell: &Farewell, linger: Duration) {
        if self.claimed {
            let reason = farewell.sentence();
            let refuse = async {
                self.machine.handle_judgement(Judgement::Refuse { reason }).ok()?;
                while let Ok(Step::Send(bytes)) = self.machine.poll_step() {
                    self.send(&bytes).await.ok()?;
                }
                Some(())
            };
            let _ = tokio::time::timeout(linger, refuse).await;
        }
        self.ws.close_with(&farewell.close_frame(), linger).await;
    }

    pub(super) fn into_viewer(self) -> ViewerSide {
        // Everything that came was decoded while the viewer was greeted.
        let (io, decoder, _) = self.ws.into_parts();
        ViewerSide { io, ws: Some(decoder), early: self.bytes }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.ws.send(bytes).await.map_err(|_| End::new(EndReason::ViewerLost))
    }

    /// Shows what is there; if that is not enough, waits for more.
    async fn take_bytes(&mut self) -> Result<(), End> {
        let consumed = self.machine.handle_bytes(&self.bytes).map_err(broke)?;
        self.bytes.drain(..consumed.min(self.bytes.len()));
        if consumed == 0 {
            self.ws.receive(&mut self.bytes).await.map_err(left)?;
        }
        Ok(())
    }
}

/// Waits for `work`, unless the viewer ends it.
pub(super) async fn unless<T>(
    left: impl Future<Output = End>,
    work: impl Future<Output = T> + Unpin,
) -> Result<T, End> {
    match select(Box::pin(left), work).await {
        Either::Left((end, _)) => Err(end),
        Either::Right((done, _)) => Ok(done),
    }
}

/// A viewer that was let in did not go on.
pub(super) fn too_slow() -> End {
    End { resumable: false, ..End::with(EndReason::ViewerLost, detail::STALLED) }
}

pub(super) fn broke(error: HandshakeError) -> End {
    End::with(EndReason::ViewerMisbehaved, error.code())
}

fn left(error: WsError) -> End {
    match error {
        WsError::Closed(code) => viewer_closed(code),
        WsError::Io(_) => End::new(EndReason::ViewerLost),
        WsError::Violation(violation) => End::violation(violation),
    }
}
