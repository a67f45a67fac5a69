//! What releases are made of: their bills of materials, as they came.

use storage::{FILE_BYTES_MAX, Release};

use super::{Admin, AdminError, refused, unknown};
use crate::sbom::{Sbom, SbomKind};

impl Admin {
    /// Gives a release this bill of materials, in the place of one that it has.
    ///
    /// # Errors
    /// [`AdminError::Unknown`]; [`AdminError::Refused`] for what is empty or too long.
    pub fn attach_sbom(&self, number: u64, bytes: &[u8]) -> Result<Release, AdminError> {
        if bytes.is_empty() || bytes.len() > FILE_BYTES_MAX {
            let why = format!("a bill of materials has 1 to {FILE_BYTES_MAX} bytes");
            return Err(refused(why));
        }
        let _changing = self.changing();
        let mut release = self.firmware(number)?;
        release.sbom = Some(self.store.files().put(bytes)?);
        self.keep(&release)?;
        self.record_release("firmware.describe", &release)?;
        self.sweep()?;
        Ok(release)
    }

    /// The bill of materials of a release.
    ///
    /// # Errors
    /// [`AdminError::Unknown`] where it has none; [`AdminError::Refused`] where its file is missing or
    /// damaged.
    pub fn sbom(&self, release: &Release) -> Result<Sbom, AdminError> {
        let number = release.number;
        let way_out = format!("`cellular-hub firmware sbom {number} --set FILE` gives it one");
        let none = || unknown("bill of materials of release", &number, &way_out);
        let digest = release.sbom.ok_or_else(none)?;
        let bytes = self.store.files().read(&digest)?.ok_or_else(|| {
            refused(format!(
                "the bill of materials of release {number} is missing or damaged; `cellular-hub store \
                 check` says more"
            ))
        })?;
        Ok(Sbom { kind: SbomKind::of(&bytes), bytes })
    }
}
