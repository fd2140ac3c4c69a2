//! How both machines are driven: one step at a time, one answer for each question, and nothing after a
//! failure.

use super::{HandshakeError, MAX_HELD, Step};
use crate::Misbehavior;
use crate::security::{Answer, Exchange};
use crate::wire::Reader;

/// The step that waits for an answer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Asked {
    #[default]
    Nothing,
    Secret,
    Identity,
    Tls,
    Records,
    Computation,
    Judgement,
}

impl Asked {
    fn by(step: &Step) -> Asked {
        match step {
            Step::NeedSecret(_) => Asked::Secret,
            Step::NeedIdentity(_) => Asked::Identity,
            Step::StartTls(_) => Asked::Tls,
            Step::StartRecords(_) => Asked::Records,
            Step::Compute(_) => Asked::Computation,
            Step::Judge(_) => Asked::Judgement,
            Step::Send(_) | Step::NeedBytes | Step::StopRecords | Step::Done => Asked::Nothing,
        }
    }
}

/// What is between a machine and its shell.
#[derive(Default)]
pub(crate) struct Desk {
    /// Polled from the exchange, not yet by the shell.
    pending: Option<Step>,
    asked: Asked,
    failed: Option<HandshakeError>,
}

impl Desk {
    /// The failure that ended the handshake.
    pub(crate) fn failure(&self) -> Option<&HandshakeError> {
        self.failed.as_ref()
    }
}

/// A machine that is driven so.
pub(crate) trait Driven: Sized {
    fn desk(&mut self) -> &mut Desk;

    /// Lets the machine run until it needs the shell.
    fn advance(&mut self) -> Result<Step, HandshakeError>;

    /// Takes one unit of the current step, or nothing while it is not whole.
    fn take_unit(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError>;

    /// The security exchange under way.
    fn exchange(&mut self) -> Option<&mut dyn Exchange>;

    /// Whether it only has last words to send.
    fn is_parting(&self) -> bool {
        false
    }

    /// After a failure every call answers the same failure.
    fn guard<T>(
        &mut self,
        call: impl FnOnce(&mut Self) -> Result<T, HandshakeError>,
    ) -> Result<T, HandshakeError> {
        if let Some(failed) = self.desk().failure() {
            return Err(failed.clone());
        }
        call(self).inspect_err(|error| self.desk().failed = Some(error.clone()))
    }

    fn next_step(&mut self) -> Result<Step, HandshakeError> {
        if self.desk().asked != Asked::Nothing {
            return Err(HandshakeError::Misuse);
        }
        let step = match self.desk().pending.take() {
            Some(step) => step,
            None => self.advance()?,
        };
        self.desk().asked = Asked::by(&step);
        Ok(step)
    }

    fn take_bytes(&mut self, bytes: &[u8]) -> Result<usize, HandshakeError> {
        let mut reader = Reader::new(bytes);
        while self.wants_bytes()? {
            let before = reader.taken();
            self.take_unit(&mut reader)?;
            if reader.taken() == before {
                break;
            }
        }
        if reader.rest().len() > MAX_HELD && self.wants_bytes()? {
            return Err(Misbehavior::MessageTooLong.into());
        }
        Ok(reader.taken())
    }

    fn wants_bytes(&mut self) -> Result<bool, HandshakeError> {
        if self.desk().asked != Asked::Nothing || self.is_parting() {
            return Ok(false);
        }
        let step = match self.desk().pending.take() {
            Some(step) => step,
            None => self.advance()?,
        };
        let wants = matches!(step, Step::NeedBytes);
        self.desk().pending = (!wants).then_some(step);
        Ok(wants)
    }

    /// Takes an answer off the desk: it must be the one that was asked for.
    fn expect(&mut self, asked: Asked) -> Result<(), HandshakeError> {
        if self.desk().asked != asked {
            return Err(HandshakeError::Misuse);
        }
        self.desk().asked = Asked::Nothing;
        Ok(())
    }

    /// Hands an answer to the exchange.
    fn answer(&mut self, asked: Asked, answer: Answer) -> Result<(), HandshakeError> {
        self.guard(|this| {
            this.expect(asked)?;
            this.exchange().ok_or(HandshakeError::Misuse)?.answer(answer)
        })
    }
}
