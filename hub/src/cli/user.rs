//! `cellular-hub user`.

use std::path::{Path, PathBuf};

use actors::upstream::password_of;
use clap::Subcommand;
use serde_json::json;
use storage::{Grant, UserName, UserState};

use super::{Failure, Files, Invocation, now, output};
use crate::people::{is_setup_needed, link_text, new_link, provider_secret};

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
    /// Give a person other roles, in place of those they have; their sessions end.
    Role {
        /// The person.
        user: UserName,
        /// A role, as `auditor`, or `operator@acme` for one tenant; may be given more than once.
        #[arg(long = "role", value_name = "ROLE[@TENANT]", required = true)]
        roles: Vec<Grant>,
    },
    /// Let a person in no more: their sessions end, and their tokens count for nothing.
    Disable {
        /// The person.
        user: UserName,
        /// Why, in words, for the audit log.
        #[arg(long)]
        reason: String,
    },
    /// Let a person in again.
    Enable {
        /// The person.
        user: UserName,
    },
    /// Forget how a person signs in, for whoever has lost it; prints a link for them to begin anew.
    ///
    /// Password, authenticator app, passkeys and recovery codes are forgotten; their sessions end.
    Reset {
        /// The person.
        user: UserName,
    },
    /// Print a one-time link, with which a person chooses a password; it counts for a day.
    ///
    /// Without a person, for a hub that has no platform-admin: whoever has the link becomes it.
    SetupLink {
        /// The person.
        user: Option<UserName>,
    },
    /// Seal the hub's secret towards the OpenID provider ([provider]) in the vault.
    ProviderSecret {
        /// The file that holds it, in one line; - is standard input.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
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
            Self::Role { user, roles } => {
                let admin = hub.admin()?;
                let user = admin.change_user(&admin.user(&user)?, None, Some(roles))?;
                hub.output.answer(&user, || format!("user {} is {}", user.name, named(&user)))
            }
            Self::Disable { user, reason } => {
                let user = hub.admin()?.disable_user(&user, reason, now())?;
                hub.output.answer(&user, || format!("user {} disabled", user.name))
            }
            Self::Enable { user } => {
                let user = hub.admin()?.enable_user(&user)?;
                hub.output.answer(&user, || format!("user {} enabled", user.name))
            }
            Self::Reset { user } => {
                hub.admin()?.reset_user(&user)?;
                link(hub, Some(user))
            }
            Self::SetupLink { user } => link(hub, user),
            Self::ProviderSecret { file } => secret(hub, &file),
            Self::Show { user } => {
                let user = hub.admin()?.user(&user)?;
                hub.output.answer(&user, || {
                    let (name, full, roles) = (&user.name, &user.full_name, named(&user));
                    let since = output::moment(user.created);
                    format!("user {name} ({full}): {}, {roles}, since {since}", state(&user.state))
                })
            }
        }
    }
}

impl User {
    /// The files that it names.
    pub(super) fn files(&self) -> Files {
        let read = match self {
            Self::ProviderSecret { file } => Some(file.clone()),
            Self::Add { .. }
            | Self::List
            | Self::Show { .. }
            | Self::Role { .. }
            | Self::Disable { .. }
            | Self::Enable { .. }
            | Self::Reset { .. }
            | Self::SetupLink { .. } => None,
        };
        Files { secret: read.into_iter().collect(), ..Files::default() }
    }
}

fn secret(hub: &Invocation, file: &Path) -> Result<(), Failure> {
    let admin = hub.admin_or_new()?;
    let bytes = hub.read_secret(file)?;
    let secret = password_of(&bytes).map_err(|problem| {
        Failure::Unusable(format!("{} cannot be used: {problem}", file.display()))
    })?;
    let name = provider_secret().map_err(|error| Failure::Unusable(error.to_string()))?;
    hub.vault(&admin)?.put(&name, secret.as_bytes(), now())?;
    admin.record("provider.secret", &"provider", json!({}))?;
    hub.output.answer(&json!({ "secret": "sealed" }), || "the secret is sealed".to_owned())
}

fn list(hub: &Invocation) -> Result<(), Failure> {
    let store = hub.store()?;
    let users = store.users().list(None).map(|user| Ok(user?.1));
    let head = format!("{:<32} {:<9} {:<20} {:<32} NAME", "USER", "STATE", "CREATED", "ROLES");
    hub.output.list(&head, users, |user| {
        let (created, roles) = (output::moment(user.created), named(user));
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

fn named(user: &storage::User) -> String {
    user.grants.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn link(hub: &Invocation, user: Option<UserName>) -> Result<(), Failure> {
    let admin = hub.admin_or_new()?;
    match &user {
        Some(user) => drop(admin.user(user)?),
        None if is_setup_needed(admin.store())? => {}
        None => {
            let why = "there is a platform-admin; name whom the link is for";
            return Err(Failure::Refused(String::from(why)));
        }
    }
    let made = new_link(admin.store(), user.clone(), now());
    let made = made.map_err(|error| Failure::Unusable(error.to_string()))?;
    let whose = user.as_ref().map_or_else(|| String::from("first admin"), ToString::to_string);
    admin.record("user.setup-link", &whose, json!({}))?;
    let link = link_text(&crate::origin::of(&hub.config()?), &made);
    hub.output.answer(&json!({ "link": link, "user": user }), || {
        format!("{link}\nfor {whose}; counts once, for a day")
    })
}
