//! What the containers may do, and what they are told.

use std::path::Path;

use orlop::config::Config;
use serde_json::{Value, json};

use crate::helm::{everything, render};

fn containers(workload: &Value) -> Vec<&Value> {
    workload["spec"]["template"]["spec"]["containers"].as_array().unwrap().iter().collect()
}

fn named<'a>(workload: &'a Value, name: &str) -> &'a Value {
    let found = containers(workload).into_iter().find(|one| one["name"] == name);
    found.unwrap_or_else(|| panic!("there is no container {name}"))
}

fn names(workload: &Value) -> Vec<&str> {
    containers(workload).into_iter().map(|one| one["name"].as_str().unwrap()).collect()
}

fn args(container: &Value) -> Vec<&str> {
    container["args"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect()
}

#[test]
fn the_controller_may_run_where_everything_is_restricted() {
    let objects = render(&everything());
    let controller = objects.one("Deployment", "orlop-controller");
    let pod = &controller["spec"]["template"]["spec"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(pod["hostNetwork"], Value::Null);
    for container in containers(controller) {
        let expected = json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        });
        assert_eq!(container["securityContext"], expected, "{}", container["name"]);
    }
    for volume in pod["volumes"].as_array().unwrap() {
        assert_eq!(volume["hostPath"], Value::Null);
    }
}

#[test]
fn nothing_on_a_node_is_privileged_but_the_driver() {
    let objects = render(&everything());
    for daemon_set in objects.of("DaemonSet") {
        let roles = ["registrar-scratch", "registrar-config", "registrar-hostpath"];
        let beside = ["driver", "registrar"].into_iter().chain(roles).chain(["livenessprobe"]);
        assert_eq!(names(daemon_set), beside.collect::<Vec<_>>());
        let pod = &daemon_set["spec"]["template"]["spec"];
        for of_the_host in ["hostNetwork", "hostPID", "hostIPC"] {
            assert_eq!(pod[of_the_host], Value::Null);
        }
        for container in containers(daemon_set) {
            let context = &container["securityContext"];
            assert_eq!(context["readOnlyRootFilesystem"], true);
            let is_driver = container["name"] == "driver";
            assert_eq!(context["privileged"] == true, is_driver);
            assert_eq!(context["capabilities"]["drop"] == json!(["ALL"]), !is_driver);
        }
    }
}

#[test]
fn every_container_has_bounds() {
    let objects = render(&everything());
    for workload in objects.of("DaemonSet").into_iter().chain(objects.of("Deployment")) {
        for container in containers(workload) {
            let resources = &container["resources"];
            assert!(resources["limits"]["memory"].is_string(), "{}", container["name"]);
            assert!(resources["requests"]["cpu"].is_string(), "{}", container["name"]);
        }
    }
}

#[test]
fn the_driver_on_a_node_may_take_what_its_programs_need() {
    for (node, expected) in [
        (json!({}), "384Mi"),
        (json!({ "toolMemory": "1Gi" }), "1152Mi"),
        (json!({ "toolMemory": "512Mi", "resources": { "limits": { "cpu": "1" } } }), "640Mi"),
        (json!({ "resources": { "limits": { "memory": "2Gi" } } }), "2Gi"),
    ] {
        let objects = render(&json!({ "node": node }));
        let driver = named(objects.one("DaemonSet", "orlop-node"), "driver");
        assert_eq!(driver["resources"]["limits"]["memory"], expected, "{node}");
    }
}

#[test]
fn one_controller_is_alone_and_two_are_elected() {
    let alone = render(&json!({ "snapshots": { "enabled": true } }));
    let controller = alone.one("Deployment", "orlop-controller");
    assert_eq!(controller["spec"]["strategy"]["type"], "Recreate");
    assert_eq!(names(controller), ["driver", "csi-provisioner", "csi-resizer", "csi-snapshotter"]);
    assert_eq!(alone.names("PodDisruptionBudget"), Vec::<&str>::new());
    let sidecars =
        |workload| containers(workload).into_iter().filter(|one| one["name"] != "driver");
    for container in sidecars(controller) {
        assert!(!args(container).contains(&"--leader-election"));
    }
    let two = render(&everything());
    let controller = two.one("Deployment", "orlop-controller");
    assert_eq!(controller["spec"]["strategy"]["type"], "RollingUpdate");
    assert_eq!(two.names("PodDisruptionBudget"), ["orlop-controller"]);
    for container in sidecars(controller) {
        assert!(args(container).contains(&"--leader-election"));
        assert!(args(container).contains(&"--leader-election-namespace=orlop"));
    }
    let leases = |rules: &Value| {
        rules["rules"].as_array().unwrap().iter().any(|rule| rule["resources"] == json!(["leases"]))
    };
    assert!(!leases(alone.one("Role", "orlop-sidecars")));
    assert!(leases(two.one("Role", "orlop-sidecars")));
}

