//! A target and what its entry allows: address, credentials' shape, security floor, identity pin.

use crate::Secret;
use crate::egress::Purpose;
use serde::{Deserialize, Serialize};

/// Where a target listens.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// `host:port`; the host may be a name, an IPv4 or a bracketed IPv6 address.
    Tcp {
        /// Name or address, without brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
    /// A Unix socket on this machine.
    Unix {
        /// Absolute path.
        path: String,
    },
    /// The built-in test card.
    TestCard,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
            Address::Unix { path } => write!(f, "unix:{path}"),
            Address::TestCard => f.write_str("testcard"),
        }
    }
}

/// Whose word an address is: of who entered it last. It decides where the address may lead.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// An administrator, or somebody at this machine's command line.
    Administrator,
    /// Anybody else: operators have the targets of their groups.
    Operator,
}

impl Origin {
    /// What a connection to such an address is for, as [`crate::egress`] judges it.
    pub fn purpose(self) -> Purpose {
        match self {
            Origin::Administrator => Purpose::AdministratorsTarget,
            Origin::Operator => Purpose::Target,
        }
    }

    /// The word in the database and in the API.
    pub fn column(self) -> &'static str {
        match self {
            Origin::Administrator => "administrator",
            Origin::Operator => "operator",
        }
    }

    /// The origin of a word that [`Origin::column`] gave.
    pub fn from_column(text: &str) -> Option<Origin> {
        [Origin::Administrator, Origin::Operator].into_iter().find(|origin| origin.column() == text)
    }
}

/// What a target speaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// RFB, over TCP or a Unix socket.
    Vnc,
    /// The built-in test card.
    TestCard,
}

impl Kind {
    /// What is behind an address.
    pub fn of(address: &Address) -> Kind {
        match address {
            Address::Tcp { .. } | Address::Unix { .. } => Kind::Vnc,
            Address::TestCard => Kind::TestCard,
        }
    }

    /// The word in the database and in the API.
    pub fn column(self) -> &'static str {
        match self {
            Kind::Vnc => "vnc",
            Kind::TestCard => "test_card",
        }
    }

    /// The kind of a word that [`Kind::column`] gave.
    pub fn from_column(text: &str) -> Option<Kind> {
        [Kind::Vnc, Kind::TestCard].into_iter().find(|kind| kind.column() == text)
    }
}

/// How strong the way to a target is. Ordered: a later one is stronger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// No authentication at all, in clear.
    #[default]
    Open,
    /// A password is proven, the session is in clear.
    Authenticated,
    /// Encrypted against listeners, the peer's identity is not known.
    EncryptedAnonymous,
    /// Encrypted, and the peer's identity is verified or pinned.
    EncryptedVerified,
}

/// How the identity of a TLS or RA2 target is checked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// The certificate must chain to a known authority and carry the host's name.
    #[default]
    Verify,
    /// SHA-256 of the certificate (DER) or of the RA2 public key must be this, lower-case hex.
    Pinned(String),
    /// The first identity seen is accepted and pinned.
    FirstUse,
}

/// Security settings of a target's entry.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Security {
    /// Ways weaker than this are refused.
    pub floor: Strength,
    /// How a certificate or RA2 key is judged.
    pub identity: Identity,
    /// Whether TLS without any certificate may be used.
    pub anonymous_tls: bool,
    /// Whether a person's console may set the first pin (otherwise only *test connection* does).
    pub pin_on_console: bool,
    /// Strongest security type seen so far; offering less is a downgrade and is refused.
    pub seen: Option<Strength>,
}

/// What the gateway logs in with. Never crosses to the viewer.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// For types that ask for a name: Plain, SASL, RA2, Apple DH, MSLogonII, Tight's Unix login.
    pub username: Option<String>,
    /// For every type but None.
    pub password: Option<Secret>,
}
