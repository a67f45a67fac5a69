//! That every check was passed, as a number: against glitches of clock and voltage that make a
//! processor skip an instruction.
//!
//! Each check that is passed adds its own constant; one that was jumped over leaves it out. Whoever jumps
//! to an image compares the sum, twice. No single branch decides.

use core::hint::black_box;

/// What has been passed so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof(u32);

/// A check.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum Passed {
    Read = 0x1d87_c2b5,
    Digest = 0x6b3e_11d9,
    Signature = 0x8f52_7ae3,
    SignatureAgain = 0x35c9_e64f,
    Counter = 0x59a4_8d17,
    CounterAgain = 0xc61b_5b2d,
    Place = 0x72f0_39cb,
}

const COMPLETE: u32 = Passed::Read as u32
    ^ Passed::Digest as u32
    ^ Passed::Signature as u32
    ^ Passed::SignatureAgain as u32
    ^ Passed::Counter as u32
    ^ Passed::CounterAgain as u32
    ^ Passed::Place as u32;

impl Proof {
    pub(crate) fn new() -> Self {
        Self(black_box(0))
    }

    /// Not known to the compiler beforehand, so that it cannot add constants up in advance.
    pub(crate) fn add(&mut self, passed: Passed) {
        self.0 = black_box(black_box(self.0) ^ black_box(passed as u32));
    }

    /// Whether all was passed; to be asked right before the jump, once more than seems needed.
    #[inline(never)]
    pub fn is_complete(&self) -> bool {
        let (first, second) = (black_box(self.0), black_box(!self.0));
        black_box(first == COMPLETE) & black_box(second == !COMPLETE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_check_less_or_twice_is_no_proof() {
        use Passed::*;
        let all = [Read, Digest, Signature, SignatureAgain, Counter, CounterAgain, Place];
        let proof = |of: &[Passed]| {
            let mut proof = Proof::new();
            of.iter().for_each(|passed| proof.add(*passed));
            proof.is_complete()
        };
        assert!(proof(&all) && !proof(&[]));
        for left_out in 0..all.len() {
            let mut some = all.to_vec();
            some.remove(left_out);
            assert!(!proof(&some), "without {:?}", all[left_out]);
        }
        assert!(!proof(&[all.as_slice(), &[Counter]].concat()));
    }
}
