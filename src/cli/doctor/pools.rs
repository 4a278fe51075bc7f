//! The pools of the config: whether they are there, whose they are, their room, and what was left behind.

use std::path::Path;

use super::finding::Finding;
use crate::admin::client::connect;
use crate::backend::image::inspect::{self, Inspection, State, inspect};
use crate::backend::image::{Percent, Place, Settings};
use crate::cli::pools;
use crate::config::{Config, NodeId};
use crate::sys::device;
use crate::volume::{Reason, Severity};

/// With less room than this nothing new is created in most pools.
const LITTLE: Percent = Percent(5);

pub(super) async fn check(config: &Config, node: &NodeId) -> Vec<Finding> {
    if config.is_simulated() {
        return vec![Finding::ok("pools", "are simulated: nothing of them is on disk")];
    }
    let (driver, runs) = driver(config).await;
    let mut findings = vec![driver];
    for settings in pools::image_pools(config, node) {
        let about = format!("pool {}", settings.name);
        match inspect(&settings).await {
            Ok(State::There(pool)) => {
                findings.extend(made(&about, &settings, &pool, runs));
                findings.extend(unwell(&about, &settings).await);
            }
            Ok(State::Unmade) => findings.push(not_made(&about, &settings.place)),
            Ok(State::Unmounted) => findings.push(unmounted(&about, &settings, runs)),
            Err(error) => {
                let advice = if runs {
                    "look into the driver's log"
                } else {
                    "put that right: the driver does not serve the pool like this"
                };
                findings.push(Finding::error(about, error.sentence(), advice));
            }
        }
    }
    findings
}

async fn driver(config: &Config) -> (Finding, bool) {
    let about = "driver";
    let socket = match config.admin_socket() {
        Ok(socket) => socket,
        Err(mistake) => {
            return (
                Finding::error(about, mistake.to_string(), "choose a shorter stateDir"),
                false,
            );
        }
    };
    match connect(&socket).await {
        Ok(Some(_)) => (Finding::ok(about, format!("runs, and answers on {socket}")), true),
        Ok(None) => {
            (Finding::ok(about, format!("does not run: nobody listens on {socket}")), false)
        }
        Err(error) => {
            (Finding::warning(about, error.to_string(), "run this as the driver is run"), false)
        }
    }
}

/// What is in it cannot be seen.
fn unmounted(about: &str, settings: &Settings, runs: bool) -> Finding {
    let found = format!("is made, and not mounted at {}", settings.mount_point().display());
    if runs {
        return Finding::error(
            about,
            found,
            "look into the driver's log: it should have mounted it",
        );
    }
    Finding::warning(about, found, "start the driver, which mounts it, and run this again")
}

/// What a first start would find.
fn not_made(about: &str, place: &Place) -> Finding {
    let first = "the first start of the driver makes it";
    let (path, is_there) = match place {
        Place::Device(path) if device::is_pattern(path) => {
            (path, device::matching(path).is_ok_and(|found| !found.is_empty()))
        }
        Place::Device(path) => (path, device::of_node(path).is_ok_and(|found| found.is_some())),
        Place::File { path, .. } => (path, path.parent().is_some_and(Path::is_dir)),
        Place::Directory { path, .. } | Place::DefaultAt(path) => {
            (path, path.ancestors().any(Path::is_dir))
        }
    };
    if is_there {
        return Finding::ok(about, format!("is not made yet at {}: {first}", path.display()));
    }
    let advice = match place {
        Place::Device(_) => "name a block device that exists",
        Place::File { .. } | Place::Directory { .. } | Place::DefaultAt(_) => {
            "make the directory around it"
        }
    };
    Finding::error(about, format!("there is no place for it at {}", path.display()), advice)
}

