//! Boards that speak to a hub: what they do, and what the hub says of it.

use crate::bench::{Air, Behaviour, Bench, Failure, Hub, Machine, Modem, Pair, Plan, Stack, Told};

/// A board and everything around it.
struct Scene {
    hub: Hub,
    air: Air,
    modem: Modem,
    machine: Machine,
}

impl Scene {
    /// The board runs 1.0.0, from now on.
    fn begin(bench: &Bench) -> Told<Self> {
        let (hub, modem) = (bench.hub()?, Modem::new()?);
        Self::begin_with(bench, hub, modem)
    }

    fn begin_with(bench: &Bench, hub: Hub, modem: Modem) -> Told<Self> {
        let air = Air::to(hub.listen)?;
        let image = bench.workshop.image(Plan { counter: 2, ..Plan::of_application("1.0.0") })?;
        let mut machine = bench.board_of(&hub, &air, &modem, &image)?.power_on()?;
        machine.expect("started", &["1.0.0", "Again"])?;
        Ok(Self { hub, air, modem, machine })
    }

    /// The same, until it has delivered a reading.
    fn running(bench: &Bench) -> Told<Self> {
        let mut scene = Self::begin(bench)?;
        scene.machine.hears("attached")?;
        scene.machine.expect("connected", &["resumed=false", "cid=true"])?;
        scene.machine.hears("it is")?;
        scene.machine.hears("answered")?;
        Ok(scene)
    }
}

const BOARDS: [&str; 3] = ["rollout", "boards", "1"];

pub(super) fn reports_and_is_rolled_on(bench: &Bench) -> Told {
    let Scene { hub, air: _air, modem: _modem, mut machine } = Scene::running(bench)?;
    hub.counts("hub_messages_total", 1.0)?;
    let image = bench.workshop.image(Plan { counter: 2, ..Plan::of_application("2.0.0") })?;
    hub.add(&image)?;
    hub.roll_out("1")?;
    let line = machine.hears("restarting")?;
    bench.figures.talk(format!("update of {} bytes", image.len()), &line)?;
    machine.expect("started", &["2.0.0", "Trial"])?;
    machine.expect("connected", &["cid=true"])?;
    machine.hears("confirmed")?;
    hub.says(&BOARDS, "succeeded")?;
    hub.says(&["rollout", "show", "1"], "is finished")?;
    // For good, and at the same hub.
    let mut machine = machine.power_off()?.power_on()?;
    machine.expect("started", &["2.0.0", "Again"])?;
    machine.hears("answered")?;
    bench.figures.memory("stack of the application", machine.stack_used(Stack::Application)?);
    Ok(())
}

pub(super) fn keeps_its_session(bench: &Bench) -> Told {
    let Scene { hub, air, modem: _modem, mut machine } = Scene::begin(bench)?;
    let full = machine.expect("connected", &["resumed=false", "cid=true"])?;
    let first = machine.hears("answered")?;
    air.change_address()?;
    // The next but one is sent after an answer: from the new address.
    let second = machine.hears("answered")?;
    machine.hears("answered")?;
    let handshakes = hub.metric("hub_handshakes_total{")?;
    if handshakes > 1.0 {
        return Err(Failure::Hub(format!("{handshakes} handshakes for one session")));
    }
    // Nothing gets through for longer than a session waits for an answer: it is resumed.
    air.set_outage(true);
    machine.hears("no answer")?;
    air.set_outage(false);
    let resumed = machine.expect("connected", &["resumed=true", "cid=true"])?;
    machine.hears("answered")?;
    let figures = &bench.figures;
    figures.talk("handshake, full", &full)?;
    figures.talk("handshake, resumed", &resumed)?;
    figures.talk_since("reading of two values", &second, Some(&first))?;
    let heap = Machine::number(&resumed, "heap")?;
    figures.memory("heap of the application", usize::try_from(heap).unwrap_or_default());
    Ok(())
}

pub(super) fn takes_back_a_mute_one_and_says_so(bench: &Bench) -> Told {
    taken_back(bench, Behaviour::Wait, Some("restarting"))
}

pub(super) fn takes_back_a_broken_one_and_says_so(bench: &Bench) -> Told {
    taken_back(bench, Behaviour::Panic, Some("panic"))
}

pub(super) fn takes_back_one_that_hangs_and_says_so(bench: &Bench) -> Told {
    taken_back(bench, Behaviour::Hang, None)
}

fn taken_back(bench: &Bench, behaviour: Behaviour, last_word: Option<&str>) -> Told {
    let Scene { hub, air: _air, modem: _modem, mut machine } = Scene::running(bench)?;
    let bad = Plan { behaviour, counter: 2, ..Plan::of_application("2.0.0") };
    hub.add(&bench.workshop.image(bad)?)?;
    hub.roll_out("1")?;
    machine.expect("started", &["2.0.0", "Trial"])?;
    if let Some(last_word) = last_word {
        machine.hears(last_word)?;
    }
    machine.expect("started", &["1.0.0", "Reverted"])?;
    machine.hears("answered")?;
    hub.says(&BOARDS, "did not prove itself")?;
    hub.says(&["rollout", "show", "1"], "has stopped itself")?;
    // A better one is taken.
    let good = Plan { counter: 2, ..Plan::of_application("2.0.1") };
    hub.add(&bench.workshop.image(good)?)?;
    hub.run(&["rollout", "resume", "1", "--release", "2"])?;
    machine.expect("started", &["2.0.1", "Trial"])?;
    machine.hears("confirmed")?;
    hub.says(&BOARDS, "succeeded")?;
    Ok(())
}

