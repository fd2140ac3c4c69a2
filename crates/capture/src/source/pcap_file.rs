//! Files of packets: pcap in both byte orders with micro- and nanoseconds, and pcapng.
//!
//! A file is read as a stream; memory is bounded by its largest block, and that by [`limits::BLOCK`].

use super::{LinkType, Packet};
use crate::{Time, limits};
use model::Coded;
use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{
    Block, InterfaceDescriptionBlock, LegacyPcapBlock, PcapBlockOwned, PcapError, PcapHeader, create_reader,
};
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why a file gave no more packets. What was read before stands.
#[derive(thiserror::Error, Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceError {
    /// Neither pcap nor pcapng.
    #[error("this is neither a pcap nor a pcapng file; decompress it first if it is compressed")]
    NotACapture,
    /// The file ends inside a block.
    #[error("the file ends inside a packet")]
    Truncated,
    /// A block's own fields contradict each other.
    #[error("the file is damaged from here on")]
    Damaged,
    /// A block over the limit.
    #[error("a block of the file is larger than {} bytes", limits::BLOCK)]
    BlockTooLarge,
    /// The system could not read it.
    #[error("the file could not be read")]
    Read,
}

impl Coded for SourceError {
    fn code(&self) -> &'static str {
        match self {
            SourceError::NotACapture => "capture.not_a_capture",
            SourceError::Truncated => "capture.truncated",
            SourceError::Damaged => "capture.damaged",
            SourceError::BlockTooLarge => "capture.block_too_large",
            SourceError::Read => "capture.read",
        }
    }
}

/// A capture file, open for one pass.
pub struct PcapFile<'r> {
    reader: Box<dyn PcapReaderIterator + Send + 'r>,
    layout: Layout,
    size: usize,
    /// Whether the file has no more bytes than are in the buffer.
    ended: Arc<AtomicBool>,
}

/// What blocks read so far say about those to come.
#[derive(Default)]
struct Layout {
    legacy: Option<(LinkType, u64)>,
    interfaces: Vec<Interface>,
    strays: u64,
}

struct Interface {
    link: LinkType,
    units_per_second: u64,
    offset_seconds: i64,
    snap_length: u32,
}

