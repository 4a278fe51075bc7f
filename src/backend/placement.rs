//! Which of many pools a new volume goes to, decided from what is known of them: nobody is asked here.

use std::sync::Arc;

use super::Pool;
use crate::error::{Error, Result};
use crate::volume::{Bytes, Placement, Requirement, Topology};

/// The name of the pool that a class without the parameter `pool` means when there are several.
const DEFAULT: &str = "default";

/// What is decided about a volume before it has a pool.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    /// The name that its pool has.
    pub pool: &'a str,
    /// What it takes of the pool at least.
    pub size: Bytes,
    /// Where it is to be accessible from.
    pub required: &'a Requirement,
    /// The pool of its source, which a copy cannot leave.
    pub home: Option<&'a Pool>,
    /// What the class says of the nodes that are not the preferred one.
    pub placement: Placement,
}

/// A pool of a node, and what is known of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The name of the pool.
    pub name: Arc<str>,
    /// The id of the node.
    pub node: Arc<str>,
    /// Whether the node answers.
    pub ready: bool,
    /// Whether an admin keeps new volumes away.
    pub cordoned: bool,
    /// The largest volume that could be created now.
    pub largest: Bytes,
    /// What can still be promised in all.
    pub available: Bytes,
}

/// Returns the name of the pool that a class means, of the names that pools have: several nodes may have pools of one
/// name.
pub fn meant<'a>(names: &[&'a str], class: Option<&str>) -> Result<&'a str> {
    let called = |wanted: &str| names.iter().find(|name| **name == wanted).copied();
    let all = || {
        let mut all: Vec<&str> = Vec::new();
        for name in names {
            if !all.contains(name) {
                all.push(name);
            }
        }
        all.join(", ")
    };
    let refused = |reason: String| {
        Error::invalid("parameters.pool", format!("{reason}; there is: {}", all()))
    };
    match (class, names) {
        (Some(name), _) => {
            called(name).ok_or_else(|| refused(format!("there is no pool {name:?}")))
        }
        (None, [only, rest @ ..]) if rest.iter().all(|name| name == only) => Ok(only),
        (None, _) => called(DEFAULT)
            .ok_or_else(|| refused(format!("is required where no pool is named {DEFAULT:?}"))),
    }
}

/// Returns the pool for the volume, or says why there is none and what to do.
///
/// What decides is what external-provisioner sends:
///
/// | the claim | requisite | preferred |
/// |---|---|---|
/// | `WaitForFirstConsumer` | all nodes, or those of `allowedTopologies` | the same, turned so that the selected node is first |
/// | the same with `--strict-topology` | the selected node | the same |
/// | `Immediate` with `allowedTopologies` | those | the same, turned by the claim's name |
/// | `Immediate` with `--immediate-topology=false` | none | none |
///
/// The first and the third look alike, so a node that the scheduler has selected cannot be told from one that a hash
/// has put first, and the careful reading holds for both: the first preferred term counts alone, because the scheduler
/// has not checked that the pod can run on another. A class that is `Immediate` says so with `placement: any`; then the
/// other terms are tried in their order. Other orchestrators send requisite terms alone: these are in no order, and the
/// pool with the most room of them is taken, as it is of all pools where nothing is required.
///
/// A term without our key stands for any node: `allowedTopologies` with keys of others cannot say which node the
/// scheduler has selected.
///
/// A copy is made where its source is, whatever is preferred: the scheduler follows the volume.
pub fn choose<'a>(candidates: &'a [Candidate], wish: &Wish<'_>) -> Result<&'a Candidate> {
    let named: Vec<_> = candidates.iter().filter(|one| *one.name == *wish.pool).collect();
    if let Some(home) = wish.home {
        return at_home(&named, wish, home);
    }
    let admitted: Vec<_> =
        named.into_iter().filter(|one| wish.required.admits(&one.topology())).collect();
    let preferred = match wish.placement {
        Placement::Preferred => wish.required.preferred().get(..1).unwrap_or_default(),
        Placement::Any => wish.required.preferred(),
    };
    for term in preferred {
        let there: Vec<_> =
            admitted.iter().copied().filter(|one| term.includes(&one.topology())).collect();
        let chosen = roomiest(&there, wish, &format!("on {term}"));
        if chosen.is_ok() || wish.placement == Placement::Preferred {
            return chosen;
        }
    }
    roomiest(&admitted, wish, "on a node that may have the volume")
}

/// Returns the source's pool, if it takes the copy.
fn at_home<'a>(named: &[&'a Candidate], wish: &Wish<'_>, home: &Pool) -> Result<&'a Candidate> {
    let place = home.topology();
    let requisite = wish.required.requisite();
    if !requisite.is_empty() && !requisite.iter().any(|term| term.includes(&place)) {
        let reason = format!(
            "the source is in {home}, where a copy has to be, too, and no requisite term includes that node: allow \
             {} in allowedTopologies, and run the provisioner without --strict-topology",
            place.value()
        );
        return Err(Error::invalid("accessibility_requirements", reason));
    }
    let there: Vec<_> = named.iter().copied().filter(|one| one.node == home.node).collect();
    roomiest(
        &there,
        wish,
        &format!("on node {}, where the source is and a copy has to be", home.node),
    )
}

/// Returns the pool of those that takes the volume and has the most room; `place` says where they are.
fn roomiest<'a>(
    candidates: &[&'a Candidate],
    wish: &Wish<'_>,
    place: &str,
) -> Result<&'a Candidate> {
    let open: Vec<_> = candidates.iter().copied().filter(|one| one.is_open()).collect();
    let fitting: Vec<_> = open.iter().copied().filter(|one| wish.size <= one.largest).collect();
    if let Some(chosen) = most(&fitting, |one| one.available) {
        return Ok(chosen);
    }
    let pool = wish.pool;
    Err(match (most(&open, |one| one.largest), candidates) {
        (Some(only), [_]) => only.has_no_room(wish.size, ""),
        (Some(roomiest), _) => roomiest.has_no_room(wish.size, &format!(", the roomiest {place},")),
        (None, []) => elsewhere(format!("there is no pool {pool} {place}")),
        (None, [only]) => only.is_closed(),
        (None, _) => elsewhere(format!(
            "no pool {pool} {place} takes new volumes: each is cordoned, or its node is not ready"
        )),
    })
}

/// Of two alike the first by node: whoever decides, and in whatever order the pools are known, it is the same.
fn most<'a>(pools: &[&'a Candidate], room: fn(&Candidate) -> Bytes) -> Option<&'a Candidate> {
    pools.iter().copied().max_by(|a, b| room(a).cmp(&room(b)).then(b.node.cmp(&a.node)))
}

fn elsewhere(reason: String) -> Error {
    Error::Elsewhere { reason }
}

// === impl Candidate ===

impl Candidate {
    fn topology(&self) -> Topology {
        Topology::of_node(&self.node)
    }

    fn is_open(&self) -> bool {
        self.ready && !self.cordoned
    }

    fn is_closed(&self) -> Error {
        let Self { name, node, cordoned, .. } = self;
        elsewhere(if *cordoned {
            format!(
                "pool {name} on node {node} is cordoned, and takes no new volumes: uncordon it, or use another node"
            )
        } else {
            format!("pool {name} takes no new volumes now: its node {node} is not ready")
        })
    }

    fn has_no_room(&self, asked: Bytes, which: &str) -> Error {
        let place = format!("pool {} on node {}{which}", self.name, self.node);
        Error::Exhausted { place, asked, free: self.largest }
    }
}

#[cfg(test)]
mod tests;
