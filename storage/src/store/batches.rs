//! Batches and one-time tokens in the store, and boards enrolled through them.
//!
//! | tree | key | value |
//! | --- | --- | --- |
//! | `batches` | tenant NUL batch | record |
//! | `batches/list` | tenant NUL batch NUL first board id | record: up to 128 board ids, sorted |
//! | `tokens` | 32 bytes, SHA-256 | record |
//!
//! Invariant: a board that is enrolled, its batch's count and its token's use change in one
//! transaction.

use sled::Transactional;
use sled::transaction::{ConflictableTransactionResult, TransactionalTree};

use super::boards::BoardTrees;
use super::tree::Tree;
use super::{Inner, abort, decode, encode, scoped};
use crate::batch::ListPiece;
use crate::enrolment::{Counts, Remembered, judge};
use crate::{
    Allowed, Batch, BatchName, Board, BoardId, Certificate, Enrolled, Enrolment, EnrolmentRefusal,
    Store, StoreError, TenantId, TenantState, Token, TokenDigest, Used,
};

/// Board ids of a list that stand in one entry: a hundred thousand take 800 entries.
const PIECE: usize = 128;

const BATCHES: &str = "batches";
const LISTS: &str = "batches/list";
const TOKENS: &str = "tokens";

/// The batches' trees.
pub(crate) struct BatchTrees {
    pub(crate) batches: Tree,
    pub(crate) lists: Tree,
    pub(crate) tokens: Tree,
}

impl BatchTrees {
    pub(super) fn open(
        tree: impl Fn(&'static str) -> Result<Tree, StoreError>,
    ) -> Result<Self, StoreError> {
        Ok(Self { batches: tree(BATCHES)?, lists: tree(LISTS)?, tokens: tree(TOKENS)? })
    }

    /// The keys of everything that a tenant has here.
    pub(super) fn of_tenant(&self, tenant: &TenantId) -> Result<Vec<(&Tree, Vec<u8>)>, StoreError> {
        let mut keys = Vec::new();
        for tree in [&self.batches, &self.lists] {
            for key in tree.scan_prefix(scoped(tenant, "")).keys() {
                keys.push((tree, key?.to_vec()));
            }
        }
        for entry in self.tokens.iter() {
            let (key, record) = entry?;
            let token: Token = decode(TOKENS, &key, &record)?;
            if token.tenant == *tenant {
                keys.push((&self.tokens, key.to_vec()));
            }
        }
        Ok(keys)
    }
}

/// The batches of a [`Store`].
#[derive(Clone, Copy)]
pub struct Batches<'a> {
    inner: &'a Inner,
}

