//! Tells whoever waits for it that a volume is used no more on this node.

use tokio::sync::broadcast;

use crate::volume::VolumeId;

/// How many may be told before anybody listens.
const MOST: usize = 256;

/// Where it is told, shared between who unstages volumes and who waits to remove them.
#[derive(Debug, Clone)]
pub struct Freed {
    told: broadcast::Sender<VolumeId>,
}

/// Somebody who waits.
#[derive(Debug)]
pub struct Listener {
    heard: broadcast::Receiver<VolumeId>,
}

// === impl Freed ===

impl Default for Freed {
    fn default() -> Self {
        Self { told: broadcast::Sender::new(MOST) }
    }
}

impl Freed {
    /// Tells that the volume is used no more.
    pub fn tell(&self, id: &VolumeId) {
        // Mostly nobody waits.
        drop(self.told.send(id.clone()));
    }

    /// Returns somebody who hears of all that is told from now on.
    pub fn listen(&self) -> Listener {
        Listener { heard: self.told.subscribe() }
    }
}

// === impl Listener ===

impl Listener {
    /// Waits for the next volume; nothing means that there were too many, and that each may be free.
    pub async fn next(&mut self) -> Option<VolumeId> {
        match self.heard.recv().await {
            Ok(id) => Some(id),
            Err(broadcast::error::RecvError::Lagged(_)) => None,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Name;

    #[tokio::test]
    async fn what_is_told_is_heard_by_whoever_listens() {
        let freed = Freed::default();
        let id = VolumeId::of(&Name::parse("a").unwrap());
        freed.tell(&id);
        let mut listener = freed.listen();
        freed.clone().tell(&id);
        assert_eq!(listener.next().await, Some(id.clone()));
        for _ in 0..=2 * MOST {
            freed.tell(&id);
        }
        assert_eq!(listener.next().await, None, "too many");
        assert_eq!(listener.next().await, Some(id));
    }
}
