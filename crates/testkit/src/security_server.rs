//! A VNC server for the security types that no Debian package serves: Apple's Diffie-Hellman,
//! MS-Logon II and the RA2 family.
//!
//! It is written against the protocol, not against our client, and uses OpenSSL where our client uses
//! other arithmetic. Foreign clients prove it first (see `tests/it/security_server.rs`), then it
//! proves our client. With a [`Trick`] it means no good.

use anyhow::{Context, bail, ensure};
use des::cipher::{BlockCipherDecrypt, KeyInit};
use openssl::bn::{BigNum, BigNumContext};
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::Private;
use openssl::rand::rand_bytes;
use openssl::rsa::{Padding, Rsa};
use openssl::symm::{Cipher, Crypter, Mode};
use rfb::records::{Key, Opener, Sealer};
use rfb::server::server_init_bytes;
use rfb::{PixelFormat, ServerInit};
use std::io::{Read, Write};

/// The security type to serve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// 30.
    AppleDh,
    /// 113.
    MsLogonII,
    /// 5: AES-128, the session in records.
    Ra2,
    /// 6: AES-128, the session in clear.
    Ra2ne,
    /// 129: AES-256, the session in records.
    Ra2_256,
    /// 130: AES-256, the session in clear.
    Ra2ne256,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 6] =
        [Kind::AppleDh, Kind::MsLogonII, Kind::Ra2, Kind::Ra2ne, Kind::Ra2_256, Kind::Ra2ne256];

    /// The number on the wire.
    pub fn number(self) -> u8 {
        match self {
            Kind::AppleDh => 30,
            Kind::MsLogonII => 113,
            Kind::Ra2 => 5,
            Kind::Ra2ne => 6,
            Kind::Ra2_256 => 129,
            Kind::Ra2ne256 => 130,
        }
    }

    fn is_256(self) -> bool {
        matches!(self, Kind::Ra2_256 | Kind::Ra2ne256)
    }

    fn stays_in_records(self) -> bool {
        matches!(self, Kind::Ra2 | Kind::Ra2_256)
    }
}

/// What a hostile server does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trick {
    /// Nothing.
    Honest,
    /// Names a key of 8,192 bits (RA2) or 1,024 bytes (Apple).
    HugeKey,
    /// A public key of a group with one element.
    TinyGroup,
    /// Proves another key than it showed (RA2).
    OtherHash,
    /// Changes a bit of its first record (RA2).
    ForgedRecord,
    /// Asks for credentials in a way that nobody knows (RA2).
    UnknownSubtype,
}

/// The server: one login at a time.
#[derive(Clone, Debug)]
pub struct SecurityServer {
    /// What to offer.
    pub kind: Kind,
    /// The name that is let in.
    pub username: String,
    /// The password that is let in.
    pub password: String,
    /// RA2: ask for a password only.
    pub password_only: bool,
    /// What to do wrong.
    pub trick: Trick,
}

/// What a client did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// As the client sent it.
    pub username: String,
    /// As the client sent it.
    pub password: String,
    /// Whether it was let in and took one picture.
    pub accepted: bool,
}

/// Pixels of the one picture, in both directions.
pub const SIDE: u16 = 16;
/// Its color, as 0x00RRGGBB.
pub const COLOR: u32 = 0x0033_66cc;

/// The 1,024-bit group of RFC 2409, which macOS uses too.
const PRIME: &str = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF";
/// A prime of 63 bits, as UltraVNC's are.
const SMALL_PRIME: u64 = 9_223_372_036_854_775_783;

impl SecurityServer {
    /// An honest server.
    pub fn new(kind: Kind, username: &str, password: &str) -> Self {
        SecurityServer {
            kind,
            username: username.to_owned(),
            password: password.to_owned(),
            password_only: false,
            trick: Trick::Honest,
        }
    }

