//! What is checked in each tree. A walk says of one entry what is wrong with it.

use super::Walk;
use crate::batch::ListPiece;
use crate::board::BoardRecord;
use crate::history::slot::{SLOT_LEN, is_sound};
use crate::record::{Record, decode};
use crate::rows::{ROW_LEN, RowNumber};
use crate::sealed::survey;
use crate::store::boards::{address_key, parse_id};
use crate::store::rows::NAME_KEY;
use crate::store::sessions::{KEY_CHECK, RECORDS};
use crate::store::tree::Tree;
use crate::store::{ACKNOWLEDGED_KEY, Inner, LIST_NUMBER_KEY, SCHEMA, SCHEMA_KEY, scoped};
use crate::store::{authorities, data_keys, revoked, secrets};
use crate::{
    ApiToken, ApiTokenId, Approval, AuditCheckpoint, AuditEntry, Authority, Batch, Board,
    BoardFirmware, Campaign, Credentials, DataKey, FileDigest, Files, FirmwareKey, Job, Keyring,
    Login, Release, Renewal, Rollout, RolloutState, Route, RowsState, SavedView, SealedSecret,
    SecretName, SetupLink, Station, StoreError, Targets, Tenant, TenantId, Token, Upstream, User,
};

type Check = fn(&mut Walk<'_>);

/// Who checks which tree.
pub(super) const WALKS: &[(&str, Check)] = &[
    ("api-tokens", api_tokens),
    ("approvals", approvals),
    ("audit", audit),
    ("audit/checkpoints", checkpoints),
    (authorities::TREE, of_authorities),
    (authorities::BY_CERTIFICATE, by_certificate),
    ("batches", batches),
    ("batches/list", lists),
    ("boards", boards),
    ("boards/address", by_address),
    ("boards/renewal", renewals),
    ("campaigns", campaigns),
    (revoked::TREE, of_revoked),
    ("firmware", releases),
    ("firmware/boards", board_firmware),
    ("firmware/keys", firmware_keys),
    ("jobs", jobs),
    ("logins", logins),
    ("meta", meta),
    ("rollouts", rollouts),
    ("routes", routes),
    ("sessions/address", slots),
    ("sessions/ownerless", ownerless),
    ("stations", stations),
    ("tenants", tenants),
    ("tokens", tokens),
    ("upstreams", upstreams),
    ("users", users),
    ("users/credentials", credentials),
    ("users/setup", setup_links),
    (data_keys::TREE, of_keys),
    (secrets::TREE, of_secrets),
    ("views", views),
];

/// A tree that nobody here knows: its entries are read and measured.
pub(super) fn unknown(walk: &mut Walk<'_>) {
    walk.each(|_, _, _| Ok(()));
}

fn audit(walk: &mut Walk<'_>) {
    let mut next = 1_u64;
    walk.each(|_, key, value| {
        let _: AuditEntry = noun(value)?;
        let expected = next.to_be_bytes();
        next += 1;
        its_own_key(key, &expected)
    });
}

fn meta(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| match key {
        SCHEMA_KEY if value != SCHEMA.to_be_bytes() => Err(String::from("another schema")),
        SCHEMA_KEY => Ok(()),
        ACKNOWLEDGED_KEY | LIST_NUMBER_KEY if value.len() == 8 => Ok(()),
        NAME_KEY if value.len() == 16 => Ok(()),
        KEY_CHECK => Ok(()),
        _ => Err(String::from("not understood")),
    });
}

fn tenants(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| {
        let tenant: Tenant = noun(value)?;
        its_own_key(key, tenant.id.as_str().as_bytes())
    });
}

fn of_authorities(walk: &mut Walk<'_>) {
    walk.each(|inner, key, value| {
        let authority: Authority = noun(value)?;
        its_own_key(key, &authorities::key(&authority.tenant, authority.number))?;
        belongs_to(inner, &authority.tenant)?;
        let named = inner.by_certificate.get(authority.fingerprint().as_bytes()).map_err(unread)?;
        match named.as_deref() == Some(key) {
            true => Ok(()),
            false => Err(String::from("its certificate is not its own")),
        }
    });
}

fn by_certificate(walk: &mut Walk<'_>) {
    walk.each(|inner, key, value| {
        let record = inner.authorities.get(value).map_err(unread)?;
        let authority: Authority = noun(&record.ok_or("it names no authority")?)?;
        its_own_key(key, authority.fingerprint().as_bytes())
    });
}

