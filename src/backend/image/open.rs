//! Opens a pool: finds it, makes sure that it is ours alone, reads its records.
//!
//! Nothing here waits for what can be done later: what a killed driver left half-built or half-removed is
//! removed in the background, and a volume that is damaged hurts nobody but itself.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use linux_raw_sys::general::BTRFS_SUPER_MAGIC;
use uuid::Uuid;

use super::ballast::Ballast;
use super::cleaner::{Cleaner, Place, Rubbish};
use super::error::{Error, Result};
use super::group::{GroupRecord, bury_orphans};
use super::identity::Identity;
use super::ledger::Ledger;
use super::pause::Pausing;
use super::place::{self, Located};
use super::record::{SnapshotRecord, VolumeRecord};
use super::scan::{self, Found};
use super::settings::{Provisioning, Settings};
use super::shelf::Shelf;
use super::store::{Store, image_length, patiently};
use super::{ImagePool, ceased, changes, finish, health, layout, memory};
use crate::fault;
use crate::sys::beneath::{Dir, DirLock};
use crate::sys::failure::Doing;
use crate::sys::questions::Questions;
use crate::sys::{blocking, reflink};
use crate::volume::{Bytes, GroupId, SnapshotId, VolumeId};

/// A pool of which we are the one owner, and what lies in it.
struct Opened {
    uuid: Uuid,
    store: Store,
    owner: DirLock,
    reflink: bool,
    tells_changes: bool,
    volumes: Found<VolumeRecord>,
    snapshots: Found<SnapshotRecord>,
    groups: Found<GroupRecord>,
    rubbish: Vec<(Place, OsString, Bytes)>,
}

impl ImagePool {
    /// Opens the pool, and makes it first if there is nothing yet. `Absent` when it was in use in this place before
    /// and its disk is missing or cannot be read: then it may come again, and everything else is a mistake.
    pub async fn open(settings: Settings) -> crate::error::Result<Arc<Self>> {
        let known = {
            let settings = settings.clone();
            blocking(move || memory::is_known(&settings)).await?
        };
        let place = settings.place_name();
        match open(settings).await {
            Err(error) if known && error.is_of_disk() => {
                let why = crate::error::Error::from(error).sentence();
                Err(crate::error::Error::Absent { place, why })
            }
            opened => Ok(opened?),
        }
    }
}

async fn open(settings: Settings) -> Result<Arc<ImagePool>> {
    let located = place::prepare(&settings, Identity::check).await?;
    let opened = {
        let (settings, located) = (settings.clone(), located.clone());
        blocking(move || {
            let opened = read(&settings, &located);
            if opened.is_err() {
                located.take_back();
            }
            opened
        })
        .await?
    };
    let Opened { uuid, store, owner, reflink, tells_changes, volumes, snapshots, groups, rubbish } =
        opened;
    for lost in volumes.lost.iter().chain(&snapshots.lost) {
        tracing::error!(pool = settings.name, "{lost}");
    }
    let store = Arc::new(store);
    finish::thaw(&store, &volumes).await;
    let pausing = Pausing::start(&settings, &located, &store, volumes.paused.clone()).await?;
    let ledger = Ledger::new(&settings, volumes.counted().plus(snapshots.counted()));
    let cleaner = Cleaner::start(Arc::clone(&store));
    for (place, name, size) in rubbish {
        ledger.correct(Bytes::ZERO, size);
        cleaner.remove(Rubbish { place, name, lock: None, room: ledger.take_over(size) });
    }
    let shelf = (Arc::clone(&store), Arc::clone(&ledger));
    let pool = ImagePool {
        volumes: Arc::new(Shelf::new(shelf.clone(), volumes)),
        snapshots: Arc::new(Shelf::new(shelf.clone(), snapshots)),
        groups: Arc::new(Shelf::new(shelf, groups)),
        settings,
        uuid,
        located,
        store,
        ledger,
        cleaner,
        pausing,
        seen: Arc::default(),
        questions: Questions::new(health::MOST_ASKED),
        reflink,
        tells_changes,
        _owner: owner,
    };
    for damaged in pool.damaged() {
        tracing::warn!(pool = pool.settings.name, "{damaged}");
    }
    Ok(Arc::new(pool))
}

