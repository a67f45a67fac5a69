//! Where the bytes of an image are.
//!
//! Never interprets one.

/// A place that bytes are read from: a slot in flash, a file, memory.
pub trait Source {
    /// Why a read fails.
    type Error;

    /// Bytes there are: all of an image, or of the slot it lies in.
    fn length(&self) -> u32;

    /// Fills `into` with what lies at `offset`; never asked for more than [`Source::length`].
    fn read(&mut self, offset: u32, into: &mut [u8]) -> Result<(), Self::Error>;
}

/// Bytes were asked for that memory does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beyond;

impl Source for &[u8] {
    type Error = Beyond;

    fn length(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    fn read(&mut self, offset: u32, into: &mut [u8]) -> Result<(), Beyond> {
        let from = usize::try_from(offset).map_err(|_| Beyond)?;
        let bytes = self.get(from..).and_then(|rest| rest.get(..into.len())).ok_or(Beyond)?;
        into.copy_from_slice(bytes);
        Ok(())
    }
}
