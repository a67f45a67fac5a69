//! What kind of image this is: written into it by the bench, so that one build is good ones and bad ones.

use core::ptr;

use board::Settings;

/// The bench finds this and changes its last byte before it signs the image.
#[used]
static BEHAVIOUR: [u8; 8] = *b"behave:c";

/// What an image does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// What it is there for.
    Proper,
    /// It never reaches its hub, and so never proves itself.
    Mute,
    /// It fails at once.
    Panic,
    /// It goes round in a circle.
    Hang,
}

impl Behaviour {
    pub(crate) fn of_this_image() -> Self {
        // SAFETY: a static of one's own; read so that the compiler does not know it beforehand.
        match unsafe { ptr::read_volatile(&raw const BEHAVIOUR[7]) } {
            b'q' => Self::Mute,
            b'p' => Self::Panic,
            b'h' => Self::Hang,
            _ => Self::Proper,
        }
    }

    /// A bench's pace. What will not come to anything is not waited for long.
    pub(crate) fn settings(self) -> Settings {
        let mut settings = Settings { report_every: 10_000, ..Settings::default() };
        settings.core.learns_time = true;
        settings.core.ack_timeout = 1_000;
        if self == Self::Mute {
            settings.trial_max = 2_000;
        }
        settings
    }
}