impl<'r> PcapFile<'r> {
    /// Reads the head of the file.
    pub fn open(reader: impl Read + Send + 'r) -> Result<PcapFile<'r>, SourceError> {
        let ended = Arc::new(AtomicBool::new(false));
        let whole = Whole { reader, ended: Arc::clone(&ended) };
        let reader = create_reader(limits::BLOCK_START, whole).map_err(|error| match error {
            PcapError::ReadError => SourceError::Read,
            _ => SourceError::NotACapture,
        })?;
        Ok(PcapFile { reader, layout: Layout::default(), size: limits::BLOCK_START, ended })
    }

    /// Hands every packet to `each`, in the order of the file.
    pub fn for_each(&mut self, mut each: impl FnMut(Packet<'_>)) -> Result<(), SourceError> {
        loop {
            match self.reader.next() {
                Ok((length, block)) => {
                    if let Some(packet) = self.layout.handle_block(&block) {
                        each(packet);
                    }
                    self.reader.consume(length);
                }
                Err(PcapError::Eof) => return Ok(()),
                Err(PcapError::UnexpectedEof) => return Err(SourceError::Truncated),
                Err(PcapError::Incomplete(_)) => self.read_more()?,
                Err(PcapError::BufferTooSmall) => self.grow()?,
                Err(_) => return Err(SourceError::Damaged),
            }
        }
    }

    /// Packets that named an interface which the file does not describe.
    pub fn strays(&self) -> u64 {
        self.layout.strays
    }

    fn read_more(&mut self) -> Result<(), SourceError> {
        let before = self.reader.data().len();
        self.reader.refill().map_err(|_| SourceError::Read)?;
        if self.reader.data().len() == before && !self.reader.reader_exhausted() {
            // Nothing was read although the file goes on: there is no space left.
            return self.grow();
        }
        Ok(())
    }

    fn grow(&mut self) -> Result<(), SourceError> {
        if self.ended.load(Ordering::Relaxed) {
            // A length that lies is no reason to take memory.
            return Err(SourceError::Truncated);
        }
        if self.size >= limits::BLOCK {
            return Err(SourceError::BlockTooLarge);
        }
        self.size = self.size.saturating_mul(2).min(limits::BLOCK);
        self.reader.grow(self.size);
        Ok(())
    }
}

impl Layout {
    fn handle_block<'p>(&mut self, block: &'p PcapBlockOwned<'_>) -> Option<Packet<'p>> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                self.legacy = Some(legacy_layout(header));
                None
            }
            PcapBlockOwned::Legacy(block) => self.legacy_packet(block),
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.interfaces.clear();
                None
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(block)) => {
                if self.interfaces.len() < limits::INTERFACES {
                    self.interfaces.push(Interface::new(block));
                }
                None
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
                let ticks = u64::from(block.ts_high) << 32 | u64::from(block.ts_low);
                let interface = self.interface(usize::try_from(block.if_id).ok()?)?;
                let (time, link) = (Some(interface.time(ticks)), interface.link);
                Some(Packet { time, link, bytes: block.packet_data() })
            }
            PcapBlockOwned::NG(Block::SimplePacket(block)) => {
                let interface = self.interface(0)?;
                let (link, bytes) = (interface.link, block.packet_data());
                let snapped = usize::try_from(interface.snap_length).ok().filter(|&n| n > 0);
                let bytes = snapped.and_then(|n| bytes.get(..n)).unwrap_or(bytes);
                Some(Packet { time: None, link, bytes })
            }
            PcapBlockOwned::NG(_) => None,
        }
    }

    fn legacy_packet<'p>(&mut self, block: &LegacyPcapBlock<'p>) -> Option<Packet<'p>> {
        let (link, units) = self.legacy?;
        let time = Time::from_fraction(block.ts_sec.into(), block.ts_usec.into(), units);
        Some(Packet { time: Some(time), link, bytes: block.data })
    }

    fn interface(&mut self, id: usize) -> Option<&Interface> {
        let found = self.interfaces.get(id);
        self.strays += u64::from(found.is_none());
        found
    }
}

fn legacy_layout(header: &PcapHeader) -> (LinkType, u64) {
    // The upper bits of the field carry the length of the frame check sequence.
    let link = u16::try_from(header.network.0 & 0xffff).unwrap_or(u16::MAX);
    let units = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
    (LinkType(link), units)
}

impl Interface {
    fn new(block: &InterfaceDescriptionBlock<'_>) -> Interface {
        Interface {
            link: LinkType(u16::try_from(block.linktype.0).unwrap_or(u16::MAX)),
            units_per_second: units_per_second(block.if_tsresol),
            offset_seconds: block.if_tsoffset,
            snap_length: block.snaplen,
        }
    }

    fn time(&self, ticks: u64) -> Time {
        let seconds = i64::try_from(ticks / self.units_per_second).unwrap_or(i64::MAX);
        let fraction = ticks % self.units_per_second;
        Time::from_fraction(seconds.saturating_add(self.offset_seconds), fraction, self.units_per_second)
    }
}

/// The option `if_tsresol`: a power of ten, or of two where the top bit is set.
fn units_per_second(resolution: u8) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
    base.checked_pow(exponent).unwrap_or(1_000_000)
}

/// A reader whose reads fill the buffer: the file parser looks for a whole first block in one read.
struct Whole<R> {
    reader: R,
    ended: Arc<AtomicBool>,
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut filled = 0;
        while let Some(space) = buffer.get_mut(filled..).filter(|space| !space.is_empty()) {
            match self.reader.read(space) {
                Ok(0) => {
                    self.ended.store(true, Ordering::Relaxed);
                    break;
                }
                Ok(n) => filled += n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if filled == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(filled)
    }
}
