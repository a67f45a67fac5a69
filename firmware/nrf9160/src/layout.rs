//! What lies where in an image and in memory, and on which side: one image of two programs, so that an update
//! replaces both or neither. The build scripts of the two have the same numbers.

/// Flash that the protection unit knows as one region.
pub const FLASH_REGION: u32 = 0x8000;
/// Memory that it knows as one region.
pub const MEMORY_REGION: u32 = 0x2000;

/// The image: its header, then the secure program.
pub const IMAGE: u32 = 0x1_0000;
/// The last of the secure program's two regions of flash.
pub const SECURE_REGION: u32 = 0x1_8000 / FLASH_REGION;
/// The last bytes of that region are where the application may enter, and nowhere else.
pub const ENTRANCE_LENGTH: u32 = 0x100;

/// The application's vector table.
pub const APPLICATION: u32 = 0x2_0000;
/// Behind the last byte that the application runs from. The slot's last region has the trailer, which the secure side
/// writes to.
pub const APPLICATION_END: u32 = 0x7_8000;

/// Where memory begins: what the modem shares, then the application's own.
pub const MEMORY: u32 = 0x2000_0000;
/// What the modem shares (libmodem wants it within the lower 128 kB).
pub const MODEM_LENGTH: u32 = 0x6000;
/// What outlives a restart: [`guard`](../../../guard)'s faults.
pub const FAULTS: u32 = 0x2003_7f00;
/// From here on memory is the secure program's, with the boot record at its end.
pub const SECURE_MEMORY: u32 = 0x2003_8000;

const _: () = assert!(
    APPLICATION.is_multiple_of(FLASH_REGION)
        && APPLICATION_END.is_multiple_of(FLASH_REGION)
        && SECURE_MEMORY.is_multiple_of(MEMORY_REGION)
        && MEMORY + MODEM_LENGTH <= 0x2002_0000
        && FAULTS + 0x100 == SECURE_MEMORY
);

/// Whether the application may write to all of these bytes itself: memory of its own.
pub const fn is_applications(address: u32, length: u32) -> bool {
    is_within(MEMORY, SECURE_MEMORY, address, length)
}

/// Whether it may read them: memory of its own, or its program.
pub const fn is_readable(address: u32, length: u32) -> bool {
    is_applications(address, length) || is_within(APPLICATION, APPLICATION_END, address, length)
}

const fn is_within(from: u32, to: u32, address: u32, length: u32) -> bool {
    match address.checked_add(length) {
        Some(end) => from <= address && end <= to,
        None => false,
    }
}

const _: () = assert!(
    is_applications(MEMORY, SECURE_MEMORY - MEMORY)
        && !is_applications(SECURE_MEMORY - 1, 2)
        && !is_applications(MEMORY - 1, 2)
        && !is_applications(MEMORY, u32::MAX - MEMORY + 1)
        && is_readable(APPLICATION, APPLICATION_END - APPLICATION)
        && !is_readable(APPLICATION - 1, 2)
        && !is_readable(APPLICATION_END - 1, 2)
);
