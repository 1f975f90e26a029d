//! A connection to a server.

use std::error::Error;
use std::fmt;
use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use handoffs::CancellationToken;
use handoffs::agent::ToolAsks;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ClientConfig,
    ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationCapability, ErrorData,
    FormElicitationCapability, Implementation, ProtocolVersion, SubscriptionFilter,
    UrlElicitationCapability,
};
use rmcp::service::{NotificationContext, RequestContext, RunningService, Subscription};
use rmcp::transport::{IntoTransport, TokioChildProcess};
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, Peer, RoleClient};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::error::McpError;
use crate::pending::Pending;
use crate::tool::McpTool;

/// How long a server may take to say that it will tell of changes, or no more.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a server may say that it is not ready yet, each time a while later.
const ROUNDS: u32 = 10;

/// A connection to an MCP server.
///
/// Clones are the same connection, and each tool holds one. When the last one is dropped, the connection
/// is closed, and a process that was [spawned](Self::spawn) for it is ended.
#[derive(Clone)]
pub struct McpServer {
    connection: Arc<Connection>,
    name: Arc<str>,
}

struct Connection {
    peer: Peer<RoleClient>,
    stop: CancellationToken,
    /// What the task that drives the connection has heard so far.
    heard: watch::Receiver<Heard>,
    /// Up to which change of the list the tools were listed.
    listed: AtomicU64,
}

/// What a server told besides answers.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    changes: u64,
    ended: bool,
}

impl McpServer {
    /// Starts a program as a server, and talks to it by its standard input and output.
    ///
    /// What it writes to `stderr` goes where ours goes. To put it elsewhere, make the process a transport
    /// of your own and take [`over`](Self::over). It is killed when the connection ends and it does not end
    /// by itself.
    ///
    /// ```no_run
    /// use handoffs_mcp::McpServer;
    /// use tokio::process::Command;
    ///
    /// # async fn connect() -> Result<(), handoffs_mcp::McpError> {
    /// let mut command = Command::new("uvx");
    /// command.args(["mcp-server-git", "--repository", "."]);
    /// let server = McpServer::spawn(command).await?;
    /// for tool in server.tools().await? {
    ///     println!("{}", tool.name());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`McpError::Spawn`] if the program does not start, [`McpError::Connect`] if it is no server.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future kills the process. A program that never answers keeps it waiting for ever:
    /// put a `tokio::time::timeout` around it where that can happen.
    pub async fn spawn(mut command: Command) -> Result<Self, McpError> {
        command.kill_on_drop(true);
        Self::over(TokioChildProcess::new(command).map_err(McpError::Spawn)?).await
    }

    /// Talks to a server over any transport of [`rmcp`]: a pair of a reader and a writer, streamable
    /// HTTP, a process with other pipes.
    ///
    /// Servers of the protocol's version 2026-07-28, which knows no sessions, are talked to as that says,
    /// and older ones as they are used to.
    ///
    /// # Errors
    ///
    /// [`McpError::Connect`] if the other side is no server.
    pub async fn over<T, E, A>(transport: T) -> Result<Self, McpError>
    where
        T: IntoTransport<RoleClient, E, A>,
        E: Error + Send + Sync + 'static,
    {
        let (hear, heard) = watch::channel(Heard::default());
        let hear = Arc::new(hear);
        let lifecycle = ClientLifecycleMode::Auto {
            // The newest first.
            preferred_versions: ProtocolVersion::KNOWN_VERSIONS
                .iter()
                .rev()
                .cloned()
                .collect(),
            legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
        };
        let client = Client(Arc::clone(&hear));
        let service = client.serve_with_lifecycle(transport, lifecycle).await;
        let service = service.map_err(|error| McpError::Connect(Box::new(error)))?;
        let peer = service.peer().clone();
        let info = peer.peer_info().and_then(|info| info.server_info.clone());
        let changes = listen(&peer).await;
        let stop = CancellationToken::new();
        tokio::spawn(drive(service, changes, hear, stop.clone()));
        let connection = Arc::new(Connection {
            peer,
            stop,
            heard,
            listed: AtomicU64::new(0),
        });
        let name = info.map_or_else(|| "mcp".into(), |info| info.name.into());
        Ok(Self { connection, name })
    }

