//! Changes of who vouches for a tenant's boards: authorities added, retired, revoked, and which of
//! them issues.
//!
//! Invariant: one key is an authority of one tenant; and boards under an authority that is not
//! believed any more are shut out when the call returns.

use actors::hub::Of;
use actors::refusal::Refusal;
use serde::Serialize;
use serde_json::json;
use storage::{
    Authority, AuthorityName, AuthorityNumber, AuthorityState, BatchName, BoardFilter, BoardQuery,
    FirstContact, Foreign, NewAuthority, Origin, RevocationReason, StoreError, Tenant, TenantId,
    UnixSeconds,
};

use super::{Admin, AdminError, refused, unknown};
use crate::trust::{Anchor, have_one_key};

/// An authority's change, and what it ended.
#[derive(Clone, Debug, Serialize)]
pub struct AuthorityEnded {
    /// The authority as it is now.
    #[serde(flatten)]
    pub authority: Authority,
    /// Boards that have certificates of it, and are refused from now on.
    pub boards: u64,
    /// Sessions that were awake and end now; `None` where no hub runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions_ended: Option<usize>,
}

/// Whether boards may be left without.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Boards {
    /// None may still have a certificate of the authority.
    MustBeGone,
    /// Those that have one are shut out.
    AreShutOut,
}

