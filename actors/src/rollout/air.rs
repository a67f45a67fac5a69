//! What a release costs on the air: bytes, seconds of radio, energy. Estimates, each from figures that
//! stand here with their source.
//!
//! Bytes are measured: `hub/tests/firmware_fleet.rs` has a board fetch an image over DTLS and holds them to what
//! the hub counted. Time and energy are a model: a board asks for a block, waits for it, asks for the next,
//! with its radio on all the while; signal, network and repetitions may make it several times as much.
//! Invariant: pure.

/// Bytes of a block, as boards ask for them.
const BLOCK: u32 = 1024;
/// Bytes of the datagram that asks for one: IP and UDP 28, DTLS with Connection ID 44, CoAP 33.
const ASK: u32 = 105;
/// Bytes of the datagram with a block, beside the block: IP and UDP 28, DTLS 37, CoAP 24.
const ANSWER: u32 = 89;
/// Bytes of a board's reports on the way, with their answers: one before and three behind it.
const REPORTS: u32 = 4 * 300;

/// A radio, and what is assumed of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Radio {
    /// LTE Cat-M1.
    LteM,
    /// LTE Cat-NB1.
    NbIot,
}

/// What one board's update takes of a radio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effort {
    /// Seconds in which the radio is on.
    pub seconds: f64,
    /// Energy for that, in joules.
    pub joules: f64,
}

impl Radio {
    /// Bits a second towards the board, as 3GPP Release 13 has it at most: half-duplex Cat-M1, and Cat-NB1.
    const fn downlink_bps(self) -> f64 {
        match self {
            Self::LteM => 300_000.0,
            Self::NbIot => 25_500.0,
        }
    }

    /// Seconds from the end of a question to the begin of its answer; assumed for a good signal.
    const fn turn_s(self) -> f64 {
        match self {
            Self::LteM => 0.1,
            Self::NbIot => 1.0,
        }
    }

    /// Watts while it is on: 3.7 V, and the current at 10 dBm in band 20 of the nRF9160's Product
    /// Specification ("Modem current consumption", IRMC_10DBM).
    const fn watts(self) -> f64 {
        match self {
            Self::LteM => 3.7 * 0.050,
            Self::NbIot => 3.7 * 0.045,
        }
    }

    /// Joules to wake, and to sleep again: the same source (EPSM_TAU, 23 dBm).
    const fn wake_joules(self) -> f64 {
        match self {
            Self::LteM => 0.105,
            Self::NbIot => 0.550,
        }
    }

    /// What a board takes that fetches an image of so many bytes in one go.
    #[must_use]
    pub fn effort(self, size: u32) -> Effort {
        let blocks = f64::from(size.div_ceil(BLOCK));
        let bits = 8.0 * bytes(size) as f64;
        let seconds = bits / self.downlink_bps() + blocks * self.turn_s();
        Effort { seconds, joules: seconds * self.watts() + self.wake_joules() }
    }
}

/// Bytes on the air, both ways and down to IP, of an update with an image of so many bytes.
#[must_use]
pub fn bytes(size: u32) -> u64 {
    let blocks = u64::from(size.div_ceil(BLOCK));
    u64::from(size) + blocks * u64::from(ASK + ANSWER) + u64::from(REPORTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_costs_its_bytes_and_two_heads_a_block() {
        assert_eq!(bytes(0), 1200);
        assert_eq!(bytes(1), 1 + 194 + 1200);
        assert_eq!(bytes(450_560), 450_560 + 440 * 194 + 1200);
        assert!(bytes(u32::MAX) > u64::from(u32::MAX));
    }

    #[test]
    fn a_slower_radio_takes_longer_and_more() {
        let (m, nb) = (Radio::LteM.effort(450_560), Radio::NbIot.effort(450_560));
        assert!((50.0..70.0).contains(&m.seconds) && (9.0..13.0).contains(&m.joules), "{m:?}");
        assert!(
            (580.0..640.0).contains(&nb.seconds) && (95.0..110.0).contains(&nb.joules),
            "{nb:?}"
        );
    }
}
