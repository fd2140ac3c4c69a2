//! SASL as QEMU and Cyrus SASL speak it, inside TLS with a certificate: outside of it QEMU takes only
//! mechanisms with a security layer of their own.

use crate::support::{certificate, context, endpoint, first_update, with_identity, with_password};
use gateway::dial::{Purpose, dial};
use model::Coded;
use model::target::{Identity, Strength};
use rfb::security_type::Subtype;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use testkit::qemu::Qemu;
use testkit::require;

/// Cyrus SASL's settings for QEMU, and a database of its own with one user.
fn settings(directory: &Path, mechanism: &str) {
    let database = directory.join("sasldb");
    let options = format!(
        "mech_list: {mechanism}\npwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {}\n",
        database.display()
    );
    std::fs::write(directory.join("qemu.conf"), options).unwrap();
    let mut command = Command::new(require("saslpasswd2", "sasl2-bin").unwrap());
    command.args(["-p", "-c", "-f"]).arg(&database).arg("kate").stdin(Stdio::piped());
    let mut process = command.spawn().unwrap();
    process.stdin.take().unwrap().write_all(b"correct").unwrap();
    assert!(process.wait().unwrap().success());
}

#[tokio::test]
async fn qemu_takes_every_mechanism() {
    for mechanism in ["scram-sha-256", "scram-sha-1", "plain"] {
        let directory = tempfile::tempdir().unwrap();
        settings(directory.path(), mechanism);
        let (files, fingerprint) = certificate(directory.path());
        for (from, to) in [
            (&files.authority, "ca-cert.pem"),
            (&files.leaf, "server-cert.pem"),
            (&files.leaf_key, "server-key.pem"),
        ] {
            std::fs::copy(from, directory.path().join(to)).unwrap();
        }
        let tls = format!(
            "tls-creds-x509,id=tls0,dir={},endpoint=server,verify-peer=no",
            directory.path().display()
        );
        let environment = [("SASL_CONF_PATH", directory.path())];
        let server =
            Qemu::start_in("tls-creds=tls0,sasl=on", &["-object", &tls], &environment).await.unwrap();
        let address = server.listen_on_tcp().await.unwrap();

        let target = with_identity(endpoint(address), Identity::Pinned(fingerprint));
        let named = |password: &str, name: &str| {
            let mut target = with_password(target.clone(), password);
            target.credentials.username = Some(name.to_owned());
            target
        };
        let mut dialed = dial(&named("correct", "kate"), &context(), Purpose::Console).await.unwrap();
        first_update(&mut dialed).await;
        assert_eq!(dialed.result.subtype, Some(Subtype::X509_SASL), "{mechanism}");
        assert_eq!(dialed.result.strength, Strength::EncryptedVerified);
        for (password, name) in [("wr0ng", "kate"), ("correct", "nobody")] {
            let refused = dial(&named(password, name), &context(), Purpose::Console).await.unwrap_err();
            assert_eq!(refused.code(), "target.wrong_password", "{mechanism} {name}");
        }
    }
}