/// Locks the pool, checks whose it is, and reads what lies in it.
fn read(settings: &Settings, located: &Located) -> Result<Opened> {
    let root = Dir::open(&located.root)?;
    let owner = own(&root, settings)?;
    let identity = match Identity::read(&root)? {
        Some(identity) => identity,
        None => make(&root, settings)?,
    };
    identity.check(settings)?;
    memory::remember(settings)?;
    ensure_directories(&root)?;
    check_file_system(&located.root, settings)?;
    let reflink = can_share(&root)?;
    let tells_changes = changes::can_tell(&located.root, reflink)?;
    let store = Store::open(&root)?;
    let volumes = scan::all::<VolumeRecord>(store.parent::<VolumeId>())?;
    let mut snapshots = scan::all::<SnapshotRecord>(store.parent::<SnapshotId>())?;
    let groups = scan::all::<GroupRecord>(store.parent::<GroupId>())?;
    ceased::finish(store.parent::<VolumeId>(), &volumes.ceased);
    ceased::finish(store.parent::<SnapshotId>(), &snapshots.ceased);
    ceased::finish(store.parent::<GroupId>(), &groups.ceased);
    bury_orphans(&store, &mut snapshots, &groups);
    let rubbish = rubbish(&store)?;
    let uuid = identity.uuid;
    Ok(Opened { uuid, store, owner, reflink, tells_changes, volumes, snapshots, groups, rubbish })
}

/// Locks the pool's directory: two drivers would each promise the same space.
pub(super) fn own(root: &Dir, settings: &Settings) -> Result<DirLock> {
    let taken = || {
        let Settings { name, .. } = settings;
        let place = root.path().display();
        Error::unfit(format!(
            "another driver is using pool {name} at {place}: a pool has one owner at a time"
        ))
    };
    patiently(|| root.try_lock())?.ok_or_else(taken)
}

/// Makes a new pool. `pool.json` comes last: without it nothing was made yet.
fn make(root: &Dir, settings: &Settings) -> Result<Identity> {
    // What has our names may be somebody else's, and what lies in `new` and `trash` is removed.
    for name in layout::DIRECTORIES {
        let is_free = |names: Vec<OsString>| names.is_empty();
        if root.exists(name)? && !root.open_dir(name).and_then(|dir| dir.names()).is_ok_and(is_free)
        {
            return Err(unmade(root, name));
        }
    }
    for name in [layout::BALLAST, layout::SPARE] {
        if root.exists(name)? {
            return Err(unmade(root, name));
        }
    }
    memory::check_is_new(settings)?;
    ensure_directories(root)?;
    fault::point("make pool: directories");
    let identity = Identity::new(settings);
    identity.write(root)?;
    Ok(identity)
}

fn unmade(root: &Dir, name: &str) -> Error {
    Error::unfit(format!(
        "{} has {name} but no {pool}: restore {pool}, because it says whose the pool is, or name a directory without \
         anything called {name}",
        root.path().display(),
        pool = layout::POOL
    ))
}

fn ensure_directories(root: &Dir) -> Result<()> {
    for name in layout::DIRECTORIES {
        if !root.exists(name)? {
            root.create_dir(name)?;
            root.sync()?;
        }
    }
    Ok(())
}

/// Says whether copies can share their bytes with the original. A pool that is full to the last block must open
/// all the same, or nobody could delete their way out.
fn can_share(root: &Dir) -> Result<bool> {
    match Ballast::of(root)?.give_way(|| reflink::supports_reflink(root.path())) {
        Err(failure) if failure.is_no_space() => {
            tracing::warn!(pool = %root.path().display(), "too full to try whether it can share bytes: no instant copies");
            Ok(false)
        }
        tried => Ok(tried?),
    }
}

/// Btrfs moves extents as it likes, and what was allocated can need more space later.
fn check_file_system(root: &Path, settings: &Settings) -> Result<()> {
    let magic = rustix::fs::statfs(root).doing(|| format!("look at {}", root.display()))?.f_type;
    if settings.provisioning == Provisioning::Thick && magic == i64::from(BTRFS_SUPER_MAGIC) {
        let root = root.display();
        return Err(Error::unfit(format!(
            "{root} is on btrfs, where a pool can be thin only: set `provisioning: thin`"
        )));
    }
    Ok(())
}

/// Returns what a killed driver was building or removing, and what each takes.
fn rubbish(store: &Store) -> Result<Vec<(Place, OsString, Bytes)>> {
    let mut rubbish = Vec::new();
    for (place, dir) in [(Place::New, store.new_dir()), (Place::Trash, store.trash())] {
        for name in dir.names()? {
            let size = dir.open_dir(&name).and_then(|dir| image_length(&dir)).unwrap_or_default();
            rubbish.push((place, name, size));
        }
    }
    Ok(rubbish)
}
