//! Releases of firmware: taken in, signed, withdrawn; and the keys whose signatures count.
//!
//! Invariant: a release is signed only by a key of the hub's key store or one that was made known here,
//! over the image that was uploaded, and its file is on the disk before its record names it.

use image::PublicKey;
use serde_json::json;
use storage::{
    FileDigest, FirmwareKey, HardwareName, NOTES_MAX, ProductName, Release, ReleaseState, TenantId,
    UnixSeconds,
};

use super::{Admin, AdminError, refused, unknown};
use crate::firmware::{Read, Unfit, downgrade};
use crate::trust::keys::{KeyLabel, Purpose};

/// Releases that are kept.
const RELEASES_MAX: usize = 10_000;
/// Keys held elsewhere that are known.
const KEYS_MAX: usize = 100;

/// An image as somebody uploads it.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Whose boards may have it; `None` is every tenant's.
    pub tenant: Option<TenantId>,
    /// The kind of product it is for.
    pub product: ProductName,
    /// The revisions of the hardware it is for; empty for all.
    pub hardware: Vec<HardwareName>,
    /// The image, signed or not.
    pub image: Vec<u8>,
    /// What is new.
    pub notes: String,
    /// What it is made of.
    pub sbom: Option<Vec<u8>>,
    /// When.
    pub now: UnixSeconds,
}

/// A key whose signatures on images count.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SigningKey {
    /// What people call it; that of the hub's key store is its label.
    pub name: String,
    /// SHA-256 of the key, as images name it.
    pub id: FileDigest,
    /// Whether it is in the hub's key store.
    pub in_key_store: bool,
    #[serde(skip)]
    public: PublicKey,
}

impl Admin {
    /// Takes an image in: as signed where a known key has signed it, else as a draft.
    ///
    /// # Errors
    /// [`AdminError::Refused`] with what is wrong with the image, or that it is no later than what
    /// boards may run already.
    pub fn add_release(&self, upload: Upload) -> Result<Release, AdminError> {
        let _changing = self.changing();
        if let Some(tenant) = &upload.tenant {
            self.tenant(tenant)?;
        }
        if upload.notes.len() > NOTES_MAX {
            return Err(refused(format!("notes have at most {NOTES_MAX} bytes")));
        }
        let read = Read::of(upload.image).map_err(unfit)?;
        let state = match read.is_signed() {
            true => ReleaseState::Signed {
                key: FileDigest(read.signer(&self.public_keys()?).map_err(unfit)?.0),
                signed: upload.now,
            },
            false => ReleaseState::Draft,
        };
        let known = self.releases()?;
        if known.len() >= RELEASES_MAX {
            return Err(refused(format!("{RELEASES_MAX} releases are kept; no more fit")));
        }
        let mut release = Release {
            number: known.last().map_or(1, |last| last.number + 1),
            tenant: upload.tenant,
            product: upload.product,
            hardware: upload.hardware,
            version: read.version(),
            security_counter: read.image.security_counter,
            needs: read.needs(),
            digest: FileDigest(read.image.digest),
            file: FileDigest::of(&read.bytes),
            size: read.image.length,
            notes: upload.notes,
            sbom: None,
            added: upload.now,
            by: self.author.who.clone(),
            state,
        };
        if let Some(why) = downgrade(&release, &known) {
            return Err(refused(why));
        }
        if let Some(draft) = known.iter().find(|other| is_same_draft(other, &release)) {
            let (number, version) = (draft.number, draft.version);
            return Err(refused(format!(
                "release {number} is a draft of {version} already; withdraw that first"
            )));
        }
        self.store.files().put(&read.bytes)?;
        if let Some(sbom) = upload.sbom {
            release.sbom = Some(self.store.files().put(&sbom)?);
        }
        self.keep(&release)?;
        // Boards may be given it at once.
        if release.is_signed() {
            self.rollouts()?.release_changed(release.number)?;
        }
        self.record_release("firmware.add", &release)?;
        Ok(release)
    }

    /// All releases, by number.
    ///
    /// # Errors
    /// Those of the store.
    pub fn releases(&self) -> Result<Vec<Release>, AdminError> {
        self.store.releases().list(None).map(|release| Ok(release?.1)).collect()
    }