fn of_revoked(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| its_own_key(key, &revoked::key(&noun(value)?)));
}

fn boards(walk: &mut Walk<'_>) {
    walk.each(|inner, key, value| {
        let BoardRecord { board, row, .. } = noun(value)?;
        its_own_key(key, board.id.as_str().as_bytes())?;
        belongs_to(inner, &board.tenant)?;
        if let (RowsState::Ready, Some(what)) = (inner.rows_state(), unlisted(inner, key, row)) {
            return Err(what);
        }
        if let Some(address) = board.address {
            let owner = inner.by_address.get(address_key(address)).map_err(unread)?;
            if owner.as_deref() != Some(key) {
                return Err(String::from("its address is not its own in boards/address"));
            }
        }
        Ok(())
    });
}

fn by_address(walk: &mut Walk<'_>) {
    walk.each(|inner, key, value| {
        let board = indexed(inner, "boards/address", value)?;
        match board.address.map(address_key).as_deref() == Some(key) {
            true => Ok(()),
            false => Err(format!("board {} has another address", board.id)),
        }
    });
}

/// Why a board is in no list.
fn unlisted(inner: &Inner, key: &[u8], row: Option<RowNumber>) -> Option<String> {
    let Some(row) = row else { return Some(String::from("it has no row; see `rows`")) };
    match inner.rows.look(row, |row| row.id() == key) {
        Ok(true) => None,
        Ok(false) => Some(String::from("its row is not its own; see `rows`")),
        Err(error) => Some(error.to_string()),
    }
}

/// The boards' rows, which are no tree. What is wrong there goes when the file is removed while no
/// hub runs: the next start makes it anew.
pub(super) fn rows(walk: &mut Walk<'_>) {
    let inner = walk.inner;
    if inner.rows_state() != RowsState::Ready {
        return;
    }
    let unread = |error: std::io::Error| error.to_string();
    let looked = inner.rows.each_numbered(unread, |number, id| {
        walk.count(ROW_LEN);
        let told = inner.rows.look(number, |row| match inner.board_record(id) {
            Ok(Some(record)) if record.row == Some(number) => match row.tells(&record.board) {
                true => Ok(()),
                false => Err(String::from("it says something else than the board's record")),
            },
            Ok(Some(_)) => Err(String::from("the board has another row")),
            Ok(None) => Err(String::from("there is no such board")),
            Err(error) => Err(error.to_string()),
        });
        if let Err(what) = told.map_err(unread).and_then(std::convert::identity) {
            let way_out = "stop the hub and remove the file `rows`: it is made anew";
            walk.problem(id, format!("{what}; {way_out}"));
        }
        Ok(())
    });
    if let Err(what) = looked {
        walk.problem(b"", what);
    }
}

/// The boards' histories, which are no tree. One of a board that is gone is nobody's.
pub(super) fn histories(walk: &mut Walk<'_>) {
    let inner = walk.inner;
    let walked = inner.histories.each(
        |error| error.to_string(),
        |row, slot| {
            walk.count(SLOT_LEN);
            if !is_sound(slot) {
                let what = "torn: that board's history begins anew";
                walk.problem(row.number().to_string().as_bytes(), what.to_owned());
            }
            Ok(())
        },
    );
    if let Err(what) = walked {
        walk.problem(b"", what);
    }
}

/// One whose board is gone or has another certificate by now does no harm.
fn renewals(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| {
        let renewal: Renewal = noun(value)?;
        its_own_key(key, renewal.board.as_str().as_bytes())
    });
}

fn routes(walk: &mut Walk<'_>) {
    walk.each(|inner, key, value| {
        let route: Route = noun(value)?;
        its_own_key(key, &scoped(&route.tenant, route.resource.as_str()))?;
        belongs_to(inner, &route.tenant)
    });
}

fn upstreams(walk: &mut Walk<'_>) {
    walk.each(|inner, key, value| {
        let upstream: Upstream = noun(value)?;
        its_own_key(key, &scoped(&upstream.tenant, upstream.name.as_str()))?;
        belongs_to(inner, &upstream.tenant)
    });
}

fn jobs(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| {
        let job: Job = noun(value)?;
        its_own_key(key, job.id.as_str().as_bytes())
    });
}