impl Store {
    /// The tenants' production batches.
    pub fn batches(&self) -> Batches<'_> {
        Batches { inner: &self.inner }
    }

    /// Keeps a token's digest; durable on return. Refused without its tenant.
    pub fn put_token(&self, digest: &TokenDigest, token: &Token) -> Result<(), StoreError> {
        let record = encode(digest.as_bytes(), token)?;
        let writer = self.inner.writer();
        self.inner.require_tenant(&token.tenant)?;
        self.inner.batches.tokens.insert(digest.as_bytes(), record)?;
        drop(writer);
        self.inner.flush()
    }

    /// The token with this digest.
    pub fn find_token(&self, digest: &TokenDigest) -> Result<Option<Token>, StoreError> {
        let record = self.inner.batches.tokens.get(digest.as_bytes())?;
        record.map(|record| decode(TOKENS, digest.as_bytes(), &record)).transpose()
    }

    /// Whether [`Store::enrol`] would take the board as things are now; writes nothing.
    pub fn may_enrol(
        &self,
        wanted: &Enrolment,
    ) -> Result<Result<(), EnrolmentRefusal>, StoreError> {
        if let Err(refusal) = self.tenant_serves(&wanted.tenant)? {
            return Ok(Err(refusal));
        }
        let batch = self.batches().find(&wanted.tenant, &wanted.batch)?;
        let token = wanted.token.as_ref().map(|digest| self.find_token(digest)).transpose()?;
        let (token, board) = (token.flatten(), self.boards().find(&wanted.board)?);
        let remembered = Remembered {
            is_of_batch: self.is_of_batch(batch.as_ref(), &wanted.board)?,
            batch: batch.as_ref(),
            token: token.as_ref(),
            board: board.as_ref(),
        };
        Ok(judge(wanted, &remembered).map(drop))
    }

    /// Registers the board, or gives it the place of the certificate it has; uses up the token and
    /// counts the board in its batch. Not flushed: the caller answers nobody before
    /// [`Store::flush_together`].
    pub fn enrol(
        &self,
        wanted: &Enrolment,
        certificate: &Certificate,
    ) -> Result<Result<Enrolled, EnrolmentRefusal>, StoreError> {
        if let Err(refusal) = self.tenant_serves(&wanted.tenant)? {
            return Ok(Err(refusal));
        }
        // A batch's ids and their form do not change, so they may be read outside.
        let batch = self.batches().find(&wanted.tenant, &wanted.batch)?;
        let is_of_batch = self.is_of_batch(batch.as_ref(), &wanted.board)?;
        let inner = &*self.inner;
        let _writer = inner.writer();
        let trees = (
            inner.tenants.raw(),
            inner.boards.raw(),
            inner.by_address.raw(),
            inner.batches.batches.raw(),
            inner.batches.tokens.raw(),
        );
        inner.with_rows([&wanted.board], |places| {
            inner.transaction(|| {
                trees.transaction(|(tenants, boards, by_address, batches, tokens)| {
                    let boards = BoardTrees { tenants, boards, by_address, places };
                    enrol(wanted, certificate, is_of_batch, &boards, batches, tokens)
                })
            })
        })
    }

    fn tenant_serves(&self, id: &TenantId) -> Result<Result<(), EnrolmentRefusal>, StoreError> {
        Ok(match self.tenants().find(id)?.map(|tenant| tenant.state) {
            Some(TenantState::Active) => Ok(()),
            Some(TenantState::Suspended) => Err(EnrolmentRefusal::TenantSuspended(id.clone())),
            None => Err(EnrolmentRefusal::UnknownTenant(id.clone())),
        })
    }

    fn is_of_batch(&self, batch: Option<&Batch>, board: &BoardId) -> Result<bool, StoreError> {
        match batch {
            None => Ok(false),
            Some(batch) => match &batch.allowed {
                Allowed::Prefix { prefix, .. } => Ok(board.as_str().starts_with(prefix.as_str())),
                Allowed::List { .. } => self.batches().lists(&batch.tenant, &batch.name, board),
            },
        }
    }
}

