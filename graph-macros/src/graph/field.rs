//! The attributes of a field beside its route: what becomes of a node that fails, hangs or repeats
//! itself, and how a graph over another state is entered and left.

use core::time::Duration;

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Attribute, LitBool, LitStr, Meta, Path, Token};

use super::arm::{Onward, read_function, read_number, rest_of_argument};
use super::duration;
use crate::mistakes::{Mistakes, arguments, skip_argument};

/// What the attributes of a field say.
#[derive(Default)]
pub(super) struct Policy {
    pub(super) retries: Vec<Retry>,
    pub(super) timeout: Option<Duration>,
    pub(super) idle: Option<Duration>,
    /// How long a question to a person is open.
    pub(super) answer: Option<Duration>,
    pub(super) cache: Option<Cache>,
    pub(super) on_error: Option<Onward>,
    pub(super) subgraph: Option<Subgraph>,
    /// Whether where an error leads could not be read.
    pub(super) broken: bool,
}

/// `#[retry(times = 3, backoff = "200ms", cap = "10s", jitter = false, on = is_transient)]`
pub(super) struct Retry {
    pub(super) times: u32,
    pub(super) backoff: Option<Duration>,
    pub(super) cap: Option<Duration>,
    pub(super) jitter: bool,
    pub(super) on: Option<Path>,
}

/// `#[cache(key = f, ttl = "1h")]`
pub(super) struct Cache {
    pub(super) key: Path,
    pub(super) ttl: Duration,
}

/// `#[subgraph(enter = f, leave = g)]`
pub(super) struct Subgraph {
    pub(super) enter: Path,
    pub(super) leave: Path,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            times: 3,
            backoff: None,
            cap: None,
            jitter: true,
            on: None,
        }
    }
}

const RETRY: &str = "`retry` knows: `times = 3`, `backoff = \"200ms\"`, `cap = \"10s\"`, \
                     `jitter = false`, `on = predicate`";
const TIMEOUT: &str = "write `#[timeout(\"30s\")]`, `#[timeout(idle = \"5s\")]`, `#[timeout(answer = \"2d\")]` or several of them";
const CACHE: &str = "write `#[cache(key = f, ttl = \"1h\")]`, where `f` is an `fn(&State) -> K`";
const ON_ERROR: &str = "write `#[on_error(then = node)]`, `then = back` or `then = end`; \
                        with `retry` before it, the node is tried again first";
const SUBGRAPH: &str = "write `#[subgraph(enter = f, leave = g)]`, where `f` is an `fn(&State) -> Inner` \
                        and `g` a `#[node]` that takes an `Inner`";

impl Policy {
    pub(super) fn read(attrs: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut policy = Self::default();
        let mut seen: Vec<&Ident> = Vec::new();
        let mut retries_error = false;
        for attr in attrs {
            let Some(name) = attr.path().get_ident() else {
                continue;
            };
            let is_again = seen.contains(&name);
            let read = match name.to_string().as_str() {
                "retry" => policy.read_retry(attr, mistakes),
                "timeout" => policy.read_timeout(attr, mistakes),
                "cache" => policy.read_cache(attr, mistakes),
                "on_error" => policy.read_on_error(attr, &mut retries_error, mistakes),
                "subgraph" => policy.read_subgraph(attr, mistakes),
                _ => continue,
            };
            mistakes.take(read);
            policy.broken |= name == "on_error" && policy.on_error.is_none();
            if is_again && name != "retry" {
                mistakes.twice(name);
            }
            seen.push(name);
        }
        if retries_error && policy.retries.is_empty() {
            policy.retries.push(Retry::default());
        }
        policy
    }

