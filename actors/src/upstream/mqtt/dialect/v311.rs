//! MQTT 3.1.1 (OASIS standard, 29 October 2014) in rumqttc's packets.
//! Invariant: no clock, socket or actor is reachable from here.

use bytes::BytesMut;
use rumqttc::{Connect, ConnectReturnCode, Error, Packet, Publish, QoS};

use super::{Introduction, Malformed, PACKET_MAX, Received, Terms, TooLarge, Verdict, seconds};
use crate::upstream::Uplink;

pub(super) fn connect(from: &Introduction, out: &mut BytesMut) -> Result<(), TooLarge> {
    let mut connect = Connect::new(from.client_id.as_str());
    connect.keep_alive = seconds(from.keep_alive);
    if let Some(login) = &from.login {
        connect.set_login(login.username.as_str(), login.password.as_str());
    }
    write(&Packet::Connect(connect), PACKET_MAX, out)
}

pub(super) fn publish(
    id: u16,
    uplink: Uplink,
    packet_max: usize,
    out: &mut BytesMut,
) -> Result<(), TooLarge> {
    let mut publish = Publish::from_bytes(uplink.topic, QoS::AtLeastOnce, uplink.payload);
    publish.pkid = id;
    write(&Packet::Publish(publish), packet_max, out)
}

fn write(packet: &Packet, packet_max: usize, out: &mut BytesMut) -> Result<(), TooLarge> {
    packet.write(out, packet_max).map(|_| ()).map_err(|_| TooLarge)
}

pub(super) fn read(from: &mut BytesMut) -> Result<Option<Received>, Malformed> {
    Ok(Some(match Packet::read(from, PACKET_MAX) {
        Ok(Packet::PubAck(ack)) => {
            Received::Acknowledged { id: ack.pkid, verdict: Verdict::Accepted }
        }
        Ok(Packet::PingResp) => Received::Pong,
        Ok(Packet::ConnAck(ack)) => welcome(ack.code),
        Ok(_) => Received::Uncalled,
        Err(Error::InsufficientBytes(_)) => return Ok(None),
        Err(error) => return Err(Malformed(error.to_string())),
    }))
}

fn welcome(code: ConnectReturnCode) -> Received {
    let unauthorised = match code {
        ConnectReturnCode::Success => {
            return Received::Welcome(Terms {
                in_flight_max: u16::MAX,
                packet_max: PACKET_MAX,
                acknowledges: true,
                keep_alive: None,
            });
        }
        ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized => true,
        ConnectReturnCode::RefusedProtocolVersion
        | ConnectReturnCode::BadClientId
        | ConnectReturnCode::ServiceUnavailable => false,
    };
    Received::Rejected { unauthorised, code: format!("{code:?}") }
}
