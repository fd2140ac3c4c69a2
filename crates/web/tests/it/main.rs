//! The interface as `api` sees it. Runs with and without a built interface: what holds in both is tested in both.

use web::{Accepted, Encoding};

fn browser() -> Accepted {
    Accepted::from_header("gzip, deflate, br")
}

/// The first hashed file that the document names, where the interface is built.
fn first_script() -> Option<String> {
    let document = web::index(Accepted::NOTHING);
    let text = String::from_utf8(document.bytes.into_owned()).unwrap();
    let start = text.find("/assets/")?;
    let rest = &text[start + 1..];
    Some(rest[..rest.find('"').unwrap()].to_owned())
}

#[test]
fn pages_are_the_document_and_files_are_not() {
    let document = web::index(browser());
    assert_eq!(document.mime, "text/html; charset=utf-8");
    assert_eq!(document.cache_control(), "no-cache");
    for page in ["/", "", "/login", "/console/abcdefghijklmnopqrstuvwxyz234567"] {
        assert_eq!(web::resolve(page, browser()).as_ref(), Some(&document), "{page}");
    }
    for missing in [
        "/assets/gone-12345678.js",
        "/assets/gone",
        "/robots.txt",
        "/../Cargo.toml",
        "/assets/../../Cargo.toml",
    ] {
        assert_eq!(web::resolve(missing, browser()), None, "{missing}");
    }
}

#[test]
fn encoded_copies_have_no_address() {
    assert_eq!(web::resolve("/index.html.br", browser()), None);
    assert_eq!(web::resolve("/index.html.gz", browser()), None);
}

#[test]
fn a_build_without_the_interface_says_what_to_run() {
    if web::is_built() {
        assert!(first_script().is_some());
    } else {
        let text = String::from_utf8(web::index(browser()).bytes.into_owned()).unwrap();
        assert!(text.contains("npm run build"));
    }
}

#[test]
fn hashed_files_are_immutable_and_negotiated() {
    let Some(script) = first_script() else {
        assert!(!web::is_built());
        return;
    };
    let plain = web::asset(&script, Accepted::NOTHING).unwrap();
    let brotli = web::asset(&script, browser()).unwrap();
    let gzip = web::asset(&script, Accepted::from_header("gzip")).unwrap();

    assert_eq!(plain.encoding, None);
    assert_eq!(brotli.encoding, Some(Encoding::Brotli));
    assert_eq!(gzip.encoding, Some(Encoding::Gzip));
    assert!(brotli.bytes.len() < gzip.bytes.len() && gzip.bytes.len() < plain.bytes.len());
    assert!(gzip.bytes.starts_with(&[0x1f, 0x8b]));
    for file in [&plain, &brotli, &gzip] {
        assert!(file.immutable && file.varies);
        assert_eq!(file.mime, plain.mime);
    }
    assert!(plain.etag != brotli.etag && brotli.etag != gzip.etag);
}

#[test]
fn a_known_tag_needs_no_second_sending() {
    let file = web::index(browser());
    assert!(file.is_known_to(&file.etag));
    assert!(file.is_known_to(&format!("\"other\", W/{}", file.etag)));
    assert!(file.is_known_to("*"));
    assert!(!file.is_known_to("\"other\""));
    assert!(!file.is_known_to(""));
}
