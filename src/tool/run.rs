//! Runs one call to its end, or to its limit.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::process::Command;
use tokio::time::timeout;

use super::capture::Capture;
use super::group::Group;
use super::{Call, Invocation, OnLimit, ToolError};

/// How long a killed program may take to be gone. One that waits for a broken device cannot die; it keeps its
/// lock, and is reaped when it does.
const GRACE: Duration = Duration::from_secs(5);

/// What a program left: the ends of what it wrote, and its exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The last 64 KiB of its standard output.
    pub stdout: String,
    /// The last 64 KiB of its standard error.
    pub stderr: String,
    /// Its exit code, one of the accepted ones.
    pub code: i32,
}

/// Runs the program at `path` as `call` says.
pub(super) async fn run(call: Call, path: &Path) -> Result<Output, ToolError> {
    let Call { invocation, holding, accepted } = call;
    let Invocation { program, limit, on_limit, .. } = invocation;
    let broken = |source| ToolError::Start { program, source };
    let begin = Instant::now();

    let (stdout, stderr) = (Capture::new().map_err(broken)?, Capture::new().map_err(broken)?);
    let mut command = command(path, &invocation);
    command.stdin(holding.map_or_else(Stdio::null, Stdio::from));
    command.stdout(stdout.end().map_err(broken)?).stderr(stderr.end().map_err(broken)?);
    // It may have been there when programs were looked for, and uninstalled since.
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let started = command
        .spawn()
        .map_err(|error| if gone(&error) { ToolError::Missing { program } } else { broken(error) });
    let mut group = Group::new(started?, on_limit);
    // It keeps our copies of the descriptors, and with them the lock.
    drop(command);

    let status = match timeout(limit, group.wait()).await {
        Ok(status) => status.map_err(broken)?,
        Err(_elapsed) => {
            end(&mut group, &invocation).await.map_err(broken)?;
            return Err(ToolError::TooSlow { program, limit });
        }
    };
    tracing::debug!(%invocation, %status, elapsed = ?begin.elapsed(), "ran");
    match status.code().filter(|code| accepted.contains(code)) {
        Some(code) => Ok(Output {
            stdout: stdout.tail().map_err(broken)?,
            stderr: stderr.tail().map_err(broken)?,
            code,
        }),
        None => Err(failed(invocation, status, &stderr)),
    }
}

fn command(path: &Path, invocation: &Invocation) -> Command {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that starts programs")]
    let mut command = Command::new(path);
    command.args(&invocation.args).env_clear().env("LC_ALL", "C").process_group(0);
    command.kill_on_drop(invocation.on_limit == OnLimit::Kill);
    command
}

/// Ends a program that took too long, in the way that its work allows.
async fn end(group: &mut Group, invocation: &Invocation) -> io::Result<()> {
    match invocation.on_limit {
        OnLimit::Kill => {
            group.signal(Signal::KILL);
            match timeout(GRACE, group.wait()).await {
                Ok(status) => status.map(drop),
                Err(_elapsed) => {
                    tracing::warn!(%invocation, "killed, and still there");
                    Ok(())
                }
            }
        }
        OnLimit::TerminateAndWait => {
            tracing::warn!(%invocation, limit = ?invocation.limit, "too slow; it is asked to end");
            group.signal(Signal::TERM);
            group.wait().await.map(drop)
        }
    }
}

fn failed(invocation: Invocation, status: ExitStatus, stderr: &Capture) -> ToolError {
    let Invocation { program, args, .. } = invocation;
    let stderr = stderr.tail().unwrap_or_else(|error| format!("(unreadable: {error})"));
    ToolError::Failed { program, args, status, stderr }
}

#[cfg(test)]
mod tests;
