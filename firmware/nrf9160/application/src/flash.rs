//! The flash, through the secure side's entrance; and the boot record.

use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use image::BootRecord;
use nrf9160::service::{DONE, Service};

unsafe extern "C" {
    /// Four registers, as `nrf9160::service` has them.
    safe fn secure_service(number: u32, offset: u32, address: u32, length: u32) -> u32;
}

/// What the application may reach of the flash.
#[derive(Debug, Default)]
pub(crate) struct GatedFlash;

/// The secure side did not do it, for the reason that `nrf9160::service` has under this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) u32);

impl NorFlashError for Refused {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl ErrorType for GatedFlash {
    type Error = Refused;
}

impl ReadNorFlash for GatedFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, into: &mut [u8]) -> Result<(), Refused> {
        ask(Service::Read, offset, into.as_mut_ptr() as u32, into.len())
    }

    fn capacity(&self) -> usize {
        0x10_0000
    }
}

impl NorFlash for GatedFlash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 0x1000;

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Refused> {
        ask(Service::Write, offset, bytes.as_ptr() as u32, bytes.len())
    }

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Refused> {
        ask(Service::Erase, from, 0, to.saturating_sub(from) as usize)
    }
}

/// Each word can be written twice before it is erased (product specification, NVMC).
impl MultiwriteNorFlash for GatedFlash {}

/// What the bootloader left.
pub(crate) fn boot_record() -> Option<BootRecord> {
    let mut bytes = [0; BootRecord::LENGTH];
    ask(Service::Record, 0, bytes.as_mut_ptr() as u32, bytes.len()).ok()?;
    BootRecord::parse(&bytes)
}

fn ask(service: Service, offset: u32, address: u32, length: usize) -> Result<(), Refused> {
    if length == 0 {
        return Ok(());
    }
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    match secure_service(service.number(), offset, address, length) {
        DONE => Ok(()),
        refusal => Err(Refused(refusal)),
    }
}
