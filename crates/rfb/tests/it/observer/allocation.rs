//! The steady path allocates nothing: counted, not believed.

use super::capture::recordings;
use super::session;
use model::Policy;
use model::event::{Event, Origin};
use rfb::{Observer, PixelFormat};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator that counts cannot be written without")]
// SAFETY: every call is passed to the system's allocator unchanged; the counter does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

/// Shows whole pieces again and again; the first round may allocate.
fn steady(observer: &mut Observer, pieces: &[(Origin, Vec<u8>)]) -> u64 {
    let mut seen = 0u64;
    let mut sink = |_: Event<'_>| seen += 1;
    let mut round = |observer: &mut Observer| {
        for (origin, bytes) in pieces {
            let verdict = observer.observe(*origin, bytes, &mut sink);
            assert_eq!((verdict.decided, verdict.fault), (bytes.len(), None));
        }
    };
    round(observer);
    let count = allocations(|| (0..10).for_each(|_| round(observer)));
    assert!(seen > 0);
    count
}

#[test]
fn counting_works() {
    assert!(allocations(|| drop(std::hint::black_box(Box::new(1)))) > 0);
}

#[test]
fn updates_and_input_allocate_nothing() {
    let power = Policy { power: true, ..Policy::default() };
    for policy in [power.clone(), Policy { frozen: true, ..power }] {
        let mut observer = Observer::after_init(&session::init(), policy);
        let pieces = session::live(&PixelFormat::RGB888);
        let (setup, work) = pieces.split_at(4);
        for (origin, bytes) in setup {
            assert_eq!(observer.observe(*origin, bytes, &mut |_: Event<'_>| {}).fault, None);
        }
        let mut work: Vec<_> = work[..58].to_vec();
        let input =
            [session::key(1, 0x61), session::key(0, 0x61), session::pointer(1, 2, 3), session::request(1)];
        work.push((Origin::Viewer, input.concat()));
        assert_eq!(steady(&mut observer, &work), 0);
    }
}

#[test]
fn pieces_of_captures_allocate_nothing() {
    for recording in recordings() {
        let mut observer = Observer::passive(&recording.init);
        let mut held = [Vec::with_capacity(1 << 21), Vec::with_capacity(1 << 21)];
        let mut rare = 0;
        for (origin, bytes) in &recording.pieces {
            let held = &mut held[super::shell::side(*origin)];
            held.extend_from_slice(bytes);
            let mut is_rare = false;
            let mut sink =
                |event: Event<'_>| is_rare |= matches!(event, Event::Encodings { .. } | Event::Clipboard(_));
            let mut decided = 0;
            let count = allocations(|| decided = observer.observe(*origin, held, &mut sink).decided);
            held.drain(..decided);
            // Lists, clipboards and the first layout of screens are kept; nothing else is.
            rare += u64::from(count > 0 && !is_rare);
        }
        assert!(rare <= 3, "{}: {rare} calls allocated", recording.name);
    }
}
