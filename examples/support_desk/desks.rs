//! What each desk does with a question: answers from the account, hands it back, or asks a person.

use crate::{
    bank::{Account, CardStatus, Pence, Refund, SignIn, TransferState},
    classify::{Guess, stem, words},
    intents::Desk,
};

/// What a desk makes of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The customer is helped.
    Answered {
        /// What the customer reads.
        text: String,
        /// Money given back on the way.
        refund: Option<Refund>,
    },
    /// The question belongs to another desk.
    WrongDesk {
        /// What triage should know.
        note: String,
    },
    /// A person must decide.
    NeedsPerson {
        /// What the person is asked.
        question: String,
    },
}

impl Reply {
    fn answered(text: impl Into<String>) -> Self {
        Self::Answered {
            text: text.into(),
            refund: None,
        }
    }

    fn needs_person(question: impl Into<String>) -> Self {
        Self::NeedsPerson {
            question: question.into(),
        }
    }
}

/// A desk believes a triage that was at least this sure, whatever the words.
const BELIEVED: f32 = 0.9;

/// Up to this amount the charges desk opens a dispute without asking.
const DISPUTED_AT_ONCE: Pence = Pence(7_500);

/// Has the desk that triage chose work on a question.
pub(crate) fn work(guess: &Guess, text: &str, account: &Account) -> Reply {
    if guess.confidence < BELIEVED
        && let Some(note) = belongs_elsewhere(guess.desk, text)
    {
        return Reply::WrongDesk { note };
    }
    let intent = guess.intent.as_str();
    match guess.desk {
        Desk::Cards => cards(intent, account),
        Desk::Transfers => transfers(intent, text, account),
        Desk::Charges => charges(intent, account),
        Desk::Access => access(intent, account),
    }
}

/// The words that give a trade away, in any form. Words that any desk hears all day, such as `account`, stand nowhere.
#[rustfmt::skip]
fn trade(desk: Desk) -> &'static [&'static str] {
    match desk {
        Desk::Cards => &[
            "pin", "atm", "contactless", "visa", "mastercard", "apple", "google", "wallet", "deliver", "delivery",
            "virtual", "disposable", "declined", "activate", "activation", "expire", "freeze", "frozen", "swallowed",
            "stuck", "replacement", "physical", "track", "stolen", "lost",
        ],
        Desk::Transfers => &[
            "transfer", "transferred", "top", "topped", "topup", "beneficiary", "beneficiaries", "recipient", "deposit",
            "cheque", "balance", "salary", "swift", "sepa", "auto", "send", "sent",
        ],
        Desk::Charges => &[
            "charge", "fee", "refund", "rate", "exchange", "currency", "currencies", "purchase", "statement", "atm",
            "withdraw", "withdrawal", "withdrew", "cash", "cost", "twice", "debit", "bought", "extra", "convert",
            "duplicate",
        ],
        Desk::Access => &[
            "passcode", "password", "identity", "identification", "verify", "verified", "verification", "details",
            "address", "phone", "child", "children", "kid", "daughter", "son", "country", "countries", "europe",
            "login", "delete", "close", "document", "surname", "married",
        ],
    }
}

/// Words that give no trade away, and yet are no surprise at a desk.
fn hears(desk: Desk) -> &'static [&'static str] {
    match desk {
        Desk::Cards => &["card", "cash", "withdraw", "withdrawal"],
        Desk::Transfers => &["add", "card", "currency", "currencies", "receive", "fund"],
        Desk::Charges => &[
            "payment",
            "pay",
            "paid",
            "transaction",
            "pound",
            "euro",
            "dollar",
        ],
        Desk::Access => &["account", "source", "fund", "name", "app"],
    }
}

/// A desk hands a question back when no word in it is of its own trade, and some word is of another's.
fn belongs_elsewhere(desk: Desk, text: &str) -> Option<String> {
    let words = words(text);
    let is_in = |known: &[&str], word: &str| known.iter().any(|known| stem(known) == stem(word));
    if words
        .iter()
        .any(|word| is_in(trade(desk), word) || is_in(hears(desk), word))
    {
        return None;
    }
    let others = Desk::ALL.into_iter().filter(|other| *other != desk);
    let mut telling = others.flat_map(|other| words.iter().map(move |word| (other, word)));
    let (other, word) = telling.find(|(other, word)| is_in(trade(*other), word))?;
    Some(format!(
        "nothing in it is for {desk}, and `{word}` sounds like {other}"
    ))
}