    /// Serves one client to its first picture. An error means that the client broke the protocol or
    /// left.
    pub fn serve(&self, stream: impl Read + Write) -> anyhow::Result<Login> {
        let mut wire = Wire { stream, records: None, plain: Vec::new() };
        wire.write(b"RFB 003.008\n")?;
        let version: [u8; 12] = wire.array()?;
        ensure!(&version == b"RFB 003.008\n", "the client answered {version:?}");
        wire.write(&[1, self.kind.number()])?;
        let [choice] = wire.array()?;
        ensure!(choice == self.kind.number(), "the client chose {choice}");
        let (username, password) = match self.kind {
            Kind::AppleDh => self.apple(&mut wire)?,
            Kind::MsLogonII => self.ms_logon(&mut wire)?,
            _ => self.ra2(&mut wire)?,
        };
        let named = self.password_only || username == self.username;
        let accepted = named && password == self.password;
        if !accepted {
            wire.write(b"\0\0\0\x01\0\0\0\x05wrong")?;
            return Ok(Login { username, password, accepted });
        }
        wire.write(&[0; 4])?;
        self.picture(&mut wire)?;
        Ok(Login { username, password, accepted })
    }

    /// ClientInit, ServerInit, and one full update in the format that the client set.
    fn picture(&self, wire: &mut Wire<impl Read + Write>) -> anyhow::Result<()> {
        let [_shared] = wire.array()?;
        let name = format!("{:?}", self.kind).into_bytes();
        let init = ServerInit { width: SIDE, height: SIDE, pixel_format: PixelFormat::RGB888, name };
        wire.write(&server_init_bytes(&init))?;
        let mut shifts = [16, 8, 0];
        loop {
            match wire.array::<1>()? {
                [0] => {
                    let format: [u8; 19] = wire.array()?;
                    ensure!(format[3] == 32, "only 32 bits a pixel are served");
                    shifts = [format[13], format[14], format[15]];
                }
                [2] => {
                    let [_, high, low] = wire.array()?;
                    wire.vec(4 * usize::from(u16::from_be_bytes([high, low])))?;
                }
                [3] => {
                    let _: [u8; 9] = wire.array()?;
                    break;
                }
                [150] => {
                    let _: [u8; 9] = wire.array()?;
                }
                [other] => bail!("the client sent message {other}"),
            }
        }
        let [_, red, green, blue] = COLOR.to_be_bytes();
        let pixel = [red, green, blue].into_iter().zip(shifts).fold(0u32, |p, (c, s)| p | u32::from(c) << s);
        let mut update = vec![0, 0, 0, 1, 0, 0, 0, 0];
        update.extend(SIDE.to_be_bytes());
        update.extend(SIDE.to_be_bytes());
        update.extend([0; 4]);
        for _ in 0..u32::from(SIDE) * u32::from(SIDE) {
            update.extend(pixel.to_le_bytes());
        }
        wire.write(&update)
    }

    fn apple(&self, wire: &mut Wire<impl Read + Write>) -> anyhow::Result<(String, String)> {
        const SIZE: i32 = 128;
        let mut context = BigNumContext::new()?;
        let (prime, generator) = (BigNum::from_hex_str(PRIME)?, BigNum::from_u32(2)?);
        let mut private = BigNum::new()?;
        prime.rand_range(&mut private)?;
        let mut public = BigNum::new()?;
        public.mod_exp(&generator, &private, &prime, &mut context)?;
        if self.trick == Trick::TinyGroup {
            public = BigNum::from_u32(1)?;
        }
        let length: u16 = if self.trick == Trick::HugeKey { 1024 } else { 128 };
        let mut bytes = vec![0, 2];
        bytes.extend(length.to_be_bytes());
        bytes.extend(prime.to_vec_padded(SIZE)?);
        bytes.extend(public.to_vec_padded(SIZE)?);
        wire.write(&bytes)?;

        let encrypted: [u8; 128] = wire.array()?;
        let theirs: [u8; 128] = wire.array()?;
        let mut shared = BigNum::new()?;
        shared.mod_exp(&*BigNum::from_slice(&theirs)?, &private, &prime, &mut context)?;
        let key = hash(MessageDigest::md5(), &shared.to_vec_padded(SIZE)?)?;
        let mut crypter = Crypter::new(Cipher::aes_128_ecb(), Mode::Decrypt, &key, None)?;
        crypter.pad(false);
        let mut block = vec![0; 128 + 16];
        let n = crypter.update(&encrypted, &mut block)?;
        ensure!(n == 128, "AES gave {n} bytes");
        Ok((text(&block[..64])?, text(&block[64..128])?))
    }

