//! Campaigns: boards of one authority are told, group by group, to get certificates of another.
//!
//! Invariant: how far a campaign is follows from the boards' rows alone; what is kept here only spreads
//! and repeats what boards are told, and may be lost.

mod campaigns;
mod error;
mod live;
mod told;

pub use campaigns::{CampaignStanding, Campaigns, NewCampaign, Went};
pub use error::CampaignError;
