//! Access tokens: signed, short-lived, for API clients. A browser never has one.
//!
//! They are JWTs [RFC 7519] of type `at+jwt` [RFC 9068], signed with HMAC-SHA256: only this installation reads them, on
//! every node with the same key. What stands in one was true when it was made; whoever accepts one compares its
//! version with the person's, so that a log-out, a new role or a new password ends it at once.
//!
//! The one algorithm is fixed here. What a token's header says of algorithms only ever makes it invalid.

use crate::following::Following;
use crate::key::{Given, Key, Keyring};
use data_encoding::HEXLOWER;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use model::{Coded, Role, Scopes, UserId};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// How long one is good, where the configuration says nothing else.
pub const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Longer texts are not looked at.
pub const MAX_LEN: usize = 2048;
/// Clocks of two nodes may differ by so much.
pub const SKEW: Duration = Duration::from_secs(30);

const ISSUER: &str = "gatehouse";
const AUDIENCE: &str = "gatehouse-api";
const TYPE: &str = "at+jwt";
/// What the signing key is derived for.
const PURPOSE: &str = "access token";

/// What an access token says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claims {
    /// The person.
    pub user: UserId,
    /// The log-in that it came of: the family of its refresh tokens.
    pub login: Uuid,
    /// The person's session version when it was made. If they differ now, it is worth nothing.
    pub version: i64,
    /// The person's role then.
    pub role: Role,
    /// To what it is restricted, if it is.
    pub scopes: Option<Scopes>,
    /// Made when; in whole seconds.
    pub issued_at: SystemTime,
    /// Good until, exclusively; in whole seconds.
    pub expires_at: SystemTime,
}

/// Why a text is no good access token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// It is none, or none of ours, or was altered. Which of them is not said.
    #[error("the access token is not valid; log in again")]
    Invalid,
    /// It was good.
    #[error("the access token has expired; use the refresh token")]
    Expired,
    /// It was made in the future: the clocks of two nodes differ.
    #[error("the access token is not valid yet; are the clocks of all nodes right?")]
    NotYet,
}

impl Coded for AccessError {
    fn code(&self) -> &'static str {
        match self {
            AccessError::Invalid => "access.invalid",
            AccessError::Expired => "access.expired",
            AccessError::NotYet => "access.not_yet",
        }
    }
}

/// Signs and reads access tokens. `Debug` shows nothing of the keys.
pub struct AccessTokens {
    keys: Following<Keys>,
    validation: Validation,
}

struct Keys {
    signing: EncodingKey,
    header: Header,
    reading: Vec<(String, DecodingKey)>,
}

impl std::fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessTokens(…)")
    }
}

/// The claims as they stand in the token.
#[derive(Serialize, Deserialize)]
struct Wire {
    iss: String,
    aud: String,
    sub: UserId,
    sid: Uuid,
    ver: i64,
    role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Scopes>,
    iat: u64,
    exp: u64,
}

impl AccessTokens {
    /// Signs with a key derived from the current one, and reads what older ones signed.
    pub fn new(keys: &Keyring) -> AccessTokens {
        AccessTokens::with(Following::fixed(keys, Keys::derived))
    }

    /// The same of keys which were found with `given` in `directory`. When the key's file there is changed it takes
    /// the new ones; a token of a key that is gone from there is no longer good.
    pub fn following(given: Given, directory: &Path, keys: &Keyring) -> AccessTokens {
        AccessTokens::with(Following::of(given, directory, keys, Keys::derived))
    }

    /// Signs with a key of its own, for those who want all other tokens to stay when this one changes.
    pub fn with_key(key: &Key) -> AccessTokens {
        AccessTokens::new(&Keyring::single(key.clone()))
    }

    fn with(keys: Following<Keys>) -> AccessTokens {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Judged here, by the time that the caller gives.
        validation.validate_exp = false;
        AccessTokens { keys, validation }
    }

    /// The text of a token that says this.
    #[expect(clippy::expect_used, reason = "claims of fixed form always serialize, and HMAC takes any key")]
    pub fn sign(&self, claims: &Claims) -> String {
        let wire = Wire {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: claims.user,
            sid: claims.login,
            ver: claims.version,
            role: claims.role,
            scope: claims.scopes.clone(),
            iat: seconds(claims.issued_at),
            exp: seconds(claims.expires_at),
        };
        let keys = self.keys.current();
        jsonwebtoken::encode(&keys.header, &wire, &keys.signing).expect("claims can be signed")
    }

