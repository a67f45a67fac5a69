//! DTLS 1.2 by Mbed TLS for a board: mutual certificates, ECDHE-ECDSA-AES128-GCM-SHA256, Connection ID
//! (RFC 9146), sessions that are resumed.
//!
//! Time, datagrams and the seed of all randomness are given. Invariant: what is `unsafe` about the C library
//! ends here, and its memory is the allocator's of the program.
#![no_std]

extern crate alloc;

mod memory;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::ffi::CString;
use alloc::vec::Vec;
use core::ffi::{c_char, c_int, c_void};
use core::ptr::NonNull;

pub use memory::{Heap, heap_used};

/// Who the board is, and whom it trusts.
#[derive(Clone, Copy)]
pub struct Credentials<'i> {
    /// What all randomness comes from, with the number of this start: no two may be the same.
    pub seed: &'i [u8; 32],
    /// Counts starts.
    pub start: u32,
    /// The name that is in the hub's certificate.
    pub hub_name: &'i str,
    /// Private key, DER.
    pub key: &'i [u8],
    /// The board's certificate, DER.
    pub certificate: &'i [u8],
    /// What the hub's certificate leads to, DER.
    pub root: &'i [u8],
}

/// Why there is no session: a number of Mbed TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DtlsError(pub i32);

/// A handshake that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Established {
    /// An earlier session was gone on with.
    pub is_resumed: bool,
    /// Bytes of the Connection ID that the hub gave, if it gave one.
    pub connection_id: Option<usize>,
}

/// One client.
pub struct Client {
    raw: NonNull<Raw>,
    out: Box<VecDeque<Vec<u8>>>,
    _name: CString,
}

impl Client {
    /// `None`'s reason is the number of what Mbed TLS could not read.
    pub fn new(credentials: Credentials<'_>) -> Result<Self, DtlsError> {
        let Credentials { seed, start, hub_name, key, certificate, root } = credentials;
        let name = CString::new(hub_name).map_err(|_| DtlsError(0))?;
        let mut out = Box::new(VecDeque::new());
        let identity = RawIdentity {
            seed: seed.as_ptr(),
            start,
            name: name.as_ptr(),
            key: key.as_ptr(),
            certificate: certificate.as_ptr(),
            root: root.as_ptr(),
            key_length: key.len(),
            certificate_length: certificate.len(),
            root_length: root.len(),
        };
        let mut code = 0;
        let place: *mut VecDeque<Vec<u8>> = &raw mut *out;
        // SAFETY: pointers and lengths are of slices that outlive the call; `out` is boxed and lives as
        // long as the client.
        let raw = unsafe { client_new(&raw const identity, place.cast(), &raw mut code) };
        let raw = NonNull::new(raw).ok_or(DtlsError(code))?;
        Ok(Self { raw, out, _name: name })
    }

    /// What certificates are judged by, in seconds since 1970. As long as it is not known but only not
    /// earlier, a certificate may begin later.
    pub fn set_time(&mut self, unix_s: u64, is_known: bool) {
        let unix_s = i64::try_from(unix_s).unwrap_or(i64::MAX);
        // SAFETY: `raw` is a client.
        unsafe { client_set_time(self.raw.as_ptr(), unix_s, is_known.into()) }
    }

    /// Begins anew.
    pub fn begin(&mut self) -> Result<(), DtlsError> {
        self.out.clear();
        // SAFETY: `raw` is a client.
        done(unsafe { client_begin(self.raw.as_ptr()) })
    }

    /// Goes on with the handshake: because a datagram came, or because time passed.
    pub fn handshake(
        &mut self,
        now: u64,
        datagram: &[u8],
    ) -> Result<Option<Established>, DtlsError> {
        let raw = self.raw.as_ptr();
        // SAFETY: `raw` is a client; the datagram is copied before the call ends.
        match unsafe { client_handshake(raw, short(now), datagram.as_ptr(), datagram.len()) } {
            0 => {}
            1 => return Ok(None),
            code => {
                // SAFETY: `raw` is a client.
                unsafe { client_forget(raw) };
                return Err(DtlsError(code));
            }
        }
        // SAFETY: `raw` is a client whose handshake is over.
        let (kept, id) = unsafe { (client_keep(raw), client_peer_cid(raw)) };
        if kept < 0 {
            return Err(DtlsError(kept));
        }
        Ok(Some(Established { is_resumed: kept == 1, connection_id: usize::try_from(id).ok() }))
    }

