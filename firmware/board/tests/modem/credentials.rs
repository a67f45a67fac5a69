//! A modem's keys and certificates, and a hub that signs.

use std::collections::BTreeMap;

use base64::prelude::*;
use board::modem::{CredentialKind, CredentialSettings, Credentials, Kept, Step};

const DAY: u64 = 86_400;
const NOW: u64 = 1_800_000_000;
const SETTINGS: CredentialSettings =
    CredentialSettings { root: 10, own: [11, 12], renew_after_s: 300 * DAY, again_after_s: DAY };
/// An empty sequence, which is as much of a request as anybody looks at here.
const REQUEST: [u8; 2] = [0x30, 0];

/// A modem, and what the board keeps: both outlive a restart.
struct Bench {
    kept: BTreeMap<(u32, u8), String>,
    noted: Option<Vec<u8>>,
    is_online: bool,
    signs: bool,
    /// Steps until the power goes.
    steps: usize,
}

impl Bench {
    fn new() -> Self {
        let kept = [(10, 0), (11, 1), (11, 2)].map(|place| (place, "first".to_owned()));
        let kept = BTreeMap::from(kept);
        Self { kept, noted: None, is_online: true, signs: true, steps: usize::MAX }
    }

    fn start(&mut self) -> Credentials {
        self.is_online = true;
        let kind = |kind| match kind {
            0 => CredentialKind::Root,
            1 => CredentialKind::Certificate,
            _ => CredentialKind::Key,
        };
        let kept: Vec<_> =
            self.kept.keys().map(|&(tag, number)| Kept { tag, kind: kind(number) }).collect();
        Credentials::new(SETTINGS, &kept, self.noted.as_deref(), "352656100367872")
    }

    /// Does what is asked, until nothing is or the power goes.
    fn run(&mut self, credentials: &mut Credentials) {
        while let Some(step) = credentials.poll_step() {
            if self.steps == 0 {
                return;
            }
            self.steps -= 1;
            match step {
                Step::Offline | Step::Online => {
                    self.is_online = step == Step::Online;
                    credentials.handle_done(true);
                }
                Step::Note(bytes) => {
                    self.noted = Some(bytes.to_vec());
                    credentials.handle_done(true);
                }
                Step::Command(command) => credentials.handle_answer(&self.command(&command)),
                Step::Ask(request) => {
                    assert!(self.is_online && request == REQUEST);
                    credentials.handle_certificate(self.signs.then_some(b"certificate".as_slice()));
                }
            }
        }
    }

    fn command(&mut self, command: &str) -> String {
        assert!(!self.is_online, "only while the radio is off: {command}");
        if let Some(rest) = command.strip_prefix("AT%KEYGEN=") {
            let (tag, rest) = rest.split_once(',').unwrap();
            assert_eq!(rest, "2,0,\"CN=352656100367872\"");
            self.kept.insert((tag.parse().unwrap(), 2), "next".to_owned());
            let request = BASE64_URL_SAFE_NO_PAD.encode(REQUEST);
            return format!("%KEYGEN: \"{request}.AAAA\"\r\nOK\r\n");
        }
        let rest = command.strip_prefix("AT%CMNG=").unwrap();
        let fields: Vec<&str> = rest.splitn(4, ',').collect();
        let place = (fields[1].parse().unwrap(), fields[2].parse().unwrap());
        let is_done = match fields[0] {
            "3" => self.kept.remove(&place).is_some(),
            _ => self.kept.insert(place, fields[3].to_owned()).is_none(),
        };
        if is_done { "OK\r\n".to_owned() } else { "+CME ERROR: 513\r\n".to_owned() }
    }

    /// Whether the hub's certificate leads to a root, and there is a certificate for a key of the same age.
    fn can_connect(&self, [root, own]: [u32; 2]) -> bool {
        let of = |kind| self.kept.get(&(own, kind));
        let is_old = of(2).is_some_and(|key| key == "first");
        let fits = of(1).is_some_and(|certificate| is_old == (certificate == "first"));
        self.kept.contains_key(&(root, 0)) && of(2).is_some() && fits
    }
}

