//! One of those that work at once: it owns its volumes and snapshots, and copies those of others.

mod copies;
mod node;
mod stopped;
mod volumes;

use std::path::PathBuf;
use std::rc::Rc;

use orlop::csi::v1;
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use super::sea::{POOLS, Sea};
use super::world::{Kind, Volume};
use crate::dice::Dice;
use crate::driver::text;
use crate::random::volume_id;
use crate::requests::{MIB, pairs};

const SNAPSHOTS: usize = 2;

/// A worker, and what is its own.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) sea: Rc<Sea>,
    number: usize,
    dice: Dice,
}

/// One of the worker's volumes, which may exist or not.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) kind: Kind,
}

fn code<A>(answer: &Result<A, Status>) -> Code {
    answer.as_ref().map_or_else(Status::code, |_| Code::Ok)
}

#[track_caller]
fn expect<A>(what: &str, answer: &Result<A, Status>, expected: Code) {
    let message = answer.as_ref().err().map(Status::message);
    assert_eq!(code(answer), expected, "{what}: {message:?}");
}

/// Sizes that every file system can have.
fn bytes(step: usize) -> i64 {
    (320 + 32 * i64::try_from(step).unwrap()) * MIB
}

// === impl Worker ===

impl Worker {
    pub(super) fn new(sea: &Rc<Sea>, number: usize, dice: Dice) -> Self {
        let worker = Self { sea: Rc::clone(sea), number, dice };
        for slot in worker.slots() {
            std::fs::create_dir(worker.staging(&slot.name)).unwrap();
        }
        worker
    }

    /// Works until all operations are done.
    pub(super) async fn work(&mut self) {
        while self.sea.goes_on() {
            self.step().await;
        }
    }

    async fn step(&mut self) {
        let slots = self.slots();
        let slot = &slots[self.dice.below(slots.len())];
        match self.dice.below(46) {
            0..4 => self.create(slot).await,
            4..7 => self.delete(slot).await,
            7..9 => self.expand(slot).await,
            9 => self.modify(slot).await,
            10 => self.attach(slot).await,
            11 => self.detach(slot).await,
            12 => self.validate(slot).await,
            13 => self.look(slot).await,
            14 => self.list().await,
            15..18 => self.stage(slot).await,
            18..24 => self.publish(slot).await,
            24..27 => self.write(slot).await,
            27 => self.compare(slot).await,
            28..31 => self.unpublish(slot).await,
            31..34 => self.unstage(slot).await,
            34 => self.stats(slot).await,
            35 => self.grow(slot).await,
            36..39 => self.cut(slot).await,
            39 => self.cut_group(slot).await,
            40 => {
                let name = self.dice.of(&self.cuts()).unwrap();
                self.drop_cut(&name).await;
            }
            41 => self.drop_group().await,
            42..44 => self.restore(slot).await,
            _ => self.clone_into(slot).await,
        }
    }

    /// Makes the call; now and then twice at once, or twice one after the other, which must be answered alike.
    async fn call<A>(
        &mut self,
        what: &str,
        call: impl AsyncFn(Channel) -> Result<Response<A>, Status>,
    ) -> Result<A, Status> {
        let sea = Rc::clone(&self.sea);
        sea.count();
        let once = || sea.settle(what, &call);
        let (first, last) = match self.dice.below(5) {
            0 => {
                let (first, last) = tokio::join!(once(), once());
                (code(&first), last)
            }
            1 => (code(&once().await), once().await),
            _ => {
                let only = once().await;
                (code(&only), only)
            }
        };
        expect(&format!("{what}, asked twice"), &last, first);
        last.map(Response::into_inner)
    }

    /// Makes the call once.
    async fn once<A>(
        &self,
        what: &str,
        call: impl AsyncFn(Channel) -> Result<Response<A>, Status>,
    ) -> Result<A, Status> {
        self.sea.count();
        self.sea.settle(what, call).await.map(Response::into_inner)
    }

    pub(super) fn slots(&self) -> Vec<Slot> {
        let slot = |kind: Kind| Slot { name: format!("{kind:?} of {}", self.number), kind };
        Kind::ALL.into_iter().map(slot).collect()
    }

    pub(super) fn cuts(&self) -> Vec<String> {
        (0..SNAPSHOTS).map(|cut| format!("cut {cut} of {}", self.number)).collect()
    }

    fn pool(&self) -> &'static str {
        POOLS[self.number % POOLS.len()]
    }

    pub(super) fn has(&self, slot: &Slot) -> bool {
        self.known(slot).is_some()
    }

    fn known(&self, slot: &Slot) -> Option<Volume> {
        self.sea.world.borrow().volumes.get(&slot.name).cloned()
    }

    fn with<T>(&self, slot: &Slot, change: impl FnOnce(&mut Volume) -> T) -> Option<T> {
        self.sea.world.borrow_mut().volumes.get_mut(&slot.name).map(change)
    }

    pub(super) fn staging(&self, name: &str) -> PathBuf {
        self.sea.room.join(format!("staging of {name}"))
    }

    fn target(&self, name: &str) -> PathBuf {
        self.sea.room.join(format!("target of {name}"))
    }

    fn paths(&self, slot: &Slot) -> (String, String) {
        (text(&self.staging(&slot.name)), text(&self.target(&slot.name)))
    }

    fn wish(&self, slot: &Slot) -> v1::CreateVolumeRequest {
        v1::CreateVolumeRequest {
            name: slot.name.clone(),
            volume_capabilities: vec![slot.kind.capability()],
            parameters: pairs(&[("pool", self.pool())]),
            ..v1::CreateVolumeRequest::default()
        }
    }
}

// === impl Slot ===

impl Slot {
    fn id(&self) -> String {
        volume_id(&self.name)
    }
}