    fn read_retry(&mut self, attr: &Attribute, mistakes: &mut Mistakes) -> syn::Result<()> {
        let mut retry = Retry::default();
        if !matches!(attr.meta, Meta::Path(_)) {
            let mut keys = Keys::default();
            let mut read = |args: ParseStream<'_>| {
                let key = keys.next(args, mistakes)?;
                match key.to_string().as_str() {
                    "times" => {
                        args.parse::<Token![=]>()?;
                        retry.times = read_times(args, mistakes);
                    }
                    "backoff" => {
                        args.parse::<Token![=]>()?;
                        retry.backoff = read_duration(args, Zero::Allowed, mistakes);
                    }
                    "cap" => {
                        args.parse::<Token![=]>()?;
                        retry.cap = read_duration(args, Zero::Refused, mistakes);
                    }
                    "jitter" => {
                        args.parse::<Token![=]>()?;
                        retry.jitter = read_jitter(args, mistakes);
                    }
                    "on" => {
                        args.parse::<Token![=]>()?;
                        retry.on = Some(read_function(args)?);
                    }
                    _ => {
                        mistakes.unknown_key(&key, RETRY);
                        skip_argument(args);
                    }
                }
                Ok(())
            };
            attr.parse_args_with(|args: ParseStream<'_>| arguments(args, || read(args)))?;
        }
        self.retries.push(retry);
        Ok(())
    }

    fn read_timeout(&mut self, attr: &Attribute, mistakes: &mut Mistakes) -> syn::Result<()> {
        let has_args = matches!(&attr.meta, Meta::List(list) if !list.tokens.is_empty());
        if !has_args {
            mistakes.mend(
                attr.path(),
                "H011: `timeout` does not say how long",
                TIMEOUT,
            );
            return Ok(());
        }
        let mut keys = Keys::default();
        let mut hard_was_read = false;
        let mut read = |args: ParseStream<'_>| {
            if !args.peek(syn::Ident::peek_any) {
                let token = args.cursor().token_stream();
                self.timeout = read_duration(args, Zero::Refused, mistakes);
                if hard_was_read {
                    let first = token.into_iter().next();
                    mistakes.twice(&first);
                }
                hard_was_read = true;
                return Ok(());
            }
            let key = keys.next(args, mistakes)?;
            let of = match key.to_string().as_str() {
                "idle" => &mut self.idle,
                "answer" => &mut self.answer,
                _ => {
                    let knows = "`timeout` knows: `\"30s\"`, `idle = \"5s\"`, `answer = \"2d\"`";
                    mistakes.unknown_key(&key, knows);
                    skip_argument(args);
                    return Ok(());
                }
            };
            args.parse::<Token![=]>()?;
            *of = read_duration(args, Zero::Refused, mistakes);
            Ok(())
        };
        attr.parse_args_with(|args: ParseStream<'_>| arguments(args, || read(args)))
    }

    fn read_cache(&mut self, attr: &Attribute, mistakes: &mut Mistakes) -> syn::Result<()> {
        let (mut key, mut ttl) = (None, None);
        let mut broken = false;
        let mut keys = Keys::default();
        let mut read = |args: ParseStream<'_>| {
            let name = keys.next(args, mistakes)?;
            match name.to_string().as_str() {
                "key" => {
                    args.parse::<Token![=]>()?;
                    key = Some(read_function(args)?);
                }
                "ttl" => {
                    args.parse::<Token![=]>()?;
                    ttl = read_duration(args, Zero::Refused, mistakes);
                    broken |= ttl.is_none();
                }
                _ => {
                    mistakes.unknown_key(&name, "`cache` knows: `key = f`, `ttl = \"1h\"`");
                    skip_argument(args);
                    broken = true;
                }
            }
            Ok(())
        };
        if !matches!(attr.meta, Meta::Path(_)) {
            attr.parse_args_with(|args: ParseStream<'_>| arguments(args, || read(args)))?;
        }
        if let (Some(key), Some(ttl)) = (key, ttl) {
            self.cache = Some(Cache { key, ttl });
        } else if !broken {
            let message = "H011: `cache` needs a key, and how long an entry counts";
            mistakes.mend(attr.path(), message, CACHE);
        }
        Ok(())
    }

