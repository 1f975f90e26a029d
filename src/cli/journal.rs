//! Which journal is meant, and what is read of it.

use std::path::Path;
use std::sync::Arc;

use futures_util::{Stream, StreamExt, future, stream};

use super::error::Error;
use super::layers::Layers;
use crate::__private::chain;
use crate::{Chronicle, Journal, JournalError, RunError, ThreadId, overview};

/// How many threads are read ahead, so that a server is not waited for once a thread.
const AHEAD: usize = 8;

/// The journal that a command is about.
pub(super) struct Source<'a> {
    place: Option<&'a str>,
    layers: &'a Layers,
    /// What the program itself puts over it.
    own: Option<LayerOver<'a>>,
}

type LayerOver<'a> = &'a (dyn Fn(Arc<dyn Journal>) -> Arc<dyn Journal> + Send + Sync);

impl<'a> Source<'a> {
    pub(super) const fn new(
        place: Option<&'a str>,
        layers: &'a Layers,
        own: Option<LayerOver<'a>>,
    ) -> Self {
        Self { place, layers, own }
    }

    /// Opens a journal that is there.
    pub(super) async fn open(&self) -> Result<Arc<dyn Journal>, Error> {
        let place = self.place()?;
        if !is_address(place) && !Path::new(place).exists() {
            return Err(Error::Usage(format!("there is no file `{place}`")));
        }
        self.open_or_create().await
    }

    /// Opens a journal, which may be a new one.
    pub(super) async fn open_or_create(&self) -> Result<Arc<dyn Journal>, Error> {
        let place = self.place()?;
        let journal = if is_address(place) {
            connect(place).await?
        } else {
            file(place).await?
        };
        let journal = match self.own {
            None => self.layers.over(journal)?,
            Some(_) if self.layers.are_asked_for() => {
                let help = "this program opens its journal by itself: leave `--keys`, `--context` and \
                            their variables away";
                return Err(Error::Usage(help.to_owned()));
            }
            Some(own) => own(journal),
        };
        // Otherwise a thread would be written in the clear beside others that are sealed.
        let first = overview(&*journal, None).next().await;
        match first {
            Some(Err(error @ JournalError::Layered { .. })) => Err(error.into()),
            _ => Ok(journal),
        }
    }

    fn place(&self) -> Result<&'a str, Error> {
        self.place.ok_or_else(|| {
            let help = "which journal? say `--journal support.db`, or set HANDOFFS_JOURNAL";
            Error::Usage(help.to_owned())
        })
    }
}

fn is_address(place: &str) -> bool {
    place.starts_with("postgres://") || place.starts_with("postgresql://")
}

/// Writes a place down without the password in it.
pub(super) fn shown(place: &str) -> String {
    match (place.split_once("://"), place.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, server))) if is_address(place) => {
            format!("{scheme}://{server}")
        }
        _ => place.to_owned(),
    }
}

#[cfg(feature = "sqlite")]
async fn file(path: &str) -> Result<Arc<dyn Journal>, Error> {
    Ok(Arc::new(crate::Sqlite::open(path).await?))
}

#[cfg(not(feature = "sqlite"))]
async fn file(path: &str) -> Result<Arc<dyn Journal>, Error> {
    let help = "this program was built without SQLite: its cargo feature `sqlite` reads files";
    Err(Error::Usage(format!("`{path}`: {help}")))
}

#[cfg(feature = "postgres")]
async fn connect(address: &str) -> Result<Arc<dyn Journal>, Error> {
    Ok(Arc::new(crate::Postgres::connect(address).await?))
}

#[cfg(not(feature = "postgres"))]
async fn connect(_: &str) -> Result<Arc<dyn Journal>, Error> {
    let help =
        "this program was built without PostgreSQL: install it with `--features cli,postgres`";
    Err(Error::Usage(help.to_owned()))
}

/// Reads a thread, which has to be there.
pub(super) async fn chronicle(
    journal: &dyn Journal,
    thread: &ThreadId,
) -> Result<Chronicle, Error> {
    let chronicle = Chronicle::read(journal, thread).await?;
    chronicle.ok_or_else(|| Error::no_thread(thread))
}

/// Reads these threads, or all, in the order of their names. One that cannot be read is an error in its
/// place.
pub(super) async fn chronicles<'j>(
    journal: &'j dyn Journal,
    threads: &[String],
) -> Result<impl Stream<Item = (ThreadId, Result<Chronicle, Error>)> + use<'j>, Error> {
    let named: Vec<_> = threads.iter().map(ThreadId::from).collect();
    let is_named = !named.is_empty();
    let threads = if is_named {
        named
    } else {
        journal.threads().await?
    };
    let read = stream::iter(threads).map(move |thread| async move {
        match Chronicle::read(journal, &thread).await {
            Ok(Some(chronicle)) => Some((thread, Ok(chronicle))),
            // It was removed meanwhile.
            Ok(None) if !is_named => None,
            Ok(None) => {
                let error = Error::no_thread(&thread);
                Some((thread, Err(error)))
            }
            Err(error) => Some((thread, Err(error.into()))),
        }
    });
    Ok(Box::pin(read.buffered(AHEAD).filter_map(future::ready)))
}

/// Says what is wrong with a thread, in a list of which the others are looked at all the same. Whatever is
/// wrong with the journal itself is an error.
pub(super) fn reason(error: Error) -> Result<String, Error> {
    match &error {
        error_of_all if error_of_all.layer().is_some() => Err(error),
        Error::Run(RunError::Journal { source, .. }) if source.thread().is_some() => {
            Ok(chain(source))
        }
        Error::Run(error) if !matches!(error, RunError::Journal { .. }) => Ok(error.to_string()),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(shown("postgres://bo:p@ss@db/desk"), "postgres://db/desk");
        assert_eq!(shown("postgres://db/desk"), "postgres://db/desk");
        assert_eq!(shown("a@b.db"), "a@b.db");
    }
}
