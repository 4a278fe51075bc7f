//! Pools are declared once, and become configs, DaemonSets and StorageClasses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use orlop::config::{Config, Kind};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use crate::helm::{Objects, everything, refused, render, rendered};
use crate::nodes::{Labels, is_on};

fn config(objects: &Objects, name: &str) -> Config {
    Config::parse(Path::new(name), objects.config(name))
        .unwrap_or_else(|mistake| panic!("{mistake}"))
}

fn pools(config: &Config) -> BTreeSet<String> {
    config.pools.iter().map(|pool| pool.name.clone()).collect()
}

#[test]
fn without_values_there_is_the_pool_for_trying_out() {
    let objects = render(&json!({}));
    assert_eq!(objects.names("DaemonSet"), ["orlop-node"]);
    let config = config(&objects, "orlop-node");
    assert_eq!(config.pools, Config::default().pools);
    assert_eq!(objects.names("StorageClass"), ["orlop-default", "orlop-default-immediate"]);
}

#[test]
fn the_driver_takes_what_the_values_say() {
    let values = json!({
        "kubeletDir": "/var/lib/k0s/kubelet",
        "metrics": { "host": "0.0.0.0", "port": 9000, "maxVolumes": 7 },
        "driver": {
            "defaultSize": "2Gi", "maxVolumesPerNode": 9, "freezeLimit": "3s", "shutdownGrace": "4s",
        },
        "pools": [{
            "name": "a", "path": "/srv/a", "provisioning": "thin", "ratio": 2.5, "lowWater": "7%",
            "reserve": "3%", "whenFull": "fail",
        }],
    });
    let objects = render(&values);
    let node = config(&objects, "orlop-node");
    let expected = "
        attach: off
        cluster: {}
        defaultSize: 2Gi
        maxVolumesPerNode: 9
        freezeLimit: 3s
        shutdownGrace: 4s
        kubeletRoot: /var/lib/k0s/kubelet
        requireSharedMounts: true
        metrics: {address: '0.0.0.0:9000', maxVolumes: 7}
        roles:
          scratch: {endpoint: 'unix:///csi-scratch/csi.sock', defaultSize: 10Gi}
          config: {endpoint: 'unix:///csi-config/csi.sock', maxBytes: 64Mi, acceptTokenInContext: true}
        pools: [{name: a, kind: image, path: /srv/a, provisioning: thin, ratio: 2.5, lowWater: 7%, reserve: 3%, whenFull: fail}]";
    assert_eq!(node, Config::parse(Path::new("x"), expected).unwrap());
    let controller = config(&objects, "orlop-controller");
    assert_eq!(
        (controller.attach, controller.max_volumes_per_node, controller.metrics),
        (Some(false), 9, node.metrics)
    );
    assert!(controller.cluster.is_some_and(|cluster| cluster.kubeconfig.is_none()));
}

#[test]
fn a_config_takes_each_key_of_a_pool_that_the_values_take() {
    let objects = render(&everything());
    for name in objects.names("DaemonSet") {
        assert!(!config(&objects, name).pools.is_empty());
    }
    assert!(objects.names("DaemonSet").len() > 1);
}

#[test]
fn a_pool_of_a_file_system_of_the_host_is_mounted_from_there() {
    let objects = render(&everything());
    let pod = &objects.one("DaemonSet", "orlop-node")["spec"]["template"]["spec"];
    let paths: Vec<&str> = pod["volumes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["hostPath"]["path"].as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "/var/lib/kubelet/plugins/csi.orlop.dev",
            "/var/lib/kubelet/plugins/scratch.csi.orlop.dev",
            "/var/lib/kubelet/plugins/config.csi.orlop.dev",
            "/var/lib/kubelet/plugins/hostpath.csi.orlop.dev",
            "/srv/data",
            "/var/lib/kubelet/plugins_registry",
            "/var/lib/kubelet",
            "/var/lib/orlop",
            "/dev",
            "/sys/fs/cgroup",
            "/srv/bulk",
            "/srv/pools",
        ]
    );
    let mounted: BTreeMap<&str, &Value> = pod["containers"][0]["volumeMounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["mountPath"].as_str().unwrap(), &one["mountPropagation"]))
        .collect();
    assert_eq!(mounted["/srv/bulk"], "HostToContainer");
    assert_eq!(mounted["/var/lib/kubelet"], "Bidirectional");
    assert_eq!(mounted["/var/lib/orlop"], "Bidirectional");
}

