//! What can be permitted, to which role, and where.
//!
//! Invariant: [`TABLE`] is the only place that permits anything.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use storage::{Grant, Role, TenantId};

/// Something that one may or may not do.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Permission {
    /// See tenants and their quotas.
    TenantsRead,
    /// Add, change, suspend and remove tenants.
    TenantsWrite,
    /// See boards and their history.
    BoardsRead,
    /// Add and remove boards, change their labels.
    BoardsWrite,
    /// Block, unblock and revoke boards, end their sessions.
    BoardsBlock,
    /// See what boards say as it passes, not only that they say something.
    MessagesRead,
    /// See certificates and authorities.
    CertificatesRead,
    /// Issue and revoke boards' certificates.
    CertificatesWrite,
    /// Make, import, retire and revoke authorities.
    AuthoritiesWrite,
    /// See upstreams and routes.
    RoutesRead,
    /// Add, change, test and remove upstreams and routes.
    RoutesWrite,
    /// See production batches.
    BatchesRead,
    /// Add and close batches; make tokens and certificates for stations.
    BatchesWrite,
    /// See releases of firmware, and the keys that sign them.
    FirmwareRead,
    /// Upload and withdraw releases.
    FirmwareWrite,
    /// Have releases signed, and allow that others do.
    FirmwareSign,
    /// See rollouts, and how far each board is.
    RolloutsRead,
    /// Make, start, halt and end rollouts.
    RolloutsWrite,
    /// See how the hub itself is.
    SystemRead,
    /// See people, their roles and tokens.
    UsersRead,
    /// Add people, give and take roles, let nobody in any more.
    UsersWrite,
    /// See what waits for a second person.
    ApprovalsRead,
    /// Be that second person.
    ApprovalsDecide,
    /// Read the audit log.
    AuditRead,
}

const Y: bool = true;
const N: bool = false;

/// Which role may what, in the order of [`Role::ALL`]. What is not `Y` here is forbidden.
#[rustfmt::skip]
const TABLE: [(Permission, &str, [bool; Role::ALL.len()]); 24] = {
    use Permission::*;
    [
    //                                          platform tenant
    //                                             admin admin operator signer production billing auditor
    (TenantsRead,       "tenants:read",          [ Y,    Y,    Y,       Y,     Y,         Y,      Y ]),
    (TenantsWrite,      "tenants:write",         [ Y,    N,    N,       N,     N,         N,      N ]),
    (BoardsRead,        "boards:read",           [ Y,    Y,    Y,       Y,     Y,         Y,      Y ]),
    (BoardsWrite,       "boards:write",          [ Y,    Y,    Y,       N,     N,         N,      N ]),
    (BoardsBlock,       "boards:block",          [ Y,    Y,    Y,       N,     N,         N,      N ]),
    (MessagesRead,      "messages:read",         [ N,    Y,    Y,       N,     N,         N,      N ]),
    (CertificatesRead,  "certificates:read",     [ Y,    Y,    Y,       N,     Y,         N,      Y ]),
    (CertificatesWrite, "certificates:write",    [ Y,    Y,    N,       N,     N,         N,      N ]),
    (AuthoritiesWrite,  "authorities:write",     [ Y,    N,    N,       N,     N,         N,      N ]),
    (RoutesRead,        "routes:read",           [ Y,    Y,    Y,       N,     N,         N,      Y ]),
    (RoutesWrite,       "routes:write",          [ Y,    Y,    N,       N,     N,         N,      N ]),
    (BatchesRead,       "batches:read",          [ Y,    Y,    N,       N,     Y,         N,      Y ]),
    (BatchesWrite,      "batches:write",         [ Y,    Y,    N,       N,     Y,         N,      N ]),
    (FirmwareRead,      "firmware:read",         [ Y,    Y,    Y,       Y,     N,         N,      Y ]),
    (FirmwareWrite,     "firmware:write",        [ Y,    Y,    N,       Y,     N,         N,      N ]),
    (FirmwareSign,      "firmware:sign",         [ Y,    N,    N,       Y,     N,         N,      N ]),
    (RolloutsRead,      "rollouts:read",         [ Y,    Y,    Y,       Y,     N,         N,      Y ]),
    (RolloutsWrite,     "rollouts:write",        [ Y,    Y,    Y,       N,     N,         N,      N ]),
    (SystemRead,        "system:read",           [ Y,    N,    Y,       N,     N,         N,      Y ]),
    (UsersRead,         "users:read",            [ Y,    Y,    N,       N,     N,         N,      Y ]),
    (UsersWrite,        "users:write",           [ Y,    Y,    N,       N,     N,         N,      N ]),
    (ApprovalsRead,     "approvals:read",        [ Y,    Y,    N,       Y,     N,         N,      Y ]),
    (ApprovalsDecide,   "approvals:decide",      [ Y,    Y,    N,       Y,     N,         N,      N ]),
    (AuditRead,         "audit:read",            [ Y,    Y,    N,       N,     N,         N,      Y ]),
    ]
};

