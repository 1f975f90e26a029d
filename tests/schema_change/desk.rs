//! A support desk as it was last week, as it is today, and as it will be next week.

/// Last week.
pub(crate) mod v1 {
    use handoffs::NodeError;
    use handoffs::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(State, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub(crate) struct Ticket {
        pub(crate) messages: Log<String>,
        /// In euros.
        pub(crate) price: f64,
    }

    impl Ticket {
        pub(crate) fn that_asks(what: &str) -> Self {
            Self {
                messages: Log::from(vec![what.to_owned()]),
                price: 12.5,
            }
        }
    }

    #[derive(Outcome, Clone, Copy, Debug, PartialEq)]
    pub(crate) enum Triaged {
        Billing,
        Research,
        Small,
    }

    #[node(Ticket)]
    pub(crate) fn intake(messages: &mut Log<String>) {
        messages.push("intake".to_owned());
    }

    #[node(Ticket)]
    pub(crate) fn triage(messages: &mut Log<String>) -> Triaged {
        let asks = messages.iter().next().cloned().unwrap_or_default();
        messages.push("triage".to_owned());
        match asks.as_str() {
            asks if asks.starts_with("a refund") => Triaged::Billing,
            "a study" => Triaged::Research,
            _ => Triaged::Small,
        }
    }

    #[node(Ticket)]
    pub(crate) fn look_up(messages: &mut Log<String>) {
        messages.push("find".to_owned());
    }

    #[node(Ticket)]
    pub(crate) async fn charge(
        messages: &mut Log<String>,
        price: &mut f64,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        if cx.ask("may it be?", "Refund it?").await? {
            messages.push("refunded".to_owned());
            *price += 1.0;
        }
        Ok(())
    }

    #[derive(AgentGraph)]
    #[graph(state = Ticket, start = look_up)]
    pub(crate) struct Billing {
        #[route(_ => charge)]
        look_up: LookUp,
        #[route(_ => end)]
        charge: Charge,
    }

    #[node(Ticket)]
    pub(crate) fn web(messages: &mut Log<String>) {
        messages.push("web".to_owned());
    }

    #[node(Ticket)]
    pub(crate) fn papers(messages: &mut Log<String>) {
        messages.push("papers".to_owned());
    }

    #[node(Ticket)]
    pub(crate) fn answer(messages: &mut Log<String>) {
        messages.push("answer".to_owned());
    }

    #[derive(AgentGraph)]
    #[graph(state = Ticket, start = intake)]
    pub(crate) struct SupportDesk {
        #[route(_ => triage)]
        intake: Intake,
        #[route(
            Triaged::Billing => billing,
            Triaged::Research => all(web, papers) join answer,
            _ => answer,
        )]
        triage: Triage,
        #[route(_ => answer)]
        billing: Billing,
        #[route(_ => answer)]
        web: Web,
        #[route(_ => answer)]
        papers: Papers,
        #[route(_ => end)]
        answer: Answer,
    }

    pub(crate) const DESK: SupportDesk = SupportDesk {
        intake: Intake,
        triage: Triage,
        billing: Billing {
            look_up: LookUp,
            charge: Charge,
        },
        web: Web,
        papers: Papers,
        answer: Answer,
    };
}

