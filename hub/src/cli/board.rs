//! `cellular-hub board`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use storage::{BoardId, BoardState, Fingerprint, Store, TenantId};

use super::{Failure, Files, Invocation, now, output};
use crate::admin::{Admin, AdminError, Ended, Selection};
use crate::trust::BoardCertificate;

#[derive(Debug, Subcommand)]
pub(super) enum Board {
    /// Add a board whose certificate was issued elsewhere; `ca issue` issues and adds in one step.
    Add(Add),
    /// List boards by id.
    List(List),
    /// Show one board.
    Show {
        /// The board's hardware id.
        board: BoardId,
    },
    /// Refuse a board until it is unblocked; in a running hub its session ends.
    Block {
        #[command(flatten)]
        chosen: Chosen,
        /// Why, in words; shown wherever the board is refused.
        #[arg(long)]
        reason: String,
    },
    /// Let a blocked board connect again.
    Unblock {
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Let a board connect again that was held because there seemed to be two of it.
    ///
    /// Find out first which of the two is the board, and give that one another certificate
    /// (`certificate revoke`, then `ca issue`): both have the key of this one.
    Release {
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Refuse a board for good; in a running hub its session ends. This cannot be undone.
    Revoke {
        #[command(flatten)]
        chosen: Chosen,
        /// Why, in words; shown wherever the board is refused.
        #[arg(long)]
        reason: String,
    },
    /// Forget a board; its certificate is then unknown and refused.
    Remove {
        /// The board's hardware id.
        board: BoardId,
    },
}

/// One board, or all of a tenant that have a label.
#[derive(Args, Debug)]
pub(super) struct Chosen {
    /// The board's hardware id.
    #[arg(required_unless_present = "label", conflicts_with = "label")]
    board: Option<BoardId>,
    /// Instead, every board of the tenant that has this label, as a production batch's.
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, requires = "tenant")]
    label: Option<(String, String)>,
    /// That tenant.
    #[arg(long, value_name = "TENANT", requires = "label")]
    tenant: Option<TenantId>,
}

#[derive(Args, Debug)]
pub(super) struct Add {
    /// The board's hardware id, as in its certificate: 1 to 32 of A-Z, a-z, 0-9 and '.', '_', ':',
    /// '-'.
    board: BoardId,
    /// The tenant it belongs to.
    #[arg(long, value_name = "TENANT")]
    tenant: TenantId,
    /// Its certificate, PEM or DER; checked against the board's id and the tenant's authority.
    #[arg(long, value_name = "FILE", conflicts_with = "fingerprint")]
    certificate: Option<PathBuf>,
    /// SHA-256 of its certificate's DER, in hexadecimal.
    #[arg(long, value_name = "HEX")]
    fingerprint: Option<Fingerprint>,
    /// What people call it and sort it by; may be repeated.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Its address on a plain CoAP listener ([plain] in the configuration).
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
}

#[derive(Args, Debug)]
pub(super) struct List {
    /// Only this tenant's boards.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<TenantId>,
    /// Begin behind this board: the last of the page before.
    #[arg(long, value_name = "BOARD")]
    after: Option<BoardId>,
    /// At most this many; 0 is all.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

impl Board {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run(hub),
            Self::List(list) => list.run(hub),
            Self::Show { board } => show(hub, &board),
            Self::Block { chosen, reason } => {
                let block = |admin: &Admin, id: &BoardId| admin.block(id, &reason, now());
                change(hub, &chosen, "blocked", block)
            }
            Self::Unblock { chosen } => change(hub, &chosen, "unblocked", Admin::unblock),
            Self::Release { chosen } => change(hub, &chosen, "released", Admin::release),
            Self::Revoke { chosen, reason } => {
                let revoke = |admin: &Admin, id: &BoardId| admin.revoke(id, &reason, now());
                change(hub, &chosen, "revoked", revoke)
            }
            Self::Remove { board } => {
                hub.admin()?.remove_board::<AdminError>(&board, |_| Ok(()))?;
                hub.output.answer(&json!({ "removed": board }), || format!("board {board} removed"))
            }
        }
    }

    /// The files that it names.
    pub(super) fn files(&self) -> Files {
        let read = match self {
            Self::Add(add) => add.certificate.clone(),
            Self::List(_)
            | Self::Show { .. }
            | Self::Block { .. }
            | Self::Unblock { .. }
            | Self::Release { .. }
            | Self::Revoke { .. }
            | Self::Remove { .. } => None,
        };
        Files { read: read.into_iter().collect(), ..Files::default() }
    }
}

impl Add {
    fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let admin = hub.admin()?;
        let authorities = admin.authorities_of(&self.tenant)?;
        if admin.store().boards().find(&self.board)?.is_some() {
            return Err(Failure::Refused(format!("there is a board {} already", self.board)));
        }
        let certificate = match &self.certificate {
            Some(file) => {
                let certificate = BoardCertificate::parse(file, &hub.read(file)?)?;
                Some(certificate.check(&self.board, &authorities)?)
            }
            None => self.fingerprint.map(storage::Certificate::from),
        };
        let mut board = storage::Board::new(self.board, self.tenant, now());
        if let Some(certificate) = certificate {
            board.certify(certificate);
        }
        board.labels = BTreeMap::from_iter(self.labels);
        board.address = self.address;
        admin.put_board(&board, "board.add")?;
        hub.output.answer(&board, || format!("board {} added to {}", board.id, board.tenant))
    }
}