    /// The release.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn firmware(&self, number: u64) -> Result<Release, AdminError> {
        let found = self.store.releases().find(&number.to_be_bytes())?;
        let way_out = "`cellular-hub firmware list` shows all";
        found.ok_or_else(|| unknown("release", &number, way_out))
    }

    /// The image of a release.
    ///
    /// # Errors
    /// [`AdminError::Refused`] where its file is missing or damaged.
    pub fn image(&self, release: &Release) -> Result<Vec<u8>, AdminError> {
        let gone = || {
            refused(format!(
                "the image of release {} is missing or damaged; `cellular-hub store check` says more",
                release.number
            ))
        };
        self.store.files().read(&release.file)?.ok_or_else(gone)
    }

    /// Signs a release with a key of the hub's key store.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for one that is signed or withdrawn, or what the key store says.
    pub fn sign_release(
        &self,
        number: u64,
        key: &KeyLabel,
        now: UnixSeconds,
    ) -> Result<Release, AdminError> {
        let _changing = self.changing();
        let release = self.unsigned(number)?;
        if *key.purpose() != Purpose::Firmware {
            return Err(refused(format!(
                "{key} is no key for firmware; firmware or firmware/2 is"
            )));
        }
        let keys = self.keys.as_ref().ok_or_else(|| refused("there is no key store here"))?;
        let read = Read::of(self.image(&release)?).map_err(unfit)?;
        let say = |error: crate::trust::keys::KeyError| refused(crate::cli::in_one_line(&error));
        let public = image_key(&keys.public_key(key).map_err(say)?)
            .ok_or_else(|| refused(format!("the key {key} is not on P-256")))?;
        let der = keys.sign(key, read.signed_part()).map_err(say)?;
        self.finish(release, &read, &public, &der, now)
    }

    /// Takes in the signature of a key that is known here and held elsewhere; it was made over the
    /// release's digest, and is in DER.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for a signature that is not good.
    pub fn attach_signature(
        &self,
        number: u64,
        der: &[u8],
        must_be_approved: bool,
        now: UnixSeconds,
    ) -> Result<Release, AdminError> {
        let _changing = self.changing();
        let release = self.unsigned(number)?;
        if must_be_approved && release.state == ReleaseState::Draft {
            let why = "nobody has allowed that it is signed; ask for that first, without a key";
            return Err(refused(why));
        }
        let read = Read::of(self.image(&release)?).map_err(unfit)?;
        let keys = self.public_keys()?;
        let good = keys.iter().find(|key| read.with_signature(key, der).is_ok());
        let Some(key) = good.copied() else {
            let known = self.signing_keys()?.len();
            return Err(refused(format!(
                "the signature is of none of the {known} keys that are known here over this image's \
                 digest; `cellular-hub firmware keys` shows them"
            )));
        };
        self.finish(release, &read, &key, der, now)
    }

    /// Notes that a second person has allowed a signature by a key that is elsewhere.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for one that is signed or withdrawn.
    pub fn allow_signature(
        &self,
        number: u64,
        by: &str,
        now: UnixSeconds,
    ) -> Result<(), AdminError> {
        let _changing = self.changing();
        let mut release = self.unsigned(number)?;
        release.state = ReleaseState::Approved { approved_by: by.to_owned(), approved: now };
        self.keep(&release)
    }

    /// Says what is new in a release, and what it is made of.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn describe_release(
        &self,
        number: u64,
        notes: String,
        sbom: Option<Vec<u8>>,
    ) -> Result<Release, AdminError> {
        let _changing = self.changing();
        let mut release = self.firmware(number)?;
        release.notes = notes;
        if let Some(sbom) = sbom {
            release.sbom = Some(self.store.files().put(&sbom)?);
        }
        self.keep(&release)?;
        self.record_release("firmware.describe", &release)?;
        Ok(release)
    }

    /// No board is given it any more; those that run it go on.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for one that is withdrawn.
    pub fn withdraw_release(
        &self,
        number: u64,
        why: String,
        now: UnixSeconds,
    ) -> Result<Release, AdminError> {
        let _changing = self.changing();
        let mut release = self.firmware(number)?;
        if let ReleaseState::Withdrawn { .. } = release.state {
            return Err(refused(format!("release {number} is withdrawn already")));
        }
        release.state = ReleaseState::Withdrawn { withdrawn: now, why };
        self.keep(&release)?;
        self.rollouts()?.release_changed(number)?;
        self.record_release("firmware.withdraw", &release)?;
        Ok(release)
    }

    /// The keys whose signatures count: those of the key store first.
    ///
    /// # Errors
    /// [`AdminError::Refused`] with what the key store says.
    pub fn signing_keys(&self) -> Result<Vec<SigningKey>, AdminError> {
        let mut known = Vec::new();
        if let Some(keys) = &self.keys {
            let say = |error| refused(crate::cli::in_one_line(&error));
            let labels = keys.labels().map_err(say)?;
            for label in labels.iter().filter(|label| *label.purpose() == Purpose::Firmware) {
                if let Some(public) = image_key(&keys.public_key(label).map_err(say)?) {
                    let (name, id) = (label.to_string(), FileDigest(public.id().0));
                    known.push(SigningKey { name, id, in_key_store: true, public });
                }
            }
        }
        for key in self.store.firmware_keys().list(None) {
            let (_, FirmwareKey { name, id, spki, .. }) = key?;
            if let Some(public) = PublicKey::from_spki(&spki) {
                known.push(SigningKey { name, id, in_key_store: false, public });
            }
        }
        Ok(known)
    }

    /// Makes a key known that is held elsewhere, by its public half in DER (SubjectPublicKeyInfo).
    ///
    /// # Errors
    /// [`AdminError::Refused`] for what is no key on P-256, or known already.
    pub fn trust_firmware_key(
        &self,
        name: &str,
        spki: &[u8],
        now: UnixSeconds,
    ) -> Result<FirmwareKey, AdminError> {
        let _changing = self.changing();
        let public = PublicKey::from_spki(spki);
        let public = public.ok_or_else(|| refused("this is no public key on P-256"))?;
        let known = self.signing_keys()?;
        let id = FileDigest(public.id().0);
        if let Some(other) = known.iter().find(|key| key.id == id || key.name == name) {
            return Err(refused(format!("the key {} has this name, or is this one", other.name)));
        }
        if known.len() >= KEYS_MAX {
            return Err(refused(format!("{KEYS_MAX} keys are known; remove some first")));
        }
        let (name, spki) = (name.to_owned(), spki.to_vec());
        let key = FirmwareKey { name, id, spki, added: now };
        self.store.firmware_keys().put(&id.0, &key)?;
        self.record("firmware.trust", &key.name, json!({ "key": id }))?;
        Ok(key)
    }

    /// Takes no signatures of a key held elsewhere any more; releases that have one stay as they are.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn distrust_firmware_key(&self, name: &str) -> Result<(), AdminError> {
        let _changing = self.changing();
        let mut keys = self.signing_keys()?.into_iter().filter(|key| !key.in_key_store);
        let way_out = "`cellular-hub firmware keys` shows all";
        let Some(key) = keys.find(|key| key.name == name) else {
            return Err(unknown("key held elsewhere called", &name, way_out));
        };
        self.store.firmware_keys().remove(&key.id.0)?;
        self.record("firmware.distrust", &name, json!({ "key": key.id }))
    }

    fn public_keys(&self) -> Result<Vec<PublicKey>, AdminError> {
        Ok(self.signing_keys()?.into_iter().map(|key| key.public).collect())
    }

    /// The release, where it can be signed: not yet, and still later than what boards may run.
    pub(super) fn unsigned(&self, number: u64) -> Result<Release, AdminError> {
        let release = self.firmware(number)?;
        match release.state {
            ReleaseState::Draft | ReleaseState::Approved { .. } => {}
            ReleaseState::Signed { .. } => {
                return Err(refused(format!("release {number} is signed already")));
            }
            ReleaseState::Withdrawn { .. } => {
                return Err(refused(format!("release {number} is withdrawn")));
            }
        }
        match downgrade(&release, &self.releases()?) {
            Some(why) => Err(refused(why)),
            None => Ok(release),
        }
    }

    fn finish(
        &self,
        mut release: Release,
        read: &Read,
        key: &PublicKey,
        der: &[u8],
        now: UnixSeconds,
    ) -> Result<Release, AdminError> {
        let signed = read.with_signature(key, der).map_err(unfit)?;
        release.file = self.store.files().put(&signed.bytes)?;
        release.size = signed.image.length;
        release.state = ReleaseState::Signed { key: FileDigest(key.id().0), signed: now };
        self.keep(&release)?;
        self.rollouts()?.release_changed(release.number)?;
        self.record_release("firmware.sign", &release)?;
        self.sweep()?;
        Ok(release)
    }

    /// Removes files that no release names any more: images before they were signed.
    pub(super) fn sweep(&self) -> Result<(), AdminError> {
        let releases = self.releases()?;
        let named: std::collections::BTreeSet<_> =
            releases.iter().flat_map(|it| [Some(it.file), it.sbom]).flatten().collect();
        Ok(self.store.files().sweep(|digest| named.contains(digest))?)
    }

    pub(super) fn keep(&self, release: &Release) -> Result<(), AdminError> {
        Ok(self.store.releases().put(&release.number.to_be_bytes(), release)?)
    }

    pub(super) fn record_release(
        &self,
        what: &'static str,
        release: &Release,
    ) -> Result<(), AdminError> {
        let Release { tenant, product, version, security_counter, digest, file, state, .. } =
            release;
        let detail = json!({
            "tenant": tenant, "product": product, "version": version,
            "security_counter": security_counter, "digest": digest, "file": file, "release": state,
        });
        self.record(what, &release.number, detail)
    }
}

fn is_same_draft(other: &Release, release: &Release) -> bool {
    let is_draft = matches!(other.state, ReleaseState::Draft | ReleaseState::Approved { .. });
    is_draft
        && (&other.tenant, &other.product, other.version)
            == (&release.tenant, &release.product, release.version)
}

fn unfit(error: Unfit) -> AdminError {
    refused(error.to_string())
}

/// A key of the key store as images know it.
fn image_key(key: &crate::trust::keys::PublicKey) -> Option<PublicKey> {
    let [_, point @ ..] = key.point();
    PublicKey::from_point(*point)
}
