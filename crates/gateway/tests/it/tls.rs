//! Certificates in use: who verifies them, what a reload changes, which versions are spoken.

use crate::support::certificate;
use gateway::tls::{Certificates, Fingerprint, Names, Source, TargetTrust, TlsError, own, server};
use model::target::Identity;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use testkit::process::{Program, require};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Accepts forever, echoes.
async fn serve(config: Arc<rustls::ServerConfig>) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&config));
            tokio::spawn(async move {
                let Ok(tls) = acceptor.accept(stream).await else { return };
                let (mut read, mut write) = tokio::io::split(tls);
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    address
}

/// Connects with first use, so that whatever certificate is shown can be looked at.
async fn connect(address: std::net::SocketAddr) -> (TlsStream<TcpStream>, Fingerprint) {
    let trust = TargetTrust::new(None).unwrap();
    let (config, verdict) = trust.judge(&Identity::FirstUse, true).unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(config);
    let tls = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    (tls, verdict.judged().unwrap().found)
}

async fn echoes(tls: &mut TlsStream<TcpStream>) {
    tls.write_all(b"hello").await.unwrap();
    let mut back = [0; 5];
    tls.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"hello");
}

fn copy(files: &own::Files, to: &Path) -> Source {
    let (certificate, key) = (to.join("cert.pem"), to.join("key.pem"));
    std::fs::copy(&files.leaf, &certificate).unwrap();
    std::fs::copy(&files.leaf_key, &key).unwrap();
    Source::Files { certificate, key }
}

fn openssl() -> Program {
    Program::new(require("openssl", "openssl").unwrap())
}

#[tokio::test]
async fn the_own_certificate_verifies_for_openssl_by_name_and_address() {
    let directory = tempfile::tempdir().unwrap();
    let names = Names::new(["console.example.org"]);
    let source = Source::Own { directory: directory.path().to_owned(), names };
    let certificates = Certificates::open(source, SystemTime::now()).unwrap();
    let authority = certificates.authority_file().unwrap();
    let leaf = own::Files::under(directory.path()).leaf;
    for check in
        [["-verify_hostname", "console.example.org"], ["-verify_ip", "127.0.0.1"], ["-verify_ip", "::1"]]
    {
        let verify = openssl().args(["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"]);
        verify.arg(&authority).args(check).arg(&leaf).run().await.unwrap();
    }
    let shown = openssl().args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(&leaf).run().await;
    let fingerprint = certificates.leaf_fingerprint().unwrap().to_string();
    assert!(shown.unwrap().ends_with(&fingerprint));
    assert_ne!(certificates.authority_fingerprint(), certificates.leaf_fingerprint());
}

#[tokio::test]
async fn changed_files_are_taken_over_and_sessions_go_on() {
    let (first, second, place) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first_files, first_print) = certificate(first.path());
    let (second_files, second_print) = certificate(second.path());
    let source = copy(&first_files, place.path());
    let now = SystemTime::now();
    let certificates = Certificates::open(source, now).unwrap();
    let address = serve(server::web(&certificates).unwrap()).await;
    let (mut session, found) = connect(address).await;
    assert_eq!(found.to_hex(), first_print);
    echoes(&mut session).await;
    assert!(!certificates.reload_if_changed(now).unwrap(), "nothing changed");

    // half of a pair: refused, the old one stays, and it is said once
    let (certificate_path, key_path) = (place.path().join("cert.pem"), place.path().join("key.pem"));
    replace(&second_files.leaf, &certificate_path);
    assert!(matches!(certificates.reload_if_changed(now), Err(TlsError::Key { .. })));
    assert!(!certificates.reload_if_changed(now).unwrap());
    assert_eq!(connect(address).await.1.to_hex(), first_print);

    replace(&second_files.leaf_key, &key_path);
    assert!(certificates.reload_if_changed(now).unwrap());
    assert_eq!(connect(address).await.1.to_hex(), second_print);
    assert_eq!(certificates.leaf_fingerprint().unwrap().to_hex(), second_print);
    echoes(&mut session).await;
}

/// As deployment tools do it; the modification time differs even where the clock is coarse.
fn replace(from: &Path, to: &PathBuf) {
    std::fs::copy(from, to).unwrap();
    let file = std::fs::File::options().write(true).open(to).unwrap();
    let changed = file.metadata().unwrap().modified().unwrap() + Duration::from_secs(1);
    file.set_modified(changed).unwrap();
}

#[tokio::test]
async fn the_own_leaf_is_renewed_under_a_running_listener() {
    let directory = tempfile::tempdir().unwrap();
    let source = Source::Own { directory: directory.path().to_owned(), names: Names::new([]) };
    let now = SystemTime::now();
    let certificates = Certificates::open(source, now).unwrap();
    let address = serve(server::native(&certificates).unwrap()).await;
    let (mut session, before) = connect(address).await;
    assert!(!certificates.reload_if_changed(now).unwrap());
    let authority = certificates.authority_fingerprint();
    assert!(certificates.reload_if_changed(now + Duration::from_secs(380 * 86_400)).unwrap());
    let (_, after) = connect(address).await;
    assert_ne!(before, after);
    assert_eq!(certificates.authority_fingerprint(), authority);
    echoes(&mut session).await;
}

#[tokio::test]
async fn web_speaks_tls_1_3_only_and_native_listeners_1_2_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let source = Source::Own { directory: directory.path().to_owned(), names: Names::new([]) };
    let certificates = Certificates::open(source, SystemTime::now()).unwrap();
    let web = serve(server::web(&certificates).unwrap()).await;
    let native = serve(server::native(&certificates).unwrap()).await;
    for (address, version, accepted) in [
        (web, "-tls1_3", true),
        (web, "-tls1_2", false),
        (native, "-tls1_3", true),
        (native, "-tls1_2", true),
        (native, "-tls1_1", false),
    ] {
        let probe = openssl().args(["s_client", "-connect", &address.to_string(), version]);
        let outcome = probe.args(["-cipher", "DEFAULT:@SECLEVEL=0"]).run().await;
        assert_eq!(outcome.is_ok(), accepted, "{version}: {outcome:?}");
    }
    let probe =
        openssl().args(["s_client", "-connect", &web.to_string(), "-alpn", "h2,http/1.1"]).run().await;
    assert!(probe.unwrap().contains("ALPN protocol: http/1.1"));
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let (files, _) = certificate(directory.path());
    let missing = directory.path().join("missing.pem");
    let open = |certificate: &Path, key: &Path| {
        let source = Source::Files { certificate: certificate.to_owned(), key: key.to_owned() };
        Certificates::open(source, SystemTime::now()).unwrap_err().to_string()
    };
    assert!(open(&missing, &files.leaf_key).contains("missing.pem"));
    assert!(open(&files.leaf_key, &files.leaf_key).contains("no usable certificate"));
    assert!(open(&files.leaf, &files.leaf).contains("no usable private key"));
    assert!(TargetTrust::new(Some(&missing)).is_err());
    assert!(TargetTrust::new(None).unwrap().judge(&Identity::Pinned("nonsense".into()), false).is_err());
}