/// A name that no permission has.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no permission of this name")]
pub struct UnknownPermission;

impl Permission {
    /// All there are, in the table's order.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(permission, ..)| *permission)
    }

    /// Its name, as `boards:read`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let line = TABLE.iter().find(|(permission, ..)| *permission == self);
        line.map_or("", |(_, name, _)| name)
    }

    const fn bit(self) -> u64 {
        1 << self as u64
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(text: &str) -> Result<Self, UnknownPermission> {
        let line = TABLE.iter().find(|(_, name, _)| *name == text);
        line.map(|(permission, ..)| *permission).ok_or(UnknownPermission)
    }
}

/// Some permissions.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PermissionSet(u64);

impl PermissionSet {
    /// What a role may.
    #[must_use]
    pub fn of(role: Role) -> Self {
        let column = Role::ALL.iter().position(|known| *known == role);
        let permitted = |row: &[bool]| column.and_then(|at| row.get(at)).copied().unwrap_or(false);
        TABLE.iter().filter(|(_, _, row)| permitted(row)).map(|(it, ..)| *it).collect()
    }

    /// Whether it has this one.
    #[must_use]
    pub const fn has(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// What is in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those it has.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::all().filter(move |permission| self.has(*permission))
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | permission.bit()))
    }
}

/// What somebody may, and where.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Powers(Vec<Power>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct Power {
    /// Everywhere where there is none.
    tenant: Option<TenantId>,
    permissions: PermissionSet,
}

/// Where somebody may do something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reach {
    /// In every tenant, and in what is no tenant's.
    Everywhere,
    /// In these tenants alone.
    Tenants(BTreeSet<TenantId>),
}

impl Reach {
    /// Whether it takes in this tenant.
    #[must_use]
    pub fn includes(&self, tenant: &TenantId) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Tenants(tenants) => tenants.contains(tenant),
        }
    }
}

impl Powers {
    /// What a person with these grants may.
    #[must_use]
    pub fn of(grants: &[Grant]) -> Self {
        let power = |grant: &Grant| Power {
            tenant: grant.tenant.clone(),
            permissions: PermissionSet::of(grant.role),
        };
        Self(grants.iter().map(power).collect())
    }

    /// The same, as far as `scopes` and, where one is named, the tenant go.
    #[must_use]
    pub fn within(self, scopes: PermissionSet, only: Option<&TenantId>) -> Self {
        let narrowed = self.0.into_iter().filter_map(|Power { tenant, permissions }| {
            let tenant = match (tenant, only) {
                (Some(tenant), Some(only)) if tenant != *only => return None,
                (None, Some(only)) => Some(only.clone()),
                (tenant, _) => tenant,
            };
            Some(Power { tenant, permissions: permissions.and(scopes) })
        });
        Self(narrowed.collect())
    }

    /// Whether they may do this anywhere at all.
    #[must_use]
    pub fn has(&self, permission: Permission) -> bool {
        self.0.iter().any(|power| power.permissions.has(permission))
    }

    /// Whether they may do this to what is no tenant's.
    #[must_use]
    pub fn has_everywhere(&self, permission: Permission) -> bool {
        self.0.iter().any(|power| power.tenant.is_none() && power.permissions.has(permission))
    }

