//! The program `cellular-hub`; everything is in the library, but for the choice of its allocator.
//!
//! jemalloc, because what outlives a handshake is small and lies between what does not: the system's
//! allocator keeps the holes. Its settings are in `.cargo/config.toml`.

use std::process::ExitCode;

// Linked for its malloc, which takes the place of the C library's: for OpenSSL as well, and where the
// compiler knows malloc it asks for zeroed pages instead of writing zeros (sled's 20 MB of histograms).
use tikv_jemallocator as _;

fn main() -> ExitCode {
    hub::cli::main()
}
