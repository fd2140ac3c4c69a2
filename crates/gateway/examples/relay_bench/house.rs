//! `gatehouse serve` as a person would start it, with the fake target in its list.

use crate::http::{HOST, Line};
use crate::peer::Certificate;
use anyhow::{Context, Result, ensure};
use rustls::ClientConfig;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// Who logs in while others stream.
const PERSON: &str = r#"{"username":"bench","password":"seven wise horses"}"#;

/// A running house whose door is open to us.
pub(crate) struct House {
    pub(crate) address: SocketAddr,
    origin: String,
    cookie: String,
    tls: Option<Arc<ClientConfig>>,
}

impl House {
    pub(crate) fn start(
        target: SocketAddr,
        desks: usize,
        directory: &Path,
        certificate: Option<&Certificate>,
    ) -> Result<(House, Child)> {
        let program = crate::beside_us()?.join("../gatehouse");
        ensure!(program.exists(), "build it first: cargo build --release -p app");
        std::fs::create_dir(directory)?;
        let tls = match certificate {
            Some(Certificate { chain, key, .. }) => {
                format!("mode = \"files\"\ncertificate = {chain:?}\nkey = {key:?}")
            }
            None => "mode = \"off\"".to_owned(),
        };
        let configuration = format!(
            "[web]\nlisten = \"127.0.0.1:0\"\nhosts = [\"{HOST}\"]\n[web.tls]\n{tls}\n[native]\nenabled = false\n[limits]\nperson = 1000000\nanonymous = 1000000\n"
        );
        let file = directory.join("gatehouse.toml");
        std::fs::write(&file, configuration)?;
        let mut child = Command::new(program)
            .args(["serve", "--config"])
            .arg(&file)
            .arg("--data")
            .arg(directory.join("data"))
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(directory.join("log"))?)
            .spawn()?;
        let greeting = greeting(&mut child)?;
        let port = greeting.address.rsplit(':').next().context("no port")?.parse::<u16>()?;
        let scheme = if certificate.is_some() { "https" } else { "http" };
        let mut house = House {
            address: ([127, 0, 0, 1], port).into(),
            origin: format!("{scheme}://{HOST}:{port}"),
            cookie: String::new(),
            tls: certificate.map(|c| Arc::clone(&c.client)),
        };
        let mut line = house.line()?;
        let link = format!(r#"{{"token":"{}"}}"#, greeting.token);
        (_, house.cookie) = line.post(&house.origin, "/api/auth/link", "", &link)?;
        line.post(&house.origin, "/api/users", &house.cookie, PERSON)?;
        // One person has one session on each target.
        for number in 1..=desks {
            let entry = format!(r#"{{"name":"bench {number}","url":"vnc://{target}"}}"#);
            line.post(&house.origin, "/api/targets", &house.cookie, &entry)?;
        }
        Ok((house, child))
    }

    /// A connection for requests, kept open as a page keeps its own.
    pub(crate) fn line(&self) -> Result<Line> {
        Line::connect(self.address, self.tls.as_ref())
    }

    /// Asks for a ticket to the target of this number, from 1 on; answers the path of its WebSocket.
    pub(crate) fn ticket(&self, line: &mut Line, desk: usize) -> Result<String> {
        let wish = format!("/api/vm/{desk}/console/request");
        let (body, _) = line.post(&self.origin, &wish, &self.cookie, "{}")?;
        let path = body.split("\"websocket_path\":\"").nth(1).and_then(|rest| rest.split('"').next());
        path.map(str::to_owned).context("no ticket")
    }

    /// Somebody logs in by name and password.
    pub(crate) fn log_in(&self, line: &mut Line) -> Result<()> {
        line.post(&self.origin, "/api/auth/login", "", PERSON).map(drop)
    }

    /// Our own pages' origin.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }
}

/// What the program prints when its doors are open.
struct Greeting {
    address: String,
    token: String,
}

fn greeting(child: &mut Child) -> Result<Greeting> {
    let (mut address, mut token) = (None, None);
    for line in BufReader::new(child.stdout.take().context("no output")?).lines() {
        let line = line?;
        if let Some(rest) = line.trim().strip_prefix("address") {
            address = Some(rest.trim().trim_end_matches('/').to_owned());
        } else if let Some((_, rest)) = line.split_once("token=") {
            token = Some(rest.trim().to_owned());
        } else if line.trim().starts_with("memory") {
            break;
        }
    }
    Ok(Greeting { address: address.context("no address")?, token: token.context("no link")? })
}