    fn ms_logon(&self, wire: &mut Wire<impl Read + Write>) -> anyhow::Result<(String, String)> {
        let (generator, mut private) = (5u64, [0; 8]);
        rand_bytes(&mut private)?;
        let private = u64::from_be_bytes(private);
        let public = if self.trick == Trick::TinyGroup { 0 } else { power(generator, private)? };
        let numbers = [generator, SMALL_PRIME, public];
        wire.write(&numbers.map(u64::to_be_bytes).concat())?;
        let theirs = u64::from_be_bytes(wire.array()?);
        let secret = power(theirs, private)?.to_be_bytes();
        let mut fields = [vec![0; 256], vec![0; 64]];
        for field in &mut fields {
            *field = decrypt_des_cbc(secret, &wire.vec(field.len())?);
        }
        Ok((text(&fields[0])?, text(&fields[1])?))
    }

    fn ra2(&self, wire: &mut Wire<impl Read + Write>) -> anyhow::Result<(String, String)> {
        let own = Rsa::generate(2048)?;
        let mut shown = public_wire(&own)?;
        if self.trick == Trick::HugeKey {
            shown[..4].copy_from_slice(&8192u32.to_be_bytes());
        }
        if self.trick == Trick::TinyGroup {
            shown[4..].fill(0);
        }
        wire.write(&shown)?;

        let bits = u32::from_be_bytes(wire.array()?);
        ensure!((1024..=8192).contains(&bits), "the client's key has {bits} bits");
        let size = usize::try_from(bits.div_ceil(8))?;
        let (modulus, exponent) = (wire.vec(size)?, wire.vec(size)?);
        let theirs_wire = [&bits.to_be_bytes()[..], &modulus, &exponent].concat();
        let theirs =
            Rsa::from_public_components(BigNum::from_slice(&modulus)?, BigNum::from_slice(&exponent)?)?;
        let length = if self.kind.is_256() { 32 } else { 16 };
        let mut own_random = vec![0; length];
        rand_bytes(&mut own_random)?;
        let mut encrypted = vec![0; size];
        theirs.public_encrypt(&own_random, &mut encrypted, Padding::PKCS1)?;
        wire.write(&[&u16::try_from(size)?.to_be_bytes()[..], &encrypted].concat())?;

        let [high, low] = wire.array()?;
        ensure!(u16::from_be_bytes([high, low]) == 256, "the client's random is not under our key");
        let mut their_random = vec![0; 256];
        let n = own.private_decrypt(&wire.vec(256)?, &mut their_random, Padding::PKCS1)?;
        ensure!(n == length, "the client's random has {n} bytes");
        their_random.truncate(n);
        wire.start_records(
            &self.digest(&[&their_random, &own_random])?[..length],
            &self.digest(&[&own_random, &their_random])?[..length],
        )?;

        if self.trick == Trick::OtherHash {
            shown.reverse();
        }
        let proof = self.digest(&[&shown, &theirs_wire])?;
        wire.write_forged(&proof, self.trick == Trick::ForgedRecord)?;
        let expected = self.digest(&[&theirs_wire, &public_wire(&own)?])?;
        ensure!(wire.vec(expected.len())? == expected, "the client's hash is wrong");
        let subtype = match self.trick {
            Trick::UnknownSubtype => 3,
            _ if self.password_only => 2,
            _ => 1,
        };
        wire.write(&[subtype])?;
        let [n] = wire.array()?;
        let username = String::from_utf8(wire.vec(usize::from(n))?)?;
        let [n] = wire.array()?;
        let password = String::from_utf8(wire.vec(usize::from(n))?)?;
        if !self.kind.stays_in_records() {
            wire.stop_records()?;
        }
        Ok((username, password))
    }

    fn digest(&self, parts: &[&[u8]]) -> anyhow::Result<Vec<u8>> {
        let kind = if self.kind.is_256() { MessageDigest::sha256() } else { MessageDigest::sha1() };
        Ok(hash(kind, &parts.concat())?.to_vec())
    }
}

