//! Closes the bootloader, its keys and its journal: the system protection unit (SPU) refuses to write to
//! their regions until the next reset, to secure programs as to others.

use nrf_pac::SPU_S;
use nrf_pac::spu::regs::FlashregionPerm;

/// The bootloader's region, and the one of its keys and journal: 32 kB each.
const PROGRAM: usize = 0;
const MEMORY: usize = 1;

/// Nothing below the first slot can be written or erased from now on.
pub(crate) fn close() {
    for (region, permissions) in wanted() {
        SPU_S.flashregion(region).perm().write_value(permissions);
    }
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
}

pub(crate) fn is_closed() -> bool {
    wanted()
        .into_iter()
        .all(|(region, permissions)| SPU_S.flashregion(region).perm().read() == permissions)
}

fn wanted() -> [(usize, FlashregionPerm); 2] {
    [PROGRAM, MEMORY].map(|region| {
        let mut permissions = FlashregionPerm(0);
        permissions.set_read(true);
        permissions.set_execute(region == PROGRAM);
        permissions.set_write(false);
        permissions.set_secattr(true);
        permissions.set_lock(true);
        (region, permissions)
    })
}
