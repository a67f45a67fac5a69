//! Signing requests in every form: any bytes are answered, and what is read borrows from them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use surface::csr::{CSR_MAX, Csr};
use surface::forms::Reader;

fuzz_target!(|data: &[u8]| {
    request(data);
    let text = String::from_utf8_lossy(data);
    let mut reader = Reader::default();
    for line in text.lines() {
        if let Some(Ok(found)) = reader.line(line) {
            assert_eq!(found.der.first(), Some(&0x30));
            request(&found.der);
        }
    }
    reader.end();
});

fn request(der: &[u8]) {
    let Ok(csr) = Csr::parse(der) else { return };
    assert!(der.len() <= CSR_MAX);
    let within = |part: &[u8]| der.as_ptr_range().contains(&part.as_ptr());
    assert!(csr.hardware_id.is_empty() || within(csr.hardware_id.as_bytes()));
    assert!(within(csr.subject));
}
