//! A thread for auditors.

use super::Thread;
use super::untyped::Untyped;
use crate::error::RunError;
use crate::execute::Runnable;
use crate::journal::{Export, Head, Journal, Kept, Record, verify};

impl<G: Runnable, J: Journal> Thread<G, J> {
    /// Checks that the thread's entries are what was written: each is hashed, and each holds the hash of
    /// the one before it. Returns how many there are, and the hash of the last; 0 for an unknown thread.
    ///
    /// Of a thread that was [trimmed](Self::trim), it is those that are kept.
    /// It does not matter which graph wrote them, nor whether this version knows all that they say.
    ///
    /// Whoever can write to the store can write all hashes anew as well, and cut off the end of a thread
    /// without a trace within it. Against that, note the head from time to time where they cannot write,
    /// and give it here: the thread then has to come by it. It may have gone on since.
    ///
    /// ```
    /// use handoffs_runtime::{Head, Journal, RunError, Runnable, Thread};
    ///
    /// /// Checks a thread against what was noted yesterday, and returns what to note today.
    /// async fn audit<G: Runnable, J: Journal>(
    ///     thread: &Thread<G, J>,
    ///     yesterday: Option<Head>,
    /// ) -> Result<Head, RunError> {
    ///     thread.verify(yesterday).await
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError::Trimmed`] if what was noted has been trimmed since.
    /// [`RunError::Journal`] if the journal cannot be read, and with
    /// [`JournalError::Damaged`](crate::JournalError::Damaged), which names the first entry that is not
    /// what was written, and what is wrong with it; also if it was trimmed, and the snapshot that stands for
    /// what is gone is damaged.
    pub async fn verify(&self, noted: impl Into<Option<Head>>) -> Result<Head, RunError> {
        let noted = noted.into();
        self.untyped().verify(self.kept(), noted).await
    }

    /// Returns the thread's entries as JSON Lines, byte for byte what the journal hashes, so that anybody
    /// can check them again: with [`verify_export`](crate::verify_export), or as [`Export`] says.
    ///
    /// ```
    /// use std::fs::File;
    /// use std::io::BufReader;
    ///
    /// use handoffs_runtime::{Journal, Runnable, Thread, verify_export};
    ///
    /// async fn hand_over<G: Runnable, J: Journal>(
    ///     thread: &Thread<G, J>,
    /// ) -> Result<(), Box<dyn std::error::Error>> {
    ///     let export = thread.export().await?;
    ///     export.write_to(File::create("evidence.jsonl")?)?;
    ///     println!("keep this apart from the file: {}", export.head());
    ///
    ///     let file = BufReader::new(File::open("evidence.jsonl")?);
    ///     verify_export(thread.id(), file, export.head())?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify), save that a damaged snapshot of a trimmed thread keeps nobody from the
    /// entries that are left.
    pub async fn export(&self) -> Result<Export, RunError> {
        self.untyped().export(self.kept()).await
    }
}

impl Untyped<'_> {
    async fn verify(self, journal: &dyn Journal, noted: Option<Head>) -> Result<Head, RunError> {
        let kept = self.all(journal).await?;
        kept.check_before(self.id)
            .map_err(|source| self.journal_error(source))?;
        let Kept { base, records, .. } = kept;
        match noted {
            // Nobody can tell any more whether it was so.
            Some(noted) if noted.seq < base.seq => Err(self.trimmed(noted.seq, base)),
            noted => self.checked(base, &records, noted),
        }
    }

    async fn export(self, journal: &dyn Journal) -> Result<Export, RunError> {
        let Kept { base, records, .. } = self.all(journal).await?;
        let head = self.checked(base, &records, None)?;
        Export::new(self.id, base, head, records).map_err(|source| self.journal_error(source))
    }

    fn checked(
        &self,
        base: Head,
        records: &[Record],
        noted: Option<Head>,
    ) -> Result<Head, RunError> {
        verify(self.id, base, records, noted).map_err(|source| self.journal_error(source))
    }
}
