//! A PostgreSQL server for tests: made once, in a temporary directory, reached by a Unix socket only, and gone
//! when the test process is, however that ends.
//!
//! Tests get databases by cloning a template that was migrated once, which takes a fifth of a second. A server that
//! several test binaries share is named by `GATEHOUSE_TEST_PG` (see [`Server::address`]); without it each binary
//! starts its own. There is no skipping: a missing server is an error that names the package to install.

use anyhow::{Context, Result, anyhow, bail, ensure};
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Names the address of a server that is already running, `postgres://user@%2Fdirectory:port` without a database.
pub const SHARED: &str = "GATEHOUSE_TEST_PG";

/// The superuser of servers that are started here.
const USER: &str = "gatehouse";

/// Keeps the server alive while its standard input is open: a test process that is killed closes it too. It is the
/// server's parent, so the process id it ends can be no other's. The first line it reads says that the data directory
/// is ready; before that, too, it cleans up after a test process that died.
const KEEPER: &str = r#"
directory=$1; shift
read -r _ || { rm -rf "$directory"; exit; }
"$@" >"$directory/log" 2>&1 </dev/null &
server=$!
echo started
read -r _
kill -INT "$server" 2>/dev/null
wait "$server"
rm -rf "$directory"
"#;

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: String,
    #[expect(dead_code, reason = "ends the server when it is dropped")]
    keeper: Option<Keeper>,
}

#[derive(Debug)]
struct Keeper {
    process: Child,
    input: Option<ChildStdin>,
}

impl Server {
    /// The shared server if the environment names one, else a new one.
    ///
    /// # Errors
    /// PostgreSQL is not installed (then the package is named), or it did not start.
    pub fn obtain() -> Result<Server> {
        match std::env::var(SHARED) {
            Ok(address) => Ok(Server { address, keeper: None }),
            Err(_) => Server::start(&[]),
        }
    }

    /// A new server with additional settings, each `name=value`.
    ///
    /// # Errors
    /// As [`Server::obtain`].
    pub fn start(settings: &[&str]) -> Result<Server> {
        Server::start_prepared(settings, |_| Ok(()))
    }

    /// As [`Server::start`], with a chance to put files (certificates) into the data directory first. They must be
    /// handed over by [`give`] when they are private.
    ///
    /// # Errors
    /// As [`Server::obtain`], or the preparation's.
    pub fn start_prepared(settings: &[&str], prepare: impl FnOnce(&Path) -> Result<()>) -> Result<Server> {
        let directory = tempfile::Builder::new().prefix("gatehouse-pg-").tempdir()?.keep();
        let started = Server::start_in(&directory, settings, prepare);
        if started.is_err() {
            let _ = std::fs::remove_dir_all(&directory);
        }
        started
    }

    fn start_in(
        directory: &Path,
        settings: &[&str],
        prepare: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Server> {
        give(directory)?;
        let data = directory.join("data");
        let mut keeper = Keeper::new(directory, &data, settings)?;
        let output = as_server("initdb")?
            .args(["-N", "--auth=trust", "--encoding=UTF8", "--locale=C", "-U", USER, "-D"])
            .arg(&data)
            .current_dir(directory)
            .output()
            .context("cannot run initdb")?;
        ensure!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr));
        prepare(&data)?;
        keeper.start()?;
        let port = settings.iter().find_map(|setting| setting.strip_prefix("port="));
        let server = Server { address: address(directory, port.unwrap_or("5432")), keeper: Some(keeper) };
        server.wait_until_ready(directory)?;
        Ok(server)
    }

    fn wait_until_ready(&self, directory: &Path) -> Result<()> {
        // Bounded by tries, each of which waits for the server itself.
        for _ in 0..60 {
            let ready = Command::new(tool("pg_isready")?)
                .args(["-q", "-t", "1", "-d", &self.url("postgres")])
                .status()
                .context("cannot run pg_isready")?;
            if ready.success() {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        let log = std::fs::read_to_string(directory.join("log")).unwrap_or_default();
        bail!("PostgreSQL did not start: {log}")
    }

    /// What [`SHARED`] must hold for other processes to use this server too.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The URL of a database on this server.
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.address)
    }

    /// Makes a template: an empty database that `migrate` gets the URL of and prepares.
    ///
    /// # Errors
    /// The server's or the preparation's.
    pub async fn template<F: Future<Output = Result<()>>>(
        &self,
        migrate: impl FnOnce(String) -> F,
    ) -> Result<Template> {
        let name = unique("template");
        self.run(&format!("CREATE DATABASE {name}"))?;
        migrate(self.url(&name)).await?;
        Ok(Template { name })
    }

    /// A database of its own for one test: a clone of a template, or empty.
    ///
    /// # Errors
    /// The server's.
    pub fn database(&self, template: Option<&Template>) -> Result<Database> {
        let name = unique("test");
        let clone = template.map(|t| format!(" TEMPLATE {}", t.name)).unwrap_or_default();
        self.run(&format!("CREATE DATABASE {name}{clone}"))?;
        Ok(Database { url: self.url(&name), admin: self.url("postgres"), name })
    }

    /// Runs SQL as the superuser in the maintenance database.
    ///
    /// # Errors
    /// The server's.
    pub fn run(&self, sql: &str) -> Result<String> {
        psql(&self.url("postgres"), sql)
    }
}

