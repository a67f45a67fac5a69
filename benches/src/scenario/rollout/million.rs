//! A rollout of very many boards, made and started in a store of this process.

use std::time::{Duration, Instant};

use actors::rollout::{NewRollout, RolloutError, Rollouts};
use storage::{
    Board, BoardFilter, Errors, FileDigest, Quota, Release, ReleaseState, RolloutGroup, Share,
    Store, Tenant, TenantId, TenantState, Terms, UnixSeconds,
};

use crate::load::progress;
use crate::scenario::error::{ScenarioError, system};

const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

/// How long it takes to write down whom a rollout of so many boards is for.
pub(super) fn run(boards: usize) -> Result<Duration, ScenarioError> {
    let folder = tempfile::Builder::new().prefix("hub-scenario-").tempdir();
    let folder = folder.map_err(system("make a temporary folder"))?;
    let store = Store::open(&folder.path().join("store"))?;
    let tenant: TenantId = "tenant-0".parse()?;
    store.tenants().put(&Tenant {
        id: tenant.clone(),
        name: String::new(),
        state: TenantState::Active,
        created: NOW,
        issuer: None,
        quota: Quota::default(),
    })?;
    let bar = progress::counting("boards", boards);
    let all = (0..boards).map_while(|number| {
        bar.inc(1);
        let id = format!("CB-{number:08}").parse().ok()?;
        Some(Board::new(id, tenant.clone(), NOW))
    });
    store.boards().put_many(all)?;
    bar.finish_and_clear();
    let file = store.files().put(b"an image")?;
    store.releases().put(&1_u64.to_be_bytes(), &release(file)?)?;
    let failed = |error: RolloutError| match error {
        RolloutError::Store(error) => error.into(),
        error => system("make a rollout")(std::io::Error::other(error)),
    };
    let rollouts = Rollouts::open(&store, |_, _| Some(BoardFilter::default())).map_err(failed)?;
    let group = |name: &str, share| RolloutGroup {
        name: name.to_owned(),
        share,
        success_percent: 90,
        errors: Errors::Percent(5),
    };
    let new = NewRollout {
        name: String::from("all"),
        release: 1,
        filter: String::new(),
        within: None,
        dynamic: false,
        groups: vec![group("canary", Share::Percent(1)), group("others", Share::Rest)],
        terms: Terms::default(),
        by: String::from("scenario"),
        approve_above: 0,
    };
    let began = Instant::now();
    let made = rollouts.add(new, NOW).map_err(failed)?;
    rollouts.start(made.number, false, NOW).map_err(failed)?;
    let took = began.elapsed();
    if usize::try_from(made.total) != Ok(boards) {
        let all = boards;
        let silent = all.saturating_sub(usize::try_from(made.total).unwrap_or(0));
        return Err(ScenarioError::Silent { silent, boards });
    }
    Ok(took)
}

fn release(file: FileDigest) -> Result<Release, ScenarioError> {
    Ok(Release {
        number: 1,
        tenant: None,
        product: super::PRODUCT.parse()?,
        hardware: Vec::new(),
        version: "1.1.0".parse()?,
        security_counter: 0,
        needs: None,
        digest: file,
        file,
        size: 8,
        notes: String::new(),
        sbom: None,
        added: NOW,
        by: String::from("scenario"),
        state: ReleaseState::Signed { key: file, signed: NOW },
    })
}
