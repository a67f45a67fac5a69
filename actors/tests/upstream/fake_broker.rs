//! A broker that does exactly what a test tells it, one packet at a time. Plain TCP.

use bytes::BytesMut;
use rumqttc::{ConnAck, ConnectReturnCode, Packet, PubAck, Publish};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::adapter::within;

pub(crate) struct FakeBroker {
    listener: TcpListener,
}

impl FakeBroker {
    pub(crate) async fn bind() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// Accepts TCP, and nothing more.
    pub(crate) async fn accept(&self) -> Client {
        let (socket, _) = within(self.listener.accept()).await.unwrap();
        Client { socket, received: BytesMut::new() }
    }

    /// Accepts a client and welcomes it in MQTT 3.1.1.
    pub(crate) async fn welcome(&self) -> Client {
        let mut client = self.accept().await;
        assert!(matches!(client.packet().await, Packet::Connect(_)));
        let mut out = BytesMut::new();
        ConnAck::new(ConnectReturnCode::Success, false).write(&mut out).unwrap();
        client.send(&out).await;
        client
    }

    /// Accepts a client, whatever it says first, and answers it with these bytes.
    pub(crate) async fn answer_first(&self, bytes: &[u8]) -> Client {
        let mut client = self.accept().await;
        within(client.socket.read_buf(&mut client.received)).await.unwrap();
        client.received.clear();
        client.send(bytes).await;
        client
    }
}

pub(crate) struct Client {
    pub(crate) socket: TcpStream,
    pub(crate) received: BytesMut,
}

impl Client {
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn packet(&mut self) -> Packet {
        loop {
            match Packet::read(&mut self.received, 1 << 20) {
                Ok(packet) => return packet,
                Err(rumqttc::Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("{error}"),
            }
            assert_ne!(
                within(self.socket.read_buf(&mut self.received)).await.unwrap(),
                0,
                "closed"
            );
        }
    }

    pub(crate) async fn publish(&mut self) -> Publish {
        match self.packet().await {
            Packet::Publish(publish) => publish,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn acknowledge(&mut self, id: u16) {
        let mut out = BytesMut::new();
        PubAck::new(id).write(&mut out).unwrap();
        self.send(&out).await;
    }

    /// Reads until the other side has closed.
    pub(crate) async fn closed(mut self) -> BytesMut {
        let rest = within(self.socket.read_to_end(&mut Vec::new())).await;
        assert!(rest.is_ok());
        self.received
    }
}
