//! Where the application enters: one function, four registers. Addresses are believed only where all that they name is
//! the application's own, as `division` gave it away and locked it.

use core::cell::UnsafeCell;
use core::slice;
use core::sync::atomic::{AtomicBool, Ordering};

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use guard::{Denied, Gate};
use image::BootRecord;
use nrf9160::service::{self, Service};
use nrf9160::{Flash, layout};

use crate::MAP;

/// What lies behind the entrance.
struct Behind {
    gate: Gate<Flash>,
    record: [u8; BootRecord::LENGTH],
}

/// One call at a time, which `is_taken` says.
struct Place {
    is_taken: AtomicBool,
    behind: UnsafeCell<Option<Behind>>,
}

// SAFETY: what is in the cell is only reached by whoever set `is_taken`.
unsafe impl Sync for Place {}

static PLACE: Place = Place { is_taken: AtomicBool::new(false), behind: UnsafeCell::new(None) };

/// Opens it. Called once, before the application starts.
pub(crate) fn open(record: [u8; BootRecord::LENGTH]) {
    let gate = Gate::new(Flash::new(), MAP, BootRecord::parse(&record).as_ref());
    // SAFETY: there is no other program yet.
    unsafe { *PLACE.behind.get() = Some(Behind { gate, record }) };
}

/// The entrance.
#[unsafe(no_mangle)]
extern "cmse-nonsecure-entry" fn secure_service(
    number: u32,
    offset: u32,
    address: u32,
    length: u32,
) -> u32 {
    let Some(service) = Service::from_number(number) else { return service::UNKNOWN };
    // An interrupt of the application may call while its program does.
    if PLACE.is_taken.swap(true, Ordering::Acquire) {
        return service::BUSY;
    }
    // SAFETY: `is_taken` was not set.
    let behind = unsafe { &mut *PLACE.behind.get() };
    let outcome = behind
        .as_mut()
        .map_or(service::UNKNOWN, |behind| perform(behind, service, offset, address, length));
    PLACE.is_taken.store(false, Ordering::Release);
    outcome
}

fn perform(behind: &mut Behind, service: Service, offset: u32, address: u32, length: u32) -> u32 {
    let done = match service {
        Service::Read => {
            let Some(into) = writable(address, length) else { return service::NOT_YOURS };
            behind.gate.read(offset, into)
        }
        Service::Write => {
            let Some(bytes) = readable(address, length) else { return service::NOT_YOURS };
            behind.gate.write(offset, bytes)
        }
        Service::Erase => behind.gate.erase(offset, offset.saturating_add(length)),
        Service::Record => {
            let Some(into) = writable(address, length) else { return service::NOT_YOURS };
            into.iter_mut().zip(&behind.record).for_each(|(place, byte)| *place = *byte);
            Ok(())
        }
    };
    match done {
        Ok(()) => service::DONE,
        Err(Denied::Place | Denied::Flash(_)) => service::DENIED,
        Err(Denied::OnTrial) => service::ON_TRIAL,
        Err(Denied::Image(refusal)) => service::REFUSED + u32::from(refusal.code()),
    }
}

/// Bytes of the application's memory that it may write to itself.
fn writable<'m>(address: u32, length: u32) -> Option<&'m mut [u8]> {
    let start = address as *mut u8;
    // SAFETY: every byte is memory of the application, which waits until this call is over.
    layout::is_applications(address, length)
        .then(|| unsafe { slice::from_raw_parts_mut(start, length as usize) })
}

/// Bytes that the application may read itself.
fn readable<'m>(address: u32, length: u32) -> Option<&'m [u8]> {
    let start = address as *const u8;
    // SAFETY: every byte is memory of the application, which waits, or of its program, which nobody can write to.
    layout::is_readable(address, length)
        .then(|| unsafe { slice::from_raw_parts(start, length as usize) })
}