fn cards(intent: &str, account: &Account) -> Reply {
    let Account { name, card, .. } = account;
    let status = account.card_status();
    Reply::answered(match intent {
        "card_arrival" | "card_delivery_estimate" => match status {
            CardStatus::OnItsWay { .. } => format!("{name}, the card ending {card} is {status}."),
            _ => format!("{name}, the card ending {card} was delivered; our records say it is {status}. A new one takes 5 working days."),
        },
        "order_physical_card" | "getting_spare_card" => format!(
            "{name}, a further card can be ordered in the app under Cards, and comes within 5 working days. The one ending {card} stays as it is: {status}.",
        ),
        "getting_virtual_card" | "get_disposable_virtual_card" | "disposable_card_limits" => {
            "Virtual cards are made in the app under Cards. A disposable one is good for one payment; five a day are free.".into()
        }
        "visa_or_mastercard" => format!("The card ending {card} runs on Mastercard; a Visa one can be chosen for the next card."),
        "activate_my_card" | "card_linking" => match status {
            CardStatus::Asleep => format!("{name}, the card ending {card} is now activated and appears in the app."),
            _ => format!("{name}, the card ending {card} is {status}. In the app, Cards and then Add links it again."),
        },
        "apple_pay_or_google_pay" => format!("The card ending {card} can be put into Apple Pay and Google Pay from Cards, Wallets."),
        "get_physical_card" | "change_pin" => {
            "The PIN is shown in the app under Cards, Security. Any cash machine with our sign can change it.".into()
        }
        "pin_blocked" => match status {
            CardStatus::PinBlocked => format!("{name}, the PIN of the card ending {card} is unblocked. The old PIN works again."),
            _ => format!("{name}, the PIN of the card ending {card} is not blocked on our side: the card is {status}."),
        },
        "card_acceptance" | "atm_support" => {
            format!("The card ending {card} works wherever Mastercard is taken, cash machines included.")
        }
        "card_not_working" | "contactless_not_working" | "virtual_card_not_working" | "declined_card_payment"
        | "declined_cash_withdrawal" => match status {
            CardStatus::Active => format!(
                "{name}, the card ending {card} is active and {} is there. One payment with the PIN wakes the chip again.",
                account.balance,
            ),
            _ => format!("{name}, that is because the card ending {card} is {status}. The app shows the next step under Cards."),
        },
        "card_about_to_expire" => format!("{name}, the card ending {card} is {status}. A new one comes by itself, a month ahead."),
        "card_swallowed" | "lost_or_stolen_card" => {
            format!("{name}, the card ending {card} is now frozen, and a new one is in the post.")
        }
        "compromised_card" => {
            return Reply::needs_person(format!(
                "{name}'s card ending {card} may be in the wrong hands. Block it for good and open a fraud case?"
            ));
        }
        other => return unprepared(Desk::Cards, other),
    })
}

fn transfers(intent: &str, text: &str, account: &Account) -> Reply {
    let Account { name, balance, .. } = account;
    let Some(transfer) = account.transfer_meant_by(text) else {
        return Reply::needs_person(format!(
            "{name} asks about a transfer, and the account has none. What is meant?"
        ));
    };
    let (reference, to, amount) = (&transfer.reference, &transfer.to, transfer.amount);
    Reply::answered(match intent {
        "cancel_transfer" => match transfer.state {
            TransferState::Pending => format!("{name}, transfer {reference} of {amount} to {to} is stopped; the money is back."),
            TransferState::Returned => format!("{name}, transfer {reference} of {amount} to {to} has come back already."),
            TransferState::Arrived => {
                return Reply::needs_person(format!(
                    "{name} wants to take back transfer {reference} of {amount}, which {to} has already received. Ask the other bank?"
                ));
            }
        },
        "beneficiary_not_allowed" | "declined_transfer" | "failed_transfer" | "pending_transfer"
        | "transfer_not_received_by_recipient" | "transfer_timing" => match transfer.state {
            TransferState::Arrived => format!("{name}, transfer {reference} of {amount} to {to} has arrived; the other bank has confirmed it."),
            TransferState::Pending => {
                format!("{name}, transfer {reference} of {amount} to {to} is under way and should arrive within two working days.")
            }
            TransferState::Returned => {
                format!("{name}, the other bank returned transfer {reference} of {amount} to {to}. Please compare the account number.")
            }
        },
        "receiving_money" | "transfer_into_account" => {
            format!("{name}, the account number for money from others, wages too, stands in the app under Account, Details.")
        }
        "balance_not_updated_after_bank_transfer" | "balance_not_updated_after_cheque_or_cash_deposit" => {
            format!("{name}, the balance is {balance}. Bank transfers are booked within two working days, cash and cheques within five.")
        }
        "pending_top_up" | "top_up_failed" | "top_up_reverted" | "verify_top_up" => {
            format!("{name}, no top-up is stuck, and the balance is {balance}. What a card's bank refuses goes back there within a day.")
        }
        "automatic_top_up" | "supported_cards_and_currencies" | "top_up_by_cash_or_cheque" | "top_up_limits"
        | "topping_up_by_card" => {
            "Top-ups work by debit card, bank transfer or cheque, up to £5,000 a day, and by themselves under Top up, Automatic.".into()
        }
        other => return unprepared(Desk::Transfers, other),
    })
}

