//! [7.2] Security types: what a connection gives, which one to take, and the exchange of each.
//!
//! An [`Exchange`] is the part of a handshake between the choice of a type and the SecurityResult.
//! Types that contain others (VeNCrypt, Tight, TLS) hand over to the inner one by [`Turn::Inner`].

pub(crate) mod apple_dh;
pub(crate) mod choice;
pub(crate) mod job;
pub(crate) mod ms_logon;
pub(crate) mod none;
pub mod ra2;
pub(crate) mod random;
pub(crate) mod sasl;
pub(crate) mod tight;
pub(crate) mod vencrypt;
pub mod vnc_auth;

use crate::handshake::{Claim, HandshakeError, JobOutput, RefusalKind, SecretKind, Step};
use crate::wire::Reader;
use crate::{SecurityType, security_type::Subtype};
use choice::Terms;
use model::Secret;
use model::target::{Credentials, Strength};
use random::Random;

/// The innermost way of proving who one is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Method {
    /// Nothing is proven.
    None,
    /// [7.2.2] DES challenge.
    VncAuth,
    /// VeNCrypt's Plain and Tight's Unix login: name and password as they are.
    Plain,
    /// SASL.
    Sasl,
    /// RA2 and its kin.
    Ra2(ra2::Kind),
    /// Apple's Diffie-Hellman.
    AppleDh,
    /// UltraVNC's Diffie-Hellman.
    MsLogonII,
}

/// What protects the bytes of an exchange already.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Channel {
    /// Nothing.
    Clear,
    /// TLS without a certificate.
    Anonymous,
    /// TLS with a certificate that the shell has judged.
    Verified,
}

/// What an exchange wants.
pub(crate) enum Turn {
    /// The shell does this.
    Step(Step),
    /// Another exchange takes over.
    Inner(Inner),
    /// Client: proven as far as we can; the SecurityResult comes next.
    Over,
    /// Server: the shell must judge this.
    Claim(Claim),
}

/// The exchange that takes over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Inner {
    pub(crate) method: Method,
    pub(crate) channel: Channel,
    pub(crate) subtype: Option<Subtype>,
}

/// What the shell answered.
pub(crate) enum Answer {
    Secret(Credentials),
    Identity(bool),
    TlsStarted,
    RecordsStarted,
    Computed(JobOutput),
}

/// The part of a handshake that belongs to one security type.
pub(crate) trait Exchange: Send {
    /// What happens next without any input.
    fn poll(&mut self) -> Result<Turn, HandshakeError>;

    /// Takes one unit from the peer, or nothing while bytes are missing. Called only after `poll`
    /// answered [`Step::NeedBytes`].
    fn bytes(&mut self, reader: &mut Reader<'_>) -> Result<(), HandshakeError> {
        let _ = reader;
        Err(HandshakeError::Misuse)
    }

    /// Whether the client sent the password in a form that anybody on the channel can read.
    fn in_plaintext(&self) -> bool {
        false
    }

    /// The VeNCrypt subtype that the viewer chose.
    fn subtype(&self) -> Option<Subtype> {
        None
    }

    /// Takes the answer to the last step.
    fn answer(&mut self, answer: Answer) -> Result<(), HandshakeError> {
        let _ = answer;
        Err(HandshakeError::Misuse)
    }
}

/// What client exchanges are made from.
pub(crate) struct Setting<'a> {
    pub(crate) terms: &'a Terms,
    pub(crate) random: &'a mut Random,
    pub(crate) ra2_key: Option<&'a std::sync::Arc<ra2::Ra2Key>>,
}

/// The client's exchange for an outer security type, or `None` for a type that we do not speak.
pub(crate) fn client_outer(outer: SecurityType, setting: &mut Setting<'_>) -> Option<Box<dyn Exchange>> {
    let terms = setting.terms;
    match outer {
        SecurityType::VENCRYPT => Some(Box::new(vencrypt::Client::new(terms.clone()))),
        SecurityType::TLS => Some(Box::new(vencrypt::TlsClient::new(terms.clone()))),
        SecurityType::TIGHT => Some(Box::new(tight::Client::new(terms.clone()))),
        other => {
            let method = Method::of(other)?;
            client_inner(Inner { method, channel: Channel::Clear, subtype: None }, setting)
        }
    }
}

