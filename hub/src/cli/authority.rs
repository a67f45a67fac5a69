//! `cellular-hub authority`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use storage::{
    AuthorityName, AuthorityNumber, AuthorityState, BatchName, FirstContact, Foreign,
    IdentityField, Origin, Successors, TenantId,
};

use super::board::label;
use super::certificate::Reason;
use super::{Failure, Files, Invocation, now, output};
use crate::admin::{AuthorityEnded, Boards};
use crate::trust::{Anchor, AnchorFacts, Authorities, anchor_facts, pem};

#[derive(Debug, Subcommand)]
pub(super) enum Authority {
    /// List authorities, and which of them issue.
    List {
        /// Only this tenant's.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<TenantId>,
    },
    /// Show one authority.
    Show {
        /// The authority, as acme/2.
        authority: AuthorityName,
        /// Print its certificate, PEM, and nothing else.
        #[arg(long)]
        pem: bool,
    },
    /// Make another authority for a tenant, with a new key under the hub's root.
    ///
    /// Its boards are admitted at once. It issues when `authority use` says so, or a campaign.
    Add {
        /// The tenant.
        tenant: TenantId,
    },
    /// Have this authority issue its tenant's boards' certificates from now on.
    Use {
        /// The authority, as acme/2.
        authority: AuthorityName,
    },
    Import(Import),
    Set(Set),
    /// Believe an authority no more that has done its service.
    ///
    /// Refused while boards have certificates of it.
    Retire {
        /// The authority, as acme/1.
        authority: AuthorityName,
        /// Also while boards have certificates of it: they are refused from then on, and in a running
        /// hub their sessions end.
        #[arg(long)]
        force: bool,
    },
    /// Believe an authority no more, nor anything that it has signed; in a running hub the sessions of
    /// its boards end. This cannot be undone.
    Revoke {
        /// The authority, as acme/1.
        authority: AuthorityName,
        /// Why (RFC 5280 5.3.1).
        #[arg(long, value_name = "REASON", default_value = "unspecified")]
        reason: Reason,
    },
}

/// Believe the certificates of a tenant's own authority, a root or an intermediate one.
///
/// It has to be valid, may sign certificates (CA, keyCertSign) and has its key on P-256. The path
/// length and name constraints it has are enforced. Boards may show those between it and them.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  Boards that are registered one by one, and named by hardwareModuleName:
    cellular-hub authority import acme-ca.pem --tenant acme
  Boards of a batch that register themselves when they first come, named by their common name:
    cellular-hub batch add fleet --tenant acme --prefix AC- --max 5000
    cellular-hub authority import acme-ca.pem --tenant acme --id-from CN --register fleet \\
        --label site=munich --successors later")]
pub(super) struct Import {
    /// Its certificate, PEM or DER.
    certificate: PathBuf,
    /// Whose boards it vouches for.
    #[arg(long, value_name = "TENANT")]
    tenant: TenantId,
    #[command(flatten)]
    meaning: Meaning,
}

/// Change what the certificates of a tenant's own authority mean.
#[derive(Args, Debug)]
pub(super) struct Set {
    /// The authority, as acme/2.
    authority: AuthorityName,
    #[command(flatten)]
    meaning: Meaning,
}

