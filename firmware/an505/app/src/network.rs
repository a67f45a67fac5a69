//! Datagrams to and from the hub: UDP by smoltcp over the board's Ethernet.
//!
//! Never looks into them. What comes from elsewhere than the hub is dropped.

use alloc::vec;
use alloc::vec::Vec;

use an505::{FRAME_MAX, Lan9118};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::udp;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr, IpEndpoint, Ipv4Address};

/// As the emulator's network has it.
const OWN: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
const ROUTER: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);
const DATAGRAM_MAX: usize = 1472;
const DATAGRAMS: usize = 8;

/// The way to the hub.
pub(crate) struct Network {
    controller: Controller,
    interface: Interface,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
    peer: IpEndpoint,
}

impl Network {
    /// `None` where there is no controller.
    pub(crate) fn new(peer: IpEndpoint, seed: u64) -> Option<Self> {
        const FIRST_PRIVATE_PORT: u64 = 49_152;
        let mut controller = Controller(Lan9118::new()?);
        let address = EthernetAddress(controller.0.address());
        let mut config = Config::new(address.into());
        config.random_seed = seed;
        let mut interface = Interface::new(config, &mut controller, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            // There is room for one.
            let _ = addresses.push(IpCidr::new(IpAddress::Ipv4(OWN), 24));
        });
        interface.routes_mut().add_default_ipv4_route(ROUTER).ok()?;
        let buffer = || {
            let slots = vec![udp::PacketMetadata::EMPTY; DATAGRAMS];
            udp::PacketBuffer::new(slots, vec![0; DATAGRAMS * DATAGRAM_MAX / 2])
        };
        let mut socket = udp::Socket::new(buffer(), buffer());
        let port = u16::try_from(FIRST_PRIVATE_PORT + seed % 16_384).ok()?;
        socket.bind(port).ok()?;
        let mut sockets = SocketSet::new(vec![]);
        let socket = sockets.add(socket);
        Some(Self { controller, interface, sockets, socket, peer })
    }

    /// Moves frames; true where there may be something to receive.
    pub(crate) fn poll(&mut self, now: u64) -> bool {
        let now = Instant::from_millis(i64::try_from(now).unwrap_or(i64::MAX));
        self.interface.poll(now, &mut self.controller, &mut self.sockets);
        self.sockets.get::<udp::Socket<'_>>(self.socket).can_recv()
    }

    /// The next datagram of the hub.
    pub(crate) fn receive(&mut self) -> Option<Vec<u8>> {
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(self.socket);
        while let Ok((datagram, from)) = socket.recv() {
            if from.endpoint == self.peer {
                return Some(datagram.to_vec());
            }
        }
        None
    }

    /// Sends one to the hub. One for which there is no room is lost, as on the air.
    pub(crate) fn send(&mut self, datagram: &[u8]) {
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(self.socket);
        let _ = socket.send_slice(datagram, self.peer);
    }
}

struct Controller(Lan9118);

impl Device for Controller {
    type RxToken<'a> = Received;
    type TxToken<'a> = Outgoing<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(Received, Outgoing<'_>)> {
        if !self.0.has_frame() || !self.0.has_room() {
            return None;
        }
        let mut frame = [0; FRAME_MAX];
        let length = self.0.receive(&mut frame);
        Some((Received { frame, length }, Outgoing(&mut self.0)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Outgoing<'_>> {
        self.0.has_room().then_some(Outgoing(&mut self.0))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_MAX;
        capabilities.max_burst_size = Some(1);
        capabilities
    }
}

struct Received {
    frame: [u8; FRAME_MAX],
    length: usize,
}

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(self.frame.get(..self.length).unwrap_or_default())
    }
}

struct Outgoing<'c>(&'c mut Lan9118);

impl TxToken for Outgoing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut frame = [0; FRAME_MAX];
        let frame = frame.get_mut(..length).unwrap_or_default();
        let filled = fill(frame);
        self.0.send(frame);
        filled
    }
}
