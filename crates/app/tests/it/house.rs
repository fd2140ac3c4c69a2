//! A running `gatehouse serve` in a directory of its own, ended with the test.

use crate::http::{self, Answer};
use anyhow::{Context, Result};
use futures_util::{SinkExt, StreamExt};
use std::net::SocketAddr;
use std::path::Path;
use tempfile::TempDir;
use testkit::pg::{Database, Server};
use testkit::process::{Child, Program};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

pub(crate) struct House {
    pub(crate) web: SocketAddr,
    pub(crate) native: SocketAddr,
    pub(crate) dir: TempDir,
    pub(crate) child: Child,
    pub(crate) link_token: String,
    cookie: String,
}

/// The program under test.
pub(crate) fn gatehouse(dir: &Path, args: &[&str]) -> Program {
    Program::new(env!("CARGO_BIN_EXE_gatehouse")).arg("--data").arg(dir).args(args)
}

/// Passwords that cost little and no limit on requests, where the configuration says nothing of them.
fn hurried(program: Program, dir: &Path) -> Program {
    let config = std::fs::read_to_string(dir.join("gatehouse.toml")).unwrap_or_default();
    let program = match config.contains("password_memory") {
        true => program,
        false => program.env("GATEHOUSE_AUTH__PASSWORD_MEMORY", "64"),
    };
    if config.contains("[limits]") {
        return program;
    }
    program
        .env("GATEHOUSE_LIMITS__ANONYMOUS", "1000000")
        .env("GATEHOUSE_LIMITS__PERSON", "1000000")
        .env("GATEHOUSE_LIMITS__CONNECTION_TESTS", "1000000")
}

/// A password that the rules accept, for people of tests.
pub(crate) const PASSWORD: &str = "seven wise horses";

/// A person of a test, logged in with tokens.
pub(crate) struct Someone {
    pub(crate) id: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl House {
    /// Starts it and logs in by the printed link.
    pub(crate) async fn start() -> Result<House> {
        House::start_in(tempfile::tempdir()?, &[]).await
    }

    /// The same on PostgreSQL; the database goes with what comes beside it.
    pub(crate) async fn start_on_postgres() -> Result<(House, Database, Server)> {
        let server = Server::obtain()?;
        let database = server.database(None)?;
        let dir = tempfile::tempdir()?;
        let config = format!("[database]\nurl = {:?}\n", database.url());
        std::fs::write(dir.path().join("gatehouse.toml"), config)?;
        Ok((House::start_in(dir, &[]).await?, database, server))
    }

    /// Starts it in a directory that may hold a `gatehouse.toml`.
    pub(crate) async fn start_in(dir: TempDir, more: &[&str]) -> Result<House> {
        let mut house = House::open(dir, more).await?;
        let link = house.link_token.clone();
        house.log_in(&link).await?;
        Ok(house)
    }

    /// Starts it with its link unused.
    pub(crate) async fn open(dir: TempDir, more: &[&str]) -> Result<House> {
        let mut args = vec!["serve", "--listen", "127.0.0.1:0", "--native", "127.0.0.1:0"];
        args.extend(more);
        House::begun(gatehouse(dir.path(), &args), dir).await
    }

    /// Starts a program that serves from a directory, with its link unused.
    pub(crate) async fn begun(program: Program, dir: TempDir) -> Result<House> {
        let child = hurried(program, dir.path()).start()?;
        let after = |line: &str, word: &str| Some(line.trim().strip_prefix(word)?.trim().to_owned());
        child.line("the end of the greeting", |l| after(l, "memory")).await?;
        let address = child.line("the web address", |l| after(l, "address")).await?;
        let link = child.line("the log-in link", |l| after(l, "log in")).await?;
        let native = child.line("the native address", |l| after(l, "native")).await?;
        let first = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
        let listens = match address.split_once("//").context("no URL")?.1.parse() {
            Ok(listens) => listens,
            Err(_) => first(&child.line("the listener", |l| after(l, "listens")).await?).parse()?,
        };
        let link_token = link.split_once("token=").context("no token in the link")?.1.to_owned();
        let native = first(&native).parse()?;
        Ok(House { web: listens, native, dir, child, link_token, cookie: String::new() })
    }

    /// Logs in by a one-time link's token.
    pub(crate) async fn log_in(&mut self, token: &str) -> Result<()> {
        let answer = self.link(token).await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").context("no cookie")?;
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(())
    }

    pub(crate) async fn link(&self, token: &str) -> Result<Answer> {
        let origin = self.origin();
        let body = format!(r#"{{"token":"{token}"}}"#);
        http::send(self.web, "POST", "/api/auth/link", &[("Origin", &origin)], &body).await
    }

    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.web)
    }

