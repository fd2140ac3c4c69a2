//! The files themselves: found, named by their type, tagged by their content.

use crate::{Accepted, File};
use std::borrow::Cow;

// `build.rs` refuses a release without the folder; a debug build may lack it.
#[derive(rust_embed::Embed)]
#[folder = "ui/dist"]
#[allow_missing = true]
struct Dist;

pub(crate) fn find(name: &str, accepted: Accepted) -> Option<File> {
    let mime = mime(name);
    let immutable = name.starts_with("assets/");
    let compressible = is_compressible(name);
    if compressible {
        for encoding in accepted.in_order() {
            if let Some(found) = Dist::get(&format!("{name}{}", encoding.extension())) {
                let etag = tag(&found.metadata.sha256_hash(), encoding.name());
                return Some(File {
                    bytes: found.data,
                    mime,
                    etag,
                    encoding: Some(encoding),
                    varies: true,
                    immutable,
                });
            }
        }
    }
    let found = Dist::get(name)?;
    let etag = tag(&found.metadata.sha256_hash(), "");
    Some(File { bytes: found.data, mime, etag, encoding: None, varies: compressible, immutable })
}

/// The page of a debug build that was made without the interface.
pub(crate) fn not_built() -> File {
    File {
        bytes: Cow::Borrowed(include_bytes!("not_built.html")),
        mime: mime("index.html"),
        etag: "\"not-built\"".to_owned(),
        encoding: None,
        varies: false,
        immutable: false,
    }
}

/// Half of a SHA-256 tells files apart well enough, and a header stays short.
fn tag(hash: &[u8; 32], encoding: &str) -> String {
    let mut tag = String::from("\"");
    for byte in hash.iter().take(16) {
        tag.push_str(&format!("{byte:02x}"));
    }
    if !encoding.is_empty() {
        tag.push('-');
        tag.push_str(encoding);
    }
    tag.push('"');
    tag
}

fn extension(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn is_compressible(name: &str) -> bool {
    matches!(extension(name), "js" | "css" | "html" | "svg" | "txt" | "json" | "webmanifest")
}

/// The types of what a build of the interface holds; with `nosniff` an unknown one is not shown, only saved.
fn mime(name: &str) -> &'static str {
    match extension(name) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        "woff2" => "font/woff2",
        "png" => "image/png",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_fonts_have_the_types_that_nosniff_demands() {
        assert_eq!(mime("assets/index-1.js"), "text/javascript; charset=utf-8");
        assert_eq!(mime("assets/a.woff2"), "font/woff2");
        assert_eq!(mime("index.html"), "text/html; charset=utf-8");
        assert_eq!(mime("no-extension"), "application/octet-stream");
    }

    #[test]
    fn tags_of_encodings_differ() {
        let hash = [0xab; 32];
        assert_eq!(tag(&hash, ""), "\"abababababababababababababababab\"");
        assert_eq!(tag(&hash, "br"), "\"abababababababababababababababab-br\"");
    }
}