#[derive(Args, Debug)]
struct Meaning {
    /// The field that has the board's hardware id [default: hardwareModuleName].
    #[arg(long, value_name = "FIELD")]
    id_from: Option<Field>,
    /// Register boards when they first come, if this batch of the tenant's takes them.
    #[arg(long, value_name = "BATCH", conflicts_with = "refuse")]
    register: Option<BatchName>,
    /// A label for boards that register so; may be repeated.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label, requires = "register")]
    labels: Vec<(String, String)>,
    /// Refuse boards that are not registered [the default].
    #[arg(long)]
    refuse: bool,
    /// What becomes of another certificate that a registered board comes with [default: refuse].
    #[arg(long, value_name = "RULE")]
    successors: Option<Rule>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Field {
    #[value(name = "hardwareModuleName")]
    HardwareModuleName,
    #[value(name = "serialNumber")]
    SerialNumber,
    #[value(name = "CN")]
    CommonName,
    #[value(name = "UID")]
    UserId,
    #[value(name = "dNSName")]
    DnsName,
}

impl From<Field> for IdentityField {
    fn from(field: Field) -> Self {
        match field {
            Field::HardwareModuleName => Self::HardwareModuleName,
            Field::SerialNumber => Self::SerialNumber,
            Field::CommonName => Self::CommonName,
            Field::UserId => Self::UserId,
            Field::DnsName => Self::DnsName,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Rule {
    /// It is refused.
    Refuse,
    /// It becomes the board's with its first session, if it ends later than the one before.
    Later,
}

impl Authority {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        match self {
            Self::List { tenant } => list(hub, tenant.as_ref()),
            Self::Show { authority, pem } => show(hub, &authority, pem),
            Self::Add { tenant } => add(hub, &tenant),
            Self::Use { authority } => {
                let tenant = hub.admin()?.issue_with(&authority)?;
                hub.output.answer(&tenant, || format!("{authority} issues from now on"))
            }
            Self::Import(import) => import.run(hub),
            Self::Set(set) => set.run(hub),
            Self::Retire { authority, force } => {
                let boards = if force { Boards::AreShutOut } else { Boards::MustBeGone };
                let ended = hub.admin()?.retire_authority(&authority, boards, now())?;
                say_ended(hub, &ended, "retired")
            }
            Self::Revoke { authority, reason } => {
                let ended = hub.admin()?.revoke_authority(&authority, reason.into(), now())?;
                say_ended(hub, &ended, "revoked")
            }
        }
    }

    /// The files that it names.
    pub(super) fn files(&self) -> Files {
        match self {
            Self::Import(import) => {
                Files { read: vec![import.certificate.clone()], ..Files::default() }
            }
            Self::List { .. }
            | Self::Show { .. }
            | Self::Add { .. }
            | Self::Use { .. }
            | Self::Set(_)
            | Self::Retire { .. }
            | Self::Revoke { .. } => Files::default(),
        }
    }
}

impl Import {
    fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let admin = hub.admin()?;
        let Self { certificate: file, tenant, meaning } = self;
        let anchor = Anchor::parse(&file, &hub.read(&file)?, now())?;
        let mut foreign = Foreign::default();
        meaning.apply(&mut foreign);
        let root = hub.pki()?.root_certificate().ok();
        let added = admin.import_authority(&tenant, anchor, foreign, root.as_deref(), now())?;
        hub.output.answer(&added, || format!("{} of {tenant} added", added.name()))
    }
}

impl Set {
    fn run(self, hub: &Invocation) -> Result<(), Failure> {
        let (admin, name) = (hub.admin()?, &self.authority);
        let known = admin.authority(name)?;
        // While a tenant had one authority, nobody wrote down whose it is: the key store knows.
        if let Origin::Own { .. } = known.origin
            && Authorities::new(hub.pki()?, admin.store().clone()).open(&known)?.is_none()
        {
            admin.disown_authority(name)?;
        }
        let changed = admin.set_foreign(name, |foreign| self.meaning.apply(foreign))?;
        hub.output.answer(&changed, || format!("{name} changed"))
    }
}

impl Meaning {
    fn apply(self, to: &mut Foreign) {
        if let Some(field) = self.id_from {
            to.id_from = field.into();
        }
        if self.refuse {
            to.first_contact = FirstContact::Refuse;
        }
        if let Some(batch) = self.register {
            let labels = BTreeMap::from_iter(self.labels);
            to.first_contact = FirstContact::Register { batch, labels };
        }
        match self.successors {
            Some(Rule::Refuse) => to.successors = Successors::Refuse,
            Some(Rule::Later) => to.successors = Successors::Later,
            None => {}
        }
    }
}

fn add(hub: &Invocation, tenant: &TenantId) -> Result<(), Failure> {
    let admin = hub.admin()?;
    admin.tenant(tenant)?;
    let (authority, key) = hub.pki()?.succeed_tenant(tenant, now())?;
    let certificate = authority.certificate().to_vec();
    let added = admin.add_authority(tenant, certificate, key.to_string(), now())?;
    hub.output.answer(&added, || {
        let name = added.name();
        format!("{name} made; `cellular-hub authority use {name}` has it issue")
    })
}

fn say_ended(hub: &Invocation, ended: &AuthorityEnded, done: &str) -> Result<(), Failure> {
    hub.output.answer(ended, || {
        let (name, boards) = (ended.authority.name(), ended.boards);
        let sessions = output::ended(ended.sessions_ended);
        format!("{name} {done}; {boards} boards had certificates of it{sessions}")
    })
}

#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    authority: storage::Authority,
    name: AuthorityName,
    issues: bool,
    #[serde(flatten)]
    facts: Option<AnchorFacts>,
}

impl Line {
    fn new(authority: storage::Authority, issuer: Option<AuthorityNumber>) -> Self {
        let facts = anchor_facts(&authority.certificate).ok();
        let issues = issuer == Some(authority.number);
        Self { name: authority.name(), authority, issues, facts }
    }
}

fn list(hub: &Invocation, tenant: Option<&TenantId>) -> Result<(), Failure> {
    let admin = hub.admin()?;
    let store = admin.store();
    if let Some(tenant) = tenant {
        admin.tenant(tenant)?;
    }
    let lines = store.authorities().list(tenant).map(|authority| {
        let authority = authority?;
        let issuer = store.tenants().find(&authority.tenant)?.and_then(|tenant| tenant.issuer);
        Ok(Line::new(authority, issuer))
    });
    let head = format!("{:<36} {:<8} {:<7} {:<20} STATE", "AUTHORITY", "ORIGIN", "ISSUES", "ENDS");
    hub.output.list(&head, lines, |line| {
        let (name, issues) = (line.name.to_string(), if line.issues { "yes" } else { "no" });
        let ends = line.facts.as_ref().map(|facts| output::moment(facts.not_after));
        let (ends, state) = (ends.unwrap_or_default(), state(&line.authority.state));
        format!("{name:<36} {:<8} {issues:<7} {ends:<20} {state}", origin(&line.authority.origin))
    })
}

fn origin(origin: &Origin) -> &'static str {
    match origin {
        Origin::Own { .. } => "hub",
        Origin::Foreign(_) => "tenant",
    }
}

