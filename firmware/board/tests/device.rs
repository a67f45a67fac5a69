//! A whole board: readings over losses of power, updates from the offer to the proof, commands.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's failure is its report"
)]

mod rig;

use std::cell::{Cell, RefCell};

use board::{CommandError, Effect, Millis, Moment, Product, Sample};
use image::{Event, Refusal, Start};
use rig::thermometer::Thermometer;
use rig::valve::Valve;
use rig::{Cut, End, Flash, Hub, Leaves, Life, MAP, Operation, image, made};
use wire::{UpdateState, readings};

const MINUTE: Millis = 60_000;
const DAY: Millis = 86_400_000;
const NEW: (u8, u8, u16, u32) = (2, 0, 0, 0);

fn thermometer() -> Thermometer {
    Thermometer::new(|| 21.5)
}

/// A product that counts its measurements.
struct Counter<'c> {
    count: &'c Cell<u32>,
}

impl Product for Counter<'_> {
    fn name(&self) -> &str {
        "counter"
    }

    fn hardware(&self) -> &str {
        "A"
    }

    fn interval(&self) -> Millis {
        MINUTE
    }

    fn measure(&mut self, _now: Moment, samples: &mut Vec<Sample>) {
        self.count.set(self.count.get() + 1);
        let value = f64::from(self.count.get());
        samples.push(Sample { name: "n".to_owned(), unit: None, value });
    }

    fn command(&mut self, _: Moment, _: &str, _: &[u8]) -> Result<Vec<u8>, CommandError> {
        Err(CommandError::Unknown)
    }
}

/// The numbers that a hub has, in their order, repeated ones once.
fn numbers(hub: &Hub) -> Vec<u32> {
    let mut numbers: Vec<u32> = Vec::new();
    for pack in &hub.readings {
        for named in readings(pack).unwrap() {
            let wire::Value::I64(number) = named.unwrap().reading.value else {
                panic!("not a whole number: {pack:02x?}")
            };
            numbers.push(number.try_into().unwrap());
        }
    }
    numbers.dedup();
    numbers
}

/// Runs a board until it has the new image and has confirmed it, over as many starts as that takes.
#[track_caller]
fn run_to_the_end<P: Product>(
    flash: &RefCell<Flash>,
    hub: &mut Hub,
    product: impl Fn() -> P,
) -> usize {
    let mut now = 0;
    for start in 1..10 {
        let mut life = Life::begin(flash, now, product()).unwrap();
        life.power(80, -90);
        let end = life.live(hub, 2 * DAY);
        now = life.now + 10;
        if life.record.version.major == 2 && end == End::Elapsed {
            return start;
        }
    }
    panic!("it never ran: {:?}", hub.states)
}

#[test]
fn readings_are_kept_in_flash_and_delivered_in_their_order() {
    let flash = made(&image("1.0.0", 2, 1));
    let (count, mut hub) = (Cell::new(0), Hub::default());
    let mut life = Life::begin(&flash, 0, Counter { count: &count }).unwrap();
    life.is_reachable = false;
    assert_eq!(life.live(&mut hub, 10 * MINUTE), End::Elapsed);
    assert!(hub.readings.is_empty());
    // Power is lost, and the network comes back.
    drop(life);
    let mut life = Life::begin(&flash, 0, Counter { count: &count }).unwrap();
    life.live(&mut hub, 30 * MINUTE);
    assert_eq!(numbers(&hub), (1..=count.get()).collect::<Vec<_>>());
}

