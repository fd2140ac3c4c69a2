//! `gatehouse trace` and `gatehouse quick --trace`: protocol skeletons for bug reports, see [`rfb::trace`].

use crate::cli::Trace as Wish;
use crate::inspect::{open, print};
use anyhow::{Context, Result, bail, ensure};
use gateway::port::{SessionStart, Tap, Taps};
use model::{Coded, Event};
use rfb::trace::{FIRST_LINE, Replay, Trace};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// What a reader of the file should know before sending it.
const PREAMBLE: &str = "\
# A VNC session without keys, texts, pixels, places, secrets and times. Zeros stand for what was left out.
# What is left: the order, kinds and lengths of messages, security types, encodings, screen and rectangle sizes.
# Read it before you send it. `gatehouse trace --check FILE` replays it.
";

pub(crate) fn run(wish: &Wish) -> Result<()> {
    if wish.check { check(&wish.file) } else { write(wish) }
}

/// The skeleton of one session of a capture.
fn write(wish: &Wish) -> Result<()> {
    let sessions = capture::trace(open(&wish.file)?)
        .with_context(|| format!("{} cannot be read as a capture", wish.file.display()))?;
    let number = match (wish.session, sessions.len()) {
        (_, 0) => bail!("there is no VNC session in {}", wish.file.display()),
        (Some(number), _) => number,
        (None, 1) => 1,
        (None, found) => {
            bail!("there are {found} sessions: choose one with --session N; `gatehouse inspect` shows them")
        }
    };
    let found = number.checked_sub(1).and_then(|index| sessions.get(index));
    let session = found.with_context(|| format!("there is no session {number}, only {}", sessions.len()))?;
    let text = session.text.as_deref().context(
        "only a session that was captured from its first packet has a skeleton (and at most 64 MiB of it): \
         start the capture before the viewer",
    )?;
    let text = with_preamble(text);
    match &wish.output {
        None => print(&text),
        Some(path) => {
            let mut file = create(path)?;
            file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
            eprintln!("{}: {} lines. Read it before you send it.", path.display(), text.lines().count());
            Ok(())
        }
    }
}

/// Replays a skeleton.
fn check(path: &Path) -> Result<()> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text).with_context(|| format!("cannot read {}", path.display()))?;
    let trace = Trace::parse(&text).map_err(|error| anyhow::anyhow!("{error} ({})", error.code()))?;
    let outcome = Replay::new(&trace, 64 * 1024).run(&mut |_: Event<'_>| {});
    if let Some(difference) = trace.difference(&outcome) {
        bail!("this program reads the session otherwise than the one that wrote it: {difference}");
    }
    let [viewer, target] = outcome.framed;
    let counters = outcome.counters;
    let end = match outcome.fault {
        Some((from, fault)) => format!("; then {from:?} broke the protocol: {}", fault.code()),
        None if !trace.is_whole() => "; its end is missing".to_owned(),
        None => String::new(),
    };
    print(&format!(
        "viewer {viewer} bytes, {} messages; target {target} bytes, {} messages, {} rectangles{end}\n",
        counters.viewer_messages, counters.target_messages, counters.rectangles
    ))
}

fn with_preamble(text: &str) -> String {
    match text.strip_prefix(FIRST_LINE) {
        Some(rest) => format!("{FIRST_LINE}\n{PREAMBLE}{}", rest.trim_start()),
        None => text.to_owned(),
    }
}

/// Makes a file that only its owner may read, and that was not there before.
fn create(path: &Path) -> Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.with_context(|| format!("cannot make {} (it must not exist yet)", path.display()))
}

/// Whether a skeleton could be written there.
pub(crate) fn may_create(path: &Path) -> Result<()> {
    ensure!(!path.exists(), "{} exists already", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    ensure!(folder.is_dir(), "{} is no directory", folder.display());
    Ok(())
}

/// One file for each connection: `FILE`, and `FILE.2` after the viewer came back.
pub(crate) struct TraceFiles {
    path: PathBuf,
    opened: AtomicU32,
}

impl TraceFiles {
    pub(crate) fn new(path: PathBuf) -> TraceFiles {
        TraceFiles { path, opened: AtomicU32::new(0) }
    }
}

impl Taps for TraceFiles {
    fn open(&self, _: &SessionStart) -> Option<Box<dyn Tap>> {
        let number = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        let mut path = self.path.clone();
        if number > 1 {
            path.as_mut_os_string().push(format!(".{number}"));
        }
        match create(&path) {
            Ok(file) => Some(Box::new(TraceFile { file: Some(file), left: MOST })),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "The session's skeleton cannot be written");
                None
            }
        }
    }
}

/// Bytes of one skeleton; a whole day of work is shorter.
const MOST: usize = 64 << 20;

/// Writes as the session goes, without a buffer: a crash is what was to be traced. It is a local file and a few
/// bytes a message, so it does not wait in another task.
struct TraceFile {
    file: Option<File>,
    left: usize,
}

impl Tap for TraceFile {
    fn event(&mut self, _: Event<'_>) {}

    fn wants_skeleton(&self) -> bool {
        true
    }

    fn skeleton(&mut self, lines: &str) {
        let Some(file) = &mut self.file else { return };
        let lines = with_preamble(lines);
        let written = match self.left.checked_sub(lines.len()) {
            Some(left) => {
                self.left = left;
                file.write_all(lines.as_bytes())
            }
            None => Err(std::io::Error::other("it is longer than anybody sends")),
        };
        if let Err(error) = written {
            tracing::warn!(%error, "The session's skeleton ends here");
            self.file = None;
        }
    }
}
