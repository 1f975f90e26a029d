//! What can be chosen before connecting.

use std::fmt;
use std::ops::DerefMut;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Manager, Pool};
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, Error};

use super::Postgres;
use super::pool::Dial;
use super::schema::Schema;
use crate::journal::JournalError;

/// What can be chosen before connecting to a [`Postgres`] journal.
///
/// ```no_run
/// use std::time::Duration;
///
/// use handoffs_runtime::Postgres;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let journal = Postgres::options()
///     .schema("support")
///     .connections(4)
///     .patience(Duration::from_secs(3))
///     .connect("postgresql://app@db.example.com/app")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    schema: String,
    connections: Option<usize>,
    patience: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            schema: "handoffs".to_owned(),
            connections: None,
            patience: Duration::from_secs(10),
        }
    }
}

impl PostgresOptions {
    /// Names the schema in which the journal lies; `handoffs` by default.
    ///
    /// Any name will do. Journals in different schemas do not see each other. Other tables may lie in
    /// it as well.
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// Sets how many connections there are at most; twice the number of processors by default.
    ///
    /// A pool of yours keeps its own size.
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = Some(most);
        self
    }

    /// Sets how long to wait for a free connection, for the server to take a new one, and for what
    /// another process keeps locked; 10 s by default. What takes longer is [`JournalError::Busy`].
    ///
    /// For locks, a `lock_timeout` in the `options` of the configuration goes before. A pool of yours
    /// keeps its own timeouts.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Connects to a server, and creates the journal if there is none.
    ///
    /// # Errors
    ///
    /// As of [`Postgres::connect`].
    pub async fn connect(
        self,
        server: impl Into<PostgresServer>,
    ) -> Result<Postgres, JournalError> {
        let PostgresServer(config) = server.into();
        let place = self.place("PostgreSQL");
        let config = config.map_err(|error| super::failed(&place, "connect to", error))?;
        let place = self.place(&named(&config));
        let schema = Schema::new(&self.schema, &place)?;
        let dial = self.dial(config);
        let mut pool = Pool::builder(dial)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(self.patience));
        if let Some(most) = self.connections {
            pool = pool.max_size(most.max(1));
        }
        let pool = pool
            .build()
            .map_err(|error| JournalError::store(&*place, "connect to", error))?;
        Postgres::open(Box::new(pool), schema, &place).await
    }

    /// Takes a pool of yours, and creates the journal if there is none.
    ///
    /// # Errors
    ///
    /// As of [`Postgres::connect`].
    pub async fn on_pool<M>(self, pool: Pool<M>) -> Result<Postgres, JournalError>
    where
        M: Manager<Type: DerefMut<Target = Client> + Send + Sync, Error = Error> + 'static,
    {
        let place = self.place("PostgreSQL");
        let schema = Schema::new(&self.schema, &place)?;
        Postgres::open(Box::new(pool), schema, &place).await
    }

    fn place(&self, server: &str) -> String {
        format!("{server}, schema {}", self.schema)
    }

    /// Completes a configuration where it leaves us waiting for hours.
    fn dial(&self, mut config: Config) -> Dial {
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(self.patience);
        }
        if config.get_application_name().is_none() {
            config.application_name("handoffs");
        }
        // A server that is gone without a word: noticed after a minute, and not after two hours.
        if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
            config.keepalives_idle(Duration::from_secs(30));
            config.keepalives_interval(Duration::from_secs(10));
            config.keepalives_retries(3);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_mins(1));
        }
        let chosen = config.get_options().unwrap_or_default();
        let greeting = if chosen.contains("lock_timeout") {
            String::new()
        } else {
            // 0 would be for ever.
            format!("SET lock_timeout = {}", self.patience.as_millis().max(1))
        };
        Dial { config, greeting }
    }
}

/// Where a `PostgreSQL` server is, and who wants to talk to it: a URL, a text of `key=value` pairs, or
/// a [`tokio_postgres::Config`].
pub struct PostgresServer(Result<Config, Error>);

impl From<&str> for PostgresServer {
    fn from(text: &str) -> Self {
        Self(text.parse())
    }
}

impl From<&String> for PostgresServer {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for PostgresServer {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Config> for PostgresServer {
    fn from(config: Config) -> Self {
        Self(Ok(config))
    }
}

impl fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // With a password in it, it does not belong into a log.
        let server = self.0.as_ref().map(named);
        f.debug_tuple("PostgresServer").field(&server).finish()
    }
}

/// Names a server without saying who one is.
fn named(config: &Config) -> String {
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    });
    let addresses = config.get_hostaddrs().iter().map(ToString::to_string);
    let mut hosts: Vec<_> = hosts.collect();
    if hosts.is_empty() {
        hosts = addresses.collect();
    }
    let database = config.get_dbname().or(config.get_user());
    let database = database.unwrap_or("its default database");
    format!("PostgreSQL at {}, {database}", hosts.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_without_its_password() {
        let names = [
            (
                "postgresql://me:secret@db.example.com,other:5433/app",
                "PostgreSQL at db.example.com or other, app",
            ),
            (
                "host=/run/postgresql user=me password=secret",
                "PostgreSQL at /run/postgresql, me",
            ),
            (
                "hostaddr=127.0.0.1 password=secret",
                "PostgreSQL at 127.0.0.1, its default database",
            ),
        ];
        for (text, name) in names {
            let server = PostgresServer::from(text);
            assert_eq!(named(server.0.as_ref().unwrap()), name);
            assert!(!format!("{server:?}").contains("secret"));
        }
    }

    #[test]
    fn what_the_caller_chose_is_left_alone() {
        let options = PostgresOptions::default();
        let dial = options.dial(Config::new());
        assert_eq!(dial.greeting, "SET lock_timeout = 10000");
        assert_eq!(dial.config.get_application_name(), Some("handoffs"));
        assert_eq!(
            dial.config.get_connect_timeout(),
            Some(&Duration::from_secs(10))
        );
        let chosen = "application_name=mine connect_timeout=2 options='-c lock_timeout=7'";
        let dial = options.dial(chosen.parse().unwrap());
        assert_eq!(dial.greeting, "");
        assert_eq!(dial.config.get_application_name(), Some("mine"));
        assert_eq!(
            dial.config.get_connect_timeout(),
            Some(&Duration::from_secs(2))
        );
    }

    #[tokio::test]
    async fn a_text_that_names_no_server_is_an_error_that_says_so() {
        for text in ["postgresql://", "host", "user=me"] {
            let error = Postgres::connect(text).await.unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("could not connect to `PostgreSQL"),
                "{text}: {error}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_that_no_schema_can_have_is_an_error() {
        let long = "s".repeat(64);
        for name in ["", "a\0b", &long] {
            let options = Postgres::options().schema(name);
            let error = options.connect("host=/nowhere").await.unwrap_err();
            let JournalError::Foreign { reason, .. } = error else {
                panic!("{name:?}: {error}")
            };
            assert!(reason.contains("1 to 63 bytes"), "{reason}");
        }
    }
}
