//! A door between the hub and its broker that a test opens, shuts, or lets only one way through:
//! what the broker says can be withheld while what the hub says still arrives.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use super::own_address;

/// What the door does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    Open,
    /// The broker's words wait here.
    Withholding,
    /// Nobody comes in.
    Shut,
}

/// The door; the hub connects to `address`.
pub struct Gate {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    door: Door,
    open: Vec<TcpStream>,
    /// Bytes that arrived from the broker and wait.
    withheld: usize,
}

impl Gate {
    pub fn before(broker: SocketAddr) -> Self {
        let listener = TcpListener::bind((own_address(), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { door: Door::Open, open: vec![], withheld: 0 };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let inside = Arc::clone(&shared);
        std::thread::spawn(move || {
            for hub in listener.incoming().map_while(Result::ok) {
                let mut state = inside.state.lock().unwrap();
                if state.door == Door::Shut {
                    continue; // dropped: the hub sees a reset or an end
                }
                let Ok(broker) = TcpStream::connect(broker) else { continue };
                state.open.extend([hub.try_clone().unwrap(), broker.try_clone().unwrap()]);
                drop(state);
                Shared::carry(
                    &inside,
                    hub.try_clone().unwrap(),
                    broker.try_clone().unwrap(),
                    false,
                );
                Shared::carry(&inside, broker, hub, true);
            }
        });
        Self { address, shared }
    }

    pub fn open(&self) {
        self.set(Door::Open);
    }

    /// Lets the hub's words through and keeps the broker's.
    pub fn withhold(&self) {
        self.set(Door::Withholding);
    }

    /// Cuts every connection, withheld words included, and lets nobody in.
    pub fn shut(&self) {
        self.set(Door::Shut);
        for stream in self.shared.state.lock().unwrap().open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Bytes of the broker's that wait behind the door.
    pub fn withheld(&self) -> usize {
        self.shared.state.lock().unwrap().withheld
    }

    fn set(&self, door: Door) {
        self.shared.state.lock().unwrap().door = door;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn carry(shared: &Arc<Self>, mut from: TcpStream, mut to: TcpStream, from_broker: bool) {
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            let mut buffer = [0; 16384];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                if from_broker && !shared.may_pass(length) {
                    break;
                }
                if to.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
        });
    }

    /// Waits while the broker's words are withheld; whether they may pass in the end.
    fn may_pass(&self, length: usize) -> bool {
        let mut state = self.state.lock().unwrap();
        state.withheld += length;
        state = self.changed.wait_while(state, |state| state.door == Door::Withholding).unwrap();
        state.withheld -= length;
        state.door == Door::Open
    }
}
