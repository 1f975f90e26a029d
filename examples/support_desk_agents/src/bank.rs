//! The bank behind the desks, in memory, and the tools with which agents reach it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use handoffs::Needs;
use handoffs::agent::{Tool, schemars::JsonSchema, tool};
use serde::{Deserialize, Serialize};

use crate::graph::Scopes;

/// An amount of money in pence.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub(crate) struct Pence(pub(crate) u64);

/// What may be refunded at a time.
pub(crate) const MOST: Pence = Pence(2_000);

impl Pence {
    /// The same in millionths of a pound, in which budgets are.
    const fn micros(self) -> u64 {
        self.0 * 10_000
    }
}

impl fmt::Display for Pence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "£{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// A payment by card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Charge {
    /// What it is known by.
    pub(crate) id: String,
    /// Who got the money.
    pub(crate) shop: &'static str,
    /// How much.
    pub(crate) amount: Pence,
    /// Whether the money went back.
    pub(crate) refunded: bool,
}

/// The bank. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bank(Arc<Mutex<BTreeMap<String, Vec<Charge>>>>);

/// Why the bank did not do something.
#[derive(Debug)]
pub(crate) struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

#[derive(Deserialize, JsonSchema)]
struct Customer {
    /// The customer's id.
    customer: String,
}

#[derive(Deserialize, JsonSchema)]
struct Refund {
    /// The customer's id.
    customer: String,
    /// The id of the charge.
    charge: String,
}

impl Bank {
    /// Lists a customer's charges.
    pub(crate) fn charges(&self, customer: &str) -> Vec<Charge> {
        self.of(customer, |charges| charges.clone())
    }

    pub(crate) fn find_charges(&self) -> impl Tool + use<> {
        let bank = self.clone();
        let what = "Lists the latest charges of a customer, amounts in pence.";
        tool("find_charges", what, move |asked: Customer| {
            let charges = bank.charges(&asked.customer);
            async move { Ok::<_, Refused>(charges) }
        })
        .needing(Needs::scope(Scopes::Charges))
    }

    pub(crate) fn refund(&self) -> impl Tool + use<> {
        let bank = self.clone();
        let what = "Gives the money of a charge back. A charge is refunded once.";
        tool("refund", what, move |refund: Refund| {
            let refunded = bank.of(&refund.customer, |charges| {
                let mut charges = charges.iter_mut();
                let charge = charges.find(|charge| charge.id == refund.charge);
                let Some(charge) = charge else {
                    return Err(Refused(format!("there is no charge {}", refund.charge)));
                };
                if charge.amount > MOST {
                    return Err(Refused(format!("{} is more than {MOST}", charge.amount)));
                }
                if std::mem::replace(&mut charge.refunded, true) {
                    return Err(Refused(format!("{} was refunded before", refund.charge)));
                }
                Ok(format!(
                    "{} of {} are on their way back",
                    charge.amount, charge.shop
                ))
            });
            async move { refunded }
        })
        .needing(Needs::scope(Scopes::Refund).at_most(MOST.micros()))
    }

    pub(crate) fn send_passcode() -> impl Tool {
        let what = "Sends a new passcode to the phone number that the bank knows.";
        tool("send_passcode", what, move |asked: Customer| async move {
            Ok::<_, Refused>(format!("sent to the phone of {}", asked.customer))
        })
        .needing(Needs::scope(Scopes::Passcode))
    }

    /// Works on a customer's charges; whoever is not known yet has had two coffees.
    fn of<T>(&self, customer: &str, work: impl FnOnce(&mut Vec<Charge>) -> T) -> T {
        let mut customers: MutexGuard<'_, _> =
            self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let charges = customers.entry(customer.to_owned()).or_insert_with(|| {
            let charge = |id: &str, shop, pence| Charge {
                id: id.to_owned(),
                shop,
                amount: Pence(pence),
                refunded: false,
            };
            vec![
                charge("c-3", "Corner Coffee", 340),
                charge("c-2", "Corner Coffee", 340),
                charge("c-1", "Night Trains", 8_900),
            ]
        });
        work(charges)
    }
}