impl List {
    fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let admin = hub.admin()?;
        let store = admin.store();
        let limit = if self.limit == 0 { usize::MAX } else { self.limit };
        let head = format!("{:<32} {:<32} {:<20} STATE", "BOARD", "TENANT", "LAST SEEN");
        match &self.tenant {
            None => {
                let boards = Pages { store, after: self.after, page: Vec::new().into_iter() };
                hub.output.list(&head, boards.take(limit), line)
            }
            Some(tenant) => {
                admin.tenant(tenant)?;
                let boards = store.boards().of_tenant(tenant)?.map(|board| Ok(board?));
                let behind = |board: &Result<storage::Board, Failure>| match (board, &self.after) {
                    (Ok(board), Some(after)) => board.id <= *after,
                    _ => false,
                };
                hub.output.list(&head, boards.skip_while(behind).take(limit), line)
            }
        }
    }
}

/// Every board, read a page at a time: a million of them take no memory.
struct Pages<'a> {
    store: &'a Store,
    after: Option<BoardId>,
    page: std::vec::IntoIter<storage::Board>,
}

impl Iterator for Pages<'_> {
    type Item = Result<storage::Board, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.as_slice().is_empty() {
            match self.store.boards().list(self.after.as_ref(), 1000) {
                Ok(page) => self.page = page.into_iter(),
                Err(error) => return Some(Err(error.into())),
            }
        }
        let board = self.page.next()?;
        self.after = Some(board.id.clone());
        Some(Ok(board))
    }
}

fn line(board: &storage::Board) -> String {
    let seen = board.last_seen.map_or_else(|| String::from("never"), output::moment);
    format!("{:<32} {:<32} {seen:<20} {}", board.id, board.tenant, state(&board.state))
}

fn state(state: &BoardState) -> String {
    match state {
        BoardState::Active => String::from("active"),
        BoardState::Blocked { reason, .. } => format!("blocked: {reason}"),
        BoardState::Revoked { reason, .. } => format!("revoked: {reason}"),
        BoardState::Held { reason, .. } => format!("held: {reason}"),
    }
}

fn show(hub: &Invocation, id: &BoardId) -> Result<(), Failure> {
    let admin = hub.admin()?;
    let board = admin.board(id)?;
    let used = admin.store().boards().data_use(id).map_err(AdminError::from)?.in_month_of(now());
    hub.output.answer(&board, || {
        let moment = |at: Option<storage::UnixSeconds>| {
            at.map_or_else(|| String::from("never"), output::moment)
        };
        let none = || String::from("none");
        let labels: Vec<_> = board.labels.iter().map(|(key, of)| format!("{key}={of}")).collect();
        let rows = [
            ("board", board.id.to_string()),
            ("tenant", board.tenant.to_string()),
            ("state", state(&board.state)),
            ("certificate", board.fingerprint.map_or_else(none, |of| format!("sha-256 {of}"))),
            ("serial", board.serial.as_ref().map_or_else(none, ToString::to_string)),
            ("authority", board.issuer.map_or_else(none, |of| format!("{}/{of}", board.tenant))),
            ("ends", board.not_after.map_or_else(none, output::moment)),
            ("address", board.address.map_or_else(none, |of| of.to_string())),
            ("labels", if labels.is_empty() { none() } else { labels.join(" ") }),
            ("created", output::moment(board.created)),
            ("first seen", moment(board.first_seen)),
            ("last seen", moment(board.last_seen)),
            ("this month", format!("{used} bytes")),
        ];
        let rows: Vec<_> = rows.iter().map(|(name, of)| format!("{name:<12} {of}")).collect();
        rows.join("\n")
    })
}

/// Changes every board that is meant.
fn change(
    hub: &Invocation,
    chosen: &Chosen,
    done: &str,
    change: impl Fn(&Admin, &BoardId) -> Result<Ended, AdminError>,
) -> Result<(), Failure> {
    let admin = hub.admin()?;
    let (tenant, key, value) = match (&chosen.board, &chosen.tenant, &chosen.label) {
        (None, Some(tenant), Some((key, value))) => (tenant.clone(), key.clone(), value.clone()),
        (Some(id), ..) => {
            let changed = change(&admin, id)?;
            let sessions = output::ended(changed.sessions_ended);
            return hub.output.answer(&changed, || format!("board {id} {done}{sessions}"));
        }
        (None, ..) => return Err(Failure::Unusable(String::from("name a board, or a label"))),
    };
    change_selected(hub, &admin, &Selection { tenant, key, value }, done, change)
}

/// Changes the boards of a selection one after the other. Those that a rule keeps as they are stay so.
pub(super) fn change_selected(
    hub: &Invocation,
    admin: &Admin,
    selection: &Selection,
    done: &str,
    change: impl Fn(&Admin, &BoardId) -> Result<Ended, AdminError>,
) -> Result<(), Failure> {
    let (mut changed, mut kept, mut sessions) = (0, 0, None);
    for id in admin.selected(selection)? {
        match change(admin, &id) {
            Ok(ended) => {
                changed += 1;
                let both = sessions.unwrap_or(0) + ended.sessions_ended.unwrap_or(0);
                sessions = ended.sessions_ended.or(sessions).map(|_| both);
            }
            Err(AdminError::Refused(_)) => kept += 1,
            Err(error) => return Err(error.into()),
        }
    }
    let answer = json!({ "changed": changed, "kept": kept, "sessions_ended": sessions });
    hub.output.answer(&answer, || {
        format!("{changed} boards {done}, {kept} as they were{}", output::ended(sessions))
    })
}

pub(super) fn label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    pair.map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| String::from("a label is KEY=VALUE"))
}
