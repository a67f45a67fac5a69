//! Tells the linker where the application lies, and where it enters the secure side.

use std::path::PathBuf;
use std::{env, fs, io};

/// In front of memory lies what the modem shares, behind it what outlives a restart and the secure side's.
const MEMORY: &str = "MEMORY {
    FLASH : ORIGIN = 0x00020000, LENGTH = 0x58000
    RAM : ORIGIN = 0x20006000, LENGTH = 0x31f00
}";

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    fs::write(out.join("memory.x"), MEMORY)?;
    println!("cargo:rustc-link-search={}", out.display());
    let entrances = out.ancestors().nth(3).unwrap_or(&out).join("entrances.o");
    println!("cargo:rustc-link-arg={}", entrances.display());
    println!("cargo:rerun-if-changed={}", entrances.display());
    println!("cargo:rerun-if-changed=build.rs");
    for name in ["HUB_HOST", "HUB_PORT", "ACCESS_POINT"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    Ok(())
}
