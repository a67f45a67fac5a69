//! Campaigns over a real store, which is left and opened again at every turn.

use storage::{Board, Fingerprint, Tenant, TenantState};
use tempfile::TempDir;

use super::*;

const NOW: UnixSeconds = UnixSeconds(1_700_000_000);
const BOARDS: u16 = 40;

struct Rig {
    _dir: TempDir,
    store: Store,
}

fn acme() -> TenantId {
    "acme".parse().unwrap()
}

fn authority(number: u16) -> AuthorityNumber {
    AuthorityNumber::new(number).unwrap()
}

fn board(number: u16) -> BoardId {
    format!("CB-{number}").parse().unwrap()
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (id, name, state) = (acme(), String::new(), TenantState::Active);
        let (created, issuer, quota) = (NOW, None, storage::Quota::default());
        store.tenants().put(&Tenant { id, name, state, created, issuer, quota }).unwrap();
        for number in 0..BOARDS {
            let mut board = Board::new(board(number), acme(), NOW);
            let mut digest = [1; 32];
            digest[..2].copy_from_slice(&number.to_be_bytes());
            board.fingerprint = Some(Fingerprint(digest));
            board.issuer = Some(authority(1));
            store.boards().put(&board).unwrap();
        }
        Self { _dir: dir, store }
    }

    /// As after a kill: all that was in memory is gone.
    fn open(&self) -> Arc<Campaigns> {
        Campaigns::open(&self.store, NOW).unwrap()
    }

    fn renews(&self, number: u16) {
        self.store.boards().change(&board(number), |it| it.issuer = Some(authority(2))).unwrap();
    }

    fn told(&self, campaigns: &Campaigns) -> Vec<u16> {
        let mut told = Vec::new();
        for number in 0..BOARDS {
            let known = self.store.boards().find(&board(number)).unwrap().unwrap();
            if campaigns.tells(&acme(), known.issuer.unwrap(), &board(number)) {
                told.push(number);
            }
        }
        told
    }
}

fn new(percents: &[u8]) -> NewCampaign {
    let group =
        |percent: &u8| CampaignGroup { name: "g".into(), percent: *percent, success_percent: 100 };
    NewCampaign {
        tenant: acme(),
        from: authority(1),
        to: authority(2),
        groups: percents.iter().map(group).collect(),
        per_minute: PER_MINUTE_MAX,
        windows: Vec::new(),
        reason: String::from("it ends"),
        by: String::from("uid:0"),
    }
}

#[test]
fn a_campaign_goes_group_by_group_to_its_end_though_it_is_cut_off_at_every_turn() {
    let rig = Rig::new();
    let number = rig.open().add(new(&[20, 80]), NOW).unwrap().number;
    assert_eq!(rig.told(&rig.open()), [], "it was not started");
    rig.open().start(number, NOW).unwrap();
    let campaigns = rig.open();
    let first = rig.told(&campaigns);
    assert!(!first.is_empty() && first.len() < usize::from(BOARDS) / 2, "{first:?}");
    assert_eq!(rig.told(&campaigns), [], "once");
    assert_eq!(rig.told(&rig.open()), first, "told again, for that was forgotten");
    assert_eq!(campaigns.show(number).unwrap().told, first.len() as u64);
    let (last, others) = first.split_last().unwrap();
    others.iter().for_each(|number| rig.renews(*number));
    assert_eq!(rig.open().tick(NOW).unwrap(), [], "one of the group is missing");
    rig.renews(*last);
    assert_eq!(campaigns.show(number).unwrap().told, 0);
    assert_eq!(rig.open().tick(NOW).unwrap(), [Went::Begun { number, group: 1 }]);

    let second = rig.told(&rig.open());
    assert_eq!(first.len() + second.len(), usize::from(BOARDS));
    rig.open().pause(number, String::from("anna"), NOW).unwrap();
    assert_eq!(rig.told(&rig.open()), [], "it is halted");
    second.iter().for_each(|number| rig.renews(*number));
    assert_eq!(rig.open().tick(NOW).unwrap(), [], "so is its end");
    rig.open().start(number, NOW).unwrap();
    assert_eq!(rig.open().tick(NOW).unwrap(), [Went::Completed { number }]);
    let over = rig.open().show(number).unwrap();
    assert_eq!(over.campaign.state, CampaignState::Completed { at: NOW });
    assert!(over.counts.iter().all(|counts| counts.waiting == 0));
    assert!(
        rig.open().start(number, NOW).is_err()
            && rig.open().end(number, String::new(), NOW).is_err()
    );
}

#[test]
fn one_at_a_time_and_only_what_can_be() {
    let rig = Rig::new();
    let campaigns = rig.open();
    let refused = |new| assert!(matches!(campaigns.add(new, NOW), Err(CampaignError::Refused(_))));
    refused(NewCampaign { to: authority(1), ..new(&[100]) });
    refused(NewCampaign { per_minute: 0, ..new(&[100]) });
    refused(NewCampaign { per_minute: PER_MINUTE_MAX + 1, ..new(&[100]) });
    refused(new(&[]));
    refused(new(&[60, 41]));
    let number = campaigns.add(new(&[60, 40]), NOW).unwrap().number;
    refused(new(&[100]));
    assert!(campaigns.pause(number, String::new(), NOW).is_err(), "it does not run");
    campaigns.end(number, String::from("anna"), NOW).unwrap();
    assert_eq!(campaigns.add(new(&[100]), NOW).unwrap().number, number + 1);
    assert!(matches!(campaigns.show(9), Err(CampaignError::Unknown(9))));
    assert_eq!(rig.open().list().unwrap().len(), 2);
}
