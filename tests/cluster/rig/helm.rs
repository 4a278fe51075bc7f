//! Helm, in the cluster.

use std::path::{Path, PathBuf};
use std::process::Command;

use futures_util::FutureExt;
use serde_json::Value;

use super::orlop::NAMESPACE;
use super::{Identity, Rig, program};

impl Rig {
    /// Installs or upgrades a release of this chart with these values, or returns what is said against it.
    pub(crate) fn helm_install(
        &self,
        release: &str,
        chart: &Path,
        values: &Value,
        options: &[&str],
    ) -> Result<String, String> {
        let file = self.room("helm").join(format!("{release}.json"));
        std::fs::write(&file, values.to_string()).unwrap();
        let mut helm = self.helm(&["upgrade", "--install", "--create-namespace", release]);
        helm.arg(chart).arg("--values").arg(file).args(options);
        let said = ended(helm)?;
        // What needs Orlop in this cluster takes this one.
        self.cluster.orlop.get_or_init(async || ()).now_or_never();
        Ok(said)
    }

    /// Returns what `helm test` would make.
    pub(crate) fn helm_hooks(&self, release: &str) -> String {
        ended(self.helm(&["get", "hooks", release])).unwrap()
    }

    pub(crate) fn helm_uninstall(&self, release: &str) {
        ended(self.helm(&["uninstall", release])).unwrap();
    }

    fn helm(&self, args: &[&str]) -> Command {
        let mut helm = Command::new(program("helm"));
        helm.args(args).args(["--namespace", NAMESPACE]);
        helm.arg("--kubeconfig").arg(self.kubeconfig(&Identity::Admin));
        helm.env("HOME", self.room("helm"));
        helm
    }
}

/// Returns where the chart is.
pub(crate) fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/helm/orlop")
}

fn ended(mut helm: Command) -> Result<String, String> {
    let output = helm.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    if !output.status.success() {
        return Err(errors);
    }
    // The API server warns of what it will not take for ever.
    assert_eq!(errors, "");
    Ok(String::from_utf8(output.stdout).unwrap())
}
