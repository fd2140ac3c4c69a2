//! Runs the committed corpus through every target: what was once found, or is known to reach far, stays
//! checked in every `cargo test`.

use std::path::Path;

#[track_caller]
fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 3, "{} has no corpus", folder.display());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let result = std::panic::catch_unwind(|| target(&bytes));
        assert!(result.is_ok(), "{} fails on {}", name, file.display());
        // Beginnings reach states that whole inputs pass through.
        for part in 1..4 {
            target(&bytes[..bytes.len() * part / 4]);
        }
    }
}

#[test]
fn observer() {
    replay("observer", fuzz::observer);
}

#[test]
fn decoders() {
    replay("decoders", fuzz::decoders);
}

#[test]
fn client_handshake() {
    replay("client_handshake", fuzz::client_handshake);
}

#[test]
fn server_handshake() {
    replay("server_handshake", fuzz::server_handshake);
}

#[test]
fn capture() {
    replay("capture", fuzz::capture);
}

#[test]
fn trace() {
    replay("trace", fuzz::trace);
}

#[cfg(feature = "gateway")]
#[test]
fn proxy_protocol() {
    replay("proxy_protocol", fuzz::proxy_protocol);
}

#[cfg(feature = "gateway")]
#[test]
fn websocket() {
    replay("websocket", fuzz::websocket);
}
