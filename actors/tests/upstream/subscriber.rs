//! A subscriber at the broker, with rumqttc's own client, that remembers everything it was sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, Filter, Packet, Publish};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};

use super::adapter::eventually;
use super::mosquitto::Mosquitto;

pub(crate) struct Subscriber {
    received: Arc<Mutex<Vec<Publish>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Subscriber {
    /// Subscribes to everything in a session that the broker keeps; connects again when it must.
    pub(crate) async fn start(broker: &Mosquitto) -> Self {
        let authority = std::fs::read(broker.authority.file()).unwrap();
        let tls = TlsConfiguration::SimpleNative { ca: authority, client_auth: None };
        let mut options = MqttOptions::new("subscriber", "localhost", broker.port);
        options.set_transport(Transport::tls_with_config(tls));
        options.set_clean_start(false);
        let mut properties = ConnectProperties::new();
        properties.session_expiry_interval = Some(3600);
        options.set_connect_properties(properties);
        options.set_credentials("hub", "open sesame");
        let (client, mut events) = AsyncClient::new(options, 10);
        client.try_subscribe_many([Filter::new("#", QoS::AtLeastOnce)]).unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let subscribed = Arc::new(Mutex::new(false));
        let (to, done) = (Arc::clone(&received), Arc::clone(&subscribed));
        let task = tokio::task::spawn_local(async move {
            let _client = client;
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        to.lock().unwrap().push(publish)
                    }
                    Ok(Event::Incoming(Packet::SubAck(_))) => *done.lock().unwrap() = true,
                    Ok(_) => {}
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        });
        eventually("subscribed", || *subscribed.lock().unwrap()).await;
        Self { received, task }
    }

    pub(crate) fn received(&self) -> Vec<Publish> {
        self.received.lock().unwrap().clone()
    }

    /// The first publish.
    pub(crate) async fn one(&self) -> Publish {
        eventually("received", || !self.received.lock().unwrap().is_empty()).await;
        self.received()[0].clone()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}
