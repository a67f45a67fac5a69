//! The DTLS association that a modem keeps: it can be laid by while the board sleeps, and taken up again
//! without a handshake, for the hub knows it by its Connection ID (RFC 9146).
//!
//! Invariant: nothing is sent on what is laid by or gone.

use crate::Millis;

/// Where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    None,
    Open { quiet_since: Millis },
    LaidBy,
}

/// An association, or none.
#[derive(Clone, Copy, Debug)]
pub struct Association {
    state: State,
    lay_by_after: Millis,
}

/// What comes before something can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// Take up what was laid by; where the modem cannot, shake hands.
    TakeUp,
    /// Shake hands.
    Handshake,
}

impl Association {
    /// None yet. One that has been quiet for so long is laid by: not before the network stopped sending, which
    /// is the active time of PSM.
    pub fn new(lay_by_after: Millis) -> Self {
        Self { state: State::None, lay_by_after }
    }

    /// What comes before something can be sent.
    pub fn before_sending(&self) -> Before {
        match self.state {
            State::None => Before::Handshake,
            State::Open { .. } => Before::Nothing,
            State::LaidBy => Before::TakeUp,
        }
    }

    /// There is one, by a handshake or taken up; or something was sent or received on it.
    pub fn handle_traffic(&mut self, now: Millis) {
        self.state = State::Open { quiet_since: now };
    }

    /// It is gone.
    pub fn handle_lost(&mut self) {
        self.state = State::None;
    }

    /// The modem laid it by.
    pub fn handle_laid_by(&mut self) {
        if matches!(self.state, State::Open { .. }) {
            self.state = State::LaidBy;
        }
    }

    /// It could not be laid by: it stays open, and is tried again later.
    pub fn handle_not_laid_by(&mut self, now: Millis) {
        if matches!(self.state, State::Open { .. }) {
            self.state = State::Open { quiet_since: now };
        }
    }

    /// When it is to be laid by.
    pub fn poll_timeout(&self) -> Option<Millis> {
        match self.state {
            State::Open { quiet_since } => Some(quiet_since.saturating_add(self.lay_by_after)),
            State::None | State::LaidBy => None,
        }
    }

    /// Whether something can be received.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_association_is_laid_by_and_taken_up_without_a_handshake() {
        let mut association = Association::new(16_000);
        assert_eq!(association.before_sending(), Before::Handshake);
        association.handle_traffic(1_000);
        association.handle_traffic(5_000);
        assert_eq!(association.poll_timeout(), Some(21_000));
        association.handle_laid_by();
        assert_eq!(
            (association.before_sending(), association.poll_timeout()),
            (Before::TakeUp, None)
        );
        association.handle_traffic(100_000);
        assert_eq!(association.before_sending(), Before::Nothing);
    }

    #[test]
    fn what_the_modem_cannot_lay_by_stays_open_and_is_tried_again() {
        let mut association = Association::new(16_000);
        association.handle_traffic(0);
        association.handle_not_laid_by(16_000);
        assert_eq!(association.poll_timeout(), Some(32_000));
        assert!(association.is_open());
    }

    #[test]
    fn what_is_lost_is_neither_laid_by_nor_taken_up() {
        let mut association = Association::new(16_000);
        association.handle_traffic(0);
        association.handle_lost();
        association.handle_laid_by();
        association.handle_not_laid_by(5);
        assert_eq!(
            (association.before_sending(), association.poll_timeout()),
            (Before::Handshake, None)
        );
    }
}