fn views(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| {
        let view: SavedView = noun(value)?;
        its_own_key(key, SavedView::key(&view.owner, view.name.as_str()).as_bytes())
    });
}

fn users(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| {
        let user: User = noun(value)?;
        its_own_key(key, user.name.as_str().as_bytes())
    });
}

/// Those of a person who is gone let nobody in.
fn credentials(walk: &mut Walk<'_>) {
    walk.each(|_, _, value| noun::<Credentials>(value).map(drop));
}

fn setup_links(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| {
        let _: SetupLink = noun(value)?;
        digest(key)
    });
}

fn logins(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| {
        let _: Login = noun(value)?;
        digest(key)
    });
}

fn digest(key: &[u8]) -> Result<(), String> {
    match key.len() {
        32 => Ok(()),
        _ => Err(String::from("its key is no digest")),
    }
}

fn checkpoints(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| {
        let checkpoint: AuditCheckpoint = noun(value)?;
        its_own_key(key, &checkpoint.entries.to_be_bytes())
    });
}

fn approvals(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| {
        let approval: Approval = noun(value)?;
        its_own_key(key, &approval.number.to_be_bytes())
    });
}

/// With its files, which are read whole.
fn releases(walk: &mut Walk<'_>) {
    walk.each(|inner, key, value| {
        let release: Release = noun(value)?;
        its_own_key(key, &release.number.to_be_bytes())?;
        if let Some(tenant) = &release.tenant {
            belongs_to(inner, tenant)?;
        }
        let files = Files::of(&inner.dir);
        let whole = |what: &str, digest: &FileDigest| match files.read(digest).map_err(unread)? {
            Some(bytes) => Ok(bytes.len()),
            None => Err(format!("its {what} {digest} is missing or damaged")),
        };
        if let Some(sbom) = &release.sbom {
            whole("SBOM", sbom)?;
        }
        match u32::try_from(whole("image", &release.file)?) == Ok(release.size) {
            true => Ok(()),
            false => Err(String::from("its image is of another size")),
        }
    });
}

fn board_firmware(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| {
        let said: BoardFirmware = noun(value)?;
        its_own_key(key, said.board.as_str().as_bytes())
    });
}

fn firmware_keys(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| {
        let known: FirmwareKey = noun(value)?;
        its_own_key(key, &known.id.0)?;
        match FileDigest::of(&known.spki) == known.id {
            true => Ok(()),
            false => Err(String::from("its key is another")),
        }
    });
}

fn campaigns(walk: &mut Walk<'_>) {
    walk.each(|inner, key, value| {
        let campaign: Campaign = noun(value)?;
        its_own_key(key, &campaign.number.to_be_bytes())?;
        // It may have outlived its tenant.
        let tenant = campaign.tenant.as_str();
        if !inner.tenants.contains_key(tenant).map_err(|error| error.to_string())? {
            return Ok(());
        }
        for number in [campaign.from, campaign.to] {
            let name = authorities::key(&campaign.tenant, number);
            if !inner.authorities.contains_key(&name).map_err(|error| error.to_string())? {
                return Err(format!("there is no authority {}/{number}", campaign.tenant));
            }
        }
        Ok(())
    });
}

fn rollouts(walk: &mut Walk<'_>) {
    walk.each(|inner, key, value| {
        let rollout: Rollout = noun(value)?;
        its_own_key(key, &rollout.number.to_be_bytes())?;
        if rollout.state == RolloutState::Preparing {
            return Ok(());
        }
        let path = Files::of(&inner.dir).rollout(rollout.number).map_err(unread)?;
        let unread = |error| format!("its boards cannot be read from {}: {error}", path.display());
        let targets = Targets::open(&path).map_err(unread)?;
        match targets.problem(rollout.groups.len()).map_err(unread)? {
            None => Ok(()),
            Some(what) => Err(format!(
                "{what} in {}: boards there are left alone; restore a backup, or end the rollout and make another",
                path.display()
            )),
        }
    });
}

/// One of a tenant that is gone enrols nobody.
fn stations(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| {
        let station: Station = noun(value)?;
        its_own_key(key, station.fingerprint.as_bytes())
    });
}