fn state(state: &AuthorityState) -> String {
    match state {
        AuthorityState::Active => String::from("active"),
        AuthorityState::Retiring { since } => format!("retiring since {}", output::moment(*since)),
        AuthorityState::Retired { since } => format!("retired {}", output::moment(*since)),
        AuthorityState::Revoked { reason, since } => {
            format!("revoked {} ({reason:?})", output::moment(*since))
        }
    }
}

fn show(hub: &Invocation, name: &AuthorityName, certificate: bool) -> Result<(), Failure> {
    let admin = hub.admin()?;
    let authority = admin.authority(name)?;
    let encoded = pem("CERTIFICATE", &authority.certificate);
    let line = Line::new(authority, admin.tenant(&name.tenant)?.issuer);
    hub.output.answer(&line, || if certificate { encoded } else { table(&line) })
}

fn table(line: &Line) -> String {
    let Line { authority, name, issues, facts } = line;
    let mut rows = vec![
        ("authority", name.to_string()),
        ("state", state(&authority.state)),
        ("issues", String::from(if *issues { "yes" } else { "no" })),
        ("fingerprint", format!("sha-256 {}", authority.fingerprint())),
        ("added", output::moment(authority.added)),
    ];
    if let Some(facts) = facts {
        let length = facts.path_length.map_or_else(|| String::from("any"), |it| it.to_string());
        let names = if facts.name_constraints { "constrained" } else { "any" };
        rows.extend([
            ("subject", facts.subject.clone()),
            ("issuer", facts.issuer.clone()),
            ("begins", output::moment(facts.not_before)),
            ("ends", output::moment(facts.not_after)),
            ("path length", length),
            ("names", String::from(names)),
        ]);
    }
    match &authority.origin {
        Origin::Own { key } => rows.push(("key", key.clone())),
        Origin::Foreign(foreign) => rows.extend(meaning(foreign)),
    }
    rows.iter().map(|(name, of)| format!("{name:<12} {of}")).collect::<Vec<_>>().join("\n")
}

fn meaning(foreign: &Foreign) -> [(&'static str, String); 3] {
    let field = match foreign.id_from {
        IdentityField::HardwareModuleName => "hardwareModuleName",
        IdentityField::SerialNumber => "serialNumber",
        IdentityField::CommonName => "CN",
        IdentityField::UserId => "UID",
        IdentityField::DnsName => "dNSName",
    };
    let contact = match &foreign.first_contact {
        FirstContact::Refuse => String::from("refuse"),
        FirstContact::Register { batch, labels } => {
            let labels: Vec<_> = labels.iter().map(|(key, of)| format!(" {key}={of}")).collect();
            format!("register boards of batch {batch}{}", labels.concat())
        }
    };
    let successors = match foreign.successors {
        Successors::Refuse => "refuse",
        Successors::Later => "take one that ends later",
    };
    [
        ("id from", String::from(field)),
        ("first contact", contact),
        ("successors", String::from(successors)),
    ]
}
