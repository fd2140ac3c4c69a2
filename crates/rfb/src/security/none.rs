//! [7.2.1] None: nothing is exchanged.

use super::{Exchange, Turn};
use crate::handshake::HandshakeError;

/// Over before it began, on the client's side.
pub(crate) struct None;

impl Exchange for None {
    fn poll(&mut self) -> Result<Turn, HandshakeError> {
        Ok(Turn::Over)
    }
}
