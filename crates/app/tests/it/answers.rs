//! How answers travel.

use crate::house::House;
use crate::http;
use anyhow::Result;

#[tokio::test(flavor = "multi_thread")]
async fn long_answers_are_compressed_and_those_with_a_secret_are_not() -> Result<()> {
    let house = House::start_in(tempfile::tempdir()?, &["--demo"]).await?;
    let (cookie, origin) = (house.cookie(), house.origin());
    let headers = [("Accept-Encoding", "gzip"), ("Cookie", cookie), ("Origin", &origin)];
    let long = http::send(house.web, "GET", "/api/openapi.json", &headers, "").await?;
    assert_eq!((long.status, long.header("content-encoding")), (200, Some("gzip")));
    assert!(
        long.header("vary").is_some_and(|vary| vary.to_ascii_lowercase().contains("accept-encoding")),
        "{long:?}"
    );
    let plain = http::send(house.web, "GET", "/api/openapi.json", &[], "").await?;
    assert_eq!(plain.header("content-encoding"), None);
    assert!(long.body.len() * 3 < plain.body.len(), "{} of {}", long.body.len(), plain.body.len());
    let ticket = http::send(house.web, "POST", "/api/vm/1/console/request", &headers, "{}").await?;
    assert_eq!((ticket.status, ticket.header("content-encoding")), (200, None), "{ticket:?}");
    Ok(())
}
