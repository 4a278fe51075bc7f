//! Programs that measure or test: fio and csi-sanity.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use crate::driver::Result;

/// What a program wrote and whether it was content.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) success: bool,
    pub(crate) text: String,
    pub(crate) errors: String,
}

/// Runs the program to its end. It is killed when the bench is interrupted.
pub(crate) async fn run(
    program: impl AsRef<Path>,
    arguments: impl IntoIterator<Item: AsRef<OsStr>>,
) -> Result<Output> {
    let program = program.as_ref();
    #[expect(clippy::disallowed_methods, reason = "`tool` knows only what the driver calls")]
    let ran = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = ran.await.map_err(|why| {
        format!("{}: {why}; `make deps tools` installs what is missing", program.display())
    })?;
    let [text, errors] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok(Output { success: output.status.success(), text, errors })
}