impl Keeper {
    /// Watches over the directory; the server is started later.
    fn new(directory: &Path, data: &Path, settings: &[&str]) -> Result<Keeper> {
        let postgres = as_server("postgres")?;
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(directory);
        keeper.arg(postgres.get_program()).args(postgres.get_args());
        keeper.arg("-D").arg(data).arg("-k").arg(directory).args(["-c", "listen_addresses="]);
        for setting in ["fsync=off", "full_page_writes=off", "max_connections=200", "shared_buffers=32MB"] {
            keeper.args(["-c", setting]);
        }
        for setting in settings {
            keeper.args(["-c", setting]);
        }
        // Its own group, so that Ctrl-C in the terminal reaches it by the closing pipe, in order.
        let mut process = keeper
            .process_group(0)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run sh")?;
        let input = process.stdin.take();
        Ok(Keeper { process, input })
    }

    /// Starts the server.
    fn start(&mut self) -> Result<()> {
        let input = self.input.as_mut().ok_or_else(|| anyhow!("the keeper was ended"))?;
        input.write_all(b"ready\n").context("the keeper of PostgreSQL ended")?;
        let output = self.process.stdout.take().ok_or_else(|| anyhow!("the server was started before"))?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        ensure!(line.trim() == "started", "the keeper of PostgreSQL did not start it");
        Ok(())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.input.take();
        let _ = self.process.wait();
    }
}

/// A prepared database to clone.
#[derive(Debug)]
pub struct Template {
    name: String,
}

/// A database that ends with its test.
#[derive(Debug)]
pub struct Database {
    url: String,
    admin: String,
    name: String,
}

impl Database {
    /// Where to connect.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs SQL in it and gives the rows back, one a line, columns separated by `|`.
    ///
    /// # Errors
    /// The server's.
    pub fn run(&self, sql: &str) -> Result<String> {
        psql(&self.url, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Fails only when the server is gone, and then so is the database.
        let _ = psql(&self.admin, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// Makes a file or directory the server's own, with no access for others; the server refuses any other.
///
/// # Errors
/// The system's.
pub fn give(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    if let Some(account) = account()? {
        std::os::unix::fs::chown(path, Some(account.user), Some(account.group))?;
    }
    Ok(())
}

fn address(directory: &Path, port: &str) -> String {
    // Only `/` needs escaping in the names that tempfile makes under an ordinary temporary directory.
    format!("postgres://{USER}@{}:{port}", directory.display().to_string().replace('/', "%2F"))
}

/// Unique among the processes that share a server.
fn unique(kind: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{kind}_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn psql(url: &str, sql: &str) -> Result<String> {
    let output = Command::new(tool("psql")?)
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql])
        .output()
        .context("cannot run psql")?;
    ensure!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

struct Account {
    user: u32,
    group: u32,
}

/// Whom the server runs as when we are root, which it refuses to be.
fn account() -> Result<Option<Account>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let accounts = std::fs::read_to_string("/etc/passwd")?;
    let line = accounts
        .lines()
        .find(|line| line.starts_with("postgres:"))
        .ok_or_else(|| anyhow!("there is no account `postgres`; install the package `postgresql`"))?;
    let mut fields = line.split(':').skip(2);
    let mut number = || fields.next().and_then(|n| n.parse().ok()).ok_or_else(|| anyhow!("bad /etc/passwd"));
    Ok(Some(Account { user: number()?, group: number()? }))
}

/// A server program, run as the account that may run it.
fn as_server(name: &str) -> Result<Command> {
    let program = tool(name)?;
    let Some(account) = account()? else { return Ok(Command::new(program)) };
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={}", account.user))
        .arg(format!("--regid={}", account.group))
        .arg("--init-groups")
        .arg(program);
    Ok(command)
}

/// Debian keeps server programs outside PATH, one directory for each version; the newest is taken.
fn tool(name: &str) -> Result<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin").join(name)))
        })
        .filter(|(_, path)| path.is_file())
        .collect();
    versions.sort();
    let in_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
    };
    versions
        .pop()
        .map(|(_, path)| path)
        .or_else(in_path)
        .ok_or_else(|| anyhow!("{name} is missing; install the package `postgresql`"))
}
