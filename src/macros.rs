//! The macros, documented where they are re-exported, so that their examples compile.

/// Makes a struct the [`State`](trait@crate::State) of a graph.
///
/// The struct must be `Clone`, and its fields `Clone`, `Send`, `Sync` and serialisable both ways:
/// a journal keeps each field under its name, so the struct itself need not be serialisable.
///
/// ```
/// use handoffs::prelude::*;
///
/// #[derive(State, Clone, Debug, Default)]
/// struct Ticket {
///     /// Only grows: a step stores no more than it appends.
///     messages: Log<String>,
///     account: Option<String>,
///     /// What counts as progress when the runtime looks for loops.
///     #[state(progress)]
///     refund: Option<u32>,
/// }
/// # assert_eq!(<Ticket as handoffs::State>::FIELDS.len(), 3);
/// ```
///
/// | attribute | on | meaning |
/// |---|---|---|
/// | `#[state(progress)]` | a field | it counts as progress; with none marked, all fields count |
/// | `#[state(merge = f)]` | a field | how branches that both wrote it are put together |
/// | `#[state(crate = path)]` | the struct | the path of this crate, if it is renamed |
/// | `#[serde(alias = "old")]` | a field | a name that it had before, for [threads that began then](derive@crate::AgentGraph#graphs-that-change) |
/// | `#[serde(default)]` | a field, or the struct | what it is in a thread that has no value of it; `default = "f"` as well |
///
/// Where a graph forks, each branch has a copy of the state, which holds no more of it than the
/// branch can touch: any other field is the `Default` of its type, if it has one. Where the branches
/// meet, their changes are merged field by field, in the written order. What several branches may
/// write must have a merge: by its type, if it is [`Merge`](crate::Merge), such as a
/// [`Log`](crate::Log), a set, a map, a [`Counter`](crate::Counter), [`Max`](crate::Max) or
/// [`Min`](crate::Min), or by a function of your own:
///
/// ```
/// use handoffs::prelude::*;
///
/// use serde::{Deserialize, Serialize};
///
/// #[derive(State, Clone, Debug, Default)]
/// struct Review {
///     comments: handoffs::Counter,
///     #[state(merge = stricter)]
///     verdict: Verdict,
/// }
///
/// #[derive(Clone, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
/// enum Verdict {
///     #[default]
///     Pass,
///     Fail { reason: String },
/// }
///
/// /// Makes the most of what the branches say, whatever it was before the fork.
/// fn stricter(merged: &mut Verdict, _base: &Verdict, branch: &Verdict) {
///     if *branch > *merged {
///         merged.clone_from(branch);
///     }
/// }
/// # use handoffs::State as _;
/// # let base = Review::default();
/// # let (mut left, mut right) = (base.clone(), base.clone());
/// # right.verdict = Verdict::Fail { reason: "no tests".into() };
/// # assert!(left.merge(1, &base, &right, false));
/// # assert_eq!(left.verdict, right.verdict);
/// ```
#[doc(inline)]
pub use handoffs_macros::State;

/// Makes an enum an [`Outcome`](trait@crate::Outcome): what a node can conclude.
///
/// The docs of a variant say when to choose it, to a reader and to a model; its fields are what the
/// receiver is told, and must be `Serialize`, since journals keep them. An outcome that a run is to
/// read back from its journal must be `Deserialize` in all its fields too.
///
/// ```
/// use handoffs::prelude::*;
///
/// #[derive(Outcome)]
/// enum Triaged {
///     /// Charges, invoices and refunds.
///     Billing { reason: String },
///     /// Sign-in and account security.
///     #[outcome(gives(account))]
///     Access,
/// }
/// # use handoffs::Outcome as _;
/// assert_eq!(Triaged::VARIANTS[0].tool, "transfer_to_billing");
/// ```
///
/// | attribute | on | meaning |
/// |---|---|---|
/// | `#[outcome(gives(field, ..))]` | a variant | these fields of the state are set whenever the node concludes this; checked when it does |
/// | `#[outcome(crate = path)]` | the enum | the path of this crate, if it is renamed |
#[doc(inline)]
pub use handoffs_macros::Outcome;

/// Makes an enum the [`Scope`](trait@crate::Scope)s of a graph: what its nodes may be allowed to do.
///
/// ```
/// use handoffs::prelude::*;
///
/// #[derive(Scope)]
/// enum Desk {
///     /// Reads what was ordered.
///     ReadOrders,
///     /// Pays money back.
///     Refund,
/// }
///
/// assert_eq!(Desk::Refund.name(), "Refund");
/// ```
///
/// The variants have no fields. `#[scope(crate = path)]` names this crate if it is renamed.
#[doc(inline)]
pub use handoffs_macros::Scope;

