//! How far a campaign is, against a simple model: what looking at every board's record would have given,
//! also after the store was closed and opened.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's failure is its report")]

mod rig;

use proptest::prelude::*;
use rig::{board, rig, tenant};
use storage::*;

const TENANTS: [&str; 2] = ["acme", "other"];

prop_compose! {
    fn any_board()(
        id in "[A-F]{1,4}",
        owner in 0..TENANTS.len(),
        is_shut: bool,
        issuer in 0..4_u16,
        has_certificate: bool,
    ) -> Board {
        let mut board = board(&id, TENANTS[owner]);
        if is_shut {
            board.state = BoardState::Blocked { reason: "lost".into(), since: UnixSeconds(1) };
        }
        board.issuer = AuthorityNumber::new(issuer);
        let own = has_certificate || board.issuer.is_some();
        let digest = id.bytes().fold([7; 32], |mut digest: [u8; 32], byte| {
            digest.rotate_left(1);
            digest[0] ^= byte;
            digest
        });
        board.fingerprint = own.then_some(Fingerprint(digest));
        board
    }
}

fn campaign(from: u16, to: u16) -> Campaign {
    let group = |percent| CampaignGroup { name: "g".into(), percent, success_percent: 90 };
    Campaign {
        number: 3,
        tenant: "acme".parse().unwrap(),
        from: AuthorityNumber::new(from).unwrap(),
        to: AuthorityNumber::new(to).unwrap(),
        groups: vec![group(30), group(30), group(40)],
        per_minute: 60,
        windows: Vec::new(),
        reason: String::new(),
        by: String::new(),
        created: UnixSeconds(1),
        state: CampaignState::Draft,
        group: 0,
    }
}

fn model(campaign: &Campaign, boards: &[Board]) -> Vec<CampaignCounts> {
    let mut counts = vec![CampaignCounts::default(); campaign.groups.len()];
    for board in boards.iter().filter(|board| board.tenant == campaign.tenant) {
        // A certificate of nobody in particular is the first authority's.
        let issuer = board.issuer.or(board.fingerprint.map(|_| AuthorityNumber::FIRST));
        let group = campaign.group_of(campaign.lot(board.id.as_str().as_bytes()));
        let of_group = &mut counts[group];
        if issuer == Some(campaign.to) && board.issuer.is_some() {
            of_group.renewed += 1;
        } else if issuer == Some(campaign.from) {
            match board.state {
                BoardState::Active => of_group.waiting += 1,
                _ => of_group.shut_out += 1,
            }
        }
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_board_is_counted_where_it_is(
        all in prop::collection::vec(any_board(), 1..40),
        from in 1..4_u16,
        to in 1..4_u16,
    ) {
        prop_assume!(from != to);
        let (dir, store) = rig();
        for id in TENANTS {
            store.tenants().put(&tenant(id)).unwrap();
        }
        for board in &all {
            // Boards have no certificate in common; the same id again is the same board's.
            store.boards().put(board).unwrap();
        }
        let campaign = campaign(from, to);
        let boards: Vec<Board> =
            store.boards().matching(&BoardFilter::default()).unwrap().map(Result::unwrap).collect();
        let wanted = model(&campaign, &boards);
        let mut renewed = 0;
        let counted = store.boards().count_campaign(&campaign, |_| renewed += 1).unwrap();
        prop_assert_eq!(&counted, &wanted);
        prop_assert_eq!(renewed, wanted.iter().map(|counts| counts.renewed).sum::<u64>());
        store.close().unwrap();
        drop(store);
        let store = Store::open(&dir.path().join("store")).unwrap();
        prop_assert_eq!(store.boards().count_campaign(&campaign, |_| {}).unwrap(), wanted);
    }
}
