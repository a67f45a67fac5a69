//! All stories, in the order they are told.

mod boot;
mod chip;
mod memory;
mod network;
mod power;

use crate::bench::{Bench, Told};

/// What a story has to say beyond that it came out.
type Remark = String;
type Story = fn(&Bench) -> Told<Remark>;

/// One that says nothing.
macro_rules! plain {
    ($story:expr) => {
        |bench| $story(bench).map(|()| Remark::new())
    };
}

pub(crate) const ALL: &[(&str, Story)] = &[
    ("boots-what-imgtool-signs", plain!(boot::boots_what_imgtool_signs)),
    ("boots-what-our-builder-signs", plain!(boot::boots_what_our_builder_signs)),
    ("updates-and-confirms", plain!(boot::updates_and_confirms)),
    ("takes-back-what-never-confirms", plain!(boot::takes_back_what_never_confirms)),
    ("refuses-a-tampered-image", plain!(boot::refuses_a_tampered_image)),
    ("refuses-a-wrong-key", plain!(boot::refuses_a_wrong_key)),
    ("refuses-a-rollback", plain!(boot::refuses_a_rollback)),
    ("replaces-a-key", plain!(boot::replaces_a_key)),
    ("rescues-itself", plain!(boot::rescues_itself)),
    (
        "keeps-applications-out-of-the-bootloader",
        plain!(boot::keeps_applications_out_of_the_bootloader),
    ),
    ("starts-nothing-that-is-not-signed", plain!(boot::starts_nothing_that_is_not_signed)),
    ("needs-little-memory", memory::needs_little_memory),
    (
        "survives-a-power-cut-at-every-tenth-write",
        plain!(power::survives_a_power_cut_at_every_tenth_write),
    ),
    ("starts-and-updates-an-nrf9160", plain!(chip::starts_and_updates_an_nrf9160)),
    ("reports-and-is-rolled-on", plain!(network::reports_and_is_rolled_on)),
    ("keeps-its-session", plain!(network::keeps_its_session)),
    ("takes-back-a-mute-one-and-says-so", plain!(network::takes_back_a_mute_one_and_says_so)),
    ("takes-back-a-broken-one-and-says-so", plain!(network::takes_back_a_broken_one_and_says_so)),
    (
        "takes-back-one-that-hangs-and-says-so",
        plain!(network::takes_back_one_that_hangs_and_says_so),
    ),
    ("refuses-what-was-changed-on-the-way", plain!(network::refuses_what_was_changed_on_the_way)),
    (
        "refuses-a-key-that-only-the-hub-knows",
        plain!(network::refuses_a_key_that_only_the_hub_knows),
    ),
    ("attaches-through-its-modem", plain!(network::attaches_through_its_modem)),
    ("waits-for-a-better-signal", plain!(network::waits_for_a_better_signal)),
    ("is-not-rolled-back", plain!(network::is_not_rolled_back)),
];