    /// A request of the logged-in page.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> Result<Answer> {
        let origin = self.origin();
        http::send(self.web, method, path, &[("Origin", &origin), ("Cookie", &self.cookie)], body).await
    }

    /// A request with an `Authorization: Bearer` header.
    pub(crate) async fn bear(&self, token: &str, method: &str, path: &str, body: &str) -> Result<Answer> {
        let authorization = format!("Bearer {token}");
        http::send(self.web, method, path, &[("Authorization", &authorization)], body).await
    }

    /// The same for a person.
    pub(crate) async fn call(
        &self,
        someone: &Someone,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<Answer> {
        self.bear(&someone.access, method, path, body).await
    }

    /// Adds a person and logs them in.
    pub(crate) async fn person(&self, name: &str, role: &str) -> Result<Someone> {
        let wish = serde_json::json!({ "username": name, "role": role, "password": PASSWORD }).to_string();
        let added = self.ask("POST", "/api/users", &wish).await?;
        assert_eq!(added.status, 201, "{added:?}");
        let id = added.json()["id"].as_str().context("no id")?.to_owned();
        let tokens = self.tokens(name, PASSWORD).await?;
        assert_eq!(tokens.status, 200, "{tokens:?}");
        let tokens = tokens.json();
        let text = |field: &str| tokens[field].as_str().unwrap_or_default().to_owned();
        Ok(Someone { id, access: text("access_token"), refresh: text("refresh_token") })
    }

    /// Logs in as a program does.
    pub(crate) async fn tokens(&self, name: &str, password: &str) -> Result<Answer> {
        let wish = serde_json::json!({ "username": name, "password": password, "grant": "token" });
        http::send(self.web, "POST", "/api/auth/login", &[], &wish.to_string()).await
    }

    /// Logs in as a browser does: the cookie.
    pub(crate) async fn browser(&self, name: &str, password: &str) -> Result<String> {
        let wish = serde_json::json!({ "username": name, "password": password }).to_string();
        let answer =
            http::send(self.web, "POST", "/api/auth/login", &[("Origin", &self.origin())], &wish).await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").context("no cookie")?;
        Ok(cookie.split(';').next().unwrap_or_default().to_owned())
    }

    /// Grants a target to a person.
    pub(crate) async fn grant(&self, someone: &Someone, target: u64, body: &str) -> Result<()> {
        let path = format!("/api/users/{}/targets/{target}", someone.id);
        let granted = self.ask("PUT", &path, body).await?;
        assert_eq!(granted.status, 204, "{granted:?}");
        Ok(())
    }

    /// A group with members (and whether they operate it) and targets; its id.
    pub(crate) async fn group(
        &self,
        name: &str,
        people: &[(&Someone, bool)],
        targets: &[u64],
    ) -> Result<String> {
        let added = self.ask("POST", "/api/groups", &format!(r#"{{"name":"{name}"}}"#)).await?;
        assert_eq!(added.status, 201, "{added:?}");
        let id = added.json()["id"].as_str().context("no id")?.to_owned();
        for (someone, operator) in people {
            let path = format!("/api/groups/{id}/members/{}", someone.id);
            let set = self.ask("PUT", &path, &format!(r#"{{"operator":{operator}}}"#)).await?;
            assert_eq!(set.status, 204, "{set:?}");
        }
        for target in targets {
            let set = self.ask("PUT", &format!("/api/groups/{id}/targets/{target}"), "").await?;
            assert_eq!(set.status, 204, "{set:?}");
        }
        Ok(id)
    }

    /// A ticket that the command line hands out: nobody's, so that any number of them may run.
    pub(crate) async fn loose_ticket(&self, target: &str) -> Result<String> {
        let printed = gatehouse(self.dir.path(), &["ticket", target]).run().await?;
        let token = printed.lines().find_map(|line| line.strip_prefix("ticket    ")).context("no ticket")?;
        Ok(token.trim().to_owned())
    }

    /// Registers a target and returns its number.
    pub(crate) async fn add_target(&self, name: &str, url: &str, password: Option<&str>) -> Result<u64> {
        let body = serde_json::json!({ "name": name, "url": url, "password": password }).to_string();
        let answer = self.ask("POST", "/api/targets", &body).await?;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["number"].as_u64().context("no number")
    }

    /// A ticket's token for a target.
    pub(crate) async fn ticket(&self, number: u64, body: &str) -> Result<String> {
        let answer = self.ask("POST", &format!("/api/vm/{number}/console/request"), body).await?;
        assert_eq!(answer.status, 200, "{answer:?}");
        Ok(answer.json()["token"].as_str().context("no token")?.to_owned())
    }

    /// Opens a console's WebSocket: its bytes, and how it was closed.
    pub(crate) async fn console(&self, token: &str, protocols: &str) -> Result<(DuplexStream, Closing)> {
        self.console_from(token, protocols, Some(&self.origin())).await
    }

    /// Opens a console's WebSocket, waits for something, and closes with this code.
    pub(crate) async fn leave(
        &self,
        token: &str,
        protocols: &str,
        code: u16,
        when: impl AsyncFnOnce() -> std::io::Result<()>,
    ) -> Result<()> {
        let mut socket = self.websocket(token, protocols, Some(&self.origin())).await?;
        when().await?;
        socket.close(Some(CloseFrame { code: code.into(), reason: "".into() })).await?;
        // to the server's own close frame
        while let Some(Ok(_)) = socket.next().await {}
        Ok(())
    }

    pub(crate) async fn console_from(
        &self,
        token: &str,
        protocols: &str,
        origin: Option<&str>,
    ) -> Result<(DuplexStream, Closing)> {
        let socket = self.websocket(token, protocols, origin).await?;
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        Ok((ours, tokio::spawn(pump(socket, theirs))))
    }

    /// A WebSocket at any address, as a page of `origin` with this cookie asks for it.
    pub(crate) async fn socket(
        &self,
        path: &str,
        origin: Option<&str>,
        cookie: Option<&str>,
    ) -> Result<WebSocketStream<TcpStream>> {
        let mut request = format!("ws://{}{path}", self.web).into_client_request()?;
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse()?);
        }
        if let Some(cookie) = cookie {
            request.headers_mut().insert("cookie", cookie.parse()?);
        }
        let stream = TcpStream::connect(self.web).await?;
        Ok(tokio_tungstenite::client_async(request, stream).await?.0)
    }

    /// Opens a console by a log-in's cookie.
    pub(crate) async fn by_cookie(&self, path: &str, cookie: &str) -> Result<(DuplexStream, Closing)> {
        let socket = self.socket(path, Some(&self.origin()), Some(cookie)).await?;
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        Ok((ours, tokio::spawn(pump(socket, theirs))))
    }

    async fn websocket(
        &self,
        token: &str,
        protocols: &str,
        origin: Option<&str>,
    ) -> Result<WebSocketStream<TcpStream>> {
        let mut request = format!("ws://{}/ws/console/vnc/{token}", self.web).into_client_request()?;
        if !protocols.is_empty() {
            request.headers_mut().insert("sec-websocket-protocol", protocols.parse()?);
        }
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse()?);
        }
        let stream = TcpStream::connect(self.web).await?;
        Ok(tokio_tungstenite::client_async(request, stream).await?.0)
    }
}

/// Resolves to the close frame's code and reason.
pub(crate) type Closing = tokio::task::JoinHandle<Option<(u16, String)>>;

/// Carries bytes between a WebSocket and a pipe until either ends.
pub(crate) async fn pump<S: AsyncRead + AsyncWrite + Unpin>(
    socket: WebSocketStream<S>,
    pipe: DuplexStream,
) -> Option<(u16, String)> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut sink, mut stream) = socket.split();
    let (mut read, mut write) = tokio::io::split(pipe);
    let up = async move {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            match read.read(&mut buffer).await {
                Ok(n) if n > 0 && sink.send(Message::binary(buffer[..n].to_vec())).await.is_ok() => {}
                // The pipe's reader is gone: so is the viewer, without a word.
                _ => return None,
            }
        }
    };
    let down = async move {
        while let Some(Ok(message)) = stream.next().await {
            match message {
                Message::Binary(bytes) if write.write_all(&bytes).await.is_err() => return None,
                Message::Close(frame) => return frame.map(|f| (f.code.into(), f.reason.to_string())),
                _ => {}
            }
        }
        None
    };
    tokio::select! {
        closed = up => closed,
        closed = down => closed,
    }
}
