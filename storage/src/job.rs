//! Work on many boards that goes on by itself: what is to be done to which, and how far it is.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use serde::Serialize;

use crate::id::checked_text;
use crate::record::Record;
use crate::{BoardId, TenantId, UnixSeconds, UserName};

checked_text!(
    /// A job's name: 16 of 0-9 and a-f, in the order in which jobs were made.
    JobId,
    "job id",
    "16 of 0-9 and a-f",
    |text| text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
);

/// Boards of a job that are named with what went wrong.
pub const JOB_FAULTS_MAX: usize = 20;

/// Work on many boards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Job {
    /// Its name.
    pub id: JobId,
    /// What is done to each board.
    pub work: Work,
    /// Which boards, as the list of boards is asked for them.
    pub filter: String,
    /// The tenants it goes no further than; `None` is all.
    pub within: Option<Vec<TenantId>>,
    /// Who wants it, as the audit log names them.
    pub by: String,
    /// The person.
    pub owner: UserName,
    /// When it was made.
    pub created: UnixSeconds,
    /// How it is.
    pub state: JobState,
    /// Boards that fitted when it was made.
    pub total: u64,
    /// Boards that were changed.
    pub done: u64,
    /// Boards that a rule kept as they were.
    pub kept: u64,
    /// Boards that could not be changed.
    pub failed: u64,
    /// The last board that it came to; it goes on behind this one.
    pub after: Option<BoardId>,
    /// The first boards that could not be changed, or that a rule kept, and why.
    pub faults: Vec<(BoardId, String)>,
}

/// What is done to each board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "work", rename_all = "kebab-case")]
pub enum Work {
    /// It is refused until it is unblocked.
    Block {
        /// Why.
        reason: String,
    },
    /// It may connect again.
    Unblock,
    /// It is refused for good.
    Revoke {
        /// Why.
        reason: String,
    },
    /// It is given labels, and loses others.
    Label {
        /// Those it is given.
        set: BTreeMap<String, String>,
        /// The keys of those it loses.
        remove: Vec<String>,
    },
}

/// How a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum JobState {
    /// Others are before it.
    Waiting,
    /// It is at work; also after a restart of the hub, behind the board that it had come to.
    Running {
        /// Since when.
        since: UnixSeconds,
    },
    /// It has come to every board.
    Done {
        /// When.
        at: UnixSeconds,
    },
    /// Somebody ended it.
    Cancelled {
        /// When.
        at: UnixSeconds,
    },
}

impl JobState {
    /// Whether there is nothing more to do.
    #[must_use]
    pub const fn is_over(self) -> bool {
        match self {
            Self::Waiting | Self::Running { .. } => false,
            Self::Done { .. } | Self::Cancelled { .. } => true,
        }
    }
}

impl Job {
    /// Notes what became of a board; the first faults are kept word for word.
    pub fn came_to(&mut self, board: BoardId, became: Became) {
        let why = match became {
            Became::Changed => {
                self.done += 1;
                None
            }
            Became::Kept(why) => {
                self.kept += 1;
                Some(why)
            }
            Became::Failed(why) => {
                self.failed += 1;
                Some(why)
            }
        };
        if let Some(why) = why.filter(|_| self.faults.len() < JOB_FAULTS_MAX) {
            self.faults.push((board.clone(), why.chars().take(200).collect()));
        }
        self.after = Some(board);
    }
}

/// What became of a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Became {
    /// It was changed.
    Changed,
    /// A rule kept it as it was, for this reason.
    Kept(String),
    /// It could not be changed, for this reason.
    Failed(String),
}

impl JobId {
    /// The job's that is made now, behind the last there was.
    #[must_use]
    pub fn next(last: Option<&Self>, now: UnixSeconds) -> Self {
        let last = last.and_then(|last| u64::from_str_radix(last.as_str(), 16).ok()).unwrap_or(0);
        let number = last.saturating_add(1).max(now.0 << 24);
        Self(format!("{number:016x}").into())
    }
}

impl Record for Job {
    const VERSION: u8 = 1;
}
