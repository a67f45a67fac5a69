//! Attaching to a network, and what becomes of it: commands in their order, a search that ends, rests that
//! grow, and no more than one command at a time.
//!
//! Invariant: a board that finds no network sleeps most of the time, and goes on trying for ever.

use alloc::format;
use alloc::string::{String, ToString};

use super::answer::{Answered, Outcome, Registration, registration, rsrp_dbm};
use super::sleep::{active_time, edrx_cycle, periodic_update};
use crate::Millis;
use crate::random::Random;

/// What a product wants of its network. Times of the network are seconds, ours milliseconds.
#[derive(Clone, Debug)]
pub struct AttachSettings {
    /// The access point's name; none takes the SIM's.
    pub access_point: Option<String>,
    /// Power saving (PSM): between two periodic updates (default a day), and how long the board listens before it
    /// sleeps (default 16). The network may grant others.
    pub power_saving: Option<(u32, u32)>,
    /// Paging cycle while it listens (eDRX, default none).
    pub paging_cycle_s: Option<u32>,
    /// How long it searches (default ten minutes).
    pub search_max: Millis,
    /// First rest after a search that found nothing (default a minute); doubled with each in a row.
    pub rest_min: Millis,
    /// Longest rest (default six hours); at once where the network refused or the SIM fails.
    pub rest_max: Millis,
}

impl Default for AttachSettings {
    fn default() -> Self {
        Self {
            access_point: None,
            power_saving: Some((86_400, 16)),
            paging_cycle_s: None,
            search_max: 600_000,
            rest_min: 60_000,
            rest_max: 21_600_000,
        }
    }
}

/// What a board has of its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The modem is off: at rest, or because its keys are worked on.
    Off,
    /// It is being set up, or searches.
    Searching,
    /// Attached; the cell, as the hub counts boards by it.
    Attached {
        /// Its number.
        cell: Option<u32>,
    },
}

/// What happens with the modem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The so-manieth command of its set-up is due.
    SettingUp(usize),
    Starting,
    Searching {
        until: Millis,
    },
    Attached {
        cell: Option<u32>,
    },
    Stopping {
        rest: Millis,
    },
    Resting {
        until: Millis,
    },
    /// Turned off for the sake of something else.
    Pausing,
    Paused,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Attach {
    settings: AttachSettings,
    random: Random,
    stage: Stage,
    is_waiting: bool,
    /// Searches in a row that found nothing.
    searches: u32,
    /// Commands in a row that failed and must not.
    failures: u32,
    rsrp_dbm: Option<i16>,
}

impl Attach {
    /// Commands that must not fail, tried so often before the modem counts as stuck.
    const FAILURES_MAX: u32 = 5;

    /// A modem that is off; set-up begins with the first command.
    pub fn new(settings: AttachSettings, seed: u64) -> Self {
        Self {
            settings,
            random: Random::new(seed),
            stage: Stage::SettingUp(0),
            is_waiting: false,
            searches: 0,
            failures: 0,
            rsrp_dbm: None,
        }
    }

    /// The command to send now; the next one comes after its answer.
    pub fn poll_command(&mut self) -> Option<String> {
        if self.is_waiting {
            return None;
        }
        let command = match self.stage {
            Stage::SettingUp(number) => match self.set_up(number) {
                Some(command) => command,
                None => {
                    self.stage = Stage::Starting;
                    "AT+CFUN=1".to_string()
                }
            },
            Stage::Starting => "AT+CFUN=1".to_string(),
            Stage::Stopping { .. } | Stage::Pausing => "AT+CFUN=4".to_string(),
            Stage::Searching { .. }
            | Stage::Attached { .. }
            | Stage::Resting { .. }
            | Stage::Paused => {
                return None;
            }
        };
        self.is_waiting = true;
        Some(command)
    }

    fn set_up(&self, number: usize) -> Option<String> {
        let AttachSettings { access_point, power_saving, paging_cycle_s, .. } = &self.settings;
        let power_saving = match power_saving {
            Some((update, active)) => {
                format!(
                    "AT+CPSMS=1,,,\"{}\",\"{}\"",
                    periodic_update(*update),
                    active_time(*active)
                )
            }
            None => "AT+CPSMS=0".to_string(),
        };
        let paging = |access: u8| match paging_cycle_s {
            Some(seconds) => format!("AT+CEDRXS=2,{access},\"{}\"", edrx_cycle(*seconds)),
            None => format!("AT+CEDRXS=0,{access}"),
        };
        let (lte_m, nb_iot) = (4, 5);
        Some(match number {
            0 => "AT+CEREG=5".to_string(),
            1 => match access_point {
                Some(name) => format!("AT+CGDCONT=0,\"IPV4V6\",\"{name}\""),
                None => "AT+CGDCONT=0,\"IPV4V6\"".to_string(),
            },
            2 => power_saving,
            3 => paging(lte_m),
            4 => paging(nb_iot),
            // The signal, whenever it changes noticeably.
            5 => "AT%CESQ=1".to_string(),
            // Release assistance in the access stratum, where modem and network have it.
            6 => "AT%RAI=1".to_string(),
            _ => return None,
        })
    }

