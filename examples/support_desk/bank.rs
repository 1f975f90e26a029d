//! The bank behind the desks: a small one, in memory, and the same on every run.
//!
//! There is no list of customers. All that an account holds follows from a hash of the customer's id, so that a run
//! that was killed finds the same account when it goes on, and no test needs a database.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount of money in pence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Pence(pub(crate) u32);

impl fmt::Display for Pence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "£{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl std::ops::Add for Pence {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// What the bank knows of a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    /// The id that the customer writes under; here, the thread's.
    pub(crate) customer: String,
    /// The given name.
    pub(crate) name: String,
    /// The money in the account.
    pub(crate) balance: Pence,
    /// The last four digits of the card.
    pub(crate) card: String,
    /// How the card is.
    pub(crate) card_status: CardStatus,
    /// How the customer may sign in.
    pub(crate) sign_in: SignIn,
    /// Whether the customer's identity was proven.
    pub(crate) verified: bool,
    /// The latest card payments and withdrawals, newest first.
    pub(crate) charges: Vec<Charge>,
    /// The latest transfers, newest first.
    pub(crate) transfers: Vec<Transfer>,
}

/// How a card is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum CardStatus {
    /// In use.
    Active,
    /// In the post; how many days it still takes.
    OnItsWay {
        /// Working days until it should be there.
        days: u8,
    },
    /// Delivered, and not yet activated.
    Asleep,
    /// Blocked after three wrong PINs.
    PinBlocked,
    /// Close to its last month; a new one is made.
    Expiring,
}

impl fmt::Display for CardStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active => f.write_str("active"),
            Self::OnItsWay { days: 1 } => f.write_str("in the post and due tomorrow"),
            Self::OnItsWay { days } => write!(f, "in the post and due in {days} working days"),
            Self::Asleep => f.write_str("delivered but not activated yet"),
            Self::PinBlocked => f.write_str("blocked after three wrong PINs"),
            Self::Expiring => f.write_str("about to expire, with a new one on order"),
        }
    }
}

/// How a customer may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SignIn {
    /// As ever.
    Open,
    /// Locked after too many wrong passcodes.
    Locked,
}

/// Money that left by card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Charge {
    /// The bank's own mark for it.
    pub(crate) reference: String,
    /// Who was paid.
    pub(crate) merchant: String,
    /// How much, the fee not counted.
    pub(crate) amount: Pence,
    /// What the bank took for it; nothing, as a rule.
    pub(crate) fee: Pence,
    /// How many days ago.
    pub(crate) days_ago: u8,
    /// Still held, and not yet booked.
    pub(crate) pending: bool,
}

/// Money sent to another account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Transfer {
    /// The bank's own mark for it, as in `T-40718`.
    pub(crate) reference: String,
    /// To whom.
    pub(crate) to: String,
    /// How much.
    pub(crate) amount: Pence,
    /// How far it came.
    pub(crate) state: TransferState,
}

/// How far a transfer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TransferState {
    /// The other bank has confirmed it.
    Arrived,
    /// Under way; it can still be stopped.
    Pending,
    /// The other bank sent it back.
    Returned,
}

/// Money that a desk gives back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refund {
    /// The charge that it makes good.
    pub(crate) charge: String,
    /// How much.
    pub(crate) amount: Pence,
}

/// Finds a customer's account.
pub(crate) fn look_up(customer: &str) -> Result<Account, UnknownCustomer> {
    let customer = customer.trim();
    if customer.is_empty() {
        return Err(UnknownCustomer);
    }
    let mut dice = Dice(stable_hash(customer));
    let card = format!("{:04}", dice.roll(10_000));
    let card_status = match dice.roll(10) {
        0 => CardStatus::PinBlocked,
        1 => CardStatus::Expiring,
        2 => CardStatus::Asleep,
        3 | 4 => CardStatus::OnItsWay {
            days: dice.small(1, 6),
        },
        _ => CardStatus::Active,
    };
    Ok(Account {
        customer: customer.to_owned(),
        name: dice
            .pick(&[
                "Amara", "Bohdan", "Chiara", "Devi", "Elif", "Femi", "Greta", "Hugo",
            ])
            .to_owned(),
        balance: Pence(5_000 + dice.roll(400_000)),
        card,
        card_status,
        sign_in: if dice.roll(4) == 0 {
            SignIn::Locked
        } else {
            SignIn::Open
        },
        verified: dice.roll(4) != 0,
        charges: dice.charges(),
        transfers: dice.transfers(),
    })
}

impl Account {
    /// How the card is.
    pub(crate) fn card_status(&self) -> CardStatus {
        self.card_status
    }

    /// The second of two booked charges of the same day, merchant and amount, if there are such.
    pub(crate) fn find_duplicate_charge(&self) -> Option<&Charge> {
        self.charges.iter().enumerate().find_map(|(at, later)| {
            let twin = |earlier: &&Charge| {
                (&earlier.merchant, earlier.amount, earlier.days_ago)
                    == (&later.merchant, later.amount, later.days_ago)
            };
            self.charges[at + 1..].iter().find(twin).map(|_| later)
        })
    }

    /// The latest charge that is still held.
    pub(crate) fn pending_charge(&self) -> Option<&Charge> {
        self.charges.iter().find(|charge| charge.pending)
    }

    /// The latest charge for which the bank took a fee.
    pub(crate) fn charge_with_fee(&self) -> Option<&Charge> {
        self.charges.iter().find(|charge| charge.fee > Pence(0))
    }

    /// The transfer with this reference.
    pub(crate) fn trace_transfer(&self, reference: &str) -> Option<&Transfer> {
        self.transfers
            .iter()
            .find(|transfer| transfer.reference.eq_ignore_ascii_case(reference))
    }

