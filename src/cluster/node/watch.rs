//! Watches the objects of this node that are of one kind, for as long as the node works.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};

use super::Shared;
use crate::cluster::client;
use crate::cluster::delay::Delay;
use crate::cluster::objects::{Lean, Parts};

/// How many objects a list has at most that is decoded at once.
const PAGE: u32 = 100;

/// How long after a failure the next try is.
const AGAIN: Delay = Delay::new(Duration::from_millis(500), Duration::from_secs(5));

/// Whoever is told what happens to the objects.
pub(super) trait Told: Send + Sync + 'static {
    /// The kind of the objects.
    type Kind: Parts;

    /// Takes what has happened.
    fn take(self: &Arc<Self>, event: Event<Lean<Self::Kind>>);
}

/// Tells of everything that happens to the objects of this node, beginning with those that there are.
///
/// A watch that failed in any way is begun anew with a list of a few objects: whatever was missed is in it.
pub(super) async fn watch<T: Told>(shared: Arc<Shared>, told: Arc<T>) {
    let api: Api<Lean<T::Kind>> = Api::all(shared.settings.client.clone());
    let selector = format!("spec.node={}", shared.settings.node);
    let config = client::watching().fields(&selector).page_size(PAGE);
    let mut delay = AGAIN;
    let kind = T::Kind::kind(&());
    // A refusal is of one kind, and is told once.
    let mut is_refused = false;
    let work = async {
        loop {
            let mut events = pin!(watcher(api.clone(), config.clone()));
            while let Some(event) = events.next().await {
                match event {
                    // It comes before anything was asked.
                    Ok(Event::Init) => told.take(Event::Init),
                    Ok(event) => {
                        shared.link.heard();
                        is_refused = false;
                        delay.reset();
                        told.take(event);
                    }
                    Err(error) => {
                        match refusal(&error) {
                            None => shared.link.lost(&sentence(&error)),
                            Some(why) if is_refused => tracing::debug!(%kind, why, "still refused"),
                            Some(why) => {
                                is_refused = true;
                                tracing::error!(%kind, why, "the API server does not let this node watch its objects");
                            }
                        }
                        break;
                    }
                }
            }
            tokio::time::sleep(delay.next()).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = shared.stop.cancelled() => {}
    }
}

/// Returns why the API server refuses to be asked, where it is there and does.
fn refusal(error: &watcher::Error) -> Option<String> {
    use watcher::Error as E;
    let status = match error {
        E::InitialListFailed(kube::Error::Api(status))
        | E::WatchStartFailed(kube::Error::Api(status))
        | E::WatchFailed(kube::Error::Api(status))
        | E::WatchError(status) => status,
        E::InitialListFailed(_)
        | E::WatchStartFailed(_)
        | E::WatchFailed(_)
        | E::NoResourceVersion => return None,
    };
    // 410 is an old version, which a new list is for.
    let is_refused = (400..500).contains(&status.code) && ![408, 410, 429].contains(&status.code);
    is_refused.then(|| match status.code {
        403 => format!("{}: give the right to the role of the node", status.message),
        404 => {
            format!("{}: install the kinds with `orlop crds | kubectl apply -f -`", status.message)
        }
        _ => status.message.clone(),
    })
}

fn sentence(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    // Some repeat their source in their own text.
    let mut text = String::new();
    for part in chain.map(ToString::to_string) {
        if !text.contains(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
    }
    text
}
