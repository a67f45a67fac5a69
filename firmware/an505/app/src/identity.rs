//! Who the board is, out of the sector that production wrote, and what it notes of itself: how often it
//! started, and how late it was at least.
//!
//! Invariant: no start's number is used twice, for what is drawn from the seed would be drawn again. A board
//! that cannot count its starts does not speak.

use core::cell::RefCell;

use alloc::vec;

use an505::{EmulatedFlash, IDENTITY, NOTES};
use an505_dtls::{Client, Credentials};
use board::{Identity, Notebook};
use embedded_storage::nor_flash::ReadNorFlash;
use smoltcp::wire::{IpAddress, IpEndpoint, Ipv4Address};

const STARTS: u8 = 1;
const TIME: u8 = 2;
/// How much later it has to be for that to be noted.
const HOUR_S: u64 = 3600;

/// What of the board is in flash and in the C library.
pub(crate) struct Owned {
    pub(crate) client: Client,
    notes: Notebook<'static, EmulatedFlash>,
    /// In seconds since 1970: it is not earlier.
    pub(crate) not_before_s: u64,
}

/// The board's own, and where its hub is.
pub(crate) fn begin(
    flash: &'static RefCell<EmulatedFlash>,
) -> Result<(Owned, IpEndpoint), &'static str> {
    let mut bytes = vec![0; IDENTITY.length as usize];
    flash.borrow_mut().read(IDENTITY.at, &mut bytes).map_err(|_| "the flash cannot be read")?;
    let identity = Identity::parse(&bytes).ok_or("production has not written who this is")?;
    let mut notes = Notebook::new(flash, NOTES).ok_or("the map leaves no room for notes")?;
    let start = number(&mut notes, STARTS)?.unwrap_or(0).saturating_add(1);
    notes.note(STARTS, &start.to_le_bytes()).map_err(|_| "starts cannot be counted")?;
    let noted_s = number(&mut notes, TIME)?.unwrap_or(0);
    let credentials = Credentials {
        seed: identity.seed,
        start: u32::try_from(start).map_err(|_| "it is too old")?,
        hub_name: identity.hub_name,
        key: identity.key,
        certificate: identity.certificate,
        root: identity.root,
    };
    let client = Client::new(credentials).map_err(|_| "key or certificates are of no use")?;
    let [a, b, c, d] = identity.hub;
    let peer = IpEndpoint::new(IpAddress::Ipv4(Ipv4Address::new(a, b, c, d)), identity.port);
    let owned = Owned { client, notes, not_before_s: identity.made_s.max(noted_s) };
    Ok((owned, peer))
}

impl Owned {
    /// The time is known; an hour later than what was noted, it is noted for the next start.
    pub(crate) fn learned(&mut self, unix_s: u64) {
        if unix_s >= self.not_before_s.saturating_add(HOUR_S)
            && self.notes.note(TIME, &unix_s.to_le_bytes()).is_ok()
        {
            self.not_before_s = unix_s;
        }
    }
}

/// None where it was never noted; what cannot be read is no such case.
fn number(
    notes: &mut Notebook<'static, EmulatedFlash>,
    key: u8,
) -> Result<Option<u64>, &'static str> {
    let value = notes.recall(key).map_err(|_| "the notes are damaged")?;
    value
        .map(|value| value.try_into().map(u64::from_le_bytes).map_err(|_| "the notes are damaged"))
        .transpose()
}