    /// The answer to the last command; whoever had none calls it `ERROR`.
    pub fn handle_answer(&mut self, now: Millis, answer: &str) {
        let outcome = Answered::parse(answer).map_or(Outcome::Failed(None), |a| a.outcome);
        let is_done = outcome == Outcome::Done;
        self.is_waiting = false;
        match self.stage {
            // Only the first is needed: without it nobody would learn of the network.
            Stage::SettingUp(0) if !is_done => self.failed(now),
            Stage::SettingUp(number) => self.stage = Stage::SettingUp(number + 1),
            Stage::Starting if is_done => {
                self.failures = 0;
                let until = now.saturating_add(self.settings.search_max);
                self.stage = Stage::Searching { until };
            }
            Stage::Stopping { rest } if is_done => {
                self.stage = Stage::Resting { until: now.saturating_add(rest) };
            }
            Stage::Pausing if is_done => self.stage = Stage::Paused,
            Stage::Starting | Stage::Stopping { .. } | Stage::Pausing => self.failed(now),
            // It is of an earlier stage.
            Stage::Searching { .. }
            | Stage::Attached { .. }
            | Stage::Resting { .. }
            | Stage::Paused => {}
        }
    }

    /// Once more after a while; for good when it is too often.
    fn failed(&mut self, now: Millis) {
        self.failures = self.failures.saturating_add(1);
        if self.stage != Stage::Pausing {
            self.stage = Stage::Resting { until: now.saturating_add(self.settings.rest_min) };
        }
    }

    /// Whether the modem does not do what it is told: only a restart helps.
    pub fn is_stuck(&self) -> bool {
        self.failures >= Self::FAILURES_MAX
    }

    /// Something that the modem says unasked.
    pub fn handle_notification(&mut self, now: Millis, line: &str) {
        if line.starts_with("%CESQ") {
            self.rsrp_dbm = rsrp_dbm(line);
        }
        let is_on = matches!(self.stage, Stage::Searching { .. } | Stage::Attached { .. });
        let Some(registration) = registration(line).filter(|_| is_on) else { return };
        match registration {
            Registration::Attached { cell, .. } => {
                self.searches = 0;
                self.stage = Stage::Attached { cell };
            }
            Registration::Denied | Registration::NoSim => {
                self.stage = Stage::Stopping { rest: self.rest(self.settings.rest_max) };
            }
            Registration::None | Registration::Searching | Registration::Unknown => {
                if matches!(self.stage, Stage::Attached { .. }) {
                    let until = now.saturating_add(self.settings.search_max);
                    self.stage = Stage::Searching { until };
                }
            }
        }
    }

    /// Ends a search or a rest that is over.
    pub fn handle_timeout(&mut self, now: Millis) {
        match self.stage {
            Stage::Searching { until } if now >= until => {
                let factor = 1_u64.checked_shl(self.searches).unwrap_or(u64::MAX);
                let rest = self.settings.rest_min.saturating_mul(factor);
                self.searches = self.searches.saturating_add(1);
                self.stage = Stage::Stopping { rest: self.rest(rest.min(self.settings.rest_max)) };
            }
            Stage::Resting { until } if now >= until => self.stage = Stage::SettingUp(0),
            Stage::SettingUp(_)
            | Stage::Starting
            | Stage::Searching { .. }
            | Stage::Attached { .. }
            | Stage::Stopping { .. }
            | Stage::Resting { .. }
            | Stage::Pausing
            | Stage::Paused => {}
        }
    }

    /// Half of a rest is random, so that a fleet does not come back as one.
    fn rest(&mut self, rest: Millis) -> Millis {
        (rest / 2).saturating_add(self.random.up_to(rest / 2))
    }

    /// When [`Attach::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Millis> {
        match self.stage {
            Stage::Searching { until } | Stage::Resting { until } => Some(until),
            Stage::SettingUp(_)
            | Stage::Starting
            | Stage::Attached { .. }
            | Stage::Stopping { .. }
            | Stage::Pausing
            | Stage::Paused => None,
        }
    }

    /// Turns the modem's radio off, for what it does only then; [`Attach::is_paused`] says when it is.
    pub fn pause(&mut self) {
        if self.stage != Stage::Paused {
            self.stage = Stage::Pausing;
        }
    }

    /// Whether it is off, and stays so.
    pub fn is_paused(&self) -> bool {
        self.stage == Stage::Paused
    }

    /// Turns it on again.
    pub fn resume(&mut self) {
        if matches!(self.stage, Stage::Pausing | Stage::Paused) {
            self.stage = Stage::SettingUp(0);
        }
    }

    /// What there is of the network.
    pub fn coverage(&self) -> Coverage {
        match self.stage {
            Stage::SettingUp(_) | Stage::Starting | Stage::Searching { .. } => Coverage::Searching,
            Stage::Attached { cell } => Coverage::Attached { cell },
            Stage::Stopping { .. } | Stage::Resting { .. } | Stage::Pausing | Stage::Paused => {
                Coverage::Off
            }
        }
    }

    /// The signal, as it was told last.
    pub fn rsrp_dbm(&self) -> Option<i16> {
        self.rsrp_dbm
    }
}
