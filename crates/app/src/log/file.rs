//! A log file that is turned over: what would grow too large is renamed, and the oldest ones are removed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The file and its elders `NAME.1`, `NAME.2`, … Clones write to the same one.
///
/// Lines are written at once and whole, so that a crash loses none of them.
#[derive(Clone)]
pub(crate) struct Turning(Arc<Mutex<Inner>>);

struct Inner {
    path: PathBuf,
    file: File,
    written: u64,
    limit: u64,
    keep: u32,
}

impl Turning {
    /// Goes on at the end of what is there.
    pub(crate) fn open(path: &Path, limit: u64, keep: u32) -> io::Result<Turning> {
        let file = append_to(path)?;
        let written = file.metadata()?.len();
        Ok(Turning(Arc::new(Mutex::new(Inner { path: path.to_owned(), file, written, limit, keep }))))
    }
}

impl Write for Turning {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Inner {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.written > 0 && self.written.saturating_add(length) > self.limit {
            self.turn()?;
        }
        self.file.write_all(line)?;
        self.written = self.written.saturating_add(length);
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        for age in (1..self.keep).rev() {
            rename_if_there(&self.elder(age), &self.elder(age.saturating_add(1)))?;
        }
        if self.keep > 0 {
            rename_if_there(&self.path, &self.elder(1))?;
        } else {
            std::fs::remove_file(&self.path)?;
        }
        self.file = append_to(&self.path)?;
        self.written = 0;
        Ok(())
    }

    fn elder(&self, age: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{age}"));
        name.into()
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_turned_over_and_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("application.log");
        let mut log = Turning::open(&path, 20, 2).unwrap();
        for n in 0..9 {
            log.write_all(format!("line {n} ...\n").as_bytes()).unwrap();
        }
        drop(log);
        let mut log = Turning::open(&path, 20, 2).unwrap();
        log.write_all(b"a line that is longer than the whole limit\n").unwrap();
        let read = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!(read("application.log"), "a line that is longer than the whole limit\n");
        assert_eq!(read("application.log.1"), "line 8 ...\n");
        assert_eq!(read("application.log.2"), "line 7 ...\n");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 3);
    }
}
