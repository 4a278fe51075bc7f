use proptest::prelude::*;

use super::*;
use crate::backend::LocalPool;
use crate::backend::memory::Memory;
use crate::host::simulated::Simulated;
use crate::volume::Term;

const SIZE: Bytes = Bytes::gib(2);

fn candidate(node: &str, gib: u64) -> Candidate {
    let (largest, available) = (Bytes::gib(gib), Bytes::gib(gib));
    Candidate {
        name: "fast".into(),
        node: node.into(),
        ready: true,
        cordoned: false,
        largest,
        available,
    }
}

fn terms(nodes: &[&str]) -> Vec<Term> {
    nodes.iter().map(|node| Term::on(&Topology::of_node(node))).collect()
}

fn required(requisite: &[&str], preferred: &[&str]) -> Requirement {
    Requirement::new(terms(requisite), terms(preferred))
}

fn wish(required: &Requirement) -> Wish<'_> {
    Wish { pool: "fast", size: SIZE, required, home: None, placement: Placement::Preferred }
}

fn of<'a>(home: &'a Pool, required: &'a Requirement) -> Wish<'a> {
    Wish { home: Some(home), ..wish(required) }
}

fn pool(node: &str) -> Pool {
    let backend = Memory::new("fast", Bytes::gib(1), Simulated::default());
    LocalPool::new("fast", node, Arc::new(backend)).to_pool()
}

fn node(chosen: Result<&Candidate>) -> String {
    chosen.unwrap().node.to_string()
}

#[track_caller]
fn refused(chosen: Result<&Candidate>, is: fn(&Error) -> bool, sentence: &str) {
    let error = chosen.unwrap_err();
    assert!(is(&error), "{error:?}");
    assert_eq!(error.sentence(), sentence);
}

fn is_exhausted(error: &Error) -> bool {
    matches!(error, Error::Exhausted { .. })
}

fn is_elsewhere(error: &Error) -> bool {
    matches!(error, Error::Elsewhere { .. })
}

#[test]
fn without_requirements_the_pool_with_the_most_room_on_an_open_node_is_taken() {
    let mut pools = ["a", "b", "c", "d"].map(|node| candidate(node, 8));
    let none = Requirement::default();
    // Alike, the first by name.
    assert_eq!(node(choose(&pools, &wish(&none))), "a");
    pools[1].available = Bytes::gib(20);
    pools[2] = Candidate { ready: false, ..candidate("c", 40) };
    pools[3] = Candidate { cordoned: true, ..candidate("d", 40) };
    assert_eq!(node(choose(&pools, &wish(&none))), "b");
    // Much room in all is no help where no single volume can have it.
    pools[1].largest = Bytes::gib(1);
    assert_eq!(node(choose(&pools, &wish(&none))), "a");
    pools[0].largest = Bytes::mib(512);
    let sentence = "pool fast on node b, the roomiest on a node that may have the volume, has no room: \
                    2 GiB asked, 1 GiB free";
    refused(choose(&pools, &wish(&none)), is_exhausted, sentence);
    // The same goes for what is refused.
    let full = ["b", "a", "c"].map(|node| candidate(node, 1));
    assert!(
        choose(&full, &wish(&none)).unwrap_err().sentence().starts_with("pool fast on node a,")
    );
}

#[test]
fn a_selected_node_gets_the_volume_or_nobody_does() {
    let mut pools = vec![candidate("a", 8), candidate("b", 1), candidate("c", 40)];
    let nodes = ["a", "b", "c", "d"];
    let selected = |node: &str| {
        let at = nodes.iter().position(|one| *one == node).unwrap();
        let turned: Vec<_> = nodes[at..].iter().chain(&nodes[..at]).copied().collect();
        required(&nodes, &turned)
    };
    assert_eq!(node(choose(&pools, &wish(&selected("a")))), "a");
    let sentence = "pool fast on node b has no room: 2 GiB asked, 1 GiB free";
    refused(choose(&pools, &wish(&selected("b"))), is_exhausted, sentence);
    let sentence = "there is no pool fast on node d";
    refused(choose(&pools, &wish(&selected("d"))), is_elsewhere, sentence);
    pools[0].cordoned = true;
    pools[2].ready = false;
    let sentence = "pool fast on node a is cordoned, and takes no new volumes: uncordon it, or use another node";
    refused(choose(&pools, &wish(&selected("a"))), is_elsewhere, sentence);
    let sentence = "pool fast takes no new volumes now: its node c is not ready";
    refused(choose(&pools, &wish(&selected("c"))), is_elsewhere, sentence);
}

#[test]
fn a_class_that_allows_any_node_falls_through_the_terms_in_their_order() {
    let pools = [candidate("a", 1), candidate("b", 4), candidate("c", 40), candidate("d", 80)];
    let allowed = required(&["a", "b", "c"], &["a", "b", "c"]);
    let any = Wish { placement: Placement::Any, ..wish(&allowed) };
    assert_eq!(node(choose(&pools, &any)), "b");
    refused(
        choose(&pools, &wish(&allowed)),
        is_exhausted,
        "pool fast on node a has no room: 2 GiB asked, 1 GiB free",
    );
    let huge = Wish { size: Bytes::gib(60), ..any };
    let sentence = "pool fast on node c, the roomiest on a node that may have the volume, has no room: \
                    60 GiB asked, 40 GiB free";
    refused(choose(&pools, &huge), is_exhausted, sentence);
}

