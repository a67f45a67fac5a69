//! What an application and the bootloader tell each other at the end of a slot: MCUboot's image
//! trailer, for flash whose smallest write is at most 8 bytes.
//!
//! Where a swap got to is not in it: that is the bootloader's alone, and lies where no application can
//! write ([docs/firmware.md](../../../docs/firmware.md)).

/// The last bytes of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Whether there is a trailer at all; in the second slot: whether a swap is asked for.
    pub magic: Magic,
    /// The image was confirmed; in the second slot: it need not be.
    pub image_ok: bool,
    /// The image came here by a swap.
    pub copy_done: bool,
    /// By which kind of swap.
    pub swap: Swap,
}

/// A trailer's magic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Magic {
    /// A trailer was written.
    Good,
    /// The flash is erased.
    Unset,
    /// Something else.
    Bad,
}

/// What is done with the two images at the next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// Nothing.
    None,
    /// The second runs once, and again only if it is confirmed.
    Test,
    /// The second runs from now on.
    Permanent,
    /// The first was not confirmed: the one before it comes back.
    Revert,
}

impl Trailer {
    /// Bytes from the first field to the slot's end.
    pub const LENGTH: usize = 40;
    /// What is written as magic, 16 bytes before the end of the slot.
    pub const MAGIC: [u8; 16] = [
        0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f, 0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79,
        0x80,
    ];
    /// Bytes from a field to the end of the slot: the magic.
    pub const MAGIC_FROM_END: u32 = 16;
    /// The flag that says "confirmed".
    pub const IMAGE_OK_FROM_END: u32 = 24;
    /// The flag that says "came here by a swap".
    pub const COPY_DONE_FROM_END: u32 = 32;
    /// The kind of that swap.
    pub const SWAP_INFO_FROM_END: u32 = 40;
    /// A flag that is set; the rest of its 8 bytes stays erased.
    pub const SET: u8 = 1;

    /// Reads a slot's last bytes.
    pub fn parse(bytes: &[u8; Self::LENGTH]) -> Self {
        let [info, rest @ ..] = bytes;
        let [_, _, _, _, _, _, _, copy_done, rest @ ..] = rest;
        let [_, _, _, _, _, _, _, image_ok, rest @ ..] = rest;
        let [_, _, _, _, _, _, _, magic @ ..] = rest;
        let magic = match magic {
            magic if *magic == Self::MAGIC => Magic::Good,
            magic if magic.iter().all(|byte| *byte == 0xff) => Magic::Unset,
            _ => Magic::Bad,
        };
        let swap = Swap::from_info(*info);
        let (image_ok, copy_done) = (*image_ok == Self::SET, *copy_done == Self::SET);
        Self { magic, image_ok, copy_done, swap }
    }

    /// The same, to be written into erased flash.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0xff; Self::LENGTH];
        let flags = [(8, self.copy_done), (16, self.image_ok)];
        for (at, is_set) in flags {
            if let Some(flag) = bytes.get_mut(at).filter(|_| is_set) {
                *flag = Self::SET;
            }
        }
        if let (Some(first), Some(info)) = (bytes.first_mut(), self.swap.info()) {
            *first = info;
        }
        if let Some(magic) = bytes.last_chunk_mut().filter(|_| self.magic == Magic::Good) {
            *magic = Self::MAGIC;
        }
        bytes
    }
}

impl Swap {
    /// What the trailers of both slots ask for, in MCUboot's order: what the second wants comes first.
    pub fn asked(first: &Trailer, second: &Trailer) -> Self {
        let is_unconfirmed = first.magic == Magic::Good && first.copy_done && !first.image_ok;
        match second.magic {
            Magic::Good if second.image_ok => Self::Permanent,
            Magic::Good => Self::Test,
            Magic::Unset | Magic::Bad if is_unconfirmed => Self::Revert,
            Magic::Unset | Magic::Bad => Self::None,
        }
    }

    fn from_info(info: u8) -> Self {
        match info & 0xf {
            2 => Self::Test,
            3 => Self::Permanent,
            4 => Self::Revert,
            _ => Self::None,
        }
    }

    fn info(self) -> Option<u8> {
        match self {
            Self::None => None,
            Self::Test => Some(2),
            Self::Permanent => Some(3),
            Self::Revert => Some(4),
        }
    }
}
