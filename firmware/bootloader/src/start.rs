//! What happens between reset and the application's first instruction.
//!
//! The order is the security: a swap that was cut off is finished; then an image on trial is confirmed or
//! taken back, or a new one put in place; then the image in the first slot is judged, whatever happened
//! before; and only what it is then is started.
//! Invariant: the journal says what is going to be done before it is begun, and that it is done after.

use embedded_storage::nor_flash::NorFlash;
use image::{
    BootRecord, Event, Image, ImageError, Keyring, Magic, Refusal, Start, Swap as Asked, Trailer,
    Version,
};

use crate::journal::Journal;
use crate::judge::{Verdict, judge};
use crate::proof::Proof;
use crate::region::{Region, copy_sector};
use crate::state::{Kind, State, Swap, Trial};
use crate::trailers;
use image::{Area, Map};

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The address of the image's vector table.
    pub vectors: u32,
    /// What to tell it; the reset's cause is the binary's to add.
    pub record: BootRecord,
    /// To be asked again right before the jump.
    pub proof: Proof,
}

/// Why nothing can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt<E> {
    /// The board was never given keys, or they are damaged.
    NoKeys,
    /// No image in either slot may run; what is wrong with that in the first.
    NoImage(Refusal),
    /// The flash does not keep what is written to it.
    Worn,
    /// A check was passed that nobody made: somebody disturbs the processor.
    Disturbed,
    /// The flash cannot be read, written or erased.
    Flash(E),
}

impl<E> From<E> for Halt<E> {
    fn from(error: E) -> Self {
        Self::Flash(error)
    }
}

/// Does all that is to be done to the flash, and says what to start.
pub fn boot<F: NorFlash>(flash: &mut F, map: &Map) -> Result<Launch, Halt<F::Error>> {
    let keyring = Region::new(flash, map.keyring()).get(0)?;
    let keyring = Keyring::parse(&keyring).map_err(|_| Halt::NoKeys)?;
    let journal = Journal::open(flash, map)?;
    let mut boot = Boot { flash, map, keyring, journal, start: Start::Again };
    boot.finish_swap()?;
    boot.settle_trial()?;
    boot.take_update()?;
    let verdict = boot.choose()?;
    boot.remember(&verdict)?;
    boot.launch(verdict)
}

struct Boot<'b, F> {
    flash: &'b mut F,
    map: &'b Map,
    keyring: Keyring,
    journal: Journal,
    start: Start,
}

