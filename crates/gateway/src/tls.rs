//! TLS on both sides: the gateway's own certificate towards viewers, judging targets' certificates.
//!
//! rustls does all of it, with aws-lc-rs named explicitly so that a second provider in the program
//! cannot make the choice ambiguous. Only TLS without any certificate (VeNCrypt's `TLS*` subtypes and
//! security type 18), which rustls refuses for good, is done by OpenSSL, in [`anonymous`] and nowhere else.

pub mod anonymous;
pub mod client;
pub mod fingerprint;
pub mod own;
pub mod reload;
pub mod server;

pub use client::{PeerVerdict, TargetTrust};
pub use fingerprint::Fingerprint;
pub use own::Names;
pub use reload::{Certificates, Source};

use model::Coded;
use rustls::crypto::CryptoProvider;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// The one cryptography provider of the program.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// Why certificates cannot be used. Never carries key material.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}; check that it exists and who may read it", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}; check the data directory's owner and free space", path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{} holds no usable {what} in PEM form", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// Certificate and key do not belong together, or the key cannot sign.
    #[error("the certificate in {} and its key do not fit: {source}", path.display())]
    Key {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// Making a certificate failed; a name that no certificate can carry is the usual cause.
    #[error("cannot make a certificate: {0}; check the configured host names")]
    Make(#[from] rcgen::Error),
    /// A configuration that rustls or OpenSSL refuses.
    #[error("cannot set TLS up: {0}")]
    Setup(String),
}

impl Coded for TlsError {
    fn code(&self) -> &'static str {
        match self {
            TlsError::Read { .. } => "tls.read",
            TlsError::Write { .. } => "tls.write",
            TlsError::Content { .. } => "tls.content",
            TlsError::Key { .. } => "tls.key",
            TlsError::Make(_) => "tls.make",
            TlsError::Setup(_) => "tls.setup",
        }
    }
}

/// Reads a whole file, naming it where that fails.
fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}