/// Today: the entrance, a branch, a field and a node within have other names, a price is in cents, two
/// fields are new, a survey follows the answer, junk goes to the bin, and nobody's order is as it was.
pub(crate) mod v2 {
    use handoffs::NodeError;
    use handoffs::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(State, Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub(crate) struct Ticket {
        pub(crate) language: Option<String>,
        #[serde(default = "normal")]
        pub(crate) priority: u32,
        /// In cents.
        pub(crate) price: u64,
        #[serde(alias = "messages")]
        pub(crate) transcript: Log<String>,
    }

    fn normal() -> u32 {
        3
    }

    impl Ticket {
        pub(crate) fn that_asks(what: &str) -> Self {
            Self {
                language: None,
                priority: 1,
                price: 1250,
                transcript: Log::from(vec![what.to_owned()]),
            }
        }
    }

    #[derive(Outcome, Clone, Copy, Debug, PartialEq)]
    pub(crate) enum Triaged {
        Junk,
        Billing,
        Research,
        Small,
    }

    #[node(Ticket)]
    pub(crate) fn reception(transcript: &mut Log<String>) {
        transcript.push("intake".to_owned());
    }

    #[node(Ticket)]
    pub(crate) fn triage(transcript: &mut Log<String>) -> Triaged {
        let asks = transcript.iter().next().cloned().unwrap_or_default();
        transcript.push("triage".to_owned());
        match asks.as_str() {
            "" => Triaged::Junk,
            asks if asks.starts_with("a refund") => Triaged::Billing,
            "a study" => Triaged::Research,
            _ => Triaged::Small,
        }
    }

    #[node(Ticket)]
    pub(crate) fn look_up(transcript: &mut Log<String>) {
        transcript.push("find".to_owned());
    }

    #[node(Ticket)]
    pub(crate) async fn refund(
        transcript: &mut Log<String>,
        price: &mut u64,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        if cx.ask("may it be?", "Refund it?").await? {
            transcript.push("refunded".to_owned());
            *price += 100;
        }
        Ok(())
    }

    #[derive(AgentGraph)]
    #[graph(state = Ticket, start = look_up, renamed_from = "Billing")]
    pub(crate) struct Refunds {
        #[node(renamed_from = "charge")]
        #[route(_ => end)]
        refund: Refund,
        #[route(_ => refund)]
        look_up: LookUp,
    }

    #[node(Ticket)]
    pub(crate) fn net(transcript: &mut Log<String>) {
        transcript.push("web".to_owned());
    }

    #[node(Ticket)]
    pub(crate) fn papers(transcript: &mut Log<String>) {
        transcript.push("papers".to_owned());
    }

    #[node(Ticket)]
    pub(crate) fn answer(transcript: &mut Log<String>) {
        transcript.push("answer".to_owned());
    }

    #[node(Ticket)]
    pub(crate) async fn survey(
        transcript: &Log<String>,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        if transcript.iter().any(|line| line.ends_with("and more")) {
            cx.ask::<_, u32>("stars", "How many stars?").await?;
        }
        Ok(())
    }

    #[node(Ticket)]
    pub(crate) fn bin() {}

    #[derive(AgentGraph)]
    #[graph(state = Ticket, start = reception)]
    pub(crate) struct SupportDesk {
        #[route(_ => end)]
        bin: Bin,
        #[route(_ => end)]
        survey: Survey,
        #[route(_ => survey)]
        answer: Answer,
        #[route(_ => answer)]
        papers: Papers,
        #[route(_ => answer)]
        #[node(renamed_from = "web")]
        net: Net,
        #[route(_ => answer)]
        billing: Refunds,
        #[route(
            Triaged::Junk => bin,
            Triaged::Small => answer,
            Triaged::Research => all(net, papers) join answer,
            Triaged::Billing => billing,
        )]
        triage: Triage,
        #[node(renamed_from = "intake")]
        #[route(_ => triage)]
        reception: Reception,
    }

    pub(crate) const DESK: SupportDesk = SupportDesk {
        bin: Bin,
        survey: Survey,
        answer: Answer,
        papers: Papers,
        net: Net,
        billing: Refunds {
            refund: Refund,
            look_up: LookUp,
        },
        triage: Triage,
        reception: Reception,
    };
}

/// Next week: once more other names, over what the two before have written.
pub(crate) mod v3 {
    use handoffs::NodeError;
    use handoffs::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(State, Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(default)]
    pub(crate) struct Ticket {
        pub(crate) locale: String,
        #[serde(alias = "language")]
        pub(crate) tongue: Option<String>,
        pub(crate) priority: u32,
        pub(crate) price: u32,
        #[serde(rename(serialize = "lines", deserialize = "lines"), alias = "messages")]
        pub(crate) transcript: Log<String>,
        pub(crate) stars: Option<u32>,
    }

    impl Default for Ticket {
        fn default() -> Self {
            Self {
                locale: "en".to_owned(),
                tongue: None,
                priority: 3,
                price: 0,
                transcript: Log::new(),
                stars: None,
            }
        }
    }

    #[node(Ticket)]
    pub(crate) fn pass(transcript: &mut Log<String>) {
        transcript.push("pass".to_owned());
    }

    #[derive(AgentGraph)]
    #[graph(state = Ticket, start = look_up, renamed_from = "Billing", renamed_from = "Refunds")]
    pub(crate) struct Money {
        #[route(_ => pay)]
        look_up: Pass,
        #[node(renamed_from = "charge", renamed_from = "refund")]
        #[route(_ => end)]
        pay: Pass,
    }

    #[node(Ticket)]
    pub(crate) async fn survey(
        stars: &mut Option<u32>,
        cx: &mut Context<'_>,
    ) -> Result<(), NodeError> {
        *stars = Some(cx.ask("stars", "How many stars?").await?);
        Ok(())
    }

    #[derive(AgentGraph)]
    #[graph(state = Ticket, start = desk)]
    pub(crate) struct SupportDesk {
        #[node(renamed_from = "intake", renamed_from = "reception")]
        #[route(_ => triage)]
        desk: Pass,
        #[route(_ => money)]
        triage: Pass,
        #[node(renamed_from = "billing")]
        #[route(_ => answer)]
        money: Money,
        #[route(_ => survey)]
        answer: Pass,
        #[route(_ => end)]
        survey: Survey,
    }

    pub(crate) const DESK: SupportDesk = SupportDesk {
        desk: Pass,
        triage: Pass,
        money: Money {
            look_up: Pass,
            pay: Pass,
        },
        answer: Pass,
        survey: Survey,
    };
}
