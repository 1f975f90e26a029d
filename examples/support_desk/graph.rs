//! The graph: the state, what each node can conclude, the nodes, and the edges between them.
//!
//! Read it from the bottom: [`SupportDesk`] is the whole picture, and `-- dot` draws it.

use handoffs::prelude::*;
use serde::{Deserialize, Serialize};

use crate::bank::{self, Account, Pence, Refund, UnknownCustomer};
use crate::classify::{Classifier, Guess, ModelError, Reading};
use crate::desks::{Reply, work};
use crate::intents::Desk;

/// Everything that a support conversation carries from desk to desk.
#[derive(State, Clone, Debug, Default)]
pub(crate) struct Ticket {
    /// The id that the customer writes under.
    pub(crate) customer: String,
    /// What was said. A `Log` only grows, so the journal keeps of each step what it added.
    pub(crate) messages: Log<Message>,
    /// Not known at first. A node that takes `&Account` has it, or the graph does not compile.
    pub(crate) account: Option<Account>,
    /// What triage takes the question for.
    pub(crate) guess: Option<Guess>,
    /// The desks that would not have the question.
    #[state(progress)]
    pub(crate) declined: Vec<Desk>,
    /// Money that the customer should get back.
    #[state(progress)]
    pub(crate) refund: Option<Refund>,
}

/// One thing that was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Message {
    /// The customer writes.
    Customer(String),
    /// One colleague tells another; the customer does not see it.
    Note { by: String, text: String },
    /// What the customer reads.
    Reply { by: String, text: String },
}

impl Message {
    fn note(cx: &Context<'_>, text: impl Into<String>) -> Self {
        let (by, text) = (cx.node().into(), text.into());
        Self::Note { by, text }
    }

    fn reply(cx: &Context<'_>, text: impl Into<String>) -> Self {
        let (by, text) = (cx.node().into(), text.into());
        Self::Reply { by, text }
    }
}

impl Ticket {
    /// Opens a ticket with a customer's question.
    pub(crate) fn new(customer: impl Into<String>, question: impl Into<String>) -> Self {
        Self {
            customer: customer.into(),
            messages: vec![Message::Customer(question.into())].into(),
            ..Self::default()
        }
    }

    /// Puts a further question behind a conversation that has come to its end.
    pub(crate) fn ask_again(self, question: impl Into<String>) -> Self {
        let Self {
            customer,
            mut messages,
            ..
        } = self;
        messages.push(Message::Customer(question.into()));
        Self {
            customer,
            messages,
            ..Self::default()
        }
    }

    /// What the customer asked last.
    pub(crate) fn question(&self) -> &str {
        question(&self.messages)
    }

    /// What the customer was told last.
    pub(crate) fn answer(&self) -> Option<&str> {
        self.messages
            .iter()
            .rev()
            .find_map(|message| match message {
                Message::Reply { text, .. } => Some(text.as_str()),
                _ => None,
            })
    }
}

fn question(messages: &Log<Message>) -> &str {
    let mut latest_first = messages.iter().rev();
    let asked = latest_first.find_map(|message| match message {
        Message::Customer(text) => Some(text.as_str()),
        _ => None,
    });
    asked.unwrap_or_default()
}

// What the nodes can conclude. A route is a `match` on one of these, so none can be forgotten.

/// Which desk the question is for: how sure triage is, in percent, and the words that told.
///
/// Where a desk stands out, the guess is set: the runtime sees to it that this promise is kept, and
/// the compiler relies on it.
#[derive(Outcome)]
pub(crate) enum Triaged {
    /// The card itself: delivery, PIN, loss, a card that is refused.
    #[outcome(gives(guess))]
    Cards { sure: u8, because: String },
    /// Money on its way in or out: transfers, top-ups, the balance.
    #[outcome(gives(guess))]
    Transfers { sure: u8, because: String },
    /// What something cost: fees, refunds, exchange rates, charges in dispute.
    #[outcome(gives(guess))]
    Charges { sure: u8, because: String },
    /// Who may use the account: sign-in, identity, opening and closing.
    #[outcome(gives(guess))]
    Access { sure: u8, because: String },
    /// No desk stands out.
    Unclear { nearest: Option<Desk> },
}

