//! `cellular-hub api-token`.

use clap::Subcommand;
use serde_json::json;
use storage::{ApiToken as Token, TenantId, UnixSeconds, UserName};

use super::{Failure, Invocation, now, output};
use crate::people::{Permission, PermissionSet, token};

#[derive(Debug, Subcommand)]
pub(super) enum ApiToken {
    /// Make a token, with which a program uses the API in a person's name.
    ///
    /// It is shown now and never again: the hub keeps only its SHA-256. It may what both its scopes
    /// and its owner's roles permit. (`token new` makes tokens of the other kind, with which a board
    /// is enrolled.)
    New {
        /// In whose name it acts.
        #[arg(long, value_name = "USER")]
        user: UserName,
        /// What it is for.
        #[arg(long, value_name = "TEXT")]
        label: String,
        /// A permission, as `boards:read`; may be given more than once [default: all that its owner
        /// has].
        #[arg(long = "scope", value_name = "PERMISSION", value_parser = permission)]
        scopes: Vec<Permission>,
        /// The one tenant it is for.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<TenantId>,
        /// Days until it expires.
        #[arg(long, value_name = "DAYS", default_value_t = 90,
              value_parser = clap::value_parser!(u64).range(1..=365))]
        days: u64,
    },
}

fn permission(text: &str) -> Result<Permission, String> {
    let known = || Permission::all().map(Permission::as_str).collect::<Vec<_>>().join(", ");
    text.parse().map_err(|error| format!("{error}: there are {}", known()))
}

impl ApiToken {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let Self::New { user, label, scopes, tenant, days } = self;
        let admin = hub.admin()?;
        let text = token::new().map_err(|error| Failure::Unusable(error.to_string()))?;
        let scopes: Vec<_> = match scopes.is_empty() {
            true => {
                let grants = admin.user(&user)?.grants;
                let sets = grants.iter().map(|grant| PermissionSet::of(grant.role));
                let all = sets.flat_map(|set| set.iter().collect::<Vec<_>>());
                all.collect::<PermissionSet>().iter().collect()
            }
            false => scopes,
        };
        let digest = text.digest();
        let token = Token {
            id: storage::ApiTokenId::of(&digest),
            owner: user,
            label,
            scopes: scopes.iter().map(ToString::to_string).collect(),
            tenant,
            created: now(),
            expires: UnixSeconds(now().0 + days * 24 * 3600),
            last_used: None,
        };
        admin.add_api_token(&digest, &token)?;
        let answer = json!({ "token": text.as_str(), "about": token });
        hub.output.answer(&answer, || {
            let (owner, until) = (&token.owner, output::moment(token.expires));
            format!("{}\nfor programs of {owner}, until {until}; shown once", text.as_str())
        })
    }
}