    /// The message in a datagram, if there is one.
    pub fn receive(&mut self, now: u64, datagram: &[u8]) -> Result<Option<Vec<u8>>, DtlsError> {
        const LONGEST: usize = 2048;
        let mut message = alloc::vec![0; LONGEST];
        let (raw, into) = (self.raw.as_ptr(), message.as_mut_ptr());
        // SAFETY: `raw` is a client; `into` has room for so many bytes.
        let length = unsafe {
            client_read(raw, short(now), datagram.as_ptr(), datagram.len(), into, LONGEST)
        };
        match usize::try_from(length) {
            Ok(0) => Ok(None),
            Ok(length) => {
                message.truncate(length);
                Ok(Some(message))
            }
            Err(_) => Err(DtlsError(length)),
        }
    }

    /// Seals a message.
    pub fn send(&mut self, message: &[u8]) -> Result<(), DtlsError> {
        // SAFETY: `raw` is a client; the message is read before the call ends.
        done(unsafe { client_write(self.raw.as_ptr(), message.as_ptr(), message.len()) })
    }

    /// The next datagram for the hub.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    /// Whether the hub's certificate is valid at the time that was set.
    pub fn is_peer_valid(&mut self) -> bool {
        // SAFETY: `raw` is a client.
        unsafe { client_is_peer_valid(self.raw.as_ptr()) == 1 }
    }

    /// 64 bits from the board's generator.
    pub fn random(&mut self) -> Result<u64, DtlsError> {
        let mut bytes = [0; 8];
        // SAFETY: `raw` is a client; there is room for so many bytes.
        done(unsafe { client_random(self.raw.as_ptr(), bytes.as_mut_ptr(), bytes.len()) })?;
        Ok(u64::from_le_bytes(bytes))
    }
}

fn done(code: c_int) -> Result<(), DtlsError> {
    if code == 0 { Ok(()) } else { Err(DtlsError(code)) }
}

/// Only differences matter, and those of a handshake are short.
fn short(now: u64) -> u32 {
    u32::try_from(now & u64::from(u32::MAX)).unwrap_or_default()
}

#[repr(C)]
struct Raw {
    _private: [u8; 0],
}

#[repr(C)]
struct RawIdentity {
    seed: *const u8,
    start: u32,
    name: *const c_char,
    key: *const u8,
    certificate: *const u8,
    root: *const u8,
    key_length: usize,
    certificate_length: usize,
    root_length: usize,
}

// c/client.c
unsafe extern "C" {
    fn client_new(identity: *const RawIdentity, out: *mut c_void, code: *mut c_int) -> *mut Raw;
    fn client_set_time(client: *mut Raw, unix_s: i64, is_known: c_int);
    fn client_begin(client: *mut Raw) -> c_int;
    fn client_handshake(client: *mut Raw, now: u32, datagram: *const u8, length: usize) -> c_int;
    fn client_keep(client: *mut Raw) -> c_int;
    fn client_forget(client: *mut Raw);
    fn client_peer_cid(client: *mut Raw) -> c_int;
    fn client_is_peer_valid(client: *mut Raw) -> c_int;
    fn client_read(
        client: *mut Raw,
        now: u32,
        datagram: *const u8,
        length: usize,
        into: *mut u8,
        room: usize,
    ) -> c_int;
    fn client_write(client: *mut Raw, message: *const u8, length: usize) -> c_int;
    fn client_random(client: *mut Raw, into: *mut u8, length: usize) -> c_int;
}

#[unsafe(no_mangle)]
extern "C" fn client_transmit(out: *mut c_void, bytes: *const u8, length: usize) {
    // SAFETY: the client was made with this pointer, whose box it owns; it is used only within calls, and
    // none of them touches the queue itself.
    let (out, bytes) = unsafe {
        (&mut *out.cast::<VecDeque<Vec<u8>>>(), core::slice::from_raw_parts(bytes, length))
    };
    out.push_back(bytes.to_vec());
}