/// What became of a question at a desk.
#[derive(Outcome)]
pub(crate) enum Served {
    /// The customer has an answer.
    Answered,
    /// It is another desk's question.
    NotOurs { note: String },
    /// A person must decide.
    NeedsPerson,
}

/// What became of a question at the charges desk, the only one that gives money back.
#[derive(Outcome)]
pub(crate) enum Charged {
    /// The customer has an answer.
    Answered,
    /// The customer is owed money.
    #[outcome(gives(refund))]
    Refund { amount: String, charge: String },
    /// It is another desk's question.
    NotOurs { note: String },
    /// A person must decide.
    NeedsPerson,
}

// The nodes. The signature of each is its contract: `&` reads a field, `&mut` may write it, and
// `&Account`, where the field is an `Option<Account>`, says: do not come here before it is set. A node
// with one way on concludes `()`, and one that has to wait for something is an `async fn`.

/// Finds the customer's account: `Out` promises to set it, or to fail.
#[node(Ticket)]
pub(crate) fn identify(
    customer: &str,
    mut account: Out<'_, Account>,
) -> Result<(), UnknownCustomer> {
    account.set(bank::look_up(customer)?);
    Ok(())
}

/// Reads the question, and says whose it is.
pub(crate) struct Triage {
    classifier: Classifier,
}

#[node(Ticket)]
impl Triage {
    fn run(
        &self,
        messages: &Log<Message>,
        declined: &[Desk],
        guess: &mut Option<Guess>,
    ) -> Triaged {
        match self.classifier.classify(question(messages), declined) {
            Reading::Clear(clear) => Triaged::from(&*guess.insert(clear)),
            Reading::Unclear(nearest) => Triaged::Unclear {
                nearest: nearest.map(|guess| guess.desk),
            },
        }
    }
}

impl From<&Guess> for Triaged {
    fn from(guess: &Guess) -> Self {
        let (sure, because) = (guess.percent(), guess.because.join(", "));
        match guess.desk {
            Desk::Cards => Self::Cards { sure, because },
            Desk::Transfers => Self::Transfers { sure, because },
            Desk::Charges => Self::Charges { sure, because },
            Desk::Access => Self::Access { sure, because },
        }
    }
}

/// A desk that answers from the account. One type serves as three nodes; which of them it is at
/// work as, it learns from its context.
pub(crate) struct Clerk;

#[node(Ticket)]
impl Clerk {
    #[expect(clippy::unused_self, reason = "a clerk has no tools of its own")]
    fn run(
        &self,
        account: &Account,
        guess: &Guess,
        messages: &mut Log<Message>,
        cx: &mut Context<'_>,
    ) -> Served {
        match work(guess, question(messages), account) {
            Reply::Answered { text, .. } => {
                messages.push(Message::reply(cx, text));
                Served::Answered
            }
            Reply::WrongDesk { note } => {
                messages.push(Message::note(cx, &note));
                Served::NotOurs { note }
            }
            Reply::NeedsPerson { question } => {
                messages.push(Message::note(cx, question));
                Served::NeedsPerson
            }
        }
    }
}

/// Answers what something cost, and finds out what the customer is owed.
#[node(Ticket)]
pub(crate) fn charges(
    account: &Account,
    guess: &Guess,
    messages: &mut Log<Message>,
    refund: &mut Option<Refund>,
    cx: &mut Context<'_>,
) -> Charged {
    match work(guess, question(messages), account) {
        Reply::Answered {
            text,
            refund: Some(owed),
        } => {
            messages.push(Message::note(cx, text));
            let Refund { amount, charge } = refund.insert(owed);
            Charged::Refund {
                amount: amount.to_string(),
                charge: charge.clone(),
            }
        }
        Reply::Answered { text, refund: None } => {
            messages.push(Message::reply(cx, text));
            Charged::Answered
        }
        Reply::WrongDesk { note } => {
            messages.push(Message::note(cx, &note));
            Charged::NotOurs { note }
        }
        Reply::NeedsPerson { question } => {
            messages.push(Message::note(cx, question));
            Charged::NeedsPerson
        }
    }
}

