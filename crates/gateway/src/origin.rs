//! Which `Host` a request may name and which page (`Origin`) may have sent it.
//!
//! A browser sends a person's cookie wherever a page asks it to, and a rebinding name server makes any
//! name point here. So a request must name a host that this gateway is known by, and a page must come
//! from one. The page's origin is compared with the configured list, never with `Host`: an attacker
//! who controls one of them may control both.

use model::Coded;
use std::net::IpAddr;

/// A host as it is compared: an address, or a lower-case name without a trailing dot.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Name {
    Address(IpAddr),
    Dns(String),
}

/// `host[:port]`, taken apart and brought into one spelling.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Authority {
    name: Name,
    port: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// One place that this gateway is known by.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Place {
    /// Fixed where the entry was a URL.
    scheme: Option<Scheme>,
    authority: Authority,
}

/// Why an entry of the configuration cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{entry:?} is neither a host, host:port nor an http(s) URL; write for example console.example.org")]
pub struct PlaceError {
    /// The entry as configured.
    pub entry: String,
}

/// Why a request is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// `Host` is missing, unreadable or unknown.
    #[error("this gateway is not known by that host name; add it to external_url or allowed_hosts")]
    Host,
    /// The page that sent the request is not ours.
    #[error("the request comes from a page of another site; open the console from the gateway's own address")]
    Origin,
}

impl Coded for OriginError {
    fn code(&self) -> &'static str {
        match self {
            OriginError::Host => "request.host",
            OriginError::Origin => "request.origin",
        }
    }
}

/// Where a request comes from, once it is not refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sender {
    /// A page of ours.
    OwnPage,
    /// A page of another site that the configuration allows: it shows what it was given, never a cookie.
    AllowedPage,
    /// No page: a program. Nothing that a browser attaches by itself may count.
    Program,
}

/// What a request proves itself with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// A cookie: the browser attaches it, whoever asks.
    Cookie,
    /// An `Authorization` header.
    Bearer,
    /// A console's token in the path.
    ConsoleToken,
}

impl Sender {
    /// Whether this proof may be looked at.
    pub fn may_use(self, proof: Proof) -> bool {
        match self {
            Sender::OwnPage => true,
            Sender::AllowedPage | Sender::Program => matches!(proof, Proof::Bearer | Proof::ConsoleToken),
        }
    }
}

/// The places that this gateway is known by.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Places {
    configured: Vec<Place>,
    listening: Vec<u16>,
    allowed: Vec<(Scheme, Authority)>,
}

impl Places {
    /// `external_url` and every configured host; `listening` are the ports of our own web listeners,
    /// on which pages of loopback names and of entries without a port may be ours.
    pub fn new(
        external_url: Option<&str>,
        configured: &[String],
        listening: &[u16],
    ) -> Result<Self, PlaceError> {
        let entries = external_url.into_iter().chain(configured.iter().map(String::as_str));
        let configured = entries
            .map(|entry| parse_place(entry.trim()).ok_or_else(|| PlaceError { entry: entry.to_owned() }))
            .collect::<Result<_, _>>()?;
        Ok(Places { configured, listening: listening.to_vec(), allowed: Vec::new() })
    }

