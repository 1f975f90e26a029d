//! What the runtime is told of a node's attributes.

use core::time::Duration;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::field::{Cache, Policy, Retry};
use super::parse::Graph;
use crate::ends::local;
use crate::krate::Krate;

/// Writes the policy of a node.
pub(super) fn policy(krate: &Krate, policy: &Policy) -> TokenStream {
    let retries = policy.retries.iter().map(|rule| {
        let rule = retry(krate, rule);
        quote!(.retry(#rule))
    });
    let timeout = policy.timeout.map(|after| {
        let after = duration(after);
        quote!(.timeout(#after))
    });
    let idle = policy.idle.map(|after| {
        let after = duration(after);
        quote!(.idle(#after))
    });
    let answer = policy.answer.map(|after| {
        let after = duration(after);
        quote!(.answer(#after))
    });
    let cache = policy.cache.as_ref().map(|cache| {
        let ttl = duration(cache.ttl);
        quote!(.cache(#ttl))
    });
    quote!(#krate::Policy::new() #(#retries)* #timeout #idle #answer #cache)
}

fn retry(krate: &Krate, retry: &Retry) -> TokenStream {
    let times = retry.times;
    let backoff = retry.backoff.map(|backoff| {
        let backoff = duration(backoff);
        quote!(.backoff(#backoff))
    });
    let cap = retry.cap.map(|cap| {
        let cap = duration(cap);
        quote!(.cap(#cap))
    });
    let jitter = (!retry.jitter).then(|| quote!(.jitter(false)));
    let on = retry.on.as_ref().map(|on| {
        let fits = quote_spanned! {on.span()=> {
            let __on: fn(&_) -> ::core::primitive::bool = #on;
            #krate::predicate(__on)
        }};
        quote!(.on(#fits))
    });
    quote!(#krate::Retry::times(#times) #backoff #cap #jitter #on)
}

fn duration(duration: Duration) -> TokenStream {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    quote!(::core::time::Duration::from_millis(#millis))
}

/// Writes the key under which a result of a node is cached.
pub(super) fn cache_key(graph: &Graph, cache: &Cache) -> TokenStream {
    let Graph { krate, state, .. } = graph;
    let key = &cache.key;
    let name = local("__key", key.span());
    let given = quote_spanned! {key.span()=>
        let #name: fn(&#state) -> _ = #key;
    };
    let seen = local("__state", key.span());
    let made = quote_spanned!(key.span()=> #krate::cache_key(#name, #seen));
    quote!({ #given #made })
}
