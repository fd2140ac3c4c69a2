//! Child processes that cannot outlive us.
//!
//! A small shell stands between: it leads a process group of its own and reads a pipe whose only
//! writer is this process. However we end, `kill -9` included, the pipe closes and the group goes.
//! (PDEATHSIG would fire when the spawning *thread* ends.)

use std::ffi::OsStr;
use std::io;
use std::process::Stdio;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

const KEEPER: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
( read -r _ <&3; kill -TERM -$$; ) >/dev/null 2>&1 &
wait "$child"
kill -TERM -$$
"#;

/// A child process and everything that it started.
pub(crate) struct Tied {
    child: Child,
    _pipe: Option<ChildStdin>,
}

impl Tied {
    /// A command that [`Tied::spawn`] can start.
    pub(crate) fn command<S: AsRef<OsStr>>(program: &str, args: &[S]) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", KEEPER, "keeper", program]).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.process_group(0);
        command
    }

    /// Starts it.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Tied> {
        let mut child = command.spawn()?;
        let pipe = child.stdin.take();
        Ok(Tied { child, _pipe: pipe })
    }

    /// What it prints.
    pub(crate) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }
}
