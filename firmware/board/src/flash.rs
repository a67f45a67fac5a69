//! The application's part of a board's flash: the second slot, the trailers, and what is left for itself.
//!
//! The libraries that keep things in flash are written for flash that is waited for; a board's is not, so
//! each of their steps is over when it is asked for the first time.

use core::cell::RefCell;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_storage::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash};
use embedded_storage_async::nor_flash as waited;

/// A flash that several parts of a board use in turn.
pub(crate) struct Shared<'f, F>(&'f RefCell<F>);

impl<'f, F> Shared<'f, F> {
    pub(crate) fn new(flash: &'f RefCell<F>) -> Self {
        Self(flash)
    }
}

impl<F> Clone for Shared<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for Shared<'_, F> {}

impl<F: ErrorType> ErrorType for Shared<'_, F> {
    type Error = F::Error;
}

impl<F: NorFlash> waited::ReadNorFlash for Shared<'_, F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.0.borrow_mut().read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.0.borrow().capacity()
    }
}

impl<F: NorFlash> waited::NorFlash for Shared<'_, F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        self.0.borrow_mut().erase(from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.0.borrow_mut().write(offset, bytes)
    }
}

impl<F: NorFlash + MultiwriteNorFlash> waited::MultiwriteNorFlash for Shared<'_, F> {}

/// What comes of something that does not wait; `None` if it does after all.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