    /// Lets pages of these origins in as well, by tokens that they show and never by a cookie.
    ///
    /// # Errors
    /// The first entry that is no origin (`https://portal.example.org`).
    pub fn allowing(mut self, origins: &[String]) -> Result<Self, PlaceError> {
        let parse = |entry: &String| parse_origin(entry.trim().trim_end_matches('/'));
        self.allowed = origins
            .iter()
            .map(|entry| parse(entry).ok_or_else(|| PlaceError { entry: entry.clone() }))
            .collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// Judges the `Host` header (or `X-Forwarded-Host` of a trusted proxy): loopback on any port, so
    /// that a forwarded port works, or a configured place.
    pub fn check_host(&self, host: Option<&str>) -> Result<(), OriginError> {
        let host = host.and_then(parse_authority).ok_or(OriginError::Host)?;
        let known = host.name.is_loopback() || self.configured.iter().any(|place| place.matches_host(&host));
        if known { Ok(()) } else { Err(OriginError::Host) }
    }

    /// Judges the `Origin` header. `secure` is whether the request itself came by TLS (or a trusted
    /// proxy says so): it decides for entries that name no scheme.
    pub fn check_origin(&self, origin: Option<&str>, secure: bool) -> Result<Sender, OriginError> {
        let Some(origin) = origin else { return Ok(Sender::Program) };
        let (scheme, authority) = parse_origin(origin).ok_or(OriginError::Origin)?;
        let port = authority.port.unwrap_or(scheme.default_port());
        let same_scheme = (scheme == Scheme::Https) == secure;
        let own_loopback = authority.name.is_loopback() && same_scheme && self.listening.contains(&port);
        let configured = self.configured.iter().any(|place| {
            place.authority.name == authority.name
                && place.scheme.map_or(same_scheme, |wanted| wanted == scheme)
                && self.port_matches(place, scheme, port)
        });
        let is_allowed = || {
            self.allowed.iter().any(|(wanted, place)| {
                *wanted == scheme
                    && place.name == authority.name
                    && place.port.unwrap_or(wanted.default_port()) == port
            })
        };
        if own_loopback || configured {
            Ok(Sender::OwnPage)
        } else if is_allowed() {
            Ok(Sender::AllowedPage)
        } else {
            Err(OriginError::Origin)
        }
    }

    fn port_matches(&self, place: &Place, scheme: Scheme, port: u16) -> bool {
        match (place.authority.port, place.scheme) {
            (Some(wanted), _) => wanted == port,
            (None, Some(_)) => port == scheme.default_port(),
            (None, None) => port == scheme.default_port() || self.listening.contains(&port),
        }
    }
}

impl Place {
    fn matches_host(&self, host: &Authority) -> bool {
        if self.authority.name != host.name {
            return false;
        }
        match (self.authority.port, self.scheme, host.port) {
            (Some(wanted), Some(scheme), given) => wanted == given.unwrap_or(scheme.default_port()),
            (Some(wanted), None, Some(given)) => wanted == given,
            (Some(wanted), None, None) => wanted == 80 || wanted == 443,
            (None, Some(scheme), given) => given.is_none_or(|port| port == scheme.default_port()),
            (None, None, _) => true,
        }
    }
}

impl Name {
    fn is_loopback(&self) -> bool {
        match self {
            Name::Address(address) => address.is_loopback(),
            Name::Dns(name) => name == "localhost",
        }
    }
}

fn parse_place(entry: &str) -> Option<Place> {
    if entry.contains("://") {
        let (scheme, rest) = split_scheme(entry)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority = parse_authority(rest.get(..end)?)?;
        return Some(Place { scheme: Some(scheme), authority });
    }
    Some(Place { scheme: None, authority: parse_authority(entry)? })
}

/// [RFC 6454, 6.2] `scheme://host[:port]`, nothing after it. `null` is nobody's page.
fn parse_origin(origin: &str) -> Option<(Scheme, Authority)> {
    let (scheme, rest) = split_scheme(origin)?;
    Some((scheme, parse_authority(rest)?))
}

fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    if scheme.eq_ignore_ascii_case("https") {
        Some((Scheme::Https, rest))
    } else if scheme.eq_ignore_ascii_case("http") {
        Some((Scheme::Http, rest))
    } else {
        None
    }
}

/// [RFC 3986, 3.2] without user information.
fn parse_authority(text: &str) -> Option<Authority> {
    if let Some(rest) = text.strip_prefix('[') {
        let (inside, after) = rest.split_once(']')?;
        let address: std::net::Ipv6Addr = inside.parse().ok()?;
        let name = Name::Address(IpAddr::V6(address).to_canonical());
        let port = match after {
            "" => None,
            after => Some(parse_port(after.strip_prefix(':')?)?),
        };
        return Some(Authority { name, port });
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(parse_port(port)?)),
        None => (text, None),
    };
    Some(Authority { name: parse_name(host)?, port })
}

