//! A cellular modem as far as AT commands go (3GPP TS 27.007): registration, power saving, signal; and what
//! becomes of modems in the field: no coverage, weak signals, silence.
//!
//! What it does not know it answers with `ERROR`. No reading passes through it.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::{Failure, Told};

/// The cell of the bench, and what of power saving its network grants.
const CELL: &str = "0012AB34";
const GRANTED_ACTIVE: &str = "00001000";
const GRANTED_UPDATE: &str = "00100110";
const NB_IOT: u8 = 9;

pub(crate) struct Modem {
    state: Arc<Mutex<State>>,
    port: u16,
}

struct State {
    line: Option<TcpStream>,
    commands: Vec<String>,
    is_on: bool,
    is_covered: bool,
    is_silent: bool,
    rsrp_dbm: i16,
}

impl Modem {
    /// One that is off, in a place with good coverage.
    pub(crate) fn new() -> Told<Self> {
        let failed = || Failure::bench("the modem's port");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed())?;
        let port = listener.local_addr().map_err(failed())?.port();
        let state = State {
            line: None,
            commands: Vec::new(),
            is_on: false,
            is_covered: true,
            is_silent: false,
            rsrp_dbm: -90,
        };
        let state = Arc::new(Mutex::new(state));
        let modem = Arc::downgrade(&state);
        thread::spawn(move || {
            // A board that is switched on again comes again, to a modem that was off meanwhile.
            for line in listener.incoming().map_while(Result::ok) {
                let Some(state) = modem.upgrade() else { return };
                let Ok(reader) = line.try_clone() else { return };
                {
                    let mut state = lock(&state);
                    state.is_on = false;
                    state.line = Some(line);
                }
                drop(state);
                let commands = BufReader::new(reader).split(b'\r').map_while(Result::ok);
                for command in commands {
                    let Some(state) = modem.upgrade() else { return };
                    lock(&state).take(&String::from_utf8_lossy(&command));
                }
            }
        });
        Ok(Self { state, port })
    }

    /// Where the board's UART leads to.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Whether there is a network where it is.
    pub(crate) fn set_coverage(&self, is_covered: bool) {
        let mut state = lock(&self.state);
        state.is_covered = is_covered;
        state.tell_registration();
    }

    /// How well it hears its cell, RSRP in dBm.
    pub(crate) fn set_signal(&self, rsrp_dbm: i16) {
        let mut state = lock(&self.state);
        state.rsrp_dbm = rsrp_dbm;
        state.tell_signal();
    }

    /// Whether it answers nothing, as one whose firmware hangs.
    pub(crate) fn set_silent(&self, is_silent: bool) {
        lock(&self.state).is_silent = is_silent;
    }

    /// What it was told, in that order.
    pub(crate) fn commands(&self) -> Vec<String> {
        lock(&self.state).commands.clone()
    }
}

impl State {
    fn take(&mut self, command: &str) {
        let command = command.trim();
        self.commands.push(command.to_owned());
        if self.is_silent {
            return;
        }
        let is_known = match command.split_once('=') {
            Some(("AT+CFUN", "1" | "4")) => true,
            Some(("AT+CEREG", "5")) | Some(("AT%CESQ", "1")) | Some(("AT%RAI", "1")) => true,
            Some(("AT+CGDCONT", context)) => context.starts_with("0,\"IPV4V6\""),
            Some(("AT+CPSMS", asked)) => is_power_saving(asked),
            Some(("AT+CEDRXS", asked)) => is_paging(asked),
            _ => false,
        };
        self.say(if is_known { "OK" } else { "ERROR" });
        match command {
            "AT+CFUN=1" => {
                self.is_on = true;
                self.say("+CEREG: 2");
                self.tell_registration();
                self.tell_signal();
            }
            "AT+CFUN=4" => self.is_on = false,
            _ => {}
        }
    }

    fn tell_registration(&mut self) {
        if self.is_on && self.is_covered {
            self.say(&format!(
                "+CEREG: 1,\"002F\",\"{CELL}\",{NB_IOT},,,\"{GRANTED_ACTIVE}\",\"{GRANTED_UPDATE}\""
            ));
        } else if self.is_on {
            self.say("+CEREG: 2");
        }
    }

    fn tell_signal(&mut self) {
        if self.is_on {
            let index = self.rsrp_dbm + 141;
            self.say(&format!("%CESQ: {index},2,20,3"));
        }
    }

    fn say(&mut self, line: &str) {
        if let Some(to) = &mut self.line {
            // A board that is off hears nothing.
            let _ = write!(to, "\r\n{line}\r\n");
        }
    }
}

/// `1,,,"T3412","T3324"`, both eight bits (TS 27.007, 7.38).
fn is_power_saving(asked: &str) -> bool {
    let Some(timers) = asked.strip_prefix("1,,,") else { return asked == "0" };
    timers.split_once(',').is_some_and(|(update, active)| is_bits(update, 8) && is_bits(active, 8))
}

/// `2,ACCESS,"CYCLE"`: four bits, for LTE-M (4) or NB-IoT (5) (TS 27.007, 7.40).
fn is_paging(asked: &str) -> bool {
    match asked.split(',').collect::<Vec<_>>().as_slice() {
        ["2", "4" | "5", cycle] => is_bits(cycle, 4),
        ["0", "4" | "5"] => true,
        _ => false,
    }
}

fn is_bits(quoted: &str, length: usize) -> bool {
    let bits = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
    bits.len() == length && bits.bytes().all(|bit| matches!(bit, b'0' | b'1'))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
