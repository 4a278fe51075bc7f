//! What is printed of a flow that failed.

use super::{Flow, INSTALLED, kubectl_if_it_can};

impl Flow {
    /// Returns what happened in the namespace, and what the driver said of it last.
    pub(crate) fn story(&self) -> String {
        // Whoever is not there now has nothing to say.
        let kubectl = |args: &[&str]| kubectl_if_it_can(args).unwrap_or_default();
        let here = ["-n", &self.namespace];
        let shown = |args: &[&str]| kubectl(&[args, &here].concat());
        let driver = |component: &str| {
            let label = format!("app.kubernetes.io/component={component}");
            kubectl(&[
                "logs",
                "-n",
                INSTALLED,
                "-l",
                &label,
                "--all-containers",
                "--prefix",
                "--tail=15",
            ])
        };
        format!(
            "--- {}\n{}\n{}\n{}\n{}\n{}",
            self.namespace,
            shown(&["get", "pods,pvc,volumesnapshots,volumegroupsnapshots", "-o", "wide"]),
            shown(&["get", "events", "--sort-by=.lastTimestamp"]),
            kubectl(&["get", "orlop", "-o", "wide"]),
            driver("controller"),
            driver("node"),
        )
    }
}
