//! PROXY headers of both versions, from a proxy that lies or from somebody who is none.
//!
//! Input: what a connection begins with.

use gateway::proxy_protocol::{MAX_LENGTH, Proxied, ProxyProtocolError, parse};

/// See the module's text.
pub fn proxy_protocol(data: &[u8]) {
    let whole = parse(data);
    // A shell shows one byte more each time, and believes the first answer.
    let grown = (0..=data.len()).find_map(|end| answer(data.get(..end).unwrap_or(data)));
    assert_eq!(grown, answer(data), "the answer depends on the pieces");
    match whole {
        Ok(None) => assert!(data.len() < MAX_LENGTH, "a shell would wait for ever"),
        Ok(Some((_, length))) => {
            assert!(length <= MAX_LENGTH && length <= data.len());
            let exactly = data.get(..length).unwrap_or_default();
            assert_eq!(parse(exactly), whole, "bytes behind the header change it");
        }
        Err(_) => {}
    }
}

fn answer(bytes: &[u8]) -> Option<Result<(Proxied, usize), ProxyProtocolError>> {
    parse(bytes).transpose()
}
