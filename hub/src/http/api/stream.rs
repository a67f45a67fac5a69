//! Answers that go on: server-sent events (HTML Living Standard 9.2), for as long as their listener may
//! have them and takes them.
//!
//! Invariant: bounded, for each caller and for all; a listener who does not read, who is signed out or
//! whose token is over is let go of within seconds.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::{HttpResponse, web};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use web::Bytes;

use super::caller::Caller;
use super::problem::{Code, Problem};
use super::serving::{Api, Who};
use crate::people::Powers;

/// Listeners of all callers.
const ALL_MAX: usize = 256;
/// Listeners of one: some tabs of a browser.
const EACH_MAX: usize = 8;
/// Events that may wait for a listener to read.
const WAITING: usize = 64;
/// How often it is looked whether a listener may listen still, and something is said in any case, so that
/// nobody between takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Who listens.
#[derive(Default)]
pub(super) struct Listeners(Arc<Mutex<HashMap<Who, usize>>>);

/// A listener's place, given back in the end.
struct Seat {
    listeners: Arc<Mutex<HashMap<Who, usize>>>,
    who: Who,
}

impl Listeners {
    fn take(&self, who: Who) -> Result<Seat, Problem> {
        let mut listeners = locked(&self.0);
        let all: usize = listeners.values().sum();
        let own = listeners.get(&who).copied().unwrap_or(0);
        if own >= EACH_MAX || all >= ALL_MAX {
            let detail = "too many listen already; close some and come again";
            return Err(Problem::later(Code::TooMany, 10, detail));
        }
        listeners.insert(who.clone(), own + 1);
        Ok(Seat { listeners: Arc::clone(&self.0), who })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut listeners = locked(&self.listeners);
        match listeners.get_mut(&self.who) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(listeners.remove(&self.who)),
        }
    }
}

fn locked(listeners: &Mutex<HashMap<Who, usize>>) -> MutexGuard<'_, HashMap<Who, usize>> {
    listeners.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is to be told, and to whom it may be.
pub(super) trait Source: 'static {
    /// The next events, for who has these powers; `None` at the end. May be given up while it waits.
    fn next(&mut self, powers: &Powers) -> impl Future<Output = Option<Vec<Event>>>;

    /// Whether who has these powers may listen at all.
    fn may_listen(&self, powers: &Powers) -> bool;
}

/// One event.
pub(super) struct Event(Bytes);

impl Event {
    /// With this name and content.
    pub(super) fn new(name: &str, content: &impl Serialize) -> Self {
        // JSON on one line: what is in it cannot end the event.
        let content = serde_json::to_string(content).unwrap_or_default();
        Self(format!("event: {name}\ndata: {content}\n\n").into())
    }
}

/// The answer that tells a caller what `source` has, from now on.
///
/// # Errors
/// [`Code::TooMany`] where enough listen already.
pub(super) fn tell(
    api: &web::Data<Api>,
    caller: Caller,
    source: impl Source,
) -> Result<HttpResponse, Problem> {
    let seat = api.listeners.take(caller.counted_as())?;
    let (to, events) = mpsc::channel(WAITING);
    actix_web::rt::spawn(run(api.clone(), caller, source, to, seat));
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Cache-Control", "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        .body(Events(events)))
}

async fn run(
    api: web::Data<Api>,
    caller: Caller,
    mut source: impl Source,
    to: mpsc::Sender<Bytes>,
    _seat: Seat,
) {
    let mut powers = caller.powers.clone();
    // Something at once, for the browser to know that it listens.
    if to.try_send(Bytes::from_static(b"retry: 3000\n\n")).is_err() {
        return;
    }
    let mut heartbeat = Instant::now() + HEARTBEAT;
    loop {
        tokio::select! {
            () = to.closed() => return,
            () = sleep_until(heartbeat) => {
                heartbeat = Instant::now() + HEARTBEAT;
                match api.powers_now(&caller).filter(|now| source.may_listen(now)) {
                    Some(now) => powers = now,
                    None => return,
                }
                // Full: nobody reads.
                if to.try_send(Bytes::from_static(b":\n\n")).is_err() {
                    return;
                }
            }
            events = source.next(&powers) => {
                let Some(events) = events else { return };
                for Event(event) in events {
                    if to.try_send(event).is_err() {
                        return;
                    }
                }
            }
        }
    }
}

struct Events(mpsc::Receiver<Bytes>);

impl MessageBody for Events {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        self.0.poll_recv(context).map(|event| event.map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_some_places_and_gives_them_back() {
        let listeners = Listeners::default();
        let who = |name: &str| Who::User(name.parse().unwrap());
        let mut seats: Vec<_> = (0..EACH_MAX).map(|_| listeners.take(who("anna")).ok()).collect();
        assert!(seats.iter().all(Option::is_some));
        assert_eq!(listeners.take(who("anna")).err().unwrap().code(), Code::TooMany);
        assert!(listeners.take(who("otto")).is_ok(), "others have their own");
        seats.pop();
        assert!(listeners.take(who("anna")).is_ok());
        drop(seats);
        assert!(locked(&listeners.0).is_empty());
    }

    #[test]
    fn nothing_in_an_event_ends_it() {
        let Event(bytes) = Event::new("job", &"a\n\ndata: b\r\n");
        assert_eq!(bytes, Bytes::from_static(b"event: job\ndata: \"a\\n\\ndata: b\\r\\n\"\n\n"));
    }
}
