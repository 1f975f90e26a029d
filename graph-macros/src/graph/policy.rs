//! What the runtime is told of a node's attributes.

use core::time::Duration;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::field::{Cache, Policy, Retry};
use super::parse::Graph;
use crate::ends::Ends;
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
    let cache = policy.cache.as_ref().map(|cache| {
        let ttl = duration(cache.ttl);
        quote!(.cache(#ttl))
    });
    quote!(#krate::Policy::new() #(#retries)* #timeout #idle #cache)
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
        let fits = quote_spanned!(on.span()=> #krate::fits(#on, __error));
        quote!(.on(|__error: &#krate::NodeError| #fits))
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
    let ends = Ends::of(key);
    ends.around(
        quote!(#krate::cache_key::<#state, _>),
        &quote_spanned!(key.span()=> (#key, state)),
        TokenStream::new(),
    )
}
