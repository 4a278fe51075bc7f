//! The roles of inline volumes: a CSIDriver, a socket and a registrar for each that is on.

use std::path::Path;

use orlop::config::Config;
use serde_json::{Value, json};

use crate::helm::{Objects, everything, render, rendered};

const VOLUMES: &str = "csi.orlop.dev";

fn drivers(objects: &Objects) -> Vec<&str> {
    objects.names("CSIDriver")
}

fn config(objects: &Objects) -> Config {
    Config::parse(Path::new("x"), objects.config("orlop-node")).unwrap()
}

#[test]
fn each_role_that_is_on_has_a_driver_and_a_socket() {
    let plain = render(&json!({}));
    assert_eq!(drivers(&plain), [VOLUMES, "scratch.csi.orlop.dev", "config.csi.orlop.dev"]);
    let roles = config(&plain).roles;
    assert_eq!(roles.scratch.endpoint.unwrap().path(), Path::new("/csi-scratch/csi.sock"));
    assert_eq!(roles.config.endpoint.unwrap().path(), Path::new("/csi-config/csi.sock"));
    assert_eq!(roles.hostpath.endpoint, None);

    let none = json!({ "scratch": { "enabled": false }, "config": { "enabled": false } });
    let none = render(&json!({ "roles": none }));
    assert_eq!(drivers(&none), [VOLUMES]);
    assert_eq!(config(&none).roles.scratch.endpoint, None);

    let all = rendered(&everything(), &[]).unwrap();
    assert_eq!(drivers(&all).len(), 4);
}

/// What holds other namespaces off must be there whatever else is left out.
#[test]
fn nothing_but_its_role_takes_what_belongs_to_it_away() {
    let mut values = everything();
    values["csiDriver"] = json!({ "install": false });
    values["policies"] = json!({ "install": false });
    let objects = render(&values);
    let inline = ["scratch.csi.orlop.dev", "config.csi.orlop.dev", "hostpath.csi.orlop.dev"];
    assert_eq!(drivers(&objects), inline);
    for kind in ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] {
        assert_eq!(objects.names(kind), ["orlop-hostpath"]);
    }
}

#[test]
fn what_is_brought_up_to_date_is_read_with_the_tokens_of_pods() {
    let spec = |version: &str| {
        let objects = rendered(&json!({}), &["--kube-version", version]).unwrap();
        let config = objects.config("orlop-node").contains("acceptTokenInContext: true");
        (objects.one("CSIDriver", "config.csi.orlop.dev")["spec"].clone(), config)
    };
    let tokens = json!([{ "audience": "", "expirationSeconds": 600 }]);
    // An API server of 1.34 does not know the field, and a kubelet of 1.34 may serve one of up to 1.37.
    for (version, in_secrets, expected) in [
        ("1.34.0", Value::Null, true),
        ("1.35.0", json!(true), true),
        ("1.37.2", json!(true), true),
        ("1.38.0", json!(true), false),
    ] {
        let (spec, in_context) = spec(version);
        assert_eq!(spec["requiresRepublish"], true);
        assert_eq!(spec["tokenRequests"], tokens);
        assert_eq!(spec["serviceAccountTokenInSecrets"], in_secrets, "{version}");
        assert_eq!(in_context, expected, "{version}");
    }
}

#[test]
fn a_host_path_is_mounted_as_it_is_named_and_kept_out_of_other_namespaces() {
    let objects = render(&everything());
    for daemon_set in objects.of("DaemonSet") {
        let pod = &daemon_set["spec"]["template"]["spec"];
        let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
        let mount = mounts.iter().find(|mount| mount["mountPath"] == "/srv/data").unwrap();
        assert_eq!(mount["mountPropagation"], "HostToContainer");
    }
    let driver = objects.one("CSIDriver", "hostpath.csi.orlop.dev");
    assert_eq!(driver["spec"]["fsGroupPolicy"], "None");
    let label = "security.openshift.io/csi-ephemeral-volume-profile";
    assert_eq!(driver["metadata"]["labels"][label], "privileged");
    objects.one("ValidatingAdmissionPolicy", "orlop-hostpath");
    objects.one("ValidatingAdmissionPolicyBinding", "orlop-hostpath");
    let plain = render(&json!({}));
    assert!(!plain.names("ValidatingAdmissionPolicy").contains(&"orlop-hostpath"));
}

#[test]
fn a_directory_that_two_prefixes_give_is_mounted_once() {
    let prefixes = json!([
        { "path": "/srv/data", "namespaces": ["*"], "readOnly": true },
        { "path": "/srv/data", "namespaces": ["team"] },
    ]);
    let roles = json!({ "hostpath": { "enabled": true, "prefixes": prefixes } });
    let objects = render(&json!({ "roles": roles }));
    let pod = &objects.one("DaemonSet", "orlop-node")["spec"]["template"]["spec"];
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    assert_eq!(mounts.iter().filter(|mount| mount["mountPath"] == "/srv/data").count(), 1);
    let volumes = pod["volumes"].as_array().unwrap();
    let paths = volumes.iter().filter(|volume| volume["hostPath"]["path"] == "/srv/data");
    assert_eq!(paths.count(), 1);
    assert_eq!(config(&objects).roles.hostpath.prefixes.len(), 2);
}

#[test]
fn a_node_can_have_inline_volumes_alone() {
    let objects = render(&json!({ "pools": [] }));
    assert_eq!(objects.names("DaemonSet"), ["orlop-node"]);
    assert_eq!(objects.names("StorageClass"), Vec::<&str>::new());
    assert!(config(&objects).pools.is_empty());
}

#[test]
fn empty_dirs_lie_where_the_values_say() {
    let mounts = |path: &str, pool: &str| {
        let values = json!({
            "roles": { "scratch": { "path": path } }, "pools": [{ "name": "a", "path": pool }],
        });
        let objects = render(&values);
        let found = config(&objects).roles.scratch.path;
        let pod = &objects.one("DaemonSet", "orlop-node")["spec"]["template"]["spec"];
        let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
        (found, mounts.iter().filter(|mount| mount["mountPath"] == path).count())
    };
    for path in ["/srv/scratch", "/srv/pool"] {
        assert_eq!(mounts(path, "/srv/pool"), (Some(path.into()), 1));
    }
    assert_eq!(
        mounts("/var/lib/orlop/btrfs", "/srv/pool"),
        (Some("/var/lib/orlop/btrfs".into()), 0)
    );
}

#[test]
fn with_the_registration_built_in_the_sockets_are_where_kubelet_sees_them() {
    let objects = render(&json!({ "registration": "builtin" }));
    let scratch = config(&objects).roles.scratch.endpoint.unwrap();
    let expected = "/var/lib/kubelet/plugins/scratch.csi.orlop.dev/csi.sock";
    assert_eq!(scratch.path(), Path::new(expected));
}
