//! Follows the objects of one kind, whatever happens to the connection.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use kube::runtime::watcher::{Event, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::Shared;
use super::known::Known;
use super::tally::Counted;
use crate::cluster::client;
use crate::cluster::delay::Delay;

/// How long after something went wrong the next try is.
const AGAIN: Delay = Delay::new(Duration::from_millis(200), Duration::from_secs(5));

/// Keeps what is known of a kind as the API server has it; `read` takes out of an object what is kept of it.
pub(super) async fn keep<K, T>(
    api: Api<K>,
    shared: Arc<Shared>,
    known: fn(&Shared) -> &Known<T>,
    read: fn(&K) -> T,
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + fmt::Debug + Send + 'static,
    T: Counted,
{
    let (kind, known) = (K::kind(&()), known(&shared));
    let (mut delay, mut is_told) = (AGAIN, false);
    let mut all = BTreeMap::new();
    let mut events = pin!(watcher(api, client::watching()));
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                if is_told {
                    tracing::info!(%kind, "watched again");
                }
                is_told = false;
                delay.reset();
                follow(known, &mut all, event, read);
            }
            Err(error) => {
                let error = error.to_string();
                if is_told {
                    tracing::debug!(%kind, error, "still not watched");
                } else {
                    tracing::warn!(
                        %kind, error,
                        "not watched: what is known grows old until the API server answers; if it does, \
                         look at the custom resources and at the rights of this driver"
                    );
                }
                is_told = true;
                tokio::time::sleep(delay.next()).await;
            }
        }
    }
}

/// Does as the event says. What is listed anew is known when all of it is there.
fn follow<K: Resource, T: Counted>(
    known: &Known<T>,
    all: &mut BTreeMap<Box<str>, Arc<T>>,
    event: Event<K>,
    read: fn(&K) -> T,
) {
    match event {
        Event::Init => all.clear(),
        Event::InitApply(object) => {
            let name = object.name_any().into_boxed_str();
            all.insert(name, Arc::new(read(&object)));
        }
        Event::InitDone => known.replace(std::mem::take(all)),
        Event::Apply(object) => known.put(&object.name_any(), read(&object)),
        Event::Delete(object) => known.remove(&object.name_any()),
    }
}
