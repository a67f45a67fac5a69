//! What is counted of campaigns: boards that were told to renew, and how far those of running campaigns are.

use prometheus::{IntCounter, IntGauge, Registry};

use super::labels::{CampaignBoards, Label as _};
use super::{counter, gauges};
use crate::campaign::CampaignStanding;

/// The series of campaigns.
pub(super) struct CampaignSeries {
    pub(super) told: IntCounter,
    boards: Vec<IntGauge>,
}

impl CampaignSeries {
    pub(super) fn new(to: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Boards of running campaigns, by how far they are.";
        let boards = gauges(to, "hub_campaign_boards", help, &["state"])?;
        let told = "Times that a board was told to renew its certificate.";
        Ok(Self {
            told: counter(to, "hub_campaign_told_total", told)?,
            boards: CampaignBoards::ALL
                .iter()
                .map(|state| boards.get_metric_with_label_values(&[state.label()]))
                .collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn show(&self, running: &[CampaignStanding]) {
        for (gauge, state) in self.boards.iter().zip(CampaignBoards::ALL) {
            let boards: u64 = running.iter().map(|standing| of(standing, *state)).sum();
            gauge.set(i64::try_from(boards).unwrap_or(i64::MAX));
        }
    }
}

fn of(standing: &CampaignStanding, state: CampaignBoards) -> u64 {
    let groups = standing.counts.iter();
    match state {
        CampaignBoards::Renewed => groups.map(|counts| counts.renewed).sum(),
        CampaignBoards::Waiting => groups.map(|counts| counts.waiting).sum(),
        CampaignBoards::ShutOut => groups.map(|counts| counts.shut_out).sum(),
        CampaignBoards::Told => standing.told,
        CampaignBoards::ToldOften => standing.told_often,
    }
}
