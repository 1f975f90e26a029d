//! How safe a step is before the next one begins.

use serde::{Deserialize, Serialize};

/// How safe what happened is before a run goes on, and what a crash can take with it.
///
/// | level | written | a crash of the process loses | a crash of the machine loses |
/// |---|---|---|---|
/// | `Sync` | each step, and on disk, before the next one | nothing but the step under way | the same |
/// | `Step` | each step before the next one; the operating system, or the server, brings it to the disk | the same | the last steps too |
/// | `Exit` | all at once, when the run pauses, ends or fails, or does something [once](crate::Context::once) | all since then | the same |
///
/// Whatever is lost, what is left is where the thread stood at some moment before: it is taken up
/// there, and does again what came after, with its side effects, save those that are done
/// [once](crate::Context::once): at every level they are on disk before the run goes on.
///
/// With `Exit`, a call that was cancelled, drained or out of time has written what it did when it returns;
/// a future that is dropped has not, and loses what a crash would. If the one append fails, that is the
/// error of the call, and the thread is as it was before: so it is for who finds at the end that another
/// worker has gone on. Events of a stream tell of steps that are not written yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Each step is on disk before the next one begins. This is the default.
    #[default]
    Sync,
    /// Each step is committed before the next one begins, and nobody waits for the disk.
    Step,
    /// What happened is written when the run comes to rest.
    Exit,
}
