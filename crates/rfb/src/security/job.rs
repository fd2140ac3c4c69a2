//! Work that would stall a reactor: big numbers and password stretching.

use super::ra2::Ra2Key;
use crate::handshake::HandshakeError;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A computation without side effects, bounded by `limits`. Run it where waiting hurts nobody.
pub struct Job {
    what: &'static str,
    work: Box<dyn FnOnce() -> Output + Send>,
}

/// What a [`Job`] found. Only the handshake that asked can read it.
pub struct JobOutput(pub(crate) Output);

pub(crate) enum Output {
    Bytes(Zeroizing<Vec<u8>>),
    Key(Arc<Ra2Key>),
}

impl Job {
    pub(crate) fn new(what: &'static str, work: impl FnOnce() -> Output + Send + 'static) -> Self {
        Job { what, work: Box::new(work) }
    }

    /// Computes.
    pub fn run(self) -> JobOutput {
        JobOutput((self.work)())
    }
}

impl JobOutput {
    /// The bytes, where bytes were asked for.
    pub(crate) fn bytes(self) -> Result<Zeroizing<Vec<u8>>, HandshakeError> {
        match self.0 {
            Output::Bytes(bytes) => Ok(bytes),
            Output::Key(_) => Err(HandshakeError::Misuse),
        }
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Job({})", self.what)
    }
}

impl std::fmt::Debug for JobOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JobOutput(…)")
    }
}
