//! An MCP server on standard input and output: a bank that writes each thing it does into a file.
//!
//! `bank_server LEDGER [old]`; with `old` it speaks the protocol as it was before 2026-07-28.
//!
//! The tests use it too, so some of its tools are odd: one never answers, one takes the server down.

use std::borrow::Cow;
use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, process};

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientResult, ContentBlock,
    DiscoverRequestMethod, DiscoverResult, Implementation, InputRequiredResult, JsonObject,
    ListToolsResult, PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig,
    ServerRequest, SubscriptionFilter, Tool, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use rmcp::{ErrorData, ServerHandler, ServiceExt};
use serde_json::{Value, json};
use tokio::sync::Notify;

struct Bank {
    ledger: PathBuf,
    is_old: bool,
    has_loans: AtomicBool,
    changed: Notify,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = env::args_os().skip(1);
    let ledger = words.next().ok_or("usage: bank_server LEDGER [old]")?;
    let bank = Bank {
        ledger: ledger.into(),
        is_old: words.next().is_some_and(|word| word == "old"),
        has_loans: AtomicBool::new(false),
        changed: Notify::new(),
    };
    bank.serve(rmcp::transport::stdio())
        .await?
        .waiting()
        .await?;
    Ok(())
}

impl Bank {
    /// Writes down that something was done.
    fn note(&self, line: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).open(&self.ledger)?;
        writeln!(file, "{line}")
    }

    /// Sums up what was charged.
    fn balance(&self) -> io::Result<u64> {
        let ledger = fs::read_to_string(&self.ledger)?;
        let charges = ledger
            .lines()
            .filter_map(|line| line.strip_prefix("charge "));
        Ok(charges
            .filter_map(|amount| amount.parse::<u64>().ok())
            .sum())
    }

    async fn do_it(
        &self,
        call: &CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, Box<dyn Error>> {
        let argument = |name: &str| call.arguments.as_ref().and_then(|all| all.get(name));
        Ok(match &*call.name {
            "charge" => {
                let Some(amount) = argument("amount").and_then(Value::as_u64) else {
                    return Err(Box::new(ErrorData::invalid_params(
                        "`amount` is no number",
                        None,
                    )));
                };
                self.note(&format!("charge {amount}"))?;
                if let Some(client) = env::var_os("BANK_KILLS") {
                    process::Command::new("kill")
                        .arg("-9")
                        .arg(client)
                        .status()?;
                }
                said(format!("charged {amount}"))
            }
            "bank.balance" => {
                self.note("balance")?;
                if let Some(client) = env::var_os("BANK_KILLS") {
                    process::Command::new("kill")
                        .arg("-9")
                        .arg(client)
                        .status()?;
                }
                let balance = json!({ "balance": self.balance()? });
                CallToolResult::structured(balance).into()
            }
            "wait" => {
                self.note("wait")?;
                context.ct.cancelled().await;
                self.note("nobody waits any more")?;
                said("never mind".to_owned())
            }
            "fail" => CallToolResult::error(vec![ContentBlock::text("the vault is shut")]).into(),
            "die" => {
                self.note("die")?;
                process::abort();
            }
            "picture" => {
                CallToolResult::success(vec![ContentBlock::image("aGFsbG8=", "image/png")]).into()
            }
            "sign" => match &call.input_responses {
                None => {
                    let asks = json!({
                        "resultType": "input_required",
                        "inputRequests": {
                            "date": form("When?", "date"),
                            "name": form("Who signs?", "name"),
                        },
                        "requestState": "page 2",
                    });
                    serde_json::from_value::<InputRequiredResult>(asks)?.into()
                }
                Some(answers) => {
                    let answer = |name: &str| answers.get(name).unwrap_or(&Value::Null).to_string();
                    let page = call.request_state.as_deref().unwrap_or("no page");
                    let line = format!("{page}: {} {}", answer("name"), answer("date"));
                    self.note(&line)?;
                    said(line)
                }
            },
            // Asks as older servers do, while the call is under way.
            "confirm" => {
                let asks = serde_json::from_value(form("Really?", "word"))?;
                let asks = ServerRequest::ElicitRequest(asks);
                let ClientResult::ElicitResult(answer) = context.peer.send_request(asks).await?
                else {
                    return Err("the client said something else".into());
                };
                said(serde_json::to_string(&answer)?)
            }
            // Not ready at first.
            "open" if call.request_state.is_none() => {
                InputRequiredResult::from_request_state("opening").into()
            }
            "open" => said("open".to_owned()),
            "offer_loans" => {
                self.has_loans.store(true, Ordering::Relaxed);
                self.changed.notify_one();
                if self.is_old {
                    context.peer.notify_tool_list_changed().await?;
                }
                said("offered".to_owned())
            }
            other => {
                let refusal = format!("there is no tool `{other}`");
                return Err(Box::new(ErrorData::invalid_params(refusal, None)));
            }
        })
    }
}

