//! The way to a PostgreSQL server by TLS: verified or refused.

use model::Coded;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::Path;
use store::{DatabaseUrl, Store};
use testkit::pg;

/// An authority, written to a file, that can certify names.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    fn write(&self, path: &Path) {
        std::fs::write(path, self.issuer.pem()).unwrap();
    }

    fn certify(&self, name: &str, directory: &Path) {
        let key = KeyPair::generate().unwrap();
        let leaf =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        for (file, text) in [("server.crt", leaf.pem()), ("server.key", key.serialize_pem())] {
            let path = directory.join(file);
            std::fs::write(&path, text).unwrap();
            pg::give(&path).unwrap();
        }
    }
}

/// A server that also listens on the loopback interface, and its port. PostgreSQL cannot be asked to choose one, so a
/// port that somebody took in between means another try.
fn listening(settings: &[&str], prepare: impl Fn(&Path)) -> (pg::Server, u16) {
    for _ in 0..5 {
        let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = probe.local_addr().unwrap().port();
        drop(probe);
        let port_setting = format!("port={port}");
        let mut all = vec!["listen_addresses=127.0.0.1", &port_setting];
        all.extend(settings);
        let started = pg::Server::start_prepared(&all, |data| {
            prepare(data);
            Ok(())
        });
        match started {
            Ok(server) => return (server, port),
            Err(error) => eprintln!("port {port}: {error:#}"),
        }
    }
    panic!("no port found")
}

async fn open(port: u16, query: &str) -> Result<(), &'static str> {
    let url: DatabaseUrl = format!("postgres://gatehouse@127.0.0.1:{port}/postgres?{query}").parse().unwrap();
    let store = Store::open(&url, crate::house::patient()).await.map_err(|e| e.code())?;
    store.ping().await.unwrap();
    store.close().await;
    Ok(())
}

#[tokio::test]
async fn certificates_are_verified_against_authority_and_name() {
    let directory = tempfile::tempdir().unwrap();
    let (ours, other) = (directory.path().join("ours.pem"), directory.path().join("other.pem"));
    let authority = Authority::new();
    authority.write(&ours);
    Authority::new().write(&other);
    let verify = |authority: &Path| format!("sslmode=verify-full&sslrootcert={}", authority.display());

    let (right, port) = listening(&["ssl=on"], |data| authority.certify("127.0.0.1", data));
    assert_eq!(open(port, &verify(&ours)).await, Ok(()));
    assert_eq!(open(port, &verify(&other)).await, Err("store.tls"));
    assert_eq!(open(port, "sslmode=verify-full").await, Err("store.tls"));
    drop(right);

    let (misnamed, port) = listening(&["ssl=on"], |data| authority.certify("db.example", data));
    assert_eq!(open(port, &verify(&ours)).await, Err("store.tls"));
    drop(misnamed);

    let (_clear, port) = listening(&[], |_| {});
    assert_eq!(open(port, &verify(&ours)).await, Err("store.tls"));
    // On the loopback interface the URL may choose a clear way.
    assert_eq!(open(port, "sslmode=disable").await, Ok(()));
}