    fn read_on_error(
        &mut self,
        attr: &Attribute,
        retries: &mut bool,
        mistakes: &mut Mistakes,
    ) -> syn::Result<()> {
        let mut then = None;
        let mut broken = false;
        let mut keys = Keys::default();
        let mut read = |args: ParseStream<'_>| {
            let key = keys.next(args, mistakes)?;
            match key.to_string().as_str() {
                "retry" => {
                    *retries = true;
                    if args.peek(syn::token::Paren) || args.peek(Token![=]) {
                        let message = "H011: here `retry` says only that the node is tried again";
                        let help = "say how beside it: `#[retry(times = 3)]`";
                        mistakes.mend(&key, message, help);
                        skip_argument(args);
                    }
                }
                "then" => {
                    args.parse::<Token![=]>()?;
                    broken = true;
                    then = Some(Onward::read_error(args, mistakes)?);
                    broken = false;
                }
                _ => {
                    mistakes.unknown_key(&key, "`on_error` knows: `retry`, `then = node`");
                    skip_argument(args);
                    broken = true;
                }
            }
            Ok(())
        };
        if !matches!(attr.meta, Meta::Path(_)) {
            attr.parse_args_with(|args: ParseStream<'_>| arguments(args, || read(args)))?;
        }
        if then.is_none() && !broken {
            let message = "H011: `on_error` does not say where to go then";
            mistakes.mend(attr.path(), message, ON_ERROR);
        }
        self.on_error = self.on_error.take().or(then);
        Ok(())
    }

    fn read_subgraph(&mut self, attr: &Attribute, mistakes: &mut Mistakes) -> syn::Result<()> {
        let (mut enter, mut leave) = (None, None);
        let mut broken = false;
        let mut keys = Keys::default();
        let mut read = |args: ParseStream<'_>| {
            let key = keys.next(args, mistakes)?;
            let of = match key.to_string().as_str() {
                "enter" => &mut enter,
                "leave" => &mut leave,
                _ => {
                    mistakes.unknown_key(&key, "`subgraph` knows: `enter = f`, `leave = g`");
                    skip_argument(args);
                    broken = true;
                    return Ok(());
                }
            };
            args.parse::<Token![=]>()?;
            *of = Some(read_function(args)?);
            Ok(())
        };
        if !matches!(attr.meta, Meta::Path(_)) {
            attr.parse_args_with(|args: ParseStream<'_>| arguments(args, || read(args)))?;
        }
        if let (Some(enter), Some(leave)) = (enter, leave) {
            self.subgraph = Some(Subgraph { enter, leave });
        } else if !broken {
            let message = "H011: `subgraph` needs to know how the graph is entered and left";
            mistakes.mend(attr.path(), message, SUBGRAPH);
        }
        Ok(())
    }
}

/// The keys of an attribute that were read.
#[derive(Default)]
struct Keys(Vec<Ident>);

impl Keys {
    /// Reads the next key.
    fn next(&mut self, args: ParseStream<'_>, mistakes: &mut Mistakes) -> syn::Result<Ident> {
        let key = args.call(Ident::parse_any)?;
        if self.0.contains(&key) {
            mistakes.twice(&key);
        }
        self.0.push(key.clone());
        Ok(key)
    }
}

fn read_jitter(args: ParseStream<'_>, mistakes: &mut Mistakes) -> bool {
    let token = rest_of_argument(args);
    let jitter = syn::parse2::<LitBool>(token.clone());
    jitter.map_or_else(
        |_| {
            mistakes.mend(
                &token,
                "H011: `jitter` is `true` or `false`",
                "with `jitter = false` each wait is as long as it can be; otherwise it is a random part of that",
            );
            true
        },
        |jitter| jitter.value,
    )
}

fn read_times(args: ParseStream<'_>, mistakes: &mut Mistakes) -> u32 {
    let (token, times) = read_number(args);
    times.filter(|times| *times > 0).unwrap_or_else(|| {
        mistakes.mend(
            &token,
            format_args!("H011: `times` is a whole number from 1 to {}", u32::MAX),
            "it counts the attempts in all, the first among them: `times = 3`",
        );
        1
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Zero {
    Allowed,
    Refused,
}

/// Reads a duration; one that is none is reported.
fn read_duration(args: ParseStream<'_>, zero: Zero, mistakes: &mut Mistakes) -> Option<Duration> {
    let token = rest_of_argument(args);
    let text = syn::parse2::<LitStr>(token.clone());
    let read = text.ok().and_then(|text| duration::parse(&text.value()));
    match read {
        None => mistakes.mend(
            &token,
            "H011: this is no duration",
            "write whole numbers with `d`, `h`, `m`, `s` or `ms`, the longest first: \
             `\"200ms\"`, `\"1m 30s\"`",
        ),
        Some(Duration::ZERO) if zero == Zero::Refused => mistakes.mend(
            &token,
            "H011: this duration is zero",
            "write one that is longer, or remove it",
        ),
        Some(read) => return Some(read),
    }
    None
}
