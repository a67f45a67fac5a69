//! A customer's system: subscribes at the broker, over TLS, to what all boards measure.

use std::fs;
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use rumqttc::{TlsConfiguration, Transport};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::delivery::Arrival;
use super::site::VIEWER;
use super::{DemoError, Site};

const SUBSCRIBED_WITHIN: Duration = Duration::from_secs(10);

/// Arrivals that wait for the screen.
const WAITING: usize = 1024;

/// What arrives, from the moment the broker has confirmed the subscription.
pub(super) async fn start(site: &Site) -> Result<mpsc::Receiver<Arrival>, DemoError> {
    let ca = fs::read(&site.broker_ca).map_err(DemoError::system("read the broker's CA"))?;
    let (address, port) = (site.broker.ip().to_string(), site.broker.port());
    let mut options = MqttOptions::new("viewer", address, port);
    options
        .set_credentials(VIEWER, site.password(VIEWER))
        .set_keep_alive(Duration::from_secs(30))
        .set_transport(Transport::tls_with_config(TlsConfiguration::SimpleNative {
            ca,
            client_auth: None,
        }));
    let (client, mut events) = AsyncClient::new(options, 16);
    let mut problem = String::from("it did not answer");
    let subscribed = timeout(SUBSCRIBED_WITHIN, subscribe(&client, &mut events, &mut problem));
    if subscribed.await.is_err() {
        return Err(DemoError::Broker { problem });
    }
    let (to, arrivals) = mpsc::channel(WAITING);
    tokio::spawn(take(client, events, to));
    Ok(arrivals)
}

/// Until the broker has confirmed it; the broker may still be starting.
async fn subscribe(client: &AsyncClient, events: &mut EventLoop, problem: &mut String) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => ask(client),
            Ok(Event::Incoming(Packet::SubAck(_))) => return,
            Ok(_) => {}
            Err(error) => {
                *problem = error.to_string();
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn take(client: AsyncClient, mut events: EventLoop, to: mpsc::Sender<Arrival>) {
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => ask(&client),
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let arrival = Arrival::read(&publish.topic, &publish.payload);
                if let Some(arrival) = arrival
                    && to.send(arrival).await.is_err()
                {
                    return;
                }
            }
            Ok(_) => {}
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}

fn ask(client: &AsyncClient) {
    // The queue has room for it: nothing else is asked.
    let _ = client.try_subscribe("+/+/telemetry", QoS::AtLeastOnce);
}
