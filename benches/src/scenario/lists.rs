//! `lists`: a million boards of several tenants, with labels and states, are listed, searched,
//! filtered, sorted and counted; how long each question takes.
//!
//! Asked of the store itself, in this process: what the hub adds to an answer is the same for ten
//! boards. Between questions some boards are heard, as in a hub that serves.

use std::time::{Duration, Instant};

use storage::{
    Board, BoardFilter, BoardId, BoardPage, BoardQuery, BoardState, Facets, InvalidName,
    LabelFilter, Quota, Sort, Span, StateKind, Store, StoreError, Tenant, TenantId, TenantState,
    UnixSeconds,
};

use super::error::{ScenarioError, system};
use super::{Size, Verdict, figure};
use crate::load::chance::Chance;
use crate::load::progress;
use crate::load::report::{Report, percentile};

const TARGET: Duration = Duration::from_millis(200);
const TENANTS: usize = 8;
/// Boards on a page.
const PAGE: usize = 100;
const NOW: u64 = 1_800_000_000;
const DAY: u64 = 24 * 3600;

/// How large the run is.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Boards.
    pub boards: usize,
    /// How often each question is asked.
    pub rounds: usize,
    /// Chooses who is asked for, and what boards are like.
    pub seed: u64,
}

impl Options {
    /// The usual sizes.
    #[must_use]
    pub fn of(size: Size, seed: u64) -> Self {
        Self { boards: size.choose(50_000, 1_000_000), rounds: size.choose(20, 100), seed }
    }
}

