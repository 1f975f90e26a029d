//! Where connections come from: a pool of ours, or one that the caller has.

use std::fmt;
use std::ops::{Deref, DerefMut};

use async_trait::async_trait;
use deadpool::managed::{
    Manager, Metrics, Object, ObjectId, Pool, PoolError, RecycleError, RecycleResult,
};
use tokio_postgres::{Client, Config, Error, NoTls};

/// A connection that is lent, and goes back when it is dropped.
pub(super) type Line = Box<dyn Lent>;

/// A pool, whatever manages its connections.
#[async_trait]
pub(super) trait Lines: Send + Sync {
    async fn lend(&self) -> Result<Line, PoolError<Error>>;

    /// Returns how many connections there are at most.
    fn most(&self) -> usize;
}

pub(super) trait Lent: DerefMut<Target = Client> + Send + Sync {
    /// Tells the connections of one pool apart.
    fn id(&self) -> ObjectId;

    /// Takes the connection out of the pool.
    fn discard(self: Box<Self>);
}

struct Kept<M: Manager>(Object<M>);

#[async_trait]
impl<M> Lines for Pool<M>
where
    M: Manager<Type: DerefMut<Target = Client> + Send + Sync, Error = Error> + 'static,
{
    async fn lend(&self) -> Result<Line, PoolError<Error>> {
        self.get().await.map(|object| Box::new(Kept(object)) as _)
    }

    fn most(&self) -> usize {
        self.status().max_size
    }
}

impl<M: Manager<Type: Deref<Target = Client>>> Deref for Kept<M> {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

impl<M: Manager<Type: DerefMut<Target = Client>>> DerefMut for Kept<M> {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.0
    }
}

impl<M> Lent for Kept<M>
where
    M: Manager<Type: DerefMut<Target = Client> + Send + Sync>,
{
    fn id(&self) -> ObjectId {
        Object::id(&self.0)
    }

    fn discard(self: Box<Self>) {
        drop(Object::take(self.0));
    }
}

/// Makes the connections of our own pool.
pub(super) struct Dial {
    pub(super) config: Config,
    /// What a new connection is told first.
    pub(super) greeting: String,
}

/// A connection of ours.
#[derive(Debug)]
pub(super) struct Dialled(Client);

impl Manager for Dial {
    type Type = Dialled;
    type Error = Error;

    async fn create(&self) -> Result<Dialled, Error> {
        let (client, connection) = self.config.connect(NoTls).await?;
        // It ends with its client, once it has sent what the client had handed in: so an append that
        // nobody waits for any more is not cut off by us.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to PostgreSQL ended");
            }
        });
        client.batch_execute(&self.greeting).await?;
        Ok(Dialled(client))
    }

    async fn recycle(&self, line: &mut Dialled, _: &Metrics) -> RecycleResult<Error> {
        // No question to the server: what is lent is used at once, and its errors are told apart.
        if line.0.is_closed() {
            Err(RecycleError::message("the connection is closed"))
        } else {
            Ok(())
        }
    }
}

impl Deref for Dialled {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

impl DerefMut for Dialled {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.0
    }
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The configuration has a password in it.
        f.debug_struct("Dial").finish_non_exhaustive()
    }
}