/// One whose owner is gone or disabled is good for nothing.
fn api_tokens(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| {
        let token: ApiToken = noun(value)?;
        match <[u8; 32]>::try_from(key) {
            Ok(digest) if ApiTokenId::of(&digest) == token.id => Ok(()),
            _ => Err(String::from("its key is not its digest")),
        }
    });
}

/// The sessions' records, which are no tree. Sealed under a key that is not here: what is in them
/// shows when a board comes back.
pub(super) fn sessions(walk: &mut Walk<'_>) {
    let file = walk.inner.dir.join(RECORDS);
    let surveyed = survey(&file, |slot, bytes, form| {
        walk.count(bytes);
        if let Err(error) = form {
            walk.problem(&slot.key(), error.to_string());
        }
    });
    if let Err(error) = surveyed {
        walk.problem(b"", format!("{}: {error}", file.display()));
    }
}

fn ownerless(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| {
        slot(key)?;
        parse_id("sessions/ownerless", value).map_err(|_| String::from("it names no board"))?;
        Ok(())
    });
}

fn batches(walk: &mut Walk<'_>) {
    walk.each(|inner, key, value| {
        let batch: Batch = noun(value)?;
        its_own_key(key, &scoped(&batch.tenant, batch.name.as_str()))?;
        belongs_to(inner, &batch.tenant)
    });
}

/// A piece without its batch is what an addition left that broke off; it is nobody's loss.
fn lists(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| {
        let piece: ListPiece = noun(value)?;
        let first = key.rsplit(|byte| *byte == 0).next();
        match piece.0.is_sorted() && piece.0.first().map(|id| id.as_str().as_bytes()) == first {
            true => Ok(()),
            false => Err(String::from("its board ids are not in order")),
        }
    });
}

fn tokens(walk: &mut Walk<'_>) {
    walk.each(|inner, key, value| {
        let token: Token = noun(value)?;
        belongs_to(inner, &token.tenant)?;
        digest(key)
    });
}

fn of_keys(walk: &mut Walk<'_>) {
    walk.each(|_, key, value| {
        let data_key: DataKey = noun(value)?;
        its_own_key(key, &data_key.id.0.to_be_bytes())
    });
}

/// Sealed under keys that are not open here: whether the key is there can be seen.
fn of_secrets(walk: &mut Walk<'_>) {
    let keys = Tree::open(&walk.inner.db, data_keys::TREE, &walk.inner.health);
    walk.each(|inner, key, value| {
        let secret: SealedSecret = noun(value)?;
        if let Some(tenant) = SecretName::of_key(key).as_ref().and_then(SecretName::tenant) {
            belongs_to(inner, tenant)?;
        }
        let under = Keyring::key_of(&secret.sealed).map_err(|error| error.to_string())?;
        match &keys {
            Ok(keys) if !keys.contains_key(under.0.to_be_bytes()).map_err(unread)? => {
                Err(format!("it is sealed under data key {under}, which is not there"))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    });
}

fn slots(walk: &mut Walk<'_>) {
    walk.each(|_, _, value| slot(value));
}

fn slot(bytes: &[u8]) -> Result<(), String> {
    match bytes.len() {
        4 => Ok(()),
        _ => Err(String::from("it names no slot")),
    }
}

fn noun<T: Record>(value: &[u8]) -> Result<T, String> {
    decode(value).map_err(|error| match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    })
}

fn its_own_key(key: &[u8], own: &[u8]) -> Result<(), String> {
    match key == own {
        true => Ok(()),
        false => Err(format!("the record is {}'s", super::readable(own))),
    }
}

fn belongs_to(inner: &Inner, tenant: &TenantId) -> Result<(), String> {
    match inner.tenants.contains_key(tenant.as_str()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("its tenant {tenant} does not exist")),
        Err(error) => Err(unread(error)),
    }
}

/// The board that an index entry names.
fn indexed(inner: &Inner, tree: &'static str, id: &[u8]) -> Result<Board, String> {
    let id = parse_id(tree, id).map_err(|_| String::from("it names no board"))?;
    match inner.boards.get(id.as_str()).map_err(unread)? {
        Some(record) => match noun::<BoardRecord>(&record) {
            Ok(found) => Ok(found.board),
            Err(_) => Err(format!("board {id} cannot be read")),
        },
        None => Err(format!("there is no board {id}")),
    }
}

fn unread(error: StoreError) -> String {
    error.to_string()
}