impl ServerHandler for Bank {
    fn get_info(&self) -> ServerConfig {
        let tools = ServerCapabilities::builder();
        let tools = tools.enable_tools().enable_tool_list_changed().build();
        ServerConfig::new(tools)
            .with_server_info(Implementation::new("bank", "1.0.0"))
            .with_instructions("Charge only what the customer agreed to.")
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        if self.is_old {
            return vec![ProtocolVersion::V_2025_06_18].into();
        }
        Cow::Borrowed(ProtocolVersion::KNOWN_VERSIONS)
    }

    /// What older servers do not know.
    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        if self.is_old {
            return Err(ErrorData::method_not_found::<DiscoverRequestMethod>());
        }
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info()))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let nothing = || object(&json!({ "type": "object" }));
        let amount = object(&json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": { "amount": { "type": "integer", "description": "In cents." } },
            "required": ["amount"],
        }));
        let mut tools = vec![
            Tool::new("charge", "Charges the customer.", amount),
            Tool::new("bank.balance", "Says what was charged so far.", nothing())
                .with_annotations(ToolAnnotations::new().read_only(true)),
            Tool::new("wait", "Never answers.", nothing()),
            Tool::new("fail", "Always fails.", nothing()),
            Tool::new("die", "Takes the server down.", nothing()),
            Tool::new("picture", "Shows the bank.", nothing()),
            Tool::new("sign", "Wants to know who signs, and when.", nothing()),
            Tool::new("confirm", "Wants to hear it again.", nothing()),
            Tool::new("open", "Opens the bank, which takes a while.", nothing()),
            Tool::new("offer_loans", "Brings a further tool.", nothing()),
        ];
        if self.has_loans.load(Ordering::Relaxed) {
            tools.push(Tool::new("lend", "Lends money.", nothing()));
        }
        Ok(ListToolsResult::with_all_items(tools))
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let done = self.do_it(&call, context).await;
        done.map_err(|error| match error.downcast::<ErrorData>() {
            Ok(refusal) => *refusal,
            Err(error) => ErrorData::internal_error(error.to_string(), None),
        })
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.supported_by(&self.get_info().capabilities))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        loop {
            tokio::select! {
                () = self.changed.notified() => {}
                () = context.cancelled() => return Ok(()),
            }
            if context.sink().notify_tool_list_changed().await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Asks a person for a text.
fn form(message: &str, name: &str) -> Value {
    json!({
        "method": "elicitation/create",
        "params": {
            "mode": "form",
            "message": message,
            "requestedSchema": { "type": "object", "properties": { name: { "type": "string" } } },
        },
    })
}

fn said(text: String) -> CallToolResponse {
    CallToolResult::success(vec![ContentBlock::text(text)]).into()
}

fn object(value: &Value) -> Arc<JsonObject> {
    Arc::new(value.as_object().cloned().unwrap_or_default())
}
