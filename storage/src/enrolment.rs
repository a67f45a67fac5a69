//! Whether a board may be enrolled: the rules over batch, token and board as they are remembered.
//!
//! Invariant: pure. What is judged was read by the caller, who writes in the same transaction.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    Again, Batch, BatchName, BatchState, Board, BoardId, BoardState, Fingerprint, TenantId, Token,
    TokenDigest, UnixSeconds,
};

/// A board that is to be given a certificate.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// Its hardware id.
    pub board: BoardId,
    /// Whose it is to be.
    pub tenant: TenantId,
    /// The batch that lets it.
    pub batch: BatchName,
    /// The one-time token that vouches for it; without, somebody else has.
    pub token: Option<TokenDigest>,
    /// Now.
    pub at: UnixSeconds,
    /// Whether the board may have a certificate already.
    pub taking: Taking,
    /// The labels that it gets beside the batch's.
    pub labels: BTreeMap<String, String>,
}

/// Whether a board may take the place of a certificate that it has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Taking {
    /// As its batch says.
    #[default]
    AsTheBatchSays,
    /// It may not have one.
    WhatIsFree,
}

/// A board that was enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Enrolled {
    /// The board as it now is.
    pub board: Board,
    /// The certificate it had before, which is not taken any more.
    pub replaced: Option<Fingerprint>,
}

/// Why a board is not enrolled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentRefusal {
    /// There is no such tenant.
    #[error("there is no tenant {0}")]
    UnknownTenant(TenantId),
    /// The tenant may have no boards served.
    #[error("tenant {0} is suspended")]
    TenantSuspended(TenantId),
    /// There is no such batch.
    #[error("tenant {tenant} has no batch {batch}")]
    UnknownBatch {
        /// Whose.
        tenant: TenantId,
        /// The name that was given.
        batch: BatchName,
    },
    /// The batch was closed.
    #[error("batch {0} is closed")]
    BatchClosed(BatchName),
    /// The batch's time is over.
    #[error("batch {0} has expired")]
    BatchExpired(BatchName),
    /// The batch has as many boards as it may.
    #[error("batch {batch} has all of its {max} boards")]
    BatchFull {
        /// The batch.
        batch: BatchName,
        /// How many it may have.
        max: u32,
    },
    /// The batch does not take this hardware id.
    #[error("board {board} is not of batch {batch}")]
    NotOfBatch {
        /// The hardware id.
        board: BoardId,
        /// The batch.
        batch: BatchName,
    },
    /// Nobody made this token.
    #[error("the token is unknown")]
    TokenUnknown,
    /// The token has done its service.
    #[error("the token was used before")]
    TokenUsed,
    /// The token's time is over.
    #[error("the token has expired")]
    TokenExpired,
    /// The hardware id is another tenant's board.
    #[error("board {0} belongs to another tenant")]
    AnotherTenants(BoardId),
    /// The board is blocked, revoked or held.
    #[error("board {board} is {state}: {reason}")]
    Shut {
        /// The board.
        board: BoardId,
        /// Which of them.
        state: &'static str,
        /// Why.
        reason: String,
    },
    /// The board has a certificate.
    #[error("board {0} has a certificate")]
    HasOne(BoardId),
    /// The board is in use with the certificate it has.
    #[error("board {0} is in the field with the certificate it has, which it renews itself")]
    InTheField(BoardId),
}

/// What is remembered of those an enrolment is about.
pub(crate) struct Remembered<'a> {
    pub(crate) batch: Option<&'a Batch>,
    /// Whether the batch takes the hardware id.
    pub(crate) is_of_batch: bool,
    pub(crate) token: Option<&'a Token>,
    pub(crate) board: Option<&'a Board>,
}

/// Whether the board counts among those that its batch has enrolled, from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counts {
    Anew,
    Already,
}

pub(crate) fn judge(
    wanted: &Enrolment,
    remembered: &Remembered<'_>,
) -> Result<Counts, EnrolmentRefusal> {
    token(wanted, remembered.token)?;
    let counts = match remembered.board.and_then(|board| board.fingerprint) {
        Some(_) => Counts::Already,
        None => Counts::Anew,
    };
    let batch = batch(wanted, remembered, counts)?;
    board(wanted, remembered.board, batch.again)?;
    match (wanted.taking, counts) {
        (Taking::WhatIsFree, Counts::Already) => {
            Err(EnrolmentRefusal::HasOne(wanted.board.clone()))
        }
        (Taking::AsTheBatchSays, _) | (Taking::WhatIsFree, Counts::Anew) => Ok(counts),
    }
}

fn token(wanted: &Enrolment, token: Option<&Token>) -> Result<(), EnrolmentRefusal> {
    if wanted.token.is_none() {
        return Ok(());
    }
    let token = token.ok_or(EnrolmentRefusal::TokenUnknown)?;
    if token.used.is_some() {
        return Err(EnrolmentRefusal::TokenUsed);
    }
    if token.expires < wanted.at {
        return Err(EnrolmentRefusal::TokenExpired);
    }
    match token.tenant == wanted.tenant && token.batch == wanted.batch {
        true => Ok(()),
        false => Err(EnrolmentRefusal::TokenUnknown),
    }
}

fn batch<'a>(
    wanted: &Enrolment,
    remembered: &Remembered<'a>,
    counts: Counts,
) -> Result<&'a Batch, EnrolmentRefusal> {
    let name = || wanted.batch.clone();
    let batch = remembered.batch.ok_or_else(|| EnrolmentRefusal::UnknownBatch {
        tenant: wanted.tenant.clone(),
        batch: name(),
    })?;
    if !remembered.is_of_batch {
        let board = wanted.board.clone();
        return Err(EnrolmentRefusal::NotOfBatch { board, batch: name() });
    }
    match batch.state {
        BatchState::Open => {}
        BatchState::Closed { .. } => return Err(EnrolmentRefusal::BatchClosed(name())),
    }
    if batch.expires.is_some_and(|expires| expires < wanted.at) {
        return Err(EnrolmentRefusal::BatchExpired(name()));
    }
    if counts == Counts::Anew && batch.enrolled >= batch.room() {
        return Err(EnrolmentRefusal::BatchFull { batch: name(), max: batch.room() });
    }
    Ok(batch)
}

fn board(wanted: &Enrolment, board: Option<&Board>, again: Again) -> Result<(), EnrolmentRefusal> {
    let Some(board) = board else { return Ok(()) };
    let id = || board.id.clone();
    if board.tenant != wanted.tenant {
        return Err(EnrolmentRefusal::AnotherTenants(id()));
    }
    let shut = |state, reason: &String| {
        Err(EnrolmentRefusal::Shut { board: id(), state, reason: reason.clone() })
    };
    match &board.state {
        BoardState::Active => {}
        BoardState::Blocked { reason, .. } => return shut("blocked", reason),
        BoardState::Revoked { reason, .. } => return shut("revoked", reason),
        BoardState::Held { reason, .. } => return shut("held", reason),
    }
    let is_in_the_field = board.fingerprint.is_some() && board.first_seen.is_some();
    match again {
        Again::UntilHeard if is_in_the_field => Err(EnrolmentRefusal::InTheField(id())),
        Again::UntilHeard | Again::Always => Ok(()),
    }
}