fn charges(intent: &str, account: &Account) -> Reply {
    let name = &account.name;
    Reply::answered(match intent {
        "transaction_charged_twice" => return charged_twice(account),
        "card_payment_fee_charged" | "cash_withdrawal_charge" | "exchange_charge" | "extra_charge_on_statement"
        | "top_up_by_bank_transfer_charge" | "top_up_by_card_charge" | "transfer_fee_charged" => match account.charge_with_fee() {
            Some(it) => format!("{name}, the latest fee is {} for {} at {}. The app lists every fee under Prices.", it.fee, it.reference, it.merchant),
            None => format!("{name}, no fee was taken of late. The app lists what can cost something under Prices."),
        },
        "card_payment_not_recognised" | "cash_withdrawal_not_recognised" | "direct_debit_payment_not_recognised" => {
            return not_recognised(account);
        }
        "pending_card_payment" | "pending_cash_withdrawal" | "reverted_card_payment?" => match account.pending_charge() {
            Some(it) => format!(
                "{name}, {} at {} is held and not booked yet. If the shop does not claim it within 7 days, it comes back.",
                it.amount, it.merchant,
            ),
            None => format!("{name}, nothing is held at the moment: every payment is booked or has come back."),
        },
        "Refund_not_showing_up" | "request_refund" => {
            format!("{name}, no refund waits on our side. Once a shop has sent it, it takes up to 5 working days; until then, please ask the shop.")
        }
        "wrong_amount_of_cash_received" => {
            return Reply::needs_person(format!("{name} received too little from a cash machine. Claim it from the machine's owner?"));
        }
        "card_payment_wrong_exchange_rate" | "exchange_rate" | "exchange_via_app" | "fiat_currency_support"
        | "wrong_exchange_rate_for_cash_withdrawal" => {
            "Thirty currencies can be held and exchanged in the app. A payment takes the rate of the moment at which it is booked, at weekends with a small margin.".into()
        }
        other => return unprepared(Desk::Charges, other),
    })
}

fn not_recognised(account: &Account) -> Reply {
    let name = &account.name;
    match account.charges.first() {
        Some(it) if it.amount <= DISPUTED_AT_ONCE => Reply::answered(format!(
            "{name}, {} at {} is now in dispute as {}; the money is lent to the account until that is settled.",
            it.amount, it.merchant, it.reference,
        )),
        Some(it) => Reply::needs_person(format!(
            "{name} does not know a payment; the latest is {} at {}. Open a dispute over so much?",
            it.amount, it.merchant,
        )),
        None => Reply::needs_person(format!(
            "{name} does not know a payment, and the account has none. What is meant?"
        )),
    }
}

fn charged_twice(account: &Account) -> Reply {
    let name = &account.name;
    match account.find_duplicate_charge() {
        Some(it) => Reply::Answered {
            text: format!(
                "{name} is owed money: {} took {} twice. Give it back for the second one, {}?",
                it.merchant, it.amount, it.reference
            ),
            refund: Some(Refund {
                charge: it.reference.clone(),
                amount: it.amount,
            }),
        },
        None => Reply::needs_person(format!(
            "{name} was charged twice, the customer says, and the account shows no two charges alike. Which payment is it?"
        )),
    }
}

