//! Certificates that change under running listeners.
//!
//! Every handshake takes the certificate that holds at that moment; sessions that run keep theirs and
//! notice nothing. Files that do not fit (half of a pair replaced) leave the old certificate in force.

use super::{Fingerprint, Names, TlsError, own, read};
use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// Where certificates come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Made by the gateway itself and kept in a directory.
    Own {
        /// The directory.
        directory: PathBuf,
        /// What the leaf is made out to.
        names: Names,
    },
    /// Two PEM files of somebody else's making.
    Files {
        /// Leaf first, then intermediates.
        certificate: PathBuf,
        /// The leaf's key: PKCS#8, PKCS#1 or SEC1.
        key: PathBuf,
    },
}

/// The certificate in force.
#[derive(Debug)]
pub struct Certificates {
    source: Source,
    current: ArcSwap<CertifiedKey>,
    stamp: Mutex<Stamp>,
}

/// Modification time and length of both files.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Certificates {
    /// Loads or makes the certificate. `now` decides about renewal.
    pub fn open(source: Source, now: SystemTime) -> Result<Arc<Self>, TlsError> {
        let stamp = source.stamp();
        let current = source.load(now)?;
        Ok(Arc::new(Certificates {
            source,
            current: ArcSwap::from_pointee(current),
            stamp: Mutex::new(stamp),
        }))
    }

    /// To be called now and then (every minute, and on SIGHUP): takes over changed files and renews
    /// the own leaf. `Ok(true)` if another certificate is in force. After an error the old one stays,
    /// and the same files are not tried again until they change.
    pub fn reload_if_changed(&self, now: SystemTime) -> Result<bool, TlsError> {
        let stamp = self.source.stamp();
        {
            let mut seen = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
            let is_own = matches!(self.source, Source::Own { .. });
            if *seen == stamp && !is_own {
                return Ok(false);
            }
            *seen = stamp;
        }
        let next = self.source.load(now)?;
        if next.cert == self.current.load().cert {
            return Ok(false);
        }
        self.current.store(Arc::new(next));
        Ok(true)
    }

    /// Of the leaf in force; what a viewer shows at its first connection.
    pub fn leaf_fingerprint(&self) -> Option<Fingerprint> {
        self.current.load().cert.first().map(|leaf| Fingerprint::of(leaf))
    }

    /// Of the own authority, if the certificate is of the gateway's making.
    pub fn authority_fingerprint(&self) -> Option<Fingerprint> {
        match self.source {
            Source::Own { .. } => self.current.load().cert.get(1).map(|ca| Fingerprint::of(ca)),
            Source::Files { .. } => None,
        }
    }

    /// The file with the own authority, which people import or give to their viewer.
    pub fn authority_file(&self) -> Option<PathBuf> {
        match &self.source {
            Source::Own { directory, .. } => Some(own::Files::under(directory).authority),
            Source::Files { .. } => None,
        }
    }

    fn current(&self) -> Arc<CertifiedKey> {
        self.current.load_full()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl Source {
    fn stamp(&self) -> Stamp {
        match self {
            Source::Own { directory, .. } => {
                let files = own::Files::under(directory);
                [stamp_of(&files.leaf), stamp_of(&files.leaf_key)]
            }
            Source::Files { certificate, key } => [stamp_of(certificate), stamp_of(key)],
        }
    }

    fn load(&self, now: SystemTime) -> Result<CertifiedKey, TlsError> {
        let (path, chain, key) = match self {
            Source::Own { directory, names } => {
                let own = own::open(directory, names, now)?;
                (own::Files::under(directory).leaf, own.chain, own.key)
            }
            Source::Files { certificate, key } => {
                (certificate.clone(), read_chain(certificate)?, read_key(key)?)
            }
        };
        CertifiedKey::from_der(chain, key, &super::provider())
            .map_err(|source| TlsError::Key { path, source })
    }
}

fn stamp_of(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// All certificates of a PEM file, at least one.
pub(super) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let content = || TlsError::Content { path: path.to_owned(), what: "certificate" };
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(&read(path)?).collect::<Result<_, _>>().map_err(|_| content())?;
    if chain.is_empty() { Err(content()) } else { Ok(chain) }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = zeroize::Zeroizing::new(read(path)?);
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| TlsError::Content { path: path.to_owned(), what: "private key" })
}
