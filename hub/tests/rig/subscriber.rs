//! A customer's system: subscribes at the broker and keeps everything that arrives.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish};
use rumqttc::v5::{Client, Event, MqttOptions};

use super::{PATIENCE, eventually};

/// One publication as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    pub topic: String,
    pub payload: Vec<u8>,
    pub content_type: Option<String>,
    pub properties: Vec<(String, String)>,
}

impl From<Publish> for Publication {
    fn from(publish: Publish) -> Self {
        let properties = publish.properties.unwrap_or_default();
        Self {
            topic: String::from_utf8_lossy(&publish.topic).into_owned(),
            payload: publish.payload.to_vec(),
            content_type: properties.content_type,
            properties: properties.user_properties,
        }
    }
}

impl Publication {
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

/// Subscribed to everything until dropped. What arrived is kept over reconnections.
pub struct Subscriber {
    arrived: Arc<Mutex<Vec<Publication>>>,
    client: Client,
}

impl Subscriber {
    /// Returns once the broker has confirmed the subscription.
    pub fn start(broker: SocketAddr) -> Self {
        Self::keeping(broker, Arc::default())
    }

    /// Subscribes again at a broker that forgot everything.
    pub fn again(self, broker: SocketAddr) -> Self {
        Self::keeping(broker, Arc::clone(&self.arrived))
    }

    fn keeping(broker: SocketAddr, arrived: Arc<Mutex<Vec<Publication>>>) -> Self {
        let mut options = MqttOptions::new("subscriber", broker.ip().to_string(), broker.port());
        options.set_keep_alive(Duration::from_secs(30));
        let (client, mut connection) = Client::new(options, 100);
        // QoS 0: the broker writes each message to the socket before it acknowledges the hub.
        client.subscribe("#", QoS::AtMostOnce).unwrap();
        let subscribed = Arc::new(Mutex::new(false));
        let (kept, confirmed) = (Arc::clone(&arrived), Arc::clone(&subscribed));
        std::thread::spawn(move || {
            let keep = |event| match event {
                Event::Incoming(Packet::SubAck(_)) => *confirmed.lock().unwrap() = true,
                Event::Incoming(Packet::Publish(publish)) => {
                    kept.lock().unwrap().push(Publication::from(publish));
                }
                _ => {}
            };
            for event in connection.iter().map_while(Result::ok) {
                keep(event);
            }
            // What was read in one go with the connection's end is still waiting here.
            for event in connection.eventloop.state.events.drain(..) {
                keep(event);
            }
        });
        eventually("the subscription is confirmed", PATIENCE, || {
            subscribed.lock().unwrap().then_some(())
        });
        Self { arrived, client }
    }

    pub fn arrived(&self) -> Vec<Publication> {
        self.arrived.lock().unwrap().clone()
    }

    /// Waits for a publication with this payload.
    pub fn wait_for(&self, payload: &[u8]) -> Publication {
        let what = format!("{:?} at the subscriber", String::from_utf8_lossy(payload));
        eventually(&what, PATIENCE, || {
            self.arrived.lock().unwrap().iter().find(|p| p.payload == payload).cloned()
        })
    }

    /// Asserts that no message id arrived twice.
    pub fn assert_none_twice(&self) {
        let mut seen = std::collections::BTreeMap::new();
        for publication in self.arrived() {
            let id = publication.property("message-id").expect("a message id").to_owned();
            let before = seen.insert(id.clone(), publication.clone());
            assert!(before.is_none(), "message id {id} twice: {before:?} and {publication:?}");
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.client.try_disconnect();
    }
}
