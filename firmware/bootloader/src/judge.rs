//! Whether an image may run: whole, signed, not rolled back, and made for the place it runs at.
//!
//! Never writes.

use core::hint::black_box;

use embedded_storage::nor_flash::NorFlash;
use image::{Flags, Image, ImageError, KeySet, Keyring, Refusal, Source, Version};

use crate::proof::{Passed, Proof};
use crate::region::Region;
use crate::state::State;
use image::{Area, Map};

/// An image that may run.
pub(crate) struct Verdict {
    pub(crate) image: Image,
    /// The place of the key that signed it.
    pub(crate) key: usize,
    pub(crate) proof: Proof,
}

impl Verdict {
    /// Whether it may come after the image that is there now.
    pub(crate) fn acceptable_after(self, current: Version) -> Result<Self, Refusal> {
        let is_met = self
            .image
            .dependencies
            .iter()
            .all(|dependency| dependency.image == 0 && current >= dependency.at_least);
        if is_met { Ok(self) } else { Err(Refusal::Dependency) }
    }

    /// The keys that are withdrawn once this image is trusted. The one that it was judged by is none.
    pub(crate) fn withdrawn(&self, keyring: &Keyring, revoked: KeySet) -> KeySet {
        let places = self.image.revoked_keys.iter().filter_map(|key| keyring.place(key));
        places.fold(revoked, KeySet::with)
    }
}

/// Judges the image that begins at `at`, as if it lay in the first slot.
pub(crate) fn judge<F: NorFlash>(
    flash: &mut F,
    map: &Map,
    keyring: &Keyring,
    state: &State,
    at: u32,
) -> Result<Verdict, ImageError<F::Error>> {
    let mut region = Region::new(flash, Area { at, length: map.image_max() });
    let mut proof = Proof::new();
    let image = Image::read(&mut region)?;
    proof.add(Passed::Read);
    let digest = image.digest_of(&mut region)?;
    proof.add(Passed::Digest);
    let key = image.signer(&digest, keyring, state.revoked)?;
    proof.add(Passed::Signature);
    // The whole arithmetic a second time: half a second, once a start.
    if black_box(&image).signer(black_box(&digest), keyring, state.revoked)? == key {
        proof.add(Passed::SignatureAgain);
    }
    let (counter, floor) = (image.security_counter, state.floor);
    if counter < floor {
        return Err(Refusal::Rollback { counter, floor }.into());
    }
    proof.add(Passed::Counter);
    if black_box(counter).checked_sub(black_box(floor)).is_some() {
        proof.add(Passed::CounterAgain);
    }
    runs_here(&image, &mut region, map)?;
    proof.add(Passed::Place);
    Ok(Verdict { image, key, proof })
}

/// Looks at what the processor will take from it first: its stack, and where it begins.
fn runs_here<F: NorFlash>(
    image: &Image,
    region: &mut Region<'_, F>,
    map: &Map,
) -> Result<(), ImageError<F::Error>> {
    let header = &image.header;
    let address = map.address.saturating_add(map.first.at);
    let vectors = u32::from(header.header_size);
    let is_elsewhere = header.flags.has(Flags::ROM_FIXED) && header.load_address != address;
    let is_bootable = !header.flags.has(Flags::NON_BOOTABLE) && header.body_size >= 8;
    let is_aligned = address.saturating_add(vectors).is_multiple_of(map.vectors_aligned_to.max(4));
    if is_elsewhere || !is_bootable || !is_aligned {
        return Err(Refusal::NotForThisPlace.into());
    }
    let [a, b, c, d, e, f, g, h] = {
        let mut bytes = [0; 8];
        region.read(vectors, &mut bytes).map_err(ImageError::Source)?;
        bytes
    };
    let (stack, reset) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    let body = address.saturating_add(vectors)
        ..address.saturating_add(vectors).saturating_add(header.body_size);
    let has_stack = stack > map.memory.at && stack <= map.memory.end() && stack.is_multiple_of(8);
    // Odd: Thumb, the only instructions the processor has.
    let begins_within = !reset.is_multiple_of(2) && body.contains(&(reset & !1));
    if has_stack && begins_within { Ok(()) } else { Err(Refusal::NotForThisPlace.into()) }
}