impl Admin {
    /// The authority.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn authority(&self, name: &AuthorityName) -> Result<Authority, AdminError> {
        let way_out = "`cellular-hub authority list` shows all";
        let found = self.store.authorities().find(&name.tenant, name.number)?;
        found.ok_or_else(|| unknown("authority", name, way_out))
    }

    /// All of a tenant's.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn authorities_of(&self, tenant: &TenantId) -> Result<Vec<Authority>, AdminError> {
        self.tenant(tenant)?;
        Ok(self.store.authorities().list(Some(tenant)).collect::<Result<_, _>>()?)
    }

    /// Adds an authority that the hub has made for the tenant; it does not issue yet.
    ///
    /// # Errors
    /// [`AdminError::Unknown`] without its tenant.
    pub fn add_authority(
        &self,
        tenant: &TenantId,
        certificate: Vec<u8>,
        key: String,
        now: UnixSeconds,
    ) -> Result<Authority, AdminError> {
        let _changing = self.changing();
        self.tenant(tenant)?;
        self.put_authority(NewAuthority {
            tenant: tenant.clone(),
            certificate,
            origin: Origin::Own { key },
            added: now,
        })
    }

    /// Believes a tenant's own authority from now on. `root` is the hub's root, where there is one.
    ///
    /// # Errors
    /// [`AdminError::Refused`] where its key is an authority's already, or the hub's own.
    pub fn import_authority(
        &self,
        tenant: &TenantId,
        anchor: Anchor,
        foreign: Foreign,
        root: Option<&[u8]>,
        now: UnixSeconds,
    ) -> Result<Authority, AdminError> {
        let _changing = self.changing();
        self.tenant(tenant)?;
        self.batch_of(tenant, &foreign.first_contact)?;
        self.not_the_root(&anchor, root)?;
        self.no_authority(anchor.der())?;
        self.put_authority(NewAuthority {
            tenant: tenant.clone(),
            certificate: anchor.into_der(),
            origin: Origin::Foreign(foreign),
            added: now,
        })
    }

    /// Refuses the hub's root as somebody's own authority.
    pub(super) fn not_the_root(
        &self,
        anchor: &Anchor,
        root: Option<&[u8]>,
    ) -> Result<(), AdminError> {
        match root.is_some_and(|root| have_one_key(root, anchor.der())) {
            true => Err(refused("that is the hub's root: every tenant's boards lead to it")),
            false => Ok(()),
        }
    }

    /// Takes an authority for the tenant's own whose key the hub has not: while a tenant had one
    /// authority, nobody wrote down whose it is.
    ///
    /// # Errors
    /// [`AdminError::Unknown`].
    pub fn disown_authority(&self, name: &AuthorityName) -> Result<(), AdminError> {
        let _changing = self.changing();
        let tenant = self.tenant(&name.tenant)?;
        let origin = Origin::Foreign(Foreign::default());
        self.store.authorities().change(name, |known| known.origin = origin)?;
        if tenant.issuer == Some(name.number) {
            self.store.authorities().issue_with(&name.tenant, None)?;
        }
        self.record("authority.disown", name, json!({}))
    }

    /// Changes what a foreign authority's certificates mean.
    ///
    /// # Errors
    /// [`AdminError::Unknown`]; [`AdminError::Refused`] for a batch that there is not.
    pub fn set_foreign(
        &self,
        name: &AuthorityName,
        change: impl FnOnce(&mut Foreign),
    ) -> Result<Authority, AdminError> {
        let _changing = self.changing();
        let known = self.authority(name)?;
        let Origin::Foreign(mut foreign) = known.origin else {
            return Err(refused(format!(
                "{name} is the hub's own, whose certificates mean what the hub says"
            )));
        };
        change(&mut foreign);
        self.batch_of(&name.tenant, &foreign.first_contact)?;
        let origin = Origin::Foreign(foreign);
        let detail = json!({ "set": origin });
        let changed = self.store.authorities().change(name, |known| known.origin = origin)?;
        let changed = changed.ok_or_else(|| refused("the authority was removed meanwhile"))?;
        self.record("authority.set", name, detail)?;
        Ok(changed)
    }

    /// Has this authority issue the tenant's boards' certificates from now on.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for one that does not issue, or is to be given up.
    pub fn issue_with(&self, name: &AuthorityName) -> Result<Tenant, AdminError> {
        let _changing = self.changing();
        let known = self.authority(name)?;
        match (&known.origin, &known.state) {
            (Origin::Own { .. }, AuthorityState::Active) => {}
            (Origin::Foreign(_), _) => {
                return Err(refused(format!("{name} is not the hub's: it issues elsewhere")));
            }
            (Origin::Own { .. }, _) => {
                return Err(refused(format!("{name} is not active any more")));
            }
        }
        let tenant = self.store.authorities().issue_with(&name.tenant, Some(name.number))?;
        self.record("authority.issue", name, json!({}))?;
        Ok(tenant)
    }

    /// Believes an authority no more that has done its service.
    ///
    /// # Errors
    /// [`AdminError::Refused`] while boards have certificates of it, unless they may be shut out.
    pub fn retire_authority(
        &self,
        name: &AuthorityName,
        boards: Boards,
        now: UnixSeconds,
    ) -> Result<AuthorityEnded, AdminError> {
        let _changing = self.changing();
        self.still_believed(name)?;
        let count = match boards {
            Boards::MustBeGone => self.boards_under(name)?,
            Boards::AreShutOut => 0,
        };
        if count > 0 {
            return Err(refused(format!(
                "{count} boards have certificates of {name}, and would be refused; have them get \
                 others first, or use --force"
            )));
        }
        let state = AuthorityState::Retired { since: now };
        self.end_authority(name, state, "authority.retire", Refusal::AuthorityRetired)
    }

    /// Believes an authority no more, nor anything that it has signed.
    ///
    /// # Errors
    /// [`AdminError::Refused`] for one that is revoked already.
    pub fn revoke_authority(
        &self,
        name: &AuthorityName,
        reason: RevocationReason,
        now: UnixSeconds,
    ) -> Result<AuthorityEnded, AdminError> {
        let _changing = self.changing();
        if let AuthorityState::Revoked { .. } = self.authority(name)?.state {
            return Err(refused(format!("{name} is revoked already")));
        }
        let state = AuthorityState::Revoked { reason, since: now };
        self.end_authority(name, state, "authority.revoke", Refusal::AuthorityRevoked)
    }

    fn end_authority(
        &self,
        name: &AuthorityName,
        state: AuthorityState,
        what: &'static str,
        refusal: Refusal,
    ) -> Result<AuthorityEnded, AdminError> {
        let tenant = self.tenant(&name.tenant)?;
        let detail = json!({ "state": state });
        let changed = self.store.authorities().change(name, |known| known.state = state)?;
        let authority = changed.ok_or_else(|| refused("the authority was removed meanwhile"))?;
        if tenant.issuer == Some(name.number) {
            self.store.authorities().issue_with(&name.tenant, None)?;
        }
        self.record(what, name, detail)?;
        // First, so that no handshake ends well that begins now.
        self.tell(|live| live.serve(&name.tenant))?;
        let of = Of::Issuer(name.clone());
        let sessions_ended = self.tell(|live| live.end_sessions(of, refusal))?;
        // Last, for it may take a while.
        Ok(AuthorityEnded { authority, boards: self.boards_under(name)?, sessions_ended })
    }

    /// Refuses a certificate whose key is an authority's: each would pass for the other.
    pub(super) fn no_authority(&self, certificate: &[u8]) -> Result<(), AdminError> {
        for known in self.store.authorities().list(None) {
            let known = known?;
            if have_one_key(&known.certificate, certificate) {
                let name = known.name();
                return Err(refused(format!("that key is the authority {name} already")));
            }
        }
        Ok(())
    }

    pub(super) fn put_authority(&self, new: NewAuthority) -> Result<Authority, AdminError> {
        let authority = self.store.authorities().put_new(new)?;
        let detail = json!({ "fingerprint": authority.fingerprint(), "origin": authority.origin });
        self.record("authority.add", &authority.name(), detail)?;
        self.tell(|live| live.serve(&authority.tenant))?;
        Ok(authority)
    }

    pub(super) fn still_believed(&self, name: &AuthorityName) -> Result<(), AdminError> {
        match self.authority(name)?.state {
            AuthorityState::Active | AuthorityState::Retiring { .. } => Ok(()),
            AuthorityState::Retired { .. } => Err(refused(format!("{name} is retired already"))),
            AuthorityState::Revoked { .. } => Err(refused(format!("{name} is revoked"))),
        }
    }

    /// How many boards have a certificate of this authority.
    fn boards_under(&self, name: &AuthorityName) -> Result<u64, AdminError> {
        let of = |issuer| BoardFilter {
            tenants: Some(vec![name.tenant.clone()]),
            issuers: vec![issuer],
            ..BoardFilter::default()
        };
        let boards = self.store.boards();
        let query = BoardQuery { filter: of(Some(name.number)), ..BoardQuery::default() };
        let mut count = match boards.query(&query) {
            Ok(page) => page.total,
            Err(StoreError::ListsNotReady) => boards.matching(&query.filter)?.count() as u64,
            Err(error) => return Err(error.into()),
        };
        // Written before it was written down by whom: by the one authority that there was.
        if name.number == AuthorityNumber::FIRST {
            for board in boards.matching(&of(None))? {
                count += u64::from(board?.fingerprint.is_some());
            }
        }
        Ok(count)
    }

    /// How many boards have certificates of authorities that were there before that moment: who has one of a
    /// later one has renewed since.
    ///
    /// # Errors
    /// Those of the store.
    pub fn boards_from_before(&self, moment: UnixSeconds) -> Result<u64, AdminError> {
        let mut count = 0;
        for known in self.store.authorities().list(None) {
            let known = known?;
            if known.added < moment {
                count += self.boards_under(&known.name())?;
            }
        }
        Ok(count)
    }

    fn batch_of(&self, tenant: &TenantId, contact: &FirstContact) -> Result<(), AdminError> {
        let batch: Option<&BatchName> = match contact {
            FirstContact::Refuse => None,
            FirstContact::Register { batch, .. } => Some(batch),
        };
        batch.map_or(Ok(()), |name| self.batch(tenant, name).map(drop))
    }
}
