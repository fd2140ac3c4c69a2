//! The certificate that the gateway makes itself at its first run.
//!
//! A long-lived authority of its own and a leaf that is renewed by itself: people import or pin the
//! authority once and never see a renewal. Everything lies in one directory, readable by the owner only.

use super::{TlsError, read};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The authority's life: longer than an installation is kept.
const AUTHORITY_DAYS: u32 = 3652;
/// The leaf's life: what the strictest clients accept.
const LEAF_DAYS: u32 = 397;
/// So long before its end the leaf is renewed.
const RENEW_DAYS: u32 = 30;
/// Clocks of viewers may be so far behind.
const BACKDATED: Duration = DAY;

/// The names that the leaf carries.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Names {
    dns: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
}

impl Names {
    /// `localhost`, the loopback addresses, this machine's name, and what was configured: host names
    /// or addresses, without ports.
    pub fn new<'a>(configured: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names = Names::default();
        names.add("localhost");
        names.add("127.0.0.1");
        names.add("::1");
        if let Some(host) = host_name() {
            names.add(&host);
        }
        for name in configured {
            names.add(name);
        }
        names
    }

    fn add(&mut self, name: &str) {
        let name = name.trim().trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        if let Ok(address) = name.parse::<IpAddr>() {
            self.addresses.insert(address.to_canonical());
        } else if !name.is_empty() {
            self.dns.insert(name.to_ascii_lowercase());
        }
    }

    fn to_san(&self) -> Result<Vec<SanType>, rcgen::Error> {
        let dns = self.dns.iter().map(|name| Ok(SanType::DnsName(name.as_str().try_into()?)));
        let addresses = self.addresses.iter().map(|address| Ok(SanType::IpAddress(*address)));
        dns.chain(addresses).collect()
    }

    /// The names that a certificate carries.
    fn of(certificate: &CertificateDer<'_>) -> Option<Names> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
        let mut names = Names::default();
        for name in &parsed.subject_alternative_name().ok()??.value.general_names {
            match name {
                x509_parser::extensions::GeneralName::DNSName(dns) => names.add(dns),
                x509_parser::extensions::GeneralName::IPAddress(bytes) => {
                    let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
                    let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok()?;
                    names.addresses.insert(address);
                }
                _ => {}
            }
        }
        Some(names)
    }
}

/// The machine's name, if a certificate can carry it.
fn host_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_owned();
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    (!name.is_empty() && name.len() <= 253 && name.chars().all(legal)).then_some(name)
}

/// The files of a directory with an own certificate.
#[derive(Clone, Debug)]
pub struct Files {
    /// The authority's certificate: what people import or give to their viewer.
    pub authority: PathBuf,
    authority_key: PathBuf,
    /// The leaf with the authority behind it.
    pub leaf: PathBuf,
    /// The leaf's key.
    pub leaf_key: PathBuf,
}

impl Files {
    /// The files' names under a directory.
    pub fn under(directory: &Path) -> Self {
        Files {
            authority: directory.join("ca.pem"),
            authority_key: directory.join("ca.key"),
            leaf: directory.join("leaf.pem"),
            leaf_key: directory.join("leaf.key"),
        }
    }
}

/// What an own certificate consists of.
#[derive(Debug)]
pub struct Own {
    /// Leaf first, then the authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's key.
    pub key: PrivateKeyDer<'static>,
}

/// Opens the directory's certificate; makes what is missing, renews what is due at `now`, and
/// replaces a leaf that does not carry exactly these names.
pub fn open(directory: &Path, names: &Names, now: SystemTime) -> Result<Own, TlsError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| TlsError::Write { path: directory.to_owned(), source })?;
    let files = Files::under(directory);
    let authority = match Authority::load(&files)? {
        Some(authority) if is_valid(&authority.certificate, now, Duration::ZERO) => authority,
        _ => Authority::make(&files, now)?,
    };
    if let Some(own) = load_leaf(&files, names, &authority, now)? {
        return Ok(own);
    }
    make_leaf(&files, names, &authority, now)
}