fn parse_port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn parse_name(text: &str) -> Option<Name> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if let Ok(address) = text.parse::<std::net::Ipv4Addr>() {
        return Some(Name::Address(address.into()));
    }
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.';
    // browsers read all-number forms ("127.1", "0x7f000001") as addresses; nobody is called so
    let last_label = text.rsplit('.').next()?;
    let is_name = !text.is_empty()
        && text.len() <= 253
        && text.bytes().all(legal)
        && !text.split('.').any(str::is_empty)
        && last_label.bytes().any(|b| b.is_ascii_alphabetic())
        && !last_label.starts_with("0x");
    is_name.then(|| Name::Dns(text.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        Places::new(
            Some("https://console.example.org/gate/"),
            &["intern.example.org".to_owned(), "10.1.2.3:8443".to_owned(), "[2001:db8::5]".to_owned()],
            &[8443],
        )
        .unwrap()
    }

    #[test]
    fn hosts() {
        let table = [
            ("localhost", true),
            ("LOCALHOST:9000", true),
            ("localhost.", true),
            ("127.0.0.1:8443", true),
            ("127.9.9.9", true),
            ("[::1]:8443", true),
            ("[::ffff:127.0.0.1]", true),
            ("console.example.org", true),
            ("Console.Example.ORG.", true),
            ("console.example.org:443", true),
            ("console.example.org:8443", false),
            ("intern.example.org:1234", true),
            ("10.1.2.3:8443", true),
            ("10.1.2.3", false),
            ("10.1.2.3:8444", false),
            ("[2001:db8::5]:8443", true),
            ("[2001:DB8:0::5]", true),
            ("2001:db8::5", false),
            ("localhost.evil.example", false),
            ("evil.example", false),
            ("notconsole.example.org", false),
            ("console.example.org.evil.example", false),
            ("user@localhost", false),
            ("localhost:", false),
            ("localhost:port", false),
            ("localhost:99999", false),
            ("", false),
            (".", false),
            ("localhost..", false),
            ("[::1", false),
            ("[::1]x", false),
            ("127.1", false),
            ("0x7f000001", false),
            ("local host", false),
            ("xn--cnsole-9ta.example.org", false),
            ("cönsole.example.org", false),
        ];
        for (host, allowed) in table {
            assert_eq!(places().check_host(Some(host)).is_ok(), allowed, "{host:?}");
        }
        assert_eq!(places().check_host(None), Err(OriginError::Host));
    }

    #[test]
    fn origins() {
        // origin, did the request come by TLS, is it ours
        let table = [
            ("https://console.example.org", true, true),
            ("HTTPS://Console.Example.Org", true, true),
            ("https://console.example.org:443", true, true),
            ("https://console.example.org", false, true),
            ("http://console.example.org", false, false),
            ("https://console.example.org:8443", true, false),
            ("https://console.example.org.", true, true),
            ("https://console.example.org/", true, false),
            ("https://localhost:8443", true, true),
            ("http://localhost:8443", false, true),
            ("http://localhost:8443", true, false),
            ("https://localhost:3000", true, false),
            ("https://localhost", true, false),
            ("https://[::1]:8443", true, true),
            ("https://127.0.0.1:8443", true, true),
            ("https://intern.example.org", true, true),
            ("https://intern.example.org:8443", true, true),
            ("https://intern.example.org:9", true, false),
            ("http://intern.example.org", true, false),
            ("https://10.1.2.3:8443", true, true),
            ("https://[2001:db8::5]:8443", true, true),
            ("https://[2001:db8::6]:8443", true, false),
            ("null", true, false),
            ("", true, false),
            ("https://evil.example", true, false),
            ("https://console.example.org.evil.example", true, false),
            ("https://user@console.example.org", true, false),
            ("file://", true, false),
            ("chrome-extension://abc", true, false),
            ("console.example.org", true, false),
        ];
        for (origin, secure, ours) in table {
            let expected = if ours { Ok(Sender::OwnPage) } else { Err(OriginError::Origin) };
            assert_eq!(places().check_origin(Some(origin), secure), expected, "{origin:?} secure={secure}");
        }
    }

    #[test]
    fn without_an_origin_a_cookie_does_not_count() {
        let sender = places().check_origin(None, true).unwrap();
        assert_eq!(sender, Sender::Program);
        let allowed = [Proof::Cookie, Proof::Bearer, Proof::ConsoleToken].map(|proof| sender.may_use(proof));
        assert_eq!(allowed, [false, true, true]);
        assert!(Sender::OwnPage.may_use(Proof::Cookie));
    }

    #[test]
    fn an_allowed_page_shows_tokens_and_never_a_cookie() {
        let allowed = ["https://portal.example.com/".to_owned(), "http://10.0.0.9:3000".to_owned()];
        let places = places().allowing(&allowed).unwrap();
        for (origin, is_allowed) in [
            ("https://portal.example.com", true),
            ("https://portal.example.com:443", true),
            ("HTTPS://Portal.Example.com", true),
            ("http://portal.example.com", false),
            ("https://portal.example.com:8443", false),
            ("https://x.portal.example.com", false),
            ("http://10.0.0.9:3000", true),
            ("http://10.0.0.9", false),
        ] {
            let sender = places.check_origin(Some(origin), true);
            assert_eq!(sender == Ok(Sender::AllowedPage), is_allowed, "{origin}");
        }
        let proofs = [Proof::Cookie, Proof::Bearer, Proof::ConsoleToken];
        assert_eq!(proofs.map(|proof| Sender::AllowedPage.may_use(proof)), [false, true, true]);
        assert_eq!(places.check_origin(Some("https://console.example.org"), true), Ok(Sender::OwnPage));
        assert!(Places::default().allowing(&["portal.example.com".to_owned()]).is_err());
    }

    #[test]
    fn a_wrong_entry_is_named() {
        for wrong in ["", "https://", "ftp://console.example.org", "a b", "user@host", "*.example.org"] {
            let error = Places::new(None, &[wrong.to_owned()], &[]).unwrap_err();
            assert_eq!(error.entry, wrong);
        }
    }
}
