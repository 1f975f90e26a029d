//! Which desk of the bank answers which kind of question.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A desk that can answer without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Desk {
    /// The card itself: delivery, PIN, loss, a card that is refused.
    Cards,
    /// Money on its way in or out: transfers, top-ups, the balance.
    Transfers,
    /// What something cost: fees, refunds, exchange rates, charges in dispute.
    Charges,
    /// Who may use the account: sign-in, identity, opening and closing.
    Access,
}

impl Desk {
    /// All desks, in the order in which reports list them.
    pub(crate) const ALL: [Self; 4] = [Self::Cards, Self::Transfers, Self::Charges, Self::Access];

    /// The name as people read it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cards => "cards",
            Self::Transfers => "transfers",
            Self::Charges => "charges",
            Self::Access => "access",
        }
    }
}

impl fmt::Display for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a customer can want, by the names of the banking77 data set, and the desk that sees to it.
#[rustfmt::skip]
pub(crate) static INTENTS: [(&str, Desk); 77] = [
    // Getting a card.
    ("card_arrival",                                     Desk::Cards),
    ("card_delivery_estimate",                           Desk::Cards),
    ("order_physical_card",                              Desk::Cards),
    ("getting_spare_card",                               Desk::Cards),
    ("getting_virtual_card",                             Desk::Cards),
    ("get_disposable_virtual_card",                      Desk::Cards),
    ("disposable_card_limits",                           Desk::Cards),
    ("visa_or_mastercard",                               Desk::Cards),
    // Setting it up.
    ("activate_my_card",                                 Desk::Cards),
    ("card_linking",                                     Desk::Cards),
    ("apple_pay_or_google_pay",                          Desk::Cards),
    ("get_physical_card",                                Desk::Cards), // in truth: where to find the PIN
    ("change_pin",                                       Desk::Cards),
    ("pin_blocked",                                      Desk::Cards),
    // Using it.
    ("card_acceptance",                                  Desk::Cards),
    ("atm_support",                                      Desk::Cards),
    ("card_not_working",                                 Desk::Cards),
    ("contactless_not_working",                          Desk::Cards),
    ("virtual_card_not_working",                         Desk::Cards),
    ("declined_card_payment",                            Desk::Cards),
    ("declined_cash_withdrawal",                         Desk::Cards),
    // Losing it.
    ("card_about_to_expire",                             Desk::Cards),
    ("card_swallowed",                                   Desk::Cards),
    ("compromised_card",                                 Desk::Cards),
    ("lost_or_stolen_card",                              Desk::Cards),

    // Sending money.
    ("beneficiary_not_allowed",                          Desk::Transfers),
    ("cancel_transfer",                                  Desk::Transfers),
    ("declined_transfer",                                Desk::Transfers),
    ("failed_transfer",                                  Desk::Transfers),
    ("pending_transfer",                                 Desk::Transfers),
    ("transfer_not_received_by_recipient",               Desk::Transfers),
    ("transfer_timing",                                  Desk::Transfers),
    // Getting money.
    ("receiving_money",                                  Desk::Transfers),
    ("transfer_into_account",                            Desk::Transfers),
    ("balance_not_updated_after_bank_transfer",          Desk::Transfers),
    ("balance_not_updated_after_cheque_or_cash_deposit", Desk::Transfers),
    // Topping up.
    ("automatic_top_up",                                 Desk::Transfers),
    ("pending_top_up",                                   Desk::Transfers),
    ("supported_cards_and_currencies",                   Desk::Transfers), // in truth: for top-ups
    ("top_up_by_cash_or_cheque",                         Desk::Transfers),
    ("top_up_failed",                                    Desk::Transfers),
    ("top_up_limits",                                    Desk::Transfers),
    ("top_up_reverted",                                  Desk::Transfers),
    ("topping_up_by_card",                               Desk::Transfers),
    ("verify_top_up",                                    Desk::Transfers),

    // Fees.
    ("card_payment_fee_charged",                         Desk::Charges),
    ("cash_withdrawal_charge",                           Desk::Charges),
    ("exchange_charge",                                  Desk::Charges),
    ("extra_charge_on_statement",                        Desk::Charges),
    ("top_up_by_bank_transfer_charge",                   Desk::Charges),
    ("top_up_by_card_charge",                            Desk::Charges),
    ("transfer_fee_charged",                             Desk::Charges),
    // Charges in dispute, and refunds.
    ("card_payment_not_recognised",                      Desk::Charges),
    ("cash_withdrawal_not_recognised",                   Desk::Charges),
    ("direct_debit_payment_not_recognised",              Desk::Charges),
    ("pending_card_payment",                             Desk::Charges),
    ("pending_cash_withdrawal",                          Desk::Charges),
    ("Refund_not_showing_up",                            Desk::Charges),
    ("request_refund",                                   Desk::Charges),
    ("reverted_card_payment?",                           Desk::Charges),
    ("transaction_charged_twice",                        Desk::Charges),
    ("wrong_amount_of_cash_received",                    Desk::Charges),
    // Currencies.
    ("card_payment_wrong_exchange_rate",                 Desk::Charges),
    ("exchange_rate",                                    Desk::Charges),
    ("exchange_via_app",                                 Desk::Charges),
    ("fiat_currency_support",                            Desk::Charges),
    ("wrong_exchange_rate_for_cash_withdrawal",          Desk::Charges),

    // Who the customer is.
    ("age_limit",                                        Desk::Access),
    ("country_support",                                  Desk::Access),
    ("edit_personal_details",                            Desk::Access),
    ("unable_to_verify_identity",                        Desk::Access),
    ("verify_my_identity",                               Desk::Access),
    ("verify_source_of_funds",                           Desk::Access),
    ("why_verify_identity",                              Desk::Access),
    // How the customer gets in, and out.
    ("lost_or_stolen_phone",                             Desk::Access),
    ("passcode_forgotten",                               Desk::Access),
    ("terminate_account",                                Desk::Access),
];

/// The entry of an intent in [`INTENTS`], so that a caller gets the name with a `'static` lifetime too.
pub(crate) fn intent(name: &str) -> Option<(&'static str, Desk)> {
    INTENTS.iter().copied().find(|(known, _)| *known == name)
}

/// The desk that sees to an intent.
pub(crate) fn desk_of(name: &str) -> Result<Desk, UnknownIntent> {
    let known = intent(name).map(|(_, desk)| desk);
    known.ok_or_else(|| UnknownIntent(name.to_owned()))
}

/// A label that is none of [`INTENTS`].
#[derive(Debug)]
pub(crate) struct UnknownIntent(String);

impl fmt::Display for UnknownIntent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no known intent", self.0)
    }
}

impl std::error::Error for UnknownIntent {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::cases::data_folder;

    #[test]
    fn no_intent_is_listed_twice() {
        let names: BTreeSet<_> = INTENTS.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), INTENTS.len());
    }

    #[test]
    fn an_unknown_intent_has_no_desk() {
        assert_eq!(intent("mortgage_advice"), None);
    }

    #[test]
    fn every_category_of_the_data_set_has_a_desk() {
        let Some(folder) = data_folder() else { return };
        let json = std::fs::read_to_string(folder.join("categories.json"))
            .expect("categories.json is readable");
        // A flat list of plain strings: every second piece between quotes is a name.
        let categories: BTreeSet<_> = json.split('"').skip(1).step_by(2).collect();
        let mapped: BTreeSet<_> = INTENTS.iter().map(|(name, _)| *name).collect();
        assert_eq!(categories, mapped);
    }
}
