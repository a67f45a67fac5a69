//! `cellular-hub ca root`.

use serde_json::json;

use super::ca::Root;
use super::{Failure, Invocation, now, output};
use crate::admin::{Admin, AdminError};
use crate::trust::{Made, Rollover, RolloverStage};

impl Root {
    pub(super) fn run(self, hub: &Invocation) -> Result<(), Failure> {
        // First, so that nothing is made that cannot be recorded.
        let (admin, pki) = (hub.admin()?, hub.pki()?);
        match self {
            Self::Show => show(hub, &admin, &pki.rollover()?),
            Self::New => {
                let (made, rollover) = pki.begin_rollover(now())?;
                if made == Made::Made {
                    admin.record("root.new", &"root", json!({ "next": rollover.other }))?;
                }
                show(hub, &admin, &rollover)
            }
            Self::Use => {
                let (issued, rollover) = pki.switch_root(now())?;
                let server = json!({
                    "fingerprint": issued.fingerprint(), "not_after": issued.not_after(),
                });
                admin.record("root.use", &"root", json!({ "server": server }))?;
                show(hub, &admin, &rollover)
            }
            Self::Finish { force } => {
                let boards = uninformed(&admin, &pki.rollover()?)?;
                if boards > 0 && !force {
                    return Err(AdminError::Refused(format!(
                        "{boards} boards may know the root before alone, and would not believe the hub \
                         any more; have them renew under an authority that was made since \
                         (`cellular-hub campaign new`), or use --force"
                    ))
                    .into());
                }
                let rollover = pki.finish_rollover()?;
                admin.record("root.finish", &"root", json!({ "boards": boards }))?;
                show(hub, &admin, &rollover)
            }
        }
    }
}

/// Boards that have not renewed since there is a next root: who renews takes the roots first.
fn uninformed(admin: &Admin, rollover: &Rollover) -> Result<u64, AdminError> {
    rollover.announced.map_or(Ok(0), |announced| admin.boards_from_before(announced))
}

fn show(hub: &Invocation, admin: &Admin, rollover: &Rollover) -> Result<(), Failure> {
    let boards = uninformed(admin, rollover)?;
    let answer = json!({ "rollover": rollover, "boards_from_before": boards });
    hub.output.answer(&answer, || {
        let Rollover { stage, root, other, announced } = rollover;
        let signs = format!("{} signs", root.display());
        let other = other.as_ref().map(|other| other.display().to_string()).unwrap_or_default();
        let since = announced.map(output::moment).unwrap_or_default();
        let boards = format!("{boards} boards have not renewed since {since}");
        match stage {
            RolloverStage::None => format!("{signs}; no rollover is under way"),
            RolloverStage::Announced => {
                format!(
                    "{signs}; boards are given {other} as well\n{boards}; `ca root use` is next"
                )
            }
            RolloverStage::Switched => {
                format!("{signs}; {other} is believed as well\n{boards}; `ca root finish` is next")
            }
        }
    })
}
