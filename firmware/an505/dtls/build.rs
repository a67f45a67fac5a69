//! Compiles Mbed TLS and what stands between it and Rust. `scripts/firmware` says where its sources are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// What of the library belongs to a client with certificates; the rest is not even compiled.
const NOT_OURS: [&str; 4] = ["net_sockets.c", "timing.c", "entropy_poll.c", "psa_"];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=c");
    println!("cargo:rerun-if-env-changed=MBEDTLS_SOURCES");
    let sources = env::var_os("MBEDTLS_SOURCES").map(PathBuf::from).ok_or_else(|| {
        io::Error::other("MBEDTLS_SOURCES is not set: build with scripts/firmware build")
    })?;
    let mut build = cc::Build::new();
    build
        .include("c")
        .include(sources.join("include"))
        .include(sources.join("library"))
        .define("MBEDTLS_CONFIG_FILE", "\"configuration.h\"")
        .flag("-Os")
        .flag("-ffunction-sections")
        .flag("-fdata-sections");
    let mut library = build.clone();
    library.warnings(false);
    for entry in fs::read_dir(sources.join("library"))? {
        let path = entry?.path();
        if is_ours(&path) {
            library.file(path);
        }
    }
    library.compile("mbedtls");
    build.warnings(true).extra_warnings(true).warnings_into_errors(true);
    build.file("c/client.c").compile("client");
    // Mbed TLS uses the C library that comes with the compiler.
    let compiler = build.get_compiler();
    for (name, link) in [("libc_nano.a", "c_nano"), ("libgcc.a", "gcc")] {
        let mut ask = Command::new(compiler.path());
        ask.args(compiler.args()).arg(format!("-print-file-name={name}"));
        let path = String::from_utf8(ask.output()?.stdout).map_err(io::Error::other)?;
        let folder = Path::new(path.trim()).parent().unwrap_or(Path::new("."));
        println!("cargo:rustc-link-search=native={}", folder.display());
        println!("cargo:rustc-link-lib=static:-bundle={link}");
    }
    Ok(())
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.ends_with(".c") && !NOT_OURS.iter().any(|other| name.starts_with(other))
}