struct Authority {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Authority {
    /// `None` at the first run. A certificate without its key is an error: making a new authority
    /// would silently take away what people trust.
    fn load(files: &Files) -> Result<Option<Authority>, TlsError> {
        if !files.authority.exists() && !files.authority_key.exists() {
            return Ok(None);
        }
        let certificate = CertificateDer::from_pem_slice(&read(&files.authority)?)
            .map_err(|_| TlsError::Content { path: files.authority.clone(), what: "certificate" })?;
        let key = load_key_pair(&files.authority_key)?;
        Ok(Some(Authority { certificate, key }))
    }

    fn make(files: &Files, now: SystemTime) -> Result<Authority, TlsError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        let host = host_name().unwrap_or_else(|| "this machine".to_owned());
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, format!("Gatehouse own authority ({host})"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = (now - BACKDATED).into();
        params.not_after = (now + DAY * AUTHORITY_DAYS).into();
        let certificate = params.self_signed(&key)?;
        write_private(&files.authority_key, key.serialize_pem().as_bytes())?;
        write_private(&files.authority, certificate.pem().as_bytes())?;
        Ok(Authority { certificate: certificate.der().clone(), key })
    }
}

fn load_key_pair(path: &Path) -> Result<KeyPair, TlsError> {
    let text = zeroize::Zeroizing::new(read(path)?);
    let content = || TlsError::Content { path: path.to_owned(), what: "private key" };
    let text = std::str::from_utf8(&text).map_err(|_| content())?;
    KeyPair::from_pem(text).map_err(|_| content())
}

/// The leaf as it lies there, if it is still the right one.
fn load_leaf(
    files: &Files,
    names: &Names,
    authority: &Authority,
    now: SystemTime,
) -> Result<Option<Own>, TlsError> {
    if !files.leaf.exists() || !files.leaf_key.exists() {
        return Ok(None);
    }
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(&files.leaf)?).collect();
    let key = PrivateKeyDer::from_pem_slice(&zeroize::Zeroizing::new(read(&files.leaf_key)?));
    let (Ok(chain), Ok(key)) = (chain, key) else { return Ok(None) };
    let right = match chain.as_slice() {
        [leaf, issuer] => {
            *issuer == authority.certificate
                && is_valid(leaf, now, DAY * RENEW_DAYS)
                && Names::of(leaf).as_ref() == Some(names)
                && rustls::sign::CertifiedKey::from_der(chain.clone(), key.clone_key(), &super::provider())
                    .is_ok()
        }
        _ => false,
    };
    Ok(right.then_some(Own { chain, key }))
}

fn make_leaf(files: &Files, names: &Names, authority: &Authority, now: SystemTime) -> Result<Own, TlsError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.to_san()?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let common = host_name().filter(|name| name.len() <= 64).unwrap_or_else(|| "localhost".to_owned());
    params.distinguished_name.push(DnType::CommonName, common);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = (now - BACKDATED).into();
    let wanted = now + DAY * LEAF_DAYS;
    params.not_after = end_of(&authority.certificate).map_or(wanted, |end| end.min(wanted)).into();
    let issuer = Issuer::from_ca_cert_der(&authority.certificate, &authority.key)?;
    let leaf = params.signed_by(&key, &issuer)?;
    let authority_pem = read(&files.authority)?;
    // the key first: a crash between the two leaves a pair that does not fit and is made again
    write_private(&files.leaf_key, key.serialize_pem().as_bytes())?;
    write_private(&files.leaf, &[leaf.pem().as_bytes(), &authority_pem].concat())?;
    let key = PrivateKeyDer::try_from(key.serialize_der())
        .map_err(|_| TlsError::Content { path: files.leaf_key.clone(), what: "private key" })?;
    Ok(Own { chain: vec![leaf.der().clone(), authority.certificate.clone()], key })
}

/// Whether a certificate holds at `now` and for `margin` longer. A margin never outlives a
/// certificate that was cut short by its authority's end: then half its life counts.
fn is_valid(certificate: &CertificateDer<'_>, now: SystemTime, margin: Duration) -> bool {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) else { return false };
    let (Some(start), Some(end)) = (start_of(&parsed), end_of(certificate)) else { return false };
    let life = end.duration_since(start).unwrap_or_default();
    let margin = margin.min(life / 2);
    start <= now && now + margin < end
}

