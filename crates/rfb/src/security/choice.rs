//! Which of the offered types to take: the strongest that the target's entry allows.
//!
//! Types that contain others are judged by the best they could contain; what is really inside is
//! judged again when it is known, and a dead end answers `Retry` where another type could do.

use super::{Channel, Inner, Method};
use crate::SecurityType;
use crate::handshake::{HandshakeError, RefusalKind, SecretKind};
use crate::security_type::Subtype;
use model::target::{Security, Strength};

/// What the target's entry allows and has.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) security: Security,
    /// No wire between us: loopback or a Unix socket.
    pub(crate) local: bool,
    pub(crate) username: bool,
    pub(crate) password: bool,
    pub(crate) avoid: Vec<SecurityType>,
    /// The outer type, once chosen, if another one could be tried instead.
    pub(crate) retry: Option<SecurityType>,
}

/// Something that could be taken.
struct Candidate<T> {
    what: T,
    strength: Strength,
    needs: Option<SecretKind>,
    anonymous: bool,
}

/// Outer types, the preferred one of equal strength first. Types for a person's account come before
/// VncAuth: they are candidates only where the entry has a user name.
const OUTER: &[SecurityType] = &[
    SecurityType::VENCRYPT,
    SecurityType::RA2_256,
    SecurityType::RA2,
    SecurityType::TLS,
    SecurityType::RA2NE_256,
    SecurityType::RA2NE,
    SecurityType::APPLE_DH,
    SecurityType::SASL,
    SecurityType::MS_LOGON_II,
    SecurityType::VNC_AUTH,
    SecurityType::TIGHT,
    SecurityType::NONE,
];

/// VeNCrypt subtypes, the preferred one of equal strength first. An unknown peer gets a plain
/// password last.
const SUBTYPES: &[(Subtype, Method, Channel)] = &[
    (Subtype::X509_PLAIN, Method::Plain, Channel::Verified),
    (Subtype::X509_SASL, Method::Sasl, Channel::Verified),
    (Subtype::X509_VNC, Method::VncAuth, Channel::Verified),
    (Subtype::X509_NONE, Method::None, Channel::Verified),
    (Subtype::TLS_SASL, Method::Sasl, Channel::Anonymous),
    (Subtype::TLS_PLAIN, Method::Plain, Channel::Anonymous),
    (Subtype::TLS_VNC, Method::VncAuth, Channel::Anonymous),
    (Subtype::TLS_NONE, Method::None, Channel::Anonymous),
    (Subtype::PLAIN, Method::Plain, Channel::Clear),
];

/// Methods inside type 18 and inside Tight, the preferred one first.
const INNER: &[Method] = &[Method::AppleDh, Method::Sasl, Method::Plain, Method::VncAuth, Method::None];

impl Terms {
    /// Whether a password may go out as it is.
    pub(crate) fn allows_plaintext(&self, channel: Channel) -> bool {
        channel != Channel::Clear || self.local || self.needed() == Strength::Open
    }

    /// The outer type to take. Remembers whether another one could be tried.
    pub(crate) fn choose_outer(&mut self, offered: &[SecurityType]) -> Result<SecurityType, HandshakeError> {
        let wanted = |t: &&SecurityType| offered.contains(t) && !self.avoid.contains(t);
        let candidates: Vec<_> =
            OUTER.iter().filter(wanted).filter_map(|t| self.outer_candidate(*t)).collect();
        let names = offered.iter().map(|t| format!("{t:?}"));
        let chosen = self.best(&candidates, names)?;
        let needed = self.needed();
        let another = candidates.iter().any(|c| c.what != chosen && self.usable(c) && c.strength >= needed);
        self.retry = another.then_some(chosen);
        Ok(chosen)
    }

    /// The VeNCrypt subtype to take.
    pub(crate) fn choose_subtype(&self, offered: &[Subtype]) -> Result<Inner, HandshakeError> {
        let candidates: Vec<_> = SUBTYPES
            .iter()
            .filter(|(subtype, ..)| offered.contains(subtype))
            .map(|(subtype, method, channel)| {
                self.candidate(Inner { method: *method, channel: *channel, subtype: Some(*subtype) })
            })
            .collect();
        let names = offered.iter().map(|s| format!("{s:?}"));
        self.best(&candidates, names).map_err(|e| self.dead_end(e))
    }

