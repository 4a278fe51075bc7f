//! The end of the storm: everything is there and whole, goes when it is told to, and leaves nothing.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use orlop::csi::v1;
use orlop::csi::v1::controller_client::ControllerClient;

use super::sea::{POOLS, Sea};
use super::worker::{Slot, Worker};
use crate::requests::pairs;

/// Longer than the work in the background takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Returns what each pool can still give: what is leaked is missing there.
pub(super) async fn capacities(sea: &Sea) -> Vec<i64> {
    let mut all = Vec::new();
    for pool in POOLS {
        let parameters = pairs(&[("pool", pool)]);
        let request = v1::GetCapacityRequest { parameters, ..<_>::default() };
        let answer = sea
            .settle("capacity", async |channel| {
                ControllerClient::new(channel).get_capacity(request.clone()).await
            })
            .await;
        all.push(answer.unwrap().into_inner().available_capacity);
    }
    all
}

/// Waits until the driver has nothing of any volume any more: no room taken, no image or lock open.
pub(super) async fn is_empty(sea: &Sea, before: &[i64]) {
    let began = Instant::now();
    loop {
        let (room, open) = (capacities(sea).await, open_images(sea));
        if room == before && open.is_empty() {
            return;
        }
        let late = began.elapsed() < PATIENCE;
        assert!(late, "the pools had {before:?} to give and have {room:?}; still open: {open:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Returns what the driver has open of volumes: a lock is an open directory or image, too.
fn open_images(sea: &Sea) -> Vec<PathBuf> {
    let all = fs::read_dir(format!("/proc/{}/fd", sea.pid())).unwrap().flatten();
    let paths = all.filter_map(|entry| fs::read_link(entry.path()).ok());
    let of_volumes = |path: &PathBuf| {
        let text = path.display().to_string();
        ["/volumes/", "/snapshots/", "/groups/", "/new/", "/trash/", "/dev/loop"]
            .iter()
            .any(|part| text.contains(part))
    };
    paths.filter(of_volumes).collect()
}

impl Worker {
    /// Reads all that the worker has: volumes as they are, and snapshots through volumes that are made of them.
    pub(super) async fn verify(&mut self) {
        for slot in self.slots() {
            // Once more where the last death has stopped it.
            for _twice in 0..2 {
                if self.has(&slot) {
                    self.publish(&slot).await;
                }
            }
        }
        for name in self.cuts().into_iter().chain(self.members()) {
            let kind = self.sea.world.borrow().cuts.get(&name).map(|cut| cut.kind);
            let Some(kind) = kind else { continue };
            let slot = Slot { name: format!("check of {name}"), kind };
            fs::create_dir(self.staging(&slot.name)).unwrap();
            self.restore_from(&slot, &name, 0).await;
            self.publish(&slot).await;
            self.undo(&slot).await;
        }
    }

    /// Deletes all that the worker has.
    pub(super) async fn clear(&mut self) {
        for slot in self.slots() {
            self.undo(&slot).await;
        }
        for name in self.cuts() {
            self.drop_cut(&name).await;
        }
        self.drop_group().await;
    }

    async fn undo(&mut self, slot: &Slot) {
        self.unpublish(slot).await;
        self.unstage(slot).await;
        self.detach(slot).await;
        self.delete(slot).await;
    }
}
