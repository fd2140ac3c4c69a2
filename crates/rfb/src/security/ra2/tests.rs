//! Keys and derivations against values that OpenSSL and Python computed.

use super::*;
use crate::security::random::Random;
use data_encoding::HEXLOWER;

const PKCS8: &str = concat!(
    "30820276020100300d06092a864886f70d0101010500048202603082025c02010002818100e782c90513a30c12be1089",
    "91789d9fce0b617c3a133c25f42c68d2392496c87c7468266d48c600395b89513970cee306a68598d90b8bfcac7bc3b1",
    "b247971f212e5e7737afe8adbe55a288d49e198fec14829e5ee1ee1e5f3576b635f242bc789149fcc1c55c00846341d3",
    "89ec604129104f3e16048f337109fdaa1214852473020301000102818100b266400d9f72376d81f5306d5f2ae7e85930",
    "c80fe09eab089be832874240c741d05a29b2712fd3205fff530e1675f6d03b261c00b53b2c7ca5eac955fe80dfc4b469",
    "e88368f3bb99762ecf62f244d5a4cd5c4ee8c3829f6f1d94317cc341169ee4be225423b79e6971b705bab557f87b16c0",
    "1a114cbaeff39a3df98643000571024100fe8847ff1b28e2f49a0d22cb5d6caf5c0d425886ff37f3f22ed69c703a3117",
    "27815a28550c7f2285a993561bb8052213760f0bac04bc5eea3afe1c257db15a7f024100e8d8858d2586f6f4437ebdea",
    "57cd3a8a84a7b62ded2d657e10260fc56e6f93b24fabaa475cd1b44fba9f414abee954bd9623859c7bcadbabda462b10",
    "b57e740d02403b375b80a741f0e3353fdf1b6f05cd1a5e5f54173c233956dbbcc4327be755dab40654a1ccc17b379b87",
    "129e6a468f71f5a27475b5b85960a70edd5f7f8996630240387668cc355169090a64ed80aa11e62438cec26a989ced83",
    "883ef28c199f8cdd2c5ca049f5c414495123d51d5ef60dca7b61d9c07c74509877b19437d50af8f1024043d460f28a1f",
    "7884e14e8cee6be3df1b0b20d9a58d9a6d0b8029a8327fe37d2b4c7cef0988cd9e89a642908f53d7ab39117ec5c2598a",
    "9d1f6a9590338d451cb5"
);
const ENCRYPTED: &str = concat!(
    "b6961cd0b09c8c79a5853c35dd18ee63248a3d01ad0ac0deb0527eb1a9147e689e1f404b64845f67b2969c798e4a4155",
    "d88e2821242c93674e6f1611d6997e32a6a70d6c1ff1173b20e6867a9876142e1e46580894c685a2268b7ab7ccbd6de6",
    "5246a6a234c4e8a678b76666456e5ad10b9348287ebac61281cd51983f205d05"
);
const SHA256: &str = "0949f39dc56247ea82b7803aca856ff56784f8bfc88c5651c8460da722858312";
const DISPLAY: &str = "c2-6e-97-be-5a-ba-ae-32";
const WRITE_128: &str = "b97cd424c4711eb518790ce07939ebac";
const READ_128: &str = "ae5bd8efea5322c4d9986d06680a7813";
const WRITE_256: &str = "84e4bd6ca2af96412fdc62fe44d4e9709cdc31933081a62486a48a154b582d53";
const READ_256: &str = "fdeab9acf3710362bd2658cdc9a29e8f9c757fcf9811603a8c447cd1d9151108";

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn key() -> Ra2Key {
    Ra2Key::from_der(&hex(PKCS8)).unwrap()
}

#[test]
fn a_key_of_openssl_reads_and_writes() {
    assert_eq!(*key().to_der(), hex(PKCS8));
    // PKCS#1 is what PKCS#8 wraps.
    let inner = &hex(PKCS8)[26..];
    assert_eq!(*Ra2Key::from_der(inner).unwrap().to_der(), hex(PKCS8));
}

#[test]
fn golden_fingerprints() {
    let identity = key().public().identity();
    assert_eq!((identity.sha256.as_str(), identity.display.as_str()), (SHA256, DISPLAY));
    assert_eq!(format!("{:?}", key()), format!("Ra2Key({DISPLAY})"));
}

