//! Changes of boards: added, blocked, let in again, revoked for good, removed.
//!
//! Invariant: a board that is shut out is so in the store first, then in the running hub, and the
//! call returns after both.

use std::collections::BTreeMap;

use actors::hub::Of;
use actors::refusal::Refusal;
use serde::Serialize;
use serde_json::json;
use storage::{
    AuthorityNumber, Board, BoardFilter, BoardId, BoardState, LabelFilter, Revocation,
    RevocationReason, RevokedCertificate, Serial, StoreError, TenantId, UnixSeconds,
};

use super::{Admin, AdminError, refused};

/// A board's change, and what it ended.
#[derive(Clone, Debug, Serialize)]
pub struct Ended {
    /// The board as it is now.
    #[serde(flatten)]
    pub board: Board,
    /// Sessions that were awake and end now; `None` where no hub runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions_ended: Option<usize>,
}

/// Boards that share a label.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Whose.
    pub tenant: TenantId,
    /// The label's name.
    pub key: String,
    /// What it says.
    pub value: String,
}

impl Admin {
    /// Adds a board, or gives one that is there another certificate (`replaces`).
    ///
    /// # Errors
    /// [`AdminError`].
    pub fn put_board(&self, board: &Board, what: &'static str) -> Result<(), AdminError> {
        let _changing = self.changing();
        let before = self.store.boards().find(&board.id)?;
        if what == "board.add" && before.is_some() {
            return Err(refused(format!("there is a board {} already", board.id)));
        }
        let board = match &before {
            // What was changed or heard since it was read stays.
            Some(_) => {
                let certificate = board.certificate();
                self.store.boards().change(&board.id, |known| match &certificate {
                    Some(certificate) => known.certify(certificate.clone()),
                    None => known.decertify(),
                })?
            }
            None => {
                self.store.boards().put(board)?;
                Some(board.clone())
            }
        };
        let Some(board) = board else { return Err(refused("the board was removed meanwhile")) };
        if let (Some(before), Some(since)) = (&before, held_since(&board.state)) {
            self.let_go(before)?;
            self.list(&board, RevocationReason::CertificateHold, since)?;
        }
        let detail = json!({ "tenant": board.tenant, "fingerprint": board.fingerprint });
        self.record(what, &board.id, detail)?;
        let of = of(&board);
        if before.is_some_and(|before| before.fingerprint != board.fingerprint) {
            self.tell(|live| live.end_sessions(of.clone(), Refusal::OtherCertificate))?;
        }
        if board.state == BoardState::Active {
            self.tell(|live| live.readmit(of))?;
        }
        Ok(())
    }

    /// Refuses a board until it is unblocked; its sessions end.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for one that is revoked.
    pub fn block(&self, id: &BoardId, why: &str, now: UnixSeconds) -> Result<Ended, AdminError> {
        let state = BoardState::Blocked { reason: why.to_owned(), since: now };
        self.shut_out(id, &state, "board.block", Refusal::Blocked)
    }

    /// Refuses a board for good; its sessions end.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for one that is revoked already.
    pub fn revoke(&self, id: &BoardId, why: &str, now: UnixSeconds) -> Result<Ended, AdminError> {
        let state = BoardState::Revoked { reason: why.to_owned(), since: now };
        self.shut_out(id, &state, "board.revoke", Refusal::Revoked)
    }

    /// Lets a blocked board connect again.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for one that is not blocked, or is revoked.
    pub fn unblock(&self, id: &BoardId) -> Result<Ended, AdminError> {
        let _changing = self.changing();
        let board = self.board(id)?;
        match &board.state {
            BoardState::Blocked { .. } => self.let_in(id, "board.unblock"),
            BoardState::Held { reason, .. } => {
                let way_out = format!("`cellular-hub board release {id}` lets it in");
                Err(refused(format!("board {id} is held: {reason}; {way_out}")))
            }
            BoardState::Active => Err(refused(format!("board {id} is not blocked"))),
            BoardState::Revoked { reason, .. } => Err(for_good(id, reason)),
        }
    }

    /// Lets a board connect again that was held because there seemed to be two of it.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for one that is not held.
    pub fn release(&self, id: &BoardId) -> Result<Ended, AdminError> {
        let _changing = self.changing();
        match self.board(id)?.state {
            BoardState::Held { .. } => self.let_in(id, "board.release"),
            BoardState::Active | BoardState::Blocked { .. } | BoardState::Revoked { .. } => {
                Err(refused(format!("board {id} is not held")))
            }
        }
    }

    fn let_in(&self, id: &BoardId, what: &'static str) -> Result<Ended, AdminError> {
        let board = self.set_board_state(id, &BoardState::Active)?;
        self.let_go(&board)?;
        self.record(what, id, json!({ "tenant": board.tenant }))?;
        self.tell(|live| live.readmit(of(&board)))?;
        Ok(Ended { board, sessions_ended: None })
    }

    /// Forgets a board unless `may` objects to it as it is; its sessions end.
    ///
    /// # Errors
    /// [`AdminError::Unknown`]; the objection.
    pub fn remove_board<E: From<AdminError>>(
        &self,
        id: &BoardId,
        may: impl FnOnce(&Board) -> Result<(), E>,
    ) -> Result<(), E> {
        let _changing = self.changing();
        let board = self.board(id)?;
        may(&board)?;
        self.let_go(&board)?;
        self.store.boards().remove(id).map_err(AdminError::from)?;
        self.record("board.remove", id, json!({ "tenant": board.tenant }))?;
        self.tell(|live| live.end_sessions(of(&board), Refusal::UnknownBoard))?;
        Ok(())
    }

