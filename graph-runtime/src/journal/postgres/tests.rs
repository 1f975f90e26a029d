//! What only a server can do.

mod appends;
mod formats;
mod removals;
mod server;
mod troubles;

use std::time::Duration;

use deadpool_postgres::{Manager, Pool};
use tokio_postgres::{Client, NoTls};

use self::server::Server;
use super::{Postgres, PostgresOptions};

/// A schema on the server of the tests.
struct Place {
    schema: String,
}

impl Place {
    fn new() -> Self {
        let schema = server::schema();
        Self { schema }
    }

    fn options(&self) -> PostgresOptions {
        Postgres::options().schema(&self.schema)
    }

    async fn open(&self) -> Postgres {
        self.options().connect(address()).await.unwrap()
    }

    /// Opens the journal with so many connections at most.
    async fn open_with(&self, connections: usize) -> Postgres {
        let options = self.options().connections(connections);
        options.connect(address()).await.unwrap()
    }

    /// Runs SQL on a connection of its own, with `$s` for the schema.
    async fn sql(&self, sql: &str) -> Client {
        let client = connect(&address()).await;
        client.batch_execute(&self.text(sql)).await.unwrap();
        client
    }

    /// Returns the first value of the first row, as text.
    async fn ask(&self, sql: &str) -> String {
        let client = connect(&address()).await;
        value(&client, &self.text(sql)).await
    }

    fn text(&self, sql: &str) -> String {
        sql.replace("$s", &format!("\"{}\"", self.schema))
    }

    /// Waits until nobody holds an advisory lock whose second number is this.
    async fn until_unlocked(&self, number: i32) {
        let sql = format!(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid::int4 = {number}"
        );
        while self.ask(&sql).await != "0" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until so many connections wait for a lock in this place's tables.
    async fn until_waiting(&self, count: u32) {
        let sql = format!(
            "SELECT count(*)::text FROM pg_stat_activity
             WHERE wait_event_type = 'Lock' AND query LIKE '%{}%'",
            self.schema
        );
        while self.ask(&sql).await.parse::<u32>().unwrap() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Makes a pool as a user has one.
fn pool(connections: usize) -> Pool {
    let manager = Manager::new(address().parse().unwrap(), NoTls);
    let pool = Pool::builder(manager).max_size(connections);
    pool.build().unwrap()
}

fn address() -> String {
    Server::shared().address()
}

async fn connect(address: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(address, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn value(client: &Client, sql: &str) -> String {
    let rows = client.simple_query(sql).await.unwrap();
    let row = rows.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    row.unwrap_or_default().to_owned()
}