fn start_of(parsed: &x509_parser::certificate::X509Certificate<'_>) -> Option<SystemTime> {
    seconds(parsed.validity().not_before.timestamp())
}

fn end_of(certificate: &CertificateDer<'_>) -> Option<SystemTime> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    seconds(parsed.validity().not_after.timestamp())
}

fn seconds(timestamp: i64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(timestamp).ok()?))
}

/// Writes a file that only the owner may read; it is there whole or not at all, also after a power cut.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), TlsError> {
    let fault = |source| TlsError::Write { path: path.to_owned(), source };
    let temporary = path.with_extension("new");
    // a file left by a crash may have other permissions
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fault(error)),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(fault)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(fault)?;
    std::fs::rename(&temporary, path).map_err(fault)?;
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::File::open(directory).and_then(|d| d.sync_all()).map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn now() -> SystemTime {
        // inside the years that X.509's UTCTime can say; no clock is read
        SystemTime::UNIX_EPOCH + DAY * 20_500
    }

    #[test]
    fn the_first_run_makes_everything_and_the_second_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("tls");
        let names = Names::new(["console.example.org", "192.0.2.7", "[2001:db8::1]"]);
        let first = open(&place, &names, now()).unwrap();
        let second = open(&place, &names, now() + DAY).unwrap();
        assert_eq!(first.chain, second.chain);
        assert_eq!(Names::of(&first.chain[0]).unwrap(), names);
        for file in ["ca.pem", "ca.key", "leaf.pem", "leaf.key"] {
            let mode = std::fs::metadata(place.join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        assert_eq!(std::fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn the_leaf_is_renewed_and_the_authority_stays() {
        let directory = tempfile::tempdir().unwrap();
        let names = Names::new([]);
        let first = open(directory.path(), &names, now()).unwrap();
        let kept = open(directory.path(), &names, now() + DAY * (LEAF_DAYS - RENEW_DAYS - 1)).unwrap();
        assert_eq!(first.chain[0], kept.chain[0]);
        let renewed = open(directory.path(), &names, now() + DAY * (LEAF_DAYS - RENEW_DAYS + 1)).unwrap();
        assert_ne!(first.chain[0], renewed.chain[0]);
        assert_eq!(first.chain[1], renewed.chain[1]);
        let more = Names::new(["other.example.org"]);
        let renamed = open(directory.path(), &more, now()).unwrap();
        assert_eq!(Names::of(&renamed.chain[0]).unwrap(), more);
        assert_eq!(first.chain[1], renamed.chain[1]);
    }

    #[test]
    fn near_the_authoritys_end_the_leaf_ends_with_it_and_after_it_all_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let names = Names::new([]);
        let first = open(directory.path(), &names, now()).unwrap();
        let late = now() + DAY * (AUTHORITY_DAYS - 100);
        let short = open(directory.path(), &names, late).unwrap();
        assert_eq!(end_of(&short.chain[0]), end_of(&first.chain[1]));
        assert_eq!(open(directory.path(), &names, late + DAY).unwrap().chain, short.chain);
        let after = open(directory.path(), &names, now() + DAY * (AUTHORITY_DAYS + 1)).unwrap();
        assert_ne!(after.chain[1], first.chain[1]);
    }

    #[test]
    fn damage_to_the_leaf_is_repaired_and_to_the_authority_reported() {
        let directory = tempfile::tempdir().unwrap();
        let names = Names::new([]);
        let first = open(directory.path(), &names, now()).unwrap();
        let files = Files::under(directory.path());
        std::fs::write(&files.leaf_key, "nothing").unwrap();
        let repaired = open(directory.path(), &names, now()).unwrap();
        assert_ne!(first.chain[0], repaired.chain[0]);
        std::fs::remove_file(&files.authority_key).unwrap();
        assert!(matches!(open(directory.path(), &names, now()), Err(TlsError::Read { .. })));
        std::fs::write(&files.authority_key, "nothing").unwrap();
        assert!(matches!(open(directory.path(), &names, now()), Err(TlsError::Content { .. })));
    }
}
