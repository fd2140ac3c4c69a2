//! The embedded interface: files, what they are, and which of their encodings to send.
//!
//! A crate of its own so that a change of the interface relinks the program and recompiles nothing else. It knows no
//! HTTP library: `api` turns a [`File`] into a response. In a debug build the files are read from disk at each
//! request, so a rebuilt interface needs no rebuilt program; a release carries their bytes.

mod accept;
mod files;

pub use accept::{Accepted, Encoding};

use std::borrow::Cow;

/// One file, in the encoding that was chosen for a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// The bytes to send as they are.
    pub bytes: Cow<'static, [u8]>,
    /// For `Content-Type`.
    pub mime: &'static str,
    /// For `ETag`, quotes included. Differs between the encodings of one file, as a strong tag must [RFC 9110, 8.8.3].
    pub etag: String,
    /// For `Content-Encoding`; none when the bytes are the file itself.
    pub encoding: Option<Encoding>,
    /// Whether other encodings exist, so that the answer varies by `Accept-Encoding`.
    pub varies: bool,
    /// Whether the name carries a hash of the content, so that a copy never goes stale.
    pub immutable: bool,
}

impl File {
    /// For `Cache-Control`: a year for names that carry a hash, "ask first" for all others.
    pub fn cache_control(&self) -> &'static str {
        if self.immutable { "public, max-age=31536000, immutable" } else { "no-cache" }
    }

    /// Whether a client that sent this `If-None-Match` has the file already.
    pub fn is_known_to(&self, if_none_match: &str) -> bool {
        if_none_match
            .split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.etag)
    }
}

/// What to answer for a path of the interface: the file of that name, or for a page's address the one document that
/// draws all pages. `None` is a file that does not exist.
pub fn resolve(path: &str, accepted: Accepted) -> Option<File> {
    let name = path.trim_start_matches('/');
    if name.is_empty() {
        return Some(index(accepted));
    }
    match asset(name, accepted) {
        Some(file) => Some(file),
        None if is_page(name) => Some(index(accepted)),
        None => None,
    }
}

/// The file of this name, without a leading slash.
pub fn asset(name: &str, accepted: Accepted) -> Option<File> {
    // The encoded copies are answers to a header, not addresses.
    if name.ends_with(".br") || name.ends_with(".gz") || name.split('/').any(|part| part == "..") {
        return None;
    }
    files::find(name, accepted)
}

/// The document that draws every page; says how to build the interface where a debug build has none.
pub fn index(accepted: Accepted) -> File {
    files::find("index.html", accepted).unwrap_or_else(files::not_built)
}

/// Whether the interface is there; a debug build may lack it.
pub fn is_built() -> bool {
    files::find("index.html", Accepted::NOTHING).is_some()
}

/// Addresses of pages have no file extension and are not in the folder of hashed files.
fn is_page(name: &str) -> bool {
    !name.starts_with("assets/") && !name.rsplit('/').next().unwrap_or(name).contains('.')
}
