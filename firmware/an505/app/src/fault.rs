//! What an application leaves when it fails, for the one that starts after it: in memory that no start
//! clears and no stack reaches.

use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::ptr;

const PLACE: *mut u8 = 0x3803_0000 as *mut u8;
const ROOM: usize = 256;
const MAGIC: [u8; 4] = *b"FLT\x01";
/// Magic, length, text.
const HEAD: usize = 5;

struct Writer(usize);

impl Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes().take(ROOM - HEAD - self.0) {
            put(HEAD + self.0, byte);
            self.0 += 1;
        }
        Ok(())
    }
}

pub(crate) fn leave(what: fmt::Arguments<'_>) {
    let mut writer = Writer(0);
    let _ = writer.write_fmt(what);
    put(MAGIC.len(), u8::try_from(writer.0).unwrap_or(u8::MAX));
    MAGIC.into_iter().enumerate().for_each(|(at, byte)| put(at, byte));
}

/// Takes it: the next start finds none.
pub(crate) fn take() -> Option<Vec<u8>> {
    let is_there = MAGIC.into_iter().enumerate().all(|(at, byte)| get(at) == byte);
    put(0, 0);
    is_there.then(|| {
        let length = usize::from(get(MAGIC.len())).min(ROOM - HEAD);
        (HEAD..HEAD + length).map(get).collect()
    })
}

fn put(at: usize, byte: u8) {
    // SAFETY: within the room, which nothing else uses.
    unsafe { ptr::write_volatile(PLACE.add(at), byte) }
}

fn get(at: usize) -> u8 {
    // SAFETY: as above.
    unsafe { ptr::read_volatile(PLACE.add(at)) }
}
