//! Just enough HTTP and TLS to ask for a ticket and to open a WebSocket.

use anyhow::{Context, Result, ensure};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// The name in the benchmark's certificate.
pub(crate) const HOST: &str = "localhost";

/// A connection, in clear or not.
pub(crate) enum Line {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Line {
    pub(crate) fn connect(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> Result<Line> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let Some(config) = tls else { return Ok(Line::Clear(stream)) };
        let name = ServerName::try_from(HOST)?;
        let client = ClientConnection::new(Arc::clone(config), name)?;
        Ok(Line::Tls(Box::new(StreamOwned::new(client, stream))))
    }

    /// Sends a request, answers status and headers and leaves the body on the line.
    pub(crate) fn request(&mut self, request: &str) -> Result<(u16, String)> {
        self.write_all(request.as_bytes())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.read_exact(&mut byte)?;
            head.extend_from_slice(&byte);
        }
        let head = String::from_utf8(head)?;
        let status = head.split(' ').nth(1).context("no status")?.parse()?;
        Ok((status, head))
    }

    /// A POST of JSON; answers the body, and the cookie if one was set.
    pub(crate) fn post(
        &mut self,
        origin: &str,
        path: &str,
        cookie: &str,
        body: &str,
    ) -> Result<(String, String)> {
        let (_, host) = origin.split_once("://").context("no scheme")?;
        let (status, head) = self.request(&format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\nCookie: {cookie}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))?;
        let length = header(&head, "content-length").map_or(Ok(0), str::parse)?;
        let mut body = vec![0; length];
        self.read_exact(&mut body)?;
        let body = String::from_utf8(body)?;
        ensure!(status / 100 == 2, "{path}: {status} {body}");
        let cookie = header(&head, "set-cookie").and_then(|c| c.split(';').next()).unwrap_or_default();
        Ok((body, cookie.to_owned()))
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, v)| v)
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Line::Clear(stream) => stream.read(buffer),
            Line::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Line::Clear(stream) => stream.write(bytes),
            Line::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Line::Clear(stream) => stream.flush(),
            Line::Tls(stream) => stream.flush(),
        }
    }
}
