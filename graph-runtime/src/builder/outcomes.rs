//! Which edges an outcome takes, and whether each takes one (H006).

use std::collections::HashMap;

use handoffs_core::{Code, FieldSet, State};

use super::Routed;
use super::describe::Source;
use super::error::{BuildError, BuildPlace, RoutePart};
use super::graph::{Concluded, Way};
use super::node::{Added, Concludes};
use super::text::{listed, meant};

/// Finds the edges of each outcome, and what each edge gives.
pub(super) struct Outcomes<'a> {
    routes: &'a [Routed],
    guards: HashMap<&'a str, usize>,
    guard_names: Vec<&'a str>,
    /// What was taken for the nearest name.
    guessed: Vec<BuildPlace>,
    pub(super) gives: Vec<FieldSet>,
    /// The fields that each edge finds to be set when it is taken, if it looks.
    pub(super) finds: Vec<Option<FieldSet>>,
    pub(super) errors: Vec<BuildError>,
}

impl<'a> Outcomes<'a> {
    pub(super) fn new(
        routes: &'a [Routed],
        guard_names: Vec<&'a str>,
        guessed: Vec<BuildPlace>,
        finds: Vec<Option<FieldSet>>,
    ) -> Self {
        let mut guards = HashMap::new();
        for (place, name) in guard_names.iter().enumerate() {
            guards.entry(*name).or_insert(place);
        }
        Self {
            routes,
            guards,
            guard_names,
            guessed,
            gives: vec![FieldSet::EMPTY; finds.len()],
            finds,
            errors: Vec::new(),
        }
    }

    /// Finds the edges of each outcome of a node, which are these.
    pub(super) fn of<S: State>(
        &mut self,
        (own, node): (usize, &Added<S>),
        edges: &[(usize, Source)],
    ) -> Vec<Concluded> {
        let concluded = |outcome: &Concludes| Concluded {
            outcome: outcome.name.as_ref().into(),
            only: None,
            ways: Vec::new(),
        };
        let mut ways: Vec<_> = node.outcomes.iter().map(concluded).collect();
        let mut taken = vec![false; ways.len()];
        // What a route with an unknown name takes, nobody knows.
        let mut guesswork = false;
        let mut has_route = false;
        let mut last = None;
        for (place, (edge, source)) in edges.iter().enumerate() {
            let Source::Route(number) = *source else {
                // What is taken if a field is missing stands for the same outcomes as the route behind it.
                continue;
            };
            let missing = match place.checked_sub(1).and_then(|before| edges.get(before)) {
                Some((missing, Source::Missing(_))) => Some(*missing),
                _ => None,
            };
            if let Some((_, gives)) = last.filter(|(last, _)| *last == number) {
                // It goes back to another node that may have handed over.
                if let Some(own) = self.gives.get_mut(*edge) {
                    *own = gives;
                }
                continue;
            }
            has_route = true;
            let (meant, known) = self.meant(node, number);
            let from = BuildPlace::Route(number, RoutePart::From);
            guesswork |= !known || self.guessed.contains(&from);
            let guard = self.guard(number);
            if known && !guesswork {
                self.never(node, number, &meant, &taken);
            }
            let mut given = FieldSet::ALL;
            for variant in meant {
                given = given.and(node.outcomes[variant].gives);
                if !taken[variant] {
                    let first = Way {
                        edge: *edge,
                        guard,
                        needs: self.finds.get(*edge).copied().flatten().unwrap_or_default(),
                    };
                    let second = missing.map(|edge| Way {
                        edge,
                        guard,
                        needs: FieldSet::EMPTY,
                    });
                    ways[variant].ways.extend([first].into_iter().chain(second));
                }
                taken[variant] |= self.routes[number].on.guard.is_none();
            }
            for edge in [*edge].into_iter().chain(missing).filter(|_| known) {
                if let Some(gives) = self.gives.get_mut(edge) {
                    *gives = given;
                }
            }
            last = Some((
                number,
                self.gives.get(*edge).copied().unwrap_or(FieldSet::EMPTY),
            ));
        }
        for concluded in &mut ways {
            let first = concluded.ways.first();
            let first = first.filter(|way| way.guard.is_none() && way.needs.is_empty());
            concluded.only = first.map(|way| way.edge);
        }
        let missing = node
            .outcomes
            .iter()
            .zip(&taken)
            .filter(|(_, taken)| !**taken);
        let missing: Vec<_> = missing.map(|(outcome, _)| outcome.name.as_ref()).collect();
        if has_route && !guesswork && !missing.is_empty() {
            let word = if missing.len() == 1 {
                "outcome"
            } else {
                "outcomes"
            };
            let message = format!(
                "no route of `{}` takes the {word} {}",
                node.name,
                listed(missing)
            );
            let help = "add a route without a guard, or one on any outcome, which is written `_`";
            self.error(BuildPlace::Node(own), message, help);
        }
        ways
    }

    fn error(&mut self, at: BuildPlace, message: String, help: impl Into<String>) {
        self.errors
            .push(BuildError::new(Code::H006, at, message, help));
    }

    /// Returns the outcomes on which a route is taken, and whether all its names are known.
    fn meant<S: State>(&mut self, node: &Added<S>, number: usize) -> (Vec<usize>, bool) {
        let on = &self.routes[number].on;
        if on.outcomes.is_empty() {
            return ((0..node.outcomes.len()).collect(), true);
        }
        let mut variants = Vec::new();
        let mut known = true;
        for wanted in &on.outcomes {
            let names = node.outcomes.iter().map(|outcome| outcome.name.as_ref());
            if let Some(variant) = names.clone().position(|name| name == wanted) {
                variants.push(variant);
                continue;
            }
            known = false;
            let message = format!("`{}` has no outcome `{wanted}`", node.name);
            let help = meant(wanted, names, "outcomes");
            self.error(BuildPlace::Route(number, RoutePart::Outcome), message, help);
        }
        (variants, known)
    }

    /// Notes it if a route, or a part of it, can never match.
    fn never<S: State>(
        &mut self,
        node: &Added<S>,
        number: usize,
        variants: &[usize],
        taken: &[bool],
    ) {
        let help = "remove it, or move it before the route that takes the same";
        let at = BuildPlace::Route(number, RoutePart::Outcome);
        if variants.iter().all(|variant| taken[*variant]) {
            let on = &self.routes[number].on;
            let message = format!(
                "the route of `{}` on `{on}` is never taken: those before it take all that it would",
                node.name
            );
            self.error(at, message, help);
        } else if !self.routes[number].on.outcomes.is_empty() {
            for variant in variants.iter().filter(|variant| taken[**variant]) {
                let message = format!(
                    "`{}` of `{}` never comes to this route: one before it takes it",
                    node.outcomes[*variant].name, node.name
                );
                self.error(at, message, help);
            }
        }
    }

    fn guard(&mut self, number: usize) -> Option<usize> {
        let name = self.routes[number].on.guard.as_deref()?;
        let guard = self.guards.get(name).copied();
        if guard.is_none() {
            let message = format!("no guard is named `{name}`");
            let help = meant(name, self.guard_names.iter().copied(), "guards");
            let at = BuildPlace::Route(number, RoutePart::Guard);
            self.errors
                .push(BuildError::new(Code::H011, at, message, help));
        }
        guard
    }
}