impl<F: NorFlash> Boot<'_, F> {
    /// Does what is left of a swap, and says so in the trailers.
    fn finish_swap(&mut self) -> Result<(), Halt<F::Error>> {
        let state = self.journal.state();
        let Some(mut swap) = state.swap else { return Ok(()) };
        while !swap.is_done() {
            swap = swap.step(self.flash, self.map)?;
            self.note(State { swap: Some(swap), ..state })?;
        }
        let (asked, trial) = match swap.kind {
            Kind::Test => (Asked::Test, Trial::Due),
            Kind::Permanent => (Asked::Permanent, Trial::None),
            Kind::Revert => (Asked::Revert, Trial::None),
        };
        self.mark_first(asked)?;
        trailers::erase(self.flash, self.map, self.map.second)?;
        self.start = match swap.kind {
            Kind::Test => Start::Trial,
            Kind::Permanent => Start::Updated,
            Kind::Revert => Start::Reverted,
        };
        self.note(State { swap: None, trial, ..state })
    }

    /// The image in the first slot ran on trial: it was confirmed, or its predecessor comes back.
    fn settle_trial(&mut self) -> Result<(), Halt<F::Error>> {
        let state = self.journal.state();
        match state.trial {
            Trial::None => return Ok(()),
            // It was put in place, but never started.
            Trial::Due => {
                self.start = Start::Trial;
                return Ok(());
            }
            Trial::Running => {}
        }
        let version = self.version_at(self.map.first.at)?;
        let settled = State { trial: Trial::None, ..state };
        if trailers::read(self.flash, self.map.first)?.image_ok {
            return self.conclude(settled, Event::Confirmed, version);
        }
        // An update that it asked for: what was swapped out has been overwritten with that.
        if matches!(self.candidate()?, Some(Ok(_))) {
            return self.conclude(settled, Event::Kept, version);
        }
        let Some(before) = self.judge(self.map.second.at)?.ok() else {
            self.conclude(settled, Event::Kept, version)?;
            return self.mark_first(Asked::Permanent);
        };
        let sectors = self.sectors_at(self.map.first.at)?.max(self.sectors(&before.image));
        let outcome = state.outcome.next(Event::Reverted, version);
        let swap = Some(Swap::new(Kind::Revert, sectors));
        self.note(State { swap, outcome, ..settled })?;
        self.finish_swap()
    }

    /// Puts an image in place that the application asks for, if it may run.
    fn take_update(&mut self) -> Result<(), Halt<F::Error>> {
        let candidate = match self.candidate()? {
            None => return Ok(()),
            Some(Ok(candidate)) => candidate,
            Some(Err(refusal)) => return self.refuse(refusal),
        };
        // Without one that runs there is nothing to swap with, and nothing to go back to.
        let Some(current) = self.judge(self.map.first.at)?.ok() else { return Ok(()) };
        let is_test = !trailers::read(self.flash, self.map.second)?.image_ok;
        let kind = if is_test { Kind::Test } else { Kind::Permanent };
        let sectors = self.sectors(&current.image).max(self.sectors(&candidate.image));
        let state = self.journal.state();
        let outcome = state.outcome.next(Event::Installed, candidate.image.header.version);
        self.note(State { swap: Some(Swap::new(kind, sectors)), outcome, ..state })?;
        self.finish_swap()
    }

    /// The image that the application asks to be put in place, or why it is not.
    fn candidate(&mut self) -> Result<Option<Result<Verdict, Refusal>>, Halt<F::Error>> {
        let is_asked = trailers::read(self.flash, self.map.second)?.magic == Magic::Good;
        if !is_asked || self.journal.state().trial == Trial::Due {
            return Ok(None);
        }
        let current = self.version_at(self.map.first.at)?;
        let judged = self.judge(self.map.next_at())?;
        Ok(Some(judged.and_then(|candidate| candidate.acceptable_after(current))))
    }

    /// Nothing is swapped, and the application told why.
    fn refuse(&mut self, refusal: Refusal) -> Result<(), Halt<F::Error>> {
        let version = self.version_at(self.map.next_at())?;
        let state = self.journal.state();
        let mut outcome = state.outcome.next(Event::Refused, version);
        outcome.refusal = refusal.code();
        self.note(State { outcome, ..state })?;
        Ok(trailers::erase(self.flash, self.map, self.map.second)?)
    }

    /// The image in the first slot; where it may not run, another one is put there.
    fn choose(&mut self) -> Result<Verdict, Halt<F::Error>> {
        let refusal = match self.judge(self.map.first.at)? {
            Ok(verdict) => return Ok(verdict),
            Err(refusal) => refusal,
        };
        for from in [self.map.second.at, self.map.next_at()] {
            if let Ok(spare) = self.judge(from)? {
                self.rescue(from, &spare.image)?;
                return self.judge(self.map.first.at)?.map_err(Halt::NoImage);
            }
        }
        Err(Halt::NoImage(refusal))
    }

    /// Copies an image into the first slot. Cut off, it is begun again: what it is copied from stays.
    fn rescue(&mut self, from: u32, image: &Image) -> Result<(), Halt<F::Error>> {
        let state = State { trial: Trial::None, ..self.journal.state() };
        let version = image.header.version;
        let is_told = state.outcome.event == Event::Rescued && state.outcome.version == version;
        let outcome =
            if is_told { state.outcome } else { state.outcome.next(Event::Rescued, version) };
        self.note(State { outcome, ..state })?;
        self.mark_first(Asked::Permanent)?;
        trailers::erase(self.flash, self.map, self.map.second)?;
        for index in 0..u32::from(self.sectors(image)) {
            let offset = index * self.map.sector;
            let to = self.map.first.at + offset;
            if !copy_sector(self.flash, from + offset, to, self.map.sector)? {
                return Err(Halt::Worn);
            }
        }
        self.start = Start::Rescued;
        Ok(())
    }

    /// What an image that is trusted changes for good; and a trial, that it has begun.
    fn remember(&mut self, verdict: &Verdict) -> Result<(), Halt<F::Error>> {
        let state = self.journal.state();
        if state.trial != Trial::None {
            return self.note(State { trial: Trial::Running, ..state });
        }
        let floor = state.floor.max(verdict.image.security_counter);
        let revoked = verdict.withdrawn(&self.keyring, state.revoked);
        self.note(State { floor, revoked, ..state })
    }

    fn launch(&mut self, verdict: Verdict) -> Result<Launch, Halt<F::Error>> {
        let state = self.journal.state();
        let header = &verdict.image.header;
        let record = BootRecord {
            start: self.start,
            version: header.version,
            security_counter: verdict.image.security_counter,
            floor: state.floor,
            key: u8::try_from(verdict.key).unwrap_or(u8::MAX),
            outcome: state.outcome,
            reset_cause: 0,
        };
        if !verdict.proof.is_complete() {
            return Err(Halt::Disturbed);
        }
        let Map { address, first, .. } = self.map;
        let vectors = address.saturating_add(first.at).saturating_add(header.header_size.into());
        Ok(Launch { vectors, record, proof: verdict.proof })
    }

    fn conclude(
        &mut self,
        state: State,
        event: Event,
        version: Version,
    ) -> Result<(), Halt<F::Error>> {
        self.note(State { outcome: state.outcome.next(event, version), ..state })
    }

    /// Says in the first slot's trailer how its image came there; one that needs no confirmation has it.
    fn mark_first(&mut self, swap: Asked) -> Result<(), Halt<F::Error>> {
        let image_ok = swap != Asked::Test;
        let trailer = Trailer { magic: Magic::Good, image_ok, copy_done: true, swap };
        Ok(trailers::write(self.flash, self.map, self.map.first, trailer)?)
    }

    fn judge(&mut self, at: u32) -> Result<Result<Verdict, Refusal>, Halt<F::Error>> {
        let state = self.journal.state();
        match judge(self.flash, self.map, &self.keyring, &state, at) {
            Ok(verdict) => Ok(Ok(verdict)),
            Err(ImageError::Refused(refusal)) => Ok(Err(refusal)),
            Err(ImageError::Source(error)) => Err(Halt::Flash(error)),
        }
    }
    fn note(&mut self, state: State) -> Result<(), Halt<F::Error>> {
        self.journal.note(self.flash, state)
    }

    /// What an image says it is, whether or not that is true; nothing where none can be read.
    fn read_at(&mut self, at: u32) -> Result<Option<Image>, Halt<F::Error>> {
        let area = Area { at, length: self.map.image_max() };
        match Image::read(&mut Region::new(self.flash, area)) {
            Ok(image) => Ok(Some(image)),
            Err(ImageError::Refused(_)) => Ok(None),
            Err(ImageError::Source(error)) => Err(Halt::Flash(error)),
        }
    }

    fn version_at(&mut self, at: u32) -> Result<Version, Halt<F::Error>> {
        Ok(self.read_at(at)?.map(|image| image.header.version).unwrap_or_default())
    }

    fn sectors_at(&mut self, at: u32) -> Result<u16, Halt<F::Error>> {
        Ok(self.read_at(at)?.map_or(0, |image| self.sectors(&image)))
    }

    fn sectors(&self, image: &Image) -> u16 {
        u16::try_from(image.length.div_ceil(self.map.sector.max(1))).unwrap_or(u16::MAX)
    }
}
