//! The gateway's RA2 key: made once, kept in the data directory, shown as a fingerprint beside the
//! certificate's. Viewers remember it, so it must not change.

use crate::tls::TlsError;
use crate::tls::own::write_private;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use rfb::security::ra2::Ra2Key;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Reads the key from a file (PKCS#8 or PKCS#1 in DER), or makes one of 2048 bits there at the first
/// run. Making one takes tens of milliseconds.
pub fn open_ra2_key(path: &Path) -> Result<Arc<Ra2Key>, TlsError> {
    let content = || TlsError::Content { path: path.to_owned(), what: "RSA private key (DER instead)" };
    match std::fs::read(path).map(Zeroizing::new) {
        Ok(der) => Ra2Key::from_der(&der).map(Arc::new).map_err(|_| content()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = generate()?;
            write_private(path, &key.to_der())?;
            Ok(key)
        }
        Err(source) => Err(TlsError::Read { path: path.to_owned(), source }),
    }
}

/// A key of 2048 bits that lives as long as the process: ours towards RA2 targets, which do not
/// recognize us by it.
pub fn generate() -> Result<Arc<Ra2Key>, TlsError> {
    let setup = || TlsError::Setup("the system cannot make an RSA key".into());
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| setup())?;
    let der: Pkcs8V1Der<'static> = pair.as_der().map_err(|_| setup())?;
    Ok(Arc::new(Ra2Key::from_der(der.as_ref()).map_err(|_| setup())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_key_is_made_once_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ra2.key");
        let first = open_ra2_key(&path).unwrap().public().identity();
        assert_eq!(open_ra2_key(&path).unwrap().public().identity(), first);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "nothing").unwrap();
        assert!(matches!(open_ra2_key(&path), Err(TlsError::Content { .. })));
    }
}
