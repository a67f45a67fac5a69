//! Many boards in one process.
//!
//! Never more than a task, a socket and webrtc-dtls's own cost a board.

use std::sync::Arc;

use board::Random;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::connector::Connector;
use crate::identity::Identity;
use crate::tally::{Snapshot, Tally};
use crate::virtual_board::{Plan, VirtualBoard};

/// The boards of a fleet and what they do.
pub struct Fleet {
    /// Who takes part.
    pub identities: Vec<Identity>,
    /// Where their hub is.
    pub connector: Connector,
    /// What each does.
    pub plan: Plan,
    /// Seed of the whole fleet.
    pub seed: u64,
    /// Where they count.
    pub tally: Arc<Tally>,
}

/// Runs every board until its plan is done or `stop` turns true; the counters at the end.
pub async fn run_fleet(fleet: Fleet, stop: watch::Receiver<bool>) -> Snapshot {
    let mut seeds = Random::new(fleet.seed);
    let (connector, plan) = (Arc::new(fleet.connector), Arc::new(fleet.plan));
    let mut boards = JoinSet::new();
    for identity in fleet.identities {
        let board = VirtualBoard {
            identity,
            connector: Arc::clone(&connector),
            plan: Arc::clone(&plan),
            tally: Arc::clone(&fleet.tally),
            seed: seeds.bits(),
        };
        boards.spawn(board.run(stop.clone()));
    }
    while boards.join_next().await.is_some() {}
    fleet.tally.snapshot()
}