    /// Gives a board the labels that `relabel` makes of it as it is, or its objection.
    ///
    /// # Errors
    /// [`AdminError::Unknown`]; the objection.
    pub fn relabel<E: From<AdminError>>(
        &self,
        id: &BoardId,
        relabel: impl FnOnce(&Board) -> Result<BTreeMap<String, String>, E>,
    ) -> Result<Board, E> {
        let _changing = self.changing();
        let before = self.board(id)?;
        let labels = relabel(&before)?;
        if labels == before.labels {
            return Ok(before);
        }
        let changed = self.store.boards().change(id, |board| board.labels.clone_from(&labels));
        let changed = changed.map_err(AdminError::from)?;
        let board = changed.ok_or_else(|| refused("the board was removed meanwhile"))?;
        let detail = json!({ "tenant": board.tenant, "before": before.labels, "after": labels });
        self.record("board.label", id, detail)?;
        Ok(board)
    }

    /// The boards of a selection, by id.
    ///
    /// # Errors
    /// [`AdminError::Unknown`] without its tenant, and where there are none.
    pub fn selected(&self, selection: &Selection) -> Result<Vec<BoardId>, AdminError> {
        let Selection { tenant, key, value } = selection;
        self.tenant(tenant)?;
        let labelled = BoardFilter {
            tenants: Some(vec![tenant.clone()]),
            labels: vec![LabelFilter { key: key.clone(), values: vec![value.clone()] }],
            ..BoardFilter::default()
        };
        let boards = self.store.boards().matching(&labelled)?;
        let ids: Vec<_> = boards.map(|board| Ok(board?.id)).collect::<Result<_, StoreError>>()?;
        if ids.is_empty() {
            let way_out =
                format!("`cellular-hub board show BOARD` shows a board's labels of {tenant}");
            return Err(super::unknown(
                "board with the label",
                &format!("{key}={value}"),
                &way_out,
            ));
        }
        Ok(ids)
    }

    fn shut_out(
        &self,
        id: &BoardId,
        state: &BoardState,
        what: &'static str,
        reason: Refusal,
    ) -> Result<Ended, AdminError> {
        let _changing = self.changing();
        not_revoked(&self.board(id)?)?;
        let board = self.set_board_state(id, state)?;
        match &board.state {
            BoardState::Active => {}
            BoardState::Blocked { since, .. } | BoardState::Held { since, .. } => {
                self.list(&board, RevocationReason::CertificateHold, *since)?;
            }
            BoardState::Revoked { since, .. } => {
                self.list(&board, RevocationReason::PrivilegeWithdrawn, *since)?;
            }
        }
        self.record(what, id, json!({ "tenant": board.tenant, "state": board.state }))?;
        let sessions_ended = self.tell(|live| live.end_sessions(of(&board), reason))?;
        Ok(Ended { board, sessions_ended })
    }

    /// Has the board's certificates stand in its tenant's list of revoked ones, as far as their
    /// serial numbers are known.
    fn list(
        &self,
        board: &Board,
        reason: RevocationReason,
        since: UnixSeconds,
    ) -> Result<(), AdminError> {
        for (issuer, serial) in self.serials(board)? {
            self.store.revoked().put(&Revocation {
                tenant: board.tenant.clone(),
                issuer: Some(issuer),
                board: Some(board.id.clone()),
                certificate: RevokedCertificate::Serial(serial.as_bytes().to_vec()),
                reason,
                since,
            })?;
        }
        Ok(())
    }

    /// Takes what is on hold of the board out of that list.
    fn let_go(&self, board: &Board) -> Result<(), AdminError> {
        for (issuer, serial) in self.serials(board)? {
            self.store.revoked().let_go(&board.tenant, issuer, &serial)?;
        }
        Ok(())
    }

    /// The serial numbers of the certificate that the board has, and of the one it renews it with.
    fn serials(
        &self,
        board: &Board,
    ) -> Result<impl Iterator<Item = (AuthorityNumber, Serial)>, AdminError> {
        let pending = self.store.renewals().of(board)?;
        let pending = pending.and_then(|it| it.serial.map(|serial| (it.issuer, serial)));
        let own = board.serial.clone().map(|serial| (board.issuer, serial));
        // Written before it was written down by whom: by the one authority that there was.
        let first = AuthorityNumber::FIRST;
        let both = own.into_iter().chain(pending);
        Ok(both.map(move |(issuer, serial)| (issuer.unwrap_or(first), serial)))
    }

    fn set_board_state(&self, id: &BoardId, state: &BoardState) -> Result<Board, AdminError> {
        let changed = self.store.boards().change(id, |board| board.state = state.clone())?;
        changed.ok_or_else(|| refused("the board was removed meanwhile"))
    }
}

pub(super) fn of(board: &Board) -> Of {
    Of::Board { tenant: board.tenant.clone(), board: board.id.clone() }
}

/// Since when the certificates of a board in this state are on hold.
fn held_since(state: &BoardState) -> Option<UnixSeconds> {
    match state {
        BoardState::Blocked { since, .. } | BoardState::Held { since, .. } => Some(*since),
        BoardState::Active | BoardState::Revoked { .. } => None,
    }
}

fn not_revoked(board: &Board) -> Result<(), AdminError> {
    match &board.state {
        BoardState::Revoked { reason, .. } => Err(for_good(&board.id, reason)),
        BoardState::Active | BoardState::Blocked { .. } | BoardState::Held { .. } => Ok(()),
    }
}

fn for_good(id: &BoardId, reason: &str) -> AdminError {
    refused(format!("board {id} is revoked for good: {reason}"))
}
