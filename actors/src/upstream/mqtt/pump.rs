//! A connection at work: takes parcels from the queue, publishes them in batches, answers each on
//! its own acknowledgement.
//!
//! One write for as many publishes as are waiting: on TLS that is one record and one system call.
//! Invariant: a parcel leaves here answered by the broker's word, or unanswered for the adapter to
//! answer [`Outcome::Down`]; none is published twice.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use storage::Acknowledge;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::connection::{Connection, Failure, Stream};
use super::dialect::{Dialect, Received, Verdict};
use super::parcel::{Awaiting, Parcel};
use super::window::Window;
use crate::barred::Barred;
use crate::metrics::{ConnectionEnd, UpstreamMetrics};
use crate::upstream::Outcome;

/// A broker that answers pings and acknowledges no publish for this long is as good as gone.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(120);
/// Parcels that become one write.
const BATCH_MAX: usize = 256;
/// With so many bytes unsent no more parcels are taken: they wait where they can be given back.
const UNSENT_MAX: usize = 64 * 1024;
/// Room for each read; a TLS record's worth.
const READ_ROOM: usize = 16 * 1024;
/// How long a goodbye may take.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);
/// A quota is not refilled in seconds.
const QUOTA_RETRY_AFTER: Duration = Duration::from_secs(30);

/// How a connection ended, and what it leaves without an answer.
pub(super) struct Ended {
    pub(super) failure: Failure,
    pub(super) unanswered: Vec<Awaiting>,
}

/// Works until the connection breaks, or until every sender of the queue is gone, which says stop.
pub(super) async fn pump(
    connection: Connection,
    mut queue: mpsc::Receiver<Parcel>,
    barred: Arc<Barred>,
    metrics: &UpstreamMetrics,
) -> Ended {
    let Connection { stream, received, dialect, in_flight_max, packet_max, keep_alive } =
        connection;
    let mut flow = Flow {
        dialect,
        packet_max,
        window: Window::new(in_flight_max),
        barred,
        received,
        unsent: BytesMut::with_capacity(UNSENT_MAX),
        heard: true,
        stalled: None,
    };
    let failure = flow.run(stream, &mut queue, keep_alive, metrics).await;
    metrics.in_flight(0);
    queue.close();
    let mut unanswered: Vec<_> = flow.window.into_values().collect();
    while let Ok(parcel) = queue.try_recv() {
        unanswered.push(parcel.awaiting);
    }
    Ended { failure, unanswered }
}

/// What a connection knows beside its socket.
struct Flow {
    dialect: Dialect,
    packet_max: usize,
    window: Window<Awaiting>,
    barred: Arc<Barred>,
    received: BytesMut,
    unsent: BytesMut,
    /// Whether anything came since the last ping.
    heard: bool,
    /// Since when publishes are in flight and none was acknowledged.
    stalled: Option<Instant>,
}

impl Flow {
    async fn run(
        &mut self,
        stream: Box<dyn Stream>,
        queue: &mut mpsc::Receiver<Parcel>,
        keep_alive: Duration,
        metrics: &UpstreamMetrics,
    ) -> Failure {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut pings = tokio::time::interval_at(Instant::now() + keep_alive, keep_alive);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Something may have come in one piece with the CONNACK.
        if let Err(failure) = self.take_in() {
            return failure;
        }
        loop {
            let room = self.window.room().min(BATCH_MAX);
            self.received.reserve(READ_ROOM);
            // Every branch can be dropped half-way: nothing is taken, read or written then.
            tokio::select! {
                taken = queue.recv_many(&mut batch, room),
                    if room > 0 && self.unsent.len() < UNSENT_MAX =>
                {
                    if taken == 0 {
                        self.say_goodbye(&mut writer).await;
                        return Failure::new(ConnectionEnd::Stopped, "stopped");
                    }
                    for parcel in batch.drain(..) {
                        self.publish(parcel);
                    }
                    metrics.in_flight(self.window.len());
                }
                read = reader.read_buf(&mut self.received) => match read {
                    Ok(0) => return Failure::new(ConnectionEnd::Closed, "the broker closed"),
                    Ok(_) => {
                        if let Err(failure) = self.take_in() {
                            return failure;
                        }
                        metrics.in_flight(self.window.len());
                    }
                    Err(error) => return Failure::broken(&error),
                },
                written = write_some(&mut writer, &self.unsent), if !self.unsent.is_empty() => {
                    match written {
                        Ok(written) => self.unsent.advance(written.min(self.unsent.len())),
                        Err(error) => return Failure::broken(&error),
                    }
                }
                _ = pings.tick() => {
                    if !self.heard {
                        return Failure::new(ConnectionEnd::Silent, "no answer to a ping");
                    }
                    self.heard = false;
                    // A full window takes nothing from the queue, and would not see it end.
                    if queue.is_closed() && queue.is_empty() {
                        self.say_goodbye(&mut writer).await;
                        return Failure::new(ConnectionEnd::Stopped, "stopped");
                    }
                    if self.has_stalled() {
                        return Failure::new(ConnectionEnd::Silent, "no publish is acknowledged");
                    }
                    self.dialect.ping(&mut self.unsent);
                }
            }
        }
    }