    /// Returns the server's name: what it calls itself, if it was not [given](Self::named) one.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives the server another name, such as one that tells it from a second one of its kind.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into().into();
        self
    }

    /// Returns what the server says of how to use it, for the instructions of an agent.
    pub fn instructions(&self) -> Option<String> {
        self.connection.peer.peer_info()?.instructions.clone()
    }

    /// Asks the server which tools it has.
    ///
    /// They are as the server described them now, also if the server [changes](Self::changed) them later.
    ///
    /// # Errors
    ///
    /// [`McpError::List`] if it does not say.
    pub async fn tools(&self) -> Result<Vec<McpTool>, McpError> {
        let changes = self.connection.heard.borrow().changes;
        let tools = self.connection.peer.list_all_tools().await;
        let tools = tools.map_err(McpError::List)?;
        self.connection.listed.store(changes, Ordering::Relaxed);
        let tools = tools.into_iter();
        Ok(tools.map(|tool| McpTool::new(self.clone(), tool)).collect())
    }

    /// Waits until the server says that it has other tools than when it was last asked for them, and
    /// returns whether that is so: if not, the connection has ended.
    ///
    /// Of a server that never says, this is pending until the end.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn changed(&self) -> bool {
        let listed = || self.connection.listed.load(Ordering::Relaxed);
        let mut heard = self.connection.heard.clone();
        let heard = heard.wait_for(|heard| heard.ended || heard.changes > listed());
        heard.await.is_ok_and(|heard| heard.changes > listed())
    }

    /// Returns whether the connection has ended. A call of a tool is an error from then on.
    pub fn has_ended(&self) -> bool {
        self.connection.has_ended()
    }

    /// Closes the connection, for all its clones and tools, and waits until the process has ended, if one was
    /// spawned for it.
    pub async fn close(self) {
        self.connection.stop.cancel();
        let mut heard = self.connection.heard.clone();
        // An error says that the task is gone, and with it the connection.
        heard.wait_for(|heard| heard.ended).await.ok();
    }

    /// Calls a tool, and asks again as long as the server is not ready.
    pub(crate) async fn call(&self, mut call: CallToolRequestParams) -> Result<Answer, McpError> {
        let Connection { peer, .. } = &*self.connection;
        if self.has_ended() || peer.is_transport_closed() {
            return Err(McpError::Ended);
        }
        for round in 1..=ROUNDS {
            let answer = peer.call_tool_once(call.clone()).await;
            let asks = match answer.map_err(McpError::of_call)? {
                CallToolResponse::Complete(result) => return Ok(Answer::Result(result)),
                CallToolResponse::InputRequired(asks) => asks,
                // A task that runs on at the server, which only who says so is given.
                _ => return Err(McpError::Unreadable(rmcp::ServiceError::UnexpectedResponse)),
            };
            let requests = asks.input_requests.unwrap_or_default();
            let pending = Pending::of(requests, asks.request_state.clone())?;
            if let Some(asks) = pending.asks()? {
                return Ok(Answer::Asks(asks));
            }
            call.input_responses = None;
            call.request_state = asks.request_state;
            sleep(Duration::from_millis(100) * round).await;
        }
        Err(McpError::Asks("it is not ready".to_owned()))
    }
}

/// What a server says to a call.
pub(crate) enum Answer {
    Result(CallToolResult),
    Asks(ToolAsks),
}

impl Connection {
    fn has_ended(&self) -> bool {
        self.heard.borrow().ended
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpServer")
            .field("name", &self.name)
            .field("has_ended", &self.has_ended())
            .finish_non_exhaustive()
    }
}

/// Says who we are, and hears what older servers tell of changes.
struct Client(Arc<watch::Sender<Heard>>);

impl ClientHandler for Client {
    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.0.send_modify(|heard| heard.changes += 1);
    }

    fn get_info(&self) -> ClientConfig {
        let name = Implementation::new("handoffs", env!("CARGO_PKG_VERSION"));
        let mut can = ClientCapabilities::default();
        let form = FormElicitationCapability::default();
        let asked = ElicitationCapability::default().with_form(form);
        can.elicitation = Some(asked.with_url(UrlElicitationCapability::default()));
        ClientConfig::new(can, name)
    }

    /// Hears an older server's question, which holds up its call: nobody can be waited for here.
    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Ok(ElicitResult::new(ElicitationAction::Cancel))
    }
}

/// Asks a server without sessions to tell of changes of its tools, if it says that it can.
async fn listen(peer: &Peer<RoleClient>) -> Option<Subscription> {
    let info = peer.peer_info()?;
    let tools = info.capabilities.tools.as_ref();
    let tells = tools.and_then(|tools| tools.list_changed) == Some(true);
    if !tells || info.protocol_version.has_initialize() {
        return None;
    }
    let filter = SubscriptionFilter::builder().tools_list_changed().build();
    timeout(PATIENCE, peer.listen(filter)).await.ok()?.ok()
}

/// Drives a connection to its end, and tells what is heard.
async fn drive(
    service: RunningService<RoleClient, Client>,
    mut changes: Option<Subscription>,
    hear: Arc<watch::Sender<Heard>>,
    stop: CancellationToken,
) {
    let end = service.cancellation_token();
    let told = async {
        if let Some(changes) = &mut changes {
            while let Ok(Some(_)) = changes.next().await {
                hear.send_modify(|heard| heard.changes += 1);
            }
        }
        pending::<()>().await;
    };
    let mut ended = pin!(service.waiting());
    tokio::select! {
        _ = &mut ended => {}
        () = told => {}
        () = stop.cancelled() => {
            // Or else the server waits a while for somebody to take what is left of it.
            if let Some(changes) = &mut changes {
                timeout(PATIENCE, changes.cancel()).await.ok();
            }
            end.cancel();
            ended.await.ok();
        }
    }
    hear.send_modify(|heard| heard.ended = true);
}
