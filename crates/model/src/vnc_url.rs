//! `vnc://[user[:password]@]host[:port]`, `vnc+unix:///path` and `testcard:` as people type them.

use crate::target::Address;
use crate::{Coded, Secret};

/// VNC's first port; numbers under 100 after the colon are displays, as viewers have it.
const BASE_PORT: u16 = 5900;

/// A target as typed.
#[derive(Debug)]
pub struct VncUrl {
    /// Where it listens.
    pub address: Address,
    /// Before the `@`.
    pub username: Option<String>,
    /// After the user's colon; others on the machine may have seen it typed.
    pub password: Option<Secret>,
}

/// What is wrong with an address, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VncUrlError(&'static str);

impl std::fmt::Display for VncUrlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for VncUrlError {}

impl Coded for VncUrlError {
    fn code(&self) -> &'static str {
        "target.address"
    }
}

/// Parses it, or says what is wrong.
pub fn parse(text: &str) -> Result<VncUrl, VncUrlError> {
    if text == "testcard:" || text == "testcard" {
        return Ok(VncUrl { address: Address::TestCard, username: None, password: None });
    }
    if let Some(path) = text.strip_prefix("vnc+unix://") {
        if !path.starts_with('/') {
            return Err(VncUrlError("vnc+unix:// wants an absolute path, as in vnc+unix:///run/vm7.sock"));
        }
        return Ok(VncUrl {
            address: Address::Unix { path: path.to_owned() },
            username: None,
            password: None,
        });
    }
    let Some(rest) = text.strip_prefix("vnc://") else {
        return Err(VncUrlError("write the address as vnc://host:5901 (or vnc+unix:///path)"));
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (user, place) = match rest.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, rest),
    };
    let (username, password) = match user.map(|u| u.split_once(':').map_or((u, None), |(u, p)| (u, Some(p))))
    {
        Some((name, password)) => (decode(name)?, password.map(decode).transpose()?),
        None => (String::new(), None),
    };
    Ok(VncUrl {
        address: place_of(place)?,
        username: (!username.is_empty()).then_some(username),
        password: password.map(Secret::new),
    })
}

/// `host`, `host:port`, `host:display`, `[v6]:port`.
fn place_of(place: &str) -> Result<Address, VncUrlError> {
    let (host, port) = if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(VncUrlError("an IPv6 address ends with ]"))?;
        (host, after.strip_prefix(':'))
    } else {
        match place.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err(VncUrlError("put an IPv6 address in brackets: vnc://[::1]:5900"));
            }
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        }
    };
    let is_host = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if host.is_empty() || !host.chars().all(is_host) {
        return Err(VncUrlError("the part after vnc:// is not a host name or address"));
    }
    let port = match port {
        None => BASE_PORT,
        Some(text) => {
            let number: u16 =
                text.parse().map_err(|_| VncUrlError("the part after the colon is not a port"))?;
            if number < 100 { BASE_PORT + number } else { number }
        }
    };
    Ok(Address::Tcp { host: host.to_owned(), port })
}

/// Percent decoding.
fn decode(text: &str) -> Result<String, VncUrlError> {
    const DIGITS: VncUrlError = VncUrlError("a % in a URL wants two hexadecimal digits after it");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = tail;
            continue;
        }
        let (digits, tail) = tail.split_at_checked(2).ok_or(DIGITS)?;
        let digits = std::str::from_utf8(digits).map_err(|_| DIGITS)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| DIGITS)?);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| VncUrlError("the user name or password is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> String {
        parse(text).unwrap().address.to_string()
    }

    #[test]
    fn addresses_as_people_type_them() {
        assert_eq!(address("vnc://lab-3"), "lab-3:5900");
        assert_eq!(address("vnc://lab-3:1"), "lab-3:5901");
        assert_eq!(address("vnc://10.0.0.7:5907/"), "10.0.0.7:5907");
        assert_eq!(address("vnc://[fe80::1]:5900"), "[fe80::1]:5900");
        assert_eq!(address("vnc+unix:///run/vm.sock"), "unix:/run/vm.sock");
        assert_eq!(address("testcard:"), "testcard");
    }

    #[test]
    fn names_and_passwords_are_percent_decoded_and_not_shown() {
        let url = parse("vnc://ana:p%40ss%3a1@host").unwrap();
        assert_eq!(url.username.as_deref(), Some("ana"));
        assert_eq!(url.password.as_ref().map(Secret::expose), Some("p@ss:1"));
        assert!(!format!("{url:?}").contains("p@ss"));
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (text, word) in [
            ("host:5900", "vnc://"),
            ("vnc://::1", "brackets"),
            ("vnc://", "host name"),
            ("vnc://a b", "host name"),
            ("vnc://host:many", "port"),
            ("vnc+unix://relative", "absolute"),
            ("vnc://a%zz@host", "hexadecimal"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
