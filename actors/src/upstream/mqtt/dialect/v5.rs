//! MQTT 5.0 (OASIS standard, 7 March 2019) in rumqttc's packets.
//! Invariant: no clock, socket or actor is reachable from here.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, Connect, ConnectProperties, ConnectReturnCode, Login, Packet, PubAckReason, Publish,
    PublishProperties,
};
use rumqttc::v5::mqttbytes::{Error, QoS};

use super::{Introduction, Malformed, PACKET_MAX, Received, Terms, TooLarge, Verdict, seconds};
use crate::upstream::Uplink;

/// [`PACKET_MAX`] as the protocol's own width.
const PACKET_MAX_U32: u32 = 256 * 1024;

pub(super) fn connect(from: &Introduction, out: &mut BytesMut) -> Result<(), TooLarge> {
    let mut properties = ConnectProperties::new();
    properties.max_packet_size = Some(PACKET_MAX_U32);
    let connect = Connect {
        keep_alive: seconds(from.keep_alive),
        client_id: from.client_id.clone(),
        clean_start: true,
        properties: Some(properties),
    };
    let login = from
        .login
        .as_ref()
        .map(|login| Login::new(login.username.as_str(), login.password.as_str()));
    write(&Packet::Connect(connect, None, login), PACKET_MAX, out)
}

pub(super) fn publish(
    id: u16,
    uplink: Uplink,
    packet_max: usize,
    out: &mut BytesMut,
) -> Result<(), TooLarge> {
    let properties = PublishProperties {
        user_properties: vec![
            ("board".to_owned(), uplink.board.to_string()),
            ("tenant".to_owned(), uplink.tenant.to_string()),
            ("message-id".to_owned(), uplink.message_id.to_string()),
        ],
        content_type: uplink.content_type().map(str::to_owned),
        ..PublishProperties::default()
    };
    let publish = Publish {
        dup: false,
        qos: QoS::AtLeastOnce,
        retain: false,
        topic: Bytes::from(uplink.topic),
        pkid: id,
        payload: uplink.payload,
        properties: Some(properties),
    };
    write(&Packet::Publish(publish), packet_max, out)
}

fn write(packet: &Packet, packet_max: usize, out: &mut BytesMut) -> Result<(), TooLarge> {
    let packet_max = u32::try_from(packet_max).unwrap_or(PACKET_MAX_U32);
    packet.write(out, Some(packet_max)).map(|_| ()).map_err(|_| TooLarge)
}

pub(super) fn read(from: &mut BytesMut) -> Result<Option<Received>, Malformed> {
    // A DISCONNECT without a reason, which rumqttc takes for malformed (section 3.14.2.1).
    if from.starts_with(&[0xe0, 0x00]) {
        return Ok(Some(Received::Goodbye("NormalDisconnection".to_owned())));
    }
    Ok(Some(match Packet::read(from, Some(PACKET_MAX_U32)) {
        Ok(Packet::PubAck(ack)) => {
            Received::Acknowledged { id: ack.pkid, verdict: verdict(ack.reason) }
        }
        Ok(Packet::PingResp(_)) => Received::Pong,
        Ok(Packet::ConnAck(ack)) => welcome(&ack),
        Ok(Packet::Disconnect(goodbye)) => Received::Goodbye(format!("{:?}", goodbye.reason_code)),
        Ok(_) => Received::Uncalled,
        Err(Error::InsufficientBytes(_)) => return Ok(None),
        Err(error) => return Err(Malformed(error.to_string())),
    }))
}

/// Section 3.4.2.1: everything from 0x80 is a failure; 0x10, nobody subscribes, is not.
fn verdict(reason: PubAckReason) -> Verdict {
    match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Verdict::Accepted,
        PubAckReason::QuotaExceeded => Verdict::QuotaExceeded,
        PubAckReason::NotAuthorized => {
            Verdict::Refused("the broker does not authorise the publish (0x87)")
        }
        PubAckReason::TopicNameInvalid => Verdict::Refused("the broker refuses the topic (0x90)"),
        PubAckReason::PayloadFormatInvalid => {
            Verdict::Refused("the broker refuses the payload's format (0x99)")
        }
        PubAckReason::PacketIdentifierInUse => {
            Verdict::Refused("the broker takes the packet identifier for used (0x91)")
        }
        PubAckReason::ImplementationSpecificError => {
            Verdict::Refused("the broker refuses for a reason of its own (0x83)")
        }
        PubAckReason::UnspecifiedError => {
            Verdict::Refused("the broker refuses without saying why (0x80)")
        }
    }
}

fn welcome(ack: &ConnAck) -> Received {
    if ack.code != ConnectReturnCode::Success {
        let unauthorised = matches!(
            ack.code,
            ConnectReturnCode::BadUserNamePassword
                | ConnectReturnCode::NotAuthorized
                | ConnectReturnCode::BadAuthenticationMethod
                | ConnectReturnCode::Banned
        );
        return Received::Rejected { unauthorised, code: format!("{:?}", ack.code) };
    }
    let said = ack.properties.as_ref();
    Received::Welcome(Terms {
        in_flight_max: said.and_then(|said| said.receive_max).unwrap_or(u16::MAX),
        packet_max: said
            .and_then(|said| usize::try_from(said.max_packet_size?).ok())
            .map_or(PACKET_MAX, |max| max.min(PACKET_MAX)),
        acknowledges: said.and_then(|said| said.max_qos) != Some(0),
        keep_alive: said
            .and_then(|said| said.server_keep_alive)
            .filter(|seconds| *seconds > 0)
            .map(|seconds| Duration::from_secs(seconds.into())),
    })
}
