//! `cellular-hub user`.

use clap::Subcommand;
use storage::{Grant, UserName, UserState};

use super::{Failure, Invocation, now, output};

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a person.
    ///
    /// They may do what their roles permit: platform-admin everywhere, tenant-admin in one tenant,
    /// operator, firmware-signer, production, billing and auditor in one tenant or everywhere.
    Add {
        /// What they sign in with: a name or a mail address, in small letters.
        user: UserName,
        /// The name people read [default: the user's name].
        #[arg(long)]
        name: Option<String>,
        /// A role, as `auditor`, or `operator@acme` for one tenant; may be given more than once.
        #[arg(long = "role", value_name = "ROLE[@TENANT]", required = true)]
        roles: Vec<Grant>,
    },
    /// List the people.
    List,
    /// Show a person.
    Show {
        /// The person.
        user: UserName,
    },
}

impl User {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::Add { user, name, roles } => {
                let full_name = name.unwrap_or_else(|| user.to_string());
                let (state, created) = (UserState::Active, now());
                let user = storage::User { name: user, full_name, state, grants: roles, created };
                hub.admin_or_new()?.add_user(&user)?;
                hub.output.answer(&user, || format!("user {} added", user.name))
            }
            Self::List => list(hub),
            Self::Show { user } => {
                let user = hub.admin()?.user(&user)?;
                hub.output.answer(&user, || {
                    let (name, full, roles) = (&user.name, &user.full_name, roles(&user.grants));
                    let since = output::moment(user.created);
                    format!("user {name} ({full}): {}, {roles}, since {since}", state(&user.state))
                })
            }
        }
    }
}

fn list(hub: &Invocation) -> Result<(), Failure> {
    let store = hub.store()?;
    let users = store.users().list(None).map(|user| Ok(user?.1));
    let head = format!("{:<32} {:<9} {:<20} {:<32} NAME", "USER", "STATE", "CREATED", "ROLES");
    hub.output.list(&head, users, |user| {
        let (created, roles) = (output::moment(user.created), roles(&user.grants));
        let (name, state) = (&user.name, state(&user.state));
        format!("{name:<32} {state:<9} {created:<20} {roles:<32} {}", user.full_name)
    })
}

fn state(state: &UserState) -> &'static str {
    match state {
        UserState::Active => "active",
        UserState::Disabled { .. } => "disabled",
    }
}

fn roles(grants: &[Grant]) -> String {
    grants.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