#[test]
fn the_provisioner_tells_of_capacity_and_leaves_the_choice_of_a_node_to_orlop() {
    let objects = render(&json!({}));
    let provisioner = named(objects.one("Deployment", "orlop-controller"), "csi-provisioner");
    let args = args(provisioner);
    for flag in [
        "--enable-capacity",
        "--capacity-ownerref-level=2",
        "--capacity-threads=4",
        "--kube-api-capacity-qps=20",
        "--kube-api-capacity-burst=100",
        "--extra-create-metadata",
        "--immediate-topology=false",
    ] {
        assert!(args.contains(&flag), "{flag}");
    }
    assert!(!args.iter().any(|arg| arg.starts_with("--strict-topology")));
}

#[test]
fn group_snapshots_are_asked_for_where_the_cluster_has_them() {
    for (groups, expected) in [(true, "true"), (false, "false")] {
        let objects = render(&json!({ "snapshots": { "enabled": true, "groups": groups } }));
        let snapshotter = named(objects.one("Deployment", "orlop-controller"), "csi-snapshotter");
        let gate = format!("--feature-gates=CSIVolumeGroupSnapshot={expected}");
        assert!(args(snapshotter).contains(&&*gate));
    }
}

#[test]
fn the_driver_is_asked_whether_it_lives_over_its_socket_or_over_http() {
    for (with, port, expected) in [(true, "healthz", true), (false, "metrics", false)] {
        let objects = render(&json!({ "sidecars": { "livenessprobe": { "enabled": with } } }));
        let daemon_set = objects.one("DaemonSet", "orlop-node");
        assert_eq!(names(daemon_set).contains(&"livenessprobe"), expected);
        let driver = named(daemon_set, "driver");
        assert_eq!(driver["livenessProbe"]["httpGet"]["port"], port);
        assert_eq!(driver["livenessProbe"]["httpGet"]["path"], "/healthz");
        let is_there = driver["ports"].as_array().unwrap().iter().any(|one| one["name"] == port);
        assert!(is_there);
    }
}

#[test]
fn a_change_of_the_config_starts_its_pods_anew_and_no_others() {
    let sum = |values: &Value, kind: &str, name: &str| {
        let objects = render(values);
        let pod = &objects.one(kind, name)["spec"]["template"];
        pod["metadata"]["annotations"]["checksum/config"].as_str().unwrap().to_owned()
    };
    let (plain, pool) = (json!({}), json!({ "pools": [{ "name": "default", "path": "/srv" }] }));
    let frozen = json!({ "driver": { "freezeLimit": "1s" } });
    let node = |values| sum(values, "DaemonSet", "orlop-node");
    let controller = |values| sum(values, "Deployment", "orlop-controller");
    assert_ne!(node(&plain), node(&pool));
    assert_eq!(controller(&plain), controller(&pool));
    assert_ne!(node(&plain), node(&frozen));
}

#[test]
fn an_upgrade_restarts_one_node_at_a_time() {
    let objects = render(&everything());
    for daemon_set in objects.of("DaemonSet") {
        let strategy = json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 1 } });
        assert_eq!(daemon_set["spec"]["updateStrategy"], strategy);
    }
}

#[test]
fn openshift_chooses_the_user() {
    let user = |values: &Value| {
        let objects = render(values);
        let pod = &objects.one("Deployment", "orlop-controller")["spec"]["template"]["spec"];
        pod["securityContext"]["runAsUser"].clone()
    };
    assert_eq!(user(&json!({})), 65532);
    assert_eq!(user(&json!({ "openshift": { "enabled": true } })), Value::Null);
}

#[test]
fn the_csi_driver_says_what_a_local_volume_needs() {
    let objects = render(&json!({}));
    let driver = objects.one("CSIDriver", "csi.orlop.dev");
    let expected = json!({
        "attachRequired": false, "podInfoOnMount": true, "storageCapacity": true,
        "fsGroupPolicy": "File", "seLinuxMount": false, "volumeLifecycleModes": ["Persistent"],
    });
    assert_eq!(driver["spec"], expected);
    assert_eq!(driver["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
}

#[test]
fn with_the_registration_built_in_a_node_has_one_container() {
    let objects =
        render(&json!({ "registration": "builtin", "kubeletDir": "/var/lib/k0s/kubelet" }));
    let node = objects.one("DaemonSet", "orlop-node");
    assert_eq!(names(node), ["driver"]);
    let driver = named(node, "driver");
    // Kubelet is told the path that the driver sees.
    let directory = "/var/lib/k0s/kubelet/plugins/csi.orlop.dev";
    let variables = driver["env"].as_array().unwrap();
    let endpoint = variables.iter().find(|one| one["name"] == "CSI_ENDPOINT").unwrap();
    assert_eq!(endpoint["value"], format!("unix://{directory}/csi.sock"));
    let mounts = driver["volumeMounts"].as_array().unwrap();
    assert!(mounts.iter().any(|mount| mount["mountPath"] == directory));
    assert_eq!(driver["livenessProbe"]["httpGet"]["port"], "metrics");
    let config = Config::parse(Path::new("x"), objects.config("orlop-node")).unwrap();
    assert!(config.registration);
    assert_eq!(config.plugin_registry(), Path::new("/var/lib/k0s/kubelet/plugins_registry"));
}