fn access(intent: &str, account: &Account) -> Reply {
    let name = &account.name;
    Reply::answered(match intent {
        "passcode_forgotten" => match account.sign_in {
            SignIn::Locked => format!("{name}, the sign-in was locked after wrong passcodes. It is open again; please choose a new passcode."),
            SignIn::Open => format!("{name}, the app's first screen sets a new passcode under Forgotten."),
        },
        "lost_or_stolen_phone" => format!("{name}, the app is signed out on every phone. Signing in on a new one takes the card and a photo."),
        "unable_to_verify_identity" | "verify_my_identity" | "why_verify_identity" => {
            if account.verified {
                format!("{name}, the identity is proven; nothing is left to do.")
            } else {
                format!("{name}, the law asks us to know who a customer is. A photo of a passport or an identity card, in the app under Profile, is enough.")
            }
        }
        "verify_source_of_funds" => format!("{name}, a payslip or a bank statement shows where money comes from; the app takes it under Profile."),
        "edit_personal_details" => {
            format!("{name}, the app changes an address or a phone number under Profile. A new name takes a photo of the document too.")
        }
        "terminate_account" => {
            return Reply::needs_person(format!("{name} wants to close the account, which holds {}. Close it?", account.balance));
        }
        "age_limit" => "An account is open to anyone from 18 years; a parent can open one for a child from 7 years.".into(),
        "country_support" => "Accounts are open to residents of the United Kingdom and of the European Economic Area.".into(),
        other => return unprepared(Desk::Access, other),
    })
}

fn unprepared(desk: Desk, intent: &str) -> Reply {
    Reply::needs_person(format!(
        "The {desk} desk has no answer prepared for `{intent}`. What should the customer hear?"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bank::look_up, intents::INTENTS};

    fn account(with: impl Fn(&Account) -> bool) -> Account {
        let mut accounts = (1..).filter_map(|number| look_up(&format!("customer-{number}")).ok());
        accounts
            .find(with)
            .expect("there is such an account among so many")
    }

    fn guess(intent: &str, confidence: f32) -> Guess {
        let (name, desk) = crate::intents::intent(intent).expect("a known intent");
        Guess {
            desk,
            intent: name.to_owned(),
            confidence,
            margin: confidence,
            because: Vec::new(),
        }
    }

    #[test]
    fn a_charge_booked_twice_is_refunded_once() {
        let account = account(|it| it.find_duplicate_charge().is_some());
        let reply = work(
            &guess("transaction_charged_twice", 1.0),
            "my card was charged twice",
            &account,
        );
        let Reply::Answered {
            text,
            refund: Some(refund),
        } = reply
        else {
            panic!("no refund: {reply:?}")
        };
        assert!(
            text.contains(&refund.charge) && text.contains(&refund.amount.to_string()),
            "{text}"
        );
    }

    #[test]
    fn a_duplicate_that_the_account_does_not_show_is_for_a_person() {
        let account = account(|it| it.find_duplicate_charge().is_none());
        let reply = work(
            &guess("transaction_charged_twice", 1.0),
            "my card was charged twice",
            &account,
        );
        assert!(matches!(reply, Reply::NeedsPerson { .. }), "{reply:?}");
    }

    #[test]
    fn a_desk_hands_back_a_question_that_speaks_of_another_trade() {
        let account = account(|_| true);
        let reply = work(
            &guess("request_refund", 0.5),
            "Is it possible to top up for free?",
            &account,
        );
        let note = "nothing in it is for charges, and `top` sounds like transfers".to_owned();
        assert_eq!(reply, Reply::WrongDesk { note });
    }

    #[test]
    fn a_desk_keeps_a_question_of_its_own_trade_or_of_a_sure_triage() {
        let account = account(|_| true);
        let fee = work(
            &guess("transfer_fee_charged", 0.5),
            "What is the fee to top up?",
            &account,
        );
        let sure = work(
            &guess("top_up_by_card_charge", 0.95),
            "Is it possible to top up for free?",
            &account,
        );
        assert!(matches!(fee, Reply::Answered { .. }), "{fee:?}");
        assert!(matches!(sure, Reply::Answered { .. }), "{sure:?}");
    }

    #[test]
    fn no_text_at_all_is_no_reason_to_hand_back() {
        assert_eq!(belongs_elsewhere(Desk::Cards, "please help"), None);
    }

    #[test]
    fn every_intent_has_an_answer_prepared() {
        for number in 0..50 {
            let account = look_up(&format!("customer-{number}")).expect("the id is not blank");
            for (intent, desk) in INTENTS {
                let reply = work(&guess(intent, 1.0), "", &account);
                let unprepared = unprepared(desk, intent);
                assert_ne!(reply, unprepared);
            }
        }
    }

    #[test]
    fn a_locked_sign_in_is_opened() {
        let account = account(|it| it.sign_in == SignIn::Locked);
        let reply = work(
            &guess("passcode_forgotten", 1.0),
            "I forgot my passcode",
            &account,
        );
        assert!(
            matches!(&reply, Reply::Answered { text, .. } if text.contains("open again")),
            "{reply:?}"
        );
    }
}
