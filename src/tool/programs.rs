//! Where the programs are. They are looked for once, in directories that only root can change, and never
//! through `PATH`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::{Program, ToolError};

static SHARED: OnceLock<Programs> = OnceLock::new();

/// The programs that were found, by their absolute paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Programs(BTreeMap<Program, PathBuf>);

// === impl Programs ===

impl Programs {
    /// Where programs are looked for when nothing else is said.
    pub const USUAL_DIRECTORIES: [&str; 5] =
        ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin"];

    /// Looks in the usual directories.
    pub fn find() -> Self {
        Self::find_in(&Self::USUAL_DIRECTORIES)
    }

    /// Looks in these directories, the first that has a program first.
    pub fn find_in(directories: &[impl AsRef<Path>]) -> Self {
        let find = |program: Program| {
            let paths = directories.iter().map(|dir| dir.as_ref().join(program.name()));
            Some((program, paths.into_iter().find(|path| is_executable(path))?))
        };
        Self(Program::ALL.into_iter().filter_map(find).collect())
    }

    /// Returns the programs that [`super::Invocation::run`] uses: those that were [shared](Self::share), else
    /// those found now, on the first call.
    pub fn shared() -> &'static Self {
        SHARED.get_or_init(Self::find)
    }

    /// Makes these the programs that the whole process uses. Returns them when it is too late, because others
    /// are in use already.
    pub fn share(self) -> Result<(), Self> {
        SHARED.set(self)
    }

    /// Returns the path of `program`.
    pub fn path(&self, program: Program) -> Result<&Path, ToolError> {
        self.0.get(&program).map(PathBuf::as_path).ok_or(ToolError::Missing { program })
    }

    /// Returns the programs that were not found, for a warning at start.
    pub fn missing(&self) -> Vec<Program> {
        Program::ALL.into_iter().filter(|program| !self.0.contains_key(program)).collect()
    }
}

fn is_executable(path: &Path) -> bool {
    const ANYBODY: u32 = 0o111;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & ANYBODY != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_first_directory_wins_and_the_rest_is_missing() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        symlink("/bin/sh", one.path().join("blkid")).unwrap();
        symlink("/bin/sh", two.path().join("blkid")).unwrap();
        symlink("/bin/sh", two.path().join("e2fsck")).unwrap();
        // Not executable, and not a file.
        std::fs::write(one.path().join("xfs_db"), "").unwrap();
        std::fs::create_dir(one.path().join("tune2fs")).unwrap();
        let programs = Programs::find_in(&[one.path(), two.path()]);
        assert_eq!(programs.path(Program::Blkid).unwrap(), one.path().join("blkid"));
        assert_eq!(programs.path(Program::E2fsck).unwrap(), two.path().join("e2fsck"));
        assert_eq!(programs.missing().len(), Program::ALL.len() - 2);
        let message = programs.path(Program::XfsDb).unwrap_err().to_string();
        assert_eq!(message, "xfs_db is not installed (package xfsprogs)");
    }
}