fn enrol(
    wanted: &Enrolment,
    certificate: &Certificate,
    is_of_batch: bool,
    boards: &BoardTrees<'_>,
    batches: &TransactionalTree,
    tokens: &TransactionalTree,
) -> ConflictableTransactionResult<Result<Enrolled, EnrolmentRefusal>, StoreError> {
    let batch_key = scoped(&wanted.tenant, wanted.batch.as_str());
    let batch: Option<Batch> = match batches.get(&batch_key)? {
        Some(record) => Some(decode(BATCHES, &batch_key, &record).map_err(abort)?),
        None => None,
    };
    let token_key = wanted.token.as_ref().map(TokenDigest::as_bytes);
    let mut token: Option<Token> = None;
    if let Some(key) = token_key
        && let Some(record) = tokens.get(key)?
    {
        token = Some(decode(TOKENS, key, &record).map_err(abort)?);
    }
    let known = boards.find(wanted.board.as_str().as_bytes())?.map(|record| record.board);
    let remembered = Remembered {
        batch: batch.as_ref(),
        is_of_batch,
        token: token.as_ref(),
        board: known.as_ref(),
    };
    let counts = match judge(wanted, &remembered) {
        Ok(counts) => counts,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let (Counts::Anew, Some(mut batch)) = (counts, batch) {
        batch.enrolled = batch.enrolled.saturating_add(1);
        batches.insert(batch_key.as_slice(), encode(&batch_key, &batch).map_err(abort)?)?;
    }
    if let (Some(key), Some(mut token)) = (token_key, token) {
        token.used = Some(Used { at: wanted.at, board: wanted.board.clone() });
        tokens.insert(key, encode(key, &token).map_err(abort)?)?;
    }
    let mut board =
        known.unwrap_or_else(|| Board::new(wanted.board.clone(), wanted.tenant.clone(), wanted.at));
    let replaced = board.fingerprint;
    board.certify(certificate.clone());
    let batch = wanted.batch.to_string();
    board.labels.extend(wanted.labels.clone());
    board.labels.insert(String::from("batch"), batch);
    boards.put(&board)?;
    Ok(Ok(Enrolled { board, replaced }))
}

impl<'a> Batches<'a> {
    /// Adds a batch that takes `ids`, or with [`Allowed::Prefix`] none by name; durable on return.
    /// Refused without its tenant, and says `false` where the tenant has a batch of this name.
    pub fn add(self, batch: &Batch, mut ids: Vec<BoardId>) -> Result<bool, StoreError> {
        ids.sort_unstable();
        ids.dedup();
        let key = scoped(&batch.tenant, batch.name.as_str());
        let mut batch = batch.clone();
        if let Allowed::List { count } = &mut batch.allowed {
            *count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        }
        let record = encode(&key, &batch)?;
        let writer = self.inner.writer();
        self.inner.require_tenant(&batch.tenant)?;
        let trees = &self.inner.batches;
        if trees.batches.contains_key(&key)? {
            return Ok(false);
        }
        // What an addition that broke off may have left.
        for old in trees.lists.scan_prefix(list_key(&batch.tenant, &batch.name, "")).keys() {
            trees.lists.remove(old?)?;
        }
        for piece in ids.chunks(PIECE) {
            let first = piece.first().map(BoardId::as_str).unwrap_or_default();
            let key = list_key(&batch.tenant, &batch.name, first);
            let piece = encode(&key, &ListPiece(piece.to_vec()))?;
            trees.lists.insert(key, piece)?;
        }
        trees.batches.insert(key, record)?;
        drop(writer);
        self.inner.flush()?;
        Ok(true)
    }

    /// The tenant's batch of this name.
    pub fn find(self, tenant: &TenantId, name: &BatchName) -> Result<Option<Batch>, StoreError> {
        let key = scoped(tenant, name.as_str());
        let record = self.inner.batches.batches.get(&key)?;
        record.map(|record| decode(BATCHES, &key, &record)).transpose()
    }

    /// All of the tenant's batches, or all there are, by name.
    pub fn list(
        self,
        tenant: Option<&TenantId>,
    ) -> impl Iterator<Item = Result<Batch, StoreError>> + use<'a> {
        let prefix = tenant.map(|tenant| scoped(tenant, "")).unwrap_or_default();
        self.inner.batches.batches.scan_prefix(prefix).map(|entry| {
            let (key, record) = entry?;
            decode(BATCHES, &key, &record)
        })
    }

    /// Alters a batch and returns it as it then is; durable on return. Its ids stay.
    pub fn change(
        self,
        tenant: &TenantId,
        name: &BatchName,
        change: impl FnOnce(&mut Batch),
    ) -> Result<Option<Batch>, StoreError> {
        let writer = self.inner.writer();
        let Some(mut batch) = self.find(tenant, name)? else { return Ok(None) };
        let allowed = batch.allowed.clone();
        change(&mut batch);
        (batch.tenant, batch.name, batch.allowed) = (tenant.clone(), name.clone(), allowed);
        let key = scoped(tenant, name.as_str());
        self.inner.batches.batches.insert(&key, encode(&key, &batch)?)?;
        drop(writer);
        self.inner.flush()?;
        Ok(Some(batch))
    }

    /// Whether the batch's list has this hardware id.
    pub fn lists(
        self,
        tenant: &TenantId,
        name: &BatchName,
        board: &BoardId,
    ) -> Result<bool, StoreError> {
        let (from, to) = (list_key(tenant, name, ""), list_key(tenant, name, board.as_str()));
        let Some(entry) = self.inner.batches.lists.last_of(from.as_slice()..=to.as_slice())? else {
            return Ok(false);
        };
        let (key, record) = entry;
        let piece: ListPiece = decode(LISTS, &key, &record)?;
        Ok(piece.0.binary_search(board).is_ok())
    }
}

fn list_key(tenant: &TenantId, name: &BatchName, first: &str) -> Vec<u8> {
    [scoped(tenant, name.as_str()).as_slice(), b"\0", first.as_bytes()].concat()
}