    /// The method to take of a list inside type 18 or Tight.
    pub(crate) fn choose_inner(&self, offered: &[Method], channel: Channel) -> Result<Inner, HandshakeError> {
        let candidates: Vec<_> = INNER
            .iter()
            .filter(|method| offered.contains(method))
            .map(|method| self.candidate(Inner { method: *method, channel, subtype: None }))
            .collect();
        let names = offered.iter().map(|m| format!("{m:?}"));
        self.best(&candidates, names).map_err(|e| self.dead_end(e))
    }

    /// Turns a refusal of what is inside a type into *try again*, where another type could do.
    pub(crate) fn dead_end(&self, error: HandshakeError) -> HandshakeError {
        match self.retry {
            Some(avoid) => HandshakeError::Retry { avoid },
            None => error,
        }
    }

    fn needed(&self) -> Strength {
        self.security.floor.max(self.security.seen.unwrap_or_default())
    }

    fn outer_candidate(&self, outer: SecurityType) -> Option<Candidate<SecurityType>> {
        let (strength, needs, anonymous) = match outer {
            SecurityType::VENCRYPT => (Strength::EncryptedVerified, None, false),
            SecurityType::TLS => (Strength::EncryptedAnonymous, None, true),
            SecurityType::TIGHT if self.password => (Strength::Authenticated, None, false),
            SecurityType::TIGHT => (Strength::Open, None, false),
            other => {
                let method = Method::of(other)?;
                (method.strength(Channel::Clear, self.local), method.needs(), false)
            }
        };
        Some(Candidate { what: outer, strength, needs, anonymous })
    }

    fn candidate(&self, inner: Inner) -> Candidate<Inner> {
        Candidate {
            what: inner,
            strength: inner.method.strength(inner.channel, self.local),
            needs: inner.method.needs(),
            anonymous: inner.channel == Channel::Anonymous,
        }
    }

    fn has(&self, needs: Option<SecretKind>) -> bool {
        match needs {
            None => true,
            Some(SecretKind::Password) => self.password,
            Some(SecretKind::UserAndPassword) => self.username && self.password,
        }
    }

    fn usable<T>(&self, candidate: &Candidate<T>) -> bool {
        self.has(candidate.needs) && (!candidate.anonymous || self.security.anonymous_tls)
    }

    /// The strongest usable candidate; the earlier one of equals.
    fn best<T: Copy>(
        &self,
        candidates: &[Candidate<T>],
        names: impl Iterator<Item = String>,
    ) -> Result<T, HandshakeError> {
        let usable = candidates.iter().filter(|c| self.usable(c));
        let best = usable.reduce(|best, c| if c.strength > best.strength { c } else { best });
        let needed = self.needed();
        match best {
            Some(best) if best.strength >= needed => Ok(best.what),
            weak => Err(self.refuse(weak.map(|c| c.strength), candidates, names)),
        }
    }