/// Pays a refund out.
///
/// A crash between a payment and its entry in the journal repeats the step, so a real ledger is told
/// a key that is the same both times, and books only once.
#[node(Ticket)]
pub(crate) fn payout(
    refund: &Refund,
    account: &mut Account,
    messages: &mut Log<Message>,
    cx: &mut Context<'_>,
) {
    let Refund { amount, charge } = refund;
    account.balance = account.balance + *amount;
    let (name, balance) = (&account.name, account.balance);
    let booked = format!("booked under {}", cx.idempotency_key());
    let told = format!(
        "{name}, charge {charge} should not have been made. {amount} is back in the account, which holds {balance}."
    );
    messages.push(Message::note(cx, booked));
    messages.push(Message::reply(cx, told));
}

/// Takes a question back from a desk that would not have it, and strikes the desk off triage's list.
#[node(Ticket)]
pub(crate) fn hand_back(guess: &Guess, declined: &mut Vec<Desk>) {
    declined.push(guess.desk);
}

/// What a person is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    /// Who wrote.
    pub(crate) customer: String,
    /// What the customer wrote.
    pub(crate) asked: String,
    /// What there is to decide.
    pub(crate) decide: String,
}

impl From<&Ticket> for Question {
    fn from(ticket: &Ticket) -> Self {
        let decide = match ticket.messages.last() {
            Some(Message::Note { by, text }) => format!("{by}: {text}"),
            _ => "No desk stands out. What should the customer hear?".into(),
        };
        Self {
            customer: ticket.customer.clone(),
            asked: ticket.question().to_owned(),
            decide,
        }
    }
}

/// What a person answers. It is a node as well: it takes part in the run once it is there.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer(pub(crate) String);

#[node(Ticket)]
impl Answer {
    fn run(&self, messages: &mut Log<Message>, cx: &mut Context<'_>) {
        messages.push(Message::reply(cx, self.0.as_str()));
    }
}

/// Up to this amount a refund is paid without asking.
const PAID_AT_ONCE: Pence = Pence(7_500);

/// A guard: an arm with it is taken only if it holds.
fn is_small(ticket: &Ticket) -> bool {
    let refund = ticket.refund.as_ref();
    refund.is_some_and(|refund| refund.amount <= PAID_AT_ONCE)
}

/// A bank's support desk: one field a node, one arm an edge.
#[derive(AgentGraph)]
#[graph(state = Ticket, start = identify)]
pub(crate) struct SupportDesk {
    /// Finds the customer's account.
    #[route(_ => triage)]
    identify: Identify,

    /// Reads the question, and says whose it is.
    #[route(
        Triaged::Cards { .. } => cards,
        Triaged::Transfers { .. } => transfers,
        Triaged::Charges { .. } => charges,
        Triaged::Access { .. } => access,
        Triaged::Unclear { .. } => human,
    )]
    triage: Triage,

    /// Delivery, PIN, loss, a card that is refused.
    #[route(
        Served::Answered => end,
        Served::NotOurs { .. } => hand_back,
        Served::NeedsPerson => human,
    )]
    cards: Clerk,

    /// Transfers, top-ups, the balance.
    #[route(
        Served::Answered => end,
        Served::NotOurs { .. } => hand_back,
        Served::NeedsPerson => human,
    )]
    transfers: Clerk,

    /// Fees, refunds, exchange rates, charges in dispute.
    #[route(
        Charged::Answered => end,
        Charged::Refund { .. } if is_small => payout,
        Charged::Refund { .. } => human,
        Charged::NotOurs { .. } => hand_back,
        Charged::NeedsPerson => human,
    )]
    charges: Charges,

    /// Sign-in, identity, opening and closing.
    #[route(
        Served::Answered => end,
        Served::NotOurs { .. } => hand_back,
        Served::NeedsPerson => human,
    )]
    access: Clerk,

    /// Pays a small refund out.
    #[route(_ => end)]
    payout: Payout,

    /// Takes a question back from a desk that would not have it.
    ///
    /// Triage may look once more; if the second desk will not have the question either, a person
    /// does. Without the limit this is a loop, and a loop without a limit does not compile.
    #[route(_ => triage(limit = 1, else = human))]
    hand_back: HandBack,

    /// A colleague decides. The run pauses until then, be it for days.
    #[route(_ => end)]
    human: Human<Question, Answer>,
}