/// The client's exchange for a method inside a channel.
pub(crate) fn client_inner(inner: Inner, setting: &mut Setting<'_>) -> Option<Box<dyn Exchange>> {
    Some(match inner.method {
        Method::None => Box::new(none::None),
        Method::VncAuth => Box::new(vnc_auth::Client::new()),
        Method::Plain => Box::new(vencrypt::PlainClient::new()),
        Method::Sasl => Box::new(sasl::Client::new(setting.terms.clone(), inner.channel, setting.random)),
        Method::Ra2(kind) => {
            Box::new(ra2::client::Client::new(kind, setting.ra2_key.cloned(), setting.random))
        }
        Method::AppleDh => Box::new(apple_dh::Client::new(setting.random)),
        Method::MsLogonII => Box::new(ms_logon::Client::new(setting.random)),
    })
}

impl Method {
    /// The method of a type that contains no other.
    pub(crate) fn of(security_type: SecurityType) -> Option<Method> {
        Some(match security_type {
            SecurityType::NONE => Method::None,
            SecurityType::VNC_AUTH => Method::VncAuth,
            SecurityType::SASL => Method::Sasl,
            SecurityType::RA2 => Method::Ra2(ra2::Kind::Ra2),
            SecurityType::RA2NE => Method::Ra2(ra2::Kind::Ra2ne),
            SecurityType::RA2_256 => Method::Ra2(ra2::Kind::Ra2_256),
            SecurityType::RA2NE_256 => Method::Ra2(ra2::Kind::Ra2ne256),
            SecurityType::APPLE_DH => Method::AppleDh,
            SecurityType::MS_LOGON_II => Method::MsLogonII,
            _ => return None,
        })
    }

    /// The credentials that this method cannot do without.
    pub(crate) fn needs(self) -> Option<SecretKind> {
        match self {
            Method::None => None,
            // An RA2 server tells only later whether it wants a name.
            Method::VncAuth | Method::Ra2(_) => Some(SecretKind::Password),
            Method::Plain | Method::Sasl | Method::AppleDh | Method::MsLogonII => {
                Some(SecretKind::UserAndPassword)
            }
        }
    }

    /// What the session gives once this method is through. `hidden` says whether a listener could
    /// not read a password in clear: TLS around it, or no wire to listen on.
    pub(crate) fn strength(self, channel: Channel, hidden: bool) -> Strength {
        match (channel, self) {
            (Channel::Verified, _) => Strength::EncryptedVerified,
            (_, Method::Ra2(ra2::Kind::Ra2 | ra2::Kind::Ra2_256)) => Strength::EncryptedVerified,
            (Channel::Anonymous, _) => Strength::EncryptedAnonymous,
            (Channel::Clear, Method::None) => Strength::Open,
            (Channel::Clear, Method::Plain) if !hidden => Strength::Open,
            (Channel::Clear, _) => Strength::Authenticated,
        }
    }
}

/// The password, and the name where one is needed, or the refusal that says which is missing.
pub(crate) fn credentials(kind: SecretKind, given: Credentials) -> Result<(String, Secret), HandshakeError> {
    let missing = |what: &str| {
        HandshakeError::refused(
            RefusalKind::Credentials,
            format!("the target asks for a {what}; set one in its entry"),
        )
    };
    let password = given.password.ok_or_else(|| missing("password"))?;
    let name = match (kind, given.username) {
        (SecretKind::UserAndPassword, None) => return Err(missing("user name")),
        (_, name) => name.unwrap_or_default(),
    };
    Ok((name, password))
}

/// Refuses a name or password that does not fit the field of its type.
pub(crate) fn fits(text: &str, most: usize, what: &str) -> Result<(), HandshakeError> {
    if text.len() > most {
        let reason = format!("the {what} is over the {most} bytes that this security type can carry");
        return Err(HandshakeError::refused(RefusalKind::Credentials, reason));
    }
    Ok(())
}
