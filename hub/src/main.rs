//! The program `cellular-hub`; everything is in the library, but for the choice of its allocator.
//!
//! jemalloc, because what outlives a handshake is small and lies between what does not: the system's
//! allocator keeps the holes. Its settings are in `.cargo/config.toml`.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    hub::cli::main()
}