/// One kind of question, asked again and again.
struct Question {
    names: [&'static str; 2],
    ask: fn(&mut Chance, usize) -> BoardQuery,
    /// What is wrong with an answer.
    is_right: fn(&BoardPage) -> bool,
}

const QUESTIONS: [Question; 8] = [
    Question {
        names: ["first_page_p50", "first_page_p95"],
        ask: |_, _| BoardQuery::default(),
        is_right: |page| page.boards.len() == PAGE && page.next.is_some(),
    },
    Question {
        names: ["one_tenant_p50", "one_tenant_p95"],
        ask: |chance, _| BoardQuery { filter: of_tenant(chance), ..BoardQuery::default() },
        is_right: |page| is_one_tenant(&page.boards) && page.total > 0,
    },
    Question {
        names: ["search_id_p50", "search_id_p95"],
        ask: |chance, boards| {
            let part = format!("{:05}", chance.below(boards) / 10);
            let filter = BoardFilter { id_contains: Some(part), ..BoardFilter::default() };
            BoardQuery { filter, ..BoardQuery::default() }
        },
        is_right: |page| !page.boards.is_empty(),
    },
    Question {
        names: ["label_and_state_p50", "label_and_state_p95"],
        ask: |chance, _| {
            let filter = BoardFilter {
                states: vec![StateKind::Blocked, StateKind::Revoked],
                labels: vec![label("site", format!("site-{}", chance.below(500)))],
                ..BoardFilter::default()
            };
            BoardQuery { filter, ..BoardQuery::default() }
        },
        is_right: |page| page.boards.iter().all(|board| board.state != BoardState::Active),
    },
    Question {
        names: ["silent_longest_p50", "silent_longest_p95"],
        ask: |_, _| {
            let last_seen = Span { before: Some(UnixSeconds(NOW - 30 * DAY)), from: None };
            let filter = BoardFilter { last_seen, ..BoardFilter::default() };
            BoardQuery { filter, sort: Sort::LastSeen, ..BoardQuery::default() }
        },
        is_right: |page| page.boards.is_sorted_by_key(|board| board.last_seen),
    },
    Question {
        names: ["sorted_newest_p50", "sorted_newest_p95"],
        ask: |_, _| BoardQuery { sort: Sort::Created, descending: true, ..BoardQuery::default() },
        is_right: |page| page.boards.iter().rev().is_sorted_by_key(|board| board.created),
    },
    Question {
        names: ["facets_p50", "facets_p95"],
        ask: |_, _| BoardQuery { facets: all_facets(), ..BoardQuery::default() },
        is_right: |page| {
            page.counts.tenants.iter().map(|counted| counted.boards).sum::<u64>() == page.total
        },
    },
    Question {
        names: ["all_at_once_p50", "all_at_once_p95"],
        ask: |chance, _| BoardQuery {
            filter: BoardFilter {
                states: vec![StateKind::Active],
                labels: vec![label("model", format!("model-{}", chance.below(6)))],
                id_contains: Some(String::from("7")),
                ..of_tenant(chance)
            },
            sort: Sort::LastSeen,
            descending: true,
            facets: all_facets(),
            ..BoardQuery::default()
        },
        is_right: |page| page.total > 0 && page.counts.values.len() == 2,
    },
];

/// Runs it.
///
/// # Errors
/// [`ScenarioError`].
pub fn run(options: &Options) -> Result<Verdict, ScenarioError> {
    let folder = tempfile::Builder::new().prefix("hub-scenario-").tempdir();
    let folder = folder.map_err(system("make a temporary folder"))?;
    let dir = folder.path().join("store");
    let began = Instant::now();
    fill(&Store::open(&dir)?, options)?;
    let filling = began.elapsed();
    let began = Instant::now();
    let store = Store::open(&dir)?;
    let opening = began.elapsed();

    let mut report = Report::new();
    report.row("boards", figure(store.boards().count()), "");
    report.row("filled_in", filling.as_secs_f64(), "s");
    report.row("opened_in", opening.as_secs_f64() * 1e3, "ms");
    let mut chance = Chance::new(options.seed);
    let (mut worst, mut wrong) = (Duration::ZERO, 0);
    let bar = progress::counting("questions", options.rounds * QUESTIONS.len());
    for question in &QUESTIONS {
        let mut took = Vec::with_capacity(2 * options.rounds);
        let mut ask = |query: &BoardQuery| -> Result<BoardPage, StoreError> {
            let began = Instant::now();
            let page = store.boards().query(query)?;
            took.push(began.elapsed());
            Ok(page)
        };
        for _ in 0..options.rounds {
            let mut query = (question.ask)(&mut chance, options.boards);
            query.limit = PAGE;
            let page = ask(&query)?;
            wrong += usize::from(!(question.is_right)(&page));
            store.boards().mark_seen(&heard(&mut chance, options.boards)?)?;
            if page.next.is_some() {
                query.after = page.next;
                ask(&query)?;
            }
            bar.inc(1);
        }
        took.sort_unstable();
        worst = worst.max(percentile(&took, 95));
        let [p50, p95] = question.names;
        report.percentiles([(p50, 50), (p95, 95)], took);
    }
    bar.finish_and_clear();
    report.row("wrong_answers", figure(wrong), "");
    let met = worst <= TARGET && wrong == 0;
    let (worst, boards) = (worst.as_secs_f64() * 1e3, options.boards);
    let figure = format!("{worst:.0} ms, p95 of the slowest question, with {boards} boards");
    Ok(Verdict { report, figure, met })
}

/// Registers the boards.
fn fill(store: &Store, options: &Options) -> Result<(), ScenarioError> {
    let mut chance = Chance::new(options.seed);
    for number in 0..TENANTS {
        store.tenants().put(&Tenant {
            id: tenant(number)?,
            name: format!("Tenant {number}"),
            state: TenantState::Active,
            created: UnixSeconds(NOW),
            issuer: None,
            quota: Quota::default(),
        })?;
    }
    let bar = progress::counting("boards", options.boards);
    let boards = (0..options.boards).map_while(|number| {
        bar.inc(1);
        board(&mut chance, number).ok()
    });
    store.boards().put_many(boards)?;
    bar.finish_and_clear();
    Ok(())
}

/// A board like others: the first tenants have most, few are shut out, a tenth was never heard.
fn board(chance: &mut Chance, number: usize) -> Result<Board, InvalidName> {
    let owner = chance.below(TENANTS).min(chance.below(TENANTS));
    let before = |chance: &mut Chance, days: usize| {
        UnixSeconds(NOW - DAY * u64::try_from(chance.below(days)).unwrap_or(0))
    };
    let mut board = Board::new(id(number)?, tenant(owner)?, before(chance, 1000));
    let since = UnixSeconds(NOW - DAY);
    board.state = match chance.below(100) {
        0 | 1 => BoardState::Blocked { reason: String::from("unpaid"), since },
        2 => BoardState::Revoked { reason: String::from("stolen"), since },
        _ => BoardState::Active,
    };
    for (key, value) in [
        ("batch", format!("batch-{}", number / 10_000)),
        ("model", format!("model-{}", chance.below(6))),
        ("site", format!("site-{}", chance.below(500))),
    ] {
        board.labels.insert(key.to_owned(), value);
    }
    if chance.below(10) > 0 {
        board.first_seen = Some(board.created);
        board.last_seen = Some(before(chance, 60));
    }
    Ok(board)
}

fn heard(chance: &mut Chance, boards: usize) -> Result<Vec<(BoardId, UnixSeconds)>, InvalidName> {
    (0..PAGE).map(|_| Ok((id(chance.below(boards))?, UnixSeconds(NOW)))).collect()
}

fn id(number: usize) -> Result<BoardId, InvalidName> {
    format!("CB-{number:08}").parse()
}

fn tenant(number: usize) -> Result<TenantId, InvalidName> {
    format!("tenant-{number}").parse()
}

fn of_tenant(chance: &mut Chance) -> BoardFilter {
    let tenants = tenant(chance.below(TENANTS)).ok().map(|tenant| vec![tenant]);
    BoardFilter { tenants, ..BoardFilter::default() }
}

fn label(key: &str, value: String) -> LabelFilter {
    LabelFilter { key: key.to_owned(), values: vec![value] }
}

fn all_facets() -> Facets {
    let values_of = vec![String::from("site"), String::from("model")];
    Facets { states: true, tenants: true, keys: true, values_of, firmware: true }
}

fn is_one_tenant(boards: &[Board]) -> bool {
    boards.iter().zip(boards.iter().skip(1)).all(|(one, next)| one.tenant == next.tenant)
}