#[test]
fn what_openssl_encrypted_opens() {
    let mut random = Random::new([1; 32]);
    let expected: Vec<u8> = (100..116).collect();
    assert_eq!(*key().decrypt(&hex(ENCRYPTED), 16, &mut random), expected);
    // Another length, or a changed block, gives random bytes and no error.
    assert_ne!(*key().decrypt(&hex(ENCRYPTED), 15, &mut random), expected[1..]);
    let mut changed = hex(ENCRYPTED);
    changed[100] ^= 1;
    let decoys = [key().decrypt(&changed, 16, &mut random), key().decrypt(&changed, 16, &mut random)];
    assert_eq!(decoys[0].len(), 16);
    assert_ne!(decoys[0], decoys[1]);
}

#[test]
fn what_is_encrypted_opens() {
    let mut random = Random::new([2; 32]);
    let encrypted = key().public().encrypt(b"thirty-two bytes of a random num", &mut random);
    assert_eq!(encrypted.len(), 128);
    assert_eq!(**key().decrypt(&encrypted, 32, &mut random), *b"thirty-two bytes of a random num");
}

#[test]
fn a_generated_key_works_and_depends_on_its_seed() {
    let made = Ra2Key::generate_bits([3; 32], 1024);
    let mut random = Random::new([4; 32]);
    let encrypted = made.public().encrypt(b"sixteen bytes ok", &mut random);
    assert_eq!(**made.decrypt(&encrypted, 16, &mut random), *b"sixteen bytes ok");
    let again = Ra2Key::from_der(&made.to_der()).unwrap();
    assert_eq!(again.public(), made.public());
    assert_eq!(Ra2Key::generate_bits([3; 32], 1024).public(), made.public());
    assert_ne!(Ra2Key::generate_bits([5; 32], 1024).public(), made.public());
}

#[test]
fn golden_session_keys() {
    for (kind, length, write, read) in
        [(Kind::Ra2, 16, WRITE_128, READ_128), (Kind::Ra2ne256, 32, WRITE_256, READ_256)]
    {
        let own: Vec<u8> = (0..length).collect();
        let others: Vec<u8> = (length..2 * length).collect();
        let ours = kind.record_keys(&own, &others).unwrap();
        let theirs = kind.record_keys(&others, &own).unwrap();
        let same = |a: &Key, b: &Key| {
            let (mut x, mut y) = (Vec::new(), Vec::new());
            crate::records::Sealer::new(a).seal(b"probe", &mut x);
            crate::records::Sealer::new(b).seal(b"probe", &mut y);
            x == y
        };
        assert!(same(&ours.write, &Key::new(&hex(write)).unwrap()));
        assert!(same(&ours.read, &Key::new(&hex(read)).unwrap()));
        assert!(same(&ours.write, &theirs.read) && same(&ours.read, &theirs.write));
    }
}

#[test]
fn files_that_are_no_keys() {
    let good = hex(PKCS8);
    for n in 0..good.len() {
        assert_eq!(Ra2Key::from_der(&good[..n]).map(|_| ()), Err(Ra2KeyError::Encoding));
    }
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 0x10;
        // Changes in the values derived from d are ignored: they are computed again.
        if let Ok(key) = Ra2Key::from_der(&changed) {
            assert_eq!(key.public(), self::key().public());
        }
    }
    assert!(Ra2Key::from_der(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]).is_err());
}

#[test]
fn public_keys_that_are_none() {
    let (n, e) = (key().public().wire()[4..132].to_vec(), key().public().wire()[132..].to_vec());
    assert!(Ra2PublicKey::new(1024, &n, &e).is_ok());
    let even = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[127] &= 0xfe;
        bytes
    };
    let mut small = n.clone();
    small[0] = 0;
    let mut one = vec![0; 128];
    one[127] = 1;
    for (modulus, exponent) in [
        (even(&n), e.clone()),
        (n.clone(), even(&e)),
        (small, e.clone()),
        (n.clone(), one),
        (n.clone(), n.clone()),
        (n, vec![0; 128]),
    ] {
        assert_eq!(Ra2PublicKey::new(1024, &modulus, &exponent), Err(Misbehavior::PublicKey));
    }
}