    /// What a token says. The caller compares [`Claims::version`] with the person's.
    ///
    /// # Errors
    /// [`AccessError`].
    pub fn read(&self, text: &str, now: SystemTime) -> Result<Claims, AccessError> {
        if text.len() > MAX_LEN {
            return Err(AccessError::Invalid);
        }
        let header = jsonwebtoken::decode_header(text).map_err(|_| AccessError::Invalid)?;
        let is_ours = header.alg == Algorithm::HS256 && header.typ.as_deref() == Some(TYPE);
        let key = header.kid.filter(|_| is_ours).ok_or(AccessError::Invalid)?;
        let keys = self.keys.current();
        let (_, key) = keys.reading.iter().find(|(name, _)| *name == key).ok_or(AccessError::Invalid)?;
        let token = jsonwebtoken::decode::<Wire>(text, key, &self.validation);
        let wire = token.map_err(|_| AccessError::Invalid)?.claims;
        // Only now, when it is known to be ours, may anything be said about it.
        let (issued_at, expires_at) = (instant(wire.iat)?, instant(wire.exp)?);
        if expires_at <= now {
            return Err(AccessError::Expired);
        }
        if issued_at > now + SKEW {
            return Err(AccessError::NotYet);
        }
        let Wire { sub: user, sid: login, ver: version, role, scope: scopes, .. } = wire;
        Ok(Claims { user, login, version, role, scopes, issued_at, expires_at })
    }
}

