//! The report for people: one paragraph a session. Texts from the wire are shown without control
//! characters, so that no desktop name can write to a terminal.

use super::report::{
    AuthOutcome, EndCause, FileReport, Joined, PixelFormatReport, Reading, Report, SessionReport, Transport,
};
use rfb::SecurityType;
use rfb::security_type::Subtype;
use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result};
use std::net::SocketAddr;

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (number, session) in (1..).zip(&self.sessions) {
            writeln!(f, "Session {number}: {session}")?;
        }
        if self.sessions.is_empty() {
            writeln!(f, "No RFB session found.")?;
        }
        self.file.fmt(f)
    }
}

impl Display for FileReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{} packets, {} TCP segments", self.packets, self.tcp_segments)?;
        if self.ip_fragments > 0 {
            write!(f, ", {} IP fragments that were not put together", self.ip_fragments)?;
        }
        if self.undecodable > 0 {
            write!(f, ", {} packets that could not be read", self.undecodable)?;
        }
        if let Some(link) = self.unknown_link_type {
            write!(f, " (link type {link} is not supported)")?;
        }
        if self.sessions_not_reported > 0 {
            write!(f, ", {} more sessions", self.sessions_not_reported)?;
        }
        if let Some(code) = self.error {
            write!(f, "; reading ended early: {code}")?;
        }
        writeln!(f)
    }
}

impl Display for SessionReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let client = SocketAddr::new(self.client_ip, self.client_port);
        let server = SocketAddr::new(self.server_ip, self.server_port);
        let direction = if self.reverse { ", opened by the server" } else { "" };
        let web = if self.transport == Transport::WebSocket { ", in a WebSocket" } else { "" };
        let late = if self.joined == Joined::Late { ", not from its start" } else { "" };
        writeln!(f, "viewer {client}, server {server}{direction}{web}{late}")?;
        if let (Some(start), Some(end)) = (self.start_time, self.end_time) {
            writeln!(f, "  time      {start} to {end}")?;
        }
        self.write_security(f)?;
        self.write_screen(f)?;
        self.write_traffic(f)?;
        writeln!(f, "  end       {}", cause(self.end_reason))?;
        for error in &self.errors {
            writeln!(f, "  error     {} ({})", error.code, error.from)?;
        }
        Ok(())
    }
}

impl SessionReport {
    fn write_security(&self, f: &mut Formatter<'_>) -> Result {
        let version = |line: &Option<String>| line.clone().unwrap_or_else(|| "?".into());
        let (server, client) = (version(&self.server_version), version(&self.client_version));
        if self.server_version.is_some() {
            writeln!(f, "  version   server {server}, viewer {client}")?;
        }
        let names = |types: &[u32]| {
            let names: Vec<String> = types.iter().map(|&n| format!("{:?}", SecurityType(n))).collect();
            names.join(", ")
        };
        if !self.security_types_offered.is_empty() {
            let chosen = self.security_type.map(|kind| names(&[kind])).unwrap_or_else(|| "none".into());
            write!(f, "  security  {chosen}, of {}", names(&self.security_types_offered))?;
            match self.security_inner.as_ref().and_then(|inner| inner.chosen) {
                Some(inner) if self.security_type == Some(SecurityType::VENCRYPT.0) => {
                    writeln!(f, "; inside {:?}", Subtype(inner))?;
                }
                Some(inner) => writeln!(f, "; inside {:?}", SecurityType(inner))?,
                None => writeln!(f)?,
            }
        }
        let result = match (self.auth_result, self.reading) {
            (Some(AuthOutcome::Ok), _) => "accepted",
            (Some(AuthOutcome::Failed), _) => "refused",
            (Some(AuthOutcome::TooManyFailures), _) => "refused after too many failures",
            (None, Reading::Opaque) => "not readable, encrypted",
            (None, _) => return Ok(()),
        };
        let reason = self.auth_reason.as_deref().map(|text| format!(": {}", label(text))).unwrap_or_default();
        writeln!(f, "  login     {result}{reason}")
    }

    fn write_screen(&self, f: &mut Formatter<'_>) -> Result {
        if let (Some(name), Some(width), Some(height)) = (&self.desktop_name, self.width, self.height) {
            write!(f, "  screen    \"{}\", {width}x{height}", label(name))?;
            for size in &self.resizes {
                write!(f, ", then {}x{}", size.width, size.height)?;
            }
            match &self.pixel_format {
                Some(format) => writeln!(f, ", {format}")?,
                None => writeln!(f)?,
            }
        }
        for list in &self.encodings {
            let list: Vec<String> = list.iter().map(i32::to_string).collect();
            writeln!(f, "  encodings {}", list.join(" "))?;
        }
        Ok(())
    }

    fn write_traffic(&self, f: &mut Formatter<'_>) -> Result {
        let bytes = |all: u64, framed: u64, lost: u64| {
            let read = if framed == all { "all read".into() } else { format!("{framed} read") };
            let lost = if lost > 0 { format!(", {lost} lost to the capture") } else { String::new() };
            format!("{all} bytes ({read}{lost})")
        };
        let client = bytes(self.client_bytes, self.client_bytes_framed, self.client_bytes_lost);
        let server = bytes(self.server_bytes, self.server_bytes_framed, self.server_bytes_lost);
        writeln!(f, "  viewer    {client}{}", counts(", messages", &self.client_messages))?;
        writeln!(f, "  server    {server}{}", counts(", messages", &self.server_messages))?;
        if !self.rectangles.is_empty() {
            writeln!(f, "  rectangles{}", counts(":", &self.rectangles))?;
        }
        let input = [
            (self.key_events, "key events"),
            (self.pointer_events, "pointer events"),
            (self.client_clipboards, "clipboards to the server"),
            (self.server_clipboards, "clipboards to the viewer"),
            (self.file_operations, "file operations"),
        ];
        let input: Vec<String> =
            input.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        if input.is_empty() { Ok(()) } else { writeln!(f, "  activity  {}", input.join(", ")) }
    }
}

impl Display for PixelFormatReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let order = if self.big_endian { "big-endian" } else { "little-endian" };
        let color = if self.true_color { "true color" } else { "color map" };
        write!(f, "{} bits per pixel, depth {}, {order}, {color}", self.bits_per_pixel, self.depth)
    }
}

fn cause(end: EndCause) -> &'static str {
    match end {
        EndCause::ClientClosed => "the viewer closed the connection",
        EndCause::ServerClosed => "the server closed the connection",
        EndCause::ClientReset => "the viewer reset the connection",
        EndCause::ServerReset => "the server reset the connection",
        EndCause::CaptureEnded => "the capture ended first",
        EndCause::Replaced => "not captured; a new connection uses the same ports",
        EndCause::Evicted => "not followed any longer; too many connections were open",
    }
}

fn counts<N: Display>(what: &str, counts: &BTreeMap<N, u64>) -> String {
    let counts: Vec<String> = counts.iter().map(|(number, count)| format!("{number}: {count}")).collect();
    if counts.is_empty() { String::new() } else { format!("{what} {}", counts.join(", ")) }
}

/// Text from the wire, harmless on a terminal: no control characters, nothing that turns the direction
/// of writing.
fn label(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c }).take(200).collect()
}
