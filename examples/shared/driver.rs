//! The driver as a process: started, connected to, stopped, and never left behind.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tokio::net::UnixStream;
use tonic::transport::Endpoint;

use super::client::Client;

/// What the examples return; it can cross threads.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How long the driver may take to make its pool.
const PATIENCE: Duration = Duration::from_mins(1);
const BETWEEN_TRIES: Duration = Duration::from_millis(1);

/// A running driver.
#[derive(Debug)]
pub(crate) struct Driver {
    process: Process,
    client: Client,
}

/// A process that ends with this value, whatever went wrong.
#[derive(Debug)]
struct Process(Child);

// === impl Driver ===

impl Driver {
    /// Starts `orlop all` with this config, its socket and its log in the room.
    pub(crate) async fn start(orlop: &Path, room: &Path, config: &str) -> Result<Self> {
        Self::start_telling(orlop, room, config, "info").await
    }

    /// Starts `orlop all` with this config, its socket and its log of this level in the room.
    pub(crate) async fn start_telling(
        orlop: &Path,
        room: &Path,
        config: &str,
        level: &str,
    ) -> Result<Self> {
        let (file, socket) = (room.join("orlop.yaml"), room.join("csi.sock"));
        std::fs::write(&file, config)?;
        let endpoint = OsString::from(format!("unix://{}", socket.display()));
        let arguments = [
            "--config".as_ref(),
            file.as_os_str(),
            "--endpoint".as_ref(),
            &endpoint,
            "--log-level".as_ref(),
            level.as_ref(),
        ];
        Self::start_as(orlop, &arguments, &socket, &room.join("log")).await
    }

    /// Starts `orlop all` with these arguments, and waits until it says that it is ready.
    pub(crate) async fn start_as(
        orlop: &Path,
        arguments: &[&OsStr],
        socket: &Path,
        log: &Path,
    ) -> Result<Self> {
        let mut process = Process::spawn(orlop, arguments, log)?;
        match ready(socket, &mut process).await {
            Ok(client) => Ok(Self { process, client }),
            Err(why) => {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                Err(format!("{why}; the driver said:\n{said}").into())
            }
        }
    }

    /// Returns what makes calls; it can be cloned and used from many tasks.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Returns the number of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Asks the driver to stop, as kubelet does, and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<()> {
        use nix::sys::signal::{Signal, kill};
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid())?);
        kill(pid, Signal::SIGTERM)?;
        loop {
            match self.process.0.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("the driver ended with {status}").into()),
                None => tokio::time::sleep(BETWEEN_TRIES).await,
            }
        }
    }
}

// === impl Process ===

impl Process {
    fn spawn(orlop: &Path, arguments: &[&OsStr], log: &Path) -> Result<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is not the driver: it starts the driver"
        )]
        let spawned = std::process::Command::new(orlop)
            .arg("all")
            .args(arguments)
            .stderr(std::fs::File::create(log)?)
            .stdout(Stdio::null())
            .spawn();
        Ok(Self(spawned.map_err(|why| format!("start {}: {why}", orlop.display()))?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // To kill one that has ended is no error worth telling.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Returns a client as soon as the driver answers it.
async fn ready(socket: &Path, process: &mut Process) -> Result<Client> {
    let began = Instant::now();
    let mut why = "the socket does not exist".to_owned();
    while began.elapsed() < PATIENCE {
        if let Some(status) = process.0.try_wait()? {
            return Err(format!("the driver ended with {status}").into());
        }
        match probe(socket).await {
            Ok(Some(client)) => return Ok(client),
            Ok(None) => "it is not ready".clone_into(&mut why),
            Err(error) => why = error.to_string(),
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
    Err(format!("the driver did not answer within {PATIENCE:?}: {why}").into())
}

/// Returns a client if the driver says that it is ready.
async fn probe(socket: &Path) -> Result<Option<Client>> {
    let client = connect(socket).await?;
    Ok(client.probe().await?.then_some(client))
}

/// Connects to the socket.
pub(crate) async fn connect(socket: &Path) -> Result<Client> {
    let path = socket.to_owned();
    let connector = tower::service_fn(move |_| {
        let path = path.clone();
        async move {
            let stream = UnixStream::connect(path).await?;
            Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(stream))
        }
    });
    let endpoint = Endpoint::from_static("http://localhost");
    Ok(Client::new(&endpoint.connect_with_connector(connector).await?))
}