impl SupportDesk {
    /// Opens the desk, with the model that comes with the example.
    pub(crate) fn open() -> Result<Self, ModelError> {
        Ok(Self::with(Classifier::bundled()?))
    }

    /// Opens the desk with a model.
    pub(crate) fn with(classifier: Classifier) -> Self {
        Self {
            identify: Identify,
            triage: Triage { classifier },
            cards: Clerk,
            transfers: Clerk,
            charges: Charges,
            access: Clerk,
            payout: Payout,
            hand_back: HandBack,
            human: Human::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use handoffs::testing::assert_route;

    use super::*;

    fn ticket_with_refund(amount: Pence) -> Ticket {
        let charge = "C-1".into();
        Ticket {
            refund: Some(Refund { charge, amount }),
            ..Ticket::default()
        }
    }

    fn refund() -> Charged {
        Charged::Refund {
            amount: "£1.00".into(),
            charge: "C-1".into(),
        }
    }

    // Edges are pure functions of the state and an outcome: no runtime, no model, no async.

    #[test]
    fn a_question_goes_back_to_triage_once_and_then_to_a_person() {
        let ticket = Ticket::default();
        assert_route!(SupportDesk::after_hand_back(&ticket, &()) => triage(limit = 1, else = human));
    }

    #[test]
    fn a_small_refund_is_paid_and_a_large_one_is_for_a_person() {
        let [small, large] = [PAID_AT_ONCE, Pence(7_501)].map(ticket_with_refund);
        assert_route!(SupportDesk::after_charges(&small, &refund()) => payout);
        assert_route!(SupportDesk::after_charges(&large, &refund()) => human);
    }

    #[test]
    fn a_desk_that_answers_ends_the_run() {
        let ticket = Ticket::default();
        assert_route!(SupportDesk::after_charges(&ticket, &Charged::Answered) => end);
        assert_route!(SupportDesk::after_cards(&ticket, &Served::Answered) => end);
    }

    #[test]
    fn the_longest_run_is_known_when_the_graph_compiles() {
        // identify, triage, desk, hand_back, triage, desk, hand_back, human
        assert_eq!(SupportDesk::MAX_HANDOFFS, 7);
    }

    #[test]
    fn the_drawings_are_up_to_date() {
        handoffs::testing::assert_dot::<SupportDesk>("docs/support_desk.dot");
        handoffs::testing::assert_svg::<SupportDesk>("docs/support_desk.svg");
    }

    // A node is an ordinary function as well.

    #[test]
    fn a_customer_without_an_id_has_no_account() {
        let mut account = None;
        assert_eq!(identify(" ", Out::new(&mut account)), Err(UnknownCustomer));
        assert!(account.is_none());
    }

    #[test]
    fn triage_passes_over_a_desk_that_would_not_have_the_question() {
        let triage = SupportDesk::open().expect("the model is good").triage;
        let messages = vec![Message::Customer("my card was charged twice".into())].into();
        let mut guess = None;
        assert!(matches!(
            triage.run(&messages, &[], &mut guess),
            Triaged::Charges { .. }
        ));
        assert!(!matches!(
            triage.run(&messages, &[Desk::Charges], &mut guess),
            Triaged::Charges { .. }
        ));
    }

    #[test]
    fn a_desk_that_hands_back_is_struck_off() {
        let triage = SupportDesk::open().expect("the model is good").triage;
        let messages = vec![Message::Customer("where is my card".into())].into();
        let (mut guess, mut declined) = (None, Vec::new());
        triage.run(&messages, &declined, &mut guess);
        hand_back(&guess.expect("a clear question"), &mut declined);
        assert_eq!(declined, [Desk::Cards]);
    }
}
