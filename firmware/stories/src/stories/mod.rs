//! All stories, in the order they are told.

mod boot;
mod power;

use crate::bench::{Bench, Told};

type Story = fn(&Bench) -> Told;

pub(crate) const ALL: &[(&str, Story)] = &[
    ("boots-what-imgtool-signs", boot::boots_what_imgtool_signs),
    ("boots-what-our-builder-signs", boot::boots_what_our_builder_signs),
    ("updates-and-confirms", boot::updates_and_confirms),
    ("takes-back-what-never-confirms", boot::takes_back_what_never_confirms),
    ("refuses-a-tampered-image", boot::refuses_a_tampered_image),
    ("refuses-a-wrong-key", boot::refuses_a_wrong_key),
    ("refuses-a-rollback", boot::refuses_a_rollback),
    ("replaces-a-key", boot::replaces_a_key),
    ("rescues-itself", boot::rescues_itself),
    ("keeps-applications-out-of-the-bootloader", boot::keeps_applications_out_of_the_bootloader),
    ("starts-nothing-that-is-not-signed", boot::starts_nothing_that_is_not_signed),
    ("survives-a-power-cut-at-every-tenth-write", power::survives_a_power_cut_at_every_tenth_write),
];