#[test]
fn a_class_is_there_twice_unless_it_says_otherwise() {
    let objects = render(&everything());
    let names = objects.names("StorageClass").into_iter().collect::<BTreeSet<_>>();
    let expected = [
        "bulk",
        "bulk-btrfs",
        "bulk-immediate",
        "orlop-fast",
        "orlop-fast-immediate",
        "orlop-file",
        "orlop-file-immediate",
    ];
    assert_eq!(names, expected.into());
    let class = objects.one("StorageClass", "bulk");
    let default = "storageclass.kubernetes.io/is-default-class";
    assert_eq!(class["metadata"]["annotations"][default], "true");
    assert_eq!(class["provisioner"], "csi.orlop.dev");
    assert_eq!(class["volumeBindingMode"], "WaitForFirstConsumer");
    assert_eq!(class["allowVolumeExpansion"], true);
    assert_eq!(class["reclaimPolicy"], "Retain");
    assert_eq!(class["mountOptions"], json!(["noatime"]));
    let parameters =
        json!({ "pool": "bulk", "csi.storage.k8s.io/fstype": "ext4", "blockSize": "512" });
    assert_eq!(class["parameters"], parameters);
    let immediate = objects.one("StorageClass", "bulk-immediate");
    assert_eq!(immediate["volumeBindingMode"], "Immediate");
    assert_eq!(immediate["metadata"]["annotations"], Value::Null);
    assert_eq!(immediate["parameters"]["placement"], "any");
    assert_eq!(immediate["parameters"]["pool"], "bulk");
}

#[test]
fn a_name_can_mean_another_disk_on_other_nodes() {
    let on = |disk: &str, device: &str| json!({ "name": "fast", "device": device, "nodeSelector": { "disk": disk } });
    let values = json!({ "pools": [on("nvme", "/dev/nvme0n1"), on("ssd", "/dev/sdb")] });
    let objects = render(&values);
    // The nodes that have neither serve inline volumes.
    let pools = |name| config(&objects, name).pools.len();
    let mut counts: Vec<_> = objects.names("DaemonSet").into_iter().map(pools).collect();
    counts.sort_unstable();
    assert_eq!(counts, [0, 1, 1]);
    assert_eq!(objects.names("StorageClass"), ["orlop-fast", "orlop-fast-immediate"]);
    let elsewhere =
        json!({ "name": "fast", "device": "/dev/sdc", "nodeSelector": { "zone": "a" } });
    let said = refused(&json!({ "pools": [on("nvme", "/dev/nvme0n1"), elsewhere] }));
    assert!(said.contains("a node can have the labels of both"), "{said}");
}

/// The labels that pools ask for, and nodes have.
const KEYS: [&str; 3] = ["disk", "zone", "example.com/storage"];
const VALUES: [&str; 3] = ["nvme", "b", ""];

fn labels() -> impl Strategy<Value = Labels> {
    let keys = subsequence(&KEYS[..], 0..=KEYS.len());
    (keys, [select(&VALUES[..]), select(&VALUES[..]), select(&VALUES[..])]).prop_map(
        |(keys, values)| {
            keys.into_iter().map(str::to_owned).zip(values.map(str::to_owned)).collect()
        },
    )
}

/// Every node that these keys and values allow.
fn all_nodes() -> Vec<Labels> {
    KEYS.iter().fold(
        vec![Labels::from([("kubernetes.io/os".to_owned(), "linux".to_owned())])],
        |nodes, key| {
            let with = nodes.iter().flat_map(|node| {
                VALUES.iter().map(|value| {
                    let mut node = node.clone();
                    node.insert((*key).to_owned(), (*value).to_owned());
                    node
                })
            });
            let with: Vec<Labels> = with.collect();
            [nodes, with].concat()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn a_node_has_each_pool_whose_labels_it_has_and_no_other(selectors in prop::collection::vec(labels(), 1..5)) {
        let pools_of = |selectors: &[Labels]| -> Vec<Value> {
            let pool = |(index, selector): (usize, &Labels)| json!({
                "name": format!("p{index}"), "device": format!("/dev/d{index}"), "nodeSelector": selector,
            });
            selectors.iter().enumerate().map(pool).collect()
        };
        let objects = rendered(&json!({ "pools": pools_of(&selectors) }), &[]).unwrap();
        for node in all_nodes() {
            let has = |selector: &Labels| selector.iter().all(|(key, value)| node.get(key) == Some(value));
            let expected: BTreeSet<String> =
                selectors.iter().enumerate().filter(|(_, one)| has(one)).map(|(index, _)| format!("p{index}")).collect();
            let on: Vec<&str> = objects.of("DaemonSet").into_iter().filter(|one| is_on(one, &node))
                .map(|one| one["metadata"]["name"].as_str().unwrap()).collect();
            prop_assert_eq!(on.len(), 1, "{:?}: {:?}", node, on);
            for name in on {
                prop_assert_eq!(pools(&config(&objects, name)), expected.clone(), "{:?}", node);
            }
        }
    }
}

#[test]
fn memory_pools_are_for_tests_and_not_for_charts() {
    for pool in config(&render(&everything()), "orlop-node").pools {
        assert!(matches!(pool.kind, Kind::Image(_)));
    }
    assert!(
        refused(&json!({ "pools": [{ "name": "a", "kind": "memory" }] }))
            .contains("'kind' not allowed")
    );
}
