//! What every command needs: configuration, data directory, store and keys, opened once.

use crate::cli::Common;
use crate::config::{self, Config};
use crate::secrets;
use anyhow::{Context, Result, bail};
use auth::head::HeadKey;
use auth::key::Keyring;
use auth::seal::Sealer;
use model::{NodeId, TargetId};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{DatabaseUrl, Options, Store};
use uuid::Uuid;

/// The house with its doors still closed.
pub(crate) struct House {
    pub(crate) config: Config,
    pub(crate) data: PathBuf,
    pub(crate) store: Store,
    pub(crate) sealer: Arc<Sealer>,
    /// What sealed values and access tokens hang on.
    pub(crate) keys: Keyring,
    /// What signs the audit log's heads.
    pub(crate) head_key: Arc<HeadKey>,
    pub(crate) node: NodeId,
}

impl House {
    /// Opens it; makes the data directory, keys and tables on first use.
    pub(crate) async fn open(common: &Common) -> Result<House> {
        let loaded = config::load(common.config.as_deref(), common.data.as_deref())?;
        House::with(loaded.config).await
    }

    /// Opens it with a configuration at hand.
    pub(crate) async fn with(config: Config) -> Result<House> {
        let data = config.data_dir()?;
        make_private(&data)?;
        let url = match &config.database.url {
            Some(url) => url.parse().context("database.url")?,
            None => DatabaseUrl::file(data.join("gatehouse.db")),
        };
        let store = Store::open(&url, Options::default()).await.context("the database cannot be opened")?;
        let node = store::node_id_in(&data, NodeId(Uuid::now_v7()))?;
        let keys = secrets::keyring(&data).context("the key for stored secrets cannot be used")?;
        let sealer = Arc::new(Sealer::following(secrets::given()?, &data, &keys));
        let head_key = HeadKey::in_directory(&data).context("the audit log's signing key cannot be used")?;
        Ok(House { config, data, store, sealer, keys, head_key: Arc::new(head_key), node })
    }

    /// The target of this name.
    pub(crate) async fn target(&self, name: &str) -> Result<store::TargetRecord> {
        let found = self.store.targets().find_by_name(name).await?;
        found.with_context(|| format!("no target is called {name:?}; `gatehouse target list` shows them"))
    }
}

/// Held while a process serves from a data directory: a second one would take the first one's sessions for
/// those of a dead boot.
pub(crate) struct Serving(#[expect(dead_code, reason = "its lock ends with it")] std::fs::File);

impl House {
    /// Claims the data directory for serving.
    pub(crate) fn serve_alone(&self) -> Result<Serving> {
        let path = self.data.join("serving.lock");
        let file =
            std::fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Serving(file)),
            Err(std::fs::TryLockError::WouldBlock) => {
                bail!(
                    "another gatehouse serves from {}; stop it, or choose another directory with --data",
                    self.data.display()
                )
            }
            Err(std::fs::TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }
}

/// A fresh id for a target.
pub(crate) fn fresh_target() -> TargetId {
    TargetId(Uuid::now_v7())
}

/// A directory that only its owner may enter.
fn make_private(dir: &Path) -> Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make the data directory {}", dir.display()))?;
    let mode = dir.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
            .with_context(|| format!("{} may be read by others and cannot be closed", dir.display()))?;
    }
    Ok(())
}
