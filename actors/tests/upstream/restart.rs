//! A broker killed and started again in mid-stream: one outcome for each delivery, and what was
//! accepted has arrived.

use std::collections::{BTreeSet, HashSet, VecDeque};

use actors::upstream::Outcome;
use storage::MqttVersion;
use storage::MqttVersion::{V5, V311};
use tokio::sync::oneshot;

use super::adapter::{Adapter, eventually, within};
use super::mosquitto::{Admits, Mosquitto};
use super::subscriber::Subscriber;

#[actix::test]
async fn over_3_1_1_what_was_accepted_around_a_kill_has_arrived() {
    what_was_accepted_around_a_kill_has_arrived(V311).await;
}

#[actix::test]
async fn over_5_what_was_accepted_around_a_kill_has_arrived() {
    what_was_accepted_around_a_kill_has_arrived(V5).await;
}

async fn what_was_accepted_around_a_kill_has_arrived(version: MqttVersion) {
    let mut broker = Mosquitto::start(Admits::Anyone).await;
    let subscriber = Subscriber::start(&broker).await;
    broker.save().await;
    let adapter = Adapter::start(broker.upstream(version));
    adapter.connected().await;
    let mut stream = Stream::default();
    stream.run_until_accepted(&adapter, 500).await;
    for _ in 0..50 {
        stream.deliver(&adapter);
    }
    broker.kill_and_restart().await;
    let before = stream.accepted.len();
    stream.run_until_accepted(&adapter, before + 500).await;
    stream.finish().await;
    assert!(stream.down > 0, "the kill was not noticed");
    let has_arrived = || {
        let received: HashSet<_> = subscriber.received().into_iter().map(|p| p.payload).collect();
        stream.accepted.iter().all(|n| received.contains(format!("reading-{n}").as_bytes()))
    };
    eventually("everything accepted at the subscriber", has_arrived).await;
    assert_eq!(adapter.gauge("hub_upstream_in_flight"), 0);
}

/// Deliveries with their outcomes still to come.
#[derive(Default)]
struct Stream {
    next: u64,
    waiting: VecDeque<(u64, oneshot::Receiver<Outcome>)>,
    accepted: BTreeSet<u64>,
    down: usize,
}

impl Stream {
    fn deliver(&mut self, adapter: &Adapter) {
        self.waiting.push_back((self.next, adapter.deliver(self.next)));
        self.next += 1;
    }

    async fn run_until_accepted(&mut self, adapter: &Adapter, count: usize) {
        while self.accepted.len() < count {
            while self.waiting.len() < 60 {
                self.deliver(adapter);
            }
            self.settle_one().await;
        }
    }

    async fn finish(&mut self) {
        while !self.waiting.is_empty() {
            self.settle_one().await;
        }
    }

    async fn settle_one(&mut self) {
        let (number, outcome) = self.waiting.pop_front().unwrap();
        // A sender dropped without a word would be an error here.
        match within(outcome).await.unwrap() {
            Outcome::Accepted => assert!(self.accepted.insert(number)),
            Outcome::Down { .. } => {
                self.down += 1;
                // As a board would: not in a tight loop.
                tokio::task::yield_now().await;
            }
            other => panic!("{other:?}"),
        }
    }
}
