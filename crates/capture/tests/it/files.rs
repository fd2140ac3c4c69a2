//! Capture files in every dialect, whole and damaged.

use crate::packets::{Dialect, LITTLE, pcap, pcapng};
use capture::Time;
use capture::source::{LinkType, PcapFile, SourceError};
use std::io::Read;

type Read1 = (Vec<(Option<Time>, u16, Vec<u8>)>, Result<(), SourceError>);

fn read(file: &[u8]) -> Read1 {
    read_from(file)
}

fn read_from(reader: impl Read + Send) -> Read1 {
    let mut packets = Vec::new();
    let mut file = PcapFile::open(reader).unwrap();
    let end = file.for_each(|p| packets.push((p.time, p.link.0, p.bytes.to_vec())));
    (packets, end)
}

fn some_packets() -> Vec<Vec<u8>> {
    (0..40u8).map(|n| vec![n; usize::from(n) * 37 % 1500]).collect()
}

fn dialects() -> impl Iterator<Item = Dialect> {
    [(false, false), (false, true), (true, false), (true, true)]
        .into_iter()
        .map(|(big_endian, nanoseconds)| Dialect { big_endian, nanoseconds })
}

#[test]
fn every_dialect_says_the_same() {
    let packets = some_packets();
    for dialect in dialects() {
        for file in [pcap(1, dialect, &packets), pcapng(1, dialect, &packets)] {
            let (seen, end) = read(&file);
            assert_eq!(end, Ok(()));
            assert_eq!(seen.len(), packets.len());
            for (n, ((time, link, bytes), packet)) in (0..).zip(seen.iter().zip(&packets)) {
                assert_eq!(*time, Some(Time(1_767_323_045_000_000 + n * 1000)), "{dialect:?}");
                assert_eq!((*link, bytes), (LinkType::ETHERNET.0, packet));
            }
        }
    }
}

/// A reader that gives one byte at a time.
struct Drops<'a>(&'a [u8]);

impl Read for Drops<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = out.len().min(1);
        self.0.read(&mut out[..n])
    }
}

#[test]
fn a_trickling_reader_gives_the_same() {
    for file in [pcap(1, LITTLE, &some_packets()), pcapng(1, LITTLE, &some_packets())] {
        assert_eq!(read(&file), read_from(Drops(&file)));
    }
}

#[test]
fn a_file_larger_than_the_buffer_streams_and_a_large_block_grows_it() {
    let packets: Vec<Vec<u8>> =
        (0..40u8).map(|n| vec![n; 60_000]).chain([vec![7; 3 << 20], vec![8; 10]]).collect();
    for file in [pcap(1, LITTLE, &packets), pcapng(1, LITTLE, &packets)] {
        let (seen, end) = read(&file);
        assert_eq!(end, Ok(()));
        assert!(seen.iter().map(|(_, _, bytes)| bytes).eq(&packets));
    }
}

#[test]
fn a_truncated_file_gives_what_it_has_and_says_so() {
    for file in [pcap(1, LITTLE, &some_packets()), pcapng(1, LITTLE, &some_packets())] {
        let whole = read(&file).0;
        for cut in (200..file.len()).step_by(101) {
            let (seen, end) = read(&file[..cut]);
            assert!(whole.starts_with(&seen));
            assert!(matches!(end, Ok(()) | Err(SourceError::Truncated)), "{end:?}");
        }
        assert_eq!(read(&file[..file.len() - 1]).1, Err(SourceError::Truncated));
    }
}

#[test]
fn lengths_that_lie_end_the_reading() {
    let mut file = pcap(1, LITTLE, &[vec![1; 10]]);
    file[24 + 8..24 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(read(&file).1, Err(SourceError::Truncated));
    file.resize(20 << 20, 0);
    assert_eq!(read(&file).1, Err(SourceError::BlockTooLarge));
    let mut file = pcapng(1, LITTLE, &[vec![1; 10], vec![2; 10]]);
    let at = file.len() - 4;
    file[at..].copy_from_slice(&7u32.to_le_bytes());
    let (seen, end) = read(&file);
    assert_eq!((seen.len(), end), (1, Err(SourceError::Damaged)));
}

#[test]
fn what_is_no_capture_is_named_so() {
    for bytes in [b"".as_slice(), b"RFB 003.008\n", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[0; 100]] {
        assert_eq!(PcapFile::open(bytes).err(), Some(SourceError::NotACapture));
    }
}
