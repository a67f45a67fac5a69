//! The time of day as the hub tells it: milliseconds since 1970-01-01T00:00:00Z, leap seconds not
//! counted, as one unsigned integer of CBOR (RFC 8949, section 3.1).
//!
//! No tag 1: that counts seconds, and milliseconds would then be a floating-point number, which a
//! board's processor may not have.

/// Bytes of a written time.
pub const TIME_LENGTH: usize = 9;

const UNSIGNED_OF_EIGHT_BYTES: u8 = 0x1b;

/// Writes a time; the shortest form of any since February 1970.
pub fn write_time(unix_ms: u64) -> [u8; TIME_LENGTH] {
    let [a, b, c, d, e, f, g, h] = unix_ms.to_be_bytes();
    [UNSIGNED_OF_EIGHT_BYTES, a, b, c, d, e, f, g, h]
}

/// Reads a time; `None` for whatever is not exactly one unsigned integer.
pub fn read_time(cbor: &[u8]) -> Option<u64> {
    let mut decoder = minicbor::Decoder::new(cbor);
    let unix_ms = decoder.u64().ok()?;
    (decoder.position() == cbor.len()).then_some(unix_ms)
}
