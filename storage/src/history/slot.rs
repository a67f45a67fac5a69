//! One slot: what happened to one board, and which bytes that is.
//!
//! | at | bytes | slot | | at | bytes | event of a session, 16 from 32 on |
//! | --- | --- | --- | --- | --- | --- | --- |
//! | 0 | 1 | 1: this layout; 0: nothing | | 0 | 16 | address; IPv4 as IPv6 maps it |
//! | 1 | 1 | events of sessions | | 16 | 2 | port |
//! | 2 | 1 | reasons of refusals | | 18 | 1 | 1 begun, 2 resumed, 3 ended |
//! | 3 | 5 | zeros | | 19 | 1 | why |
//! | 8 | 16 | whose: [`Owner`] | | 20 | 4 | when |
//! | 24 | 8 | of SHA-256 of the slot, with zeros here | | | | |
//!
//! | at | bytes | reason of refusals, 8 from 416 on |
//! | --- | --- | --- |
//! | 0 | 16 | address of the last |
//! | 16 | 2 | its port |
//! | 18 | 1 | zero |
//! | 19 | 1 | why |
//! | 20 | 4 | how often |
//! | 24 | 4 | the first time |
//! | 28 | 4 | the last time |
//!
//! All numbers are little-endian; times are seconds since 1970. Behind what is used there are zeros.
//! Invariant: any bytes are somebody's history or nobody's; a slot that the machine's failure tore
//! is nobody's.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use sha2::{Digest as _, Sha256};

use super::{
    BoardHistory, REFUSALS_MAX, Reason, RefusedFor, SESSIONS_MAX, SessionEvent, SessionTurn,
};
use crate::rows::short;
use crate::{Board, BoardId, UnixSeconds};

/// Bytes of a slot.
pub(crate) const SLOT_LEN: usize = 672;

const LAYOUT: u8 = 1;
const SESSION_COUNT: usize = 1;
const REFUSAL_COUNT: usize = 2;
const OWNER: usize = 8;
const CHECK: usize = 24;
const SESSIONS: usize = 32;
const SESSION_LEN: usize = 24;
const REFUSALS: usize = SESSIONS + SESSIONS_MAX * SESSION_LEN;
const REFUSAL_LEN: usize = 32;
const PORT: usize = 16;
const WHAT: usize = 18;
const WHY: usize = 19;
const NUMBERS: usize = 20;

const BEGUN: u8 = 1;
const RESUMED: u8 = 2;
const ENDED: u8 = 3;

/// The bytes of a slot.
pub(crate) type SlotBytes = [u8; SLOT_LEN];

/// Whose history it is: a board that was removed and added again is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner([u8; 16]);

impl Owner {
    pub(crate) fn of(board: &Board) -> Self {
        let digest = Sha256::new_with_prefix(board.id.as_str());
        let digest = digest.chain_update(b"\0").chain_update(board.created.0.to_le_bytes());
        Self(digest.finalize().first_chunk().copied().unwrap_or_default())
    }
}

/// The slot of a board's history.
pub(crate) fn encode(owner: Owner, history: &BoardHistory) -> SlotBytes {
    let mut slot = [0; SLOT_LEN];
    let count = |all: usize, max| u8::try_from(all.min(max)).unwrap_or(0);
    let sessions = count(history.sessions.len(), SESSIONS_MAX);
    let refusals = count(history.refusals.len(), REFUSALS_MAX);
    put(&mut slot, 0, &[LAYOUT, sessions, refusals]);
    put(&mut slot, OWNER, &owner.0);
    for (at, event) in (SESSIONS..).step_by(SESSION_LEN).zip(&history.sessions).take(SESSIONS_MAX) {
        let what = match event.what {
            SessionTurn::Begun => [BEGUN, 0],
            SessionTurn::Resumed => [RESUMED, 0],
            SessionTurn::Ended(Reason(why)) => [ENDED, why],
        };
        put(&mut slot, at, &source(event.source));
        put(&mut slot, at + WHAT, &what);
        put(&mut slot, at + NUMBERS, &short(Some(event.at)).to_le_bytes());
    }
    for (at, refused) in (REFUSALS..).step_by(REFUSAL_LEN).zip(&history.refusals).take(REFUSALS_MAX)
    {
        put(&mut slot, at, &source(refused.source));
        put(&mut slot, at + WHY, &[refused.reason.0]);
        let numbers = [refused.count, short(Some(refused.first)), short(Some(refused.last))];
        put(&mut slot, at + NUMBERS, numbers.map(u32::to_le_bytes).as_flattened());
    }
    let check = check(&slot);
    put(&mut slot, CHECK, &check);
    slot
}

/// What the slot says of this board; nothing where it is another's, empty or torn.
pub(crate) fn decode(slot: &SlotBytes, owner: Owner, board: &BoardId) -> Option<BoardHistory> {
    if !is_sound(slot) || chunk(slot, OWNER) != owner.0 {
        return None;
    }
    let count = |at: usize| slot.get(at).copied().map_or(0, usize::from);
    let sessions = (SESSIONS..REFUSALS).step_by(SESSION_LEN).take(count(SESSION_COUNT));
    let refusals = (REFUSALS..SLOT_LEN).step_by(REFUSAL_LEN).take(count(REFUSAL_COUNT));
    let mut history = BoardHistory::new(board.clone());
    for at in sessions {
        let [what, why] = chunk(slot, at + WHAT);
        let what = match what {
            BEGUN => SessionTurn::Begun,
            RESUMED => SessionTurn::Resumed,
            ENDED => SessionTurn::Ended(Reason(why)),
            _ => return None,
        };
        let (at, source) = (time(slot, at + NUMBERS), source_at(slot, at));
        history.sessions.push(SessionEvent { at, source, what });
    }
    for at in refusals {
        let [why] = chunk(slot, at + WHY);
        history.refusals.push(RefusedFor {
            reason: Reason(why),
            count: u32::from_le_bytes(chunk(slot, at + NUMBERS)),
            first: time(slot, at + NUMBERS + 4),
            last: time(slot, at + NUMBERS + 8),
            source: source_at(slot, at),
        });
    }
    Some(history)
}