    fn refuse<T>(
        &self,
        best: Option<Strength>,
        candidates: &[Candidate<T>],
        names: impl Iterator<Item = String>,
    ) -> HandshakeError {
        let would_do = |c: &&Candidate<T>| c.strength >= self.needed();
        if candidates.iter().filter(would_do).any(|c| !self.has(c.needs)) {
            let reason = "the target asks for a user name or password that its entry does not have";
            return HandshakeError::refused(RefusalKind::Credentials, reason);
        }
        if candidates.iter().filter(would_do).any(|c| c.anonymous && !self.security.anonymous_tls) {
            let reason = "the target offers TLS without a certificate only; allow that in its entry, or set up a certificate there";
            return HandshakeError::refused(RefusalKind::BelowFloor, reason);
        }
        let list = names.take(16).collect::<Vec<_>>().join(", ");
        match best {
            None => HandshakeError::refused(RefusalKind::NoCommonType, format!("the target offers {list}")),
            Some(best) if best < self.security.floor => HandshakeError::refused(
                RefusalKind::BelowFloor,
                format!(
                    "the target offers {list}, which gives {best:?}; its entry asks for {:?}",
                    self.security.floor
                ),
            ),
            Some(best) => HandshakeError::refused(
                RefusalKind::Downgrade,
                format!(
                    "the target offers {list}, which gives {best:?}; {:?} was seen before",
                    self.needed()
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Coded;

    fn terms() -> Terms {
        Terms {
            security: Security::default(),
            local: false,
            username: true,
            password: true,
            avoid: Vec::new(),
            retry: None,
        }
    }

    #[test]
    fn the_strongest_is_taken_whatever_the_order() {
        let offered = [SecurityType::NONE, SecurityType::VNC_AUTH, SecurityType::RA2_256];
        assert_eq!(terms().choose_outer(&offered), Ok(SecurityType::RA2_256));
        assert_eq!(terms().choose_outer(&offered[..2]), Ok(SecurityType::VNC_AUTH));
        let none = Terms { password: false, ..terms() };
        assert_eq!(none.clone().choose_outer(&offered), Ok(SecurityType::NONE));
        assert_eq!(
            none.clone().choose_outer(&offered[1..]).map_err(|e| e.code()),
            Err("target.password_missing")
        );
    }

    #[test]
    fn unknown_and_empty_lists_have_no_common_type() {
        for offered in [vec![], vec![SecurityType(33), SecurityType(13)]] {
            assert_eq!(terms().choose_outer(&offered).map_err(|e| e.code()), Err("target.no_common_type"));
        }
    }

    #[test]
    fn floor_and_history_hold() {
        let mut strict = terms();
        strict.security.floor = Strength::EncryptedVerified;
        assert_eq!(
            strict.choose_outer(&[SecurityType::VNC_AUTH]).map_err(|e| e.code()),
            Err("target.below_floor")
        );
        let mut seen = terms();
        seen.security.seen = Some(Strength::Authenticated);
        assert_eq!(seen.choose_outer(&[SecurityType::NONE]).map_err(|e| e.code()), Err("target.downgrade"));
        assert_eq!(seen.choose_outer(&[SecurityType::VNC_AUTH]), Ok(SecurityType::VNC_AUTH));
    }

    #[test]
    fn anonymous_tls_only_where_allowed() {
        let only = [Subtype::TLS_VNC];
        assert_eq!(terms().choose_subtype(&only).map_err(|e| e.code()), Err("target.below_floor"));
        let mut allowed = terms();
        allowed.security.anonymous_tls = true;
        assert!(matches!(allowed.choose_subtype(&only), Ok(i) if i.subtype == Some(Subtype::TLS_VNC)));
    }

    #[test]
    fn a_dead_end_asks_for_another_try_if_one_exists() {
        let mut terms = terms();
        assert_eq!(
            terms.choose_outer(&[SecurityType::VENCRYPT, SecurityType::VNC_AUTH]),
            Ok(SecurityType::VENCRYPT)
        );
        let inside = terms.choose_subtype(&[Subtype::TLS_VNC]).err();
        assert_eq!(inside, Some(HandshakeError::Retry { avoid: SecurityType::VENCRYPT }));
        terms.avoid.push(SecurityType::VENCRYPT);
        assert_eq!(
            terms.choose_outer(&[SecurityType::VENCRYPT, SecurityType::VNC_AUTH]),
            Ok(SecurityType::VNC_AUTH)
        );
        assert_eq!(terms.retry, None);
    }

    #[test]
    fn a_plain_password_crosses_an_open_wire_only_if_the_floor_is_open() {
        let only = [Subtype::PLAIN];
        assert!(terms().choose_subtype(&only).is_ok());
        let mut strict = terms();
        strict.security.floor = Strength::Authenticated;
        assert_eq!(strict.choose_subtype(&only).map_err(|e| e.code()), Err("target.below_floor"));
        assert!(!strict.allows_plaintext(Channel::Clear));
        let local = Terms { local: true, ..strict };
        assert!(local.choose_subtype(&only).is_ok());
        assert!(local.allows_plaintext(Channel::Clear));
    }
}