/// The board runs on, and the hub has the reason in words.
fn refused(hub: &Hub, machine: &mut Machine) -> Told {
    hub.says(&BOARDS, "it did not take what it fetched")?;
    machine.hears("answered")?;
    hub.says(&["rollout", "show", "1"], "has stopped itself")
}

pub(super) fn refuses_what_was_changed_on_the_way(bench: &Bench) -> Told {
    let Scene { hub, air: _air, modem: _modem, mut machine } = Scene::running(bench)?;
    let mut image = bench.workshop.image(Plan { counter: 2, ..Plan::of_application("2.0.0") })?;
    hub.add(&image)?;
    hub.damage_images()?;
    hub.roll_out("1")?;
    refused(&hub, &mut machine)?;
    // The hub itself takes nothing that was changed before.
    if let Some(byte) = image.get_mut(0x800) {
        *byte ^= 1;
    }
    match hub.add(&image) {
        Err(Failure::Tool(why)) if why.contains("its digest is another one") => Ok(()),
        other => Err(Failure::Hub(format!("a tampered image: {other:?}"))),
    }
}

pub(super) fn refuses_a_key_that_only_the_hub_knows(bench: &Bench) -> Told {
    let Scene { hub, air: _air, modem: _modem, mut machine } = Scene::running(bench)?;
    let foreign = Plan { counter: 2, pair: Pair::Stranger, ..Plan::of_application("2.0.0") };
    let image = bench.workshop.image(foreign)?;
    match hub.add(&image) {
        Err(Failure::Tool(why)) if why.contains("a key that is not known") => {}
        other => return Err(Failure::Hub(format!("a foreign key: {other:?}"))),
    }
    hub.trust("stranger", &Pair::Stranger.pem()?)?;
    hub.add(&image)?;
    hub.roll_out("1")?;
    refused(&hub, &mut machine)
}

pub(super) fn is_not_rolled_back(bench: &Bench) -> Told {
    let Scene { hub, air: _air, modem: _modem, mut machine } = Scene::running(bench)?;
    // Later by its version, but of a counter that may not run here any more.
    hub.add(&bench.workshop.image(Plan { counter: 1, ..Plan::of_application("2.0.0") })?)?;
    hub.roll_out("1")?;
    hub.says(&BOARDS, "below what may run there")?;
    machine.hears("answered").map(drop)
}

pub(super) fn attaches_through_its_modem(bench: &Bench) -> Told {
    let modem = Modem::new()?;
    modem.set_silent(true);
    let Scene { hub, air, modem, mut machine } = Scene::begin_with(bench, bench.hub()?, modem)?;
    machine.hears("the modem is silent")?;
    modem.set_silent(false);
    machine.hears("attached")?;
    machine.expect("connected", &["resumed=false"])?;
    machine.hears("answered")?;
    // A day between two updates, sixteen seconds of listening, paging every 82 seconds on both radios.
    for wanted in [
        "AT+CEREG=5",
        "AT+CPSMS=1,,,\"00111000\",\"00001000\"",
        "AT+CEDRXS=2,4,\"0101\"",
        "AT+CEDRXS=2,5,\"0101\"",
        "AT+CFUN=1",
    ] {
        let commands = modem.commands();
        if !commands.iter().any(|command| command == wanted) {
            return Err(Failure::Board(format!("{wanted} is not among {commands:?}")));
        }
    }
    // Out of coverage and back: the session is the same.
    modem.set_coverage(false);
    air.set_outage(true);
    machine.hears("no coverage")?;
    air.set_outage(false);
    modem.set_coverage(true);
    machine.hears("attached")?;
    machine.hears("answered")?;
    machine.hears("answered")?;
    let handshakes = hub.metric("hub_handshakes_total{")?;
    if handshakes > 1.0 {
        return Err(Failure::Hub(format!("{handshakes} handshakes for one session")));
    }
    Ok(())
}

pub(super) fn waits_for_a_better_signal(bench: &Bench) -> Told {
    let modem = Modem::new()?;
    modem.set_signal(-125);
    let scene = Scene::begin_with(bench, bench.hub()?, modem)?;
    let Scene { hub, air: _air, modem, mut machine } = scene;
    machine.hears("answered")?;
    hub.add(&bench.workshop.image(Plan { counter: 2, ..Plan::of_application("2.0.0") })?)?;
    hub.roll_out("1")?;
    hub.says(&BOARDS, "its signal is too weak")?;
    modem.set_signal(-95);
    machine.expect("started", &["2.0.0", "Trial"])?;
    machine.hears("confirmed")?;
    hub.says(&BOARDS, "succeeded")
}