#[test]
fn a_board_says_that_it_is_to_renew_its_certificate_and_goes_on() {
    let flash = made(&image("1.0.0", 2, 1));
    let (count, mut hub) = (Cell::new(0), Hub::default());
    let mut life = Life::begin(&flash, 0, Counter { count: &count }).unwrap();
    let told = |effects: &[Effect]| {
        effects.iter().filter(|effect| **effect == Effect::RenewCertificate).count()
    };
    life.live(&mut hub, 10 * MINUTE);
    assert_eq!(told(&life.effects), 0);
    let before = hub.readings.len();
    hub.wants_renewal = true;
    life.live(&mut hub, 10 * MINUTE);
    assert!(told(&life.effects) > 0 && told(&life.effects) == hub.readings.len() - before);
    hub.wants_renewal = false;
    life.live(&mut hub, 10 * MINUTE);
    assert_eq!(numbers(&hub), (1..=count.get()).collect::<Vec<_>>());
}

#[test]
fn a_full_flash_loses_the_newest_readings_and_says_so() {
    let flash = made(&image("1.0.0", 2, 1));
    let (count, mut hub) = (Cell::new(0), Hub::default());
    let mut life = Life::begin(&flash, 0, Counter { count: &count }).unwrap();
    life.is_reachable = false;
    life.live(&mut hub, 180 * MINUTE);
    let lost = life.effects.iter().filter(|effect| **effect == Effect::ReadingLost).count();
    assert!(lost > 0);
    life.is_reachable = true;
    life.live(&mut hub, 180 * MINUTE);
    let there = numbers(&hub);
    let kept = u32::try_from(there.iter().zip(1..).take_while(|(a, b)| *a == b).count()).unwrap();
    assert!(kept > 50, "{kept}");
    assert_eq!(there.last(), Some(&count.get()), "and then it goes on");
}

/// What was submitted before the power went is delivered after, and nothing twice but the one that was
/// under way; whichever word was being written.
#[test]
fn no_reading_is_lost_by_a_power_cut() {
    let image = image("1.0.0", 2, 1);
    for after in 0..160 {
        let flash = made(&image);
        let (count, mut hub) = (Cell::new(0), Hub::default());
        let mut life = Life::begin(&flash, 0, Counter { count: &count }).unwrap();
        life.live(&mut hub, 2 * MINUTE);
        flash.borrow_mut().power_on();
        flash.borrow_mut().cut_at(Cut { after, of: Operation::Word, leaves: Leaves::Torn(after) });
        life.is_reachable = after % 2 == 0;
        let end = life.live(&mut hub, 40 * MINUTE);
        let submitted = count.get();
        drop(life);
        flash.borrow_mut().power_on();
        let mut life = Life::begin(&flash, 0, Counter { count: &count }).unwrap();
        life.live(&mut hub, 60 * MINUTE);
        let mut there = numbers(&hub);
        // The one that was being written when the power went may be there or not.
        let was_cut = end == End::Cut;
        let missing: Vec<_> = (1..=count.get()).filter(|n| !there.contains(n)).collect();
        assert!(missing.is_empty() || was_cut && missing == [submitted], "{after}: {missing:?}");
        let all = there.len();
        there.sort_unstable();
        there.dedup();
        assert!(all - there.len() <= 1, "{after}: {} came twice", all - there.len());
    }
}

#[test]
fn an_update_is_fetched_verified_put_in_place_and_proved() {
    let flash = made(&image("1.0.0", 2, 1));
    let new = image("2.0.0", 6, 2);
    let mut hub = Hub::offering(&new, NEW);
    assert_eq!(run_to_the_end(&flash, &mut hub, thermometer), 2);
    assert_eq!(hub.served, new.len(), "each byte once");
    let told = hub.reports.last().unwrap();
    assert_eq!((told.version, told.outcome), (NEW, Some((1, Event::Installed.code(), 0))));
    assert!(!told.on_trial, "the first reading that was taken proved it");
    // The next start sees the confirmation.
    let life = Life::begin(&flash, 0, thermometer()).unwrap();
    assert_eq!((life.record.start, life.record.floor), (Start::Again, 2));
}