/// Makes a struct an [`AgentGraph`](trait@crate::AgentGraph): one field a node, one arm an edge.
///
/// ```
/// use handoffs::prelude::*;
///
/// # #[derive(State, Clone, Default)]
/// # struct Ticket { account: Option<String> }
/// # #[derive(Outcome)]
/// # enum Triaged { Billing { reason: String }, Access, Unclear }
/// # #[derive(Outcome)]
/// # enum Billed { Done, WrongDesk }
/// # #[node(Ticket)] async fn triage() -> Triaged { Triaged::Access }
/// # #[node(Ticket)] async fn billing() -> Billed { Billed::Done }
/// # #[node(Ticket)] async fn access() {}
/// # #[node(Ticket)] async fn clerk() {}
/// fn knows_account(ticket: &Ticket) -> bool {
///     ticket.account.is_some()
/// }
///
/// #[derive(AgentGraph)]
/// #[graph(state = Ticket, start = triage)]
/// struct SupportDesk {
///     #[route(
///         Triaged::Billing { .. } => billing,
///         Triaged::Access if knows_account => access,
///         _ => clerk,
///     )]
///     triage: Triage,
///     #[route(
///         Billed::Done => end,
///         Billed::WrongDesk => triage(limit = 2, else = clerk),
///     )]
///     billing: Billing,
///     #[route(_ => end)]
///     access: Access,
///     #[route(_ => end)]
///     clerk: Clerk,
/// }
///
/// let edge = SupportDesk::after_billing(&Ticket::default(), &Billed::WrongDesk);
/// assert_eq!(edge, Route::to(SupportDeskNode::Triage).limit(2).or_else(SupportDeskNode::Clerk));
/// assert_eq!(SupportDesk::MAX_HANDOFFS, 6);
/// ```
///
/// An arm of a route is `Pattern => target`, or `Pattern if guard => target` with the name of an
/// `fn(&State) -> bool`. The first arm that matches the node's outcome is taken, and all outcomes
/// must be matched. What stands behind the arrow:
///
/// | target | meaning |
/// |---|---|
/// | `node` | a handoff |
/// | `end` | the run is over |
/// | `end(Verdict::Yes)` | it is over, with this [outcome](#a-graph-as-a-node) |
/// | `all(a, b, c) join d` | a [fork](#forks): a branch for each of these nodes, and on at `d` |
/// | `each(items) worker join d` | a fork: a branch for each item, and on at `d` |
///
/// A node, or the join of a fork, may be followed by options, as in `triage(limit = 2, else = clerk)`:
///
/// | option | meaning |
/// |---|---|
/// | `limit = N` | a run takes the edge at most N times; every loop needs one |
/// | `else = node` | where to go instead, once the limit is used up or when the edge would be taken again without progress since the last time; `end` will do as well |
/// | `missing = node` | where to go instead if a field that the node [needs](#what-may-be-missing) is not set; `end` will do as well |
/// | `approve = f` | of a handoff to a node: [a person decides](#a-person-before-a-handoff) whether it may be; refused, it takes the `else`, which it needs |
/// | `concurrency = N` | of a fork: at most N of its branches run at once |
///
/// | key of `graph` | meaning |
/// |---|---|
/// | `state = Type` | the state |
/// | `start = node` | where a run starts |
/// | `given(field, ..)` | the fields that the caller brings: they count as set, which is checked when a run starts |
/// | `outcome = Type` | what the graph ends with, by `end(..)` |
/// | `renamed_from = "Old"` | a name that the graph had [before](#graphs-that-change); there can be several |
/// | `crate = path` | the path of this crate, if it is renamed |
///
/// | attribute of a field | meaning |
/// |---|---|
/// | `#[route(arm, ..)]` | where a run goes after the node |
/// | `#[retry(..)]` | [try the node again](#nodes-that-fail) when it fails |
/// | `#[timeout(..)]` | stop it when it takes too long, or close its questions when nobody answers |
/// | `#[on_error(..)]` | where to go when it has failed for good |
/// | `#[cache(..)]` | [use its result again](#nodes-that-need-not-run) |
/// | `#[subgraph(..)]` | the field is a [graph over another state](#a-graph-as-a-node) |
/// | `#[node(renamed_from = "old")]` | a name that the node had [before](#graphs-that-change); there can be several |
///
/// For a graph `Desk` this also makes the enum `DeskNode` of its nodes, an edge function
/// `Desk::after_<node>(&state, &outcome)` for each node, and `Desk::MAX_HANDOFFS`. The graph is itself
/// a node of any graph over the same state.
///
/// # What may be missing
///
/// What a node needs is set on every path to it, or the graph does not compile (H007). Where nobody can
/// promise that, an arm says where to go if it is not, and the fields are looked for when the run is there:
///
/// ```
/// use handoffs::prelude::*;
///
/// #[derive(State, Clone, Debug, Default)]
/// struct Ticket {
///     account: Option<String>,
/// }
///
/// # #[node(Ticket)] async fn triage() {}
/// # #[node(Ticket)] async fn sign_in(mut account: Out<'_, String>) { account.set("Ada".to_owned()) }
/// /// It needs an account.
/// #[node(Ticket)]
/// async fn billing(account: &str) {
///     println!("Dear {account}");
/// }
///
/// #[derive(AgentGraph)]
/// #[graph(state = Ticket, start = triage)]
/// struct SupportDesk {
///     #[route(_ => billing(missing = sign_in))]
///     triage: Triage,
///     #[route(_ => billing)]
///     sign_in: SignIn,
///     #[route(_ => end)]
///     billing: Billing,
/// }
///
/// let known = Ticket { account: Some("Ada".to_owned()) };
/// assert_eq!(SupportDesk::after_triage(&known, &()), Route::to(SupportDeskNode::Billing));
/// let edge = SupportDesk::after_triage(&Ticket::default(), &());
/// assert_eq!(edge, Route::to(SupportDeskNode::SignIn));
/// ```
///
/// Such an arm is two edges. The first, `_ if a field is missing`, leads elsewhere, and has no options; the
/// second is the arm as it is without `missing`, with its own options. So a loop needs its bound elsewhere if
/// it is closed by the first, and a thread that went along the second goes on as it was. A guard holds for both.
/// A `missing` of which nothing ever is, on any path, is refused (H011).
///
/// # A person as a node
///
/// A [`Human`](crate::Human) is a node that pauses the run. The question is made from the state, and
/// the answer is a node itself, which is executed when it arrives:
///
/// ```
/// use handoffs::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(State, Clone, Debug, Default)]
/// struct Refund {
///     amount: u32,
///     paid: bool,
/// }
///
/// #[derive(Serialize)]
/// struct Question(String);
///
/// impl From<&Refund> for Question {
///     fn from(refund: &Refund) -> Self {
///         Self(format!("pay {} back?", refund.amount))
///     }
/// }
///
/// #[derive(Serialize, Deserialize)]
/// struct Answer {
///     yes: bool,
/// }
///
/// #[node(Refund)]
/// impl Answer {
///     fn run(&self, paid: &mut bool) {
///         *paid = self.yes;
///     }
/// }
///
/// #[derive(AgentGraph)]
/// #[graph(state = Refund, start = clerk)]
/// struct Approval {
///     #[route(_ => end)]
///     clerk: Human<Question, Answer>,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), RunError> {
/// let runtime = Runtime::new(Approval { clerk: Human::new() }).journal(Memory::default());
/// let thread = runtime.thread("refund-7");
/// let Run::Paused(ask) = thread.run(Refund { amount: 12, paid: false }).await? else { panic!() };
/// assert_eq!(ask.question.as_str(), r#""pay 12 back?""#);
///
/// // A year later, on another machine, with the same journal:
/// let Run::Finished(refund) = thread.resume(ask.id, Answer { yes: true }).await? else { panic!() };
/// assert!(refund.paid);
/// # Ok(())
/// # }
/// ```
///
/// # A person before a handoff
///
/// With `approve = f` a person decides whether a handoff may be made. What the person is asked, the
/// `fn(&State) -> Q` says, of the state behind the node; the answer is an [`Approval`](crate::Approval).
/// One that is refused goes on at the `else`, where [`cx.refusal()`](crate::Context::refusal) tells why,
/// and so does one about which nobody has decided in the time that `#[timeout(answer = "..")]` allows.
///
/// ```
/// use handoffs::prelude::*;
/// use handoffs::Approval;
///
/// #[derive(State, Clone, Debug, Default)]
/// struct Ticket {
///     refund: u32,
///     notes: Log<String>,
/// }
///
/// # #[derive(Outcome)]
/// # enum Judged { Due, NotDue }
/// # #[node(Ticket)] async fn judge(refund: &u32) -> Judged { if *refund > 0 { Judged::Due } else { Judged::NotDue } }
/// # #[node(Ticket)] async fn pay(notes: &mut Log<String>) { notes.push("paid".to_owned()); }
/// fn is_large(ticket: &Ticket) -> bool {
///     ticket.refund > 100
/// }
///
/// /// The question: anything that can be serialised.
/// fn large_refund(ticket: &Ticket) -> String {
///     format!("pay {} back?", ticket.refund)
/// }
///
/// #[node(Ticket)]
/// async fn escalate(notes: &mut Log<String>, cx: &mut Context<'_>) {
///     notes.push(cx.refusal().unwrap_or_default().to_owned());
/// }
///
/// #[derive(AgentGraph)]
/// #[graph(state = Ticket, start = judge)]
/// struct Desk {
///     #[route(
///         Judged::Due if is_large => pay(approve = large_refund, else = escalate),
///         Judged::Due => pay,
///         Judged::NotDue => end,
///     )]
///     #[timeout(answer = "48h")]
///     judge: Judge,
///     #[route(_ => end)]
///     pay: Pay,
///     #[route(_ => end)]
///     escalate: Escalate,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), RunError> {
/// # let desk = Desk { judge: Judge, pay: Pay, escalate: Escalate };
/// let thread = Runtime::new(desk).journal(Memory::default()).thread("ticket-7");
/// let Run::Paused(ask) = thread.run(Ticket { refund: 120, ..Ticket::default() }).await? else { panic!() };
/// assert_eq!(ask.question.as_str(), r#""pay 120 back?""#);
///
/// let no = Approval::refused("he had one last week");
/// let Run::Finished(ticket) = thread.resume(ask.id, no).await? else { panic!() };
/// assert_eq!(ticket.notes[0], "he had one last week");
/// # Ok(())
/// # }
/// ```
///
/// The step before the handoff is written with the question, so its node is not executed again. An edge
/// that is masked takes its `else` without asking. A limit counts the handoffs that were approved, and
/// none holds for an `else`: where what was refused is to be done anew, lead it to a node that hands back
/// over an edge with a limit.
///
/// # Forks
///
/// Each branch of a fork begins with a copy of the state, goes its own way, and ends when it would
/// hand over to the join. When all have arrived, what they changed is merged, in the order in which they
/// are written, whatever finished first; and the run goes on at the join.
///
/// ```
/// use handoffs::prelude::*;
///
/// #[derive(State, Clone, Debug, Default)]
/// struct Research {
///     topics: Vec<String>,
///     facts: Log<String>,
/// }
///
/// /// The items: one branch each.
/// fn topics(research: &Research) -> Vec<String> {
///     research.topics.clone()
/// }
///
/// #[node(Research)]
/// async fn plan(topics: &mut Vec<String>) {
///     topics.extend(["bees".to_owned(), "wasps".to_owned()]);
/// }
///
/// /// A parameter by value is the item.
/// #[node(Research)]
/// async fn look_up(topic: String, facts: &mut Log<String>) {
///     facts.push(format!("about {topic}"));
/// }
///
/// # #[node(Research)] async fn gather() {}
/// # #[node(Research)] async fn proofread(facts: &Log<String>) { let _ = facts; }
/// # #[node(Research)] async fn translate() {}
/// # #[node(Research)] async fn publish() {}
/// #[derive(AgentGraph)]
/// #[graph(state = Research, start = plan)]
/// struct Desk {
///     #[route(_ => each(topics) look_up join gather(concurrency = 8))]
///     plan: Plan,
///     #[route(_ => gather)]
///     look_up: LookUp,
///     #[route(_ => all(proofread, translate) join publish)]
///     gather: Gather,
///     #[route(_ => publish)]
///     proofread: Proofread,
///     #[route(_ => publish)]
///     translate: Translate,
///     #[route(_ => end)]
///     publish: Publish,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), RunError> {
/// # let desk = Desk { plan: Plan, look_up: LookUp, gather: Gather, proofread: Proofread, translate: Translate, publish: Publish };
/// let run = Runtime::new(desk).thread("insects").run(Research::default()).await?;
/// let Run::Finished(research) = run else { panic!() };
/// assert_eq!(research.facts.iter().collect::<Vec<_>>(), ["about bees", "about wasps"]);
/// # Ok(())
/// # }
/// ```
///
/// The function behind `each` is an `fn(&State) -> Vec<Item>`; without items the run goes on at the
/// join at once. In a branch there may be loops and further forks, but every way leads to the join,
/// and none to `end` (H009). Two branches that may write the same field are refused unless its type
/// [merges](crate::Merge) (H008). A limit counts along each path: a branch starts with the counts of
/// the run that forked, and after the join the highest count of any branch holds.
///
/// # Nodes that go back
///
/// `=> back` leads to whoever handed over to the node, who then stands where it stood: should it go back
/// in turn, that is to whoever had handed over to it before. So a worker does not need to know for whom
/// it works:
///
/// ```
/// use handoffs::prelude::*;
///
/// # #[derive(State, Clone, Debug, Default)]
/// # struct Ticket { notes: Log<String> }
/// # #[derive(Outcome)]
/// # enum Led { Search, Write, Done }
/// # #[node(Ticket)] async fn lead(notes: &Log<String>) -> Led {
/// #     match notes.len() { 0 => Led::Search, 1 => Led::Write, _ => Led::Done }
/// # }
/// # #[derive(Outcome)]
/// # enum Wrote { Missing, Done }
/// # #[node(Ticket)] async fn search(notes: &mut Log<String>) { notes.push("found".to_owned()) }
/// # #[node(Ticket)] async fn write(notes: &mut Log<String>) -> Wrote { notes.push("written".to_owned()); Wrote::Done }
/// #[derive(AgentGraph)]
/// #[graph(state = Ticket, start = lead)]
/// struct Office {
///     #[route(
///         Led::Search => search(limit = 5, else = end),
///         Led::Write => write(limit = 5, else = end),
///         Led::Done => end,
///     )]
///     lead: Lead,
///     #[route(_ => back)]
///     search: Search,
///     #[route(Wrote::Missing => search(limit = 3, else = end), Wrote::Done => back)]
///     write: Write,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), RunError> {
/// # let office = Office { lead: Lead, search: Search, write: Write };
/// let run = Runtime::new(office).thread("letter").run(Ticket::default()).await?;
/// assert_eq!(run.finished().map(|ticket| ticket.notes.len()), Some(2));
/// assert_eq!(Office::after_search(&Ticket::default(), &()), Route::back());
/// # Ok(())
/// # }
/// ```
///
/// A node hands over by the target or the `else` of an arm, and by forking to the join; not to itself, nor
/// to the branches of a fork. Where a run or a branch begins, nobody may have handed over, so nothing
/// leads back from there. To the checks and in drawings, `back` is an edge to each node that hands over,
/// so its `limit` counts for each of them.
///
/// # Who may do what
///
/// `scopes = Desk` names an enum of what may be done, and gives the graph authority: a node does only what
/// `#[may(use(..))]` on its field says, and only if the edge by which it was entered grants it.
///
/// ```
/// use handoffs::prelude::*;
///
/// # #[derive(State, Clone, Debug, Default)]
/// # struct Ticket { refund: u32 }
/// # #[derive(Outcome)]
/// # enum Triaged { Billing, Done }
/// # #[node(Ticket)] async fn triage(refund: &u32) -> Triaged {
/// #     if *refund == 0 { Triaged::Billing } else { Triaged::Done }
/// # }
/// # #[node(Ticket)] async fn billing(refund: &mut u32) { *refund = 12 }
/// #[derive(Scope)]
/// enum Desk {
///     /// Reads what was ordered.
///     ReadOrders,
///     /// Pays money back.
///     Refund,
/// }
///
/// #[derive(AgentGraph)]
/// #[graph(state = Ticket, start = triage, scopes = Desk)]
/// struct Support {
///     #[route(
///         Triaged::Billing => billing(limit = 2, grant(ReadOrders, Refund, spend = 50_000_000), else = end),
///         Triaged::Done => end,
///     )]
///     #[may(use(ReadOrders), grant(ReadOrders, Refund))]
///     triage: Triage,
///     #[route(_ => back)]
///     #[may(use(ReadOrders, Refund))]
///     billing: Billing,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), RunError> {
/// let run = Runtime::new(Support { triage: Triage, billing: Billing }).thread("t").run(Ticket::default()).await?;
/// # assert!(run.finished().is_some());
/// # Ok(())
/// # }
/// ```
///
/// The start holds what it may use or grant. An edge without `grant` passes nothing on; who goes `back` finds
/// the authority there that was there before. That authority only narrows on every path is proven (H010): an
/// edge grants no more than `#[may(grant(..))]` of its node, and a node names nothing that no path grants it.
/// What a `grant` says with `spend` (in millionths of the currency's unit), `calls` and `depth` (of further
/// handoffs that grant something) bounds what is passed on; see [`Grant`](crate::Grant).
///
/// # Nodes that fail
///
/// ```
/// use handoffs::prelude::*;
///
/// # #[derive(State, Clone, Debug, Default)]
/// # struct Ticket { account: Option<String> }
/// # #[node(Ticket)] async fn triage() {}
/// # #[node(Ticket)] async fn look_up() -> Result<(), std::io::Error> { Ok(()) }
/// # #[node(Ticket)] async fn clerk() {}
/// fn is_transient(error: &std::io::Error) -> bool {
///     error.kind() == std::io::ErrorKind::TimedOut
/// }
///
/// #[derive(AgentGraph)]
/// #[graph(state = Ticket, start = triage)]
/// struct Desk {
///     #[route(_ => look_up)]
///     triage: Triage,
///     #[route(_ => end)]
///     #[timeout("30s", idle = "5s")]
///     #[retry(times = 3, backoff = "200ms", on = is_transient)]
///     #[on_error(then = clerk)]
///     look_up: LookUp,
///     #[route(_ => end)]
///     clerk: Clerk,
/// }
/// # let _ = Runtime::new(Desk { triage: Triage, look_up: LookUp, clerk: Clerk });
/// ```
///
/// An attempt that fails leaves nothing in the state.
///
/// | attribute | meaning |
/// |---|---|
/// | `#[retry]` | 3 attempts in all; before each further one a wait, random up to a bound that begins at 200 ms and doubles up to 10 s |
/// | `#[retry(times = 5, backoff = "1s", cap = "1m", jitter = false)]` | other numbers; without jitter the wait is the bound itself |
/// | `#[retry(on = predicate)]` | for the errors of which the `fn(&Error) -> bool` is true; errors of another type do not fit it. Of several `#[retry]` the first that fits an error counts |
/// | `#[timeout("30s")]` | an attempt fails that takes longer |
/// | `#[timeout(idle = "5s")]` | an attempt fails that has given no [heartbeat](crate::Context::heartbeat) for so long |
/// | `#[timeout(answer = "2d")]` | the node fails if nobody has answered its question for so long, and [`recover`](crate::Thread::recover) is called after that; so `retry` asks again, and `on_error` leads to a fallback. Of a handoff that was to be approved: it is refused |
/// | `#[on_error(then = node)]` | where to go when the node has failed for good; options as on an arm |
/// | `#[on_error(then = end)]` | the run ends then; `end(..)` where the graph has an outcome |
/// | `#[on_error(then = back)]` | back to whoever handed over to this one, as `=> back` leads |
/// | `#[on_error(retry, then = ..)]` | as `#[retry]` beside it, if there is none |
///
/// An error leads along an edge like any other: it is drawn, it counts as a handoff, and a loop through
/// it needs a limit, as in `then = back(limit = 2, else = end)`. The node that it leads to reads why from
/// [`cx.failure()`](crate::Context::failure). A duration is written with `d`, `h`, `m`, `s` and `ms`,
/// the longest first: `"1m 30s"`.
///
/// # Nodes that need not run
///
/// ```
/// use handoffs::prelude::*;
///
/// # #[derive(State, Clone, Debug, Default)]
/// # struct Ticket { question: String, language: u8, answer: String }
/// # #[node(Ticket)] async fn answer(question: &String, answer: &mut String) { answer.clone_from(question); }
/// /// All that the answer depends on.
/// fn key(ticket: &Ticket) -> (String, u8) {
///     (ticket.question.clone(), ticket.language)
/// }
///
/// #[derive(AgentGraph)]
/// #[graph(state = Ticket, start = answer)]
/// struct Desk {
///     #[route(_ => end)]
///     #[cache(key = key, ttl = "1h")]
///     answer: Answer,
/// }
/// # let _ = Runtime::new(Desk { answer: Answer });
/// ```
///
/// While the entry counts, a run that comes to the node with the same key takes what the node wrote
/// and concluded then. The key is any `Serialize`, to which the item of a worker counts without your
/// doing; errors are never kept.
///
/// # A graph as a node
///
/// A graph is a node of any graph over the same state, as it is. With `outcome` it ends with a value on
/// which the graph around it routes; without, with `()`. For a graph over another state, `enter` makes
/// that state, and `leave` names the `#[node]` function that takes it over at the end: its parameter by
/// value is the inner state, and its signature says what is written to the outer one.
///
/// ```
/// use handoffs::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(State, Clone, Debug, Default, Serialize, Deserialize)]
/// struct Claim {
///     amount: u32,
///     note: String,
/// }
///
/// #[derive(Outcome)]
/// enum Verdict {
///     Pay,
///     Refuse,
/// }
///
/// # #[node(Claim)] async fn judge(amount: &u32, note: &mut String) -> Verdict { note.push_str("seen"); if *amount < 100 { Verdict::Pay } else { Verdict::Refuse } }
/// #[derive(AgentGraph)]
/// #[graph(state = Claim, start = judge, outcome = Verdict)]
/// struct Claims {
///     #[route(Verdict::Pay => end(Verdict::Pay), Verdict::Refuse => end(Verdict::Refuse))]
///     judge: Judge,
/// }
///
/// #[derive(State, Clone, Debug, Default)]
/// struct Ticket {
///     refund: u32,
///     notes: Log<String>,
///     paid: bool,
/// }
///
/// fn file(ticket: &Ticket) -> Claim {
///     Claim { amount: ticket.refund, note: String::new() }
/// }
///
/// #[node(Ticket)]
/// async fn close(claim: Claim, notes: &mut Log<String>) {
///     notes.push(claim.note);
/// }
///
/// # #[node(Ticket)] async fn pay(paid: &mut bool) { *paid = true; }
/// #[derive(AgentGraph)]
/// #[graph(state = Ticket, start = claims)]
/// struct Desk {
///     #[route(Verdict::Pay => pay, Verdict::Refuse => end)]
///     #[subgraph(enter = file, leave = close)]
///     claims: Claims,
///     #[route(_ => end)]
///     pay: Pay,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), RunError> {
/// let desk = Desk { claims: Claims { judge: Judge }, pay: Pay };
/// let ticket = Ticket { refund: 12, ..Ticket::default() };
/// let Run::Finished(ticket) = Runtime::new(desk).thread("7").run(ticket).await? else { panic!() };
/// assert!(ticket.paid && ticket.notes.len() == 1);
/// # Ok(())
/// # }
/// ```
///
/// `MAX_HANDOFFS` counts the handoffs inside too, as often as a run can come to the node.
///
/// # Graphs that change
///
/// A thread that began under an older version of its graph goes on under the new one, as long as the path
/// that it has taken is one that the new graph still has. Nodes, edges, limits and optional fields may be
/// added, in any order; what was renamed says so:
///
/// ```
/// use handoffs::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(State, Clone, Debug, Default, Serialize, Deserialize)]
/// struct Ticket {
///     #[serde(alias = "messages")]
///     transcript: Log<String>,
///     language: Option<String>,
///     #[serde(default)]
///     priority: u32,
/// }
///
/// #[node(Ticket)]
/// fn work(transcript: &mut Log<String>) {
///     transcript.push("done".to_owned());
/// }
///
/// #[derive(AgentGraph)]
/// #[graph(state = Ticket, start = reception, renamed_from = "HelpDesk")]
/// struct SupportDesk {
///     #[node(renamed_from = "intake")]
///     #[route(_ => survey)]
///     reception: Work,
///     #[route(_ => end)]
///     survey: Work,
/// }
/// ```
///
/// What the path contradicts is refused with [`RunError::OtherGraph`](crate::RunError::OtherGraph), whose
/// [`Difference`](crate::Difference) names it and what to do, and the thread is left as it was: a node or
/// an edge of the path that is gone, an edge that leads elsewhere, other branches of a fork that is under
/// way, a field that is gone. What names alone do not tell, as that a field has another type, is for
/// [`Runtime::migrate`](crate::Runtime::migrate). Over a run that is over, or has failed, another one may
/// always begin.
///
/// An old name changes nothing else, and can be taken away when no thread that has entries of it is to be
/// run any more. The [idempotency key](crate::Context::idempotency_key) of a node has its name in it: a
/// step that was under way when its node was renamed is repeated with another key.
///
/// # Generic graphs
///
/// What a node needs ([`Contract`](crate::Contract)) is proven while the graph compiles. The
/// contracts of a generic graph are known where it is given to a runtime, so it is there, in a
/// `cargo build`, that one which loses context, or whose branches write over each other, is refused:
///
/// ```compile_fail,E0080
/// use handoffs::Execute;
/// use handoffs::prelude::*;
///
/// #[derive(State, Clone, Default)]
/// struct Ticket { account: Option<String> }
///
/// #[node(Ticket)]
/// fn greet() {}
///
/// #[node(Ticket)]
/// fn billing(account: &str) {}
///
/// #[derive(AgentGraph)]
/// #[graph(state = Ticket, start = first)]
/// struct Two<A: Execute<Ticket, Outcome = ()>, B: Execute<Ticket, Outcome = ()>> {
///     #[route(_ => second)]
///     first: A,
///     #[route(_ => end)]
///     second: B,
/// }
///
/// Runtime::new(Two { first: Greet, second: Billing });
/// ```
#[doc(inline)]
pub use handoffs_macros::AgentGraph;

