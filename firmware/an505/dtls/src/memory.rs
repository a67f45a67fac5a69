//! The heap: the C library's, which Rust and C share, in memory that the program gives it.
//!
//! Nothing here runs beside the program: no interrupt may allocate.

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

const SIZE: usize = 96 * 1024;
/// What C gives all that it allocates.
const ALIGNED: usize = 8;

#[repr(align(8))]
struct Room(#[expect(dead_code, reason = "it is memory")] [u8; SIZE]);

static mut ROOM: Room = Room([0; SIZE]);
static USED: AtomicUsize = AtomicUsize::new(0);

/// For `#[global_allocator]`.
#[derive(Clone, Copy, Debug)]
pub struct Heap;

/// Bytes of the heap that were ever used.
pub fn heap_used() -> usize {
    USED.load(Ordering::Relaxed)
}

unsafe extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn free(block: *mut c_void);
    fn realloc(block: *mut c_void, size: usize) -> *mut c_void;
}

// SAFETY: the C library's allocator keeps what is asked of one, for alignments up to its own; for others
// there is no memory.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > ALIGNED {
            return ptr::null_mut();
        }
        // SAFETY: any size may be asked for.
        unsafe { malloc(layout.size()).cast() }
    }

    unsafe fn dealloc(&self, block: *mut u8, _layout: Layout) {
        // SAFETY: it is from `malloc`.
        unsafe { free(block.cast()) }
    }

    unsafe fn realloc(&self, block: *mut u8, _layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: it is from `malloc`, with an alignment that that always gives.
        unsafe { realloc(block.cast(), size).cast() }
    }
}

/// The C library asks for more of the heap; it never gives back.
#[unsafe(no_mangle)]
extern "C" fn _sbrk(more: c_int) -> *mut c_void {
    const NONE: usize = usize::MAX;
    let used = USED.load(Ordering::Relaxed);
    let wanted = usize::try_from(more).ok().and_then(|more| used.checked_add(more));
    match wanted.filter(|wanted| *wanted <= SIZE) {
        None => ptr::without_provenance_mut(NONE),
        Some(wanted) => {
            USED.store(wanted, Ordering::Relaxed);
            // SAFETY: within the room, which only the C library uses from here on.
            unsafe { (&raw mut ROOM).cast::<u8>().add(used).cast() }
        }
    }
}
