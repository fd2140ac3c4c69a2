//! TLS without any certificate: VeNCrypt's `TLS*` subtypes and security type 18.
//!
//! Keys are agreed by anonymous Diffie-Hellman: safe from listeners, not from somebody in the middle.
//! rustls refuses such suites for good, so this is the one place of the program that uses OpenSSL
//! (built in, linked statically). Towards targets only where the entry allows it; towards viewers only
//! where `TLSPlain` is switched on, for one-time tickets.

use openssl::dh::Dh;
use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslContext, SslContextBuilder, SslMethod, SslVerifyMode, SslVersion};
use std::pin::Pin;
use std::sync::LazyLock;
use tokio::io::{AsyncRead, AsyncWrite};
pub use tokio_openssl::SslStream;

/// Anonymous suites only, none without encryption, none with ciphers long broken. Level 0 is what
/// admits anonymous suites at all.
const SUITES: &str = "aNULL:!eNULL:!EXPORT:!DES:!3DES:!RC4:!SEED:!IDEA:@SECLEVEL=0";
/// Curves and groups of old GnuTLS builds come last.
const GROUPS: &str = "X25519:P-256:P-384:P-521";

/// Why anonymous TLS did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnonymousError {
    /// OpenSSL refuses the set-up.
    #[error("anonymous TLS cannot be set up: {0}")]
    Setup(#[from] ErrorStack),
    /// The handshake failed.
    #[error("anonymous TLS failed: {0}")]
    Handshake(#[from] openssl::ssl::Error),
}

/// Runs the client's side of the handshake.
pub async fn connect<S>(stream: S) -> Result<SslStream<S>, AnonymousError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    static CONTEXT: LazyLock<Result<SslContext, ErrorStack>> = LazyLock::new(|| {
        let mut context = builder()?;
        // vino and servers of its time go no further than TLS 1.0
        context.set_min_proto_version(Some(SslVersion::TLS1))?;
        Ok(context.build())
    });
    let mut tls = SslStream::new(session(&CONTEXT)?, stream)?;
    Pin::new(&mut tls).connect().await?;
    Ok(tls)
}

/// Runs the server's side of the handshake.
pub async fn accept<S>(stream: S) -> Result<SslStream<S>, AnonymousError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    static CONTEXT: LazyLock<Result<SslContext, ErrorStack>> = LazyLock::new(|| {
        let mut context = builder()?;
        context.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        // viewers built without elliptic curves need a finite field group
        let prime = openssl::bn::BigNum::get_rfc3526_prime_2048()?;
        let generator = openssl::bn::BigNum::from_u32(2)?;
        let group = Dh::from_pqg(prime, None, generator)?;
        context.set_tmp_dh(&group)?;
        Ok(context.build())
    });
    let mut tls = SslStream::new(session(&CONTEXT)?, stream)?;
    Pin::new(&mut tls).accept().await?;
    Ok(tls)
}

fn builder() -> Result<SslContextBuilder, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls())?;
    context.set_verify(SslVerifyMode::NONE);
    context.set_security_level(0);
    // anonymous suites ended with TLS 1.2
    context.set_max_proto_version(Some(SslVersion::TLS1_2))?;
    context.set_cipher_list(SUITES)?;
    context.set_groups_list(GROUPS)?;
    Ok(context)
}

fn session(context: &Result<SslContext, ErrorStack>) -> Result<Ssl, ErrorStack> {
    match context {
        Ok(context) => Ssl::new(context),
        Err(error) => Err(error.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn both_sides_agree_without_any_certificate() {
        let (near, far) = tokio::io::duplex(4096);
        let server = tokio::spawn(async move {
            let mut tls = accept(far).await.unwrap();
            let mut greeting = [0; 5];
            tls.read_exact(&mut greeting).await.unwrap();
            tls.write_all(&greeting).await.unwrap();
        });
        let mut tls = connect(near).await.unwrap();
        assert!(tls.ssl().peer_certificate().is_none());
        let suite = tls.ssl().current_cipher().unwrap().name();
        assert!(suite.contains("ADH") || suite.contains("AECDH"), "{suite}");
        tls.write_all(b"hello").await.unwrap();
        let mut echo = [0; 5];
        tls.read_exact(&mut echo).await.unwrap();
        assert_eq!(&echo, b"hello");
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_peer_that_speaks_something_else_is_an_error() {
        let (near, mut far) = tokio::io::duplex(4096);
        far.write_all(b"RFB 003.008\n").await.unwrap();
        assert!(matches!(connect(near).await, Err(AnonymousError::Handshake(_))));
    }
}
