//! A network of one path between a client and the hub: loses, repeats, reorders and records
//! datagrams as a test says, and moves the client to another address.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Which way a datagram travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToHub,
    ToClient,
}

/// What becomes of one datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Pass,
    Drop,
    Twice,
    /// Sent after the next datagram of its way, or after a moment when none comes.
    Late,
}

/// Decides by way and number (from 0, counted each way by itself).
pub type Weather = Box<dyn FnMut(Way, usize) -> Fate + Send>;

/// The path. It ends when dropped.
pub struct Proxy {
    /// Where the client sends to.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    front: UdpSocket,
    hub: SocketAddr,
    state: Mutex<State>,
    ended: AtomicBool,
}

struct State {
    back: Arc<UdpSocket>,
    client: Option<SocketAddr>,
    weather: Weather,
    passed: Vec<(Way, Vec<u8>)>,
    numbers: [usize; 2],
    late: [Option<Vec<u8>>; 2],
}

impl Proxy {
    pub fn new(hub: SocketAddr, weather: impl FnMut(Way, usize) -> Fate + Send + 'static) -> Self {
        let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        front.set_read_timeout(Some(MOMENT)).unwrap();
        let address = front.local_addr().unwrap();
        let state = State {
            back: back(hub),
            client: None,
            weather: Box::new(weather),
            passed: vec![],
            numbers: [0; 2],
            late: [None, None],
        };
        let shared = Arc::new(Shared {
            front,
            hub,
            state: Mutex::new(state),
            ended: AtomicBool::new(false),
        });
        let first = Arc::clone(&shared.state.lock().unwrap().back);
        Shared::listen(&shared, first);
        let to_hub = Arc::clone(&shared);
        std::thread::spawn(move || to_hub.carry_to_hub());
        Self { address, shared }
    }

    /// A path without weather.
    pub fn clear(hub: SocketAddr) -> Self {
        Self::new(hub, |_, _| Fate::Pass)
    }

    /// From now on the client's datagrams come from another address.
    pub fn move_client(&self) {
        let fresh = back(self.shared.hub);
        Shared::listen(&self.shared, Arc::clone(&fresh));
        self.shared.state.lock().unwrap().back = fresh;
    }

    /// Sends bytes to the hub from an address that nothing came from before.
    pub fn inject_from_elsewhere(&self, datagram: &[u8]) {
        back(self.shared.hub).send(datagram).unwrap();
    }

    /// Every datagram that set out this way, lost ones too, in order.
    pub fn seen(&self, way: Way) -> Vec<Vec<u8>> {
        let state = self.shared.state.lock().unwrap();
        state.passed.iter().filter(|(w, _)| *w == way).map(|(_, bytes)| bytes.clone()).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
    }
}

/// How long a late datagram waits for one to overtake it.
const MOMENT: Duration = Duration::from_millis(40);

fn back(hub: SocketAddr) -> Arc<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect(hub).unwrap();
    socket.set_read_timeout(Some(MOMENT)).unwrap();
    Arc::new(socket)
}

impl Shared {
    fn listen(shared: &Arc<Self>, socket: Arc<UdpSocket>) {
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while !shared.ended.load(Ordering::Relaxed) {
                let datagram =
                    socket.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec());
                shared.state.lock().unwrap().forward(&shared.front, Way::ToClient, datagram);
            }
        });
    }

    fn carry_to_hub(&self) {
        let mut buffer = [0; 65536];
        while !self.ended.load(Ordering::Relaxed) {
            let arrived = self.front.recv_from(&mut buffer).ok();
            let mut state = self.state.lock().unwrap();
            let datagram = arrived.map(|(length, client)| {
                state.client = Some(client);
                buffer[..length].to_vec()
            });
            state.forward(&self.front, Way::ToHub, datagram);
        }
    }
}

impl State {
    /// Carries one datagram, or after a moment of silence the one that was held back.
    fn forward(&mut self, front: &UdpSocket, way: Way, datagram: Option<Vec<u8>>) {
        let lane = usize::from(way == Way::ToClient);
        let Some(datagram) = datagram else {
            if let Some(late) = self.late[lane].take() {
                self.send(front, way, &late);
            }
            return;
        };
        let number = self.numbers[lane];
        self.numbers[lane] += 1;
        self.passed.push((way, datagram.clone()));
        match (self.weather)(way, number) {
            Fate::Drop => return,
            Fate::Late if self.late[lane].is_none() => {
                self.late[lane] = Some(datagram);
                return;
            }
            Fate::Twice => self.send(front, way, &datagram),
            Fate::Pass | Fate::Late => {}
        }
        self.send(front, way, &datagram);
        if let Some(late) = self.late[lane].take() {
            self.send(front, way, &late);
        }
    }

    fn send(&self, front: &UdpSocket, way: Way, datagram: &[u8]) {
        let _ = match (way, self.client) {
            (Way::ToHub, _) => self.back.send(datagram),
            (Way::ToClient, Some(client)) => front.send_to(datagram, client),
            (Way::ToClient, None) => Ok(0),
        };
    }
}

/// Loses, repeats and reorders by a seed: `loss` of 100 are lost, `other` each late and twice.
pub fn storm(seed: u64, loss: u64, other: u64) -> impl FnMut(Way, usize) -> Fate + Send {
    let mut state = seed | 1;
    move |_, _| {
        state ^= state << 13; // xorshift64
        state ^= state >> 7;
        state ^= state << 17;
        match state % 100 {
            roll if roll < loss => Fate::Drop,
            roll if roll < loss + other => Fate::Late,
            roll if roll < loss + 2 * other => Fate::Twice,
            _ => Fate::Pass,
        }
    }
}

/// Loses the `number`-th datagram of one way and nothing else.
pub fn lose(way: Way, number: usize) -> impl FnMut(Way, usize) -> Fate + Send {
    move |w, n| if (w, n) == (way, number) { Fate::Drop } else { Fate::Pass }
}
