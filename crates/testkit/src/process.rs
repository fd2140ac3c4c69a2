//! Child processes that cannot outlive the test.
//!
//! Each child leads a process group of its own. A watcher (`sh`) reads a pipe whose other end only the
//! test process holds: at its end, however the test ended, the watcher ends the group. The child
//! itself waits at a gate until its watcher stands, so there is no moment without one.
//! (`PR_SET_PDEATHSIG` is no substitute: it follows the thread that forked, and test threads end early.)

use crate::wait;
use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The gate: waits for a line, then becomes the program.
const GATE: &str = r#"read -r go || exit 1; exec "$@" </dev/null"#;
/// The watcher: a line means that the group is already gone; the end of the pipe means that the test is.
const WATCHER: &str = r#"read -r done && exit 0; kill -s TERM -- "-$1" 2>/dev/null; sleep 1; kill -s KILL -- "-$1" 2>/dev/null"#;
/// Lines kept for matching and for failure messages.
const LINES: usize = 4096;
/// Time between a polite and a forced end.
const GRACE: Duration = Duration::from_secs(2);

/// Finds a program in `PATH` (and the sbin directories), or says which Debian package has it.
pub fn require(program: &str, package: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/lib/postgresql/15/bin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
        .with_context(|| format!("{program} is not installed: apt-get install {package}"))
}

/// A program to start: the part of [`std::process::Command`] that tests need.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
}