#[test]
fn an_update_comes_over_a_bad_link_and_over_lost_connections() {
    let flash = made(&image("1.0.0", 2, 1));
    let new = image("2.0.0", 6, 2);
    let mut hub = Hub::offering(&new, NEW);
    hub.loses = 5;
    let mut life = Life::begin(&flash, 0, thermometer()).unwrap();
    life.power(80, -90);
    let mut end = End::Elapsed;
    for _ in 0..2000 {
        end = life.live(&mut hub, 3_000);
        if end != End::Elapsed {
            break;
        }
        life.device.handle_disconnected(life.now);
    }
    assert_eq!(end, End::Restarted);
    assert!(hub.served < 3 * new.len(), "{} of {} bytes", hub.served, new.len());
    hub.loses = 0;
    let life = Life::begin(&flash, 0, thermometer()).unwrap();
    assert_eq!(life.record.start, Start::Trial);
}

/// At every tenth word that is written and sector that is erased on the way, from the first block to the
/// proof; and then it goes on, with at most a sector and a block fetched again.
#[test]
fn an_update_goes_on_after_a_power_cut_anywhere() {
    let (old, new) = (image("1.0.0", 2, 1), image("2.0.0", 5, 2));
    let mut cuts = 0;
    for after in (0..).step_by(10) {
        let flash = made(&old);
        let mut hub = Hub::offering(&new, NEW);
        let mut now = 0;
        let leaves = if after % 20 == 0 { Leaves::Torn(after) } else { Leaves::Weak(after) };
        flash.borrow_mut().cut_at(Cut { after, of: Operation::Word, leaves });
        let mut was_cut = false;
        let mut runs = None;
        for _ in 0..12 {
            let Some(mut life) = Life::begin(&flash, now, thermometer()) else {
                was_cut = true;
                flash.borrow_mut().power_on();
                continue;
            };
            life.power(80, -90);
            match life.live(&mut hub, 2 * DAY) {
                End::Cut => {
                    was_cut = true;
                    flash.borrow_mut().power_on();
                }
                End::Restarted => {}
                End::Elapsed => {
                    runs = Some(life.record.version.major);
                    break;
                }
            }
            now = life.now + 10;
        }
        // A trial that the power ended is over; what was tried once is not fetched again.
        let is_over = runs == Some(1) && hub.reports.iter().any(|told| told.outcome.is_some());
        assert!(runs == Some(2) || is_over, "{after}: {runs:?} {:?}", hub.states);
        assert!(hub.served <= new.len() + 800, "{after}: {} bytes", hub.served);
        if !was_cut {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 50, "{cuts}");
}

#[test]
fn an_update_waits_for_signal_battery_and_product() {
    let flash = made(&image("1.0.0", 2, 1));
    let new = image("2.0.0", 4, 2);
    let mut hub = Hub::offering(&new, NEW);
    let mut life = Life::begin(&flash, 0, Valve::new(|_| {})).unwrap();
    life.power(10, -130);
    assert_eq!(life.live(&mut hub, 30 * MINUTE), End::Elapsed);
    assert_eq!((hub.served, hub.states.last()), (0, Some(&UpdateState::AwaitingSignal)));
    life.power(10, -100);
    assert_eq!(life.live(&mut hub, 30 * MINUTE), End::Elapsed);
    assert_eq!((hub.served, hub.states.last()), (new.len(), Some(&UpdateState::AwaitingBattery)));
    hub.command("c/open", b"");
    life.live(&mut hub, 1000);
    life.power(90, -100);
    assert_eq!(life.live(&mut hub, 30 * MINUTE), End::Elapsed);
    assert_eq!(hub.states.last(), Some(&UpdateState::AwaitingProduct));
    hub.command("c/close", b"");
    assert_eq!(life.live(&mut hub, 30 * MINUTE), End::Restarted);
    assert_eq!(hub.served, new.len(), "it was fetched once");
}

#[test]
fn what_is_not_what_was_offered_is_refused_and_not_tried_again() {
    let flash = made(&image("1.0.0", 2, 1));
    let new = image("2.0.0", 4, 2);
    let mut hub = Hub::offering(&new, NEW);
    hub.file[700] ^= 1;
    let mut life = Life::begin(&flash, 0, thermometer()).unwrap();
    life.power(80, -90);
    assert_eq!(life.live(&mut hub, 3 * DAY), End::Elapsed);
    assert!(hub.states.contains(&UpdateState::Refused));
    assert_eq!(hub.served, new.len(), "once");
    // Nor after a restart.
    drop(life);
    let mut life = Life::begin(&flash, 0, thermometer()).unwrap();
    life.power(80, -90);
    life.live(&mut hub, 3 * DAY);
    assert_eq!(hub.served, new.len());
    // The hub counts another attempt.
    hub.file = new.clone();
    hub.offer.as_mut().unwrap().attempt = 1;
    assert_eq!(life.live(&mut hub, 3 * DAY), End::Restarted);
}

#[test]
fn a_file_that_is_no_image_of_ours_is_never_asked_for() {
    let flash = made(&image("1.0.0", 2, 1));
    let mut forged = image("2.0.0", 4, 2);
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let too_large = vec![7; usize::try_from(MAP.image_max()).unwrap() + 1];
    for file in [forged, too_large, vec![0; 900]] {
        let mut hub = Hub::offering(&file, NEW);
        let mut life = Life::begin(&flash, 0, thermometer()).unwrap();
        life.power(80, -90);
        assert_eq!(life.live(&mut hub, 2 * DAY), End::Elapsed);
        assert!(hub.states.contains(&UpdateState::Refused), "{:?}", hub.states);
    }
}

#[test]
fn an_update_that_reaches_no_hub_is_taken_back_and_not_fetched_again() {
    let flash = made(&image("1.0.0", 2, 1));
    let new = image("2.0.0", 4, 2);
    let mut hub = Hub::offering(&new, NEW);
    let mut life = Life::begin(&flash, 0, thermometer()).unwrap();
    life.power(80, -90);
    assert_eq!(life.live(&mut hub, DAY), End::Restarted);
    drop(life);
    let mut life = Life::begin(&flash, 0, thermometer()).unwrap();
    assert_eq!(life.record.start, Start::Trial);
    life.is_reachable = false;
    assert_eq!(life.live(&mut hub, DAY), End::Restarted, "it does not stay on trial");
    drop(life);
    let mut life = Life::begin(&flash, 0, thermometer()).unwrap();
    assert_eq!((life.record.start, life.record.version.major), (Start::Reverted, 1));
    life.power(80, -90);
    let served = hub.served;
    assert_eq!(life.live(&mut hub, 2 * DAY), End::Elapsed);
    assert_eq!(hub.served, served);
    let told = hub.reports.last().unwrap();
    assert_eq!(told.outcome.map(|(_, event, _)| event), Some(Event::Reverted.code()));
    hub.offer.as_mut().unwrap().attempt = 1;
    assert_eq!(life.live(&mut hub, 2 * DAY), End::Restarted);
}

#[test]
fn a_rollback_is_refused_before_it_is_asked_for_and_the_bootloader_would_too() {
    let flash = made(&image("1.0.0", 2, 5));
    // The floor is known from the first start on.
    drop(Life::begin(&flash, 0, thermometer()));
    let mut hub = Hub::offering(&image("2.0.0", 3, 4), NEW);
    let mut life = Life::begin(&flash, 0, thermometer()).unwrap();
    life.power(80, -90);
    assert_eq!(life.live(&mut hub, DAY), End::Elapsed);
    assert!(hub.states.contains(&UpdateState::Refused));
    assert_eq!(Refusal::Rollback { counter: 4, floor: 5 }.code(), 17);
}

#[test]
fn a_withdrawn_offer_is_forgotten() {
    let flash = made(&image("1.0.0", 2, 1));
    let mut hub = Hub::offering(&image("2.0.0", 4, 2), NEW);
    let mut life = Life::begin(&flash, 0, thermometer()).unwrap();
    life.power(80, -130);
    life.live(&mut hub, MINUTE);
    hub.offer = None;
    life.power(80, -90);
    assert_eq!(life.live(&mut hub, 2 * DAY), End::Elapsed);
    assert_eq!((hub.served, hub.states.last()), (0, Some(&UpdateState::Idle)));
}

#[test]
fn the_hub_asks_and_the_product_acts_once() {
    let flash = made(&image("1.0.0", 2, 1));
    let mut hub = Hub::default();
    let mut life = Life::begin(&flash, 0, Valve::new(|_| {})).unwrap();
    life.live(&mut hub, 1000);
    for (path, argument) in
        [("c/open", &b""[..]), ("c/open", b""), ("c/close", b"now"), ("c/spin", b""), ("x", b"")]
    {
        hub.command(path, argument);
    }
    // The same request again, as if its answer had been lost: it was carried out already.
    life.live(&mut hub, 1000);
    let codes: Vec<_> = hub.answers.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, [0x44, 0x89, 0x80, 0x84, 0x84]);
    assert!(!life.device.product().may_restart(Moment { millis: 0, unix_ms: None }));
}