    fn publish(&mut self, parcel: Parcel) {
        let Parcel { uplink, awaiting } = parcel;
        // What a board was promised is kept: it has forgotten its reading.
        let is_promised = uplink.acknowledge == Acknowledge::OnReceive;
        if !is_promised && self.barred.holds(&uplink.board, uplink.issuer, uplink.admitted) {
            return awaiting.answer(Outcome::Refused { reason: "the board was shut out" });
        }
        let Some(id) = self.window.next() else {
            // Not reached: no more parcels are taken than there is room for.
            return awaiting.answer(Outcome::Full { retry_after: super::FULL_RETRY_AFTER });
        };
        match self.dialect.publish(id, uplink, self.packet_max, &mut self.unsent) {
            Ok(()) => {
                // `next` said that there is room.
                let _ = self.window.occupy(awaiting);
            }
            Err(_) => awaiting
                .answer(Outcome::Refused { reason: "the packet is larger than the broker takes" }),
        }
    }

    /// Takes every whole packet that was received.
    fn take_in(&mut self) -> Result<(), Failure> {
        loop {
            let packet = match self.dialect.read(&mut self.received) {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(()),
                Err(error) => return Err(Failure::new(ConnectionEnd::Protocol, error)),
            };
            self.heard = true;
            match packet {
                Received::Acknowledged { id, verdict } => {
                    self.stalled = None;
                    let Some(awaiting) = self.window.release(id) else {
                        // Which publish the next one means could not be trusted any more.
                        return Err(Failure::new(
                            ConnectionEnd::Protocol,
                            format_args!("PUBACK for {id}, under which nothing is in flight"),
                        ));
                    };
                    awaiting.answer(match verdict {
                        Verdict::Accepted => Outcome::Accepted,
                        Verdict::QuotaExceeded => Outcome::Full { retry_after: QUOTA_RETRY_AFTER },
                        Verdict::Refused(reason) => Outcome::Refused { reason },
                    });
                }
                Received::Pong => {}
                Received::Goodbye(reason) => {
                    let detail = format_args!("DISCONNECT {reason}");
                    return Err(Failure::new(ConnectionEnd::Closed, detail));
                }
                Received::Welcome(_) | Received::Rejected { .. } | Received::Uncalled => {
                    let detail = "a packet that was not called for";
                    return Err(Failure::new(ConnectionEnd::Protocol, detail));
                }
            }
        }
    }

    /// Whether the broker has answered pings but acknowledged nothing for too long.
    fn has_stalled(&mut self) -> bool {
        if self.window.len() == 0 {
            self.stalled = None;
            return false;
        }
        self.stalled.get_or_insert_with(Instant::now).elapsed() >= ACKNOWLEDGED_WITHIN
    }

    async fn say_goodbye(&mut self, writer: &mut (impl AsyncWriteExt + Unpin)) {
        self.dialect.disconnect(&mut self.unsent);
        let goodbye = async {
            writer.write_all(&self.unsent).await?;
            writer.shutdown().await
        };
        // A broker that does not listen notices by itself.
        let _ = tokio::time::timeout(GOODBYE_WITHIN, goodbye).await;
    }
}

async fn write_some(
    writer: &mut (impl AsyncWriteExt + Unpin),
    from: &[u8],
) -> std::io::Result<usize> {
    let written = writer.write(from).await?;
    if written == 0 {
        return Err(std::io::ErrorKind::WriteZero.into());
    }
    // Flushing does nothing on TCP, nor on OpenSSL over it: no byte waits below us, and dropping
    // this future after the write would lose count of what was written.
    Ok(written)
}
