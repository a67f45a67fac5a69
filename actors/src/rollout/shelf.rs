//! The images that boards may fetch, block by block.
//!
//! Invariant: nothing of an image is kept here but its open file; a block is read when it is asked for,
//! from the page cache where many boards fetch the same.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, PoisonError, RwLock};

use storage::{Store, TenantId};

use super::error::RolloutError;
use crate::coap::{Part, Piece};

/// The images of signed releases, by the first bytes of their SHA-256.
pub struct Shelf {
    store: Store,
    images: RwLock<Option<Images>>,
}

type Images = HashMap<[u8; 8], Image>;

#[derive(Clone)]
struct Image {
    /// `None` is every tenant's.
    tenants: Option<Vec<TenantId>>,
    file: Arc<File>,
    size: u32,
}

impl Shelf {
    pub(super) fn new(store: Store) -> Self {
        Self { store, images: RwLock::default() }
    }

    /// Looks again which releases there are.
    ///
    /// # Errors
    /// Those of the store.
    pub fn reload(&self) -> Result<(), RolloutError> {
        let images = self.read_all()?;
        *self.images.write().unwrap_or_else(PoisonError::into_inner) = Some(images);
        Ok(())
    }

    /// A part of an image, where the tenant's boards may have it. Waits for the disk where the page
    /// cache has it no more.
    #[must_use]
    pub fn read(&self, tenant: &TenantId, part: Part) -> Piece {
        let known = self.images.read().unwrap_or_else(PoisonError::into_inner).is_some();
        if !known && let Err(error) = self.reload() {
            tracing::error!(%error, "boards cannot fetch images");
            return Piece::Later { max_age_s: 60 };
        }
        let images = self.images.read().unwrap_or_else(PoisonError::into_inner);
        let image = images.as_ref().and_then(|images| images.get(&part.file)).cloned();
        drop(images);
        let Some(image) = image else { return Piece::Unknown };
        if image.tenants.as_ref().is_some_and(|own| !own.contains(tenant)) {
            return Piece::Unknown;
        }
        let left = image.size.saturating_sub(part.at).min(part.length.into());
        let mut bytes = vec![0; usize::try_from(left).unwrap_or_default()];
        match image.file.read_exact_at(&mut bytes, part.at.into()) {
            Ok(()) => Piece::Read { bytes, size: image.size, etag: part.file },
            Err(error) => {
                tracing::error!(%error, "an image cannot be read");
                Piece::Later { max_age_s: 60 }
            }
        }
    }

    fn read_all(&self) -> Result<Images, RolloutError> {
        let mut images = Images::new();
        for release in self.store.releases().list(None) {
            let (_, release) = release?;
            if !release.is_signed() {
                continue;
            }
            // Two tenants may have the same image.
            if let Some(known) = images.get_mut(&release.file.short()) {
                match (&mut known.tenants, release.tenant) {
                    (Some(tenants), Some(tenant)) => tenants.push(tenant),
                    (tenants, _) => *tenants = None,
                }
                continue;
            }
            let path = self.store.files().path(&release.file);
            match File::open(&path) {
                Ok(file) => {
                    let tenants = release.tenant.map(|tenant| vec![tenant]);
                    let image = Image { tenants, file: Arc::new(file), size: release.size };
                    images.insert(release.file.short(), image);
                }
                Err(error) => {
                    let release = release.number;
                    tracing::error!(release, file = %path.display(), %error, "an image is missing");
                }
            }
        }
        Ok(images)
    }
}