    /// Whether they may do this to what is this tenant's.
    #[must_use]
    pub fn has_in(&self, permission: Permission, tenant: &TenantId) -> bool {
        let powers = self.0.iter().filter(|power| power.reaches(tenant));
        powers.into_iter().any(|power| power.permissions.has(permission))
    }

    /// Whether they may anything in this tenant: who may not is not told that it is there.
    #[must_use]
    pub fn knows(&self, tenant: &TenantId) -> bool {
        let something = |power: &Power| power.permissions != PermissionSet::default();
        self.0.iter().any(|power| power.reaches(tenant) && something(power))
    }

    /// Where they may do this.
    #[must_use]
    pub fn reach(&self, permission: Permission) -> Reach {
        if self.has_everywhere(permission) {
            return Reach::Everywhere;
        }
        let powers = self.0.iter().filter(|power| power.permissions.has(permission));
        Reach::Tenants(powers.filter_map(|power| power.tenant.clone()).collect())
    }

    /// What they may, by tenant; `None` is everywhere.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&TenantId>, PermissionSet)> {
        self.0.iter().map(|power| (power.tenant.as_ref(), power.permissions))
    }
}

impl Power {
    fn reaches(&self, tenant: &TenantId) -> bool {
        self.tenant.as_ref().is_none_or(|own| own == tenant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    fn powers(grants: &[&str]) -> Powers {
        Powers::of(&grants.iter().map(|grant| grant.parse().unwrap()).collect::<Vec<Grant>>())
    }

    #[test]
    fn every_permission_has_one_line_and_one_name() {
        let names: BTreeSet<_> = TABLE.iter().map(|(_, name, _)| *name).collect();
        let permissions: BTreeSet<_> = Permission::all().collect();
        assert_eq!((names.len(), permissions.len()), (TABLE.len(), TABLE.len()));
        for permission in Permission::all() {
            assert_eq!(permission.as_str().parse(), Ok(permission));
        }
        assert_eq!("boards:fly".parse::<Permission>(), Err(UnknownPermission));
    }

    #[test]
    fn an_auditor_changes_nothing_and_nobody_may_everything() {
        for permission in PermissionSet::of(Role::Auditor).iter() {
            assert!(permission.as_str().ends_with(":read"), "{permission}");
        }
        for role in Role::ALL {
            assert!(PermissionSet::of(role).iter().count() < TABLE.len(), "{role}");
        }
    }

    #[test]
    fn a_role_in_a_tenant_counts_there_alone() {
        let powers = powers(&["operator@acme", "auditor@other"]);
        let (acme, other, third) = (tenant("acme"), tenant("other"), tenant("third"));
        assert!(powers.has_in(Permission::BoardsBlock, &acme));
        assert!(!powers.has_in(Permission::BoardsBlock, &other));
        assert!(powers.knows(&other) && !powers.knows(&third));
        assert!(!powers.has_everywhere(Permission::BoardsRead));
        let both = Reach::Tenants([acme.clone(), other].into());
        assert_eq!(powers.reach(Permission::BoardsRead), both);
        assert_eq!(powers.reach(Permission::BoardsBlock), Reach::Tenants([acme].into()));
        assert_eq!(powers.reach(Permission::UsersWrite), Reach::Tenants(BTreeSet::new()));
    }

    #[test]
    fn a_token_may_what_both_it_and_its_owner_may() {
        let scopes = [Permission::BoardsRead, Permission::UsersWrite].into_iter().collect();
        let (acme, other) = (tenant("acme"), tenant("other"));
        let narrowed = powers(&["operator"]).within(scopes, Some(&acme));
        assert!(narrowed.has_in(Permission::BoardsRead, &acme));
        assert!(!narrowed.has_in(Permission::BoardsRead, &other));
        assert!(!narrowed.has(Permission::UsersWrite) && !narrowed.has(Permission::BoardsBlock));
        let elsewhere = powers(&["tenant-admin@other"]).within(scopes, Some(&acme));
        assert!(!elsewhere.knows(&acme) && !elsewhere.knows(&other));
        let nothing = powers(&["platform-admin"]).within(PermissionSet::default(), None);
        assert!(!nothing.knows(&acme));
    }
}
