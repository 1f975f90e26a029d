//! State, outcomes, nodes and graph each in their own module; only the nodes see the fields.
#![deny(warnings, missing_docs, unused, unreachable_pub, unused_qualifications)]

mod outcomes {
    use handoffs::Outcome;

    #[derive(Outcome)]
    pub(crate) enum Triaged {
        Known,
        Unknown,
    }
}

mod desk {
    use handoffs::prelude::*;

    #[derive(State, Clone, Debug, Default)]
    pub(crate) struct Ticket {
        account: Option<String>,
        #[state(progress)]
        answers: u32,
    }

    pub(crate) mod nodes {
        use super::Ticket;
        use crate::outcomes::Triaged;
        use handoffs::prelude::*;

        #[node(Ticket)]
        pub(crate) async fn triage(mut account: Out<'_, String>) -> Triaged {
            account.set("Ada".to_owned());
            if account.get().is_some() { Triaged::Known } else { Triaged::Unknown }
        }

        #[node(Ticket)]
        pub(crate) async fn billing(_account: &str, answers: &mut u32) {
            *answers += 1;
        }
    }

    impl Ticket {
        pub(crate) fn is_answered(&self) -> bool {
            self.answers > 0
        }
    }
}

mod graph {
    use crate::desk::Ticket;
    use crate::desk::nodes::{Billing, Triage};
    use crate::outcomes::Triaged::*;
    use handoffs::AgentGraph;

    #[derive(AgentGraph)]
    #[graph(state = Ticket, start = triage)]
    pub(crate) struct Desk {
        #[route(Known if Ticket::is_answered => end, Known | Unknown => billing)]
        pub(super) triage: Triage,
        #[route(_ => end)]
        pub(super) billing: Billing,
    }
}

fn main() {
    use graph::{Desk, DeskNode};
    use handoffs::Route;

    let _ = Desk { triage: desk::nodes::Triage, billing: desk::nodes::Billing };
    let route = Desk::after_triage(&desk::Ticket::default(), &outcomes::Triaged::Known);
    assert_eq!(route, Route::to(DeskNode::Billing));
}
