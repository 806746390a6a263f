//! The gatelog that is trained: started, asked where it listens, and ended so that it writes down what it has counted.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// What is switched on.
#[derive(Debug, Clone, Copy)]
pub enum Extent {
    /// JSON on stdout.
    Default,
    /// Store, several outputs, filters.
    Everything,
}

/// A running gatelog.
pub struct Proxy {
    child: Child,
    /// Its listener without TLS.
    pub plain: SocketAddr,
    /// Its listener with it.
    pub tls: SocketAddr,
    /// What that one shows, for `localhost`.
    pub certificate: CertificateDer<'static>,
    _folder: TempDir,
}

impl Proxy {
    /// Starts it in front of `app`, its log in a folder of its own. What is given is the program with what stands before
    /// its own arguments.
    ///
    /// # Errors
    /// When it does not start, or ends before it serves.
    pub async fn start(mut gatelog: Command, app: SocketAddr, extent: Extent) -> anyhow::Result<Proxy> {
        let folder = tempfile::tempdir()?;
        let certificate = prepare(folder.path(), app, extent)?;
        let log = folder.path().join("stdout.json");
        let mut child = gatelog
            .args(["run", "--config", "gatelog.toml"])
            .current_dir(folder.path())
            // It is for this process; the other one is to write its counts.
            .env_remove("LLVM_PROFILE_FILE")
            .stdout(Stdio::from(File::create(&log)?))
            .spawn()
            .with_context(|| format!("{} does not start", gatelog.get_program().display()))?;
        let listens = loop {
            if let Some(listens) = listens(&log)? {
                break listens;
            }
            ensure!(child.try_wait()?.is_none(), "gatelog has ended before it served");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        };
        let [plain, tls] = listens[..] else { bail!("two listeners are expected, not {listens:?}") };
        Ok(Proxy { child, plain, tls, certificate, _folder: folder })
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as an operator would.
    ///
    /// # Errors
    /// When it does not end well.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process has a number")?;
        kill_process(pid, Signal::TERM)?;
        let ended = tokio::task::spawn_blocking(move || self.child.wait()).await??;
        ensure!(ended.success(), "gatelog has ended with {ended}");
        Ok(())
    }
}

/// Writes what it is started with: configuration and certificate.
fn prepare(folder: &Path, app: SocketAddr, extent: Extent) -> anyhow::Result<CertificateDer<'static>> {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    fs::write(folder.join("certificate.pem"), certified.cert.pem())?;
    fs::write(folder.join("key.pem"), certified.signing_key.serialize_pem())?;
    let more = match extent {
        Extent::Default => "",
        Extent::Everything => include_str!("../everything.toml"),
    };
    let text = include_str!("../gatelog.toml").replace("APPLICATION", &app.to_string());
    fs::write(folder.join("gatelog.toml"), text + more)?;
    Ok(certified.cert.der().clone())
}

/// Where it listens, once its log says so.
fn listens(log: &Path) -> anyhow::Result<Option<Vec<SocketAddr>>> {
    for line in BufReader::new(File::open(log)?).lines() {
        let Ok(record) = serde_json::from_str::<serde_json::Value>(&line?) else { continue };
        if record["event"] == "server_started" {
            let addresses = record["listen"].as_array().into_iter().flatten().filter_map(|url| url.as_str());
            let addresses = addresses.filter_map(|url| url.rsplit('/').next()?.parse().ok());
            return Ok(Some(addresses.collect()));
        }
    }
    Ok(None)
}
