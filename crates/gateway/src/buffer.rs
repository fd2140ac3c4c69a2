//! Buffers that a session has only while bytes are in them.
//!
//! An idle session owns none. Each worker thread keeps the one it used last, warm in its cache; a few
//! more wait in the pool, the rest goes back to the kernel: they are mapped by themselves, because an
//! allocator keeps what small things that stay have scattered over. When sessions with slow peers hold as
//! much as the cap allows, further ones get small buffers: slower, but always going on, so nobody can
//! stop the others by not reading.

use crate::limits::{BUFFER, SMALL_BUFFER, WIDE_BUFFER};
use memmap2::MmapMut;
use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Buffers of each size kept for the next taker: few megabytes, so that memory falls after a busy hour.
const SPARES: [usize; 2] = [64, 8];

thread_local! {
    static WARM: [Cell<Option<MmapMut>>; 2] = const { [Cell::new(None), Cell::new(None)] };
}

/// How much a taker expects to read at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Width {
    #[default]
    Usual,
    Wide,
}

impl Width {
    /// Bytes of a buffer.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Width::Usual => BUFFER,
            Width::Wide => WIDE_BUFFER,
        }
    }

    /// The width of a buffer of this length, if it is one of the pool's.
    fn of(len: usize) -> Option<Width> {
        [Width::Usual, Width::Wide].into_iter().find(|width| width.bytes() == len)
    }

    fn pick<T>(self, [usual, wide]: &[T; 2]) -> &T {
        match self {
            Width::Usual => usual,
            Width::Wide => wide,
        }
    }
}

/// Where buffers come from.
#[derive(Debug)]
pub(crate) struct Pool {
    spares: [Mutex<Vec<MmapMut>>; 2],
    /// Bytes in the hands of sessions.
    lent: AtomicUsize,
    cap: usize,
}

/// A buffer; goes back when dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Bytes,
    pool: Arc<Pool>,
}

/// A buffer's memory: pages of its own for the pool's widths, the allocator's for the others.
#[derive(Debug)]
enum Bytes {
    Mapped(MmapMut),
    Allocated(Vec<u8>),
}

impl Default for Bytes {
    fn default() -> Self {
        Bytes::Allocated(Vec::new())
    }
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Allocated(vec) => vec,
        }
    }
}

impl DerefMut for Bytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Bytes::Mapped(map) => map,
            Bytes::Allocated(vec) => vec,
        }
    }
}

impl Pool {
    pub(crate) fn new(cap: usize) -> Arc<Pool> {
        Arc::new(Pool { spares: Default::default(), lent: AtomicUsize::new(0), cap })
    }

    /// Bytes in the hands of sessions.
    pub(crate) fn lent(&self) -> usize {
        self.lent.load(Relaxed)
    }

    /// A buffer of this width, or a smaller one when the cap is reached. Its bytes are arbitrary.
    pub(crate) fn take(self: &Arc<Self>, width: Width) -> Buffer {
        let len = width.bytes();
        let before = self.lent.fetch_add(len, Relaxed);
        if before.saturating_add(len) > self.cap {
            if width == Width::Wide {
                self.lent.fetch_sub(len, Relaxed);
                return self.take(Width::Usual);
            }
            self.lent.fetch_sub(len - SMALL_BUFFER, Relaxed);
            return Buffer { bytes: Bytes::Allocated(vec![0; SMALL_BUFFER]), pool: self.clone() };
        }
        let spare = || width.pick(&self.spares).lock().unwrap_or_else(PoisonError::into_inner).pop();
        let warm = WARM.with(|warm| width.pick(warm).take());
        let mapped = warm.or_else(spare).or_else(|| MmapMut::map_anon(len).ok());
        let bytes = mapped.map_or_else(|| Bytes::Allocated(vec![0; len]), Bytes::Mapped);
        Buffer { bytes, pool: self.clone() }
    }

    fn give(&self, bytes: Bytes) {
        self.lent.fetch_sub(bytes.len(), Relaxed);
        let Bytes::Mapped(map) = bytes else { return };
        let Some(width) = Width::of(map.len()) else { return };
        let Some(map) = WARM.with(|warm| width.pick(warm).replace(Some(map))) else { return };
        let mut spares = width.pick(&self.spares).lock().unwrap_or_else(PoisonError::into_inner);
        if spares.len() < *width.pick(&SPARES) {
            spares.push(map);
        }
    }
}

impl Buffer {
    /// Makes room for `len` bytes, keeping what is there. The caller bounds `len`.
    pub(crate) fn grow(&mut self, len: usize) {
        if let Some(more) = len.checked_sub(self.bytes.len()) {
            self.pool.lent.fetch_add(more, Relaxed);
            let mut bytes = Vec::with_capacity(len);
            bytes.extend_from_slice(&self.bytes);
            bytes.resize(len, 0);
            self.bytes = Bytes::Allocated(bytes);
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_the_cap_buffers_are_small_and_all_of_it_comes_back() {
        let pool = Pool::new(3 * BUFFER);
        let mut taken: Vec<_> = (0..5).map(|_| pool.take(Width::Usual)).collect();
        let sizes: Vec<_> = taken.iter().map(|b| b.len()).collect();
        assert_eq!(sizes, [BUFFER, BUFFER, BUFFER, SMALL_BUFFER, SMALL_BUFFER]);
        assert_eq!(pool.lent(), 3 * BUFFER + 2 * SMALL_BUFFER);
        taken[0][7] = 9;
        taken[0].grow(2 * BUFFER);
        assert_eq!((taken[0].len(), taken[0][7]), (2 * BUFFER, 9));
        drop(taken);
        assert_eq!(pool.lent(), 0);
        assert_eq!(pool.take(Width::Usual).len(), BUFFER);
        assert_eq!(pool.take(Width::Wide).len(), BUFFER, "what the cap still allows");
        assert_eq!(Pool::new(WIDE_BUFFER).take(Width::Wide).len(), WIDE_BUFFER);
    }
}
