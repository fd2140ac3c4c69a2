//! What is made of the installation's keys, and made anew when they change under a running program.

use crate::key::{self, Given, Keyring};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Something that hangs on the keys. Where the keys are in the data directory's file it follows that file.
pub(crate) struct Following<T> {
    made: RwLock<Arc<T>>,
    make: fn(&Keyring) -> T,
    source: Option<Source>,
}

/// Where keys are read again from.
struct Source {
    given: Given,
    directory: PathBuf,
    seen: Mutex<Option<Stamp>>,
}

/// What tells that a file was replaced. A change renames a new file into place, so the number of it alone would do.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    changed: (i64, i64),
}

impl<T> Following<T> {
    /// Made of these keys, for good.
    pub(crate) fn fixed(keys: &Keyring, make: fn(&Keyring) -> T) -> Following<T> {
        Following { made: RwLock::new(Arc::new(make(keys))), make, source: None }
    }

    /// Made of these keys, which were found with `given` in `directory`.
    pub(crate) fn of(
        given: Given,
        directory: &Path,
        keys: &Keyring,
        make: fn(&Keyring) -> T,
    ) -> Following<T> {
        let source = Source { given, directory: directory.to_owned(), seen: Mutex::new(None) };
        Following { source: Some(source), ..Following::fixed(keys, make) }
    }

    /// What the keys in force make. Asking the file system costs a microsecond.
    pub(crate) fn current(&self) -> Arc<T> {
        if let Some(keys) = self.source.as_ref().and_then(Source::reread) {
            *self.made.write().unwrap_or_else(PoisonError::into_inner) = Arc::new((self.make)(&keys));
        }
        Arc::clone(&self.made.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Source {
    /// The keys of a file that is another one than the last time; `None` where it is the same, or cannot be read:
    /// then what was read before stays.
    fn reread(&self) -> Option<Keyring> {
        let file = std::fs::metadata(self.directory.join(key::FILE)).ok()?;
        let stamp = Stamp { inode: file.ino(), changed: (file.ctime(), file.ctime_nsec()) };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == Some(stamp) {
            return None;
        }
        let keys = Keyring::open(&self.given, &self.directory).ok()?;
        *seen = Some(stamp);
        Some(keys)
    }
}