fn public_wire(key: &Rsa<Private>) -> anyhow::Result<Vec<u8>> {
    let mut bytes = 2048u32.to_be_bytes().to_vec();
    bytes.extend(key.n().to_vec_padded(256)?);
    bytes.extend(key.e().to_vec_padded(256)?);
    Ok(bytes)
}

fn power(base: u64, exponent: u64) -> anyhow::Result<u64> {
    let number = |n: u64| BigNum::from_slice(&n.to_be_bytes());
    let mut result = BigNum::new()?;
    result.mod_exp(
        &*number(base)?,
        &*number(exponent)?,
        &*number(SMALL_PRIME)?,
        &mut *BigNumContext::new()?,
    )?;
    let bytes = result.to_vec_padded(8)?;
    Ok(u64::from_be_bytes(bytes.try_into().ok().context("a number of 64 bits")?))
}

/// OpenSSL keeps DES in a provider of its own that the vendored build lacks.
fn decrypt_des_cbc(secret: [u8; 8], bytes: &[u8]) -> Vec<u8> {
    let cipher = des::Des::new(&secret.map(u8::reverse_bits).into());
    let mut previous = secret;
    let mut plain = Vec::with_capacity(bytes.len());
    for chunk in bytes.as_chunks::<8>().0 {
        let mut block = (*chunk).into();
        cipher.decrypt_block(&mut block);
        plain.extend(block.iter().zip(previous).map(|(b, p)| b ^ p));
        previous = *chunk;
    }
    plain
}

/// The text in front of a field's first zero.
fn text(field: &[u8]) -> anyhow::Result<String> {
    let end = field.iter().position(|b| *b == 0).context("the field has no closing zero")?;
    Ok(std::str::from_utf8(&field[..end])?.to_owned())
}

/// A stream that may be in records.
struct Wire<S> {
    stream: S,
    records: Option<(Sealer, Opener)>,
    plain: Vec<u8>,
}

impl<S: Read + Write> Wire<S> {
    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.write_forged(bytes, false)
    }

    fn write_forged(&mut self, bytes: &[u8], forged: bool) -> anyhow::Result<()> {
        let mut out = Vec::new();
        match &mut self.records {
            Some((sealer, _)) => sealer.seal(bytes, &mut out),
            None => out.extend_from_slice(bytes),
        }
        if forged && let Some(last) = out.last_mut() {
            *last ^= 1;
        }
        self.stream.write_all(&out)?;
        Ok(self.stream.flush()?)
    }

    fn vec(&mut self, n: usize) -> anyhow::Result<Vec<u8>> {
        if self.records.is_none() {
            let mut bytes = vec![0; n];
            self.stream.read_exact(&mut bytes)?;
            return Ok(bytes);
        }
        while self.plain.len() < n {
            self.read_record()?;
        }
        Ok(self.plain.drain(..n).collect())
    }

    fn array<const N: usize>(&mut self) -> anyhow::Result<[u8; N]> {
        self.vec(N)?.try_into().ok().context("another length")
    }

    fn read_record(&mut self) -> anyhow::Result<()> {
        let (_, opener) = self.records.as_mut().context("no records")?;
        let mut record = vec![0; 2];
        self.stream.read_exact(&mut record)?;
        let length = u16::from_be_bytes([record[0], record[1]]);
        record.resize(2 + usize::from(length) + 16, 0);
        self.stream.read_exact(&mut record[2..])?;
        let used = opener.open(&record, &mut self.plain).map_err(|e| anyhow::anyhow!("{e:?}"))?;
        ensure!(used == record.len(), "a record was opened in part");
        Ok(())
    }

    fn start_records(&mut self, write: &[u8], read: &[u8]) -> anyhow::Result<()> {
        let key = |bytes| Key::new(bytes).context("a session key has another length");
        self.records = Some((Sealer::new(&key(write)?), Opener::new(&key(read)?)));
        Ok(())
    }

    fn stop_records(&mut self) -> anyhow::Result<()> {
        ensure!(self.plain.is_empty(), "the client's record holds more than its credentials");
        self.records = None;
        Ok(())
    }
}
