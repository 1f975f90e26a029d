//! The layers through which a journal is read that was sealed or compressed.

use std::path::PathBuf;
use std::sync::Arc;

use super::error::Error;
use crate::Journal;

/// What a sealed journal is opened with. Whether one is compressed, its records say.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Layers {
    /// The keys of a sealed journal: a file with a line `NAME KEY` for each; the first one seals
    #[arg(
        long,
        global = true,
        env = "HANDOFFS_KEYS",
        hide_env_values = true,
        value_name = "FILE",
        display_order = 101
    )]
    keys: Option<PathBuf>,
    /// What the journal was sealed for, if the program that writes it says so
    #[arg(
        long,
        global = true,
        env = "HANDOFFS_CONTEXT",
        hide_env_values = true,
        value_name = "TEXT",
        display_order = 102
    )]
    context: Option<String>,
}

impl Layers {
    /// Returns whether the user says anything.
    pub(super) const fn are_asked_for(&self) -> bool {
        self.keys.is_some() || self.context.is_some()
    }

    /// Puts the layers over a journal that was opened.
    pub(super) fn over(&self, journal: Arc<dyn Journal>) -> Result<Arc<dyn Journal>, Error> {
        let journal = match &self.keys {
            Some(path) => self.sealed(journal, path)?,
            None if self.context.is_some() => {
                let help = "a context is that of a sealed journal: give its keys with `--keys`";
                return Err(Error::Usage(help.to_owned()));
            }
            None => journal,
        };
        Ok(decompressed(journal))
    }

    #[cfg(feature = "seal")]
    fn sealed(
        &self,
        journal: Arc<dyn Journal>,
        path: &std::path::Path,
    ) -> Result<Arc<dyn Journal>, Error> {
        let context = self.context.as_deref().unwrap_or_default();
        let sealed = crate::Sealed::new(journal, crate::ChaCha::new(ring(path)?));
        Ok(Arc::new(sealed.context(context)))
    }

    #[cfg(not(feature = "seal"))]
    #[expect(
        clippy::unused_self,
        reason = "it has the context where there are seals"
    )]
    fn sealed(&self, _: Arc<dyn Journal>, _: &std::path::Path) -> Result<Arc<dyn Journal>, Error> {
        let help = "this program opens no sealed journals: install it with `--features cli,seal`";
        Err(Error::Usage(help.to_owned()))
    }
}

/// Reads keys from a file. What is wrong with one is told without it.
#[cfg(feature = "seal")]
fn ring(path: &std::path::Path) -> Result<crate::KeyRing, Error> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|source| Error::File {
        path: shown.clone(),
        source,
    })?;
    let mut ring: Option<crate::KeyRing> = None;
    let lines = text
        .lines()
        .zip(1..)
        .map(|(line, place)| (line.trim(), place));
    for (line, place) in lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#')) {
        let key = line
            .split_once(char::is_whitespace)
            .and_then(|(name, key)| crate::SealKey::from_hex(name, key.trim()).ok());
        let key = key.ok_or_else(|| {
            Error::Broken(format!(
                "`{shown}`, line {place}: a key is its name, a blank and 64 hexadecimal digits"
            ))
        })?;
        ring = Some(match ring {
            Some(ring) => ring.and(key),
            None => crate::KeyRing::new(key),
        });
    }
    ring.ok_or_else(|| Error::Broken(format!("`{shown}` holds no key")))
}

/// Reads what is compressed. What is written is left as it is: so it can be read with the layer and without.
#[cfg(feature = "zstd")]
fn decompressed(journal: Arc<dyn Journal>) -> Arc<dyn Journal> {
    Arc::new(crate::Compressed::new(journal).threshold(usize::MAX))
}

#[cfg(not(feature = "zstd"))]
fn decompressed(journal: Arc<dyn Journal>) -> Arc<dyn Journal> {
    journal
}

/// Says how a journal can be read that was written through a layer.
pub(super) fn help(layer: &str) -> &'static str {
    match layer {
        "Sealed" if cfg!(feature = "seal") => {
            "give the keys with `--keys FILE` or HANDOFFS_KEYS: a line `NAME KEY` for each"
        }
        "Sealed" => {
            "install this program with `--features cli,seal`, and give the keys with `--keys`"
        }
        _ => "install this program with `--features cli,zstd`",
    }
}
