//! What a provider's groups may here: `hub-admins=platform-admin, acme-ops=operator@acme`.

use std::str::FromStr;

use storage::{Grant, InvalidName};

/// Roles by group.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Roles(Vec<(String, Grant)>);

/// Text that is no list of groups and roles.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidRoles {
    /// Something without `=`.
    #[error("roles are as hub-admins=platform-admin, acme-ops=operator@acme")]
    Form,
    /// No role.
    #[error(transparent)]
    Role(#[from] InvalidName),
}

impl FromStr for Roles {
    type Err = InvalidRoles;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let pairs = parts.map(|part| {
            let (group, role) = part.rsplit_once('=').ok_or(InvalidRoles::Form)?;
            match group.trim() {
                "" => Err(InvalidRoles::Form),
                group => Ok((group.to_owned(), role.trim().parse()?)),
            }
        });
        pairs.collect::<Result<_, _>>().map(Self)
    }
}

impl Roles {
    /// What whoever is in these groups may; each role once.
    #[must_use]
    pub fn of(&self, groups: &[&str]) -> Vec<Grant> {
        let theirs = self.0.iter().filter(|(group, _)| groups.contains(&group.as_str()));
        let mut grants: Vec<Grant> = theirs.map(|(_, grant)| grant.clone()).collect();
        grants.sort();
        grants.dedup();
        grants
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn groups_give_roles_and_others_give_none() {
        let text = "hub-admins=platform-admin, acme ops=operator@acme,a=b=auditor,x=auditor";
        let roles: Roles = text.parse().unwrap();
        let of = |groups: &[&str]| {
            roles.of(groups).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(of(&["acme ops", "hub-admins", "hub-admins"]), "platform-admin operator@acme");
        assert_eq!(of(&["a=b", "x"]), "auditor");
        assert_eq!(of(&["HUB-ADMINS", "", "operator"]), "");
        assert_eq!("nobody".parse::<Roles>(), Err(InvalidRoles::Form));
        assert!("=auditor".parse::<Roles>().is_err() && "a=root".parse::<Roles>().is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_roles_or_refused(text in any::<String>()) {
            let _ = text.parse::<Roles>();
        }
    }
}
