//! The endpoint against a board in virtual time.

mod arbitrary;
mod blocks;
mod echo;
mod exchanges;
mod fetching;
mod files;
mod locals;
mod refusals;
mod rig;
mod time;

use super::{Effect, Endpoint};

#[test]
fn an_idle_endpoint_is_small() {
    assert!(size_of::<Endpoint>() <= 88, "{} bytes", size_of::<Endpoint>());
    assert!(size_of::<Effect>() <= 40, "{} bytes", size_of::<Effect>());
}

#[test]
fn an_endpoint_gives_its_heap_back() {
    let mut rig = rig::Rig::new();
    for id in 0..200 {
        rig.send(&rig::post(id, b"21.5")).outcome(usize::from(id), super::Answer::Changed);
    }
    rig.send(&rig::upload(900, &[7; 100], 0, 0));
    assert_eq!(rig.endpoint.entries(), 2, "neighbours share an entry");
    let forgotten_at = rig.endpoint.forgotten_at().unwrap();
    rig.pass(forgotten_at - rig.now);
    rig.endpoint.handle_timeout(rig.now);
    assert_eq!(rig.endpoint.forgotten_at(), None);
    assert_eq!(rig.endpoint.poll_timeout(), None);
    while rig.endpoint.poll_effect().is_some() {}
    assert_eq!(rig.endpoint.heap_bytes(), 0);
}