fn made(about: &str, settings: &Settings, pool: &Inspection, runs: bool) -> Vec<Finding> {
    let mut findings = vec![identity(about, settings, pool), room(about, pool)];
    if !pool.reflink {
        let found = "its file system cannot share blocks between files: snapshots and clones are whole copies";
        findings.push(Finding::warning(
            about,
            found,
            "put it on an XFS with reflink, or give it a device or file",
        ));
    }
    findings.extend(pool.damaged.iter().map(|damaged| {
        let advice = if damaged.flaw.is_loss() {
            "restore the image, or delete what it belongs to: it is refused as it is"
        } else {
            "put the record right or restore it; nothing is guessed or deleted meanwhile, and no other volume is hurt"
        };
        Finding::error(about, damaged.to_string(), advice)
    }));
    findings.extend(left_over(about, pool, runs));
    findings.extend(pool.orphans.iter().map(|orphan| {
        let found = format!("{orphan} is no volume's image");
        Finding::warning(about, found, "see who uses it, and detach it with `losetup --detach`")
    }));
    findings
}

/// What is the matter with the volumes; what is damaged has lines of its own.
async fn unwell(about: &str, settings: &Settings) -> Vec<Finding> {
    let unwell = match inspect::unwell(settings).await {
        Ok(unwell) => unwell,
        Err(error) => {
            return vec![Finding::error(about, error.sentence(), "see to the pool's disk")];
        }
    };
    let conditions = unwell.into_iter().flat_map(|one| {
        let id = one.id;
        one.conditions.into_iter().map(move |condition| (id.clone(), condition))
    });
    let told = [Reason::RecordUnreadable, Reason::ImageMissing, Reason::ImageShortened];
    let others = conditions.filter(|(_, condition)| !told.contains(&condition.reason));
    others
        .map(|(id, condition)| {
            let found = format!("{id}: {condition}");
            match condition.severity {
                Severity::Degraded => Finding::warning(about, found, condition.message),
                Severity::Inaccessible | Severity::DataLoss => {
                    Finding::error(about, found, condition.message)
                }
            }
        })
        .collect()
}

fn identity(about: &str, settings: &Settings, pool: &Inspection) -> Finding {
    let root = pool.root.display();
    if pool.name != settings.name {
        let found = format!("at {root} is pool {:?}", pool.name);
        return Finding::error(
            about,
            found,
            "name it so in the config, or give the pool another place",
        );
    }
    if pool.node != settings.node {
        let found =
            format!("at {root} belongs to node {}, and this is {}", pool.node, settings.node);
        let advice =
            format!("if its data is to be served here from now on: orlop adopt {}", pool.name);
        return Finding::error(about, found, advice);
    }
    let (volumes, snapshots) = pool.count;
    Finding::ok(
        about,
        format!("at {root}, of this node, with {volumes} volumes and {snapshots} snapshots"),
    )
}

fn room(about: &str, pool: &Inspection) -> Finding {
    let gib = |bytes: crate::volume::Bytes| {
        format!("{}.{} GiB", bytes.0 >> 30, ((bytes.0 & ((1 << 30) - 1)) * 10) >> 30)
    };
    let found =
        format!("{} of {} free, {} promised", gib(pool.free), gib(pool.total), gib(pool.promised));
    if pool.free < LITTLE.of(pool.total) {
        return Finding::warning(
            about,
            found,
            "delete something or give it more room: nothing new is created",
        );
    }
    Finding::ok(about, found)
}

/// A driver that runs is busy with them; one that was killed is not.
fn left_over(about: &str, pool: &Inspection, runs: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (building, removing) = pool.left_over;
    if building + removing > 0 {
        let found = format!("{building} unfinished and {removing} deleted things still take space");
        findings.push(if runs {
            Finding::ok(about, format!("{found}: the driver is at it"))
        } else {
            Finding::warning(about, found, "start the driver: it removes them")
        });
    }
    findings.extend(pool.frozen.iter().map(|id| {
        let found = format!("{id} is marked as frozen for a copy");
        if runs {
            Finding::warning(about, found, "if that stays so, look into the driver's log")
        } else {
            Finding::error(about, found, "start the driver: it thaws what a killed one has frozen")
        }
    }));
    findings
}