#[test]
fn requisite_terms_alone_are_in_no_order() {
    let pools = [candidate("a", 4), candidate("b", 8), candidate("c", 40)];
    assert_eq!(node(choose(&pools, &wish(&required(&["a", "b"], &[])))), "b");
    let closed = [Candidate { ready: false, ..candidate("a", 8) }, candidate("c", 40)];
    let sentence = "pool fast takes no new volumes now: its node a is not ready";
    refused(choose(&closed, &wish(&required(&["a", "b"], &[]))), is_elsewhere, sentence);
    let sentence = "there is no pool fast on a node that may have the volume";
    refused(choose(&pools, &wish(&required(&["x"], &[]))), is_elsewhere, sentence);
}

#[test]
fn a_copy_goes_where_its_source_is_or_nowhere() {
    let mut pools = vec![candidate("a", 4), candidate("b", 40)];
    let home = pool("a");
    for required in
        [required(&["a", "b"], &["b", "a"]), required(&[], &["b"]), Requirement::default()]
    {
        assert_eq!(node(choose(&pools, &of(&home, &required))), "a");
    }
    let without = required(&["b"], &["b"]);
    refused(
        choose(&pools, &of(&home, &without)),
        |error| matches!(error, Error::Invalid { .. }),
        "accessibility_requirements: the source is in pool fast on node a, where a copy has to be, too, and no \
         requisite term includes that node: allow a in allowedTopologies, and run the provisioner without \
         --strict-topology",
    );
    let none = Requirement::default();
    pools[0] = candidate("a", 1);
    let sentence = "pool fast on node a has no room: 2 GiB asked, 1 GiB free";
    refused(choose(&pools, &of(&home, &none)), is_exhausted, sentence);
    let any = Wish { placement: Placement::Any, ..of(&home, &none) };
    refused(choose(&pools, &any), is_exhausted, sentence);
    pools.remove(0);
    let sentence = "there is no pool fast on node a, where the source is and a copy has to be";
    refused(choose(&pools, &of(&home, &none)), is_elsewhere, sentence);
}

#[test]
fn a_class_means_the_only_name_or_the_default_one_however_many_nodes_have_it() {
    for (names, class, means) in [
        (&["fast", "fast", "fast"][..], None, Ok("fast")),
        (&["fast", "default", "fast"], None, Ok("default")),
        (&["fast", "bulk"], Some("bulk"), Ok("bulk")),
        (
            &["fast", "bulk", "fast"],
            None,
            Err(
                "parameters.pool: is required where no pool is named \"default\"; there is: fast, bulk",
            ),
        ),
        (
            &["fast", "fast"],
            Some("slow"),
            Err("parameters.pool: there is no pool \"slow\"; there is: fast"),
        ),
    ] {
        let found = meant(names, class);
        assert_eq!(found.as_ref().copied().map_err(Error::sentence), means.map_err(str::to_owned));
    }
}

const NODES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn any_pools() -> impl Strategy<Value = Vec<Candidate>> {
    let one =
        (prop::bool::weighted(0.8), prop::bool::weighted(0.2), 0..6u64, 0..6u64, prop::bool::ANY);
    prop::collection::vec(one, NODES.len()).prop_map(|drawn| {
        let pool = |(node, (ready, cordoned, largest, more, fast)): (&&str, _)| Candidate {
            name: if fast { "fast" } else { "bulk" }.into(),
            ready,
            cordoned,
            largest: Bytes::gib(largest),
            available: Bytes::gib(largest + more),
            ..candidate(node, 0)
        };
        NODES.iter().zip(drawn).map(pool).collect()
    })
}

fn any_terms() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(&NODES[..], 0..=NODES.len()).prop_shuffle()
}

proptest! {
    #[test]
    fn whatever_is_chosen_is_allowed_and_whatever_is_refused_could_not_be_had(
        pools in any_pools(), requisite in any_terms(), turned in 0..5usize, order in any_terms(),
        is_any in prop::bool::ANY, home in prop::option::of(0..NODES.len()),
    ) {
        // As the provisioner sends it, or requisite terms alone.
        let preferred = if turned < requisite.len() {
            [&requisite[turned..], &requisite[..turned]].concat()
        } else {
            Vec::new()
        };
        let required = required(&requisite, &preferred);
        let home = home.map(|number| pool(NODES[number]));
        let placement = if is_any { Placement::Any } else { Placement::Preferred };
        let wish = Wish { home: home.as_ref(), placement, ..wish(&required) };
        let chosen = choose(&pools, &wish);

        // In whatever order the pools are known, the answer is the same.
        let mut shuffled = pools.clone();
        shuffled.sort_by_key(|one| order.iter().position(|node| *one.node == **node));
        match (&chosen, choose(&shuffled, &wish)) {
            (Ok(one), other) => prop_assert_eq!(*one, other.unwrap()),
            (Err(one), other) => prop_assert_eq!(one.sentence(), other.unwrap_err().sentence()),
        }

        let takes = |one: &&Candidate| {
            *one.name == *"fast" && one.ready && !one.cordoned && one.largest >= SIZE
        };
        let allowed = |one: &&Candidate| match &wish.home {
            Some(home) => one.node == home.node && (requisite.is_empty() || requisite.contains(&&*home.node)),
            None => match preferred.first().filter(|_| !is_any) {
                Some(first) => *one.node == **first,
                None => requisite.is_empty() || requisite.contains(&&*one.node),
            },
        };
        let possible: Vec<_> = pools.iter().filter(takes).filter(allowed).collect();
        match chosen {
            Err(why) => prop_assert!(possible.is_empty(), "{why}"),
            Ok(chosen) => {
                prop_assert!(possible.contains(&chosen));
                let rank = |one: &Candidate| preferred.iter().position(|node| *one.node == **node);
                let better = |one: &&&Candidate| match (rank(one), rank(chosen)) {
                    (Some(one), Some(chosen)) => one < chosen,
                    _ => one.available > chosen.available,
                };
                prop_assert_eq!(possible.iter().find(better), None);
            }
        }
    }
}
