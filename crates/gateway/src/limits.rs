//! Every bound of the data plane, in one place, with its reason.

use std::time::Duration;

/// Bytes of one pooled buffer, headroom included. 64 KiB is where C relays stop gaining (nginx goes from
/// 1.3 to 3.3 GB/s between its default and 64 KiB).
pub const BUFFER: usize = 64 * 1024;
/// Bytes of a buffer for a stream that fills the usual ones while its viewer keeps up: a quarter less CPU
/// per byte. A viewer that falls behind gets the usual ones again, so that it does not see old pictures.
pub const WIDE_BUFFER: usize = 256 * 1024;
/// Bytes of a buffer handed out when the pool's cap is reached: slow, but it always goes on.
pub const SMALL_BUFFER: usize = 4 * 1024;
/// One WebSocket message of a viewer. Viewers send clipboards of a mebibyte and file pieces below that.
pub const WS_MESSAGE: u64 = 16 << 20;
/// [RFC 6455, 5.5] Payload of a control frame.
pub const WS_CONTROL: usize = 125;
/// Turns of the copy loop before a session lets others run: 16 times 64 KiB is under a millisecond.
pub const TURNS: u32 = 16;

/// Pixels of the largest screen that a picture is made of: 4096 x 2304, 36 MiB while it is decoded.
pub const SNAPSHOT_PIXELS: usize = 9 << 20;
/// Bytes of a picture's screen that wait to be decoded. The largest piece that must be whole is one compressed
/// rectangle; servers cut theirs well below.
pub const SNAPSHOT_HELD: usize = 16 << 20;
/// Times that a target is asked for its whole screen for one picture.
pub const SNAPSHOT_REQUESTS: u32 = 3;

/// Bounds that an operator may change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GatewayLimits {
    /// Sessions at a time; one more is refused.
    pub sessions: usize,
    /// Bytes that all sessions' buffers may hold together before they get small ones.
    pub pool_bytes: usize,
    /// From the first byte to the target's ServerInit.
    pub dial: Duration,
    /// A viewer's whole handshake.
    pub handshake: Duration,
    /// A peer that stopped in the middle of a message, or that stopped reading.
    pub stall: Duration,
    /// WebSocket ping interval; three without any byte from the viewer count as lost.
    pub heartbeat: Duration,
    /// What is under way to a viewer is flushed for so long after a kill.
    pub flush: Duration,
    /// How long a viewer's close is awaited after ours was sent, so that it can read ours.
    pub linger: Duration,
    /// How long a resume key works after its viewer was lost.
    pub resume: Duration,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        GatewayLimits {
            sessions: 10_000,
            pool_bytes: 256 << 20,
            dial: Duration::from_secs(15),
            handshake: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            heartbeat: Duration::from_secs(20),
            flush: Duration::from_millis(200),
            linger: Duration::from_secs(1),
            resume: Duration::from_secs(30),
        }
    }
}
