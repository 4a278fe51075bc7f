//! Limits, as the control groups of pods have them.
//!
//! A limit is for the group of a pod and the number of a device. What a container reads and writes directly, and
//! in version 2 what is written back for it later, too, is counted where it enters the device: at the volume's
//! own loop device.

use std::collections::BTreeSet;
use std::path::Path;

use super::place::places;
use crate::error::{Error, Result};
use crate::host::Enforcement;
use crate::host::pod::PodUid;
use crate::sys::Failure;
use crate::sys::cgroup::{Group, Hierarchy, IoMax, Version};
use crate::sys::device::DeviceNumber;
use crate::sys::mountinfo::MountTable;
use crate::volume::Limits;

/// For whom one limit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// For all containers of a pod together.
    Pods,
    /// For each container of a pod by itself.
    Containers,
}

/// The limits of a device, and where they have to be.
#[derive(Debug)]
pub(super) struct Wanted {
    device: DeviceNumber,
    limits: IoMax,
    groups: Vec<Group>,
    enforcement: Enforcement,
}

// === impl Wanted ===

impl Wanted {
    /// Finds the groups of the pods that see the device now.
    pub(super) fn of(device: DeviceNumber, limits: &Limits) -> Result<Self> {
        let table = super::read_table()?;
        let places = places(&table, device);
        let pods: BTreeSet<_> =
            places.iter().filter_map(|place| PodUid::of_target(&place.at)).collect();
        let hierarchies = match usable(&table) {
            Err(_) if limits.is_none() => Vec::new(),
            answer => answer?,
        };
        let of_pods: Vec<_> = hierarchies.iter().flat_map(|one| groups(one, &pods)).collect();
        let has_group = |uid: &PodUid| {
            of_pods.iter().any(|group| PodUid::of_group(group.path()).as_ref() == Some(uid))
        };
        let enforcement = match pods.iter().find(|uid| !has_group(uid)) {
            _ if limits.is_none() => Enforcement::Lasting,
            Some(uid) => Enforcement::Missing(without_group(uid, &hierarchies)),
            None if of_pods.iter().all(|group| group.version() == Version::V2) => {
                Enforcement::Lasting
            }
            None => Enforcement::ForNow,
        };
        let groups = of_pods.iter().flat_map(with_below).collect();
        Ok(Self { device, limits: io_max(limits), groups, enforcement })
    }

    /// Sees to it that the limits, and no others, are where they have to be.
    pub(super) fn set(self) -> Result<Enforcement> {
        for group in &self.groups {
            group.limit(self.device, self.limits).map_err(refused)?;
        }
        Ok(self.enforcement)
    }

    /// Says how well the limits hold, or nothing when something has to be done for that.
    pub(super) fn holds(self) -> Result<Option<Enforcement>> {
        for group in &self.groups {
            if group.limits(self.device).map_err(refused)? != self.limits {
                return Ok(None);
            }
        }
        Ok(Some(self.enforcement))
    }
}

/// Removes the limits of the device from the pod that the target belonged to.
pub(super) fn unlimit(table: &MountTable, device: DeviceNumber, target: &Path) -> Result<()> {
    let pod = PodUid::of_target(target).into_iter().collect();
    remove(table, device, &pod)
}

/// Returns for whom limits can be enforced, or why for nobody.
pub(super) fn reach(table: &MountTable) -> Result<Reach> {
    let is_v2 = |one: &Hierarchy| one.version() == Version::V2;
    Ok(if usable(table)?.iter().any(is_v2) { Reach::Pods } else { Reach::Containers })
}

/// Returns the hierarchies that limits can be set in, or why there are none.
fn usable(table: &MountTable) -> Result<Vec<Hierarchy>> {
    let (closed, open): (Vec<_>, Vec<_>) = Hierarchy::all(table)
        .into_iter()
        .filter(Hierarchy::can_limit)
        .partition(Hierarchy::is_read_only);
    match (open.is_empty(), closed.first()) {
        (false, _) => Ok(open),
        (true, Some(closed)) => Err(Error::unfit(format!(
            "limits cannot be enforced: {} is read-only for this process; mount the host's /sys/fs/cgroup writable",
            closed.root().display()
        ))),
        (true, None) => Err(Error::unfit(
            "limits cannot be enforced: no control groups that limit devices are mounted here; \
             mount the host's /sys/fs/cgroup, on a kernel with CONFIG_BLK_DEV_THROTTLING",
        )),
    }
}

fn remove(table: &MountTable, device: DeviceNumber, pods: &BTreeSet<PodUid>) -> Result<()> {
    if pods.is_empty() {
        return Ok(());
    }
    for hierarchy in Hierarchy::all(table) {
        for group in groups(&hierarchy, pods).iter().flat_map(with_below) {
            group.limit(device, IoMax::default()).map_err(refused)?;
        }
    }
    Ok(())
}

/// Returns the groups of the pods, and of no other: below a pod's there is none.
fn groups(hierarchy: &Hierarchy, pods: &BTreeSet<PodUid>) -> Vec<Group> {
    if pods.is_empty() {
        return Vec::new();
    }
    let is_ours = |path: &Path| PodUid::of_group(path).is_some_and(|uid| pods.contains(&uid));
    hierarchy.groups(is_ours, |path| PodUid::of_group(path).is_some())
}

/// Returns the group with those that need a limit of their own.
fn with_below(group: &Group) -> Vec<Group> {
    let below = match group.version() {
        Version::V1 => group.below(),
        Version::V2 => Vec::new(),
    };
    std::iter::once(group.clone()).chain(below).collect()
}

fn without_group(uid: &PodUid, hierarchies: &[Hierarchy]) -> String {
    let roots: Vec<_> = hierarchies.iter().map(|one| one.root().display().to_string()).collect();
    format!("pod {uid} has no control group below {}", roots.join(", "))
}

fn io_max(limits: &Limits) -> IoMax {
    IoMax {
        read_bytes: limits.read_bytes,
        write_bytes: limits.write_bytes,
        read_operations: limits.read_iops,
        write_operations: limits.write_iops,
    }
}

fn refused(why: Failure) -> Error {
    Error::Unfit { reason: "limits cannot be enforced".to_owned(), source: Some(why.into()) }
}