#[test]
fn a_board_that_is_called_reports_at_once_and_not_a_day_later() {
    let flash = made(&image("1.0.0", 2, 1));
    let mut hub = Hub::default();
    let mut life = Life::begin(&flash, 0, Valve::new(|_| {})).unwrap();
    life.live(&mut hub, MINUTE);
    let before = hub.states.len();
    let new = image("2.0.0", 4, 2);
    hub.offer_now(&new, NEW);
    life.live(&mut hub, 30 * MINUTE);
    assert_eq!((hub.states.len(), hub.served), (before, 0), "it knows nothing of it yet");
    hub.command("fw", b"");
    assert_eq!(life.live(&mut hub, MINUTE), End::Restarted);
    assert_eq!(hub.served, new.len());
}

#[test]
fn a_fault_is_told_with_the_first_report_and_not_again() {
    let flash = made(&image("1.0.0", 2, 1));
    let mut hub = Hub::default();
    let fault = Some(b"panicked at 12".to_vec());
    let mut life = Life::begin_after(&flash, 0, thermometer(), fault.clone()).unwrap();
    life.live(&mut hub, 3 * DAY);
    let faults: Vec<_> = hub.reports.iter().map(|told| told.fault.clone()).collect();
    assert_eq!(faults[0], fault);
    assert!(faults.len() > 1 && faults[1..].iter().all(Option::is_none));
}

#[test]
fn the_radio_is_released_after_the_last_reading() {
    let flash = made(&image("1.0.0", 2, 1));
    let mut hub = Hub::default();
    let mut life = Life::begin(&flash, 0, thermometer()).unwrap();
    life.live(&mut hub, MINUTE);
    let mut released = Vec::new();
    life.now += 900_000;
    life.device.advance(life.now);
    while let Some(outgoing) = life.device.poll_transmit() {
        released.push(outgoing.is_last);
    }
    assert_eq!(released, [true]);
}

#[test]
fn a_hub_that_offers_what_it_does_not_have_is_asked_once_a_minute() {
    let flash = made(&image("1.0.0", 2, 1));
    let mut hub = Hub::offering(&image("2.0.0", 3, 1), NEW);
    hub.has_lost_its_files = true;
    let mut life = Life::begin(&flash, 0, thermometer()).unwrap();
    life.power(80, -90);
    assert_eq!(life.live(&mut hub, 60 * MINUTE), End::Elapsed);
    assert!((2..=61).contains(&hub.reports.len()), "{}", hub.reports.len());
    hub.has_lost_its_files = false;
    assert_eq!(life.live(&mut hub, 5 * MINUTE), End::Restarted);
}
