//! How the host is, as far as the hub depends on it: memory, disk, the key store, the certificate.

use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::x509::X509;
use storage::UnixSeconds;

use crate::cli::in_one_line;
use crate::config::{Config, KeyStoreKind};
use crate::trust::Pki;

/// Files of the store that are counted; it has some dozens.
const FILES_MAX: usize = 10_000;

/// Where to look.
pub struct HostSettings {
    store: PathBuf,
    certificate: PathBuf,
    pki: Pki,
    kind: KeyStoreKind,
    listen: Vec<(&'static str, String)>,
}

impl HostSettings {
    /// Where a configuration says.
    #[must_use]
    pub fn of(config: &Config, pki: &Pki) -> Self {
        let mut listen = vec![("coaps", config.link.listen.to_string())];
        if config.plain.enabled {
            listen.push(("coap", config.plain.listen.to_string()));
        }
        if config.https.enabled {
            listen.push(("https", config.https.listen.to_string()));
        }
        listen.push(("monitoring", config.monitoring.listen.to_string()));
        Self {
            store: config.store.dir.clone(),
            certificate: config.link.certificate.clone(),
            pki: pki.clone(),
            kind: config.trust.key_store,
            listen,
        }
    }
}

/// What was found.
pub struct Host {
    /// Bytes of the hub's memory that are in the machine's.
    pub memory: u64,
    /// Bytes of the store on the disk.
    pub store: u64,
    /// The disk that it is on; none where the system does not say.
    pub disk: Option<Disk>,
    /// Which kind of key store there is.
    pub key_store: KeyStoreKind,
    /// Why its keys cannot be used.
    pub key_trouble: Option<String>,
    /// The DER of the root's certificate; none where it is not here.
    pub root: Option<Vec<u8>>,
    /// When the certificate that boards are shown ends, as its file has it.
    pub certificate_end: Option<UnixSeconds>,
    /// Addresses the hub listens at, by what for.
    pub listen: Vec<(&'static str, String)>,
}

/// A disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that the hub may still use.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

impl Host {
    pub(super) fn look(settings: &HostSettings) -> Self {
        Self {
            memory: memory().unwrap_or(0),
            store: size(&settings.store),
            disk: disk(&settings.store),
            key_store: settings.kind,
            key_trouble: settings.pki.keys().labels().err().map(|error| in_one_line(&error)),
            root: settings.pki.root_certificate().ok(),
            certificate_end: end_of(&settings.certificate),
            listen: settings.listen.clone(),
        }
    }
}

/// `VmRSS` of /proc/self/status, which is in KiB.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

/// What the files below a folder take of the disk, holes not counted.
fn size(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let mut folders = vec![dir.to_owned()];
    let (mut bytes, mut files) = (0_u64, 0);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.flatten() {
            files += 1;
            if files > FILES_MAX {
                return bytes;
            }
            match entry.metadata() {
                Ok(about) if about.is_dir() => folders.push(entry.path()),
                Ok(about) => bytes = bytes.saturating_add(about.blocks().saturating_mul(512)),
                Err(_) => {}
            }
        }
    }
    bytes
}

fn disk(dir: &Path) -> Option<Disk> {
    let about = rustix::fs::statvfs(dir).ok()?;
    Some(Disk {
        free: about.f_bavail.saturating_mul(about.f_frsize),
        total: about.f_blocks.saturating_mul(about.f_frsize),
    })
}

fn end_of(file: &Path) -> Option<UnixSeconds> {
    let certificate = X509::from_pem(&std::fs::read(file).ok()?).ok()?;
    let since = Asn1Time::from_unix(0).ok()?.diff(certificate.not_after()).ok()?;
    let seconds = i64::from(since.days) * 24 * 60 * 60 + i64::from(since.secs);
    u64::try_from(seconds).ok().map(UnixSeconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_the_host_is_so() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("below");
        std::fs::create_dir(&below).unwrap();
        std::fs::write(below.join("file"), vec![1; 100_000]).unwrap();
        assert!((100_000..200_000).contains(&size(dir.path())), "{}", size(dir.path()));
        let disk = disk(dir.path()).unwrap();
        assert!(disk.free > 0 && disk.free <= disk.total, "{disk:?}");
        assert!((1 << 20..1 << 36).contains(&memory().unwrap()), "{:?}", memory());
        assert_eq!(end_of(&below.join("file")), None);
    }
}