impl Program {
    /// A program by its path, see [`require`].
    pub fn new(path: impl Into<PathBuf>) -> Program {
        Program { path: path.into(), arguments: Vec::new(), environment: Vec::new(), directory: None }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Program {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Program {
        self.arguments.extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Sets one environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Program {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Starts in this directory.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Program {
        self.directory = Some(directory.into());
        self
    }

    /// Starts it.
    pub fn start(&self) -> anyhow::Result<Child> {
        Child::start(self)
    }

    /// Runs it to its end; a status other than success is an error with the output. Returns the output.
    pub async fn run(&self) -> anyhow::Result<String> {
        let child = self.start()?;
        let status = child.exit(wait::LIMIT).await?;
        // what it wrote last may still be in the pipe; a daemon that it left behind may hold the pipe open
        let read = async || (child.log.open.load(Ordering::Acquire) == 0).then_some(());
        let _ = wait::until("the end of its output", GRACE, read).await;
        anyhow::ensure!(status.success(), "{child:?} ended with {status}:\n{}", child.output());
        Ok(child.output())
    }

    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// A running program with everything that it started. Dropping it ends the whole group.
pub struct Child {
    name: String,
    group: Pid,
    process: Mutex<std::process::Child>,
    watcher: std::process::Child,
    watcher_pipe: Option<ChildStdin>,
    log: Arc<Log>,
}

impl Child {
    /// Starts `program`, its standard input empty, its output kept.
    pub fn start(program: &Program) -> anyhow::Result<Child> {
        let name = program.name();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", GATE, "sh"]).arg(&program.path).args(&program.arguments);
        command.envs(program.environment.iter().map(|(k, v)| (k, v)));
        if let Some(directory) = &program.directory {
            command.current_dir(directory);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut process = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let group = i32::try_from(process.id()).ok().and_then(Pid::from_raw).context("process id")?;
        let watcher = Command::new("/bin/sh")
            .args(["-c", WATCHER, "sh", &process.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        let mut watcher = watcher.context("cannot start the watcher")?;
        let watcher_pipe = watcher.stdin.take();
        let log = Arc::new(Log::default());
        log.open.store(2, Ordering::Release);
        for stream in [
            process.stdout.take().map(|s| Box::new(s) as Box<dyn Read + Send>),
            process.stderr.take().map(|s| Box::new(s) as Box<dyn Read + Send>),
        ]
        .into_iter()
        .flatten()
        {
            let log = log.clone();
            std::thread::spawn(move || log.read(stream));
        }
        let gate = process.stdin.take();
        let child = Child { name, group, process: Mutex::new(process), watcher, watcher_pipe, log };
        gate.context("the gate has no pipe")?.write_all(b"go\n").context("the gate is gone")?;
        Ok(child)
    }

    /// The process id, which is also the group's.
    pub fn id(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    /// What it wrote to standard output and standard error so far, the last lines of it.
    pub fn output(&self) -> String {
        self.log.lines().join("\n")
    }

    /// Waits for a line of output for which `pick` has an answer, lines of the past included.
    pub async fn line<T>(&self, what: &str, pick: impl Fn(&str) -> Option<T>) -> anyhow::Result<T> {
        let mut changed = self.log.changed.subscribe();
        let end = tokio::time::Instant::now() + wait::LIMIT;
        loop {
            changed.borrow_and_update();
            if let Some(answer) = self.log.lines().iter().find_map(|line| pick(line)) {
                return Ok(answer);
            }
            if let Some(status) = self.status()
                && self.log.open.load(Ordering::Acquire) == 0
                && changed.has_changed().is_ok_and(|changed| !changed)
            {
                anyhow::bail!("{self:?} ended with {status} before {what}:\n{}", self.output());
            }
            anyhow::ensure!(
                tokio::time::Instant::now() < end,
                "{self:?} did not answer with {what} in {:?}:\n{}",
                wait::LIMIT,
                self.output()
            );
            let _ = tokio::time::timeout(Duration::from_millis(50), changed.changed()).await;
        }
    }

    /// The exit status if it ended.
    pub fn status(&self) -> Option<ExitStatus> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.try_wait().ok().flatten()
    }

    /// Waits for its end.
    pub async fn exit(&self, limit: Duration) -> anyhow::Result<ExitStatus> {
        wait::until(&format!("the end of {}", self.name), limit, async || self.status())
            .await
            .with_context(|| self.output())
    }

    /// Sends a signal to the whole group.
    pub fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.group, signal);
    }

    fn end(&mut self) {
        self.signal(Signal::TERM);
        let forced = Instant::now() + GRACE;
        while self.status().is_none() && Instant::now() < forced {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.signal(Signal::KILL);
        let _ = self.process.get_mut().unwrap_or_else(PoisonError::into_inner).wait();
        if let Some(mut pipe) = self.watcher_pipe.take() {
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.watcher.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

impl std::fmt::Debug for Child {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.name, self.id())
    }
}

/// Lines of both streams in the order in which they were read.
struct Log {
    lines: Mutex<Vec<String>>,
    /// Streams that are not read to their end: a program may be gone before its last words are read.
    open: AtomicUsize,
    changed: watch::Sender<u64>,
}

impl Default for Log {
    fn default() -> Self {
        Log { lines: Mutex::default(), open: AtomicUsize::new(0), changed: watch::Sender::new(0) }
    }
}

impl Log {
    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn read(&self, stream: Box<dyn Read + Send>) {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while matches!(reader.read_until(b'\n', &mut line), Ok(n) if n > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == LINES {
                lines.remove(0);
            }
            lines.push(text);
            drop(lines);
            self.changed.send_modify(|n| *n += 1);
        }
        self.open.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::test_kill_process;

    fn shell(script: &str) -> Program {
        Program::new("/bin/sh").args(["-c", script])
    }

    #[tokio::test]
    async fn output_is_kept_and_lines_of_the_past_are_found() {
        let child = shell("echo one; echo two >&2; exec cat").start().unwrap();
        assert_eq!(child.exit(wait::LIMIT).await.unwrap().code(), Some(0), "standard input is empty");
        child.line("one", |l| (l == "one").then_some(())).await.unwrap();
        child.line("two", |l| (l == "two").then_some(())).await.unwrap();
        let error = child.line("three", |l| (l == "three").then_some(())).await.unwrap_err().to_string();
        assert!(error.contains("before three") && error.contains("two"), "{error}");
    }

    #[tokio::test]
    async fn dropping_ends_grandchildren_too() {
        let child = shell("sleep 1000 & echo $!; wait").start().unwrap();
        let grandchild =
            child.line("a number", |l| l.parse::<i32>().ok().and_then(Pid::from_raw)).await.unwrap();
        assert!(test_kill_process(grandchild).is_ok());
        drop(child);
        wait::until("its end", wait::LIMIT, async || is_gone(grandchild).then_some(())).await.unwrap();
    }

    /// A test that is killed outright runs no destructor: closing the pipe is all that happens.
    #[tokio::test]
    async fn the_watcher_ends_the_group_when_the_test_is_gone() {
        let mut child = shell("trap '' TERM; echo ready; sleep 1000; sleep 1000").start().unwrap();
        child.line("ready", |l| (l == "ready").then_some(())).await.unwrap();
        drop(child.watcher_pipe.take());
        child.exit(wait::LIMIT).await.unwrap();
    }

    #[test]
    fn a_missing_program_names_its_package() {
        let error = require("no-such-program", "its-package").unwrap_err().to_string();
        assert_eq!(error, "no-such-program is not installed: apt-get install its-package");
    }

    /// Gone, or a zombie whose parent is not us.
    fn is_gone(process: Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
        stat.map_or(true, |stat| stat.contains(") Z "))
    }
}
