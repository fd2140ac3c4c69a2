//! TLS towards targets, and how their certificates are judged.
//!
//! VNC servers rarely have a certificate that a public authority signed, so besides verifying there is
//! pinning: by a fingerprint that an administrator set, or by the first one seen. Whatever the rule,
//! the fingerprint that was found is kept, so that a refusal can show it.

use super::{Fingerprint, TlsError, provider};
use model::target::Identity;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// The authorities that targets' certificates may come from.
#[derive(Clone, Debug)]
pub struct TargetTrust {
    roots: Arc<RootCertStore>,
}

impl TargetTrust {
    /// The public authorities, and those in an additional PEM file.
    pub fn new(additional: Option<&Path>) -> Result<Self, TlsError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = additional {
            for certificate in super::reload::read_chain(path)? {
                roots
                    .add(certificate)
                    .map_err(|_| TlsError::Content { path: path.to_owned(), what: "authority" })?;
            }
        }
        Ok(TargetTrust { roots: Arc::new(roots) })
    }

    /// A configuration for one connection, and the place where its verdict will be found.
    /// `may_trust_first` is whether a first-use identity may be accepted on this connection.
    pub fn judge(
        &self,
        identity: &Identity,
        may_trust_first: bool,
    ) -> Result<(Arc<ClientConfig>, Arc<PeerVerdict>), TlsError> {
        let rule = match identity {
            Identity::Verify => Rule::Verify(
                WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.roots), provider())
                    .build()
                    .map_err(|error| TlsError::Setup(error.to_string()))?,
            ),
            Identity::Pinned(pin) => Rule::Pinned(
                Fingerprint::parse(pin)
                    .ok_or_else(|| TlsError::Setup("the target's pin is no SHA-256 fingerprint".into()))?,
            ),
            Identity::FirstUse => Rule::FirstUse { allowed: may_trust_first },
        };
        let verdict = Arc::new(PeerVerdict::default());
        let verifier = PeerVerifier { rule, provider: provider(), verdict: Arc::clone(&verdict) };
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .map_err(|error| TlsError::Setup(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        // INVARIANT: every connection is judged; a resumed one would show no certificate.
        config.resumption = rustls::client::Resumption::disabled();
        Ok((Arc::new(config), verdict))
    }
}

/// What was found about a target's certificate, during the handshake.
#[derive(Debug, Default)]
pub struct PeerVerdict(OnceLock<Judged>);

impl PeerVerdict {
    /// The verdict, once a certificate was seen.
    pub fn judged(&self) -> Option<&Judged> {
        self.0.get()
    }
}

/// A certificate, judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// Of the certificate that the target showed.
    pub found: Fingerprint,
    /// What that means.
    pub outcome: Outcome,
}

/// What a target's certificate means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It chains to a known authority and carries the host's name.
    Verified,
    /// It is the pinned one.
    Pinned,
    /// It is the first one seen, and may be pinned.
    First,
    /// Another one is pinned.
    Mismatch {
        /// The pin.
        expected: Fingerprint,
    },
    /// Nothing is pinned, and this connection may not set a pin.
    NotPinned,
    /// It does not verify.
    Unverified {
        /// Why, in the library's words; nothing of the peer's choosing.
        why: &'static str,
    },
}

#[derive(Debug)]
enum Rule {
    Verify(Arc<WebPkiServerVerifier>),
    Pinned(Fingerprint),
    FirstUse { allowed: bool },
}

#[derive(Debug)]
struct PeerVerifier {
    rule: Rule,
    provider: Arc<CryptoProvider>,
    verdict: Arc<PeerVerdict>,
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = Fingerprint::of(end_entity);
        let (outcome, answer) = match &self.rule {
            Rule::Verify(webpki) => {
                let answer =
                    webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
                let outcome = match &answer {
                    Ok(_) => Outcome::Verified,
                    Err(error) => Outcome::Unverified { why: reason(error) },
                };
                (outcome, answer)
            }
            Rule::Pinned(expected) if *expected == found => {
                (Outcome::Pinned, Ok(ServerCertVerified::assertion()))
            }
            Rule::Pinned(expected) => (Outcome::Mismatch { expected: *expected }, Err(refused())),
            Rule::FirstUse { allowed: true } => (Outcome::First, Ok(ServerCertVerified::assertion())),
            Rule::FirstUse { allowed: false } => (Outcome::NotPinned, Err(refused())),
        };
        // a connection has one handshake, so nothing can be set already
        let _ = self.verdict.0.set(Judged { found, outcome });
        answer
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn refused() -> Error {
    Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}

fn reason(error: &Error) -> &'static str {
    match error {
        Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "it is not valid yet"
            }
            CertificateError::UnknownIssuer => "no known authority signed it",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "it is made out to another name"
            }
            CertificateError::Revoked => "it was revoked",
            _ => "it cannot be used",
        },
        _ => "it cannot be used",
    }
}
