//! What a report says. Field names are those of the JSON schema.

use crate::Time;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A whole file.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    /// RFB sessions, in the order in which their connections began.
    pub sessions: Vec<SessionReport>,
    /// The file itself.
    pub file: FileReport,
}

/// What was in the file besides sessions.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct FileReport {
    /// Packets read.
    pub packets: u64,
    /// TCP segments among them.
    pub tcp_segments: u64,
    /// Fragments of IP packets; they are not put together.
    pub ip_fragments: u64,
    /// Packets whose headers could not be read.
    pub undecodable: u64,
    /// A link layer that is not read, if there was one.
    pub unknown_link_type: Option<u16>,
    /// Sessions beyond the most that a report holds.
    pub sessions_not_reported: u64,
    /// Why reading ended before the file did: a stable code.
    pub error: Option<&'static str>,
}

/// One session.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SessionReport {
    /// The viewer's address.
    pub client_ip: IpAddr,
    /// The viewer's port.
    pub client_port: u16,
    /// The address of the server with the screen.
    pub server_ip: IpAddr,
    /// Its port.
    pub server_port: u16,
    /// Whether the server opened the connection to a listening viewer.
    pub reverse: bool,
    /// What carried RFB.
    pub transport: Transport,
    /// First packet.
    pub start_time: Option<Time>,
    /// Last packet.
    pub end_time: Option<Time>,
    /// Where the reading began.
    pub joined: Joined,
    /// How far it came.
    pub reading: Reading,
    /// The viewer's version, such as `003.008`.
    pub client_version: Option<String>,
    /// The server's version.
    pub server_version: Option<String>,
    /// Security types in the server's order.
    pub security_types_offered: Vec<u32>,
    /// The one that was taken.
    pub security_type: Option<u32>,
    /// What was negotiated inside VeNCrypt or Tight.
    pub security_inner: Option<InnerSecurity>,
    /// How authentication ended; null where nothing readable said so.
    pub auth_result: Option<AuthOutcome>,
    /// The server's words on a refusal.
    pub auth_reason: Option<String>,
    /// Whether the viewer left others connected.
    pub shared: Option<bool>,
    /// Name in ServerInit; what is not UTF-8 is replaced.
    pub desktop_name: Option<String>,
    /// Pixels, as in ServerInit.
    pub width: Option<u16>,
    /// Pixels, as in ServerInit.
    pub height: Option<u16>,
    /// Later sizes, in order.
    pub resizes: Vec<Size>,
    /// The server's own format, as in ServerInit.
    pub pixel_format: Option<PixelFormatReport>,
    /// The viewer's lists of encodings as it sent them.
    pub encodings: Vec<Vec<i32>>,
    /// Messages of the viewer by number.
    pub client_messages: BTreeMap<u8, u64>,
    /// Messages of the server by number.
    pub server_messages: BTreeMap<u8, u64>,
    /// Rectangles by encoding.
    pub rectangles: BTreeMap<i32, u64>,
    /// RFB bytes of the viewer that were captured.
    pub client_bytes: u64,
    /// RFB bytes of the server that were captured.
    pub server_bytes: u64,
    /// Those of the viewer that were read as protocol.
    pub client_bytes_framed: u64,
    /// Those of the server that were read as protocol.
    pub server_bytes_framed: u64,
    /// Bytes of the viewer that the capture lost.
    pub client_bytes_lost: u64,
    /// Bytes of the server that the capture lost.
    pub server_bytes_lost: u64,
    /// Bytes that two segments disagree about.
    pub bytes_contradicted: u64,
    /// Keys going down or up. Which keys is never recorded.
    pub key_events: u64,
    /// Pointer messages.
    pub pointer_events: u64,
    /// Clipboard contents of the viewer.
    pub client_clipboards: u64,
    /// Clipboard contents of the server.
    pub server_clipboards: u64,
    /// File operations of either side.
    pub file_operations: u64,
    /// Why the connection was over.
    pub end_reason: EndCause,
    /// Violations of the protocol.
    pub errors: Vec<ErrorReport>,
}

/// What carried RFB.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// TCP itself.
    Tcp,
    /// Binary frames of a WebSocket.
    WebSocket,
}

/// Where the reading of a session began.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Joined {
    /// At its first byte, with nothing missing since.
    FromStart,
    /// After its beginning, or again after a gap: earlier agreements are unknown.
    Late,
}

/// How far the reading came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// The connection ended during the handshake.
    Handshake,
    /// Into the session.
    Session,
    /// Up to where encryption began.
    Opaque,
    /// The server refused the viewer.
    Refused,
    /// A peer broke the protocol.
    Broken,
}

/// How authentication ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthOutcome {
    /// The viewer was let in.
    Ok,
    /// It was not.
    Failed,
    /// It was not even asked, because of earlier failures.
    TooManyFailures,
}

/// What was negotiated inside VeNCrypt (subtypes) or Tight (authentication types).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct InnerSecurity {
    /// In the server's order.
    pub offered: Vec<u32>,
    /// The one that was taken.
    pub chosen: Option<u32>,
}

/// [7.4] PIXEL_FORMAT.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct PixelFormatReport {
    /// 8, 16 or 32.
    pub bits_per_pixel: u8,
    /// Useful bits.
    pub depth: u8,
    /// Byte order.
    pub big_endian: bool,
    /// Otherwise pixels index a color map.
    pub true_color: bool,
    /// Largest value of red.
    pub red_max: u16,
    /// Largest value of green.
    pub green_max: u16,
    /// Largest value of blue.
    pub blue_max: u16,
    /// Where red is.
    pub red_shift: u8,
    /// Where green is.
    pub green_shift: u8,
    /// Where blue is.
    pub blue_shift: u8,
}

/// A screen's size.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Size {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
}

/// Why a connection was over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// The viewer closed first.
    ClientClosed,
    /// The server closed first.
    ServerClosed,
    /// The viewer reset the connection.
    ClientReset,
    /// The server reset the connection.
    ServerReset,
    /// The capture ended first.
    CaptureEnded,
    /// A new connection took the same addresses and ports; the end of this one was not captured.
    Replaced,
    /// More connections were open than are followed at once, and this one had been silent for longest.
    Evicted,
}

/// One violation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct ErrorReport {
    /// Stable code.
    pub code: &'static str,
    /// `client` or `server`.
    pub from: &'static str,
}
