//! A route: where the readings of one resource go. The upstream it names may be missing; readings
//! are then answered 5.03.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::record::Record;
use crate::{ResourcePath, TenantId, TopicTemplate, UpstreamName};

/// Where one resource's readings of one tenant's boards go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Route {
    /// Whose boards.
    pub tenant: TenantId,
    /// The CoAP resource the boards post to.
    pub resource: ResourcePath,
    /// The tenant's upstream that takes the readings.
    pub upstream: UpstreamName,
    /// The topic they are published to.
    pub topic: TopicTemplate,
    /// When the board gets its 2.04.
    pub acknowledge: Acknowledge,
}

/// When a board gets its 2.04.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(rename_all = "kebab-case")]
pub enum Acknowledge {
    /// When the customer's system has accepted the reading; nothing acknowledged is ever lost.
    #[default]
    OnUpstream,
    /// When the hub has received it; a reading can be lost after its 2.04.
    OnReceive,
}

impl Record for Route {
    const VERSION: u8 = 1;
}