impl Keys {
    fn derived(ring: &Keyring) -> Keys {
        let keys = ring.derive(PURPOSE);
        let name = |key: &Key| HEXLOWER.encode(&key.id());
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(name(keys.current())),
            ..Header::new(Algorithm::HS256)
        };
        Keys {
            signing: EncodingKey::from_secret(keys.current().bytes()),
            header,
            reading: keys.all().map(|key| (name(key), DecodingKey::from_secret(key.bytes()))).collect(),
        }
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn instant(seconds: u64) -> Result<SystemTime, AccessError> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).ok_or(AccessError::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::BASE64URL_NOPAD as BASE64;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn ring(byte: u8) -> Keyring {
        Keyring::single(Key::from_random([byte; 32]))
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn claims() -> Claims {
        Claims {
            user: UserId(Uuid::from_u128(7)),
            login: Uuid::from_u128(8),
            version: 3,
            role: Role::Operator,
            scopes: Some("read console".parse().unwrap()),
            issued_at: now(),
            expires_at: now() + LIFETIME,
        }
    }

    fn payload(claims: &Value) -> String {
        BASE64.encode(claims.to_string().as_bytes())
    }

    /// A token of these parts, signed with the real key and algorithm whatever the header says.
    fn forged(byte: u8, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", BASE64.encode(header.to_string().as_bytes()), payload(claims));
        let key = Key::from_random([byte; 32]).derive(PURPOSE);
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key.bytes());
        let signature = aws_lc_rs::hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", BASE64.encode(signature.as_ref()))
    }

    fn parts(token: &str) -> (Value, Value) {
        let mut parts = token.split('.').map(|part| BASE64.decode(part.as_bytes()).unwrap());
        let mut next = || serde_json::from_slice(&parts.next().unwrap()).unwrap();
        (next(), next())
    }

    #[test]
    fn what_is_signed_is_read() {
        let tokens = AccessTokens::new(&ring(1));
        for scopes in [None, claims().scopes] {
            let claims = Claims { scopes, ..claims() };
            assert_eq!(tokens.read(&tokens.sign(&claims), now()), Ok(claims));
        }
        let (header, body) = parts(&tokens.sign(&claims()));
        assert_eq!((&header["alg"], &header["typ"]), (&json!("HS256"), &json!("at+jwt")));
        assert_eq!((&body["exp"], &body["scope"]), (&json!(1_800_000_900), &json!("read console")));
        // What the rest of these tests forge is what the real thing makes.
        assert_eq!(tokens.read(&forged(1, &header, &body), now()), Ok(claims()));
        assert_eq!(format!("{tokens:?}"), "AccessTokens(…)");
    }

    #[test]
    fn time_is_judged_to_the_second() {
        let tokens = AccessTokens::new(&ring(1));
        let token = tokens.sign(&claims());
        let second = Duration::from_secs(1);
        assert!(tokens.read(&token, now() + LIFETIME - second).is_ok());
        assert_eq!(tokens.read(&token, now() + LIFETIME), Err(AccessError::Expired));
        assert_eq!(tokens.read(&token, now() + LIFETIME * 1000), Err(AccessError::Expired));
        assert!(tokens.read(&token, now() - SKEW).is_ok());
        assert_eq!(tokens.read(&token, now() - SKEW - second), Err(AccessError::NotYet));
        assert_eq!(tokens.read(&token, UNIX_EPOCH), Err(AccessError::NotYet));
    }

    #[test]
    fn another_key_reads_nothing_and_an_older_one_still_does() {
        let token = AccessTokens::new(&ring(1)).sign(&claims());
        assert_eq!(AccessTokens::new(&ring(2)).read(&token, now()), Err(AccessError::Invalid));
        // The right key's name on another key's signature.
        let (header, body) = parts(&token);
        assert_eq!(
            AccessTokens::new(&ring(1)).read(&forged(2, &header, &body), now()),
            Err(AccessError::Invalid)
        );
        let directory = tempfile::tempdir().unwrap();
        let given = crate::key::Given::default();
        let before = Keyring::open(&given, directory.path()).unwrap();
        let token = AccessTokens::new(&before).sign(&claims());
        let during = Keyring::rotate_file(&given, directory.path()).unwrap();
        assert_eq!(AccessTokens::new(&during).read(&token, now()), Ok(claims()));
        let after = Keyring::retire_file(directory.path()).unwrap();
        assert_eq!(AccessTokens::new(&after).read(&token, now()), Err(AccessError::Invalid));
        let own = AccessTokens::with_key(&Key::from_random([9; 32]));
        assert_eq!(own.read(&own.sign(&claims()), now()), Ok(claims()));
    }

    #[test]
    fn no_header_talks_it_into_another_algorithm_or_type() {
        let tokens = AccessTokens::new(&ring(1));
        let (header, body) = parts(&tokens.sign(&claims()));
        for (field, value) in [
            ("alg", json!("none")),
            ("alg", json!("None")),
            ("alg", json!("HS384")),
            ("alg", json!("RS256")),
            ("alg", json!("EdDSA")),
            ("alg", Value::Null),
            ("typ", json!("JWT")),
            ("typ", Value::Null),
            ("kid", json!("0000000000000000")),
            ("kid", json!("../secret.key")),
            ("kid", Value::Null),
        ] {
            let mut header = header.clone();
            header[field] = value;
            let token = forged(1, &header, &body);
            assert_eq!(tokens.read(&token, now()), Err(AccessError::Invalid), "{header}");
            let (message, _) = token.rsplit_once('.').unwrap();
            assert_eq!(tokens.read(&format!("{message}."), now()), Err(AccessError::Invalid), "{header}");
            assert_eq!(tokens.read(message, now()), Err(AccessError::Invalid), "{header}");
        }
    }

    #[test]
    fn every_claim_is_needed_and_has_its_form() {
        let tokens = AccessTokens::new(&ring(1));
        let (header, body) = parts(&tokens.sign(&claims()));
        for (field, bad) in [
            ("iss", json!("somebody")),
            ("aud", json!("other")),
            ("sub", json!("admin")),
            ("sid", json!(8)),
            ("ver", json!("3")),
            ("role", json!("root")),
            ("scope", json!("everything")),
            ("iat", json!(-1)),
            ("exp", json!(1.5)),
            ("exp", json!("9999999999")),
            ("exp", json!(u64::MAX)),
        ] {
            for value in [bad, Value::Null] {
                let (mut body, is_absent) = (body.clone(), value.is_null());
                if is_absent {
                    body.as_object_mut().unwrap().remove(field);
                } else {
                    body[field] = value;
                }
                let read = tokens.read(&forged(1, &header, &body), now());
                // Without scopes it is not restricted: that claim alone may be absent.
                assert_eq!(read.is_ok(), field == "scope" && is_absent, "{body}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "\\PC{0,200}", a in "[A-Za-z0-9_-]{0,90}", b in "[A-Za-z0-9_-]{0,90}") {
            let tokens = AccessTokens::new(&ring(1));
            prop_assert_eq!(tokens.read(&text, now()), Err(AccessError::Invalid));
            prop_assert_eq!(tokens.read(&format!("{a}.{b}.{a}"), now()), Err(AccessError::Invalid));
        }

        #[test]
        fn no_altered_token_is_read(position: prop::sample::Index, to in "[A-Za-z0-9_.=-]") {
            let tokens = AccessTokens::new(&ring(1));
            let mut token = tokens.sign(&claims());
            let at = position.index(token.len());
            prop_assume!(token[at..=at] != to);
            token.replace_range(at..=at, &to);
            prop_assert_eq!(tokens.read(&token, now()), Err(AccessError::Invalid));
            token.truncate(at);
            prop_assert_eq!(tokens.read(&token, now()), Err(AccessError::Invalid));
        }
    }

    #[test]
    fn a_novel_is_not_decoded() {
        let tokens = AccessTokens::new(&ring(1));
        let long = format!("{}.{}.{}", "a".repeat(1000), "b".repeat(1000), "c".repeat(1000));
        assert_eq!(tokens.read(&long, now()), Err(AccessError::Invalid));
        assert!(tokens.sign(&claims()).len() < MAX_LEN / 3);
    }
}