/// Whether nothing ever stood there, or it was cleared.
pub(crate) fn is_empty(slot: &SlotBytes) -> bool {
    slot.iter().all(|byte| *byte == 0)
}

/// Whether it is all there, and of a layout that this version knows.
pub(crate) fn is_sound(slot: &SlotBytes) -> bool {
    slot.first() == Some(&LAYOUT) && chunk(slot, CHECK) == check(slot)
}

fn check(slot: &SlotBytes) -> [u8; 8] {
    let mut without = *slot;
    put(&mut without, CHECK, &[0; 8]);
    Sha256::digest(without).first_chunk().copied().unwrap_or_default()
}

fn source(source: SocketAddr) -> [u8; 18] {
    let address = match source.ip() {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let mut bytes = [0; 18];
    put(&mut bytes, 0, &address.octets());
    put(&mut bytes, PORT, &source.port().to_le_bytes());
    bytes
}

fn source_at(slot: &[u8], at: usize) -> SocketAddr {
    let address = Ipv6Addr::from(chunk(slot, at)).to_canonical();
    SocketAddr::new(address, u16::from_le_bytes(chunk(slot, at + PORT)))
}

fn time(slot: &[u8], at: usize) -> UnixSeconds {
    UnixSeconds(u32::from_le_bytes(chunk(slot, at)).into())
}

fn chunk<const N: usize>(slot: &[u8], at: usize) -> [u8; N] {
    slot.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

fn put(slot: &mut [u8], at: usize, bytes: &[u8]) {
    let place = slot.get_mut(at..).unwrap_or_default();
    place.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn board(id: &str, created: u64) -> Board {
        Board::new(id.parse().unwrap(), "acme".parse().unwrap(), UnixSeconds(created))
    }

    fn history() -> BoardHistory {
        let v4 = ([192, 0, 2, 1], 258).into();
        let event = |at, what| SessionEvent { at: UnixSeconds(at), source: v4, what };
        let ended = SessionTurn::Ended(Reason(7));
        let mut history = BoardHistory::new("CB-1".parse().unwrap());
        history.sessions =
            vec![event(1, SessionTurn::Begun), event(2, SessionTurn::Resumed), event(3, ended)];
        history.refusals = vec![RefusedFor {
            reason: Reason(9),
            count: 4,
            first: UnixSeconds(5),
            last: UnixSeconds(6),
            source: "[2001:db8::1]:7".parse().unwrap(),
        }];
        history
    }

    #[test]
    fn a_slots_bytes_are_frozen() {
        let slot = encode(Owner::of(&board("CB-1", 1)), &history());
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex(&slot[..OWNER]), "0103010000000000");
        assert_eq!(hex(&slot[OWNER..CHECK]), "66cdb77d425ee0f271feb09e6b9d17c9");
        let v4 = "00000000000000000000ffffc00002010201";
        let sessions = format!("{v4}010001000000{v4}020002000000{v4}030703000000");
        assert_eq!(hex(&slot[SESSIONS..][..72]), sessions);
        assert!(slot[SESSIONS + 72..REFUSALS].iter().all(|byte| *byte == 0));
        let refusal =
            "20010db8000000000000000000000001070000090400000005000000".to_owned() + "06000000";
        assert_eq!(hex(&slot[REFUSALS..][..32]), refusal);
        assert!(slot[REFUSALS + 32..].iter().all(|byte| *byte == 0));
        assert_eq!(hex(&slot[CHECK..SESSIONS]), "d7ff14d3943c5f59");
    }

    #[test]
    fn a_history_is_read_by_its_board_alone_and_only_whole() {
        let (history, one) = (history(), board("CB-1", 1));
        let slot = encode(Owner::of(&one), &history);
        let read = |slot: &SlotBytes, board: &Board| decode(slot, Owner::of(board), &board.id);
        assert_eq!(read(&slot, &one), Some(history));
        assert_eq!(read(&slot, &board("CB-2", 1)), None);
        assert_eq!(read(&slot, &board("CB-1", 2)), None, "added again");
        for at in 0..SLOT_LEN {
            let mut torn = slot;
            torn[at] ^= 1;
            assert_eq!(read(&torn, &one), None, "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_history_or_none(mut slot in prop::collection::vec(any::<u8>(), SLOT_LEN)) {
            let one = board("CB-1", 1);
            put(&mut slot, 0, &[LAYOUT]);
            put(&mut slot, OWNER, &Owner::of(&one).0);
            let mut slot: SlotBytes = slot.try_into().unwrap();
            let sum = check(&slot);
            put(&mut slot, CHECK, &sum);
            if let Some(history) = decode(&slot, Owner::of(&one), &one.id) {
                prop_assert!(history.sessions.len() <= SESSIONS_MAX);
                prop_assert!(history.refusals.len() <= REFUSALS_MAX);
            }
        }
    }
}
