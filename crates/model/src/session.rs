//! A session's life: who opened it, how it ends, what it counted.

use crate::Coded;
use serde::{Deserialize, Serialize};

/// Why a session ended. Shown to people, stored with the session, sent as WebSocket close reason.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EndReason {
    /// The viewer closed its connection in order.
    ViewerLeft,
    /// The viewer's connection broke or it stopped reading.
    ViewerLost,
    /// The target closed its connection.
    TargetClosed,
    /// The target's connection broke.
    TargetLost,
    /// A person or rule ended it.
    Killed,
    /// The longest allowed duration was reached.
    Expired,
    /// No input for the allowed time.
    Idle,
    /// The viewer broke the protocol; the misbehavior's code is recorded beside it.
    ViewerMisbehaved,
    /// The target broke the protocol; the misbehavior's code is recorded beside it.
    TargetMisbehaved,
    /// The target could not be reached or refused; the dial error's code is recorded beside it.
    TargetRefused,
    /// The program is stopping.
    Draining,
    /// The program died while the session ran; found at the next start.
    NodeLost,
    /// A newer session of the same person and target took its place.
    Replaced,
}

impl EndReason {
    /// All reasons, for documents and tests that must name every one.
    pub const ALL: &[EndReason] = &[
        EndReason::ViewerLeft,
        EndReason::ViewerLost,
        EndReason::TargetClosed,
        EndReason::TargetLost,
        EndReason::Killed,
        EndReason::Expired,
        EndReason::Idle,
        EndReason::ViewerMisbehaved,
        EndReason::TargetMisbehaved,
        EndReason::TargetRefused,
        EndReason::Draining,
        EndReason::NodeLost,
        EndReason::Replaced,
    ];

    /// The WebSocket close code [RFC 6455, 7.4.2: 4000-4999 are private] that the console page reads.
    pub fn close_code(self) -> u16 {
        match self {
            EndReason::ViewerLeft => 1000,
            EndReason::ViewerLost => 4000,
            EndReason::TargetClosed => 4001,
            EndReason::TargetLost => 4002,
            EndReason::Killed => 4003,
            EndReason::Expired => 4004,
            EndReason::Idle => 4005,
            EndReason::ViewerMisbehaved => 4006,
            EndReason::TargetMisbehaved => 4007,
            EndReason::TargetRefused => 4008,
            EndReason::Draining => 4009,
            EndReason::NodeLost => 4010,
            EndReason::Replaced => 4011,
        }
    }
}

impl Coded for EndReason {
    fn code(&self) -> &'static str {
        match self {
            EndReason::ViewerLeft => "session.viewer_left",
            EndReason::ViewerLost => "session.viewer_lost",
            EndReason::TargetClosed => "session.target_closed",
            EndReason::TargetLost => "session.target_lost",
            EndReason::Killed => "session.killed",
            EndReason::Expired => "session.expired",
            EndReason::Idle => "session.idle",
            EndReason::ViewerMisbehaved => "session.viewer_misbehaved",
            EndReason::TargetMisbehaved => "session.target_misbehaved",
            EndReason::TargetRefused => "session.target_refused",
            EndReason::Draining => "session.draining",
            EndReason::NodeLost => "session.node_lost",
            EndReason::Replaced => "session.replaced",
        }
    }
}

/// Which protocol a viewer came in by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ingress {
    /// A browser over WebSocket.
    #[serde(rename = "websocket")]
    WebSocket,
    /// A native VNC viewer.
    Native,
}

/// What a session has moved so far.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Counters {
    /// Bytes received from the viewer, after TLS and WebSocket framing.
    pub viewer_bytes: u64,
    /// Bytes received from the target, after TLS.
    pub target_bytes: u64,
    /// Messages from the viewer.
    pub viewer_messages: u64,
    /// Messages from the target.
    pub target_messages: u64,
    /// Rectangles from the target.
    pub rectangles: u64,
    /// Key presses.
    pub keys: u64,
    /// Pointer messages.
    pub pointers: u64,
    /// Clipboard contents in either direction.
    pub clipboards: u64,
    /// File operations in either direction.
    pub files: u64,
    /// Messages that policy dropped.
    pub dropped: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_and_close_codes_are_distinct_and_legal() {
        let codes: HashSet<_> = EndReason::ALL.iter().map(|r| r.code()).collect();
        let closes: HashSet<_> = EndReason::ALL.iter().map(|r| r.close_code()).collect();
        assert_eq!(codes.len(), EndReason::ALL.len());
        assert_eq!(closes.len(), EndReason::ALL.len());
        assert!(closes.iter().all(|&c| c == 1000 || (4000..5000).contains(&c)));
    }
}