fn due(bench: &mut Bench) -> Credentials {
    let mut credentials = bench.start();
    credentials.handle_time(NOW);
    bench.run(&mut credentials);
    credentials.handle_time(NOW + 300 * DAY);
    assert!(credentials.is_busy());
    credentials
}

#[test]
fn a_board_without_a_whole_set_has_none() {
    for missing in [(10, 0), (11, 1), (11, 2)] {
        let mut bench = Bench::new();
        bench.kept.remove(&missing);
        assert_eq!(bench.start().tags(), None);
    }
    assert_eq!(Bench::new().start().tags(), Some([10, 11]));
}

#[test]
fn a_renewal_ends_with_a_session_on_the_new_key() {
    let mut bench = Bench::new();
    let mut credentials = due(&mut bench);
    bench.run(&mut credentials);
    assert_eq!(credentials.tags(), Some([10, 12]));
    assert!(bench.is_online && bench.can_connect([10, 12]) && bench.can_connect([10, 11]));
    let certificate = &bench.kept[&(12, 1)];
    assert!(certificate.starts_with("\"-----BEGIN CERTIFICATE-----\n"), "{certificate}");
    credentials.handle_handshake(true);
    bench.run(&mut credentials);
    assert_eq!(bench.start().tags(), Some([10, 12]));
    let mut credentials = bench.start();
    credentials.handle_time(NOW + 301 * DAY);
    assert!(!credentials.is_busy(), "not again before its time");
}

#[test]
fn a_hub_that_wants_another_certificate_is_asked_for_it_at_once() {
    let mut bench = Bench::new();
    let mut credentials = bench.start();
    credentials.handle_wanted();
    bench.run(&mut credentials);
    assert_eq!(credentials.tags(), Some([10, 12]));
    assert!(bench.can_connect([10, 12]));
    credentials.handle_wanted();
    assert!(!credentials.is_busy(), "not before the hub took this one");
}

#[test]
fn what_the_hub_does_not_sign_is_asked_for_again_a_day_later() {
    let mut bench = Bench::new();
    bench.signs = false;
    let mut credentials = due(&mut bench);
    bench.run(&mut credentials);
    assert_eq!((credentials.tags(), bench.is_online), (Some([10, 11]), true));
    credentials.handle_time(NOW + 300 * DAY + 60);
    assert!(!credentials.is_busy());
    credentials.handle_time(NOW + 301 * DAY);
    assert!(credentials.is_busy());
}

#[test]
fn a_certificate_that_the_hub_does_not_take_is_left_for_the_old_one() {
    let mut bench = Bench::new();
    let mut credentials = due(&mut bench);
    bench.run(&mut credentials);
    for _ in 0..3 {
        assert_eq!(credentials.tags(), Some([10, 12]));
        credentials.handle_handshake(false);
    }
    bench.run(&mut credentials);
    assert_eq!(credentials.tags(), Some([10, 11]));
    assert_eq!(bench.start().tags(), Some([10, 11]));
}

#[test]
fn whenever_the_power_goes_the_board_can_connect() {
    for steps in 0..20 {
        let mut bench = Bench::new();
        let mut credentials = due(&mut bench);
        bench.steps = steps;
        bench.run(&mut credentials);
        bench.steps = usize::MAX;
        let mut credentials = bench.start();
        let tags = credentials.tags().unwrap();
        assert!(bench.can_connect(tags), "after {steps} steps with {tags:?}");
        credentials.handle_handshake(true);
        bench.run(&mut credentials);
        credentials.handle_time(NOW + 301 * DAY);
        bench.run(&mut credentials);
        assert_eq!(credentials.tags(), Some([10, 12]), "after {steps} steps");
        assert!(bench.can_connect([10, 12]), "after {steps} steps");
    }
}

#[test]
fn a_note_that_was_damaged_or_names_what_is_not_there_does_not_count() {
    let mut bench = Bench::new();
    for note in
        [&[][..], &[1, 1, 1, 9, 0, 0, 0, 0, 0, 0, 0], &[2; 11], &[1, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0]]
    {
        bench.noted = Some(note.to_vec());
        assert_eq!(bench.start().tags(), Some([10, 11]));
    }
}
