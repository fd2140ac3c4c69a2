//! Requests that the program itself sends: a JSON document by POST, and the answer's status.
//!
//! What is connected to is an address that `model::egress` let through, and nothing else: the name is resolved once,
//! here, redirects are not followed, and proxies in the environment are not looked at. A name that leads somewhere
//! else a second later, or an answer that points inside, gets nobody further.

use anyhow::{Context, Result, bail};
use gateway::tls::TargetTrust;
use model::Coded;
use model::egress::{self, Egress, Purpose};
use model::target::Identity;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// A whole request and its answer.
const LONGEST: Duration = Duration::from_secs(15);
/// So much of an answer is looked at; its first line is what counts.
const ANSWER: u64 = 16 << 10;

/// `https://host[:port]/path`, or `http://` to a loopback address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Address {
    is_tls: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl Address {
    /// Reads it. Names and passwords in it are refused: they would end up in messages.
    pub(crate) fn parse(text: &str) -> Result<Address> {
        let (is_tls, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => bail!("an address starts with https://"),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            bail!("no name and password may stand in the address; put a token into its path");
        }
        let is_bad = |c: char| c.is_control() || c.is_whitespace() || !c.is_ascii();
        if authority.is_empty() || text.chars().any(is_bad) || path.contains('#') {
            bail!(
                "the address has a host and a path without spaces, such as https://audit.example.org/heads"
            );
        }
        let usual = if is_tls { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().context("the port is no number")?)
            }
            _ => (authority, usual),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_loopback = host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !is_tls && !is_loopback {
            bail!("only an address on loopback may be without TLS; use https://");
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Address { is_tls, host, port, authority: authority.to_owned(), path })
    }

    /// Where it leads, without the path, which may carry a token.
    pub(crate) fn place(&self) -> &str {
        &self.authority
    }
}

/// Sends documents.
#[derive(Clone)]
pub(crate) struct Client {
    egress: Arc<Egress>,
    trust: TargetTrust,
}

impl Client {
    /// A client that keeps to these rules and trusts these authorities.
    pub(crate) fn new(egress: Arc<Egress>, trust: TargetTrust) -> Client {
        Client { egress, trust }
    }

    /// Sends a JSON document. Any status of 2xx is a success.
    pub(crate) async fn post(&self, to: &Address, document: &str) -> Result<()> {
        let status = tokio::time::timeout(LONGEST, self.exchange(to, document))
            .await
            .context("it did not answer in time")??;
        match status {
            200..=299 => Ok(()),
            300..=399 => bail!("it answered {status}; redirects are not followed"),
            _ => bail!("it answered {status}"),
        }
    }

    async fn exchange(&self, to: &Address, document: &str) -> Result<u16> {
        let stream = connect(&to.host, to.port, Purpose::Service, &self.egress).await?;
        if !to.is_tls {
            return speak(stream, to, document).await;
        }
        let (config, _) = self.trust.judge(&Identity::Verify, false)?;
        let name =
            ServerName::try_from(to.host.clone()).context("the host's name cannot be in a certificate")?;
        let stream = TlsConnector::from(config).connect(name, stream).await.context("TLS failed")?;
        speak(stream, to, document).await
    }
}

/// Connects to the first address of a name that may be connected to and answers.
pub(crate) async fn connect(host: &str, port: u16, purpose: Purpose, egress: &Egress) -> Result<TcpStream> {
    let mut last = anyhow::anyhow!("the name leads nowhere");
    for address in resolve(host, port, purpose, egress).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
                egress::check_connected(local, peer, egress).map_err(coded)?;
                return Ok(stream);
            }
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

/// The addresses of a name that may be connected to; an error where it has others only.
pub(crate) async fn resolve(
    host: &str,
    port: u16,
    purpose: Purpose,
    egress: &Egress,
) -> Result<Vec<SocketAddr>> {
    let all = tokio::net::lookup_host((host, port)).await.context("the name cannot be resolved")?;
    let (mut good, mut refused) = (Vec::new(), None);
    for address in all {
        match egress::check(address, purpose, egress) {
            Ok(()) => good.push(address),
            Err(error) => refused = Some(error),
        }
    }
    match refused {
        Some(error) if good.is_empty() => Err(coded(error)),
        _ => Ok(good),
    }
}

fn coded(error: egress::EgressError) -> anyhow::Error {
    anyhow::anyhow!("{error} ({})", error.code())
}

/// One request on a connection that is closed behind it [RFC 9112].
async fn speak<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    to: &Address,
    document: &str,
) -> Result<u16> {
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: gatehouse/{}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        to.path,
        to.authority,
        env!("CARGO_PKG_VERSION"),
        document.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(document.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    let mut bounded = stream.take(ANSWER);
    while !answer.contains(&b'\n') {
        if bounded.read_buf(&mut answer).await? == 0 {
            bail!("it closed the connection without an answer");
        }
    }
    status(&answer).context("it does not answer in HTTP")
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let code = line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.trim();
    (code.len() == 3).then(|| code.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn addresses_are_taken_apart() {
        let plain = Address::parse("http://127.0.0.1:8080").unwrap();
        assert_eq!((plain.host.as_str(), plain.port, plain.path.as_str()), ("127.0.0.1", 8080, "/"));
        let v6 = Address::parse("https://[2001:db8::1]/heads?token=x").unwrap();
        assert_eq!((v6.host.as_str(), v6.port, v6.path.as_str()), ("2001:db8::1", 443, "/heads?token=x"));
        for bad in [
            "ftp://a/",
            "https://",
            "https://name:secret@host/",
            "https://host/ x",
            "https://host/\r\nHost: other",
            "http://example.org/",
            "https://host:port/",
            "example.org",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }

    fn client(egress: Egress) -> Client {
        Client::new(Arc::new(egress), TargetTrust::new(None).unwrap())
    }

    async fn answering(answer: &'static str) -> (Address, Client, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = Vec::new();
            while !text.ends_with(b"}") {
                stream.read_buf(&mut text).await.unwrap();
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(text).unwrap()
        });
        let egress = Egress { local_services: vec![at], ..Egress::default() };
        (Address::parse(&format!("http://{at}/heads")).unwrap(), client(egress), asked)
    }

    #[tokio::test]
    async fn a_document_arrives_and_redirects_are_not_followed() {
        let (to, client, asked) = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
        client.post(&to, "{\"seq\":1}").await.unwrap();
        let asked = asked.await.unwrap();
        assert!(
            asked.starts_with("POST /heads HTTP/1.1\r\n") && asked.ends_with("\r\n\r\n{\"seq\":1}"),
            "{asked}"
        );
        let (to, client, _asked) =
            answering("HTTP/1.1 307 x\r\nLocation: http://169.254.169.254/\r\n\r\n").await;
        let error = client.post(&to, "{}").await.unwrap_err().to_string();
        assert!(error.contains("redirects"), "{error}");
        let (to, client, _asked) = answering("SSH-2.0-x\r\n").await;
        assert!(client.post(&to, "{}").await.is_err());
    }

    #[tokio::test]
    async fn what_egress_forbids_is_not_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let to = Address::parse(&format!("http://{at}/")).unwrap();
        let error = client(Egress::default()).post(&to, "{}").await.unwrap_err().to_string();
        assert!(error.contains("egress.loopback"), "{error}");
        let own = Egress { local_services: vec![at], listeners: vec![at], ..Egress::default() };
        let error = client(own).post(&to, "{}").await.unwrap_err().to_string();
        assert!(error.contains("egress.own_listener"), "{error}");
    }
}