    /// The transfer that a question most likely means: the one that it names, else one that went wrong, else the latest.
    pub(crate) fn transfer_meant_by(&self, text: &str) -> Option<&Transfer> {
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '-');
        let named = words.into_iter().find_map(|word| self.trace_transfer(word));
        let astray = || {
            self.transfers
                .iter()
                .find(|transfer| transfer.state != TransferState::Arrived)
        };
        named.or_else(astray).or_else(|| self.transfers.first())
    }
}

/// FNV-1a: the same on every machine and in every release, which the standard library's hasher does not promise.
fn stable_hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Numbers that look thrown and are not (Steele and Vigna's splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the remainder is less than `sides`"
        )]
        let face = ((mixed ^ (mixed >> 31)) % u64::from(sides)) as u32;
        face
    }

    fn small(&mut self, from: u8, to: u8) -> u8 {
        from + u8::try_from(self.roll(u32::from(to - from) + 1)).unwrap_or(0)
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        let at = self.roll(u32::try_from(from.len()).unwrap_or(1));
        from.get(at as usize).copied().unwrap_or_default()
    }

    fn charges(&mut self) -> Vec<Charge> {
        let mut charges: Vec<Charge> = (0..4).map(|age| self.charge(age * 2)).collect();
        charges[0].pending = self.roll(2) == 0;
        if self.roll(2) == 0 {
            let mut again = charges[1].clone();
            again.reference = self.reference('C');
            charges.insert(1, again);
        }
        charges
    }

    fn charge(&mut self, days_ago: u8) -> Charge {
        const MERCHANTS: [&str; 7] = [
            "Corner Bakery",
            "Northern Rail",
            "Book Cellar",
            "Harbour Garage",
            "Tea & Thread",
            "City Cinema",
            "Cash machine",
        ];
        Charge {
            reference: self.reference('C'),
            merchant: self.pick(&MERCHANTS).to_owned(),
            amount: Pence(250 + self.roll(9_000)),
            fee: if self.roll(5) == 0 {
                Pence(50 + self.roll(200))
            } else {
                Pence(0)
            },
            days_ago,
            pending: false,
        }
    }

    fn transfers(&mut self) -> Vec<Transfer> {
        (0..2).map(|_| self.transfer()).collect()
    }

    fn transfer(&mut self) -> Transfer {
        Transfer {
            reference: self.reference('T'),
            to: self
                .pick(&[
                    "the landlord",
                    "a savings account",
                    "Marta",
                    "Jo",
                    "the gas company",
                ])
                .to_owned(),
            amount: Pence(1_000 + self.roll(90_000)),
            state: match self.roll(4) {
                0 => TransferState::Pending,
                1 => TransferState::Returned,
                _ => TransferState::Arrived,
            },
        }
    }

    fn reference(&mut self, kind: char) -> String {
        format!("{kind}-{:05}", self.roll(100_000))
    }
}

/// No customer has this id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownCustomer;

impl fmt::Display for UnknownCustomer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a customer's id must not be blank")
    }
}

impl std::error::Error for UnknownCustomer {}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> impl Iterator<Item = Account> {
        (1..=1_000)
            .map(|number| look_up(&format!("customer-{number}")).expect("the id is not blank"))
    }

    #[test]
    fn the_same_customer_has_the_same_account_on_every_run() {
        assert_eq!(look_up("customer-42"), look_up(" customer-42 "));
        assert_ne!(look_up("customer-42"), look_up("customer-43"));
    }

    #[test]
    fn the_hash_is_the_published_one() {
        // Accounts in the journals of earlier runs follow from it.
        assert_eq!(stable_hash("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_blank_id_is_no_customer() {
        assert_eq!(look_up("  "), Err(UnknownCustomer));
    }

    #[test]
    fn some_customers_were_charged_twice_and_some_were_not() {
        let twice = accounts()
            .filter(|account| account.find_duplicate_charge().is_some())
            .count();
        assert!((400..600).contains(&twice), "{twice} of 1000");
    }

    #[test]
    fn a_duplicate_is_another_charge_of_the_same_amount_and_merchant() {
        for account in accounts() {
            let Some(duplicate) = account.find_duplicate_charge() else {
                continue;
            };
            let twins = account
                .charges
                .iter()
                .filter(|it| it.merchant == duplicate.merchant && it.amount == duplicate.amount);
            assert!(
                twins
                    .filter(|it| it.reference != duplicate.reference)
                    .count()
                    >= 1,
                "{account:?}"
            );
        }
    }

    #[test]
    fn some_sign_ins_are_locked_and_every_status_of_a_card_occurs() {
        let locked = accounts()
            .filter(|account| account.sign_in == SignIn::Locked)
            .count();
        assert!((150..350).contains(&locked), "{locked} of 1000");
        let all: std::collections::BTreeSet<_> = accounts()
            .map(|account| match account.card_status() {
                CardStatus::OnItsWay { .. } => "in the post".to_owned(),
                other => other.to_string(),
            })
            .collect();
        assert_eq!(all.len(), 5, "{all:?}");
    }

    #[test]
    fn a_transfer_is_found_by_its_reference_in_the_text() {
        let account = look_up("customer-42").expect("the id is not blank");
        let wanted = &account.transfers[1];
        let text = format!("what became of {}?", wanted.reference.to_lowercase());
        assert_eq!(account.transfer_meant_by(&text), Some(wanted));
        assert_eq!(account.trace_transfer("T-none"), None);
    }

    #[test]
    fn money_is_written_with_two_digits_of_pence() {
        assert_eq!(Pence(1_203).to_string(), "£12.03");
    }
}
