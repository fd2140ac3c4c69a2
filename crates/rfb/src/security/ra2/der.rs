//! The little DER that an RSA private key needs: PKCS#8 [RFC 5208] around PKCS#1 [RFC 8017, A.1.2].

use crate::wire::{Put, Reader};
use zeroize::Zeroizing;

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
/// AlgorithmIdentifier: rsaEncryption, NULL.
const RSA: &[u8] = &[0x30, 13, 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 0x05, 0];

/// n, e, d, p and q of a key in PKCS#8 or PKCS#1.
pub(super) fn read_private_key(bytes: &[u8]) -> Option<[&[u8]; 5]> {
    let mut outer = whole(bytes)?;
    if integer(&mut outer)? != [0] {
        return None;
    }
    if outer.rest().starts_with(RSA) {
        outer.take(RSA.len())?;
        let mut inner = whole(value(&mut outer, OCTETS)?)?;
        (integer(&mut inner)? == [0]).then_some(())?;
        return numbers(&mut inner);
    }
    numbers(&mut outer)
}

/// PKCS#8 around n, e, d, p, q, d mod p-1, d mod q-1 and the inverse of q.
pub(super) fn write_private_key(numbers: &[Zeroizing<Vec<u8>>; 8]) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(vec![INTEGER, 1, 0]);
    for number in numbers {
        // A leading one would be a sign.
        let sign = number.first().is_some_and(|b| *b >= 0x80);
        put_header(INTEGER, number.len() + usize::from(sign), &mut key);
        key.put(if sign { &[0] } else { &[] });
        key.put(number);
    }
    let mut octets = Zeroizing::new(Vec::with_capacity(key.len() + 8));
    put_value(SEQUENCE, &key, &mut octets);
    let mut body = Zeroizing::new(vec![INTEGER, 1, 0]);
    body.put(RSA);
    put_value(OCTETS, &octets, &mut body);
    let mut out = Zeroizing::new(Vec::with_capacity(body.len() + 8));
    put_value(SEQUENCE, &body, &mut out);
    out
}

fn numbers<'a>(reader: &mut Reader<'a>) -> Option<[&'a [u8]; 5]> {
    Some([integer(reader)?, integer(reader)?, integer(reader)?, integer(reader)?, integer(reader)?])
}

fn whole(bytes: &[u8]) -> Option<Reader<'_>> {
    let mut reader = Reader::new(bytes);
    let body = value(&mut reader, SEQUENCE)?;
    reader.rest().is_empty().then(|| Reader::new(body))
}

fn integer<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    value(reader, INTEGER).filter(|v| v.first().is_some_and(|b| *b < 0x80))
}

fn value<'a>(reader: &mut Reader<'a>, tag: u8) -> Option<&'a [u8]> {
    if reader.u8()? != tag {
        return None;
    }
    let length = match reader.u8()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(reader.u8()?),
        0x82 => usize::from(reader.u16()?),
        _ => return None,
    };
    reader.take(length)
}

fn put_value(tag: u8, body: &[u8], out: &mut Vec<u8>) {
    put_header(tag, body.len(), out);
    out.put(body);
}

fn put_header(tag: u8, length: usize, out: &mut Vec<u8>) {
    out.put_u8(tag);
    match u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes() {
        [0, low @ 0..=0x7f] => out.put_u8(low),
        [0, low] => out.put(&[0x81, low]),
        [high, low] => out.put(&[0x82, high, low]),
    }
}
