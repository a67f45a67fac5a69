//! A handful of values in a fixed place.
//!
//! Never grows; what does not fit is given back.

/// At most `N` values, in the order they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Few<T, const N: usize>([Option<T>; N]);

impl<T: Copy, const N: usize> Few<T, N> {
    /// None.
    pub const fn new() -> Self {
        Self([None; N])
    }

    /// Adds a value; `Err` with it where `N` are there already.
    pub fn push(&mut self, value: T) -> Result<(), T> {
        match self.0.iter_mut().find(|place| place.is_none()) {
            Some(place) => {
                *place = Some(value);
                Ok(())
            }
            None => Err(value),
        }
    }

    /// Each value.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl<T: Copy, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        Self::new()
    }
}
