#![no_std]
#![no_main]
use embassy_executor::Spawner;
use tinyrlibc as _;
#[global_allocator]
static HEAP: embedded_alloc::LlffHeap = embedded_alloc::LlffHeap::empty();
#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    let _p = embassy_nrf::init(Default::default());
    let layout = nrf_modem::MemoryLayout { base_address: 0x2000_0000, tx_area_size: 0x2000, rx_area_size: 0x2000, trace_area_size: 0 };
    let mode = nrf_modem::SystemMode { lte_support: true, lte_psm_support: true, nbiot_support: true, gnss_support: false, preference: nrf_modem::ConnectionPreference::None };
    let _ = nrf_modem::init_with_custom_layout(mode, layout).await;
    let _ = nrf_modem::DtlsSocket::connect("a", 1, nrf_modem::PeerVerification::Enabled, &[1], None).await;
}
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }
