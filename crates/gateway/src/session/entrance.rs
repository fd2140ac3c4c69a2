//! A native viewer that was judged and waits for its SecurityResult.
//!
//! The result follows the target's answer, because behind it RFB has no word for a refusal: a viewer that
//! was let in and then only closed shows its person nothing.

use super::farewell::Farewell;
use super::greeting::{EARLY, broke, too_slow, unless};
use crate::native::Waiting;
use crate::relay::{End, ViewerSide};
use crate::transport::Transport;
use crate::wire::{Finished, WireError};
use model::Coded;
use model::session::EndReason;
use rfb::handshake::{HandshakeError, Judgement, Step};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// A native viewer at the door.
pub(super) struct Entrance {
    waiting: Waiting,
    /// Whether it was told how it was judged.
    judged: bool,
}

impl Entrance {
    pub(super) fn new(waiting: Waiting) -> Self {
        Entrance { waiting, judged: false }
    }

    /// Keeps an eye on the viewer until `work` is done.
    pub(super) async fn wait_for<T>(&mut self, work: impl Future<Output = T> + Unpin) -> Result<T, End> {
        unless(self.watch(), work).await
    }

    /// Returns when the viewer leaves or sends more than it may.
    async fn watch(&mut self) -> End {
        while self.waiting.wire.unconsumed().len() <= EARLY {
            if let Err(error) = self.waiting.wire.receive().await {
                return left(error);
            }
        }
        End::with(EndReason::ViewerMisbehaved, rfb::Misbehavior::OutOfOrder.code())
    }

    /// Lets the viewer in and sends ServerInit.
    pub(super) async fn welcome(&mut self, init: Vec<u8>, limit: Duration) -> Result<(), End> {
        let enter = async {
            self.judge(Judgement::Accept)?;
            while self.step().await? {}
            self.send(init).await
        };
        tokio::time::timeout(limit, enter).await.unwrap_or_else(|_| Err(too_slow()))
    }

    /// Refuses by RFB, which shows the sentence to the person, and closes.
    pub(super) async fn turn_away(&mut self, farewell: &Farewell, linger: Duration) {
        let goodbye = async {
            if !self.judged {
                self.judge(Judgement::Refuse { reason: farewell.sentence() })?;
                // ends with the refusal itself
                while let Ok(true) = self.step().await {}
            }
            let _ = self.waiting.wire.stream_mut().shutdown().await;
            Ok::<(), End>(())
        };
        let _ = tokio::time::timeout(linger, goodbye).await;
        crate::ws::stream::linger(self.waiting.wire.stream_mut(), linger).await;
    }

    fn judge(&mut self, judgement: Judgement) -> Result<(), End> {
        self.judged = true;
        self.waiting.machine.handle_judgement(judgement).map_err(broke)
    }

    /// One step of the handshake; false when it is over.
    async fn step(&mut self) -> Result<bool, End> {
        match self.waiting.machine.poll_step().map_err(broke)? {
            Step::Send(bytes) => self.send(bytes).await?,
            Step::NeedBytes => {
                let Waiting { wire, machine } = &mut self.waiting;
                wire.show(|bytes| machine.handle_bytes(bytes)).await.map_err(left)?;
            }
            Step::Done => return Ok(false),
            _ => return Err(broke(HandshakeError::Misuse)),
        }
        Ok(true)
    }

    async fn send(&mut self, bytes: Vec<u8>) -> Result<(), End> {
        self.waiting.wire.send(bytes).await.map_err(|_| End::new(EndReason::ViewerLost))
    }

    pub(super) fn into_viewer(self) -> ViewerSide {
        let (finished, early) = self.waiting.wire.finish();
        let io = match finished {
            Finished::Bare(transport) => transport,
            Finished::Records(records) => Transport::Records(records),
        };
        ViewerSide { io, ws: None, early }
    }
}

fn left(error: WireError) -> End {
    match error {
        WireError::End => End::new(EndReason::ViewerLeft),
        WireError::Io(_) => End::new(EndReason::ViewerLost),
        WireError::Handshake(error) => broke(error),
    }
}