/// Makes a function, or the `run` of an `impl` block, a [`Node`](crate::Node): an `async fn` if it waits for something,
/// and a plain `fn` otherwise.
///
/// On a function `triage` it also makes the unit struct `Triage`, which is the node; the function
/// stays as it is, to be called in a unit test with plain references.
///
/// ```
/// use handoffs::prelude::*;
///
/// # #[derive(State, Clone, Default)]
/// # struct Ticket { messages: Log<String>, account: Option<String>, refund: Option<u32> }
/// # struct Ledger;
/// # #[derive(Debug)] struct LedgerError;
/// # impl std::fmt::Display for LedgerError { fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { Ok(()) } }
/// # impl std::error::Error for LedgerError {}
/// # impl Ledger { async fn charge_of(&self, _: &str) -> Result<Option<u32>, LedgerError> { Ok(Some(12)) } }
/// #[node(Ticket)]
/// fn triage(messages: &Log<String>, mut account: Out<'_, String>) {
///     account.set(format!("account of {}", messages[0]));
/// }
///
/// struct Billing { ledger: Ledger }
///
/// #[derive(Outcome)]
/// enum Billed { Done, WrongDesk }
///
/// #[node(Ticket)]
/// impl Billing {
///     async fn run(&self, account: &str, refund: &mut Option<u32>) -> Result<Billed, LedgerError> {
///         *refund = self.ledger.charge_of(account).await?;
///         Ok(if refund.is_some() { Billed::Done } else { Billed::WrongDesk })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), LedgerError> {
/// let mut refund = None;
/// let billing = Billing { ledger: Ledger };
/// assert!(matches!(billing.run("Ada", &mut refund).await?, Billed::Done));
/// # Ok(())
/// # }
/// ```
///
/// The parameters are the node's contract:
///
/// | parameter | the state's field of that name is |
/// |---|---|
/// | `field: &T` | read |
/// | `field: &T` where it is an `Option<T>` | read, and must be set before: a graph that cannot promise it does not compile |
/// | `field: &mut T` | written; an `Option` so taken may be unset, and no longer counts as set |
/// | `field: &mut T` where it is an `Option<T>` | written, and must be set before |
/// | `field: Out<'_, T>` where it is an `Option<T>` | written, and set when the node returns |
/// | `field: Replace<'_, T>` | written, and where branches meet it drops what the others made of the field |
/// | `cx: &mut Context<'_>` | no field: it is the [`Context`](crate::Context) of the run |
/// | `item: T`, by value | no field: it is the item that an `each` hands to its worker |
///
/// So a parameter whose `&` was forgotten is taken for an item. If the state has a field of its name,
/// that is refused right there. Otherwise the graph refuses the node (H009), since no `each` leads to
/// it: look for a missing `&` first. A node takes one item at most, which must be `Clone`,
/// `Serialize` and `Deserialize`; it can be taken apart by a pattern:
///
/// ```
/// use handoffs::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// # #[derive(State, Clone, Default)]
/// # struct Research { found: Log<String>, summary: String }
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Question {
///     text: String,
/// }
///
/// #[node(Research)]
/// async fn look_up(question: Question, found: &mut Log<String>) {
///     found.push(format!("nothing is known of {}", question.text));
/// }
///
/// #[node(Research)]
/// async fn give_up(Question { text }: Question, mut summary: Replace<'_, String>) {
///     summary.set(format!("nobody knows {text}"));
/// }
/// # fn is_worker<W: handoffs::Worker<Research, Item = Question>>(_: W) {}
/// # is_worker(LookUp);
/// # is_worker(GiveUp);
/// ```
///
/// The node works on copies of what it takes by `&mut` or `Replace`, which enter the state once it has concluded;
/// a field that is a [`Log`](crate::Log) is copied in O(1). So a field that a node writes whatever stood there
/// is best an `Option` that it takes by `Out`: then nothing is copied, unless the node asks for it by
/// [`get_mut`](crate::Out::get_mut).
///
/// It returns an outcome, or a `Result` of an outcome and any error. `#[node(State, crate = path)]` names this
/// crate if it is renamed.
#[doc(inline)]
pub use handoffs_macros::node;
